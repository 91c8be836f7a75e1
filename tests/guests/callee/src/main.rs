//! A guest that answers a request as its query says, word by word, in this order. The tests' hand behind the listener.
//!
//! * `seen`: what it has seen of the request, line by line. `body`: the request's body, once all of it has come. `count`: how often this
//!   instance was called. `open=NAME`: the placeholder of a secret. `env=NAME`: a variable. `say=HEX`: the text, masked and in hexadecimal digits, as one piece.
//! * `status=CODE` and `header=NAME:HEX`, wherever they stand, before any of those.
//! * `print=TEXT`: to stdout. `stop`: traps. As the first word, `leave`: gives no response. `spin`: computes for ever. `error`: says that there is no response.

#[cfg(target_family = "wasm")]
mod answering;

fn main() {
    unreachable!("callers run it");
}
