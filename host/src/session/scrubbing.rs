//! What is looked for in all that an agent gets and gives: the values of its secrets, newer versions of them, and what responses brought.

use super::Session;
use crate::scrub::{Known, Live, Replacement, Scrubber, Values};
use crate::secrets::{Listener, Version};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Bytes of values of answers that all further text is searched for. What is shorter or longer is searched for in the answer to a request
/// that carries it.
pub(crate) const TELLING: RangeInclusive<usize> = 16..=4096;

/// The search of one run.
pub(crate) struct Scrubbing {
    /// Renewed where an answer brings something, or a secret a newer version.
    pub(crate) live: Live,
    /// The same without rules, for answers of hosts that hold no grant.
    pub(crate) values: Arc<Values>,
}

impl Scrubbing {
    pub(crate) fn new(live: Live) -> Self {
        Self { live, values: Arc::default() }
    }
}

impl Listener for Session {
    fn newer_version(&self) {
        self.renew_scrubber();
    }
}

impl Session {
    pub(crate) fn scrubber(&self) -> Arc<Scrubber> {
        self.scrubbing.live.now()
    }

    /// Looks for the versions of secrets that have come since, from here on.
    pub(crate) fn learn(&self) {
        self.keyring.learn(self);
    }

    /// Looks for newer versions of secrets, and for what answers brought, from now on too.
    pub(crate) fn renew_scrubber(&self) {
        // All of it under the scrubber's lock: who comes later knows at least as much.
        self.scrubbing.live.renew(|scrubber| {
            let newer = self.keyring.iter().flat_map(|(_, key)| key.newer().into_iter().map(move |version| (key, version)));
            let newer = newer.map(|(key, version)| {
                let replacement = Replacement::new(key.placeholder.clone(), format!("[redacted:{}]", key.name));
                (version.value.known(key.in_basic), replacement)
            });
            let behind = self.keyring.iter().flat_map(|(_, key)| key.behind().into_iter().map(move |version| behind(&key.name, &version)));
            let all = self.keyring.sealed();
            let telling = all.iter().filter(|known| is_telling(&known.version));
            scrubber.knowing(newer.chain(behind).chain(telling.map(|known| sealed(&known.version, &known.placeholder))))
        });
    }
}

/// A secret that a token was had for, or that a caller has shown, as the scrubber looks for it: no placeholder stands for it.
pub(crate) fn behind(secret: &str, version: &Version) -> (Arc<Known>, Replacement) {
    let name = format!("[redacted:{secret}]");
    (version.value.known(false), Replacement::new(name.clone(), name))
}

/// Whether all text can be searched for a value that an answer brought: what an API calls a session may be `accepted`.
pub(crate) fn is_telling(version: &Version) -> bool {
    version.value.is_telling(&TELLING, 64)
}

/// A value that an answer brought, as the scrubber looks for it.
pub(crate) fn sealed(version: &Version, placeholder: &str) -> (Arc<Known>, Replacement) {
    (version.value.known(false), Replacement::new(placeholder.to_owned(), "[sealed]".to_owned()))
}
