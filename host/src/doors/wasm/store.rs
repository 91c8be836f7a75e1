//! What one run holds inside wasmtime, and the thin implementations of what a guest imports.

use super::bindings::strongroom::agent::{log, secrets};
use super::errors;
use super::limiter::Limiter;
use super::{LogLevel, LogRecord};
use crate::audit::{Event, Used};
use crate::egress::{self, AgentBody, Outbound, Timeouts};
use crate::keyvalue::Kept;
use crate::meter::Stop;
use crate::policy::Policy;
use crate::session::Session;
use http_body_util::BodyExt;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

/// Open handles of one run.
pub(super) const MAX_HANDLES: u32 = 1_024;
/// Resources of all kinds of one run.
const MAX_RESOURCES: usize = 2_048;
/// What the first of them may take, and how many these are: what works on some requests at once has room for what they bring. All later ones
/// together can't make the host hold more than as much again.
const AMPLE: Allowance = Allowance { fields: 64 * 1024, chunk: 64 * 1024 };
const MAX_AMPLE: usize = 128;
const NARROW: Allowance = Allowance { fields: 8 * 1024, chunk: 4 * 1024 };
/// What a field of a log record, or of an answer, counts beside its text.
const FIELD: usize = 32;

/// What a further resource may make the host hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Allowance {
    /// Bytes of one set of header fields, of requests and of answers.
    fields: usize,
    /// Most bytes of a body that wait in one write; two may wait.
    chunk: usize,
}

impl Allowance {
    /// By how many resources there are.
    fn beside(resources: usize) -> Self {
        if resources < MAX_AMPLE { AMPLE } else { NARROW }
    }
}

/// A handle that a guest holds: the index of its secret.
pub struct OpenSecret(usize);

/// The state of one run.
pub(crate) struct RunState {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    pub(super) table: ResourceTable,
    hooks: Hooks,
    pub(super) limiter: Limiter,
    pub(super) session: Arc<Session>,
    pub(super) handles: u32,
    pub(super) signers: super::signing::Signers,
    pub(super) kept: Kept,
    /// The secrets whose opening is recorded. Once is enough: a guest must not be able to fill the log.
    opened: Vec<usize>,
    on_log: super::LogSink,
}

/// The one way out.
struct Hooks {
    outbound: Arc<Outbound>,
    allowance: Allowance,
}

impl RunState {
    pub(super) fn new(
        wasi: WasiCtx,
        limiter: Limiter,
        session: Arc<Session>,
        outbound: Arc<Outbound>,
        signers: super::signing::Signers,
        kept: Kept,
        on_log: super::LogSink,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        let hooks = Hooks { outbound, allowance: AMPLE };
        Self { wasi, http: WasiHttpCtx::new(), table, hooks, limiter, session, handles: 0, signers, kept, opened: Vec::new(), on_log }
    }

    fn secret(&self, handle: &Resource<OpenSecret>) -> wasmtime::Result<&crate::secrets::Key> {
        let index = self.table.get(handle)?.0;
        self.session.keyring.get(index).ok_or_else(|| wasmtime::Error::msg("a handle without its secret"))
    }
}

impl WasiView for RunState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for RunState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        // Asked for each call: what is made by it has as much room as there is beside all others.
        self.hooks.allowance = Allowance::beside(self.table.iter_mut().count());
        self.http.set_field_size_limit(self.hooks.allowance.fields);
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

type Sent = Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _errors: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let (outbound, most) = (Arc::clone(&self.outbound), self.allowance.fields);
        let patient = Timeouts::default();
        let timeouts = options.map_or(patient, |options| Timeouts {
            first_byte: options.first_byte_timeout.unwrap_or(patient.first_byte),
            between_bytes: options.between_bytes_timeout.unwrap_or(patient.between_bytes),
        });
        let request = request.map(|body| AgentBody::new(body.map_err(errors::of_guest)));
        let mut sending = Box::pin(async move {
            let answer = egress::send(outbound, request, timeouts).await.map_err(errors::for_guest)?;
            let fields: usize = answer.headers().iter().map(|(name, value)| FIELD + name.as_str().len() + value.len()).sum();
            if fields > most {
                return Err(Error::HttpResponseHeaderSectionSize(u32::try_from(fields).ok()));
            }
            let answer = answer.map(|body| body.map_err(errors::for_guest).boxed_unsync());
            Ok((answer, Box::new(async { Ok(()) }) as Box<dyn Future<Output = _> + Send>))
        });
        // Begun at once, where a task of its own would begin with its first turn: the server works while that is woken.
        match sending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(sent) => Box::new(std::future::ready(sent)),
            Poll::Pending => Box::new(sending),
        }
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        self.allowance.chunk
    }
}

