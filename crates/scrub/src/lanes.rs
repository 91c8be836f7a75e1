//! The first look at a text: which of its bytes begin something, 4 KiB at a time, in vector registers where there are any.
//!
//! What is marked here is all that the rest of a search looks at, beside its own sparse probes. The marks are a filter: they
//! may stand where nothing is, and must stand where something can be.

use pulp::NullaryFnOnce;
use std::cell::Cell;

/// Bytes in a block: one bit each in a mask.
pub(super) const BLOCK: usize = 64;
/// Blocks that are marked at once.
pub(super) const BLOCKS: usize = 64;
/// Bytes that are marked at once.
pub(super) const BATCH: usize = BLOCK * BLOCKS;

/// Marks of a batch: bit `i` of mask `b` speaks of byte `64 * b + i`.
pub(super) struct Marks {
    /// How many blocks are marked.
    pub(super) blocks: usize,
    /// Bytes that begin an escape, or break a line.
    pub(super) escapes: [u64; BLOCKS],
    /// Letters and digits that begin a word, or stand behind an escape, where 16 bytes or more follow without a break.
    pub(super) words: [u64; BLOCKS],
    /// Words of exactly two, or exactly four, letters and digits, where two more such words follow behind one or two separators each.
    pub(super) pairs: [u64; BLOCKS],
    /// The first of five hyphens.
    pub(super) dashes: [u64; BLOCKS],
    /// The first `s` of two, as in `password`, and the hyphen before the letter of an option: what they name may be short.
    pub(super) hints: [u64; BLOCKS],
    /// What is between.
    scratch: Scratch,
    /// Every 32 bytes, where the next 16, and 16 before or behind those, are what a list of words or numbers is made of.
    pub(super) lists: [u64; BLOCKS],
}

/// What is computed on the way; kept with the marks, so that a short text does not pay for the scratch space of a long one.
struct Scratch {
    /// Letters and digits of the block before, of the batch, and of the block after it.
    alnum: [u64; BLOCKS + 2],
    hyphen: [u64; BLOCKS],
    /// Breaks of the batch, and of the block after it.
    broken: [u64; BLOCKS + 1],
    listed: [u64; BLOCKS],
    high: [u64; BLOCKS],
    esses: [u64; BLOCKS],
    rows: [u64; BLOCKS + 1],
    twos: [u64; BLOCKS + 1],
    fours: [u64; BLOCKS + 1],
}

/// Calls `f` with the number of each bit that is set.
#[inline(always)]
pub(super) fn each(mut mask: u64, mut f: impl FnMut(usize)) {
    while mask != 0 {
        f(mask.trailing_zeros() as usize);
        mask &= mask - 1;
    }
}

/// Classes of a byte, by its two halves: it is in a class where both tables have the class's bit.
#[derive(Clone, Copy)]
struct Tables {
    low: [u8; 16],
    high: [u8; 16],
}

const ALNUM: u8 = 0b0000_0111;
const ESCAPE: u8 = 0b0111_1000;
const HYPHEN: u8 = 0b1000_0000;

const KINDS: Tables =
    tables(&[b"0123456789", b"ABCDEFGHIJKLMNOabcdefghijklmno", b"PQRSTUVWXYZpqrstuvwxyz", b"%&", b"\\", b"=", b"\0\n\r", b"-"]);

/// What ends a run of bytes that a key could be made of.
const BREAKS: Tables = tables(&[
    b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f",
    b"\"'()",
    b"<>",
    b"[\\]{|}",
    b"`",
    b" ,",
    // These alone end nothing; with what stands at the crossings of a table, they are what stands between the words of a list.
    b" \"'),-.",
    b"\t\n\x0c\r\\",
]);
/// The classes of those that end a run.
const ENDS: u8 = 0b0011_1111;
/// Those of what stands between the words of a list.
const LISTED: u8 = 0b1100_0000;

/// Whether a byte ends a run of bytes that a key could be made of.
pub(super) fn breaks(byte: u8) -> bool {
    BREAKS.of(byte) & ENDS != 0
}

