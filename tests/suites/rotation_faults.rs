//! What can go wrong while a key is replaced, row by row: what the operator is told, which key is in use after it, and what is left over.

use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use strongroom::manifest::{HttpIssuerConfig, RotationConfig, SecretRef};
use strongroom::{AuditSink, FileBackend, FileKey, Host, HostConfig, HttpIssuer, RotationError, audit};
use strongroom_tests::block_on;
use strongroom_tests::fixtures::slippery::{Slip, Slippery};
use strongroom_tests::fixtures::store::{Kind, StoreFixture};
use strongroom_tests::issuer::{Fault, Issuer, Verb};

/// How long a call may take here, and what is longer by far.
const TIMEOUT: Duration = Duration::from_secs(4);
const LONG: Duration = Duration::from_secs(10);

/// Keeps records, for a test to read; or none, and says so.
#[derive(Clone, Default)]
struct Records {
    lines: Arc<Mutex<Vec<Value>>>,
    broken: bool,
}

impl AuditSink for Records {
    fn record(&self, records: &[audit::Record<'_>]) -> std::io::Result<()> {
        if self.broken {
            return Err(std::io::Error::other("the disk is full"));
        }
        let mut lines = self.lines.lock().unwrap();
        lines.extend(records.iter().map(|record| serde_json::to_value(record).unwrap()));
        Ok(())
    }
}

/// A host over a bed's file.
fn host(bed: &StoreFixture, issuer: &Issuer, slip: Option<(&'static str, usize, usize, Slip)>, audit: Records) -> Host {
    host_of(bed, issuer, slip, audit, &format!("store:{}", bed.entry())).unwrap()
}

fn host_of(
    bed: &StoreFixture,
    issuer: &Issuer,
    slip: Option<(&'static str, usize, usize, Slip)>,
    audit: Records,
    place: &str,
) -> Result<Host, String> {
    let store = FileBackend::new(bed.file("secrets.age"), FileKey::identity_file(&bed.file("secrets.key")).unwrap());
    let rotation = RotationConfig::new(vec![SecretRef::parse(place).unwrap()], "issuer").with(|new| {
        new.timeout = TIMEOUT;
        new.drain = Duration::from_millis(200);
    });
    let config = HostConfig::default().with(|new| new.rotations = vec![(bed.name().to_owned(), rotation)]);
    let builder = Host::builder().config(config).without_state().max_agents(1).audit(audit);
    let builder = builder.backend("store", Slippery::new(store, slip));
    let built = builder.issuer("issuer", HttpIssuer::new(&HttpIssuerConfig::purpleflea(issuer.url())).unwrap()).build();
    built.map_err(|error| error.to_string())
}

fn kind(outcome: &Result<(), RotationError>) -> &'static str {
    match outcome {
        Ok(()) => "replaced",
        Err(RotationError::RolledBack(_)) => "rolled back",
        Err(RotationError::Unfinished(_)) => "unfinished",
        Err(RotationError::Lost(_)) => "lost",
        Err(_) => "something new",
    }
}

struct Row {
    name: &'static str,
    faults: &'static [(Verb, Fault, usize)],
    lists: bool,
    slip: Option<(&'static str, usize, usize, Slip)>,
    /// What the operator is told, and what when it is tried once more with nothing wrong.
    told: (&'static str, &'static str),
    /// Keys that work after the first time, and keys that are reported.
    left: (usize, usize),
}

impl Row {
    const fn issuer(name: &'static str, faults: &'static [(Verb, Fault, usize)], told: &'static str) -> Self {
        Self { name, faults, lists: true, slip: None, told: (told, "replaced"), left: (1, 0) }
    }

    const fn store(name: &'static str, path: &'static str, first: usize, times: usize, slip: Slip, told: &'static str) -> Self {
        Self { name, faults: &[], lists: true, slip: Some((path, first, times, slip)), told: (told, "replaced"), left: (1, 0) }
    }

    const fn without_list(self) -> Self {
        Self { lists: false, ..self }
    }

    const fn leaves(self, usable: usize, orphans: usize) -> Self {
        Self { left: (usable, orphans), ..self }
    }
}

const ALWAYS: usize = usize::MAX;
const JOURNAL: &str = "strongroom/";
const SECRET: &str = "agents/";

fn rows() -> Vec<Row> {
    use Fault::{DeadKey, Garbage, Hang, LoseAnswer, NotFound, SameKey, Status, WrongShape};
    use Verb::{Issue, List, Probe, Revoke};
    // A write of the journal each: the hold, the intent, the new key.
    const SEAL: usize = 3;
    vec![
        Row::issuer("nothing", &[], "replaced"),
        Row::issuer("issuing fails once, and nothing was made", &[(Issue, Status(500, None), 1)], "replaced"),
        Row::issuer("issuing fails twice", &[(Issue, Status(500, None), 2)], "lost"),
        Row::issuer("issuing is forbidden", &[(Issue, Status(403, None), ALWAYS)], "rolled back"),
        Row::issuer("issuing is not there", &[(Issue, Status(404, None), ALWAYS)], "rolled back"),
        Row::issuer("the issuer limits the rate, and asks for a second", &[(Issue, Status(429, Some(1)), 1)], "replaced"),
        Row::issuer("the issuer limits the rate, and asks for an hour", &[(Issue, Status(429, Some(3_600)), ALWAYS)], "unfinished"),
        Row::issuer("a key is made, and its answer is lost", &[(Issue, LoseAnswer, 1)], "replaced"),
        Row::issuer("two keys are made, and both answers are lost", &[(Issue, LoseAnswer, 2)], "lost"),
        Row::issuer("an answer is lost, and there is no list", &[(Issue, LoseAnswer, 1)], "replaced").without_list().leaves(2, 1),
        Row::issuer("two answers are lost, and there is no list", &[(Issue, LoseAnswer, 2)], "lost").without_list().leaves(3, 2),
        Row::issuer("a key is made, and its answer comes too late", &[(Issue, Hang(LONG), 1)], "replaced"),
        Row::issuer("the same key is given again", &[(Issue, SameKey, ALWAYS)], "rolled back"),
        Row::issuer("the response isn't JSON", &[(Issue, Garbage, 1)], "replaced"),
        Row::issuer("the answer has no key", &[(Issue, WrongShape, 1)], "replaced"),
        Row::issuer("the list fails before the key is made", &[(List, Status(500, None), 1)], "unfinished"),
        Row::issuer("the new key does not work", &[(Issue, DeadKey, 1)], "rolled back"),
        Row::issuer("whether the new key works can't be told", &[(Probe, Status(500, None), 4)], "rolled back"),
        Row::issuer("whether the new key works is told at the third time", &[(Probe, Status(503, None), 2)], "replaced"),
        Row::issuer("the old key is unknown as it is revoked", &[(Revoke, NotFound, 1)], "replaced"),
        Row::issuer("the old key can't be revoked", &[(Revoke, Status(500, None), 1)], "unfinished").leaves(2, 0),
        Row::issuer("the old key is said to be unknown, and works", &[(Revoke, Status(404, None), 1)], "unfinished").leaves(2, 0),
        Row::issuer("the old key is revoked, and the answer is lost", &[(Revoke, LoseAnswer, 1)], "replaced"),
        Row::issuer(
            "the new key does not work, and can't be revoked either",
            &[(Probe, Status(401, None), 4), (Revoke, Status(500, None), 1)],
            "unfinished",
        )
        .leaves(2, 0),
        Row::store("the journal can't be written at first", JOURNAL, 1, ALWAYS, Slip::Unavailable, "unfinished"),
        Row::store("the intent can't be written", JOURNAL, 2, ALWAYS, Slip::Unavailable, "unfinished"),
        Row::store("the new key can't be written", JOURNAL, SEAL, ALWAYS, Slip::Unavailable, "unfinished"),
        Row::store("the new key is written, and nobody says so", JOURNAL, SEAL, 1, Slip::Lost, "replaced"),
        Row::store("the new key is written at the third time", JOURNAL, SEAL, 2, Slip::Unavailable, "replaced"),
        Row::store("the new key can't be put in its place", SECRET, 1, ALWAYS, Slip::Unavailable, "unfinished").leaves(2, 0),
        Row::store("the new key is in its place, and nobody says so", SECRET, 1, 1, Slip::Lost, "replaced"),
        Row::store("the new key is put in its place at the second time", SECRET, 1, 1, Slip::Unavailable, "replaced"),
    ]
}

#[test]
fn each_fault_ends_as_the_table_says_and_the_next_attempt_mends_it() {
    let rows = rows();
    assert!(rows.len() >= 30);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    fails(row)
                }
            });
        }
    });
}

