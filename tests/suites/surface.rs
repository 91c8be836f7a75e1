//! What `strongroom` promises to others, and which functions touch plaintext or a socket, as `tests/surface` lists them.

use std::path::Path;
use strongroom_tests::surface::{Sources, Surface, Touching, differences, messages, permits};

/// Set, it has the listings written anew.
const UPDATE: &str = "STRONGROOM_UPDATE";
const REMEDY: &str = "if that is meant, `STRONGROOM_UPDATE=1 cargo test --workspace --test suites surface` writes it anew";

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Holds a listing against its file, or writes it there.
pub(crate) fn compare(name: &str, listed: &str) {
    let file = workspace().join("tests/surface").join(name);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&file, listed).expect("the listing is written");
        return;
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    let found = differences(&written, listed);
    assert!(written == listed, "tests/surface/{name} is not what the sources say; {REMEDY}\n{}", found.join("\n"));
}

#[test]
fn the_public_surface_is_the_one_that_is_listed() {
    let surface = Surface::of(&Sources::of_workspace(workspace()));

    compare("public.txt", &surface.text);
}

#[test]
fn everything_public_is_documented() {
    let surface = Surface::of(&Sources::of_workspace(workspace()));

    assert!(surface.undocumented.is_empty(), "without a doc comment:\n{}", surface.undocumented.join("\n"));
}

#[test]
fn everything_that_people_are_told_is_listed() {
    let told = messages(&Sources::of_workspace(workspace()));

    compare("messages.txt", &told);
    compare("help.txt", &strongroom_cli::help_texts());
}

