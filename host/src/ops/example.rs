//! The text of a file that lists the variables which agents read, without values, and how such a file is told from one that somebody has
//! filled in.

use crate::manifest::{Manifest, SecretRef, SecretSpec};
use crate::secrets::backends::env_variables;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

const HEAD: &str = "# Variables that the agents read. Copy to `.env`, fill in, and keep out of version control.\n";
/// How the last line begins, which tells a file that is as it was written.
const SEAL: &str = "# written by `strongroom check --env-example`, sha256 ";

/// A `.env` file of all variables that agents read, with no values.
#[must_use]
pub fn env_example(manifests: &[Manifest]) -> String {
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
    sealed(text)
}

/// Whether a text is as [`env_example`] made it: nobody has filled anything in.
#[must_use]
pub fn is_env_example(known: &str) -> bool {
    known.rsplit_once(&format!("\n{SEAL}")).is_some_and(|(text, _)| sealed(text.to_owned()) == known)
}

fn sealed(text: String) -> String {
    let seal = crate::text::hex(&Sha256::digest(text.as_bytes()));
    format!("{text}\n{SEAL}{seal}\n")
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
