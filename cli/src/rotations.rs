//! `strongroom secrets rotate` and `strongroom secrets history`.

use super::output::{Answer, say};
use super::secrets::{Where, finish};
use super::{Done, Failure, HostArgs, code};
use clap::Args;
use std::io::IsTerminal;
use strongroom::ops::named;
use strongroom::text::{for_people, lines_for_people};
use strongroom::{Host, Progress, RotationError, RotationStatus};
use strongroom_ground::text::in_largest_unit;

#[derive(Args)]
pub(super) struct Rotate {
    /// The rotation, by its name in the configuration, or the secret's name
    name: String,
    /// Give up what is under way and can't be finished, and forget what was reported: the key in use stays as it is
    #[arg(long)]
    abandon: bool,
    /// The agent, or group of agents, that it is for
    #[arg(long)]
    namespace: Option<String>,
    #[command(flatten)]
    at: Where,
}

#[derive(Args)]
pub(super) struct History {
    /// The rotation, by its name in the configuration; by default all
    rotation: Option<String>,
    #[command(flatten)]
    host: HostArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Rotate {
    pub(super) fn perform(self) -> Done {
        named::secret(&self.name, self.namespace.as_deref())?;
        let host = self.at.host.host()?;
        let backend = self.at.open(&host)?;
        let entry = backend.store().and_then(|store| store.entry_of(self.namespace.as_deref(), &self.name).ok());
        match backend.rotation(&self.name, entry.as_ref()) {
            Some(rotation) if self.abandon => return abandon(&host, &rotation),
            Some(rotation) => return carry_out(&host, &rotation, false),
            None => {}
        }
        let (Some(store), Some(rotator)) = (backend.store(), backend.rotator()) else {
            let known: Vec<&str> = host.rotations().collect();
            let known =
                if known.is_empty() { "none is configured".to_owned() } else { format!("these are configured: {}", known.join(", ")) };
            let namespace = self.namespace.as_ref().map_or_else(String::new, |namespace| format!(" --namespace {namespace}"));
            let set = format!("strongroom secrets set {}{namespace}", self.name);
            return Err(Failure::new(
                code::USAGE,
                format!(
                    "no rotation has this name or replaces this secret ({known}), and the backend `{name}` makes no keys itself: describe \
                     its issuer in the configuration (`[issuers]`, `[rotations]`), or add a new key with `{set}`",
                    name = backend.name()
                ),
            ));
        };
        let entry = store.entry_of(self.namespace.as_deref(), &self.name).map_err(|error| Failure::new(code::USAGE, error))?;
        let begun = finish(&host, rotator.rotate(&entry))?;
        say(format_args!("{}: {begun}", entry.path));
        Ok(0)
    }
}

/// Gives up what is under way.
fn abandon(host: &Host, rotation: &str) -> Done {
    let left = super::runtime()?.block_on(async {
        let left = host.abandon_rotation(rotation).await;
        host.clone().shutdown().await;
        left
    });
    let left = left.map_err(|error| Failure::new(code::SECRET, format!("{rotation}: {error}")))?;
    say(format_args!("{rotation}: nothing is under way any more; the key in use is unchanged"));
    left.iter().for_each(|key| say(format_args!("  revoke it at the issuer, unless it is the one in use: {}", for_people(key))));
    Ok(0)
}

/// Replaces a key, and shows each step on a terminal. Of one that has leaked, nobody is waited for who holds it.
pub(super) fn carry_out(host: &Host, rotation: &str, is_leaked: bool) -> Done {
    let shows = std::io::stderr().is_terminal();
    let progress = move |progress: Progress<'_>| {
        if shows {
            say(format_args!("  {:12} {}", progress.step, for_people(progress.detail)));
        }
    };
    let rotated = super::runtime()?.block_on(async {
        let rotated = match is_leaked {
            true => host.replace_leaked(rotation, progress).await,
            false => host.rotate(rotation, progress).await,
        };
        host.clone().shutdown().await;
        rotated
    });
    rotated.map_err(|error| Failure::new(code::SECRET, format!("{rotation}: {error}")))?;
    say(format_args!("{rotation}: replaced; the old key is revoked"));
    Ok(0)
}

