//! An HSM, played by SoftHSM 2: its token is a directory, and beside that it behaves as one does.
//!
//! The module finds its token through the environment of the process that loads it. Cargo sets it for the processes of tests
//! (`.cargo/config.toml`), which share one token; a test may give [`SoftHsm::environment`] of a token of its own to the `strongroom` it runs.

use super::{Machine, gone, must};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The token's label.
const TOKEN: &str = "strongroom-tests";
/// The PIN of its user.
const PIN: &str = "user-pin-of-the-tests";
/// The PIN of its security officer.
const SO_PIN: &str = "officer-pin-of-the-tests";

/// A token of the test's own.
pub struct SoftHsm {
    module: PathBuf,
    configuration: String,
    _dir: Option<tempfile::TempDir>,
    /// The next key's CKA_ID.
    keys: Mutex<u32>,
}

impl SoftHsm {
    /// The one that the environment of this process leads to. Tests share it, and each has keys of its own there.
    ///
    /// # Panics
    /// Where Cargo has not set the environment, or the token can't be made.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<SoftHsm> = OnceLock::new();
        SHARED.get_or_init(|| {
            let file = std::env::var("SOFTHSM2_CONF").expect("Cargo sets SOFTHSM2_CONF for tests, by .cargo/config.toml");
            let file = PathBuf::from(file);
            let home = file.parent().expect("a file has a directory");
            std::fs::create_dir_all(home).expect("a directory");
            // Test processes may run side by side: one of them makes the token.
            let lock = File::create(home.join("lock")).expect("a lock file");
            lock.lock().expect("the lock");
            let made = file.exists();
            Self::at(file.clone(), None, !made)
        })
    }

    /// One of the test's own, without keys.
    #[must_use]
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self::at(dir.path().join("softhsm2.conf"), Some(dir), true)
    }

    fn at(file: PathBuf, dir: Option<tempfile::TempDir>, make: bool) -> Self {
        let module = strongroom_setup::services::softhsm(&Machine::here()).unwrap_or_else(|| gone("SoftHSM"));
        let configuration = file.to_str().expect("a path of text").to_owned();
        // Ids of keys differ between processes that share a token.
        let hsm = Self { module, configuration, _dir: dir, keys: Mutex::new(std::process::id() << 8) };
        if make {
            let tokens = file.with_file_name("tokens");
            std::fs::create_dir_all(&tokens).expect("a directory");
            let text = format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display());
            std::fs::write(&file, text).expect("a file");
            let mut init = hsm.command("softhsm2-util");
            init.args(["--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", SO_PIN]);
            must(&mut init, "softhsm2-util makes a token");
        }
        hsm
    }

    /// The PKCS#11 module.
    pub fn module(&self) -> &Path {
        &self.module
    }

    /// The token's label.
    pub fn token(&self) -> &'static str {
        TOKEN
    }

    /// The PIN of its user.
    pub fn pin(&self) -> &'static str {
        PIN
    }

    /// The variables by which the module finds this token, for a process that is started.
    pub fn environment(&self) -> [(&'static str, &str); 1] {
        [("SOFTHSM2_CONF", &self.configuration)]
    }

    /// Makes a secp256k1 key that can't leave the token; gives its CKA_ID in hexadecimal digits. Two keys may have one label.
    ///
    /// # Panics
    /// Where it can't be made.
    pub fn generate(&self, label: &str) -> String {
        self.generate_with(label, "EC:secp256k1", &[])
    }

    /// Makes a key of this kind, with these further arguments of `pkcs11-tool`, as `--extractable`.
    ///
    /// # Panics
    /// Where it can't be made.
    pub fn generate_with(&self, label: &str, kind: &str, more: &[&str]) -> String {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        *keys += 1;
        let id = format!("{:08x}", *keys);
        let mut arguments = vec!["--keypairgen", "--key-type", kind, "--label", label, "--id", &id];
        arguments.extend(more);
        self.tool(&arguments);
        id
    }

    /// Runs `pkcs11-tool` on the token, logged in.
    ///
    /// # Panics
    /// Where it fails.
    pub fn tool(&self, arguments: &[&str]) -> String {
        let mut tool = self.command("pkcs11-tool");
        tool.arg("--module").arg(&self.module).args(["--token-label", TOKEN, "--login", "--pin", PIN]).args(arguments);
        let output = tool.stdout(Stdio::piped()).output().expect("pkcs11-tool runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.envs(self.environment()).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}
