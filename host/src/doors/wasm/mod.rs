//! Owns wasmtime: the engine, the linker, and the life of one run, from resolved secrets to the last record.

mod cache;
mod clocks;
mod component;
mod engine;
mod errors;
mod handler;
mod keyvalue;
mod limiter;
mod options;
mod outcome;
mod output;
mod signing;
mod store;

pub(crate) use cache::{Cache, DEFAULT_CACHE};
use component::Entry;
pub use component::{ComponentError, Inspection, MAX_COMPONENT};
pub(crate) use component::{Components, Loaded, inspect, linker};
pub(crate) use engine::Engine;
pub(crate) use handler::{Answering, Call, RequestBody, ResponseBody};
pub(crate) use options::LogSink;
pub use options::{Captured, LogLevel, LogRecord, RunOptions};
pub use outcome::{End, Outcome, RunError, SignersUnavailable};
pub(crate) use store::RunState;

use crate::audit::{AuditSink, Event, Journal, Used};
use crate::egress::{Outbound, Pools};
use crate::keyvalue::{Granted as GrantedState, Kept};
use crate::kill_switch::Line;
use crate::lock::{Mutex, RwLock};
use crate::manifest::Manifest;
use crate::meter::{Limit, Meter, Stop, Usage};
use crate::policy::Policy;
use crate::rotation::Rotations;
use crate::scrub::{Live, Replacement, Rules, Scrubber, Search, Tally};
use crate::secrets::{BackendError, Backends, Cache as SecretCache, Key, Keyring, Missing, SecretsUnavailable, Variables, Version};
use crate::session::{self, Counts, Later, Scrubbing, Session, Unavailable};
use crate::signing::{Granted, Opened, Signing};
use clocks::CoarseClock;
use limiter::Limiter;
use output::GuestOutput;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::{I32Exit, WasiCtxBuilder};

/// The WIT world, as Rust.
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "strongroom:agent/stateful-imports",
        imports: {
            "strongroom:agent/signing.[method]signer.sign-transaction": async | trappable,
            "strongroom:agent/signing.[method]signer.sign-message": async | trappable,
            "strongroom:agent/signing.[method]signer.sign-typed-data": async | trappable,
            "strongroom:agent/signing.[method]signer.sign-authorization": async | trappable,
            "strongroom:agent/signing.[method]signer.sign-digest": async | trappable,
            "strongroom:agent/signing.[method]signer.hmac": async | trappable,
            "strongroom:agent/signing.[method]signer.sign-jwt": async | trappable,
            "wasi:keyvalue/store.[method]bucket.get": async | trappable,
            "wasi:keyvalue/store.[method]bucket.set": async | trappable,
            "wasi:keyvalue/store.[method]bucket.delete": async | trappable,
            "wasi:keyvalue/store.[method]bucket.exists": async | trappable,
            "wasi:keyvalue/store.[method]bucket.list-keys": async | trappable,
            "wasi:keyvalue/atomics": async | trappable,
            "wasi:keyvalue/batch": async | trappable,
            default: trappable,
        },
        with: {
            "strongroom:agent/secrets.secret": super::store::OpenSecret,
            "strongroom:agent/signing.signer": super::signing::OpenSigner,
            "wasi:keyvalue/store.bucket": super::keyvalue::OpenBucket,
        },
    });
}

/// Bytes that one call of a guest may make the host allocate for its arguments: a log record as long as all output may be, by default, twice.
const HOSTCALL: usize = 16 << 20;

/// What hosts hand to a test at the end of a run: each of the guest's linear memories.
pub(crate) type Inspector = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// What the runs of one agent share.
pub(crate) struct AgentParts {
    pub(crate) manifest: Manifest,
    pub(crate) loaded: Arc<Loaded>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) pools: Arc<Pools>,
    pub(crate) signers: Vec<Arc<Granted>>,
    /// What it keeps over its runs, where its manifest says that it does.
    pub(crate) state: Option<Arc<GrantedState>>,
    /// The last search.
    pub(crate) searches: Mutex<Option<Searched>>,
    /// What the agent's effects hang on.
    pub(crate) line: Arc<Line>,
    /// What was read of it since.
    pub(crate) later: Arc<Later>,
    /// What the audit log calls its manifest.
    pub(crate) edition: String,
}

