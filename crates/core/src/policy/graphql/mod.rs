//! What a body that is GraphQL asks for, where a grant seals fields of responses: an alias or a fragment would bring the sealed field under
//! another name, and a persisted query hides which.
//!
//! What is GraphQL is told by content: JSON with a `query` that looks like a document, a bare document, forms with such a field.

mod document;

use crate::json;
use crate::url::{CanonicalUrl, percent_decoded};
use document::{Document, resembles};
use serde_json::Value;
use serde_json::value::RawValue;

/// Most bytes of a body that are held to be judged.
pub const MAX_BODY: usize = 256 * 1024;

/// What to do instead, where documents without aliases are allowed.
pub(super) const REMEDY: &str = "send one operation as JSON, `{\"query\": …, \"variables\": …}`, with every field under its own name";
/// The same for a query in the URL.
pub(super) const IN_QUERY_REMEDY: &str = "where the grant has `graphql = \"no-alias\"`, send the document in the body of a POST, as JSON";

/// What a grant that seals fields asks of GraphQL. The stricter is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Graphql {
    /// One operation without aliases and fragments.
    WithoutAlias,
    /// None at all.
    Denied,
}

/// The members of a request's JSON (GraphQL over HTTP), and those by which servers know persisted queries.
const MEMBERS: &[&str] = &["query", "variables", "operationname", "extensions"];
const PERSISTED: &[&str] =
    &["id", "documentid", "doc_id", "hash", "queryid", "query_id", "sha256hash", "persistedquery", "persistedqueryid", "docid", "key"];
/// Those that nothing but GraphQL has.
const TELLING: &[&str] = &["documentid", "doc_id", "queryid", "sha256hash", "persistedquery", "persistedqueryid"];

impl Graphql {
    /// Why a URL's query is refused: a document or a persisted query in it can't be told from others by a cache or a proxy.
    pub(super) fn in_query(url: &CanonicalUrl) -> Option<&'static str> {
        let mut parameters = url.parameters().map(|(name, value)| (text(name).to_ascii_lowercase(), text(value)));
        let is = |(name, value): &(String, String)| match name.trim() {
            "query" => resembles(value),
            "extensions" => value.to_ascii_lowercase().contains("persisted"),
            name => TELLING.contains(&name),
        };
        parameters.find(is).map(|_| "the query of the URL holds a GraphQL request")
    }

    /// Why a body is refused: it is GraphQL, or can't be told from it.
    pub fn refuses(self, body: &[u8], content_type: &str) -> Option<&'static str> {
        if body.is_empty() {
            return None;
        }
        let says = content_type.to_ascii_lowercase();
        let is_json = says.contains("json");
        let Ok(text) = std::str::from_utf8(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)) else {
            let wide = body.starts_with(b"\xff\xfe") || body.starts_with(b"\xfe\xff") || body.iter().take(64).any(|byte| *byte == 0);
            return (is_json || says.contains("graphql") || (wide && mentions(body))).then_some("the body may be GraphQL and is not UTF-8");
        };
        let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        if text.starts_with(['{', '[']) || (is_json && !text.is_empty()) {
            return match members(text) {
                Some(members) => self.object(&members),
                None => self.no_object(text, is_json),
            };
        }
        if says.contains("graphql") || resembles(text) {
            return Some(self.document(text).unwrap_or("the document is not in the `query` of a JSON object"));
        }
        is_form(text).then_some("a form holds a GraphQL request")
    }

    /// Whether a body of more bytes than are held may be GraphQL, by how it begins.
    pub fn may_be(beginning: &[u8], content_type: &str) -> bool {
        let says = content_type.to_ascii_lowercase();
        let opening = beginning.iter().find(|byte| !byte.is_ascii_whitespace() && **byte != 0);
        ["json", "graphql", "form"].iter().any(|kind| says.contains(kind))
            || matches!(opening, Some(b'{' | b'[' | b'#' | b',' | 0xef | 0xfe | 0xff))
            || resembles(&String::from_utf8_lossy(beginning))
            || is_form(&String::from_utf8_lossy(beginning))
    }

    fn object(self, members: &[(String, Value)]) -> Option<&'static str> {
        let known = |name: &str| MEMBERS.contains(&name) || PERSISTED.contains(&name);
        let has = |names: &[&str]| members.iter().any(|(name, _)| names.contains(&name.as_str()));
        let documents: Vec<&str> = members.iter().filter(|(name, _)| name == "query").filter_map(|(_, value)| value.as_str()).collect();
        let doubled = members
            .iter()
            .enumerate()
            .any(|(at, (name, _))| MEMBERS.contains(&name.as_str()) && members[..at].iter().any(|(before, _)| before == name));
        let extended = members.iter().any(|(name, value)| name == "extensions" && mentions_persisted(value));
        let is_document = documents.iter().any(|text| resembles(text)) || documents.iter().any(|text| Document::read(text).is_some());
        let others = members.iter().all(|(name, _)| known(name));
        let is_persisted = extended
            || (others
                && has(PERSISTED)
                && (has(TELLING) || has(&["variables", "operationname", "extensions"]) || self == Self::WithoutAlias));
        // The names of multipart requests, which name files within them.
        let is_operations = has(&["operations"]) && has(&["map"]);
        match (is_document, is_persisted || is_operations) {
            (false, false) => None,
            _ if self == Self::Denied => Some("the body is GraphQL, and the grant seals fields of its responses"),
            (_, true) => Some("the body names a persisted query, whose document the host can't read"),
            _ if doubled || documents.len() != 1 => Some("the body names a member of its GraphQL request twice"),
            _ => self.document(documents[0]),
        }
    }

    /// What is JSON and no object, or no JSON.
    fn no_object(self, text: &str, is_json: bool) -> Option<&'static str> {
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Array(items)) => {
                let is_request = |item: &Value| {
                    item.as_object().is_some_and(|object| {
                        let members: Vec<_> = object.iter().map(|(name, value)| (folded(name), value.clone())).collect();
                        Self::Denied.object(&members).is_some()
                    })
                };
                items.iter().any(is_request).then_some("the body is a batch of GraphQL requests")
            }
            Ok(_) => None,
            Err(_) if resembles(text) && Document::read(text).is_some() => {
                Some(self.document(text).unwrap_or("the document is not in the `query` of a JSON object"))
            }
            Err(_) if is_json || mentions(text.as_bytes()) => Some("the body may be GraphQL and is not JSON that all readers read alike"),
            Err(_) => None,
        }
    }

    fn document(self, text: &str) -> Option<&'static str> {
        if self == Self::Denied {
            return Some("the body is GraphQL, and the grant seals fields of its responses");
        }
        let Some(document) = Document::read(text) else { return Some("the GraphQL document can't be read") };
        match document {
            _ if document.aliases > 0 => Some("the GraphQL document has an alias"),
            _ if document.fragments > 0 => Some("the GraphQL document has a fragment"),
            _ if document.operations != 1 => Some("the GraphQL document has more than one operation"),
            _ if document.subscriptions > 0 => Some("a subscription is answered in a form that is not sealed"),
            _ if document.directives > 0 => Some("the GraphQL document has a directive other than `@include` and `@skip`"),
            _ => None,
        }
    }
}

