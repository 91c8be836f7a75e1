//! The host's configuration is read anew while the host serves: what can be taken up is, what can't is told by name, and what can't be used leaves all
//! as it was.

use super::process::{Agents, Served};
use rcgen::{CertificateParams, KeyPair};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

const YEARLY: &str = "[trigger]\ncron = \"0 0 1 1 *\"";
const BASE: &str = "[audit]\nfile = \"audit.jsonl\"\n[state]\ndir = \"state\"\n";
const OPEN: &str = "[network]\nallow = [\"127.0.0.1/32\"]\n";

impl Agents {
    /// Has the configuration say this beside its places.
    fn configure(&self, lines: &str) {
        std::fs::write(self.path("new"), format!("{lines}\n{BASE}")).unwrap();
        std::fs::rename(self.path("new"), self.path("strongroom.toml")).unwrap();
    }

    /// What a command says, with its code.
    fn asked(&self, verb: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-under-test"));
        let output = command.args(verb).args(["--config", "strongroom.toml"]).current_dir(self.path(".")).env_clear().output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }

    fn done(&self, verb: &[&str]) -> String {
        let (code, said) = self.asked(verb);
        assert_eq!(code, 0, "{verb:?}: {said}");
        said
    }

    /// The records of one event in the audit log.
    fn records(&self, event: &str) -> Vec<serde_json::Value> {
        let log = std::fs::read_to_string(self.path("audit.jsonl")).unwrap();
        let records = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        records.filter(|record| record["event"] == event).collect()
    }
}

/// Runs an agent to its end.
fn run(agents: &Agents, served: &mut Served, agent: &str) {
    agents.done(&["trigger", agent]);
    served.wait_for_another(&[agent, "has ended"]);
}

/// A server that keeps its connections; a request for `/gate` is answered once it is let.
fn gated() -> (u16, Receiver<()>, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ((asked, is_asked), (gate, is_open)) = (channel(), channel());
    let is_open = Arc::new(std::sync::Mutex::new(is_open));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let (asked, is_open) = (asked.clone(), is_open.clone());
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap());
                loop {
                    let mut head = String::new();
                    while !head.ends_with("\r\n\r\n") {
                        if lines.read_line(&mut head).map_or(true, |count| count == 0) {
                            return;
                        }
                    }
                    if head.starts_with("GET /gate ") && (asked.send(()).is_err() || is_open.lock().unwrap().recv().is_err()) {
                        return;
                    }
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
                }
            });
        }
    });
    (port, is_asked, gate)
}

#[test]
fn a_network_that_is_withdrawn_is_reached_no_more_by_what_runs_and_what_begins() {
    let (port, is_asked, gate) = gated();
    let url = |path: &str| format!("send GET http://127.0.0.1:{port}/{path}");
    let (one, held, after) = (url("one"), url("gate"), url("after"));
    let egress = format!("{YEARLY}\n[[egress]]\nhost = \"http://127.0.0.1:{port}\"\npaths = [\"/**\"]");
    let agents = Agents::new().agent("bot", &[&one, &held, &after], &egress).agent("late", &[&after], &egress);
    agents.configure(OPEN);
    let mut served = agents.serve();
    served.wait_for(&["serving 2 agents"]);

    // The run has a connection that is open, and would be taken again.
    agents.done(&["trigger", "bot"]);
    is_asked.recv().unwrap();
    agents.configure("");
    served.signal("HUP");
    served.wait_for(&["strongroom.toml: counts from now on: network.allow"]);
    gate.send(()).unwrap();

    served.wait_for(&["bot", "| send denied by rule `address`"]);
    served.wait_for(&["bot", "has ended"]);
    run(&agents, &mut served, "late");
    assert!(served.seen.iter().any(|line| line.starts_with("late ") && line.contains("| send denied by rule `address`")));
    // It is reached again once that is taken back.
    agents.configure(OPEN);
    assert_eq!(agents.done(&["reload"]), "strongroom.toml: counts from now on: network.allow\n");
    agents.done(&["trigger", "late"]);
    served.wait_for_another(&["late ", "| send 200"]);
    served.terminate();

    let read: Vec<_> = agents.records("configuration-read").iter().map(|record| record["changed"].to_string()).collect();
    assert_eq!(read, ["[]", "[\"network.allow\"]", "[\"network.allow\"]"]);
}

