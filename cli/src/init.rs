//! `init`: a manifest to begin with, commented, that `check` reads.

mod scheme;

use super::output::Answer;
use super::{Done, Failure, code};
use clap::Args;
use scheme::Choice;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use strongroom::manifest::Manifest;

#[derive(Args)]
pub(super) struct Init {
    /// The manifest to write. A file that exists is not touched
    #[arg(default_value = "agent.toml")]
    file: PathBuf,
    /// The agent's name: lower-case letters, digits and `-`. Without it: the name of the file's directory
    #[arg(long)]
    name: Option<String>,
    /// The component, relative to the manifest. Without it: where cargo puts the one of a package with the agent's name
    #[arg(long, value_name = "FILE")]
    component: Option<String>,
    /// A secret that the agent may use; give --host after it, once for each secret. Asked for on a terminal if it is missing
    #[arg(long, value_name = "NAME")]
    secret: Vec<String>,
    /// The host that the secret before it may be sent to: `api.example.com`, or with a scheme and port if not https and 443
    #[arg(long)]
    host: Vec<String>,
    /// Paths that may be asked for there, as in `/v1/**`; all, if none is given
    #[arg(long = "path", value_name = "PATTERN")]
    paths: Vec<String>,
    /// Methods that may be used there; GET, if none is given
    #[arg(long = "method", value_name = "METHOD")]
    methods: Vec<String>,
    /// Where the key stands in requests, or how it signs them. For an API that is known by name, --secret and --host may be left out
    #[arg(long, value_name = "SCHEME", value_parser = Choice::parser())]
    scheme: Option<Choice>,
    /// Put the placeholders into the agent's environment, for agents that do not use the SDK
    #[arg(long)]
    env: bool,
}

/// What a manifest is made of.
pub(super) struct Outline<'o> {
    pub(super) name: &'o str,
    pub(super) component: &'o str,
    /// Secrets, each with the host that it may be sent to.
    pub(super) grants: &'o [(String, String)],
    pub(super) paths: &'o [String],
    pub(super) methods: &'o [String],
    /// The shape of the placeholders, where it is known.
    pub(super) placeholder: Option<&'o str>,
    /// Where in a request they stand, if that is said.
    pub(super) place: Option<&'o str>,
    pub(super) is_exposed: bool,
}

impl Init {
    pub(super) fn perform(self) -> Done {
        let name = self.name.map_or_else(|| name_of_directory(&self.file), Ok)?;
        let component = self.component.unwrap_or_else(|| format!("target/wasm32-wasip2/release/{name}.wasm"));
        let known = self.scheme.filter(|scheme| !matches!(scheme, Choice::Place(_)));
        let grants = if known.is_some() { Vec::new() } else { paired(self.secret.clone(), self.host.clone())? };
        let spot = self.scheme.and_then(|scheme| if let Choice::Place(spot) = scheme { Some(spot) } else { None });
        let methods = match spot {
            Some(spot) if spot.is_in_body && self.methods.is_empty() => vec!["POST".to_owned()],
            _ => self.methods,
        };
        let outline = Outline {
            name: &name,
            component: &component,
            grants: &grants,
            paths: &self.paths,
            methods: &methods,
            placeholder: None,
            place: spot.map(|spot| spot.place),
            is_exposed: self.env,
        };
        match known {
            None => put(&self.file, &outline)?,
            Some(choice) => {
                let (secret, host) = (only(&self.secret, "--secret")?, only(&self.host, "--host")?);
                written(&self.file, &format!("{}{}{END}", head(&outline), scheme::text(choice, secret, host, &outline)))?;
            }
        }
        let file = self.file.display();
        Answer::new().line(format_args!("{file}: written; `strongroom explain {file}` says what the agent may do"))?;
        Ok(0)
    }
}

/// The name of the directory that a manifest lies in.
fn name_of_directory(file: &Path) -> Result<String, Failure> {
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = directory.canonicalize().ok().and_then(|directory| Some(directory.file_name()?.to_str()?.to_owned()));
    name.filter(|name| is_name(name)).ok_or_else(|| {
        Failure::new(code::USAGE, "the directory's name can't be an agent's; give one with `--name`, of lower-case letters, digits and `-`")
    })
}

/// Whether an agent may have this name.
pub(super) fn is_name(name: &str) -> bool {
    strongroom::ops::named::agent(name).is_ok()
}

/// A text as TOML writes it.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// What may be given once for a scheme that says the rest itself.
fn only<'g>(given: &'g [String], option: &str) -> Result<Option<&'g str>, Failure> {
    match given {
        [] => Ok(None),
        [given] => Ok(Some(given)),
        _ => {
            Err(Failure::new(code::USAGE, format!("`{option}` may be given once with this `--scheme`; add the others to the file by hand")))
        }
    }
}