/// A JSON object as it is written: every member, in one case, doubled ones too. None where the text is no object.
fn members(text: &str) -> Option<Vec<(String, Value)>> {
    let object: &RawValue = serde_json::from_str(text).ok()?;
    let member = |(name, value): (String, &RawValue)| Some((folded(&name), serde_json::from_str(value.get()).ok()?));
    json::members(object)?.into_iter().map(member).collect()
}

/// A name as lenient readers take it.
fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

fn mentions_persisted(extensions: &Value) -> bool {
    extensions.to_string().to_ascii_lowercase().contains("persisted")
}

/// Whether a text has a word of GraphQL in it, in whatever width.
fn mentions(body: &[u8]) -> bool {
    let letters: Vec<u8> = body.iter().filter(|byte| **byte != 0).map(u8::to_ascii_lowercase).collect();
    [&b"query"[..], b"mutation", b"operationname", b"persisted"].iter().any(|word| memchr::memmem::find(&letters, word).is_some())
}

/// Whether a form, or a multipart body, has a field that GraphQL servers read.
fn is_form(body: &str) -> bool {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (folded(&text(name)), text(value));
        let name = name.trim_matches(['[', ']', '.', ' ']);
        Some(match name {
            "query" | "operations" => resembles(&value) || value.trim_start().starts_with(['{', '[']),
            "extensions" => value.to_ascii_lowercase().contains("persisted"),
            _ => false,
        })
    };
    if body.starts_with("--") {
        let lower = body.to_ascii_lowercase();
        let fields = ["operations", "query", "extensions"];
        return lower.match_indices("name").any(|(at, _)| {
            let value = lower[at + 4..].trim_start_matches(['*', ' ', '\t']).strip_prefix('=').unwrap_or_default().trim_start();
            let value = text(value.get(..64).unwrap_or(value));
            value.starts_with("\"=?")
                || fields.iter().any(|field| value.trim_start_matches(['"', ' ']).trim_start_matches("utf-8''").starts_with(field))
        }) && lower.contains('{');
    }
    body.split(['&', '\n']).any(|text| pair(text).unwrap_or(false))
}

