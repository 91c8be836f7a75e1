//! The host's configuration, which is read anew with the directory: what can be taken up while the host serves is, what can't is told by name, and
//! a file that can't be used leaves all as it was.

use super::http::{Listener, Listens};
use super::watch::Look;
use crate::Host;
use crate::audit::Event;
use crate::host::Reread;
use crate::lock::Mutex;
use crate::manifest::{HostConfig, ListenConfig};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long files have to have been as they are before anything new of them is taken up: one that is cut at a line is a good one, and says less.
const STILL: Duration = Duration::from_secs(1);
/// How long that is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What reading the host's configuration anew has brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ops", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ConfigurationRead {
    /// Its file.
    pub file: PathBuf,
    /// When it was read, in milliseconds since 1970-01-01T00:00:00Z.
    pub read: u64,
    /// The keys that are otherwise than before, or whose files are, and count from now on.
    pub changed: Vec<String>,
    /// The keys that are otherwise than what the host runs by, and count once it starts anew.
    pub after_restart: Vec<String>,
    /// Why it can't be used, with its place and what to write instead: the host goes on by what it had.
    pub refused: Option<String>,
}

/// Takes up a configuration that was found good.
pub(crate) type Take = Box<dyn FnOnce() + Send>;
/// What else goes by the configuration: looks whether it can go by what is taken up of a newer one, and changes nothing before it is told to.
pub(crate) type Follower = Arc<dyn Fn(&HostConfig, &HostConfig) -> Result<Take, String> + Send + Sync>;

/// Whether the newer configuration of a listener names the certificate that it goes by. What is not named any more, and counts until a restart,
/// may be gone.
pub(crate) fn is_named(taken: &ListenConfig, newer: Option<&ListenConfig>) -> bool {
    newer.is_some_and(|newer| newer.tls() == taken.tls())
}

/// Where the configuration is, and what was read of it.
pub(super) struct Configuration {
    file: PathBuf,
    read: Box<dyn Fn() -> Result<HostConfig, String> + Send + Sync>,
    follower: Mutex<Option<Follower>>,
    last: Mutex<Option<ConfigurationRead>>,
    /// The files as they were read last. Held by whoever reads it, from before its file is opened: whoever asked may have left, and none may take
    /// up what is older than what counts.
    reading: Mutex<Option<Look>>,
}

/// A configuration that was found good, with all that goes by it.
struct Ready {
    reread: Reread,
    follow: Option<Take>,
    listens: Option<Listens>,
}

impl Configuration {
    pub(super) fn new(file: PathBuf, read: impl Fn() -> Result<HostConfig, String> + Send + Sync + 'static) -> Self {
        Self { file, read: Box::new(read), follower: Mutex::default(), last: Mutex::default(), reading: Mutex::default() }
    }

    #[cfg(feature = "ops")]
    pub(super) fn follow(&self, follower: Follower) {
        *self.follower.lock() = Some(follower);
    }

    /// What it brought when it was read last.
    pub(super) fn last(&self) -> Option<ConfigurationRead> {
        self.last.lock().clone()
    }

    /// Reads it once nobody writes it any more, and takes it up. Gives what its files looked like before they were read. Blocks, for some seconds
    /// where it is being written. `listener` is where the configuration says that the host listens for callers.
    pub(super) fn reread(&self, host: &Host, listener: Option<&Listener>) -> (Look, ConfigurationRead) {
        let mut known = self.reading.lock();
        let (look, ready) = self.ready(&mut known, host, listener);
        let taken = ready.and_then(|ready| self.take(ready, host, listener));
        let before = self.last().map(|last| last.after_restart).unwrap_or_default();
        let (changed, after_restart, refused) = match taken {
            Ok((changed, after_restart)) => (changed, after_restart, None),
            Err(why) => {
                // That it was not taken up is told to whoever asked, whether there is a record of it or not.
                let _ = self.record(host, &[], &before, Some(&why));
                (Vec::new(), before, Some(why))
            }
        };
        let read = ConfigurationRead { file: self.file.clone(), read: host.wall().now(), changed, after_restart, refused };
        *self.last.lock() = Some(read.clone());
        (look, read)
    }

