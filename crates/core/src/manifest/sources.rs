//! The `[backends.NAME]` tables of secrets that others bring to the host: programs that print one, and directories with a file for each.

use super::backends::ages;
use super::config::path;
use super::diagnostic::Problem;
use super::pattern::NamePattern;
use super::reader::Section;
use super::units;
use std::path::PathBuf;
use std::time::Duration;

/// Where the path of an entry stands among the arguments of a command.
pub const PATH_SLOT: &str = "{path}";
/// How long a command may run, unless the configuration says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time that a configuration may give a command.
const MAX_TIMEOUT: Duration = Duration::from_secs(60);

/// A program that prints secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandConfig {
    /// The program and its arguments. The first is an absolute path; one of the others holds `{path}`, once.
    pub command: Vec<String>,
    /// What it prints.
    pub protocol: CommandProtocol,
    /// Its environment: these variables with these values, which are no secrets.
    pub env: Vec<(String, String)>,
    /// Variables of the host's own environment that it gets as well. No manifest can name them.
    pub pass_env: Vec<String>,
    /// The paths that manifests may name; `{agent}` stands for the agent's name. Default `{agent}/**`.
    pub paths: Vec<NamePattern>,
    /// The exit codes by which it says that there is no such secret. Default none: every code but 0 is a failure.
    pub not_found: Vec<u8>,
    /// How long it may run. Default 10 s, at most 60 s.
    pub timeout: Duration,
    /// How long a value is used without asking again. Default 5 minutes.
    pub cache: Duration,
    /// How long the last value is used where the command fails. Default 1 hour.
    pub stale: Duration,
}

/// What a command prints on its standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandProtocol {
    /// The value; one line break at its end is not part of it.
    Raw,
    /// A JSON object with `value`, and where it likes, `expires_at` and `version`.
    Json,
}

/// A directory with a file for each secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirConfig {
    /// The directory.
    pub path: PathBuf,
    /// The paths that manifests may name; `{agent}` stands for the agent's name. Default `{agent}/**` and `*`.
    pub paths: Vec<NamePattern>,
}

impl CommandConfig {
    /// A command with all defaults.
    #[must_use]
    pub fn new(command: impl IntoIterator<Item = impl Into<String>>, protocol: CommandProtocol) -> Self {
        Self {
            command: command.into_iter().map(Into::into).collect(),
            protocol,
            env: Vec::new(),
            pass_env: Vec::new(),
            paths: NamePattern::list(&["{agent}/**"]),
            not_found: Vec::new(),
            timeout: DEFAULT_TIMEOUT,
            cache: super::backends::DEFAULT_CACHE,
            stale: super::backends::DEFAULT_STALE,
        }
    }

    /// What is wrong with the command itself, if anything is.
    ///
    /// # Errors
    /// A [`Problem`] with what was found, and what to write.
    pub fn check(&self) -> Result<(), Problem> {
        let (program, arguments) = self.command.split_first().ok_or_else(|| Problem::new("`command` is empty", "name a program"))?;
        if !program.starts_with('/') || program.contains(PATH_SLOT) {
            let remedy =
                "write the program's absolute path first, as in `/usr/bin/op`: it is looked up nowhere, and no manifest chooses it";
            return Err(Problem::new("`command` does not begin with the path of a program", remedy));
        }
        if self.command.iter().any(|argument| argument.contains('\0')) {
            return Err(Problem::new("`command` has an argument with a zero byte", "leave it out: no program can be given one"));
        }
        match arguments.iter().map(|argument| argument.matches(PATH_SLOT).count()).sum() {
            1 => Ok(()),
            0 => Err(Problem::new("`command` has no `{path}`", "write `{path}` where the path of the secret belongs, in one argument")),
            _ => Err(Problem::new("`command` has `{path}` more than once", "write it in one argument, and there once")),
        }
    }
}

impl DirConfig {
    /// A directory with all defaults.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), paths: shared_paths() }
    }
}

/// An agent's own paths, and those without a directory, as of a `file` backend.
fn shared_paths() -> Vec<NamePattern> {
    NamePattern::list(&["{agent}/**", "*"])
}

/// Reads the table of a command.
pub(super) fn command(section: &Section<'_>) -> Option<CommandConfig> {
    let any = |text: &str| Ok(text.to_owned());
    let command = section.require_list("command", "command = [\"/usr/bin/op\", \"read\", \"op://agents/{path}\"]", any);
    let protocol = section.require_one_of("protocol", "an unknown protocol", &["raw", "json"]);
    let env = section.strings("env", |name, value| {
        variable(name)?;
        let clean = !value.contains('\0');
        if clean { Ok(()) } else { Err(Problem::new("a zero byte", "leave it out: no variable can hold one")) }
    });
    let pass_env = section.list("pass_env", |name| variable(name).map(|()| name.to_owned())).unwrap_or_default();
    if let Some(name) = pass_env.iter().find(|name| env.iter().any(|(known, _)| known == *name)) {
        let remedy = "leave it out of one of them: `env` is for plain values, `pass_env` for what the host's environment has";
        section.report_here(Problem::new(format!("`{name}` stands in `env` and in `pass_env`"), remedy));
    }
    let not_found = if section.has("not_found") { codes(section) } else { Vec::new() };
    let paths = section.list("paths", NamePattern::parse);
    let timeout = section.parse("timeout", |text| match units::duration(text)? {
        timeout if timeout <= MAX_TIMEOUT => Ok(timeout),
        _ => Err(Problem::new("longer than a command may run", "write at most `60s`: an agent waits for it")),
    });
    let (cache, stale) = ages(section);
    let protocol = if protocol? == "json" { CommandProtocol::Json } else { CommandProtocol::Raw };
    let mut config = CommandConfig { env, pass_env, not_found, cache, stale, ..CommandConfig::new(command?, protocol) };
    config.paths = paths.unwrap_or(config.paths);
    config.timeout = timeout.unwrap_or(config.timeout);
    match config.check() {
        // An empty list was told of where it stands.
        Err(problem) if !config.command.is_empty() => section.report_here(problem),
        _ => {}
    }
    Some(config)
}

