//! A host that was taken over, and a party that was: nothing is signed beyond the limits.

use crate::fixture::{ETH, KEY, PATIENCE, RECIPIENT, Wallet, manifest, payment, verify};
use crate::links::Weather;
use alloy_primitives::U256;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use strongroom_core::policy::AssetId;
use strongroom_mpc::link::{Doorkeeper, Greeting, millis};
use strongroom_mpc::says::Request;
use strongroom_mpc_party::judge::Judged;
use strongroom_mpc_party::ledger::{SignedEntry, Standing};
use strongroom_mpc_party::peers::{Ask, NoAnswer, Peers, Purpose, Reply};
use strongroom_mpc_party::shares::Made;
use strongroom_mpc_party::trio::Trio;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What a payment of a tenth of an ETH counts: with its fee.
const COUNTED: u128 = ETH / 10 + 21_000 * 2_000_000_000;

/// Payments that were signed, by nonce.
type Signed = BTreeMap<u64, u128>;

/// Has payments signed with a party in the lead until two in a row are not.
async fn drain(wallet: &Wallet, party: usize, nonces: &mut u64, signed: &mut Signed) {
    let mut misses = 0;
    while misses < 2 {
        misses = if pay(wallet, party, nonces, signed).await { 0 } else { misses + 1 };
    }
}

/// Has a payment signed with a party in the lead, if it is.
async fn pay(wallet: &Wallet, party: usize, nonces: &mut u64, signed: &mut Signed) -> bool {
    *nonces += 1;
    let (transaction, request) = payment(*nonces, ETH / 10);
    let made = wallet.sign(party, request).await;
    if let Ok(made) = &made {
        verify(&wallet.key().await, &transaction, made);
        signed.insert(*nonces, COUNTED);
    }
    made.is_ok()
}