    /// Reads it, and all that it names, and builds what there is to take up; where it is not as it was `known`, from files that nobody writes.
    fn ready(&self, known: &mut Option<Look>, host: &Host, listener: Option<&Listener>) -> (Look, Result<Ready, String>) {
        let began = Instant::now();
        loop {
            let mut look = Look::at([self.file.clone()]);
            let newer = (self.read)();
            let others = newer.as_ref().map_or_else(|_| host.config().read_with(), HostConfig::read_with);
            look = look.and(Look::at(others));
            // The first time there is nothing to take up of what the host was built from.
            let is_known = known.as_ref().map_or_else(|| newer.as_ref() == Ok(&host.config()), |known| *known == look);
            let (busy, rest) = match look.younger_than(STILL).filter(|_| !is_known) {
                Some(young) => young,
                None => {
                    let ready = newer.and_then(|newer| self.build(&newer, &look, host, listener));
                    let Some(written) = look.differs() else {
                        *known = Some(look.clone());
                        return (look, ready);
                    };
                    (written, Duration::ZERO)
                }
            };
            if began.elapsed() + rest > PATIENCE {
                return (look, Err(format!("{}: it is being written; reload once it is whole", busy.display())));
            }
            std::thread::sleep(rest);
        }
    }

    /// Looks whether a configuration can be taken up, and changes nothing.
    fn build(&self, newer: &HostConfig, look: &Look, host: &Host, listener: Option<&Listener>) -> Result<Ready, String> {
        let follower = self.follower.lock().clone();
        let reread = host.reread(newer, follower.is_some()).map_err(|error| error.to_string())?;
        if look.is_empty_at(&self.file) && *newer != host.config() {
            let file = self.file.display();
            return Err(format!(
                "{file}: it is empty, and what the host runs by is not; write it whole, or a comment where nothing is meant"
            ));
        }
        let empty = reread.config().scrub_rules.iter().find(|file| look.is_empty_at(file));
        if let Some(file) = empty.filter(|_| reread.changes().now.iter().any(|key| key == "scrub.rules")) {
            return Err(format!(
                "{}: it is empty, and a file of rules has some; write it whole, or take it out of `scrub.rules`",
                file.display()
            ));
        }
        let follow = follower.map(|follower| follower(reread.config(), newer)).transpose()?;
        let listens = listener.zip(reread.config().listen.as_ref()).map(|(listener, config)| match listener.check(config) {
            Err(_) if !is_named(config, newer.listen.as_ref()) => Ok(listener.keeping(config)),
            checked => checked,
        });
        let listens = listens.transpose()?;
        Ok(Ready { reread, follow, listens })
    }

    /// Takes a configuration up, whole; what counts from now on, and what once the host starts anew.
    fn take(&self, ready: Ready, host: &Host, listener: Option<&Listener>) -> Result<(Vec<String>, Vec<String>), String> {
        let Ready { reread, follow, listens } = ready;
        let (now, later) = (reread.changes().now.clone(), reread.changes().after_restart.clone());
        let recorded = self.record(host, &now, &later, None);
        recorded.map_err(|error| format!("the audit log can't be written ({error}), and nothing is taken up without a record"))?;
        host.take(reread);
        follow.into_iter().for_each(|take| take());
        listener.zip(listens).into_iter().for_each(|(listener, listens)| listener.configure(listens));
        Ok((now, later))
    }

    fn record(&self, host: &Host, changed: &[String], after_restart: &[String], refused: Option<&str>) -> std::io::Result<()> {
        let file = self.file.display().to_string();
        let refused = refused.map(Into::into);
        let event = Event::ConfigurationRead { file: file.into(), changed: changed.into(), after_restart: after_restart.into(), refused };
        host.journal("").record(event)
    }
}