/// A rule for what follows a word, which no other rule finds.
fn rule(name: &str, keyword: &str) -> String {
    format!(
        "[[rule]]\nname = \"{name}\"\nwhat = \"pass of Acme\"\nkeywords = [\"{keyword}\"]\nexpression = 'badger-runs-over-[0-9]{{8}}'\n\
         match = ['{keyword}badger-runs-over-12345678']\npass = ['{keyword}badger-runs']\n"
    )
}

#[test]
fn rules_that_are_others_are_for_the_runs_that_begin_and_those_of_the_listing_are_watched() {
    let key = "acme-live-badger-runs-over-12345678";
    let agents = Agents::new().agent("bot", &[&format!("print {key}")], YEARLY);
    agents.configure("");
    let mut served = agents.serve_with(&["--watch"]);
    served.wait_for(&["serving 1 agent"]);
    agents.done(&["trigger", "bot"]);
    served.wait_for(&["bot ", &format!("| {key}")]);

    // The file is named before it is there.
    agents.configure("[scrub]\nrules = [\"rules.toml\"]");
    served.wait_for(&["error: ", "rules.toml: can't be read (", "`scrub.rules` names files"]);
    served.wait_for(&["the host goes on by the configuration that it had"]);
    agents.done(&["trigger", "bot"]);
    served.wait_for_another(&["bot ", &format!("| {key}")]);
    std::fs::write(agents.path("rules.toml"), rule("acme", "acme-live-")).unwrap();
    served.wait_for(&["strongroom.toml: counts from now on: scrub.rules"]);
    agents.done(&["trigger", "bot"]);
    served.wait_for_another(&["bot ", "[redacted:acme]"]);

    // One that does not compile leaves those that there were; the file's name is the same, and what it says another.
    std::fs::write(agents.path("rules.toml"), "[[rule]]\nname = \"broken\"").unwrap();
    served.wait_for_another(&["error: ", "rules.toml"]);
    agents.done(&["trigger", "bot"]);
    served.wait_for_another(&["bot ", "[redacted:acme]"]);
    std::fs::write(agents.path("rules.toml"), rule("other", "acme-test-")).unwrap();
    served.wait_for_another(&["strongroom.toml: counts from now on: scrub.rules"]);
    agents.done(&["trigger", "bot"]);
    served.wait_for_another(&["bot ", &format!("| {key}")]);
    served.terminate();
}

#[test]
fn a_manifest_that_names_a_rule_which_is_gone_is_told_and_its_agent_goes_on() {
    let agents = Agents::new().agent(
        "bot",
        &["print hello"],
        &format!("{YEARLY}\n[[egress]]\nhost = \"api.test\"\npaths = [\"/**\"]\nleaks_allowed = [\"acme\"]"),
    );
    std::fs::write(agents.path("rules.toml"), rule("acme", "acme-live-")).unwrap();
    agents.configure("[scrub]\nrules = [\"rules.toml\"]");
    let mut served = agents.serve();
    served.wait_for(&["serving 1 agent"]);

    agents.configure("");
    let (code, said) = agents.asked(&["reload"]);

    assert_eq!(code, 120);
    assert!(said.contains("strongroom.toml: counts from now on: scrub.rules") && said.contains("bot.toml: "), "{said}");
    assert!(said.contains("`acme`") && said.contains("bot goes on by the manifest and the component that it had"), "{said}");
    run(&agents, &mut served, "bot");
    served.terminate();
}

