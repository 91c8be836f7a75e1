//! The host's own secret id of AppRole, replaced by a new one before it ends.
//!
//! The file holds one that works, at each moment: a new one is tried before it is written, and the old one is destroyed after that. An
//! interruption in between leaves at most a secret id on the server that nobody has, which expires on its own.

use super::super::{BackendError, disk};
use super::api::{Body, Repeat, Trouble, escaped};
use super::session::{Session, json_object, read};
use crate::backoff::most_of;
use crate::manifest::{CredentialRef, SecretIdRenewal, VaultAuth};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::fs::TryLockError;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use zeroize::Zeroizing;

/// How often the secret id is looked at where nothing has to be done: somebody else may have replaced it.
const LOOK: Duration = Duration::from_secs(60 * 60);
/// How long a failure is left alone.
const AFTER_FAILURE: Duration = Duration::from_secs(60 * 60);
/// How long another process of the machine that is doing it is left alone.
const AFTER_OTHERS: Duration = Duration::from_secs(60);

/// A secret id in a file, and the role that it is of.
struct Renewal {
    mount: String,
    role_id: CredentialRef,
    secret_id: CredentialRef,
    file: PathBuf,
    renew: SecretIdRenewal,
}

/// What the server knows of a secret id.
#[derive(Deserialize)]
struct Known {
    /// Seconds; 0 where it has no end.
    secret_id_ttl: u64,
    /// RFC 3339.
    expiration_time: String,
    metadata: Option<Map<String, Value>>,
    cidr_list: Option<Vec<String>>,
    token_bound_cidrs: Option<Vec<String>>,
}

/// A new one.
#[derive(Deserialize)]
struct Issued {
    secret_id: Zeroizing<String>,
    /// 0: without end.
    #[serde(default)]
    secret_id_ttl: u64,
    /// 0: as often as one likes.
    #[serde(default)]
    secret_id_num_uses: u64,
}

/// Looks after the secret id from the first login on, where the configuration says so.
pub(super) fn begin(session: &Arc<Session>) {
    let Some(renewal) = Renewal::of(session.auth()) else { return };
    if session.looked_after.swap(true, Ordering::Relaxed) {
        return;
    }
    // Held from now on, so that a host that ends at once has looked.
    match Arc::clone(&session.replacing).try_lock_owned() {
        Ok(first) => drop(tokio::spawn(look_after(Arc::downgrade(session), renewal, first))),
        Err(_) => session.looked_after.store(false, Ordering::Relaxed),
    }
}

/// Looks again and again, until the host logs out or is gone.
fn look_after(session: Weak<Session>, renewal: Renewal, first: OwnedMutexGuard<()>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let mut replacing = Some(first);
        loop {
            let Some(session_) = session.upgrade() else { return };
            let turn = match replacing.take() {
                Some(first) => first,
                None => Arc::clone(&session_.replacing).lock_owned().await,
            };
            if !session_.is_open() {
                session_.looked_after.store(false, Ordering::Relaxed);
                return;
            }
            let wait = renewal.looked_at(&session_).await.unwrap_or_else(|error| {
                let server = session_.api().address();
                tracing::warn!(server, %error, "the host's secret id could not be checked or renewed; trying again in an hour");
                AFTER_FAILURE
            });
            drop(turn);
            drop(session_);
            tokio::time::sleep(wait).await;
        }
    })
}

impl Renewal {
    fn of(auth: &VaultAuth) -> Option<Self> {
        match auth {
            VaultAuth::AppRole { mount, role_id, secret_id: CredentialRef::File(file), wrapped: false, renew: Some(renew) } => Some(Self {
                mount: mount.clone(),
                role_id: role_id.clone(),
                secret_id: CredentialRef::File(file.clone()),
                file: file.clone(),
                renew: renew.clone(),
            }),
            _ => None,
        }
    }

