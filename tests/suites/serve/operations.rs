//! Each command of our own that the page for operators has, in the order of the page, on a host that serves: what it has a reader type ends as it
//! says. `serve` is what they are asked of, and commands of other programs are tried where what they do is.

use super::process::Agents;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output, Stdio};
use strongroom_tests::pages::Page;

const CONFIG: &str = "default_backend = \"file\"\n[backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"file:secrets.key\"\n\
                      [audit]\nfile = \"audit.jsonl\"\n[state]\ndir = \"state\"\n[signing]\nhot_limit = { ETH = \"2\" }\n";
const KEY: &str = "pf_live_9f8e7d6c5b4a39281706f5e4d3c2b1a0";
/// The run that the page has as an example, and its log.
const RUN: &str = "4cb9dcfcd81d-1";
const LOG: &str = "/var/log/strongroom/audit.jsonl";

/// Commands that end otherwise than with 0, by how they begin, and what they say then.
const OTHERWISE: [(&str, i32, &str); 2] = [
    // The page's own example of a denial, and that of the run that is looked at.
    ("strongroom explain agent", 124, "denied by rule"),
    ("strongroom secrets leaked found.txt", 120, "no rotation replaces file:price-bot/API_KEY"),
];

fn typed(agents: &Agents, line: &str) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(agents.path(".")).env_clear().stdin(Stdio::null());
    command.env("PATH", format!("{}:/usr/bin:/bin", agents.path("bin").display())).env("STRONGROOM_CONFIG", "strongroom.toml");
    command.output().unwrap()
}

/// The same, where it has to end well.
fn done(agents: &Agents, line: &str) -> String {
    let output = typed(agents, line);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{line}: {said}");
    said
}

#[test]
fn each_command_of_the_page_for_operators_does_what_it_says() {
    let bot = "[trigger]\ncron = \"0 0 1 1 *\"\n[secrets.API_KEY]\nfrom = \"file:price-bot/API_KEY\"\n\
               [[secrets.API_KEY.allow]]\nhost = \"api.purpleflea.com\"\npaths = [\"/v1/price\"]\n";
    let payer = "[trigger]\ncron = \"0 0 1 1 *\"\n[signers.wallet]\nfrom = \"file:payer/wallet\"\nchains = [1]\n\
                 recipients = [\"0x70997970C51812dc3A010C7d01b50e0d17dc79C8\"]\nmax_value = \"1\"\n\
                 [[signers.wallet.limit]]\nasset = \"ETH\"\nchain = 1\nday = \"2\"\n";
    let agents = Agents::new().agent("price-bot", &["print price", "send POST https://api.purpleflea.com/v1/orders"], bot).agent(
        "payer",
        &["print paid"],
        payer,
    );
    fs::write(agents.path("strongroom.toml"), CONFIG).unwrap();
    fs::create_dir(agents.path("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_strongroom-under-test"), agents.path("bin/strongroom")).unwrap();
    for (copy, of) in [("agent.toml", "price-bot.toml"), ("payer.toml", "payer.toml")] {
        let manifest = fs::read_to_string(agents.path("agents").join(of)).unwrap();
        fs::write(agents.path(copy), manifest.replace("../probe.wasm", "probe.wasm")).unwrap();
    }
    fs::write(agents.path("found.txt"), KEY).unwrap();
    fs::write(agents.path("new.txt"), KEY.replace('9', "8")).unwrap();
    done(&agents, "strongroom secrets init");
    done(&agents, "strongroom secrets set API_KEY --namespace price-bot < found.txt");
    done(&agents, "strongroom wallet new wallet --namespace payer --backend file");
    done(&agents, "strongroom limits confirm payer.toml");
    let mut served = agents.serve();
    served.wait_for(&["serving 2 agents"]);
    done(&agents, "strongroom trigger price-bot");
    let begins = served.wait_for(&["agent price-bot, run ", ": begins"]);
    let run = begins.split_once(", run ").unwrap().1.strip_suffix(": begins").unwrap().to_owned();
    served.wait_for(&["price-bot", "has ended"]);

    let page = Page::read("docs/operations.md", include_str!("../../../docs/operations.md"));
    let lines = page.blocks.iter().filter(|block| block.language == "sh").flat_map(|block| block.text.lines());
    let (mut tried, mut wrong) = (0, Vec::new());
    for line in lines.filter(|line| line.starts_with("strongroom ") && !line.starts_with("strongroom serve ")) {
        // `--follow` goes on until the host ends.
        let line = line.replace(RUN, &run).replace(LOG, "audit.jsonl").replace(" --follow", "");
        let (code, says) = OTHERWISE.iter().find(|other| line.starts_with(other.0)).map_or((0, ""), |other| (other.1, other.2));
        let output = typed(&agents, &line);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        if output.status.code() != Some(code) || !said.contains(says) {
            wrong.push(format!("{line}: {}: {said}", output.status));
        }
        tried += 1;
    }

    assert!(wrong.is_empty() && tried > 30, "{tried} were tried\n{}", wrong.join("\n"));
    let status = done(&agents, "strongroom kill-switch status");
    assert!(status.contains("price-bot"), "the page turns it on last: {status}");
    served.terminate();
}
