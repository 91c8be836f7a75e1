//! Keys that are replaced under agents that use them: under load, while a request holds one, and when what agents see says that it is time.
//! And what agents can't do about it.

use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use strongroom::manifest::AfterDrain;
use strongroom_tests::block_on;
use strongroom_tests::fixtures::rotation::{RotationFixture, get, ran};
use strongroom_tests::fixtures::store::{Kind, StoreFixture};
use strongroom_tests::issuer::{Fault, Issuer, Verb};

use crate::cli::CliFixture;

/// At least so many rotations, and so many requests meanwhile.
const ROTATIONS: u64 = 50;
const REQUESTS: u64 = 1_000;
const AGENTS: usize = 20;

/// Twenty agents send requests while the key is replaced fifty times.
fn under_load(kind: Kind) {
    let issuer = Issuer::start();
    let house = RotationFixture::new(kind, &issuer, |rotation, _| rotation.drain = Duration::from_millis(100));
    let mut rotations = 0;
    let (done, sent, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    block_on(async {
        let mut agents = tokio::task::JoinSet::new();
        for _ in 0..AGENTS {
            let agent = house.agent(&issuer, "");
            let operation = format!("repeat 5 GET {}/v1/orders h:authorization=Bearer+{{KEY}}", issuer.url());
            let (done, sent, failed) = (Arc::clone(&done), Arc::clone(&sent), Arc::clone(&failed));
            agents.spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    let said = ran(&agent, std::slice::from_ref(&operation)).await;
                    let (all, good) = (said.lines().count() as u64, said.matches("send 200").count() as u64);
                    sent.fetch_add(all, Ordering::Relaxed);
                    failed.fetch_add(all - good, Ordering::Relaxed);
                    // About two hundred a second from all of them.
                    tokio::time::sleep(Duration::from_millis(450)).await;
                }
            });
        }
        while rotations < ROTATIONS || sent.load(Ordering::Relaxed) < REQUESTS {
            rotations += 1;
            let rotated = house.host.rotate(house.bed.name(), |_| ()).await;
            assert_eq!(rotated, Ok(()), "{kind:?}, rotation {rotations}");
        }
        done.store(true, Ordering::Relaxed);
        while let Some(agent) = agents.join_next().await {
            agent.unwrap();
        }
        house.host.clone().shutdown().await;
    });

    assert_eq!(failed.load(Ordering::Relaxed), 0, "{kind:?}: of {} requests", sent.load(Ordering::Relaxed));
    assert_eq!(issuer.uses_after_revocation(), [], "{kind:?}");
    assert_eq!(issuer.usable_keys(&house.bed.account), [house.bed.stored()], "{kind:?}");
    assert_eq!(issuer.issued(), rotations, "{kind:?}");
    assert_eq!(house.bed.journal()["hosts"], json!({}), "{kind:?}: the host has said that it uses the key no more");
    let log = std::fs::read_to_string(house.bed.file("audit.jsonl")).unwrap();
    assert!(issuer.all_keys(&house.bed.account).iter().all(|key| !log.contains(&key.value)), "{kind:?}: a key in the audit log");
}

#[test]
fn fifty_rotations_under_load_fail_no_request_with_keys_in_a_file() {
    under_load(Kind::File);
}

#[test]
fn fifty_rotations_under_load_fail_no_request_with_keys_in_a_vault() {
    under_load(Kind::Vault);
}

#[test]
fn fifty_rotations_under_load_fail_no_request_with_keys_in_aws() {
    // The SDK takes its credentials from the environment of a process.
    if crate::signers::inside_of("rotation", "fifty_rotations_under_load_fail_no_request_with_keys_in_aws") {
        under_load(Kind::Aws);
    }
}

