//! Recovery phrases (BIP-39) in every language of the standard, told by their checksum, in the layouts that people have: in a line, a word
//! a line, numbered, in capitals, with commas, hyphens or quotation marks between, wrapped, as a JSON array.
//!
//! Between two words stands the same each time, but for blanks, numbers and one line break. A row of words in the order of
//! the list is a part of the list, and no phrase.

use bip39::Language;
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::sync::OnceLock;
use unicode_normalization::UnicodeNormalization;

/// Most bytes of a phrase, with what stands between its words.
pub(in super::super) const LIMIT: usize = 1024;
/// Words of a row that are looked at together.
const ROW: usize = 200;
/// Most words of a phrase.
const MOST: usize = 24;
/// How many words a phrase has, the longest first.
const COUNTS: [usize; 5] = [24, 21, 18, 15, 12];
/// Most bytes of a word, each letter of which may be two characters.
const WORD: usize = 36;
/// Most bytes between two words: of sixteen bytes of a phrase, one belongs to a word.
const BETWEEN: usize = 15;
/// What is looked at of the bytes behind a phrase.
const BEHIND: usize = BETWEEN + WORD;
const LANGUAGES: &[Language] = Language::ALL;

/// A word in a text.
#[derive(Clone)]
struct Word {
    at: Range<usize>,
    /// What its lists know of it.
    known: &'static [Known],
    /// What stands before it, without blanks and numbers.
    joint: u64,
}

/// A word's place in the list of a language.
#[derive(Clone, Copy)]
struct Known {
    language: u8,
    index: u16,
}

/// Whether a word of a list may begin at `at`, where some word does.
#[inline]
pub(super) fn may_begin(text: &[u8], at: usize) -> bool {
    let (key, length) = letters(&text[at..]);
    let goes_on = || text.get(at + length).is_some_and(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii());
    Words::get().may_hold(hash(key)) || at > 0 && text[at - 1] == b'\\' || goes_on()
}

/// Phrases that begin in `starts`, in the row of words around `at`. Returns where the row ends: it need not be looked at again before.
pub(super) fn find(text: &[u8], at: usize, starts: &Range<usize>, found: impl FnMut(Range<usize>)) -> usize {
    let Some(word) = word_near(text, at).filter(|word| is_in_row(text, word)) else { return at };
    // Back to the first word of the row that may be a beginning.
    let (mut first, mut count) = (word.clone(), 1);
    while count < MOST
        && let Some(word) = before(text, first.at.start).filter(|word| word.at.start >= starts.start)
    {
        (first, count) = (word, count + 1);
    }
    let mut last = word.at.end;
    while count < COUNTS[COUNTS.len() - 1] {
        let Some(word) = next(text, last) else { return last };
        (last, count) = (word.at.end, count + 1);
    }
    row(text, first, starts, found)
}

/// Whether so many words as the shortest phrase has stand around a word, it among them, with the same between all of them.
fn is_in_row(text: &[u8], word: &Word) -> bool {
    const OTHERS: usize = COUNTS[COUNTS.len() - 1] - 1;
    let (mut ahead, mut end, mut joint) = (0, word.at.end, None);
    while ahead < OTHERS
        && let Some(next) = next(text, end)
        && *joint.get_or_insert(next.joint) == next.joint
    {
        (ahead, end) = (ahead + 1, next.at.end);
    }
    let (mut back, mut start, mut joint_back) = (0, word.at.start, None);
    while back < OTHERS
        && let Some(word) = before(text, start)
        && let between = self::joint(text, word.at.end..start)
        && *joint_back.get_or_insert(between) == between
    {
        (back, start) = (back + 1, word.at.start);
    }
    let is_one = joint.is_some() && joint_back == Some(joint);
    ahead.max(back) >= OTHERS || is_one && ahead + back >= OTHERS
}

