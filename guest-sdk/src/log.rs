//! Structured logging to the operator, scrubbed by the host.

use crate::sys;

/// How much a record matters, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace,
    /// What a developer wants to see.
    Debug,
    /// What happened, in the normal course.
    Info,
    /// Something unexpected that the agent recovered from.
    Warn,
    /// Something failed.
    Error,
}

/// Writes a record. It counts towards the manifest's `limits.output`.
pub fn write(level: Level, message: &str, fields: &[(&str, &str)]) {
    sys::log(level, message, fields);
}

/// Writes a record of level [`Level::Debug`].
pub fn debug(message: &str, fields: &[(&str, &str)]) {
    write(Level::Debug, message, fields);
}

/// Writes a record of level [`Level::Info`].
pub fn info(message: &str, fields: &[(&str, &str)]) {
    write(Level::Info, message, fields);
}

/// Writes a record of level [`Level::Warn`].
pub fn warn(message: &str, fields: &[(&str, &str)]) {
    write(Level::Warn, message, fields);
}

/// Writes a record of level [`Level::Error`].
pub fn error(message: &str, fields: &[(&str, &str)]) {
    write(Level::Error, message, fields);
}
