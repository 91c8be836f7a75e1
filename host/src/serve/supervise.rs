//! One agent of a supervisor, by a task of its own: it waits for what is due, begins runs as there is room, and says how they end. What is to be
//! done, and when, [`Runs`] decides.

use super::dues::Dues;
use super::runs::{Ending, LeftOut, Next, Runs};
use super::status::{AgentState, AgentStatus};
use super::supervisor::Outputs;
use crate::clock::{Wall, millis};
use crate::doors::wasm::{End, RunError};
use crate::lock::Mutex;
use crate::manifest::Manifest;
use crate::{Agent, Host};
use futures_util::FutureExt;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::JoinSet;

/// The longest sleep: a clock that is set, or a machine that has slept, is noticed within this time.
const STEP: Duration = Duration::from_secs(20);
/// How long is waited where that is for ever.
const A_LIFETIME: Duration = Duration::from_secs(100 * 366 * 86_400);
/// How a run ends that the host itself has failed.
const DEFECT: &str = "a defect of the host";

/// What is asked of an agent's task.
pub(super) enum Order {
    /// The agent has another manifest or component. Whether a run of what it was is under way, whoever takes the order knows.
    Change(Box<Agent>, PathBuf, bool),
    /// Nothing begins any more; what still runs after this time is interrupted.
    Drain(Duration),
}

/// What an agent's task and its supervisor share.
pub(super) struct Link {
    orders: Mutex<Orders>,
    woken: Notify,
    status: Mutex<AgentStatus>,
    /// Runs that ended by themselves while it drained, and those that were interrupted.
    pub(super) drained: Mutex<(u64, u64)>,
}

struct Orders {
    waiting: VecDeque<Order>,
    /// What runs that begin now are of.
    agent: Agent,
    /// No run begins any more.
    draining: bool,
    /// The task has ended, and takes no more.
    closed: bool,
    /// Runs that have begun, and not ended.
    under_way: u32,
}

/// How far the runs of an agent may go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// What has not begun does not.
    Draining,
    /// What runs is interrupted.
    Cut,
}

/// What the agents of a supervisor share.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) host: Host,
    pub(super) wall: Wall,
    /// Room for runs on the host, in the order of asking.
    pub(super) room: Arc<Semaphore>,
    pub(super) dues: Dues,
    pub(super) outputs: Outputs,
}

/// An agent with its runs.
pub(super) struct Supervised {
    common: Common,
    name: String,
    runs: Runs,
    link: Arc<Link>,
    under_way: JoinSet<Ended>,
    /// Names of runs that have begun.
    begun: (mpsc::UnboundedSender<String>, mpsc::UnboundedReceiver<String>),
    stage: watch::Sender<Stage>,
    /// When what runs is interrupted.
    patience: Option<Instant>,
    /// It was told that runs are left out, since the last one began.
    is_told: bool,
}

/// A run that has ended.
struct Ended {
    /// Its name, where it has begun.
    run: Option<String>,
    ending: Ending,
    /// In the words of an outcome.
    end: String,
    took: Duration,
}

impl Link {
    pub(super) fn new(agent: Agent, manifest: PathBuf, now: u64) -> Self {
        let status = AgentStatus {
            agent: agent.manifest().name.clone(),
            manifest,
            state: AgentState::Waiting,
            since: now,
            next: None,
            last_end: None,
            running: Vec::new(),
            queued: 0,
            runs: 0,
            restarts: 0,
            left_out: 0,
        };
        let orders = Orders { waiting: VecDeque::new(), agent, draining: false, closed: false, under_way: 0 };
        Self { orders: Mutex::new(orders), woken: Notify::new(), status: Mutex::new(status), drained: Mutex::default() }
    }

    /// Gives an order, which holds for every run that begins from here on; or gives it back, where the task has ended.
    pub(super) fn order(&self, mut order: Order) -> Result<(), Order> {
        let mut orders = self.orders.lock();
        if orders.closed {
            return Err(order);
        }
        match &mut order {
            Order::Change(agent, _, running) => {
                *running = orders.under_way > 0;
                (orders.agent, orders.draining) = (Agent::clone(agent), false);
            }
            Order::Drain(_) => orders.draining = true,
        }
        orders.waiting.push_back(order);
        self.woken.notify_one();
        Ok(())
    }

    pub(super) fn status(&self) -> AgentStatus {
        self.status.lock().clone()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.orders.lock().closed
    }

    /// Begins a run, unless none may: what it is of, and its name.
    fn begin(&self, host: &Host) -> Option<(Agent, String)> {
        let mut orders = self.orders.lock();
        if orders.draining {
            return None;
        }
        orders.under_way += 1;
        let (agent, run) = (orders.agent.clone(), host.next_run());
        tracing::info!(target: "strongroom::notice", "agent {}, run {run}: begins", agent.manifest().name);
        Some((agent, run))
    }