fn fails(row: &Row) {
    let issuer = Issuer::start();
    let bed = StoreFixture::new(Kind::File, &issuer);
    issuer.set(|settings| settings.lists = row.lists);
    for (verb, fault, times) in row.faults {
        issuer.fail(*verb, fault.clone(), *times);
    }
    let name = row.name;

    let records = Records::default();
    let first = block_on(host(&bed, &issuer, row.slip, records.clone()).rotate(bed.name(), |_| ()));

    assert_eq!(kind(&first), row.told.0, "{name}: {first:?}");
    let (usable, stored) = (issuer.usable_keys(&bed.account), bed.stored());
    assert!(usable.contains(&stored), "{name}: the key in use does not work");
    let orphans = bed.journal()["orphans"].as_array().map_or(0, Vec::len);
    assert_eq!((usable.len(), orphans), row.left, "{name}: {usable:?}, {}", bed.journal());
    let told = serde_json::to_string(&*records.lines.lock().unwrap()).unwrap();
    let said = format!("{first:?}{told}");
    for key in issuer.all_keys(&bed.account) {
        assert!(!said.contains(&key.value), "{name}: a key is told of: {said}");
    }
    if first.is_err() {
        assert!(told.contains("\"step\":\"alert\""), "{name}: nobody is alerted: {told}");
    }

    // With nothing wrong any more, what is under way is taken to its end, and a new key is had.
    issuer.heal();
    let second = block_on(host(&bed, &issuer, None, Records::default()).rotate(bed.name(), |_| ()));
    assert_eq!(kind(&second), row.told.1, "{name}, the second time: {second:?}");
    let (usable, stored) = (issuer.usable_keys(&bed.account), bed.stored());
    let orphans = bed.journal()["orphans"].as_array().map_or(0, Vec::len);
    assert!(usable.contains(&stored) && stored != bed.first, "{name}, the second time");
    assert_eq!(usable.len() - 1, orphans, "{name}, the second time: {usable:?}, {}", bed.journal());
    assert_eq!(issuer.uses_after_revocation(), [], "{name}");
}

