//! The secret that callers of an agent prove to have. The agent itself has neither its value nor a placeholder.

use crate::Agent;
use crate::lock::Mutex;
use crate::policy::Source;
use crate::secrets::{Keyring, Version};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// Most earlier values that still count.
const MOST: usize = 4;

/// Fetched with the first call, and kept.
pub(super) struct CallerSecret {
    agent: Agent,
    keyring: OnceCell<Keyring>,
    /// How long a value counts after another has taken its place: `rotation.overlap` of the secret.
    overlap: Duration,
    values: Mutex<Values>,
}

#[derive(Default)]
struct Values {
    current: Option<Arc<Version>>,
    /// Earlier ones, each with when it counts no more.
    earlier: Vec<(Arc<Version>, Instant)>,
}

impl CallerSecret {
    pub(super) fn of(agent: &Agent) -> Self {
        let overlap = agent.manifest().caller.as_ref().and_then(|secret| secret.overlap).unwrap_or_default();
        Self { agent: agent.clone(), keyring: OnceCell::new(), overlap, values: Mutex::default() }
    }

    /// The values that count now, the newest first.
    ///
    /// # Errors
    /// Why there is none, for the operator.
    pub(super) async fn values(&self) -> Result<Vec<Arc<Version>>, String> {
        let open = || async {
            let keyring = self.agent.callers().await.map_err(|unavailable| unavailable.to_string())?;
            keyring.ok_or_else(|| "the manifest names no secret of callers".to_owned())
        };
        let keyring = self.keyring.get_or_try_init(open).await?;
        let (current, _) = keyring.version(Source::Secret(0), &()).await.map_err(|why| why.to_string())?;
        Ok(self.values.lock().with(Arc::clone(current.version()), self.overlap, Instant::now()))
    }
}

impl Values {
    /// Takes note of the current value, and gives all that count.
    fn with(&mut self, current: Arc<Version>, overlap: Duration, now: Instant) -> Vec<Arc<Version>> {
        match self.current.replace(Arc::clone(&current)) {
            Some(before) if !before.value.is(&current.value) => {
                self.earlier.insert(0, (before, now + overlap));
                self.earlier.truncate(MOST);
            }
            _ => {}
        }
        self.earlier.retain(|(version, until)| *until > now && !version.value.is(&current.value));
        [current].into_iter().chain(self.earlier.iter().map(|(version, _)| Arc::clone(version))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::SecretValue;

    #[test]
    fn a_value_that_was_replaced_counts_as_long_as_the_manifest_says() {
        let version = |text: &str| Version::unbacked(SecretValue::new(text), &[0; 32]);
        let (old, new) = (version("the-old-value-of-it"), version("the-new-value-of-it"));
        let (start, minute) = (Instant::now(), Duration::from_secs(60));
        let mut values = Values::default();
        let mut counting = |current: &Arc<Version>, overlap, now| values.with(Arc::clone(current), overlap, now).len();

        assert_eq!(counting(&old, minute, start), 1);
        assert_eq!(counting(&new, minute, start), 2);
        assert_eq!(counting(&new, minute, start + minute / 2), 2);
        assert_eq!(counting(&new, minute, start + minute), 1);
        // Without an overlap the old one is worth nothing at once.
        assert_eq!(counting(&old, Duration::ZERO, start + minute), 1);
    }
}