#[test]
fn the_old_key_is_not_revoked_while_a_request_holds_it() {
    let issuer = Issuer::start();
    let house = RotationFixture::new(Kind::File, &issuer, |rotation, _| rotation.drain = Duration::from_millis(100));
    issuer.fail(Verb::Use, Fault::Hang(Duration::from_millis(1_500)), 1);

    block_on(async {
        let agent = house.agent(&issuer, "");
        let slow = [get(&issuer, "/v1/slow")];
        let (said, rotated) = tokio::join!(ran(&agent, &slow), async {
            // The request holds the key as soon as the issuer has it.
            while issuer.counts().valid == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            house.host.rotate(house.bed.name(), |_| ()).await
        });
        assert!(said.contains("send 200"), "{said}");
        assert_eq!(rotated, Ok(()));
        house.host.clone().shutdown().await;
    });

    let first = issuer.key(&house.bed.first).unwrap();
    let log = house.audit();
    let at = |found: &dyn Fn(&Value) -> bool| log.iter().position(found).unwrap();
    let answered = at(&|record| record["event"] == "answer");
    let revoked = at(&|record| record["event"] == "rotation" && record["step"] == "revoke");
    let told = at(&|record| record["step"] == "alert" && record["detail"].as_str().unwrap().contains("1 requests still hold the old key"));
    assert!(told < answered && answered <= revoked, "told at {told}, answered at {answered}, revoked at {revoked}");
    assert!(first.uses > 0);
    assert_eq!(issuer.usable_keys(&house.bed.account), [house.bed.stored()]);
}

/// What something comes to while a request that never ends holds the old key.
fn while_a_request_holds_the_key<T>(issuer: &Issuer, house: &RotationFixture, replace: impl Future<Output = T>) -> T {
    issuer.fail(Verb::Use, Fault::Hang(Duration::from_secs(3_600)), 1);
    block_on(async {
        let agent = house.agent(issuer, "");
        let operations = [get(issuer, "/v1/never")];
        let never = tokio::spawn(async move { ran(&agent, &operations).await });
        while issuer.counts().valid == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let replaced = replace.await;
        never.abort();
        replaced
    })
}

#[test]
fn where_the_operator_says_so_the_old_key_is_revoked_though_a_request_holds_it() {
    let issuer = Issuer::start();
    let house = RotationFixture::new(Kind::File, &issuer, |rotation, _| {
        (rotation.drain, rotation.after_drain) = (Duration::from_millis(50), AfterDrain::Revoke);
    });
    let replaced = while_a_request_holds_the_key(&issuer, &house, house.host.rotate(house.bed.name(), |_| ()));
    assert_eq!(replaced, Ok(()));

    assert_eq!(issuer.usable_keys(&house.bed.account), [house.bed.stored()]);
}

#[test]
fn a_key_that_has_leaked_is_revoked_though_a_request_holds_it() {
    let issuer = Issuer::start();
    let house = RotationFixture::new(Kind::File, &issuer, |rotation, _| rotation.after_drain = AfterDrain::Wait);
    let replaced = while_a_request_holds_the_key(&issuer, &house, house.host.replace_leaked(house.bed.name(), |_| ()));
    assert_eq!(replaced, Ok(()));

    assert_eq!(issuer.usable_keys(&house.bed.account), [house.bed.stored()]);
    assert_ne!(house.bed.stored(), house.bed.first);
}

