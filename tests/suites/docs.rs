//! What the documents say can be done is done: each block of code is run or parsed, each link leads somewhere. The fence says how, as in
//! `toml manifest`; [`KINDS`] has all ways. What is neither run nor parsed says why in its fence, and `tests/surface/shown.txt` lists it.

use crate::surface::compare;
use std::collections::BTreeSet;
use std::path::Path;
use strongroom::scrub::Rules;
use strongroom::{HostConfig, Manifest};
use strongroom_tests::pages::{self, Block, Page};

/// A finding of a block, as it is told.
type Found = Result<(), String>;
/// What runs a block, or reads it.
type Try = fn(&Block) -> Found;

/// How blocks are tried, by the words after their fence: language and, where there are several ways for one language, the word after it.
const KINDS: [(&str, &str, Try); 9] = [
    ("toml", "manifest", manifest),
    ("toml", "host", host),
    ("toml", "rules", rules),
    ("text", "paths", paths),
    ("arrows", "", arrows),
    ("sh", "", commands),
    ("json", "", json),
    // `cargo test` compiles them with the documentation of this crate: `documents` in `tests/src/lib.rs`.
    ("rust", "", compiled),
    ("rust,no_run", "", compiled),
];

/// Programs other than ours that a reader is told to run.
const PROGRAMS: [&str; 36] = [
    ".ci/run",
    "age-keygen",
    "apt-get",
    "aws",
    "bao",
    "cargo",
    "cat",
    "cd",
    "chmod",
    "chown",
    "componentize-py",
    "cp",
    "curl",
    "echo",
    "export",
    "git",
    "kill",
    "mkdir",
    "mypy",
    "node",
    "npm",
    "npx",
    "openssl",
    "pip",
    "pkcs11-tool",
    "printf",
    "python3",
    "rustup",
    "softhsm2-util",
    "source",
    "systemctl",
    "systemd-creds",
    "tail",
    "tar",
    "useradd",
    "vault",
];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn blocks() -> Vec<Block> {
    pages::all(root()).into_iter().flat_map(|page| page.blocks).collect()
}

/// What is wrong with a block, if anything is.
fn tried(block: &Block) -> Found {
    if let Some(file) = block.how.strip_prefix("file=") {
        return of_file(block, file);
    }
    let kind = KINDS.iter().find(|(language, how, _)| *language == block.language && *how == block.how);
    match kind {
        Some((_, _, try_it)) => try_it(block),
        None if shown(block).is_some() => Ok(()),
        None => Err(format!(
            "nothing tries a block of `{} {}`; write one of the kinds that there are, or `shown: WHY`",
            block.language, block.how
        )),
    }
}

/// Why a block is neither run nor parsed.
fn shown(block: &Block) -> Option<&str> {
    block.how.strip_prefix("shown: ").filter(|why| !why.is_empty())
}

/// A manifest, or a part of one.
fn manifest(block: &Block) -> Found {
    let is_whole = block.text.lines().any(|line| line.starts_with("component"));
    let head = if is_whole { "" } else { "name = \"example\"\ncomponent = \"example.wasm\"\n" };
    Manifest::parse("agent.toml", &format!("{head}{}", block.text)).map(drop).map_err(|error| error.to_string())
}

fn host(block: &Block) -> Found {
    HostConfig::parse("strongroom.toml", &block.text).map(drop).map_err(|error| error.to_string())
}

fn rules(block: &Block) -> Found {
    Rules::with(std::slice::from_ref(&block.text)).map(drop).map_err(|error| error.to_string())
}

fn json(block: &Block) -> Found {
    serde_json::from_str::<serde_json::Value>(&block.text).map(drop).map_err(|error| error.to_string())
}

fn compiled(block: &Block) -> Found {
    let page = block.at.split(':').next().unwrap_or_default();
    // A crate's own README is its own doctest.
    let (file, line) = match page.strip_suffix("/README.md").filter(|directory| directory.starts_with("crates/")) {
        Some(directory) => (format!("{directory}/src/lib.rs"), "\"../README.md\"".to_owned()),
        None => ("tests/src/lib.rs".to_owned(), format!("\"../../{page}\"")),
    };
    let text = std::fs::read_to_string(root().join(&file)).map_err(|error| format!("{file}: {error}"))?;
    if text.contains(&line) { Ok(()) } else { Err(format!("{file} lacks {page}")) }
}

/// Rows that begin with paths of the repository, as a shell writes several in one word; what follows two blanks says what is there.
fn paths(block: &Block) -> Found {
    for row in block.text.lines() {
        let path = row.split("  ").next().unwrap_or_default();
        if let Some(missing) = braces(path).into_iter().find(|path| path.is_empty() || !root().join(path).exists()) {
            return Err(format!("`{row}`: there is no `{missing}`"));
        }
    }
    Ok(())
}

