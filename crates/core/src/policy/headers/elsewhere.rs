//! Headers by which a request names something other than what was judged: another method or URL, a second resource, another client.
//!
//! They are known by the words of their names, since every proxy and cloud has spellings of its own.

use super::{begins_with, words};
use crate::url::names::same_header;

/// Words of headers that say how a proxy got the request: nobody but a proxy says that.
const FORWARDED: &[&str] = &["forwarded", "forward", "forwarder"];
/// What a header replaces, where one of `REPLACING` stands before it.
const PARTS: &[&str] =
    &["url", "uri", "path", "prefix", "host", "hostname", "server", "method", "scheme", "proto", "protocol", "port", "authority", "query"];
const REPLACING: &[&str] = &[
    "backend",
    "base",
    "dest",
    "envoy",
    "http",
    "middleware",
    "original",
    "override",
    "overwrite",
    "proxy",
    "real",
    "request",
    "rewrite",
    "target",
    "upstream",
    "waf",
];
/// Whole names, and beginnings of names, that fit no rule.
const OVERRIDES: &[&str] = &["x-host", "x-scheme", "x-url-scheme", "x-method", "front-end-https", "x-script-name", "x-http-destinationurl"];
const OVERRIDING: &[&str] = &["x-envoy-", "x-middleware-"];

/// What a second resource is taken for, and how.
const TAKING: &[&str] = &["copy", "rename", "move", "fetch", "import", "clone", "sync"];
const TAKEN: &[&str] = &["source", "from", "src"];
/// Who says that a request is somebody's: what stands in front of a server, never a client.
const CLIENT_WORDS: &[&str] = &["ip", "ips", "ipv4", "ipv6", "clientip", "socketip", "realip"];
const CLIENTS: &[&str] =
    &["x-coming-from", "x-external-address", "remote-user", "x-remote-user", "remote-addr", "x-remote-addr", "true-client"];
const CLIENT_BEGINNINGS: &[&str] = &[
    "cf-",
    "cloudfront-",
    "fastly-",
    "fly-client-",
    "ssl-client-",
    "x-amz-cf-",
    "x-amzn-oidc-",
    "x-amzn-mtls-",
    "x-appengine-",
    "x-auth-request-",
    "x-authenticated-",
    "x-azure-",
    "x-client-cert",
    "x-goog-authenticated-user-",
    "x-goog-iap-",
    "x-ms-client-principal",
    "x-nf-client-",
    "x-ssl-client-",
    "x-vercel-ip-",
    "x-webauth-",
];

/// Whether servers may read another method, host or path out of a header than were judged. No grant lets one pass.
pub(super) fn overrides(name: &str) -> bool {
    let is = |list: &[&str]| words(name).any(|word| list.contains(&word));
    // `Access-Control-Request-Method` asks, and `Content-…` describes.
    if begins_with(name, "access-control-") || begins_with(name, "content-") {
        return false;
    }
    let overridden = is(&["override", "rewrite", "original"]) && is(PARTS);
    let methods = ["httpmethod", "methodoverride", "httpverb"].iter().any(|known| is_spelled(name, known));
    let forwarded = is(FORWARDED) && !is(&["for"]) && !is(CLIENT_WORDS) && !is(&["cert"]);
    OVERRIDES.iter().any(|known| same_header(name, known))
        || OVERRIDING.iter().any(|known| begins_with(name, known))
        || is_followed(name, REPLACING, PARTS)
        || overridden
        || methods
        || forwarded
}

/// Whether one word of a name is among the first, and a later one among the others.
fn is_followed(name: &str, first: &[&str], then: &[&str]) -> bool {
    words(name).skip_while(|word| !first.contains(word)).skip(1).any(|word| then.contains(&word))
}

/// Whether a name holds these letters, wherever its words end.
fn is_spelled(name: &str, letters: &str) -> bool {
    let spells = |from: &[u8]| {
        let mut found = from.iter().filter(|byte| !b"-_".contains(byte));
        letters.bytes().all(|letter| found.next() == Some(&letter))
    };
    (0..name.len()).any(|at| spells(&name.as_bytes()[at..]))
}

