//! The file that lists the variables which agents read, without values. It is written over only as long as nobody has touched it: what
//! a person has filled in is theirs.

use super::{Failure, code};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;
use strongroom::manifest::Manifest;
use strongroom::ops::{env_example, is_env_example};
use strongroom_ground::files;

/// Writes the file anew, or over one that this wrote and nobody has changed.
pub(super) fn write(file: &Path, manifests: &[Manifest]) -> Result<(), Failure> {
    let wrong = |what: String| Failure::new(code::USAGE, format!("{}: {what}", file.display()));
    let unwritten = |error: std::io::Error| wrong(format!("can't be written ({error})"));
    let text = env_example(manifests);
    let new = OpenOptions::new().write(true).create_new(true).open(file);
    let mut out = match new {
        Ok(new) => new,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let known = files::read_text(file, files::MAX_TEXT).map_err(unwritten)?;
            if !is_env_example(&known) {
                let remedy = "name another file, or move this one away";
                return Err(wrong(format!("it is not as `--env-example` writes it, and may hold what somebody has filled in; {remedy}")));
            }
            OpenOptions::new().write(true).truncate(true).open(file).map_err(unwritten)?
        }
        Err(error) => return Err(unwritten(error)),
    };
    out.write_all(text.as_bytes()).map_err(unwritten)
}
