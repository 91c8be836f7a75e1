mod ccxt;
mod documents;
mod hostile;
mod pieces;

use super::{HmacKey, Plan, Refused, Request, Spot, Stamp, Stands};
use crate::manifest::HmacSpec;
use crate::manifest::hmac::Preset;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::{Duration, SystemTime};

/// A request that can be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    method: String,
    host: String,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Held {
    fn new(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query.to_owned())));
        let mut held = Self {
            method: method.to_owned(),
            host: "api.example.com".to_owned(),
            path: path.to_owned(),
            query,
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        };
        for (name, value) in headers {
            held.add_header(name, value);
        }
        held
    }

    fn view(&self) -> Request<'_> {
        let Self { method, host, path, query, headers, body } = self;
        Request { method, host, path, query: query.as_deref(), headers, body }
    }

    fn add_header(&mut self, name: &str, value: &str) {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        self.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header's value"));
    }

    /// What the wiring does: takes out what stands in a place, then writes there; a parameter that is added is the last one.
    fn set(&mut self, place: &Spot, text: &str, in_place: bool) {
        match place {
            Spot::Header(name) => drop(self.headers.insert(name, HeaderValue::from_str(text).expect("a header's value"))),
            Spot::Query(name) => self.query = Some(with(self.query.as_deref(), name, text, in_place)),
            Spot::Form(name) => {
                let form = String::from_utf8(self.body.clone()).expect("a form");
                self.body = with(Some(&form), name, text, in_place).into_bytes();
            }
            Spot::Json(pointer) => {
                let mut document: serde_json::Value = serde_json::from_slice(&self.body).expect("JSON");
                *document.pointer_mut(&pointer.to_string()).expect("it is there") = text.into();
                self.body = document.to_string().into_bytes();
            }
        }
    }

    fn without(&mut self, place: &Spot) {
        let kept = |text: &str, name: &str| {
            let pairs: Vec<&str> = text.split('&').filter(|pair| pair.split('=').next() != Some(name)).collect();
            pairs.join("&")
        };
        match place {
            Spot::Header(name) => drop(self.headers.remove(name)),
            Spot::Query(name) => self.query = self.query.as_deref().map(|query| kept(query, name)),
            Spot::Form(name) => self.body = kept(std::str::from_utf8(&self.body).expect("a form"), name).into_bytes(),
            Spot::Json(_) => panic!("no signature stands there"),
        }
    }

    /// The whole way of a request: planned, stamped, signed.
    fn signed(&self, spec: &HmacSpec, key: &HmacKey, stamp: &Stamp) -> Result<Self, Refused> {
        let stands: Stands = spec.stands(&self.view())?;
        let Plan { stamps, signature } = spec.plan(&stands, &self.view(), stamp)?;
        let mut leaving = self.clone();
        if stands.signature.is_some() {
            leaving.without(&signature);
        }
        for edit in &stamps {
            leaving.set(&edit.place, &edit.text, true);
        }
        let text = spec.signature(key, &leaving.view(), stamp)?;
        leaving.set(&signature, &text, false);
        Ok(leaving)
    }
}

fn with(text: Option<&str>, name: &str, value: &str, in_place: bool) -> String {
    let value = crate::text::escaped(value, b"");
    let pair = format!("{name}={value}");
    let mut pairs: Vec<String> =
        text.into_iter().filter(|text| !text.is_empty()).flat_map(|text| text.split('&')).map(str::to_owned).collect();
    let at = pairs.iter().position(|pair| pair.split('=').next() == Some(name));
    match at.filter(|_| in_place) {
        Some(at) => pairs[at] = pair,
        None => pairs.push(pair),
    }
    pairs.join("&")
}

fn preset(name: &str) -> HmacSpec {
    Preset::named(name).expect("a preset").spec()
}

fn at_millis(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");
