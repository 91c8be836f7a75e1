//! Which rooms of the host use which, whatever crate they lie in, read from the sources: `use` lines and paths written out, in functions and in macros, through aliases
//! and re-exports. Tests are left out.

use proc_macro2::{Delimiter, Ident, Punct, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// For each room, the rooms that it uses, each with a file that does.
pub type Arrows = BTreeMap<String, BTreeMap<String, String>>;

/// The crates with the host's rooms: where each lies, its name in paths, and the room that it is as a whole, if it is one.
const CRATES: [(&str, &str, &str); 5] = [
    ("crates/ground", "strongroom_ground", ""),
    ("crates/scrub", "strongroom_scrub", "scrub"),
    ("crates/ethereum", "strongroom_ethereum", "ethereum"),
    ("crates/core", "strongroom_core", ""),
    ("host", "strongroom", ""),
];

/// Reads the sources of all crates with rooms below the workspace's directory.
///
/// # Panics
/// Where a source can't be read, or holds a path that can't be followed.
#[must_use]
pub fn of_workspace(workspace: &Path) -> Arrows {
    let mut files = Vec::new();
    for (place, _, room) in CRATES {
        let root = workspace.join(place).join("src");
        let mut own = Vec::new();
        collect(&root, &root, &mut own);
        let named = |file: String| if room.is_empty() { file } else { format!("{room}/{file}") };
        files.extend(own.into_iter().map(|(file, text)| (named(file), text)));
    }
    of_sources(&files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect::<Vec<_>>())
}

fn collect(root: &Path, dir: &Path, files: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") && path != root.join("main.rs") {
            let name = path.strip_prefix(root).expect("below it").to_str().expect("UTF-8").to_owned();
            files.push((name, std::fs::read_to_string(&path).expect("a source")));
        }
    }
}

/// The same of sources by their paths from `lib.rs` on, or from the room that a crate is.
///
/// # Panics
/// As [`of_workspace`].
#[must_use]
pub fn of_sources(files: &[(&str, &str)]) -> Arrows {
    let modules: Vec<Module> = files.iter().map(|(file, text)| Module::read(file, text)).collect();
    let tests: BTreeSet<&[String]> = modules.iter().flat_map(|module| module.tests.iter().map(Vec::as_slice)).collect();
    let is_test = |at: &[String]| (1..=at.len()).any(|end| tests.contains(&at[..end]));
    let modules: Vec<&Module> = modules.iter().filter(|module| !is_test(&module.at)).collect();
    let rooms: BTreeSet<&str> = modules.iter().filter_map(|module| module.at.first()).map(String::as_str).collect();
    // What a room, or the crate, names anew: by the module that does and the name.
    let exported: BTreeMap<(&[String], &str), &[String]> = modules
        .iter()
        .flat_map(|module| module.exports.iter().map(|(name, path)| ((module.at.as_slice(), name.as_str()), path.as_slice())))
        .collect();
    let mut arrows = Arrows::new();
    for room in &rooms {
        arrows.entry((*room).to_owned()).or_default();
    }
    for module in modules {
        let Some(room) = module.at.first() else { continue };
        for path in &module.paths {
            let mut target = path.as_slice();
            // A path through a re-export is an arrow to both.
            for _ in 0..8 {
                let Some(first) = target.first() else { break };
                if rooms.contains(first.as_str()) && first != room {
                    arrows.entry(room.clone()).or_default().entry(first.clone()).or_insert_with(|| module.file.clone());
                }
                let at_root = exported.get(&(&[][..], first.as_str()));
                let in_room = target.get(1).and_then(|name| exported.get(&(&target[..1], name.as_str())));
                match in_room.or(at_root) {
                    Some(further) => target = further,
                    None if rooms.contains(first.as_str()) => break,
                    None => panic!("{}: `crate::{}` leads to no room", module.file, path.join("::")),
                }
            }
        }
    }
    arrows
}