#[test]
fn a_text_with_words_is_listed_wherever_it_stands() {
    let text = "//! Of the crate.
        /// Of an item.
        #[derive(thiserror::Error)] #[error(\"an error of {0} files\")] pub struct Error(u8);
        #[expect(dead_code, reason = \"a reason for readers\")]
        const ROWS: [(&str, &str); 1] = [(\"key\", \"a row of a table\")];
        fn told() { let n = some.expect(\"never told\"); say(format_args!(\"first line\\nsecond {n}\")); match n { 0 => \"an arm of it\", _ => \"{}: {}\" }; }
        #[cfg(test)] mod tests { const NO: &str = \"of tests alone\"; }";

    let told = messages(&Sources::of_texts(&[("strongroom/lib.rs", text)]));

    assert_eq!(told, "strongroom\n    an error of {0} files\n    a row of a table\n    first line\\nsecond {n}\n    an arm of it\n");
}

fn touching() -> Touching {
    let lint = std::fs::read_to_string(workspace().join("host/clippy.toml")).expect("clippy.toml");
    permits(&Sources::of_workspace(workspace()), &lint)
}

#[test]
fn what_takes_a_permit_or_touches_plaintext_or_a_socket_is_the_surface_that_is_listed() {
    let touching = touching();

    compare("permits.txt", &touching.text);
    assert!(touching.unpermitted.is_empty(), "these read a value, and nothing permits it:\n{}", touching.unpermitted.join("\n"));
}

/// A small house: what is public, how it is passed on, and a line of some file replaced by another.
fn planted(line: &str, by: &str) -> Surface {
    let texts = [
        (
            "strongroom/lib.rs",
            "//! The crate.\n pub mod room; mod hidden; /// Passed on.\n pub mod facade { pub use strongroom_core::kept::{Kept, Mode}; }
            #[cfg(feature = \"extra\")] pub use hidden::extra; pub use room::Sink; #[doc(hidden)] pub mod secret { pub struct No; }",
        ),
        (
            "strongroom/room.rs",
            "//! A room.\n /// Where it goes.\n pub trait Sink: Send {
                /// Takes it.
                fn take(&self, bytes: &[u8]) -> usize;
                /// Ends it.
                fn end(&mut self) {}
            }
            use strongroom_core::kept::Kept; impl Sink for Kept { fn take(&self, bytes: &[u8]) -> usize { 0 } }
            impl Sink for Own {} struct Own;",
        ),
        ("strongroom/hidden/mod.rs", "mod deep; pub use deep::extra; pub struct Unseen;"),
        ("strongroom/hidden/deep.rs", "/// More.\n pub fn extra<T: Copy>(mut of: T,\n more: Option<&'static mut [T]>,\n) -> T where T: Send, { of }"),
        ("strongroom_core/lib.rs", "pub mod kept;"),
        (
            "strongroom_core/kept.rs",
            "/// Kept.\n #[derive(Debug, Clone)] #[non_exhaustive] pub struct Kept {
                /// How many.
                pub count: u64,
                own: String,
            }
            /// How.
            #[non_exhaustive] pub enum Mode {
                /// Fast.
                Fast,
                /// Slow.
                Slow { /// How slow.
                    by: u8 },
            }
            macro_rules! with { ($($name:ident),*) => { $(impl $name { /// The same with more.\n pub fn with(mut self) -> Self { self } })* }; }
            with!(Kept);
            impl Kept {
                /// Reads it.
                pub fn read(text: &str) -> Result<Self, String> { unread() }
                pub(crate) fn own(&self) {}
            }
            #[cfg(test)] mod tests { impl super::Kept { pub fn of_tests() {} } }",
        ),
    ];
    assert!(line.is_empty() || texts.iter().any(|(_, text)| text.contains(line)), "`{line}` is planted nowhere");
    let changed = texts.map(|(file, text)| (file, text.replace(line, by)));
    let changed = if line.is_empty() { texts.map(|(file, text)| (file, text.to_owned())) } else { changed };
    Surface::of(&Sources::of_texts(&changed.iter().map(|(file, text)| (*file, text.as_str())).collect::<Vec<_>>()))
}

const PLANTED: &str = "\
mod strongroom

use strongroom::Sink = strongroom::room::Sink

fn strongroom::extra<T: Copy>(of: T, more: Option<&'static mut [T]>) -> T where T: Send
    #[cfg(feature = \"extra\")]

mod strongroom::facade

struct strongroom::facade::Kept
    #[non_exhaustive]
    derive Clone, Debug
    count: u64
    ..
    impl Kept
        fn read(text: &str) -> Result<Self, String>
        fn with(self) -> Self
    impl Sink for Kept

enum strongroom::facade::Mode
    #[non_exhaustive]
    Fast
    Slow
        by: u8

mod strongroom::room

trait strongroom::room::Sink: Send
    fn take(&self, bytes: &[u8]) -> usize
    fn end(&mut self) { … }
";

#[test]
fn a_surface_is_read_through_crates_facades_features_and_macros() {
    let surface = planted("", "");

    assert_eq!(surface.text, PLANTED);
    assert_eq!(surface.undocumented, Vec::<String>::new());
}

#[test]
fn every_change_of_the_surface_is_told() {
    for (line, by, told) in [
        ("pub(crate) fn own(&self)", "pub fn own(&self)", vec!["  struct strongroom::facade::Kept", "+         fn own(&self)"]),
        ("own: String,", "pub own: String,", vec!["  struct strongroom::facade::Kept", "-     ..", "+     own: String"]),
        // A line that stands there twice is missed, too.
        (
            "by: u8 }",
            "by: u8 }, Other { /// How slow.\n by: u8 }",
            vec!["  enum strongroom::facade::Mode", "+     Other", "+         by: u8"],
        ),
        ("/// Fast.\n                Fast,", "", vec!["  enum strongroom::facade::Mode", "-     Fast"]),
        ("by: u8", "by: u16", vec!["  enum strongroom::facade::Mode", "-         by: u8", "+         by: u16"]),
        (
            "read(text: &str)",
            "read(text: &[u8])",
            vec![
                "  struct strongroom::facade::Kept",
                "-         fn read(text: &str) -> Result<Self, String>",
                "+         fn read(text: &[u8]) -> Result<Self, String>",
            ],
        ),
        ("#[non_exhaustive] pub struct", "pub struct", vec!["  struct strongroom::facade::Kept", "-     #[non_exhaustive]"]),
        (
            "#[derive(Debug, Clone)]",
            "#[derive(Debug)]",
            vec!["  struct strongroom::facade::Kept", "-     derive Clone, Debug", "+     derive Debug"],
        ),
        (
            "fn end(&mut self) {}",
            "fn end(&mut self);",
            vec!["  trait strongroom::room::Sink: Send", "-     fn end(&mut self) { … }", "+     fn end(&mut self)"],
        ),
        (
            "pub(crate) fn own",
            "#[cfg(feature = \"extra\")] pub fn own",
            vec!["  struct strongroom::facade::Kept", "+         #[cfg(feature = \"extra\")] fn own(&self)"],
        ),
        ("pub use room::Sink;", "", vec!["- use strongroom::Sink = strongroom::room::Sink"]),
        // The body, and what tests or the crate alone see, is nobody's.
        ("{ unread() }", "{ Err(String::new()) }", vec![]),
        ("fn of_tests", "fn of_others", vec![]),
        ("pub struct Unseen", "pub struct Other", vec![]),
        ("text: &str) -> Result<Self, String>", "\n text : & str,\n) -> Result< Self,\n String, >", vec![]),
    ] {
        assert_eq!(differences(&planted("", "").text, &planted(line, by).text), told, "{line} -> {by}");
    }
}

#[test]
fn what_has_no_documentation_is_named() {
    for (line, bare) in [
        ("/// How many.", "strongroom::facade::Kept::count"),
        ("/// Fast.", "strongroom::facade::Mode::Fast"),
        ("/// How slow.", "strongroom::facade::Mode::Slow::by"),
        ("/// Takes it.", "strongroom::room::Sink::take"),
        ("/// Reads it.", "strongroom::facade::Kept::read"),
        ("/// The same with more.", "strongroom::facade::Kept::with"),
        ("//! A room.", "strongroom::room"),
        ("/// More.", "strongroom::extra"),
    ] {
        assert_eq!(planted(line, "").undocumented, [bare], "{line}");
    }
}

#[test]
fn what_is_passed_on_and_not_found_is_named() {
    let told = std::panic::catch_unwind(|| planted("{Kept, Mode}", "{Kept, Nowhere}")).err().expect("it is not found");

    let told = told.downcast_ref::<String>().expect("a message");
    assert!(told.contains("strongroom::facade::Nowhere"), "{told}");
}

/// What some functions of the host touch, in a house with a value that is read against a permit.
fn touched(file: &str, text: &str) -> Touching {
    let host = format!("mod {};", file.trim_end_matches(".rs"));
    let name = format!("strongroom/{file}");
    let lint = "disallowed-types = [{ path = \"tokio::net::TcpStream\" }]\ndisallowed-methods = []";
    let core = "pub mod policy { pub struct Reveal; pub struct Leave; } pub mod value { pub struct SecretValue; pub struct Deposit; }";
    permits(&Sources::of_texts(&[("strongroom/lib.rs", &host), (&name, text), ("strongroom_core/lib.rs", core)]), lint)
}

#[test]
fn a_value_that_is_read_without_a_permit_is_found_however_it_is_written() {
    for (text, is_permitted) in [
        ("use strongroom_core::policy::Reveal; fn f(v: &V, leave: Reveal) { v.reveal(leave); }", true),
        ("use strongroom_core::policy::Reveal as R; fn f(v: &V, leave: Vec<R>) { v.reveal(leave); }", true),
        ("#[expect(clippy::disallowed_methods, reason = \"why\")] fn f(v: &V) { v.reveal(Reveal::to_rotate()); }", true),
        ("#![expect(clippy::disallowed_methods, reason = \"why\")] fn f(v: &V) { v.reveal(Reveal::to_rotate()); }", true),
        // A key that its issuer made has a method of that name.
        ("fn f(key: &Key) { key.reveal(); }", true),
        ("#[cfg(test)] mod tests { fn f(v: &V) { v.reveal(kept()); } }", true),
        ("fn f(v: &V) { v.reveal(kept()); }", false),
        ("struct Reveal; fn f(v: &V, leave: Reveal) { v.reveal(leave); }", false),
        ("impl V { fn f(&self) { assert!(self.0.reveal(kept()).is_empty()); } }", false),
        ("fn f(v: Option<V>) { v.map(SecretValue::reveal); }", false),
        ("fn f() { strongroom_core::policy::Reveal::to_rotate(); }", false),
        ("use strongroom_core::policy::Reveal as R; fn f() { g(R::to_rotate); }", false),
        ("#[expect(clippy::disallowed_types, reason = \"why\")] fn f(v: &V) { v.reveal(kept()); }", false),
    ] {
        assert_eq!(touched("room.rs", text).unpermitted.is_empty(), is_permitted, "{text}");
    }
}

#[test]
fn what_takes_permits_deposits_and_sockets_is_listed() {
    let text = touched(
        "room.rs",
        "#![expect(clippy::disallowed_types, reason = \"the one place\")]
        use strongroom_core::{policy::Leave, value::Deposit}; use tokio::net::TcpStream as Tcp;
        type Line = Box<Tcp>; struct Held { line: Line, name: String }
        impl Held {
            fn send(&mut self, _leave: Leave) { self.line.write(); }
            fn name(&self) -> &str { &self.name }
        }
        fn keep(value: Deposit) {} fn open() { Tcp::connect(\"x\"); } fn allow() -> Option<Leave> { None } fn other() {}",
    )
    .text;

    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(' ')).map(str::trim).collect();
    assert_eq!(
        lines,
        [
            "strongroom::room::Held::send(&mut self, _leave: Leave) — Leave",
            "strongroom::room::allow() -> Option<Leave> — Leave",
            "strongroom::room::keep(value: Deposit) — Deposit",
            "strongroom::room::Held::send(&mut self, _leave: Leave) — tokio::net::TcpStream | Leave; expect: the one place",
            "strongroom::room::open() — tokio::net::TcpStream | expect: the one place",
        ]
    );
}
