//! Threads that a host's runs are spread over, each with a runtime of its own. A run stays on its lane from beginning to end: what wakes it wakes
//! no other thread. What is placed goes where the fewest are; work that holds its thread holds the lane it is on, and no other. A run that computes
//! without a pause has its neighbours wait for a tick at each of their turns, so it counts for many.

use crate::clock::{Clock, millis};
use crate::lock::Mutex;
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

/// For how many runs one counts that computes without a pause.
const SPINS: usize = 32;
/// How long a lane counts as taken by such a run, after it has last been seen to.
const TAKEN: Duration = Duration::from_millis(200);

thread_local! {
    /// The lane that this thread is.
    static HERE: RefCell<Option<Arc<Spun>>> = const { RefCell::new(None) };
}

/// When a run was last seen to compute without a pause, in milliseconds of the clock.
#[derive(Default)]
struct Spun {
    at: AtomicU64,
    clock: Clock,
}

impl Spun {
    fn note(&self) {
        self.at.store(millis(self.clock.now()), Ordering::Relaxed);
    }

    fn is_taken(&self) -> bool {
        let at = self.at.load(Ordering::Relaxed);
        at > 0 && millis(self.clock.now()) < at + millis(TAKEN)
    }
}

/// Says that a run on this thread computes without a pause.
pub(crate) fn spins() {
    HERE.with_borrow(|here| here.iter().for_each(|spun| spun.note()));
}

/// The lanes of one host. Their threads end once it is gone.
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    /// How many are on each.
    loads: Arc<Mutex<Vec<usize>>>,
}

struct Lane {
    runtime: Handle,
    spun: Arc<Spun>,
    /// Its thread waits for the other end to be dropped.
    _open: oneshot::Sender<Infallible>,
}

/// Takes one off its lane's load.
struct Placed {
    loads: Arc<Mutex<Vec<usize>>>,
    lane: usize,
}

impl Lanes {
    /// So many lanes, at least one.
    ///
    /// # Errors
    /// That of the operating system, which gives no further thread.
    pub(crate) fn new(count: usize) -> io::Result<Self> {
        let lanes = (0..count.max(1)).map(Lane::open).collect::<io::Result<Vec<_>>>()?;
        let loads = Arc::new(Mutex::new(vec![0; lanes.len()]));
        Ok(Self { lanes, loads })
    }

    /// Does work on the lane with the fewest. Dropping the future ends the work, where it next waits.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let placed = self.place();
        let runtime = &self.lanes[placed.lane].runtime;
        let task = runtime.spawn(async move {
            let _placed = placed;
            work.await
        });
        // Nobody else can cancel it, and a lane is open for as long as `self` is there.
        AbortOnDropHandle::new(task).await.unwrap_or_else(|ended| resume_unwind(ended.into_panic()))
    }

    fn place(&self) -> Placed {
        let mut loads = self.loads.lock();
        let counts = |lane: usize, load: usize| load + if self.lanes[lane].spun.is_taken() { SPINS } else { 0 };
        let (lane, load) = loads.iter_mut().enumerate().min_by_key(|(lane, load)| counts(*lane, **load)).expect("there is a lane");
        *load += 1;
        Placed { loads: Arc::clone(&self.loads), lane }
    }
}

impl Lane {
    fn open(number: usize) -> io::Result<Self> {
        let lane = Builder::new_current_thread().enable_all().build()?;
        let runtime = lane.handle().clone();
        let (open, closed) = oneshot::channel();
        let spun = Arc::<Spun>::default();
        let here = Arc::clone(&spun);
        thread::Builder::new().name(format!("strongroom-lane-{number}")).spawn(move || {
            HERE.set(Some(here));
            let _ = lane.block_on(closed);
            // Whoever is still asked for something blocking is not waited for.
            lane.shutdown_background();
        })?;
        Ok(Self { runtime, spun, _open: open })
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
        assert_eq!(*lanes.loads.lock(), [0, 0]);
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
    async fn a_lane_on_which_somebody_computes_without_a_pause_gets_no_more_until_the_other_is_full() {
        let lanes = Lanes::new(2).expect("two threads");
        let first = lanes.run(async { spins() });
        first.await;
        let spun = lanes.lanes.iter().position(|lane| lane.spun.is_taken()).expect("it was seen");

        let placed: Vec<Placed> = (0..2 * SPINS).map(|_| lanes.place()).collect();

        let beside = placed.iter().take_while(|placed| placed.lane != spun).count();
        // As it is for a while: the clock may have gone on.
        assert!(beside == SPINS + usize::from(spun > 0) || !lanes.lanes[spun].spun.is_taken(), "{beside}");
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