/// A search with what it is for.
pub(crate) struct Searched {
    /// The versions of secrets.
    versions: Vec<String>,
    rules: Arc<Rules>,
    search: Arc<Search>,
}

/// What all runs of a host share.
pub(crate) struct HostParts {
    pub(crate) engine: Engine,
    pub(crate) backends: Backends,
    pub(crate) variables: Arc<Variables>,
    pub(crate) rules: RwLock<Arc<Rules>>,
    pub(crate) audit: Option<Arc<dyn AuditSink>>,
    pub(crate) cache: Arc<SecretCache>,
    pub(crate) signing: Arc<Signing>,
    pub(crate) rotations: Rotations,
    pub(crate) counts: Counts,
    pub(crate) inspector: Option<Inspector>,
    pub(crate) runs: AtomicU64,
    pub(crate) name: String,
}

impl HostParts {
    /// A name for a run that is about to begin.
    pub(crate) fn next_run(&self) -> String {
        format!("{}-{}", self.name, self.runs.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The rules that runs which begin now are searched by.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read())
    }
}

/// Runs an agent once.
pub(crate) async fn run(host: &HostParts, agent: &AgentParts, mut options: RunOptions) -> Result<Outcome, RunError> {
    let manifest = &agent.manifest;
    let name = options.name.take().unwrap_or_else(|| host.next_run());
    let call = options.call.take();
    if call.is_some() != matches!(agent.loaded.entry, Entry::Handler(_)) {
        return Err(RunError::Start("it answers callers; serve it with `strongroom serve`".into()));
    }
    let meter = Arc::new(Meter::new(manifest.limits.clone()));
    agent.line.hang_run(&meter).map_err(RunError::Stopped)?;
    let journal = Arc::new(Journal::new(host.audit.clone(), name, manifest.name.clone()).bounded(&meter));
    let opened = tokio::select! {
        opened = open_keyring(host, manifest) => opened,
        why = &mut options.interrupt => return Err(RunError::Interrupted(why)),
        () = meter.stopped() => return Err(before_it_began(&meter)),
    };
    let keyring = match opened {
        Ok(keyring) => Arc::new(keyring),
        Err(unavailable) => {
            for missing in &unavailable.0 {
                let (reason, incident) = (missing.why.to_string(), missing.why.is_incident());
                let event = Event::SecretUnavailable { secret: (&missing.name).into(), reason: reason.into(), incident };
                journal.record(event).map_err(|_| RunError::Audit)?;
            }
            return Err(unavailable.into());
        }
    };
    let opened = tokio::select! {
        opened = open_signers(host, agent) => opened,
        why = &mut options.interrupt => return Err(RunError::Interrupted(why)),
        () = meter.stopped() => return Err(before_it_began(&meter)),
    };
    let signers = match opened {
        Ok(signers) => signers,
        Err(unavailable) => {
            for (signer, why) in &unavailable.0 {
                let event = Event::SignerFailed { signer: signer.into(), reason: why.to_string().into(), spent: false };
                journal.record(event).map_err(|_| RunError::Audit)?;
            }
            return Err(unavailable.into());
        }
    };
    let secrets = keyring.iter().map(|(_, key)| Used::of(&key.name, key.first()));
    let component = crate::text::hex(&agent.loaded.sha256).into();
    let start = Event::RunStart { component, manifest: Some(agent.edition.as_str().into()), secrets: secrets.collect() };
    let shown = call.as_ref().map_or(&[][..], |call| &call.shown);
    let tally = Arc::new(Tally::default());
    let scrubber = Live::new(scrubber(agent, &keyring, &host.rules(), shown).counting(&tally));
    let begins = match &call {
        None => journal.record(start),
        Some(call) => {
            journal.note(start.into_owned());
            journal.record(call.event(&scrubber.now()))
        }
    };
    begins.map_err(|_| RunError::Audit)?;
    let stdout = GuestOutput::new(options.stdout, &scrubber, &meter);
    let stderr = GuestOutput::new(options.stderr, &scrubber, &meter);
    let mut open = OpenRun::new(&journal, &meter, [stdout.clone(), stderr.clone()], tally);
    let rotations = keyring.iter().filter_map(|(index, key)| Some((index, host.rotations.of_key(key)?))).collect();
    let session = Arc::new(Session {
        policy: Arc::clone(&agent.policy),
        later: Arc::clone(&agent.later),
        keyring: Arc::clone(&keyring),
        scrubbing: Scrubbing::new(scrubber.clone()),
        journal: Arc::clone(&journal),
        meter: Arc::clone(&meter),
        line: Arc::clone(&agent.line),
        counts: host.counts.clone(),
        rotations,
        unavailable: Unavailable::default(),
    });
    let outbound = Arc::new(Outbound::new(Arc::clone(&session), Arc::clone(&agent.pools), manifest.limits.requests, manifest.denials));
    let wasi = wasi(manifest, &keyring, &options.args, &stdout, &stderr);
    let signers = signing::Signers::new(Arc::clone(&host.signing), signers);
    let limiter = Limiter::new(manifest.limits.memory, Arc::clone(&open.peak));
    let kept = Kept::new(Arc::clone(&session), agent.state.clone());
    let state = RunState::new(wasi, limiter, session, Arc::clone(&outbound), signers, kept, options.on_log);
    let mut store = Store::new(host.engine.wasmtime(), state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(HOSTCALL);
    count_ticks(&mut store, &meter, &open.ticks);

    let answer = call.as_ref().map(|call| call.answer.clone());
    let mut ended = execute(&mut store, agent, &meter, &mut options.interrupt, call).await?;
    open.wall = Some(open.began.elapsed());
    if let Some(inspector) = &host.inspector {
        inspect_memories(&mut store, inspector);
    }
    let memory_refused = store.data().limiter.refused_memory();
    let refused = store.data().limiter.refused();
    if let Some(answer) = &answer
        && !matches!(ended, Ended::Returned(Ok(_)))
    {
        // Before the store goes, and with it the other end of what may be half a response.
        answer.cut();
    }
    // Requests that are still under way end with the store, in tasks of their own: their records come before that of the run's end.
    drop(store);
    if let Some(answer) = &answer {
        ended = taken(answer, ended, open.began, &meter, &mut options.interrupt).await;
        journal.note(answer.event());
        meter.redacted.fetch_add(answer.redacted(), Ordering::Relaxed);
    }
    let end = end(ended, &meter, refused, &scrubber.now());
    outbound.ended().await;
    drop(outbound);
    let farewell = keyring.farewell();
    drop(keyring);
    let usage = open.end(&end.as_ref().map_or_else(|failed| failed.outcome().to_owned(), End::to_string));
    farewell.await;
    let end = end?;
    if journal.failed() {
        return Err(RunError::Audit);
    }
    Ok(Outcome { run: journal.run().to_owned(), end, usage, memory_refused })
}

/// Why a run does not begin that was stopped while its secrets were fetched.
fn before_it_began(meter: &Meter) -> RunError {
    match meter.stop_reason() {
        Some(Stop::Denied(denial)) => RunError::Stopped(denial.clone()),
        _ => RunError::Audit,
    }
}

/// Has every secret of a manifest, as one of the hosts that are known to use it, and makes sure that the agent may use what was found.
pub(crate) async fn open_keyring(host: &HostParts, manifest: &Manifest) -> Result<Keyring, SecretsUnavailable> {
    let registered = host.rotations.register(manifest, &host.backends).await;
    registered.map_err(|(name, why)| SecretsUnavailable(vec![Missing { name, why }]))?;
    let keyring = Keyring::open(manifest, &host.backends, host.cache.for_run()).await?;
    let refused = |(index, key): (usize, &Key)| {
        let why = may_use(host, manifest, index, key).err()?;
        Some(Missing { name: key.name.clone(), why })
    };
    let refused: Vec<Missing> = keyring.iter().filter_map(refused).collect();
    if refused.is_empty() { Ok(keyring) } else { Err(SecretsUnavailable(refused)) }
}

/// Whether a secret is the agent's to use, now that it is known where it was found and what it is.
fn may_use(host: &HostParts, manifest: &Manifest, index: usize, key: &Key) -> Result<(), BackendError> {
    let Some((backend, entry)) = key.place() else { return Ok(()) };
    if let Some((variable, own)) = host.backends.variable(&manifest.secrets[index].from, &manifest.name, backend, entry) {
        host.variables.take(&manifest.name, variable, own)?;
    }
    let by = format!("secret `{}` of `{}`", key.name, manifest.name);
    let sent = |version: &Version| host.signing.check_sent(&version.value, version.fingerprint, &by).map_err(BackendError::Refused);
    key.behind().iter().try_for_each(|version| sent(version))?;
    sent(key.first())
}

/// Has every signer of an agent.
pub(crate) async fn open_signers(host: &HostParts, agent: &AgentParts) -> Result<Vec<Arc<Opened>>, SignersUnavailable> {
    let (mut opened, mut missing) = (Vec::new(), Vec::new());
    for granted in &agent.signers {
        match host.signing.open(granted, &agent.manifest.name, &host.backends).await {
            Ok(signer) => opened.push(signer),
            Err(why) => missing.push((granted.spec.name.clone(), why)),
        }
    }
    if missing.is_empty() { Ok(opened) } else { Err(SignersUnavailable(missing)) }
}

/// A run whose end is still to be recorded. It is recorded even where the run's future is dropped midway.
struct OpenRun {
    journal: Arc<Journal>,
    meter: Arc<Meter>,
    outputs: [GuestOutput; 2],
    /// What rules found.
    tally: Arc<Tally>,
    /// Ticks in which the guest ran.
    ticks: Arc<AtomicU64>,
    /// Most bytes of memory at once.
    peak: Arc<AtomicU64>,
    began: Instant,
    /// How long the guest ran, once it has ended.
    wall: Option<std::time::Duration>,
    ended: bool,
}

impl OpenRun {
    fn new(journal: &Arc<Journal>, meter: &Arc<Meter>, outputs: [GuestOutput; 2], tally: Arc<Tally>) -> Self {
        let (ticks, peak) = Default::default();
        Self {
            journal: Arc::clone(journal),
            meter: Arc::clone(meter),
            outputs,
            tally,
            ticks,
            peak,
            began: Instant::now(),
            wall: None,
            ended: false,
        }
    }

    /// Lets the last output go, and records the end and what was used.
    fn end(&mut self, outcome: &str) -> Usage {
        self.ended = true;
        for output in &self.outputs {
            output.finish();
        }
        let usage = self.usage();
        self.journal.close(Event::RunEnd { outcome: outcome.into(), usage: usage.clone() });
        usage
    }

    fn usage(&self) -> Usage {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Usage {
            memory: count(&self.peak),
            cpu_millis: count(&self.ticks) * millis(engine::TICK),
            wall_millis: millis(self.wall.unwrap_or_else(|| self.began.elapsed())),
            output: count(&self.meter.output),
            requests: count(&self.meter.requests),
            sent: count(&self.meter.sent),
            received: count(&self.meter.received),
            redacted: count(&self.meter.redacted),
            denials: self.journal.denied(),
            findings: self.tally.counts(),
            state_reads: count(&self.meter.state_reads),
            state_writes: count(&self.meter.state_writes),
        }
    }
}

impl Drop for OpenRun {
    fn drop(&mut self) {
        if !self.ended {
            self.end("given up by the host");
        }
    }
}

/// What the guest's own code came to, before the host's reasons are taken into account.
enum Ended {
    Returned(wasmtime::Result<Result<(), ()>>),
    Stopped,
    OutOfTime,
    Interrupted(String),
}

async fn execute(
    store: &mut Store<RunState>,
    agent: &AgentParts,
    meter: &Meter,
    interrupt: &mut options::Interrupt,
    call: Option<Call>,
) -> Result<Ended, RunError> {
    // Instantiation runs no guest instruction of a command: its `start` functions count towards the limits all the same.
    let started = Instant::now();
    let work = async {
        match (&agent.loaded.entry, call) {
            (Entry::Command(command), _) => {
                let command = command.instantiate_async(&mut *store).await?;
                command.wasi_cli_run().call_run(&mut *store).await
            }
            (Entry::Handler(handler), Some(call)) => call.handle(handler, store).await,
            (Entry::Handler(_), None) => Err(wasmtime::Error::msg("there is no caller")),
        }
    };
    let ended = tokio::select! {
        biased;
        () = meter.stopped() => Ended::Stopped,
        why = interrupt => Ended::Interrupted(why),
        returned = work => Ended::Returned(returned),
        () = passed(started, meter.limits.wall) => Ended::OutOfTime,
    };
    if let Ended::Returned(Err(error)) = &ended
        && error.downcast_ref::<wasmtime::PoolConcurrencyLimitError>().is_some()
    {
        return Err(RunError::Start("the host runs as many agents as it has room for; raise `max_agents`, or wait".into()));
    }
    Ok(ended)
}

/// Waits until a caller has taken the response of a guest that has ended well: until then the run lasts, as its limits say.
async fn taken(answer: &Answering, ended: Ended, began: Instant, meter: &Meter, interrupt: &mut options::Interrupt) -> Ended {
    if !matches!(ended, Ended::Returned(Ok(_))) {
        return ended;
    }
    let ended = tokio::select! {
        biased;
        () = answer.over() => return if answer.is_given() { ended } else { Ended::Returned(Ok(Err(()))) },
        () = meter.stopped() => Ended::Stopped,
        why = interrupt => Ended::Interrupted(why),
        () = passed(began, meter.limits.wall) => Ended::OutOfTime,
    };
    answer.cut();
    ended
}

/// Waits until `limit` has passed since `start`, in steps of at most [`STEP`].
async fn passed(start: Instant, limit: std::time::Duration) {
    loop {
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(STEP)).await;
    }
}

