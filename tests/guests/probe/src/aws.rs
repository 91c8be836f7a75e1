//! Signs a request for AWS with placeholders, as a client library would; or wrongly, as the words say.
//!
//! `aws METHOD URL WORD…`, where a word is
//! - `h:NAME=VALUE` a header that is signed, `add:NAME=VALUE` one that is put in afterwards,
//! - `b:TEXT` the body, `x:COUNT` one of so many bytes, `says:TEXT` the body whose hash is signed instead,
//! - `chunks:COUNTxSIZE` a body in signed chunks, `break:AT` with another byte in one of them, `end:TEXT` with something behind its end,
//! - `payload:NAME` what is signed of the body, `none` for nothing said,
//! - `presign:SECONDS` a URL instead of a header, `at:SECONDS` by a clock that is so much ahead,
//! - `key:NAME`, `id:NAME`, `token:NAME` secrets whose placeholders are used, `=TEXT` for a name is the agent's own,
//! - `as:METHOD` and `for:URL` what is signed instead, `service:NAME`.

use crate::{outcome, request};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};
use strongroom_guest::Secret;

struct Signer {
    key: Vec<u8>,
    scope: String,
    stamp: String,
}

pub fn sign(words: &[&str]) -> String {
    let all = |name: &str| words[2..].iter().filter_map(|word| word.strip_prefix(&format!("{name}:"))).collect::<Vec<_>>();
    let one = |name: &str| all(name).first().copied();
    let placeholder = |name: &str| match name.strip_prefix('=') {
        Some(own) => own.to_owned(),
        None => Secret::open(name).map(|secret| secret.placeholder()).unwrap_or_default(),
    };
    let (key, id) = (placeholder(one("key").unwrap_or("KEY")), placeholder(one("id").unwrap_or("ID")));
    let token = one("token").map(placeholder);
    let service = one("service").unwrap_or("s3");
    let stamp = stamp(one("at").and_then(|at| at.parse().ok()).unwrap_or(0));
    let scope = format!("{}/us-east-1/{service}/aws4_request", &stamp[..8]);
    let signer = Signer { key: derived(&key, &scope), scope, stamp };

    let mut body = match one("x").and_then(|count| count.parse().ok()) {
        Some(count) => vec![b'x'; count],
        None => one("b").unwrap_or_default().replace('+', " ").into_bytes(),
    };
    let chunks = one("chunks").and_then(|chunks| chunks.split_once('x')).map(|(count, size)| (parsed(count), parsed(size)));
    let payload = match (one("payload"), chunks, one("presign")) {
        (Some(said), ..) => said.to_owned(),
        (None, Some(_), _) => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD".to_owned(),
        (None, None, Some(_)) => "UNSIGNED-PAYLOAD".to_owned(),
        (None, None, None) => digest(one("says").map_or(body.as_slice(), str::as_bytes)),
    };
    let mut headers: Vec<(String, String)> = all("h")
        .into_iter()
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.replace('+', " ")))
        .collect();
    let target = one("for").unwrap_or(words[1]).trim_start_matches("https://");
    let (host, target) = target.split_once('/').unwrap_or((target, ""));
    headers.push(("host".to_owned(), host.to_owned()));
    let mut url = words[1].to_owned();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut query: Vec<String> = query.split('&').filter(|pair| !pair.is_empty()).map(str::to_owned).collect();
    if let Some(expires) = one("presign") {
        let names = names(&headers);
        let own = [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential", format!("{id}/{}", signer.scope).replace('/', "%2F")),
            ("X-Amz-Date", signer.stamp.clone()),
            ("X-Amz-Expires", expires.to_owned()),
            ("X-Amz-SignedHeaders", names.join("%3B")),
        ];
        let own = own.into_iter().map(|(name, value)| format!("{name}={value}"));
        query.extend(own.chain(token.iter().map(|token| format!("X-Amz-Security-Token={token}"))));
        let canonical = canonical(one("as").unwrap_or(words[0]), path, &query, &headers, &payload);
        let signature = signer.sign("AWS4-HMAC-SHA256", &digest(canonical.as_bytes()));
        let base = words[1].split('?').next().unwrap_or_default();
        url = format!("{base}?{}&X-Amz-Signature={signature}", query.join("&"));
    } else {
        headers.push(("x-amz-date".to_owned(), signer.stamp.clone()));
        headers.extend(token.map(|token| ("x-amz-security-token".to_owned(), token)));
        if payload != "none" {
            headers.push(("x-amz-content-sha256".to_owned(), payload.clone()));
        }
        if let Some((count, size)) = chunks {
            headers.push(("x-amz-decoded-content-length".to_owned(), (count * size).to_string()));
        }
        let hash = if payload == "none" { digest(one("says").map_or(body.as_slice(), str::as_bytes)) } else { payload };
        let canonical = canonical(one("as").unwrap_or(words[0]), path, &query, &headers, &hash);
        let signature = signer.sign("AWS4-HMAC-SHA256", &digest(canonical.as_bytes()));
        let names = names(&headers);
        let line = format!("AWS4-HMAC-SHA256 Credential={id}/{}, SignedHeaders={}, Signature={signature}", signer.scope, names.join(";"));
        headers.push(("authorization".to_owned(), line));
        if let Some((count, size)) = chunks {
            body = signer.chunked(&signature, count, size, one("break").map(parsed));
            body.extend_from_slice(one("end").unwrap_or_default().as_bytes());
        }
    }
    let mut request = request(&[words[0], &url]);
    let added = all("add").into_iter().filter_map(|pair| pair.split_once('='));
    for (name, value) in headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(added) {
        if name != "host" {
            request = request.header(name, value);
        }
    }
    outcome(if body.is_empty() { request } else { request.body(body) })
}

