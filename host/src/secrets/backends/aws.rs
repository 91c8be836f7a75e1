//! AWS Secrets Manager, by the SDK's own chain of credentials.

use super::{BackendError, Bounds, Entry, Found, Freshness, Rotator, SecretBackend, SecretStore, StoreError, Stored, VersionInfo};
use crate::manifest::{AwsConfig, Which};
use crate::secrets::{Deposit, SecretValue};
use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use aws_sdk_secretsmanager::primitives::Blob;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType};
use std::time::Duration;
use tokio::sync::OnceCell;

/// The label of the version in use, which AWS itself moves.
const CURRENT: &str = "AWSCURRENT";
/// That of the version which was in use before it.
const PREVIOUS: &str = "AWSPREVIOUS";
/// The label of a version that this host is about to take into use.
const WRITING: &str = "STRONGROOM_WRITING";

/// Secrets in AWS Secrets Manager. A bare name is a field of the secret `agents/NAMESPACE`: as written, then in lower case.
pub struct AwsBackend {
    config: AwsConfig,
    roots: Vec<String>,
    client: OnceCell<Client>,
}

impl AwsBackend {
    /// A backend over the service. Credentials are looked for when the first secret is asked for.
    #[must_use]
    pub fn new(config: &AwsConfig) -> Self {
        Self { roots: Bounds::new(config.paths.clone()).roots(), config: config.clone(), client: OnceCell::new() }
    }

    async fn client(&self) -> &Client {
        self.client.get_or_init(|| connect(&self.config)).await
    }

    fn shown(&self, entry: impl std::fmt::Display) -> String {
        crate::text::for_people(&format!("{entry} in AWS Secrets Manager"))
    }

    async fn read(&self, path: &str, which: &Which) -> Result<GetSecretValueOutput, BackendError> {
        let request = self.client().await.get_secret_value().secret_id(path);
        let request = match which {
            Which::Current => request.version_stage(CURRENT),
            Which::Version(version) => request.version_id(version),
            Which::Stage(stage) => request.version_stage(stage),
        };
        request.send().await.map_err(|error| trouble(&error, &self.shown(format!("{path}{which}"))))
    }

