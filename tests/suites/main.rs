//! The end-to-end suites: real components, real sockets, and a search of the guest's whole memory after every run.

#![expect(clippy::unwrap_used, reason = "a test's unwrap is an assertion")]

mod answers;
mod arrows;
mod backends;
mod cli;
mod components;
mod connections;
mod demo;
mod docs;
mod egress;
mod faults;
mod first_hour;
mod host_memory;
mod hostile;
mod laws;
mod lenient;
mod limits;
mod messages;
mod network;
mod odd_answers;
mod oracle;
mod paths;
mod patterns;
mod records;
mod remedies;
mod requests;
mod required;
mod rotation;
mod rotation_crash;
mod rotation_faults;
mod rotation_hosts;
mod sealing;
mod secrets;
mod sessions;
mod setup;
mod shared;
mod signers;
mod signing;
mod signing_crash;
mod signing_table;
mod store;
mod streams;
mod surface;
mod variables;
mod wallet;
