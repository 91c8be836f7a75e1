//! What is said about a run that has failed: the limit that it reached, with the line that raises it, and where to look if the agent says
//! nothing.

use std::path::PathBuf;
use std::time::Duration;
use strongroom::manifest::Limits;
use strongroom::{Limit, MAX_DENIALS, Outcome};

/// What a run was asked with.
pub(super) struct Asked {
    pub(super) limits: Limits,
    /// The host configuration, where it was named.
    pub(super) config: Option<PathBuf>,
}

impl Asked {
    /// Which limit ended the run, and what raises it.
    pub(super) fn limit(&self, limit: Limit, outcome: &Outcome) -> String {
        match limit {
            Limit::Denials => format!(
                "the agent was stopped after {MAX_DENIALS} denials, the most that one run may have; no setting raises this limit: the first denials are above"
            ),
            Limit::Memory if !outcome.memory_refused => {
                "the agent was stopped because its WebAssembly tables would have outgrown the host's fixed limit; no setting raises it"
                    .to_owned()
            }
            limit => format!("limits.{} was reached ({}); the agent was stopped\n{}", limit.as_str(), self.value(limit), raised(limit)),
        }
    }

    /// Why an agent may have failed by itself, where more is known than it says.
    pub(super) fn failed(&self, code: u8, outcome: &Outcome) -> Option<String> {
        if code == 0 {
            return None;
        }
        if outcome.memory_refused {
            let value = self.value(Limit::Memory);
            return Some(format!(
                "the agent failed (exit {code}) after it was refused memory: limits.memory was reached ({value})\n{}",
                raised(Limit::Memory)
            ));
        }
        if code != 1 || outcome.usage.output > 0 {
            return None;
        }
        let config = self.config.as_ref().map_or_else(String::new, |config| format!(" --config {}", config.display()));
        let denied = if outcome.usage.denials > 0 { ", and what was denied is above" } else { "" };
        let show = format!("`strongroom audit show --run {}{config}`", outcome.run);
        Some(format!("the agent returned an error and said nothing; {show} shows what it did{denied}"))
    }

    /// A limit's value, as a manifest writes it.
    fn value(&self, limit: Limit) -> String {
        let Limits { memory, cpu, wall, output, sent, received, records, .. } = &self.limits;
        match limit {
            Limit::Memory => size(*memory),
            Limit::Cpu => time(*cpu),
            Limit::Wall => time(*wall),
            Limit::Output => size(*output),
            Limit::Sent => size(*sent),
            Limit::Received => size(*received),
            Limit::Records => records.to_string(),
            _ => MAX_DENIALS.to_string(),
        }
    }
}

/// The line that allows more.
fn raised(limit: Limit) -> String {
    format!("to allow more, set `{} = ?` in `[limits]` of the manifest, with `?` filled in", limit.as_str())
}

fn size(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    let unit = units.into_iter().find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{bytes}B"), |(unit, name)| format!("{}{name}", bytes / unit))
}

fn time(time: Duration) -> String {
    let millis = time.as_millis();
    let unit = [(3_600_000, "h"), (60_000, "m"), (1_000, "s")].into_iter().find(|(unit, _)| millis > 0 && millis.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{millis}ms"), |(unit, name)| format!("{}{name}", millis / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_as_a_manifest_writes_them() {
        for (bytes, text) in [(64 << 20, "64MiB"), (1 << 30, "1GiB"), (1_000_000, "1MB"), (1_536, "1536B"), (70_000, "70kB"), (0, "0B")] {
            assert_eq!(size(bytes), text);
        }
        for (millis, text) in [(50, "50ms"), (10_000, "10s"), (60_000, "1m"), (90_000, "90s"), (7_200_000, "2h")] {
            assert_eq!(time(Duration::from_millis(millis)), text);
        }
    }
}
