//! Threads that a host's runs are spread over, each with a runtime of its own. A run stays on its lane: what wakes it wakes no other thread.
//! What is placed goes where the fewest are, but for what a lane itself begins, as the connection of a caller does: that stays, unless the
//! lane has much more to do than another. Work that holds its thread holds the lane it is on, and no other.
//!
//! Beside each lane there is a thread for runs that compute for long. A run whose turns are seen to be long moves there, once, and for good: on its
//! lane its neighbours would wait for each of them; on a thread beside it the system shares the cores between them. What it waited for as it moved, as
//! a time or an answer, it still hears of by the lane.

use crate::lock::Mutex;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

/// How long a turn is that others should not have to wait for. A guest that computes has turns of a tick, which is longer.
const LONG: Duration = Duration::from_millis(2);
/// How long such turns of a run may be together, with no rest of this length between them: to be made, and to read what a request brings, takes
/// some.
const MOST_LONG: Duration = Duration::from_millis(50);
const REST: Duration = Duration::from_secs(1);

/// The lanes of one host. Their threads end once it is gone.
pub(crate) struct Lanes {
    lanes: Group,
    /// For runs that compute for long.
    computing: Group,
    /// How many connections each lane is lent to.
    lent: Loads,
}

/// Threads, and how many runs are on each.
struct Group {
    lanes: Vec<Lane>,
    loads: Loads,
}

/// How many there are on each of some threads.
struct Loads(Arc<Mutex<Vec<usize>>>);

struct Lane {
    runtime: Handle,
    thread: ThreadId,
    /// Its thread waits for the other end to be dropped.
    _open: oneshot::Sender<Infallible>,
}

/// One of them, until it is dropped.
pub(crate) struct Placed {
    loads: Arc<Mutex<Vec<usize>>>,
    lane: usize,
}

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl Lanes {
    /// So many lanes, at least one.
    ///
    /// # Errors
    /// That of the operating system, which gives no further thread.
    pub(crate) fn new(count: usize) -> io::Result<Self> {
        let open = |name: &str| Group::open(count.max(1), name);
        Ok(Self { lanes: open("lane")?, computing: open("computing")?, lent: Loads::new(count.max(1)) })
    }

    /// Lends the lane that has the fewest connections to one more, which ends with what comes beside it. Its runs stay where it is, as long as there
    /// is room. On a lane that hangs connections don't end, so it gets no more than others have.
    pub(crate) fn lend(&self) -> (&Handle, Placed) {
        let placed = self.lent.place(None);
        (&self.lanes.lanes[placed.lane].runtime, placed)
    }

    /// Does work on a lane, and where it computes for long, on a thread for that. Dropping the future ends the work, where it next waits.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let work: Work<T> = Box::pin(work);
        let here = self.lanes.here();
        let placed = self.lanes.loads.place(here);
        let turns = if here == Some(placed.lane) {
            until_it_computes(work, placed).await
        } else {
            self.lanes.spawn(placed, |placed| until_it_computes(work, placed)).await
        };
        match turns {
            Ok(done) => done,
            Err(work) => {
                let computes = |placed| async move {
                    let _placed: Placed = placed;
                    work.await
                };
                self.computing.spawn(self.computing.loads.place(None), computes).await
            }
        }
    }
}

/// Gives work its turns; gives it back once too many were long.
async fn until_it_computes<T>(mut work: Work<T>, _placed: Placed) -> Result<T, Work<T>> {
    let (mut long, mut last) = (Duration::ZERO, Instant::now());
    let done = poll_fn(|cx| {
        let began = Instant::now();
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        let took = began.elapsed();
        if took >= LONG {
            long = took + if began.duration_since(last) < REST { long } else { Duration::ZERO };
            last = began + took;
        }
        if long > MOST_LONG { Poll::Ready(None) } else { Poll::Pending }
    });
    done.await.ok_or(work)
}

impl Group {
    fn open(count: usize, name: &str) -> io::Result<Self> {
        let lanes = (0..count).map(|number| Lane::open(&format!("strongroom-{name}-{number}"))).collect::<io::Result<Vec<_>>>()?;
        Ok(Self { lanes, loads: Loads::new(count) })
    }

    /// The one that this thread is.
    fn here(&self) -> Option<usize> {
        let thread = thread::current().id();
        self.lanes.iter().position(|lane| lane.thread == thread)
    }

    /// Does work on the lane where it was placed.
    async fn spawn<T, F>(&self, placed: Placed, work: impl FnOnce(Placed) -> F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let runtime = &self.lanes[placed.lane].runtime;
        let task = runtime.spawn(work(placed));
        // Nobody else can cancel it, and a lane is open for as long as `self` is there.
        AbortOnDropHandle::new(task).await.unwrap_or_else(|ended| resume_unwind(ended.into_panic()))
    }
}

impl Loads {
    fn new(count: usize) -> Self {
        Self(Arc::new(Mutex::new(vec![0; count])))
    }

    /// Places one more: here, unless another has not half as many; where there is no here, where the fewest are.
    fn place(&self, here: Option<usize>) -> Placed {
        let mut loads = self.0.lock();
        let (fewest, least) = loads.iter().copied().enumerate().min_by_key(|(_, load)| *load).expect("there is a lane");
        let lane = here.filter(|here| loads[*here] <= 2 * least + 1).unwrap_or(fewest);
        loads[lane] += 1;
        Placed { loads: Arc::clone(&self.0), lane }
    }
}

