//! `strongroom inspect`

use super::output::Answer;
use super::{Done, Failure, code};
use clap::Args;
use std::path::PathBuf;
use strongroom::Host;
use strongroom::ops::read_component;

/// Lists what a component imports and exports, and its SHA-256.
///
/// The exit code is 122 where the host does not offer one of its imports.
#[derive(Args)]
pub(super) struct Inspect {
    /// The component
    component: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(super) fn perform(self) -> Done {
        let bytes = read_component(&self.component)?;
        let host = Host::builder().without_audit().without_state().max_agents(1).build()?;
        let found =
            host.inspect(&bytes).map_err(|error| Failure::new(code::COMPONENT, format!("{}: {error}", self.component.display())))?;
        let refused = found.imports.iter().any(|(_, offered)| !offered);
        let mut out = Answer::new();
        if self.json {
            let imports: Vec<_> =
                found.imports.iter().map(|(name, offered)| serde_json::json!({"name": name, "offered": offered})).collect();
            out.line(format_args!("{}", serde_json::json!({"sha256": found.sha256, "imports": imports, "exports": found.exports})))?;
        } else {
            out.line(format_args!("sha256 {}", found.sha256))?;
            for (name, offered) in &found.imports {
                out.line(format_args!("import {name}{}", if *offered { "" } else { "  (not offered by this host)" }))?;
            }
            for name in &found.exports {
                out.line(format_args!("export {name}"))?;
            }
        }
        Ok(if refused { code::COMPONENT } else { 0 })
    }
}
