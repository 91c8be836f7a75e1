//! Where a browser brings a code back to (RFC 8252, 7.3): a port of 127.0.0.1 that takes one request, for one path and with the state of this
//! login. Whatever else comes there gets 404 and changes nothing: any page that is open in the browser could send it.

use crate::credential::oauth2::registered;
use crate::lock::Mutex;
use crate::url::percent_decoded;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ring::hmac;
use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

/// How long one connection may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most connections at once. Browsers open some that they may use later.
const CONNECTIONS: usize = 32;
/// Most bytes of a request's head.
const LONGEST: usize = 16 * 1024;
/// What the browser shows.
const PAGE: &str = "<!doctype html><meta charset=\"utf-8\"><title>Strongroom</title><p>You can close this window. The terminal says what came of \
                    the login.</p>";

/// The port.
pub(super) struct Callback {
    listener: TcpListener,
    port: u16,
}

/// What tells the response to this login from all others.
pub(super) struct Expected {
    key: hmac::Key,
    state: hmac::Tag,
    /// The server's scheme, host and port.
    origin: String,
}

/// What a browser brought.
pub(super) enum Brought {
    Code(Zeroizing<String>),
    /// An error, where it is a registered one.
    Refused(Option<&'static str>),
    /// The response of another server.
    Stranger,
}

/// What the first request that is taken has brought.
type Taken = Arc<Mutex<Option<Brought>>>;

impl Callback {
    /// This port, or any where it is 0.
    pub(super) async fn bind(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        Ok(Self { port: listener.local_addr()?.port(), listener })
    }

    /// Where the server sends the browser.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/callback", self.port)
    }

    /// Waits for the one request that is taken. The port is closed after it.
    pub(super) async fn wait(self, expected: Expected) -> io::Result<Brought> {
        let (expected, taken) = (Arc::new(expected), Taken::default());
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if open.len() < CONNECTIONS => {
                    let (expected, taken) = (Arc::clone(&expected), Arc::clone(&taken));
                    let stream = match accepted {
                        Ok((stream, _)) => stream,
                        // One that was given up meanwhile.
                        Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                        Err(error) => return Err(error),
                    };
                    open.spawn(async move {
                        let service = service_fn(|request: Request<Incoming>| {
                            let response = respond(&expected, &taken, &request);
                            async { Ok::<_, Infallible>(response) }
                        });
                        let mut server = http1::Builder::new();
                        server.timer(TokioTimer::new()).header_read_timeout(PATIENCE).keep_alive(false).max_buf_size(LONGEST);
                        let _ = tokio::time::timeout(PATIENCE, server.serve_connection(TokioIo::new(stream), service)).await;
                    });
                }
                // The page has been read when its connection has ended.
                Some(_) = open.join_next() => {
                    if let Some(brought) = taken.lock().take() {
                        return Ok(brought);
                    }
                }
            }
        }
    }
}

fn respond<B>(expected: &Expected, taken: &Taken, request: &Request<B>) -> Response<Full<Bytes>> {
    let query = request.uri().query().filter(|_| request.method() == Method::GET && request.uri().path() == "/callback");
    let brought = query.and_then(|query| expected.read(query));
    let mut taken = taken.lock();
    let is_taken = taken.is_none() && brought.is_some();
    if is_taken {
        *taken = brought;
    }
    let mut response = Response::new(Full::from(if is_taken { PAGE } else { "" }));
    *response.status_mut() = if is_taken { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    response.headers_mut().extend(headers.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

impl Expected {
    /// The response to a login with this state, at this server.
    pub(super) fn new(state: &str, authorization_url: &str) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, state.as_bytes());
        Self { state: hmac::sign(&key, state.as_bytes()), key, origin: origin(authorization_url) }
    }

    /// What a query brings; none where it does not belong to this login, or says one thing twice (RFC 6749, 3.1).
    fn read(&self, query: &str) -> Option<Brought> {
        let (mut state, mut code, mut error, mut iss) = (None, None, None, None);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let known = match name {
                "state" => &mut state,
                "code" => &mut code,
                "error" => &mut error,
                "iss" => &mut iss,
                _ => continue,
            };
            let value = String::from_utf8(percent_decoded(&value.replace('+', " "))).ok().map(Zeroizing::new)?;
            if known.replace(value).is_some() {
                return None;
            }
        }
        // In constant time.
        hmac::verify(&self.key, state?.as_bytes(), self.state.as_ref()).ok()?;
        match (iss, code, error) {
            (Some(iss), ..) if origin(&iss) != self.origin => Some(Brought::Stranger),
            (_, Some(code), None) if !code.is_empty() => Some(Brought::Code(code)),
            (_, None, Some(error)) => Some(Brought::Refused(registered(&error))),
            _ => None,
        }
    }
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let authority = if scheme == "https" { authority.strip_suffix(":443").unwrap_or(&authority) } else { &authority };
    format!("{scheme}://{authority}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = "zHb3hYH2gC1kQGyyvCBbDRzvHWFp";

    fn read(query: &str) -> String {
        match Expected::new(STATE, "https://login.test/auth?prompt=consent").read(&query.replace("STATE", STATE)) {
            None => "ignored".to_owned(),
            Some(Brought::Code(code)) => format!("code {}", *code),
            Some(Brought::Refused(error)) => format!("refused {error:?}"),
            Some(Brought::Stranger) => "a stranger".to_owned(),
        }
    }

    #[test]
    fn the_first_answer_is_taken_and_no_other() {
        let (expected, taken) = (Expected::new(STATE, "https://login.test/auth"), Taken::default());
        let ask = |target: &str| {
            let request = Request::get(target.replace("STATE", STATE)).body(()).expect("a request");
            respond(&expected, &taken, &request).status().as_u16()
        };

        assert_eq!(ask("/callback?state=STATE&code=one"), 200);
        assert_eq!(ask("/callback?state=STATE&code=two"), 404);
        assert_eq!(ask("/callback?state=STATE&error=access_denied"), 404);

        assert!(matches!(taken.lock().take(), Some(Brought::Code(code)) if *code == "one"));
    }

    #[test]
    fn a_response_belongs_to_the_login_by_its_state_and_its_server() {
        for (query, brought) in [
            ("code=a%2Fb&state=STATE", "code a/b"),
            ("state=STATE&code=a&iss=https%3A%2F%2Flogin.test%2Ftenant&session_state=x", "code a"),
            ("state=STATE&code=a&iss=https%3A%2F%2FLOGIN.test%3A443", "code a"),
            ("state=STATE&code=a&iss=https%3A%2F%2Fother.test", "a stranger"),
            ("state=STATE&code=a&iss=https%3A%2F%2Flogin.test.other.test", "a stranger"),
            ("state=STATE&code=a&iss=http%3A%2F%2Flogin.test", "a stranger"),
            ("state=STATE&error=access_denied&error_description=no", "refused Some(\"access_denied\")"),
            ("state=STATE&error=of-the-client-and-nobody-else", "refused None"),
            ("state=STATEx&code=a", "ignored"),
            ("state=&code=a", "ignored"),
            ("code=a", "ignored"),
            ("state=STATE", "ignored"),
            ("state=STATE&code=", "ignored"),
            ("state=STATE&code=a&error=access_denied", "ignored"),
            ("state=STATE&code=a&code=b", "ignored"),
            ("state=STATE&state=STATE&code=a", "ignored"),
            ("state=x&state=STATE&code=a", "ignored"),
        ] {
            assert_eq!(read(query), brought, "{query}");
        }
    }
}
