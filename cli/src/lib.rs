//! The `strongroom` command. What the host says goes to stderr; stdout is the guest's, or the command's answer.
//!
//! A file for each verb: its arguments, what it asks of the host (`strongroom::ops`), and how that is told.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod adopt;
mod audit;
mod check;
mod ended;
mod example;
mod explain;
mod import;
mod init;
mod inspect;
mod kill_switch;
mod leaked;
mod lines;
mod login;
#[cfg(feature = "mpc")]
mod mpc;
mod new;
mod output;
mod overview;
mod prompt;
mod rotations;
mod rules;
mod run;
mod sarif;
mod secrets;
mod serve;
mod served;
mod state;
mod table;
mod terminal;
mod verdict;
mod wallet;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use output::{Answer, HostLines, Said, concluded, say};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use strongroom::manifest::{BackendConfig, HostConfig, ReadError};
use strongroom::ops::{Failed, Kind};
use strongroom::text::lines_for_people;
use strongroom::{BuildError, Host, LoadError, StoreError};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Exit codes of the host's own; all others are the guest's.
mod code {
    pub(super) const USAGE: u8 = 120;
    pub(super) const SECRET: u8 = 121;
    pub(super) const COMPONENT: u8 = 122;
    pub(super) const LIMIT: u8 = 123;
    pub(super) const DENIED: u8 = 124;
    pub(super) const TRAP: u8 = 125;
    pub(super) const STATE: u8 = 126;
    /// As shells report a program that a signal ended: 128 and the signal's number. Interrupted (SIGINT).
    pub(super) const INTERRUPTED: u8 = 130;
    /// Nobody reads stdout any more (SIGPIPE).
    pub(super) const CLOSED: u8 = 141;
    /// Asked to end (SIGTERM).
    pub(super) const TERMINATED: u8 = 143;
    /// A defect of the host's, as Rust's programs report one.
    pub(super) const DEFECT: u8 = 101;
}

const AFTER_HELP: &str = "\
Examples:
  strongroom new --lang python price-bot          a directory with an agent that runs
  strongroom explain agent.toml                   what it may do, in sentences
  strongroom run agent.toml --env-file .env       with keys from a file
  strongroom serve agents                         all agents of a directory, on their schedules
  strongroom help secrets                         what can be done with secrets

Exit codes: the agent's own (0, or 1 if it failed), and for the host
  120  usage or configuration      123  a limit was reached
  121  a secret is unavailable     124  stopped by a denial
  122  the component is refused    125  the agent trapped
  126  stdout, the audit log, the ledger or the state directory can't be written
  130  interrupted (SIGINT)        143  terminated (SIGTERM)
  141  stdout was closed           101  a defect of Strongroom";

/// Runs AI agents as WebAssembly components that use keys they never hold.
///
/// An agent's manifest (`agent.toml`) says which component it is, which secrets it may use, where each may go and in which place
/// of a request. Whatever it does not say is denied.
#[derive(Parser)]
#[command(name = "strongroom", version, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Makes a directory with an agent that builds and runs
    New(new::New),
    /// Writes a manifest to begin with
    Init(init::Init),
    /// Moves keys from a file into a backend, and back
    ///
    /// References take their place, which `--undo` replaces with the values again.
    Adopt(adopt::Adopt),
    /// Logs in at an authorization server, and keeps the refresh token
    Login(login::Login),
    /// Runs one agent, once
    Run(run::Run),
    /// Runs all agents of a directory, each when it is time
    Serve(serve::Serve),
    /// Lists the agents of a host that serves
    Ps(served::Ps),
    /// Lists an agent's runs: those under way, and the last ones
    Runs(served::Runs),
    /// Shows what agents have printed and logged of late
    Logs(served::Logs),
    /// Has an agent run now, as if its time had come
    Trigger(served::Agent),
    /// Ends an agent's runs that are under way
    ///
    /// Its trigger goes on: see `pause`. An agent that restarts does not begin again by itself: see `trigger`.
    Stop(served::Stop),
    /// Begins nothing of an agent until it is resumed
    ///
    /// It outlives the host, and callers are turned away. What runs goes on: see `stop`.
    Pause(served::Agent),
    /// Lifts a pause
    Resume(served::Agent),
    /// Has a host read its directory anew
    Reload(served::Reload),
    /// Stops all that agents send and sign: on, off, status
    ///
    /// It holds for every host with the same state directory, the ones that begin later included, until it is lifted. Runs of a stopped agent end, its
    /// connections are reset, and none of its runs begins. The command returns when the hosts have confirmed it: from then on nothing more leaves.
    #[command(subcommand)]
    KillSwitch(kill_switch::Turn),
    /// Checks manifests and components without running them
    Check(check::Check),
    /// Says what an agent may do, or how one request would be judged
    Explain(explain::Explain),
    /// Lists what a component imports and exports
    Inspect(inspect::Inspect),
    /// Lists the rules that find unregistered secrets, and tries them
    Rules(rules::Rules),
    /// Keeps the secrets of a backend: set, import, list, rotate, …
    #[command(subcommand)]
    Secrets(secrets::Secrets),
    /// Keeps the keys of wallets: new, import, address, show
    #[command(subcommand)]
    Wallet(wallet::Wallet),
    /// Says what may still be spent, and confirms the ledger
    #[command(subcommand)]
    Limits(wallet::Limits),
    /// Makes wallets whose key no machine has: keygen, status, …
    #[cfg(feature = "mpc")]
    #[command(subcommand)]
    Mpc(mpc::Mpc),
    /// Says what an agent keeps over its runs, and takes it out
    ///
    /// What an agent keeps is in the state directory of its hosts, by the name of the agent. It stays when the manifest or the component changes.
    #[command(subcommand)]
    State(state::State),
    /// Reads the audit log
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Prints completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Writes manual pages, one for each command
    Man {
        /// An existing directory, such as one of MANPATH's `man1`
        directory: PathBuf,
    },
}

