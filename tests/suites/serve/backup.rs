//! The state of a host is copied while it serves, by the commands that the documentation has, and another host serves from the copy: what was
//! decided, spent and kept is as it was.

use super::process::Agents;
use std::path::Path;
use std::process::Command;

const YEARLY: &str = "[trigger]\ncron = \"0 0 1 1 *\"";
const FRIEND: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

/// A command of the documentation on this, by how it begins, with these directories in place of its own.
fn documented(begins: &str, state: &Path, backup: &Path) {
    let page = include_str!("../../../docs/operations.md");
    let (_, section) = page.split_once("\n## Backup and restore\n").unwrap();
    let line = section.lines().find(|line| line.starts_with(begins)).unwrap();
    let line = line.replace("/var/lib/strongroom", &state.display().to_string()).replace("/backup", &backup.display().to_string());
    let mut words = line.split(' ').skip(1);
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What a command says, by a configuration whose state is in this directory.
fn done(agents: &Agents, state: &str, verb: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-under-test"));
    let output = command.args(verb).args(["--config", state]).current_dir(agents.path(".")).env_clear().output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{verb:?}: {said}");
    said
}

fn status(agents: &Agents, config: &str, agent: &str) -> serde_json::Value {
    let all: serde_json::Value = serde_json::from_str(&done(agents, config, &["ps", "--json"])).unwrap();
    all.as_array().unwrap().iter().find(|known| known["agent"] == agent).unwrap().clone()
}

#[test]
fn a_host_that_serves_from_a_copy_goes_on_where_the_other_was() {
    let sign =
        |nonce: u64| format!("sign wallet fields chain:1 nonce:{nonce} gas:21000 to:{FRIEND} value:500000000000000000 max:0 priority:0");
    let wallet = format!(
        "{YEARLY}\n[signers.wallet]\nfrom = \"file:payer/wallet\"\nchains = [1]\nrecipients = [\"{FRIEND}\"]\nmax_value = \"1\"\n\
         [[signers.wallet.limit]]\nasset = \"ETH\"\nchain = 1\nday = \"2\"\n"
    );
    let agents = Agents::new()
        .agent("payer", &[&sign(0)], &wallet)
        .agent("hourly", &["print hour"], "[trigger]\nevery = \"1h\"")
        .agent("paused", &["print paused"], YEARLY)
        .agent("stopped", &["print stopped"], YEARLY)
        .agent("keeper", &["state set greeting hello"], &format!("{YEARLY}\n[state]\nmax_keys = 10\n"));
    for config in ["old", "new"] {
        let text = format!(
            "[signing]\nhot_limit = {{ ETH = \"2\" }}\n[audit]\nfile = \"audit-{config}.jsonl\"\n[state]\ndir = \"state-{config}\"\n\
             [backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"file:secrets.key\"\n"
        );
        std::fs::write(agents.path(&format!("{config}.toml")), text).unwrap();
    }
    done(&agents, "old.toml", &["secrets", "init"]);
    done(&agents, "old.toml", &["wallet", "new", "wallet", "--namespace", "payer", "--backend", "file"]);
    done(&agents, "old.toml", &["limits", "confirm", "agents/payer.toml"]);
    let mut served = agents.serve_by("old.toml");
    served.wait_for(&["serving 5 agents"]);
    served.wait_for(&["hourly", "has ended"]);
    for agent in ["payer", "keeper"] {
        done(&agents, "old.toml", &["trigger", agent]);
        served.wait_for(&[agent, "has ended"]);
    }
    done(&agents, "old.toml", &["pause", "paused"]);
    done(&agents, "old.toml", &["kill-switch", "on", "stopped"]);
    let next = status(&agents, "old.toml", "hourly")["next"].clone();

    documented("sudo tar --exclude", &agents.path("state-old"), &agents.path("."));
    served.terminate();
    documented("sudo mkdir -m 700", &agents.path("state-new"), &agents.path("."));
    documented("sudo tar -C", &agents.path("state-new"), &agents.path("."));

    agents.write("payer", &[&sign(1)], &wallet);
    agents.write("keeper", &["state get greeting"], &format!("{YEARLY}\n[state]\nmax_keys = 10\n"));
    let mut served = agents.serve_by("new.toml");
    served.wait_for(&["serving 5 agents"]);
    assert_eq!(status(&agents, "new.toml", "paused")["state"]["is"], "paused");
    assert_eq!(status(&agents, "new.toml", "stopped")["state"]["is"], "stopped");
    // Its time has not come again.
    let hourly = status(&agents, "new.toml", "hourly");
    assert_eq!((&hourly["next"], &hourly["runs"]), (&next, &0.into()));
    done(&agents, "new.toml", &["trigger", "keeper"]);
    served.wait_for(&["keeper ", "hello"]);
    // The key needs no confirmation, and what was spent is.
    done(&agents, "new.toml", &["trigger", "payer"]);
    served.wait_for(&["payer", "has ended"]);
    served.terminate();
    let left = done(&agents, "new.toml", &["limits", "show", "agents/payer.toml"]);
    assert!(left.contains("1 ETH left within 24 hours"), "{left}");
}
