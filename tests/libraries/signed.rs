//! Requests to exchanges as ccxt signs them: those of `tests/vectors/ccxt`, against which the scheme `hmac` is tested, made anew.

use crate::agents;
use std::process::Command;

/// As the lock file pins it; with another version, or where the script was changed, `STRONGROOM_UPDATE=1` writes them anew.
#[test]
fn ccxt_signs_as_the_vectors_have_it() {
    let (home, _lock) = agents::entered("javascript");
    agents::with_npm(&home);
    let vectors = agents::root().join("tests/vectors/ccxt");

    let output = Command::new("node").arg(vectors.join("signed.mjs")).arg(home.join("node_modules/ccxt")).output().unwrap();

    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let file = vectors.join("requests.jsonl");
    if std::env::var_os("STRONGROOM_UPDATE").is_some() {
        std::fs::write(&file, &output.stdout).unwrap();
    }
    let (kept, made) = (std::fs::read_to_string(&file).unwrap(), String::from_utf8(output.stdout).unwrap());
    let other = kept.lines().zip(made.lines()).position(|(kept, made)| kept != made);
    assert!(kept == made, "from line {} on it is another one", other.map_or(0, |line| line + 1));
}
