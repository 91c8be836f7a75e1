//! Private keys in PEM (RFC 7468), as programs write them: PKCS#8 (RFC 5958), PKCS#1 of RSA (RFC 8017), and SEC 1 of elliptic curves
//! (RFC 5915). What else is found there is named, with the command that makes a key of it. No message holds a part of a key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::Zeroizing;

/// What a key is for, by its algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rsa,
    P256,
    Secp256k1,
    Ed25519,
    /// One that signs no tokens here, as people call it.
    Other(&'static str),
}

/// A private key as it lies in its frame.
pub(crate) struct PrivateKey {
    pub(crate) algorithm: Algorithm,
    /// PKCS#8, or PKCS#1 where `is_pkcs1`.
    pub(crate) der: Zeroizing<Vec<u8>>,
    pub(crate) is_pkcs1: bool,
}

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// The curve of a key in SEC 1.
const PARAMETERS: u8 = 0xa0;

/// `id-ecPublicKey` (RFC 5480).
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// Algorithms and curves by their object identifiers (RFC 5480, 8017, 8410; SEC 2).
const KNOWN: &[(&[u8], Algorithm)] = &[
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01], Algorithm::Rsa),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a], Algorithm::Other("RSA-PSS")),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x03, 0x01], Algorithm::Other("Diffie-Hellman")),
    (&[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01], Algorithm::Other("DSA")),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], Algorithm::P256),
    (&[0x2b, 0x81, 0x04, 0x00, 0x0a], Algorithm::Secp256k1),
    (&[0x2b, 0x81, 0x04, 0x00, 0x21], Algorithm::Other("P-224")),
    (&[0x2b, 0x81, 0x04, 0x00, 0x22], Algorithm::Other("P-384")),
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], Algorithm::Other("P-521")),
    (&[0x2b, 0x65, 0x6e], Algorithm::Other("X25519")),
    (&[0x2b, 0x65, 0x6f], Algorithm::Other("X448")),
    (&[0x2b, 0x65, 0x70], Algorithm::Ed25519),
    (&[0x2b, 0x65, 0x71], Algorithm::Other("Ed448")),
];

/// Frames that hold no private key which could be read, each with what people call it and what helps. `EC PARAMETERS` may stand before a key.
const OTHERS: &[(&str, &str, &str)] = &[
    ("ENCRYPTED PRIVATE KEY", "an encrypted private key", DECRYPT),
    (
        "OPENSSH PRIVATE KEY",
        "a key in OpenSSH's form",
        "copy the file, and have the copy written as PEM: `ssh-keygen -p -N '' -m PKCS8 -f KEY`",
    ),
    ("DSA PRIVATE KEY", "a key of DSA", OTHER_KEY),
    ("PGP PRIVATE KEY BLOCK", "a key of OpenPGP", OTHER_KEY),
    ("ANY PRIVATE KEY", "a key of an unknown kind", OTHER_KEY),
    ("PUBLIC KEY", "a public key", PRIVATE_HALF),
    ("RSA PUBLIC KEY", "a public key", PRIVATE_HALF),
    ("EC PUBLIC KEY", "a public key", PRIVATE_HALF),
    ("SSH2 PUBLIC KEY", "a public key", PRIVATE_HALF),
    ("PGP PUBLIC KEY BLOCK", "a public key of OpenPGP", PRIVATE_HALF),
    ("CERTIFICATE", "a certificate", PRIVATE_HALF),
    ("TRUSTED CERTIFICATE", "a certificate", PRIVATE_HALF),
    ("X509 CERTIFICATE", "a certificate", PRIVATE_HALF),
    ("CERTIFICATE REQUEST", "a request for a certificate", PRIVATE_HALF),
    ("NEW CERTIFICATE REQUEST", "a request for a certificate", PRIVATE_HALF),
    ("X509 CRL", "a list of revoked certificates", PRIVATE_HALF),
    ("PKCS7", "a bundle of certificates", PRIVATE_HALF),
    ("CMS", "a signed or encrypted message", PRIVATE_HALF),
    ("EC PARAMETERS", "the parameters of a curve, without a key", PRIVATE_HALF),
    ("DSA PARAMETERS", "the parameters of DSA, without a key", OTHER_KEY),
    ("DH PARAMETERS", "the parameters of Diffie-Hellman, without a key", OTHER_KEY),
];

const DECRYPT: &str = "decrypt it: `openssl pkey -in KEY.pem -out NEW.pem`, which asks for its passphrase";
const OTHER_KEY: &str = "make one of RSA, P-256, Ed25519 or secp256k1";
const PRIVATE_HALF: &str = "give the private key, which begins with `-----BEGIN PRIVATE KEY-----`";

