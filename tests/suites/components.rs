//! Components: what is refused and why, and what is kept of the others.

use strongroom::{End, Host, HostConfig, Manifest, RunOptions};
use strongroom_tests::{AgentFixture, block_on};

fn load(component: &[u8], lines: &str) -> Result<strongroom::Agent, String> {
    let host = Host::builder().without_audit().without_state().max_agents(1).build().unwrap();
    let manifest = format!("name = \"a\"\ncomponent = \"a.wasm\"\n{lines}");
    host.agent(Manifest::parse("agent.toml", &manifest).unwrap(), component).map_err(|error| error.to_string())
}

fn refused(component: &[u8]) -> String {
    load(component, "").err().expect("the component is refused")
}

#[test]
fn what_is_no_component_is_refused_with_what_to_build_instead() {
    assert!(refused(b"#!/bin/sh\necho no").contains("not a WebAssembly component"));
    assert!(refused(b"").contains("not a WebAssembly component"));
    assert!(refused(b"\0asm\x01\0\0\0").contains("core WebAssembly module, not a component"));
    let mut cut = strongroom_components::bytes("probe");
    cut.truncate(cut.len() / 2);
    let length = cut.len();
    assert_eq!(
        refused(&cut),
        format!("a: the component is cut short: its {length} bytes end in the middle of it; copy all of it, or rebuild it")
    );
    for end in [9, 100, length - 1] {
        assert!(refused(&cut[..end]).contains("is cut short"), "{end}: {}", refused(&cut[..end]));
    }
}

#[test]
fn an_import_that_the_host_does_not_offer_is_named() {
    let component = r#"(component (import "wasi:keyvalue/store@0.2.0" (instance)))"#;
    let error = refused(&wat(component));
    assert!(error.contains("imports `wasi:keyvalue/store@0.2.0`, which the host does not offer"), "{error}");

    let newer = r#"(component (import "strongroom:agent/futures@0.1.0" (instance)))"#;
    assert!(refused(&wat(newer)).contains("strongroom:agent/futures@0.1.0"));
}

#[test]
fn a_library_or_a_server_is_no_command() {
    assert!(refused(&wat("(component)")).contains("exports no `wasi:cli/run`"));
}

/// A component from its text.
fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[test]
fn only_the_component_that_the_manifest_pins_is_run() {
    use sha2::Digest;
    let component = strongroom_components::bytes("probe");
    let hash: String = sha2::Sha256::digest(&component).iter().map(|byte| format!("{byte:02x}")).collect();

    assert!(load(&component, &format!("sha256 = \"{hash}\"")).is_ok());
    let other = "0".repeat(64);
    let error = load(&component, &format!("sha256 = \"{other}\"")).err().unwrap();
    assert!(error.contains(&hash) && error.contains(&other), "{error}");
}

/// The cache's entries, with what they hold.
fn entries(state: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(state.join("compiled")).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

fn run_with_state(state: &std::path::Path) -> End {
    let config = HostConfig::default().with(|new| new.state_dir = Some(state.to_owned()));
    let host = Host::builder().config(config).without_audit().max_agents(1).build().unwrap();
    let manifest = Manifest::parse("agent.toml", "name = \"a\"\ncomponent = \"a.wasm\"").unwrap();
    let agent = host.agent(manifest, &strongroom_components::bytes("looper")).unwrap();
    block_on(agent.run(RunOptions::default())).unwrap().end
}

#[test]
fn a_second_start_compiles_nothing_and_a_foreign_entry_is_not_run() {
    let state = tempfile::tempdir().unwrap();
    let state = state.path().join("state");
    assert_eq!(run_with_state(&state), End::Exit(0));
    let [(path, entry)] = entries(&state).try_into().unwrap();
    let written = std::fs::metadata(&path).unwrap().modified().unwrap();

    assert_eq!(run_with_state(&state), End::Exit(0));
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), written, "the entry was read, not written again");

    // Row 23: an entry that was changed is compiled anew and replaced, whichever byte it is.
    for at in [0, 40, entry.len() / 2, entry.len() - 1] {
        let mut changed = entry.clone();
        changed[at] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        assert_eq!(run_with_state(&state), End::Exit(0));
        assert_ne!(entries(&state)[0].1, changed, "byte {at}");
    }
    std::fs::write(&path, b"short").unwrap();
    assert_eq!(run_with_state(&state), End::Exit(0));
}

#[test]
fn an_entry_of_another_host_or_another_component_is_not_run() {
    let first = tempfile::tempdir().unwrap();
    let second = tempfile::tempdir().unwrap();
    let (first, second) = (first.path().join("state"), second.path().join("state"));
    run_with_state(&first);
    run_with_state(&second);
    let theirs = entries(&second)[0].1.clone();
    let (path, _) = entries(&first)[0].clone();
    std::fs::write(&path, &theirs).unwrap();

    assert_eq!(run_with_state(&first), End::Exit(0));
    assert_ne!(entries(&first)[0].1, theirs, "it carried another host's key");
}