#[test]
fn somebody_elses_key_is_left_in_its_place_and_the_new_one_is_revoked() {
    let issuer = Issuer::start();
    let bed = StoreFixture::new(Kind::File, &issuer);

    let slip = Some((SECRET, 1, 1, Slip::Beaten));
    let outcome = block_on(host(&bed, &issuer, slip, Records::default()).rotate(bed.name(), |_| ()));

    assert!(matches!(&outcome, Err(RotationError::RolledBack(why)) if why.contains("somebody else")), "{outcome:?}");
    assert_eq!(bed.stored(), "pf_live_ffffffffffffffffffffffffffffffff");
    assert_eq!(issuer.usable_keys(&bed.account), [bed.first.as_str()]);
}

#[test]
fn without_a_record_nothing_is_issued() {
    let issuer = Issuer::start();
    let bed = StoreFixture::new(Kind::File, &issuer);

    let broken = Records { broken: true, ..Records::default() };
    let outcome = block_on(host(&bed, &issuer, None, broken).rotate(bed.name(), |_| ()));

    assert_eq!(kind(&outcome), "unfinished", "{outcome:?}");
    assert_eq!((issuer.counts().issue_calls, bed.stored()), (0, bed.first.clone()));
}

#[test]
fn a_key_that_is_made_late_is_found_and_ended() {
    let issuer = Issuer::start();
    let bed = StoreFixture::new(Kind::File, &issuer);
    issuer.fail(Verb::Issue, Fault::HangBefore(LONG), 1);
    issuer.fail(Verb::Issue, Fault::Status(403, None), 1);

    let host = host(&bed, &issuer, None, Records::default());
    let first = block_on(host.rotate(bed.name(), |_| ()));
    assert_eq!(kind(&first), "rolled back", "{first:?}");
    // The call that was given up is carried out in the end.
    while issuer.issued() < 1 {
        std::thread::yield_now();
    }
    let second = block_on(host.rotate(bed.name(), |_| ()));

    assert_eq!(kind(&second), "replaced", "{second:?}");
    assert_eq!(issuer.usable_keys(&bed.account), [bed.stored()]);
    assert_eq!(bed.journal()["orphans"], json!([]));
}

