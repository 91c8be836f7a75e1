//! Three real parties of a threshold wallet, as processes of `strongroom-mpc-party`, with a key that they have made. They are built on first use, which
//! needs GMP: a C compiler, `make` and `m4`.

use super::{Service, home, must, port};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use strongroom_ground::text::hex;
use strongroom_mpc::Card;
use tempfile::TempDir;

const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];
/// The key that they have made.
pub const TREASURY: &str = "treasury";

/// Three parties that run, and what a host needs to speak to them.
pub struct Threshold {
    home: TempDir,
    parties: Vec<Service>,
}

impl Threshold {
    /// Parties whose operators have written down these manifests, and `[signing]` tables of a host.
    ///
    /// # Panics
    /// Where they can't be built, or don't start.
    #[must_use]
    pub fn start(manifests: &[String], policy: &str) -> Self {
        let home = TempDir::new().expect("a directory");
        let made = made();
        for name in NAMES {
            copy(&made.join(name), &home.path().join(name));
        }
        for file in ["host.toml", "host.pem"] {
            fs::copy(made.join(file), home.path().join(file)).expect("a copy");
        }
        let ports = NAMES.map(|_| port());
        for (party, name) in NAMES.iter().enumerate() {
            let directory = home.path().join(name);
            fs::write(directory.join("policy.toml"), policy).expect("a policy");
            let agents: Vec<_> = (0..manifests.len()).map(|agent| format!("\"agent-{agent}.toml\"")).collect();
            for (agent, manifest) in manifests.iter().enumerate() {
                fs::write(directory.join(format!("agent-{agent}.toml")), manifest).expect("a manifest");
            }
            let [(a, at_a), (b, at_b)] = others(party).map(|other| (NAMES[other], ports[other]));
            let text = format!(
                "state = \"state\"\nparties = [\"{a}.toml\", \"{b}.toml\"]\nhosts = [\"host.toml\"]\nagents = [{}]\npolicy = \"policy.toml\"\n\
                 unlock = \"unlock.txt\"\nlisten = \"127.0.0.1:{}\"\npresignatures = 2\n[addresses]\n{a} = \"127.0.0.1:{at_a}\"\n{b} = \"127.0.0.1:{at_b}\"\n",
                agents.join(", "),
                ports[party]
            );
            fs::write(directory.join("party.toml"), text).expect("a configuration");
            // The host goes by the address on the card, which is not a part of who somebody is.
            let mut card = Card::read(&directory.join("state/card.toml")).expect("a card");
            card.address = Some(([127, 0, 0, 1], ports[party]).into());
            fs::write(home.path().join(format!("{name}.toml")), toml::to_string(&card).expect("text")).expect("a card");
        }
        let start = |name: &&str| {
            let mut command = Command::new(made.join("program"));
            command.args(["run", "--config"]).arg(home.path().join(name).join("party.toml"));
            Service::try_start(&command, "listens on").unwrap_or_else(|log| panic!("a party does not start; it printed:\n{log}"))
        };
        let parties = NAMES.iter().map(start).collect();
        Self { home, parties }
    }

    /// Kills a party.
    pub fn kill(&self, party: usize) {
        self.parties[party].stop();
    }

    /// The table of the host configuration that leads to them.
    #[must_use]
    pub fn table(&self) -> String {
        let path = |file: &str| self.home.path().join(file).display().to_string();
        let [a, b, c] = NAMES.map(|name| path(&format!("{name}.toml")));
        format!(
            "[signing.mpc]\nparties = [\"{a}\", \"{b}\", \"{c}\"]\ncard = \"{}\"\nkey = \"file:{}\"\nkeys = [\"{TREASURY}\"]\n",
            path("host.toml"),
            path("host.pem")
        )
    }
}

/// The address of the key (EIP-55): the same for all that start here.
///
/// # Panics
/// Where they can't be built.
#[must_use]
pub fn address() -> String {
    fs::read_to_string(made().join("address")).expect("an address")
}

/// A directory in which the ceremony has been, with the program that it was made by.
fn made() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(make)
}

fn make() -> PathBuf {
    let home = home();
    fs::create_dir_all(&home).expect("a directory for services");
    // Test processes may run side by side: one of them makes it.
    let lock = File::create(home.join("threshold.lock")).expect("a lock file");
    lock.lock().expect("the lock");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from).join("mpc-party");
    let cargo = |arguments: &[&str]| {
        // The one that runs the suites.
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["test", "--quiet", "--locked", "--test", "wallet", "--manifest-path"]);
        cargo.arg(root.join("crates/mpc-party/Cargo.toml")).arg("--target-dir").arg(&target).args(arguments);
        must(&mut cargo, "the parties of a threshold wallet are built, which needs a C compiler, `make` and `m4`");
    };
    cargo(&["--no-run"]);
    let program = fs::read(target.join("debug/strongroom-mpc-party")).expect("the program");
    let made = home.join(format!("threshold-{}", &hex(&Sha256::digest(program))[..16]));
    if !made.join("address").exists() {
        let _ = fs::remove_dir_all(&made);
        fs::create_dir_all(&made).expect("a directory");
        cargo(&["--", made.to_str().expect("a path in UTF-8")]);
    }
    made
}

fn others(party: usize) -> [usize; 2] {
    [(party + 1) % 3, (party + 2) % 3]
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory").map(|entry| entry.expect("an entry")) {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}
