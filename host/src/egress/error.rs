//! Why a request gets no whole answer of its server. Doors say it in the words of their agents.

/// Texts are for the agent, and hold nothing of what a server or another client said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("{}", .0.as_deref().unwrap_or("the host failed"))]
    Host(Option<String>),
    #[error("the request's body is not as long as was said, or longer than it may be")]
    RequestBodySize(Option<u64>),
    #[error("the request's head is longer than it may be")]
    RequestHead,
    /// The agent broke off its own request, or it was broken off.
    #[error("the request was broken off")]
    Broken,
    #[error("the host's name can't be resolved")]
    Resolve,
    #[error("the host's address is not allowed")]
    Address,
    #[error("the connection was refused")]
    Refused,
    #[error("too many connections are open")]
    TooManyConnections,
    #[error("no connection in time")]
    ConnectTimeout,
    #[error("the server's certificate is not valid for this host")]
    Certificate,
    #[error("the TLS handshake failed")]
    Tls,
    #[error("the connection broke off before an answer")]
    Terminated,
    #[error("no answer in time")]
    AnswerTimeout,
    #[error("the answer stopped for too long")]
    ReadTimeout,
    #[error("the answer is longer than it may be")]
    AnswerSize,
    #[error("the answer ended too early")]
    Incomplete,
    #[error("the answer's content coding can't be undone: {0}")]
    ContentCoding(String),
    #[error("the answer's transfer coding can't be undone: {0}")]
    TransferCoding(String),
}

impl Error {
    /// A failure of the host's own, in the words that the agent gets.
    pub(crate) fn host(text: impl Into<String>) -> Self {
        Self::Host(Some(text.into()))
    }
}

impl From<crate::session::NoRecord> for Error {
    fn from(_: crate::session::NoRecord) -> Self {
        Self::host("strongroom: the audit log can't be written")
    }
}