#[test]
fn a_configuration_that_can_not_be_used_leaves_the_host_as_it_was() {
    let (port, ..) = gated();
    let egress = format!("{YEARLY}\n[[egress]]\nhost = \"http://127.0.0.1:{port}\"\npaths = [\"/**\"]");
    let agents = Agents::new().agent("bot", &[&format!("send GET http://127.0.0.1:{port}/one")], &egress);
    agents.configure(OPEN);
    let mut served = agents.serve();
    served.wait_for(&["serving 1 agent"]);
    std::fs::write(agents.path("broken.toml"), "[[rule]]\nname = \"broken\"").unwrap();

    for (lines, told) in [
        ("[network", "strongroom.toml:1:"),
        ("[network]\nalow = []", "strongroom.toml:2:1: unknown key `network.alow`"),
        ("[network]\nca = [\"nowhere.pem\"]", "nowhere.pem: can't be read"),
        ("[scrub]\nrules = [\"nowhere.toml\"]", "nowhere.toml: can't be read"),
        ("[scrub]\nrules = [\"broken.toml\"]", "broken.toml"),
        ("[signing]\nhot_limit = { NONE = \"1\" }", "`signing.hot_limit` names NONE, which is not an asset of this host"),
        (
            "[[admin.peers]]\nuser = 70001\nrole = \"viewer\"\n[admin]\nlisten = \"0\"\ntls = { certificate = \"c.pem\", key = \"file:k.pem\" }\n\
             [[admin.clients]]\nname = \"a\"\nrole = \"viewer\"\ncertificate = { ca = \"nowhere.pem\", names = [\"a\"] }",
            "nowhere.pem",
        ),
    ] {
        agents.configure(lines);
        served.signal("HUP");
        served.wait_for_another(&["error: ", told]);
        served.wait_for_another(&["the host goes on by the configuration that it had"]);
        // The commands read the file themselves, where they have to find the state directory.
        let socket = std::fs::read_dir(agents.path("state")).unwrap().map(|entry| entry.unwrap().path());
        let socket = socket.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "sock")).unwrap();
        let at = |verb: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-under-test"));
            let output = command.args(verb).arg("--socket").arg(&socket).env_clear().output().unwrap();
            (output.status.code().unwrap(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
        };
        let (code, said) = at(&["reload"]);
        assert!(
            code == 120 && said.contains(told) && said.contains("the host goes on by the configuration that it had"),
            "{lines}\n{said}"
        );
        let (code, said) = at(&["ps"]);
        assert!(code == 0 && said.contains(told) && said.contains("bot "), "{lines}\n{said}");
        let (code, _) = at(&["trigger", "bot"]);
        assert_eq!(code, 0);
        served.wait_for_another(&["bot ", "| send 200"]);
    }
    let refused = agents.records("configuration-read");
    // At the beginning, and twice for each.
    assert_eq!(refused.len(), 15);
    assert!(refused[0]["refused"].is_null() && refused[1..].iter().all(|record| record["refused"].is_string()), "{refused:#?}");
    served.terminate();
}

#[test]
fn what_counts_after_a_restart_is_told_by_name_until_it_is_taken_back() {
    let agents = Agents::new().agent("bot", &["print hello"], YEARLY);
    agents.configure("");
    let mut served = agents.serve();
    served.wait_for(&["serving 1 agent"]);
    let log = |name: &str| agents.path(name).exists();

    let text = format!(
        "default_backend = \"env\"\n{OPEN}[serve]\nlisten = \"0\"\n[audit]\nfile = \"other.jsonl\"\n[state]\ndir = \"state\"\ncompiled = \"1GiB\"\n"
    );
    std::fs::write(agents.path("strongroom.toml"), text).unwrap();
    let told = agents.done(&["reload"]);
    assert_eq!(
        told,
        "strongroom.toml: counts from now on: network.allow\n\
         strongroom.toml: counts after a restart: default_backend, audit.file, state.compiled, serve.listen\n"
    );
    run(&agents, &mut served, "bot");
    assert!(log("audit.jsonl") && !log("other.jsonl"));
    // It is told as long as it is so; what counts already is told once.
    let after = "strongroom.toml: counts after a restart: default_backend, audit.file, state.compiled, serve.listen\n";
    assert_eq!(agents.done(&["reload"]), after);
    assert!(agents.done(&["ps"]).contains(after));
    agents.configure(OPEN);
    assert_eq!(agents.done(&["reload"]), "");
    assert!(!agents.done(&["ps"]).contains("restart"));
    served.terminate();
}

