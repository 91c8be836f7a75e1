//! All that may go wrong between three machines, one after the other, while signatures are asked for: none is wrong, none is lost, no number comes
//! twice, and two honest parties that can talk go on.

use crate::attacks::TakenOver;
use crate::chain::Chain;
use crate::fixture::{NAMES, RECIPIENT, Wallet, payment, verify};
use crate::links::Weather;
use crate::network::Namespaces;
use k256::ecdsa::{Signature, VerifyingKey};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;
use strongroom_ethereum::signature::{Recoverable, address_of};
use strongroom_ground::text::unhex;
use strongroom_mpc::says::{FailureKind, Signed};

/// How often each party is asked before it counts as no progress.
const ROUNDS: usize = 6;
/// Signatures in each state of things.
const EACH: u64 = 2;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Fair,
    /// 200 ms on each way.
    Slow,
    /// Messages overtake each other, and are asked again because the answer is lost.
    Rough,
    /// Two of them can't talk.
    Cut(usize, usize),
    /// One is reached by nobody, and says nothing.
    Unplugged(usize),
    /// Something on the way changes what two say.
    Garbled(usize, usize),
    /// One is down, and is started again when others have signed.
    Killed(usize),
    /// One is another, with its identity: it answers garbage, and asks again what it was asked.
    TakenOver(usize),
    /// One has another policy.
    OfAnotherMind(usize),
    /// No two can talk.
    Apart,
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_signatures_through_all_that_may_go_wrong() {
    Storm::new().await.signatures(20).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "half an hour; mined where STRONGROOM_MPC_ANVIL is the path of anvil: cargo test --test suite -- --ignored a_thousand"]
async fn a_thousand_signatures_through_all_that_may_go_wrong() {
    let many = std::env::var("STRONGROOM_MPC_SIGNATURES").map_or(1_000, |text| text.parse().expect("a number"));
    Storm::new().await.signatures(many).await;
}

struct Storm {
    wallet: Wallet,
    namespaces: Option<Namespaces>,
    chain: Option<Chain>,
    key: VerifyingKey,
    /// What each number was used for.
    numbers: HashMap<String, String>,
    /// Those of all halves that any party has told of.
    halves: HashSet<String>,
    failures: BTreeMap<&'static str, u64>,
    taken: Option<TakenOver>,
    random: u64,
}

impl Storm {
    async fn new() -> Self {
        let mut wallet = Wallet::open("1000").await;
        let namespaces = Namespaces::around(&mut wallet).await;
        wallet.reachable().await;
        let key = wallet.key().await;
        let chain = Chain::start(&address_of(&key).to_string());
        let (numbers, halves, failures, taken) = Default::default();
        Self { wallet, namespaces, chain, key, numbers, halves, failures, taken, random: 1 }
    }

    async fn signatures(mut self, many: u64) {
        let began = std::time::Instant::now();
        let mut seen = BTreeMap::<String, u64>::new();
        let mut nonce = 0;
        for turn in 0.. {
            let state = self.state(turn);
            *seen.entry(format!("{state:?}")).or_default() += 1;
            self.becomes(state).await;
            if state == State::Apart {
                self.nobody_signs(nonce).await;
            } else {
                for _ in 0..EACH {
                    self.sign(nonce, state).await;
                    nonce += 1;
                }
            }
            self.ends(state).await;
            if nonce % 100 < EACH {
                println!("{nonce} signatures so far, {} s", began.elapsed().as_secs());
            }
            if nonce >= many {
                break;
            }
        }
        for party in 0..3 {
            let lines = self.wallet.kill(party);
            self.hear(&lines);
        }
        if let Some(chain) = &self.chain {
            assert_eq!(chain.count(&address_of(&self.key).to_string()), nonce, "all are mined");
        }
        let (networks, mined) = (if self.namespaces.is_some() { "in namespaces" } else { "on loopback" }, self.chain.is_some());
        println!(
            "{nonce} signatures {networks}, mined: {mined}, {} halves, {} s; refusals and failures on the way: {:?}; {seen:?}",
            self.halves.len(),
            began.elapsed().as_secs(),
            self.failures
        );
    }

    /// Each party in its turn is what is wrong.
    fn state(&mut self, turn: usize) -> State {
        let party = turn / 10 % 3;
        let other = (party + 1) % 3;
        match turn % 10 {
            0 => State::Fair,
            1 => State::Killed(party),
            2 => State::Rough,
            3 => State::Cut(party, other),
            4 => State::TakenOver(party),
            5 => State::Unplugged(party),
            6 => State::OfAnotherMind(party),
            7 => State::Garbled(party, other),
            8 => State::Slow,
            _ => State::Apart,
        }
    }

