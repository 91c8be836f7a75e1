//! What a command gets, and what comes of what it does.

use super::*;
use crate::manifest::CommandProtocol;

fn backend(command: &[&str], set: impl FnOnce(&mut CommandConfig)) -> CommandBackend {
    CommandBackend::new(&CommandConfig::new(command.iter().copied(), CommandProtocol::Raw).with(set)).expect("a backend")
}

fn shell(script: &str, set: impl FnOnce(&mut CommandConfig)) -> CommandBackend {
    backend(&["/bin/sh", "-c", script, "sh", "{path}"], set)
}

/// The text that it prints, without a line break at its end.
async fn value(backend: &CommandBackend, path: &str) -> Result<String, String> {
    backend.admits(&Entry::new(path)).map_err(|error| error.to_string())?;
    let output = backend.output(path).await.map_err(|error| error.to_string())?;
    Ok(std::str::from_utf8(&output).expect("text").trim_end_matches('\n').to_owned())
}

#[tokio::test]
async fn a_path_stands_in_one_argument_and_is_a_path_whatever_it_is() {
    let backend = shell("printf '%s|' \"$#\" \"$@\"", |_| {});
    assert_eq!(value(&backend, "bot/KEY").await.as_deref(), Ok("1|bot/KEY|"));
    let within = self::backend(&["/usr/bin/printf", "%s", "op://agents/{path}/credential"], |_| {});
    assert_eq!(value(&within, "bot/K-1_a.b@c+d:e=f,g").await.as_deref(), Ok("op://agents/bot/K-1_a.b@c+d:e=f,g/credential"));

    for path in [
        "",
        "-rf",
        "--config=x",
        "bot/-rf",
        "bot/\nKEY",
        "bot/KEY\0",
        "bot/KEY\u{1b}[2J",
        "{path}",
        "bot/{agent}",
        "{{bot}}",
        "../other/KEY",
        "bot/../other/KEY",
        "bot/./KEY",
        "/etc/passwd",
        "bot//KEY",
        "bot/",
        "@/etc/passwd",
        "+x",
        ".hidden/KEY",
        "bot/KEY\"][\"other",
        "bot/KEY'",
        "bot/$(id)",
        "bot/`id`",
        "bot/KEY;id",
        "bot/KEY|id",
        "bot/*",
        "bot/K?attribute=otp",
        "bot/%2e%2e",
        "bot\\KEY",
        "bot/KEY other",
        "bot/\u{202e}KEY",
        "bot/ключ",
        "~root/x",
    ] {
        let refused = backend.admits(&Entry::new(path));
        assert!(
            matches!(&refused, Err(BackendError::Refused(why)) if why.contains("can't be given to a command")),
            "{path:?}: {refused:?}"
        );
        assert!(backend.get(&Entry::new(path)).await.is_err(), "{path:?} is not run either");
    }
    let version = Entry { which: Which::Version("1".to_owned()), ..Entry::new("bot/KEY") };
    assert!(backend.admits(&version).is_err_and(|why| why.to_string().contains("keeps no versions")));
}

#[tokio::test]
async fn the_environment_is_what_is_configured_and_nothing_else() {
    // Cargo has set this one, and the test's own environment has others.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some() && std::env::var_os("PATH").is_some());
    let env = |config: &mut CommandConfig| {
        config.env = vec![("HOME".to_owned(), "/nowhere".to_owned())];
        config.pass_env = vec!["CARGO_MANIFEST_DIR".to_owned()];
    };
    let printed = value(&backend(&["/usr/bin/env", "-u", "{path}"], env), "bot/KEY").await.expect("it ran");

    let mut names: Vec<&str> = printed.lines().map(|line| line.split('=').next().unwrap_or_default()).collect();
    names.sort_unstable();
    assert_eq!(names, ["CARGO_MANIFEST_DIR", "HOME"], "{printed}");
    let unset = shell("echo 0123456789", |config| config.pass_env = vec!["STRONGROOM_TEST_IS_NOT_SET".to_owned()]);
    let why = value(&unset, "bot/KEY").await.expect_err("it is not set");
    assert!(why.contains("the variable `STRONGROOM_TEST_IS_NOT_SET`, which `pass_env` names, is not set"), "{why}");
}

#[tokio::test]
async fn a_failure_is_told_by_its_code_and_by_the_line_to_type() {
    let backend = shell("echo pf_live_0123456789 >&2; echo pf_live_0123456789; exit $2", |_| {});
    let failing = |script: &str| {
        shell(&format!("echo pf_live_0123456789; echo pf_live_0123456789 >&2; {script}"), |config| {
            config.not_found = vec![44];
        })
    };

    assert!(value(&backend, "bot/KEY").await.is_ok());
    let why = value(&failing("exit 3"), "bot/KEY").await.expect_err("it failed");
    assert!(why.contains("it ended with exit code 3; run it by hand") && why.ends_with("sh bot/KEY"), "{why}");
    let why = value(&failing("kill -9 $$"), "bot/KEY").await.expect_err("it failed");
    assert!(why.contains("it was ended by signal 9"), "{why}");
    let gone = failing("exit 44").get(&Entry::new("bot/KEY")).await;
    assert!(matches!(&gone, Err(BackendError::NotFound { looked_for }) if looked_for.contains("`bot/KEY` by /bin/sh")), "{gone:?}");
    for code in ["3", "44"] {
        let why = failing(&format!("exit {code}")).get(&Entry::new("bot/KEY")).await.expect_err("it failed").to_string();
        // The script itself is the operator's line; what it printed is nobody's.
        assert_eq!(why.matches("pf_live_0123456789").count(), if code == "3" { 2 } else { 0 }, "{why}");
    }
}

