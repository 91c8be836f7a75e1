//! What outlives a host, across its versions: what was written before is read, counted and gone on with, and what a newer host has written is
//! refused and left as it is. `tests/field/state` has what each format was written as, by hosts of that time.

use crate::cli::{CliFixture, Transcript};
use age::x25519::Identity;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::Value;
use std::fs::{self, DirBuilder, Permissions};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

const CONFIG: &str = "default_backend = \"file\"\n[state]\ndir = \"state\"\n[signing]\nledger = \"state/ledger\"\n[audit]\nfile = \"audit.jsonl\"\n\
                      [backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"file:secrets.key\"\n\
                      [issuers.local]\ntype = \"purpleflea\"\nurl = \"http://127.0.0.1:9\"\n\
                      [rotations.bot]\nsecrets = [\"file:API_KEY\"]\nissuer = \"local\"\n";
const AGENT: &str = "name = \"keeper\"\ncomponent = \"probe.wasm\"\n\
                     [secrets.API_KEY]\nfrom = \"file:API_KEY\"\nplaceholder = \"pf_live_{hex:32}\"\nexpose = \"env\"\n\
                     [[secrets.API_KEY.allow]]\nhost = \"api.test\"\npaths = [\"/v1/**\"]\n\
                     [secrets.OTHER_KEY]\nfrom = \"env:KEEPER_OTHER_KEY\"\n[[secrets.OTHER_KEY.allow]]\nhost = \"other.test\"\npaths = [\"/**\"]\n\
                     [signers.wallet]\nfrom = \"file:WALLET\"\nchains = [1]\nrecipients = [\"0x70997970C51812dc3A010C7d01b50e0d17dc79C8\"]\n\
                     [[signers.wallet.limit]]\nasset = \"ETH\"\nchain = 1\ntotal = \"2\"\n";
const ENVIRONMENT: [(&str, &str); 1] = [("KEEPER_OTHER_KEY", "other_value_0123456789")];
/// What the host of that time signed under the idempotency key `order-1`: the transaction, and its hash.
const SIGNED: &str = "sign AvhqAYCAgIJSCJRwmXlwxRgS3DoBDH0BtQ4NF9x5yIgG8FtZ07IAAIDAAaBC3ijaM363w5JJZZjn7VHU-UviuN-ljg-atPxg5mbYFaBontqcDcQ41FjKyhCM7g3FNTWk1Ku_o5-yxArjZGEiWA== U26lzINMALhO3mHQPv-4W7T0_7yi9xD9Mr_Y32isv9k=\n";
const NEWER: &str = "written by a newer Strongroom (format 2; this one reads up to 1): upgrade this one";

/// A copy of what hosts have left, with the state directory and the file of secrets of these names.
struct Left {
    desk: CliFixture,
}

impl Left {
    fn behind(state: &str, secrets: &str) -> Self {
        let desk = CliFixture::new("");
        desk.write("agent.toml", AGENT);
        desk.write("strongroom.toml", CONFIG);
        let format = Path::new(env!("CARGO_MANIFEST_DIR")).join("field/state/format-1");
        for (from, to) in [(secrets, "secrets.age"), ("secrets.key", "secrets.key"), ("audit.jsonl", "audit.jsonl")] {
            private(&desk.path(to), &fs::read(format.join(from)).unwrap());
        }
        for directory in ["state", "state/ledger"] {
            DirBuilder::new().mode(0o700).create(desk.path(directory)).unwrap();
        }
        for entry in fs::read_dir(format.join(state)).unwrap().map(|entry| entry.unwrap().path()) {
            let bytes = fs::read(&entry).unwrap();
            let name = entry.file_name().unwrap().to_str().unwrap();
            match name.strip_suffix(".gz") {
                Some(name) => {
                    let mut whole = Vec::new();
                    GzDecoder::new(bytes.as_slice()).read_to_end(&mut whole).unwrap();
                    private(&desk.path("state/ledger").join(name), &whole);
                }
                None => private(&desk.path("state").join(name), &bytes),
            }
        }
        Self { desk }
    }

    /// Types a line that has to be done.
    fn done(&self, line: &str) -> Transcript {
        let done = self.desk.run_with(&configured(line), &ENVIRONMENT);
        assert_eq!(done.code, 0, "{line}: {}", done.stderr);
        done
    }

