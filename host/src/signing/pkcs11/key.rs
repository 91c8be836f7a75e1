//! What a token says about a key, and whether such a key may sign.

use crate::text::unhex;
use cryptoki::object::{Attribute, AttributeType, KeyType};
use k256::ecdsa::VerifyingKey;

/// What a token says of a private key.
#[derive(Default)]
pub(super) struct Use {
    kind: Option<KeyType>,
    sensitive: bool,
    /// Where it does not say, the key may well leave it.
    extractable: Option<bool>,
    asks_each_time: bool,
    pub(super) id: Option<Vec<u8>>,
}

impl Use {
    pub(super) const ASKED: &[AttributeType] = &[
        AttributeType::KeyType,
        AttributeType::Sensitive,
        AttributeType::Extractable,
        AttributeType::AlwaysAuthenticate,
        AttributeType::Id,
    ];

    pub(super) fn note(&mut self, attribute: Attribute) {
        match attribute {
            Attribute::KeyType(kind) => self.kind = Some(kind),
            Attribute::Sensitive(is) => self.sensitive = is,
            Attribute::Extractable(is) => self.extractable = Some(is),
            Attribute::AlwaysAuthenticate(is) => self.asks_each_time = is,
            Attribute::Id(id) => self.id = Some(id),
            _ => {}
        }
    }

    /// Whether the key may sign here, or why not.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.kind != Some(KeyType::EC) {
            return Err("is not a key on an elliptic curve; generate one on secp256k1");
        }
        if !self.sensitive {
            return Err("is not CKA_SENSITIVE, so that its value can be read; generate one on the token that is");
        }
        if self.extractable != Some(false) {
            return Err("is CKA_EXTRACTABLE, so that it can leave the token; generate one on the token that is not");
        }
        if self.asks_each_time {
            return Err("is CKA_ALWAYS_AUTHENTICATE: it wants the PIN for each signature, and nobody is there to type it");
        }
        Ok(())
    }
}

/// A CKA_ID by its hexadecimal digits.
pub(super) fn identifier(digits: &str) -> Option<Vec<u8>> {
    unhex(digits).filter(|id| !id.is_empty())
}

/// The key of a CKA_EC_POINT: a point (SEC 1, 2.3.3) in a DER OCTET STRING, which some modules leave out.
pub(super) fn public_key(bytes: &[u8]) -> Option<VerifyingKey> {
    let point = match bytes {
        [0x04, length, point @ ..] if matches!(point.len(), 33 | 65) && usize::from(*length) == point.len() => point,
        point => point,
    };
    VerifyingKey::from_sec1_bytes(point).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_with_and_without_its_octet_string() {
        let x = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
        let y = "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
        let read = |text: &str| public_key(&unhex(text).expect("digits")).map(|key| key.to_encoded_point(true).as_bytes().to_vec());
        let generator = unhex(&format!("02{x}"));

        for good in [format!("04{x}{y}"), format!("044104{x}{y}"), format!("02{x}"), format!("042102{x}")] {
            assert_eq!(read(&good), generator, "{good}");
        }
        for bad in [format!("044104{x}{y}00"), format!("044004{x}{y}"), format!("04{x}{x}"), "00".to_owned(), "0401".to_owned()] {
            assert_eq!(read(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_key_that_could_leave_its_token_does_not_sign() {
        let told = |sensitive: bool, extractable: Option<bool>| Use { kind: Some(KeyType::EC), sensitive, extractable, ..Use::default() };

        assert!(told(true, Some(false)).check().is_ok());
        for open in [told(false, Some(false)), told(true, Some(true)), told(true, None), Use { kind: None, ..told(true, Some(false)) }] {
            assert!(open.check().is_err());
        }
    }

    #[test]
    fn an_identifier_is_pairs_of_hexadecimal_digits() {
        assert_eq!(identifier("01aF"), Some(vec![0x01, 0xaf]));
        for wrong in ["", "0", "0x01", "+1", "0g", "é"] {
            assert_eq!(identifier(wrong), None, "{wrong}");
        }
    }
}
