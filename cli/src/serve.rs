//! `strongroom serve`

use super::lines::{Lines, before};
use super::output::{Broken, Relay, Said, say};
use super::terminal::Escaped;
use super::{Done, Failure, HostArgs, code};
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use strongroom::admin::Admin;
use strongroom::manifest::{AdminConfig, CredentialRef, HostConfig, ListenConfig};
use strongroom::serve::{Drained, Reloaded, ServeError, Serving, Supervisor};
use strongroom::text::{for_people, lines_for_people};
use strongroom::{Host, LogRecord, RunOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long the runs that a second signal has interrupted may take to say so in the audit log.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs all agents of a directory, each when it is time.
///
/// Each NAME.toml in the directory is an agent, and each agent.toml in a directory right below. `[trigger]` of a manifest says when the agent
/// runs, and `[run]` what happens where it fails. What agents print goes to stdout and stderr, each line with the agent and its run before it;
/// what the host has to say goes to stderr.
///
/// SIGHUP has the directory and the host configuration read anew: new agents begin, those that are gone drain, changed ones take the new manifest for their next runs, and a
/// manifest that can't be used leaves its agent as it was. Of the configuration, what can't be taken up while the host serves is told by name; one
/// that can't be used leaves the host as it was. SIGTERM and SIGINT begin nothing any more, and end the command once all runs have
/// ended; a second one interrupts them at once.
#[derive(Args)]
pub(super) struct Serve {
    /// The directory
    directory: PathBuf,
    #[command(flatten)]
    listening: Listening,
    /// How long runs may go on once they are to end, before they are interrupted
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = strongroom::manifest::duration)]
    drain: Duration,
    /// How many runs go on at once, at most; more wait, in the order of asking
    #[arg(long, value_name = "COUNT", default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..))]
    max_agents: u32,
    /// Read all anew as well when a manifest, a component, the host configuration or a file of its rules is another, and has stayed so for a second
    #[arg(long)]
    watch: bool,
}

/// The host's configuration, and what of it the arguments say.
#[derive(Args, Clone)]
struct Listening {
    #[command(flatten)]
    host: HostArgs,
    /// Where callers reach agents with `http` in their `[trigger]`: a port of 127.0.0.1, or ADDRESS:PORT
    #[arg(long, value_name = "ADDRESS", value_parser = ListenConfig::address)]
    listen: Option<SocketAddr>,
    /// The listener's certificate and its key, files in PEM. Beyond 127.0.0.1 there is TLS
    #[arg(long, num_args = 2, value_names = ["CERTIFICATE", "KEY"], requires = "listen")]
    listen_tls: Vec<PathBuf>,
}

/// Why the command is to end.
#[derive(Debug, Clone, Copy)]
enum Why {
    /// A signal, and the code that shells report for it.
    Signal(&'static str, u8),
    /// What agents print can't be handed on.
    Output,
}

/// The signals that are listened to.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Listening {
    /// The configuration, which listens where the arguments say.
    fn config(&self) -> Result<HostConfig, Failure> {
        let mut config = self.host.config()?;
        let Some(address) = self.listen else { return Ok(config) };
        let listen = match &self.listen_tls[..] {
            [certificate, key] => ListenConfig::with_tls(address, certificate.clone(), CredentialRef::File(key.clone())),
            _ => ListenConfig::new(address).map_err(|problem| Failure::new(code::USAGE, problem))?,
        };
        let hosts = config.listen.take().map(|listen| listen.hosts).unwrap_or_default();
        config.listen = Some(listen.with(|listen| listen.hosts = hosts));
        Ok(config)
    }
}

impl Serve {
    pub(super) fn perform(self) -> Done {
        allow_descriptors();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let host = Host::builder().config(self.listening.config()?).lanes(cores).max_agents(self.max_agents).build()?;
        let runtime = super::runtime()?;
        let broken = Broken::default();
        let done = runtime.block_on(self.serve(host, &broken));
        runtime.shutdown_background();
        done
    }

    async fn serve(self, host: Host, broken: &Broken) -> Done {
        let (mut signals, mut hang_up) = (Signals::listen()?, listen(SignalKind::hangup())?);
        let mut serving = Serving::new({
            let broken = broken.clone();
            move |agent, run| options(agent, run, &broken)
        });
        serving = serving.drain(self.drain);
        if let Some(config) = self.listening.host.named() {
            let listening = self.listening.clone();
            let read = move || listening.config().map_err(|failure| failure.message);
            serving = serving.except(config.clone()).configuration(config, read);
        }
        let supervisor = Supervisor::new(host.clone(), &self.directory, serving)?;
        // Operators are answered until the end.
        let _admin = self.admin(&supervisor, &host)?;
        let mut is_first = true;
        let why = loop {
            let reloaded = tokio::select! {
                reloaded = supervisor.reload() => reloaded,
                why = signals.or(broken) => break why,
            };
            if let Some(read) = supervisor.configuration() {
                tell_configuration(&read.file.display(), &read.changed, &read.after_restart, read.refused.as_deref());
            }
            match reloaded {
                Ok(reloaded) => {
                    self.tell(&reloaded, supervisor.status().len(), is_first);
                    if let Some(url) = supervisor.url().filter(|_| is_first) {
                        say(format_args!("callers reach the agents at {url}"));
                    }
                }
                Err(error) if is_first => return Err(error.into()),
                Err(error) => say(format_args!("error: {}; all agents stay as they are", lines_for_people(&error.to_string()))),
            }
            is_first = false;
            tokio::select! {
                () = received(&mut hang_up) => {}
                () = supervisor.changed(), if self.watch => {}
                why = signals.or(broken) => break why,
            }
        };
        say(format_args!("ending by {why}: nothing begins any more, and what runs has {:?}", self.drain));
        let drained = tokio::select! {
            drained = supervisor.drain(self.drain) => drained,
            again = signals.end() => {
                say(format_args!("ending at once by {again}"));
                let _ = tokio::time::timeout(LAST_WORDS, supervisor.drain(Duration::ZERO)).await;
                return Err(why.failure(broken));
            }
        };
        tokio::select! {
            () = host.shutdown() => {}
            _ = signals.end() => {}
        }
        self.concluded(why, drained, broken)
    }

