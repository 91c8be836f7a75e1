//! The errors of requests in the words of `wasi:http`, both ways.

use crate::egress;
use wasmtime_wasi_http::Error;

/// What a guest is told.
pub(super) fn for_guest(error: egress::Error) -> Error {
    match error {
        egress::Error::Host(text) => Error::InternalError(text),
        egress::Error::OtherBody(text) => Error::InternalError(Some(text)),
        egress::Error::RequestBodySize(bytes) => Error::HttpRequestBodySize(bytes),
        egress::Error::RequestHead => Error::HttpRequestHeaderSectionSize(None),
        egress::Error::Broken => Error::HttpProtocolError,
        egress::Error::Resolve => Error::DnsError { rcode: Some("no address".into()), info_code: None },
        egress::Error::Address => Error::DestinationIpProhibited,
        egress::Error::Refused => Error::ConnectionRefused,
        egress::Error::TooManyConnections => Error::ConnectionLimitReached,
        egress::Error::ConnectTimeout => Error::ConnectionTimeout,
        egress::Error::Certificate => Error::TlsCertificateError,
        egress::Error::Tls => Error::TlsProtocolError,
        egress::Error::Terminated => Error::ConnectionTerminated,
        egress::Error::AnswerTimeout => Error::HttpResponseTimeout,
        egress::Error::ReadTimeout => Error::ConnectionReadTimeout,
        egress::Error::AnswerSize => Error::HttpResponseBodySize(None),
        egress::Error::Incomplete => Error::HttpResponseIncomplete,
        egress::Error::ContentCoding(why) => Error::HttpResponseContentCoding(Some(why)),
        egress::Error::TransferCoding(why) => Error::HttpResponseTransferCoding(Some(why)),
    }
}

/// How a guest ends its own body: wasmtime counts the bytes, and says that a body was given up.
pub(super) fn of_guest(error: Error) -> egress::Error {
    match error {
        Error::HttpRequestBodySize(bytes) => egress::Error::RequestBodySize(bytes),
        Error::InternalError(text) => egress::Error::Host(text),
        _ => egress::Error::Broken,
    }
}
