//! A login by a code that a person enters elsewhere (RFC 8628), for machines without a browser.

use super::{Failed, LoggedIn, Login, text_of};
use crate::credential::oauth2::NoToken;
use crate::credential::oauth2::login::{Device, Granted, Polled, device, polled};
use crate::policy::Reveal;
use crate::secrets::SecretValue;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// By how much a server is asked more rarely that is asked too often, in seconds (RFC 8628, 3.5).
const SLOWER: u64 = 5;
/// The most that is waited between two questions, in seconds.
const LONGEST: u64 = 120;

/// A login that waits for a person.
pub struct DeviceLogin {
    login: Login,
    device: Device,
    end: Instant,
}

/// How long is waited between two questions.
struct Pace(u64);

impl Login {
    /// Begins a login that a person finishes elsewhere.
    ///
    /// # Errors
    /// [`Failed`] where the manifest names no `device_url`, or the server gives no code.
    pub async fn by_device(self) -> Result<DeviceLogin, Failed> {
        if self.spec.device_url.is_none() {
            let other = if self.spec.authorization_url.is_some() { ", or log in without `--device`" } else { "" };
            return Err(self.usage(&format!("its `oauth2` has no `device_url`; add it from the server's documents{other}")));
        }
        self.record("ask", &format!("login by a device at {}", self.spec.server()))?;
        let reply = self.ask(|with| self.spec.device(with)).await?.map_err(|error| self.failed(&error.to_string()))?;
        let device = device(reply.status, &reply.headers, &reply.body).map_err(|why| self.failed(text_of(&why)))?;
        if self.holds_secret(&device.user_code) || self.holds_secret(&device.url) {
            return Err(self.failed("what it would have a person enter holds the client's own secret, and is not shown"));
        }
        let end = Instant::now() + Duration::from_secs(device.expires_in);
        Ok(DeviceLogin { login: self, device, end })
    }

    /// Whether a text of the server's has the client's secret in it.
    fn holds_secret(&self, text: &str) -> bool {
        let is_in = |client: &SecretValue| memchr::memmem::find(text.as_bytes(), client.reveal(Reveal::to_exchange())).is_some();
        self.client.as_ref().is_some_and(is_in)
    }
}

impl DeviceLogin {
    /// The address that the person opens, on whatever machine.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.device.url
    }

    /// What the person enters there.
    #[must_use]
    pub fn user_code(&self) -> &str {
        &self.device.user_code
    }

    /// Asks as often as the server lets it until the person has decided or the code's time is over, which is half an hour at most, and keeps the
    /// refresh token.
    ///
    /// # Errors
    /// [`Failed`] where the person or the server refuses, or nobody decides.
    pub async fn finish(self) -> Result<LoggedIn, Failed> {
        let Self { login, device, end } = self;
        let mut pace = Pace(device.interval);
        loop {
            let next = Instant::now() + Duration::from_secs(pace.0);
            if next >= end {
                return Err(login.failed("nobody has entered the code in its time; log in once more"));
            }
            tokio::time::sleep_until(next).await;
            let reply = login.ask(|with| login.spec.login(&Granted::Device(&device.code), with)).await?;
            let learned = match reply {
                Ok(reply) => polled(&login.spec, reply.status, &reply.headers, &reply.body, SystemTime::now()),
                Err(error) => Err(NoToken::Later(error.to_string())),
            };
            match learned {
                Ok(Polled::Granted(answer)) => return login.keep(answer).await,
                Err(why @ (NoToken::Over(_) | NoToken::Refused(_) | NoToken::Unknown(_))) => return Err(login.failed(text_of(&why))),
                waiting => pace.after(&waiting),
            }
        }
    }
}

impl Pace {
    fn after(&mut self, learned: &Result<Polled, NoToken>) {
        self.0 = match learned {
            Ok(Polled::SlowDown) => self.0 + SLOWER,
            // Whoever does not answer is asked more and more rarely.
            Err(_) => self.0 * 2,
            Ok(_) => self.0,
        }
        .min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_asked_too_often_or_does_not_answer_is_asked_more_rarely() {
        let mut pace = Pace(5);
        let mut after = |learned: Result<Polled, NoToken>| {
            pace.after(&learned);
            pace.0
        };
        assert_eq!(after(Ok(Polled::Pending)), 5);
        assert_eq!(after(Ok(Polled::SlowDown)), 10);
        assert_eq!(after(Ok(Polled::Pending)), 10);
        assert_eq!(after(Err(NoToken::Later(String::new()))), 20);
        assert_eq!((0..9).map(|_| after(Ok(Polled::SlowDown))).collect::<Vec<_>>()[8], 65);
        assert_eq!((0..3).map(|_| after(Err(NoToken::Later(String::new())))).last(), Some(LONGEST));
    }
}