    /// Looks at the secret id, and replaces it where it is time; gives how long to wait until the next time.
    async fn looked_at(&self, session: &Arc<Session>) -> Result<Duration, BackendError> {
        // Of two processes with one file, the second would destroy what the first has just written.
        let lock = disk::lock_file(&self.file).map_err(|error| self.not_kept(&error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(most_of(AFTER_OTHERS)),
            Err(TryLockError::Error(error)) => return Err(self.not_kept(&error)),
        }
        let old = read(&self.secret_id)?;
        let known = self.ask(session, "secret-id/lookup", json_object(&[("secret_id", &old)]), Repeat::Safe).await?;
        if known.is_empty() {
            let why =
                format!("the role `{}` has no such secret id; check `renew.role`, and the file {}", self.renew.role, self.file.display());
            return Err(BackendError::Unavailable(why));
        }
        let known: Known = known.data().map_err(|trouble| self.failed(&trouble, "secret-id/lookup"))?;
        let left = known.left(jiff::Timestamp::now()).map_err(|()| {
            BackendError::Unavailable(format!("{}: the server gives no expiry time that can be read", self.path("secret-id/lookup")))
        });
        match left?.map(|left| left.saturating_sub(self.before(known.secret_id_ttl))) {
            Some(Duration::ZERO) => self.replaced(session, &old, &known).await,
            Some(wait) => Ok(wait.min(LOOK)),
            None => Ok(LOOK),
        }
    }

    /// How long before its end a secret id that lives so many seconds is replaced.
    fn before(&self, ttl: u64) -> Duration {
        let life = Duration::from_secs(ttl);
        self.renew.before.unwrap_or(life / 3).min(life / 2)
    }

    /// Puts a new secret id in the place of the old one; gives when the new one's time comes.
    async fn replaced(&self, session: &Arc<Session>, old: &str, known: &Known) -> Result<Duration, BackendError> {
        // Nothing is asked for that could not be kept.
        disk::takes(&self.file).map_err(|error| self.not_kept(&error))?;
        // A failed call is not repeated: each makes one.
        let made = self.ask(session, "secret-id", known.bounds(), Repeat::Once).await?;
        let issued: Issued = made.data().map_err(|trouble| self.failed(&trouble, "secret-id"))?;
        if let Err(error) = self.tried(session, &issued).await {
            let _ = self.destroyed(session, &issued.secret_id).await;
            return Err(error);
        }
        // Where this fails, it is not known which of the two the disk has: neither is destroyed.
        disk::put(&self.file, issued.secret_id.as_bytes()).map_err(|error| self.not_kept(&error))?;
        let (server, role) = (session.api().address(), self.renew.role.as_str());
        tracing::info!(server, role, "the host has a new secret id");
        if let Err(error) = self.destroyed(session, old).await {
            tracing::warn!(server, role, %error, "the host's old secret id could not be destroyed; it works until it expires");
        }
        let life = Duration::from_secs(issued.secret_id_ttl);
        Ok(if life.is_zero() { LOOK } else { (life - self.before(issued.secret_id_ttl)).min(LOOK) })
    }

    async fn tried(&self, session: &Session, issued: &Issued) -> Result<(), BackendError> {
        if issued.secret_id_num_uses == 1 {
            let why =
                format!("secret ids of the role `{}` work once, and trying one uses it up; raise `secret_id_num_uses`", self.renew.role);
            return Err(BackendError::Refused(why));
        }
        session.try_out(&self.mount, &self.role_id, &issued.secret_id).await
    }

    async fn destroyed(&self, session: &Arc<Session>, secret_id: &str) -> Result<(), BackendError> {
        self.ask(session, "secret-id/destroy", json_object(&[("secret_id", secret_id)]), Repeat::Safe).await.map(drop)
    }

    /// A call about secret ids of the role.
    async fn ask(&self, session: &Arc<Session>, what: &str, body: Zeroizing<Vec<u8>>, repeat: Repeat) -> Result<Body, BackendError> {
        let (answered, _) = session.call(Method::POST, &self.path(what), Some(body), repeat).await?;
        answered.map_err(|trouble| self.failed(&trouble, what))
    }

    fn path(&self, what: &str) -> String {
        format!("auth/{}/role/{}/{what}", self.mount, escaped(&self.renew.role))
    }

    fn failed(&self, trouble: &Trouble, what: &str) -> BackendError {
        let path = self.path(what);
        match trouble {
            Trouble::Status(StatusCode::FORBIDDEN, _) => {
                BackendError::Refused(format!("{path}: the server's policy does not let this host do it (403); give it `update` there"))
            }
            Trouble::Status(StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND, _) => {
                BackendError::Unavailable(format!("{path}: the server has no such role; check `renew.role`"))
            }
            _ => trouble.to_error(&path),
        }
    }

    fn not_kept(&self, error: &std::io::Error) -> BackendError {
        let why = format!("{}: can't be replaced ({error}); let the host write to it and to its directory", self.file.display());
        BackendError::Unavailable(why)
    }
}

impl Known {
    /// How long it works from now on; none where it has no end. An error where its end can't be read.
    fn left(&self, now: jiff::Timestamp) -> Result<Option<Duration>, ()> {
        if self.secret_id_ttl == 0 {
            return Ok(None);
        }
        let end: jiff::Timestamp = self.expiration_time.parse().map_err(|_| ())?;
        // What is below zero is over.
        Ok(Some(Duration::try_from(end.duration_since(now)).unwrap_or_default()))
    }

