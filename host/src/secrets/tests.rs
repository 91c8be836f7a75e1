//! Stories of one secret in a backend whose answers change, told without a server: who asks, who waits, and who learns of what is newer.

use super::backends::{BackendError, Backends, Bounds, Configured, Entry, Found, Freshness, SecretBackend};
use super::{Cache, Keyring, Listener, SecretValue};
use crate::clock::Clock;
use crate::lock::Mutex;
use crate::manifest::{HostsOwn, Manifest};
use crate::policy::Source;
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

const FIRST: &str = "key_0123456789abcdef";
const SECOND: &str = "key_fedcba9876543210";
const FRESH_FOR: Duration = Duration::from_secs(60);
const STALE: Duration = Duration::from_secs(600);

/// Gives what it is told to, a whole entry at each path.
struct Changing {
    answer: Mutex<Result<&'static str, BackendError>>,
    asked: AtomicUsize,
    /// How many askings it answers.
    open: Semaphore,
}

struct Fixture {
    backend: Arc<Changing>,
    backends: Backends,
    cache: Cache,
    slept: Arc<AtomicU64>,
}

/// Counts what it is told.
#[derive(Default)]
struct Told(AtomicUsize);

#[async_trait]
impl SecretBackend for Changing {
    fn entries_for(&self, _namespace: &str, name: &str) -> Vec<Entry> {
        vec![Entry::new(name)]
    }

    fn admits(&self, _entry: &Entry) -> Result<(), BackendError> {
        Ok(())
    }

    async fn get(&self, _entry: &Entry) -> Result<Found, BackendError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.open.acquire().await.expect("never closed").forget();
        self.answer.lock().clone().map(|value| Found::value(SecretValue::new(value)))
    }

    fn freshness(&self) -> Freshness {
        Freshness::For(FRESH_FOR)
    }
}

