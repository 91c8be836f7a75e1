//! The three parties: which of them this is, and what each has signed with its identity.

use anyhow::{Context, Result, bail};
use ring::signature::Ed25519KeyPair;
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use strongroom_ground::text::{hex, unhex};
use strongroom_mpc::{Card, Identity};

/// How many parties there are. Two of them sign.
pub const PARTIES: usize = 3;

/// The three, in the order of their fingerprints, which is the same at each of them.
pub struct Trio {
    /// This party's identity.
    pub own: Identity,
    /// Which of the three this is.
    pub index: usize,
    /// The hash of the three fingerprints.
    pub hash: String,
    cards: [Card; PARTIES],
    certificates: [CertificateDer<'static>; PARTIES],
    signer: Ed25519KeyPair,
}

impl Trio {
    /// This party and the two others.
    ///
    /// # Errors
    /// A card that is none, or two of one party.
    pub fn new(own: Identity, others: [Card; PARTIES - 1]) -> Result<Self> {
        let [one, two] = others;
        let mut cards = [own.card.clone(), one, two].map(|card| card.fingerprint().map(|fingerprint| (fingerprint, card)));
        if let Some(Err(error)) = cards.iter().find(|card| card.is_err()) {
            bail!("{error}");
        }
        cards.sort_by(|one, other| one.as_ref().ok().map(|(hash, _)| hash).cmp(&other.as_ref().ok().map(|(hash, _)| hash)));
        let [a, b, c] = cards.map(|card| card.expect("looked at above"));
        if a.1.name == b.1.name || b.1.name == c.1.name || a.1.name == c.1.name {
            bail!("two of the three parties have the same name");
        }
        let hash = hex(&Sha256::digest([a.0, b.0, c.0].concat()));
        let cards = [a.1, b.1, c.1];
        let index = cards.iter().position(|card| *card == own.card).expect("it is one of them");
        let certificates = [&cards[0], &cards[1], &cards[2]].map(Card::certificate);
        let [Ok(a), Ok(b), Ok(c)] = certificates else { bail!("a certificate can't be read") };
        let signer = Ed25519KeyPair::from_pkcs8(own.key()).ok().context("the private key of this party is not one of Ed25519")?;
        Ok(Self { own, index, hash, cards, certificates: [a, b, c], signer })
    }

    /// The card of a party.
    pub fn card(&self, party: usize) -> &Card {
        &self.cards[party]
    }

    /// The name of a party.
    pub fn name(&self, party: usize) -> &str {
        &self.cards[party].name
    }

    /// Which party has that name.
    pub fn named(&self, name: &str) -> Option<usize> {
        self.cards.iter().position(|card| card.name == name)
    }

    /// The two others, in the order in which this one asks them.
    pub fn others(&self) -> [usize; PARTIES - 1] {
        [(self.index + 1) % PARTIES, (self.index + 2) % PARTIES]
    }

    /// The one that is neither this nor that one.
    pub fn third(&self, other: usize) -> usize {
        PARTIES - self.index - other
    }

    /// This party's signature (Ed25519).
    pub fn sign(&self, what: &str, text: &[u8]) -> String {
        hex(self.signer.sign(&labelled(what, text)).as_ref())
    }

    /// Whether a party has signed that.
    pub fn has_signed(&self, party: usize, what: &str, text: &[u8], signature: &str) -> bool {
        let Some(signature) = unhex(signature) else { return false };
        let Some(Ok(certificate)) = self.certificates.get(party).map(webpki::EndEntityCert::try_from) else { return false };
        certificate.verify_signature(webpki::ring::ED25519, &labelled(what, text), &signature).is_ok()
    }
}

/// What is signed for one purpose is no signature for another.
fn labelled(what: &str, text: &[u8]) -> Vec<u8> {
    [b"strongroom-mpc/1 ", what.as_bytes(), b"\0", text].concat()
}
