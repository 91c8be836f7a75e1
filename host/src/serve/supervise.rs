//! One agent of a supervisor, by a task of its own: it waits for what is due, begins runs as there is room, and says how they end. What is to be
//! done, and when, [`Runs`] decides.

use super::dues::Dues;
use super::http::Waiting;
use super::logs::Logs;
use super::pauses::Pauses;
use super::runs::{Ending, LeftOut, Next, Runs, Triggered};
use super::status::{AgentState, AgentStatus, RunStatus};
use super::supervisor::Outputs;
use crate::clock::{Wall, millis};
use crate::doors::wasm::{End, Outcome, RunError};
use crate::lock::Mutex;
use crate::manifest::Manifest;
use crate::meter::Limit;
use crate::policy::Rule;
use crate::{Agent, Host};
use ::http::StatusCode;
use futures_util::FutureExt;
use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The longest sleep: a clock that is set, or a machine that has slept, is noticed within this time.
const STEP: Duration = Duration::from_secs(20);
/// How long is waited where that is for ever.
const A_LIFETIME: Duration = Duration::from_secs(100 * 366 * 86_400);
/// How many runs of an agent are known after they have ended.
const KNOWN: usize = 20;
/// How a run ends that the host itself has failed.
const DEFECT: &str = "a defect of the host";

/// What is asked of an agent's task.
pub(super) enum Order {
    /// The agent has another manifest or component. Whether a run of what it was is under way, whoever takes the order knows.
    Change(Box<Agent>, PathBuf, bool),
    /// Nothing begins any more; what still runs after this time is interrupted.
    Drain(Duration),
    /// A caller asks for a run.
    Call(Box<Waiting>),
    /// An operator asks for one, and is told what comes of it.
    Trigger(oneshot::Sender<Triggered>),
    /// Nothing begins until this is lifted.
    Pause(bool),
    /// What was to begin since a run before has ended does not.
    Stop,
}

/// What an agent's task and its supervisor share.
pub(super) struct Link {
    orders: Mutex<Orders>,
    woken: Notify,
    /// For runs that wait until the agent is no longer paused.
    is_paused: watch::Sender<bool>,
    status: Mutex<AgentStatus>,
    /// Runs that ended by themselves while it drained, and those that were interrupted.
    pub(super) drained: Mutex<(u64, u64)>,
    /// The last runs that have ended, the latest last.
    ended: Mutex<VecDeque<RunStatus>>,
}

struct Orders {
    waiting: VecDeque<Order>,
    /// What runs that begin now are of.
    agent: Agent,
    /// What runs may still be of that began before.
    earlier: Vec<Agent>,
    /// No run begins any more.
    draining: bool,
    /// No run begins until an operator lifts it.
    paused: bool,
    /// The task has ended, and takes no more.
    closed: bool,
    /// Runs that have begun, and not ended.
    under_way: BTreeMap<String, UnderWay>,
}

/// A run that has begun, and not ended.
struct UnderWay {
    began: u64,
    /// Ends it.
    stop: CancellationToken,
}

/// Why a run does not begin.
enum NotBegun {
    Draining,
    Paused,
}

/// A run that begins.
struct Begun {
    agent: Agent,
    run: String,
    /// An operator ends it.
    stopped: CancellationToken,
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
    pub(super) logs: Arc<Logs>,
    pub(super) pauses: Pauses,
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
    /// Callers whose runs have not begun, in the order of asking.
    callers: VecDeque<Waiting>,
    /// Why the last run for a caller failed, as far as it was told: many callers may meet one failure.
    told: Option<String>,
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
    pub(super) fn new(agent: Agent, manifest: PathBuf, now: u64, paused: bool) -> Self {
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
        let (waiting, earlier, under_way) = Default::default();
        let orders = Orders { waiting, agent, earlier, draining: false, paused, closed: false, under_way };
        let (woken, drained, ended) = Default::default();
        Self { orders: Mutex::new(orders), woken, is_paused: watch::Sender::new(paused), status: Mutex::new(status), drained, ended }
    }

    /// Gives an order, which holds for every run that begins from here on; or gives it back, where the task has ended.
    pub(super) fn order(&self, mut order: Order) -> Result<(), Order> {
        let mut orders = self.orders.lock();
        if orders.closed {
            return Err(order);
        }
        match &mut order {
            Order::Change(agent, _, running) => {
                *running = !orders.under_way.is_empty();
                let before = std::mem::replace(&mut orders.agent, Agent::clone(agent));
                orders.earlier.push(before);
                // What no run is of any more goes.
                orders.earlier.retain(|earlier| !earlier.is_alone());
                orders.earlier.iter().for_each(|earlier| earlier.superseded_by(agent));
                orders.draining = false;
            }
            Order::Drain(_) => orders.draining = true,
            Order::Call(_) if orders.draining => return Err(order),
            Order::Pause(paused) => {
                orders.paused = *paused;
                self.is_paused.send_replace(*paused);
            }
            Order::Call(_) | Order::Trigger(_) | Order::Stop => {}
        }
        orders.waiting.push_back(order);
        self.woken.notify_one();
        Ok(())
    }