impl Signer {
    fn sign(&self, algorithm: &str, text: &str) -> String {
        hex(&mac(&self.key, format!("{algorithm}\n{}\n{}\n{text}", self.stamp, self.scope).as_bytes()))
    }

    fn chunked(&self, first: &str, count: usize, size: usize, broken: Option<usize>) -> Vec<u8> {
        let (mut out, mut last) = (Vec::new(), first.to_owned());
        for at in 0..=count {
            let mut data = vec![b'a' + (at % 26) as u8; if at == count { 0 } else { size }];
            last = self.sign("AWS4-HMAC-SHA256-PAYLOAD", &format!("{last}\n{}\n{}", digest(b""), digest(&data)));
            if broken == Some(at) {
                data[0] = b'!';
            }
            out.extend_from_slice(format!("{:x};chunk-signature={last}\r\n", data.len()).as_bytes());
            out.extend_from_slice(&data);
            out.extend_from_slice(b"\r\n");
        }
        out
    }
}

fn canonical(method: &str, path: &str, query: &[String], headers: &[(String, String)], payload: &str) -> String {
    let mut query: Vec<String> = query.iter().map(|pair| if pair.contains('=') { pair.clone() } else { format!("{pair}=") }).collect();
    query.sort();
    // Blanks that stand together are signed as one.
    let value = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: String = sorted(headers).iter().map(|(name, text)| format!("{name}:{}\n", value(text))).collect();
    format!("{method}\n/{path}\n{}\n{lines}\n{}\n{payload}", query.join("&"), names(headers).join(";"))
}

fn sorted(headers: &[(String, String)]) -> Vec<(String, String)> {
    let mut headers = headers.to_vec();
    headers.sort();
    headers
}

fn names(headers: &[(String, String)]) -> Vec<String> {
    sorted(headers).into_iter().map(|(name, _)| name).collect()
}

fn derived(key: &str, scope: &str) -> Vec<u8> {
    scope.split('/').fold(format!("AWS4{key}").into_bytes(), |key, part| mac(&key, part.as_bytes()))
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parsed(text: &str) -> usize {
    text.parse().unwrap_or(0)
}

/// `YYYYMMDDTHHMMSSZ`, so many seconds from now.
fn stamp(ahead: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64 + ahead;
    let (days, seconds) = (now.div_euclid(86_400), now.rem_euclid(86_400));
    // Days since 1970 to a date of the Gregorian calendar, whose year begins in March here.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}
