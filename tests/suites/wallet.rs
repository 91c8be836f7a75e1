//! Wallets on the command line: made, taken over, looked at, confirmed, and asked about.

use crate::cli::CliFixture;
use strongroom_tests::fixtures::wallet::{ADDRESS, KEY};

const FRIEND: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

/// A desk with a `file` backend, and an agent whose wallet is in it.
fn desk() -> CliFixture {
    let desk = CliFixture::new(&format!(
        "[signers.wallet]\nfrom = \"file:probe-1/wallet\"\nchains = [1]\nrecipients = [\"{FRIEND}\"]\nmax_value = \"1\"\n\
         [[signers.wallet.limit]]\nasset = \"ETH\"\nchain = 1\nday = \"2\"\n"
    ));
    desk.write(
        "strongroom.toml",
        "[signing]\nledger = \"ledger\"\nhot_limit = { ETH = \"2\" }\n[audit]\nfile = \"audit.jsonl\"\n[backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"file:secrets.key\"\n",
    );
    let made = desk.run("secrets init --config strongroom.toml");
    assert_eq!(made.code, 0, "{}", made.stderr);
    desk
}

fn import(desk: &CliFixture, key: &str) -> crate::cli::Transcript {
    desk.pipe("wallet import wallet --namespace probe-1 --backend file --config strongroom.toml", key, &[])
}

#[test]
fn a_wallet_is_made_and_its_key_is_never_printed() {
    let desk = desk();

    let made = desk.run("wallet new wallet --namespace probe-1 --backend file --config strongroom.toml");
    let shown = desk.run("wallet address agent.toml --config strongroom.toml --json");
    let again = desk.run("wallet new wallet --namespace probe-1 --backend file --config strongroom.toml");

    assert_eq!(made.code, 0, "{}", made.stderr);
    let address = made.stdout.trim();
    assert!(address.starts_with("0x") && address.len() == 42, "{address}");
    assert!(made.stderr.contains("limits confirm"), "{}", made.stderr);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["address"], address);
    assert_eq!(again.code, 120, "a key that is there is not replaced: {}", again.stderr);
    assert!(
        again.stderr.contains("probe-1/wallet exists already (version 1), and a key is never replaced")
            && again.stderr.contains("another name"),
        "{}",
        again.stderr
    );
}

#[test]
fn a_key_is_taken_over_confirmed_and_signs() {
    let desk = desk();

    let taken = import(&desk, KEY);
    let before = desk.run("limits show agent.toml --config strongroom.toml");
    let confirmed = desk.run("limits confirm agent.toml --config strongroom.toml");
    let words = format!("sign+wallet+fields+chain:1+nonce:0+to:{FRIEND}+value:500000000000000000+max:0+priority:0");
    let signed = desk.run(&format!("run agent.toml --config strongroom.toml -- {words}"));
    let after = desk.run("limits show agent.toml --config strongroom.toml");

    assert_eq!(taken.stdout.trim(), ADDRESS, "{}", taken.stderr);
    assert!(before.stdout.contains("does not know the key"), "{}", before.stdout);
    assert_eq!(confirmed.code, 0, "{}", confirmed.stderr);
    assert!(signed.stdout.starts_with("sign Av") || signed.stdout.len() > 150, "{}{}", signed.stdout, signed.stderr);
    assert!(signed.stderr.contains("is held in this process"), "it is said that the key is hot: {}", signed.stderr);
    assert!(after.stdout.contains("ETH on chain 1: 1.5 ETH left within 24 hours"), "{}", after.stdout);
    for transcript in [&taken, &before, &confirmed, &signed, &after] {
        assert!(!format!("{}{}", transcript.stdout, transcript.stderr).contains(&KEY[2..]), "the key was printed");
    }
}

#[test]
fn what_is_no_key_is_not_kept() {
    let desk = desk();

    for wrong in ["0x1234", "test test test", &"0".repeat(64), "{\"version\":1}"] {
        let refused = import(&desk, wrong);

        assert_eq!(refused.code, 120, "{wrong}: {}", refused.stderr);
        assert!(refused.stderr.contains("nothing was written"), "{}", refused.stderr);
        assert!(wrong.len() < 20 || !refused.stderr.contains(wrong));
    }
    let missing = desk.run("wallet show agent.toml --config strongroom.toml");
    assert_eq!(missing.code, 121, "{}", missing.stderr);
}

