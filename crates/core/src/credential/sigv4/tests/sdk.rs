//! Requests as the signer of AWS's SDK for Rust (`aws-sigv4`) signs them: whatever it signs with the placeholders is verified, and what leaves is
//! what it would have signed with the real pair.

use super::*;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;

/// How one request is signed.
struct Case {
    form: Form,
    service: &'static str,
    region: &'static str,
    at: SystemTime,
    /// Whether a session token is signed, or added afterwards.
    token_signed: bool,
    payload: String,
}

pub(super) fn credentials(pair: &KeyPair<'_>) -> Credentials {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    Credentials::new(pair.access_key_id, text(pair.secret), pair.token.map(text), None, "tests")
}

impl Case {
    fn settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        if self.form == Form::Query {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(900));
        }
        if !self.token_signed {
            settings.session_token_mode = SessionTokenMode::Exclude;
        }
        settings
    }

    /// The request, signed by the SDK.
    fn sign(&self, sent: &Sent, pair: &KeyPair<'_>) -> Sent {
        let identity = credentials(pair).into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(self.at)
            .settings(self.settings())
            .build()
            .expect("parameters")
            .into();
        let query = sent.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
        let uri = format!("https://{}{}{query}", sent.host, sent.path);
        let headers: Vec<_> = sent.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("ASCII"))).collect();
        let body = SignableBody::Precomputed(self.payload.clone());
        let signable = SignableRequest::new(&sent.method, uri.as_str(), headers.into_iter(), body).expect("a request");
        let (instructions, _) = sign(signable, &params).expect("it can be signed").into_parts();

        let mut request = http::Request::builder().uri(&uri).body(()).expect("a request");
        *request.headers_mut() = sent.headers.clone();
        instructions.apply_to_request_http1x(&mut request);
        let query = request.uri().query().map(str::to_owned);
        Sent { headers: request.headers().clone(), query, ..sent.clone() }
    }
}

/// A request with whatever people put into requests.
fn request(numbers: &mut Numbers) -> Sent {
    let method = numbers.pick(&["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"]);
    let host = numbers.pick(&["examplebucket.s3.amazonaws.com", "example.com:8443", "127.0.0.1:9000", "[::1]:9000", "Sts.Example.COM"]);
    let parts = [
        "a",
        "Key",
        "/",
        "/",
        ".",
        "..",
        "//",
        "%20",
        "%2F",
        "%2f",
        "%E1%88%B4",
        "%25",
        "~",
        "-_",
        "(1)",
        "+",
        "@",
        ":",
        "=",
        "&",
        "!$'*,;",
    ];
    let path = format!("/{}", numbers.text(&parts, 12));
    let names = ["a", "b", "A", "list-type", "prefix", "%E1%88%B4", "x%20y", "x+y", "a%2Fb", "", "uploads", "X-amz-meta"];
    let values =
        ["", "1", "2", "10", "%2B", "+", "%20", "%", "%zz", "%7E", "~", "a/b", "a:b", "%F0%9F%98%80", "=", "=%3D", "*", "(x)", "é"];
    let pairs: Vec<String> = (0..numbers.below(6))
        .map(|_| match numbers.below(4) {
            0 => numbers.pick(&names).to_owned(),
            _ => format!("{}={}", numbers.pick(&names), numbers.text(&values, 3)),
        })
        .collect();
    let query = (!numbers.one_in(3)).then(|| pairs.join(if numbers.one_in(8) { "&&" } else { "&" }));
    let mut sent = Sent::new(method, host, &path, &[]);
    sent.query = query;
    let names = ["content-type", "x-amz-meta-note", "My-Header1", "range", "user-agent", "amz-sdk-request", "x-amzn-trace-id", "accept"];
    let values = ["a", "b", " ", "  ", "   ", ",", ";", "\"x  y\"", "=", "\t", "bytes=0-9"];
    for _ in 0..numbers.below(6) {
        sent.add(numbers.pick(&names), &numbers.text(&values, 6));
    }
    sent.body = numbers.text(&["body", "\n", "é"], 5).into_bytes();
    sent
}

