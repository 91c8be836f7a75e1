//! The real thing: Strongroom's own imports, and `wasi:http`.

use crate::Error;
use crate::http::Request;
use crate::log::Level;
use crate::signer::{Access, Authorization, Fee, Signed, Transaction};
use std::io::Read;
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::streams::{InputStream, StreamError};

use crate::bindings::strongroom::agent::{log, secrets, signing};
use crate::bindings::wasi::keyvalue::{atomics, batch, store};

/// Most bytes of one write to a body (`blocking-write-and-flush`).
const WRITE: usize = 4096;
/// The status with which the host answers what it denies, where the manifest has it answer.
const FORBIDDEN: u16 = 403;
/// Most bytes of one read.
const READ: u64 = 64 * 1024;

pub(crate) type Handle = secrets::Secret;
pub(crate) type SignerHandle = signing::Signer;

/// An answer. Its headers are read when they are asked for.
#[derive(Debug)]
pub(crate) struct Answer {
    // Dropped in this order: a stream before what it reads from.
    stream: InputStream,
    _body: IncomingBody,
    response: IncomingResponse,
}

pub(crate) fn open(name: &str) -> Result<Handle, Error> {
    secrets::Secret::open(name).map_err(|error| match error {
        secrets::Error::Unavailable => Error::Unavailable(name.to_owned()),
        secrets::Error::TooManyHandles => Error::TooManyHandles,
    })
}

pub(crate) fn open_signer(name: &str) -> Result<SignerHandle, Error> {
    signing::Signer::open(name).map_err(|error| match error {
        signing::Error::TooManyHandles => Error::TooManyHandles,
        _ => Error::Unavailable(name.to_owned()),
    })
}

pub(crate) fn sign_transaction(signer: &SignerHandle, transaction: &Transaction, key: Option<&str>) -> Result<Signed, Error> {
    let words = |words: &[[u8; 32]]| words.iter().map(|word| word.to_vec()).collect();
    let access = |access: &Access| signing::Access { address: access.address.clone(), slots: words(&access.slots) };
    let authorization = |signed: &Authorization| signing::Authorization {
        chain_id: signed.chain_id.clone(),
        address: signed.address.clone(),
        nonce: signed.nonce.clone(),
        y_parity: signed.y_parity,
        r: signed.r.to_vec(),
        s: signed.s.to_vec(),
    };
    let fields = signing::Transaction {
        chain_id: transaction.chain_id.clone(),
        nonce: transaction.nonce.clone(),
        gas: transaction.gas.clone(),
        fee: match &transaction.fee {
            Fee::Price(price) => signing::GasFee::Price(price.clone()),
            Fee::Market { max, priority } => signing::GasFee::Market((max.clone(), priority.clone())),
        },
        to: transaction.to.clone(),
        value: transaction.value.clone(),
        input: transaction.input.clone(),
        access_list: transaction.access_list.as_ref().map(|list| list.iter().map(access).collect()),
        blobs: transaction.blobs.as_ref().map(|(fee, hashes)| (fee.clone(), words(hashes))),
        authorizations: transaction.authorizations.iter().map(authorization).collect(),
    };
    signed(signer.sign_transaction(&signing::Unsigned::Fields(fields), key))
}

pub(crate) fn sign_payload(signer: &SignerHandle, payload: &[u8], key: Option<&str>) -> Result<Signed, Error> {
    signed(signer.sign_transaction(&signing::Unsigned::Payload(payload.to_vec()), key))
}

fn signed(outcome: Result<signing::Signed, signing::Error>) -> Result<Signed, Error> {
    outcome.map(|signed| Signed { raw: signed.raw, hash: signed.hash }).map_err(not_signed)
}

pub(crate) fn sign_message(signer: &SignerHandle, message: &[u8], key: Option<&str>) -> Result<Vec<u8>, Error> {
    signer.sign_message(message, key).map_err(not_signed)
}

pub(crate) fn sign_typed_data(signer: &SignerHandle, document: &str, key: Option<&str>) -> Result<Vec<u8>, Error> {
    signer.sign_typed_data(document, key).map_err(not_signed)
}

