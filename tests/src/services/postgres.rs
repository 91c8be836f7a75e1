//! PostgreSQL, for credentials that are made for one run.

use super::{Machine, Service, gone, must};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The superuser's password.
const PASSWORD: &str = "superuser-of-the-tests";

/// A server with one superuser.
pub struct Postgres {
    _service: Service,
    /// Where it listens.
    pub port: u16,
    _dir: tempfile::TempDir,
}

/// Where the server's programs are.
fn programs() -> PathBuf {
    strongroom_setup::services::postgres(&Machine::here()).unwrap_or_else(|| gone("PostgreSQL"))
}

impl Postgres {
    /// One that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        let bin = programs();
        let dir = tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir().expect("a directory");
        let (data, password) = (dir.path().join("data"), dir.path().join("password"));
        std::fs::write(&password, PASSWORD).expect("a file");
        // It refuses to run as root.
        let user = user();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(dir.path(), Some(uid), Some(gid)).expect("root may give files away");
        }
        let mut initdb = Command::new(bin.join("initdb"));
        initdb.args(["-U", "postgres", "--auth=scram-sha-256", "--no-sync", "-D"]).arg(&data).arg("--pwfile").arg(&password);
        if let Some((uid, gid)) = user {
            initdb.uid(uid).gid(gid);
        }
        must(initdb.stdout(std::process::Stdio::null()).current_dir(dir.path()), "initdb makes a database");
        let (service, port) =
            Service::start("PostgreSQL", "ready to accept connections", |port| command(&bin, &data, dir.path(), user, port));
        Self { _service: service, port, _dir: dir }
    }

    /// The address for OpenBao's database engine, with places for a user and a password.
    pub fn url(&self) -> String {
        format!("postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    /// The superuser, and its password.
    pub fn superuser(&self) -> (&'static str, &'static str) {
        ("postgres", PASSWORD)
    }

    /// Whether somebody can log in.
    pub fn admits(&self, user: &str, password: &str) -> bool {
        let mut psql = Command::new(programs().join("psql"));
        psql.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", user, "-d", "postgres", "-c", "select 1"]);
        psql.env("PGPASSWORD", password).output().expect("psql runs").status.success()
    }
}

/// The user that it runs as, where this one is root.
fn user() -> Option<(u32, u32)> {
    let id = |what: &str, name: &[&str]| -> Option<u32> {
        let output = Command::new("id").arg(what).args(name).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    if id("-u", &[])? != 0 {
        return None;
    }
    Some((id("-u", &["postgres"])?, id("-g", &["postgres"])?))
}

fn command(bin: &Path, data: &Path, sockets: &Path, user: Option<(u32, u32)>, port: u16) -> Command {
    let mut command = match user {
        None => Command::new(bin.join("postgres")),
        Some((uid, gid)) => {
            let mut command = Command::new("setpriv");
            // Becoming another user drops the signal of the parent's end: it is set once more behind it.
            command.args(["--reuid", &uid.to_string(), "--regid", &gid.to_string(), "--clear-groups", "--"]);
            command.args(["setpriv", "--pdeathsig", "QUIT"]).arg(bin.join("postgres"));
            command
        }
    };
    command.arg("-D").arg(data).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
    command.arg("-c").arg(format!("unix_socket_directories={}", sockets.display())).args(["-c", "max_connections=200"]);
    command
}