/// A word with one list in braces, as the words that it stands for.
fn braces(word: &str) -> Vec<String> {
    let parts = word.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    match parts {
        None => vec![word.to_owned()],
        Some((before, (list, after))) => list.split(',').map(|one| format!("{before}{one}{after}")).collect(),
    }
}

/// The drawing of the rooms, which `arrows.rs` compares with the sources.
fn arrows(block: &Block) -> Found {
    if block.at.starts_with("ARCHITECTURE.md:") { Ok(()) } else { Err("rooms are drawn in ARCHITECTURE.md alone".to_owned()) }
}

/// A part of a file that something else runs.
fn of_file(block: &Block, file: &str) -> Found {
    let text = std::fs::read_to_string(root().join(file)).map_err(|error| format!("{file}: {error}"))?;
    if text.contains(&block.text) { Ok(()) } else { Err(format!("{file} has not these lines")) }
}

/// A transcript: our own commands are read by the program's command line, others are of programs that are known here.
fn commands(block: &Block) -> Found {
    let text = block.text.replace("\\\n", " ");
    let mut within: Option<String> = None;
    for line in text.lines() {
        // What is fed to a command (`<<'END'`) is not one.
        if let Some(end) = &within {
            if line == end {
                within = None;
            }
            continue;
        }
        within = line.split_once("<<").map(|(_, end)| end.trim().trim_matches('\'').to_owned());
        let line = line.split_once(" # ").map_or(line, |(line, _)| line).trim();
        // What goes on in the background is a command as any other.
        let line = line.strip_suffix(" &").unwrap_or(line);
        if !line.is_empty() && !line.starts_with('#') {
            line.split("&&").flat_map(|line| line.split(" | ")).try_for_each(|part| command(part.trim()))?;
        }
    }
    Ok(())
}

#[test]
fn the_examples_in_the_help_are_command_lines() {
    let help = strongroom_cli::help_texts();
    let examples: Vec<&str> = help
        .lines()
        .filter_map(|line| line.strip_prefix("Example: ").or_else(|| line.strip_prefix("  strongroom ").map(|_| line.trim())))
        .collect();
    assert!(examples.len() > 26, "{examples:?}");
    for example in examples {
        // What it is for stands behind it.
        let line = example.split_once("  ").map_or(example, |(line, _)| line);
        command(line).unwrap_or_else(|why| panic!("{why}"));
    }
}

fn command(line: &str) -> Found {
    let words = words(line)?;
    // What a command says is put into another one's words: it is judged by itself.
    words.iter().filter_map(|word| Some(word.split_once("$(")?.1.rsplit_once(')')?.0)).try_for_each(command)?;
    let is_assignment =
        |word: &&String| word.split_once('=').is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'));
    let words: Vec<String> = words.iter().skip_while(|word| is_assignment(word) || *word == "sudo").cloned().collect();
    match words.first().map(String::as_str) {
        None => Ok(()),
        Some("strongroom") => strongroom_cli::understood(words).map_err(|error| format!("`{line}`: {error}")),
        Some(program) if PROGRAMS.contains(&program) => Ok(()),
        Some(program) => Err(format!("`{line}`: no document of ours has used `{program}` yet; see `PROGRAMS`")),
    }
}

/// The words of a command as a shell takes them apart, without what is redirected.
fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut quote, mut depth) = (Vec::new(), None, 0_usize);
    let mut word: Option<String> = None;
    for character in line.chars() {
        match (character, quote) {
            ('\'' | '"', None) if depth == 0 => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (_, Some(open)) if character == open => quote = None,
            (' ', None) if depth == 0 => words.extend(word.take()),
            _ => {
                let word = word.get_or_insert_default();
                match character {
                    '(' if word.ends_with('$') => depth += 1,
                    ')' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                word.push(character);
            }
        }
    }
    if quote.is_some() || depth > 0 {
        return Err(format!("`{line}`: a quotation mark or a `$(` is left open"));
    }
    words.extend(word);
    let redirected = words.iter().position(|word| word.starts_with(['<', '>']) || word.starts_with("2>"));
    words.truncate(redirected.unwrap_or(words.len()));
    Ok(words)
}

