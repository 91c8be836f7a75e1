//! Names that are typed: what no manifest and no configuration could name is refused before anything is done, with the reason.
//!
//! The name itself is not repeated: it may be a value that was typed in the wrong place.

use super::Failed;
use crate::manifest::{Problem, looks_like_a_secret, names};

/// The name of a secret, and the namespace that it is in.
///
/// # Errors
/// [`Failed`], which says what is wrong with it.
pub fn secret(name: &str, namespace: Option<&str>) -> Result<(), Failed> {
    checked("NAME", name, names::entry_name)?;
    namespace.map_or(Ok(()), |namespace| checked("--namespace", namespace, |text| names::namespace(text).map(drop)))
}

/// The name of a variable of a file, with the server or service before it where there is one.
///
/// # Errors
/// [`Failed`], which says what is wrong with it.
pub fn variable(what: &str, name: &str) -> Result<(), Failed> {
    checked(what, name, names::entry_name)
}

/// A namespace alone.
///
/// # Errors
/// [`Failed`], which says what is wrong with it.
pub fn namespace(namespace: &str) -> Result<(), Failed> {
    checked("--namespace", namespace, |text| names::namespace(text).map(drop))
}

/// The name of a signer of a manifest.
///
/// # Errors
/// [`Failed`], which says what is wrong with it.
pub fn signer(name: &str) -> Result<(), Failed> {
    checked("--signer", name, names::secret_name)
}

/// The name of a backend or a rotation of the configuration.
///
/// # Errors
/// [`Failed`], which says what is wrong with it.
pub fn configured(what: &str, name: &str) -> Result<(), Failed> {
    checked(what, name, names::backend_name)
}

/// The name of an agent.
///
/// # Errors
/// [`Failed`], which says what is wrong with it.
pub fn agent(name: &str) -> Result<(), Failed> {
    checked("--agent", name, names::agent_name)
}

fn checked(what: &str, name: &str, check: impl Fn(&str) -> Result<(), Problem>) -> Result<(), Failed> {
    let problem = match check(name) {
        Ok(()) if !looks_like_a_secret(name) => return Ok(()),
        Ok(()) => Problem::new("this looks like a secret itself", "write its name; the value is read from stdin, or asked for"),
        Err(problem) => problem,
    };
    Err(Failed::usage(format!("`{what}`: {problem}")))
}