impl Listener for Told {
    fn newer_version(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Fixture {
    fn new() -> Self {
        let open = Semaphore::new(1_000);
        let backend = Arc::new(Changing { answer: Mutex::new(Ok(FIRST)), asked: AtomicUsize::new(0), open });
        let as_backend: Arc<dyn SecretBackend> = Arc::clone(&backend) as _;
        let configured =
            Configured { name: "store".to_owned(), backend: as_backend, bounds: Bounds::none(), stale: STALE, settled: Duration::ZERO };
        let slept = Arc::default();
        let cache = Cache::new(Clock::sleeping(Arc::clone(&slept)), Zeroizing::new([7; 32]));
        Self { backend, backends: Backends::new(vec![configured], "store".to_owned(), HostsOwn::default()), cache, slept }
    }

    async fn keyring(&self) -> Keyring {
        let manifest = "name = \"a\"\ncomponent = \"a.wasm\"\n[secrets.KEY]\nfrom = \"store:key\"\nformat = \"^key_[0-9a-f]{16}$\"\n\
                        [[secrets.KEY.allow]]\nhost = \"api.test\"\npaths = [\"/**\"]\n";
        let manifest = Manifest::parse("agent.toml", manifest).expect("a manifest");
        Keyring::open(&manifest, &self.backends, self.cache.for_run()).await.expect("it is there")
    }

    fn answers(&self, answer: Result<&'static str, BackendError>) {
        *self.backend.answer.lock() = answer;
    }

    fn sleep(&self, time: Duration) {
        self.slept.fetch_add(u64::try_from(time.as_millis()).expect("not so long"), Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.backend.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn one_asking_is_for_all_that_wait_though_it_takes_longer_than_its_answer_is_fresh() {
    let fixture = Fixture::new();
    fixture.backend.open.forget_permits(1_000);
    let place = fixture.backends.named(None).expect("configured");
    let mut slots = fixture.cache.for_run();
    let uses: Vec<_> = (0..100).map(|_| slots.slot(place, &Entry::new("key"))).collect();
    let run = TaskTracker::new();

    let all = futures_util::future::join_all(uses.iter().map(|slot| slot.resolve(&run)));
    let answer = async {
        tokio::task::yield_now().await;
        fixture.sleep(FRESH_FOR * 2);
        fixture.backend.open.add_permits(1_000);
    };
    let (all, ()) = tokio::join!(all, answer);

    assert!(all.into_iter().all(|resolved| resolved.is_ok_and(|resolved| !resolved.stale)));
    assert_eq!(fixture.asked(), 1);
}

#[tokio::test]
async fn only_another_value_is_published() {
    let fixture = Fixture::new();
    let place = fixture.backends.named(None).expect("configured");
    let slot = fixture.cache.for_run().slot(place, &Entry::new("key"));
    let run = TaskTracker::new();
    assert_eq!(slot.published(), 0, "nothing is");

    let first = slot.resolve(&run).await.expect("it is there").held;
    assert_eq!(slot.published(), first.number());

    fixture.sleep(FRESH_FOR);
    let confirmed = slot.resolve(&run).await.expect("it is there");
    assert!(Arc::ptr_eq(&first, &confirmed.held) && !confirmed.stale);
    assert_eq!((slot.published(), fixture.asked()), (first.number(), 2));

    fixture.answers(Err(BackendError::Unavailable("silence".to_owned())));
    fixture.sleep(FRESH_FOR);
    assert!(slot.resolve(&run).await.expect("it is usable").stale);
    assert_eq!((slot.published(), fixture.asked()), (first.number(), 3));

    fixture.answers(Ok(SECOND));
    fixture.sleep(STALE);
    let second = slot.resolve(&run).await.expect("it is there").held;
    assert!(second.number() > first.number());
    assert_eq!(slot.published(), second.number());
}

#[tokio::test]
async fn a_clear_answer_ends_the_use_of_a_value() {
    let fixture = Fixture::new();
    let place = fixture.backends.named(None).expect("configured");
    let slot = fixture.cache.for_run().slot(place, &Entry::new("key"));
    let run = TaskTracker::new();
    slot.resolve(&run).await.expect("it is there");

    let closed = BackendError::Refused("closed".to_owned());
    fixture.answers(Err(closed.clone()));
    fixture.sleep(FRESH_FOR);

    assert_eq!(slot.resolve(&run).await.err(), Some(closed));
    assert!(slot.held().is_none());
}

#[tokio::test]
async fn a_newer_version_is_told_of_once_by_whoever_finds_it_and_before_it_is_used() {
    let fixture = Fixture::new();
    let (keyring, told) = (fixture.keyring().await, Told::default());
    let key = keyring.get(0).expect("it is there");
    let (first, _) = keyring.version(Source::Secret(0), &told).await.expect("it is there");
    assert!(first.version().value.equals(FIRST.as_bytes()) && key.is_current(first.version()));
    assert_eq!(told.0.load(Ordering::SeqCst), 0, "the first is known from the start");

    fixture.answers(Ok(SECOND));
    fixture.sleep(FRESH_FOR);
    let (second, stale) = keyring.version(Source::Secret(0), &told).await.expect("it is there");
    assert!(second.version().value.equals(SECOND.as_bytes()) && !stale);
    assert!(key.is_current(second.version()) && !key.is_current(first.version()));
    assert_eq!(told.0.load(Ordering::SeqCst), 1);

    keyring.learn(&told);
    keyring.version(Source::Secret(0), &told).await.expect("it is there");
    assert_eq!((told.0.load(Ordering::SeqCst), key.newer().len()), (1, 1), "nothing is newer than that");
}

#[tokio::test]
async fn what_one_run_has_asked_for_is_news_to_another() {
    let fixture = Fixture::new();
    let (ours, theirs, told) = (fixture.keyring().await, fixture.keyring().await, Told::default());
    let (held, _) = ours.version(Source::Secret(0), &told).await.expect("it is there");

    fixture.answers(Ok(SECOND));
    fixture.sleep(FRESH_FOR);
    theirs.version(Source::Secret(0), &()).await.expect("it is there");

    assert!(!ours.get(0).expect("it is there").is_current(held.version()), "it is seen before it is taken over");
    ours.learn(&told);
    assert_eq!(told.0.load(Ordering::SeqCst), 1);
    assert!(ours.get(0).expect("it is there").current().value.equals(SECOND.as_bytes()));
}

#[tokio::test]
async fn a_value_that_is_not_fit_is_looked_at_once_and_the_last_one_used_for_a_while() {
    let fixture = Fixture::new();
    let (keyring, told) = (fixture.keyring().await, Told::default());

    fixture.answers(Ok("another format"));
    fixture.sleep(FRESH_FOR);
    let (last, stale) = keyring.version(Source::Secret(0), &told).await.expect("the last one");
    assert!(last.version().value.equals(FIRST.as_bytes()) && stale);

    fixture.sleep(STALE);
    let refused = keyring.version(Source::Secret(0), &told).await.err().expect("too old");
    assert_eq!(refused.to_string(), "the new value at key is refused: it does not match the manifest's `format`");
    assert_eq!((told.0.load(Ordering::SeqCst), keyring.get(0).expect("it is there").newer().len()), (0, 0));
}
