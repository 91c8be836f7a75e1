//! The encrypted file of secrets, and the commands that keep it.

use crate::cli::{CliFixture, Transcript};
use std::os::unix::fs::PermissionsExt;
use strongroom_tests::VALUE;

const OTHER: &str = "pf_live_00112233445566778899aabbccddeeff";
const MANIFEST: &str = "[secrets.KEY]\nformat = \"^pf_live_[a-f0-9]{32}$\"";
const CONFIG: &str = "[backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"file:secrets.key\"";
const FILE: &[(&str, &str)] = &[("SECRETS_BACKEND", "file"), ("STRONGROOM_CONFIG", "strongroom.toml")];

/// A desk with a file of secrets on it.
fn desk() -> CliFixture {
    let desk = CliFixture::new(MANIFEST);
    desk.write("strongroom.toml", CONFIG);
    let made = desk.run_with("secrets init", FILE);
    assert_eq!(made.code, 0, "{}", made.stderr);
    desk
}

fn ok(transcript: Transcript) -> String {
    assert_eq!(transcript.code, 0, "{}", transcript.stderr);
    let said = format!("{}{}", transcript.stdout, transcript.stderr);
    assert!(!said.contains(VALUE) && !said.contains(OTHER), "a value on the terminal: {said}");
    said
}

/// What the probe says of the version it runs with.
fn opened(desk: &CliFixture, env: &[(&str, &str)]) -> String {
    let ran = desk.run_with("run agent.toml -- open+KEY", env);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout.split(' ').nth(3).unwrap().to_owned()
}

