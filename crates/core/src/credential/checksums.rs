//! Checksums that a client puts over its body. Where the host changes the body, they are the host's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use md5::Md5;
use sha2::{Digest, Sha256, Sha512};

/// Makes a digest.
type Hash = fn(&[u8]) -> Vec<u8>;

/// The form in which a header has a checksum.
enum Form {
    /// Base64 of one digest.
    Base64(Hash),
    /// Hexadecimal digits of SHA-256; other words say how the body is signed.
    HexOrWord,
    /// `NAME=BASE64, …` (RFC 3230).
    Named,
    /// `name=:BASE64:, …` (RFC 9530).
    Dictionary,
    /// One that is not made here.
    Unknown,
}

fn digest<D: Digest>(body: &[u8]) -> Vec<u8> {
    D::digest(body).to_vec()
}

/// The header's form; `None` where it is no checksum of a body.
fn form(name: &HeaderName) -> Option<Form> {
    Some(match name.as_str() {
        "content-md5" => Form::Base64(digest::<Md5>),
        "x-amz-checksum-sha256" => Form::Base64(digest::<Sha256>),
        "x-amz-content-sha256" => Form::HexOrWord,
        "digest" => Form::Named,
        "content-digest" | "repr-digest" => Form::Dictionary,
        name if name.starts_with("x-amz-checksum-") || name.starts_with("x-goog-hash") || name.starts_with("content-sha") => Form::Unknown,
        _ => return None,
    })
}

/// Whether a request says a checksum of its body.
pub fn has_checksum(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| form(name).is_some())
}

/// The header with a checksum that the host can't make anew.
pub(crate) fn unknown(headers: &HeaderMap) -> Option<&HeaderName> {
    headers.iter().find(|(name, value)| form(name).is_some_and(|form| made(&form, value, b"").is_none())).map(|(name, _)| name)
}

/// Makes the checksums anew, of the body as it leaves; the name of one that can't be made otherwise.
pub fn renew(headers: &mut HeaderMap, body: &[u8]) -> Result<(), HeaderName> {
    for (name, value) in headers.iter_mut() {
        if let Some(form) = form(name) {
            *value = made(&form, value, body).ok_or_else(|| name.clone())?;
        }
    }
    Ok(())
}

fn made(form: &Form, value: &HeaderValue, body: &[u8]) -> Option<HeaderValue> {
    let text = value.to_str().ok()?;
    let made = match form {
        Form::Base64(digest) => STANDARD.encode(digest(body)),
        Form::HexOrWord if text.len() == 64 => crate::text::hex(&Sha256::digest(body)),
        // What is not signed has no checksum.
        Form::HexOrWord => return (text == "UNSIGNED-PAYLOAD").then(|| value.clone()),
        Form::Named => each(text, |entry| {
            let (name, _) = entry.split_once('=')?;
            Some(format!("{name}={}", STANDARD.encode(named(name)?(body))))
        })?,
        Form::Dictionary => each(text, |entry| {
            let (name, _) = entry.split_once("=:")?;
            Some(format!("{name}=:{}:", STANDARD.encode(named(name)?(body))))
        })?,
        Form::Unknown => return None,
    };
    HeaderValue::from_str(&made).ok()
}

/// Each entry of a list made anew.
fn each(text: &str, anew: impl Fn(&str) -> Option<String>) -> Option<String> {
    text.split(',').map(|entry| anew(entry.trim())).collect::<Option<Vec<_>>>().map(|entries| entries.join(", "))
}

/// The digest of that name, as both registries of digests spell it.
fn named(name: &str) -> Option<Hash> {
    match name.to_ascii_lowercase().as_str() {
        "md5" => Some(digest::<Md5>),
        "sha-256" => Some(digest::<Sha256>),
        "sha-512" => Some(digest::<Sha512>),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_of_the_body_as_it_leaves_or_is_not_said() {
        // Of `{"hello": "world"}`: RFC 9530, appendix B; the MD5 is `openssl md5`'s.
        let body = b"{\"hello\": \"world\"}";
        let sha256 = "X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=";
        let md5 = "Sd/dVLAcvNLSq16eXua5uQ==";
        for (name, stale, fresh) in [
            ("content-md5", "eA==", md5.to_owned()),
            ("digest", "SHA-256=eA==", format!("SHA-256={sha256}")),
            ("digest", "md5=eA==,sha-256=eA==", format!("md5={md5}, sha-256={sha256}")),
            ("content-digest", "sha-256=:eA==:", format!("sha-256=:{sha256}:")),
            ("x-amz-checksum-sha256", "eA==", sha256.to_owned()),
            ("x-amz-content-sha256", &"0".repeat(64), "5f8f04f6a3a892aaabbddb6cf273894493773960d4a325b105fee46eef4304f1".to_owned()),
            ("x-amz-content-sha256", "UNSIGNED-PAYLOAD", "UNSIGNED-PAYLOAD".to_owned()),
        ] {
            let mut headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_str(stale).expect("visible"))]);
            assert!(has_checksum(&headers) && unknown(&headers).is_none(), "{name}");
            assert_eq!(renew(&mut headers, body), Ok(()), "{name}");
            assert_eq!(headers[name], fresh, "{name}");
        }
        for (name, value) in [
            ("x-amz-checksum-crc32", "eA=="),
            ("x-amz-checksum-crc64nvme", "eA=="),
            ("digest", "crc32c=eA=="),
            ("content-digest", "sha-256=eA=="),
            ("x-goog-hash", "crc32c=eA=="),
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ] {
            let mut headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
            assert_eq!(unknown(&headers).map(HeaderName::as_str), Some(name));
            assert_eq!(renew(&mut headers, body).map_err(|name| name.to_string()), Err(name.to_owned()));
        }
        assert!(!has_checksum(&HeaderMap::from_iter([(http::header::ACCEPT, HeaderValue::from_static("x"))])));
    }
}
