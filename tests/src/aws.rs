//! A judge of AWS's signatures that shares no code with the host: the signer of AWS's own SDK for Rust signs a request as it arrived with the
//! real pair, and has to come to the same signature. Bodies are held to what is signed of them.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::{self, SigningParams, calculate_signature, generate_signing_key};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use strongroom_demo::server::Seen;

/// A pair of keys, with the token of a session where it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// Its id.
    pub access_key_id: String,
    /// What signs.
    pub secret: String,
    /// The session's token.
    pub token: Option<String>,
}

/// What a signed request says of its signature.
struct Said {
    id: String,
    /// `DATE/REGION/SERVICE/aws4_request`
    scope: Vec<String>,
    time: SystemTime,
    stamp: String,
    /// In seconds, of a presigned URL.
    expires: Option<u64>,
    names: Vec<String>,
    signature: String,
    token: Option<String>,
    /// The query without what a signature consists of.
    query: String,
}

impl KeyPair {
    /// Whether a request is signed by this pair, its body included.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn signed(&self, seen: &Seen) -> Result<(), String> {
        let said = Said::of(seen)?;
        if said.id != self.access_key_id {
            return Err(format!("signed by another key, {}", said.id));
        }
        if said.token != self.token {
            return Err("another session token".to_owned());
        }
        let signature = self.signature(seen, &said)?;
        if signature != said.signature {
            return Err(format!("the signature is not that of the real pair; signed: {}", said.names.join(";")));
        }
        let hash = said.payload(seen);
        match hash.as_str() {
            "UNSIGNED-PAYLOAD" => Ok(()),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => self.chunks(seen, &said),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => unsigned_chunks(seen),
            hash if hash == digest(&seen.body) => Ok(()),
            _ => Err("the body is not the one that is signed".to_owned()),
        }
    }

    fn signature(&self, seen: &Seen, said: &Said) -> Result<String, String> {
        let mut settings = SigningSettings::default();
        settings.excluded_headers = Some(Vec::new());
        settings.percent_encoding_mode = if said.scope[2] == "s3" { PercentEncodingMode::Single } else { PercentEncodingMode::Double };
        if said.scope[2] == "s3" {
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        let is_signed = |name: &str| said.names.iter().any(|signed| signed == name);
        if is_signed("x-amz-content-sha256") && said.expires.is_none() {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        if let Some(seconds) = said.expires {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(seconds));
        } else if self.token.is_some() && !is_signed("x-amz-security-token") {
            settings.session_token_mode = SessionTokenMode::Exclude;
        }
        let identity = Credentials::new(&self.access_key_id, &self.secret, self.token.clone(), None, "judge").into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&said.scope[1])
            .name(&said.scope[2])
            .time(said.time)
            .settings(settings)
            .build()
            .map_err(|error| error.to_string())?
            .into();
        let host = seen.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or(&seen.host);
        let query = if said.query.is_empty() { String::new() } else { format!("?{}", said.query) };
        let uri = format!("https://{host}{}{query}", seen.path());
        let own = |name: &str| {
            ["host", "x-amz-date", "x-amz-security-token"].contains(&name) || (name == "x-amz-content-sha256" && said.expires.is_none())
        };
        let headers: Vec<(&str, &str)> = seen
            .headers
            .iter()
            .filter(|(name, _)| is_signed(name.as_str()) && !own(name.as_str()))
            .map(|(name, value)| Ok((name.as_str(), value.to_str().map_err(|_| format!("{name} is no text"))?)))
            .collect::<Result<_, String>>()?;
        for name in said.names.iter().filter(|name| *name != "host") {
            if !seen.headers.contains_key(name.as_str()) {
                return Err(format!("`{name}` is signed and not there"));
            }
        }
        let body = SignableBody::Precomputed(said.payload(seen));
        let request = SignableRequest::new(&seen.method, uri.as_str(), headers.into_iter(), body).map_err(|error| error.to_string())?;
        Ok(sign(request, &params).map_err(|error| error.to_string())?.into_parts().1)
    }

    /// Chunks that are signed, each going on from the signature before it.
    fn chunks(&self, seen: &Seen, said: &Said) -> Result<(), String> {
        let identity = Credentials::new(&self.access_key_id, &self.secret, None, None, "judge").into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&said.scope[1])
            .name(&said.scope[2])
            .time(said.time)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| error.to_string())?;
        let mut last = said.signature.clone();
        let (chunks, trailers) = frames(&seen.body)?;
        let mut length = 0;
        for (extension, data) in chunks {
            length += data.len();
            let found = extension.strip_prefix("chunk-signature=").ok_or("a chunk without a signature")?;
            let expected = v4::sign_chunk(&Bytes::copy_from_slice(data), &last, &params).map_err(|error| error.to_string())?;
            if expected.signature() != found {
                return Err(format!("the signature of a chunk of {} bytes is another", data.len()));
            }
            last = found.to_owned();
        }
        if seen.header("x-amz-decoded-content-length") != length.to_string() {
            return Err("another decoded length".to_owned());
        }
        let (own, others): (Vec<&str>, Vec<&str>) = trailers.iter().partition(|line| line.starts_with("x-amz-trailer-signature:"));
        if others.is_empty() {
            return Ok(());
        }
        let signed: String = others.iter().map(|line| format!("{line}\n")).collect();
        let text = format!("AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{last}\n{}", said.stamp, said.scope.join("/"), digest(signed.as_bytes()));
        let key = generate_signing_key(&self.secret, said.time, &said.scope[1], &said.scope[2]);
        let expected = format!("x-amz-trailer-signature:{}", calculate_signature(key, text.as_bytes()));
        if own == [expected.as_str()] { Ok(()) } else { Err("the signature of the trailers is another".to_owned()) }
    }
}