#[test]
fn a_leaked_value_is_recognised_and_replaced_from_the_command_line() {
    let issuer = Issuer::start();
    let desk = CliFixture::new("");
    let bed = StoreFixture::new(Kind::File, &issuer);
    let config = format!(
        "[backends.store]\ntype = \"file\"\npath = \"{}\"\nkey = \"file:{}\"\npaths = [\"agents/*\"]\n\
         [issuers.flea]\ntype = \"purpleflea\"\nurl = \"{}\"\n\
         [rotations.bot]\nsecrets = [\"store:{}\"]\nissuer = \"flea\"\ntimeout = \"5s\"\n[audit]\nfile = \"audit.jsonl\"\n",
        bed.file("secrets.age").display(),
        bed.file("secrets.key").display(),
        issuer.url(),
        bed.entry()
    );
    desk.write("strongroom.toml", &config);
    desk.write("leaked.txt", &format!("{}\r\n", bed.first));
    let at = "--backend store --config strongroom.toml";
    let piped = |more: &str, value: &str| desk.pipe_words(&format!("secrets leaked {at}{more}"), value);

    let looked = desk.run(&format!("secrets leaked leaked.txt --dry-run {at}"));
    assert!(looked.code == 0 && looked.stderr.contains(": this value is in use, fingerprint "), "{}", looked.stderr);
    assert!(looked.stderr.contains("store:agents/") && looked.stderr.contains("the rotation `bot` would replace it"), "{}", looked.stderr);
    let unasked = piped("", &bed.first);
    assert!(unasked.code == 120 && unasked.stderr.contains("give `--yes`"), "{}", unasked.stderr);
    let other = piped(" --yes", "pf_live_00000000000000000000000000000000");
    assert!(other.code == 0 && other.stderr.contains("no secret of the backend `store` has this value in use"), "{}", other.stderr);
    assert_eq!(piped(" --yes", "\n").code, 120, "an empty value");
    assert_eq!((issuer.issued(), issuer.usable_keys(&bed.account)), (0, vec![bed.first.clone()]));

    let replaced = piped(" --yes", &bed.first);
    assert!(replaced.code == 0 && replaced.stderr.contains("bot: replaced; the old key is revoked"), "{}", replaced.stderr);
    assert_eq!(issuer.usable_keys(&bed.account), [bed.stored()]);
    let again = piped(" --yes", &bed.first);
    assert!(again.code == 0 && again.stderr.contains("has this value in use") && issuer.issued() == 1, "{}", again.stderr);

    // Without a rotation the host can't revoke it.
    let unruled = config.split("[issuers.flea]").next().unwrap().to_owned() + "[audit]\nfile = \"audit.jsonl\"\n";
    desk.write("strongroom.toml", &unruled);
    let told = piped(" --yes", &bed.stored());
    assert!(told.code == 120 && told.stderr.contains("revoke it at its issuer"), "{}", told.stderr);
    assert!(told.stderr.contains(&format!("no rotation replaces store:{}, so that", bed.entry())), "{}", told.stderr);
    for said in [&looked, &unasked, &replaced, &again, &told] {
        assert!(!said.stderr.contains(&bed.first) && !said.stderr.contains(&bed.stored()) && said.stdout.is_empty(), "{}", said.stderr);
    }
}

#[test]
fn a_leaked_value_is_replaced_only_where_one_rotation_replaces_it_everywhere() {
    let issuer = Issuer::start();
    let desk = CliFixture::new("");
    let bed = StoreFixture::new(Kind::File, &issuer);
    let config = |rotations: &[(&str, &str)]| {
        let rotation = |(name, entry): &(&str, &str)| {
            format!("[rotations.{name}]\nsecrets = [\"store:{entry}\"]\nissuer = \"flea\"\ntimeout = \"5s\"\n")
        };
        format!(
            "[backends.store]\ntype = \"file\"\npath = \"{}\"\nkey = \"file:{}\"\npaths = [\"agents/*\"]\n\
             [issuers.flea]\ntype = \"purpleflea\"\nurl = \"{}\"\n{}[audit]\nfile = \"audit.jsonl\"\n",
            bed.file("secrets.age").display(),
            bed.file("secrets.key").display(),
            issuer.url(),
            rotations.iter().map(rotation).collect::<String>()
        )
    };
    let at = "--backend store --config strongroom.toml";
    let set = |name: &str, value: &str| desk.pipe_words(&format!("secrets set {name} --namespace agents {at}"), value);
    let leaked = |more: &str, value: &str| desk.pipe_words(&format!("secrets leaked {at} {more}"), value);
    let document = json!({"key": "pf_live_11111111222222223333333344444444", "user": "somebody-or-other"}).to_string();
    let (first, path) = (&bed.first, bed.path());

    desk.write("strongroom.toml", &config(&[("bot", &path), ("twin", "agents/twin")]));
    for (name, value) in [("twin", first), ("document", &document), ("zzz", first)] {
        let said = set(name, value);
        assert_eq!(said.code, 0, "{}", said.stderr);
    }
    let missing = leaked("--yes", first);
    assert!(missing.code == 120 && missing.stderr.contains("no rotation replaces store:agents/zzz, so that"), "{}", missing.stderr);
    desk.write("strongroom.toml", &config(&[("bot", &format!("{path}\", \"store:agents/zzz")), ("twin", "agents/twin")]));
    let several = leaked("--yes", first);
    assert!(several.code == 120 && several.stderr.contains("several rotations replace this value (`bot`, `twin`)"), "{}", several.stderr);
    assert_eq!((issuer.issued(), issuer.usable_keys(&bed.account)), (0, vec![first.clone()]));

    // A document that leaked whole, of which no rotation, or one, replaces a field.
    let whole = leaked("--dry-run", &document);
    assert!(whole.code == 120 && whole.stderr.contains("store:agents/document: this value is in use"), "{}", whole.stderr);
    desk.write("strongroom.toml", &config(&[("part", "agents/document#key")]));
    let part = leaked("--dry-run", &format!("{document}\n"));
    assert!(part.code == 0 && part.stderr.contains("store:agents/document, field key: this value is in use"), "{}", part.stderr);
    assert!(part.stderr.contains("the rotation `part` would replace it"), "{}", part.stderr);
    let field = leaked("--dry-run", "somebody-or-other");
    assert!(field.code == 120 && field.stderr.contains("no rotation replaces store:agents/document, field user, so"), "{}", field.stderr);
}

