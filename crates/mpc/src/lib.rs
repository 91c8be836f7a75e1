//! What hosts and the parties of a threshold wallet say to each other, and the connections that they say it over.
//!
//! A wallet of kind `mpc:` has no key. Three parties hold a share each, two of them sign together, and each decides for itself. This crate is what
//! all of them have in common, and has no cryptography of threshold signatures in it: a host never holds a share.
//!
//! * [`identity`]: who is who. A self-signed certificate (RFC 5280, Ed25519) for each party and each host, exchanged as a file, compared in words.
//! * [`link`]: one connection: TLS 1.3 in both directions with exactly the pinned certificate, a greeting, then questions and answers.
//! * [`says`]: the questions and answers, as JSON (RFC 8259) in frames of at most 1 MiB.

mod files;
pub mod identity;
pub mod link;
mod parties;
pub mod says;

pub use identity::{Card, Identity};
pub use link::{Link, LinkError};
pub use parties::{NoAnswer, Parties};

/// The version of all that is said. Parties and hosts of different versions do not speak to each other.
pub const VERSION: u16 = 1;
