//! The host's own memory: what is left of a value in it when a run is over, and when the host is gone.

use std::process::Command;

#[test]
fn what_is_left_of_a_value_in_the_hosts_memory_is_counted() {
    let output = Command::new(env!("CARGO_BIN_EXE_memory-under-test")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    println!("{text}");
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let copies = |stage: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(stage)?.strip_prefix(": ")).unwrap();
        line.split(' ').next().unwrap().parse::<usize>().unwrap()
    };

    assert!(copies("after the run") >= 1, "a host that is there keeps the value, so the search works: {text}");
    assert_eq!(copies("after the host"), 0, "the binary's allocator wipes what is freed, in the buffers of libraries too: {text}");
}