/// The exit codes that a list names.
fn codes(section: &Section<'_>) -> Vec<u8> {
    let numbers = section.require_numbers("not_found", "not_found = [1]").unwrap_or_default();
    let code = |number: u64| {
        let code = u8::try_from(number).ok();
        if code.is_none() {
            section.report_here(Problem::new(format!("`not_found` has {number}, which is no exit code"), "write numbers from 1 to 255"));
        }
        code
    };
    numbers.into_iter().filter_map(code).collect()
}

/// Reads the table of a directory.
pub(super) fn dir(section: &Section<'_>) -> Option<DirConfig> {
    let path = section.require("path", "path = \"/run/secrets/agents\"", path);
    let paths = section.list("paths", NamePattern::parse).unwrap_or_else(shared_paths);
    Some(DirConfig { path: path?, paths })
}

/// The name of a variable.
fn variable(name: &str) -> Result<(), Problem> {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let clean = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if first && clean { Ok(()) } else { Err(Problem::new("not the name of a variable", "use letters, digits and `_`, as in `HOME`")) }
}

#[cfg(test)]
mod tests {
    use crate::manifest::{BackendConfig, HostConfig};

    fn read(lines: &str) -> Result<BackendConfig, String> {
        let config = HostConfig::parse("strongroom.toml", &format!("[backends.x]\n{lines}\n")).map_err(|error| error.to_string())?;
        Ok(config.backends.into_iter().next().expect("one backend").1)
    }

    #[test]
    fn a_command_names_a_program_and_one_place_for_the_path_and_says_what_it_prints() {
        let good = "type = \"command\"\ncommand = [\"/usr/bin/op\", \"read\", \"op://agents/{path}\"]\nprotocol = \"raw\"";
        let Ok(BackendConfig::Command(read_as)) = read(good) else { panic!("it is right") };
        assert_eq!((read_as.timeout.as_secs(), read_as.cache.as_secs(), read_as.stale.as_secs()), (10, 300, 3600));

        for (lines, says) in [
            ("command = [\"op\", \"{path}\"]\nprotocol = \"raw\"", "does not begin with the path of a program"),
            ("command = [\"/usr/bin/{path}\", \"x\"]\nprotocol = \"raw\"", "does not begin with the path of a program"),
            ("command = []\nprotocol = \"raw\"", "`backends.x.command` is empty"),
            ("command = [\"/usr/bin/op\"]\nprotocol = \"raw\"", "has no `{path}`"),
            ("command = [\"/usr/bin/op\", \"{path}\", \"{path}\"]\nprotocol = \"raw\"", "more than once"),
            ("command = [\"/usr/bin/op\", \"{path}{path}\"]\nprotocol = \"raw\"", "more than once"),
            ("command = [\"/usr/bin/op\", \"a\\u0000\", \"{path}\"]\nprotocol = \"raw\"", "zero byte"),
            ("command = [\"/usr/bin/op\", \"{path}\"]", "`backends.x.protocol` is missing"),
            ("command = [\"/usr/bin/op\", \"{path}\"]\nprotocol = \"yaml\"", "an unknown protocol"),
            ("command = [\"/usr/bin/op\", \"{path}\"]\nprotocol = \"raw\"\ntimeout = \"61s\"", "longer than a command may run"),
            ("command = [\"/usr/bin/op\", \"{path}\"]\nprotocol = \"raw\"\nenv = { \"A=B\" = \"x\" }", "not the name of a variable"),
            ("command = [\"/usr/bin/op\", \"{path}\"]\nprotocol = \"raw\"\npass_env = [\"1A\"]", "not the name of a variable"),
            (
                "command = [\"/usr/bin/op\", \"{path}\"]\nprotocol = \"raw\"\nenv = { A = \"x\" }\npass_env = [\"A\"]",
                "`A` stands in `env` and in `pass_env`",
            ),
            ("command = [\"/usr/bin/op\", \"{path}\"]\nprotocol = \"raw\"\nnot_found = [0]", "out of range"),
            ("command = [\"/usr/bin/op\", \"{path}\"]\nprotocol = \"raw\"\nnot_found = [256]", "is no exit code"),
        ] {
            let error = read(&format!("type = \"command\"\n{lines}")).expect_err(lines);
            assert!(error.contains(says), "{lines}: {error}");
        }
    }

    #[test]
    fn keys_of_one_type_are_not_keys_of_another() {
        for (lines, says) in [
            ("type = \"dir\"\npath = \"/run/secrets\"\ncommand = [\"/bin/x\", \"{path}\"]", "to `type = \"command\"`"),
            ("type = \"dir\"\npath = \"/run/secrets\"\ncache = \"1m\"", "`\"command\"`"),
            ("type = \"command\"\ncommand = [\"/bin/x\", \"{path}\"]\nprotocol = \"raw\"\npath = \"/run\"", "`\"dir\"`"),
            ("type = \"dir\"", "`backends.x.path` is missing"),
        ] {
            let error = read(lines).expect_err(lines);
            assert!(error.contains(says), "{lines}: {error}");
        }
    }
}
