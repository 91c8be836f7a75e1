//! A host that serves: real agents of a directory, real signals.

mod backup;
mod chaos;
mod configuration;
mod drain;
mod http;
mod library;
mod operations;
pub(crate) mod process;
mod reload;
mod runs;