#[test]
fn a_request_whose_body_was_kept_back_leaves_with_the_key_of_the_day() {
    let issuer = Issuer::start();
    let house = RotationFixture::new(Kind::File, &issuer, |_, _| ());

    block_on(async {
        let agent = house.agent(&issuer, "");
        let late = [format!("late {} /v1/orders 2000", issuer.address)];
        let said = ran(&agent, &late);
        let rotated = async {
            // Its record is there before its body is.
            while !house.audit().iter().any(|record| record["event"] == "egress") {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            house.host.rotate(house.bed.name(), |_| ()).await
        };
        let (said, rotated) = tokio::join!(said, rotated);
        assert!(said.contains("late 200"), "{said}");
        assert_eq!(rotated, Ok(()));
    });

    let records = house.audit();
    let egress = records.iter().find(|record| record["event"] == "egress").unwrap();
    let changed = records.iter().find(|record| record["event"] == "versions-changed").expect("a record of the change");
    assert_eq!(egress["request"], changed["request"]);
    assert_ne!(egress["secrets"][0]["fingerprint"], changed["secrets"][0]["fingerprint"]);
    assert_eq!(issuer.key(&house.bed.stored()).unwrap().uses, 2, "one probe of the host's, and this request");
    assert_eq!(issuer.uses_after_revocation(), []);
}

#[test]
fn agents_can_neither_issue_nor_revoke_nor_list_keys() {
    let issuer = Issuer::start();
    let house = RotationFixture::new(Kind::File, &issuer, |_, _| ());
    let url = issuer.url();

    let said = block_on(async {
        let agent = house.agent(&issuer, "");
        let calls = [
            format!("send POST {url}/api/keys/rotate h:authorization=Bearer+{{KEY}}"),
            format!("send POST {url}/api/keys/rotate/ h:authorization=Bearer+{{KEY}}"),
            format!("send POST {url}/API/keys/Rotate h:authorization=Bearer+{{KEY}}"),
            format!("send POST {url}/api/keys/%72otate h:authorization=Bearer+{{KEY}}"),
            format!("send DELETE {url}/api/keys/key_0 h:authorization=Bearer+{{KEY}}"),
            format!("send GET {url}/api/keys h:authorization=Bearer+{{KEY}}"),
            format!("send GET {url}/api/keys.json h:authorization=Bearer+{{KEY}}"),
            format!("send POST {url}/api/keys/rotate.xml h:authorization=Bearer+{{KEY}}"),
            format!("send POST {url}/api/keys/rotate. h:authorization=Bearer+{{KEY}}"),
            format!("send POST {url}/api/keys/rotate%20/ h:authorization=Bearer+{{KEY}}"),
            get(&issuer, "/v1/orders"),
        ];
        ran(&agent, &calls).await
    });

    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[..10].iter().all(|line| line.contains("issuer")) && lines[10].contains("send 200"), "{said}");
    let counts = issuer.counts();
    assert_eq!((counts.issue_calls, counts.revoke_calls, counts.list_calls), (0, 0, 0));
    let denials = house.audit().into_iter().filter(|record| record["event"] == "denial" && record["rule"] == "issuer").count();
    assert_eq!(denials, 10);
}

