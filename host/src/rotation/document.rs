//! What is known of one rotation, as it stands in its journal: JSON with keys in plain, as the secret itself is. Whoever may read the one may
//! read the other.

use super::issuer::{IssuedKey, ListedKey};
use super::stage::{Impossible, UnderWay};
use crate::format;
use crate::secrets::Deposit;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The only format there is so far.
pub(super) const FORMAT: u64 = 1;
/// Most entries of each list that only grows.
const KEPT: usize = 24;
/// Most hosts that are waited for; one more is not let in, and asks its backend at each use instead.
const MAX_HOSTS: usize = 256;

/// What is known of one rotation.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Document {
    format: u64,
    /// Changes so far of those who may change it at any time.
    #[serde(default)]
    pub(super) notes: u64,
    #[serde(default)]
    pub(super) holder: Option<Holder>,
    /// The last fencing number.
    #[serde(default)]
    pub(super) fence: u64,
    /// Rotations begun so far.
    #[serde(default)]
    pub(super) number: u64,
    #[serde(default)]
    pub(super) current: Option<Current>,
    #[serde(default)]
    pub(super) under_way: Option<UnderWay>,
    /// Calls in a row whose outcome was lost.
    #[serde(default)]
    pub(super) lost: u32,
    #[serde(default)]
    pub(super) failing: Option<Failing>,
    /// The hosts that use the key, each with the rotation whose new key it has taken over, and whose old one it no longer holds.
    #[serde(default)]
    pub(super) hosts: BTreeMap<String, u64>,
    /// Keys that may have been made, and that nobody knows.
    #[serde(default)]
    pub(super) orphans: Vec<Orphan>,
    /// A call whose outcome was lost, and after which nothing new was listed: it may be carried out late.
    #[serde(default)]
    pub(super) suspected: Option<Suspicion>,
    /// The issuer's names for keys that were made here.
    #[serde(default)]
    pub(super) made: Vec<String>,
    /// How long any host may use what it has read last, in seconds.
    #[serde(default)]
    pub(super) stale: u64,
    /// A hash of the key that a backend was asked to replace by itself, and when.
    #[serde(default)]
    pub(super) asked: Option<(String, u64)>,
    #[serde(default)]
    pub(super) past: Vec<Past>,
}

/// Who may take the next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    pub(super) host: String,
    pub(super) fence: u64,
    /// Grows with each heartbeat.
    pub(super) beat: u64,
    /// What no other holder has, though both had the same number for a moment.
    pub(super) nonce: u64,
    /// How long it may go without a heartbeat, in milliseconds.
    pub(super) lease: u64,
}

/// The key in use, as far as this host has made it so.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Current {
    /// Since when, in seconds since 1970.
    pub(super) since: u64,
    /// A hash of it: what is said here is said of no other key.
    #[serde(default)]
    pub(super) print: String,
    /// The issuer's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<u64>,
}

/// Failures since the last success.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Failing {
    pub(super) since: u64,
    pub(super) in_a_row: u32,
    pub(super) why: String,
    /// When it is tried again, in seconds since 1970.
    pub(super) next: u64,
}

/// A key that may have been made, and that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Orphan {
    /// When the call was made, in seconds since 1970, and for which rotation.
    pub(super) at: u64,
    #[serde(default)]
    pub(super) number: u64,
    /// What is known of it: the call, and the issuer's name for it where it has a list.
    pub(super) what: String,
}

/// A call that may be carried out late.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Suspicion {
    pub(super) since: u64,
    /// A hash of the key in use then.
    pub(super) print: String,
    /// The keys that the issuer listed before, and those that were made since.
    pub(super) listed: Vec<ListedKey>,
}

/// A rotation that has ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Past {
    pub(super) number: u64,
    pub(super) begun: u64,
    pub(super) ended: u64,
    pub(super) trigger: String,
    /// `done`, or why it was rolled back.
    pub(super) outcome: String,
}

impl Document {
    /// One of which nothing is known yet.
    pub(super) fn empty() -> Self {
        Self { format: FORMAT, ..Self::default() }
    }

    pub(super) fn read(text: &str) -> Result<Self, String> {
        // First of all: whatever else has changed by then, it is told as what it is.
        if let Some(newer) = format::of_json(text.as_bytes()).and_then(|format| format::refused(format, FORMAT)) {
            return Err(newer);
        }
        let document = serde_json::from_str(text).ok().filter(|document: &Self| document.format == FORMAT);
        let unreadable =
            || Impossible::found_in(text).map_or_else(|| "what is there is not a journal".to_owned(), |found| found.to_string());
        document.ok_or_else(unreadable)
    }

    pub(super) fn deposit(&self) -> Deposit {
        Deposit::new(serde_json::to_vec(self).expect("a journal is JSON"))
    }

    /// Whether nobody has written it yet.
    pub(super) fn is_new(&self) -> bool {
        self.fence == 0 && self.notes == 0
    }

    pub(super) fn trim(&mut self) {
        let excess = |len: usize| len.saturating_sub(KEPT);
        self.past.drain(..excess(self.past.len()));
        self.orphans.drain(..excess(self.orphans.len()));
        self.made.drain(..excess(self.made.len()));
    }

    /// The rotation whose new key a host has that asks for it from now on.
    pub(super) fn settled(&self) -> u64 {
        let before_switch = self.under_way.as_ref().is_some_and(|under_way| under_way.switched_to().is_none());
        self.number - u64::from(before_switch)
    }

