//! The keys of every account, what happened to them, and what a call does to them.

use super::{Answer, Call, Fault, Settings, Verb};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

/// Whether a key works, its expiry aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It does.
    Active,
    /// It does not since this time.
    Revoked(SystemTime),
    /// It never did.
    Dead,
}

/// Something that happened to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It was issued, or came with the account.
    Issued,
    /// It was answered once more, to a call for a new one.
    Repeated,
    /// A newer one came, and this one ends at that time.
    Retiring(SystemTime),
    /// It was revoked.
    Revoked,
}

/// A key and all that is known of it.
#[derive(Debug, Clone)]
pub struct Key {
    /// Whose it is.
    pub account: String,
    /// `key_` and 8 hex digits.
    pub id: String,
    /// The key: `pf_live_` and 32 hex digits.
    pub value: String,
    /// When it was issued.
    pub created: SystemTime,
    /// When it ends by itself.
    pub expires: Option<SystemTime>,
    /// Whether it works.
    pub state: State,
    /// Whether it stood where servers log it: in a request's target, or a header other than `Authorization`.
    pub logged: bool,
    /// Requests below `/v1/` while it worked.
    pub uses: u64,
    /// The last of them.
    pub last_used: Option<SystemTime>,
    /// What happened to it, in order.
    pub history: Vec<(SystemTime, Event)>,
}

/// A request below `/v1/` with a key that was revoked before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedUse {
    /// The key.
    pub key: String,
    /// When it was used.
    pub at: SystemTime,
    /// The path it was used for.
    pub path: String,
}

/// How often what happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests below `/v1/` with a key that works.
    pub valid: u64,
    /// … with a revoked key.
    pub revoked: u64,
    /// … with a key past its expiry or its overlap.
    pub expired: u64,
    /// … with a key that never worked.
    pub dead: u64,
    /// … with a key that was never issued, or none.
    pub unknown: u64,
    /// Calls of any kind that were answered 400 or more, or not at all.
    pub failed: u64,
    /// Calls for a new key, whatever came of them.
    pub issue_calls: u64,
    /// Calls to revoke one, whatever came of them.
    pub revoke_calls: u64,
    /// Calls for the list.
    pub list_calls: u64,
    /// Keys that were issued by calls.
    pub issued: u64,
    /// Keys that were revoked by calls.
    pub revoked_keys: u64,
}

#[derive(Default)]
pub(super) struct Ledger {
    admin: String,
    pub(super) settings: Settings,
    pub(super) accounts: Vec<String>,
    pub(super) keys: Vec<Key>,
    pub(super) counts: Counts,
    pub(super) revoked_uses: Vec<RevokedUse>,
    pub(super) faults: HashMap<Verb, VecDeque<(Fault, usize)>>,
    /// Account and `Idempotency-Key`, and the index of the key that was issued.
    repeats: HashMap<(String, String), usize>,
}

/// Who calls: an account with its key's index, or an admin with the account that was named.
enum Caller {
    Account(String, usize),
    Admin(Option<String>),
}

impl Key {
    /// Whether it works at this time.
    #[must_use]
    pub fn works(&self, now: SystemTime) -> bool {
        self.state == State::Active && self.expires.is_none_or(|end| now < end)
    }

    /// Whole seconds until it ends by itself.
    fn left(&self, now: SystemTime) -> Option<u64> {
        self.expires.map(|end| end.duration_since(now).unwrap_or_default().as_secs())
    }
}

impl Ledger {
    pub(super) fn new(admin: &str) -> Self {
        Self { admin: admin.to_owned(), ..Self::default() }
    }

    pub(super) fn find(&self, key: &str) -> Option<usize> {
        self.keys.iter().position(|known| known.value == key || known.id == key)
    }

    pub(super) fn add(&mut self, account: &str, state: State, now: SystemTime) -> usize {
        self.keys.push(Key {
            account: account.to_owned(),
            id: format!("key_{}", hex::<4>()),
            value: format!("pf_live_{}", hex::<16>()),
            created: now,
            expires: self.settings.lifetime.map(|lifetime| now + lifetime),
            state,
            logged: false,
            uses: 0,
            last_used: None,
            history: vec![(now, Event::Issued)],
        });
        self.keys.len() - 1
    }