impl Lane {
    fn open(name: &str) -> io::Result<Self> {
        let lane = Builder::new_current_thread().enable_all().build()?;
        let runtime = lane.handle().clone();
        let (open, closed) = oneshot::channel();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _ = lane.block_on(closed);
            // Whoever is still asked for something blocking is not waited for.
            lane.shutdown_background();
        })?;
        Ok(Self { runtime, thread: thread.thread().id(), _open: open })
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        self.loads.lock()[self.lane] -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn here() -> String {
        thread::current().name().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn each_run_goes_where_the_fewest_are() {
        let lanes = Arc::new(Lanes::new(2).expect("two threads"));
        let begin = || {
            let (lanes, (told, tells), (end, ended)) = (Arc::clone(&lanes), oneshot::channel(), oneshot::channel::<()>());
            let work = async move {
                told.send(here()).expect("somebody listens");
                let _ = ended.await;
                here()
            };
            (tokio::spawn(async move { lanes.run(work).await }), tells, end)
        };

        let (first, on, end_first) = begin();
        assert_eq!(on.await.expect("it runs"), "strongroom-lane-0");
        let (second, on, end_second) = begin();
        assert_eq!(on.await.expect("it runs"), "strongroom-lane-1");
        drop(end_second);
        assert_eq!(second.await.expect("an end"), "strongroom-lane-1", "it stays where it is");
        let (third, on, end_third) = begin();
        assert_eq!(on.await.expect("it runs"), "strongroom-lane-1");

        drop((end_first, end_third));
        assert_eq!(first.await.expect("an end"), "strongroom-lane-0");
        third.await.expect("an end");
        assert_eq!(*lanes.lanes.loads.0.lock(), [0, 0]);
    }

    #[test]
    fn work_that_holds_its_thread_holds_no_other_lane() {
        let lanes = Arc::new(Lanes::new(2).expect("two threads"));
        let (begun, begins) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let held = thread::spawn({
            let lanes = Arc::clone(&lanes);
            move || {
                let runtime = Builder::new_current_thread().build().expect("a runtime");
                runtime.block_on(lanes.run(async move {
                    begun.send(()).expect("somebody listens");
                    // As a long computation would.
                    let _ = released.recv();
                }));
            }
        });
        begins.recv().expect("it holds its lane");

        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let neighbours = runtime.block_on(async { [lanes.run(async { here() }).await, lanes.run(async { here() }).await] });

        drop(release);
        held.join().expect("an end");
        assert_eq!(neighbours[0], neighbours[1], "both are beside the one that is held");
    }

    #[tokio::test]
    async fn what_computes_for_long_goes_on_beside_the_lanes() {
        let lanes = Lanes::new(2).expect("two threads");
        let work = async {
            let before = here();
            // As a long computation would.
            thread::sleep(LONG);
            tokio::task::yield_now().await;
            assert_eq!(here(), before, "one turn is none too many");
            for _ in 0..MOST_LONG.as_millis() / LONG.as_millis() {
                thread::sleep(LONG);
                tokio::task::yield_now().await;
            }
            [before, here()]
        };

        let [before, after] = lanes.run(work).await;

        assert_eq!([&*before, &*after], ["strongroom-lane-0", "strongroom-computing-0"]);
        assert_eq!([lanes.lanes.loads.0.lock().clone(), lanes.computing.loads.0.lock().clone()], [[0, 0], [0, 0]]);
    }

    #[tokio::test]
    async fn what_a_lane_begins_stays_there_while_no_other_has_half_as_much_to_do() {
        let lanes = Arc::new(Lanes::new(2).expect("two threads"));
        let (lane, _lent) = lanes.lend();
        let connection = lane.spawn({
            let lanes = Arc::clone(&lanes);
            async move {
                let (end, ended) = tokio::sync::watch::channel(());
                let mut runs = tokio::task::JoinSet::new();
                for _ in 0..3 {
                    let (lanes, mut ended, (told, tells)) = (Arc::clone(&lanes), ended.clone(), oneshot::channel());
                    let work = async move {
                        told.send(here()).expect("somebody listens");
                        let _ = ended.changed().await;
                        here()
                    };
                    runs.spawn(async move { lanes.run(work).await });
                    tells.await.expect("it runs");
                }
                drop(end);
                runs.join_all().await
            }
        });

        let mut places = connection.await.expect("an end");

        places.sort();
        assert_eq!(places, ["strongroom-lane-0", "strongroom-lane-0", "strongroom-lane-1"]);
        assert_eq!(*lanes.lanes.loads.0.lock(), [0, 0]);
    }

    #[tokio::test]
    async fn a_run_that_nobody_waits_for_ends_and_a_panic_reaches_who_does() {
        let lanes = Arc::new(Lanes::new(1).expect("a thread"));
        let (alive, mut gone) = oneshot::channel::<()>();
        let work = lanes.run(async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        });
        tokio::select! {
            () = work => unreachable!("it never ends"),
            _ = lanes.run(async {}) => {}
        }
        assert!((&mut gone).await.is_err(), "it was dropped on its lane");

        let waiting = tokio::spawn(async move { lanes.run(async { panic!("as a defect would") }).await });
        assert!(waiting.await.expect_err("a panic").is_panic());
    }
}
