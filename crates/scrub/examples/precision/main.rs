//! How often the host's own rules find something in what agents read: `SCRUB_CACHE=DIRECTORY cargo run -p strongroom-scrub --release
//! --example precision`.
//!
//! Fetches the packages of `tests/facts/packages.tsv` with `curl`, checks their hashes, and unpacks them with `tar`. Beside them it searches
//! what the registry says of some, the difference of two versions, and what `made` writes. Each finding is compared with its label in
//! `tests/facts/precision.tsv`: rule, package, file, line, and whether it is a secret. No value is printed, but around each finding that
//! has no label under `SCRUB_SHOW=1`, for whoever reads it to label it.

mod made;

use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use strongroom_scrub::{Rules, Scrubber, Search};

/// Most findings in a megabyte.
const MOST: f64 = 1.0;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Where something is found: rule, package, file, line.
type Place = (String, String, String, usize);

/// A text, and where it comes from.
struct Text {
    package: String,
    file: String,
    text: Vec<u8>,
}

/// What the rules find in one kind of text, or by one rule.
#[derive(Default)]
struct Count {
    bytes: usize,
    right: usize,
    wrong: usize,
    unread: usize,
}

impl Count {
    fn all(&self) -> usize {
        self.right + self.wrong + self.unread
    }
}

fn main() -> Outcome<()> {
    let facts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/facts");
    let cache =
        PathBuf::from(std::env::var_os("SCRUB_CACHE").ok_or("SCRUB_CACHE names no directory; set it to one that may grow by 200 MB")?);
    std::fs::create_dir_all(&cache)?;
    let texts = texts(&std::fs::read_to_string(facts.join("packages.tsv"))?, &cache)?;
    let mut labels = labels(&std::fs::read_to_string(facts.join("precision.tsv"))?)?;
    let scrubber = Scrubber::new(Arc::new(Search::new(Vec::new(), Some(Rules::standard()))), Vec::new());
    let (mut rules, mut kinds, mut seen) = (BTreeMap::<_, Count>::new(), BTreeMap::<_, Count>::new(), BTreeSet::new());
    for Text { package, file, text } in &texts {
        let kind = kinds.entry(kind(package, file)).or_default();
        kind.bytes += text.len();
        for (rule, at) in scrubber.find(text) {
            let line = 1 + text[..at.start].iter().filter(|byte| **byte == b'\n').count();
            let place = (rule.clone(), package.clone(), file.clone(), line);
            let label = labels.get(&place).copied();
            if label.is_none() {
                let around = &text[at.start.saturating_sub(60)..text.len().min(at.end + 20)];
                let shown = std::env::var_os("SCRUB_SHOW").map(|_| around.escape_ascii().to_string()).unwrap_or_default();
                println!("not labelled: {rule}\t{package}\t{file}\t{line}\t{shown}");
            }
            seen.insert(place);
            for count in [&mut *kind, rules.entry(rule).or_default()] {
                match label {
                    Some(true) => count.right += 1,
                    Some(false) => count.wrong += 1,
                    None => count.unread += 1,
                }
            }
        }
    }
    labels.retain(|place, _| !seen.contains(place));
    for (rule, package, file, line) in labels.keys() {
        println!("labelled, not found: {rule}\t{package}\t{file}\t{line}");
    }
    print!("{}", table("rule", &rules));
    print!("{}", table("kind of text", &kinds));
    let bytes: usize = texts.iter().map(|text| text.text.len()).sum();
    let count = |of: fn(&Count) -> usize| rules.values().map(of).sum::<usize>();
    let rate = |count: usize| count as f64 / (bytes as f64 / 1e6);
    let (all, wrong, unread) = (count(Count::all), count(|count| count.wrong), count(|count| count.unread));
    println!("{all} findings in {:.1} MB: {:.2} a megabyte; {:.2} that are no secrets", bytes as f64 / 1e6, rate(all), rate(wrong));
    if rate(all) > MOST || unread > 0 {
        return Err(format!("more than {MOST} a megabyte, or {unread} without a label").into());
    }
    Ok(())
}

fn table<K: std::fmt::Display>(head: &str, counts: &BTreeMap<K, Count>) -> String {
    let mut out = format!("\n| {head} | MB | findings | secrets | none | not labelled |\n| --- | --- | --- | --- | --- | --- |\n");
    for (name, count) in counts {
        let megabytes = if count.bytes > 0 { format!("{:.2}", count.bytes as f64 / 1e6) } else { String::new() };
        let _ = writeln!(out, "| {name} | {megabytes} | {} | {} | {} | {} |", count.all(), count.right, count.wrong, count.unread);
    }
    out + "\n"
}

