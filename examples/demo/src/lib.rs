//! The parts of `cargo demo`, which the end-to-end tests use too: a local HTTPS server, the exchange that it plays, and the
//! search for plaintext in a guest's memory.

pub mod exchange;
pub mod scan;
pub mod server;
pub mod show;
pub mod stage;
