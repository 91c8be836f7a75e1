//! Keys of three parties, as a host sees them: what it asks, whom it asks next, and what it takes as a signature. The parties here are stand-ins with
//! one key; real ones, and what attackers get of them, are tried in `crates/mpc-party`.

use strongroom::alloy_primitives::hex;
use strongroom_mpc::says::{Answer, Failure, FailureKind, Question, What};
use strongroom_tests::block_on;
use strongroom_tests::fixtures::wallet::{ADDRESS, KEY, Opened, WalletFixture, coded, decoded};
use strongroom_tests::services::parties::{Behaviour, Parties, answered, digest};

const FRIEND: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
/// The key of [`FRIEND`]: the second account of the development phrase.
const FRIENDS_KEY: &str = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
const TRANSFER: &str = "fields chain:1 nonce:7 to:0x70997970C51812dc3A010C7d01b50e0d17dc79C8 value:1000 max:2000000000 priority:1000000000";

fn wallet(parties: &Parties) -> WalletFixture {
    let lines = format!(
        "[signers.wallet]\nfrom = \"mpc:probe-1\"\nchains = [1]\nrecipients = [\"{FRIEND}\"]\nmessages = [\"hello [a-z]+\"]\n\
         [[signers.wallet.limit]]\nasset = \"ETH\"\nchain = 1\nday = \"5\"\n[[signers.wallet.delegate]]\nchain = 1\naddress = \"{FRIEND}\"\n"
    );
    WalletFixture::with(&lines).config(&parties.table())
}

fn honest(question: &Question) -> Option<Answer> {
    Some(answered(question, &KEY[2..]))
}

/// Honest about the key, and this when it is asked to sign.
macro_rules! signs {
    ($answer:expr) => {
        |question| if let Question::Sign(_) = question { $answer } else { honest(question) }
    };
}

fn failed(kind: FailureKind) -> Option<Answer> {
    Some(Answer::Failed(Failure::of(kind, "alpha", "its own words")))
}

fn liar(question: &Question) -> Option<Answer> {
    Some(answered(question, FRIENDS_KEY))
}

/// Why an agent is not loaded, or its key is not taken.
fn refused(fixture: WalletFixture) -> String {
    let confirmed = fixture.load().map(|opened| block_on(opened.agent.confirm_signers()).map_err(|error| error.to_string()));
    confirmed.and_then(|confirmed| confirmed.map(drop)).expect_err("it is refused")
}

fn signed(opened: &Opened, operation: &str) -> bool {
    opened.sign(operation).split_once(' ').is_some_and(|(raw, _)| decoded(raw).first() == Some(&2))
}

#[test]
fn the_parties_hear_what_was_permitted_and_never_a_digest() {
    let parties = Parties::start([honest; 3]);
    let opened = wallet(&parties).open();

    assert!(opened.sign("address").starts_with(ADDRESS));
    assert!(signed(&opened, TRANSFER));
    let _ = opened.sign(&format!("message {}", coded("hello world")));
    let _ = opened.sign(&format!("authorization 1 {FRIEND} 5"));
    let denied = opened.sign(&TRANSFER.replace("value:1000", "value:6000000000000000000"));

    assert!(denied.contains("`spend`"), "{denied}");
    let requests = parties.requests();
    assert_eq!(requests.len(), 3, "what is denied is not asked for");
    assert!(requests.iter().all(|(party, request)| *party == 0 && request.agent == "probe-1" && request.key == "probe-1"));
    assert!(matches!(requests[0].1.what, What::Transaction(_)));
    assert_eq!(requests[1].1.what, What::Message(hex::encode("hello world")));
    assert_eq!(requests[2].1.what, What::Authorization("1".into(), FRIEND.into(), "5".into()));
    let digests: Vec<_> = opened.records("signed").iter().map(|record| record["digest"].as_str().unwrap().to_owned()).collect();
    let asked: Vec<_> = requests.iter().map(|(_, request)| hex::encode(digest(&request.what))).collect();
    assert_eq!(digests, asked);
}

#[test]
fn the_next_party_is_asked_under_the_same_idempotency_key() {
    let first: [(&str, Behaviour); 6] = [
        ("refuses", signs!(failed(FailureKind::Refused))),
        ("disagrees", signs!(failed(FailureKind::Disagreed))),
        ("can't", signs!(failed(FailureKind::Unavailable))),
        ("hangs up", signs!(None)),
        ("signs with another key", |question| match question {
            Question::Sign(_) => liar(question),
            _ => honest(question),
        }),
        ("answers something else", signs!(Some(Answer::Done))),
    ];
    for (what, first) in first {
        let parties = Parties::start([first, honest, honest]);
        let opened = wallet(&parties).open();

        assert!(signed(&opened, TRANSFER), "{what}");

        let requests = parties.requests();
        let last = requests.last().expect("a request");
        assert_eq!((requests[0].0, last.0), (0, 1), "{what}");
        assert!(requests.iter().all(|(_, request)| request.idempotency == last.1.idempotency), "{what}");
        assert!(last.1.idempotency.starts_with("host:"), "{what}");
    }
}