/// What a header names beside what was judged.
pub(super) fn names_another(name: &str) -> Option<&'static str> {
    let moved = words(name).last() == Some("destination") || words(name).any(|word| word == "copysource");
    if is_followed(name, TAKING, TAKEN) || moved {
        return Some("a second resource");
    }
    let forwarded = words(name).any(|word| FORWARDED.contains(&word) || word == "originating");
    let client = words(name).any(|word| CLIENT_WORDS.contains(&word)) || CLIENTS.iter().any(|known| same_header(name, known));
    let original = words(name).skip(1).any(|word| word == "original");
    let begins = CLIENT_BEGINNINGS.iter().any(|known| begins_with(name, known));
    (forwarded || client || original || begins).then_some("another client or another origin of the request")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overrides_is_known_by_its_words() {
        for name in [
            "x-http-method",
            "x-http-method-override",
            "x-method-override",
            "http-method",
            "x_http_method_override",
            "x-original-url",
            "x-original-uri",
            "x-original-method",
            "x-original-host",
            "x-rewrite-url",
            "x-forwarded-host",
            "x-forwarded-server",
            "x-forwarded-uri",
            "x-forwarded-path",
            "x-forwarded-prefix",
            "x-forwarded-proto",
            "x-forwarded-port",
            "x-forwarded-scheme",
            "x-host",
            "forwarded",
            "x-proxy-url",
            "x-real-url",
            "x-http-host-override",
            "x-envoy-original-path",
            "x-override-url",
            "x-backend-host",
            "request-uri",
            "base-url",
            "x-middleware-subrequest",
            "x-forwarded-ssl",
            "x-waf-url",
            "x-target-host",
        ] {
            assert!(overrides(name), "{name}");
        }
    }

    #[test]
    fn second_resources_and_other_clients_are_known_by_their_words() {
        for name in [
            "x-amz-copy-source",
            "x-amz-copy-source-range",
            "x-goog-copy-source",
            "x-ms-copy-source",
            "x_ms_copy_source",
            "x-copy-from",
            "x-oss-copy-source",
            "x-ms-rename-source",
            "x-amz-rename-source",
            "destination",
            "x-copy-source-authorization",
        ] {
            assert_eq!(names_another(name), Some("a second resource"), "{name}");
        }
        for name in [
            "x-forwarded-for",
            "x-real-ip",
            "true-client-ip",
            "x-client-ip",
            "client-ip",
            "x-cluster-client-ip",
            "fastly-client-ip",
            "cf-connecting-ip",
            "x-azure-clientip",
            "x-azure-fdid",
            "x-originating-ip",
            "x-remote-addr",
            "wl-proxy-client-ip",
            "x-vercel-forwarded-for",
            "x-forwarded-client-cert",
            "x-appengine-user-ip",
            "x-ssl-client-cert",
            "x-goog-iap-jwt-assertion",
        ] {
            assert!(names_another(name).is_some(), "{name}");
        }
    }

    #[test]
    fn ordinary_headers_are_none_of_these() {
        for name in [
            "accept",
            "authorization",
            "content-type",
            "content-range",
            "content-location",
            "user-agent",
            "idempotency-key",
            "origin",
            "referer",
            "x-api-key",
            "x-request-id",
            "openai-organization",
            "anthropic-version",
            "anthropic-beta",
            "x-goog-user-project",
            "x-goog-api-key",
            "x-amz-date",
            "x-amz-target",
            "x-amz-content-sha256",
            "x-ms-version",
            "x-ms-date",
            "x-ms-blob-type",
            "stripe-version",
            "stripe-account",
            "x-github-api-version",
            "traceparent",
            "prefer",
            "accept-language",
            "if-match",
            "x-csrf-token",
            "x-tenant",
            "http-referer",
            "x-title",
            "access-control-request-method",
            "x-shopify-access-token",
            "x-correlation-id",
            "last-event-id",
            "mcp-session-id",
            "mcp-protocol-version",
            "x-goog-upload-protocol",
            "tus-resumable",
            "upload-offset",
            "x-upload-content-type",
            "x-amz-meta-name",
            "cache-control",
            "depth",
            "x-http-referer",
            "x-ratelimit-limit",
        ] {
            assert!(!overrides(name) && names_another(name).is_none(), "{name}");
        }
    }
}