/// A timer that is nearer than those of requests. Tokio wakes its driver, by a system call, for each new timer that comes before
/// all others; with this one in place the timers of requests never do.
const STEP: std::time::Duration = std::time::Duration::from_secs(5);

/// Counts the ticks in which the guest ran, and ends the run past `limits.cpu`. It yields at each, so that a guest that spins
/// can't keep the host's other tasks, or its own time limit, from their turn.
fn count_ticks(store: &mut Store<RunState>, meter: &Arc<Meter>, ticks: &Arc<AtomicU64>) {
    let (meter, ticks) = (Arc::clone(meter), Arc::clone(ticks));
    let most = (meter.limits.cpu.as_millis() / engine::TICK.as_millis()).max(1);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        let run = ticks.fetch_add(1, Ordering::Relaxed) + 1;
        if u128::from(run) > most {
            meter.stop(Stop::Limit(Limit::Cpu));
            return Err(wasmtime::Error::msg("limits.cpu was reached"));
        }
        // By the runtime's own yield: woken at once, a guest that spins would come again before timers and sockets are looked at.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
}

fn wasi(manifest: &Manifest, keyring: &Keyring, args: &[String], stdout: &GuestOutput, stderr: &GuestOutput) -> wasmtime_wasi::WasiCtx {
    let mut wasi = WasiCtxBuilder::new();
    let clock = CoarseClock::new(manifest.limits.clock);
    wasi.allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(1 << 20)
        .wall_clock(clock)
        .monotonic_clock(clock)
        .stdout(stdout.clone())
        .stderr(stderr.clone())
        .arg(&manifest.name)
        .args(&manifest.args)
        .args(args)
        .envs(&manifest.env);
    for (index, key) in keyring.iter() {
        if manifest.secrets[index].expose_env {
            wasi.env(&key.name, &key.placeholder);
        }
    }
    wasi.build()
}