#[tokio::test]
async fn a_command_has_its_time_and_no_more_whatever_it_does() {
    let short = |config: &mut CommandConfig| config.timeout = Duration::from_millis(200);
    for script in [
        "sleep 1000",
        "echo 0123456789; sleep 1000",
        "exec >&-; sleep 1000",
        "trap '' TERM INT HUP; sleep 1000",
        "kill -STOP $$",
        "cat; sleep 1000",
    ] {
        let why = value(&shell(script, short), "bot/KEY").await.expect_err(script);
        assert!(why.contains("it did not end within 200 ms, and was killed"), "{script}: {why}");
    }
    // Nothing is there to be read.
    assert_eq!(value(&shell("cat; echo 0123456789", |_| {}), "bot/KEY").await.as_deref(), Ok("0123456789"));
    // What keeps the pipe open is not waited for.
    assert_eq!(value(&shell("sleep 1000 & echo 0123456789", |_| {}), "bot/KEY").await.as_deref(), Ok("0123456789"));
    let why = value(&shell("cat /dev/zero", |_| {}), "bot/KEY").await.expect_err("too long");
    assert!(why.contains("it printed more than 1048576 bytes"), "{why}");
}

#[tokio::test]
async fn four_run_at_once_and_who_waits_too_long_is_told() {
    let mut backend = shell("echo 0123456789", |config| config.timeout = Duration::from_millis(100));
    assert_eq!(backend.turns.available_permits(), 4);
    let four = Arc::clone(&backend.turns).acquire_many_owned(4).await.expect("four turns");

    let why = value(&backend, "bot/KEY").await.expect_err("it has no turn");
    drop(four);
    backend.config.timeout = Duration::from_secs(60);

    assert!(why.contains("4 runs of it are under way already, and none has ended within 100 ms"), "{why}");
    assert_eq!(value(&backend, "bot/KEY").await.as_deref(), Ok("0123456789"));
    assert!(backend.patience() > 2 * Duration::from_secs(60));
}

#[tokio::test]
async fn a_program_inherits_no_descriptor_that_the_host_has_opened() {
    let dir = tempfile::tempdir().expect("a directory");
    let _file = std::fs::File::create(dir.path().join("open")).expect("a file");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
    let number = std::os::fd::AsRawFd::as_raw_fd(&listener);
    let socket = std::fs::read_link(format!("/proc/self/fd/{number}")).expect("a descriptor");
    let left = left_open(Path::new("/proc/self/fdinfo"));

    let printed = value(
        &shell("for fd in /proc/self/fd/*; do readlink $fd; done; echo", |config| {
            config.env = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        }),
        "bot/KEY",
    )
    .await
    .expect("it ran");

    // Whoever started this test may have left some open.
    let listed = value(&shell("echo /proc/self/fd/*", |_| {}), "bot/KEY").await.expect("it ran");
    let numbers: Vec<u32> = listed.split(' ').filter_map(|path| path.rsplit('/').next()?.parse().ok()).filter(|fd| *fd > 2).collect();
    assert!(!printed.contains(&*socket.to_string_lossy()) && !printed.contains(&*dir.path().to_string_lossy()), "{printed}");
    // The shell holds the list itself open while it makes it.
    assert!(numbers.iter().filter(|fd| !left.contains(fd)).count() <= 1, "{numbers:?} beside {left:?}");
}

#[test]
fn what_was_left_open_is_known_by_its_flags() {
    let dir = tempfile::tempdir().expect("a directory");
    for (number, flags) in [("0", "0100000"), ("3", "02100002"), ("4", "0100000"), ("17", "02"), ("5", "02000000")] {
        std::fs::write(dir.path().join(number), format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t9\n")).expect("written");
    }
    assert_eq!(left_open(dir.path()), [4, 17]);
}

#[tokio::test]
async fn a_value_that_has_expired_is_not_used() {
    let config = |time: &str| {
        let script = format!("echo '{{\"value\":\"0123456789\",\"expires_at\":\"{time}\"}}'");
        CommandConfig::new(["/bin/sh", "-c", &script, "sh", "{path}"], CommandProtocol::Json)
    };
    let get = async |time: &str| CommandBackend::new(&config(time)).expect("a backend").get(&Entry::new("bot/KEY")).await;

    assert_eq!(get("2100-01-01T00:00:00Z").await.expect("a value").expires_at, Some(4_102_444_800));
    let why = get("2020-01-01T00:00:00Z").await.expect_err("expired").to_string();
    assert!(why.contains("has expired by its own `expires_at`") && why.contains("echo"), "{why}");
}
