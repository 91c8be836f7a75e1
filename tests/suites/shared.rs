//! What hosts that act as one share, end to end: a real component asks, and what other hosts have a say in is played.

mod fakes;

use async_trait::async_trait;
use fakes::{Book, Counts, Mood, NoRoom};
use futures_util::future::Either;
use k256::ecdsa::SigningKey;
use std::sync::Arc;
use strongroom::shared::{AssetId, Refused, Reuse, SharedError, Taken, Window};
use strongroom::{Answer, Host, HostConfig, PublicKey, SignRequest, Signer, SignerBackend, SignerError, Ticket};
use strongroom_tests::fixtures::wallet::{Opened, WalletFixture, coded, decoded};
use strongroom_tests::{AgentFixture, block_on};

const FRIEND: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const MAC: &str = "use = \"hmac\"\ntemplate = \"GET /[a-z]+ [0-9]{10}\"";

fn lines() -> String {
    format!("chains = [1]\nrecipients = [\"{FRIEND}\"]\n[[signers.wallet.limit]]\nasset = \"ETH\"\nchain = 1\nday = \"5\"\n")
}

/// A host that signs by that ledger.
fn by(book: &Book) -> Opened {
    let book = book.clone();
    WalletFixture::new(&lines()).host(|builder| builder.ledger(book)).open()
}

fn pay(opened: &Opened, nonce: u64, rest: &str) -> String {
    opened.sign(&payment(nonce, rest))
}

fn payment(nonce: u64, rest: &str) -> String {
    format!("fields chain:1 nonce:{nonce} to:{FRIEND} value:7 max:0 priority:0 {rest}").trim_end().to_owned()
}

fn raw(outcome: &str) -> Vec<u8> {
    decoded(outcome.split_once(' ').unwrap_or_else(|| panic!("not signed: {outcome}")).0)
}

#[test]
fn a_signature_is_reserved_and_committed_before_it_leaves() {
    let book = Book::default();
    let opened = by(&book);
    book.feels(Mood::Waits);

    let outcome = block_on(async {
        let operations = [format!("sign wallet {}", payment(3, ""))];
        let run = std::pin::pin!(opened.signing(&operations));
        let committing = std::pin::pin!(book.committing());
        let Either::Right(((), run)) = futures_util::future::select(run, committing).await else {
            panic!("the agent has an answer before the ledger has the signature")
        };
        assert_eq!(opened.records("signed"), [] as [serde_json::Value; 0]);
        book.go();
        run.await.unwrap().remove(0)
    });

    assert_eq!(book.kept(), [raw(&outcome)]);
    let calls = book.calls();
    assert_eq!(calls[..2], ["enroll wallet", "confirm"]);
    assert_eq!(calls[2..], ["reserve probe-1 wallet 7 of 1:native Some((1, 3)) 1 limits", "commit", "spent probe-1"]);
    assert!(
        opened.records("signed")[0]["left"][0].as_str().unwrap().starts_with("ETH on chain 1: 4 ETH left within 24 hours"),
        "by the ledger's sums"
    );
}

#[test]
fn a_refused_reservation_denies() {
    let book = Book::default();
    let opened = by(&book);
    let ether = AssetId::new(1, None);
    let table = [
        (Refused::Limit { asset: ether, window: Window::Day, own: true }, "spend"),
        (Refused::Limit { asset: ether, window: Window::Total, own: false }, "spend"),
        (Refused::Hot { ceiling: "5 ETH".to_owned() }, "spend"),
        (Refused::Idempotency(Reuse::UnderWay), "idempotency"),
        (Refused::Blocked("restored from a backup".to_owned()), "ledger"),
        (Refused::Stuck("the key is kept for another purpose".to_owned()), "ledger"),
        (Refused::Unavailable("no connection".to_owned()), "ledger"),
    ];

    for (nonce, (refused, rule)) in (0..).zip(table) {
        book.feels(Mood::Refuses(refused.clone()));
        let outcome = pay(&opened, nonce, "key:order-1");
        assert!(outcome.contains(&format!("`{rule}`")), "{refused:?}: {outcome}");
        assert!(!outcome.contains("backup") && !outcome.contains("connection"), "the operator's text: {outcome}");
    }

    assert!(!book.calls().contains(&"commit".to_owned()), "no key was asked");
    assert_eq!(opened.records("signed").len(), 0);
    let remedies: Vec<String> = opened.records("denial").iter().map(|denial| denial["remedy"].to_string()).collect();
    assert!(remedies.iter().any(|remedy| remedy.contains("no connection")), "{remedies:?}");
}

#[test]
fn a_failed_commit_gives_no_signature() {
    let book = Book::default();
    let opened = by(&book);

    book.feels(Mood::Fails("commit"));
    let failed = pay(&opened, 0, "");
    book.feels(Mood::Works);
    let signed = pay(&opened, 1, "");

    assert!(failed.contains("`ledger`"), "{failed}");
    assert_eq!(book.kept(), [raw(&signed)], "the next one is, by the same run of the host");
    let records = opened.records("signer-failed");
    assert_eq!(records.len(), 1);
    assert!(records[0]["spent"] == true && records[0]["reason"].as_str().unwrap().contains("the database is closed"), "{}", records[0]);
}