/// The bodies's data, where it is in chunks, or all of it.
///
/// # Errors
/// Where the chunks are malformed.
pub fn content(seen: &Seen) -> Result<Vec<u8>, String> {
    if !seen.header("x-amz-content-sha256").starts_with("STREAMING-") {
        return Ok(seen.body.to_vec());
    }
    Ok(frames(&seen.body)?.0.iter().flat_map(|(_, data)| data.to_vec()).collect())
}

fn unsigned_chunks(seen: &Seen) -> Result<(), String> {
    let (chunks, trailers) = frames(&seen.body)?;
    let length: usize = chunks.iter().map(|(_, data)| data.len()).sum();
    let names: Vec<&str> = trailers.iter().filter_map(|line| Some(line.split_once(':')?.0)).collect();
    match () {
        () if seen.header("x-amz-decoded-content-length") != length.to_string() => Err("another decoded length".to_owned()),
        () if names.join(",") != seen.header("x-amz-trailer") => Err(format!("other trailers than announced: {names:?}")),
        () => Ok(()),
    }
}

/// What stands behind the size of a chunk, and its data.
type Chunk<'b> = (&'b str, &'b [u8]);

/// The chunks of a body with what stands behind their sizes, and the trailers.
fn frames(mut rest: &[u8]) -> Result<(Vec<Chunk<'_>>, Vec<&str>), String> {
    let mut chunks = Vec::new();
    loop {
        let line = line(&mut rest)?;
        let (size, extension) = line.split_once(';').unwrap_or((line, ""));
        let size = usize::from_str_radix(size, 16).map_err(|error| error.to_string())?;
        let (data, after) = rest.split_at_checked(size).ok_or("a chunk is cut")?;
        rest = after;
        chunks.push((extension, data));
        if size == 0 {
            break;
        }
        rest = rest.strip_prefix(b"\r\n").ok_or("a chunk goes on")?;
    }
    let mut trailers = Vec::new();
    loop {
        match line(&mut rest)? {
            "" if rest.is_empty() => return Ok((chunks, trailers)),
            "" => return Err("something comes after the end".to_owned()),
            trailer => trailers.push(trailer),
        }
    }
}