const fn tables(classes: &[&[u8]]) -> Tables {
    let mut tables = Tables { low: [0; 16], high: [0; 16] };
    let mut class = 0;
    while class < classes.len() {
        let mut at = 0;
        while at < classes[class].len() {
            let byte = classes[class][at];
            tables.low[(byte & 15) as usize] |= 1 << class;
            tables.high[(byte >> 4) as usize] |= 1 << class;
            at += 1;
        }
        class += 1;
    }
    tables
}

impl Tables {
    const fn of(&self, byte: u8) -> u8 {
        if byte < 0x80 { self.low[(byte & 15) as usize] & self.high[(byte >> 4) as usize] } else { 0 }
    }
}

/// What the bytes of one block are.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
struct Classes {
    alnum: u64,
    escape: u64,
    hyphen: u64,
    broken: u64,
    /// What may stand between the words of a list.
    listed: u64,
    /// Whatever is not ASCII: letters, or blanks.
    high: u64,
    /// The letter `s`, in either case.
    esses: u64,
}

/// A way to tell the classes of a block.
trait Classify: Copy {
    fn classify(self, block: &[u8; BLOCK]) -> Classes;
}

/// Without vector registers.
#[derive(Clone, Copy)]
struct Plain;

impl Classify for Plain {
    fn classify(self, block: &[u8; BLOCK]) -> Classes {
        let mut classes = Classes::default();
        for (at, byte) in block.iter().enumerate() {
            let (kind, breaks) = (KINDS.of(*byte), BREAKS.of(*byte));
            classes.alnum |= u64::from(kind & ALNUM != 0) << at;
            classes.escape |= u64::from(kind & ESCAPE != 0) << at;
            classes.hyphen |= u64::from(kind & HYPHEN != 0) << at;
            classes.broken |= u64::from(breaks & ENDS != 0) << at;
            classes.listed |= u64::from(breaks & LISTED != 0) << at;
            classes.high |= u64::from(!byte.is_ascii()) << at;
            classes.esses |= u64::from(byte | 0x20 == b's') << at;
        }
        classes
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{ALNUM, BLOCK, BREAKS, Classes, Classify, ENDS, ESCAPE, HYPHEN, KINDS, LISTED, Tables};
    use pulp::x86::{V3, V4};
    use std::arch::x86_64::{__m256i, __m512i};

    /// Both tables, each twice or four times: a shuffle looks up within 16 bytes.
    const fn repeated<const N: usize>(tables: &Tables) -> [[u8; N]; 2] {
        let mut out = [[0; N]; 2];
        let mut at = 0;
        while at < N {
            out[0][at] = tables.low[at % 16];
            out[1][at] = tables.high[at % 16];
            at += 1;
        }
        out
    }

    // No closures here: what is to run in vector registers must be inlined into a function that may use them.

    impl Classify for V4 {
        #[inline(always)]
        fn classify(self, block: &[u8; BLOCK]) -> Classes {
            let bytes: __m512i = pulp::cast(*block);
            let high = self.avx512f._mm512_and_si512(self.avx512bw._mm512_srli_epi16::<4>(bytes), self.avx512f._mm512_set1_epi8(15));
            let (kinds, breaks) =
                (look_512(self, &const { repeated(&KINDS) }, bytes, high), look_512(self, &const { repeated(&BREAKS) }, bytes, high));
            Classes {
                alnum: any_512(self, kinds, ALNUM),
                escape: any_512(self, kinds, ESCAPE),
                hyphen: any_512(self, kinds, HYPHEN),
                broken: any_512(self, breaks, ENDS),
                listed: any_512(self, breaks, LISTED),
                high: self.avx512bw._mm512_movepi8_mask(bytes),
                esses: self.avx512bw._mm512_cmpeq_epi8_mask(
                    self.avx512f._mm512_or_si512(bytes, self.avx512f._mm512_set1_epi8(0x20)),
                    self.avx512f._mm512_set1_epi8(b's'.cast_signed()),
                ),
            }
        }
    }

    #[inline(always)]
    fn look_512(lanes: V4, tables: &[[u8; 64]; 2], bytes: __m512i, high: __m512i) -> __m512i {
        let [by_low, by_high]: [__m512i; 2] = pulp::cast(*tables);
        lanes.avx512f._mm512_and_si512(lanes.avx512bw._mm512_shuffle_epi8(by_low, bytes), lanes.avx512bw._mm512_shuffle_epi8(by_high, high))
    }

    #[inline(always)]
    fn any_512(lanes: V4, of: __m512i, bits: u8) -> u64 {
        lanes.avx512bw._mm512_test_epi8_mask(of, lanes.avx512f._mm512_set1_epi8(bits.cast_signed()))
    }

    impl Classify for V3 {
        #[inline(always)]
        fn classify(self, block: &[u8; BLOCK]) -> Classes {
            let halves: [__m256i; 2] = pulp::cast(*block);
            let (first, second) = (half(self, halves[0]), half(self, halves[1]));
            Classes {
                alnum: joined(first[0], second[0]),
                escape: joined(first[1], second[1]),
                hyphen: joined(first[2], second[2]),
                broken: joined(first[3], second[3]),
                listed: joined(first[4], second[4]),
                high: joined(first[5], second[5]),
                esses: joined(first[6], second[6]),
            }
        }
    }

    #[inline(always)]
    fn half(lanes: V3, bytes: __m256i) -> [u32; 7] {
        let high = lanes.avx2._mm256_and_si256(lanes.avx2._mm256_srli_epi16::<4>(bytes), lanes.avx._mm256_set1_epi8(15));
        let folded = lanes.avx2._mm256_or_si256(bytes, lanes.avx._mm256_set1_epi8(0x20));
        let esses = lanes.avx2._mm256_cmpeq_epi8(folded, lanes.avx._mm256_set1_epi8(b's'.cast_signed()));
        let (kinds, breaks) =
            (look_256(lanes, &const { repeated(&KINDS) }, bytes, high), look_256(lanes, &const { repeated(&BREAKS) }, bytes, high));
        [
            any_256(lanes, kinds, ALNUM),
            any_256(lanes, kinds, ESCAPE),
            any_256(lanes, kinds, HYPHEN),
            any_256(lanes, breaks, ENDS),
            any_256(lanes, breaks, LISTED),
            lanes.avx2._mm256_movemask_epi8(bytes).cast_unsigned(),
            lanes.avx2._mm256_movemask_epi8(esses).cast_unsigned(),
        ]
    }

    #[inline(always)]
    fn look_256(lanes: V3, tables: &[[u8; 32]; 2], bytes: __m256i, high: __m256i) -> __m256i {
        let [by_low, by_high]: [__m256i; 2] = pulp::cast(*tables);
        lanes.avx2._mm256_and_si256(lanes.avx2._mm256_shuffle_epi8(by_low, bytes), lanes.avx2._mm256_shuffle_epi8(by_high, high))
    }

    #[inline(always)]
    fn any_256(lanes: V3, of: __m256i, bits: u8) -> u32 {
        let bits = lanes.avx2._mm256_and_si256(of, lanes.avx._mm256_set1_epi8(bits.cast_signed()));
        !lanes.avx2._mm256_movemask_epi8(lanes.avx2._mm256_cmpeq_epi8(bits, lanes.avx._mm256_setzero_si256())).cast_unsigned()
    }

    #[inline(always)]
    fn joined(first: u32, second: u32) -> u64 {
        u64::from(first) | u64::from(second) << 32
    }
}

/// The widest registers of this machine.
#[derive(Clone, Copy)]
pub(super) enum Lanes {
    Plain,
    #[cfg(target_arch = "x86_64")]
    V3(pulp::x86::V3),
    #[cfg(target_arch = "x86_64")]
    V4(pulp::x86::V4),
}

impl Lanes {
    pub(super) fn new() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(lanes) = pulp::x86::V4::try_new() {
                return Self::V4(lanes);
            }
            if let Some(lanes) = pulp::x86::V3::try_new() {
                return Self::V3(lanes);
            }
        }
        Self::Plain
    }

    /// Marks `text[from..]`, a batch at most, into `marks`. What is beyond the text's end bears no mark.
    pub(super) fn mark(self, text: &[u8], from: usize, marks: &mut Marks) {
        match self {
            Self::Plain => Marking { classify: Plain, text, from, marks }.call(),
            #[cfg(target_arch = "x86_64")]
            Self::V3(lanes) => lanes.vectorize(Marking { classify: lanes, text, from, marks }),
            #[cfg(target_arch = "x86_64")]
            Self::V4(lanes) => lanes.vectorize(Marking { classify: lanes, text, from, marks }),
        }
    }
}

