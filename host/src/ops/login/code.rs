//! A login by a code that a browser brings back (RFC 6749, 4.1), with a proof that it is this login's (RFC 7636) and a check that it came from
//! the server that was asked (RFC 9207).

use super::callback::{Brought, Callback, Expected};
use super::{Failed, LoggedIn, Login, random};
use crate::credential::oauth2::login::{Granted, challenge};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long the person may take.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// A login that waits for a browser.
pub struct CodeLogin {
    login: Login,
    callback: Callback,
    state: Zeroizing<String>,
    verifier: Zeroizing<String>,
    url: String,
}

impl Login {
    /// Begins a login by a browser of this machine: from now on a port of 127.0.0.1 waits for it, this one or, where it is none, any. Servers
    /// that know the address of their clients to the last letter know it as `http://127.0.0.1:PORT/callback`.
    ///
    /// # Errors
    /// [`Failed`] where the manifest names no `authorization_url`, or the port is not free.
    pub async fn by_code(self, port: Option<u16>) -> Result<CodeLogin, Failed> {
        let other = if self.spec.device_url.is_some() { ", or log in with `--device`" } else { "" };
        let missing = || self.usage(&format!("its `oauth2` has no `authorization_url`; add it from the server's documents{other}"));
        let closed =
            |error| Failed::usage(format!("no port of 127.0.0.1 can be opened for the browser ({error}); name another with `--port`"));
        let callback = Callback::bind(port.unwrap_or(0)).await.map_err(closed)?;
        let text = || random().map(|bytes| Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)));
        let (state, verifier) = (text()?, text()?);
        let url = self.spec.authorization(&callback.url(), &state, &challenge(&verifier)).ok_or_else(missing)?;
        Ok(CodeLogin { login: self, callback, state, verifier, url })
    }
}

impl CodeLogin {
    /// What the person opens. It holds no secret.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until the browser comes back, at most 5 minutes, and keeps the refresh token that the server gives for its code.
    ///
    /// # Errors
    /// [`Failed`] where the person or the server refuses, or nobody comes.
    pub async fn finish(self) -> Result<LoggedIn, Failed> {
        let Self { login, callback, state, verifier, .. } = self;
        let redirect = callback.url();
        let expected = Expected::new(&state, login.spec.authorization_url.as_deref().unwrap_or_default());
        let brought = tokio::time::timeout(PATIENCE, callback.wait(expected)).await;
        let late = || login.failed("no browser came back within 5 minutes; log in once more");
        match brought.map_err(|_| late())?.map_err(|error| login.failed(&format!("the port can't be served ({error})")))? {
            Brought::Code(code) => login.granted(&Granted::Code { code: &code, redirect: &redirect, verifier: &verifier }).await,
            Brought::Refused(Some(error)) => Err(login.failed(&format!("it sent the browser back with `{error}`"))),
            Brought::Refused(None) => Err(login.failed("it sent the browser back with an error that is not a registered one")),
            Brought::Stranger => Err(login.failed(
                "the browser came back from another server (`iss`) than that of `authorization_url`; what it brought was not used",
            )),
        }
    }
}
