//! The rooms of the host and the arrows between them, as ARCHITECTURE.md draws them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use strongroom_tests::arrows::{self, Arrows};

/// The lines of the drawing: each room with those that it may use, from the ground up.
fn drawn() -> Vec<(String, BTreeSet<String>)> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let block = text.split("```arrows\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block `arrows`");
    let line = |line: &str| {
        let (room, used) = line.split_once("->").unwrap_or((line, ""));
        (room.trim().to_owned(), used.split_whitespace().map(str::to_owned).collect())
    };
    block.lines().map(line).collect()
}

#[test]
fn the_arrows_are_those_of_the_drawing_and_lead_downwards() {
    let found = arrows::of_workspace(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let drawn = drawn();

    let mut wrong = Vec::new();
    for (place, (room, used)) in drawn.iter().enumerate() {
        let Some(uses) = found.get(room) else {
            wrong.push(format!("`{room}` is drawn, and is no room"));
            continue;
        };
        wrong.extend(uses.iter().filter(|(to, _)| !used.contains(*to)).map(|(to, file)| format!("{file}: `{room}` uses `{to}`")));
        wrong.extend(used.iter().filter(|to| !uses.contains_key(*to)).map(|to| format!("`{room} -> {to}` is drawn, and is none")));
        let below: BTreeSet<&str> = drawn[..place].iter().map(|(room, _)| room.as_str()).collect();
        wrong.extend(used.iter().filter(|to| !below.contains(to.as_str())).map(|to| format!("`{room} -> {to}` leads upwards")));
    }
    let known: BTreeSet<&str> = drawn.iter().map(|(room, _)| room.as_str()).collect();
    wrong.extend(found.keys().filter(|room| !known.contains(room.as_str())).map(|room| format!("`{room}` is not drawn")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The arrows of a crate with the rooms `low`, `mid` and `high`, of which one file holds this text too.
fn planted(file: &str, text: &str) -> Arrows {
    let mut files = BTreeMap::from([
        ("lib.rs", "mod low; mod mid; mod high; pub use high::Top; pub use low::{Bottom as Ground, other};".to_owned()),
        ("low.rs", "pub struct Bottom; pub fn other() {}".to_owned()),
        ("mid/mod.rs", "pub(crate) use crate::low::Bottom; pub struct Own;".to_owned()),
        ("mid/inner.rs", String::new()),
        ("high.rs", "pub struct Top;".to_owned()),
    ]);
    files.entry(file).or_default().push_str(text);
    arrows::of_sources(&files.iter().map(|(file, text)| (*file, text.as_str())).collect::<Vec<_>>())
}

#[test]
fn a_planted_arrow_is_found_however_it_is_written() {
    for (file, text) in [
        ("low.rs", "use crate::high::Top;"),
        ("low.rs", "use crate::{mid::Own, high::Top};"),
        ("low.rs", "use crate::high;"),
        ("low.rs", "use super::high::Top;"),
        ("low.rs", "use crate::Top;"),
        ("low.rs", "fn f() { let _ = crate::high::Top; }"),
        ("low.rs", "fn f() -> Option<crate::Top> { None }"),
        ("low.rs", "macro_rules! m { () => { $crate::high::Top } }"),
        ("low.rs", "fn f() { assert!(matches!(x, crate::high::Top)); }"),
        ("low.rs", "use crate as c; fn f() { c::high::Top; }"),
        ("low.rs", "use crate::{self as c}; fn f() { c::high::Top; }"),
        ("low.rs", "mod deep { fn f() { super::super::high::Top; } }"),
        ("low.rs", "#[cfg(any(test, feature = \"x\"))] use crate::high::Top;"),
        ("low.rs", "#[cfg(test)] use crate::{mid::Own}; use crate::high::Top;"),
        ("low.rs", "impl crate::high::Trait for Bottom {}"),
        ("low.rs", "use strongroom_core::high::Top;"),
        ("low.rs", "fn f() { strongroom::high::Top; }"),
    ] {
        assert!(planted(file, text)["low"].contains_key("high"), "{text}");
    }
    // A crate that is one room.
    let scrub = planted("scrub/views.rs", "use crate::rules::Rule; use strongroom_core::high::Top;");
    assert_eq!(scrub["scrub"].keys().collect::<Vec<_>>(), ["high"]);
    assert!(planted("mid/inner.rs", "fn f() { super::super::high::Top; }")["mid"].contains_key("high"));
    // What a room passes on is used by whoever takes it from there.
    let through = planted("high.rs", "use crate::mid::Bottom;");
    assert!(through["high"].contains_key("low") && through["high"].contains_key("mid"));
    assert!(planted("high.rs", "fn f() { crate::Ground; }")["high"].contains_key("low"));
}

#[test]
fn tests_and_what_is_a_rooms_own_are_no_arrows() {
    for text in [
        "#[cfg(test)] mod tests { use crate::high::Top; }",
        "#[cfg(test)] use crate::high::Top;",
        "pub(crate) fn f() {} pub(in crate::low) struct X; use self::Bottom as B; use std::fmt;",
        "// crate::high::Top\nconst TEXT: &str = \"crate::high\";",
        "fn f() { crate::low::other(); }",
    ] {
        assert_eq!(planted("low.rs", text)["low"].len(), 0, "{text}");
    }
    let file = planted("mid/mod.rs", "#[cfg(test)] mod inner;");
    assert_eq!(file["mid"].keys().collect::<Vec<_>>(), ["low"]);
    assert!(std::panic::catch_unwind(|| planted("low.rs", "use crate::nowhere::X;")).is_err(), "what can't be followed is told");
}