    async fn becomes(&mut self, state: State) {
        match state {
            State::Fair => {}
            State::Slow => self.everywhere(Weather::Slow(Duration::from_millis(200))),
            State::Rough => self.everywhere(Weather::Rough),
            State::Cut(one, other) => self.wallet.between(one, other, Weather::Cut),
            State::Garbled(one, other) => self.wallet.between(one, other, Weather::Garbled),
            State::Apart => self.everywhere(Weather::Cut),
            State::Killed(party) => {
                // In the middle of whatever it does.
                let moment = Duration::from_millis(self.below(300));
                let (_, request) = payment(1 << 40, 1);
                let _ = tokio::time::timeout(moment, self.wallet.sign(party, request)).await;
                let lines = self.wallet.kill(party);
                self.hear(&lines);
            }
            State::Unplugged(party) => match &self.namespaces {
                Some(namespaces) => namespaces.cable(party, false),
                None => self.around(party, Weather::Cut),
            },
            State::TakenOver(party) => {
                let lines = self.wallet.kill(party);
                self.hear(&lines);
                self.taken = Some(TakenOver::garbling(&self.wallet, party).await);
            }
            State::OfAnotherMind(party) => {
                self.restart(party, |text| text.replace(RECIPIENT, "0x00000000000000000000000000000000deadbeef"));
            }
        }
    }

    async fn ends(&mut self, state: State) {
        match state {
            State::Fair => return,
            State::Slow | State::Rough | State::Apart => self.everywhere(Weather::Fair),
            State::Cut(one, other) | State::Garbled(one, other) => self.wallet.between(one, other, Weather::Fair),
            State::Killed(party) => self.start(party),
            State::Unplugged(party) => match &self.namespaces {
                Some(namespaces) => namespaces.cable(party, true),
                None => self.around(party, Weather::Fair),
            },
            State::TakenOver(party) => {
                self.taken = None;
                self.start(party);
            }
            State::OfAnotherMind(party) => {
                self.restart(party, |text| text.replace("0x00000000000000000000000000000000deadbeef", RECIPIENT));
            }
        }
        self.wallet.reachable().await;
    }

    /// Has one signed as a host does: by the next party where one does not, under the same idempotency key.
    async fn sign(&mut self, nonce: u64, state: State) {
        let (transaction, request) = payment(nonce, 1);
        let is_there = |party: &usize| !matches!(state, State::Killed(gone) | State::TakenOver(gone) if gone == *party);
        let first = self.below(3);
        for attempt in 0..3 * ROUNDS {
            let party = (usize::try_from(first).expect("small") + attempt) % 3;
            if !is_there(&party) {
                continue;
            }
            match self.wallet.sign(party, request.clone()).await {
                Ok(signed) => {
                    verify(&self.key, &transaction, &signed);
                    assert_eq!(signed.by[0], NAMES[party]);
                    self.is_new(&signed, &request.idempotency);
                    if let Some(chain) = &self.chain {
                        let signature = Signature::from_slice(&unhex(&signed.signature).expect("digits")).expect("a signature");
                        let digest = transaction.signing_hash().0;
                        let recoverable = Recoverable::check(&signature, &digest, &self.key).expect("one of the key");
                        chain.mine(&transaction.signed(&recoverable));
                    }
                    return;
                }
                Err(failure) => {
                    assert!(!failure.saw.is_empty() && failure.saw.iter().all(|(_, saw)| !saw.is_empty()), "{state:?}: {failure:?}");
                    *self.failures.entry(name(failure.kind)).or_default() += 1;
                }
            }
        }
        panic!("{state:?}: two honest parties can talk, and nothing is signed: {:?}", self.failures);
    }

    /// No two can talk: each says so.
    async fn nobody_signs(&mut self, nonce: u64) {
        for (party, own) in NAMES.iter().enumerate() {
            let (_, request) = payment(nonce, 2);
            let failure = self.wallet.sign(party, request).await.expect_err("no two can talk");
            assert_eq!(failure.kind, FailureKind::Unavailable, "{failure:?}");
            let others = NAMES.iter().filter(|name| *name != own);
            others.for_each(|name| assert!(failure.line().contains(*name), "{failure:?}"));
        }
    }

    fn is_new(&mut self, signed: &Signed, what: &str) {
        let r = signed.signature[..64].to_owned();
        let before = self.numbers.insert(r, what.to_owned());
        assert_eq!(before, None, "a number was used twice");
    }

    fn hear(&mut self, lines: &[String]) {
        for (_, rest) in lines.iter().filter(|line| line.contains("a half for")).filter_map(|line| line.split_once("r=")) {
            let r = rest.split_whitespace().next().expect("its number").to_owned();
            assert!(self.halves.insert(r), "a number was used for two halves");
        }
    }

    fn restart(&mut self, party: usize, change: impl FnOnce(String) -> String) {
        let lines = self.wallet.kill(party);
        self.hear(&lines);
        self.wallet.write(party, "agent.toml", change);
        self.start(party);
    }

    fn start(&mut self, party: usize) {
        match &self.namespaces {
            Some(namespaces) => namespaces.start(&mut self.wallet, party),
            None => self.wallet.start(party),
        }
    }

    fn everywhere(&self, weather: Weather) {
        (0..3).for_each(|party| self.wallet.between(party, (party + 1) % 3, weather));
    }

    fn around(&self, party: usize, weather: Weather) {
        [1, 2].into_iter().for_each(|step| self.wallet.between(party, (party + step) % 3, weather));
    }

    /// Knuth's MMIX generator.
    fn below(&mut self, most: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % most
    }
}

fn name(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Unavailable => "unavailable",
        FailureKind::Refused => "refused",
        FailureKind::Disagreed => "disagreed",
        FailureKind::Unknown => "unknown",
    }
}
