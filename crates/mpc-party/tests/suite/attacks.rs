//! A host that was taken over, and a party that was: nothing is signed beyond the limits.

use crate::fixture::{ETH, KEY, RECIPIENT, Wallet, manifest, payment, verify};
use crate::links::Weather;
use alloy_primitives::U256;
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use strongroom_core::policy::AssetId;
use strongroom_mpc::link::{Doorkeeper, Greeting, millis};
use strongroom_mpc::says::Request;
use strongroom_mpc_party::judge::Judged;
use strongroom_mpc_party::ledger::{SignedEntry, Standing};
use strongroom_mpc_party::peers::{Ask, NoAnswer, Peers, Purpose, Reply};
use strongroom_mpc_party::shares::Made;
use strongroom_mpc_party::trio::Trio;
use tokio::net::TcpListener;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_cuts_and_rotates_pairs_stays_within_the_limit() {
    let wallet = Wallet::open("1").await;
    let (mut nonces, mut signed) = (0, Signed::new());

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
async fn a_party_with_a_policy_of_its_own_gets_nothing_beyond_the_others() {
    let mut wallet = Wallet::open("1").await;
    wallet.kill(0);
    let lax = manifest("1000").replace(RECIPIENT, &format!("{RECIPIENT}\", \"0x00000000000000000000000000000000deadbeef"));
    fs::write(wallet.directories[0].join("agent.toml"), lax).expect("a manifest");
    wallet.start(0);
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
struct TakenOver {
    trio: Arc<Trio>,
    peers: Peers,
}

impl TakenOver {
    /// Takes the first party's place, and says that its ledger is empty.
    async fn new(wallet: &mut Wallet) -> Self {
        wallet.kill(0);
        let trio = wallet.trio(0);
        let at = |party: usize| {
            let index = trio.named(crate::fixture::NAMES[party]).expect("a party");
            (index, wallet.parties[party].as_ref().expect("it runs").address)
        };
        let addresses = [at(1), at(2)];
        let peers = Peers::new(Arc::clone(&trio), "taken over".to_owned(), &addresses, Box::new(|_| {}));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        wallet.lead_to(0, listener.local_addr().expect("an address"));
        let others = trio.others().map(|party| trio.card(party).clone());
        let door = Arc::new(Doorkeeper::new(&trio.own, &others).expect("a door"));
        let hash = trio.hash.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (door, greeting) = (Arc::clone(&door), Greeting::now("taken over", &hash));
                tokio::spawn(async move {
                    let Ok(mut link) = door.admit(tcp, greeting).await else { return };
                    while let Ok(Some(ask)) = link.heard::<Ask>().await {
                        let empty = Standing { counts: [0; 3], heads: Default::default(), alone: [0; 3] };
                        let reply = match ask {
                            Ask::Standing => Reply::Standing(Box::new(empty)),
                            _ => Reply::Refused("it was taken over".to_owned()),
                        };
                        if link.answer(&reply).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { trio, peers }
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
