//! AWS, played by moto: Secrets Manager with its stages, KMS, and S3 for those who sign their requests. It does not play the Lambda
//! function behind a rotation.

use super::{Service, call, exchange, python};
use crate::aws::KeyPair;
use serde_json::Value;
use std::process::Command;
use std::sync::OnceLock;
use strongroom_demo::server::{Response, Seen, respond};

/// A server that plays AWS.
pub struct Moto {
    service: Service,
    /// `http://127.0.0.1:PORT`.
    pub address: String,
}

impl Moto {
    /// One that all tests of this process share: each has secrets of its own there.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// One of the test's own.
    #[must_use]
    pub fn start() -> Self {
        let (service, port) = Service::start("moto", "Running on", |port| {
            let mut command = Command::new(python("python"));
            command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/services/moto_server.py"));
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).env("PYTHONUNBUFFERED", "1");
            // Parts as short as an engine that interprets its JavaScript can make checksums of.
            command.env("S3_UPLOAD_PART_MIN_SIZE", "65536");
            command
        });
        Self { service, address: format!("http://127.0.0.1:{port}") }
    }

    /// The variables that lead the SDK there.
    pub fn environment(&self) -> [(&'static str, &str); 4] {
        let [region, id, key] = Self::credentials();
        [region, id, key, ("AWS_ENDPOINT_URL", &self.address)]
    }

    /// The variables that the SDK wants wherever it goes.
    #[must_use]
    pub fn credentials() -> [(&'static str, &'static str); 3] {
        [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ]
    }

    /// A call of its Secrets Manager: the status, and the answer.
    pub fn secrets(&self, action: &str, body: &Value) -> (u16, Value) {
        self.call("secretsmanager", &format!("secretsmanager.{action}"), body)
    }

    /// A call of its KMS.
    ///
    /// # Panics
    /// Where it fails.
    pub fn kms(&self, action: &str, body: &Value) -> Value {
        let (status, answer) = self.call("kms", &format!("TrentService.{action}"), body);
        assert_eq!(status, 200, "{action}: {answer}");
        answer
    }

    fn call(&self, service: &str, target: &str, body: &Value) -> (u16, Value) {
        let authorization = unsigned(service);
        let headers = [("x-amz-target", target), ("content-type", "application/x-amz-json-1.1"), ("authorization", &authorization)];
        call("POST", &self.address, &headers, Some(body))
    }

    /// Has it look at every signature from here on, and play S3 with one bucket. Returns a user's pair of keys, and a session's: both may do
    /// everything.
    ///
    /// # Panics
    /// Where it does not do as it is told.
    pub fn guard(&self, bucket: &str) -> [KeyPair; 2] {
        const ALL: &str = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D";
        self.action("iam", "CreateUser&UserName=agent");
        self.action("iam", &format!("PutUserPolicy&UserName=agent&PolicyName=all&PolicyDocument={ALL}"));
        let key = self.action("iam", "CreateAccessKey&UserName=agent");
        self.action("iam", &format!("CreateRole&RoleName=agent&AssumeRolePolicyDocument={ALL}"));
        self.action("iam", &format!("PutRolePolicy&RoleName=agent&PolicyName=all&PolicyDocument={ALL}"));
        let role = "arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fagent";
        let session = self.action("sts", &format!("AssumeRole&RoleSessionName=run&RoleArn={role}"));
        let (status, ..) = self.send("PUT", &format!("/{bucket}"), &[("authorization", &unsigned("s3"))], Vec::new());
        assert_eq!(status, 200, "a bucket");
        self.guards(true);
        let pair = |text: &str| KeyPair {
            access_key_id: within(text, "AccessKeyId").expect("an id"),
            secret: within(text, "SecretAccessKey").expect("a key"),
            token: within(text, "SessionToken"),
        };
        [pair(&key), pair(&session)]
    }

    /// Passes on what the tests' server was sent, as it came. What moto does not verify, a signature in the query, it takes unverified.
    pub fn pass_on(&self, seen: &Seen) -> Response {
        let is_verified = seen.headers.contains_key("authorization");
        if !is_verified {
            self.guards(false);
        }
        let headers: Vec<(&str, &str)> =
            seen.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
        let (status, headers, body) = self.send(&seen.method, &seen.target, &headers, seen.body.to_vec());
        if !is_verified {
            self.guards(true);
        }
        let mut answer = respond(status, "application/xml", body);
        for (name, value) in &headers {
            // The server frames what it sends by itself.
            if !["connection", "transfer-encoding", "content-length"].contains(&name.as_str()) || seen.method == "HEAD" {
                answer.headers_mut().insert(name, value.clone());
            }
        }
        answer
    }

    /// Whether signatures are looked at.
    fn guards(&self, does: bool) {
        let actions = if does { "0" } else { "inf" };
        let (status, ..) = self.send("POST", "/moto-api/reset-auth", &[], actions.as_bytes().to_vec());
        assert_eq!(status, 200, "moto can look at signatures");
    }

    /// A call of an API of queries: the answer.
    fn action(&self, service: &str, action: &str) -> String {
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", &unsigned(service))];
        let (status, _, answer) = self.send("POST", "/", &headers, format!("Action={action}").into_bytes());
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert_eq!(status, 200, "{action}: {answer}");
        answer
    }

    fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, http::HeaderMap, bytes::Bytes) {
        let url = format!("{}{target}", self.address).parse().expect("a URL");
        let mut request = reqwest::Request::new(method.parse().expect("a method"), url);
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().expect("a header");
            request.headers_mut().append(name, value.parse().expect("a header's value"));
        }
        *request.body_mut() = (!body.is_empty()).then(|| body.into());
        exchange(request)
    }

    /// Stops it.
    pub fn stop(&self) {
        self.service.stop();
    }
}

/// As long as moto does not look at signatures it wants to know the service.
fn unsigned(service: &str) -> String {
    let scope = format!("Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=00");
    format!("AWS4-HMAC-SHA256 {scope}")
}

/// What an element of XML holds.
fn within(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once("</")?.0.to_owned())
}
