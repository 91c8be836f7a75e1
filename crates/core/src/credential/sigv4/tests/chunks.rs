//! Bodies in chunks: the vendor's printed examples, the SDK's signer, and what is refused.

use super::*;
use aws_sigv4::sign::v4::{SigningParams, sign_chunk, sign_trailer};
use aws_smithy_runtime_api::http::Headers;
use bytes::Bytes;

/// `PUT /examplebucket/chunkObject.txt` of S3's API Reference, with what its signature says.
fn example(payload: &str, length: &str, trailer: Option<&str>, signed: &str, signature: &str) -> Sent {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders={signed},Signature={signature}"
    );
    let mut sent = Sent::new(
        "PUT",
        "s3.amazonaws.com",
        "/examplebucket/chunkObject.txt",
        &[
            ("x-amz-date", "20130524T000000Z"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("authorization", &authorization),
            ("x-amz-content-sha256", payload),
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", length),
            ("content-length", if trailer.is_some() { "66946" } else { "66824" }),
        ],
    );
    trailer.into_iter().for_each(|name| sent.add("x-amz-trailer", name));
    sent
}

/// The first example: 65 KiB of `a`, in chunks of 64 KiB.
fn streaming() -> Sent {
    example(
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "66560",
        None,
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    )
}

/// The second: the same with a trailer.
fn with_trailer() -> Sent {
    example(
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "66560",
        Some("x-amz-checksum-crc32c"),
        "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    )
}

/// The body of both, with these signatures.
fn printed_body(signatures: [&str; 3], end: &str) -> Vec<u8> {
    let [one, two, three] = signatures;
    let (first, second) = ("a".repeat(64 << 10), "a".repeat(1 << 10));
    format!("10000;chunk-signature={one}\r\n{first}\r\n400;chunk-signature={two}\r\n{second}\r\n0;chunk-signature={three}\r\n{end}\r\n")
        .into_bytes()
}

fn printed() -> [(Sent, Vec<u8>); 2] {
    // https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html, "Example: PUT Object"
    let body = printed_body(
        [
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ],
        "",
    );
    // https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html, "Example: PUT Object"; its trailer's
    // signature is the one that the page has since its length was corrected to 66946.
    let trailers = "x-amz-checksum-crc32c:sOO8/Q==\r\n\
        x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n";
    let with = printed_body(
        [
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        ],
        trailers,
    );
    [(streaming(), body), (with_trailer(), with)]
}

fn chunks(sent: &Sent, real: &KeyPair<'_>) -> (Sent, Box<Chunks>) {
    match sent.resigned(&PRINTED, real).expect("it is verified") {
        (left, Body::Chunks(chunks)) => (left, chunks),
        _ => panic!("a body in chunks"),
    }
}

/// What has left of a body that came in such pieces.
fn pass<'b>(mut chunks: Box<Chunks>, pieces: impl IntoIterator<Item = &'b [u8]>) -> (Vec<u8>, Result<(), Refused>) {
    let mut out = Vec::new();
    for piece in pieces {
        if let Err(refused) = chunks.push(piece, &mut out) {
            // It stays so.
            assert_eq!(chunks.push(b"0", &mut Vec::new()), Err(refused.clone()));
            let before = out.len();
            assert_eq!(chunks.finish(&mut out), Err(refused.clone()));
            assert_eq!(out.len(), before);
            return (out, Err(refused));
        }
    }
    let end = chunks.finish(&mut out);
    (out, end)
}

#[test]
fn the_printed_examples_are_verified_in_pieces_of_any_size_and_left_as_they_are_by_the_same_pair() {
    for (sent, body) in printed() {
        let (left, _) = chunks(&sent, &PRINTED);
        assert_eq!(left.read(), sent.read());
        assert_eq!(sent.headers["content-length"], body.len().to_string().as_str());
        for size in [1, 2, 85, 1_000, 65_536, body.len()] {
            assert_eq!(pass(chunks(&sent, &PRINTED).1, body.chunks(size)), (body.clone(), Ok(())), "{size}");
        }
        // What another pair has signed is verified by that pair.
        let (left, first) = chunks(&sent, &REAL_WITH_TOKEN);
        let (other, end) = pass(first, body.chunks(700));
        assert_eq!((end, other.len(), other == body), (Ok(()), body.len(), false));
        let (_, second) = match left.resigned(&REAL_WITH_TOKEN, &PRINTED).expect("it is verified") {
            (back, Body::Chunks(chunks)) => (back, chunks),
            _ => panic!("a body in chunks"),
        };
        assert_eq!(pass(second, other.chunks(999)), (body.clone(), Ok(())));
    }
}