fn line<'b>(rest: &mut &'b [u8]) -> Result<&'b str, String> {
    let end = rest.windows(2).position(|two| two == b"\r\n").ok_or("a line without its end")?;
    let line = std::str::from_utf8(&rest[..end]).map_err(|error| error.to_string())?;
    *rest = &rest[end + 2..];
    Ok(line)
}

impl Said {
    fn of(seen: &Seen) -> Result<Self, String> {
        match seen.headers.get("authorization") {
            Some(_) => Self::of_header(seen),
            None => Self::of_query(seen),
        }
    }

    fn of_header(seen: &Seen) -> Result<Self, String> {
        let line = seen.header("authorization").strip_prefix("AWS4-HMAC-SHA256 ").ok_or("it is not signed")?;
        let parts: BTreeMap<&str, &str> = line.split(',').filter_map(|part| part.trim().split_once('=')).collect();
        let token = seen.headers.get("x-amz-security-token").and_then(|token| token.to_str().ok()).map(str::to_owned);
        let query = seen.target.split_once('?').map_or("", |(_, query)| query).to_owned();
        let part = |name: &str| parts.get(name).map(|part| (*part).to_owned()).ok_or(format!("without {name}"));
        Self::made(&part("Credential")?, seen.header("x-amz-date"), None, &part("SignedHeaders")?, part("Signature")?, token, query)
    }

    fn of_query(seen: &Seen) -> Result<Self, String> {
        let (_, query) = seen.target.split_once('?').ok_or("it is not signed")?;
        let (mut own, mut others) = (BTreeMap::new(), Vec::new());
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name.strip_prefix("X-Amz-") {
                Some(name) if name != "Content-Sha256" => drop(own.insert(name, decoded(value)?)),
                _ => others.push(pair),
            }
        }
        let part = |name: &str| own.get(name).cloned().ok_or(format!("without X-Amz-{name}"));
        let expires = part("Expires")?.parse().map_err(|_| "no number of seconds")?;
        let said = Self::made(
            &part("Credential")?,
            &part("Date")?,
            Some(expires),
            &part("SignedHeaders")?,
            part("Signature")?,
            own.get("Security-Token").cloned(),
            others.join("&"),
        )?;
        let age = SystemTime::now().duration_since(said.time).unwrap_or_default();
        if age > Duration::from_secs(expires) { Err("it has expired".to_owned()) } else { Ok(said) }
    }

    fn made(
        credential: &str,
        stamp: &str,
        expires: Option<u64>,
        names: &str,
        signature: String,
        token: Option<String>,
        query: String,
    ) -> Result<Self, String> {
        let (id, scope) = credential.split_once('/').ok_or("a credential without its scope")?;
        let scope: Vec<String> = scope.split('/').map(str::to_owned).collect();
        if scope.len() != 4 || scope[3] != "aws4_request" || !stamp.starts_with(&scope[0]) {
            return Err("a malformed scope".to_owned());
        }
        let read = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", stamp).and_then(|time| time.to_datetime());
        let time = read.and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC)).map_err(|error| error.to_string())?;
        let names = names.split(';').map(str::to_owned).collect();
        Ok(Self {
            id: id.to_owned(),
            scope,
            time: time.timestamp().into(),
            stamp: stamp.to_owned(),
            expires,
            names,
            signature,
            token,
            query,
        })
    }

    /// What is signed of the body.
    fn payload(&self, seen: &Seen) -> String {
        match seen.header("x-amz-content-sha256") {
            "" if self.expires.is_some() && self.scope[2] == "s3" => "UNSIGNED-PAYLOAD".to_owned(),
            "" => digest(&seen.body),
            said => said.to_owned(),
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decoded(text: &str) -> Result<String, String> {
    let mut out = Vec::new();
    let mut parts = text.split('%');
    out.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or("a cut escape")?;
        out.push(u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?);
        out.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(out).map_err(|error| error.to_string())
}
