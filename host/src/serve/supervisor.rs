//! The agents of a directory: begun, read anew, and drained.

use super::configuration::{Configuration, ConfigurationRead};
use super::directory::{self, Listed, Listing, Loaded, Stand};
use super::dues::Dues;
use super::error::ServeError;
use super::http::{Listener, Route};
use super::logs::Logs;
use super::pauses::Pauses;
use super::runs::Triggered;
use super::status::{AgentState, AgentStatus, Drained, OrderError, Refused, Reloaded, RunStatus};
use super::supervise::{Common, Link, Order, Supervised};
use super::watch::Look;
use crate::doors::wasm::RunOptions;
use crate::lock::Mutex;
use crate::manifest::{HostConfig, ListenConfig};
use crate::{Agent, Host};
use rayon::{ThreadPool, ThreadPoolBuilder};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// Where the output of a run goes, by the agent's name and the run's.
pub(super) type Outputs = Arc<dyn Fn(&str, &str) -> RunOptions + Send + Sync>;

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How a supervisor serves.
pub struct Serving {
    outputs: Outputs,
    drain: Duration,
    except: Option<PathBuf>,
    listen: Option<ListenConfig>,
    configuration: Option<Configuration>,
}

/// Runs the agents of a directory. Cheap to clone; the clones are one supervisor. Once the last is dropped, all runs end: call
/// [`Supervisor::drain`] before.
#[derive(Clone)]
pub struct Supervisor(Arc<Inner>);

struct Inner {
    directory: PathBuf,
    serving: Serving,
    common: Common,
    compiling: ThreadPool,
    agents: Mutex<BTreeMap<String, Served>>,
    /// The files as they were read last.
    seen: Mutex<Look>,
    /// Held by whoever reads the directory. True once nothing begins any more.
    draining: tokio::sync::Mutex<bool>,
    /// Held by whoever pauses an agent, or resumes one.
    pausing: tokio::sync::Mutex<()>,
    /// Ends the reading of the directory.
    ending: CancellationToken,
    tasks: TaskTracker,
    /// Where callers come.
    listener: Option<Listener>,
    /// What tells the directory from others.
    #[cfg(feature = "ops")]
    served: String,
    /// Keeps others from serving the same.
    _mark: Option<File>,
}

/// An agent, its files, and its task.
struct Served {
    path: PathBuf,
    stand: Stand,
    link: Arc<Link>,
    /// Its manifest is gone.
    leaves: bool,
    /// How callers reach it.
    route: Option<Arc<Route>>,
    _task: AbortOnDropHandle<()>,
}

/// What an agent's files came to.
type Found = (PathBuf, String, Result<Loaded, String>);

impl Serving {
    /// `options` gives each run its streams and arguments, by the names of its agent and of the run. What interrupts a run is the supervisor's to
    /// say: [`RunOptions::interrupted_by`] has no effect here.
    #[must_use]
    pub fn new(options: impl Fn(&str, &str) -> RunOptions + Send + Sync + 'static) -> Self {
        Self { outputs: Arc::new(options), drain: Duration::from_secs(30), except: None, listen: None, configuration: None }
    }

    /// How long the runs of an agent whose manifest is gone may go on. Default 30 s.
    #[must_use]
    pub fn drain(mut self, within: Duration) -> Self {
        self.drain = within;
        self
    }

    /// Where callers reach the agents with `http` in their `[trigger]`. Default: where the host's configuration says, or nowhere.
    #[must_use]
    pub fn listen(mut self, listen: ListenConfig) -> Self {
        self.listen = Some(listen);
        self
    }

    /// Has the host's configuration read anew with the directory: `file` is where it lies, and `read` reads it, or says why it can't be used.
    /// Default: the host stays by what it was built with.
    #[must_use]
    pub fn configuration(
        mut self,
        file: impl Into<PathBuf>,
        read: impl Fn() -> Result<HostConfig, String> + Send + Sync + 'static,
    ) -> Self {
        self.configuration = Some(Configuration::new(file.into(), read));
        self
    }