    /// A run that had begun is no more.
    fn has_ended(&self) {
        self.orders.lock().under_way -= 1;
    }

    /// Whether none of its runs begins any more since so many have failed.
    pub(super) fn has_given_up(&self) -> bool {
        matches!(self.status.lock().state, AgentState::GivenUp { .. })
    }

    /// Takes no further order, unless one waits.
    fn close(&self) -> bool {
        let mut orders = self.orders.lock();
        orders.closed = orders.waiting.is_empty();
        orders.closed
    }
}

impl Supervised {
    /// An agent that nothing has run of yet. `last` is when it was due last.
    pub(super) fn new(common: Common, manifest: &Manifest, link: Arc<Link>, last: Option<u64>) -> Self {
        let runs = Runs::new(manifest.trigger.clone(), manifest.supervision.clone(), last, common.wall.now());
        let (under_way, begun, stage) = (JoinSet::new(), mpsc::unbounded_channel(), watch::Sender::new(Stage::Open));
        Self { common, name: manifest.name.clone(), runs, link, under_way, begun, stage, patience: None, is_told: false }
    }

    /// Runs the agent until it has drained.
    pub(super) async fn supervise(mut self) {
        loop {
            self.take_orders();
            self.begin_what_is_due().await;
            self.publish();
            if self.runs.is_over() && self.link.close() {
                return;
            }
            let (wait, link) = (self.wait(), Arc::clone(&self.link));
            tokio::select! {
                () = link.woken.notified() => {}
                Some(run) = self.begun.1.recv() => self.has_begun(run),
                Some(ended) = self.under_way.join_next() => self.has_ended(ended.unwrap_or_else(|_| Ended::by_a_defect())),
                () = tokio::time::sleep(wait) => self.interrupt_in_time(),
            }
        }
    }

