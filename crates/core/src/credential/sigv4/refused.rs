//! Why a signed request is not sent on.

use super::chunks::MAX_CHUNK;
use super::presigned::MAX_EXPIRES;
use super::resign::MAX_SKEW;

/// Why a request with a signature is refused. Each says what was found and what would be accepted; none holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    // What kind of signature it is.
    #[error("the request is signed with Signature Version 2; have the SDK sign with Signature Version 4")]
    Version2,
    #[error(
        "the request is signed with Signature Version 4A (AWS4-ECDSA-P256-SHA256), for several regions; have the SDK sign for one region"
    )]
    Version4a,
    #[error("unknown signature algorithm; `AWS4-HMAC-SHA256` is supported, written exactly so")]
    Algorithm,
    #[error("the request has a credential in the header `Authorization` and a signature in the query; sign it in one of them")]
    TwoForms,
    #[error("the header `{0}` stands beside a signature in the query; a presigned URL has it in its query")]
    BesideQuery(&'static str),
    #[error("the request has several headers `Authorization`; a signed request has one")]
    SeveralAuthorizations,
    #[error("S3 Express session tokens are not supported; turn session authentication off in the SDK")]
    ExpressSession,

    // What it consists of.
    #[error("`{0}` is missing from the signature")]
    Missing(&'static str),
    #[error("`{0}` stands twice in the request; it may stand once")]
    Repeated(&'static str),
    #[error("`{0}` is not written as AWS SDKs write it")]
    Spelling(&'static str),
    #[error("the header `Authorization` holds a parameter beside Credential, SignedHeaders and Signature, or is malformed")]
    Parameters,
    #[error("the credential is malformed; expected `KEY-ID/YYYYMMDD/region/service/aws4_request`")]
    Credential,
    #[error("the signature is malformed; expected 64 lower-case hexadecimal digits")]
    Signature,
    #[error("the signed headers are malformed; expected names in lower case, sorted, each once, joined with `;`")]
    SignedHeaders,
    #[error("the header `{0}` is not signed; it must be")]
    NotSigned(String),
    #[error("the signed header `{0}` is not part of the request")]
    NoSuchHeader(String),
    #[error("the time of the signature is malformed; expected `YYYYMMDDTHHMMSSZ`, in `x-amz-date` or `Date`")]
    Time,
    #[error("the credential's date differs from the time of the signature; both come from the SDK's clock")]
    OtherDate,
    #[error("`X-Amz-Expires` must be between 1 and {MAX_EXPIRES} seconds")]
    Expires,
    #[error("the payload hash is malformed or not supported; expected a SHA-256 in lower-case hexadecimal, or one of AWS's names for HMAC")]
    Payload,
    #[error("`x-amz-decoded-content-length` is missing or not a number; a chunked upload needs it")]
    NoDecodedLength,
    #[error("`x-amz-trailer` must name at least one header `x-amz-checksum-*`, each once, and only for a payload with trailers")]
    Announced,

    // Whether it is right.
    #[error("the request is signed with another access key ID than the agent was given")]
    OtherKey,
    #[error("the session token is not the placeholder that the agent was given")]
    OtherToken,
    #[error(
        "the signature doesn't match the request; the SDK must sign with the placeholders, and the request must leave as it was signed"
    )]
    Mismatch,
    #[error("the payload hash is neither in the request nor known yet; the body must be read whole first")]
    UnknownBody,

    // Whether it can be signed anew.
    #[error("the signature's time is more than {} minutes from the host's clock; set the agent's clock", MAX_SKEW / 60)]
    Skewed,
    #[error("the presigned URL has expired; presign it again")]
    Expired,
    #[error("the stored access key ID or session token holds a character that can't be sent; store it without line breaks and blanks")]
    RealPair,

    // What comes after the head.
    #[error("the body is not the one that was signed: its SHA-256 differs from the payload hash")]
    OtherBody,
    #[error("a chunk is malformed; expected `SIZE;chunk-signature=SIGNATURE`, CRLF, the data, CRLF")]
    Chunk,
    #[error("a chunk's size must be a hexadecimal number without sign or leading zeros")]
    ChunkSize,
    #[error("a chunk is larger than {} MiB; set a smaller chunk size in the SDK", MAX_CHUNK >> 20)]
    LargeChunk,
    #[error("the signature of a chunk doesn't match its data")]
    ChunkMismatch,
    #[error("the chunks don't add up to `x-amz-decoded-content-length`")]
    DecodedLength,
    #[error("a trailer is malformed or too long; expected `name:value`, CRLF")]
    Trailer,
    #[error("a trailer was not announced in `x-amz-trailer`, is repeated, or an announced one is missing")]
    Unannounced,
    #[error("the signature of the trailers doesn't match them")]
    TrailerMismatch,
    #[error("the chunked body ends before its final chunk and trailers")]
    Truncated,
    #[error("there is data after the end of the chunked body")]
    AfterEnd,
}
