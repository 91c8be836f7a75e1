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
/// SIGHUP has the directory read anew: new agents begin, those that are gone drain, changed ones take the new manifest for their next runs, and a
/// manifest that can't be used leaves its agent as it was. SIGTERM and SIGINT begin nothing any more, and end the command once all runs have
/// ended; a second one interrupts them at once.
#[derive(Args)]
pub(super) struct Serve {
    /// The directory
    directory: PathBuf,
    #[command(flatten)]
    host: HostArgs,
    /// How long runs may go on once they are to end, before they are interrupted
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = strongroom::manifest::duration)]
    drain: Duration,
    /// Read the directory anew as well when a manifest or a component is another, and has stayed so for a second
    #[arg(long)]
    watch: bool,
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

impl Serve {
    pub(super) fn perform(self) -> Done {
        allow_descriptors();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut config = self.host.config()?;
        if let Some(listen) = self.listening(&config)? {
            config.listen = Some(listen);
        }
        let host = Host::builder().config(config).lanes(cores).build()?;
        let runtime = super::runtime()?;
        let broken = Broken::default();
        let done = runtime.block_on(self.serve(host, &broken));
        runtime.shutdown_background();
        done
    }

    /// Where the arguments say that it listens.
    fn listening(&self, config: &HostConfig) -> Result<Option<ListenConfig>, Failure> {
        let Some(address) = self.listen else { return Ok(None) };
        let listen = match &self.listen_tls[..] {
            [certificate, key] => ListenConfig::with_tls(address, certificate.clone(), CredentialRef::File(key.clone())),
            _ => ListenConfig::new(address).map_err(|problem| Failure::new(code::USAGE, problem))?,
        };
        let hosts = config.listen.as_ref().map(|listen| listen.hosts.clone()).unwrap_or_default();
        Ok(Some(listen.with(|listen| listen.hosts = hosts)))
    }

    async fn serve(self, host: Host, broken: &Broken) -> Done {
        let (mut signals, mut hang_up) = (Signals::listen()?, listen(SignalKind::hangup())?);
        let mut serving = Serving::new({
            let broken = broken.clone();
            move |agent, run| options(agent, run, &broken)
        });
        serving = serving.drain(self.drain);
        if let Some(config) = self.host.named() {
            serving = serving.except(config);
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
        match Admin::open(supervisor, host.admin()) {
            Ok(admin) => {
                if let Some(address) = admin.address() {
                    say(format_args!("operators reach the host at https://{address}"));
                }
                Ok(Some(admin))
            }
            Err(error) if *host.admin() == AdminConfig::default() => {
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
