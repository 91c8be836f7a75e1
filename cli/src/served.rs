//! The verbs for a host that serves: `ps`, `runs`, `logs`, `trigger`, `stop`, `pause`, `resume`, `reload`. Each is one request to its interface
//! for administrators.

use super::output::{Answer, say};
use super::serve::{tell_configuration, tell_refused};
use super::table::Table;
use super::{Done, Failure, HostArgs, code};
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use strongroom::text::for_people;
use strongroom_ground::text::in_largest_unit;
use tokio::net::UnixStream;

/// The host that is asked.
#[derive(Args)]
pub(super) struct At {
    /// The socket of the host; by default that of the configuration, or of the only host that serves with its state directory
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    #[command(flatten)]
    host: HostArgs,
}

#[derive(Args)]
pub(super) struct Ps {
    #[command(flatten)]
    at: At,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Runs {
    /// The agent, by the name in its manifest
    agent: String,
    #[command(flatten)]
    at: At,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Logs {
    /// The agent, by the name in its manifest; by default all
    agent: Option<String>,
    /// Go on with lines as they come
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    at: At,
    /// Print JSON, a line for each
    #[arg(long)]
    json: bool,
}

/// An agent, and the host that serves it.
#[derive(Args)]
pub(super) struct Agent {
    /// The agent, by the name in its manifest
    agent: String,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
pub(super) struct Stop {
    #[command(flatten)]
    agent: Agent,
    /// This run alone, as `strongroom runs` names it
    #[arg(long)]
    run: Option<String>,
}

#[derive(Args)]
pub(super) struct Reload {
    #[command(flatten)]
    at: At,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Ps {
    pub(super) fn perform(self) -> Done {
        let agents = self.at.ask("GET", "/v1/agents")?;
        if self.json {
            return print(&agents);
        }
        told(&self.at.ask("GET", "/v1/host")?["configuration"], false);
        let mut table = Table::<6>::default();
        table.row(["AGENT", "STATE", "SINCE", "NEXT", "RUNS", "LAST END"].map(str::to_owned));
        let now = now();
        for agent in items(&agents) {
            let ago = |at: u64| in_largest_unit(now.saturating_sub(at) / 1_000);
            let next = agent["next"].as_u64().map(|at| format!("in {}", in_largest_unit(at.saturating_sub(now) / 1_000)));
            let end = text(&agent["state"]["why"]).or_else(|| text(&agent["last_end"]));
            table.row([
                named(&agent["agent"]),
                named(&agent["state"]["is"]),
                agent["since"].as_u64().map(ago).unwrap_or_default(),
                next.unwrap_or_else(|| "-".to_owned()),
                agent["runs"].to_string(),
                end.unwrap_or_else(|| "-".to_owned()),
            ]);
        }
        table.print(&mut Answer::new())?;
        Ok(0)
    }
}

impl Runs {
    pub(super) fn perform(self) -> Done {
        let runs = self.at.ask("GET", &format!("{}/runs", path(&self.agent)?))?;
        if self.json {
            return print(&runs);
        }
        let mut table = Table::<4>::default();
        table.row(["RUN", "BEGAN", "TOOK", "END"].map(str::to_owned));
        for run in items(&runs) {
            let began = run["began"].as_u64().unwrap_or_default();
            let took = run["ended"].as_u64().map(|ended| format!("{} ms", ended.saturating_sub(began)));
            let at = i64::try_from(began).ok().and_then(|began| jiff::Timestamp::from_millisecond(began).ok());
            table.row([
                named(&run["run"]),
                at.map(|at| at.to_string()).unwrap_or_default(),
                took.unwrap_or_else(|| "-".to_owned()),
                text(&run["end"]).unwrap_or_else(|| "under way".to_owned()),
            ]);
        }
        table.print(&mut Answer::new())?;
        Ok(0)
    }
}

impl Logs {
    pub(super) fn perform(self) -> Done {
        let query = [("agent", self.agent.clone()), ("follow", self.follow.then(|| "true".to_owned()))];
        let query = query.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", segment(&value?).ok()?)));
        let target = format!("/v1/logs?{}", query.collect::<Vec<_>>().join("&"));
        if let Some(agent) = &self.agent {
            segment(agent)?;
        }
        super::runtime()?.block_on(async {
            let mut body = self.at.send("GET", &target).await?;
            let mut out = Answer::new();
            let mut begun = Vec::new();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| gone(&error))?;
                begun.extend_from_slice(frame.data_ref().map_or(&[][..], |bytes| bytes));
                while let Some(end) = begun.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = begun.drain(..=end).collect();
                    self.line(&mut out, &line)?;
                }
            }
            Ok(0)
        })
    }

    fn line(&self, out: &mut Answer, line: &[u8]) -> Result<(), Failure> {
        if self.json {
            return out.text(line);
        }
        let line: Value = serde_json::from_slice(line).map_err(|_| Failure::new(code::STATE, "the host's answer can't be read"))?;
        if let Some(missed) = line["missed"].as_u64() {
            say(format_args!("{missed} lines came faster than they were read, and are left out"));
            return Ok(());
        }
        let level = line["level"].as_str().map(|level| format!("[{level}] ")).unwrap_or_default();
        let fields = line["fields"].as_object().into_iter().flatten();
        let fields: String = fields.map(|(name, value)| format!(" {}={}", for_people(name), named(value))).collect();
        let before = super::lines::before(&named(&line["agent"]), &named(&line["run"]));
        out.line(format_args!("{before}{level}{}{fields}", named(&line["text"])))
    }
}

impl Agent {
    pub(super) fn perform(self, verb: &str) -> Done {
        let done = self.at.ask("POST", &format!("{}/{verb}", path(&self.agent)?))?;
        say(format_args!("{}: {}", named(&done["agent"]), named(&done["done"])));
        Ok(0)
    }
}

impl Stop {
    pub(super) fn perform(self) -> Done {
        let run = self.run.as_deref().map(|run| Ok::<_, Failure>(format!("?run={}", segment(run)?))).transpose()?.unwrap_or_default();
        let answer = self.agent.at.ask("POST", &format!("{}/stop{run}", path(&self.agent.agent)?))?;
        let stopped: Vec<String> = items(&answer["stopped"]).map(named).collect();
        match &stopped[..] {
            [] => say(format_args!("{}: nothing was running", self.agent.agent)),
            stopped => say(format_args!("{}: told to end: {}", self.agent.agent, stopped.join(", "))),
        }
        Ok(0)
    }
}

impl Reload {
    pub(super) fn perform(self) -> Done {
        let answer = self.at.ask("POST", "/v1/reload")?;
        let configuration = &answer["configuration"];
        let refused = items(&answer["refused"]).count() + usize::from(configuration["refused"].is_string());
        if self.json {
            print(&answer)?;
        } else {
            told(configuration, true);
            for (what, names) in [("new", &answer["added"]), ("changed", &answer["changed"]), ("gone", &answer["removed"])] {
                let names: Vec<String> = items(names).map(named).collect();
                if !names.is_empty() {
                    say(format_args!("{what}: {}", names.join(", ")));
                }
            }
            for refused in items(&answer["refused"]) {
                tell_refused(refused["why"].as_str().unwrap_or_default(), text(&refused["keeps"]).as_deref());
            }
        }
        Ok(if refused == 0 { 0 } else { code::USAGE })
    }
}

/// Says what the host's configuration came to: why it can't be used, and what counts after a restart; and what counts from now on.
fn told(configuration: &Value, changed: bool) {
    let keys = |name: &str| items(&configuration[name]).filter_map(|key| key.as_str().map(str::to_owned)).collect::<Vec<_>>();
    let now = if changed { keys("changed") } else { Vec::new() };
    tell_configuration(&named(&configuration["file"]), &now, &keys("after_restart"), configuration["refused"].as_str());
}

impl At {
    /// What the host answers, where it does what it is asked.
    fn ask(&self, method: &str, target: &str) -> Result<Value, Failure> {
        super::runtime()?.block_on(async {
            let body = self.send(method, target).await?;
            let bytes = body.collect().await.map_err(|error| gone(&error))?.to_bytes();
            serde_json::from_slice(&bytes).map_err(|_| Failure::new(code::STATE, "the host's answer can't be read"))
        })
    }

