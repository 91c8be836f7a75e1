//! Requests that are not what they say, and what each is refused for.

use super::*;

/// `GET Object` of S3's API Reference (sig-v4-header-based-auth.html), as it is printed there.
fn get() -> Sent {
    Sent::new(
        "GET",
        "examplebucket.s3.amazonaws.com",
        "/test.txt",
        &[
            ("range", "bytes=0-9"),
            ("x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("x-amz-date", "20130524T000000Z"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
                 SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
                 Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
        ],
    )
}

/// The presigned `GET Object` of the same (sigv4-query-string-auth.html).
fn presigned() -> Sent {
    Sent::new(
        "GET",
        "examplebucket.s3.amazonaws.com",
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
        &[],
    )
}

type Change = fn(&mut Sent);

fn authorization(sent: &mut Sent, from: &str, to: &str) {
    let line = sent.headers["authorization"].to_str().expect("text").to_owned();
    assert!(line.contains(from), "{line}");
    sent.set("authorization", &line.replace(from, to));
}

fn query(sent: &mut Sent, from: &str, to: &str) {
    let query = sent.query.as_mut().expect("a query");
    assert!(query.contains(from), "{query}");
    *query = query.replace(from, to);
}

fn judged(sent: &Sent) -> Result<(), Refused> {
    match Signed::read(&sent.request()) {
        None => panic!("it is signed"),
        Some(read) => read?.verify(&sent.request(), &PRINTED, None).map(|_| ()),
    }
}

#[test]
fn the_printed_examples_are_verified_however_sdks_write_them() {
    for sent in [get(), presigned()] {
        assert_eq!(judged(&sent), Ok(()));
    }
    let table: &[(&str, Change)] = &[
        ("a blank after each comma", |s| authorization(s, ",", ", ")),
        ("several", |s| authorization(s, ",", " ,   ")),
        ("another order", |s| {
            let line = s.headers["authorization"].to_str().expect("text").to_owned();
            let (algorithm, rest) = line.split_once(' ').expect("parameters");
            let parts: Vec<&str> = rest.split(',').rev().collect();
            s.set("authorization", &format!("{algorithm}  {}", parts.join(", ")));
        }),
        ("blanks around a value", |s| s.set("range", "  bytes=0-9 ")),
        ("a header that is not signed", |s| s.add("user-agent", "sdk/1")),
        ("its host is said as a header too", |s| s.add("host", "elsewhere.example")),
    ];
    for (name, change) in table {
        let mut sent = get();
        change(&mut sent);
        assert_eq!(judged(&sent), Ok(()), "{name}");
    }
    let mut sent = presigned();
    sent.add("x-amz-user-agent", "sdk/1");
    assert_eq!(judged(&sent), Ok(()));
    let pairs: Vec<String> = presigned().query.expect("a query").split('&').rev().map(str::to_owned).collect();
    sent.query = Some(pairs.join("&"));
    assert_eq!(judged(&sent), Ok(()));
}

#[test]
fn a_request_without_a_signature_is_none_of_ours() {
    for sent in [
        Sent::new("GET", "h", "/", &[]),
        Sent::new("GET", "h", "/?X-Amz-Date=20130524T000000Z&Signature=x", &[("authorization", "Bearer AWS4-HMAC-SHA256")]),
        Sent::new("GET", "h", "/", &[("authorization", "Basic QVdTNA=="), ("authorization", "AWSOME x")]),
    ] {
        assert!(Signed::read(&sent.request()).is_none(), "{:?}", sent.headers);
    }
}

#[test]
fn a_signature_in_a_header_that_is_not_right_is_refused() {
    let not_signed = |name: &str| Refused::NotSigned(name.to_owned());
    let table: &[(&str, Change, Refused)] = &[
        // What was signed is not what is sent.
        ("another method", |s| s.method = "PUT".into(), Refused::Mismatch),
        ("another host", |s| s.host = "other.s3.amazonaws.com".into(), Refused::Mismatch),
        ("a port", |s| s.host.push_str(":8443"), Refused::Mismatch),
        ("another path", |s| s.path = "/test.txt/".into(), Refused::Mismatch),
        ("the path in other escapes", |s| s.path = "/%74est.txt".into(), Refused::Mismatch),
        ("S3's path is not normalised", |s| s.path = "/./test.txt".into(), Refused::Mismatch),
        ("a query", |s| s.query = Some("acl".into()), Refused::Mismatch),
        ("another header", |s| s.set("range", "bytes=0-10"), Refused::Mismatch),
        ("a header's second line", |s| s.add("range", "bytes=0-9"), Refused::Mismatch),
        ("another payload", |s| s.set("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), Refused::Mismatch),
        ("another time", |s| s.set("x-amz-date", "20130524T000001Z"), Refused::Mismatch),
        ("another region", |s| authorization(s, "us-east-1", "us-east-2"), Refused::Mismatch),
        ("another service", |s| authorization(s, "/s3/", "/sts/"), Refused::Mismatch),
        ("another signature", |s| authorization(s, "=f0e8", "=f0e9"), Refused::Mismatch),
        ("fewer headers", |s| authorization(s, ";range", ""), Refused::Mismatch),
        ("another key", |s| authorization(s, "AKIAIOSFODNN7EXAMPLE", "AKIDELSE"), Refused::OtherKey),
        ("a token of its own", |s| s.add("x-amz-security-token", "stolen"), Refused::OtherToken),
        // Where it stands, and how often.
        ("twice", |s| s.add("authorization", "AWS4-HMAC-SHA256 x"), Refused::SeveralAuthorizations),
        ("beside another", |s| s.add("authorization", "Bearer x"), Refused::SeveralAuthorizations),
        ("in both places", |s| s.query = presigned().query, Refused::TwoForms),
        ("half in the query", |s| s.query = Some("x-amz-expires=1".into()), Refused::TwoForms),
        ("disguised in the query", |s| s.query = Some("X%2DAmz-Signature=1".into()), Refused::TwoForms),
        // What kind it is.
        ("in lower case", |s| authorization(s, "AWS4-HMAC-SHA256", "aws4-hmac-sha256"), Refused::Algorithm),
        ("another algorithm", |s| authorization(s, "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"), Refused::Algorithm),
        ("version 4A", |s| authorization(s, "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), Refused::Version4a),
        ("version 2", |s| s.set("authorization", "AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg="), Refused::Version2),
        ("version 3", |s| s.set("authorization", "AWS3-HTTPS AWSAccessKeyId=x"), Refused::Algorithm),
        ("bytes beyond ASCII", |s| authorization(s, "us-east-1", "us-éast-1"), Refused::Parameters),
        // How it is written.
        ("a parameter more", |s| authorization(s, ",SignedHeaders", ",x=1,SignedHeaders"), Refused::Parameters),
        ("a comma at the end", |s| authorization(s, "bdb41", "bdb41,"), Refused::Parameters),
        ("a parameter in lower case", |s| authorization(s, "Signature", "signature"), Refused::Parameters),
        ("one twice", |s| authorization(s, ",Signature", ",Signature=00,Signature"), Refused::Repeated("Signature")),
        (
            "no signature",
            |s| authorization(s, ",Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41", ""),
            Refused::Missing("Signature"),
        ),
        ("a truncated signature", |s| authorization(s, "bdb41", "bdb4"), Refused::Signature),
        ("a longer one", |s| authorization(s, "bdb41", "bdb411"), Refused::Signature),
        ("in upper case", |s| authorization(s, "f0e8bdb8", "F0E8BDB8"), Refused::Signature),
        ("scope of another date", |s| authorization(s, "20130524", "20130525"), Refused::OtherDate),
        ("time of another date", |s| s.set("x-amz-date", "20130525T000000Z"), Refused::OtherDate),
        ("no region", |s| authorization(s, "/us-east-1/", "//"), Refused::Credential),
        ("a region in upper case", |s| authorization(s, "us-east-1", "US-EAST-1"), Refused::Credential),
        ("another end", |s| authorization(s, "aws4_request", "aws4_request/"), Refused::Credential),
        ("a key with a slash", |s| authorization(s, "=AKIA", "=AK/IA"), Refused::Credential),
        ("no time", |s| drop(s.headers.remove("x-amz-date")), Refused::Missing("x-amz-date")),
        ("two times", |s| s.add("x-amz-date", "20130524T000000Z"), Refused::Repeated("x-amz-date")),
        ("a time in another form", |s| s.set("x-amz-date", "2013-05-24T00:00:00Z"), Refused::Time),
        ("two payloads", |s| s.add("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), Refused::Repeated("x-amz-content-sha256")),
        ("a payload in upper case", |s| s.set("x-amz-content-sha256", &"AB".repeat(32)), Refused::Payload),
        ("chunks of version 4A", |s| s.set("x-amz-content-sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"), Refused::Version4a),
        ("chunks without a length", |s| s.set("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), Refused::NoDecodedLength),
        ("trailers without names", |s| s.set("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"), Refused::Announced),
        // What is signed.
        ("no host", |s| authorization(s, "host;", ""), not_signed("host")),
        ("unsorted", |s| authorization(s, "host;range", "range;host"), Refused::SignedHeaders),
        ("a name twice", |s| authorization(s, "host;range", "host;host;range"), Refused::SignedHeaders),
        ("a name in upper case", |s| authorization(s, "host;range", "host;Range"), Refused::SignedHeaders),
        ("an empty name", |s| authorization(s, "host;range", "host;;range"), Refused::SignedHeaders),
        ("itself", |s| authorization(s, "host;", "authorization;host;"), Refused::SignedHeaders),
        ("a header that is not there", |s| drop(s.headers.remove("range")), Refused::NoSuchHeader("range".into())),
        ("an unsigned instruction", |s| s.add("x-amz-acl", "public-read"), not_signed("x-amz-acl")),
        ("an unsigned copy", |s| s.add("x-amz-copy-source", "/other/key"), not_signed("x-amz-copy-source")),
        ("an unsigned time", |s| authorization(s, ";x-amz-date", ""), not_signed("x-amz-date")),
        ("S3 Express", |s| s.add("x-amz-s3session-token", "x"), Refused::ExpressSession),
        (
            "trailers of a plain body",
            |s| {
                s.add("x-amz-trailer", "x-amz-checksum-crc32");
                authorization(s, "x-amz-date", "x-amz-date;x-amz-trailer");
            },
            Refused::Announced,
        ),
    ];
    for (name, change, refused) in table {
        let mut sent = get();
        change(&mut sent);
        assert_eq!(judged(&sent), Err(refused.clone()), "{name}");
    }
}

#[test]
fn a_presigned_url_that_is_not_right_is_refused() {
    let table: &[(&str, Change, Refused)] = &[
        ("another method", |s| s.method = "PUT".into(), Refused::Mismatch),
        ("one more parameter", |s| s.query.as_mut().expect("a query").push_str("&acl"), Refused::Mismatch),
        ("a longer life", |s| query(s, "86400", "86401"), Refused::Mismatch),
        ("another path", |s| s.path = "/".into(), Refused::Mismatch),
        ("another key", |s| query(s, "AKIAIOSFODNN7EXAMPLE", "AKIDELSE"), Refused::OtherKey),
        ("a token of its own", |s| s.query.as_mut().expect("a query").push_str("&X-Amz-Security-Token=stolen"), Refused::OtherToken),
        ("beside another credential", |s| s.add("authorization", "Bearer x"), Refused::TwoForms),
        ("a parameter twice", |s| s.query.as_mut().expect("a query").push_str("&X-Amz-Expires=1"), Refused::Repeated("X-Amz-Expires")),
        (
            "twice, in another case",
            |s| s.query.as_mut().expect("a query").push_str("&x-amz-signature=1"),
            Refused::Repeated("X-Amz-Signature"),
        ),
        ("in another case", |s| query(s, "X-Amz-Signature", "x-amz-signature"), Refused::Spelling("X-Amz-Signature")),
        ("in other escapes", |s| query(s, "X-Amz-Signature", "X-Amz%2DSignature"), Refused::Spelling("X-Amz-Signature")),
        ("no signature", |s| query(s, "X-Amz-Signature", "Sig"), Refused::Missing("X-Amz-Signature")),
        ("no time", |s| query(s, "X-Amz-Date", "Date"), Refused::Missing("X-Amz-Date")),
        ("no end", |s| query(s, "X-Amz-Expires", "Expires"), Refused::Missing("X-Amz-Expires")),
        ("eight days", |s| query(s, "86400", "604801"), Refused::Expires),
        ("no life", |s| query(s, "86400", "0"), Refused::Expires),
        ("a signed number", |s| query(s, "86400", "%2B86400"), Refused::Expires),
        ("an endless life", |s| query(s, "86400", "99999999999999999999"), Refused::Expires),
        ("version 4A", |s| query(s, "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), Refused::Version4a),
        ("version 2", |s| s.query = Some("AWSAccessKeyId=x&Expires=1&Signature=x".into()), Refused::Version2),
        ("in lower case", |s| query(s, "AWS4-HMAC-SHA256", "aws4-hmac-sha256"), Refused::Algorithm),
        ("scope of another date", |s| query(s, "%2F20130524", "%2F20130523"), Refused::OtherDate),
        ("another signature", |s| query(s, "=aeee", "=AEEE"), Refused::Signature),
        ("an unsigned instruction", |s| s.add("x-amz-acl", "public-read"), Refused::NotSigned("x-amz-acl".into())),
        ("a second time", |s| s.add("x-amz-date", "20130524T000000Z"), Refused::BesideQuery("x-amz-date")),
        ("a token in a header", |s| s.add("x-amz-security-token", "x"), Refused::BesideQuery("x-amz-security-token")),
        (
            "an unsigned payload of chunks",
            |s| s.query.as_mut().expect("a query").push_str("&X-Amz-Content-Sha256=STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            Refused::Payload,
        ),
    ];
    for (name, change, refused) in table {
        let mut sent = presigned();
        change(&mut sent);
        assert_eq!(judged(&sent), Err(refused.clone()), "{name}");
    }
}

#[test]
fn a_body_that_the_request_says_nothing_of_must_be_known() {
    let mut sent = Sent::new("POST", "sts.amazonaws.com", "/", &[("x-amz-date", "20260101T000000Z")]);
    sent.body = b"Action=GetCallerIdentity".to_vec();
    let sent = sent.signed(&PRINTED, "20260101/us-east-1/sts/aws4_request", "host;x-amz-date");
    let verified = |body| sent.read().expect("it is well formed").verify(&sent.request(), &PRINTED, body).map(|_| ());

    assert_eq!(sent.read().map(|signed| signed.payload()), Ok(None));
    assert_eq!(verified(None), Err(Refused::UnknownBody));
    assert_eq!(verified(Some(key::sha256(b"Action=AssumeRole"))), Err(Refused::Mismatch));
    assert_eq!(verified(Some(key::sha256(&sent.body))), Ok(()));
    assert!(matches!(sent.resigned(&PRINTED, &REAL), Ok((_, Body::Hash(hash))) if hash == key::sha256(&sent.body)));
}

#[test]
fn the_time_is_the_guests_if_it_is_near_the_hosts() {
    let resigned = |sent: &Sent, seconds: i64| {
        let verified = sent.verified(&PRINTED).expect("it is verified");
        let at = time_of(verified.signed().time());
        let now =
            if seconds < 0 { at - Duration::from_secs(seconds.unsigned_abs()) } else { at + Duration::from_secs(seconds.unsigned_abs()) };
        verified.resign(&sent.request(), &REAL, now).err()
    };
    let table = [
        (get(), 0, None),
        (get(), 300, None),
        (get(), -300, None),
        (get(), 301, Some(Refused::Skewed)),
        (get(), -301, Some(Refused::Skewed)),
        (presigned(), 301, None),
        (presigned(), 86_400, None),
        (presigned(), 86_401, Some(Refused::Expired)),
        (presigned(), -300, None),
        (presigned(), -301, Some(Refused::Skewed)),
    ];
    for (sent, seconds, expected) in table {
        assert_eq!(resigned(&sent, seconds), expected, "{seconds}");
    }
    // The header `Date` in the form of HTTP.
    let sent = Sent::new("GET", "h", "/", &[("date", "Fri, 24 May 2013 00:00:00 GMT")]);
    let sent = sent.signed(&PRINTED, "20130524/us-east-1/sts/aws4_request", "date;host");
    assert_eq!(resigned(&sent, 0), None);
    let mut unsigned = sent.clone();
    authorization(&mut unsigned, "date;", "");
    assert_eq!(judged(&unsigned), Err(Refused::NotSigned("date".into())));
}

#[test]
fn a_stored_pair_that_can_not_be_sent_is_refused() {
    for pair in [
        KeyPair { access_key_id: "", ..REAL },
        KeyPair { access_key_id: "AKID/x", ..REAL },
        KeyPair { access_key_id: "AKID, Signature=00", ..REAL },
        KeyPair { access_key_id: "AKID\n", ..REAL },
        KeyPair { token: Some(b""), ..REAL },
        KeyPair { token: Some(b"token\r\nx-amz-acl: public-read"), ..REAL },
        KeyPair { token: Some(b"token "), ..REAL },
    ] {
        for sent in [get(), presigned()] {
            assert_eq!(sent.resigned(&PRINTED, &pair).err(), Some(Refused::RealPair), "{}", pair.access_key_id);
        }
    }
}

#[test]
fn what_leaves_is_signed_and_no_instruction_may_be_missing_from_it() {
    let mut sent = get();
    sent.set("range", "PLACEHOLDER");
    let sent = sent.signed(&PRINTED, "20130524/us-east-1/s3/aws4_request", "host;range;x-amz-content-sha256;x-amz-date");
    let verified = sent.verified(&PRINTED).expect("it is verified");
    let now = time_of(verified.signed().time());

    let mut leaving = sent.clone();
    leaving.set("range", "the value");
    for (name, value) in verified.resign(&leaving.request(), &REAL, now).expect("it can be signed").set {
        leaving.headers.insert(name, value);
    }
    assert!(leaving.verified(&REAL).is_ok());

    // The host sends no range where it has to search the response: then none is signed.
    let mut leaving = sent.clone();
    leaving.headers.remove("range");
    for (name, value) in verified.resign(&leaving.request(), &REAL, now).expect("it can be signed").set {
        leaving.headers.insert(name, value);
    }
    assert!(leaving.verified(&REAL).is_ok() && !leaving.headers["authorization"].to_str().expect("visible").contains("range"));

    leaving.headers.remove("x-amz-date");
    assert_eq!(verified.resign(&leaving.request(), &REAL, now).err(), Some(Refused::NoSuchHeader("x-amz-date".into())));
}

#[test]
fn no_text_is_read_with_a_panic() {
    let parts = [
        "AWS4-HMAC-SHA256 ",
        "Credential=",
        "a/20130524/r/s/aws4_request",
        "/",
        ",",
        "=",
        ";",
        "SignedHeaders=",
        "host",
        "Signature=",
        "é",
        "%",
        "%2",
        "&",
        "X-Amz-Date=",
        "20130524T000000Z",
        "\t",
        " ",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "&X-Amz-Credential=",
        "&X-Amz-Signature=",
    ];
    let mut numbers = Numbers(7);
    for _ in 0..20_000 {
        let mut sent = Sent::new("GET", "h", "/", &[]);
        sent.path = numbers.text(&parts, 6);
        sent.query = Some(numbers.text(&parts, 10));
        if numbers.one_in(2) {
            sent.add("authorization", &numbers.text(&parts, 10));
            sent.add("x-amz-date", numbers.pick(&parts));
        }
        if let Some(Ok(signed)) = Signed::read(&sent.request()) {
            assert!(signed.verify(&sent.request(), &PRINTED, Some([0; 32])).is_err());
        }
    }
}