#[test]
fn a_key_that_somebody_has_set_by_hand_is_never_taken_for_an_orphan() {
    let issuer = Issuer::start();
    let bed = StoreFixture::new(Kind::File, &issuer);
    // A call is lost that is never carried out; and before the next one, somebody makes a key at the issuer's and sets it.
    issuer.fail(Verb::Issue, Fault::Status(500, None), 2);
    let host = host(&bed, &issuer, None, Records::default());
    assert_eq!(kind(&block_on(host.rotate(bed.name(), |_| ()))), "lost");
    let by_hand = issuer.new_key(&bed.account);
    bed.set(&by_hand);

    let outcome = block_on(host.rotate(bed.name(), |_| ()));

    assert_eq!(kind(&outcome), "replaced", "{outcome:?}");
    let usable = issuer.usable_keys(&bed.account);
    assert!(usable.contains(&bed.stored()), "{usable:?}");
    assert!(issuer.key(&by_hand).unwrap().state != strongroom_tests::issuer::State::Active, "it was in use, and was replaced");
}

#[test]
fn where_the_old_key_has_ended_meanwhile_the_new_one_is_put_in_use() {
    let issuer = Issuer::start();
    let bed = StoreFixture::new(Kind::File, &issuer);
    let slip = Some((SECRET, 1, ALWAYS, Slip::Unavailable));
    assert_eq!(kind(&block_on(host(&bed, &issuer, slip, Records::default()).rotate(bed.name(), |_| ()))), "unfinished");
    assert!(issuer.revoke(&bed.first));

    let outcome = block_on(host(&bed, &issuer, None, Records::default()).rotate(bed.name(), |_| ()));

    assert_eq!(kind(&outcome), "replaced", "{outcome:?}");
    assert_eq!(issuer.usable_keys(&bed.account), [bed.stored()]);
}

#[test]
fn where_somebody_has_revoked_the_old_key_and_set_another_the_new_one_is_revoked_and_theirs_stays() {
    let issuer = Issuer::start();
    let bed = StoreFixture::new(Kind::File, &issuer);
    let slip = Some((SECRET, 1, ALWAYS, Slip::Unavailable));
    assert_eq!(kind(&block_on(host(&bed, &issuer, slip, Records::default()).rotate(bed.name(), |_| ()))), "unfinished");
    assert!(issuer.revoke(&bed.first));
    let theirs = issuer.new_key(&bed.account);
    bed.set(&theirs);

    let outcome = block_on(host(&bed, &issuer, None, Records::default()).rotate(bed.name(), |_| ()));

    assert_eq!(kind(&outcome), "replaced", "{outcome:?}");
    assert_eq!(issuer.usable_keys(&bed.account), [bed.stored()]);
}

#[test]
fn a_rotation_that_can_not_be_finished_can_be_given_up() {
    let issuer = Issuer::start();
    let bed = StoreFixture::new(Kind::File, &issuer);
    issuer.fail(Verb::Revoke, Fault::Status(500, None), ALWAYS);
    let host = host(&bed, &issuer, None, Records::default());
    assert_eq!(kind(&block_on(host.rotate(bed.name(), |_| ()))), "unfinished");
    let in_use = bed.stored();

    let left = block_on(host.abandon_rotation(bed.name())).unwrap();

    assert!(left.len() == 2 && left[1].contains("in use before"), "{left:?}");
    assert_eq!((bed.stored(), &bed.journal()["under_way"]), (in_use, &Value::Null));
    issuer.heal();
    assert_eq!(block_on(host.rotate(bed.name(), |_| ())), Ok(()));
}

#[test]
fn a_field_of_a_file_is_replaced_and_the_others_stay() {
    let issuer = Issuer::start();
    let bed = StoreFixture::new(Kind::File, &issuer);
    bed.set(&json!({"key": bed.first, "user": "somebody"}).to_string());

    let host = host_of(&bed, &issuer, None, Records::default(), &format!("store:{}#key", bed.path()));
    block_on(host.unwrap().rotate(bed.name(), |_| ())).unwrap();

    let document: Value = serde_json::from_str(&bed.stored()).unwrap();
    assert_eq!(document["user"], "somebody");
    assert_eq!(json!(issuer.usable_keys(&bed.account)), json!([document["key"]]));
}

#[test]
fn places_that_can_not_be_replaced_are_refused_as_the_host_is_built() {
    let issuer = Issuer::start();
    let bed = StoreFixture::new(Kind::File, &issuer);
    for (place, why) in [
        // A pointer of one name is that field (`#key`): two names lead into a field.
        ("store:agents/x#/key/value", "JSON Pointer"),
        ("store:strongroom/rotation/x", "the host's own"),
        ("nowhere:agents/x", "no backend `nowhere`"),
        ("env:KEY", "can be written to"),
    ] {
        let refused = host_of(&bed, &issuer, None, Records::default(), place).err().unwrap();
        assert!(refused.contains(why), "{place}: {refused}");
    }
}
