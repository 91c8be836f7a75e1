//! The project's documents as a test reads them: fenced blocks, headings and links of Markdown (CommonMark, as GitHub renders it).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A document of the repository.
#[derive(Debug)]
pub struct Page {
    /// From the repository's root, as in `docs/manifest.md`.
    pub path: String,
    /// What stands between fences.
    pub blocks: Vec<Block>,
    /// What it links to, each with its line.
    pub links: Vec<(usize, String)>,
    /// What can be linked to in it.
    pub anchors: Vec<String>,
}

/// A fenced block.
#[derive(Debug)]
pub struct Block {
    /// Its page and line, as in `docs/manifest.md:12`.
    pub at: String,
    /// The first word after the fence.
    pub language: String,
    /// What follows it.
    pub how: String,
    /// The lines between the fences.
    pub text: String,
}

/// All documents: those at the root, in `docs`, and beside examples, crates, tests and WIT, in the order of their paths.
///
/// # Panics
/// Where one can't be read.
#[must_use]
pub fn all(root: &Path) -> Vec<Page> {
    let mut files: Vec<PathBuf> = Vec::new();
    for (directory, is_deep) in [("", false), ("docs", true), ("examples", true), ("crates", true), ("tests", true), ("wit", true)] {
        gather(&root.join(directory), is_deep, &mut files);
    }
    files.sort();
    files
        .iter()
        .map(|file| {
            let path = file.strip_prefix(root).expect("a file of the tree").display().to_string();
            Page::read(&path, &std::fs::read_to_string(file).expect("a document"))
        })
        .collect()
}

fn gather(directory: &Path, is_deep: bool, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            // What somebody has installed in an example's directory has documents of its own.
            if is_deep && !path.ends_with("node_modules") && !path.ends_with("venv") {
                gather(&path, is_deep, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
}

impl Page {
    /// Reads a document.
    ///
    /// # Panics
    /// Where a fence is left open.
    #[must_use]
    pub fn read(path: &str, text: &str) -> Self {
        let mut page = Self { path: path.to_owned(), blocks: Vec::new(), links: Vec::new(), anchors: Vec::new() };
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        let mut lines = text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let indent = line.len() - line.trim_start().len();
            if let Some(info) = line.trim_start().strip_prefix("```") {
                let (language, how) = info.trim().split_once(' ').unwrap_or((info.trim(), ""));
                let within: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```").collect();
                assert!(number + within.len() + 1 < text.lines().count(), "{path}:{}: the fence is left open", number + 1);
                let text = within.iter().map(|line| format!("{}\n", line.get(indent..).unwrap_or_default())).collect();
                let at = format!("{path}:{}", number + 1);
                page.blocks.push(Block { at, language: language.to_owned(), how: how.trim().to_owned(), text });
                continue;
            }
            if line.starts_with('#') && line.trim_start_matches('#').starts_with(' ') {
                let anchor = anchor(line.trim_start_matches('#').trim());
                let before = times.entry(anchor.clone()).or_default();
                page.anchors.push(if *before == 0 { anchor } else { format!("{anchor}-{before}") });
                *before += 1;
            }
            page.links.extend(links(line).into_iter().map(|link| (number + 1, link)));
        }
        page
    }
}

/// What GitHub makes of a heading: small letters, blanks as `-`, and nothing but letters, digits, `-` and `_`.
fn anchor(heading: &str) -> String {
    let text = without_links(heading);
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// A heading's text, with the words of its links alone.
fn without_links(heading: &str) -> String {
    let mut text = String::new();
    let mut rest = heading;
    while let Some((before, after)) = rest.split_once("](") {
        text.push_str(&before.replacen('[', "", 1));
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    text + rest
}

/// The targets of the inline links of a line; what stands in code is none.
fn links(line: &str) -> Vec<String> {
    let prose: String = line.split('`').enumerate().map(|(part, text)| if part % 2 == 0 { text } else { "" }).collect();
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned());
    targets.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gives_its_blocks_links_and_anchors() {
        let text = "# A `page`, [linked](x.md)\n\nSee [there](b.md#c) and `[not](this.md)`.\n\n1. A step:\n   ```toml manifest\n   a = 1\n     b = 2\n   ```\n\n# Twice\n# Twice\n";
        let page = Page::read("a.md", text);

        assert_eq!(page.anchors, ["a-page-linked", "twice", "twice-1"]);
        assert_eq!(page.links, [(1, "x.md".to_owned()), (3, "b.md#c".to_owned())]);
        assert_eq!(page.blocks.len(), 1);
        let Block { at, language, how, text } = &page.blocks[0];
        assert_eq!((at.as_str(), language.as_str(), how.as_str(), text.as_str()), ("a.md:6", "toml", "manifest", "a = 1\n  b = 2\n"));
    }

    #[test]
    #[should_panic(expected = "a.md:2: the fence is left open")]
    fn a_fence_that_is_left_open_is_found() {
        let _ = Page::read("a.md", "text\n```sh\nstrongroom rules\n");
    }
}
