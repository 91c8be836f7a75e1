//! How many requests a run has open at once. One more waits for its turn; answers that nobody reads make room for it.

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
pub(crate) struct Slots {
    places: Arc<Semaphore>,
    /// As many may wait as may be open.
    turns: Arc<Semaphore>,
    answers: Mutex<Vec<Weak<Shared>>>,
}

/// As many requests wait already as may.
#[derive(Debug)]
pub(crate) struct Full;

impl Slots {
    pub(crate) fn new(most: u32) -> Self {
        let semaphore = || Arc::new(Semaphore::new(most as usize));
        Self { places: semaphore(), turns: semaphore(), answers: Mutex::default() }
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
                () = look => self.close_one(),
            }
        }
    }

    /// Keeps an answer in sight while the guest has it.
    pub(super) fn keep(&self, answer: AnswerBody) -> GuestBody {
        let state = State { body: Some(answer), read: Instant::now(), waker: None, asked: None };
        let shared = Arc::new(Shared(Mutex::new(state)));
        let mut answers = self.answers.lock();
        answers.retain(|answer| answer.strong_count() > 0);
        answers.push(Arc::downgrade(&shared));
        GuestBody(shared)
    }

    fn open(&self) -> Vec<Arc<Shared>> {
        let answers = self.answers.lock();
        answers.iter().filter_map(Weak::upgrade).filter(|answer| answer.state().body.is_some()).collect()
    }

    fn next_look(&self) -> Instant {
        self.open().iter().map(|answer| answer.state().until()).min().unwrap_or_else(|| Instant::now() + UNREAD)
    }

    /// Closes the answer that has been left unread for the longest, if it is time. One whose guest waits for the server is asked after
    /// first: who waits asks again when it is woken.
    fn close_one(&self) {
        let now = Instant::now();
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
                    body.given_up("nothing of it was read for 5 s while other requests waited");
                }
            }
        }
    }
}

struct Shared(Mutex<State>);

struct State {
    /// None once it has been closed.
    body: Option<AnswerBody>,
    /// When the guest last asked for more.
    read: Instant,
    /// Where it waits for more.
    waker: Option<Waker>,
    /// When it was woken without there being more.
    asked: Option<Instant>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

impl State {
    /// Until when it is kept.
    fn until(&self) -> Instant {
        self.asked.map_or(self.read + UNREAD, |asked| asked + GRACE)
    }
}

/// The body of an answer in a guest's hands.
pub(crate) struct GuestBody(Arc<Shared>);

impl Body for GuestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut state = self.0.state();
        (state.read, state.waker, state.asked) = (Instant::now(), None, None);
        let Some(body) = &mut state.body else {
            let why = "strongroom: this answer was closed, since nothing of it was read for 5 s while other requests waited";
            return Poll::Ready(Some(Err(Error::host(why))));
        };
        let polled = Pin::new(body).poll_frame(cx);
        if polled.is_pending() {
            state.waker = Some(cx.waker().clone());
        }
        polled
    }
}