/// What one file says.
struct Module {
    file: String,
    /// Its place in the crate.
    at: Vec<String>,
    /// The paths within the crate that stand in it, from the root on.
    paths: Vec<Vec<String>>,
    /// What it names anew for others.
    exports: Vec<(String, Vec<String>)>,
    /// Modules that are compiled for tests alone.
    tests: Vec<Vec<String>>,
    /// Names of crates, with the place that each stands for.
    aliases: Vec<(String, Vec<String>)>,
}

impl Module {
    fn read(file: &str, text: &str) -> Self {
        let mut at: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if at.last().is_some_and(|last| last == "mod" || last == "lib") {
            at.pop();
        }
        let place = |room: &str| if room.is_empty() { Vec::new() } else { vec![room.to_owned()] };
        let whole = CRATES.iter().map(|(_, _, room)| *room).find(|room| !room.is_empty() && at.first().is_some_and(|first| first == room));
        let aliases = CRATES.iter().map(|(_, name, room)| ((*name).to_owned(), place(room)));
        let aliases = aliases.chain([("crate".to_owned(), place(whole.unwrap_or_default()))]).collect();
        let mut module = Self { file: file.to_owned(), at, paths: Vec::new(), exports: Vec::new(), tests: Vec::new(), aliases };
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{file}: {error}"));
        let place = module.at.clone();
        module.walk(&tokens.into_iter().collect::<Vec<_>>(), &place);
        module
    }

    fn walk(&mut self, tokens: &[TokenTree], at: &[String]) {
        let mut next = 0;
        while next < tokens.len() {
            if let Some(end) = self.skipped(&tokens[next..], at) {
                next += end;
                continue;
            }
            match &tokens[next] {
                TokenTree::Ident(word) if word == "mod" => {
                    if let [TokenTree::Ident(name), TokenTree::Group(body), ..] = &tokens[next + 1..] {
                        let inner: Vec<String> = at.iter().cloned().chain([name.to_string()]).collect();
                        self.walk(&body.stream().into_iter().collect::<Vec<_>>(), &inner);
                        next += 3;
                        continue;
                    }
                }
                TokenTree::Ident(word) if word == "use" => {
                    let end = tokens[next..].iter().position(|token| is(token, ';')).map_or(tokens.len(), |end| next + end);
                    let exports = next > 0 && is_visible(&tokens[..next]) && at == self.at;
                    self.used(&tokens[next + 1..end], at, &[], exports);
                    next = end;
                    continue;
                }
                TokenTree::Ident(word) if self.begins(word) && !(next > 1 && is(&tokens[next - 1], ':')) => {
                    self.path(&tokens[next..], at);
                }
                TokenTree::Group(group) => self.walk(&group.stream().into_iter().collect::<Vec<_>>(), at),
                _ => {}
            }
            next += 1;
        }
    }

    /// How many tokens an item has that is for tests alone.
    fn skipped(&mut self, tokens: &[TokenTree], at: &[String]) -> Option<usize> {
        let [TokenTree::Punct(hash), TokenTree::Group(attribute), ..] = tokens else { return None };
        let text = attribute.stream().to_string().replace(' ', "");
        if hash.as_char() != '#' || !matches!(text.as_str(), "cfg(test)" | "cfg(any(test,fuzzing))") {
            return None;
        }
        let is_end = |token: &TokenTree| is(token, ';') || matches!(token, TokenTree::Group(body) if body.delimiter() == Delimiter::Brace);
        let end = tokens[2..].iter().position(is_end).map_or(tokens.len(), |end| end + 3);
        if let Some(name) = tokens[2..end].windows(2).find_map(|pair| match pair {
            [TokenTree::Ident(word), TokenTree::Ident(name)] if word == "mod" => Some(name.to_string()),
            _ => None,
        }) {
            self.tests.push(at.iter().cloned().chain([name]).collect());
        }
        // `use a::{b, c};` ends behind its braces.
        Some(if tokens.get(end).is_some_and(|token| is(token, ';')) { end + 1 } else { end })
    }