#[cfg(all(test, feature = "ops"))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::SystemTime;

    const WHOLE: &str = "[network]\nallow = [\"10.0.0.0/8\"]\nproxy = \"http://proxy:1\"\n";

    fn config(text: &str) -> HostConfig {
        HostConfig::parse("strongroom.toml", text).unwrap_or_else(|error| panic!("{text}\n{error}"))
    }

    fn host(text: &str) -> Host {
        Host::builder().config(config(text)).without_state().without_audit().build().expect("a host")
    }

    /// Writes a file as if that was long ago.
    fn write(file: &std::path::Path, text: &str) {
        std::fs::write(file, text).expect("written");
        let open = std::fs::OpenOptions::new().write(true).open(file).expect("a file");
        open.set_modified(SystemTime::now() - 10 * STILL).expect("a time");
    }

    fn of(file: &std::path::Path) -> Configuration {
        let path = file.to_owned();
        Configuration::new(file.to_owned(), move || Ok(config(&std::fs::read_to_string(&path).expect("read"))))
    }

    #[test]
    fn one_that_is_being_written_is_taken_up_once_it_is_whole() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("strongroom.toml");
        let host = host(WHOLE);
        // What was written is cut at a line as it is read first, and the rest comes right after that.
        std::fs::write(&file, "[network]\nallow = [\"10.0.0.0/8\"]\n").expect("written");
        let (path, reads) = (file.clone(), Arc::new(AtomicU32::new(0)));
        let counted = Arc::clone(&reads);
        let configuration = Configuration::new(file.clone(), move || {
            let text = std::fs::read_to_string(&path).expect("read");
            if counted.fetch_add(1, Ordering::Relaxed) == 0 {
                std::fs::write(&path, WHOLE).expect("written");
            }
            Ok(config(&text))
        });

        let (_, read) = configuration.reread(&host, None);
        assert!(read.changed.is_empty() && read.refused.is_none(), "{read:?}");
        assert!(reads.load(Ordering::Relaxed) > 1 && host.config() == config(WHOLE));
    }

    #[test]
    fn one_that_was_replaced_as_it_was_read_is_read_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("strongroom.toml");
        let host = host(WHOLE);
        write(&file, "[network]\n");
        let (path, first) = (file.clone(), AtomicU32::new(0));
        let configuration = Configuration::new(file.clone(), move || {
            let text = std::fs::read_to_string(&path).expect("read");
            if first.fetch_add(1, Ordering::Relaxed) == 0 {
                write(&path, WHOLE);
            }
            Ok(config(&text))
        });

        assert!(configuration.reread(&host, None).1.changed.is_empty());
        assert!(host.config() == config(WHOLE));
    }

    #[test]
    fn who_may_administer_counts_after_a_restart_where_nobody_goes_by_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("strongroom.toml");
        let host = host("");
        write(&file, "[[admin.peers]]\nuser = 70001\nrole = \"viewer\"\n");
        let configuration = of(&file);

        for _ in 0..2 {
            let read = configuration.reread(&host, None).1;
            assert!(read.changed.is_empty() && read.after_restart == ["admin.peers"], "{read:?}");
        }
        configuration.follow(Arc::new(|_, _| Ok(Box::new(|| {}))));
        let read = configuration.reread(&host, None).1;
        assert!(read.changed == ["admin.peers"] && read.after_restart.is_empty(), "{read:?}");
    }

    #[test]
    fn an_empty_one_is_refused_where_there_was_something() {
        let dir = tempfile::tempdir().expect("a directory");
        let (file, rules) = (dir.path().join("strongroom.toml"), dir.path().join("rules.toml"));
        let host = host(WHOLE);
        write(&file, "");
        let refused = of(&file).reread(&host, None).1.refused.expect("refused");
        assert!(refused.contains("strongroom.toml: it is empty, and what the host runs by is not"), "{refused}");
        assert!(host.config() == config(WHOLE));

        write(&file, &format!("{WHOLE}[scrub]\nrules = [\"{}\"]\n", rules.display()));
        write(&rules, "");
        let refused = of(&file).reread(&host, None).1.refused.expect("refused");
        assert!(refused.contains("rules.toml: it is empty, and a file of rules has some"), "{refused}");

        // Where somebody means it, they say so.
        write(&file, "# Nothing.\n");
        assert_eq!(of(&file).reread(&host, None).1.changed, ["network.allow", "network.proxy"]);
        write(&file, "");
        assert_eq!(of(&file).reread(&host, None).1.refused, None);
    }
}
