//! `strongroom serve` as a process that callers reach.

use super::super::process::Agents;
use super::Reply;
use std::io::Write;
use std::net::TcpStream;

const MANIFEST: &str = "name = \"hook\"\ncomponent = \"../callee.wasm\"\n[trigger]\nhttp = \"/hook\"\nauth = { bearer = \"HOOK_TOKEN\" }\n\
                        [secrets.HOOK_TOKEN]\nfrom = \"env:HOOK_TOKEN\"\n";
const TOKEN: &str = "hook-token-0123456789abcdefghijkl";

fn call(url: &str, token: &str, target: &str) -> Reply {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nauthorization: Bearer {token}\r\ncontent-length: 0\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    Reply::read(stream)
}

#[test]
fn callers_reach_an_agent_from_the_command_and_again_after_it_is_read_anew() {
    let agents = Agents::new();
    std::fs::copy(strongroom_components::path("callee"), agents.path("callee.wasm")).unwrap();
    agents.file("hook.toml", MANIFEST);
    let mut served = agents.serve_in(&["--listen", "0"], &[("HOOK_TOKEN", TOKEN)]);
    let line = served.wait_for(&["callers reach the agents at http://127.0.0.1:"]);
    let url = line.rsplit(' ').next().unwrap().to_owned();

    let reply = call(&url, TOKEN, "/hook?seen&print=hello");
    assert!(reply.status == 200 && reply.body.starts_with("POST Some(Scheme::Http) 127.0.0.1:"), "{reply:?}");
    served.wait_for(&["hook ", "| hello"]);
    assert_eq!(call(&url, "another-token-0123456789abcdefgh", "/hook").status, 401);

    // It moves, and a second one wants the same path.
    agents.file("hook.toml", &MANIFEST.replace("\"/hook\"", "\"/moved/**\""));
    served.signal("HUP");
    served.wait_for(&["read anew, serving 1 agent; changed: hook"]);
    assert_eq!((call(&url, TOKEN, "/hook").status, call(&url, TOKEN, "/moved/here?count").body.as_str()), (404, "1"));
    agents.file("twin.toml", &MANIFEST.replace("\"/hook\"", "\"/moved/**\"").replace("\"hook\"", "\"twin\""));
    served.signal("HUP");
    served.wait_for(&["twin.toml: the path `/moved/**` is that of ", "hook.toml too; give each agent a path of its own"]);
    served.wait_for(&["hook goes on by the manifest and the component that it had"]);
    assert_eq!(call(&url, TOKEN, "/moved/here").status, 200);
    agents.remove("twin");
    agents.remove("hook");
    served.signal("HUP");
    served.wait_for(&["gone: hook"]);
    assert_eq!(call(&url, TOKEN, "/moved/here").status, 404);

    let (code, said) = served.terminate();
    assert_eq!(code, Some(0), "{}", said.join("\n"));
    assert!(!said.join("\n").contains(TOKEN));
    assert_eq!(agents.ends("hook").len(), 3);
}

#[test]
fn what_is_missing_for_callers_is_said_with_its_remedy() {
    let agents = Agents::new();
    std::fs::copy(strongroom_components::path("callee"), agents.path("callee.wasm")).unwrap();
    agents.file("hook.toml", MANIFEST);
    let mut served = agents.serve();
    served.wait_for(&["hook.toml: `trigger.http` needs a listener; start with `--listen 8080`, or set `listen` in `[serve]`"]);
    served.terminate();

    let output = agents.command(&["--listen", "0.0.0.0:8080"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(120), "{said}");
    assert!(said.contains("0.0.0.0:8080 is reached from other machines, and has no TLS; set its certificate and key"), "{said}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let output = agents.command(&["--listen", &taken.local_addr().unwrap().to_string()]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(126) && said.contains("can't be listened on (Address already in use"), "{said}");

    let one = strongroom_command(&agents, &["run", "agents/hook.toml"]);
    assert!(one.contains("it answers callers; serve it with `strongroom serve`"), "{one}");
}

#[test]
fn a_path_that_two_manifests_have_is_found_before_they_are_served() {
    let agents = Agents::new();
    std::fs::copy(strongroom_components::path("callee"), agents.path("callee.wasm")).unwrap();
    agents.file("hook.toml", MANIFEST);
    agents.file("twin.toml", &MANIFEST.replace("name = \"hook\"", "name = \"twin\""));
    agents.file("other.toml", &MANIFEST.replace("name = \"hook\"", "name = \"other\"").replace("\"/hook\"", "\"/other\""));

    let said = strongroom_command(&agents, &["check", "agents/hook.toml", "agents/other.toml", "agents/twin.toml"]);

    let told = "warning: agents/twin.toml: the path `/hook` is that of agents/hook.toml too, and a host that serves both uses neither";
    assert!(said.contains(told) && said.matches("warning:").count() == 1, "{said}");
    agents.file("twin.toml", &MANIFEST.replace("\"/hook\"", "\"/twin\""));
    let said = strongroom_command(&agents, &["check", "agents/hook.toml", "agents/twin.toml"]);
    assert!(said.contains("twin.toml: the name `hook` is that of agents/hook.toml too"), "{said}");
}

fn strongroom_command(agents: &Agents, arguments: &[&str]) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_strongroom-under-test"));
    let output =
        command.args(arguments).args(["--config", "strongroom.toml"]).current_dir(agents.path("")).env("HOOK_TOKEN", TOKEN).output();
    String::from_utf8_lossy(&output.unwrap().stderr).into_owned()
}
