//! Which of cargo's commands a build script runs for.

/// Commands that build, or only look, and run no test.
const OTHERS: &[&str] = &["build", "b", "check", "c", "clippy", "doc", "d", "fix", "install", "run", "r", "rustc", "rustdoc"];
/// Commands that run tests or benchmarks. `cargo nextest` builds by `cargo test`.
const TESTS: &[&str] = &["test", "t", "bench"];

/// Whether the cargo that runs this build script is to run tests. A build script is not told, so this looks at the command line of the
/// process that started it; where it can't tell, it is tests.
#[must_use]
pub fn runs_tests() -> bool {
    let file = format!("/proc/{}/cmdline", std::os::unix::process::parent_id());
    let line = std::fs::read(file).unwrap_or_default();
    let arguments = line.split(|&byte| byte == 0).map(String::from_utf8_lossy);
    means_tests(arguments.map(|argument| argument.into_owned()))
}

fn means_tests(arguments: impl Iterator<Item = String>) -> bool {
    let mut commands = arguments.skip(1).filter(|argument| TESTS.contains(&argument.as_str()) || OTHERS.contains(&argument.as_str()));
    commands.next().is_none_or(|command| TESTS.contains(&command.as_str()))
}

#[cfg(test)]
mod tests {
    fn means_tests(line: &str) -> bool {
        super::means_tests(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn a_command_that_only_looks_is_told_from_one_that_runs_tests() {
        assert!(means_tests("/bin/cargo test --workspace"));
        assert!(means_tests("/bin/cargo --color always t"));
        assert!(means_tests("cargo bench --bench run"));
        // An alias of somebody's own.
        assert!(means_tests("cargo everything"));
        assert!(means_tests(""));

        assert!(!means_tests("cargo check --workspace --all-targets"));
        assert!(!means_tests("cargo --offline run -p demo -- test"));
        assert!(!means_tests("cargo build --package test-of-mine"));
    }
}