#[test]
fn a_state_directory_that_others_can_enter_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let state = tempfile::tempdir().unwrap();
    std::fs::set_permissions(state.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let config = HostConfig::default().with(|new| new.state_dir = Some(state.path().to_owned()));

    let error = Host::builder().config(config).without_audit().build().err().unwrap();

    assert!(error.to_string().contains("mode 0700"), "{error}");
}

#[test]
fn a_component_that_imports_plain_wasi_alone_runs() {
    let ran = AgentFixture::with("").guest("looper").try_run(&[]).unwrap();

    assert_eq!(ran.outcome.end, End::Exit(0));
}

/// A command whose module declares `items`.
fn command(items: &str, body: &str) -> Vec<u8> {
    wat(&format!(
        r#"(component
            (core module $m {items} (func (export "run") (result i32) {body} (i32.const 0)))
            (core instance $i (instantiate $m))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $r (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $r)))"#
    ))
}

fn end(component: &[u8]) -> End {
    let agent = load(component, "[limits]\nmemory = \"1MiB\"").unwrap();
    block_on(agent.run(RunOptions::default())).unwrap().end
}

#[test]
fn a_component_written_by_hand_runs() {
    assert_eq!(end(&command("", "")), End::Exit(0));
}

#[test]
fn tables_and_memories_are_bounded_at_load_and_at_run() {
    assert!(refused(&command("(table 300000 funcref)", "")).contains("table"));
    assert!(refused(&command("(memory 1) (memory 1)", "")).contains("memories"));

    // Growing past the bounds fails inside the guest; a trap that follows is the limit's doing.
    let grow_memory = "(if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then unreachable))";
    assert_eq!(end(&command("(memory 1)", grow_memory)), End::Limit(strongroom::Limit::Memory));
    let grow_table = "(if (i32.eq (table.grow (ref.null func) (i32.const 199999)) (i32.const -1)) (then unreachable))";
    assert_eq!(end(&command("(table 1 funcref)", grow_table)), End::Exit(0));
    // A start of more than the limit is the limit's doing as well.
    assert!(matches!(end(&command("(memory 17)", "")), End::Limit(strongroom::Limit::Memory)));
}

#[test]
fn the_sdks_bindings_are_made_of_this_wit() {
    use sha2::Digest;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let wit = std::fs::read(root.join("wit/agent.wit")).unwrap();
    let sum: String = sha2::Sha256::digest(wit).iter().map(|byte| format!("{byte:02x}")).collect();

    let bindings = std::fs::read_to_string(root.join("guest-sdk/src/bindings.rs")).unwrap();

    assert!(
        bindings.contains(&format!("// sha256 of wit/agent.wit: {sum}\n")),
        "the WIT has changed: the head of bindings.rs says how to make it anew"
    );
}

/// A command of so many modules with a memory each, of so many pages of 64 KiB, all in instances of their own.
fn with_memories(count: usize, pages: usize) -> Vec<u8> {
    let others: String = (0..count).map(|_| "(core instance (instantiate $memory))").collect();
    wat(&format!(
        r#"(component
            (core module $memory (memory {pages}))
            {others}
            (core module $m (func (export "run") (result i32) (i32.const 0)))
            (core instance $i (instantiate $m))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $r (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $r)))"#
    ))
}

#[test]
fn the_memory_of_a_run_is_the_sum_of_all_its_memories() {
    // The limit is 16 pages.
    assert_eq!(end(&with_memories(1, 16)), End::Exit(0));
    assert_eq!(end(&with_memories(3, 5)), End::Exit(0));
    for (count, pages) in [(1, 17), (2, 9), (3, 6)] {
        assert_eq!(end(&with_memories(count, pages)), End::Limit(strongroom::Limit::Memory), "{count} of {pages} pages");
    }
}

#[test]
fn a_memory_that_no_limit_would_count_is_refused() {
    let shared = refused(&command("(memory 1 2 shared)", ""));

    assert!(shared.contains("malformed"), "{shared}");
}

#[test]
fn the_tables_of_a_run_are_summed_over_all_its_instances() {
    let tables = |count: usize| {
        let others: String = (0..count).map(|_| "(core instance (instantiate $table))").collect();
        wat(&format!(
            r#"(component
                (core module $table (table 150000 funcref))
                {others}
                (core module $m (func (export "run") (result i32) (i32.const 0)))
                (core instance $i (instantiate $m))
                (func $run (result (result)) (canon lift (core func $i "run")))
                (instance $r (export "run" (func $run)))
                (export "wasi:cli/run@0.2.0" (instance $r)))"#
        ))
    };

    assert_eq!(end(&tables(2)), End::Exit(0));
    assert_eq!(end(&tables(3)), End::Limit(strongroom::Limit::Memory));
}

