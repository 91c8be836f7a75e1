//! The `env` backend: which variables a manifest can name, and which agent reads one that two could have.

use super::cli::{CliFixture, Transcript};

const SECRET: &str = "pf_live_9f8e7d6c5b4a39281706f5e4d3c2b1a0";
/// The exit code where a secret can't be had.
const CODE: i32 = 121;

/// Runs an agent of that name with a state directory of the desk's own.
fn run(desk: &CliFixture, agent: &str, secret: &str, options: &str, env: &[(&str, &str)]) -> Transcript {
    let name = format!("{agent}.toml");
    let manifest = format!("name = \"{agent}\"\ncomponent = \"probe.wasm\"\n[secrets.{secret}\n[run]\nargs = [\"print done\"]");
    desk.write(&name, &manifest);
    let state = desk.path("state-home");
    let env: Vec<(&str, &str)> = env.iter().copied().chain([("XDG_STATE_HOME", state.to_str().unwrap())]).collect();
    desk.run_with(format!("run {name} {options}").trim(), &env)
}

fn runs(ran: &Transcript) {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

fn refused(ran: &Transcript, why: &str) {
    assert_eq!(ran.code, CODE, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains(why) && !ran.stderr.contains("9f8e7d6c"), "{}", ran.stderr);
}

#[test]
fn whatever_the_host_configuration_refers_to_is_closed_however_it_is_named() {
    let desk = CliFixture::new("");
    desk.write(
        "strongroom.toml",
        "[issuers.exchange]\ntype = \"purpleflea\"\nurl = \"https://api.test\"\ncredential = \"env:ISSUER_ADMIN\"\n\
         [backends.kept]\ntype = \"file\"\npath = \"kept.age\"\nkey = \"env:STORE_PASSPHRASE\"\n\
         [signing.pkcs11]\nmodule = \"libhsm.so\"\ntoken = \"agents\"\npin = \"env:HSM_PIN\"\n\
         [signing.remote.custody]\nurl = \"https://signer.test\"\ntoken = \"env:SIGNER_TOKEN\"\n\
         accounts = [\"a/0x70997970C51812dc3A010C7d01b50e0d17dc79C8\"]",
    );
    let env = [("ISSUER_ADMIN", SECRET), ("STORE_PASSPHRASE", SECRET), ("HSM_PIN", SECRET), ("SIGNER_TOKEN", SECRET)];
    for own in ["ISSUER_ADMIN", "STORE_PASSPHRASE", "HSM_PIN", "SIGNER_TOKEN"] {
        let lower = own.to_lowercase();
        let (agent, rest) = lower.split_once('_').unwrap();
        for (agent, secret) in [
            ("a", format!("K]\nfrom = \"env:{own}\"")),
            ("a", format!("K]\nfrom = \"env:{lower}\"")),
            ("a", format!("K]\nfrom = \"{own}\"")),
            ("a", format!("{own}]")),
            ("a", format!("{lower}]")),
            // Through the agent's name, or a namespace.
            (agent, format!("{rest}]")),
            ("a", format!("{rest}]\nnamespace = \"{agent}\"")),
        ] {
            for options in ["--config strongroom.toml", "--config strongroom.toml --env-file .env"] {
                desk.write(".env", &format!("{own}={SECRET}\n"));
                refused(&run(&desk, agent, &secret, options, &env), "is the host's own; a manifest can't name it");
            }
        }
    }
    runs(&run(&desk, "a", "FREE]", "--config strongroom.toml", &[&env[..], &[("FREE", SECRET)]].concat()));
}

#[test]
fn a_file_of_the_hosts_own_is_no_component() {
    let desk = CliFixture::new("");
    desk.write("strongroom.toml", "[issuers.exchange]\ntype = \"purpleflea\"\nurl = \"https://api.test\"\ncredential = \"file:admin.key\"");
    desk.write("admin.key", SECRET);
    std::os::unix::fs::symlink(desk.path("admin.key"), desk.path("agent.wasm")).unwrap();
    desk.write("a.toml", "name = \"a\"\ncomponent = \"agent.wasm\"");

    let ran = desk.run("run a.toml --config strongroom.toml");

    assert_eq!(ran.code, 122, "{}", ran.stderr);
    assert!(ran.stderr.contains("agent.wasm is the host's own; a manifest can't name it"), "{}", ran.stderr);
}

#[test]
fn a_variable_that_two_agents_could_have_is_the_firsts() {
    let desk = CliFixture::new("");
    let env = [("TRADING_BOT_1_KEY", SECRET)];
    runs(&run(&desk, "trading-bot-1", "KEY]", "", &env));

    let why =
        "the variable `TRADING_BOT_1_KEY` is read by the agent `trading-bot-1`, and `trading` would read it by a name that both could have";
    for secret in ["BOT-1_KEY]", "bot-1-key]", "BOT_1_KEY]"] {
        refused(&run(&desk, "trading", secret, "", &env), why);
    }
    refused(&run(&desk, "evil", "TRADING_BOT_1_KEY]", "", &env), "is read by the agent `trading-bot-1`");
    refused(&run(&desk, "evil", "K]\nfrom = \"env:TRADING_BOT_1_KEY\"", "", &env), "is read by the agent `trading-bot-1`");
    // From a `.env` file it is the same variable.
    desk.write(".env", &format!("TRADING_BOT_1_KEY={SECRET}\n"));
    refused(&run(&desk, "trading", "BOT-1_KEY]", "--env-file .env", &[]), why);
    runs(&run(&desk, "trading-bot-1", "KEY]", "", &env));

    // The remedy that the message prints, applied: the line of an agent that is retired is removed.
    let told = run(&desk, "trading", "BOT-1_KEY]", "", &env).stderr;
    let (_, path) = told.trim().rsplit_once("remove its line from ").unwrap();
    let lines = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, lines.replace("TRADING_BOT_1_KEY trading-bot-1 own\n", "")).unwrap();
    runs(&run(&desk, "trading", "BOT-1_KEY]", "", &env));
    refused(&run(&desk, "trading-bot-1", "KEY]", "", &env), "is read by the agent `trading`");
}

