//! The scheme `oauth2`: what is asked of a token endpoint, and what its response says. Pure: time and randomness are given, and the host makes
//! the call.

mod answer;
pub mod login;
mod request;
#[cfg(test)]
mod tests;

pub use answer::{Access, NoToken, TokenAnswer, read, registered};
pub use request::{Presented, TokenRequest};
