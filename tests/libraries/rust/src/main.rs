//! AWS's SDK for Rust as it comes, over its own client for `wasi:http`: it signs with what stands in the environment. `aws CASE` are its
//! arguments.

use aws_credential_types::Credentials;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart};
use aws_sdk_s3::{Client, Config};
use aws_smithy_wasm::wasi::{WasiHttpClientBuilder, WasiSleep};
use bytes::Bytes;
use http_body_util::Full;
use serde_json::{Value, json};
use std::time::Duration;
use wstd::http::Request;

const BUCKET: &str = "reports";
const KEYS: [&str; 3] = ["a", "2026/november é.txt", "odd/+ &=?#100% ~(1)!*'@:,$"];

type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

#[wstd::main]
async fn main() -> Done {
    match std::env::args().next_back().as_deref() {
        Some("objects") => objects().await,
        Some("long") => long().await,
        Some("streamed") => streamed().await,
        Some("multipart") => multipart().await,
        Some("presigned") => presigned().await,
        case => Err(format!("no such case: {case:?}").into()),
    }
}

fn client(is_path_style: bool) -> Done<Client> {
    let (id, secret) = (std::env::var("AWS_ACCESS_KEY_ID")?, std::env::var("AWS_SECRET_ACCESS_KEY")?);
    let credentials = Credentials::from_keys(id, secret, std::env::var("AWS_SESSION_TOKEN").ok());
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(credentials)
        .http_client(WasiHttpClientBuilder::new().build())
        .sleep_impl(WasiSleep)
        .force_path_style(is_path_style)
        .build();
    Ok(Client::from_conf(config))
}

/// Lines of JSON are what a test compares.
fn say(name: &str, value: Value) {
    println!("{}", json!({ name: value }));
}

/// Text that no two places of have in common.
fn text(length: usize) -> Vec<u8> {
    let lines = (0..length / 2).flat_map(|line| format!("{line}\n").into_bytes());
    lines.take(length).collect()
}

async fn read(store: &Client, key: &str) -> Done<Vec<u8>> {
    let got = store.get_object().bucket(BUCKET).key(key).checksum_mode(ChecksumMode::Enabled).send().await?;
    Ok(got.body.collect().await?.to_vec())
}

async fn objects() -> Done {
    for is_path_style in [false, true] {
        let store = client(is_path_style)?;
        for key in KEYS {
            let body = format!("a report: {key}").into_bytes();
            let put = store.put_object().bucket(BUCKET).key(key).body(body.clone().into());
            put.content_type("text/plain").metadata("note", "a  b").send().await?;
            let is_same = read(&store, key).await? == body;
            let head = store.head_object().bucket(BUCKET).key(key).send().await?;
            say("object", json!([is_same, head.content_type(), head.metadata().and_then(|metadata| metadata.get("note"))]));
        }
        let list = store.list_objects_v2().bucket(BUCKET).prefix("odd/+ &").send().await?;
        say("list", list.contents().iter().filter_map(|each| each.key()).collect());
        for key in KEYS {
            store.delete_object().bucket(BUCKET).key(key).send().await?;
        }
        let error = store.get_object().bucket(BUCKET).key(KEYS[0]).send().await.expect_err("it was deleted");
        let status = error.raw_response().map(|response| response.status().as_u16());
        say("error", json!([error.into_service_error().meta().code(), status]));
    }
    Ok(())
}

/// Longer bodies that are signed whole, each with the checksum that is asked for.
async fn long() -> Done {
    let store = client(false)?;
    for algorithm in [ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Sha256] {
        let put = store.put_object().bucket(BUCKET).key("long").body(text(300_000).into());
        put.checksum_algorithm(algorithm).send().await?;
        say("long", json!([read(&store, "long").await? == text(300_000)]));
    }
    Ok(())
}

/// A body that flows, with its checksum behind it.
async fn streamed() -> Done {
    let store = client(false)?;
    for length in [100, 100_000, 1_500_000] {
        let flow = SdkBody::from_body_1_x(Full::new(Bytes::from(text(length))));
        store.put_object().bucket(BUCKET).key("flows").body(ByteStream::new(flow)).send().await?;
        say("streamed", json!([length, read(&store, "flows").await? == text(length)]));
    }
    Ok(())
}

async fn multipart() -> Done {
    let (store, key) = (client(false)?, "parts é");
    let upload = store.create_multipart_upload().bucket(BUCKET).key(key).send().await?;
    let id = upload.upload_id().ok_or("no upload")?;
    let bodies = [text(100_000), b"and the end".to_vec()];
    let mut parts = CompletedMultipartUpload::builder();
    for (number, body) in (1..).zip(&bodies) {
        let part = store.upload_part().bucket(BUCKET).key(key).upload_id(id).part_number(number);
        let part = part.body(body.clone().into()).send().await?;
        let (tag, sum) = (part.e_tag().map(str::to_owned), part.checksum_crc32().map(str::to_owned));
        parts = parts.parts(CompletedPart::builder().part_number(number).set_e_tag(tag).set_checksum_crc32(sum).build());
    }
    store.complete_multipart_upload().bucket(BUCKET).key(key).upload_id(id).multipart_upload(parts.build()).send().await?;
    say("multipart", json!(read(&store, key).await? == bodies.concat()));
    Ok(())
}

/// URLs that the agent signs and fetches by itself.
async fn presigned() -> Done {
    let (store, key) = (client(false)?, KEYS[1]);
    let soon = PresigningConfig::expires_in(Duration::from_secs(60))?;
    let put = store.put_object().bucket(BUCKET).key(key).content_type("text/plain").presigned(soon.clone()).await?;
    let (stored, _) = fetch(&put, "a report").await?;
    let get = store.get_object().bucket(BUCKET).key(key).presigned(soon).await?;
    let (got, report) = fetch(&get, "").await?;
    say("presigned", json!([stored, got, report]));
    Ok(())
}

async fn fetch(signed: &PresignedRequest, body: &'static str) -> Done<(u16, String)> {
    let request = signed.headers().fold(Request::builder(), |request, (name, value)| request.header(name, value));
    let request = request.method(signed.method()).uri(signed.uri()).body(body)?;
    let mut response = wstd::http::Client::new().send(request).await?;
    let status = response.status().as_u16();
    Ok((status, response.body_mut().str_contents().await?.to_owned()))
}