#[test]
fn each_block_of_the_documents_is_run_or_parsed() {
    let wrong: Vec<String> = blocks().iter().filter_map(|block| Some(format!("{}: {}", block.at, tried(block).err()?))).collect();

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_command_has_its_row_in_operations() {
    let page = std::fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let usages = strongroom_cli::help_texts();
    let commands = usages.lines().filter_map(|line| line.strip_prefix("Usage: ")).filter(|usage| !usage.contains("<COMMAND>"));
    let names =
        commands.map(|usage| usage.split_whitespace().take_while(|word| !word.starts_with(['[', '<'])).collect::<Vec<_>>().join(" "));

    let missing: Vec<String> = names.filter(|name| ![" ", "`"].iter().any(|end| page.contains(&format!("\n| `{name}{end}")))).collect();
    assert!(missing.is_empty(), "the table of commands in docs/operations.md lacks {missing:?}");
}

#[test]
fn the_changelog_has_the_version_and_what_is_not_released() {
    let page = std::fs::read_to_string(root().join("CHANGELOG.md")).unwrap();

    for heading in ["\n## [Unreleased]\n".to_owned(), format!("\n## [{}] - ", env!("CARGO_PKG_VERSION"))] {
        assert!(page.contains(&heading), "CHANGELOG.md lacks{heading}");
    }
}

#[test]
fn what_is_shown_alone_is_listed() {
    let listed: String = blocks()
        .iter()
        .filter_map(|block| Some(format!("{}: {}\n", block.at.rsplit_once(':')?.0, shown(block)?)))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();

    compare("shown.txt", &listed);
}

#[test]
fn a_block_that_is_wrong_is_found() {
    let cases = [
        ("toml manifest", "nam = \"x\"", "unknown key `nam`"),
        ("toml host", "[netwrok]", "unknown key `netwrok`"),
        ("toml rules", "[[rule]]\nid = 1", ""),
        ("toml", "a = 1", "nothing tries a block"),
        ("text shown: ", "", "nothing tries a block"),
        ("sh", "strongroom rnu agent.toml", "rnu"),
        ("sh", "echo x | strongroom secrets set NAME --backnd file", "--backnd"),
        ("sh", "KEY='a b' strongroom run agent.toml --no-such-thing", "--no-such-thing"),
        ("sh", "rm -rf /", "`rm`"),
        ("sh", "python3 api.py &\nstrongroom rnu agent.toml", "rnu"),
        ("sh", "strongroom run agent.toml --no-such-thing &", "--no-such-thing"),
        ("sh", "export ID=$(strongroom secrets lits) OTHER=1", "lits"),
        ("sh", "sudo strongroom rnu", "rnu"),
        ("sh", "echo 'x", "left open"),
        ("text paths", "tests/{suites,siutes}/  suites", "there is no `tests/siutes/`"),
        ("arrows", "a -> b", "ARCHITECTURE.md alone"),
        ("json", "{", "EOF"),
        ("rust", "fn main() {}", "tests/src/lib.rs lacks page.md"),
        ("toml file=Cargo.toml", "[no such table]\n", "Cargo.toml has not these lines"),
    ];
    for (fence, text, expected) in cases {
        let page = Page::read("page.md", &format!("```{fence}\n{text}\n```\n"));
        let finding = tried(&page.blocks[0]).expect_err(fence);
        assert!(finding.contains(expected), "{fence}: {finding}");
    }
}

#[test]
fn each_link_of_the_documents_leads_to_a_file_and_a_heading() {
    let pages = pages::all(root());
    let mut wrong = Vec::new();
    for page in &pages {
        for (line, link) in &page.links {
            if let Err(why) = leads(&pages, page, link) {
                wrong.push(format!("{}:{line}: {link}: {why}", page.path));
            }
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a link of a page leads somewhere in the repository; what lies outside is not asked for.
fn leads(pages: &[Page], page: &Page, link: &str) -> Found {
    if link.starts_with("https://") || link.starts_with("http://") {
        return Ok(());
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = if path.is_empty() { page.path.clone() } else { beside(&page.path, path) };
    if !root().join(&target).exists() {
        return Err("there is no such file".to_owned());
    }
    let Some(anchor) = anchor else { return Ok(()) };
    let there = pages.iter().find(|page| page.path == target).ok_or("it is no document")?;
    if there.anchors.iter().any(|known| known == anchor) { Ok(()) } else { Err(format!("{target} has no such heading")) }
}

/// A path that is relative to a page, from the root.
fn beside(page: &str, path: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.trim_end_matches('/').split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let pages = [Page::read("SECURITY.md", "# Top\n## The laws\n"), Page::read("docs/manifest.md", "# Here\n")];
    let cases = [
        ("#here", Ok(())),
        ("../SECURITY.md#the-laws", Ok(())),
        ("../Cargo.toml", Ok(())),
        ("https://example.com/x", Ok(())),
        ("#there", Err("docs/manifest.md has no such heading".to_owned())),
        ("../SECURITY.md#here", Err("SECURITY.md has no such heading".to_owned())),
        ("SECURITY.md", Err("there is no such file".to_owned())),
        ("../Cargo.toml#here", Err("it is no document".to_owned())),
    ];
    for (link, expected) in cases {
        assert_eq!(leads(&pages, &pages[1], link), expected, "{link}");
    }
}
