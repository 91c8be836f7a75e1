//! A caller's request, given to a guest's `wasi:http/incoming-handler`, and the guest's response on its way out.
//!
//! Neither side gets what is the other's: values that the host knows for the agent are taken out of the request (law 1), and out of the
//! response as out of stdout. What ends a run before its response has ended breaks the response off: a caller never takes a part for the whole.

mod request;
mod response;

pub(crate) use response::ResponseBody;

use super::RunState;
use crate::audit::Event;
use crate::lock::Mutex;
use crate::manifest::HttpTrigger;
use crate::scrub::Scrubber;
use crate::secrets::Version;
use http::StatusCode;
use http_body_util::combinators::UnsyncBoxBody;
use response::Outgoing;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// The body of a caller's request, as it comes.
pub(crate) type RequestBody = UnsyncBoxBody<bytes::Bytes, std::io::Error>;
/// What a caller gets: the guest's response, or the host's own word that there is none.
pub(crate) type Response = Result<http::Response<ResponseBody>, StatusCode>;

/// A caller's request, without what has proved who calls.
pub(crate) struct Call {
    pub(crate) request: http::Request<RequestBody>,
    pub(crate) is_tls: bool,
    /// What proved who calls, in the words of [`Event::Called`].
    pub(crate) by: &'static str,
    /// Who that is.
    pub(crate) caller: Option<String>,
    pub(crate) from: SocketAddr,
    /// The values of the secret that proves it: the guest can't hand them on.
    pub(crate) shown: Vec<Arc<Version>>,
    /// What of the request and its response may be.
    pub(crate) trigger: Arc<HttpTrigger>,
    pub(crate) answer: Answering,
}

/// Where a response goes, and what became of it. Its clones are one.
#[derive(Clone)]
pub(crate) struct Answering(Arc<Answer>);

struct Answer {
    caller: Mutex<Option<oneshot::Sender<Response>>>,
    account: Mutex<Account>,
    /// The run has ended, and its response ends with it.
    cut: CancellationToken,
    /// The response has ended, or there will be none.
    over: CancellationToken,
    /// The caller has gone before that.
    gone: CancellationToken,
}

/// What is told of a response once it has ended.
#[derive(Default)]
struct Account {
    status: Option<u16>,
    received: u64,
    sent: u64,
    redacted: u64,
    withheld: Vec<String>,
    error: Option<&'static str>,
}

impl Answering {
    /// To whoever holds the other end. `gone` says when nobody does any more.
    pub(crate) fn new(gone: CancellationToken) -> (Self, oneshot::Receiver<Response>) {
        let (caller, response) = oneshot::channel();
        let (cut, over) = Default::default();
        (Self(Arc::new(Answer { caller: Mutex::new(Some(caller)), account: Mutex::default(), cut, over, gone })), response)
    }

    /// Answers that there is no response, unless there was one. Returns whether the caller still waited.
    pub(crate) fn refuse(&self, status: StatusCode) -> bool {
        self.send(Err(status))
    }

    /// Whether the caller has gone.
    pub(crate) fn gone(&self) -> &CancellationToken {
        &self.0.gone
    }

    /// Breaks the response off, if it has not ended.
    pub(super) fn cut(&self) {
        if self.is_given() && !self.0.over.is_cancelled() {
            self.failed(response::CUT);
        }
        self.0.cut.cancel();
    }

    /// Waits until the response has ended.
    pub(super) async fn over(&self) {
        self.0.over.cancelled().await;
    }

    /// Whether the guest has answered.
    pub(super) fn is_given(&self) -> bool {
        self.0.account.lock().status.is_some()
    }

    pub(super) fn redacted(&self) -> u64 {
        self.0.account.lock().redacted
    }

    /// The record of how it ended.
    pub(super) fn event(&self) -> Event<'static> {
        let account = self.0.account.lock();
        let error = account.error.or_else(|| account.status.is_none().then_some("the agent gave no response"));
        Event::Responded {
            status: account.status,
            received: account.received,
            sent: account.sent,
            redacted: account.redacted,
            withheld: account.withheld.clone().into(),
            error: error.map(Into::into),
        }
    }

    fn account(&self, change: impl FnOnce(&mut Account)) {
        change(&mut self.0.account.lock());
    }

    /// Says why it has ended as it should not have; the first reason stands.
    fn failed(&self, why: &'static str) {
        self.account(|account| _ = account.error.get_or_insert(why));
    }

    fn send(&self, response: Response) -> bool {
        let Some(caller) = self.0.caller.lock().take() else { return false };
        caller.send(response).is_ok()
    }
}

impl Call {
    /// The record of it. Its path may hold what the run is searched for.
    pub(super) fn event(&self, scrubber: &Scrubber) -> Event<'_> {
        Event::Called {
            method: self.request.method().as_str().into(),
            path: scrubber.scrub_text(self.request.uri().path()),
            by: self.by.into(),
            caller: self.caller.as_deref().map(Into::into),
            from: self.from.to_string().into(),
        }
    }

    /// Has a guest answer it.
    pub(super) async fn handle(self, handler: &ProxyPre<RunState>, store: &mut Store<RunState>) -> wasmtime::Result<Result<(), ()>> {
        let session = Arc::clone(&store.data().session);
        let (answer, trigger) = (self.answer.clone(), Arc::clone(&self.trigger));
        let scheme = if self.is_tls { Scheme::Https } else { Scheme::Http };
        let Ok(request) = request::cleaned(self, &session) else {
            answer.failed("the request's target holds a value that the host keeps");
            answer.refuse(StatusCode::BAD_REQUEST);
            answer.0.over.cancel();
            return Ok(Err(()));
        };
        let is_head = request.method() == http::Method::HEAD;
        let request = store.data_mut().http().new_incoming_request(scheme, request)?;
        let outgoing = Outgoing::new(&session, trigger, answer.clone(), is_head);
        let given = move |response: Result<http::Response<HyperOutgoingBody>, ErrorCode>| outgoing.give(response.ok());
        let out = store.data_mut().http().new_response_outparam_from_callback(given)?;
        let handler = handler.instantiate_async(&mut *store).await?;
        handler.wasi_http_incoming_handler().call_handle(&mut *store, request, out).await?;
        if !answer.is_given() {
            answer.0.over.cancel();
        }
        Ok(Ok(()))
    }
}