/// Has each two compare their ledgers, as they do once after either has started: what comes later has to be had in another way.
async fn acquainted(wallet: &Wallet, nonces: &mut u64) {
    for party in 0..3 {
        *nonces += 1;
        let until = Instant::now() + PATIENCE;
        // On a machine that is busy a presignature may take longer than a request waits for it.
        while let Err(failure) = wallet.sign(party, payment(*nonces, 1).1).await {
            assert!(Instant::now() < until, "{failure:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_cuts_and_rotates_pairs_stays_within_the_limit() {
    let wallet = Wallet::open("1").await;
    let (mut nonces, mut signed) = (0, Signed::new());
    acquainted(&wallet, &mut nonces).await;

    // Each pair in turn believes that the third is down. The first leads none: what it begins later brings nobody what came before.
    for pair in [(1, 0), (1, 2), (2, 0)] {
        let third = 3 - pair.0 - pair.1;
        wallet.between(pair.0, third, Weather::Cut);
        wallet.between(pair.1, third, Weather::Cut);
        wallet.reach_each_other(pair.0, pair.1).await;
        // A third of the limit each: each ledger has two thirds of it then.
        for _ in 0..3 {
            pay(&wallet, pair.0, &mut nonces, &mut signed).await;
        }
        wallet.between(pair.0, third, Weather::Fair);
        wallet.between(pair.1, third, Weather::Fair);
    }
    let apart: u128 = signed.values().sum();
    // All is restored; it rotates again.
    for party in [0, 1, 2, 0] {
        wallet.reachable().await;
        drain(&wallet, party, &mut nonces, &mut signed).await;
    }
    let total: u128 = signed.values().sum();

    assert!(apart > ETH / 2, "the attack does something: {apart}");
    assert!(total <= ETH, "{total} wei were signed for a limit of {ETH}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_cuts_restores_and_cuts_another_stays_within_the_limit() {
    let wallet = Wallet::open("1").await;
    let (mut nonces, mut signed) = (0, Signed::new());

    for _ in 0..2 {
        for cut in 0..3 {
            let others: Vec<_> = (0..3).filter(|other| *other != cut).collect();
            others.iter().for_each(|other| wallet.between(cut, *other, Weather::Cut));
            drain(&wallet, others[0], &mut nonces, &mut signed).await;
            others.iter().for_each(|other| wallet.between(cut, *other, Weather::Fair));
            wallet.reachable().await;
            let (_, request) = payment(nonces + 1, 1);
            nonces += 1;
            let _ = wallet.sign(cut, request).await;
        }
    }

    let total: u128 = signed.values().sum();
    assert!(total <= ETH, "{total} wei were signed for a limit of {ETH}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_asks_pairs_at_the_same_time_stays_within_the_limit() {
    let wallet = Wallet::open("1").await;
    let key = wallet.key().await;
    let nonces = AtomicU64::new(0);
    let signed = Mutex::new(Signed::new());
    let pay = async |party: usize| {
        for _ in 0..3 {
            let nonce = nonces.fetch_add(1, Ordering::Relaxed);
            let (transaction, request) = payment(nonce, ETH / 10);
            if let Ok(made) = wallet.sign(party, request).await {
                verify(&key, &transaction, &made);
                signed.lock().expect("payments").insert(nonce, COUNTED);
            }
        }
    };

    // The two that can't talk to each other lead at the same time, each with the third; then two others do.
    for (one, other) in [(0, 1), (1, 2), (2, 0)] {
        wallet.between(one, other, Weather::Cut);
        tokio::join!(pay(one), pay(other));
        wallet.between(one, other, Weather::Fair);
    }
    wallet.reachable().await;
    tokio::join!(pay(0), pay(1), pay(2));
    let (mut nonces, mut signed) = (nonces.into_inner(), signed.into_inner().expect("payments"));
    for party in 0..3 {
        drain(&wallet, party, &mut nonces, &mut signed).await;
    }

    let total: u128 = signed.values().sum();
    assert!(total <= ETH, "{total} wei were signed for a limit of {ETH}");
    assert!(total > ETH / 2, "the attack does something: {total}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_asks_all_parties_at_once_stays_within_the_limit() {
    let wallet = Wallet::open("1").await;
    let key = wallet.key().await;

    // Each room is looked at before any of the others is used up.
    let asked = (0..15_u64).map(|nonce| {
        let (wallet, (transaction, request)) = (&wallet, payment(nonce, ETH / 10));
        async move { Some((transaction, wallet.sign(usize::try_from(nonce % 3).expect("a party"), request).await.ok()?)) }
    });
    let made: Vec<_> = futures_util::future::join_all(asked).await.into_iter().flatten().collect();
    made.iter().for_each(|(transaction, made)| verify(&key, transaction, made));
    let mut signed = made.len() as u128 * COUNTED;
    assert!(signed <= ETH, "{signed} wei were signed for a limit of {ETH}");

    let (mut nonces, mut later) = (15, Signed::new());
    for party in 0..3 {
        drain(&wallet, party, &mut nonces, &mut later).await;
    }
    signed += later.values().sum::<u128>();
    assert!(signed <= ETH, "{signed} wei were signed for a limit of {ETH}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_have_signed_alone_counts_with_a_third_that_grants_less() {
    for leader in [0, 1] {
        let mut wallet = Wallet::open("3").await;
        wallet.amend(0, "agent.toml", |text| text.replace("day = \"3\"", "day = \"1\""));
        wallet.reachable().await;
        let (mut nonces, mut signed) = (0, Signed::new());
        acquainted(&wallet, &mut nonces).await;

        // The two that grant more sign as much as the first grants in all, and it hears nothing of it.
        wallet.between(0, 1, Weather::Cut);
        wallet.between(0, 2, Weather::Cut);
        for _ in 0..10 {
            assert!(pay(&wallet, 2, &mut nonces, &mut signed).await, "two are enough");
        }
        wallet.between(0, 1, Weather::Fair);
        wallet.reach_each_other(0, 1).await;
        wallet.between(1, 2, Weather::Cut);

        // It has what it lacks before it acts, whether it leads or is the partner, and takes no part.
        let failure = wallet.sign(leader, payment(nonces + 1, ETH / 10).1).await.expect_err("its limit is used up");
        assert!(failure.line().contains("alpha: more of 31337:native than"), "{failure:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_with_a_policy_of_its_own_gets_nothing_beyond_the_others() {
    let mut wallet = Wallet::open("1").await;
    let lax = manifest("1000").replace(RECIPIENT, &format!("{RECIPIENT}\", \"0x00000000000000000000000000000000deadbeef"));
    wallet.amend(0, "agent.toml", |_| lax);
    let (mut nonces, mut signed) = (0, Signed::new());

    let (_, to_another) = crate::fixture::payment_to("0x00000000000000000000000000000000deadbeef", 0, ETH / 10);
    wallet.sign(0, to_another).await.expect_err("the other two refuse");
    for party in [0, 1, 2, 0] {
        drain(&wallet, party, &mut nonces, &mut signed).await;
    }

    let total: u128 = signed.values().sum();
    assert!(total <= ETH, "{total} wei were signed for a limit of {ETH}");
    assert!(total > ETH / 2, "it signs what all grant: {total}");
}

/// A party that was taken over: it has its identity, and says what it likes.
pub struct TakenOver {
    trio: Arc<Trio>,
    peers: Arc<Peers>,
    listening: tokio::task::JoinHandle<()>,
}

impl Drop for TakenOver {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// What it answers.
type Answers = fn(Ask) -> serde_json::Value;

impl TakenOver {
    /// Takes the first party's place, and says that its ledger is empty.
    async fn new(wallet: &mut Wallet) -> Self {
        wallet.kill(0);
        let answers = |ask| {
            let empty = Standing { counts: [0; 3], heads: Default::default(), alone: [0; 3] };
            let reply = match ask {
                Ask::Standing => Reply::Standing(Box::new(empty)),
                _ => Reply::Refused("it was taken over".to_owned()),
            };
            serde_json::to_value(reply).expect("text and numbers")
        };
        Self::at(wallet, 0, answers, false).await
    }

    /// Takes the place of a party that is down, answers what is none or what it was asked itself, and asks the others what it was asked.
    pub async fn garbling(wallet: &Wallet, party: usize) -> Self {
        let answers = |ask| match &ask {
            Ask::Standing => serde_json::json!({"standing": {"counts": [9, 9], "heads": "all", "alone": null}}),
            Ask::Propose(_) => serde_json::json!({"fits": [format!("0x{}", "00".repeat(32)), []]}),
            Ask::Begin(_) => serde_json::json!({"number": "../.."}),
            _ => serde_json::to_value(ask).expect("text and numbers"),
        };
        Self::at(wallet, party, answers, true).await
    }

    async fn at(wallet: &Wallet, party: usize, answers: Answers, echoes: bool) -> Self {
        let trio = wallet.trio(party);
        let at = |party: usize| {
            let index = trio.named(crate::fixture::NAMES[party]).expect("a party");
            (index, wallet.parties[party].as_ref().expect("it runs").address)
        };
        let addresses: Vec<_> = (0..3).filter(|other| *other != party).map(at).collect();
        let peers = Arc::new(Peers::new(Arc::clone(&trio), "taken over".to_owned(), &addresses, Box::new(|_| {})));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        wallet.lead_to(party, listener.local_addr().expect("an address"));
        let others = trio.others();
        let door = Arc::new(Doorkeeper::new(&trio.own, &others.map(|party| trio.card(party).clone())).expect("a door"));
        let (hash, asking) = (trio.hash.clone(), Arc::clone(&peers));
        let listening = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                let (door, greeting, peers) = (Arc::clone(&door), Greeting::now("taken over", &hash), Arc::clone(&asking));
                connections.spawn(async move {
                    let Ok(mut link) = door.admit(tcp, greeting).await else { return };
                    while let Ok(Some(ask)) = link.heard::<Ask>().await {
                        if link.answer(&answers(ask.clone())).await.is_err() {
                            return;
                        }
                        if echoes {
                            for party in others {
                                let _ = peers.ask(party, &ask).await;
                            }
                        }
                    }
                });
            }
        });
        Self { trio, peers, listening }
    }

    fn party(&self, name: &str) -> usize {
        self.trio.named(name).expect("a party")
    }

    async fn ask(&self, name: &str, ask: Ask) -> Result<Reply, NoAnswer> {
        self.peers.ask(self.party(name), &ask).await
    }

    /// The first entry of its chain, for a payment, with what it says to spend.
    fn first(&self, nonce: u64, spends: u128) -> (SignedEntry, Request) {
        let (transaction, request) = payment(nonce, ETH / 10);
        let spends = vec![(AssetId::new(31_337, None), U256::from(spends))];
        let judged = Judged { digest: transaction.signing_hash(), spends, nonce: Some((31_337, nonce)), lines: Vec::new() };
        (SignedEntry::begin(&self.trio, 1, String::new(), millis(), &request, &judged), request)
    }
}

fn refusal(answer: Result<Reply, NoAnswer>) -> String {
    match answer {
        Err(NoAnswer::Refused(why)) => why,
        other => panic!("it is not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_that_tells_two_things_is_not_signed_with() {
    let mut wallet = Wallet::open("1").await;
    let taken = TakenOver::new(&mut wallet).await;
    let (decoy, _) = taken.first(7, 1);
    let (real, request) = taken.first(8, COUNTED);

    assert!(matches!(taken.ask("gamma", Ask::Take(vec![decoy])).await, Ok(Reply::Done)));
    let reserve = Ask::Reserve { entry: Box::new(real.clone()), request: Box::new(request) };
    assert!(matches!(taken.ask("beta", reserve).await, Ok(Reply::Reserved(_))));
    let sign = Ask::Sign { entry: real.entry.hash(), presignature: "any".to_owned(), third: None };
    let why = refusal(taken.ask("beta", sign).await);

    assert!(why.contains("two entries 1 of `alpha`"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_entry_says_is_what_its_request_does() {
    let mut wallet = Wallet::open("1").await;
    let taken = TakenOver::new(&mut wallet).await;
    let (cheap, request) = taken.first(8, 1);
    let reserve = |entry: SignedEntry, request: &Request| Ask::Reserve { entry: Box::new(entry), request: Box::new(request.clone()) };

    let why = refusal(taken.ask("beta", reserve(cheap, &request)).await);
    assert!(why.contains("as it is decoded here"), "{why}");

    let (mut altered, request) = taken.first(8, COUNTED);
    altered.entry.time += 1;
    let why = refusal(taken.ask("beta", reserve(altered, &request)).await);
    assert!(why.contains("`alpha` has not signed it"), "{why}");

    let (mut of_another, request) = taken.first(8, COUNTED);
    of_another.entry.origin = taken.party("gamma");
    let why = refusal(taken.ask("beta", reserve(of_another, &request)).await);
    assert!(why.contains("`gamma` has not signed it"), "{why}");

    let (mut large, _) = taken.first(8, COUNTED);
    large.entry.agent = "a".repeat(300);
    let why = refusal(taken.ask("beta", Ask::Take(vec![large])).await);
    assert!(why.contains("larger than any entry"), "{why}");

    let sign = Ask::Sign { entry: "never reserved".to_owned(), presignature: "any".to_owned(), third: None };
    let why = refusal(taken.ask("beta", sign).await);
    assert!(why.contains("nothing was reserved"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_adopted_by_all_three_words_and_never_replaced() {
    let mut wallet = Wallet::open("1").await;
    let taken = TakenOver::new(&mut wallet).await;
    let forged = |key: &str| Made { key: key.to_owned(), run: "run".to_owned(), public: "02".repeat(33), words: vec![String::new(); 3] };

    for key in [KEY, "another"] {
        let why = refusal(taken.ask("beta", Ask::Adopt(forged(key))).await);
        assert!(why.contains("not all three parties"), "{why}");
    }
    let why = refusal(taken.ask("beta", Ask::Begin(Purpose::Key(KEY.to_owned()))).await);
    assert!(why.contains("there is a key"), "{why}");
    for name in ["../key", "", "a/b", "A"] {
        refusal(taken.ask("beta", Ask::Begin(Purpose::Key(name.to_owned()))).await);
        refusal(taken.ask("beta", Ask::Word(name.to_owned(), "run".to_owned())).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn presignatures_are_begun_by_who_leads_with_them() {
    let mut wallet = Wallet::open("1").await;
    let taken = TakenOver::new(&mut wallet).await;
    let [beta, gamma] = ["beta", "gamma"].map(|name| taken.party(name));
    let purpose = Purpose::Presignature(beta, gamma, KEY.to_owned());
    let mut numbers = Vec::new();
    for (party, name) in [(beta, "beta"), (gamma, "gamma")] {
        let Ok(Reply::Number(number)) = taken.ask(name, Ask::Begin(purpose.clone())).await else { panic!("no number") };
        numbers.push((party, number));
    }
    numbers.sort_unstable();

    let why = refusal(taken.ask("gamma", Ask::Start { purpose, numbers }).await);

    assert!(why.contains("begun by the party that is to lead"), "{why}");
}