impl secrets::Host for RunState {}

impl secrets::HostSecret for RunState {
    fn open(&mut self, name: String) -> wasmtime::Result<Result<Resource<OpenSecret>, secrets::Error>> {
        if self.session.meter.is_stopped() {
            return Err(wasmtime::Error::msg("the run is stopped"));
        }
        let Some((index, key)) = self.session.keyring.by_name(&name) else {
            self.session.deny(Policy::secret_unavailable(&name));
            return Ok(Err(secrets::Error::Unavailable));
        };
        if self.handles >= MAX_HANDLES {
            return Ok(Err(secrets::Error::TooManyHandles));
        }
        if !self.opened.contains(&index) {
            let version = key.current();
            let used = Event::SecretOpened { secret: Used::of(&name, &version) };
            if self.session.journal.record(used).is_err() {
                self.session.meter.stop(Stop::AuditFailed);
                return Ok(Err(secrets::Error::Unavailable));
            }
            self.opened.push(index);
        }
        self.handles += 1;
        Ok(Ok(self.table.push(OpenSecret(index))?))
    }

    fn name(&mut self, handle: Resource<OpenSecret>) -> wasmtime::Result<String> {
        Ok(self.secret(&handle)?.name.clone())
    }

    fn placeholder(&mut self, handle: Resource<OpenSecret>) -> wasmtime::Result<String> {
        Ok(self.secret(&handle)?.placeholder.clone())
    }

    fn fingerprint(&mut self, handle: Resource<OpenSecret>) -> wasmtime::Result<String> {
        Ok(self.secret(&handle)?.current().fingerprint.to_string())
    }

    fn expires_at(&mut self, handle: Resource<OpenSecret>) -> wasmtime::Result<Option<u64>> {
        Ok(self.secret(&handle)?.current().expires_at)
    }

    fn drop(&mut self, handle: Resource<OpenSecret>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        self.handles -= 1;
        Ok(())
    }
}

impl log::Host for RunState {
    fn write(&mut self, level: log::Level, message: String, fields: Vec<log::Field>) -> wasmtime::Result<()> {
        let bytes: usize = message.len() + fields.iter().map(|field| FIELD + field.key.len() + field.value.len()).sum::<usize>();
        if !self.session.meter.write(bytes.max(1)) {
            return Err(wasmtime::Error::msg("the run is stopped"));
        }
        let scrubber = self.session.scrubber();
        let scrub = |text: &str| {
            let scrubbed = scrubber.scrub(text.as_bytes());
            scrubbed.map_or_else(|| text.to_owned(), |scrubbed| String::from_utf8_lossy(&scrubbed).into_owned())
        };
        let record = LogRecord {
            level: match level {
                log::Level::Trace => LogLevel::Trace,
                log::Level::Debug => LogLevel::Debug,
                log::Level::Info => LogLevel::Info,
                log::Level::Warn => LogLevel::Warn,
                log::Level::Error => LogLevel::Error,
            },
            message: scrub(&message),
            fields: fields.iter().map(|field| (scrub(&field.key), scrub(&field.value))).collect(),
        };
        (self.on_log)(&record);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guest_can_make_the_host_hold_is_bounded() {
        // The most that one resource can hold: a request with its fields, and two pieces of its body.
        let of = |allowance: Allowance| allowance.fields + 2 * allowance.chunk;

        let most = MAX_AMPLE * of(AMPLE) + (MAX_RESOURCES - MAX_AMPLE) * of(NARROW);
        assert!(most <= 56 << 20, "{most}");
        assert_eq!([Allowance::beside(0), Allowance::beside(MAX_AMPLE - 1), Allowance::beside(MAX_AMPLE)], [AMPLE, AMPLE, NARROW]);
    }
}
