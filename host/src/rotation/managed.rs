//! Rotations that the backend carries out by itself, as AWS Secrets Manager's do: its function makes the key, tries it, switches, and ends
//! the old one. The host asks for it, and looks on until another version is in use.

use super::Rotation;
use super::issuer::{IssuedKey, Issuer, IssuerError, ListedKey, Probe, Revoked};
use super::journal::{Current, Hold};
use super::steps::Halt;
use async_trait::async_trait;
use std::time::Duration;

/// How often the host looks.
const LOOK: Duration = Duration::from_secs(1);

/// Stands where an issuer does.
pub(super) struct Backend;

#[async_trait]
impl Issuer for Backend {
    async fn issue(&self, _current: &IssuedKey) -> Result<IssuedKey, IssuerError> {
        Err(none())
    }

    async fn revoke(&self, _key: &IssuedKey, _with: &IssuedKey) -> Result<Revoked, IssuerError> {
        Err(none())
    }

    async fn probe(&self, _key: &IssuedKey) -> Result<Probe, IssuerError> {
        Err(none())
    }

    async fn list(&self, _with: &IssuedKey) -> Result<Option<Vec<ListedKey>>, IssuerError> {
        Err(none())
    }
}

fn none() -> IssuerError {
    IssuerError::Refused("the backend makes the keys by itself".to_owned())
}

/// Has the backend replace the key, and waits until another version is in use, but no longer than the rotation's `timeout`.
pub(super) async fn run(rotation: &Rotation, hold: &mut Hold, _trigger: &str) -> Result<(), Halt> {
    let name = rotation.names.first().expect("a rotation names a secret");
    let before = name.read().await?;
    let old = IssuedKey::new(before.value.as_str());
    rotation.tell(hold, "ask", "the backend's own function makes, tries and ends keys")?;
    hold.write(|document| document.number += 1).await?;
    let rotator = name.from.backend.rotator().ok_or_else(|| Halt::Stuck("its backend replaces nothing by itself".to_owned()))?;
    let begun = rotator.rotate(&name.entry).await?;
    rotation.tell(hold, "wait", &begun)?;
    let since = rotation.clock.now();
    while name.read().await?.value == before.value {
        if rotation.clock.now().saturating_sub(since) >= rotation.config.timeout {
            let why = "the backend's function has put no other version in use yet; it may do so later".to_owned();
            return Err(Halt::Later { why, after: None });
        }
        tokio::time::sleep(LOOK.min(rotation.config.timeout / 10)).await;
    }
    rotation.tell(hold, "observe", "another version is in use")?;
    rotation.adopt(&old).await;
    let since = rotation.now();
    hold.write(|document| document.current = Some(Current { since, id: None, expires_at: None })).await?;
    rotation.tell(hold, "done", "")
}
