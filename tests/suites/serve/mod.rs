//! A host that serves: real agents of a directory, real signals.

mod drain;
mod http;
mod library;
mod process;
mod reload;
mod runs;
