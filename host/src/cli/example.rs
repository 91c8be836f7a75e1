//! The file that lists the variables which agents read, without values. It is written over only as long as nobody has touched it: what
//! a person has filled in is theirs.

use super::{Failure, code};
use crate::files;
use crate::manifest::{Manifest, SecretRef, SecretSpec};
use crate::secrets::backends::env_variables;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

const HEAD: &str = "# Variables that the agents read. Copy to `.env`, fill in, and keep out of version control.\n";
/// How the last line begins, which tells a file that is as it was written.
const SEAL: &str = "# written by `strongroom check --env-example`, sha256 ";

/// Writes the file anew, or over one that this wrote and nobody has changed.
pub(super) fn write(file: &Path, manifests: &[Manifest]) -> Result<(), Failure> {
    let wrong = |what: String| Failure::new(code::USAGE, format!("{}: {what}", file.display()));
    let unwritten = |error: std::io::Error| wrong(format!("can't be written ({error})"));
    let text = sealed(lines(manifests));
    let new = OpenOptions::new().write(true).create_new(true).open(file);
    let mut out = match new {
        Ok(new) => new,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let known = files::read_text(file, files::MAX_TEXT).map_err(unwritten)?;
            if !is_untouched(&known) {
                let remedy = "name another file, or move this one away";
                return Err(wrong(format!("it is not as `--env-example` writes it, and may hold what somebody has filled in; {remedy}")));
            }
            OpenOptions::new().write(true).truncate(true).open(file).map_err(unwritten)?
        }
        Err(error) => return Err(unwritten(error)),
    };
    out.write_all(text.as_bytes()).map_err(unwritten)
}

fn lines(manifests: &[Manifest]) -> String {
    let mut text = HEAD.to_owned();
    for manifest in manifests {
        for secret in &manifest.secrets {
            if let Some(variable) = variable(manifest, secret) {
                let need = if secret.required { "required" } else { "optional" };
                let _ = write!(text, "\n# {}: {}, {need}", manifest.name, secret.name);
                if let Some(format) = &secret.format {
                    let _ = write!(text, ", matches {format}");
                }
                let _ = write!(text, "\n{variable}=\n");
            }
        }
    }
    text
}

fn sealed(text: String) -> String {
    let seal = crate::text::hex(&Sha256::digest(text.as_bytes()));
    format!("{text}\n{SEAL}{seal}\n")
}

fn is_untouched(known: &str) -> bool {
    known.rsplit_once(&format!("\n{SEAL}")).is_some_and(|(text, _)| sealed(text.to_owned()) == known)
}

/// The variable that a secret is read from, if it comes from the environment.
fn variable(manifest: &Manifest, secret: &SecretSpec) -> Option<String> {
    match &secret.from {
        SecretRef::Bare(name) => {
            let namespace = secret.namespace.as_deref().unwrap_or(&manifest.name);
            let [specific, general] = env_variables(namespace, name);
            Some(if secret.namespace.is_some() { specific } else { general })
        }
        SecretRef::Exact { backend, path, .. } => (backend == "env").then(|| path.clone()),
    }
}
