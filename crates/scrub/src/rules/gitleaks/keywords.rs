//! Where keywords stand in a text, in whatever letter case and in the middle of words: a small table that is asked at every place.

use super::super::super::lanes::each;

/// Places of a text that are looked at together.
const BLOCK: usize = 64;
/// Bits of what three bytes are told by.
const BITS: u32 = 13;

/// Keywords of two bytes or more, in small letters.
pub(super) struct Keywords {
    /// By three bytes, which bytes may follow them: a bit for what a byte's last three bits are.
    map: Box<[u8; 1 << BITS]>,
    /// Where in the entries those of three bytes begin.
    heads: Box<[u32]>,
    entries: Box<[Entry]>,
    texts: Vec<Box<[u8]>>,
}

#[derive(Clone, Copy)]
struct Entry {
    /// The first four bytes of a keyword, folded, and which of them count.
    begins: u32,
    mask: u32,
    number: u32,
}

impl Keywords {
    /// Makes keywords ready for search. Of one that is shorter than four bytes, what may follow it is asked for: by its number and how far from its
    /// beginning a byte stands.
    pub(super) fn new(texts: impl Iterator<Item = String>, may_follow: impl Fn(usize, usize, u8) -> bool) -> Self {
        let texts: Vec<Box<[u8]>> = texts.map(|text| text.into_bytes().into()).collect();
        let mut map = Box::new([0; 1 << BITS]);
        let mut buckets = vec![Vec::new(); 1 << BITS];
        let may_follow = &may_follow;
        for (number, text) in texts.iter().enumerate() {
            let known = text.len().min(4);
            let mut four = [0; 4];
            four[..known].copy_from_slice(&text[..known]);
            let mask = u32::MAX >> (32 - 8 * known);
            let entry =
                Entry { begins: folded(four) & mask, mask, number: u32::try_from(number).expect("the keywords of files are bounded") };
            let may_stand =
                |place: usize, byte: u8| text.get(place).map_or_else(|| may_follow(number, place, byte), |known| *known == byte);
            let fourth = (0..=u8::MAX).filter(|byte| may_stand(3, *byte)).fold(0, |set, byte| set | after(byte));
            for third in (0..=u8::MAX).filter(|byte| may_stand(2, *byte)) {
                let hash = hash(folded([four[0], four[1], third, 0]));
                map[hash] |= fourth;
                let bucket: &mut Vec<Entry> = &mut buckets[hash];
                if bucket.last().is_none_or(|last| last.number != entry.number) {
                    bucket.push(entry);
                }
            }
        }
        let mut heads = vec![0];
        heads.extend(buckets.iter().scan(0, |end, bucket| {
            *end += u32::try_from(bucket.len()).expect("the keywords of files are bounded");
            Some(*end)
        }));
        Self { map, heads: heads.into(), entries: buckets.concat().into(), texts }
    }

    /// Calls `found` with the number of each keyword and where it stands, in the order of the text. Which are found that what follows them rules
    /// out is not said.
    pub(super) fn find(&self, text: &[u8], mut found: impl FnMut(usize, usize)) {
        let mut at = 0;
        while let Some(block) = text[at..].first_chunk::<{ BLOCK + 3 }>() {
            let mut hits = 0u64;
            for place in 0..BLOCK {
                let four = *block[place..].first_chunk().expect("the block is padded");
                hits |= u64::from(self.may_hold(four)) << place;
            }
            each(hits, |place| self.at(text, at + place, &mut found));
            at += BLOCK;
        }
        (at..text.len()).for_each(|at| self.at(text, at, &mut found));
    }

    /// Whether a keyword may begin with these bytes.
    #[inline(always)]
    fn may_hold(&self, four: [u8; 4]) -> bool {
        self.map[hash(folded(four))] & after(four[3]) != 0
    }

    /// The keywords that stand at a place.
    #[inline]
    fn at(&self, text: &[u8], at: usize, found: &mut impl FnMut(usize, usize)) {
        let rest = &text[at..];
        let mut four = [0; 4];
        let known = rest.len().min(4);
        four[..known].copy_from_slice(&rest[..known]);
        let four = folded(four);
        let bucket = hash(four);
        for entry in &self.entries[self.heads[bucket] as usize..self.heads[bucket + 1] as usize] {
            let keyword = &self.texts[entry.number as usize];
            if four & entry.mask == entry.begins && rest.get(..keyword.len()).is_some_and(|text| text.eq_ignore_ascii_case(keyword)) {
                found(entry.number as usize, at);
            }
        }
    }
}

/// Four bytes in which no letter tells its case.
#[inline(always)]
fn folded(four: [u8; 4]) -> u32 {
    u32::from_le_bytes(four) | 0x2020_2020
}

/// What the first three of four bytes are told by.
#[inline(always)]
fn hash(four: u32) -> usize {
    ((four << 8).wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize
}

/// The bit of a byte that follows three.
#[inline(always)]
fn after(byte: u8) -> u8 {
    1 << (byte & 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_found_wherever_they_stand_and_in_any_case() {
        let keywords = ["s.", "key", "q~", "acme", "acme_", "_live_", "cmé", "-----begin"];
        let follows = |keyword: usize, place: usize, byte: u8| keyword != 0 || place > 2 || byte.is_ascii_alphanumeric();
        let search = Keywords::new(keywords.iter().map(|keyword| (*keyword).to_owned()), follows);
        let pieces = ["S.a", "s.", "KEY", "aCmE_", "x_LIVE_", "cmé", "Q~", "-----BEGIN", " ", "\u{80}", "acm", "\0", "monkeys."];
        let mut state = 7usize;
        for length in 0..300 {
            let mut text = Vec::new();
            while text.len() < length {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.extend_from_slice(pieces[(state >> 40) % pieces.len()].as_bytes());
            }
            text.truncate(length);
            let stands = |at: usize, keyword: &str| {
                text.get(at..at + keyword.len()).is_some_and(|text| text.eq_ignore_ascii_case(keyword.as_bytes()))
            };
            let mut found = Vec::new();
            search.find(&text, |keyword, at| found.push((at, keyword)));

            // What is ruled out by what follows may be found or not.
            let must = |at: usize, keyword: usize| keyword != 0 || text.get(at + 2).is_some_and(u8::is_ascii_alphanumeric);
            assert!(found.iter().all(|(at, keyword)| stands(*at, keywords[*keyword])), "{length}");
            assert!(found.is_sorted_by_key(|(at, _)| *at), "{length}");
            for at in 0..length {
                for keyword in (0..keywords.len()).filter(|keyword| stands(at, keywords[*keyword]) && must(at, *keyword)) {
                    let times = found.iter().filter(|known| **known == (at, keyword)).count();
                    assert_eq!(times, 1, "{} at {at} of {}", keywords[keyword], text.escape_ascii());
                }
            }
        }
    }
}