/// Phrases in the row of words that begins with `first`. Returns where it ends.
#[cold]
fn row(text: &[u8], first: Word, starts: &Range<usize>, mut found: impl FnMut(Range<usize>)) -> usize {
    let (before, begins) = (before(text, first.at.start), first.at.start);
    let mut words = vec![first];
    while words.len() < ROW
        && let Some(word) = next(text, words[words.len() - 1].at.end)
    {
        words.push(word);
    }
    // What stands before the first word, as between the others: the row need not have been looked at from its beginning.
    let begins_row = before.is_none_or(|word| words.get(1).is_none_or(|next| joint(text, word.at.end..begins) != Some(next.joint)));
    // Of the last words not all that follows is known, where the row was cut.
    let whole = if words.len() < ROW { words.len() } else { ROW - MOST - 1 };
    for start in (0..whole).filter(|start| starts.contains(&words[*start].at.start)) {
        let is_alone = |count: usize| {
            let begins = if start == 0 { begins_row } else { words.get(start + 1).is_some_and(|next| next.joint != words[start].joint) };
            begins && words.get(start + count).is_none_or(|next| next.joint != words[start + count - 1].joint)
        };
        let fits = |count: &usize| words.get(start..start + count).is_some_and(|words| is_phrase(words, is_alone(*count)));
        if let Some(count) = COUNTS.into_iter().find(fits) {
            found(words[start].at.start..words[start + count - 1].at.end);
        }
    }
    words[whole - 1].at.end
}

/// Whether words are a phrase of some language: what stands between them is alike, and the last bits are the first of the SHA-256 of
/// the others. Characters of Chinese are all that there is of a language, so of these a phrase stands alone.
fn is_phrase(words: &[Word], is_alone: bool) -> bool {
    let [first, second, ..] = words else { return false };
    let length = words[words.len() - 1].at.end - first.at.start;
    if length > LIMIT - BEHIND || words[2..].iter().any(|word| word.joint != second.joint) {
        return false;
    }
    // One word over and over fills a text.
    if words[1..].iter().all(|word| std::ptr::eq(word.known, first.known)) {
        return false;
    }
    first.known.iter().any(|known| {
        let index = |word: &Word| word.known.iter().find(|other| other.language == known.language).map(|known| known.index);
        let indices: Option<Vec<u16>> = words.iter().map(index).collect();
        let is_chinese = || matches!(LANGUAGES[usize::from(known.language)], Language::SimplifiedChinese | Language::TraditionalChinese);
        (is_alone || !is_chinese()) && indices.is_some_and(|indices| !indices.is_sorted_by(|one, next| one < next) && is_checked(&indices))
    })
}

/// Whether the last bits of a phrase are the first of the SHA-256 of the others.
fn is_checked(indices: &[u16]) -> bool {
    let bits = indices.len() * 11;
    let (entropy, sum) = (bits * 32 / 33, bits / 33);
    let bit = |at: usize| u8::from(indices[at / 11] >> (10 - at % 11) & 1 != 0);
    let mut bytes = [0u8; 32];
    for at in 0..entropy {
        bytes[at / 8] |= bit(at) << (7 - at % 8);
    }
    let digest = Sha256::digest(&bytes[..entropy / 8]);
    (0..sum).all(|at| digest[0] >> (7 - at) & 1 == bit(entropy + at))
}

/// The word that stands at `at`, or the first one behind it.
#[inline]
fn word_near(text: &[u8], at: usize) -> Option<Word> {
    let mut start = at;
    while at - start < WORD && start > 0 && is_letter(text, start) && is_letter(text, start - 1) {
        start -= 1;
    }
    if !is_letter(text, start) || is_escape(text, start) {
        start += 1;
        start += text[start..].iter().take(BETWEEN).take_while(|byte| byte.is_ascii() && !byte.is_ascii_alphabetic()).count();
        while start < text.len() && start <= at + BETWEEN + 1 && (!is_letter(text, start) || is_escape(text, start)) {
            start += 1;
        }
    }
    word_at(text, start, 0)
}

/// The word before one that begins at `at`.
fn before(text: &[u8], at: usize) -> Option<Word> {
    let mut end = at;
    while end > 0 && at - end <= BETWEEN && (!is_letter(text, end - 1) || is_escape(text, end - 1)) {
        end -= 1;
    }
    let mut start = end;
    while start > 0 && end - start < WORD && is_letter(text, start - 1) && !is_escape(text, start - 1) {
        start -= 1;
    }
    joint(text, end..at)?;
    word_at(text, start, 0).filter(|word| word.at.end == end)
}

