//! Whether the files that a supervisor serves are others than they were, without reading them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

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

    /// The file that was written last, and how long until that is `age` ago, where it is less. One that was written in the future, by its time, is
    /// as good as old.
    pub(super) fn younger_than(&self, age: Duration) -> Option<(PathBuf, Duration)> {
        let now = SystemTime::now();
        let written = self.0.iter().filter_map(|(path, stand)| Some((path, now.duration_since((*stand)?.2?).ok()?)));
        let (path, ago) = written.min_by_key(|(_, ago)| *ago)?;
        (ago < age).then(|| (path.clone(), age.saturating_sub(ago)))
    }

    /// A file that is another by now.
    pub(super) fn differs(&self) -> Option<PathBuf> {
        let now = Self::at(self.paths());
        self.paths().find(|path| self.0.get(path) != now.0.get(path))
    }

    /// Whether a file was there, and had nothing in it.
    pub(super) fn is_empty_at(&self, path: &Path) -> bool {
        self.0.get(path).is_some_and(|stand| stand.is_some_and(|(_, length, _)| length == 0))
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.0.keys().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_was_just_written_is_young_and_one_of_the_future_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        let write = |name: &str, text: &str, modified: SystemTime| {
            fs::write(path(name), text).expect("a file");
            let file = fs::OpenOptions::new().write(true).open(path(name)).expect("a file");
            file.set_modified(modified).expect("a time");
        };
        let (now, hour) = (SystemTime::now(), Duration::from_secs(3_600));
        let look = || Look::at([path("one"), path("two"), path("none")]);
        write("one", "a", now - 2 * hour);
        write("two", "", now + hour);

        assert_eq!(look().younger_than(hour), None);
        assert!(look().is_empty_at(&path("two")) && !look().is_empty_at(&path("one")) && !look().is_empty_at(&path("none")));
        write("one", "a", now - hour / 2);
        let (young, rest) = look().younger_than(hour).expect("a young one");
        assert!(young == path("one") && rest <= hour / 2, "{rest:?}");

        let before = look();
        assert_eq!(before.differs(), None);
        write("two", "b", now + hour);
        assert_eq!(before.differs(), Some(path("two")));
    }

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