/// The scrubber of a run, which knows what its caller has shown too. The search behind it is kept as long as the values and the rules stay
/// the same.
fn scrubber(agent: &AgentParts, keyring: &Keyring, rules: &Arc<Rules>, shown: &[Arc<Version>]) -> Scrubber {
    let keys: Vec<_> = keyring.iter().map(|(_, key)| key).filter(|key| !key.is_default()).collect();
    let behind: Vec<_> = keys.iter().flat_map(|key| key.behind().into_iter().map(move |version| (*key, version))).collect();
    let versions = keys.iter().map(|key| key.first().fingerprint).chain(behind.iter().map(|(_, version)| version.fingerprint));
    let versions = versions.chain(shown.iter().map(|version| version.fingerprint));
    let versions: Vec<String> = versions.map(|fingerprint| fingerprint.to_string()).collect();
    let caller = agent.manifest.caller.as_ref().map_or("", |caller| &caller.name);
    let behind: Vec<_> = behind
        .iter()
        .map(|(key, version)| session::behind(&key.name, version))
        .chain(shown.iter().map(|version| session::behind(caller, version)))
        .collect();
    let mut kept = agent.searches.lock();
    let search = match &*kept {
        Some(kept) if kept.versions == versions && Arc::ptr_eq(&kept.rules, rules) => Arc::clone(&kept.search),
        _ => {
            let known = |key: &&crate::secrets::Key| key.first().value.known(key.in_basic);
            let formats = agent.manifest.secrets.iter().filter_map(|secret| Some((secret.name.as_str(), secret.format.as_ref()?.as_str())));
            let formats: Vec<(&str, &str)> = formats.collect();
            let (sealing, _) = rules.sealing(&formats);
            let known = keys.iter().map(known).chain(behind.iter().map(|(known, _)| Arc::clone(known)));
            let search = Arc::new(Search::new(known.collect(), Some(sealing)));
            *kept = Some(Searched { versions, rules: Arc::clone(rules), search: Arc::clone(&search) });
            search
        }
    };
    let replacement = |key: &&crate::secrets::Key| Replacement::new(key.placeholder.clone(), format!("[redacted:{}]", key.name));
    let plain = keyring.iter().filter(|(_, key)| key.is_default()).map(|(_, key)| key.placeholder.clone());
    let replacements = keys.iter().map(replacement).chain(behind.into_iter().map(|(_, replacement)| replacement));
    Scrubber::new(search, replacements.collect()).exempting(plain)
}

