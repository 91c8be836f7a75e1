//! What every room stands on, and what knows of none of them.

pub mod files;
pub mod format;
pub mod json;
pub mod lock;
pub mod random;
pub mod text;