/// The word behind one that ends at `at`.
fn next(text: &[u8], at: usize) -> Option<Word> {
    let mut start = at;
    while start < text.len() && start - at <= BETWEEN && (!is_letter(text, start) || is_escape(text, start)) {
        start += 1;
    }
    let joint = joint(text, at..start)?;
    word_at(text, start, joint)
}

/// What stands between two words, without blanks and numbers; `None` where it is nothing, too much, or separates.
fn joint(text: &[u8], range: Range<usize>) -> Option<u64> {
    if range.is_empty() || range.len() > BETWEEN {
        return None;
    }
    let mut rest = &text[range];
    let (mut signs, mut lines) = (0u64, 0);
    while let Some(first) = rest.first() {
        let mut length = 1;
        match (first, rest.get(1)) {
            (b' ' | b'\t', _) => {}
            (b'\r', Some(b'\n')) | (b'\\', Some(b'n')) => (length, lines) = (2, lines + 1),
            (b'\\', Some(b't' | b'r')) => length = 2,
            (b'\\', Some(b'"')) => {}
            (b'\n' | b'\r', _) => lines += 1,
            (b'0'..=b'9', _) => {
                length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                if length > 2 {
                    return None;
                }
                signs = signs << 8 | u64::from(b'0');
            }
            (b',' | b'"' | b'\'' | b'.' | b')' | b'-', _) => signs = signs << 8 | u64::from(*first),
            _ => {
                let sign;
                (length, sign) = wide(rest)?;
                if let Some(sign) = sign {
                    signs = signs << 16 | u64::from(sign);
                }
            }
        }
        rest = &rest[length..];
    }
    (lines <= 1).then_some(signs)
}

/// The word of a list that begins at `at`, whole.
fn word_at(text: &[u8], at: usize, joint: u64) -> Option<Word> {
    let rest = text.get(at..)?;
    let (mut key, mut length) = letters(rest);
    let goes_on = rest.get(length).is_some_and(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii());
    if !goes_on && (length == 0 || !Words::get().may_hold(hash(key))) {
        return None;
    }
    if goes_on {
        length += (length..rest.len().min(WORD + 1)).take_while(|by| is_letter(text, at + by)).count();
        if length == 0 || length > WORD {
            return None;
        }
        key = folded(&rest[..length]);
    }
    let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    if is_digit(at + length) || at > 0 && (is_digit(at - 1) || is_letter(text, at - 1) && !is_escape(text, at - 1)) {
        return None;
    }
    let known = Words::get().known(key);
    (!known.is_empty()).then_some(Word { at: at..at + length, known, joint })
}

/// Whether a byte belongs to a word.
#[inline(always)]
fn is_letter(text: &[u8], at: usize) -> bool {
    let byte = text[at];
    if byte.is_ascii() { byte.is_ascii_alphabetic() } else { is_wide_letter(text, at) }
}

/// The same of a byte that is not ASCII.
#[cold]
fn is_wide_letter(text: &[u8], at: usize) -> bool {
    let back = text[..=at].iter().rev().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
    let first = at.saturating_sub(back);
    !matches!(text[first], 0xc2 | 0xe2 | 0xe3 | 0xef) || wide(&text[first..]).is_none()
}

/// The blank or sign outside ASCII that a text begins with: how long it is, and what tells a sign from others. The no-break space, general
/// punctuation (U+2000 to U+206F), that of Chinese and Japanese (U+3000 to U+303F), and full-width signs.
fn wide(text: &[u8]) -> Option<(usize, Option<u16>)> {
    let is_blank = match *text {
        [0xc2, 0xa0, ..] => return Some((2, None)),
        [0xe2, 0x80, third, ..] => matches!(third, 0x80..=0x8b | 0xaf),
        [0xe2, 0x81, third @ 0x80..=0xaf, ..] => third == 0x9f,
        [0xe3, 0x80, third, ..] => third == 0x80,
        [0xef, 0xbc, 0x80..=0x8f | 0x9a..=0xa0, ..] => false,
        _ => return None,
    };
    Some((3, (!is_blank).then(|| u16::from_be_bytes([text[1] ^ text[0] << 4, text[2]]))))
}