#[test]
fn a_ledger_that_fails_or_is_silent_denies() {
    for mood in [Mood::Fails("reserve"), Mood::Silent("reserve")] {
        let book = Book::default();
        let opened = by(&book);
        book.feels(mood);

        let outcome = pay(&opened, 0, "");

        assert!(outcome.contains("`ledger`"), "{outcome}");
        assert_eq!(book.calls().len(), 3, "{:?}", book.calls());
    }
}

#[test]
fn what_certainly_was_not_signed_is_released() {
    let book = Book::default();
    let ours = book.clone();
    let treasury = WalletFixture::with(&format!("[signers.wallet]\nfrom = \"asks:KEY\"\n{}", lines()));
    let opened = treasury.host(|builder| builder.ledger(ours).signers("asks", Asks(Arc::new(Says(Err(()))))).max_agents(2)).open();

    let outcome = pay(&opened, 0, "");

    assert!(outcome.contains("nothing was signed"), "{outcome}");
    assert_eq!(book.calls().last().unwrap(), "release");
}

#[test]
fn what_spends_nothing_is_noted_before_it_leaves() {
    let book = Book::default();
    let ours = book.clone();
    let treasury =
        WalletFixture::with(&format!("[signers.wallet]\nfrom = \"static:MAC\"\n{MAC}")).value("MAC", "a key that is long enough");
    let opened = treasury.host(|builder| builder.ledger(ours)).open();
    let ask = || opened.sign(&format!("hmac {}", coded("GET /orders 1764000000")));

    let made = ask();
    book.feels(Mood::Fails("note"));
    let denied = ask();

    assert_eq!(decoded(&made).len(), 32);
    assert!(denied.contains("`ledger`"), "{denied}");
    let notes = book.calls().into_iter().filter(|call| call.starts_with("note HMAC of 22 bytes")).count();
    assert_eq!((notes, opened.records("signed").len()), (2, 1));
}

#[test]
fn what_one_host_has_signed_another_gives_again() {
    let book = Book::default();
    let (one, other) = (by(&book), by(&book));

    let first = pay(&one, 0, "key:order-17");
    let again = pay(&other, 0, "key:order-17");

    assert_eq!(first, again);
    assert_eq!(book.kept().len(), 1);
    assert_eq!(other.records("signed")[0]["again"], true);
}

#[test]
fn what_a_ledger_gives_that_is_no_signature_goes_nowhere() {
    let book = Book::default();
    let ours = book.clone();
    let delegate = format!("kinds = [\"7702\"]\n{}[[signers.wallet.delegate]]\nchain = 1\naddress = \"{FRIEND}\"\n", lines());
    let opened = WalletFixture::new(&delegate).host(|builder| builder.ledger(ours)).open();

    for given in [vec![], vec![7; 3], vec![7; 65]] {
        book.feels(Mood::Gives(given));
        let outcome = opened.sign(&format!("authorization 1 {FRIEND} 0 key:order-1"));
        assert!(outcome.contains("`ledger`"), "{outcome}");
    }
}

#[test]
fn a_host_that_keeps_nothing_signs_by_a_ledger_that_it_shares() {
    let book = Book::default();
    let ours = book.clone();
    let stateless = || WalletFixture::new(&lines());
    assert!(stateless().host(strongroom::HostBuilder::without_state).load().is_err());

    let opened = stateless().host(|builder| builder.without_state().ledger(ours)).open();

    assert_eq!(raw(&pay(&opened, 0, "")), book.kept()[0]);
    let wallet = block_on(opened.agent.wallet("wallet")).unwrap();
    assert_eq!(block_on(wallet.left()).unwrap(), ["ETH on chain 1: 4 ETH left within 24 hours"]);
}

/// Two secrets that go to one host, each with a rate.
fn two_rates() -> AgentFixture {
    let grant = |name: &str, rate: &str| {
        let place = name.to_lowercase();
        format!(
            "[secrets.{name}]\nexpose = \"env\"\n[[secrets.{name}.allow]]\nhost = \"api.test\"\npaths = [\"/**\"]\nplace = [\"header:x-{place}\"]\nrate = \"{rate}\"\n"
        )
    };
    let room = AgentFixture::with(&[grant("NARROW", "1/h"), grant("WIDE", "2/h")].concat());
    room.value("NARROW", "nq7-Rk2vLw9XbT4nHs6J").value("WIDE", "wq8-Tk3vLw0XbT5nHs7K")
}

