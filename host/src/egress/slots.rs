//! How many requests a run has open at once. One more waits for its turn; responses that nobody reads make room for it.

use super::Error;
use super::answer::AnswerBody;
use crate::lock::{Mutex, MutexGuard};
use bytes::Bytes;
use http_body::{Body, Frame};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How long an answer is kept that nobody reads, while requests wait.
const UNREAD: Duration = Duration::from_secs(5);
/// How long a guest that seems to wait for more of an answer has to ask for it again.
const GRACE: Duration = Duration::from_secs(1);

/// The places of one run.
pub(super) struct Slots<B = AnswerBody> {
    most: u32,
    places: Arc<Semaphore>,
    /// As many may wait as may be open.
    turns: Arc<Semaphore>,
    answers: Mutex<Vec<Weak<Shared<B>>>>,
}

/// What can be closed before its end.
pub(super) trait GiveUp {
    fn given_up(&mut self, why: &'static str);
}

impl GiveUp for AnswerBody {
    fn given_up(&mut self, why: &'static str) {
        self.close(why);
    }
}

/// As many requests wait already as may.
#[derive(Debug)]
pub(crate) struct Full;

impl<B: GiveUp> Slots<B> {
    pub(crate) fn new(most: u32) -> Self {
        let semaphore = || Arc::new(Semaphore::new(most as usize));
        Self { most, places: semaphore(), turns: semaphore(), answers: Mutex::default() }
    }

    /// A place, as soon as there is one. A request that is dropped while it waits gives its turn back.
    pub(crate) async fn place(&self) -> Result<OwnedSemaphorePermit, Full> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let _turn = self.turns.try_acquire().map_err(|_| Full)?;
        let mut place = std::pin::pin!(Arc::clone(&self.places).acquire_owned());
        loop {
            let look = tokio::time::sleep_until(self.next_look());
            tokio::select! {
                biased;
                place = &mut place => return place.map_err(|_| Full),
                () = look => self.close_one(Instant::now()),
            }
        }
    }

    /// Waits until no place is taken.
    pub(crate) async fn emptied(&self) {
        // It is never closed.
        let _ = self.places.acquire_many(self.most).await;
    }

    /// Keeps an answer in sight while the guest has it.
    pub(super) fn keep(&self, answer: B) -> GuestBody<B> {
        let state = State { body: Some(answer), read: Instant::now(), waker: None, asked: None };
        let shared = Arc::new(Shared(Mutex::new(state)));
        let mut answers = self.answers.lock();
        answers.retain(|answer| answer.strong_count() > 0);
        answers.push(Arc::downgrade(&shared));
        GuestBody(shared)
    }

    fn open(&self) -> Vec<Arc<Shared<B>>> {
        let answers = self.answers.lock();
        answers.iter().filter_map(Weak::upgrade).filter(|answer| answer.state().body.is_some()).collect()
    }

    fn next_look(&self) -> Instant {
        self.open().iter().map(|answer| answer.state().until()).min().unwrap_or_else(|| Instant::now() + UNREAD)
    }

    /// Closes the answer that has been left unread for the longest, if it is time. One whose guest waits for the server is asked after
    /// first: who waits asks again when it is woken.
    fn close_one(&self, now: Instant) {
        let open = self.open();
        let Some(answer) = open.iter().min_by_key(|answer| answer.state().until()) else { return };
        let mut state = answer.state();
        if state.until() > now {
            return;
        }
        match state.waker.take() {
            Some(waker) => {
                state.asked = Some(now);
                drop(state);
                waker.wake();
            }
            None => {
                let body = state.body.take();
                drop(state);
                if let Some(mut body) = body {
                    body.given_up("none of it was read for 5 s while other requests waited");
                }
            }
        }
    }
}

struct Shared<B>(Mutex<State<B>>);

struct State<B> {
    /// None once it has been closed.
    body: Option<B>,
    /// When the guest last asked for more.
    read: Instant,
    /// Where it waits for more.
    waker: Option<Waker>,
    /// When it was woken without there being more.
    asked: Option<Instant>,
}

impl<B> Shared<B> {
    fn state(&self) -> MutexGuard<'_, State<B>> {
        self.0.lock()
    }
}

impl<B> State<B> {
    /// Until when it is kept.
    fn until(&self) -> Instant {
        self.asked.map_or(self.read + UNREAD, |asked| asked + GRACE)
    }
}

/// The body of an answer in a guest's hands.
pub(crate) struct GuestBody<B = AnswerBody>(Arc<Shared<B>>);

impl<B: Body<Data = Bytes, Error = Error> + Unpin> Body for GuestBody<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut state = self.0.state();
        (state.read, state.waker, state.asked) = (Instant::now(), None, None);
        let Some(body) = &mut state.body else {
            let why = "strongroom: this response was closed, since none of it was read for 5 s while other requests waited";
            return Poll::Ready(Some(Err(Error::host(why))));
        };
        let polled = Pin::new(body).poll_frame(cx);
        if polled.is_pending() {
            state.waker = Some(cx.waker().clone());
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    /// An answer of which nothing comes.
    struct Silent(Arc<Mutex<Option<&'static str>>>);

    impl GiveUp for Silent {
        fn given_up(&mut self, why: &'static str) {
            *self.0.lock() = Some(why);
        }
    }

    impl Body for Silent {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            Poll::Pending
        }
    }

    /// A slot with a silent answer, in a guest's hands, and why it was closed.
    fn kept() -> (Slots<Silent>, GuestBody<Silent>, impl Fn() -> Option<&'static str>) {
        let slots = Slots::<Silent>::new(1);
        let closed = Arc::new(Mutex::new(None));
        let answer = slots.keep(Silent(Arc::clone(&closed)));
        (slots, answer, move || *closed.lock())
    }

    /// Counts how often a guest is woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn ask(answer: &mut GuestBody<Silent>, woken: &Arc<Woken>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(answer).poll_frame(&mut Context::from_waker(&Waker::from(Arc::clone(woken))))
    }

    #[test]
    fn an_answer_that_nobody_reads_is_closed_when_others_wait_and_a_later_read_is_told() {
        let (slots, mut answer, closed) = kept();
        let start = Instant::now();
        slots.close_one(start + UNREAD - Duration::from_millis(100));
        assert_eq!(closed(), None, "it is not time");
        slots.close_one(start + UNREAD + Duration::from_secs(1));
        assert!(closed().is_some_and(|why| why.contains("none of it was read")));
        assert!(matches!(ask(&mut answer, &Arc::default()), Poll::Ready(Some(Err(_)))));
    }

    #[test]
    fn a_guest_that_waits_for_its_server_is_asked_and_keeps_its_answer() {
        let (slots, mut answer, closed) = kept();
        let woken = Arc::new(Woken::default());
        for times in 1..=3 {
            assert!(ask(&mut answer, &woken).is_pending());
            slots.close_one(Instant::now() + UNREAD + Duration::from_millis(1));
            assert_eq!((woken.0.load(Ordering::SeqCst), closed()), (times, None), "it is woken, and its answer stays");
        }
    }

    #[test]
    fn a_guest_that_is_woken_and_does_not_ask_again_loses_its_answer_a_second_later() {
        let (slots, mut answer, closed) = kept();
        let asked = Instant::now() + UNREAD + Duration::from_secs(1);
        assert!(ask(&mut answer, &Arc::default()).is_pending());
        slots.close_one(asked);
        slots.close_one(asked + GRACE / 2);
        assert_eq!(closed(), None, "it has a second to answer");
        slots.close_one(asked + GRACE);
        assert!(closed().is_some());
    }
}
