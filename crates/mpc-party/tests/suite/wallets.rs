//! What a wallet of three parties does when all is well, and where its key is: nowhere.

use crate::fixture::{ETH, KEY, RECIPIENT, Wallet, payment, payment_to, verify};
use cggmp21::generic_ec::{Scalar, SecretScalar};
use cggmp21::key_share::{DirtyIncompleteKeyShare, Validate};
use cggmp21::supported_curves::Secp256k1;
use k256::ecdsa::{SigningKey, VerifyingKey};
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use strongroom_ground::text::hex;
use strongroom_mpc::says::{Answer, FailureKind, Question, What};

#[tokio::test(flavor = "multi_thread")]
async fn each_pair_signs_and_a_chain_takes_it() {
    let wallet = Wallet::open("1").await;
    let key = wallet.key().await;

    for party in 0..3 {
        let (transaction, request) = payment(party as u64, ETH / 100);
        let signed = wallet.sign(party, request).await.expect("it is signed");

        verify(&key, &transaction, &signed);
        assert_eq!(signed.unacknowledged, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_again_spends_nothing_again() {
    let wallet = Wallet::open("0.18").await;
    let key = wallet.key().await;
    let (transaction, request) = payment(0, ETH / 10);

    for party in [0, 0, 1, 2] {
        let signed = wallet.sign(party, request.clone()).await.expect("it is signed");
        verify(&key, &transaction, &signed);
    }
    let (_, mut other) = payment(1, ETH / 100);
    other.idempotency = request.idempotency;
    let failure = wallet.sign(1, other).await.expect_err("the idempotency key stands for something else");
    assert_eq!(failure.kind, FailureKind::Refused, "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_refuses_what_its_own_manifest_does_not_grant() {
    let wallet = Wallet::open("1").await;
    let (_, to_another) = payment_to("0x00000000000000000000000000000000deadbeef", 0, ETH / 10);
    let (_, mut of_another) = payment(1, ETH / 10);
    of_another.agent = "stranger".to_owned();
    let (_, mut message) = payment(2, 1);
    message.what = What::Message(hex(b"hello"));
    let (_, mut garbage) = payment(3, 1);
    garbage.what = What::Transaction("02c0".to_owned());
    let (_, too_much) = payment(4, 2 * ETH);

    for (what, request) in
        [("recipient", to_another), ("agent", of_another), ("message", message), ("garbage", garbage), ("value", too_much)]
    {
        let failure = wallet.sign(0, request).await.expect_err(what);
        assert_eq!(failure.kind, FailureKind::Refused, "{what}: {failure:?}");
    }
    let (transaction, request) = payment(5, ETH / 10);
    verify(&wallet.key().await, &transaction, &wallet.sign(0, request).await.expect(RECIPIENT));
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_presignatures_are_kept_as_the_rates_let_come_at_once() {
    let mut wallet = Wallet::open("1").await;
    wallet.write(0, "party.toml", |text| text.replace("presignatures = 2\n", ""));
    wallet.amend(0, "agent.toml", |text| text.replace("6000/min", "3/min"));
    wallet.reachable().await;
    // Nobody has asked for any yet.
    wallet.has_presignatures(0, [1, 1]).await;

    for nonce in 0..2 {
        let (_, request) = payment(nonce, ETH / 100);
        wallet.sign(0, request).await.expect("it is signed");
        // A fourth of them, rounded up, with the one who signs where the first is down.
        wallet.has_presignatures(0, [3, 1]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parties_disagree_in_words() {
    let mut wallet = Wallet::open("1").await;
    for party in [1, 2] {
        wallet.amend(party, "agent.toml", |text| text.replace(RECIPIENT, "0x00000000000000000000000000000000deadbeef"));
    }
    let (_, request) = payment(0, ETH / 10);

    let failure = wallet.sign(0, request).await.expect_err("two of three refuse");

    assert_eq!(failure.kind, FailureKind::Refused, "{failure:?}");
    let names: Vec<_> = failure.saw.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"beta") && names.contains(&"gamma"), "{failure:?}");
    assert!(failure.saw.iter().all(|(_, saw)| saw.contains("recipient")), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_process_and_no_disk_has_the_key_or_two_shares() {
    let wallet = Wallet::open("1").await;
    let key = wallet.key().await;
    for nonce in 0..3 {
        let (_, request) = payment(nonce, ETH / 100);
        wallet.sign(nonce as usize, request).await.expect("it is signed");
    }

    let shares = [0, 1, 2].map(|party| share(&wallet, party));
    let whole = rebuilt(&shares);
    assert_eq!(VerifyingKey::from(&SigningKey::from_slice(&whole).expect("a key")), key, "three shares are the key");
    for party in 0..3 {
        let places = places(&wallet, party);
        assert!(holds(&places, &bytes(&shares[party])), "a party's own share is found: the search finds what is there");
        assert!(!holds(&places, &whole), "the key is at party {party}");
        for other in (0..3).filter(|other| *other != party) {
            assert!(!holds(&places, &bytes(&shares[other])), "the share of party {other} is at party {party}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_is_taken_back_by_its_own_party_alone() {
    use age::secrecy::ExposeSecret;
    let mut wallet = Wallet::open("1").await;
    let away = age::x25519::Identity::generate();
    for party in [0, 1] {
        wallet.amend(party, "party.toml", |text| format!("backup = \"{}\"\n{text}", away.to_public()));
    }
    let key = || KEY.to_owned();
    let Ok(Answer::Sealed(sealed)) = wallet.ask(0, &Question::Backup { key: key() }).await else { panic!("no backup") };
    let Ok(Answer::Failed(failure)) = wallet.ask(2, &Question::Backup { key: key() }).await else { panic!("a backup for nobody") };
    assert!(failure.line().contains("`backup`"), "{failure:?}");

    for party in [0, 1] {
        wallet.kill(party);
        fs::remove_file(wallet.directories[party].join(format!("state/key-{KEY}.age"))).expect("the share is lost");
        wallet.write(party, "unlock.txt", |own| format!("{}\n{}\n", own.trim(), away.to_string().expose_secret()));
        wallet.start(party);
    }
    let restore = Question::Restore { key: key(), sealed };
    let Ok(Answer::Failed(failure)) = wallet.ask(1, &restore).await else { panic!("another's share was taken") };
    assert!(failure.line().contains("another party"), "{failure:?}");
    assert_eq!(wallet.ask(0, &restore).await, Ok(Answer::Done));
    let Ok(Answer::Failed(failure)) = wallet.ask(0, &restore).await else { panic!("a share was overwritten") };
    assert!(failure.line().contains("nothing is overwritten"), "{failure:?}");

    wallet.kill(1);
    let (transaction, request) = payment(0, ETH / 100);
    verify(&wallet.key().await, &transaction, &wallet.sign(0, request).await.expect("it signs again"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_opens_the_shares_where_no_file_does() {
    let mut wallet = Wallet::open("1").await;
    wallet.kill(0);
    let home = wallet.directories[0].clone();
    fs::rename(home.join("unlock.txt"), home.join("elsewhere")).expect("it is kept elsewhere");
    let program = home.join("unlock.sh");
    let shown = program.display();
    let check = |script: &str, mode: u32, table: &str| {
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("a program");
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).expect("its mode");
        wallet.write(0, "party.toml", |text| {
            let line = |line: &str| if line.starts_with("unlock") { format!("unlock = {{ {table} }}") } else { line.to_owned() };
            text.lines().map(line).collect::<Vec<_>>().join("\n")
        });
        let checked = Command::new(env!("CARGO_BIN_EXE_strongroom-mpc-party"))
            .args(["check", "--config"])
            .arg(home.join("party.toml"))
            .env("PASSED", "passed")
            .env("KEPT", "kept")
            .output()
            .expect("it runs");
        let said = [checked.stdout, checked.stderr].concat();
        (checked.status.success(), String::from_utf8(said).expect("text"))
    };

    let table = format!("command = [\"{shown}\", \"treasury\"]");
    let prints = "[ \"$1\" = treasury ] && [ -z \"$KEPT$PASSED\" ] && echo '# of the vault' && cat \"${0%/*}/elsewhere\"";
    let passed = prints.replace("-z \"$KEPT$PASSED\"", "\"$KEPT$PASSED\" = passed");
    let wrong = [
        ("exit 3", 0o700, table.clone(), "exit status: 3"),
        ("echo hello", 0o700, table.clone(), "no identity of age"),
        ("sleep 600 & sleep 600", 0o700, format!("{table}, timeout = \"1s\""), "was killed"),
        ("exec >&-; sleep 600", 0o700, format!("{table}, timeout = \"1s\""), "was killed"),
        ("head -c 70000 /dev/zero", 0o700, table.clone(), "more than 65536 bytes"),
        (prints, 0o722, table.clone(), "others can change it"),
        (prints, 0o600, table.clone(), "is no program"),
        (prints, 0o700, "command = [\"unlock.sh\"]".to_owned(), "no absolute path"),
        (prints, 0o700, "command = []".to_owned(), "is empty"),
        (prints, 0o700, format!("{table}, timeout = \"soon\""), "as in `30s`"),
        (prints, 0o700, format!("{table}, shell = true"), "`unlock` is a path, or a table"),
        (&passed, 0o700, format!("{table}, pass_env = [\"MISSING\"]"), "is not set"),
    ];
    for (script, mode, table, says) in wrong {
        let (is_right, said) = check(script, mode, &table);
        assert!(!is_right && said.contains(says), "{script} {table}: {said}");
    }
    let (is_right, said) = check(&passed, 0o700, &format!("{table}, pass_env = [\"PASSED\"]"));
    assert!(is_right, "{said}");
    let (is_right, said) = check(prints, 0o700, &table);
    assert!(is_right, "{said}");

    wallet.start(0);
    let (transaction, request) = payment(0, ETH / 100);
    verify(&wallet.key().await, &transaction, &wallet.sign(0, request).await.expect("it signs"));
}

type Share = DirtyIncompleteKeyShare<Secp256k1>;

fn share(wallet: &Wallet, party: usize) -> Share {
    let kept: serde_json::Value =
        wallet.vault(party).kept(&format!("key-{KEY}.age"), &format!("share of `{KEY}`")).expect("it opens").expect("a share");
    let share: Share = serde_json::from_value(kept["share"].clone()).expect("a share");
    share.is_valid().expect("it is one");
    share
}

fn bytes(share: &Share) -> Vec<u8> {
    let secret: &SecretScalar<Secp256k1> = &share.x;
    let scalar: &Scalar<Secp256k1> = secret.as_ref();
    scalar.to_be_bytes().as_bytes().to_vec()
}

/// The key of all shares, by Lagrange's interpolation at zero.
fn rebuilt(shares: &[Share; 3]) -> Vec<u8> {
    let at: Vec<_> = shares[0].vss_setup.as_ref().expect("a threshold").I.clone();
    let one = Scalar::<Secp256k1>::one();
    let mut sum = Scalar::zero();
    for share in shares {
        let own = at[usize::from(share.i)];
        let others = at.iter().filter(|other| **other != own);
        let weight = others.fold(one, |weight, other| weight * other * (*other - own).invert().expect("they differ"));
        let secret: &SecretScalar<Secp256k1> = &share.x;
        sum += weight * secret;
    }
    sum.to_be_bytes().as_bytes().to_vec()
}

/// All memory of a party's process, and all files of its directory. Nothing of the process is elsewhere, on a disk for swap.
fn places(wallet: &Wallet, party: usize) -> Vec<Vec<u8>> {
    let process = wallet.parties[party].as_ref().expect("it runs").id();
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("its status");
    let swapped = status.lines().find_map(|line| line.strip_prefix("VmSwap:")).expect("what is swapped out");
    assert_eq!(swapped.trim(), "0 kB", "a part of its memory is not searched; run this without swap");
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).expect("its memory is mapped");
    let mut memory = fs::File::open(format!("/proc/{process}/mem")).expect("its memory can be read");
    let mut found = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let range = line.split_once(' ').and_then(|(range, _)| range.split_once('-')).expect("a range");
        let [from, to] = [range.0, range.1].map(|at| u64::from_str_radix(at, 16).expect("an address"));
        let mut bytes = vec![0; usize::try_from(to - from).expect("a length")];
        if memory.seek(SeekFrom::Start(from)).is_ok() && memory.read_exact(&mut bytes).is_ok() {
            found.push(bytes);
        }
    }
    let state = wallet.directories[party].join("state");
    found.extend(fs::read_dir(state).expect("files").map(|file| fs::read(file.expect("a file").path()).expect("a file")));
    found
}

/// Whether 32 bytes are somewhere, in either order or as digits.
fn holds(places: &[Vec<u8>], bytes: &[u8]) -> bool {
    let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
    let forms = [bytes.to_vec(), reversed, hex(bytes).into_bytes()];
    let finders: Vec<_> = forms.iter().map(memchr::memmem::Finder::new).collect();
    places.iter().any(|place| finders.iter().any(|finder| finder.find(place).is_some()))
}