#[test]
fn explain_judges_a_transaction_without_signing_it() {
    let desk = desk();
    import(&desk, KEY);
    // Chain 1, nonce 7, at most 2,000,000,000 for each of 21,000 gas, one unit: to the friend, and to somebody.
    let payload = |to: &str| format!("0x02e3010701847735940082520894{}0180c0", to.trim_start_matches("0x").to_lowercase());

    let allowed = desk.run(&format!("explain agent.toml --config strongroom.toml --tx {}", payload(FRIEND)));
    let denied =
        desk.run(&format!("explain agent.toml --config strongroom.toml --json --tx {}", payload(ADDRESS.replace("f39F", "f39A").as_str())));
    let broken = desk.run("explain agent.toml --config strongroom.toml --tx 0x02c0");

    assert_eq!(allowed.code, 0, "{}{}", allowed.stdout, allowed.stderr);
    assert!(allowed.stdout.contains("send 0.000000000000000001 ETH to 0x70997970C51812dc3A010C7d01b50e0d17dc79C8"), "{}", allowed.stdout);
    assert!(allowed.stdout.contains("spends at most 0.000042000000000001 ETH on chain 1"), "{}", allowed.stdout);
    assert_eq!(denied.code, 124, "{}{}", denied.stdout, denied.stderr);
    let denied: serde_json::Value = serde_json::from_str(&denied.stdout).unwrap();
    assert_eq!(denied["rule"], "recipient");
    assert_eq!(broken.code, 124, "{}{}", broken.stdout, broken.stderr);
    assert!(broken.stdout.contains("undecodable"), "{}", broken.stdout);
}

#[test]
fn explain_reads_a_wallets_grants_aloud() {
    let aloud = desk().run("explain agent.toml --config strongroom.toml").stdout;

    for line in [
        "sign with the key `wallet` from file:probe-1/wallet: an account of Ethereum",
        "plain transfers to 0x7099",
        "may spend of ETH on chain 1: any amount in an hour, 2 in a day",
    ] {
        assert!(aloud.contains(line), "{line}: {aloud}");
    }
}

#[test]
fn a_hot_wallet_that_may_spend_more_than_the_operator_wants_at_risk_is_refused_at_check() {
    let desk = desk();
    let manifest = std::fs::read_to_string(desk.path("agent.toml")).unwrap();
    desk.write("second.toml", &manifest.replace("probe-1\"\ncomponent", "probe-2\"\ncomponent"));
    desk.write("third.toml", &manifest.replace("day = \"2\"", "hour = \"0.1\""));
    desk.write("fourth.toml", &manifest.replace("day = \"2\"", "day = \"unlimited\""));
    // Both agents name the same key.
    let config = std::fs::read_to_string(desk.path("strongroom.toml")).unwrap();
    desk.write("strongroom.toml", &config.replace("key = \"file:", "paths = [\"**\"]\nkey = \"file:"));

    let alone = desk.run("check agent.toml --config strongroom.toml");
    let together = desk.run("check agent.toml second.toml --config strongroom.toml");
    let hourly = desk.run("check third.toml --config strongroom.toml");
    let unbounded = desk.run("check fourth.toml --config strongroom.toml");

    assert_eq!(alone.code, 0, "{}", alone.stderr);
    assert!(
        together.code != 0 && together.stderr.contains("4 ETH may be spent from it, by probe-1/wallet and probe-2/wallet"),
        "{}",
        together.stderr
    );
    assert!(hourly.code != 0 && hourly.stderr.contains("2.4 ETH"), "24 times the hour: {}", hourly.stderr);
    assert!(unbounded.code != 0 && unbounded.stderr.contains("unlimited ETH") && unbounded.stderr.contains("HSM"), "{}", unbounded.stderr);
}

#[test]
fn a_key_that_is_missing_ends_every_command_with_the_code_of_a_run() {
    let desk = desk();

    for command in ["run agent.toml", "limits confirm agent.toml", "limits show agent.toml", "check agent.toml --resolve"] {
        let missing = desk.run(&format!("{command} --config strongroom.toml"));

        assert_eq!(missing.code, 121, "{command}: {}", missing.stderr);
        assert!(missing.stderr.contains("signer `wallet` is unavailable: not found"), "{command}: {}", missing.stderr);
        assert!(!missing.stderr.contains("agent.toml: ok"), "{command}: {}", missing.stderr);
    }
    import(&desk, KEY);
    let resolved = desk.run("check agent.toml --resolve --config strongroom.toml");
    assert_eq!(resolved.code, 0, "{}", resolved.stderr);
    assert!(resolved.stderr.contains(&format!("agent.toml: ok\n  signer wallet: {ADDRESS}")), "{}", resolved.stderr);
}

#[test]
fn a_look_at_a_key_does_not_take_it_into_use() {
    let desk = CliFixture::new("[signers.token]\nfrom = \"env:SR_LOOKED_AT\"\nuse = \"jwt\"\naudience = \"https://api.test\"\n");
    desk.write("strongroom.toml", "[state]\ndir = \"state\"\n[audit]\nfile = \"audit.jsonl\"\n");
    let env = [("SR_LOOKED_AT", "a-symmetric-key-of-more-than-32-bytes")];

    let looked = desk.run_with("check agent.toml --resolve --config strongroom.toml", &env);
    let before = desk.path("state/keys").exists() || desk.path("state/variables").exists();
    let confirmed = desk.run_with("limits confirm agent.toml --config strongroom.toml", &env);

    assert_eq!((looked.code, before), (0, false), "{}", looked.stderr);
    assert_eq!((confirmed.code, desk.path("state/keys").exists()), (0, true), "{}", confirmed.stderr);
}