    /// What the next one has to keep of this one's bounds. How long it lives is the role's to say.
    fn bounds(&self) -> Zeroizing<Vec<u8>> {
        let mut bounds = Map::new();
        // The server takes it as text.
        let metadata = self.metadata.as_ref().filter(|metadata| !metadata.is_empty());
        bounds.extend(metadata.map(|metadata| ("metadata".to_owned(), Value::Object(metadata.clone()).to_string().into())));
        for (name, list) in [("cidr_list", &self.cidr_list), ("token_bound_cidrs", &self.token_bound_cidrs)] {
            let list = list.as_ref().filter(|list| !list.is_empty());
            bounds.extend(list.map(|list| (name.to_owned(), list.clone().into())));
        }
        Zeroizing::new(Value::Object(bounds).to_string().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn renewal(before: Option<u64>) -> Renewal {
        let file = PathBuf::from("secret-id");
        Renewal {
            mount: "approle".to_owned(),
            role_id: CredentialRef::Env("ROLE_ID".to_owned()),
            secret_id: CredentialRef::File(file.clone()),
            file,
            renew: SecretIdRenewal::new("agents".to_owned()).with(|new| new.before = before.map(Duration::from_secs)),
        }
    }

    fn known(ttl: u64, end: &str) -> Known {
        serde_json::from_value(json!({"secret_id_ttl": ttl, "expiration_time": end, "metadata": null, "cidr_list": []})).expect("valid")
    }

    #[test]
    fn it_is_replaced_a_third_of_its_life_before_its_end_and_never_before_the_half() {
        assert_eq!(renewal(None).before(90), Duration::from_secs(30));
        assert_eq!(renewal(Some(10)).before(90), Duration::from_secs(10));
        assert_eq!(renewal(Some(80)).before(90), Duration::from_secs(45));
    }

    #[test]
    fn what_is_left_counts_from_the_servers_end() {
        let now: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().expect("valid");
        assert_eq!(known(600, "2026-01-01T00:05:00.5Z").left(now), Ok(Some(Duration::from_millis(300_500))));
        assert_eq!(known(600, "2025-12-31T23:59:59Z").left(now), Ok(Some(Duration::ZERO)), "it is over");
        assert_eq!(known(0, "0001-01-01T00:00:00Z").left(now), Ok(None), "it has no end");
        assert_eq!(known(600, "tomorrow").left(now), Err(()));
    }

    #[test]
    fn the_next_one_keeps_the_bounds_of_this_one() {
        assert_eq!(*known(600, "").bounds(), b"{}");
        let bound = json!({"secret_id_ttl": 600, "expiration_time": "", "metadata": {"host": "a"}, "cidr_list": ["10.0.0.5/32"], "token_bound_cidrs": null});
        let bounds: Value = serde_json::from_slice(&serde_json::from_value::<Known>(bound).expect("valid").bounds()).expect("valid");
        assert_eq!(bounds, json!({"metadata": "{\"host\":\"a\"}", "cidr_list": ["10.0.0.5/32"]}));
    }

    #[test]
    fn only_a_secret_id_that_lies_in_a_file_as_it_is_can_be_replaced() {
        let auth = |secret_id: &str, wrapped| VaultAuth::AppRole {
            mount: "approle".to_owned(),
            role_id: CredentialRef::Env("ROLE_ID".to_owned()),
            secret_id: if secret_id == "env" { CredentialRef::Env("ID".to_owned()) } else { CredentialRef::File("id".into()) },
            wrapped,
            renew: Some(renewal(None).renew),
        };
        assert!(Renewal::of(&auth("file", false)).is_some());
        assert!(Renewal::of(&auth("file", true)).is_none() && Renewal::of(&auth("env", false)).is_none());
    }
}