/// What every command that needs a host takes.
#[derive(Args, Clone)]
struct HostArgs {
    /// The host configuration; by default the file that STRONGROOM_CONFIG names. Without one: secrets from the environment, public
    /// addresses only, state under the user's state directory
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A file of NAME=value lines that the `env` backend reads after the environment
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

/// Why a command ended without success: a code, and what to tell the person.
struct Failure {
    code: u8,
    message: String,
}

type Done = Result<u8, Failure>;

/// Runs the command that the process's arguments name.
#[must_use]
pub fn main() -> ExitCode {
    keep_out_of_core_dumps();
    std::panic::set_hook(Box::new(report_panic));
    init_logging();
    let cli = match parsed(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            return ExitCode::from(finished(refused(&error)));
        }
    };
    let done = match cli.verb {
        Verb::New(new) => new.perform(),
        Verb::Init(init) => init.perform(),
        Verb::Adopt(adopt) => adopt.perform(),
        Verb::Login(login) => login.perform(),
        Verb::Run(run) => run.perform(),
        Verb::Serve(serve) => serve.perform(),
        Verb::Ps(ps) => ps.perform(),
        Verb::Runs(runs) => runs.perform(),
        Verb::Logs(logs) => logs.perform(),
        Verb::Trigger(agent) => agent.perform("trigger"),
        Verb::Stop(stop) => stop.perform(),
        Verb::Pause(agent) => agent.perform("pause"),
        Verb::Resume(agent) => agent.perform("resume"),
        Verb::Reload(reload) => reload.perform(),
        Verb::KillSwitch(turn) => turn.perform(),
        Verb::Check(check) => check.perform(),
        Verb::Explain(explain) => explain.perform(),
        Verb::Inspect(inspect) => inspect.perform(),
        Verb::Rules(rules) => rules.perform(),
        Verb::Secrets(secrets) => secrets.perform(),
        Verb::Wallet(wallet) => wallet.perform(),
        Verb::Limits(limits) => limits.perform(),
        #[cfg(feature = "mpc")]
        Verb::Mpc(mpc) => mpc.perform(),
        Verb::State(state) => state.perform(),
        Verb::Audit(audit) => audit.perform(),
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command(), "strongroom", &mut script);
            Answer::new().text(&script).map(|()| 0)
        }
        Verb::Man { directory } => clap_mangen::generate_to(command(), &directory)
            .map(|()| 0)
            .map_err(|error| Failure::new(code::USAGE, format!("{}: can't be written ({error})", directory.display()))),
    };
    ExitCode::from(finished(done))
}

fn command() -> clap::Command {
    overview::told(Cli::command())
}

/// What the arguments ask for.
fn parsed(arguments: impl IntoIterator<Item: Into<OsString> + Clone>) -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&command().try_get_matches_from(arguments)?)
}