    fn take_orders(&mut self) {
        loop {
            let next = self.link.orders.lock().waiting.pop_front();
            let Some(order) = next else { return };
            self.take(order);
        }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Change(agent, path, running) => {
                let manifest = agent.manifest();
                self.runs.change(manifest.trigger.clone(), manifest.supervision.clone(), running, self.common.wall.now());
                *self.link.drained.lock() = (0, 0);
                self.link.status.lock().manifest = path;
                self.patience = None;
                self.stage.send_replace(Stage::Open);
            }
            Order::Drain(within) => {
                self.runs.drain();
                self.stage.send_if_modified(|stage| {
                    *stage == Stage::Open && {
                        *stage = Stage::Draining;
                        true
                    }
                });
                let until = Instant::now().checked_add(within).unwrap_or_else(|| Instant::now() + A_LIFETIME);
                self.patience = Some(self.patience.map_or(until, |patience| patience.min(until)));
                self.interrupt_in_time();
            }
        }
    }

    /// Interrupts what runs, once its time is up. A run that begins after is not concerned.
    fn interrupt_in_time(&mut self) {
        if self.patience.is_some_and(|patience| patience <= Instant::now()) {
            self.stage.send_replace(Stage::Cut);
        }
    }

    /// How long nothing happens by itself.
    fn wait(&self) -> Duration {
        let now = self.common.wall.now();
        let due = self.runs.wakes().map(|due| Duration::from_millis(due.saturating_sub(now)));
        let is_cut = *self.stage.borrow() == Stage::Cut;
        let patience = self.patience.filter(|_| !is_cut).map(|patience| patience.saturating_duration_since(Instant::now()));
        due.into_iter().chain(patience).min().map_or(STEP, |wait| wait.min(STEP))
    }

    async fn begin_what_is_due(&mut self) {
        let name = &self.name;
        let mut ticked = self.runs.tick(self.common.wall.now());
        match ticked.left_out {
            Some(LeftOut::Busy) if std::mem::replace(&mut self.is_told, true) => {}
            Some(LeftOut::Busy) => {
                tracing::warn!(
                    "agent {name}: a run is due while earlier ones are under way or wait, and is left out; `[run] overlap` and `concurrency` say otherwise"
                );
            }
            Some(LeftOut::Missed) => {
                tracing::warn!("agent {name}: the time of a run has passed, and it is left out; `missed = \"run once\"` says otherwise")
            }
            None => {}
        }
        if let Some(due) = ticked.passed
            && self.runs.has_schedule()
            && let Err(why) = self.common.dues.keep(name, due).await
        {
            // Without a record of its time it could begin twice.
            tracing::warn!("agent {name}: nothing begins, since its time can't be kept ({why}); check the state directory and its disk");
            self.runs.not_begun(ticked.begin);
            ticked.begin = 0;
        }
        for _ in 0..ticked.begin {
            self.begin();
        }
    }

    /// Begins a run as soon as there is room for it.
    fn begin(&mut self) {
        let (common, link, begun, mut stage) = (self.common.clone(), Arc::clone(&self.link), self.begun.0.clone(), self.stage.subscribe());
        let agent = self.name.clone();
        self.under_way.spawn(async move {
            let line = common.host.kill_switch().line(&agent);
            tokio::select! {
                () = line.whole() => {}
                _ = stage.wait_for(|stage| *stage != Stage::Open) => return Ended::before_it_began(),
            }
            let _room = tokio::select! {
                room = Arc::clone(&common.room).acquire_owned() => room,
                _ = stage.wait_for(|stage| *stage != Stage::Open) => return Ended::before_it_began(),
            };
            let Some((agent, run)) = link.begin(&common.host) else { return Ended::before_it_began() };
            let _ = begun.send(run.clone());
            let interrupted = async move {
                let _ = stage.wait_for(|stage| *stage == Stage::Cut).await;
                "the host ends it".to_owned()
            };
            let began = Instant::now();
            let running = async {
                let options = (common.outputs)(&agent.manifest().name, &run).named(run.clone()).interrupted_by(interrupted);
                agent.run(options).await
            };
            // A defect ends the run that has met it; the hook has told of it.
            let ran = AssertUnwindSafe(running).catch_unwind().await;
            link.has_ended();
            let (ending, end) = match ran {
                Ok(Ok(outcome)) => (of(&outcome.end), outcome.end.to_string()),
                Ok(Err(RunError::Interrupted(why))) => (Ending::Interrupted, format!("interrupted: {why}")),
                Ok(Err(error)) => (Ending::Failed(error.to_string()), error.outcome().to_owned()),
                Err(_) => (Ending::Failed(DEFECT.to_owned()), DEFECT.to_owned()),
            };
            Ended { run: Some(run), ending, end, took: began.elapsed() }
        });
    }

    fn has_begun(&mut self, run: String) {
        self.is_told = false;
        self.runs.began();
        let mut status = self.link.status.lock();
        status.runs += 1;
        status.running.push(run);
    }

    fn has_ended(&mut self, ended: Ended) {
        // Its beginning may still wait to be heard of.
        while let Ok(run) = self.begun.1.try_recv() {
            self.has_begun(run);
        }
        let name = &self.name;
        let has_begun = ended.run.is_some();
        let next = self.runs.ended(&ended.ending, has_begun, ended.took, self.common.wall.now());
        let mut status = self.link.status.lock();
        if let Some(run) = &ended.run {
            status.running.retain(|running| running != run);
            status.last_end = Some(ended.end.clone());
        }
        drop(status);
        if self.patience.is_some() {
            let mut drained = self.link.drained.lock();
            *if ended.ending == Ending::Interrupted { &mut drained.1 } else { &mut drained.0 } += u64::from(has_begun);
        }
        let Some(run) = &ended.run else { return };
        let (took, end) = (millis(ended.took), &ended.end);
        match (&ended.ending, next) {
            (Ending::Failed(why), Next::Again(wait)) => {
                let wait = millis(wait);
                tracing::warn!("agent {name}, run {run}: failed after {took} ms ({why}); another begins in {wait} ms");
            }
            (Ending::Failed(why), Next::GivesUp(failures)) => tracing::error!(
                "agent {name}, run {run}: failed after {took} ms ({why}); that was failure {failures} in a row, and none begins any more: mend the agent, \
                 and have the directory read anew (SIGHUP)"
            ),
            (Ending::Failed(why), Next::AsPlanned) => tracing::warn!("agent {name}, run {run}: failed after {took} ms ({why})"),
            _ => tracing::info!(target: "strongroom::notice", "agent {name}, run {run}: has ended after {took} ms ({end})"),
        }
    }

    /// Says how the agent is.
    fn publish(&self) {
        let mut status = self.link.status.lock();
        let state = self.runs.state();
        if status.state != state {
            (status.state, status.since) = (state, self.common.wall.now());
        }
        (status.next, status.queued) = (self.runs.next(), self.runs.queued());
        (status.restarts, status.left_out) = (self.runs.restarts, self.runs.left_out);
    }
}

impl Ended {
    /// A run that is gone without a word.
    fn by_a_defect() -> Self {
        Self { run: None, ending: Ending::Failed(DEFECT.to_owned()), end: DEFECT.to_owned(), took: Duration::ZERO }
    }

    /// A run that found no room before it was to end.
    fn before_it_began() -> Self {
        Self { run: None, ending: Ending::Interrupted, end: String::new(), took: Duration::ZERO }
    }
}

fn of(end: &End) -> Ending {
    match end {
        End::Exit(0) => Ending::Well,
        End::Interrupted(_) => Ending::Interrupted,
        end => Ending::Failed(end.to_string()),
    }
}