#[test]
fn the_agents_own_idempotency_key_is_shared_with_the_parties() {
    let parties = Parties::start([honest; 3]);
    let opened = wallet(&parties).open();

    let _ = opened.sign(&format!("{TRANSFER} key:once"));

    assert_eq!(parties.requests()[0].1.idempotency, "agent:once");
}

#[test]
fn what_no_party_signs_is_told_by_what_is_known_of_it() {
    type Case = (&'static str, [Behaviour; 3], bool, &'static str);
    let cases: [Case; 4] = [
        ("all refuse", [signs!(failed(FailureKind::Refused)); 3], false, "refused (alpha: its own words)"),
        ("none can", [signs!(failed(FailureKind::Unavailable)); 3], false, "not enough parties can sign"),
        ("one has hung up", [signs!(failed(FailureKind::Refused)), signs!(None), signs!(failed(FailureKind::Refused))], true, "hung up"),
        ("one knows not", [signs!(failed(FailureKind::Unknown)), signs!(failed(FailureKind::Refused)), signs!(None)], true, "not known"),
    ];
    for (what, behaviours, spent, says) in cases {
        let parties = Parties::start(behaviours);
        let opened = wallet(&parties).open();

        let _ = opened.sign(TRANSFER);

        let record = &opened.records("signer-failed")[0];
        assert_eq!(record["spent"], spent, "{what}: {record}");
        assert!(record["reason"].as_str().unwrap().contains(says), "{what}: {record}");
    }
}

#[test]
fn a_ceiling_on_keys_in_this_process_is_none_on_theirs() {
    let ceiling = "[signing]\nhot_limit = { ETH = \"1\" }\n";
    let here = wallet(&Parties::start([honest; 3])).amended(|manifest, config| {
        *manifest = manifest.replace("mpc:probe-1", "static:WALLET");
        *config = format!("{ceiling}{config}");
    });
    let refused = refused(here);
    assert!(refused.contains("`signing.hot_limit` allows 1"), "{refused}");

    let parties = Parties::start([honest; 3]);
    let opened = wallet(&parties).amended(|_, config| *config = format!("{ceiling}{config}")).open();
    assert!(signed(&opened, &TRANSFER.replace("value:1000", "value:2000000000000000000")));
}

#[test]
fn two_parties_have_to_name_the_same_key() {
    let parties = Parties::start([liar, honest, honest]);
    assert!(wallet(&parties).open().sign("address").starts_with(ADDRESS), "one lies");

    let parties = Parties::start([liar, honest, |_| None]);
    let refused = refused(wallet(&parties));
    assert!(refused.contains("no two parties name the same key"), "{refused}");
}

#[test]
fn a_manifest_names_its_own_key_for_a_wallet() {
    let parties = Parties::start([honest; 3]);
    let of_another = wallet(&parties).amended(|manifest, _| *manifest = manifest.replace("mpc:probe-1", "mpc:other"));
    let of_another = refused(of_another);
    assert!(of_another.contains("`[signing.mpc] keys` are `{agent}`"), "{of_another}");

    let digests = wallet(&parties).amended(|manifest, _| {
        *manifest =
            "name = \"probe-1\"\ncomponent = \"probe.wasm\"\n[signers.wallet]\nfrom = \"mpc:probe-1\"\nuse = \"digest\"\n".to_owned();
    });
    let refused = refused(digests);
    assert!(refused.contains("what they can't judge"), "{refused}");
}

#[test]
fn a_card_of_another_is_not_spoken_to() {
    let parties = Parties::start([honest; 3]);
    for party in 0..3 {
        let other = strongroom_mpc::Identity::fresh(["alpha", "beta", "gamma"][party], Some("127.0.0.1:1".parse().unwrap())).unwrap();
        let mut card: strongroom_mpc::Card = toml::from_str(&std::fs::read_to_string(parties.card(party)).unwrap()).unwrap();
        card.certificate = other.card.certificate;
        std::fs::write(parties.card(party), toml::to_string(&card).unwrap()).unwrap();
    }

    let refused = refused(wallet(&parties));

    assert!(refused.contains("its certificate is not the one on its card"), "{refused}");
}