/// What of it is signed, with the headers that chunks need.
fn payload(numbers: &mut Numbers, form: Form, service: &str, sent: &mut Sent) -> String {
    let hash = crate::text::hex(&key::sha256(&sent.body));
    match (service, form) {
        ("s3", Form::Query) => "UNSIGNED-PAYLOAD".to_owned(),
        ("s3", Form::Header) => {
            let streaming = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
            let trailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
            let payload = numbers.pick(&[&hash, "UNSIGNED-PAYLOAD", streaming, trailer, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"]).to_owned();
            if payload.starts_with("STREAMING-") {
                sent.add("content-encoding", "aws-chunked");
                sent.add("x-amz-decoded-content-length", "66560");
            }
            if payload.ends_with("-TRAILER") {
                sent.add("x-amz-trailer", "x-amz-checksum-crc32");
            }
            payload
        }
        _ => hash,
    }
}

/// What a query says, in any order.
fn sorted(sent: &Sent) -> Vec<String> {
    let mut pairs: Vec<String> = sent.query.iter().flat_map(|query| query.split('&')).map(str::to_owned).collect();
    pairs.retain(|pair| !pair.is_empty());
    pairs.sort();
    pairs
}

#[test]
fn what_the_sdk_signs_is_verified_and_leaves_as_the_sdk_would_have_signed_it() {
    let token: KeyPair<'_> = KeyPair { token: Some(b"placeholder/of+a=token"), ..PRINTED };
    let mut numbers = Numbers(19);
    let mut seen = std::collections::BTreeMap::new();
    for number in 0..6_000 {
        let mut sent = request(&mut numbers);
        let form = numbers.pick(&[Form::Header, Form::Header, Form::Query]);
        let service = numbers.pick(&["s3", "execute-api", "sts", "secretsmanager"]);
        let payload = payload(&mut numbers, form, service, &mut sent);
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160 + numbers.next() % 300_000_000);
        let region = numbers.pick(&["us-east-1", "eu-central-1", "auto"]);
        let (guest, real) = (numbers.pick(&[PRINTED, token]), numbers.pick(&[REAL, REAL_WITH_TOKEN]));
        // Where the token is left out of what is signed, only a guest that has one shows it.
        let token_signed = guest.token.is_none() || real.token.is_none() || !numbers.one_in(4);
        let case = Case { form, service, region, at, token_signed, payload };
        let what =
            |sent: &Sent| format!("{number}: {form:?} {service} {} {:?} {:?} {:?}", sent.path, sent.query, sent.headers, case.payload);

        let signed = case.sign(&sent, &guest);
        let verified = signed.verified(&guest);
        assert!(verified.is_ok(), "{} {:?}", what(&signed), verified.err());
        let (left, _) = signed.resigned(&guest, &real).expect("it is verified");

        let expected = case.sign(&sent, &real);
        assert_eq!(sorted(&left), sorted(&expected), "{}", what(&signed));
        assert_eq!(left.headers, expected.headers, "{}", what(&signed));
        *seen.entry((form == Form::Query, service == "s3", guest.token.is_some(), token_signed)).or_insert(0) += 1;
    }
    assert!(seen.len() >= 12 && seen.values().all(|times| *times > 10), "{seen:?}");
}

#[test]
fn a_presigned_url_of_the_sdk_for_javascript_has_its_payload_in_the_query() {
    let sent = Sent::new("GET", "b.s3.eu-central-1.amazonaws.com", "/k?X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&x-id=GetObject", &[]);
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let payload = "UNSIGNED-PAYLOAD".to_owned();
    let case = Case { form: Form::Query, service: "s3", region: "eu-central-1", at, token_signed: true, payload };

    let signed = case.sign(&sent, &PRINTED);

    assert_eq!(signed.read().map(|signed| signed.payload()), Ok(Some(Payload::Unsigned)));
    let (left, body) = signed.resigned(&PRINTED, &REAL).expect("it is verified");
    assert_eq!(sorted(&left), sorted(&case.sign(&sent, &REAL)));
    assert!(matches!(body, Body::Free));
}