/// A body of these chunks as the SDK's signer signs it, from this signature on.
fn by_sdk(sent: &Sent, pair: &KeyPair<'_>, data: &[Vec<u8>], trailers: &[(&'static str, &'static str)]) -> Vec<u8> {
    let signed = sent.read().expect("it is signed");
    let identity = sdk::credentials(pair).into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(signed.scope().region())
        .name(signed.scope().service())
        .time(time_of(signed.time()))
        .settings(())
        .build()
        .expect("parameters");
    let mut running = signed.signature.text();
    let mut body = Vec::new();
    for data in data.iter().chain([&Vec::new()]) {
        running = sign_chunk(&Bytes::from(data.clone()), &running, &params).expect("it can be signed").signature().to_owned();
        body.extend_from_slice(format!("{:x};chunk-signature={running}\r\n", data.len()).as_bytes());
        if !data.is_empty() {
            body.extend_from_slice(data);
            body.extend_from_slice(b"\r\n");
        }
    }
    if !trailers.is_empty() {
        let mut headers = Headers::new();
        for (name, value) in trailers {
            headers.insert(*name, *value);
            body.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
        }
        let signature = sign_trailer(&headers, &running, &params).expect("it can be signed").signature().to_owned();
        body.extend_from_slice(format!("x-amz-trailer-signature:{signature}\r\n").as_bytes());
    }
    body.extend_from_slice(b"\r\n");
    body
}

/// A request with a body in chunks, signed by `PRINTED`.
fn upload(payload: &str, length: usize, trailer: Option<&str>) -> Sent {
    let mut sent = Sent::new("PUT", "b.s3.amazonaws.com", "/k", &[("x-amz-date", "20260101T000000Z"), ("x-amz-content-sha256", payload)]);
    sent.add("x-amz-decoded-content-length", &length.to_string());
    trailer.into_iter().for_each(|name| sent.add("x-amz-trailer", name));
    let names = "host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length";
    let names = if trailer.is_some() { format!("{names};x-amz-trailer") } else { names.to_owned() };
    sent.signed(&PRINTED, "20260101/us-east-1/s3/aws4_request", &names)
}

#[test]
fn chunks_and_trailers_leave_as_the_sdk_would_have_signed_them() {
    let mut numbers = Numbers(6);
    for number in 0..500 {
        let data: Vec<Vec<u8>> = (0..numbers.below(4)).map(|_| vec![b'd'; 1 + numbers.below(3_000)]).collect();
        let length = data.iter().map(Vec::len).sum();
        let trailers: &[(&str, &str)] =
            numbers.pick(&[&[][..], &[("x-amz-checksum-crc32", "AAAAAA==")], &[("x-amz-checksum-a", "1"), ("x-amz-checksum-b", "2")]]);
        let announced = trailers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let sent = match trailers {
            [] => upload("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", length, None),
            _ => upload("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", length, Some(&announced)),
        };
        let guest = by_sdk(&sent, &PRINTED, &data, trailers);

        let (left, chunks) = chunks(&sent, &REAL);
        let (out, end) = pass(chunks, guest.chunks(1 + numbers.below(400)));

        assert_eq!(end, Ok(()), "{number}");
        assert!(out == by_sdk(&left, &REAL, &data, trailers), "{number}");
    }
}