impl Marks {
    fn new() -> Self {
        let scratch = Scratch {
            alnum: [0; BLOCKS + 2],
            hyphen: [0; BLOCKS],
            broken: [0; BLOCKS + 1],
            listed: [0; BLOCKS],
            high: [0; BLOCKS],
            esses: [0; BLOCKS],
            rows: [0; BLOCKS + 1],
            twos: [0; BLOCKS + 1],
            fours: [0; BLOCKS + 1],
        };
        Self {
            blocks: 0,
            escapes: [0; BLOCKS],
            words: [0; BLOCKS],
            pairs: [0; BLOCKS],
            dashes: [0; BLOCKS],
            hints: [0; BLOCKS],
            lists: [0; BLOCKS],
            scratch,
        }
    }

    /// Where in a block the first word begins of a row of a list that is marked at `bit`; `None` where none does, or not all of the row is ASCII.
    #[inline]
    pub(super) fn first_word(&self, block: usize, bit: usize) -> Option<usize> {
        let (before, here) = (self.scratch.alnum[block], self.scratch.alnum[block + 1]);
        let row = 0xffffu64 << bit;
        let begins = here & !(here << 1 | before >> 63) & row;
        (self.scratch.high[block] & row == 0 && begins != 0).then(|| begins.trailing_zeros() as usize)
    }