#[test]
fn the_same_agent_runs_from_the_environment_and_from_the_file() {
    let desk = desk();
    assert_eq!(ok(desk.pipe("secrets set KEY", &format!("{VALUE}\n"), FILE)), "KEY: version 1\n");

    assert_eq!(opened(&desk, FILE), opened(&desk, &[("KEY", VALUE)]), "the same value has the same fingerprint");
    let file = std::fs::read(desk.path("secrets.age")).unwrap();
    assert!(file.starts_with(b"age-encryption.org/v1"), "the standard's format");
    assert!(memchr::memmem::find(&file, VALUE.as_bytes()).is_none() && memchr::memmem::find(&file, b"KEY").is_none());
    for name in ["secrets.age", "secrets.key", "secrets.age.bak"] {
        assert_eq!(std::fs::metadata(desk.path(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn an_agents_own_secret_comes_before_a_shared_one() {
    let desk = desk();
    ok(desk.pipe("secrets set KEY", VALUE, FILE));
    let shared = opened(&desk, FILE);
    ok(desk.pipe("secrets set KEY --namespace probe-1", OTHER, FILE));

    assert_ne!(opened(&desk, FILE), shared);
}

#[test]
fn versions_are_kept_taken_out_of_use_and_restored() {
    let desk = desk();
    ok(desk.pipe("secrets set KEY --expect 0", VALUE, FILE));
    let first = opened(&desk, FILE);
    ok(desk.pipe("secrets set KEY --expect 1", OTHER, FILE));
    let second = opened(&desk, FILE);
    assert_ne!(first, second);

    let late = desk.pipe("secrets set KEY --expect 1", VALUE, FILE);
    assert_eq!(late.code, 120);
    assert!(late.stderr.contains("KEY: version 2 is the newest, not 1; nothing was written"), "{}", late.stderr);
    let taken = desk.pipe("secrets set KEY --expect 0", VALUE, FILE);
    assert!(
        taken.code == 120 && taken.stderr.contains("KEY exists already, at version 2") && taken.stderr.contains("`--expect 2`"),
        "{}",
        taken.stderr
    );

    ok(desk.run_with("secrets rm-version KEY 2", FILE));
    assert_eq!(opened(&desk, FILE), first);
    let status = ok(desk.run_with("secrets status agent.toml", FILE));
    for text in ["KEY\n", &format!("fingerprint {first}"), "version 2 of 20", ", out of use", "version 1 of 20", "agents probe-1"] {
        assert!(status.contains(text), "{text}: {status}");
    }
    ok(desk.run_with("secrets restore KEY 2", FILE));
    assert_eq!(opened(&desk, FILE), second);
    assert_eq!(ok(desk.run_with("secrets list --json", FILE)), "[{\"path\":\"KEY\",\"version\":\"2\"}]\n");
    assert_eq!(desk.run_with("secrets rm-version KEY 9", FILE).code, 120);
}

#[test]
fn writers_at_once_lose_nothing() {
    let desk = desk();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let desk = &desk;
            scope.spawn(move || ok(desk.pipe(&format!("secrets set KEY_{writer}"), &format!("{VALUE}-{writer}"), FILE)));
        }
    });

    assert_eq!(ok(desk.run_with("secrets list", FILE)).lines().count(), 8);
}

#[test]
fn writers_that_are_killed_at_any_point_lose_nothing_and_leave_nothing_broken() {
    let desk = desk();
    // What a writing takes here, so that the kills fall all over it.
    let begun = std::time::Instant::now();
    ok(desk.pipe("secrets set KEY", VALUE, FILE));
    let whole = begun.elapsed();
    let (mut acknowledged, mut killed) = (1, 0);
    for round in 0..100u32 {
        let mut writer = desk.begin("secrets set KEY", &format!("{VALUE}-{round}"), FILE);
        // Not to wait for something: the moment is what is tried.
        std::thread::sleep(whole * (round * 37 % 100) / 100);
        let _ = writer.kill();
        match writer.wait().unwrap().success() {
            true => acknowledged += 1,
            false => killed += 1,
        }
        let status = ok(desk.run_with("secrets status --json", FILE));
        let status: serde_json::Value = serde_json::from_str(status.lines().next().unwrap()).unwrap();
        let newest: usize = status["version"].as_str().unwrap().parse().unwrap();
        assert!(newest >= acknowledged, "round {round}: version {newest} of {acknowledged} that were acknowledged");
        assert!(newest <= acknowledged + killed, "round {round}: version {newest}");
        assert!(status["fingerprints"][""].is_string(), "{status}");
    }
    assert!(killed > 0, "{killed} of 100 were killed before their end");
}

#[test]
fn a_file_that_was_changed_is_refused_and_the_last_generation_is_beside_it() {
    let desk = desk();
    ok(desk.pipe("secrets set KEY", VALUE, FILE));
    ok(desk.pipe("secrets set KEY", OTHER, FILE));
    let whole = std::fs::read(desk.path("secrets.age")).unwrap();
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    for broken in [changed.as_slice(), &whole[..whole.len() / 2], b""] {
        std::fs::write(desk.path("secrets.age"), broken).unwrap();
        let ran = desk.run_with("run agent.toml -- open+KEY", FILE);
        assert_eq!(ran.code, 121);
        assert!(ran.stderr.contains("secrets.age: this key does not open it, or it was cut short or changed"), "{}", ran.stderr);
        let set = desk.pipe("secrets set KEY", VALUE, FILE);
        assert_eq!(set.code, 121, "nothing is written over what can't be read");
    }

    std::fs::copy(desk.path("secrets.age.bak"), desk.path("secrets.age")).unwrap();
    assert_eq!(opened(&desk, FILE), opened(&desk, &[("KEY", VALUE)]));
}

#[test]
fn a_manifest_reaches_its_own_paths_and_shared_ones() {
    let desk = desk();
    ok(desk.pipe("secrets set KEY --namespace other-agent", VALUE, FILE));
    desk.write("agent.toml", "name = \"probe-1\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"file:other-agent/KEY\"");

    let refused = desk.run_with("check agent.toml", FILE);
    assert_eq!(refused.code, 121);
    assert!(refused.stderr.contains("can't name the path `other-agent/KEY`"), "{}", refused.stderr);

    desk.write("strongroom.toml", &format!("{CONFIG}\npaths = [\"other-agent/*\"]"));
    assert_eq!(desk.run_with("check agent.toml", FILE).code, 0);
    desk.write("agent.toml", "name = \"probe-1\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nnamespace = \"third-agent\"");
    assert_eq!(desk.run_with("check agent.toml", FILE).code, 121, "a namespace is no way around");
}

#[test]
fn a_field_of_a_document_is_a_value_of_its_own() {
    let desk = desk();
    ok(desk.pipe("secrets set bundle", &format!("{{\"api\":{{\"key\":\"{VALUE}\"}},\"n\":1}}"), FILE));
    desk.write("agent.toml", "name = \"probe-1\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"file:bundle#/api/key\"");

    assert_eq!(opened(&desk, FILE), opened(&CliFixture::new(MANIFEST), &[("KEY", VALUE)]));
}

#[test]
fn what_can_not_be_done_says_what_to_do() {
    let desk = CliFixture::new(MANIFEST);
    let env = desk.pipe("secrets set KEY", VALUE, &[]);
    assert_eq!(env.code, 120);
    assert!(env.stderr.contains("can't be written to") && env.stderr.contains("set the variable"), "{}", env.stderr);
    let none = desk.run_with("secrets init", &[]);
    assert!(none.code == 120 && none.stderr.contains("type = \"file\""), "{}", none.stderr);

    desk.write("strongroom.toml", CONFIG);
    let missing = desk.pipe("secrets set KEY", VALUE, FILE);
    assert!(missing.stderr.contains("`strongroom secrets init` makes one"), "{}", missing.stderr);
    ok(desk.run_with("secrets init", FILE));
    assert_eq!(desk.run_with("secrets init", FILE).code, 126, "what is there is never overwritten");
    std::fs::set_permissions(desk.path("secrets.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = desk.pipe("secrets set KEY", VALUE, FILE);
    assert!(open.stderr.contains("other users can read it"), "{}", open.stderr);
    std::fs::set_permissions(desk.path("secrets.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let short = desk.pipe("secrets set KEY", "short", FILE);
    assert!(short.code == 120 && short.stderr.contains("fewer than 8 bytes"), "{}", short.stderr);

    desk.write("strongroom.toml", "[backends.file]\ntype = \"file\"\npath = \"s.age\"\nkey = \"AGE-SECRET-KEY-1QQPQYU\"");
    let pasted = desk.run_with("secrets list", FILE);
    assert!(pasted.code == 120 && pasted.stderr.contains("never the key itself") && !pasted.stderr.contains("QQPQYU"), "{}", pasted.stderr);
}

#[test]
fn a_dot_env_file_is_taken_over_and_a_passphrase_opens_a_file() {
    let desk = CliFixture::new(MANIFEST);
    desk.write("strongroom.toml", "[backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"env:PASSPHRASE\"");
    let with = [FILE, &[("PASSPHRASE", "correct horse battery")]].concat();
    ok(desk.run_with("secrets init", &with));
    desk.write("old.env", &format!("KEY={VALUE}\nPORT=80\n"));

    let shown = desk.run_with("secrets import --dry-run old.env", &with);
    assert!(shown.code == 0 && shown.stdout.contains("line 1") && shown.stdout.contains("40 bytes, fingerprint "), "{}", shown.stdout);
    assert!(!shown.stdout.contains(VALUE) && shown.stderr.contains("nothing was written"), "{}", shown.stderr);
    let port = shown.stdout.lines().find(|line| line.starts_with("PORT")).unwrap();
    assert!(
        port.ends_with("; would be left out: a value has at least 8 bytes") && shown.stdout.matches("left out").count() == 1,
        "{}",
        shown.stdout
    );
    let lines = desk.run_with("secrets import --dry-run --json old.env", &with).stdout;
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["name"], &lines[0]["bytes"], &lines[1]["is_kept"]), (&"KEY".into(), &40.into(), &false.into()), "{lines:?}");
    assert!(!ok(desk.run_with("secrets list", &with)).contains("KEY"));
    let said = ok(desk.run_with("secrets import old.env", &with));

    assert!(said.contains("KEY: version 1") && said.contains("PORT: left out") && said.contains("2 read, 1 the same"), "{said}");
    desk.write("bad.env", &format!("KEY={VALUE}\nMY-KEY=abcdefgh\n"));
    let bad = desk.run_with("secrets import bad.env", &with);
    assert!(
        bad.code == 120 && bad.stderr.contains("bad.env: line 2: what is before `=`") && bad.stderr.contains("nothing was written"),
        "{}",
        bad.stderr
    );
    assert_eq!(opened(&desk, &with), opened(&desk, &[("KEY", VALUE)]));
    let wrong = desk.run_with("run agent.toml -- open+KEY", &[FILE, &[("PASSPHRASE", "another")]].concat());
    assert_eq!(wrong.code, 121);
    let unset = desk.run_with("run agent.toml -- open+KEY", FILE);
    assert!(unset.stderr.contains("`PASSPHRASE`"), "{}", unset.stderr);
}

#[test]
fn a_credential_of_systemd_opens_a_file() {
    let desk = desk();
    ok(desk.pipe("secrets set KEY", VALUE, FILE));
    std::fs::create_dir(desk.path("credentials")).unwrap();
    std::fs::rename(desk.path("secrets.key"), desk.path("credentials/strongroom")).unwrap();
    desk.write("strongroom.toml", &CONFIG.replace("file:secrets.key", "credential:strongroom"));
    let directory = desk.path("credentials").display().to_string();

    assert_eq!(opened(&desk, &[FILE, &[("CREDENTIALS_DIRECTORY", &directory)]].concat()), opened(&desk, &[("KEY", VALUE)]));
    let outside = desk.run_with("run agent.toml -- open+KEY", FILE);
    assert!(outside.stderr.contains("CREDENTIALS_DIRECTORY is not set"), "{}", outside.stderr);
}

/// The identities in a file of them.
fn identities(desk: &CliFixture, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(desk.path(name)).unwrap();
    text.lines().filter(|line| line.starts_with("AGE-SECRET-KEY-")).map(str::to_owned).collect()
}

#[test]
fn a_new_identity_opens_the_file_and_the_old_one_does_not() {
    let desk = desk();
    ok(desk.pipe("secrets set KEY", OTHER, FILE));
    ok(desk.pipe("secrets set KEY", VALUE, FILE));
    let before = opened(&desk, FILE);
    std::fs::copy(desk.path("secrets.key"), desk.path("old.key")).unwrap();

    let said = ok(desk.run_with("secrets rekey", FILE));

    assert!(said.contains("secrets.age: encrypted to the new identity") && said.contains("secrets.key: replaced"), "{said}");
    let (old, new) = (identities(&desk, "old.key"), identities(&desk, "secrets.key"));
    assert!(new.len() == 1 && new != old && !said.contains(&new[0]) && !said.contains(&old[0]), "{said}");
    assert_eq!(opened(&desk, FILE), before);
    assert!(ok(desk.run_with("secrets list", FILE)).contains("version 2"), "versions are kept");
    assert!(!desk.path("secrets.age.bak").exists(), "the old identity opens the last generation");
    for name in ["secrets.age", "secrets.key"] {
        assert_eq!(std::fs::metadata(desk.path(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    desk.write("strongroom.toml", &CONFIG.replace("secrets.key", "old.key"));
    let with_old = desk.run_with("run agent.toml -- open+KEY", FILE);
    assert!(with_old.code == 121 && with_old.stderr.contains("this key does not open it"), "{}", with_old.stderr);
    let rekeyed = desk.run_with("secrets rekey", FILE);
    assert!(rekeyed.code == 121 && rekeyed.stderr.contains("this key does not open it"), "{}", rekeyed.stderr);
    assert_eq!(identities(&desk, "old.key"), old, "nothing is begun that can't be ended");
}

#[test]
fn a_change_of_identity_that_broke_off_leaves_a_file_that_opens_and_is_ended_by_doing_it_again() {
    // The files as each step leaves them: the old identity in both, the new one beside it, the file encrypted to that, and what an
    // attempt that was killed while it wrote left beside them.
    for (step, key, file) in [("before", "old", "old"), ("both", "both", "old"), ("encrypted", "both", "new"), ("done", "new", "new")] {
        let desk = desk();
        ok(desk.pipe("secrets set KEY", VALUE, FILE));
        let expected = opened(&desk, FILE);
        let copy = |from: &str, to: &str| std::fs::copy(desk.path(from), desk.path(to)).unwrap();
        copy("secrets.key", "old.key");
        copy("secrets.age", "old.age");
        ok(desk.run_with("secrets rekey", FILE));
        copy("secrets.key", "new.key");
        copy("secrets.age", "new.age");
        copy("secrets.key", "both.key");
        let both = [identities(&desk, "old.key"), identities(&desk, "new.key")].concat();
        desk.write("both.key", &both.join("\n"));
        copy(&format!("{key}.key"), "secrets.key");
        copy(&format!("{file}.age"), "secrets.age");
        copy("old.age", "secrets.age.bak");
        copy("old.key", "secrets.key.new");

        assert_eq!(opened(&desk, FILE), expected, "{step}");
        let said = ok(desk.run_with("secrets rekey", FILE));

        assert_eq!(said.contains("an interrupted change is finished"), key == "both", "{step}: {said}");
        let last = identities(&desk, "secrets.key");
        assert!(last.len() == 1 && last != identities(&desk, "old.key"), "{step}");
        assert_eq!(last == identities(&desk, "new.key"), key == "both", "{step}: what was begun is ended with the same identity");
        assert_eq!(opened(&desk, FILE), expected, "{step}");
        assert!(!desk.path("secrets.age.bak").exists() && !desk.path("secrets.key.new").exists(), "{step}");
    }
}

#[test]
fn a_change_of_identity_that_is_killed_at_any_point_loses_nothing() {
    let desk = desk();
    ok(desk.pipe("secrets set KEY", VALUE, FILE));
    let expected = opened(&desk, FILE);
    let begun = std::time::Instant::now();
    ok(desk.run_with("secrets rekey", FILE));
    let whole = begun.elapsed();
    let mut killed = 0;
    for round in 0..60u32 {
        let mut rekey = desk.begin("secrets rekey", "", FILE);
        // Not to wait for something: the moment is what is tried.
        std::thread::sleep(whole * (round * 37 % 100) / 100);
        let _ = rekey.kill();
        killed += u32::from(!rekey.wait().unwrap().success());
        assert_eq!(opened(&desk, FILE), expected, "round {round}");
        assert!((1..=2).contains(&identities(&desk, "secrets.key").len()), "round {round}");
    }
    // How many is a matter of how busy the machine is meanwhile.
    assert!(killed > 0, "none of 60 was killed before its end");
    ok(desk.run_with("secrets rekey", FILE));
    assert_eq!(opened(&desk, FILE), expected);
}

#[test]
fn a_host_that_runs_meanwhile_reads_on() {
    use strongroom::{Entry, FileBackend, FileKey, SecretBackend};
    let desk = desk();
    ok(desk.pipe("secrets set KEY", VALUE, FILE));
    let host = FileBackend::new(desk.path("secrets.age"), FileKey::identity_file(&desk.path("secrets.key")).unwrap());
    let read = || strongroom_tests::block_on(host.get(&Entry::new("KEY"))).unwrap().version;
    assert_eq!(read().as_deref(), Some("1"));

    ok(desk.run_with("secrets rekey", FILE));
    ok(desk.pipe("secrets set KEY", OTHER, FILE));

    assert_eq!(read().as_deref(), Some("2"));
}

#[test]
fn backends_with_one_identity_change_together() {
    let desk = desk();
    let second = "[backends.second]\ntype = \"file\"\npath = \"second.age\"\nkey = \"file:./secrets.key\"";
    desk.write("strongroom.toml", &format!("{CONFIG}\n{second}"));
    ok(desk.run_with("secrets init --backend second", FILE));
    ok(desk.pipe("secrets set KEY --backend second", VALUE, FILE));

    let said = ok(desk.run_with("secrets rekey --backend file", FILE));

    assert!(said.contains("secrets.age: encrypted") && said.contains("second.age: encrypted"), "{said}");
    assert!(ok(desk.run_with("secrets list --backend second", FILE)).contains("KEY"));
}

#[test]
fn a_key_that_is_kept_elsewhere_is_replaced_there() {
    let desk = CliFixture::new(MANIFEST);
    for (key, says) in [
        ("env:PASSPHRASE", "opened by a passphrase, which is replaced where it is kept"),
        ("prompt", "remove secrets.age.bak, and give the host the new passphrase"),
        ("credential:strongroom", "the systemd credential `strongroom`, which is replaced where it is kept"),
    ] {
        desk.write("strongroom.toml", &CONFIG.replace("file:secrets.key", key));
        let refused = desk.run_with("secrets rekey", &[FILE, &[("PASSPHRASE", "correct horse battery")]].concat());
        assert!(refused.code == 120 && refused.stderr.contains(says), "{key}: {}", refused.stderr);
        assert!(!refused.stderr.contains("correct horse"), "{}", refused.stderr);
    }
}

#[test]
fn an_empty_store_is_said_to_be_empty_and_programs_get_nothing() {
    let desk = desk();
    desk.write("none.env", "# nothing\n");
    for (line, says) in [
        ("secrets list", "no secret is kept there yet"),
        ("secrets status", "no secret is kept in the backend `file` yet"),
        ("secrets history", "no rotation is configured"),
        ("secrets import none.env", "none.env: it has no `NAME=value` line; nothing was written"),
    ] {
        let told = desk.run_with(line, FILE);
        assert_eq!((told.code, told.stdout.as_str(), told.stderr.lines().count()), (0, "", 1), "{line}: {}", told.stderr);
        assert!(told.stderr.starts_with(says), "{line}: {}", told.stderr);
    }
    assert_eq!(desk.run_with("secrets list --json", FILE).stdout, "[]\n");
}