#[test]
fn no_changed_byte_of_a_signed_body_gets_to_its_end() {
    let trailers = &[("x-amz-checksum-crc32", "AAAAAA==")];
    let data = [b"first chunk".to_vec(), b"second".to_vec()];
    let sent = upload("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", 17, Some("x-amz-checksum-crc32"));
    let body = by_sdk(&sent, &PRINTED, &data, trailers);

    for place in 0..body.len() {
        for bit in [0x01, 0x20, 0x80] {
            // A size may be written in either case.
            if place == 0 && bit == 0x20 {
                continue;
            }
            let mut other = body.clone();
            other[place] ^= bit;
            let (out, end) = pass(chunks(&sent, &REAL).1, other.chunks(7));
            assert!(end.is_err() && out.len() < body.len(), "{place} {bit}");
        }
        let (_, end) = pass(chunks(&sent, &REAL).1, [&body[..place]]);
        assert_eq!(end, Err(Refused::Truncated), "{place}");
    }
}

#[test]
fn what_is_no_body_in_chunks_is_refused() {
    let zero = "0000000000000000000000000000000000000000000000000000000000000000";
    let signed = |text: &str| text.replace("SIG", &format!("chunk-signature={zero}"));
    let long = format!("1;{}", "x".repeat(200));
    // All of these announce `x-amz-checksum-crc32` where there are trailers, and 4 bytes.
    let table: &[(&str, &str, Refused)] = &[
        ("a sign", "+4;SIG\r\nDATA\r\n", Refused::ChunkSize),
        ("leading zeros", "004;SIG\r\nDATA\r\n", Refused::ChunkSize),
        ("a prefix", "0x4;SIG\r\nDATA\r\n", Refused::ChunkSize),
        ("no size", ";SIG\r\nDATA\r\n", Refused::ChunkSize),
        ("a blank", "4 ;SIG\r\nDATA\r\n", Refused::ChunkSize),
        ("overflow", "fffffffffffffffff;SIG\r\nDATA\r\n", Refused::ChunkSize),
        ("too large", "200001;SIG\r\nDATA\r\n", Refused::LargeChunk),
        ("more than announced", "5;SIG\r\nDATA!\r\n", Refused::DecodedLength),
        ("an extension twice", "4;SIG;SIG\r\nDATA\r\n", Refused::Chunk),
        ("another extension", "4;x=1;SIG\r\nDATA\r\n", Refused::ChunkSize),
        ("no extension", "4\r\nDATA\r\n", Refused::Chunk),
        ("a short signature", "4;chunk-signature=00\r\nDATA\r\n", Refused::Chunk),
        ("no carriage return", "4;SIG\nDATA\r\n", Refused::Chunk),
        ("a line without end", &long, Refused::Chunk),
        ("another signature", "4;SIG\r\nDATA\r\n", Refused::ChunkMismatch),
        ("too much data", "4;SIG\r\nDATA!\r\n", Refused::Chunk),
        ("the end at once", "0;SIG\r\n\r\n", Refused::DecodedLength),
        ("nothing", "", Refused::Truncated),
    ];
    for (name, body, refused) in table {
        let sent = upload("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", 4, None);
        let (out, end) = pass(chunks(&sent, &REAL).1, [signed(body).as_bytes()]);
        assert_eq!((end, out.len()), (Err(refused.clone()), 0), "{name}");
    }

    let table: &[(&str, &str, Result<(), Refused>)] = &[
        ("right", "4\r\nDATA\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n", Ok(())),
        ("two chunks", "2\r\nDA\r\n2\r\nTA\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n", Ok(())),
        ("a signature", "4;SIG\r\nDATA\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n", Err(Refused::ChunkSize)),
        ("no final chunk", "4\r\nDATA\r\n", Err(Refused::Truncated)),
        ("no trailer", "4\r\nDATA\r\n0\r\n\r\n", Err(Refused::Unannounced)),
        ("another trailer", "4\r\nDATA\r\n0\r\nx-amz-checksum-crc64:AA==\r\n\r\n", Err(Refused::Unannounced)),
        ("one twice", "4\r\nDATA\r\n0\r\nx-amz-checksum-crc32:AA==\r\nx-amz-checksum-crc32:AA==\r\n\r\n", Err(Refused::Unannounced)),
        ("an instruction", "4\r\nDATA\r\n0\r\nx-amz-acl:public-read\r\n\r\n", Err(Refused::Unannounced)),
        (
            "a signature of trailers",
            "4\r\nDATA\r\n0\r\nx-amz-checksum-crc32:AA==\r\nx-amz-trailer-signature:00\r\n\r\n",
            Err(Refused::Trailer),
        ),
        ("no value", "4\r\nDATA\r\n0\r\nx-amz-checksum-crc32:\r\n\r\n", Err(Refused::Trailer)),
        ("no colon", "4\r\nDATA\r\n0\r\nx-amz-checksum-crc32\r\n\r\n", Err(Refused::Trailer)),
        ("blanks", "4\r\nDATA\r\n0\r\nx-amz-checksum-crc32: AA==\r\n\r\n", Err(Refused::Trailer)),
        ("data after the end", "4\r\nDATA\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n4\r\n", Err(Refused::AfterEnd)),
        ("no last line", "4\r\nDATA\r\n0\r\nx-amz-checksum-crc32:AA==\r\n", Err(Refused::Truncated)),
        ("too little", "3\r\nDAT\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n", Err(Refused::DecodedLength)),
        ("too much", "4\r\nDATA\r\n1\r\n!\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n", Err(Refused::DecodedLength)),
    ];
    for (name, body, expected) in table {
        let sent = upload("STREAMING-UNSIGNED-PAYLOAD-TRAILER", 4, Some("x-amz-checksum-crc32"));
        for size in [1, 3, 200] {
            let body = signed(body);
            let (out, end) = pass(chunks(&sent, &REAL).1, body.as_bytes().chunks(size));
            assert_eq!(&end, expected, "{name}");
            // What has left is as it came, and has its end only where all of it is right.
            assert!(body.as_bytes().starts_with(&out), "{name}");
            assert_eq!(String::from_utf8_lossy(&out).contains("0\r\n"), expected.is_ok(), "{name}");
        }
    }

    // Trailers that are right, and not signed; a signature of none.
    let trailers = &[("x-amz-checksum-crc32", "AAAAAA==")];
    let sent = upload("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", 4, Some("x-amz-checksum-crc32"));
    let body = String::from_utf8(by_sdk(&sent, &PRINTED, &[b"DATA".to_vec()], trailers)).expect("text");
    let (before, after) = body.split_once("x-amz-trailer-signature").expect("a signature");
    let again = format!("{}x-amz-checksum-crc32:AAAAAA==\r\n\r\n", body.strip_suffix("\r\n").expect("an end"));
    for (name, body, refused) in [
        ("unsigned", format!("{before}\r\n"), Refused::TrailerMismatch),
        ("its signature first", body.replace("x-amz-checksum-crc32:AAAAAA==\r\n", ""), Refused::TrailerMismatch),
        ("one more after its signature", again, Refused::Trailer),
        ("another value", body.replace("AAAAAA==", "AAAAAB=="), Refused::TrailerMismatch),
        (
            "two signatures",
            format!("{before}x-amz-trailer-signature{}x-amz-trailer-signature{after}", after.replace("\r\n\r\n", "\r\n")),
            Refused::Trailer,
        ),
    ] {
        assert_eq!(pass(chunks(&sent, &REAL).1, [body.as_bytes()]).1, Err(refused), "{name}");
    }
}

#[test]
fn a_large_chunk_is_kept_until_it_is_verified_and_no_longer() {
    let data = vec![b'd'; usize::try_from(MAX_CHUNK).expect("it fits")];
    let sent = upload("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", data.len(), None);
    let body = by_sdk(&sent, &PRINTED, std::slice::from_ref(&data), &[]);
    let (_, mut chunks) = chunks(&sent, &REAL);
    let mut out = Vec::new();

    let (most, rest) = body.split_at("200000;chunk-signature=".len() + 64 + 2 + data.len() + 1);
    most.chunks(16 << 10).for_each(|piece| chunks.push(piece, &mut out).expect("nothing is wrong yet"));
    assert_eq!(out.len(), 0);
    chunks.push(&rest[..1], &mut out).expect("the chunk is right");

    assert_eq!(out.len(), most.len() + 1);
    chunks.push(&rest[1..], &mut out).expect("the end is right");
    assert_eq!(out.len(), most.len() + 1);
    chunks.finish(&mut out).expect("the end is right");
    assert_eq!(out.len(), body.len());
}
