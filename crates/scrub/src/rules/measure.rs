//! How much a text looks as if it had been drawn at random, rather than made of words, names, paths and numbers.
//!
//! Two models give each text a probability: in one its characters are drawn evenly from the alphabet that it uses; in the other each one
//! follows from the one before as in ordinary names. What the first needs less than the second, in bits, is the text's *surplus*: random
//! keys of sixteen characters have 40, identifiers have less than none. Entropy can't tell `getAccountByIdentifier2` from a key; this does.
//!
//! The second model is a table of pairs (`ordinary.bin`, 5 KB), counted over the names in the sources of all crates that this workspace's
//! lock file names, each name once, but for what looks like a hash. `the_table_is_counted_anew`, an ignored test, makes it.

use std::sync::LazyLock;

/// Characters that the table tells apart: letters in either case, digits, signs, all others.
const SIGNS: &[u8; 8] = b"-_./+=:~";
const OTHER: usize = 62 + SIGNS.len();
const CLASSES: usize = OTHER + 1;
/// Parts of a bit that the table counts in.
const PART: i32 = 8;
/// What a character costs, given the one before: in parts of a bit.
static ORDINARY: &[u8; CLASSES * CLASSES] = include_bytes!("ordinary.bin");

/// The class of each byte.
const CLASS: [u8; 256] = {
    let mut classes = [OTHER as u8; 256];
    let mut at = 0;
    while at < 26 {
        classes[b'a' as usize + at] = at as u8;
        classes[b'A' as usize + at] = 26 + at as u8;
        at += 1;
    }
    at = 0;
    while at < 10 {
        classes[b'0' as usize + at] = 52 + at as u8;
        at += 1;
    }
    at = 0;
    while at < SIGNS.len() {
        classes[SIGNS[at] as usize] = 62 + at as u8;
        at += 1;
    }
    classes
};

/// What each class counts for, in lanes of 16 bits: small letters, capitals, digits, letters that are no digits of hexadecimal.
const COUNTS: [u64; CLASSES] = {
    let mut counts = [0; CLASSES];
    let mut class = 0;
    while class < 62 {
        let beyond_hex = class < 52 && class % 26 > 5;
        counts[class] = 1 << (16 * (class / 26)) | (beyond_hex as u64) << 48;
        class += 1;
    }
    counts
};

/// What 32 characters cost that are drawn evenly from an alphabet of so many, in parts of a bit.
static EVEN: LazyLock<[u32; 65]> =
    LazyLock::new(|| std::array::from_fn(|size| ((size.max(2) as f64).log2() * f64::from(32 * PART)).round() as u32));

/// What a text is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Make {
    pub(super) length: usize,
    pub(super) lower: usize,
    pub(super) upper: usize,
    pub(super) digits: usize,
    pub(super) signs: usize,
    /// Letters that are no digits of hexadecimal.
    pub(super) beyond_hex: usize,
    /// How many different bytes there are.
    pub(super) different: u32,
    /// Neighbours of which the second is the first or the next one.
    pub(super) steps: usize,
    /// What it looks more like random than ordinary by, in bits.
    pub(super) surplus: i32,
}

impl Make {
    /// Measures a text.
    #[inline]
    pub(super) fn of(text: &[u8]) -> Self {
        let (mut seen, mut cost, mut counts, mut steps) = (0u128, 0u32, 0u64, 0usize);
        // No branches: of a random text none is foreseen.
        let (mut before, mut last) = (OTHER, 0);
        for byte in text {
            let class = usize::from(CLASS[usize::from(*byte)]);
            cost += u32::from(ORDINARY[before * CLASSES + class]);
            before = class;
            counts += COUNTS[class];
            seen |= 1 << (byte & 127);
            // In either letter case.
            let folded = *byte | 0x20;
            steps += usize::from(folded.wrapping_sub(last) <= 1);
            last = folded;
        }
        let count = |lane: u32| (counts >> (16 * lane) & 0xffff) as usize;
        let (lower, upper, digits) = (count(0), count(1), count(2));
        let signs = text.len() - lower - upper - digits;
        let different = seen.count_ones();
        let mut make = Self { length: text.len(), lower, upper, digits, signs, beyond_hex: count(3), different, steps, surplus: 0 };
        let even = text.len() as i64 * i64::from(EVEN[make.alphabet()]) / 32;
        make.surplus = (i64::from(cost) - even) as i32 / PART;
        make
    }

    /// Whether it looks random by so many bits, of eight different characters or more that are no row.
    pub(super) fn is_drawn(self, bits: i32) -> bool {
        self.surplus >= bits && self.different >= 8 && self.steps * 5 <= self.length * 2
    }