#[test]
fn a_rate_that_another_host_has_spent_denies_and_gives_the_local_one_back() {
    for refused in [Ok(Taken::Nothing { spent: 0 }), Err(SharedError::Unavailable("no connection".to_owned()))] {
        let counts = Counts::answering([refused]);
        let ours = counts.clone();
        let both = "send GET https://api.test/a h:x-narrow={NARROW} h:x-wide={WIDE}";

        let ran = two_rates().host(|builder| builder.rates(ours)).run(&[both, both, both]);

        // The first by the other hosts; the second passes, since it was given back here; the third by this host, which asks nobody.
        let sent: Vec<bool> =
            ran.stdout.lines().filter(|line| line.starts_with("send ")).map(|line| line.starts_with("send 200")).collect();
        assert_eq!(sent, [false, true, false], "{}", ran.stdout);
        assert_eq!((ran.seen.len(), counts.asked().len()), (1, 2));
        assert_eq!(counts.asked()[0], ["probe-1/secrets.NARROW.allow.0 1/3600s", "probe-1/secrets.WIDE.allow.0 2/3600s"]);
        assert!(ran.denied().iter().all(|rule| *rule == "rate"), "{:?}", ran.denied());
        assert!(!ran.stdout.contains("no connection"), "the operator's text: {}", ran.stdout);
    }
}

#[test]
fn a_signers_rate_that_another_host_has_spent_denies_and_gives_the_local_one_back() {
    for refused in [Ok(Taken::Nothing { spent: 0 }), Err(SharedError::Unavailable("no connection".to_owned()))] {
        let counts = Counts::answering([refused]);
        let ours = counts.clone();
        let opened = WalletFixture::new(&format!("rate = \"1/h\"\n{}", lines())).host(|builder| builder.rates(ours)).open();

        let outcomes: Vec<String> = (0..3).map(|nonce| pay(&opened, nonce, "")).collect();

        assert!(outcomes[0].contains("`rate`") && outcomes[2].contains("`rate`"), "{outcomes:?}");
        raw(&outcomes[1]);
        assert_eq!(counts.asked(), [["probe-1/signers.wallet 1/3600s"], ["probe-1/signers.wallet 1/3600s"]]);
    }
}

/// A signer that has somebody decide, or can't be reached.
struct Says(Result<Ticket, ()>);

#[async_trait]
impl Signer for Says {
    async fn public_key(&self) -> Result<PublicKey, SignerError> {
        Ok((*SigningKey::from_slice(&[7; 32]).unwrap().verifying_key()).into())
    }

    async fn sign(&self, _: &SignRequest<'_>) -> Result<Answer, SignerError> {
        self.0.clone().map(Answer::Pending).map_err(|()| SignerError::Unavailable("nobody is there".to_owned()))
    }
}

struct Asks(Arc<Says>);

#[async_trait]
impl SignerBackend for Asks {
    async fn open(&self, _: &str, _: &str) -> Result<Arc<dyn Signer>, SignerError> {
        Ok(Arc::clone(&self.0) as Arc<dyn Signer>)
    }
}

fn pending(lines: &str) -> WalletFixture {
    WalletFixture::with(&format!("[signers.wallet]\nfrom = \"asks:KEY\"\n{lines}"))
}

#[test]
fn a_signature_that_waits_for_a_decision_files_a_ticket() {
    let ticket = Ticket::new("case-17");
    let asks = Asks(Arc::new(Says(Ok(ticket.clone()))));
    let opened = pending(&lines().replace("\"5\"", "\"0.00000000000000001\"")).host(|builder| builder.signers("asks", asks)).open();

    let outcome = pay(&opened, 0, "");
    let second = pay(&opened, 1, "");

    assert!(outcome.contains("whether it was signed is not known"), "{outcome}");
    assert!(second.contains("`spend`"), "what waits stays reserved: {second}");
    let (waiting, removed, left) = block_on(async {
        let tickets = opened.host.tickets();
        let waiting = tickets.list().await.unwrap();
        (waiting, tickets.remove("probe-1", "wallet", &ticket).await.unwrap(), tickets.list().await.unwrap())
    });
    let [one] = waiting.as_slice() else { panic!("one waits: {waiting:?}") };
    assert_eq!((&one.ticket, one.agent.as_str(), one.signer.as_str()), (&ticket, "probe-1", "wallet"));
    assert!(one.lines.iter().any(|line| line.contains(FRIEND)), "{:?}", one.lines);
    assert_eq!((removed.as_ref(), left.len()), (Some(one), 0));
}

#[test]
fn a_ticket_that_is_not_filed_is_in_the_audit_log_all_the_same() {
    let asks = Asks(Arc::new(Says(Ok(Ticket::new("case-17")))));
    let opened = pending(&lines()).host(|builder| builder.signers("asks", asks).tickets(NoRoom)).open();

    pay(&opened, 0, "");

    let reason = opened.records("signer-failed")[0]["reason"].to_string();
    assert!(reason.contains("case-17") && reason.contains("could not be filed: no room"), "{reason}");
}

#[test]
fn numbers_rise_over_all_runs_of_a_host() {
    let dir = tempfile::tempdir().unwrap();
    let next = || {
        let mut config = HostConfig::default();
        config.state_dir = Some(dir.path().join("state"));
        let host = Host::builder().config(config).without_audit().max_agents(1).build().unwrap();
        block_on(async { (host.nonces().next(b"key", 0).await.unwrap(), host.nonces().next(b"key", 0).await.unwrap()) })
    };

    let (first, second) = (next(), next());

    assert!(first.0 < first.1 && first.1 < second.0 && second.0 < second.1, "{first:?} {second:?}");
}
