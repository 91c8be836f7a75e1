//! `strongroom secrets leaked`

use super::output::say;
use super::rotations::carry_out;
use super::secrets::{Where, finish};
use super::{Done, Failure, code, prompt};
use clap::Args;
use std::io::Read;
use std::path::PathBuf;
use strongroom::ops::Held;
use strongroom::text::for_people;
use strongroom::{MAX_LENGTH, SecretValue};
use zeroize::Zeroizing;

/// Says which secret a leaked value is, and has its issuer replace it and revoke the old one at once.
///
/// The value is read from stdin, or from a file; it is never taken from the command line. It is compared with the values in use by its fingerprint.
/// Requests that still hold the old key fail, and other hosts fail with it until they read the new one.
#[derive(Args)]
pub(super) struct Leaked {
    /// The file that holds the value and nothing else; by default stdin
    file: Option<PathBuf>,
    /// Replace it without asking
    #[arg(long)]
    yes: bool,
    /// Only say which secret it is
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    #[command(flatten)]
    at: Where,
}

impl Leaked {
    pub(super) fn perform(self) -> Done {
        let value = self.value()?;
        let host = self.at.host.host()?;
        let (backend, store) = (self.at.open(&host)?, self.at.store(&host)?);
        let held = finish(&host, backend.holding(store, &value))?;
        if held.is_empty() {
            let name = backend.name();
            say(format_args!(
                "no secret of the backend `{name}` has this value in use; `--backend` names another one, and a value from before works no more if its rotation is done"
            ));
            return Ok(0);
        }
        for Held { path, field, fingerprint, .. } in &held {
            let field = field.as_ref().map_or_else(String::new, |field| format!(", field {}", for_people(field)));
            say(format_args!("{}:{}{field}: this value is in use, fingerprint {fingerprint}", backend.name(), for_people(path)));
        }
        let mut rotations: Vec<&String> = held.iter().filter_map(|held| held.rotation.as_ref()).collect();
        rotations.dedup();
        let Some(rotation) = rotations.first() else {
            let remedy = "revoke it at its issuer, and add the new one with `strongroom secrets set`";
            return Err(Failure::new(code::USAGE, format!("no rotation replaces this secret, so that the host can't revoke it: {remedy}")));
        };
        if self.dry_run {
            say(format_args!("the rotation `{rotation}` would replace it at its issuer"));
            return Ok(0);
        }
        let question = format!("Have the rotation `{rotation}` replace it, and revoke it at once?");
        if !self.yes && !prompt::confirmed(&question, "the value is still in use")? {
            say(format_args!("nothing was done; the value is still in use"));
            return Ok(0);
        }
        carry_out(&host, rotation, true)
    }

    /// The leaked value, without the line break that `echo` and editors end it with.
    fn value(&self) -> Result<SecretValue, Failure> {
        let from = self.file.as_ref().map_or_else(|| "stdin".to_owned(), |file| file.display().to_string());
        let failed = |why: String| Failure::new(code::USAGE, format!("{from}: no value: {why}"));
        // At its whole length at once: no part is left behind by growing.
        let most = MAX_LENGTH + 2;
        let bytes = match &self.file {
            Some(file) => Zeroizing::new(strongroom_ground::files::read(file, most as u64).map_err(|error| failed(error.to_string()))?),
            None => {
                let mut bytes = Zeroizing::new(Vec::with_capacity(most + 2));
                std::io::stdin().take(most as u64 + 1).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
                bytes
            }
        };
        let value = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let value = value.strip_suffix(b"\r").unwrap_or(value);
        match value.len() {
            0 => Err(failed("it is empty".to_owned())),
            length if length > MAX_LENGTH => Err(failed(format!("it has more than {MAX_LENGTH} bytes"))),
            _ => Ok(SecretValue::new(value)),
        }
    }
}