#[test]
fn a_ceiling_that_is_lowered_holds_for_the_next_signature_of_what_runs() {
    let (port, is_asked, gate) = gated();
    let friend = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
    let sign =
        |nonce: u64| format!("sign wallet fields chain:1 nonce:{nonce} gas:21000 to:{friend} value:400000000000000000 max:0 priority:0");
    let manifest = format!(
        "{YEARLY}\n[[egress]]\nhost = \"http://127.0.0.1:{port}\"\npaths = [\"/**\"]\n[signers.wallet]\nfrom = \"file:bot/wallet\"\nchains = [1]\n\
         recipients = [\"{friend}\"]\nmax_value = \"1\"\n[[signers.wallet.limit]]\nasset = \"ETH\"\nchain = 1\nday = \"2\"\n"
    );
    let held = format!("send GET http://127.0.0.1:{port}/gate");
    let agents = Agents::new().agent("bot", &[&sign(0), &held, &sign(1), &held, &sign(2)], &manifest);
    let configure = |most: &str| {
        agents.configure(&format!(
            "{OPEN}[signing]\nhot_limit = {{ ETH = \"{most}\" }}\n[backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"file:secrets.key\"\n"
        ));
    };
    configure("2");
    agents.done(&["secrets", "init"]);
    agents.done(&["wallet", "new", "wallet", "--namespace", "bot", "--backend", "file"]);
    agents.done(&["limits", "confirm", "agents/bot.toml"]);
    let mut served = agents.serve();
    served.wait_for(&["serving 1 agent"]);

    agents.done(&["trigger", "bot"]);
    is_asked.recv().unwrap();
    configure("0.5");
    // What runs goes on below it, and a host that starts anew would not have the manifest.
    let (code, said) = agents.asked(&["reload"]);
    assert!(code == 120 && said.contains("strongroom.toml: counts from now on: signing.hot_limit\n"), "{said}");
    assert!(said.contains("bot.toml: ") && said.contains("`signing.hot_limit` allows 0.5") && said.contains("bot goes on by"), "{said}");
    gate.send(()).unwrap();
    is_asked.recv().unwrap();
    configure("2");
    agents.done(&["reload"]);
    gate.send(()).unwrap();
    served.wait_for(&["bot", "has ended"]);
    served.terminate();

    assert_eq!(agents.records("signed").len(), 2);
    let denied = agents.records("denial");
    assert!(
        denied.len() == 1 && denied[0]["remedy"].as_str().unwrap().contains("`signing.hot_limit` allows all agents together 0.5 ETH"),
        "{denied:#?}"
    );
}

#[test]
fn what_has_become_the_hosts_own_can_be_named_by_no_manifest() {
    let secret = format!(
        "{YEARLY}\n[secrets.OPS_TOKEN]\nfrom = \"env:OPS_TOKEN\"\n[[secrets.OPS_TOKEN.allow]]\nhost = \"api.test\"\npaths = [\"/**\"]\n"
    );
    let agents = Agents::new().agent("bot", &["print hello"], &secret);
    agents.configure("");
    let mut served = agents.serve_in(&[], &[("OPS_TOKEN", "a-token-that-was-an-agents-before")]);
    served.wait_for(&["serving 1 agent"]);
    run(&agents, &mut served, "bot");

    agents.configure(
        "[admin]\nlisten = \"0\"\ntls = { certificate = \"cert.pem\", key = \"file:key.pem\" }\n\
         [[admin.clients]]\nname = \"ops\"\nrole = \"admin\"\ntoken = \"env:OPS_TOKEN\"\n",
    );
    let (code, said) = agents.asked(&["reload"]);

    assert!(code == 120 && said.contains("the variable `OPS_TOKEN` is the host's own; a manifest can't name it"), "{said}");
    assert!(said.contains("counts after a restart: admin.listen"), "{said}");
    agents.done(&["trigger", "bot"]);
    served.wait_for(&["bot", "failed after", "the variable `OPS_TOKEN` is the host's own"]);
    served.terminate();
}

