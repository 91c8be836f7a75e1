//! An HSM, played by SoftHSM 2: its token is a directory, and beside that it behaves as one does.
//!
//! The module finds its token through the environment of the process that loads it, as it is when that process starts: a test gives
//! [`SoftHsm::environment`] to the `strongroom` it runs. Nothing is set in the test's own process, where other threads read the environment.

use super::{apt, must};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Where Debian puts the module, and where other systems do.
const MODULES: &[&str] = &["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"];
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
    _dir: tempfile::TempDir,
    /// How many keys it has: the next one's CKA_ID.
    keys: Mutex<u16>,
}

/// The module, with the programs that go with it.
fn module() -> Option<PathBuf> {
    let runs = |program: &str| Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    let module = MODULES.iter().map(Path::new).find(|module| module.exists());
    module.filter(|_| runs("softhsm2-util") && runs("pkcs11-tool")).map(Path::to_owned)
}

impl SoftHsm {
    /// One that all tests of this process share: each has keys of its own there.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<SoftHsm> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// One of the test's own, without keys.
    #[must_use]
    pub fn start() -> Self {
        let module = module().or_else(|| {
            apt("softhsm2");
            apt("opensc");
            module()
        });
        let module = module.expect("SoftHSM and pkcs11-tool are needed: `apt-get install softhsm2 opensc`");
        let dir = tempfile::tempdir().expect("a directory");
        let tokens = dir.path().join("tokens");
        std::fs::create_dir(&tokens).expect("a directory");
        let configuration = format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display());
        let file = dir.path().join("softhsm2.conf");
        std::fs::write(&file, configuration).expect("a file");
        let configuration = file.to_str().expect("a path of text").to_owned();
        let hsm = Self { module, configuration, _dir: dir, keys: Mutex::new(0) };
        let mut init = hsm.command("softhsm2-util");
        init.args(["--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", SO_PIN]);
        must(&mut init, "softhsm2-util makes a token");
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
        let id = format!("{:04x}", *keys);
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