#[test]
fn a_variable_that_manifests_name_in_full_may_be_shared() {
    let desk = CliFixture::new("");
    let env = [("SHARED_KEY", SECRET)];

    for (agent, secret) in [("one", "SHARED_KEY]"), ("two", "K]\nfrom = \"env:SHARED_KEY\""), ("three", "shared-key]")] {
        runs(&run(&desk, agent, secret, "", &env));
    }
    refused(&run(&desk, "shared", "KEY]", "", &env), "is read by several agents");
}

#[test]
fn the_operators_names_bound_what_manifests_name() {
    let desk = CliFixture::new("");
    desk.write("strongroom.toml", "[backends.env]\ntype = \"env\"\nfile = \".env\"\nnames = [\"{agent}_*\", \"SHARED\"]");
    desk.write(".env", &format!("BOT_1_KEY={SECRET}\nKEY={SECRET}\nSHARED={SECRET}\nOTHER={SECRET}\n"));
    let with = "--config strongroom.toml";

    for secret in ["KEY]", "K]\nfrom = \"env:BOT_1_KEY\"", "SHARED]"] {
        runs(&run(&desk, "bot-1", secret, with, &[]));
    }
    let why = "the operator's `names` of this backend are `{agent}_*`, `SHARED`";
    for secret in ["K]\nfrom = \"env:OTHER\"", "K]\nfrom = \"env:KEY\"", "KEY]\nnamespace = \"other\""] {
        for options in [with, "--config strongroom.toml --env-file .env"] {
            refused(&run(&desk, "bot-1", secret, options, &[]), why);
        }
    }
    // A bare name that only stands there for all agents is not covered: what is covered is not there.
    refused(&run(&desk, "bot-2", "KEY]", with, &[]), "BOT_2_KEY");
}

#[test]
fn another_namespace_is_opened_by_the_lines_that_the_refusal_prints() {
    let desk = CliFixture::new("");
    let env = [("DESK_KEY", SECRET)];
    let secret = "KEY]\nnamespace = \"desk\"";

    let told = run(&desk, "a", secret, "", &env);
    refused(&told, "the namespace `desk` is not the agent's own");
    let (_, lines) = told.stderr.split_once("add to the host configuration:\n").unwrap();
    desk.write("strongroom.toml", lines);
    runs(&run(&desk, "a", secret, "--config strongroom.toml", &env));
}

#[test]
fn a_signers_variable_is_its_agents_too() {
    let desk = CliFixture::new("");
    let key = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    let env = [("PAY_ER_WALLET", key)];
    let signer = |name: &str| format!("[signers.{name}]\nchains = [1]");
    let run = |agent: &str, signer: &str| {
        desk.write("s.toml", &format!("name = \"{agent}\"\ncomponent = \"probe.wasm\"\n{signer}\n[run]\nargs = [\"print done\"]"));
        let state = desk.path("state-home");
        desk.run_with("run s.toml", &[&env[..], &[("XDG_STATE_HOME", state.to_str().unwrap())]].concat())
    };
    let from = "\nfrom = \"WALLET\"";

    runs(&run("pay-er", &format!("{}{from}", signer("W"))));
    refused(&run("pay", &format!("{}\nfrom = \"ER_WALLET\"", signer("W"))), "is read by the agent `pay-er`");
}
