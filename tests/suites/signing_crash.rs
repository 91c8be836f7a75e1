//! Hosts that are killed while they sign: five hundred times, at whatever point they have come to.

use crate::cli::CliFixture;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use strongroom_tests::fixtures::wallet::KEY;

const FRIEND: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const KILLS: u64 = 500;
/// What may be spent in all, one unit at a time. The kills don't come so far; the last run does.
const LIMIT: u64 = 5_000;

fn desk() -> CliFixture {
    let desk = CliFixture::new(&format!(
        "[limits]\nwall = \"10m\"\ncpu = \"10m\"\noutput = \"1GiB\"\n[signers.wallet]\nfrom = \"env:WALLET\"\nrate = \"1000000/s\"\nchains = [1]\nrecipients = [\"{FRIEND}\"]\n\
         [[signers.wallet.limit]]\nasset = \"ETH\"\nchain = 1\ntotal = \"0.{LIMIT:018}\"\n"
    ));
    desk.write(
        "strongroom.toml",
        "[signing]\nledger = \"ledger\"\n[audit]\nfile = \"audit.jsonl\"\n[backends.env]\ntype = \"env\"\nfile = \"wallet.env\"\n",
    );
    desk.write("wallet.env", &format!("WALLET={KEY}\n"));
    let confirmed = desk.run("limits confirm agent.toml --config strongroom.toml");
    assert_eq!(confirmed.code, 0, "{}", confirmed.stderr);
    desk
}

/// Numbers that differ from kill to kill, and are the same in each run of the test.
fn scattered(seed: u64) -> u64 {
    let mixed = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33
}

#[test]
fn five_hundred_kills_neither_exceed_a_limit_nor_lose_what_was_reserved() {
    let desk = desk();
    let mut given = 0;

    for kill in 0..KILLS {
        let first = 1_000_000 * (kill + 1);
        let words = format!("sign-each {first} 100 wallet fields chain:1 nonce:NONCE to:{FRIEND} value:1 max:0 priority:0");
        let mut child = desk.spawn(&format!("run agent.toml --config strongroom.toml -- {}", words.replace(' ', "+")), Stdio::piped());
        // Killed after so many signatures have come out, or, by the bytes that are read of the last of them, within one.
        let mut out = BufReader::new(child.stdout.take().unwrap());
        for _ in 0..scattered(kill) % 6 {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            given += u64::from(line.starts_with("sign ") && line.ends_with('\n') && !line.contains("denied"));
        }
        child.kill().unwrap();
        given += out
            .lines()
            .map_while(Result::ok)
            .filter(|line| line.starts_with("sign ") && line.len() > 100 && !line.contains("denied"))
            .count() as u64;
        child.wait().unwrap();
    }

    let left = left(&desk);
    let log = std::fs::read_to_string(desk.path("audit.jsonl")).unwrap();
    let released = log.lines().filter(|line| line.contains("\"event\":\"signed\"")).count() as u64;
    assert!(given > KILLS / 2, "the kills came while something was signed: {given}");
    // What came out was released before; and each kill may have cost one signature that was kept and not released any more.
    let spent = LIMIT - left;
    assert!(
        given <= released && released <= spent && spent <= released + KILLS,
        "{given} came out, {released} were released, {spent} are spent"
    );
    let words = format!("sign-quietly+0+{}+wallet+chain:1+to:{FRIEND}+value:1+max:0+priority:0", left + 10);
    let last = desk.run(&format!("run agent.toml --config strongroom.toml -- {words}"));
    assert_eq!(last.stdout.trim(), format!("sign {left}"), "what is left can be signed, and not one more: {}", last.stderr);
}

/// What may still be spent, by the ledger.
fn left(desk: &CliFixture) -> u64 {
    let shown = desk.run("limits show agent.toml --config strongroom.toml");
    let (before, _) = shown.stdout.split_once(" ETH left in all").unwrap_or_else(|| panic!("{}{}", shown.stdout, shown.stderr));
    let amount = before.rsplit(' ').next().unwrap();
    let (_, decimals) = amount.split_once('.').unwrap_or((amount, "0"));
    format!("{decimals:0<18}").parse().unwrap()
}