#[test]
fn an_end_that_agents_see_coming_has_the_key_replaced_after_a_look_of_the_hosts_own() {
    let issuer = Issuer::start();
    let house = RotationFixture::new(Kind::File, &issuer, |rotation, _| rotation.timeout = Duration::from_secs(4));
    // The first key of an account has no end: a second one has, and is the one in use.
    issuer.set(|settings| settings.lifetime = Some(Duration::from_secs(3 * 24 * 3_600)));
    block_on(async {
        assert_eq!(house.host.rotate(house.bed.name(), |_| ()).await, Ok(()));
        let second = house.bed.stored();
        let agent = house.agent(&issuer, "");
        assert!(ran(&agent, &[get(&issuer, "/v1/orders")]).await.contains("send 200"));
        let status = house.host.rotation_status(house.bed.name()).await.unwrap();
        let (since, end, next) = (status.since.unwrap(), status.expires_at.unwrap(), status.next.unwrap());
        assert!((end - since).abs_diff(3 * 24 * 3_600) <= 2, "{status:?}");
        assert_eq!(next, end - (end - since) / 3, "replaced a third of its life before its end, where that is less than seven days");
        assert_eq!(house.bed.stored(), second, "and not yet");
        house.host.clone().shutdown().await;
    });
    assert_eq!(issuer.issued(), 1);
}

