//! Threads that a host's runs are spread over, each with a runtime of its own. A run stays on its lane from beginning to end: what wakes it wakes
//! no other thread. What is placed goes where the fewest are; work that holds its thread holds the lane it is on, and no other.

use crate::lock::Mutex;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

/// The lanes of one host. Their threads end once it is gone.
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    /// How many are on each.
    loads: Arc<Mutex<Vec<usize>>>,
}

struct Lane {
    runtime: Handle,
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
        let (lane, load) = loads.iter_mut().enumerate().min_by_key(|(_, load)| **load).expect("there is a lane");
        *load += 1;
        Placed { loads: Arc::clone(&self.loads), lane }
    }
}

impl Lane {
    fn open(number: usize) -> io::Result<Self> {
        let lane = Builder::new_current_thread().enable_all().build()?;
        let runtime = lane.handle().clone();
        let (open, closed) = oneshot::channel();
        thread::Builder::new().name(format!("strongroom-lane-{number}")).spawn(move || {
            let _ = lane.block_on(closed);
            // Whoever is still asked for something blocking is not waited for.
            lane.shutdown_background();
        })?;
        Ok(Self { runtime, _open: open })
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
