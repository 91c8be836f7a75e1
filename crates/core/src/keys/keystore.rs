//! Keystores: the Web3 Secret Storage Definition, version 3, with the liberties that programs have taken in writing it.

use aes::cipher::{KeyIvInit, StreamCipher};
use alloy_primitives::{Address, keccak256};
use serde_json::Value;
use sha2::Sha256;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Most memory that a keystore's scrypt may take, in bytes: 512 MiB, twice what common ones do.
const MAX_SCRYPT: u64 = 512 << 20;
/// Most rounds of a keystore's PBKDF2.
const MAX_ROUNDS: u32 = 10_000_000;

/// How the key of a keystore's cipher comes from a passphrase.
enum Derivation {
    Scrypt(scrypt::Params),
    /// So many rounds of PBKDF2 with HMAC-SHA-256.
    Pbkdf2(u32),
}

/// Opens a keystore. The passphrase is tried as it is, then without one line end, as editors and `echo` put one after it, then in Unicode's
/// form NFKC, as ethers does before it makes one.
///
/// # Errors
/// What is wrong with it, and with which of its fields.
pub(super) fn open(text: &str, passphrase: &[u8]) -> Result<Zeroizing<[u8; 32]>, String> {
    let json = read(text)?;
    let crypto = Fields { value: field(&json, "crypto"), at: "crypto" };
    if !crypto.value.is_object() {
        return Err("its keystore has no `crypto`".to_owned());
    }
    let derivation = derivation(&crypto)?;
    let salt = crypto.within("kdfparams", "crypto.kdfparams").bytes("salt")?;
    let ciphertext = crypto.bytes("ciphertext")?;
    let mac = crypto.bytes("mac")?;
    let iv = crypto.within("cipherparams", "crypto.cipherparams").bytes("iv")?;
    if !crypto.says("cipher", "aes-128-ctr") {
        return Err("its keystore is encrypted in an unknown way; `crypto.cipher` should be AES-128 in counter mode".to_owned());
    }
    if iv.len() != 16 {
        return Err("its keystore is encrypted in an unknown way: `crypto.cipherparams.iv` does not have 16 bytes".to_owned());
    }
    for attempt in attempts(passphrase) {
        let derived = derivation.derive(&attempt, &salt)?;
        if keccak256([&derived[16..], &ciphertext].concat()).as_slice() != mac {
            continue;
        }
        let mut plain = Zeroizing::new(ciphertext);
        let cipher = ctr::Ctr128BE::<aes::Aes128>::new_from_slices(&derived[..16], &iv);
        cipher.map_err(|_| "its keystore is encrypted in an unknown way".to_owned())?.apply_keystream(&mut plain);
        return padded(&plain).ok_or_else(|| "its keystore holds no key of at most 32 bytes".to_owned());
    }
    Err(unopened(passphrase))
}

/// The address that a keystore says it has, if it does.
///
/// # Errors
/// What is wrong with it.
pub(super) fn address(text: &str) -> Result<Option<Address>, String> {
    let json = read(text)?;
    let address = field(&json, "address");
    if address.is_null() || *address == "" {
        return Ok(None);
    }
    let digits = address.as_str().map(|text| format!("0x{}", without_prefix(text).to_lowercase()));
    let address = digits.and_then(|digits| crate::ethereum::quantity::address(&digits));
    address.map(Some).ok_or_else(|| "its keystore has an invalid `address`".to_owned())
}

/// A field of an object, by its name in whatever case: geth has written `Crypto`, and reads any.
pub(super) fn field<'v>(value: &'v Value, name: &str) -> &'v Value {
    const NONE: &Value = &Value::Null;
    let fields = value.as_object().into_iter().flatten();
    let alike = || fields.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    value.get(name).or_else(alike).unwrap_or(NONE)
}

/// Hexadecimal digits without what may stand before them.
pub(super) fn without_prefix(text: &str) -> &str {
    text.strip_prefix("0x").or(text.strip_prefix("0X")).unwrap_or(text)
}

fn read(text: &str) -> Result<Value, String> {
    let json: Value = serde_json::from_str(text).map_err(|_| "its keystore is not JSON".to_owned())?;
    match field(&json, "version") {
        version if *version == 3 || *version == "3" => Ok(json),
        _ => Err("its keystore's `version` is not 3; one of version 3 is needed".to_owned()),
    }
}

/// The fields of a part of a keystore.
struct Fields<'v> {
    value: &'v Value,
    at: &'static str,
}

