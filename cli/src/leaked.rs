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
        let mut places = Vec::new();
        for Held { path, field, fingerprint, rotation, .. } in &held {
            let field = field.as_ref().map_or_else(String::new, |field| format!(", field {}", for_people(field)));
            let place = format!("{}:{}{field}", backend.name(), for_people(path));
            say(format_args!("{place}: this value is in use, fingerprint {fingerprint}"));
            places.push((place, rotation.as_deref()));
        }
        let rotation = only_rotation(&places)?;
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

/// The one rotation that replaces a value in all places that have it.
fn only_rotation<'p>(places: &[(String, Option<&'p str>)]) -> Result<&'p str, Failure> {
    let unreplaced: Vec<&str> = places.iter().filter(|(_, rotation)| rotation.is_none()).map(|(place, _)| place.as_str()).collect();
    let mut rotations: Vec<&str> = places.iter().filter_map(|(_, rotation)| *rotation).collect();
    rotations.sort_unstable();
    rotations.dedup();
    match rotations[..] {
        [rotation] if unreplaced.is_empty() => Ok(rotation),
        _ if !unreplaced.is_empty() => {
            let remedy = "revoke it at its issuer, and add the new one with `strongroom secrets set`";
            let places = unreplaced.join("; ");
            Err(Failure::new(
                code::USAGE,
                format!("no rotation replaces {places}, so that the host can't revoke it; nothing was done: {remedy}"),
            ))
        }
        _ => {
            let remedy = "carry each out with `strongroom secrets rotate NAME`, and look that the old value is revoked at its issuer";
            let names = rotations.join("`, `");
            Err(Failure::new(code::USAGE, format!("several rotations replace this value (`{names}`); nothing was done: {remedy}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_replaced_where_one_rotation_replaces_it_everywhere() {
        let only = |places: &[(&str, Option<&'static str>)]| {
            let places: Vec<_> = places.iter().map(|(place, rotation)| ((*place).to_owned(), *rotation)).collect();
            only_rotation(&places).map_err(|failure| (failure.code, failure.message))
        };
        let refused = |places: &[(&str, Option<&'static str>)], said: &str| {
            let (code, message) = only(places).expect_err(said);
            assert!(code == code::USAGE && message.contains(said), "{code}: {message}");
        };

        assert_eq!(only(&[("s:a", Some("bot"))]), Ok("bot"));
        assert_eq!(only(&[("s:a", Some("bot")), ("s:b", Some("bot"))]), Ok("bot"));
        refused(
            &[("s:a", Some("bot")), ("s:b", Some("twin")), ("s:c", Some("bot"))],
            "several rotations replace this value (`bot`, `twin`)",
        );
        refused(&[("s:a", Some("bot")), ("s:b", None)], "no rotation replaces s:b, so that");
        refused(&[("s:a", None), ("s:b", None)], "no rotation replaces s:a; s:b, so that");
    }
}