/// A part of a form, decoded.
fn text(part: &str) -> String {
    String::from_utf8_lossy(&percent_decoded(&part.replace('+', " "))).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = "application/json";

    #[test]
    fn graphql_is_denied_by_content_where_nothing_allows_it() {
        let document = "mutation { t: createToken { secret: token } }";
        let json = format!("{{\"query\":\"{document}\",\"variables\":{{}}}}");
        for body in [
            json.clone(),
            format!(" \u{feff}{json}"),
            json.replace("query\"", "Query\""),
            json.replace("query\"", "\\u0071uery\""),
            format!("[{json}]"),
            "{\"query\":\"{ viewer { token } }\"}".to_owned(),
            "{\"query\":\"# x\\n ,query Q{a}\"}".to_owned(),
            "{\"documentId\":\"sha256:abc\",\"variables\":{}}".to_owned(),
            "{\"id\":\"abc\",\"variables\":{}}".to_owned(),
            "{\"extensions\":{\"persistedQuery\":{\"sha256Hash\":\"x\"}}}".to_owned(),
            document.to_owned(),
            "{ viewer { t: token } }".to_owned(),
            "query=%7Bviewer%7Bt%3Atoken%7D%7D".to_owned(),
            format!("a=1&query={}", document.replace(' ', "+")),
            format!("--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{json}\r\n--x--"),
            format!("{{query:'{document}'}}"),
        ] {
            for kind in ["", JSON, "text/plain", "application/graphql", "application/graphql+json"] {
                let refused = Graphql::Denied.refuses(body.trim_start().as_bytes(), kind);
                assert!(refused.is_some(), "{kind}: {body}");
            }
            let wide: Vec<u8> = body.encode_utf16().flat_map(u16::to_be_bytes).collect();
            assert!(!body.contains("query") || Graphql::Denied.refuses(&wide, JSON).is_some(), "UTF-16: {body}");
        }
    }

    #[test]
    fn other_bodies_pass() {
        for body in [
            "",
            "{\"query\":\"shoes\",\"limit\":5}",
            "{\"query\":{\"match\":{\"title\":\"x\"}}}",
            "{\"query\":\"SELECT * FROM t\"}",
            "{\"id\":\"7\"}",
            "{\"id\":\"7\",\"name\":\"x\",\"variables\":{}}",
            "{\"hash\":\"abc\"}",
            "[1,2]",
            "[{\"id\":\"a\"}]",
            "7",
            "grant_type=client_credentials&query=shoes",
            "plain text about a query",
        ] {
            for kind in ["", JSON, "application/x-www-form-urlencoded"] {
                let is_json = body.starts_with(['{', '[', '7']) || body.is_empty();
                assert!((kind == JSON && !is_json) || Graphql::Denied.refuses(body.as_bytes(), kind).is_none(), "{kind}: {body}");
            }
        }
        assert_eq!(Graphql::Denied.refuses(b"\x89PNG\0\0\xff", "image/png"), None);
    }

    #[test]
    fn without_an_alias_a_single_operation_passes() {
        let verdict = |document: &str| {
            let body = serde_json::json!({"query": document, "operationName": null, "variables": {"a": 1}}).to_string();
            Graphql::WithoutAlias.refuses(body.as_bytes(), JSON)
        };
        for document in
            ["{ viewer { login } }", "mutation M($a: Int) { createToken(input: {a: $a}) { token } }", "{ __typename @include(if: true) }"]
        {
            assert_eq!(verdict(document), None, "{document}");
        }
        for document in [
            "{ t: token }",
            "{ viewer { login t:token } }",
            "{ ...F } fragment F on V { token }",
            "{ ... on V { token } }",
            "{ ... { a } }",
            "query A {a} query B {b}",
            "subscription { a }",
            "{ a @stream }",
            "{ a @rename(to: \"b\") }",
            "{ a",
            "query { a(b: ) }",
            "fragment F on V { a }",
        ] {
            assert!(verdict(document).is_some(), "{document}");
        }
        for body in [
            "{\"query\":\"{a}\",\"query\":\"{b:a}\"}",
            "{\"query\":\"{a}\",\"Query\":\"{b:a}\"}",
            "{\"query\":\"{a}\",\"extensions\":{\"persistedQuery\":{\"version\":1}}}",
            "{\"query\":\"{a}\",\"id\":\"x\"}",
            "{\"id\":\"x\"}",
            "[{\"query\":\"{a}\"}]",
            "{a}",
            "query=%7Ba%7D",
        ] {
            assert!(Graphql::WithoutAlias.refuses(body.as_bytes(), JSON).is_some(), "{body}");
        }
    }

    #[test]
    fn a_query_in_the_url_is_refused_where_it_is_graphql() {
        let read = |query: &str| {
            let url = CanonicalUrl::read(&format!("https://x/graphql?{query}").parse().expect("a URI")).expect("canonical");
            Graphql::in_query(&url).is_some()
        };
        for yes in ["query=%7Ba%7D", "a=1&Query=query+Q%7Ba%7D", "extensions=%7B%22persistedQuery%22%3A%7B%7D%7D", "documentId=x"] {
            assert!(read(yes), "{yes}");
        }
        for no in ["query=shoes", "q=%7Ba%7D", "id=7", "extensions=pdf", "query=queryable"] {
            assert!(!read(no), "{no}");
        }
    }

    #[test]
    fn a_body_that_is_too_long_is_told_by_its_beginning() {
        for (beginning, kind) in
            [("{\"a\":", ""), ("query=x", "application/x-www-form-urlencoded"), ("x", "application/graphql"), (" #", "")]
        {
            assert!(Graphql::may_be(beginning.as_bytes(), kind), "{beginning}");
        }
        assert!(!Graphql::may_be(b"\x89PNG\0", "image/png"));
    }
}