    /// Types lines that are refused since a newer host has written a file, which stays as it is.
    fn refused(&self, file: &str, said: &str, lines: &[&str]) {
        let before = fs::read(self.path(file)).unwrap();
        for line in lines {
            let refused = self.desk.pipe(&configured(line), "another-value", &ENVIRONMENT);
            assert!(refused.code >= 120 && refused.stderr.contains(said), "{line}: {} {}{}", refused.code, refused.stdout, refused.stderr);
            assert!(fs::read(self.path(file)).unwrap() == before, "{line} has written to {file}");
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.desk.path(name)
    }

    /// Changes what the encrypted file holds.
    fn rewrite(&self, change: impl FnOnce(&mut Value)) {
        let text = fs::read_to_string(self.path("secrets.key")).unwrap();
        let identity = Identity::from_str(text.lines().find(|line| !line.starts_with('#')).unwrap()).unwrap();
        let sealed = fs::read(self.path("secrets.age")).unwrap();
        let mut document: Value = serde_json::from_slice(&age::decrypt(&identity, &sealed).unwrap()).unwrap();
        change(&mut document);
        let sealed = age::encrypt(&identity.to_public(), document.to_string().as_bytes()).unwrap();
        fs::write(self.path("secrets.age"), sealed).unwrap();
    }
}

fn private(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn configured(line: &str) -> String {
    match line.split_once(" -- ") {
        Some((line, words)) => format!("{line} --config strongroom.toml -- {words}"),
        None => format!("{line} --config strongroom.toml"),
    }
}

#[test]
fn secrets_of_format_1_are_had_with_their_versions_and_fingerprints() {
    let left = Left::behind("rest", "secrets.age");

    let listed = left.done("secrets list --backend file").stdout;
    let rows: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[..3], [["API_KEY", "version", "2"], ["PLAIN", "version", "2"], ["WALLET", "version", "1"]]);
    // By the value and by the host's own key.
    let status = left.done("secrets status").stdout;
    for line in ["fingerprint 83800c5b", "fingerprint 29fc1356", "fingerprint 03f6df32", "version 1 of 2026-11-29T15:41:37Z, "] {
        assert!(status.contains(line), "{line}: {status}");
    }
    let ran = left.done("run agent.toml -- env");
    assert!(ran.stdout.contains("env API_KEY=pf_live_"), "{}", ran.stdout);
    // A change is made to what was there.
    assert_eq!(left.desk.pipe(&configured("secrets set PLAIN --backend file"), "third-value", &[]).code, 0);
    assert!(left.done("secrets list --backend file").stdout.lines().any(|line| line.starts_with("PLAIN ") && line.ends_with("version 3")));
}

#[test]
fn a_ledger_of_format_1_counts_as_it_did_and_gives_what_it_gave() {
    // The second was left by a host that was killed: its last records are in the log alone.
    for (state, remaining) in [("rest", "1.25"), ("cut", "1.249999999999999984")] {
        let left = Left::behind(state, "secrets.age");

        // Whoever looks first brings the log in.
        for _ in 0..2 {
            let shown = left.done("limits show agent.toml").stdout;
            assert!(shown.contains(&format!("ETH on chain 1: {remaining} ETH left in all")), "{state}: {shown}");
        }
        let words = "sign+wallet+fields+chain:1+nonce:0+to:0x70997970C51812dc3A010C7d01b50e0d17dc79C8+value:500000000000000000+max:0+priority:0+key:order-1";
        assert_eq!(left.done(&format!("run agent.toml -- {words}")).stdout, SIGNED, "{state}");
        assert!(left.done("limits show agent.toml").stdout.contains(&format!(" {remaining} ETH")), "charged once");
    }
}

#[test]
fn journals_of_format_1_are_gone_on_with_where_they_stood() {
    let ended = Left::behind("rest", "secrets.age");
    assert!(ended.done("secrets status").stdout.contains("nothing is under way"));
    let history = ended.done("secrets history").stdout;
    assert!(history.contains("1 on 2026-11-29T15:41:47Z in 0 s, by hand: done"), "{history}");

    let under_way = Left::behind("rest", "rotating.age");
    let status = under_way.done("secrets status").stdout;
    assert!(status.contains("under way since 2026-11-29T15:42:52Z: switched"), "{status}");
}

#[test]
fn each_record_of_format_1_is_shown() {
    let left = Left::behind("rest", "secrets.age");
    let log = fs::read_to_string(left.path("audit.jsonl")).unwrap();

    let shown = left.done("audit show");
    assert_eq!((shown.stdout.lines().count(), shown.stderr.as_str()), (log.lines().count(), ""));
    assert_eq!(left.done("audit show --json").stdout, log);
}

#[test]
fn a_variable_that_was_taken_under_format_1_is_taken() {
    let left = Left::behind("rest", "secrets.age");
    let grant = "[[secrets.KEY.allow]]\nhost = \"api.test\"\npaths = [\"/**\"]\n";
    left.desk.write("named.toml", &format!("name = \"keeper-other\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"KEY\"\n{grant}"));
    left.desk.write("strongroom.toml", &CONFIG.replace("default_backend = \"file\"\n", ""));

    let refused = left.desk.run_with(&configured("run named.toml"), &ENVIRONMENT);

    assert!(refused.code == 121 && refused.stderr.contains("is read by the agent `keeper`"), "{} {}", refused.code, refused.stderr);
}

#[test]
fn a_file_of_secrets_of_a_newer_host_is_refused_and_stays() {
    let left = Left::behind("rest", "secrets.age");
    left.rewrite(|document| {
        document["format"] = 2.into();
        document["secrets"]["PLAIN"][0]["of a later version"] = true.into();
    });

    let commands = [
        "secrets list --backend file",
        "secrets set PLAIN --backend file",
        "secrets rm-version PLAIN 2 --backend file",
        "wallet new OTHER --backend file",
        "run agent.toml -- env",
        "secrets rotate bot",
    ];
    left.refused("secrets.age", &format!("secrets.age: {NEWER}"), &commands);
}

#[test]
fn a_journal_of_a_newer_host_is_refused_and_stays() {
    let left = Left::behind("rest", "rotating.age");
    left.rewrite(|document| {
        let journal = document["secrets"]["strongroom/rotation/bot"].as_array_mut().unwrap().last_mut().unwrap();
        let text = String::from_utf8(STANDARD.decode(journal["value"].as_str().unwrap()).unwrap()).unwrap();
        let newer = text.replace("\"format\":1", "\"format\":2").replace("\"stage\":\"switched\"", "\"stage\":{\"of a later version\":1}");
        assert_ne!(newer, text);
        journal["value"] = STANDARD.encode(newer).into();
    });

    // Nor does an agent use the key: whether it is the one that serves is in the journal, and so are the hosts that a rotation waits for.
    let commands = ["secrets status", "secrets history", "secrets rotate bot", "secrets rotate bot --abandon", "run agent.toml -- env"];
    left.refused("secrets.age", &format!("the rotation's journal at strongroom/rotation/bot: {NEWER}"), &commands);
}

#[test]
fn records_of_a_newer_host_are_passed_over_and_told() {
    let left = Left::behind("rest", "secrets.age");
    let log = fs::read_to_string(left.path("audit.jsonl")).unwrap();
    let newer =
        "{\"time\":\"2027-01-01T00:00:00.000Z\",\"run\":\"a-1\",\"agent\":\"keeper\",\"format\":2,\"event\":\"denial\",\"rule\":[]}\n";
    fs::write(left.path("audit.jsonl"), [newer, log.as_str()].concat()).unwrap();

    let shown = left.done("audit show --json");

    assert_eq!(shown.stdout, log);
    assert_eq!(shown.stderr.trim_end(), format!("warning: audit.jsonl: line 1: a record is skipped, {NEWER}"));
}

#[test]
fn registers_of_a_newer_host_are_refused_and_stay() {
    for register in ["variables", "keys"] {
        let left = Left::behind("rest", "secrets.age");
        let file = format!("state/{register}");
        let text = fs::read_to_string(left.path(&file)).unwrap();
        fs::write(left.path(&file), format!("# format 2\n{text}")).unwrap();
        if register == "variables" {
            left.refused(&file, &format!("state/variables: {NEWER}"), &["run agent.toml -- env"]);
        } else {
            left.refused(&file, &format!("state/keys: {NEWER}"), &["limits show agent.toml", "limits confirm agent.toml"]);
        }
    }
}

const KEEPER: &str = "name = \"keeper\"\ncomponent = \"probe.wasm\"\n[state]\n";

/// A desk with what the agent `keeper` has kept, as `change` has it.
fn kept(change: impl FnOnce(String) -> String) -> (CliFixture, PathBuf) {
    let desk = CliFixture::new("");
    desk.write("keeper.toml", KEEPER);
    desk.write("strongroom.toml", "[state]\ndir = \"state\"\n[audit]\nfile = \"audit.jsonl\"\n");
    for directory in ["state", "state/agents"] {
        DirBuilder::new().mode(0o700).create(desk.path(directory)).unwrap();
    }
    let file = desk.path("state/agents/keeper.state");
    let left = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("field/state/format-1/agents/keeper.state")).unwrap();
    // One byte for each character, so that the rest stays.
    let text = change(left.iter().map(|byte| char::from(*byte)).collect());
    private(&file, &text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect::<Vec<_>>());
    (desk, file)
}