    fn begins(&self, word: &Ident) -> bool {
        word == "super" || self.aliases.iter().any(|(alias, _)| word == alias)
    }

    /// A path that is written out.
    fn path(&mut self, tokens: &[TokenTree], at: &[String]) {
        let mut words = Vec::new();
        let mut rest = tokens;
        while let [TokenTree::Ident(word), more @ ..] = rest {
            words.push(word.to_string());
            match more {
                [TokenTree::Punct(one), TokenTree::Punct(two), further @ ..] if is_path(one, two) => rest = further,
                _ => break,
            }
        }
        if words.len() > 1 {
            self.keep(&words, at);
        }
    }

    /// The paths of a `use`, from a common beginning on.
    fn used(&mut self, tokens: &[TokenTree], at: &[String], before: &[String], exports: bool) {
        for item in tokens.split(|token| is(token, ',')) {
            let mut words = before.to_vec();
            let mut alias = None;
            let mut rest = item;
            loop {
                rest = match rest {
                    [TokenTree::Ident(word), TokenTree::Ident(name), ..] if word == "as" => {
                        alias = Some(name.to_string());
                        break;
                    }
                    [TokenTree::Ident(word), more @ ..] => {
                        words.push(word.to_string());
                        more
                    }
                    [TokenTree::Punct(one), TokenTree::Punct(two), more @ ..] if is_path(one, two) => more,
                    [TokenTree::Group(group), ..] => {
                        self.used(&group.stream().into_iter().collect::<Vec<_>>(), at, &words, exports);
                        words.clear();
                        break;
                    }
                    [TokenTree::Punct(star), ..] if star.as_char() == '*' => {
                        assert!(!exports || !self.is_of_crate(&words), "{}: a glob hides what it exports", self.file);
                        break;
                    }
                    _ => break,
                }
            }
            if words.last().is_some_and(|last| last == "self") {
                words.pop();
            }
            let Some(last) = words.last().cloned() else { continue };
            if let (true, Some(alias)) = (words.len() == 1 && last == "crate", &alias) {
                let own = self.place_of("crate").unwrap_or_default();
                self.aliases.push((alias.clone(), own));
            }
            let is_own = !self.is_of_crate(&words);
            let path = if is_own && exports { Some(at.iter().cloned().chain(words).collect()) } else { self.keep(&words, at) };
            if let (true, Some(path)) = (exports, path) {
                self.exports.push((alias.unwrap_or(last), path));
            }
        }
    }

    fn is_of_crate(&self, words: &[String]) -> bool {
        words.first().is_some_and(|first| first == "super" || self.place_of(first).is_some())
    }

    /// The place that the name of a crate stands for.
    fn place_of(&self, name: &str) -> Option<Vec<String>> {
        self.aliases.iter().find(|(alias, _)| alias == name).map(|(_, place)| place.clone())
    }

    /// Keeps a path, made absolute, if it is one of the crate.
    fn keep(&mut self, words: &[String], at: &[String]) -> Option<Vec<String>> {
        if !self.is_of_crate(words) {
            return None;
        }
        let supers = words.iter().take_while(|word| *word == "super").count();
        let base = if supers == 0 { self.place_of(&words[0])? } else { at[..at.len().checked_sub(supers)?].to_vec() };
        let path: Vec<String> = base.iter().chain(&words[supers.max(1)..]).cloned().collect();
        if !path.is_empty() {
            self.paths.push(path.clone());
        }
        Some(path)
    }
}

fn is(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

fn is_path(one: &Punct, two: &Punct) -> bool {
    one.as_char() == ':' && two.as_char() == ':'
}

/// Whether `pub`, or `pub(…)`, stands at the end.
fn is_visible(before: &[TokenTree]) -> bool {
    match before {
        [.., TokenTree::Ident(word)] => word == "pub",
        [.., TokenTree::Ident(word), TokenTree::Group(group)] => word == "pub" && group.delimiter() == Delimiter::Parenthesis,
        _ => false,
    }
}