    async fn send(&self, method: &str, target: &str) -> Result<Incoming, Failure> {
        let stream = self.connect().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| gone(&error))?;
        tokio::spawn(connection);
        let request = hyper::Request::builder().method(method).uri(target).header("host", "strongroom").body(Empty::<Bytes>::new());
        let request = request.map_err(|error| Failure::new(code::USAGE, error))?;
        let answer = sender.send_request(request).await.map_err(|error| gone(&error))?;
        let (status, body) = (answer.status(), answer.into_body());
        if status.is_success() {
            return Ok(body);
        }
        let bytes = body.collect().await.map_err(|error| gone(&error))?.to_bytes();
        let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let detail = problem["detail"].as_str().map_or_else(|| status.to_string(), str::to_owned);
        Err(Failure::new(if status.is_client_error() { code::USAGE } else { code::STATE }, detail))
    }

    async fn connect(&self) -> Result<UnixStream, Failure> {
        let config = self.host.config()?;
        if let Some(path) = self.socket.as_ref().or(config.admin.socket.as_ref()) {
            let stream = UnixStream::connect(path).await;
            return stream.map_err(|error| {
                let at = path.display();
                Failure::new(
                    code::STATE,
                    match error.kind() {
                        ErrorKind::PermissionDenied => format!(
                            "{at}: you may not reach the host ({error}); have it list your user in `[[admin.peers]]`, or act as its user"
                        ),
                        _ => format!("{at}: no host serves there ({error}); start one with `strongroom serve`"),
                    },
                )
            });
        }
        let state = strongroom::ops::state_directory(&config)?;
        let sockets = strongroom::admin::sockets(&state);
        let sockets = sockets.map_err(|error| Failure::new(code::STATE, format!("{}: {error}", state.display())))?;
        let mut answering = Vec::new();
        for path in sockets {
            // One that was left behind refuses.
            if let Ok(stream) = UnixStream::connect(&path).await {
                answering.push((path, stream));
            }
        }
        match (answering.pop(), answering.is_empty()) {
            (Some((_, stream)), true) => Ok(stream),
            (None, _) => {
                let at = state.display();
                Err(Failure::new(
                    code::STATE,
                    format!(
                        "no host serves with the state directory {at}; start one with `strongroom serve`, or name its configuration with `--config`"
                    ),
                ))
            }
            (Some((last, _)), false) => {
                let all = answering.iter().map(|(path, _)| path.as_path()).chain([last.as_path()]);
                let all = all.map(Path::display).map(|path| path.to_string()).collect::<Vec<_>>().join(", ");
                Err(Failure::new(code::USAGE, format!("several hosts serve with this state directory; name one with `--socket`: {all}")))
            }
        }
    }
}

fn gone(error: &hyper::Error) -> Failure {
    Failure::new(code::STATE, format!("the host has ended before it answered ({error})"))
}

/// The path of an agent.
fn path(agent: &str) -> Result<String, Failure> {
    Ok(format!("/v1/agents/{}", segment(agent)?))
}

/// A name that needs no escapes in a URL: all names are such.
fn segment(name: &str) -> Result<&str, Failure> {
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if is_name { Ok(name) } else { Err(Failure::new(code::USAGE, format!("`{}` is no name of an agent or a run", for_people(name)))) }
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(|text| for_people(text).to_string())
}

fn named(value: &Value) -> String {
    text(value).unwrap_or_default()
}

fn print(value: &Value) -> Done {
    Answer::new().line(format_args!("{value:#}"))?;
    Ok(0)
}

/// Milliseconds since 1970.
fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default()
}