    pub(super) fn status(&self) -> AgentStatus {
        self.status.lock().clone()
    }

    /// What its next runs are of.
    #[cfg(feature = "ops")]
    pub(super) fn agent(&self) -> Agent {
        self.orders.lock().agent.clone()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.orders.lock().closed
    }

    /// Begins a run, unless none may. What a caller was let in to is what it gets, and nothing is said of it: the audit log has each.
    fn begin(&self, common: &Common, called: Option<Agent>) -> Result<Begun, NotBegun> {
        let mut orders = self.orders.lock();
        match (orders.draining, orders.paused) {
            (true, _) => return Err(NotBegun::Draining),
            (_, true) => return Err(NotBegun::Paused),
            _ => {}
        }
        let (is_called, run, stopped) = (called.is_some(), common.host.next_run(), CancellationToken::new());
        orders.under_way.insert(run.clone(), UnderWay { began: common.wall.now(), stop: stopped.clone() });
        let agent = called.unwrap_or_else(|| orders.agent.clone());
        if !is_called {
            tracing::info!(target: "strongroom::notice", "agent {}, run {run}: begins", agent.manifest().name);
        }
        Ok(Begun { agent, run, stopped })
    }

    fn is_paused(&self) -> bool {
        *self.is_paused.borrow()
    }

    /// Waits until it is not paused.
    async fn resumed(&self) {
        // It holds the sender itself.
        let _ = self.is_paused.subscribe().wait_for(|paused| !paused).await;
    }

    /// A run that had begun is no more.
    fn has_ended(&self, agent: &str, run: String, end: &str, now: u64) {
        let mut orders = self.orders.lock();
        // What no run is of any more goes; this one's at the next.
        orders.earlier.retain(|earlier| !earlier.is_alone());
        let Some(UnderWay { began, .. }) = orders.under_way.remove(&run) else { return };
        let mut ended = self.ended.lock();
        if ended.len() == KNOWN {
            ended.pop_front();
        }
        ended.push_back(RunStatus { agent: agent.to_owned(), run, began, ended: Some(now), end: Some(end.to_owned()) });
    }