pub(crate) fn sign_authorization(
    signer: &SignerHandle,
    chain: &str,
    address: &str,
    nonce: &str,
    key: Option<&str>,
) -> Result<Authorization, Error> {
    let signed = signer.sign_authorization(chain, address, nonce, key).map_err(not_signed)?;
    let word = |bytes: Vec<u8>| <[u8; 32]>::try_from(bytes).map_err(|_| Error::Malformed("the host gave no signature".to_owned()));
    let (r, s) = (word(signed.r)?, word(signed.s)?);
    Ok(Authorization { chain_id: signed.chain_id, address: signed.address, nonce: signed.nonce, y_parity: signed.y_parity, r, s })
}

pub(crate) fn sign_digest(signer: &SignerHandle, digest: &[u8]) -> Result<Vec<u8>, Error> {
    signer.sign_digest(digest).map_err(not_signed)
}

pub(crate) fn hmac(signer: &SignerHandle, input: &[u8]) -> Result<Vec<u8>, Error> {
    signer.hmac(input).map_err(not_signed)
}

pub(crate) fn sign_jwt(signer: &SignerHandle, claims: &str) -> Result<String, Error> {
    signer.sign_jwt(claims).map_err(not_signed)
}

fn not_signed(error: signing::Error) -> Error {
    match error {
        signing::Error::Unavailable => Error::Unavailable("the signer".to_owned()),
        signing::Error::TooManyHandles => Error::TooManyHandles,
        signing::Error::Malformed(text) => match Error::from_host(&text) {
            Error::Denied { reason, .. } => Error::Malformed(reason),
            _ => Error::Malformed(text),
        },
        signing::Error::Denied(text) => Error::from_host(&text),
        signing::Error::Unreachable => Error::Unreachable,
        signing::Error::Unknown => Error::Unknown,
    }
}

/// The agent's one bucket.
fn bucket() -> Result<store::Bucket, Error> {
    store::open("default").map_err(not_kept)
}

pub(crate) fn state_get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    bucket()?.get(key).map_err(not_kept)
}

pub(crate) fn state_set(pairs: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
    batch::set_many(&bucket()?, &pairs).map_err(not_kept)
}

pub(crate) fn state_delete(key: &str) -> Result<(), Error> {
    bucket()?.delete(key).map_err(not_kept)
}

pub(crate) fn state_keys() -> Result<Vec<String>, Error> {
    let bucket = bucket()?;
    let (mut keys, mut next) = (Vec::new(), None);
    loop {
        let page = bucket.list_keys(next).map_err(not_kept)?;
        keys.extend(page.keys);
        next = page.cursor;
        if next.is_none() {
            return Ok(keys);
        }
    }
}

pub(crate) fn state_increment(key: &str, by: u64) -> Result<u64, Error> {
    atomics::increment(&bucket()?, key, by).map_err(not_kept)
}

fn not_kept(error: store::Error) -> Error {
    match error {
        store::Error::NoSuchStore | store::Error::AccessDenied => Error::Unavailable("the state".to_owned()),
        store::Error::Other(text) => match Error::from_host(&text) {
            denied @ Error::Denied { .. } => denied,
            _ => Error::State(text.strip_prefix("strongroom: ").unwrap_or(&text).to_owned()),
        },
    }
}

pub(crate) fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    let level = match level {
        Level::Trace => log::Level::Trace,
        Level::Debug => log::Level::Debug,
        Level::Info => log::Level::Info,
        Level::Warn => log::Level::Warn,
        Level::Error => log::Level::Error,
    };
    let fields: Vec<log::Field> =
        fields.iter().map(|(key, value)| log::Field { key: (*key).to_owned(), value: (*value).to_owned() }).collect();
    log::write(level, message, &fields);
}

pub(crate) fn send(request: Request, content: &mut dyn Read) -> Result<Answer, Error> {
    let (head, options) = head(&request)?;
    let mut first = [0; WRITE];
    let length = content.read(&mut first).map_err(unread)?;
    // A request that never had its body taken has none: two calls and a stream less for the host.
    let body = if length > 0 { Some(head.body().map_err(|()| Error::Request("it has no body".into()))?) } else { None };
    let answer = handle(head, options).map_err(|code| failed(&code))?;
    // Where the host denies the request, writing fails too: the reason comes with the answer.
    if let Some(body) = body {
        let _ = write(body, &first[..length], content);
    }
    answer.subscribe().block();
    let response = match answer.get() {
        Some(Ok(Ok(response))) => response,
        Some(Ok(Err(code))) => return Err(failed(&code)),
        Some(Err(())) | None => return Err(Error::Failed("no answer".into())),
    };
    let body = response.consume().map_err(|()| Error::Failed("the response has no body".into()))?;
    let stream = body.stream().map_err(|()| Error::Failed("the response has no body".into()))?;
    let answer = Answer { stream, _body: body, response };
    // Only the host says so: it takes such headers out of servers' answers.
    match answer.status() {
        FORBIDDEN if answer.header("strongroom-denial").is_some() => {
            Err(Error::from_problem(&String::from_utf8_lossy(&answer.into_bytes()?)))
        }
        _ => Ok(answer),
    }
}

