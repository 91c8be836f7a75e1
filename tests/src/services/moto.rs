//! AWS, played by moto: Secrets Manager with its stages, and KMS. It does not play the Lambda function behind a rotation.

use super::{Service, python};
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
        [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            ("AWS_ENDPOINT_URL", &self.address),
        ]
    }

    /// Stops it.
    pub fn stop(&self) {
        self.service.stop();
    }
}