/// Each secret with its host; what is missing is asked for.
fn paired(mut secrets: Vec<String>, mut hosts: Vec<String>) -> Result<Vec<(String, String)>, Failure> {
    if secrets.is_empty() {
        secrets.push(asked("The secret's name, as in OPENAI_API_KEY:", "--secret NAME")?);
    }
    if hosts.is_empty() && secrets.len() == 1 {
        hosts.push(asked("The host that it may be sent to, as in api.openai.com:", "--host HOST")?);
    }
    if secrets.len() != hosts.len() {
        let found = format!("{} secrets and {} hosts; give `--secret NAME --host HOST` for each secret", secrets.len(), hosts.len());
        return Err(Failure::new(code::USAGE, found));
    }
    Ok(secrets.into_iter().zip(hosts).collect())
}

/// A line from the terminal.
fn asked(prompt: &str, option: &str) -> Result<String, Failure> {
    let missing = || Failure::new(code::USAGE, format!("`{option}` is missing, and there is no terminal to ask on"));
    if !std::io::stdin().is_terminal() {
        return Err(missing());
    }
    super::output::say(format_args!("{prompt}"));
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|_| missing())?;
    Some(line.trim().to_owned()).filter(|line| !line.is_empty()).ok_or_else(missing)
}

/// Writes a manifest, unless it would be refused or something is there already.
pub(super) fn put(file: &Path, outline: &Outline<'_>) -> Result<(), Failure> {
    written(file, &text(outline))
}

fn written(file: &Path, text: &str) -> Result<(), Failure> {
    let name = file.display().to_string();
    Manifest::parse(&name, text)
        .map_err(|error| Failure::new(code::USAGE, format!("nothing was written, since it would be refused:\n{error}")))?;
    let mut out = OpenOptions::new().write(true).create_new(true).open(file).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::new(code::USAGE, format!("{name}: already exists; name another file, or move it away")),
        _ => Failure::new(code::USAGE, format!("{name}: can't be written ({error})")),
    })?;
    out.write_all(text.as_bytes()).map_err(|error| Failure::new(code::USAGE, format!("{name}: can't be written ({error})")))
}

/// A list as TOML writes it: what is given, or what is so without it.
fn listed(given: &[String], default: &[&str]) -> String {
    let quoted: Vec<String> = match given {
        [] => default.iter().map(|text| quoted(text)).collect(),
        given => given.iter().map(|text| quoted(text)).collect(),
    };
    format!("[{}]", quoted.join(", "))
}

fn head(outline: &Outline<'_>) -> String {
    format!(
        "# What this agent may do. Whatever this file does not say is denied. `strongroom explain` says it in sentences.\n\
         name = {}\ncomponent = {}\n",
        quoted(outline.name),
        quoted(outline.component)
    )
}

/// What may follow the secrets.
const END: &str = "\n# [[egress]]                          # a host that gets no secret\n# host = \"www.example.com\"\n\
    \n# [limits]                            # the defaults\n# memory = \"64MiB\"\n# cpu = \"10s\"\n# wall = \"60s\"\n";

fn text(outline: &Outline<'_>) -> String {
    let mut text = head(outline);
    for (secret, host) in outline.grants {
        // A name that is no bare key of TOML's is refused where the text is read, at its place.
        let _ = write!(text, "\n[secrets.{secret}]\n");
        let _ = match outline.placeholder {
            Some(placeholder) => {
                writeln!(text, "placeholder = {}      # the shape of the key, so that client libraries accept it", quoted(placeholder))
            }
            None => text.write_str("# placeholder = \"sk-{base62:48}\"     # the shape of the key, for client libraries that look at it\n"),
        };
        text.push_str("# format = \"^sk-[A-Za-z0-9]{48}$\"     # what the key has to look like; another value is refused at the start\n");
        text.push_str(match outline.is_exposed {
            true => "expose = \"env\"                       # the placeholder, as an environment variable\n",
            false => "# expose = \"env\"                     # the placeholder as an environment variable, for code without the SDK\n",
        });
        let _ = write!(
            text,
            "\n[[secrets.{secret}.allow]]           # where the key may go; one such table for each host\n\
             host = {}\n\
             paths = {}                        # `*` is one segment, `**` any rest: narrow it to what the agent needs\n\
             methods = {}\n\
             {}\n\
             # rate = \"60/min\"\n",
            quoted(host),
            listed(outline.paths, &["/**"]),
            listed(outline.methods, &["GET"]),
            match outline.place {
                Some(place) => format!("place = [{}]      # where in a request; the name is the API's to say", quoted(place)),
                None => "# place = [\"header:authorization\"]   # where in a request; `query:NAME`, `basic`, `path:/bot{}/**` and others"
                    .to_owned(),
            },
        );
    }
    text.push_str(END);
    text
}
