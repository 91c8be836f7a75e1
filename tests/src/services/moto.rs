//! AWS, played by moto: Secrets Manager with its stages, and KMS. It does not play the Lambda function behind a rotation.

use super::{Service, call, python};
use serde_json::Value;
use std::process::Command;
use std::sync::OnceLock;

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
            let mut command = Command::new(python().join("bin/python"));
            command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/services/moto_server.py"));
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).env("PYTHONUNBUFFERED", "1");
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
        // moto does not look at the signature, but wants to know the service.
        let scope = format!("Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=00");
        let authorization = format!("AWS4-HMAC-SHA256 {scope}");
        let headers = [("x-amz-target", target), ("content-type", "application/x-amz-json-1.1"), ("authorization", &authorization)];
        call("POST", &self.address, &headers, Some(body))
    }

    /// Stops it.
    pub fn stop(&self) {
        self.service.stop();
    }
}
