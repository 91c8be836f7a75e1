//! Whether the files that a supervisor serves are others than they were, without reading them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What tells one state of files from another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Look(BTreeMap<PathBuf, Option<(u64, u64, Option<SystemTime>)>>);

impl Look {
    /// How these files are now. One that is not there is so, too.
    pub(super) fn at(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let stand = |path: &Path| fs::metadata(path).ok().map(|file| (file.ino(), file.len(), file.modified().ok()));
        let looked = |path: PathBuf| {
            let stand = stand(&path);
            (path, stand)
        };
        Self(paths.into_iter().map(looked).collect())
    }

    /// The same with other files.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.0.keys().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_replaced_taken_away_or_added_is_another_state() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        fs::write(path("one"), "a").expect("a file");
        let look = || Look::at([path("one"), path("two")]);
        let mut before = look();
        assert_eq!(before, look());
        let changes: [(&str, &dyn Fn()); 4] = [
            ("written", &|| fs::write(path("one"), "ab").expect("a file")),
            ("replaced", &|| {
                fs::write(path("new"), "cd").expect("a file");
                fs::rename(path("new"), path("one")).expect("renamed");
            }),
            ("added", &|| fs::write(path("two"), "").expect("a file")),
            ("taken away", &|| fs::remove_file(path("one")).expect("removed")),
        ];

        for (what, change) in changes {
            change();
            let after = look();
            assert_ne!(before, after, "{what}");
            before = after;
        }
    }
}