/// Whether these are arguments of the command line, the program's name first: for tests of what documents show.
///
/// # Errors
/// What is wrong with them.
#[cfg(any(test, feature = "test-util"))]
pub fn understood(arguments: Vec<String>) -> Result<(), String> {
    match parsed(arguments) {
        Err(error) if error.use_stderr() => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// The long help of every command, in the order in which they are listed: for tests, and to be read in a row.
#[cfg(any(test, feature = "test-util"))]
#[must_use]
pub fn help_texts() -> String {
    fn add(command: &mut clap::Command, texts: &mut String) {
        let help = command.render_long_help().to_string();
        texts.extend([command.get_bin_name().unwrap_or_default(), "\n\n", help.trim_end(), "\n\n"]);
        command.get_subcommands_mut().filter(|command| command.get_name() != "help").for_each(|command| add(command, texts));
    }
    let mut texts = String::new();
    add(&mut command(), &mut texts);
    texts.trim_end().to_owned() + "\n"
}

/// What clap answers by itself: help and the version on stdout, what is wrong with the arguments on stderr.
fn refused(error: &clap::Error) -> Done {
    use std::io::IsTerminal;

    let coloured = |is_terminal: bool| match is_terminal && variable("NO_COLOR").is_none() {
        true => error.render().ansi().to_string(),
        false => error.render().to_string(),
    };
    if error.use_stderr() {
        say(format_args!("{}", coloured(std::io::stderr().is_terminal()).trim_end_matches('\n')));
        return Ok(code::USAGE);
    }
    Answer::new().text(coloured(std::io::stdout().is_terminal()).as_bytes()).map(|()| 0)
}

/// Says why a command failed, where there is something to say; gives its code.
fn finished(done: Done) -> u8 {
    let code = done.unwrap_or_else(|Failure { code, message }| {
        if !message.is_empty() {
            say(format_args!("error: {}", lines_for_people(&message)));
        }
        code
    });
    concluded(code)
}

impl HostArgs {
    fn config(&self) -> Result<HostConfig, Failure> {
        let mut config = match &self.named() {
            Some(path) => HostConfig::read(path)?,
            None => HostConfig::default(),
        }
        .with_environment();
        if let Some(file) = &self.env_file {
            let is_env = |(name, _): &(String, BackendConfig)| name == "env";
            // What the operator lets manifests name stays as it is.
            let names = config.backends.iter().find(|backend| is_env(backend)).and_then(|(_, backend)| match backend {
                BackendConfig::Env { names, .. } => names.clone(),
                _ => None,
            });
            config.backends.retain(|backend| !is_env(backend));
            config.backends.push(("env".to_owned(), BackendConfig::Env { file: Some(file.clone()), names }));
        }
        Ok(config)
    }

    /// The file of the configuration, where one is named.
    fn named(&self) -> Option<PathBuf> {
        self.config.clone().or_else(|| variable("STRONGROOM_CONFIG").map(PathBuf::from))
    }

    fn host(&self) -> Result<Host, Failure> {
        Ok(Host::builder().config(self.config()?).max_agents(1).build()?)
    }
}

/// A variable of the environment; one that is empty is not set.
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(|value| value.to_string_lossy().into_owned())
}

/// The one thread that a command does its work on.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::new(code::STATE, format!("the async runtime can't start: {error}")))
}

impl Failure {
    fn new(code: u8, message: impl ToString) -> Self {
        Self { code, message: message.to_string() }
    }

    /// An end that needs no words.
    fn quiet(code: u8) -> Self {
        Self::new(code, "")
    }
}

impl From<Failed> for Failure {
    fn from(failed: Failed) -> Self {
        Self::new(code_of(failed.kind), failed.message)
    }
}

/// The code of a command that fails so.
fn code_of(kind: Kind) -> u8 {
    match kind {
        Kind::Secret => code::SECRET,
        Kind::Component => code::COMPONENT,
        Kind::State => code::STATE,
        _ => code::USAGE,
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Failed::from(error).into()
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Failed::from(error).into()
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Failed::from(error).into()
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failed::from(error).into()
    }
}

/// Where the host itself fails, the place is reported and the message is not: it may quote what was being worked on.
fn report_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
    say(format_args!("error: the host failed{place}; this is a defect of Strongroom, please report it"));
}

/// A core dump would hold every value. Where the system refuses, the run goes on: the limits of the machine are the operator's.
fn keep_out_of_core_dumps() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// The host's own messages, on stderr. `RUST_LOG` sets how many there are; it never opens the logs of dependencies, which may
/// print headers.
fn init_logging() {
    let asked = variable("RUST_LOG").unwrap_or_default();
    let level = asked.rsplit('=').next().and_then(|level| level.parse().ok()).unwrap_or(tracing::Level::WARN);
    // Where nobody asks for more or less, what takes long is said too.
    let notices = if asked.is_empty() { tracing::Level::INFO } else { level };
    let ours = tracing_subscriber::filter::Targets::new().with_target("strongroom", level).with_target("strongroom::notice", notices);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| terminal::Escaped::new(Said(HostLines::named())))
        .log_internal_errors(false)
        .with_ansi(false)
        .with_target(false)
        .without_time();
    let _ = tracing_subscriber::registry().with(lines).with(ours).try_init();
}
