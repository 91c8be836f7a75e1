//! What befalls hosts over months: they are killed, their disk is full, their clock jumps, descriptors and backends are missing, and hundreds of
//! components come while callers call. Each in a short form here; the long forms have a number in the environment, as their tests say.

mod clock;
mod kills;
mod newcomers;
mod scarce;

use super::process::Agents;
use std::io::{Read, Write};
use std::net::TcpStream;

/// What callers show, or services sign with.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// How many, where the environment does not say.
fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// An agent `hook` that answers at `/hook` whoever can prove it so.
fn hook(agents: &Agents, auth: &str) {
    let component = strongroom_components::path("callee");
    let manifest = format!(
        "name = \"hook\"\ncomponent = \"{}\"\n[trigger]\nhttp = \"/hook\"\nauth = {{ {auth} }}\n[secrets.SECRET]\nfrom = \"env:SECRET\"\n",
        component.display()
    );
    agents.file("hook.toml", &manifest);
}

/// What a bearer's call comes to.
fn called(address: &str) -> u16 {
    status(address, &format!("/hook?body HTTP/1.1\r\nauthorization: Bearer {SECRET}\r\n"), "x")
}

/// What came of a request: its status, or 0 where no response came.
fn status(address: &str, head: &str, body: &str) -> u16 {
    let Ok(mut stream) = TcpStream::connect(address) else { return 0 };
    let request = format!("POST {head}host: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut response = String::new();
    // Whoever is killed meanwhile leaves what it leaves.
    let _ = stream.write_all(request.as_bytes());
    let _ = stream.read_to_string(&mut response);
    response.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}