    /// Letters and digits of a block that begin a word, however short.
    pub(super) fn beginnings(&self, block: usize) -> u64 {
        let (before, here) = (self.scratch.alnum[block], self.scratch.alnum[block + 1]);
        here & !(here << 1 | before >> 63)
    }

    /// Marks for `work`: the thread's own, or new ones where those are in use.
    pub(super) fn with<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        thread_local! {
            static KEPT: Cell<Option<Box<Marks>>> = const { Cell::new(None) };
        }
        let mut marks = KEPT.take().unwrap_or_else(|| Box::new(Self::new()));
        let done = work(&mut marks);
        KEPT.set(Some(marks));
        done
    }
}

struct Marking<'t, C> {
    classify: C,
    text: &'t [u8],
    from: usize,
    marks: &'t mut Marks,
}

impl<C: Classify> NullaryFnOnce for Marking<'_, C> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { classify, text, from, marks } = self;
        let Scratch { alnum, hyphen, broken, listed, high, esses, rows, twos, fours } = &mut marks.scratch;
        let batch = &text[from..text.len().min(from + BATCH)];
        let (blocks, rest) = batch.as_chunks::<BLOCK>();
        for (at, block) in blocks.iter().enumerate() {
            let classes = classify.classify(block);
            (alnum[at + 1], hyphen[at], broken[at], listed[at], high[at], esses[at], marks.escapes[at]) =
                (classes.alnum, classes.hyphen, classes.broken, classes.listed, classes.high, classes.esses, classes.escape);
        }
        marks.blocks = batch.len().div_ceil(BLOCK);
        if !rest.is_empty() {
            let at = blocks.len();
            let mut block = [b' '; BLOCK];
            block[..rest.len()].copy_from_slice(rest);
            let classes = classify.classify(&block);
            (alnum[at + 1], hyphen[at], broken[at], listed[at], high[at], esses[at], marks.escapes[at]) =
                (classes.alnum, classes.hyphen, classes.broken, classes.listed, classes.high, classes.esses, classes.escape);
        }
        alnum[0] = from.checked_sub(1).map_or(0, |before| u64::from(text[before].is_ascii_alphanumeric()) << 63);
        // Before the batch there may be any escape and any list.
        let last_escapes = if from == 0 { 0 } else { u64::MAX };
        rows[0] = 1 << 48;
        // Of the block behind the batch, what a word that begins in the batch may reach.
        (alnum[marks.blocks + 1], broken[marks.blocks]) = (0, u64::MAX);
        for (at, byte) in text[from + batch.len()..].iter().take(BLOCK / 2).enumerate() {
            alnum[marks.blocks + 1] |= u64::from(byte.is_ascii_alphanumeric()) << at;
            broken[marks.blocks] ^= u64::from(!breaks(*byte)) << at;
        }
        for at in 0..marks.blocks {
            let (before, here, after) = (alnum[at], alnum[at + 1], alnum[at + 2]);
            let begins = here & !(here << 1 | before >> 63);
            let mut ends = u128::from(broken[at + 1]) << BLOCK | u128::from(broken[at]);
            ends |= ends >> 1;
            ends |= ends >> 2;
            ends |= ends >> 4;
            ends |= ends >> 8;
            // Behind `\n`, `%3D` and `\u003d` a word begins too; which of these it is, is looked at later.
            let (escape, last) = (marks.escapes[at], if at == 0 { last_escapes } else { marks.escapes[at - 1] });
            let behind = escape << 2 | last >> 62 | escape << 3 | last >> 61 | escape << 6 | last >> 58;
            marks.words[at] = (begins | here & behind) & !(ends as u64);
            // No word of a list has ten letters of ASCII.
            let pair = here & here << 1;
            let four = pair & pair << 2;
            let long = four & four << 4 & pair << 8;
            let (part, joint) = ((here | high[at]) & !long, listed[at] | high[at]);
            rows[at + 1] = row(part, joint, 0) | row(part, joint, 16) | row(part, joint, 32) | row(part, joint, 48);
            (twos[at], fours[at]) = (word(before, here, after, 2), word(before, here, after, 4));
            let mut dashes = hyphen[at];
            dashes &= more(dashes, 1);
            dashes &= more(dashes, 2);
            marks.dashes[at] = dashes & more(hyphen[at], 4);
            marks.hints[at] = esses[at] & more(esses[at], 1) | hyphen[at] & more(here, 1) & !(here << 1 | before >> 63);
        }
        let (before, here) = (alnum[marks.blocks], alnum[marks.blocks + 1]);
        (twos[marks.blocks], fours[marks.blocks]) = (word(before, here, 0, 2), word(before, here, 0, 4));
        for at in 0..marks.blocks {
            let (two, next) = (twos[at], twos[at + 1]);
            let two = two & (ahead(two, next, 3) | ahead(two, next, 4)) & (ahead(two, next, 6) | ahead(two, next, 7) | ahead(two, next, 8));
            let (four, next) = (fours[at], fours[at + 1]);
            let four = four
                & (ahead(four, next, 5) | ahead(four, next, 6))
                & (ahead(four, next, 10) | ahead(four, next, 11) | ahead(four, next, 12));
            marks.pairs[at] = two | four;
            // A list of 47 bytes or more holds one of two rows, and its neighbour on one side.
            let (before, here) = (rows[at], rows[at + 1]);
            let low = here & 1 & (here >> 16 | before >> 48);
            marks.lists[at] = low | here & 1 << 32 & (here << 16 | here >> 16);
        }
    }
}