fn end(ended: Ended, meter: &Meter, refused: bool, scrubber: &Scrubber) -> Result<End, RunError> {
    Ok(match (meter.stop_reason(), ended) {
        (Some(Stop::AuditFailed), _) => return Err(RunError::Audit),
        (Some(Stop::LedgerFailed(why)), _) => return Err(RunError::Ledger(why.clone())),
        (Some(Stop::Limit(limit)), _) => End::Limit(*limit),
        (Some(Stop::Denied(denial)), _) => End::Stopped(denial.clone()),
        (_, Ended::OutOfTime) => End::Limit(Limit::Wall),
        (_, Ended::Interrupted(why)) => End::Interrupted(why),
        // Whatever stops a run leaves its reason.
        (None, Ended::Stopped) => End::Trap("the run was stopped".into()),
        (None, Ended::Returned(Ok(Ok(())))) => End::Exit(0),
        (None, Ended::Returned(Ok(Err(())))) => End::Exit(1),
        (None, Ended::Returned(Err(error))) => match error.downcast_ref::<I32Exit>() {
            Some(exit) => End::Exit(exit.0),
            None if refused => End::Limit(Limit::Memory),
            None => End::Trap(crate::text::for_people(&scrubber.scrub_text(&error.root_cause().to_string()))),
        },
    })
}

fn inspect_memories(store: &mut Store<RunState>, inspector: &Inspector) {
    for instance in store.debug_all_instances() {
        let mut index = 0;
        while let Some(memory) = instance.debug_memory(&mut *store, index) {
            inspector(memory.data(&*store));
            index += 1;
        }
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