    /// Of how many characters it is drawn.
    fn alphabet(self) -> usize {
        let letters = if self.beyond_hex == 0 && self.digits > 0 { 6 } else { 26 };
        let part = |count: usize, size: usize| if count > 0 { size } else { 0 };
        part(self.lower, letters) + part(self.upper, letters) + part(self.digits, 10) + part(self.signs, 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::path::{Path, PathBuf};

    /// The names in a text that are not made as hashes are.
    fn names(text: &[u8]) -> impl Iterator<Item = &[u8]> {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || SIGNS.contains(byte);
        let is_ordinary = |name: &&[u8]| {
            let turns = name.windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count();
            let is_hex = name.len() >= 12 && name.iter().all(u8::is_ascii_hexdigit);
            (4..64).contains(&name.len()) && turns < 5 && !is_hex && !name.iter().all(|byte| !byte.is_ascii_alphabetic())
        };
        text.split(move |byte| !is_part(byte)).filter(is_ordinary)
    }

    fn files(dir: &Path, out: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
            let path = entry.path();
            if path.is_dir() {
                files(&path, out);
            } else if path
                .extension()
                .is_some_and(|ending| ["rs", "md", "toml", "json", "html", "js", "ts"].iter().any(|known| ending == *known))
            {
                out.push(path);
            }
        }
    }

    /// The share of random texts and of ordinary names that have at least so many bits of surplus, as `docs/scrubbing.md` shows it.
    /// `SCRUB_SOURCES=DIRECTORY cargo test --release -p strongroom-scrub the_curve -- --ignored --nocapture`: sources that the table
    /// was not counted over.
    #[test]
    #[ignore = "reads sources"]
    fn the_curve() {
        const MARKS: [i32; 7] = [0, 8, 12, 18, 20, 28, 40];
        let mut numbers = crate::tests::Numbers(0x5eed_5eed);
        let mut random = |alphabet: &[u8], length: usize| -> Vec<u8> {
            (0..length).map(|_| alphabet[numbers.next() as usize % alphabet.len()]).collect()
        };
        let base64 = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
        let mut rows: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
        for (name, alphabet, length) in [
            ("hexadecimal, 32", &b"0123456789abcdef"[..], 32),
            ("small letters and digits, 20", b"abcdefghijklmnopqrstuvwxyz0123456789", 20),
            ("letters and digits, 16", &base64[..62], 16),
            ("letters and digits, 24", &base64[..62], 24),
            ("base64, 40", base64, 40),
        ] {
            rows.push((name.to_owned(), (0..20_000).map(|_| random(alphabet, length)).collect()));
        }
        let mut paths = Vec::new();
        files(Path::new(&std::env::var("SCRUB_SOURCES").expect("a directory of sources")), &mut paths);
        let mut seen: HashSet<Vec<u8>> = HashSet::new();
        for path in paths {
            let text = std::fs::read(path).unwrap_or_default();
            seen.extend(names(&text).filter(|name| name.len() >= 16).map(<[u8]>::to_vec));
        }
        rows.push((format!("{} names", seen.len()), seen.into_iter().collect()));
        for (name, texts) in &rows {
            let share = |mark: i32| texts.iter().filter(|text| Make::of(text).surplus >= mark).count() as f64 * 100.0 / texts.len() as f64;
            println!("| {name} | {} |", MARKS.map(|mark| format!("{:.2}", share(mark))).join(" | "));
        }
        let spent = || {
            let begun = std::time::Instant::now();
            rows[3].1.iter().for_each(|text| assert_ne!(std::hint::black_box(Make::of(text)).length, 0));
            begun.elapsed().as_nanos() / rows[3].1.len() as u128
        };
        println!("{} ns for 24 characters", (0..20).map(|_| spent()).min().expect("twenty"));
    }

    /// `SCRUB_SOURCES=~/.cargo/registry/src/… cargo test --release -p strongroom-scrub the_table -- --ignored`.
    #[test]
    #[ignore = "reads the sources of all crates"]
    fn the_table_is_counted_anew() {
        let mut paths = Vec::new();
        files(Path::new(&std::env::var("SCRUB_SOURCES").expect("the directory of the crates' sources")), &mut paths);
        paths.sort();
        let mut seen: HashSet<Vec<u8>> = HashSet::new();
        let mut counts = vec![[0u32; CLASSES]; CLASSES];
        for path in paths {
            let Ok(text) = std::fs::read(&path) else { continue };
            // Tables of numbers and minified code are no names.
            if text.len() > 1 << 20 {
                continue;
            }
            for name in names(&text) {
                if seen.insert(name.to_vec()) {
                    let mut before = OTHER;
                    for class in name.iter().map(|byte| usize::from(CLASS[usize::from(*byte)])) {
                        counts[before][class] += 1;
                        before = class;
                    }
                }
            }
        }
        let mut table = Vec::with_capacity(CLASSES * CLASSES);
        for row in &counts {
            // Half a count for what never came.
            let all: f64 = row.iter().map(|count| f64::from(*count) + 0.5).sum();
            table.extend(row.iter().map(|count| (-((f64::from(*count) + 0.5) / all).log2() * f64::from(PART)).round().min(96.0) as u8));
        }
        // What the table does not know says nothing.
        for class in 0..CLASSES {
            table[class * CLASSES + OTHER] = 6 * PART as u8;
        }
        println!("{} names", seen.len());
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rules/ordinary.bin"), table).expect("it is written");
    }
}
