//! How the AWS SDKs of this host are set up: by the SDK's own chain of credentials, on ring, with bounds on how long a call may take.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "the one place where the AWS SDKs are set up")]

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use std::time::Duration;

/// How often a call is tried, in all.
const ATTEMPTS: u32 = 3;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);

/// Where a service is, as far as the configuration says; the rest is the environment's.
pub(crate) struct Place<'a> {
    pub(crate) region: Option<&'a str>,
    pub(crate) endpoint_url: Option<&'a str>,
    pub(crate) profile: Option<&'a str>,
}

/// The set-up of a service. `attempt` is how long each try of a call may take, `operation` all of them.
pub(crate) async fn config(place: Place<'_>, attempt: Duration, operation: Duration) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(attempt).operation_timeout(operation);
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts.build())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
    if let Some(region) = place.region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    if let Some(url) = place.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(profile) = place.profile {
        loader = loader.profile_name(profile);
    }
    loader.load().await
}
