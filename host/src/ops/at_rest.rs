//! Secrets that lie in files: in a component, and in `.env` files that version control keeps.

use super::remark::{About, Remark, Spot};
use crate::host::read_component;
use crate::scrub::Scrubber;
use std::path::{Path, PathBuf};

/// Most bytes of git's index: 256 MiB.
const MAX_INDEX: u64 = 256 << 20;

/// What is found in the component of a manifest, and in the `.env` files beside it that git tracks.
pub(super) fn secrets(manifest: &Path, component: Option<&Path>, scrubber: &Scrubber) -> Vec<Remark> {
    let mut found = Vec::new();
    if let Some(path) = component
        && let Ok(bytes) = read_component(path)
    {
        for (kind, at) in scrubber.find(&bytes) {
            let remedy = "an agent can read its own code: declare a `[secrets.NAME]`, and use its placeholder";
            let message = format!("the component contains a secret ({kind}); {remedy}; {}", passing(&kind));
            found.push(Remark::new(About::SecretInComponent, path.display(), Some(Spot::Byte(at.start)), message));
        }
    }
    found.extend(in_manifest(manifest, scrubber));
    let dir = manifest.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for path in tracked_env_files(dir) {
        let Ok(bytes) = crate::files::read(&path, crate::files::MAX_TEXT) else { continue };
        for (kind, at) in scrubber.find(&bytes) {
            let line = crate::text::line_of(&bytes, at.start);
            let remedy = "replace the secret where it was issued, then take the file out of version control (`git rm --cached`)";
            let message = format!("a file that git tracks contains a secret ({kind}); {remedy}; {}", passing(&kind));
            found.push(Remark::new(About::SecretInTrackedFile, path.display(), Some(Spot::Line(line)), message));
        }
    }
    found
}

/// How to proceed where a finding is not a secret.
fn passing(kind: &str) -> String {
    format!("if nothing of that kind there is a secret: `--allow {kind}`")
}

/// What the operator's own rules find in the manifest's text; the host's own have been tried as it was read.
fn in_manifest(manifest: &Path, scrubber: &Scrubber) -> Vec<Remark> {
    let Ok(text) = crate::files::read_text(manifest, crate::files::MAX_TEXT) else { return Vec::new() };
    let place = |(kind, at): (String, std::ops::Range<usize>)| {
        let before = text.get(..at.start).unwrap_or_default();
        let (line, column) = (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1);
        let remedy = "keep it in a backend, not in this file, and replace it at its issuer if others could read it";
        let message = format!("this looks like a secret ({kind}); {remedy}; {}", passing(&kind));
        Remark::new(About::SecretInManifest, manifest.display(), Some(Spot::Column(line, column)), message)
    };
    scrubber.find(text.as_bytes()).into_iter().map(place).collect()
}

/// Where git keeps what it knows of a working tree.
fn git_dir(root: &Path) -> Option<PathBuf> {
    let git = root.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    // A working tree beside the first one has a file that says where.
    let text = crate::files::read_text(&git, crate::files::MAX_TEXT).ok()?;
    Some(root.join(text.strip_prefix("gitdir: ")?.trim_end()))
}

/// A repository's index, which names the files that git tracks.
struct Index {
    root: PathBuf,
    bytes: Vec<u8>,
}

impl Index {
    /// That of the repository around a directory, which is named in full.
    fn around(dir: &Path) -> Option<Self> {
        dir.ancestors().find_map(|root| {
            let bytes = crate::files::read(&git_dir(root)?.join("index"), MAX_INDEX).ok()?;
            Some(Self { root: root.to_owned(), bytes })
        })
    }

    /// The index lists paths relative to the root, each behind its length, of which this is the lower byte, and before a NUL.
    fn tracks(&self, path: &Path) -> bool {
        let Ok(name) = path.strip_prefix(&self.root).map(|path| path.display().to_string()) else { return false };
        let entry = [&[name.len() as u8], name.as_bytes(), b"\0"].concat();
        memchr::memmem::find(&self.bytes, &entry).is_some()
    }
}

/// Whether git tracks a file: whether the index of the repository around it names it.
#[must_use]
pub fn is_tracked(file: &Path) -> bool {
    let Ok(file) = file.canonicalize() else { return false };
    file.parent().and_then(Index::around).is_some_and(|index| index.tracks(&file))
}

/// The files of a directory whose names begin with `.env`, as far as the index of its repository names them.
fn tracked_env_files(dir: &Path) -> Vec<PathBuf> {
    let Ok(dir) = dir.canonicalize() else { return Vec::new() };
    let Some(index) = Index::around(&dir) else { return Vec::new() };
    let files = std::fs::read_dir(&dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_env = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".env"));
    let mut tracked: Vec<PathBuf> = files.filter(is_env).filter(|path| index.tracks(path)).collect();
    tracked.sort();
    tracked
}
