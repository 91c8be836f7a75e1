//! The keys of the demo, made for one run of it, and what they are recognised by.

use crate::scan::Needle;
use anyhow::Result;
use strongroom::k256::ecdsa::SigningKey;
use strongroom_ethereum::signature::address_of;

/// All that no agent may ever hold.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The exchange's.
    pub exchange: String,
    /// The one that the exchange makes in its place.
    pub successor: String,
    /// The model's.
    pub model: String,
    /// The wallet's, in hexadecimal digits.
    pub wallet: String,
}

impl Keys {
    /// New ones.
    ///
    /// # Errors
    /// Where the system has no randomness.
    pub fn new() -> Result<Self> {
        let exchange = || random_hex(16).map(|digits| format!("pf_live_{digits}"));
        Ok(Self { exchange: exchange()?, successor: exchange()?, model: format!("sk-{}", random_hex(24)?), wallet: random_hex(32)? })
    }

    /// The address of the wallet, by the key alone.
    ///
    /// # Errors
    /// Where the digits are no key, as one in 2^128 are not.
    pub fn address(&self) -> Result<String> {
        Ok(address_of(SigningKey::from_slice(&bytes(&self.wallet))?.verifying_key()).to_string())
    }

    /// What of each is searched for.
    #[must_use]
    pub fn needles(&self) -> [Needle; 4] {
        [
            Needle::new("PURPLEFLEA_API_KEY", &self.exchange),
            Needle::new("the new PURPLEFLEA_API_KEY", &self.successor),
            Needle::new("OPENAI_API_KEY", &self.model),
            Needle::new("the wallet's key", &self.wallet).with_bytes(bytes(&self.wallet)),
        ]
    }
}

/// The bytes of hexadecimal digits; what is none is left out.
#[must_use]
pub fn bytes(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn random_hex(length: usize) -> Result<String> {
    let mut random = vec![0; length];
    getrandom::fill(&mut random)?;
    Ok(hex(&random))
}