#[test]
fn a_ledger_that_can_not_be_written_ends_the_run_with_its_place_and_reason() {
    let desk = desk();
    import(&desk, KEY);
    assert_eq!(desk.run("limits confirm agent.toml --config strongroom.toml").code, 0);
    // Nothing can be written to this device: its disk is full.
    std::fs::remove_file(desk.path("ledger/ledger.witness")).unwrap();
    std::os::unix::fs::symlink("/dev/full", desk.path("ledger/ledger.witness")).unwrap();

    let words = format!("sign+wallet+fields+chain:1+nonce:0+to:{FRIEND}+value:5+max:0+priority:0");
    let ran = desk.run(&format!("run agent.toml --config strongroom.toml --json -- {words} print+on"));

    assert_eq!(ran.code, 126, "{}", ran.stderr);
    let said = "ledger: the ledger can't be written: No space left on device (os error 28); nothing is signed until it can be";
    assert!(ran.stderr.contains(&format!("error: ledger: {}", &said[8..])) || ran.stderr.contains(said), "{}", ran.stderr);
    assert!(!ran.stderr.contains("audit log") && ran.stdout.is_empty(), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.lines().last().unwrap().contains("\"end\":\"the ledger failed\""), "{}", ran.stderr);
    let log = std::fs::read_to_string(desk.path("audit.jsonl")).unwrap();
    assert!(
        log.contains("it has signed, and the signature is not given out: ") && log.contains("\"outcome\":\"the ledger failed\""),
        "{log}"
    );
}

#[test]
fn a_ledger_that_can_not_be_opened_fails_the_commands_about_it_and_denies_an_agents_signature() {
    let desk = desk();
    import(&desk, KEY);
    desk.write("ledger", "a file, where a directory is to be");

    for line in ["limits show agent.toml", "limits show agent.toml --json", "limits confirm agent.toml"] {
        let ran = desk.run(&line.replace("agent.toml", "agent.toml --config strongroom.toml"));

        assert_eq!((ran.code, ran.stdout.as_str()), (126, ""), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains("ledger exists, and is not a directory"), "{line}: {}", ran.stderr);
    }
    let words = format!("sign+wallet+fields+chain:1+nonce:0+to:{FRIEND}+value:5+max:0+priority:0");
    let ran = desk.run(&format!("run agent.toml --config strongroom.toml -- {words}"));
    assert!(ran.code == 0 && ran.stdout.contains("denied by rule `ledger`"), "{}", ran.stdout);
    assert!(ran.stderr.contains("ledger exists, and is not a directory") && !ran.stderr.contains("limits confirm"), "{}", ran.stderr);
}

#[test]
fn nothing_to_tell_of_is_said_in_one_line() {
    let desk = desk();
    desk.write("none.toml", "name = \"none\"\ncomponent = \"probe.wasm\"");
    for command in ["wallet address", "wallet show", "limits show", "limits confirm"] {
        let told = desk.run(&format!("{command} none.toml --config strongroom.toml"));

        assert_eq!((told.code, told.stdout.as_str(), told.stderr.lines().count()), (0, "", 1), "{command}: {}", told.stderr);
        assert!(told.stderr.starts_with("none.toml: the manifest has no signer"), "{command}: {}", told.stderr);
    }

    // A wallet that may spend nothing.
    let manifest = std::fs::read_to_string(desk.path("agent.toml")).unwrap();
    desk.write("agent.toml", manifest.split("[[signers.wallet.limit]]").next().unwrap());
    import(&desk, KEY);
    let shown = desk.run("limits show agent.toml --config strongroom.toml").stdout;
    assert!(shown.ends_with("\n  no limit of the manifest names an asset, so nothing can be spent\n"), "{shown}");
}

#[test]
fn a_key_of_another_purpose_is_named_with_its_signer() {
    let desk = desk();
    import(&desk, KEY);
    assert_eq!(desk.run("limits confirm agent.toml --config strongroom.toml").code, 0);
    desk.write(
        "other.toml",
        "name = \"probe-1\"\ncomponent = \"probe.wasm\"\n[signers.feed]\nfrom = \"file:probe-1/wallet\"\nuse = \"digest\"\n",
    );

    let refused = desk.run("limits confirm other.toml --config strongroom.toml");

    assert!(refused.code != 0 && refused.stderr.contains("signer `feed`") && refused.stderr.contains("wallet"), "{}", refused.stderr);
}
