//! Why a request gets no whole response from its server. Doors say it in the words of their agents.

/// Texts are for the agent, and hold nothing of what a server or another client said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("{}", .0.as_deref().unwrap_or("the host failed"))]
    Host(Option<String>),
    #[error("the request's body does not have its declared length, or is too long")]
    RequestBodySize(Option<u64>),
    /// Another body than the agent has signed; why.
    #[error("{0}")]
    OtherBody(String),
    #[error("the request's head is too long")]
    RequestHead,
    /// The agent broke off its own request, or it was broken off.
    #[error("the request was cut short")]
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
    #[error("the connection was lost before a response")]
    Terminated,
    #[error("no response in time")]
    AnswerTimeout,
    #[error("the response stalled for too long")]
    ReadTimeout,
    #[error("the response is too long")]
    AnswerSize,
    #[error("the response ended too early")]
    Incomplete,
    #[error("the response's content coding can't be decoded: {0}")]
    ContentCoding(String),
    #[error("the response's transfer coding can't be decoded: {0}")]
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