/// What kind of text a file is.
fn kind(package: &str, file: &str) -> String {
    if let Some(made) = package.strip_prefix("made:") {
        return made.to_owned();
    }
    let name = file.rsplit('/').next().unwrap_or(file);
    let kind = match name.rsplit('.').next().unwrap_or(name) {
        _ if package.starts_with("npm view") => "`npm view --json`",
        _ if package.starts_with("diff") => "diffs",
        _ if name.contains(".min.") => "minified scripts",
        _ if name.ends_with(".d.ts") || name.ends_with(".d.cts") || name.ends_with(".d.mts") => "declarations of types",
        "map" => "source maps",
        "js" | "mjs" | "cjs" | "ts" | "jsx" | "tsx" => "scripts",
        "json" => "JSON",
        "py" | "pyi" | "ipynb" => "Python, notebooks",
        "md" | "rst" | "txt" | "html" => "prose",
        "yml" | "yaml" | "toml" | "cfg" | "ini" | "lock" => "configuration",
        _ => "other files",
    };
    kind.to_owned()
}

fn labels(text: &str) -> Outcome<BTreeMap<Place, bool>> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let label = |line: &str| {
        let [rule, package, file, line, label] = line.split('\t').collect::<Vec<_>>()[..] else { return None };
        Some(((rule.to_owned(), package.to_owned(), file.to_owned(), line.parse().ok()?), label == "true"))
    };
    lines.map(|line| label(line).ok_or_else(|| format!("precision.tsv: `{line}` is no label").into())).collect()
}

/// All texts, in an order of their own.
fn texts(list: &str, cache: &Path) -> Outcome<Vec<Text>> {
    let mut texts = Vec::new();
    for line in list.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let fields: Vec<_> = line.split('\t').collect();
        let ([registry, name, version, url, hash], only) = match fields[..] {
            [registry, name, version, url, hash] => ([registry, name, version, url, hash], None),
            [registry, name, version, url, hash, only] => ([registry, name, version, url, hash], Some(only)),
            _ => return Err(format!("packages.tsv: `{line}` is no package").into()),
        };
        let package = format!("{registry} {name}@{version}");
        let into = cache.join(package.replace(['/', ' '], "+"));
        match registry {
            // The registry adds to what it says of a package, so that has no hash.
            "npm view" => {
                fetch(url, &into)?;
                texts.push(Text { package, file: "view.json".to_owned(), text: std::fs::read(&into)? });
            }
            "diff" => texts.push(Text { text: diff(cache, name, version)?, package, file: "diff".to_owned() }),
            _ => {
                let archive = cache.join(format!("{}.tgz", package.replace(['/', ' '], "+")));
                fetch(url, &archive)?;
                let found: String = Sha256::digest(std::fs::read(&archive)?).iter().map(|byte| format!("{byte:02x}")).collect();
                if found != hash {
                    return Err(format!(
                        "{}: its SHA-256 is {found}, and {hash} is expected; delete it to fetch it again",
                        archive.display()
                    )
                    .into());
                }
                unpack(&archive, &into)?;
                match only {
                    Some(file) => texts.push(Text { text: std::fs::read(into.join(file))?, package, file: file.to_owned() }),
                    None => read(&package, &into, &into, &mut texts)?,
                }
            }
        }
    }
    texts.sort_by(|one, other| (&one.package, &one.file).cmp(&(&other.package, &other.file)));
    let of_packages: Vec<&[u8]> = texts.iter().map(|text| text.text.as_slice()).collect();
    let made = made::all(&of_packages);
    texts.extend(made.into_iter().map(|(kind, text)| Text { package: format!("made:{kind}"), file: kind.to_owned(), text: text.into() }));
    Ok(texts)
}

fn run(command: &mut Command) -> Outcome<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

fn fetch(url: &str, into: &Path) -> Outcome<()> {
    if into.exists() {
        return Ok(());
    }
    run(Command::new("curl").args(["--silent", "--show-error", "--fail", "--location", "--output"]).arg(into).arg(url))
}

fn unpack(archive: &Path, into: &Path) -> Outcome<()> {
    if into.exists() {
        return Ok(());
    }
    let part = into.with_added_extension("part");
    let _ = std::fs::remove_dir_all(&part);
    std::fs::create_dir_all(&part)?;
    run(Command::new("tar").args(["--strip-components=1", "--no-same-owner", "-xzf"]).arg(archive).arg("-C").arg(&part))?;
    Ok(std::fs::rename(part, into)?)
}

/// What two versions of a package differ by. `diff` says by 1 that they do.
fn diff(cache: &Path, name: &str, versions: &str) -> Outcome<Vec<u8>> {
    let (old, new) = versions.split_once("..").ok_or("a diff has two versions")?;
    let at = |version: &str| format!("npm+{}@{version}", name.replace('/', "+"));
    let output = Command::new("diff").args(["-ruN", &at(old), &at(new)]).current_dir(cache).output()?;
    if output.status.code() == Some(1) { Ok(output.stdout) } else { Err(format!("diff of {name} {versions}: {}", output.status).into()) }
}

/// Reads all files of a directory that are text.
fn read(package: &str, root: &Path, directory: &Path, texts: &mut Vec<Text>) -> Outcome<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            read(package, root, &path, texts)?;
        } else if kind.is_file() {
            let text = std::fs::read(&path)?;
            if !text.contains(&0) {
                let file = path.strip_prefix(root)?.to_string_lossy().into_owned();
                texts.push(Text { package: package.to_owned(), file, text });
            }
        }
    }
    Ok(())
}