/// How rotations stand, as far as their journals can be read; and the code of a command that has said why one can't be.
pub(super) fn standings(host: &Host, wanted: Option<&str>) -> Result<(Vec<RotationStatus>, u8), Failure> {
    let names: Vec<String> = host.rotations().filter(|name| wanted.is_none_or(|wanted| wanted == *name)).map(str::to_owned).collect();
    if let (Some(wanted), true) = (wanted, names.is_empty()) {
        return Err(Failure::new(code::USAGE, RotationError::Unknown(wanted.to_owned())));
    }
    super::runtime()?.block_on(async {
        let (mut all, mut code) = (Vec::new(), 0);
        for name in names {
            match host.rotation_status(&name).await {
                Ok(status) => all.push(status),
                Err(error) => {
                    say(format_args!("error: rotation {name}: {}", lines_for_people(&error.to_string())));
                    code = code::SECRET;
                }
            }
        }
        host.clone().shutdown().await;
        Ok((all, code))
    })
}

impl History {
    pub(super) fn perform(self) -> Done {
        self.rotation.as_deref().map_or(Ok(()), |name| named::configured("ROTATION", name))?;
        let host = self.host.host()?;
        let mut out = Answer::new();
        let (all, code) = standings(&host, self.rotation.as_deref())?;
        if all.is_empty() && code == 0 {
            say(format_args!("no rotation is configured: `[rotations.NAME]` in the host configuration describes one"));
        }
        for status in all {
            if self.json {
                out.line(format_args!(
                    "{}",
                    serde_json::json!({"rotation": status.rotation, "past": status.past, "orphans": status.orphans})
                ))?;
                continue;
            }
            out.line(format_args!("{}", status.rotation))?;
            for past in &status.past {
                let took = past.ended.saturating_sub(past.begun);
                out.line(format_args!(
                    "  {} on {} in {took} s, {}: {}",
                    past.number,
                    time(past.begun),
                    past.trigger,
                    for_people(&past.outcome)
                ))?;
            }
            for (at, what) in &status.orphans {
                out.line(format_args!("  {}: there may be a key that nobody knows: {}", time(*at), for_people(what)))?;
            }
            if status.past.is_empty() {
                out.line(format_args!("  no rotation has ended yet"))?;
            }
        }
        Ok(code)
    }
}

/// A time in seconds since 1970, RFC 3339.
fn time(seconds: u64) -> String {
    i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()).unwrap_or_default().to_string()
}

/// How long ago a time is.
fn old(since: u64) -> String {
    in_largest_unit(jiff::Timestamp::now().as_second().unsigned_abs().saturating_sub(since))
}

/// How a rotation stands, in lines for people.
pub(super) fn aloud(out: &mut Answer, status: &RotationStatus) -> Result<(), Failure> {
    let text = for_people;
    out.line(format_args!("rotation {} of {}", status.rotation, text(&status.secrets.join(", "))))?;
    match (&status.stage, status.begun) {
        (Some(stage), Some(begun)) => out.line(format_args!("  under way since {}: {stage}", time(begun)))?,
        _ => out.line(format_args!("  nothing is under way"))?,
    }
    match status.since {
        Some(since) => out.line(format_args!("  the key in use has been known since {}, {} old", time(since), old(since)))?,
        None => out.line(format_args!("  the key in use was never replaced"))?,
    }
    if let Some(at) = status.expires_at {
        out.line(format_args!("  it expires {}", time(at)))?;
    }
    if let Some(at) = status.next {
        out.line(format_args!("  it will be replaced {}", time(at)))?;
    }
    if let Some((why, next)) = &status.failing {
        out.line(format_args!("  the last attempt failed, and the next one is at {}: {}", time(*next), text(why)))?;
    }
    if !status.orphans.is_empty() {
        out.line(format_args!("  there may be {} keys that nobody knows; see `strongroom secrets history`", status.orphans.len()))?;
    }
    out.line(format_args!("  hosts that use it: {}", status.hosts))
}