/// Waits until the journal says so.
async fn until(house: &RotationFixture, said: impl Fn(&Value) -> bool) {
    while !said(&house.bed.journal()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const DAY: i64 = 24 * 3_600 * 1_000;

#[test]
fn an_end_that_an_answer_tells_is_confirmed_and_the_key_replaced_in_time() {
    let issuer = Issuer::start();
    issuer.set(|settings| settings.lifetime = Some(Duration::from_secs(3 * 24 * 3_600)));
    let house = RotationFixture::new(Kind::File, &issuer, |rotation, _| rotation.timeout = Duration::from_secs(4));
    block_on(async {
        let agent = house.agent(&issuer, "");
        assert!(ran(&agent, &[get(&issuer, "/v1/orders")]).await.contains("send 200"));
        until(&house, |journal| journal["current"]["expires_at"].is_u64()).await;
        assert_eq!(issuer.issued(), 0, "not yet");

        house.wall.store(5 * DAY / 2, Ordering::Relaxed);
        until(&house, |journal| journal["past"][0]["trigger"] == "the key expires soon").await;
        assert!(ran(&agent, &[get(&issuer, "/v1/orders")]).await.contains("send 200"));
        house.host.clone().shutdown().await;
    });

    assert_eq!((issuer.issued(), issuer.usable_keys(&house.bed.account)), (1, vec![house.bed.stored()]));
}

#[test]
fn a_clock_that_jumps_a_day_ahead_or_back_has_a_key_replaced_once_at_most() {
    let issuer = Issuer::start();
    let house = RotationFixture::new(Kind::File, &issuer, |rotation, _| {
        (rotation.every, rotation.timeout) = (Some(Duration::from_secs(2 * 3_600)), Duration::from_secs(4));
    });
    block_on(async {
        let agent = house.agent(&issuer, "");
        assert!(ran(&agent, &[get(&issuer, "/v1/orders")]).await.contains("send 200"));
        until(&house, |journal| journal["current"]["since"].is_u64()).await;

        house.wall.store(DAY, Ordering::Relaxed);
        until(&house, |journal| journal["past"][0]["trigger"] == "it is due").await;
        house.wall.store(-DAY, Ordering::Relaxed);
        let ahead = house.bed.journal()["current"]["since"].as_u64().unwrap();
        // What the clock says was written in the future counts from now on.
        until(&house, |journal| journal["current"]["since"].as_u64().unwrap() < ahead).await;
        assert!(ran(&agent, &[get(&issuer, "/v1/orders")]).await.contains("send 200"));
        assert_eq!(house.host.rotate(house.bed.name(), |_| ()).await, Ok(()));
        house.host.clone().shutdown().await;
    });

    assert_eq!((issuer.issued(), issuer.usable_keys(&house.bed.account)), (2, vec![house.bed.stored()]));
    assert_eq!(issuer.uses_after_revocation(), []);
}

#[test]
fn a_key_that_the_issuer_rejects_is_told_of_where_no_other_can_be_had_with_it() {
    let issuer = Issuer::start();
    let house = RotationFixture::new(Kind::File, &issuer, |rotation, _| rotation.timeout = Duration::from_secs(4));
    issuer.revoke(&house.bed.first);
    block_on(async {
        let agent = house.agent(&issuer, "");
        assert!(ran(&agent, &[get(&issuer, "/v1/orders")]).await.contains("send 401"));
        let told = |record: &Value| record["step"] == "alert" && record["detail"].as_str().unwrap().contains("rejects the key in use");
        while !house.audit().iter().any(told) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        house.host.clone().shutdown().await;
    });

    assert_eq!((issuer.issued(), house.bed.stored()), (0, house.bed.first.clone()));
}

#[test]
fn a_new_key_of_another_form_than_a_manifest_wants_is_rolled_back() {
    let issuer = Issuer::start();
    let house = RotationFixture::new(Kind::File, &issuer, |_, _| ());
    block_on(async {
        let agent = house.agent(&issuer, &format!("format = \"^{}[0-9a-f]{{22}}$\"", &house.bed.first[..18]));
        assert!(ran(&agent, &[get(&issuer, "/v1/orders")]).await.contains("send 200"));
        let rotated = house.host.rotate(house.bed.name(), |_| ()).await.unwrap_err().to_string();
        assert!(rotated.contains("does not match the `format`"), "{rotated}");
        house.host.clone().shutdown().await;
    });

    assert_eq!(issuer.usable_keys(&house.bed.account), [house.bed.first.as_str()]);
    assert_eq!(house.bed.stored(), house.bed.first);
}

#[test]
fn what_agents_provoke_leads_to_one_look_a_minute_and_to_no_rotation() {
    let issuer = Issuer::start();
    let house = RotationFixture::new(Kind::File, &issuer, |rotation, _| rotation.timeout = Duration::from_secs(4));
    // The API rejects a key that is good, for this path alone.
    issuer.fail(Verb::Use, Fault::Status(401, None), usize::MAX);
    block_on(async {
        let agent = house.agent(&issuer, "");
        for _ in 0..5 {
            let said = ran(&agent, &vec![get(&issuer, "/v1/orders"); 10]).await;
            assert_eq!(said.matches("send 401").count(), 10, "{said}");
        }
        // The keeper has looked once by the time that it is closed.
        house.host.clone().shutdown().await;
    });

    let key = issuer.key(&house.bed.first).unwrap();
    let probes = key.uses - 50;
    assert!(probes <= 1, "{probes} looks of the host's own");
    assert_eq!((issuer.issued(), house.bed.stored()), (0, house.bed.first.clone()));
}

#[test]
fn the_operator_rotates_and_looks_from_the_command_line() {
    let issuer = Issuer::start();
    let desk = CliFixture::new("");
    let bed = StoreFixture::new(Kind::File, &issuer);
    let config = |rotation: &str| {
        format!(
            "[backends.store]\ntype = \"file\"\npath = \"{}\"\nkey = \"file:{}\"\npaths = [\"agents/*\"]\n\
             [issuers.flea]\ntype = \"purpleflea\"\nurl = \"{}\"\n[rotations.bot]\nsecrets = [\"store:{}\"]\n{rotation}\n\
             [audit]\nfile = \"audit.jsonl\"\n",
            bed.file("secrets.age").display(),
            bed.file("secrets.key").display(),
            issuer.url(),
            bed.entry()
        )
    };
    desk.write("strongroom.toml", &config("issuer = \"flea\"\nevery = \"30d\"\ntimeout = \"5s\""));
    let at = " --config strongroom.toml";

    let before = desk.run(&format!("secrets status --backend store{at}"));
    assert!(before.stdout.contains("rotation bot of store:agents/") && before.stdout.contains("was never replaced"), "{}", before.stdout);
    let rotated = desk.run(&format!("secrets rotate bot{at}"));
    assert_eq!(rotated.code, 0, "{}", rotated.stderr);
    assert!(rotated.stderr.contains("bot: replaced; the old key is revoked"), "{}", rotated.stderr);
    assert_eq!(issuer.usable_keys(&bed.account), [bed.stored()]);

    let after = desk.run(&format!("secrets status --backend store{at}"));
    assert!(after.stdout.contains("it will be replaced ") && after.stdout.contains("nothing is under way"), "{}", after.stdout);
    assert!(!after.stdout.contains("strongroom/rotation"), "the host's own records are no secrets: {}", after.stdout);
    let history = desk.run(&format!("secrets history bot{at}"));
    assert!(history.stdout.contains(", by hand: done"), "{}", history.stdout);
    let history: Value = serde_json::from_str(&desk.run(&format!("secrets history --json{at}")).stdout).unwrap();
    assert_eq!((&history["rotation"], &history["past"][0]["outcome"]), (&json!("bot"), &json!("done")));

    issuer.fail(Verb::Issue, Fault::Status(403, None), usize::MAX);
    let failed = desk.run(&format!("secrets rotate bot{at}"));
    assert_eq!(failed.code, 121);
    assert!(failed.stderr.contains("the key in use is unchanged") && failed.stderr.contains("answered 403"), "{}", failed.stderr);
    let abandoned = desk.run(&format!("secrets rotate bot --abandon{at}"));
    assert!(abandoned.code == 0 && abandoned.stderr.contains("nothing is under way any more"), "{}", abandoned.stderr);
    let unknown = desk.run(&format!("secrets rotate other --backend store{at}"));
    assert!(unknown.code == 120 && unknown.stderr.contains("these are configured: bot"), "{}", unknown.stderr);

    let namespaced = desk.run(&format!("secrets rotate other --namespace team --backend store{at}"));
    assert!(namespaced.stderr.contains("`strongroom secrets set other --namespace team`"), "{}", namespaced.stderr);

    // A journal that can't be read is a failure, and the secrets are told of all the same.
    bed.set_at("strongroom/rotation/bot", "no journal");
    for (line, lists) in [("secrets status --backend store", true), ("secrets history bot", false), ("secrets history --json", false)] {
        let unreadable = desk.run(&format!("{line}{at}"));
        assert_eq!((unreadable.code, unreadable.stdout.contains("store:agents/")), (121, lists), "{line}: {}", unreadable.stdout);
        let says = "error: rotation bot: its journal can't be read: the rotation's journal at strongroom/rotation/bot: what is there is not a journal";
        assert!(unreadable.stderr.contains(says), "{line}: {}", unreadable.stderr);
    }

    // What can't be is found out before anything is done.
    for (rotation, why) in [
        ("issuer = \"nobody\"", "no issuer `nobody` is configured"),
        ("issuer = \"flea\"\noverlap = \"30m\"", "shorten `stale`"),
        ("issuer = \"flea\"\nevery = \"10m\"", "raise `every`"),
        ("issuer = \"flea\"\noverlap = \"10s\"", "not longer than `drain`"),
        ("issuer = \"flea\"\ntimeout = \"10ms\"", "too short or too long"),
        ("issuer = \"flea\"\nafter_drain = \"never\"", "an unknown treatment"),
    ] {
        desk.write("strongroom.toml", &config(rotation));
        let checked = desk.run(&format!("check agent.toml{at}"));
        assert!(checked.code == 120 && checked.stderr.contains(why), "{rotation}: {}", checked.stderr);
    }
    let said = [before, rotated, after, failed].map(|transcript| format!("{}{}", transcript.stdout, transcript.stderr)).join("");
    for key in issuer.all_keys(&bed.account) {
        assert!(!said.contains(&key.value), "{said}");
    }
}

#[test]
fn no_manifest_can_name_a_journal() {
    let desk = CliFixture::new("[secrets.JOURNAL]\nfrom = \"store:strongroom/rotation/bot\"");
    desk.write(
        "strongroom.toml",
        "[backends.store]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"file:secrets.key\"\npaths = [\"strongroom/**\"]\n",
    );
    assert_eq!(desk.run_with("secrets init --config strongroom.toml", &[("SECRETS_BACKEND", "store")]).code, 0);

    let checked = desk.run("check agent.toml --config strongroom.toml");

    assert!(checked.code == 121 && checked.stderr.contains("the host's own"), "{}: {}", checked.code, checked.stderr);
}