    /// Ends a key; whether it had not been ended before.
    pub(super) fn end(&mut self, at: usize, now: SystemTime) -> bool {
        let key = &mut self.keys[at];
        let ends = !matches!(key.state, State::Revoked(_));
        if ends {
            key.state = State::Revoked(now);
            key.history.push((now, Event::Revoked));
        }
        ends
    }

    /// Notes that a call came, and says what goes wrong with it and how long it takes.
    pub(super) fn arrive(&mut self, call: &Call) -> (Option<Fault>, Duration) {
        if call.loggable.contains("pf_live_") {
            self.keys.iter_mut().filter(|key| call.loggable.contains(&key.value)).for_each(|key| key.logged = true);
        }
        let Some(verb) = call.verb else { return (None, Duration::ZERO) };
        match verb {
            Verb::Issue => self.counts.issue_calls += 1,
            Verb::Revoke => self.counts.revoke_calls += 1,
            Verb::List => self.counts.list_calls += 1,
            Verb::Probe | Verb::Use => {}
        }
        let latency = if matches!(verb, Verb::Probe | Verb::Use) { self.settings.latency } else { Duration::ZERO };
        let Some(faults) = self.faults.get_mut(&verb) else { return (None, latency) };
        while faults.pop_front_if(|(_, times)| *times == 0).is_some() {}
        let fault = faults.front_mut().map(|(fault, times)| {
            *times -= usize::from(*times != usize::MAX);
            fault.clone()
        });
        (fault, latency)
    }

    /// Does what a call wants.
    pub(super) fn act(&mut self, call: &Call, fault: Option<&Fault>) -> Answer {
        let now = SystemTime::now();
        let used = matches!(call.verb, Some(Verb::Probe | Verb::Use)).then(|| self.note_use(call, now));
        if let Some(Fault::Status(status, retry_after)) = fault {
            return Answer { retry_after: *retry_after, ..Answer::error(*status, "out of order") };
        }
        let answer = match call.verb {
            None => Answer::error(404, "no such path"),
            Some(Verb::Issue) => self.issue(call, fault, now).unwrap_or_else(|refusal| refusal),
            Some(Verb::Revoke) => self.revoke(call, now).unwrap_or_else(|refusal| refusal),
            Some(Verb::List) => self.list(call, now).unwrap_or_else(|refusal| refusal),
            Some(Verb::Probe | Verb::Use) => match used.flatten() {
                None => Answer::error(401, "invalid key"),
                Some(at) => {
                    let key = &self.keys[at];
                    Answer { expires_in: key.left(now), ..Answer::ok(&json!({"ok": true, "account": key.account})) }
                }
            },
        };
        match fault {
            Some(Fault::Garbage) if answer.status == 200 => Answer { body: "<html>It works!</html>".to_owned(), ..answer },
            Some(Fault::WrongShape) if answer.status == 200 => Answer { body: json!({"status": "done"}).to_string(), ..answer },
            Some(Fault::NotFound) => Answer::error(404, "not found"),
            _ => answer,
        }
    }

    /// The key of a request below `/v1/`, if it works.
    fn note_use(&mut self, call: &Call, now: SystemTime) -> Option<usize> {
        let sent = call.bearer.as_deref().unwrap_or_default();
        let Some((at, key)) = self.keys.iter_mut().enumerate().find(|(_, key)| key.value == sent) else {
            self.counts.unknown += 1;
            return None;
        };
        match key.state {
            State::Active if key.works(now) => {
                self.counts.valid += 1;
                key.uses += 1;
                key.last_used = Some(now);
                return Some(at);
            }
            State::Active => self.counts.expired += 1,
            State::Dead => self.counts.dead += 1,
            State::Revoked(_) => {
                self.counts.revoked += 1;
                self.revoked_uses.push(RevokedUse { key: sent.to_owned(), at: now, path: call.path.clone() });
            }
        }
        None
    }