#[test]
fn what_an_agent_has_kept_under_format_1_is_read_and_gone_on_with() {
    let (desk, _) = kept(|left| left);

    let ran = desk.run("run keeper.toml --config strongroom.toml -- state+keys state+get+last state+add+runs+1");

    assert_eq!(ran.stdout, "state 2 last,runs\nstate block 19234567\nstate 3\n", "{}", ran.stderr);
    let shown = desk.run("state show keeper --config strongroom.toml");
    assert!(shown.stdout.starts_with("2026-11-30T16:30:27.849Z  14 B  last\n"), "{}", shown.stdout);
}

#[test]
fn what_an_agent_keeps_under_a_newer_format_is_refused_and_stays() {
    let (desk, file) = kept(|left| left.replacen("format 1", "format 2", 1));
    let before = fs::read(&file).unwrap();

    let ran = desk.run("run keeper.toml --config strongroom.toml -- state+get+last state+set+last+1");
    let shown = desk.run("state show keeper --config strongroom.toml");

    assert_eq!(ran.stdout, "state denied by rule `state`: the state can't be read or written at the moment\n".repeat(2));
    assert!(ran.stderr.contains(NEWER) && shown.stderr.contains(NEWER) && shown.code == 126, "{}{}", ran.stderr, shown.stderr);
    assert!(fs::read(&file).unwrap() == before);
}