fn head(request: &Request) -> Result<(OutgoingRequest, Option<RequestOptions>), Error> {
    let wrong = |what: &str| Error::Request(what.to_owned());
    let (scheme, rest) = request.url.split_once("://").ok_or_else(|| wrong("the URL has no scheme"))?;
    let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(at);
    let headers = Fields::new();
    for (name, value) in &request.headers {
        headers.append(name, value.as_bytes()).map_err(|error| Error::Request(format!("header `{name}`: {error:?}")))?;
    }
    let head = OutgoingRequest::new(headers);
    let method = match request.method.as_str() {
        // What a request is where nothing is set.
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        other => Method::Other(other.to_owned()),
    };
    let scheme = match scheme {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        other => Scheme::Other(other.to_owned()),
    };
    if !matches!(method, Method::Get) {
        head.set_method(&method).map_err(|()| wrong("not a method"))?;
    }
    head.set_scheme(Some(&scheme)).map_err(|()| wrong("not a scheme"))?;
    head.set_authority(Some(authority)).map_err(|()| wrong("not a host"))?;
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    head.set_path_with_query(Some(&target)).map_err(|()| wrong("not a path"))?;
    let options = request.timeout.map(|timeout| {
        let options = RequestOptions::new();
        let nanos = u64::try_from(timeout.as_nanos()).ok();
        // A host without time limits sends the request anyway.
        let _ = options.set_first_byte_timeout(nanos).and_then(|()| options.set_between_bytes_timeout(nanos));
        options
    });
    Ok((head, options))
}

fn write(body: OutgoingBody, first: &[u8], content: &mut dyn Read) -> Result<(), Error> {
    let broken = |_| Error::Failed("the request's body could not be sent".into());
    let stream = body.write().map_err(|()| Error::Request("it has no body".into()))?;
    stream.blocking_write_and_flush(first).map_err(broken)?;
    let mut piece = [0; WRITE];
    loop {
        match content.read(&mut piece).map_err(unread)? {
            0 => break,
            length => stream.blocking_write_and_flush(&piece[..length]).map_err(broken)?,
        }
    }
    drop(stream);
    OutgoingBody::finish(body, None).map_err(|code| failed(&code))
}

fn unread(error: std::io::Error) -> Error {
    Error::Request(format!("its body can't be read: {error}"))
}

fn failed(code: &ErrorCode) -> Error {
    match code {
        ErrorCode::InternalError(Some(text)) => Error::from_host(text),
        other => Error::Failed(format!("{other:?}")),
    }
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.response.status()
    }

    pub(crate) fn header(&self, name: &str) -> Option<Vec<u8>> {
        self.response.headers().get(name).into_iter().next()
    }

    pub(crate) fn headers(&self) -> Vec<(String, Vec<u8>)> {
        self.response.headers().entries()
    }
}

impl Answer {
    /// The whole body, in as few calls of the host as it takes.
    pub(crate) fn into_bytes(self) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        while let Some(piece) = next(&self.stream, READ)? {
            if all.is_empty() {
                all = piece;
            } else {
                all.extend_from_slice(&piece);
            }
        }
        Ok(all)
    }
}

impl Read for Answer {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let piece = next(&self.stream, buffer.len() as u64).map_err(std::io::Error::other)?.unwrap_or_default();
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

/// The next bytes of a body, at most `most`; nothing at its end.
fn next(stream: &InputStream, most: u64) -> Result<Option<Vec<u8>>, Error> {
    loop {
        match stream.blocking_read(most) {
            Ok(piece) if piece.is_empty() => {}
            Ok(piece) => return Ok(Some(piece)),
            Err(StreamError::Closed) => return Ok(None),
            Err(StreamError::LastOperationFailed(error)) => {
                let code = wasip2::http::types::http_error_code(&error);
                return Err(code.map_or_else(|| Error::Failed(error.to_debug_string()), |code| failed(&code)));
            }
        }
    }
}
