//! Rotations that the backend carries out itself, as AWS Secrets Manager does: its function makes the key, tests it, switches, and retires
//! the old one. The host asks for it, and watches until another version is in use.

use super::Rotation;
use super::document::{Current, Past};
use super::halt::Halt;
use super::hold::Hold;
use super::issuer::{IssuedKey, Issuer, IssuerError, ListedKey, Probe, Revoked};
use super::progress::Step;
use async_trait::async_trait;
use std::time::Duration;

/// How often the host looks.
const LOOK: Duration = Duration::from_secs(1);
/// How long, in seconds, the backend may take.
const DAY: u64 = 24 * 60 * 60;

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
    IssuerError::Refused("the backend makes the keys itself".to_owned())
}

/// Has the backend replace the key, and waits until another one is in use, but no longer than the rotation's `timeout`. One that it was asked
/// for before and has not put in use yet is not asked for again for a day.
pub(super) async fn run(rotation: &Rotation, hold: &mut Hold, trigger: &str) -> Result<(), Halt> {
    if hold.document().under_way.is_some() {
        let why = "a rotation by the host is under way, but the configuration now leaves rotations to the backend: restore it first";
        return Err(Halt::Stuck(why.to_owned()));
    }
    let site = rotation.sites.first().expect("a rotation names a secret");
    let now = rotation.now();
    let print = rotation.print(&site.read().await?.value);
    let asked = hold.document().asked.clone().filter(|(_, at)| now.saturating_sub(*at) < DAY);
    let before = match asked {
        Some((before, _)) => before,
        None => {
            rotation.tell(hold, Step::Ask, "the backend's own function makes, tests and revokes keys")?;
            let number = hold.document().number + 1;
            hold.write(|document| {
                document.number = number;
                document.asked = Some((print.clone(), now));
            })
            .await?;
            let rotator = site.from.backend.rotator().ok_or_else(|| Halt::Stuck("its backend can't replace keys itself".to_owned()))?;
            let begun = match rotator.rotate(&site.entry).await {
                Ok(begun) => begun,
                Err(error) => {
                    // Nothing has begun: it is asked for again at the next attempt.
                    hold.write(|document| document.asked = None).await?;
                    return Err(error.into());
                }
            };
            rotation.tell(hold, Step::Wait, &begun)?;
            print
        }
    };
    let since = rotation.clock.now();
    let in_use = loop {
        let value = site.read().await?.value;
        if rotation.print(&value) != before {
            break value;
        }
        if rotation.clock.now().saturating_sub(since) >= rotation.config.timeout {
            let why = "the backend's function has not put another key in use yet; it may still do so".to_owned();
            return Err(Halt::Later { why, after: None });
        }
        tokio::time::sleep(LOOK.min(rotation.config.timeout / 10)).await;
    };
    rotation.tell(hold, Step::Observe, "another key is in use")?;
    rotation.adopt(&IssuedKey::new("")).await;
    let (ended, print) = (rotation.now(), rotation.print(&in_use));
    hold.write(|document| {
        let begun = document.asked.take().map_or(ended, |(_, at)| at);
        document.current = Some(Current { since: ended, print: print.clone(), id: None, expires_at: None });
        document.failing = None;
        document.past.push(Past { number: document.number, begun, ended, trigger: trigger.to_owned(), outcome: "done".to_owned() });
    })
    .await?;
    rotation.tell(hold, Step::Done, "")
}
