//! `strongroom secrets import`

use super::output::{Answer, say};
use super::secrets::Where;
use super::{Done, Failure, code, named};
use crate::manifest::ADOPTED;
use crate::secrets::backends::read_lines;
use crate::secrets::dotenv::Variable;
use crate::secrets::{Deposit, MIN_LENGTH, SecretValue, StoreError};
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Import {
    /// Shows names, lengths and fingerprints, and writes nothing
    #[arg(long)]
    dry_run: bool,
    /// A file of NAME=value lines
    file: PathBuf,
    /// The agent, or group of agents, that they are for; without one they are shared
    #[arg(long)]
    namespace: Option<String>,
    #[command(flatten)]
    at: Where,
}

impl Import {
    pub(super) fn perform(self) -> Done {
        let file = self.file.display().to_string();
        let wrong = |what: String| Failure::new(code::USAGE, format!("{file}: {what}; nothing was written"));
        let read = read_lines(&self.file).map_err(|why| Failure::new(code::USAGE, format!("{why}; nothing was written")))?;
        if read.is_empty() {
            say(format_args!("{file}: no `NAME=value` line stands in it; nothing was written"));
            return Ok(0);
        }
        for variable in &read {
            if variable.value.starts_with(ADOPTED) {
                let (line, name) = (variable.line, &variable.name);
                return Err(wrong(format!(
                    "line {line}, `{name}`: this is a reference that `strongroom adopt` wrote, and no value; take the line out, or write the \
                     values back first: `strongroom adopt --undo {file}`"
                )));
            }
            let checked = named::secret(&variable.name, self.namespace.as_deref());
            checked.map_err(|Failure { message, .. }| wrong(format!("line {}: {message}", variable.line)))?;
        }
        if self.dry_run {
            return self.show(&read);
        }
        let left_out = self.at.with(async |store| {
            let mut left_out = 0;
            for variable in &read {
                let (entry, value) = (store.entry_of(self.namespace.as_deref(), &variable.name)?, variable.value.as_bytes());
                let version = match store.put(&entry, Deposit::new(value.to_vec()), None).await {
                    Ok(version) => version,
                    Err(StoreError::Refused(why)) => {
                        say(format_args!("{entry}: left out: {why}"));
                        left_out += 1;
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                // The file may be taken away after this: what it said has to be there.
                if !store.get(&entry).await.is_ok_and(|found| found.value.is(&SecretValue::new(value.to_vec()))) {
                    return Err(StoreError::Refused(format!("{entry} is not read back as {file} has it; keep the file")));
                }
                say(format_args!("{entry}: version {version}"));
            }
            Ok(left_out)
        })?;
        let kept = read.len() - left_out;
        match left_out {
            0 => say(format_args!("{} read, each the same in the store as in {file}; now take the file away", read.len())),
            _ => {
                say(format_args!("{} read, {kept} the same in the store as in {file}; what was left out is in that file alone", read.len()))
            }
        }
        Ok(0)
    }

    /// What would be written: enough to see that each value was read as it was meant, and nothing of it.
    fn show(&self, read: &[Variable]) -> Done {
        let host = self.at.host.host()?;
        let mut out = Answer::new();
        for variable in read {
            let fingerprint = host.fingerprint(&SecretValue::new(variable.value.as_bytes().to_vec()));
            let (name, line, bytes) = (&variable.name, variable.line, variable.value.len());
            let refused = match bytes < MIN_LENGTH {
                true => format!("; would be left out: a value has at least {MIN_LENGTH} bytes"),
                false => String::new(),
            };
            out.line(format_args!("{name:40} line {line:<4} {bytes:6} bytes, fingerprint {fingerprint}{refused}"))?;
        }
        say(format_args!("{} read; nothing was written", read.len()));
        Ok(0)
    }
}