/// Whether a letter is that of an escaped break, as in `\n`.
fn is_escape(text: &[u8], at: usize) -> bool {
    at > 0 && text[at - 1] == b'\\' && matches!(text[at], b'n' | b'r' | b't')
}

/// The words of all languages, in a table half full, behind a small bit map: most words of ordinary text fail on that.
struct Words {
    map: Box<[u64]>,
    slots: Box<[(u64, u32)]>,
    known: Vec<Known>,
}

/// Bits for a word's hash in the table, and in the map.
const SLOTS: u32 = 15;
const MAP: u32 = 18;

impl Words {
    fn get() -> &'static Self {
        static WORDS: OnceLock<Words> = OnceLock::new();
        WORDS.get_or_init(Self::new)
    }

    fn new() -> Self {
        let mut all: Vec<(u64, Known)> = Vec::with_capacity(LANGUAGES.len() * 2048);
        for (language, list) in (0u8..).zip(LANGUAGES) {
            let words = (0u16..).zip(list.word_list());
            all.extend(words.map(|(index, word)| (of_list(word.as_bytes()), Known { language, index })));
        }
        all.sort_unstable_by_key(|(key, _)| *key);
        let mut words = Self { map: vec![0; 1 << (MAP - 6)].into(), slots: vec![(0, 0); 1 << SLOTS].into(), known: Vec::new() };
        for same in all.chunk_by(|one, other| one.0 == other.0) {
            let key = same[0].0;
            let hash = hash(key);
            words.map[(hash >> (64 - MAP) >> 6) as usize] |= 1 << (hash >> (64 - MAP) & 63);
            let slot = words.slot(key);
            let first = u32::try_from(words.known.len()).expect("the lists are short");
            words.slots[slot] = (key, first << 4 | u32::try_from(same.len()).expect("as many as there are languages"));
            words.known.extend(same.iter().map(|(_, known)| *known));
        }
        words
    }

    /// Whether the lists may hold a word.
    #[inline]
    fn may_hold(&self, hash: u64) -> bool {
        self.map[(hash >> (64 - MAP) >> 6) as usize] >> (hash >> (64 - MAP) & 63) & 1 != 0
    }

    /// Where a word is in the lists.
    #[inline]
    fn known(&self, key: u64) -> &[Known] {
        if !self.may_hold(hash(key)) {
            return &[];
        }
        let (found, range) = self.slots[self.slot(key)];
        let first = (range >> 4) as usize;
        if found == key { &self.known[first..first + (range & 15) as usize] } else { &[] }
    }

    /// Where a word is, or would be.
    fn slot(&self, key: u64) -> usize {
        let mut at = (hash(key) >> (64 - SLOTS)) as usize;
        while self.slots[at].0 != 0 && self.slots[at].0 != key {
            at = (at + 1) % self.slots.len();
        }
        at
    }
}

