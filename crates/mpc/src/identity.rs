//! Who is who: a certificate for each party and each host. Nobody vouches for them; people compare words.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use zeroize::Zeroizing;

/// How long a certificate lasts. A party whose certificate has ended is refused by the others.
#[cfg(feature = "fresh")]
const LASTS: time::Duration = time::Duration::days(3 * 365);
/// How far the clock of whoever looks at a new certificate may be behind.
#[cfg(feature = "fresh")]
const LEEWAY: time::Duration = time::Duration::hours(1);
/// Words that people compare: 88 bits of a hash.
const WORDS: usize = 8;

/// The public half of an identity, as it is exchanged: a file in TOML.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// What it is called: 1 to 32 lower-case letters, digits and `-`.
    pub name: String,
    /// Where it listens. A host has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// Its certificate in PEM.
    pub certificate: String,
}

/// An identity with its private key.
pub struct Identity {
    /// The public half.
    pub card: Card,
    key: Zeroizing<Vec<u8>>,
}

/// Why something is no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// A name that is none.
    #[error("`{0}` names no party; write 1 to 32 lower-case letters, digits and `-`")]
    Name(String),
    /// The certificate can't be read.
    #[error("the certificate of `{0}` can't be read; ask for the file again")]
    Certificate(String),
    /// The private key can't be read, or made.
    #[error("the private key can't be used: {0}")]
    Key(String),
    /// A file of one can't be read or written: which, and why.
    #[error("{0}: {1}")]
    File(String, String),
}

impl Card {
    /// The certificate (RFC 5280).
    ///
    /// # Errors
    /// [`IdentityError`] where it, or the name, is none.
    pub fn certificate(&self) -> Result<CertificateDer<'static>, IdentityError> {
        let clean = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=32).contains(&self.name.len()) || !self.name.bytes().all(clean) {
            return Err(IdentityError::Name(strongroom_ground::text::for_people(&self.name)));
        }
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).map_err(|_| IdentityError::Certificate(self.name.clone()))
    }

    /// The hash by which it is pinned: of its name and its certificate. Its address may change.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn fingerprint(&self) -> Result<[u8; 32], IdentityError> {
        let certificate = self.certificate()?;
        Ok(Sha256::new().chain_update(&self.name).chain_update([0]).chain_update(&certificate).finalize().into())
    }

    /// The fingerprint's first 88 bits as 8 words (BIP-39's English list), for people to compare over another channel.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn words(&self) -> Result<String, IdentityError> {
        let hash = self.fingerprint()?;
        let list = bip39::Language::English.word_list();
        let bit = |at: usize| usize::from(hash[at / 8] >> (7 - at % 8) & 1);
        let word = |n: usize| list[(11 * n..11 * (n + 1)).fold(0, |index, at| index << 1 | bit(at))];
        Ok((0..WORDS).map(word).collect::<Vec<_>>().join(" "))
    }
}

impl Identity {
    /// A new identity, with a certificate that lasts three years.
    ///
    /// # Errors
    /// [`IdentityError`].
    #[cfg(feature = "fresh")]
    pub fn fresh(name: &str, address: Option<SocketAddr>) -> Result<Self, IdentityError> {
        use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ED25519};
        use time::OffsetDateTime;

        let unusable = |error: rcgen::Error| IdentityError::Key(error.to_string());
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(unusable)?;
        let mut params = CertificateParams::new([name.to_owned()]).map_err(unusable)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = OffsetDateTime::now_utc() - LEEWAY;
        params.not_after = OffsetDateTime::now_utc() + LASTS;
        let certificate = params.self_signed(&key).map_err(unusable)?.pem();
        let identity = Self { card: Card { name: name.to_owned(), address, certificate }, key: key.serialize_der().into() };
        identity.card.certificate()?;
        Ok(identity)
    }

    /// An identity of which both halves are kept: a card, and a key in PEM (PKCS #8).
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn kept(card: Card, key: &str) -> Result<Self, IdentityError> {
        card.certificate()?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(key.as_bytes()).map_err(|error| IdentityError::Key(error.to_string()))?;
        Ok(Self { card, key: key.secret_pkcs8_der().to_vec().into() })
    }

    /// The private key in PEM (PKCS #8), to be kept where nobody else reads it.
    #[must_use]
    pub fn key_in_pem(&self) -> Zeroizing<String> {
        use base64::Engine;
        let text = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(&*self.key));
        Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", &*text))
    }

    /// The private key (PKCS #8, DER).
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    pub(crate) fn key_for_tls(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.to_vec()))
    }
}

#[cfg(all(test, feature = "fresh"))]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_kept_and_comes_back() {
        let fresh = Identity::fresh("alpha", Some("127.0.0.1:7600".parse().expect("an address"))).expect("an identity");
        let kept = Identity::kept(fresh.card.clone(), &fresh.key_in_pem()).expect("the same");

        assert_eq!(kept.key(), fresh.key());
        assert_eq!(kept.card.words(), fresh.card.words());
        assert_eq!(fresh.card.words().expect("words").split(' ').count(), WORDS);
    }

    #[test]
    fn two_identities_of_one_name_have_other_words() {
        let [one, other] = [(); 2].map(|()| Identity::fresh("alpha", None).expect("an identity").card);

        assert_ne!(one.words(), other.words());
    }

    #[test]
    fn a_card_names_a_party() {
        for name in ["", "Alpha", "a b", "..", "a/b", &"a".repeat(33)] {
            assert!(matches!(Identity::fresh(name, None), Err(IdentityError::Name(_) | IdentityError::Key(_))), "{name}");
        }
        let card = Card { name: "alpha".to_owned(), address: None, certificate: "-----BEGIN".to_owned() };
        assert_eq!(card.words(), Err(IdentityError::Certificate("alpha".to_owned())));
    }
}