    /// Lets a host in, or notes what it has taken over. False where it is known already.
    pub(super) fn acknowledge(&mut self, host: &str, number: u64) -> bool {
        let is_new = !self.hosts.contains_key(host);
        if self.hosts.get(host) == Some(&number) || (is_new && self.hosts.len() >= MAX_HOSTS) {
            return false;
        }
        self.hosts.insert(host.to_owned(), number);
        true
    }

    /// Whether there may be hosts that could not be let in.
    pub(super) fn is_crowded(&self) -> bool {
        self.hosts.len() >= MAX_HOSTS
    }

    /// Whether this is the issuer's name for one of its keys.
    pub(super) fn knows(&self, id: &str) -> bool {
        // A key without a name may be any of them.
        let Some(current) = self.current.as_ref().and_then(|current| current.id.as_deref()) else { return true };
        let under_way = self.under_way.iter().flat_map(|under_way| [Some(&under_way.intent().old), under_way.new_key()]);
        let known = under_way.flatten().filter_map(IssuedKey::id).chain([current]).any(|known| known == id);
        // One that is being made may be this one.
        known || self.under_way.as_ref().is_some_and(UnderWay::is_issuing)
    }

    /// Notes keys that may have been made, each of them once.
    pub(super) fn report(&mut self, orphans: &[Orphan]) {
        for orphan in orphans {
            if !self.orphans.contains(orphan) {
                self.orphans.push(orphan.clone());
            }
        }
    }

    /// Writes down how a rotation has ended.
    pub(super) fn close(&mut self, outcome: &str, now: u64) {
        let Some(under_way) = self.under_way.take() else { return };
        let (begun, trigger) = (under_way.intent().begun, under_way.intent().trigger.clone());
        self.past.push(Past { number: self.number, begun, ended: now, trigger, outcome: outcome.to_owned() });
    }

    /// Closes whatever is open, and says which keys may be left over by it.
    pub(super) fn give_up(&mut self, now: u64) -> Vec<String> {
        let named = |what: &str, key: &IssuedKey| match key.id() {
            Some(id) => format!("{what}, {}", crate::text::for_people(id)),
            None => format!("{what}, whose name is not known"),
        };
        let keys = self.under_way.as_ref().map(|under_way| {
            let new = under_way.new_key().map(|new| named("the new key", new));
            new.into_iter().chain([named("the key that was in use before", &under_way.intent().old)]).collect()
        });
        self.close("given up by the operator", now);
        (self.lost, self.failing, self.suspected, self.asked) = (0, None, None, None);
        self.orphans.clear();
        keys.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A journal in the middle of a rotation, as hosts have written it before the stage had data of its own.
    const JOURNAL: &str = concat!(
        r#"{"format":1,"notes":3,"holder":{"host":"a","fence":4,"beat":9,"nonce":5,"lease":90000},"fence":4,"number":2,"#,
        r#""current":{"since":1700000000,"print":"0011223344556677","id":"k1"},"#,
        r#""under_way":{"begun":1700000100,"trigger":"its time has come","stage":"verified","places":["file:bot"],"issuer":"the issuer","#,
        r#""waited":0,"old":{"value":"key-of-before","id":"k1"},"new":{"value":"key-of-after","id":"k2"},"listed":[{"id":"k1"}]},"#,
        r#""lost":0,"failing":null,"hosts":{"a":1,"b":1},"orphans":[],"suspected":null,"made":["k1","k2"],"stale":60,"asked":null,"#,
        r#""past":[{"number":1,"begun":1,"ended":2,"trigger":"by hand","outcome":"done"}]}"#
    );

    #[test]
    fn a_journal_is_written_as_it_was_read() {
        let document = Document::read(JOURNAL).expect("a journal");

        assert_eq!(std::str::from_utf8(document.deposit().bytes()), Ok(JOURNAL));
        assert_eq!(document.settled(), 1);
    }

    #[test]
    fn a_journal_of_a_newer_host_is_told_as_that_whatever_is_in_it() {
        let said = "written by a newer Strongroom (format 2; this one reads up to 1): upgrade this one";
        for newer in [JOURNAL.replace(r#""format":1"#, r#""format":2"#), r#"{"format":2,"under_way":"otherwise"}"#.to_owned()] {
            assert_eq!(Document::read(&newer).err().as_deref(), Some(said), "{newer}");
        }
        assert_eq!(Document::read(r#"{"format":0}"#).err().as_deref(), Some("what is there is not a journal"));
    }

    #[test]
    fn what_is_given_up_is_told_by_the_issuers_names() {
        let mut document = Document::read(JOURNAL).expect("a journal");

        let left = document.give_up(1_700_000_200);

        assert_eq!(left, ["the new key, k2", "the key that was in use before, k1"]);
        assert!(document.under_way.is_none());
        assert_eq!(document.past.last().map(|past| (past.number, past.outcome.as_str())), Some((2, "given up by the operator")));
    }

    #[test]
    fn what_can_not_be_read_is_not_quoted() {
        let broken = JOURNAL.replace(r#""begun":1700000100"#, r#""begun":"key-of-somebody""#);

        assert_eq!(Document::read(&broken).err().as_deref(), Some("what is there is not a journal"));
    }
}
