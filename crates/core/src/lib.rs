//! What is decided, and what may be read or signed by it. The border of this crate is what keeps the third law: a value is read, and a key signs,
//! against a permit, and permits are made here alone. There is no socket in it.
//!
//! * `manifest`: text to types; after it, invalid configuration does not exist.
//! * `url`: the one reading of a URL.
//! * `jose`: what tokens and their keys look like.
//! * `credential`: how a secret stands in a request.
//! * `policy`: a request, a transaction, a token to a permit or a denial.
//! * `value`: values, which are read against a permit.
//! * `keys`: keys, which sign against one.
//!
//! The crate `strongroom` is the one that uses it, and passes on what embedders need.

// What is passed on is documented; the rest is for the host alone.
#![allow(missing_docs)]

pub mod credential;
mod jose;
pub mod keys;
pub mod manifest;
pub mod policy;
pub mod url;
pub mod value;

use strongroom_ethereum as ethereum;
use strongroom_ground::{files, json, lock, random, text};
use strongroom_scrub as scrub;