impl Fields<'_> {
    fn within(&self, name: &str, at: &'static str) -> Self {
        Self { value: field(self.value, name), at }
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>, String> {
        let digits = field(self.value, name).as_str().map(without_prefix);
        digits
            .and_then(crate::text::unhex)
            .ok_or_else(|| format!("its keystore's `{}.{name}` is not written in hexadecimal digits", self.at))
    }

    fn number(&self, name: &str) -> Result<u64, String> {
        field(self.value, name).as_u64().ok_or_else(|| format!("its keystore's `{}.{name}` is not a number", self.at))
    }

    fn says(&self, name: &str, text: &str) -> bool {
        field(self.value, name).as_str().is_some_and(|found| found.eq_ignore_ascii_case(text))
    }
}

fn derivation(crypto: &Fields<'_>) -> Result<Derivation, String> {
    let parameters = crypto.within("kdfparams", "crypto.kdfparams");
    if parameters.number("dklen")? != 32 {
        return Err("its keystore's `crypto.kdfparams.dklen` is not 32 bytes".to_owned());
    }
    if crypto.says("kdf", "scrypt") {
        let [n, r, p] = ["n", "r", "p"].map(|name| parameters.number(name));
        let (n, r, p) = (n?, r?, p?);
        let modest = n.is_power_of_two() && n > 1 && n.saturating_mul(r).saturating_mul(128) <= MAX_SCRYPT && p <= 16;
        let (r, p) = (u32::try_from(r), u32::try_from(p));
        let (Ok(r), Ok(p), true) = (r, p, modest) else {
            return Err("its keystore's `crypto.kdfparams` ask for more than 512 MiB, or `n` is not a power of two".to_owned());
        };
        let range = || "its keystore's `crypto.kdfparams` are out of range".to_owned();
        let log_n = u8::try_from(n.ilog2()).map_err(|_| range())?;
        return scrypt::Params::new(log_n, r, p).map(Derivation::Scrypt).map_err(|_| range());
    }
    if crypto.says("kdf", "pbkdf2") && parameters.says("prf", "hmac-sha256") {
        let rounds = u32::try_from(parameters.number("c")?).ok().filter(|rounds| (1..=MAX_ROUNDS).contains(rounds));
        return rounds
            .map(Derivation::Pbkdf2)
            .ok_or_else(|| "its keystore's `crypto.kdfparams.c` is out of range: too many rounds, or none".to_owned());
    }
    Err("its keystore derives its key in an unknown way; `crypto.kdf` should be one of the definition's two, with its `prf`".to_owned())
}

impl Derivation {
    fn derive(&self, passphrase: &[u8], salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, String> {
        let mut derived = Zeroizing::new([0; 32]);
        match self {
            Self::Scrypt(parameters) => scrypt::scrypt(passphrase, salt, parameters, &mut *derived)
                .map_err(|_| "its keystore's `crypto.kdfparams` are out of range".to_owned())?,
            Self::Pbkdf2(rounds) => pbkdf2::pbkdf2_hmac::<Sha256>(passphrase, salt, *rounds, &mut *derived),
        }
        Ok(derived)
    }
}

/// The passphrases that a file with one may mean, each once.
fn attempts(passphrase: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let nfkc = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(|text| text.nfkc().collect::<String>().into_bytes());
    let bare = without_line_end(passphrase);
    let all = [Some(passphrase.to_vec()), Some(bare.to_vec()), nfkc(passphrase), nfkc(bare)];
    let mut attempts: Vec<Zeroizing<Vec<u8>>> = Vec::new();
    for attempt in all.into_iter().flatten().map(Zeroizing::new) {
        if !attempts.contains(&attempt) {
            attempts.push(attempt);
        }
    }
    attempts
}

/// The same without one line end.
pub(super) fn without_line_end(passphrase: &[u8]) -> &[u8] {
    let bare = passphrase.strip_suffix(b"\n").unwrap_or(passphrase);
    bare.strip_suffix(b"\r").unwrap_or(bare)
}

fn unopened(passphrase: &[u8]) -> String {
    let bare = without_line_end(passphrase);
    let edges = bare.trim_ascii().len() < bare.len() || bare.starts_with("\u{feff}".as_bytes());
    let hint =
        if edges { ", which begins or ends with white space or a byte order mark; write it without, if those are not its own" } else { "" };
    format!("its keystore does not open with the passphrase{hint}")
}

/// A key with the zeros before it that some programs leave out.
fn padded(plain: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    let zeros = key.len().checked_sub(plain.len()).filter(|_| !plain.is_empty())?;
    key[zeros..].copy_from_slice(plain);
    Some(key)
}