    /// Makes a version the one in use, if `from` is the one that is.
    async fn promote(&self, path: &str, version: &str, from: Option<&str>) -> Result<(), StoreError> {
        let request = self.client().await.update_secret_version_stage().secret_id(path).version_stage(CURRENT);
        let request = request.move_to_version_id(version).set_remove_from_version_id(from.map(str::to_owned));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("InvalidParameterException") => {
                let found = self.current(path).await?.unwrap_or_else(|| "0".to_owned());
                // The SDK has repeated a request that was carried out at once.
                if found == version {
                    return Ok(());
                }
                Err(StoreError::Conflict { expected: from.unwrap_or("0").to_owned(), found })
            }
            Err(error) => Err(trouble(&error, &self.shown(path)).into()),
        }
    }

    async fn all_versions(&self, path: &str) -> Result<Vec<VersionInfo>, StoreError> {
        let mut pages = self.client().await.list_secret_version_ids().secret_id(path).include_deprecated(true).into_paginator().send();
        let mut versions = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| StoreError::from(trouble(&error, &self.shown(path))))?;
            versions.extend(page.versions().iter().map(|version| {
                let seconds = version.created_date().map_or(0, |date| date.secs());
                let stages = version.version_stages().to_vec();
                VersionInfo {
                    name: version.version_id().unwrap_or_default().to_owned(),
                    created: jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string(),
                    current: stages.iter().any(|stage| stage == CURRENT),
                    deleted: stages.is_empty(),
                    stages,
                }
            }));
        }
        versions.sort_by(|a, b| a.created.cmp(&b.created).then(a.current.cmp(&b.current)));
        Ok(versions)
    }

    /// The identifier of the version in use.
    async fn current(&self, path: &str) -> Result<Option<String>, StoreError> {
        match self.all_versions(path).await {
            Ok(versions) => Ok(versions.into_iter().find(|version| version.current).map(|version| version.name)),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

async fn connect(config: &AwsConfig) -> Client {
    let (region, endpoint_url, profile) = (config.region.as_deref(), config.endpoint_url.as_deref(), config.profile.as_deref());
    let place = crate::aws::Place { region, endpoint_url, profile };
    Client::new(&crate::aws::config(place, Duration::from_secs(10), Duration::from_secs(18)).await)
}

/// What a failure means. No text of the service is passed on, since it may quote what was sent.
fn trouble<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>, what: &str) -> BackendError {
    let Some(code) = error.code() else {
        let why = match error {
            SdkError::ConstructionFailure(_) => {
                "the request can't be made; check `region`, and that there are credentials (environment, profile, role)"
            }
            SdkError::TimeoutError(_) => "no response in time",
            SdkError::DispatchFailure(_) => {
                "the service can't be reached, or there are no credentials (environment, profile, role); check `region` and `endpoint_url`"
            }
            _ => "the response can't be read; check `endpoint_url`",
        };
        return BackendError::Unavailable(format!("{what}: {why}"));
    };
    match code {
        "ResourceNotFoundException" => BackendError::NotFound { looked_for: what.to_owned() },
        // What is marked for deletion can't be read, and says so.
        "InvalidRequestException" => {
            BackendError::NotFound { looked_for: format!("{what}, which is marked for deletion, or has no such version") }
        }
        "AccessDeniedException" | "AccessDenied" => {
            BackendError::Refused(format!("{what}: the policy of this host's role does not let it do that (AccessDenied)"))
        }
        "DecryptionFailure" => {
            BackendError::Refused(format!("{what}: this host's role may not use the KMS key of the secret (DecryptionFailure)"))
        }
        "ExpiredTokenException" | "UnrecognizedClientException" | "InvalidSignatureException" | "InvalidClientTokenId" => {
            BackendError::Unavailable(format!("{what}: the credentials of this host are not valid, or have expired"))
        }
        "ThrottlingException" => BackendError::Unavailable(format!("{what}: the service throttles requests; raise `cache`")),
        "InvalidParameterException" | "ValidationException" => {
            BackendError::Refused(format!("{what}: the service refuses the request as invalid"))
        }
        _ => BackendError::Unavailable(format!("{what}: the service failed")),
    }
}

#[async_trait]
impl SecretBackend for AwsBackend {
    fn entries_for(&self, namespace: &str, name: &str) -> Vec<Entry> {
        super::fields_for(namespace, name)
    }

    fn admits(&self, entry: &Entry) -> Result<(), BackendError> {
        // The characters of names (Secrets Manager API, CreateSecret); an ARN, which could name another account, has a colon.
        let clean = |b: u8| b.is_ascii_alphanumeric() || b"/_+=.@-".contains(&b);
        if entry.path.len() <= 512 && entry.path.bytes().all(clean) {
            return Ok(());
        }
        let path = crate::text::for_people(&entry.path);
        Err(BackendError::Refused(format!("`{path}` is not the name of a secret; use letters, digits and `/_+=.@-`")))
    }

    async fn get(&self, entry: &Entry) -> Result<Found, BackendError> {
        let answer = self.read(&entry.path, &entry.which).await?;
        let value = match (answer.secret_string, answer.secret_binary) {
            (Some(text), _) => SecretValue::new(text),
            (None, Some(bytes)) => SecretValue::new(bytes.into_inner()),
            (None, None) => return Err(BackendError::NotFound { looked_for: self.shown(entry) }),
        };
        Ok(Found { version: answer.version_id, ..Found::value(value) })
    }

    fn freshness(&self) -> Freshness {
        Freshness::For(self.config.cache)
    }

    fn stale(&self) -> Duration {
        self.config.stale
    }

    fn store(&self) -> Option<&dyn SecretStore> {
        Some(self)
    }

    fn rotator(&self) -> Option<&dyn Rotator> {
        Some(self)
    }
}

#[async_trait]
impl Rotator for AwsBackend {
    async fn rotate(&self, entry: &Entry) -> Result<String, StoreError> {
        let begun = self.client().await.rotate_secret().secret_id(&entry.path).send().await;
        match begun {
            Ok(begun) => Ok(format!(
                "version {} is being made by the rotation function of the secret, which also retires the old one",
                begun.version_id().unwrap_or("of a new identifier")
            )),
            Err(error) if error.code() == Some("InvalidRequestException") => {
                let path = self.shown(&entry.path);
                Err(StoreError::Refused(format!("{path}: no rotation function is set up for it, or a rotation is under way")))
            }
            Err(error) => Err(trouble(&error, &self.shown(&entry.path)).into()),
        }
    }
}

#[async_trait]
impl SecretStore for AwsBackend {
    fn entry_of(&self, namespace: Option<&str>, name: &str) -> Result<Entry, StoreError> {
        super::field_of(namespace, name)
    }

    fn counts_writes(&self) -> bool {
        true
    }

    async fn newest(&self, path: &str) -> Result<String, StoreError> {
        match self.read(path, &Which::Current).await {
            Ok(answer) => Ok(answer.version_id.unwrap_or_default()),
            Err(BackendError::NotFound { .. }) => Ok("0".to_owned()),
            Err(error) => Err(error.into()),
        }
    }

    async fn versions(&self, path: &str) -> Result<Vec<VersionInfo>, StoreError> {
        self.all_versions(path).await
    }

    async fn list(&self) -> Result<Vec<Stored>, StoreError> {
        let mut stored = Vec::new();
        for root in &self.roots {
            let filter = Filter::builder().key(FilterNameStringType::Name).values(root).build();
            let mut pages = self.client().await.list_secrets().filters(filter).into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| StoreError::from(trouble(&error, &self.shown(root))))?;
                // The service's filter is a prefix of words, without regard to case.
                for path in page.secret_list().iter().filter_map(|secret| secret.name()).filter(|name| name.starts_with(root)) {
                    stored.push(Stored { path: path.to_owned(), versions: self.all_versions(path).await? });
                }
            }
        }
        stored.sort_by(|a, b| a.path.cmp(&b.path));
        stored.dedup_by(|a, b| a.path == b.path);
        Ok(stored)
    }

    async fn put(&self, entry: &Entry, value: Deposit, expected: Option<&str>) -> Result<String, StoreError> {
        value.value().check(None).map_err(StoreError::Refused)?;
        let before = match self.read(&entry.path, &Which::Current).await {
            Ok(answer) => Some(answer),
            Err(BackendError::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let newest = before.as_ref().and_then(|answer| answer.version_id.clone());
        let found = newest.clone().unwrap_or_else(|| "0".to_owned());
        if let Some(expected) = expected.filter(|expected| **expected != found) {
            return Err(StoreError::Conflict { expected: expected.to_owned(), found });
        }
        let content = Content::with(before.as_ref(), entry.field.as_deref(), &value)?;
        // It becomes the version's identifier, so that nothing of the value is in it; a request that the SDK repeats makes one version.
        let token = crate::random::key().map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let token = crate::text::hex(&*token);
        let client = self.client().await;
        let Some(newest) = newest else {
            let request = client.create_secret().name(&entry.path).client_request_token(&token);
            let request = match content {
                Content::Text(text) => request.secret_string(text),
                Content::Bytes(bytes) => request.secret_binary(Blob::new(bytes)),
            };
            return match request.send().await {
                Ok(made) => Ok(made.version_id.unwrap_or(token)),
                Err(error) if error.code() == Some("ResourceExistsException") => {
                    Err(StoreError::Conflict { expected: found, found: "another".to_owned() })
                }
                Err(error) => Err(trouble(&error, &self.shown(entry)).into()),
            };
        };
        let request = client.put_secret_value().secret_id(&entry.path).client_request_token(&token).version_stages(WRITING);
        let request = match content {
            Content::Text(text) => request.secret_string(text),
            Content::Bytes(bytes) => request.secret_binary(Blob::new(bytes)),
        };
        let written = request.send().await.map_err(|error| StoreError::from(trouble(&error, &self.shown(entry))))?;
        let version = written.version_id.unwrap_or(token);
        self.promote(&entry.path, &version, Some(&newest)).await?;
        Ok(version)
    }

    async fn delete(&self, path: &str, version: &str) -> Result<(), StoreError> {
        let versions = self.all_versions(path).await?;
        let known = versions.iter().find(|known| known.name == version);
        let known = known.ok_or_else(|| StoreError::NotFound(format!("no version {version} of {}", self.shown(path))))?;
        if !known.current {
            return Err(StoreError::Refused(format!("version {version} is not in use: AWS itself removes versions without a label")));
        }
        let before = versions.iter().find(|known| known.stages.iter().any(|stage| stage == PREVIOUS));
        let before = before.ok_or_else(|| {
            StoreError::Refused("there is no version before it; delete the secret in AWS, which keeps it for 7 to 30 days".to_owned())
        })?;
        self.promote(path, &before.name, Some(version)).await
    }

    async fn undelete(&self, path: &str, version: &str) -> Result<(), StoreError> {
        let current = self.current(path).await?;
        if current.as_deref() == Some(version) {
            return Ok(());
        }
        self.promote(path, version, current.as_deref()).await
    }

    /// Takes a version's labels off: AWS removes it by itself, in time.
    async fn destroy(&self, path: &str, version: &str) -> Result<(), StoreError> {
        let versions = self.all_versions(path).await?;
        let known = versions.iter().find(|known| known.name == version);
        let known = known.ok_or_else(|| StoreError::NotFound(format!("no version {version} of {}", self.shown(path))))?;
        if known.current {
            return Err(StoreError::Refused(format!("version {version} is in use; write another one first")));
        }
        for stage in &known.stages {
            let request = self.client().await.update_secret_version_stage().secret_id(path);
            let taken = request.version_stage(stage).remove_from_version_id(version).send().await;
            taken.map_err(|error| StoreError::from(trouble(&error, &self.shown(path))))?;
        }
        Ok(())
    }
}

/// What is written as a whole version.
enum Content {
    Text(String),
    Bytes(Vec<u8>),
}

impl Content {
    /// The document with one field changed, or the value itself.
    fn with(before: Option<&GetSecretValueOutput>, field: Option<&str>, value: &Deposit) -> Result<Self, StoreError> {
        let text = std::str::from_utf8(value.bytes());
        let Some(field) = field else {
            return Ok(text.map_or_else(|_| Self::Bytes(value.bytes().to_vec()), |text| Self::Text(text.to_owned())));
        };
        let text = text.map_err(|_| StoreError::Refused("a field holds text; write bytes without a field, or in base64".to_owned()))?;
        let document = before.map_or(Some("{}"), |before| before.secret_string.as_deref());
        let document = document.and_then(|document| serde_json::from_str(document).ok());
        let document = document.and_then(|document| crate::json::with_member(document, field, text));
        document.map(Self::Text).ok_or_else(|| StoreError::Refused("what is there isn't a JSON object, so it has no fields".to_owned()))
    }
}