    /// Listens for operators. Where the configuration doesn't say where, and the host's own place can't be used, it serves without.
    fn admin(&self, supervisor: &Supervisor, host: &Host) -> Result<Option<Admin>, Failure> {
        match Admin::open(supervisor, &host.admin()) {
            Ok(admin) => {
                if let Some(address) = admin.address() {
                    say(format_args!("operators reach the host at https://{address}"));
                }
                Ok(Some(admin))
            }
            Err(error) if host.admin() == AdminConfig::default() => {
                say(format_args!("no operator can be listened to: {error}"));
                Ok(None)
            }
            Err(error) => Err(Failure::new(code::STATE, error)),
        }
    }

    fn concluded(&self, why: Why, drained: Drained, broken: &Broken) -> Done {
        let Drained { ended, interrupted, .. } = drained;
        say(format_args!("ended: {ended} runs by themselves, {interrupted} interrupted"));
        match why {
            Why::Signal(..) if interrupted == 0 => Ok(0),
            why => Err(why.failure(broken)),
        }
    }

    /// Says what reading the directory has brought.
    fn tell(&self, reloaded: &Reloaded, agents: usize, is_first: bool) {
        for refused in &reloaded.refused {
            tell_refused(&refused.why, refused.keeps.as_deref());
        }
        let said = [("new", &reloaded.added), ("changed", &reloaded.changed), ("gone", &reloaded.removed)];
        let said = said.into_iter().filter(|(_, names)| !is_first && !names.is_empty());
        let said: String = said.map(|(what, names)| format!("; {what}: {}", names.join(", "))).collect();
        let refused = match reloaded.refused.len() {
            0 => String::new(),
            count => format!("; manifests that can't be used: {count}"),
        };
        let (read, plural) = (if is_first { "" } else { "read anew, " }, if agents == 1 { "" } else { "s" });
        say(format_args!("{}: {read}serving {agents} agent{plural}{said}{refused}", self.directory.display()));
    }
}

/// Says what the host's configuration came to.
pub(super) fn tell_configuration(file: &dyn std::fmt::Display, changed: &[String], after_restart: &[String], refused: Option<&str>) {
    if let Some(why) = refused {
        return say(format_args!("error: {}\nthe host goes on by the configuration that it had", lines_for_people(why)));
    }
    let said = [("counts from now on", changed), ("counts after a restart", after_restart)];
    for (when, keys) in said.into_iter().filter(|(_, keys)| !keys.is_empty()) {
        say(format_args!("{}: {when}: {}", for_people(&file.to_string()), for_people(&keys.join(", "))));
    }
}

/// Says that a manifest can't be used, and who goes on by what it was.
pub(super) fn tell_refused(why: &str, keeps: Option<&str>) {
    let kept = keeps.map(|agent| format!("\n{agent} goes on by the manifest and the component that it had"));
    say(format_args!("error: {}{}", lines_for_people(why), kept.unwrap_or_default()));
}

/// As many files and connections at once as the machine lets the process have: many agents have many.
fn allow_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Where a run's output goes.
fn options(agent: &str, run: &str, broken: &Broken) -> RunOptions {
    // Escaped wherever they go: a carriage return would have one agent's line look like another's, or the host's.
    let stdout = Lines::new(Escaped::new(Relay::new(std::io::stdout(), broken)), agent, run);
    let stderr = Lines::new(Escaped::new(Said(std::io::stderr())), agent, run);
    let before = before(agent, run);
    RunOptions::default().stdout(stdout).stderr(stderr).on_log(move |record| print_log(&before, record))
}

fn print_log(before: &str, record: &LogRecord) {
    let mut line = format!("[{}] {}", record.level.as_str(), record.message);
    for (key, value) in &record.fields {
        line.extend([" ", key, "=", value]);
    }
    say(format_args!("{before}{}", for_people(&line)));
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for one of them.
    async fn end(&mut self) -> Why {
        tokio::select! {
            () = received(&mut self.interrupt) => Why::Signal("SIGINT", code::INTERRUPTED),
            () = received(&mut self.terminate) => Why::Signal("SIGTERM", code::TERMINATED),
        }
    }

    /// Waits for one of them, or for a stdout that can't be written.
    async fn or(&mut self, broken: &Broken) -> Why {
        tokio::select! {
            why = self.end() => why,
            () = broken.wait() => Why::Output,
        }
    }
}

fn listen(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::new(code::STATE, format!("signals can't be listened to: {error}")))
}

async fn received(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        std::future::pending().await
    }
}

impl Why {
    fn failure(self, broken: &Broken) -> Failure {
        match self {
            Self::Signal(_, code) => Failure::quiet(code),
            Self::Output => broken.failure().unwrap_or_else(|| Failure::quiet(code::CLOSED)),
        }
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Signal(name, _) => name,
            Self::Output => "a stdout that can't be written",
        })
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        let code = match error {
            ServeError::State(_) | ServeError::Threads(_) | ServeError::Listen { .. } => code::STATE,
            _ => code::USAGE,
        };
        Self::new(code, error)
    }
}