/// Where words of exactly `length` letters and digits begin.
#[inline(always)]
fn word(before: u64, here: u64, after: u64, length: u32) -> u64 {
    let mut word = here & !(here << 1 | before >> 63) & !ahead(here, after, length);
    for by in 1..length {
        word &= ahead(here, after, by);
    }
    word
}

/// Whether the 16 bytes from `at` on are parts of words, and what stands between the words of a list, some of each: as bit `at`.
#[inline(always)]
fn row(parts: u64, joints: u64, at: u32) -> u64 {
    let window = 0xffffu64 << at;
    u64::from((parts | joints) & window == window && parts & window != 0 && joints & window != 0) << at
}

/// A mask as seen from `by` bytes on, with what the next block holds.
#[inline(always)]
fn ahead(here: u64, after: u64, by: u32) -> u64 {
    here >> by | after << (64 - by)
}

/// A mask as seen from `by` bytes on; beyond the block there may be more.
#[inline(always)]
fn more(mask: u64, by: u32) -> u64 {
    mask >> by | !(u64::MAX >> by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_hold_the_classes_and_nothing_else() {
        for byte in 0..=255u8 {
            assert_eq!(KINDS.of(byte) & ALNUM != 0, byte.is_ascii_alphanumeric(), "{byte:#x}");
            assert_eq!(KINDS.of(byte) & ESCAPE != 0, b"%&\\=\0\n\r".contains(&byte), "{byte:#x}");
            assert_eq!(KINDS.of(byte) & HYPHEN != 0, byte == b'-', "{byte:#x}");
            let listed = b" \"'),-.\t\n\x0c\r\\";
            assert!(byte.is_ascii_alphanumeric() || byte == b']' || (BREAKS.of(byte) & LISTED != 0) == listed.contains(&byte), "{byte:#x}");
            assert!(!listed.contains(&byte) || BREAKS.of(byte) & LISTED != 0, "{byte:#x}");
            assert_eq!(breaks(byte), byte < 0x20 || b" \"'(),<>[\\]{|}`".contains(&byte), "{byte:#x}");
        }
    }

    #[test]
    fn a_word_is_marked_where_no_break_follows_wherever_it_stands() {
        let text: Vec<u8> = (0..2 * BATCH).map(|at| if at * at % 23 == 0 { b'}' } else { b"ab-c/d"[at % 6] }).collect();
        for (from, end) in [(0, text.len()), (1, text.len()), (37, BATCH + 30), (BATCH - 9, BATCH + 51)] {
            let text = &text[..end];
            let mut marks = Marks::new();
            Lanes::new().mark(text, from, &mut marks);

            let is_word = |at: usize| text[at].is_ascii_alphanumeric() && (at == 0 || !text[at - 1].is_ascii_alphanumeric());
            let goes_on = |at: usize| text.get(at..at + 16).is_some_and(|next| !next.iter().any(|byte| breaks(*byte)));
            for (at, byte) in text.iter().enumerate().take(from + BATCH).skip(from) {
                let is_marked = marks.words[(at - from) / BLOCK] >> ((at - from) % BLOCK) & 1 != 0;
                // Before the batch there may be an escape.
                let may_be_escaped = from > 0 && at < from + 6 && is_marked && byte.is_ascii_alphanumeric();
                assert_eq!(is_marked, (is_word(at) || may_be_escaped) && goes_on(at), "{at} from {from} to {end}");
            }
        }
    }

    #[test]
    fn every_width_of_register_sees_the_same() {
        let text: Vec<u8> = (0..3 * BATCH).map(|at| (at * at / 7 + at / 3) as u8).collect();
        for from in [0, 1, 63, BATCH, 2 * BATCH + 5] {
            let marked = |lanes: Lanes| {
                let mut marks = Marks::new();
                lanes.mark(&text, from, &mut marks);
                [marks.escapes, marks.words, marks.pairs, marks.dashes, marks.hints, marks.lists]
                    .map(|masks| masks[..marks.blocks].to_vec())
            };
            let plain = marked(Lanes::Plain);
            #[cfg(target_arch = "x86_64")]
            {
                assert!(pulp::x86::V3::try_new().is_none_or(|lanes| marked(Lanes::V3(lanes)) == plain), "AVX2 at {from}");
                assert!(pulp::x86::V4::try_new().is_none_or(|lanes| marked(Lanes::V4(lanes)) == plain), "AVX-512 at {from}");
            }
            assert_eq!(marked(Lanes::new()), plain);
        }
    }
}
