//! Names that are typed: what no manifest and no configuration could name is refused before anything is done, with the reason.
//!
//! The name itself is not repeated: it may be a value that was typed in the wrong place.

use super::{Failure, code};
use crate::manifest::{Problem, looks_like_a_secret, names};

/// The name of a secret, and the namespace that it is in.
pub(super) fn secret(name: &str, namespace: Option<&str>) -> Result<(), Failure> {
    checked("NAME", name, names::entry_name)?;
    namespace.map_or(Ok(()), |namespace| checked("--namespace", namespace, |text| names::namespace(text).map(drop)))
}

/// The name of a variable of a file, with the server or service before it where there is one.
pub(super) fn variable(what: &str, name: &str) -> Result<(), Failure> {
    checked(what, name, names::entry_name)
}

/// A namespace alone.
pub(super) fn namespace(namespace: &str) -> Result<(), Failure> {
    checked("--namespace", namespace, |text| names::namespace(text).map(drop))
}

/// The name of a signer of a manifest.
pub(super) fn signer(name: &str) -> Result<(), Failure> {
    checked("--signer", name, names::secret_name)
}

/// The name of a backend or a rotation of the configuration.
pub(super) fn configured(what: &str, name: &str) -> Result<(), Failure> {
    checked(what, name, names::backend_name)
}

/// The name of an agent.
pub(super) fn agent(name: &str) -> Result<(), Failure> {
    checked("--agent", name, names::agent_name)
}

fn checked(what: &str, name: &str, check: impl Fn(&str) -> Result<(), Problem>) -> Result<(), Failure> {
    let problem = match check(name) {
        Ok(()) if !looks_like_a_secret(name) => return Ok(()),
        Ok(()) => Problem::new("this looks like a secret itself", "write its name; the value is read from stdin, or asked for"),
        Err(problem) => problem,
    };
    Err(Failure::new(code::USAGE, format!("`{what}`: {problem}")))
}