/// The private key of a text with frames of PEM. Text around them, and frames without a private key beside one, are passed over.
///
/// # Errors
/// What was found, and what helps.
pub(crate) fn private_key(bytes: &[u8]) -> Result<PrivateKey, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is a PEM with bytes that are not text; save it as UTF-8".to_owned())?;
    let text = unescaped(text);
    let blocks = blocks(&text)?;
    let mut keys = blocks.iter().filter(|block| ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"].contains(&block.label));
    match (keys.next(), keys.next()) {
        (Some(_), Some(_)) => Err("it holds more than one private key; keep the one that is meant to sign".to_owned()),
        (Some(block), None) => block.key(blocks.iter().find(|block| block.label == "EC PARAMETERS")),
        (None, _) => {
            // An encrypted key before a certificate that stands beside it.
            let found = OTHERS.iter().find(|(label, ..)| blocks.iter().any(|block| block.label == *label));
            let (_, what, remedy) = found.unwrap_or(&("", "something else", PRIVATE_HALF));
            Err(format!("it is not a private key in PEM but {what}; {remedy}"))
        }
    }
}

/// What a value is that is no PEM, and would be taken for the bytes of a symmetric key: a key in a form that is to be undone first.
pub(crate) fn disguised(bytes: &[u8]) -> Option<String> {
    let is_marked = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    if is_marked && bytes[2..].chunks(2).all(|pair| pair.contains(&0)) {
        return Some("it is text in UTF-16; save it as UTF-8".to_owned());
    }
    if is_key(bytes) {
        return Some("it is a key in binary form (DER); write it as PEM: `openssl pkey -inform DER -in KEY -out KEY.pem`".to_owned());
    }
    let text = std::str::from_utf8(bytes).ok()?.trim();
    if text.starts_with("PuTTY-User-Key-File-") {
        return Some("it is a key in PuTTY's form; write it as PEM: `puttygen KEY.ppk -O private-openssh -o KEY.pem`".to_owned());
    }
    if ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|start| text.starts_with(start)) && text.contains(" AAAA") {
        return Some(format!("it is a public key of SSH; {PRIVATE_HALF}"));
    }
    let compact: Zeroizing<Vec<u8>> = Zeroizing::new(text.bytes().filter(|b| !b.is_ascii_whitespace()).collect());
    let decoded = Zeroizing::new(STANDARD.decode(&*compact).ok()?);
    if memchr::memmem::find(&decoded, b"-----BEGIN").is_some() {
        return Some("it is a PEM in base64; decode it first: `base64 -d`".to_owned());
    }
    is_key(&decoded)
        .then(|| "it is the inner part of a PEM, without its lines `-----BEGIN …-----` and `-----END …-----`; add them".to_owned())
}

/// The way to a PEM within a JSON document, as a manifest writes it after the entry: `#private_key`.
pub(crate) fn field_of(document: &Value) -> Option<String> {
    let name_of = |path: &[&str]| match path {
        [name] if !name.starts_with('/') => format!("#{name}"),
        path => path.iter().fold("#".to_owned(), |way, name| way + "/" + &name.replace('~', "~0").replace('/', "~1")),
    };
    fn search<'d>(value: &'d Value, path: &mut Vec<&'d str>) -> bool {
        match value {
            Value::String(text) => text.contains("-----BEGIN") && text.contains("PRIVATE KEY"),
            Value::Object(fields) => fields.iter().any(|(name, value)| {
                path.push(name);
                search(value, path) || path.pop().is_none()
            }),
            _ => false,
        }
    }
    let mut path = Vec::new();
    let found = document.is_object() && search(document, &mut path);
    // A name that is none may be a value in the wrong place.
    let is_name = |name: &&str| (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b));
    (found && path.iter().all(is_name)).then(|| name_of(&path))
}

/// A frame and what stands in it.
struct Block<'t> {
    label: &'t str,
    body: &'t str,
}

fn blocks(text: &str) -> Result<Vec<Block<'_>>, String> {
    let torn =
        || "it is a PEM that was cut short: after its line `-----BEGIN …-----` there is no `-----END …-----` of the same name".to_owned();
    let (mut rest, mut blocks) = (text, Vec::new());
    while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
        let (label, begun) = begun.split_once("-----").ok_or_else(torn)?;
        let (body, after) = begun.split_once(&format!("-----END {label}-----")).ok_or_else(torn)?;
        blocks.push(Block { label, body });
        rest = after;
    }
    Ok(blocks)
}

/// The text with line breaks that were written as `\n` undone, as variables and copied JSON have them. No PEM has a backslash otherwise.
fn unescaped(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.next_if(|next| matches!(next, 'n' | 'r')).is_some() => out.push('\n'),
            '\\' => {}
            c => out.push(c),
        }
    }
    out
}

