//! `strongroom login`

use super::output::{Answer, say};
use super::secrets::finish;
use super::{Done, HostArgs};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use strongroom::ops::{Failed, LoggedIn, Login as Begun};
use strongroom::text::for_people;

/// What opens an address in the browser that a person has chosen.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
/// The variables that a browser is started with. Others may hold secrets.
const PASSED: [&str; 12] = [
    "BROWSER",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "HOME",
    "LANG",
    "PATH",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_CURRENT_DESKTOP",
    "XDG_DATA_DIRS",
    "XDG_RUNTIME_DIR",
    "XDG_SESSION_TYPE",
];

/// Logs in at an authorization server, and keeps the refresh token.
///
/// For a secret with `oauth2 = { grant = "refresh_token", … }`. The server is asked by the network of the configuration; the token goes to the
/// backend where the secret is kept, as a new version, and is never shown.
#[derive(Args)]
pub(super) struct Login {
    /// The manifest
    manifest: PathBuf,
    /// The secret's name in it
    name: String,
    #[command(flatten)]
    host: HostArgs,
    /// Show a code that is entered on another machine, instead of waiting for a browser of this one
    #[arg(long)]
    device: bool,
    /// Wait for the browser on this port, for servers that know their clients' addresses to the last letter: `http://127.0.0.1:PORT/callback`
    #[arg(long, value_name = "PORT", conflicts_with = "device", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Open the address in a browser as well
    #[arg(long)]
    browser: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Login {
    pub(super) fn perform(self) -> Done {
        let host = self.host.host()?;
        let done = finish(&host, async {
            let login = Begun::new(&host, &self.manifest, &self.name).await?;
            if self.device { self.by_device(login).await } else { self.by_code(login).await }
        })?;
        if self.json {
            Answer::new().line(format_args!("{}", json!(done)))?;
        } else {
            let LoggedIn { secret, backend, path, field, version, fingerprint, .. } = done;
            let field = field.map(|field| format!("#{field}")).unwrap_or_default();
            let at = for_people(&format!("{backend}:{path}{field}, version {version}"));
            say(format_args!("{secret}: kept at {at}, fingerprint {fingerprint}"));
        }
        Ok(0)
    }

    async fn by_code(&self, login: Begun) -> Result<LoggedIn, Failed> {
        let login = login.by_code(self.port).await?;
        say(format_args!("open this address in a browser of this machine, within 5 minutes:\n  {}", login.url()));
        self.open(login.url());
        login.finish().await
    }

    async fn by_device(&self, login: Begun) -> Result<LoggedIn, Failed> {
        let login = login.by_device().await?;
        say(format_args!("open {} in any browser, and enter the code {}", login.url(), login.user_code()));
        self.open(login.url());
        login.finish().await
    }

    fn open(&self, url: &str) {
        if !self.browser {
            return;
        }
        let passed = PASSED.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        let mut opener = Command::new(OPENER);
        opener.arg(url).env_clear().envs(passed).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Err(error) = opener.spawn() {
            say(format_args!("`{OPENER}` can't be started ({error}); open the address yourself"));
        }
    }
}