    fn caller(&self, call: &Call, now: SystemTime) -> Result<Caller, Answer> {
        if let Some(admin) = &call.admin {
            return match &call.account {
                _ if *admin != self.admin => Err(Answer::error(401, "invalid admin credential")),
                Some(account) if !self.accounts.contains(account) => Err(Answer::error(404, "unknown account")),
                account => Ok(Caller::Admin(account.clone())),
            };
        }
        let sent = call.bearer.as_deref().unwrap_or_default();
        let found = self.keys.iter().position(|key| key.value == sent && key.works(now));
        found.map(|at| Caller::Account(self.keys[at].account.clone(), at)).ok_or_else(|| Answer::error(401, "invalid key"))
    }

    fn issue(&mut self, call: &Call, fault: Option<&Fault>, now: SystemTime) -> Result<Answer, Answer> {
        let (account, sent) = match self.caller(call, now)? {
            Caller::Account(account, at) => (account, Some(at)),
            Caller::Admin(account) => {
                let account = account.ok_or_else(|| Answer::error(400, "an account is missing"))?;
                let newest = self.keys.iter().rposition(|key| key.account == account && key.works(now));
                (account, newest)
            }
        };
        let repeat = call.idempotency.clone().filter(|_| self.settings.idempotent).map(|name| (account.clone(), name));
        let known =
            if fault == Some(&Fault::SameKey) { sent } else { repeat.as_ref().and_then(|repeat| self.repeats.get(repeat).copied()) };
        let at = if let Some(at) = known {
            self.keys[at].history.push((now, Event::Repeated));
            at
        } else {
            self.retire(&account, now);
            self.counts.issued += 1;
            self.add(&account, if fault == Some(&Fault::DeadKey) { State::Dead } else { State::Active }, now)
        };
        if let Some(repeat) = repeat {
            self.repeats.entry(repeat).or_insert(at);
        }
        let key = &self.keys[at];
        let mut body = json!({(self.settings.field): key.value, "id": key.id});
        if let Some(left) = key.left(now) {
            body["expires_in"] = left.into();
        }
        Ok(Answer::ok(&body))
    }

    /// Bounds how long an account's keys work on, where there is a bound.
    fn retire(&mut self, account: &str, now: SystemTime) {
        let Some(end) = self.settings.overlap.map(|overlap| now + overlap) else { return };
        for key in self.keys.iter_mut().filter(|key| key.account == account && key.works(now)) {
            if key.expires.is_none_or(|expires| end < expires) {
                key.expires = Some(end);
                key.history.push((now, Event::Retiring(end)));
            }
        }
    }

    fn revoke(&mut self, call: &Call, now: SystemTime) -> Result<Answer, Answer> {
        let account = match self.caller(call, now)? {
            Caller::Account(account, _) => Some(account),
            Caller::Admin(account) => account,
        };
        let named = call.path.strip_prefix("/api/keys/").unwrap_or_default();
        let found = self.find(named).filter(|at| account.is_none_or(|account| account == self.keys[*at].account));
        let at = found.ok_or_else(|| Answer::error(404, "unknown key"))?;
        if self.end(at, now) {
            self.counts.revoked_keys += 1;
        } else if self.settings.forgets {
            return Err(Answer::error(404, "unknown key"));
        }
        Ok(Answer::ok(&json!({"revoked": true})))
    }

    fn list(&self, call: &Call, now: SystemTime) -> Result<Answer, Answer> {
        if !self.settings.lists {
            return Err(Answer::error(404, "no such path"));
        }
        let account = match self.caller(call, now)? {
            Caller::Account(account, _) => account,
            Caller::Admin(account) => account.ok_or_else(|| Answer::error(400, "an account is missing"))?,
        };
        let active = self.keys.iter().filter(|key| key.account == account && key.works(now));
        let listed: Vec<Value> = active
            .map(|key| {
                let created = key.created.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
                let mut listed = json!({"id": key.id, "prefix": key.value[..12], "created": created});
                if self.settings.shows_keys {
                    listed["key"] = key.value.clone().into();
                }
                listed
            })
            .collect();
        Ok(Answer::ok(&json!({"keys": listed})))
    }
}

/// Random bytes as lower-case hex.
pub(super) fn hex<const BYTES: usize>() -> String {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).expect("the system's randomness");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