impl Block<'_> {
    /// The key, whose curve may stand in a frame of its own.
    fn key(&self, parameters: Option<&Block<'_>>) -> Result<PrivateKey, String> {
        if self.body.contains("Proc-Type:") || self.body.contains("DEK-Info:") {
            return Err(format!("it is an encrypted private key; {DECRYPT}"));
        }
        let der = self.der()?;
        let wrong = || format!("it is a broken private key: it does not hold what `BEGIN {}` says", self.label);
        match self.label {
            "RSA PRIVATE KEY" => {
                sequence(&der).and_then(|key| take(key, INTEGER)).ok_or_else(wrong)?;
                Ok(PrivateKey { algorithm: Algorithm::Rsa, der, is_pkcs1: true })
            }
            "EC PRIVATE KEY" => {
                let key = sequence(&der).and_then(|key| take(key, INTEGER)).and_then(|(_, key)| take(key, OCTETS)).ok_or_else(wrong)?.1;
                let own = take(key, PARAMETERS).map(|(curve, _)| curve.to_vec());
                let curve = own.or(parameters.map(Block::der).transpose()?.map(|der| der.to_vec()));
                let curve = curve.ok_or_else(|| {
                    "it does not name the curve of its key; write it anew: `openssl pkey -in KEY.pem -out NEW.pem`, with its `EC PARAMETERS`"
                        .to_owned()
                })?;
                let (oid, _) = take(&curve, OID).ok_or_else(explicit)?;
                let algorithm = algorithm(oid);
                let which = element(SEQUENCE, &[element(OID, EC), element(OID, oid)].concat());
                let content = Zeroizing::new([&[INTEGER, 1, 0][..], &which, &Zeroizing::new(element(OCTETS, &der))].concat());
                Ok(PrivateKey { algorithm, der: element(SEQUENCE, &content).into(), is_pkcs1: false })
            }
            _ => {
                let (_, key) = sequence(&der).and_then(|key| take(key, INTEGER)).ok_or_else(wrong)?;
                let (oid, parameters) = take(key, SEQUENCE).and_then(|(which, _)| take(which, OID)).ok_or_else(wrong)?;
                let algorithm = match oid == EC {
                    true => algorithm(take(parameters, OID).ok_or_else(explicit)?.0),
                    false => algorithm(oid),
                };
                Ok(PrivateKey { algorithm, der, is_pkcs1: false })
            }
        }
    }

    fn der(&self) -> Result<Zeroizing<Vec<u8>>, String> {
        let compact: Zeroizing<Vec<u8>> = Zeroizing::new(self.body.bytes().filter(|b| !b.is_ascii_whitespace()).collect());
        let der = STANDARD.decode(&*compact).map(Zeroizing::new);
        der.map_err(|_| "it is a broken PEM: what is between its `BEGIN` and `END` is not base64".to_owned())
    }
}

fn explicit() -> String {
    "the curve of its key is written out, not named; name it: `openssl ec -in KEY.pem -param_enc named_curve -out NEW.pem`".to_owned()
}

fn algorithm(oid: &[u8]) -> Algorithm {
    KNOWN.iter().find(|(known, _)| *known == oid).map_or(Algorithm::Other("an unknown kind"), |(_, algorithm)| *algorithm)
}

/// Whether bytes are a key in DER: PKCS#1, PKCS#8, SEC 1, or a PKCS#12 around one. They begin with their version.
fn is_key(bytes: &[u8]) -> bool {
    let version = sequence(bytes).and_then(|content| take(content, INTEGER));
    version.is_some_and(|(version, rest)| {
        matches!(version, [0 | 1 | 3]) && rest.first().is_some_and(|tag| [INTEGER, OCTETS, SEQUENCE].contains(tag))
    })
}

/// What a sequence holds that the bytes are, to their end.
fn sequence(der: &[u8]) -> Option<&[u8]> {
    take(der, SEQUENCE).and_then(|(content, rest)| rest.is_empty().then_some(content))
}

/// The content of an element with that tag, and what follows after it (X.690, 8.1).
fn take(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.strip_prefix(&[tag])?.split_first()?;
    let width = match first {
        0..=0x7f => return rest.split_at_checked(usize::from(*first)),
        0x81..=0x84 => usize::from(first & 0x7f),
        _ => return None,
    };
    let (length, rest) = rest.split_at_checked(width)?;
    rest.split_at_checked(length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
}

/// An element with its tag and length.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let digits = &length[length.iter().take_while(|byte| **byte == 0).count().min(length.len() - 1)..];
    let mut out = Vec::with_capacity(2 + digits.len() + content.len());
    out.push(tag);
    if content.len() > 0x7f {
        out.push(0x80 | u8::try_from(digits.len()).expect("at most 8"));
    }
    out.extend(digits);
    out.extend(content);
    out
}