    /// A file that is no manifest, such as the host's configuration, wherever it lies.
    #[must_use]
    pub fn except(mut self, file: impl Into<PathBuf>) -> Self {
        self.except = Some(file.into());
        self
    }
}

impl Supervisor {
    /// Serves a directory, from the first [`Supervisor::reload`] on. No other supervisor of the hosts with this state directory serves it meanwhile.
    ///
    /// # Errors
    /// [`ServeError`] where it can't be served.
    pub fn new(host: Host, directory: impl Into<PathBuf>, serving: Serving) -> Result<Self, ServeError> {
        let directory = directory.into();
        let (served, mark) = mark(&host, &directory)?;
        let listen = serving.listen.clone().or_else(|| host.listen());
        let listener = listen.as_ref().map(|listen| Listener::bind(&host, listen, &served)).transpose()?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let compiling =
            ThreadPoolBuilder::new().num_threads(cores.saturating_sub(1).max(1)).thread_name(|n| format!("strongroom-compile-{n}"));
        let compiling = compiling.build().map_err(|error| ServeError::Threads(error.to_string()))?;
        let common = Common {
            wall: host.wall().clone(),
            room: Arc::new(Semaphore::new(usize::try_from(host.max_agents()).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS))),
            dues: Dues::of(host.state()),
            pauses: Pauses::of(host.state()),
            logs: Arc::new(Logs::new(host.wall().clone())),
            outputs: Arc::clone(&serving.outputs),
            host,
        };
        // What can't be read now could not be kept later.
        common.dues.last("").map_err(ServeError::State)?;
        common.pauses.has("").map_err(ServeError::State)?;
        let (agents, seen, draining, pausing, tasks) = Default::default();
        let ending = CancellationToken::new();
        let inner = Inner {
            directory,
            serving,
            common,
            compiling,
            agents,
            seen,
            draining,
            pausing,
            ending,
            tasks,
            listener,
            #[cfg(feature = "ops")]
            served,
            _mark: mark,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Reads the manifests of the directory: each `NAME.toml` in it, and each `agent.toml` in a directory right below. A new agent begins as soon
    /// as it is loaded. One whose manifest is gone drains. One whose manifest or component is another takes it for its next runs, with rates that
    /// begin anew; what runs is held to both ([`Agent::superseded_by`]). A manifest that can't be used is in the answer; it stops no other, and its agent stays as it was.
    ///
    /// Before that, the host's configuration is read anew, where [`Serving::configuration`] says how. What can be taken up while the host serves
    /// is: new runs are searched by its rules; what leaves goes by its network and its bounds on signing from the next connection, and the next
    /// signature, on. What can't is in the answer.
    ///
    /// Needs a Tokio runtime with time and I/O, for as long as the supervisor serves: without [`HostBuilder::lanes`](crate::HostBuilder::lanes),
    /// agents run on it.
    ///
    /// # Errors
    /// [`ServeError`] where the directory can't be read; no agent has changed then, and the host's configuration was read.
    pub async fn reload(&self) -> Result<Reloaded, ServeError> {
        let inner = &*self.0;
        let draining = inner.draining.lock().await;
        if *draining {
            return Err(ServeError::Draining);
        }
        let configured = tokio::select! {
            biased;
            () = inner.ending.cancelled() => return Err(ServeError::Draining),
            configured = self.reconfigure() => configured,
        };
        let (directory, except) = (inner.directory.clone(), inner.serving.except.clone());
        let listed = tokio::task::spawn_blocking(move || {
            // Looked at before they are read: what changes meanwhile is another state.
            let seen = Look::at(directory::paths(&directory)?);
            let listing = directory::list(&directory, except.as_deref())?;
            let others = listing.good.iter().flat_map(Listed::others);
            Ok((seen.and(Look::at(others)), listing))
        });
        let listed: Result<(Look, Listing), ServeError> =
            listed.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        let (look, configuration) = configured.unzip();
        let (seen, Listing { good, bad }) = match listed {
            Ok((seen, listing)) => (seen.and(look.unwrap_or_default()), listing),
            Err(error) => {
                // The configuration was read all the same.
                let mut seen = inner.seen.lock();
                *seen = std::mem::take(&mut *seen).and(look.unwrap_or_default());
                return Err(error);
            }
        };
        *inner.seen.lock() = seen;
        let mut reloaded = Reloaded { configuration, ..Reloaded::default() };
        for (path, why) in bad {
            reloaded.refused.push(self.refused(path, why));
        }
        let mut loading = self.load(good);
        let mut there: Vec<String> = Vec::new();
        loop {
            let found = tokio::select! {
                biased;
                () = inner.ending.cancelled() => return Err(ServeError::Draining),
                found = loading.recv() => found,
            };
            let Some((path, name, loaded)) = found else { break };
            match loaded.and_then(|loaded| self.take(&path, &name, loaded, &mut reloaded)) {
                Ok(()) => there.push(name),
                Err(why) => reloaded.refused.push(self.refused(path, why)),
            }
        }
        self.let_go(&there, &mut reloaded);
        self.answer(&mut reloaded);
        let Reloaded { added, changed, removed, refused, .. } = &mut reloaded;
        [added, changed, removed].into_iter().for_each(|names| names.sort());
        refused.sort_by(|one, other| one.manifest.cmp(&other.manifest));
        Ok(reloaded)
    }

    /// Reads the host's configuration anew, where it is read: off the threads that answer callers.
    async fn reconfigure(&self) -> Option<(Look, ConfigurationRead)> {
        self.0.serving.configuration.as_ref()?;
        let supervisor = self.clone();
        let read = tokio::task::spawn_blocking(move || {
            let Inner { serving, common, listener, .. } = &*supervisor.0;
            // Where the embedder says where it listens, the configuration does not.
            let listener = listener.as_ref().filter(|_| serving.listen.is_none());
            serving.configuration.as_ref().map(|configuration| configuration.reread(&common.host, listener))
        });
        read.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// What the host's configuration came to when it was read last, where it is read with the directory.
    #[must_use]
    pub fn configuration(&self) -> Option<ConfigurationRead> {
        self.0.serving.configuration.as_ref()?.last()
    }

    /// Has something else go by the host's configuration as it is read anew.
    #[cfg(feature = "ops")]
    pub(crate) fn follow(&self, follower: super::configuration::Follower) {
        self.0.serving.configuration.iter().for_each(|configuration| configuration.follow(follower.clone()));
    }

    /// Waits until the manifests, the components of agents, or the host's configuration with what it names, are others than [`Supervisor::reload`] has read, and nobody writes them any more: they
    /// are looked at every second, and have to be alike twice.
    pub async fn changed(&self) {
        let mut last = None;
        loop {
            tokio::time::sleep(LOOK).await;
            let (directory, known) = (self.0.directory.clone(), self.0.seen.lock().clone());
            let looked = tokio::task::spawn_blocking(move || {
                let there = directory::paths(&directory).unwrap_or_default();
                Look::at(there.into_iter().chain(known.paths()))
            });
            let Ok(look) = looked.await else { return };
            let mut seen = self.0.seen.lock();
            if look != *seen && last.as_ref() == Some(&look) {
                // Told once, even where it can't be read then.
                *seen = look;
                return;
            }
            drop(seen);
            last = Some(look);
        }
    }

    /// Where it listens for callers, from the first [`Supervisor::reload`] on: `http://127.0.0.1:8080`.
    #[must_use]
    pub fn url(&self) -> Option<String> {
        let listener = self.0.listener.as_ref()?;
        let scheme = if listener.config().tls().is_some() { "https" } else { "http" };
        Some(format!("{scheme}://{}", listener.address()))
    }

    /// Every agent, in the order of their names.
    #[must_use]
    pub fn status(&self) -> Vec<AgentStatus> {
        self.0
            .agents
            .lock()
            .values()
            .filter(|served| !(served.leaves && served.link.is_closed()))
            .map(|served| served.link.status())
            .map(|status| match self.0.common.host.kill_switch().line(&status.agent).is_cut() {
                false => status,
                true => AgentStatus { state: AgentState::Stopped, ..status },
            })
            .collect()
    }

    /// Begins nothing any more, and waits until all runs have ended. Those that have not within this time are interrupted: their ends are in the
    /// audit log, and what they were lent is given back. Called again meanwhile, by another, the shorter time counts.
    pub async fn drain(&self, within: Duration) -> Drained {
        // What has drained before is told before.
        self.forget_gone(&mut self.0.agents.lock());
        self.0.ending.cancel();
        self.0.listener.iter().for_each(Listener::end);
        self.order_drain(within);
        // Whoever reads the directory right now may have begun another.
        *self.0.draining.lock().await = true;
        self.order_drain(within);
        self.0.tasks.close();
        self.0.tasks.wait().await;
        if let Some(listener) = &self.0.listener {
            listener.ended().await;
        }
        let agents = self.0.agents.lock();
        let each = agents.values().map(|served| *served.link.drained.lock());
        each.fold(Drained::default(), |all, (ended, interrupted)| Drained {
            ended: all.ended + ended,
            interrupted: all.interrupted + interrupted,
        })
    }

    /// The runs of an agent that are under way, and its last 20 that have ended, the latest first.
    ///
    /// # Errors
    /// [`OrderError::NoAgent`].
    pub fn runs(&self, agent: &str) -> Result<Vec<RunStatus>, OrderError> {
        Ok(self.link(agent)?.runs())
    }

    /// What agents have printed and logged, scrubbed.
    #[must_use]
    pub fn logs(&self) -> &Arc<Logs> {
        &self.0.common.logs
    }

    /// Has an agent run now, as if its time had come. One of which so many runs have failed that none begins any more runs again.
    ///
    /// # Errors
    /// [`OrderError`], which says why none begins.
    pub async fn trigger(&self, agent: &str) -> Result<(), OrderError> {
        let link = self.link(agent)?;
        let name = || agent.to_owned();
        if self.0.common.host.kill_switch().line(agent).is_cut() {
            return Err(OrderError::Stopped(name()));
        }
        let (tell, told) = oneshot::channel();
        let draining = || OrderError::Draining(name());
        link.order(Order::Trigger(tell)).map_err(|_| draining())?;
        match told.await.map_err(|_| draining())? {
            Triggered::Begins => Ok(()),
            Triggered::Busy => Err(OrderError::Busy(name())),
            Triggered::Called => Err(OrderError::Called(name())),
            Triggered::Paused => Err(OrderError::Paused(name())),
            Triggered::Draining => Err(draining()),
        }
    }

    /// Ends the runs of an agent that are under way, or one of them, and gives their names: it does not wait for their ends. Its trigger goes on;
    /// one that restarts does not begin again by itself.
    ///
    /// # Errors
    /// [`OrderError`] where there is no such agent, or no such run.
    pub fn stop(&self, agent: &str, run: Option<&str>) -> Result<Vec<String>, OrderError> {
        let stopped = self.link(agent)?.stop(run);
        match run {
            Some(run) if stopped.is_empty() => Err(OrderError::NoRun { agent: agent.to_owned(), run: run.to_owned() }),
            _ => Ok(stopped),
        }
    }

    /// Has nothing of an agent begin any more, callers' runs included, until it is resumed; or resumes it. What runs goes on. It outlives the
    /// host, in its state directory. Times of a schedule that pass meanwhile are missed ones.
    ///
    /// # Errors
    /// [`OrderError`] where there is no such agent, or where it can't be kept.
    pub async fn pause(&self, agent: &str, paused: bool) -> Result<(), OrderError> {
        let (link, supervisor, name) = (self.link(agent)?, self.clone(), agent.to_owned());
        // Both halves or none, though whoever asked may leave; one at a time, so that the disk and the agent say the same.
        let pausing = tokio::spawn(async move {
            let _turn = supervisor.0.pausing.lock().await;
            let (pauses, agent) = (supervisor.0.common.pauses.clone(), name.clone());
            let kept = tokio::task::spawn_blocking(move || pauses.set(&agent, paused)).await;
            let kept = kept.unwrap_or_else(|_| Err(std::io::Error::other("the thread that writes has failed")));
            kept.map_err(|error| OrderError::State { agent: name.clone(), why: error.to_string() })?;
            link.order(Order::Pause(paused)).map_err(|_| OrderError::Draining(name))
        });
        pausing.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    fn link(&self, agent: &str) -> Result<Arc<Link>, OrderError> {
        let agents = self.0.agents.lock();
        let there = agents.get(agent).filter(|served| !(served.leaves && served.link.is_closed()));
        there.map(|served| Arc::clone(&served.link)).ok_or_else(|| OrderError::NoAgent(agent.to_owned()))
    }

    /// The agents that are served.
    #[cfg(feature = "ops")]
    pub(crate) fn agents(&self) -> Vec<Agent> {
        self.0.agents.lock().values().filter(|served| !served.leaves).map(|served| served.link.agent()).collect()
    }

    /// The host that runs them.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.0.common.host
    }

    /// The directory, as it was named.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    /// What tells its directory from others that hosts with this state directory serve.
    #[cfg(feature = "ops")]
    pub(crate) fn mark(&self) -> &str {
        &self.0.served
    }

    fn order_drain(&self, within: Duration) {
        for served in self.0.agents.lock().values() {
            // Where its task has ended, it has drained.
            let _ = served.link.order(Order::Drain(within));
        }
    }

    /// Loads agents, as many at once as there are threads for it. What takes no time comes first.
    fn load(&self, good: Vec<Listed>) -> mpsc::UnboundedReceiver<Found> {
        let (sender, receiver) = mpsc::unbounded_channel();
        for listed in good {
            let (path, name) = (listed.path.clone(), listed.manifest.name.clone());
            let known = self
                .0
                .agents
                .lock()
                .get(&name)
                .filter(|served| !served.leaves && served.path == path && !served.link.has_given_up())
                .map(|served| served.stand);
            let (host, sender) = (self.0.common.host.clone(), sender.clone());
            self.0.compiling.spawn(move || {
                // A panic here would end the process.
                let loaded = catch_unwind(AssertUnwindSafe(|| directory::load(&host, listed, known)));
                let loaded = loaded.unwrap_or_else(|_| Err(format!("{}: the host failed as it loaded the agent", path.display())));
                let _ = sender.send((path, name, loaded));
            });
        }
        receiver
    }

    fn take(&self, path: &Path, name: &str, loaded: Loaded, reloaded: &mut Reloaded) -> Result<(), String> {
        let Loaded::Agent(agent, stand) = loaded else { return Ok(()) };
        let mut agents = self.0.agents.lock();
        let mut agent = *agent;
        if let Some(served) = agents.get_mut(name) {
            let route = self.route(&agent, &served.link, path)?;
            match served.link.order(Order::Change(Box::new(agent), path.to_owned(), false)) {
                Ok(()) => {
                    let list = if served.leaves { &mut reloaded.added } else { &mut reloaded.changed };
                    list.push(name.to_owned());
                    (served.path, served.stand, served.leaves, served.route) = (path.to_owned(), stand, false, route);
                    return Ok(());
                }
                Err(Order::Change(same, ..)) => agent = *same,
                Err(_) => unreachable!("a change was ordered"),
            }
        }
        agents.insert(name.to_owned(), self.begin(agent, path, stand)?);
        reloaded.added.push(name.to_owned());
        Ok(())
    }

    fn begin(&self, agent: Agent, path: &Path, stand: Stand) -> Result<Served, String> {
        let common = self.0.common.clone();
        let name = &agent.manifest().name;
        let kept = common.dues.last(name).and_then(|last| Ok((last, common.pauses.has(name)?))).map_err(ServeError::State);
        let (last, paused) = kept.map_err(|error| format!("{}: it can't be begun: {error}", path.display()))?;
        let link = Arc::new(Link::new(agent.clone(), path.to_owned(), common.wall.now(), paused));
        let route = self.route(&agent, &link, path)?;
        let supervised = Supervised::new(common, agent.manifest(), Arc::clone(&link), last, paused);
        let task = AbortOnDropHandle::new(self.0.tasks.spawn(supervised.supervise()));
        Ok(Served { path: path.to_owned(), stand, link, leaves: false, route, _task: task })
    }

    /// How callers reach an agent, where they run it.
    fn route(&self, agent: &Agent, link: &Arc<Link>, path: &Path) -> Result<Option<Arc<Route>>, String> {
        let listen = self.0.listener.as_ref().map(|listener| listener.config());
        Route::to(agent, link, listen.as_deref()).map_err(|why| format!("{}: {why}", path.display()))
    }

    /// Has the agents that are there answer their callers. Where one that goes on by what it was has the path of another, neither does: nobody
    /// knows which of them a caller means.
    fn answer(&self, reloaded: &mut Reloaded) {
        let Some(listener) = &self.0.listener else { return };
        let agents = self.0.agents.lock();
        let routes = || agents.values().filter(|served| !served.leaves).filter_map(|served| Some((&served.path, served.route.as_ref()?)));
        let (mut alone, mut twice) = (Vec::new(), Vec::new());
        for (manifest, route) in routes() {
            match routes().find(|(other, known)| *other != manifest && known.path() == route.path()) {
                None => alone.push(Arc::clone(route)),
                Some((other, _)) => twice.push((manifest.clone(), other.display().to_string(), route.path().to_owned())),
            }
        }
        for (manifest, other, called) in twice {
            let place = manifest.display();
            let why = format!(
                "{place}: the path `{called}` is that of {other} too, and neither is called by it; give each agent a path of its own"
            );
            reloaded.refused.push(Refused { manifest, why, keeps: None });
        }
        if self.0.serving.configuration.is_none() || self.0.serving.listen.is_some() {
            listener.renew();
        }
        listener.take(alone);
        listener.open();
    }

    /// A manifest that can't be used; an agent that was loaded from it goes on by what it was.
    fn refused(&self, manifest: PathBuf, why: String) -> Refused {
        let agents = self.0.agents.lock();
        let keeps = agents.iter().find(|(_, served)| served.path == manifest && !served.leaves).map(|(name, _)| name.clone());
        Refused { manifest, why, keeps }
    }

    /// Agents that have drained are no more, and neither is what they have said.
    fn forget_gone(&self, agents: &mut BTreeMap<String, Served>) {
        let gone = agents.extract_if(.., |_, served| served.leaves && served.link.is_closed());
        gone.for_each(|(name, _)| self.0.common.logs.forget(&name));
    }

    /// Has agents drain whose manifest is gone.
    fn let_go(&self, there: &[String], reloaded: &mut Reloaded) {
        let mut agents = self.0.agents.lock();
        self.forget_gone(&mut agents);
        for (name, served) in agents.iter_mut().filter(|(_, served)| !served.leaves) {
            let is_kept = there.contains(name) || reloaded.refused.iter().any(|refused| refused.keeps.as_ref() == Some(name));
            if !is_kept {
                let _ = served.link.order(Order::Drain(self.0.serving.drain));
                served.leaves = true;
                reloaded.removed.push(name.clone());
            }
        }
    }
}

/// Marks a directory as served, for all hosts with this state directory; and what tells it from others there. The mark goes with the process.
fn mark(host: &Host, directory: &Path) -> Result<(String, Option<File>), ServeError> {
    let unread = |source| ServeError::Directory { path: directory.to_owned(), source };
    let whole = directory.canonicalize().map_err(unread)?;
    let served = crate::text::hex(&Sha256::digest(whole.as_os_str().as_bytes())[..8]);
    let Some(state) = host.state() else { return Ok((served, None)) };
    let name = format!("serving-{served}.lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(state.path().join(name));
    let file = file.map_err(ServeError::State)?;
    match file.try_lock() {
        Ok(()) => Ok((served, Some(file))),
        Err(TryLockError::WouldBlock) => Err(ServeError::Served { path: directory.to_owned() }),
        Err(TryLockError::Error(error)) => Err(ServeError::State(error)),
    }
}