    /// The runs that are under way, and the last ones that have ended, the latest first.
    pub(super) fn runs(&self) -> Vec<RunStatus> {
        let agent = self.status.lock().agent.clone();
        let orders = self.orders.lock();
        let under_way = orders.under_way.iter().map(|(run, UnderWay { began, .. })| (run.clone(), *began));
        let of = |(run, began)| RunStatus { agent: agent.clone(), run, began, ended: None, end: None };
        let mut runs: Vec<_> = under_way.map(of).collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.began));
        runs.extend(self.ended.lock().iter().rev().cloned());
        runs
    }

    /// Ends the runs that are under way, or the one of that name, and says which. With all, what was to begin anew does not.
    pub(super) fn stop(&self, run: Option<&str>) -> Vec<String> {
        if run.is_none() {
            // Where its task has ended, nothing begins.
            let _ = self.order(Order::Stop);
        }
        let orders = self.orders.lock();
        let wanted = orders.under_way.iter().filter(|(name, _)| run.is_none_or(|run| run == *name));
        wanted.map(|(name, under_way)| (under_way.stop.cancel(), name.clone()).1).collect()
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
    /// An agent that nothing has run of yet. `last` is when it was due last; `paused` says whether an operator has paused it.
    pub(super) fn new(common: Common, manifest: &Manifest, link: Arc<Link>, last: Option<u64>, paused: bool) -> Self {
        let mut runs = Runs::new(manifest.trigger.clone(), manifest.supervision.clone(), last, common.wall.now());
        runs.pause(paused);
        let (under_way, begun, stage) = (JoinSet::new(), mpsc::unbounded_channel(), watch::Sender::new(Stage::Open));
        Self {
            common,
            name: manifest.name.clone(),
            runs,
            link,
            under_way,
            begun,
            stage,
            patience: None,
            is_told: false,
            callers: VecDeque::new(),
            told: None,
        }
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
                self.told = None;
                if !self.runs.is_called() {
                    self.callers.drain(..).for_each(Waiting::turn_away);
                }
                self.stage.send_replace(Stage::Open);
            }
            Order::Call(waiting) if self.runs.called() => self.callers.push_back(*waiting),
            Order::Call(waiting) => waiting.turn_away(),
            Order::Trigger(told) => {
                let _ = told.send(self.runs.triggered(self.common.wall.now()));
            }
            Order::Pause(paused) => {
                self.runs.pause(paused);
                if paused {
                    self.callers.drain(..).for_each(Waiting::turn_away);
                }
            }
            Order::Stop => self.runs.stop(),
            Order::Drain(within) => {
                self.runs.drain();
                self.callers.drain(..).for_each(Waiting::turn_away);
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

    /// Begins a run as soon as there is room for it; that of the caller who waits longest, where callers run the agent.
    fn begin(&mut self) {
        let (common, link, begun, mut stage) = (self.common.clone(), Arc::clone(&self.link), self.begun.0.clone(), self.stage.subscribe());
        let (name, waiting) = (self.name.clone(), self.callers.pop_front());
        let runtime = waiting.as_ref().map_or_else(Handle::current, |waiting| waiting.runtime.clone());
        let run = async move {
            let gone = waiting.as_ref().map(|waiting| waiting.gone().clone());
            let line = common.host.kill_switch().line(&name);
            // What is due waits while the agent is stopped; a caller does not.
            let is_refused = waiting.is_some() && (line.is_cut() || link.is_paused());
            let _room = loop {
                let room = tokio::select! {
                    biased;
                    () = std::future::ready(()), if is_refused => None,
                    () = left(gone.as_ref()) => None,
                    _ = stage.wait_for(|stage| *stage != Stage::Open) => None,
                    room = async {
                        line.whole().await;
                        link.resumed().await;
                        Arc::clone(&common.room).acquire_owned().await
                    } => Some(room),
                };
                match room {
                    None => {
                        waiting.into_iter().for_each(Waiting::turn_away);
                        return Ended::before_it_began();
                    }
                    // It may have been a while.
                    Some(_) if line.is_cut() || link.is_paused() => {}
                    Some(room) => break room,
                }
            };
            let called = waiting.as_ref().map(|waiting| waiting.agent.clone());
            let call = match waiting {
                None => None,
                Some(waiting) => match waiting.begins().await {
                    Ok(call) => Some(call),
                    Err(error) => {
                        tracing::warn!("a message begins no run, since it can't be kept ({error}); check the state directory and its disk");
                        return Ended::before_it_began();
                    }
                },
            };
            let answer = call.as_ref().map(|call| call.answer.clone());
            let begins = loop {
                match link.begin(&common, called.clone()) {
                    // Since just now. Whoever calls does not wait for it.
                    Err(NotBegun::Paused) if called.is_none() => tokio::select! {
                        () = link.resumed() => {}
                        _ = stage.wait_for(|stage| *stage != Stage::Open) => {}
                    },
                    begins => break begins,
                }
            };
            let Ok(Begun { agent, run, stopped }) = begins else {
                answer.inspect(|answer| _ = answer.refuse(StatusCode::SERVICE_UNAVAILABLE));
                return Ended::before_it_began();
            };
            let _ = begun.send(run.clone());
            let interrupted = async move {
                tokio::select! {
                    _ = stage.wait_for(|stage| *stage == Stage::Cut) => "the host ends it".to_owned(),
                    () = left(gone.as_ref()) => "the caller has left".to_owned(),
                    () = stopped.cancelled() => "an operator has stopped it".to_owned(),
                }
            };
            let began = Instant::now();
            let running = async {
                let options = (common.outputs)(&agent.manifest().name, &run).named(run.clone()).interrupted_by(interrupted);
                let options = common.logs.copied(options, &name, &run);
                let options = if let Some(call) = call { options.answering(call) } else { options };
                agent.run(options).await
            };
            // A defect ends the run that has met it; the hook has told of it.
            let ran = AssertUnwindSafe(running).catch_unwind().await;
            if let Some(answer) = answer {
                answer.refuse(status(&ran));
            }
            let (ending, end) = match ran {
                Ok(Ok(outcome)) => (of(&outcome.end), outcome.end.to_string()),
                Ok(Err(RunError::Interrupted(why))) => (Ending::Interrupted, format!("interrupted: {why}")),
                Ok(Err(error @ RunError::Stopped(_))) => (Ending::Stopped, error.outcome().to_owned()),
                Ok(Err(error)) => (Ending::Failed(error.to_string()), error.outcome().to_owned()),
                Err(_) => (Ending::Failed(DEFECT.to_owned()), DEFECT.to_owned()),
            };
            link.has_ended(&name, run.clone(), &end, common.wall.now());
            Ended { run: Some(run), ending, end, took: began.elapsed() }
        };
        self.under_way.spawn_on(run, &runtime);
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
            (Ending::Failed(why), Next::AsPlanned) if self.runs.is_called() => {
                if self.told.as_ref() != Some(why) {
                    tracing::warn!("agent {name}, run {run}: failed after {took} ms ({why}); its caller was told so, and not why");
                    self.told = Some(why.clone());
                }
            }
            _ if self.runs.is_called() => {}
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

/// Waits until a caller has gone; for ever, where there is none.
async fn left(gone: Option<&CancellationToken>) {
    match gone {
        Some(gone) => gone.cancelled().await,
        None => std::future::pending().await,
    }
}

/// What a caller is told of a run that gave no response.
fn status(ran: &std::thread::Result<Result<Outcome, RunError>>) -> StatusCode {
    match ran {
        Ok(Ok(Outcome { end: End::Limit(Limit::Wall), .. })) => StatusCode::GATEWAY_TIMEOUT,
        Ok(Ok(Outcome { end: End::Interrupted(_), .. }) | Err(RunError::Interrupted(_))) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn of(end: &End) -> Ending {
    match end {
        End::Exit(0) => Ending::Well,
        End::Interrupted(_) => Ending::Interrupted,
        End::Stopped(denial) if denial.rule == Rule::KillSwitch => Ending::Stopped,
        end => Ending::Failed(end.to_string()),
    }
}