#[test]
fn a_state_directory_that_is_a_link_or_lies_below_one_of_others_is_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = tempfile::tempdir().unwrap();
    let (state, link, open) = (dir.path().join("state"), dir.path().join("link"), dir.path().join("open"));
    let build = |state: &std::path::Path| {
        let config = HostConfig::default().with(|new| new.state_dir = Some(state.to_owned()));
        Host::builder().config(config).without_audit().max_agents(1).build().map(|_| ()).map_err(|error| error.to_string())
    };
    build(&state).unwrap();

    symlink(&state, &link).unwrap();
    assert!(build(&link).unwrap_err().contains("is a link"));
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(build(&open.join("state")).unwrap_err().contains("other users can write to"));
    // A key that somebody else has put there.
    std::fs::rename(state.join("host.key"), state.join("kept.key")).unwrap();
    symlink(state.join("kept.key"), state.join("host.key")).unwrap();
    assert!(build(&state).unwrap_err().contains("is a link"));
}

#[test]
fn a_state_that_can_not_be_is_named_with_what_is_wrong_with_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let build = |state: &std::path::Path| {
        let config = HostConfig::default().with(|new| new.state_dir = Some(state.to_owned()));
        Host::builder().config(config).without_audit().max_agents(1).build().map(|_| ()).map_err(|error| error.to_string())
    };
    let (file, state) = (dir.path().join("file"), dir.path().join("state"));
    std::fs::write(&file, "").unwrap();
    build(&state).unwrap();
    std::fs::set_permissions(state.join("host.key"), std::fs::Permissions::from_mode(0o644)).unwrap();

    let (no_directory, open) = (build(&file).unwrap_err(), build(&state).unwrap_err());

    let file = file.display();
    assert!(no_directory.contains(&format!("can't be used: {file} exists, and is not a directory; set `[state] dir`")), "{no_directory}");
    assert!(open.contains("state/host.key can be read or written by other users") && open.contains("(mode 0600)"), "{open}");
}

#[test]
fn a_host_without_state_writes_no_audit_log_where_nobody_has_chosen_one() {
    let error = Host::builder().without_state().max_agents(1).build().err().expect("nothing is chosen").to_string();

    for choice in ["`HostBuilder::audit`", "`[audit] file`", "`HostBuilder::without_audit`"] {
        assert!(error.contains(choice), "{choice}: {error}");
    }
    assert!(!std::path::Path::new("audit.jsonl").exists(), "a log in the working directory");
}

#[test]
fn an_agent_that_was_refused_memory_and_goes_on_is_told_apart() {
    let ends = |pages: u32| {
        let body = format!("(drop (memory.grow (i32.const {pages})))");
        let agent = load(&command("(memory 1)", &body), "[limits]\nmemory = \"1MiB\"").unwrap();
        let outcome = block_on(agent.run(RunOptions::default())).unwrap();
        (outcome.end, outcome.memory_refused)
    };

    assert_eq!(ends(4), (End::Exit(0), false));
    assert_eq!(ends(40), (End::Exit(0), true));
}

#[test]
fn a_state_directory_of_another_user_is_refused() {
    let (dir, root) = (tempfile::tempdir().unwrap(), std::path::PathBuf::from("/"));
    // Who is root gives a directory away; who is not finds that of root.
    let theirs = match std::os::unix::fs::chown(dir.path(), Some(12_345), None) {
        Ok(()) => dir.path().to_owned(),
        Err(_) => root,
    };
    let config = HostConfig::default().with(|new| new.state_dir = Some(theirs));

    let error = Host::builder().config(config).without_audit().build().err().unwrap().to_string();

    assert!(error.contains("belongs to another user"), "{error}");
}

#[test]
fn the_cache_keeps_what_was_used_last_within_its_bound() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let component = |number: u32| command(&format!("(global i32 (i32.const {number}))"), "");
    let load = |number: u32, most: Option<u64>| {
        let config = HostConfig::default().with(|new| {
            new.state_dir = Some(state.clone());
            new.compiled = most;
        });
        let host = Host::builder().config(config).without_audit().max_agents(1).build().unwrap();
        let manifest = Manifest::parse("agent.toml", "name = \"a\"\ncomponent = \"a.wasm\"").unwrap();
        host.agent(manifest, &component(number)).unwrap();
    };
    let names = || {
        let mut names: Vec<std::path::PathBuf> = entries(&state).into_iter().map(|(path, _)| path).collect();
        names.sort();
        names
    };
    load(1, None);
    let first = names();
    let length = entries(&state)[0].1.len() as u64;
    // AgentFixture for two and a half.
    let most = Some(2 * length + length / 2);
    load(2, most);
    let second: Vec<_> = names().into_iter().filter(|name| !first.contains(name)).collect();

    load(1, most);
    load(3, most);

    assert_eq!(names().len(), 2, "{:?}", names());
    assert!(names().contains(&first[0]) && !names().contains(&second[0]), "the one that was used longest ago went");
    load(4, Some(length / 2));
    assert_eq!(names().len(), 2, "what is larger than all may be is not kept, and drives nothing out");
}
