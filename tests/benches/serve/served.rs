//! `strongroom serve` as a process, and callers of its agents.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const TOKEN: &str = "caller-token-0123456789abcdefghij";
const BINARY: &str = env!("CARGO_BIN_EXE_strongroom-under-test");

/// A program that serves.
pub struct Served {
    pub child: Child,
    pub address: String,
    pub dir: PathBuf,
}

impl Served {
    /// The agents of the directory `agents` in `dir`, once they are read and the listener is open.
    pub fn start(dir: &Path) -> Self {
        let config = "[network]\nallow = [\"127.0.0.1/32\"]\n[audit]\nfile = \"audit.jsonl\"\n[state]\ndir = \"state\"\n";
        std::fs::write(dir.join("strongroom.toml"), config).expect("a file");
        let mut command = Command::new(BINARY);
        command.args(["serve", "agents", "--config", "strongroom.toml", "--listen", "0"]).current_dir(dir);
        command.env("HOOK_TOKEN", TOKEN).env("KEY", super::KEY).env("PRICE_API_KEY", super::KEY);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.split_once("reach the agents at http://")?.1.to_owned())).expect("it listens");
        // What agents print on stderr goes by.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, dir: dir.to_owned() }
    }

    /// A verb of the command, which asks this host.
    pub fn ask(&self, arguments: &[&str]) {
        let mut command = Command::new(BINARY);
        command.args(arguments).args(["--config", "strongroom.toml"]).current_dir(&self.dir);
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it lives");
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.expect("Linux says it") * 1024
    }

    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it lives").count()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection, and requests on it, each after the answer to the one before.
pub struct Caller {
    stream: TcpStream,
    address: String,
}

impl Caller {
    pub fn new(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, address: address.to_owned() }
    }

    /// One call to a handler, and how long it took to the end of the answer.
    pub fn call(&mut self, path: &str) -> Duration {
        loop {
            let began = Instant::now();
            let answer = self.answer(path);
            if answer.is_empty() {
                // The host ends a connection after ten minutes: the request goes by another one, as clients have it.
                *self = Self::new(&self.address);
                continue;
            }
            assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
            return began.elapsed();
        }
    }

    /// The whole answer; nothing where the connection had ended.
    fn answer(&mut self, path: &str) -> Vec<u8> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: 14\r\n\r\n{{\"id\":\"evt_1\"}}",
            self.address
        );
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        if self.stream.write_all(request.as_bytes()).is_err() {
            return answer;
        }
        // The last chunk, or all of a body whose length was said.
        while !(answer.ends_with(b"0\r\n\r\n") || answer.ends_with(b"\r\n\r\nan event of 14 bytes\n")) {
            match self.stream.read(&mut buffer).unwrap_or(0) {
                0 => {
                    assert!(answer.is_empty(), "it was cut short: {}", String::from_utf8_lossy(&answer));
                    break;
                }
                read => answer.extend_from_slice(&buffer[..read]),
            }
        }
        answer
    }
}