fn hash(key: u64) -> u64 {
    key.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The same number of a word of a list: it is in small letters and in NFKD already.
fn of_list(word: &[u8]) -> u64 {
    // Accents are two bytes each, U+0300 to U+036F.
    let is_accent = |at: usize| word[at] == 0xcc || word[at] == 0xcd && word[at + 1] < 0xb0;
    let is_its_second = |at: usize| at > 0 && word[at] & 0xc0 == 0x80 && is_accent(at - 1);
    packed((0..word.len()).filter(|at| !is_accent(*at) && !is_its_second(*at)).map(|at| word[at]))
}

/// A word without case and accents, in NFKD (BIP-39), as a number: no two words of a language have the same one.
#[inline]
fn folded(word: &[u8]) -> u64 {
    if word.is_ascii() {
        return packed(word.iter().map(u8::to_ascii_lowercase));
    }
    let Ok(text) = std::str::from_utf8(word) else { return 0 };
    let mut bytes = Vec::with_capacity(2 * word.len());
    let mut utf8 = [0; 4];
    for c in text.nfkd().filter(|c| !('\u{300}'..='\u{36f}').contains(c)) {
        bytes.extend_from_slice(c.to_lowercase().next().unwrap_or(c).encode_utf8(&mut utf8).as_bytes());
    }
    packed(bytes.into_iter())
}

/// The ASCII letters, eight at most, that a text begins with: in lower case, as a number, and how many.
#[inline]
fn letters(text: &[u8]) -> (u64, usize) {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let mut bytes = [0; 8];
    match text.first_chunk() {
        Some(first) => bytes = *first,
        None => bytes[..text.len()].copy_from_slice(text),
    }
    let number = u64::from_le_bytes(bytes);
    let lower = number | (0x20 * EACH);
    // The high bit of each byte: set where the byte is ASCII and from `a` to `z`.
    let ascii = lower & !(0x80 * EACH);
    let small = (ascii + (0x80 - u64::from(b'a')) * EACH) & !(ascii + (0x7f - u64::from(b'z')) * EACH) & !number & (0x80 * EACH);
    let length = (small ^ (0x80 * EACH)).trailing_zeros() / 8;
    let mask = 1u64.checked_shl(8 * length).map_or(u64::MAX, |bit| bit - 1);
    (lower & mask, length as usize)
}

/// Eight bytes as they are, more of them mixed.
fn packed(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.zip(0u32..).fold(0, |number: u64, (byte, at)| {
        let mixed = if at < 8 { number } else { number.rotate_left(9).wrapping_mul(0x9e37_79b9_7f4a_7c15) };
        mixed ^ u64::from(byte) << (8 * (at % 8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rules, Scrubber, Search, Stream, naive};
    use std::sync::Arc;

    fn scrubber() -> Arc<Scrubber> {
        Arc::new(Scrubber::new(Arc::new(Search::new(Vec::new(), Some(Rules::standard()))), Vec::new()))
    }

    /// A phrase of so many words, which is the same for the same seed.
    fn phrase(language: usize, count: usize, seed: u8) -> Vec<&'static str> {
        let list = LANGUAGES[language].word_list();
        let entropy: Vec<u8> = (0..count * 4 / 3).map(|at| Sha256::digest([seed, at as u8])[0]).collect();
        let sum = Sha256::digest(&entropy);
        let bit = |at: usize| entropy.get(at / 8).map_or_else(|| sum[0] >> (7 - (at - entropy.len() * 8)), |byte| byte >> (7 - at % 8)) & 1;
        (0..count).map(|word| list[(0..11).fold(0, |index, at| index << 1 | usize::from(bit(word * 11 + at)))]).collect()
    }

    /// The ways that people write words one behind the other.
    fn layouts(words: &[&str]) -> Vec<String> {
        let numbered = |sign: &str, end: &str| {
            let line = |(at, word): (usize, &&str)| format!("{}{sign}{word}{end}", at + 1);
            words.iter().enumerate().map(line).collect::<String>()
        };
        let capitals = |word: &&str| word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect::<String>();
        let wrapped = |end: &str| words.chunks(4).map(|line| line.join(" ")).collect::<Vec<_>>().join(end);
        vec![
            words.join(" "),
            words.join("  "),
            words.join("\n"),
            words.join("\r\n"),
            words.join("\\n"),
            words.join(", "),
            words.join(","),
            words.join("-"),
            words.join("\t"),
            words.join("\u{a0}"),
            words.join(" ").to_uppercase(),
            words.iter().map(capitals).collect::<Vec<_>>().join(" "),
            numbered(". ", "\n"),
            numbered(") ", "\r\n"),
            numbered(" ", "\n"),
            numbered(". ", "   "),
            format!("[\"{}\"]", words.join("\",\"")),
            format!("[\n    \"{}\"\n]", words.join("\",\n    \"")),
            format!("['{}']", words.join("', '")),
            format!("{{\"words\":\"[\\\"{}\\\"]\"}}", words.join("\\\",\\\"")),
            format!("- {}", words.join("\n- ")),
            format!("\u{2022} {}", words.join("\n\u{2022} ")),
            format!("\u{201c}{}\u{201d}", words.join("\u{201d} \u{201c}")),
            format!("\u{201c}{}\u{201d}", words.join(" ")),
            format!("\u{ff1a}{}", words.join("\u{3000}")),
            wrapped("\n"),
            wrapped("\n      "),
        ]
    }

    #[test]
    fn a_phrase_is_found_in_every_language_and_layout_however_it_is_cut() {
        let scrubber = scrubber();
        for (language, name) in LANGUAGES.iter().enumerate() {
            for (count, seed) in COUNTS.into_iter().zip(0u8..) {
                let words = phrase(language, count, seed);
                for (number, layout) in layouts(&words).into_iter().enumerate() {
                    let text = format!("{}the phrase: {layout}\nand more", "x ".repeat(number * 7 + count));
                    let left = scrubber.scrub_text(&text);
                    let rest = left.replace("[redacted:bip39-mnemonic]", "");
                    let is_gone = words.iter().all(|word| !rest.to_lowercase().contains(&format!("{word} ")));
                    assert!(left.contains("[redacted:bip39-mnemonic]") && is_gone, "{:?} {layout}: {left}", name);
                    for size in [1, 5, 300] {
                        let (mut stream, mut out) = (Stream::new(Arc::clone(&scrubber)), Vec::new());
                        text.as_bytes().chunks(size).for_each(|chunk| stream.push(chunk, &mut out));
                        stream.finish(&mut out);
                        assert_eq!(String::from_utf8_lossy(&out), left, "{:?} in pieces of {size}", name);
                    }
                }
            }
        }
    }

    #[test]
    fn a_phrase_of_chinese_behind_another_sign_is_found_however_it_is_cut() {
        let scrubber = scrubber();
        for language in [Language::SimplifiedChinese, Language::TraditionalChinese] {
            let number = LANGUAGES.iter().position(|other| *other == language).expect("a language of the standard");
            let text = format!("{}, {} xx", language.word_list()[100], phrase(number, 12, 3).join(" "));
            let left = scrubber.scrub_text(&text);
            assert!(left.contains(", [redacted:bip39-mnemonic] xx"), "{left}");
            for size in 1..text.len() {
                let (mut stream, mut out) = (Stream::new(Arc::clone(&scrubber)), Vec::new());
                text.as_bytes().chunks(size).for_each(|chunk| stream.push(chunk, &mut out));
                stream.finish(&mut out);
                assert_eq!(String::from_utf8_lossy(&out), left, "in pieces of {size}");
            }
            naive::compare(&scrubber, text.as_bytes(), &[1, 3, 40]);
        }
    }

    #[test]
    fn every_place_of_a_phrase_in_a_text_is_found_as_the_naive_search_does() {
        let scrubber = scrubber();
        for (language, before) in (0..LANGUAGES.len()).cycle().zip(0..130) {
            let words = phrase(language, COUNTS[before % 5], before as u8);
            let all = layouts(&words);
            let text = format!("{}: {} abc", "y".repeat(before), all[before % all.len()]);
            naive::compare(&scrubber, text.as_bytes(), &[before as u8, 3, 40]);
        }
    }

    #[test]
    fn words_of_a_list_that_are_no_phrase_are_left_alone() {
        let list = Language::English.word_list();
        let wrong = [&phrase(0, 12, 7)[..11], &["zoo"]].concat().join(" ");
        let mixed = phrase(0, 12, 7).iter().zip([" ", ", "].iter().cycle()).map(|(word, end)| format!("{word}{end}")).collect::<String>();
        let apart = phrase(0, 12, 7).join("\n\n");
        for text in [list.join("\n"), list.join(" "), format!("[\"{}\"]", list.join("\", \"")), wrong, mixed, apart] {
            assert_eq!(scrubber().scrub(text.as_bytes()), None, "{}", &text[..40]);
        }
    }

    #[test]
    fn no_word_of_a_language_is_taken_for_another_one() {
        for list in LANGUAGES {
            let words = list.word_list().iter().map(|word| word.as_bytes());
            assert!(words.clone().all(|word| of_list(word) == folded(word)), "{list:?}");
            let mut keys: Vec<u64> = words.map(folded).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), 2048, "{list:?}");
        }
        let composed: String = "abeja ábaco あいこくしん がっこう".nfc().collect();
        let apart: String = composed.nfkd().collect();
        for (one, other) in composed.split(' ').zip(apart.split(' ')) {
            assert_eq!(folded(one.as_bytes()), folded(other.as_bytes()), "{one}");
        }
    }
}