/// The status of the answer to a request that calls the listener by a name.
fn called_by(address: &str, name: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(format!("GET /hook HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn names_of_the_listener_are_taken_up_and_its_address_is_not() {
    let agents = Agents::new();
    std::fs::copy(strongroom_components::path("callee"), agents.path("callee.wasm")).unwrap();
    agents.file("hook.toml", "name = \"hook\"\ncomponent = \"../callee.wasm\"\n[trigger]\nhttp = \"/hook\"\npublic = true\n");
    agents.configure("[serve]\nlisten = \"0\"");
    let mut served = agents.serve();
    let line = served.wait_for(&["callers reach the agents at http://127.0.0.1:"]);
    let address = line.rsplit('/').next().unwrap().to_owned();
    assert_eq!(called_by(&address, "hooks.test"), "421");

    agents.configure("[serve]\nlisten = \"127.0.0.2:0\"\nhosts = [\"hooks.test\"]");
    let told = agents.done(&["reload"]);

    assert_eq!(told, "strongroom.toml: counts from now on: serve.hosts\nstrongroom.toml: counts after a restart: serve.listen\n");
    assert_eq!(called_by(&address, "hooks.test"), "200");
    agents.configure("[serve]\nlisten = \"0\"");
    agents.done(&["reload"]);
    assert_eq!(called_by(&address, "hooks.test"), "421");
    served.terminate();
}

/// Whether the host answers by the certificate of that key.
fn answers_by(address: &str, key: &KeyPair) -> bool {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate(key).der().clone()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    connection.complete_io(&mut stream).is_ok()
}

fn certificate(key: &KeyPair) -> rcgen::Certificate {
    CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(key).unwrap()
}

#[test]
fn a_certificate_that_was_renewed_counts_as_soon_as_the_configuration_does() {
    let agents = Agents::new().agent("bot", &["print hello"], YEARLY);
    let (old, new) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let write = |key: &KeyPair| {
        std::fs::write(agents.path("cert.pem"), certificate(key).pem()).unwrap();
        std::fs::write(agents.path("key.pem"), key.serialize_pem()).unwrap();
    };
    write(&old);
    agents.configure("[serve]\nlisten = \"0\"\ntls = { certificate = \"cert.pem\", key = \"file:key.pem\" }");
    let mut served = agents.serve();
    let line = served.wait_for(&["callers reach the agents at https://127.0.0.1:"]);
    let address = line.rsplit('/').next().unwrap().to_owned();
    assert!(answers_by(&address, &old));

    // Half of it is taken for nothing, though the paths are the same.
    std::fs::write(agents.path("cert.pem"), certificate(&new).pem()).unwrap();
    let (code, said) = agents.asked(&["reload"]);
    assert!(code == 120 && said.contains("it is not that of the certificate"), "{said}");
    assert!(answers_by(&address, &old));
    // Whatever becomes of the directory.
    write(&new);
    std::fs::rename(agents.path("agents"), agents.path("elsewhere")).unwrap();
    let (_, said) = agents.asked(&["reload"]);
    assert!(said.contains("all agents stay as they are; the host configuration was read all the same"), "{said}");
    assert!(answers_by(&address, &new) && !answers_by(&address, &old));
    served.terminate();
}
