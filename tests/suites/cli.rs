//! The command line, as transcripts: what was typed, what came on stdout and stderr, and the exit code.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use strongroom_demo::server::{Server, respond};
use strongroom_tests::VALUE;

/// A directory with a manifest for the probe in it.
pub(crate) struct CliFixture {
    dir: tempfile::TempDir,
}

pub(crate) struct Transcript {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl CliFixture {
    pub(crate) fn new(manifest: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::copy(strongroom_components::path("probe"), dir.path().join("probe.wasm")).unwrap();
        let desk = Self { dir };
        desk.write("agent.toml", &format!("name = \"probe-1\"\ncomponent = \"probe.wasm\"\n{manifest}\n"));
        desk.write(".env", &format!("KEY={VALUE}\n"));
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn run(&self, line: &str) -> Transcript {
        self.run_with(line, &[])
    }

    /// Types a line; words are split at blanks, and `+` stands for a blank within a word.
    pub(crate) fn run_with(&self, line: &str, env: &[(&str, &str)]) -> Transcript {
        let words = line.split(' ').map(|word| word.replace('+', " "));
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-under-test"));
        command.args(words).current_dir(self.dir.path()).env_clear().env("XDG_STATE_HOME", shared_state());
        let Output { status, stdout, stderr } = command.envs(env.iter().copied()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Transcript { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Starts a command and lets it run.
    pub(crate) fn start(&self, line: &str) -> Running {
        let words = line.split(' ').map(|word| word.replace('+', " "));
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-under-test"));
        command.args(words).current_dir(self.dir.path()).env_clear().env("XDG_STATE_HOME", shared_state());
        Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// A command, to be started.
    pub(crate) fn command(&self, line: &str) -> Command {
        let words = line.split(' ').map(|word| word.replace('+', " "));
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-under-test"));
        command.args(words).current_dir(self.dir.path()).env_clear().env("XDG_STATE_HOME", shared_state());
        command
    }

    /// As [`CliFixture::pipe`], with `+` for a blank within a word; the command may end before it has read anything.
    pub(crate) fn pipe_words(&self, line: &str, input: &str) -> Transcript {
        let mut command = self.command(line);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Transcript { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Starts a command, for a test that ends it.
    pub(crate) fn spawn(&self, line: &str, stdout: Stdio) -> std::process::Child {
        let words = line.split(' ').map(|word| word.replace('+', " "));
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-under-test"));
        command.args(words).current_dir(self.dir.path()).env_clear().env("XDG_STATE_HOME", shared_state());
        command.stdout(stdout).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Starts a command with text on stdin.
    pub(crate) fn begin(&self, line: &str, input: &str, env: &[(&str, &str)]) -> std::process::Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-under-test"));
        command.args(line.split(' ')).current_dir(self.dir.path()).env_clear().env("XDG_STATE_HOME", shared_state());
        let mut child =
            command.envs(env.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child
    }

    /// As [`CliFixture::run_with`], with text on stdin.
    pub(crate) fn pipe(&self, line: &str, input: &str, env: &[(&str, &str)]) -> Transcript {
        let Output { status, stdout, stderr } = self.begin(line, input, env).wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Transcript { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
    }
}

/// A command that runs.
pub(crate) struct Running(std::process::Child);

impl Running {
    /// Waits until it prints a line with this text.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let mut stdout = std::io::BufReader::new(self.0.stdout.as_mut().unwrap());
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "it ended before it printed `{text}`");
        }
    }

    /// Sends it a signal and waits for its end: its exit code, and what it said on stderr.
    pub(crate) fn signal(self, signal: &str) -> (i32, String) {
        let sent = Command::new("kill").args(["-s", signal, &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let output = self.0.wait_with_output().unwrap();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Compiled components are shared between the tests; audit logs that a test reads are its own.
fn shared_state() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-state")
}

const GRANT: &str =
    "[secrets.KEY]\nplaceholder = \"pf_live_{hex:32}\"\nexpose = \"env\"\n[[secrets.KEY.allow]]\nhost = \"api.test\"\npaths = [\"/v1/**\"]";

#[test]
fn run_hands_on_the_agents_stdout_and_nothing_else() {
    let desk = CliFixture::new(GRANT);

    let ran = desk.run("run agent.toml --env-file .env -- env print+hello log+a+note");

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].starts_with("env KEY=pf_live_") && !lines[0].contains(VALUE), "{}", ran.stdout);
    assert_eq!(lines[1..], ["hello"]);
    assert_eq!(ran.stderr, "[info] a note field=a note\n");
}

#[test]
fn a_denial_is_printed_with_the_lines_that_would_allow_it() {
    let desk = CliFixture::new(GRANT);

    let ran = desk.run("run agent.toml --env-file .env -- send+GET+https://other.test/x");

    assert_eq!(ran.code, 0);
    let (run, rest) = ran.stderr.trim().strip_prefix("WARN agent probe-1, run ").and_then(|said| said.split_once(": ")).unwrap();
    assert!(run.ends_with("-1") && run.len() == 14, "the run, as `explain --from-audit` takes it: {run}");
    assert_eq!(
        rest,
        "GET https://other.test/x denied by rule `destination`: nothing is granted at this scheme, host and port\n\
         to allow it, add to the manifest:\n[[egress]]\nhost = \"other.test\"\nmethods = [\"GET\"]\npaths = [\"/x\"]"
    );
}

#[test]
fn exit_codes_say_what_happened() {
    let limits = format!("{GRANT}\nmisplaced = \"stop\"\n[limits]\nwall = \"10s\"\ncpu = \"100ms\"");
    let desk = CliFixture::new(&limits);
    let starved = wat::parse_str(
        r#"(component
            (core module $m (memory 1) (func (export "run") (result i32) (i32.eq (memory.grow (i32.const 40)) (i32.const -1))))
            (core instance $i (instantiate $m))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $r (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $r)))"#,
    );
    std::fs::write(desk.path("starved.wasm"), starved.unwrap()).unwrap();
    desk.write("starved.toml", "name = \"starved\"\ncomponent = \"starved.wasm\"\n[limits]\nmemory = \"1MiB\"");
    desk.write("many.toml", "name = \"many\"\ncomponent = \"probe.wasm\"");
    desk.write("bad.toml", "name = \"a\"");
    desk.write("no-component.toml", "name = \"a\"\ncomponent = \"none.wasm\"");
    desk.write("text.wasm", "text");
    desk.write("not-wasm.toml", "name = \"a\"\ncomponent = \"text.wasm\"");
    desk.write("bad-config.toml", "[nonsense]");
    desk.write("bad-audit.toml", "[audit]\nfile = \"/dev/null/x\"");
    let cases = [
        ("run agent.toml --env-file .env -- exit+0", 0, ""),
        (
            "run agent.toml --env-file .env -- exit+1",
            1,
            "error: the agent returned an error and said nothing; `strongroom audit show --run ",
        ),
        ("run agent.toml --env-file .env -- print+no exit+1", 1, ""),
        ("run", 120, "Usage"),
        ("run none.toml", 120, "none.toml: can't be read"),
        ("run bad.toml", 120, "bad.toml:1:1: `component` is missing"),
        ("run agent.toml --config bad-config.toml", 120, "unknown key `nonsense`"),
        ("run agent.toml --env-file none", 120, "none: can't be read"),
        ("run agent.toml", 121, "secret `KEY` is unavailable: not found: looked for the variable `PROBE_1_KEY`, then the variable `KEY`"),
        ("run no-component.toml", 122, "none.wasm: the component can't be read"),
        ("run not-wasm.toml", 122, "text.wasm: this is not a WebAssembly component"),
        (
            "run agent.toml --env-file .env -- spin",
            123,
            "error: limits.cpu was reached (100ms); the agent was stopped\nto allow more, set `cpu = ?` in `[limits]` of the manifest, with `?` filled in\n",
        ),
        ("run many.toml -- repeat+2000+GET+https://x.test/", 123, "after 1000 denials, the most that one run may have; no setting"),
        ("run many.toml -- alloc+256", 123, "limits.memory was reached (64MiB)"),
        (
            "run starved.toml",
            1,
            "error: the agent failed (exit 1) after it was refused memory: limits.memory was reached (1MiB)\nto allow more, set",
        ),
        ("run agent.toml --env-file .env -- send+GET+https://api.test/v1/x+h:x-a={KEY}", 124, "stopped"),
        ("run agent.toml --env-file .env -- panic+no", 125, "trapped"),
        ("run agent.toml --config bad-audit.toml", 126, "the audit log /dev/null/x can't be opened"),
    ];
    for (line, code, says) in cases {
        let ran = desk.run(line);
        assert_eq!(ran.code, code, "{line}\n{}", ran.stderr);
        assert!(ran.stderr.contains(says), "{line}\n{}", ran.stderr);
        assert!(!ran.stderr.contains(VALUE) && !ran.stdout.contains(VALUE), "{line}");
    }
}

#[test]
fn run_can_report_in_json() {
    let ran = CliFixture::new(GRANT).run("run agent.toml --env-file .env --json -- print+x");

    let report: serde_json::Value = serde_json::from_str(ran.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(report["end"], "exit 0");
    assert_eq!(report["usage"]["output"], 2);
}

#[test]
fn a_whole_request_goes_through_the_binary() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server =
        runtime.block_on(Server::http(|seen| respond(200, "text/plain", format!("you sent {}", seen.header("authorization"))))).unwrap();
    let port = server.address.port();
    let desk = CliFixture::new(&GRANT.replace("api.test", &format!("http://127.0.0.1:{port}")));
    desk.write(
        "strongroom.toml",
        "[network]\nallow = [\"127.0.0.1/32\"]\n[backends.env]\ntype = \"env\"\nfile = \".env\"\n[audit]\nfile = \"audit.jsonl\"",
    );
    let request = format!("run agent.toml --config strongroom.toml -- send+GET+http://127.0.0.1:{port}/v1/x+h:authorization={{KEY}}");

    let ran = desk.run(&request);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(server.seen()[0].header("authorization"), VALUE);
    assert!(ran.stdout.contains("you sent pf_live_") && !ran.stdout.contains(VALUE), "{}", ran.stdout);

    let shown = desk.run("audit show --config strongroom.toml --event egress");
    assert_eq!(shown.stdout.lines().count(), 1);
    assert!(shown.stdout.contains(&format!("egress request=1 method=GET url=http://127.0.0.1:{port}/v1/x")), "{}", shown.stdout);
    let json = desk.run("audit show audit.jsonl --json --agent probe-1");
    assert!(json.stdout.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    let nobody = desk.run("audit show audit.jsonl --agent nobody");
    assert_eq!((nobody.code, nobody.stdout.as_str()), (0, ""));
    assert!(nobody.stderr.starts_with("audit.jsonl: none of its ") && nobody.stderr.lines().count() == 1, "{}", nobody.stderr);
    desk.write("empty.jsonl", "");
    assert_eq!(desk.run("audit show empty.jsonl --json").stderr, "empty.jsonl: no record yet\n");

    // Without the operator's leave the same address is out of reach.
    desk.write("strongroom.toml", "[backends.env]\ntype = \"env\"\nfile = \".env\"");
    let refused = desk.run(&request);
    assert!(refused.stderr.contains("[network]\nallow = [\"127.0.0.1/32\"]"), "{}", refused.stderr);
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn check_reports_every_manifest_and_writes_an_example_of_the_environment() {
    let desk = CliFixture::new(&format!("{GRANT}\n[secrets.SECOND]\nfrom = \"env:OTHER_NAME\"\nrequired = false\nformat = \"^x\""));
    desk.write("bad.toml", "name = \"A\"\ncomponent = \"probe.wasm\"");

    let ran = desk.run("check agent.toml bad.toml --env-example");

    assert_eq!(ran.code, 120);
    assert!(ran.stderr.contains("agent.toml: ok") && ran.stderr.contains("bad.toml:1:8: `name`: not a name"), "{}", ran.stderr);
    let json = desk.run("check agent.toml bad.toml --json --resolve");
    let lines: Vec<serde_json::Value> = json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((json.code, json.stderr.as_str(), lines.len()), (121, "", 2));
    assert!(lines[0]["code"] == 121 && lines[0]["errors"][0].as_str().unwrap().contains("secret `KEY` is unavailable"), "{lines:?}");
    assert!(lines[1]["code"] == 120 && lines[1]["errors"][0].as_str().unwrap().starts_with("bad.toml:1:8: `name`"), "{lines:?}");

    let example = std::fs::read_to_string(desk.path(".env.example")).unwrap();
    assert!(example.contains("# probe-1: KEY, required\nKEY=\n"), "{example}");
    assert!(example.contains("# probe-1: SECOND, optional, matches ^x\nOTHER_NAME=\n"), "{example}");
}

#[test]
fn explain_reads_a_manifest_aloud_and_judges_requests() {
    let desk = CliFixture::new(GRANT);

    let aloud = desk.run("explain agent.toml");
    assert_eq!(aloud.code, 0);
    for line in
        ["uses the secret KEY from KEY (required)", "may go to api.test with GET /v1/**, in header:authorization", "may do nothing else"]
    {
        assert!(aloud.stdout.contains(line), "{line} is missing in\n{}", aloud.stdout);
    }

    let allowed = desk.run("explain agent.toml --request GET+https://api.test/v1/x");
    assert_eq!(
        (allowed.code, allowed.stdout.as_str()),
        // A name under `.test` has no address anywhere (RFC 6761).
        (
            0,
            "allowed by secrets.KEY.allow, line 6\n  may carry KEY in header:authorization\n  its response is scrubbed\n  its host's name can't be \
             resolved from here: a run would not reach it, and whether its address is public is not known\n"
        )
    );
    let denied = desk.run("explain agent.toml --request POST+https://api.test/v1/x");
    assert_eq!(denied.code, 124);
    assert_eq!(
        denied.stdout,
        // An entry of its own: with POST in `methods` of the one that is there, it would be granted at all of that one's paths.
        "POST https://api.test/v1/x denied by rule `method`: this method is not granted here\nto allow it, add to the manifest:\n\
         [[secrets.KEY.allow]]\nhost = \"api.test\"\nmethods = [\"POST\"]\npaths = [\"/v1/x\"]\n"
    );
    let json = desk.run("explain agent.toml --json --request GET+https://x.test/");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json.stdout).unwrap()["rule"], "destination");
    assert_eq!(desk.run("explain agent.toml --request nonsense").code, 120);
}

#[test]
fn explain_says_what_the_host_does_to_requests_by_each_scheme() {
    let allow = |name: &str, host: &str| format!("[[secrets.{name}.allow]]\nhost = \"{host}\"\npaths = [\"/v1/**\"]\n");
    let desk = CliFixture::new(&format!(
        "[secrets.KEY]\nhmac = {{ preset = \"binance\" }}\n{}[secrets.ID]\n[secrets.AWS]\nsigv4 = {{ access_key_id = \"ID\" }}\n{}\
         [secrets.CDP]\njwt = {{ preset = \"coinbase-cdp\", key_id = \"k/1\" }}\n{}[secrets.PLAIN]\n{}",
        allow("KEY", "exchange.test"),
        allow("AWS", "s3.test"),
        allow("CDP", "cdp.test"),
        allow("PLAIN", "plain.test"),
    ));

    let aloud = desk.run("explain agent.toml");
    let json = desk.run("explain agent.toml --json");

    assert_eq!((aloud.code, json.code), (0, 0), "{}", aloud.stderr);
    let told: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let texts: Vec<&str> = told["sentences"].as_array().unwrap().iter().map(|sentence| sentence["text"].as_str().unwrap()).collect();
    for line in [
        "which may sign requests to exchange.test with GET /v1/** (line 5)",
        "the host signs each such request that the agent's library signed with the placeholder (hmac, preset binance): HMAC-SHA256 over the query \
         and the body, in hexadecimal, in query:signature or form:signature",
        "a request without a signature is sent unsigned",
        "which goes with the requests that are signed with AWS (sigv4)",
        "the host signs each such request that the agent's SDK signed with the placeholders (sigv4), in its header or its query: with the access \
         key ID ID, for the region and service that the SDK names",
        "the host puts a token for just this request in the place of the placeholder, or of a token signed with it (jwt, preset coinbase-cdp), in \
         the header `authorization`, after `Bearer` or alone: from cdp with the key k/1, the request in `uri`, good for 120 s",
        "the host replaces the placeholder with the value in the header `authorization`, after `Bearer` or alone",
    ] {
        assert!(aloud.stdout.contains(&format!("  {line}\n")), "{line} is missing in\n{}", aloud.stdout);
        assert!(texts.contains(&line), "{line} is missing in\n{texts:#?}");
    }
    assert!(!aloud.stdout.contains("in ,") && !aloud.stdout.contains("sent nowhere"), "{}", aloud.stdout);
    for (host, may_carry) in [
        ("exchange", "KEY as a signature (hmac)"),
        ("s3", "AWS as a signature (sigv4)"),
        ("cdp", "CDP as a token (jwt) in header:authorization"),
        ("plain", "PLAIN in header:authorization"),
    ] {
        let allowed = desk.run(&format!("explain agent.toml --request GET+https://{host}.test/v1/x"));
        assert!(
            allowed.code == 0 && allowed.stdout.contains(&format!("  may carry {may_carry}\n")),
            "{}{}",
            allowed.stdout,
            allowed.stderr
        );
    }
}

#[test]
fn explain_leaves_out_nothing_that_a_manifest_grants() {
    let desk = CliFixture::new(
        "[secrets.KEY]\n[[secrets.KEY.allow]]\nhost = \"api.test\"\npaths = [\"/v1/**\"]\nleaks = \"deny\"\nleaks_allowed = [\"aws-access-key-id\"]\n\
         answers_allowed = [{ rule = \"aws-access-key-id\", at = \"json:/id\" }]\nsigned_urls = [\"json:/upload_url\"]\n\
         [[secrets.KEY.allow]]\nhost = \"login.test\"\npaths = [\"/**\"]\nseal = [\"json:/token\"]\n\
         [[egress]]\nhost = \"open.test\"\nleaks = \"stop\"\nrate = \"3/min\"\nget_body = true\n\
         [signers.wallet]\nfrom = \"file:wallet\"\nchains = [1]\nmax_fee = \"0.01\"\nmax_gas = 21000\nmessages = [\"order [0-9]+\"]\n\
         [[signers.wallet.sign_in]]\ndomain = \"app.test\"\nuri = \"https://app.test/login\"\nchain = 1\nwithin = \"10m\"\n\
         [signers.token]\nfrom = \"env:TOKEN\"\nuse = \"jwt\"\naudience = \"https://api.test\"\n\
         [signers.mac]\nfrom = \"env:MAC\"\nuse = \"hmac\"\ntemplate = \"nonce=[0-9]+\"\n\
         [trigger]\ncron = \"0 9 * * MON-FRI\"\ntime_zone = \"Europe/Berlin\"\n",
    );

    let aloud = desk.run("explain agent.toml");

    assert_eq!(aloud.code, 0, "{}", aloud.stderr);
    for line in [
        "      what looks like another secret in a request there: denied\n",
        "      may send there what these rules find: aws-access-key-id\n",
        "      what the rule aws-access-key-id finds stays in its responses in json:/id\n",
        "      may use the signed URLs that its responses have in json:/upload_url\n",
        "      sealed in its responses: json:/token\n",
        ", without credentials, at most 3 in 60 s (line ",
        "    what looks like another secret in a request there: denied, and the run ends\n",
        "    may send there a body with GET and HEAD\n",
        "    at most 600 times in 60 s\n",
        "    of a fee of at most 0.01 each\n",
        "    of a gas of at most 21000 each\n",
        "    messages that match order [0-9]+\n",
        "    a sign-in to app.test at https://app.test/login on chain 1, which expires within 600 s\n",
        "with aud https://api.test\n",
        "    inputs that match nonce=[0-9]+\n",
        "; leave 250000 records\n",
        "  runs by the calendar 0 9 * * MON-FRI in Europe/Berlin, where its host serves\n",
    ] {
        assert!(aloud.stdout.contains(line), "{line} is missing in\n{}", aloud.stdout);
    }
}

#[test]
fn variables_that_are_empty_are_not_set() {
    let desk = CliFixture::new(GRANT);

    let empty = [("SECRETS_BACKEND", ""), ("STRONGROOM_CONFIG", ""), ("VAULT_ADDR", ""), ("KEY", VALUE)];
    let ran = desk.run_with("run agent.toml -- print+x", &empty);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "x\n"), "{}", ran.stderr);

    desk.write("strongroom.toml", "[nonsense]");
    let named = desk.run_with("run agent.toml -- print+x", &[("STRONGROOM_CONFIG", "strongroom.toml")]);
    assert!(named.code == 120 && named.stderr.contains("unknown key `nonsense`"), "{}", named.stderr);
    assert_eq!(desk.run("check agent.toml --config +").code, 120, "what is typed is meant");
}

#[test]
fn inspect_lists_imports_and_says_which_are_not_offered() {
    let desk = CliFixture::new("");
    std::fs::write(desk.path("odd.wasm"), wat::parse_str(r#"(component (import "odd:thing/x@1.0.0" (instance)))"#).unwrap()).unwrap();

    let probe = desk.run("inspect probe.wasm");
    assert_eq!(probe.code, 0);
    assert!(
        probe.stdout.contains("import strongroom:agent/secrets@0.1.0\n") && probe.stdout.contains("export wasi:cli/run@"),
        "{}",
        probe.stdout
    );
    let odd = desk.run("inspect odd.wasm");
    assert_eq!(odd.code, 122);
    assert!(odd.stdout.contains("import odd:thing/x@1.0.0  (not offered by this host)"), "{}", odd.stdout);
}

#[test]
fn what_people_read_is_escaped() {
    let desk = CliFixture::new("");
    desk.write("audit.jsonl", "{\"time\":\"t\",\"agent\":\"a\\u001b[31m\",\"run\":\"r\",\"event\":\"denial\",\"asked\":\"x\\u202ey\"}\n");

    let shown = desk.run("audit show audit.jsonl");
    assert_eq!(shown.stdout, "t a\\u{1b}[31m r denial asked=x\\u{202e}y\n");
    let ran = desk.run("run agent.toml -- log+a\x1b[2Jb send+GET+https://evil.test/\u{9b}31m");
    assert!(!ran.stderr.contains('\x1b') && !ran.stderr.contains('\u{9b}'), "{:?}", ran.stderr);
}

#[test]
fn rust_log_does_not_open_the_logs_of_dependencies() {
    let desk = CliFixture::new(GRANT);

    let ran =
        desk.run_with("run agent.toml --env-file .env -- send+GET+https://api.test/v1/x+h:authorization={KEY}", &[("RUST_LOG", "trace")]);

    for dependency in ["hyper", "rustls", "wasmtime", "cranelift", "mio"] {
        assert!(!ran.stderr.contains(dependency), "{dependency}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains(VALUE));
}

#[test]
fn bash_takes_the_completions_and_man_finds_a_page_for_each_command() {
    let desk = CliFixture::new("");
    desk.write("completions", &desk.run("completions bash").stdout);
    let bash =
        Command::new("bash").args(["-c", "source completions && complete -p strongroom"]).current_dir(desk.path("")).output().unwrap();
    assert!(bash.status.success(), "{}", String::from_utf8_lossy(&bash.stderr));

    std::fs::create_dir(desk.path("man1")).unwrap();
    assert_eq!(desk.run("man man1").code, 0);
    for page in ["strongroom.1", "strongroom-run.1", "strongroom-secrets-rotate.1"] {
        let text = std::fs::read_to_string(desk.path("man1").join(page)).unwrap();
        assert!(text.contains(".TH strongroom") && text.contains("SYNOPSIS"), "{page}");
    }
    let nowhere = desk.run("man nowhere");
    assert!(nowhere.code == 120 && nowhere.stderr.contains("nowhere: can't be written"), "{}", nowhere.stderr);
}

#[test]
fn completions_and_help_are_there() {
    let desk = CliFixture::new("");
    for shell in ["bash", "zsh", "fish"] {
        assert!(desk.run(&format!("completions {shell}")).stdout.contains("strongroom"), "{shell}");
    }
    let help = desk.run("--help");
    assert_eq!(help.code, 0);
    assert!(help.stdout.contains("121  a secret is unavailable"), "{}", help.stdout);
}

#[test]
fn a_denial_in_the_log_is_judged_again_by_the_manifest_as_it_is() {
    let desk = CliFixture::new(GRANT);
    desk.write("strongroom.toml", "[audit]\nfile = \"audit.jsonl\"\n[network]\nallow = [\"127.0.0.1/32\"]");
    desk.run("run agent.toml --config strongroom.toml --env-file .env -- send+GET+https://other.test/x");
    let log = std::fs::read_to_string(desk.path("audit.jsonl")).unwrap();
    let denial: serde_json::Value =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).find(|r: &serde_json::Value| r["event"] == "denial").unwrap();
    let run = denial["run"].as_str().unwrap();

    let before = desk.run(&format!("explain agent.toml --config strongroom.toml --from-audit {run}"));
    assert_eq!(before.code, 124, "{}", before.stderr);
    assert!(
        before.stdout.contains("GET https://other.test/x\n  was denied by rule `destination`") && before.stdout.contains("[[egress]]"),
        "{}",
        before.stdout
    );

    desk.write("agent.toml", &format!("name = \"probe-1\"\ncomponent = \"probe.wasm\"\n{GRANT}\n[[egress]]\nhost = \"other.test\""));
    let after = desk.run(&format!("explain agent.toml --config strongroom.toml --from-audit {run}"));
    assert_eq!(after.code, 0, "{}", after.stderr);
    assert!(after.stdout.contains("now: allowed by egress, line"), "{}", after.stdout);

    // What method and URL don't decide is not said to be allowed.
    desk.write("agent.toml", &format!("name = \"probe-1\"\ncomponent = \"probe.wasm\"\n{GRANT}"));
    let requests = "send+GET+https://api.test/v1/x+h:x-a={KEY} send+GET+https://other.test/y+h:authorization={KEY}";
    let ran = desk.run(&format!("run agent.toml --config strongroom.toml --env-file .env -- {requests}"));
    let run = ran.stderr.split(", run ").nth(1).unwrap().split(':').next().unwrap().to_owned();
    let again = desk.run(&format!("explain agent.toml --config strongroom.toml --from-audit {run}"));
    assert!(
        again.stdout.contains("was denied by rule `misplaced-placeholder`")
            && again.stdout.contains("  now: method and URL are allowed by secrets.KEY.allow, line 6; the denial was about something else")
            && !again.stdout.contains("now: allowed by"),
        "{}",
        again.stdout
    );
    let other = again.stdout.split("GET https://other.test/y\n").nth(1).unwrap();
    assert!(other.contains("[[secrets.KEY.allow]]") && !other.contains("[[egress]]"), "the remedy of a request with a secret: {other}");
    let json = desk.run(&format!("explain agent.toml --config strongroom.toml --json --from-audit {run}"));
    let verdicts: Vec<serde_json::Value> = json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(verdicts.iter().map(|line| line["now"]["verdict"].as_str().unwrap()).collect::<Vec<_>>(), ["unknown", "denied"]);

    let unknown = desk.run("explain agent.toml --config strongroom.toml --from-audit nothing-1");
    assert_eq!(unknown.code, 120);
    assert!(unknown.stderr.contains("no denial of the run"), "{}", unknown.stderr);
}

#[test]
fn secrets_at_rest_are_found_where_they_lie() {
    let desk = CliFixture::new(GRANT);
    assert_eq!(desk.run("check agent.toml").code, 0);

    // A `.env` file is where secrets belong, as long as version control does not keep it.
    let secret = "AKIAQ3EGRT6NTZ4LM2PK";
    desk.write(".env", &format!("A=1\nKEY={secret}\n"));
    assert_eq!(desk.run("check agent.toml").code, 0);
    let git = |arguments: &[&str]| Command::new("git").args(arguments).current_dir(desk.dir.path()).output().unwrap().status.success();
    assert!(git(&["init", "-q"]) && git(&["add", "-f", ".env"]));
    let tracked = desk.run("check agent.toml");
    assert_eq!(tracked.code, 120);
    assert!(
        tracked.stderr.contains(".env:2: a file that git tracks contains a secret (aws-access-key-id)") && !tracked.stderr.contains(secret),
        "{}",
        tracked.stderr
    );
    assert_eq!(desk.run("check agent.toml --allow aws-access-key-id").code, 0);
    assert!(git(&["rm", "-q", "--cached", ".env"]));

    // Data at the end of a component, as a custom section (id 0) would hold it.
    let mut component = std::fs::read(desk.path("probe.wasm")).unwrap();
    let section = [b"\x04note ".as_slice(), secret.as_bytes()].concat();
    component.extend([0, u8::try_from(section.len()).unwrap()]);
    component.extend(section);
    std::fs::write(desk.path("probe.wasm"), component).unwrap();
    let held = desk.run("check agent.toml");
    assert_eq!(held.code, 120);
    assert!(held.stderr.contains("`--allow aws-access-key-id`"), "{}", held.stderr);
    assert!(
        held.stderr.contains("the component contains a secret (aws-access-key-id)") && !held.stderr.contains(secret),
        "{}",
        held.stderr
    );
}

#[test]
fn operators_add_rules_of_their_own() {
    let desk = CliFixture::new(&format!("{GRANT}\nleaks_allowed = [\"house-ticket\"]"));
    let rule = "[[rule]]\nname = \"house-ticket\"\nwhat = \"a ticket of ours\"\nkeywords = [\"tkt-\"]\nexpression = \"[0-9a-f]{24}\"\nmatch = ['t: tkt-0123456789abcdef01234567']\npass = ['tkt-0123']\n";
    desk.write("rules.toml", rule);
    desk.write("strongroom.toml", "[scrub]\nrules = [\"rules.toml\"]\n[audit]\nfile = \"audit.jsonl\"");

    let unknown = desk.run("check agent.toml");
    assert_eq!(unknown.code, 120);
    assert!(unknown.stderr.contains("no rule has this name"), "{}", unknown.stderr);
    assert_eq!(desk.run("check agent.toml --config strongroom.toml").code, 0);
    assert!(desk.run("rules --config strongroom.toml").stdout.contains("house-ticket"));
    let ran = desk.run("run agent.toml --config strongroom.toml --env-file .env -- print+tkt-aa23456789abcdef01234567");
    assert_eq!(ran.stdout, "[redacted:house-ticket]\n", "{}", ran.stderr);

    desk.write("rules.toml", &rule.replace("tkt-0123'", "tkt-0123456789abcdef01234567'"));
    let wrong = desk.run("check agent.toml --config strongroom.toml");
    assert_eq!(wrong.code, 120);
    assert!(
        wrong.stderr.contains("rule `house-ticket`: `pass` example 1 holds a secret of this kind; narrow the expression"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn rules_of_another_scanner_are_used_and_what_is_not_is_told() {
    let desk = CliFixture::new(&format!("{GRANT}\nleaks_allowed = [\"house-ticket\"]"));
    let theirs = "[[rules]]\nid = \"house-ticket\"\ndescription = \"a ticket\"\nregex = '''ticket=([a-z0-9]{20,40})'''\nkeywords = [\"ticket\"]\n\
                  [[rules]]\nid = \"house-file\"\npath = '''\\.p12$'''\n";
    desk.write("theirs.toml", theirs);
    desk.write("strongroom.toml", "[scrub]\nrules = [\"theirs.toml\"]\n[audit]\nfile = \"audit.jsonl\"");

    let listed = desk.run("rules --config strongroom.toml");
    assert!(listed.code == 0 && listed.stdout.contains("house-ticket"), "{}", listed.stdout);
    assert_eq!(
        listed.stderr,
        "warning: theirs.toml: rule `house-file`: not used: it is for files of certain paths (`path`), and what an agent reads and sends has none\n"
    );
    let ran = desk.run("run agent.toml --config strongroom.toml --env-file .env -- print+ticket=x7qm2zp9lk4vt8rw1yc6hd3n");
    assert_eq!(ran.stdout, "ticket=[redacted:house-ticket]\n", "{}", ran.stderr);
    assert!(ran.stderr.contains("theirs.toml: 1 of its rules are not used; `strongroom rules` says which, and why"), "{}", ran.stderr);
    assert_eq!(desk.run("check agent.toml --config strongroom.toml").code, 0);

    desk.write("theirs.toml", "rules = 3");
    let wrong = desk.run("rules --config strongroom.toml");
    assert_eq!(wrong.code, 120);
    assert!(
        wrong.stderr.contains("theirs.toml") && wrong.stderr.contains("`rules` is not a list of tables; write each rule"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn rules_are_tried_on_a_file_and_nothing_found_is_shown() {
    let desk = CliFixture::new(GRANT);
    let token = "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";
    let text = format!("nothing here\n\u{e9}t\u{e9} {token}, {token}\ncookie%3D{token}\napi_key = \"x7qm2zp9lk4vt8rw1yc6hd3n\"\n");
    desk.write("agent.log", &text);
    desk.write("clean.log", "nothing at all");

    let found = desk.run("rules test agent.log");
    assert_eq!((found.code, found.stderr.as_str()), (120, ""));
    assert!(!found.stdout.contains("4daSjor9") && !found.stdout.contains("x7qm2"), "{}", found.stdout);
    let lines: Vec<&str> = found.stdout.lines().collect();
    assert_eq!(lines.len(), 8, "{}", found.stdout);
    let rule = lines[0].split(": ").nth(1).unwrap();
    assert!(
        lines[0].starts_with("agent.log:2:5: ")
            && lines[0].ends_with("40 bytes, as it stands; the keyword `ghp_`, a checksum that holds (CRC-32)")
    );
    assert_eq!(lines[1], format!("    \u{e9}t\u{e9} [redacted:{rule}]"));
    assert_eq!(lines[3], format!("    \u{e9}t\u{e9} [redacted:{rule}], [redacted:{rule}]"));
    assert!(lines[4].starts_with("agent.log:3:10: ") && lines[4].contains("behind an escape; "), "{}", lines[4]);
    assert!(
        lines[6].starts_with("agent.log:4:12: secret-field: ")
            && lines[6].contains("; the field `api_key`, ")
            && lines[6].ends_with(" bits of surplus"),
        "{}",
        lines[6]
    );

    let json = desk.pipe_words("rules test - --json", &text);
    let first: serde_json::Value = serde_json::from_str(json.stdout.lines().next().unwrap()).unwrap();
    assert_eq!((json.code, json.stdout.lines().count(), first["end_column"].as_u64()), (120, 4, Some(45)));
    assert!(first["file"] == "-" && first["encoding"] == "plain" && first["why"][1]["sum"] == "CRC-32", "{first}");

    let clean = desk.run("rules test clean.log");
    assert_eq!((clean.code, clean.stdout.as_str(), clean.stderr.as_str()), (0, "", "clean.log: no rule finds anything\n"));
    assert_eq!(desk.run("rules test none.log").code, 120);
}

#[test]
fn a_run_says_how_often_each_rule_found_something() {
    let desk = CliFixture::new(GRANT);
    desk.write("strongroom.toml", "[audit]\nfile = \"audit.jsonl\"");
    let (token, key) = ("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", "AKIAQ3EGRIPPWX2YZ7LM");

    let line = format!(
        "run agent.toml --config strongroom.toml --env-file .env --json -- print+{token}+{token} print+{key} log+{token} send+GET+https://api.test/v1/{key} print+nothing print+{VALUE}"
    );
    let ran = desk.run(&line);

    assert!(ran.stdout.matches("[redacted:github-personal-token]").count() == 2 && !ran.stdout.contains(token), "{}", ran.stdout);
    let report: serde_json::Value = serde_json::from_str(ran.stderr.lines().last().unwrap()).unwrap();
    // The log's message and its field; and the request that was denied.
    let expected = serde_json::json!({"aws-access-key-id": 2, "github-personal-token": 4});
    assert_eq!(report["usage"]["findings"], expected, "{}", ran.stderr);
    let audit = std::fs::read_to_string(desk.path("audit.jsonl")).unwrap();
    let end: serde_json::Value = serde_json::from_str(audit.lines().find(|line| line.contains("run-end")).unwrap()).unwrap();
    assert!(end.to_string().contains(&format!("\"findings\":{expected}")), "{end}");
}
