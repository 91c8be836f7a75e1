//! Which forms hold a piece of a few bytes, and where: a keyed hash table behind a bit map that answers "none" at once.
//!
//! Letters are folded, so that any case is found. The key is drawn once for each process: which texts make a search work harder
//! can't be computed from outside.

use std::sync::{Arc, OnceLock};

/// Most bytes in a gram.
pub(super) const WIDEST: usize = 8;
/// Most bytes of a form's beginning.
pub(super) const LONGEST: usize = 32;
/// Bits in the map for each gram in it. Each sets two of one word: one probe in some two hundred hits by chance.
const SPARSE: usize = 16;

/// Where a gram stands: in which form, how many bytes from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) form: u32,
    pub(super) offset: usize,
    /// One more byte of the form, folded, and where it stands: it tells forms with the same beginning apart.
    pub(super) further: (usize, u8),
}

/// A gram of a form, by its hash.
pub(super) type Hashed = (u64, Entry);

#[derive(Clone, Copy, Default)]
pub(super) struct Entry {
    /// A part of the hash.
    tag: u16,
    further: (u8, u8),
    /// The form's number above eight bits of offset.
    place: u32,
}

/// The grams of all forms.
pub(super) struct Grams {
    key: u64,
    /// Bytes in a gram.
    pub(super) width: usize,
    mask: u64,
    /// Of all tables.
    map: Box<[u64]>,
    /// Each of what came at once.
    tables: Vec<Arc<Table>>,
}

/// Where grams stand.
struct Table {
    /// How far a hash is shifted to be a bucket's number.
    bucket: u32,
    /// Where each bucket begins.
    heads: Box<[u32]>,
    entries: Box<[Entry]>,
}

/// Most forms in a table.
const FORMS: u32 = 1 << 24;

impl Grams {
    /// A table without grams, which are to be of `width` bytes.
    pub(super) fn none(width: usize) -> Self {
        Self { key: key(), width, mask: u64::MAX >> (64 - 8 * width), map: Box::new([0]), tables: Vec::new() }
    }

    /// Adds the first `count` grams of a form that begins with these bytes. `further` is one more byte of it, folded, and where it stands.
    ///
    /// # Panics
    /// Where there are more than 16 million forms, which no number of secrets in one agent comes near.
    pub(super) fn of(&self, form: u32, beginning: &[u8; LONGEST], count: usize, further: (u8, u8), all: &mut Vec<Hashed>) {
        assert!(form < FORMS, "forms are bounded");
        all.extend(beginning.windows(WIDEST).take(count).zip(0u32..).map(|(bytes, offset)| {
            let hash = self.hash(self.gram_of(*bytes.first_chunk().expect("a gram at its widest")));
            (hash, Entry { tag: tag(hash), further, place: form << 8 | offset })
        }));
    }

    /// The same with more grams.
    pub(super) fn and(&self, hashed: &[Hashed]) -> Self {
        let all = hashed.len() + self.tables.iter().map(|table| table.entries.len()).sum::<usize>();
        let words = (all * SPARSE / 64).next_power_of_two().clamp(1 << 4, 1 << 20).max(self.map.len());
        // A longer map holds what a shorter one does where that is repeated: a word's number is the lower bits of a hash's part.
        let mut map = self.map.repeat(words / self.map.len());
        for (hash, _) in hashed {
            map[word(*hash) & (words - 1)] |= bits(*hash);
        }
        let mut tables = Vec::with_capacity(self.tables.len() + 1);
        tables.extend(self.tables.iter().cloned());
        if !hashed.is_empty() {
            tables.push(Arc::new(Table::new(hashed)));
        }
        Self { map: map.into(), tables, ..*self }
    }

    /// The gram that stands at the beginning of `bytes`, which are as many as a gram has, or more.
    #[inline(always)]
    pub(super) fn gram(&self, bytes: &[u8]) -> u64 {
        match bytes.first_chunk() {
            Some(bytes) => self.gram_of(*bytes),
            None => {
                let mut padded = [0; WIDEST];
                padded[..bytes.len()].copy_from_slice(bytes);
                self.gram_of(padded)
            }
        }
    }

    #[inline(always)]
    pub(super) fn gram_of(&self, bytes: [u8; WIDEST]) -> u64 {
        folded(bytes) & self.mask
    }

    /// Whether the gram may be in the table.
    #[inline(always)]
    pub(super) fn may_hold(&self, gram: u64) -> bool {
        let hash = self.hash(gram);
        let bits = bits(hash);
        self.map[word(hash) & (self.map.len() - 1)] & bits == bits
    }

    /// Where the gram stands.
    #[inline]
    pub(super) fn places(&self, gram: u64) -> impl Iterator<Item = Place> + '_ {
        let hash = self.hash(gram);
        let tag = tag(hash);
        let entries = self.tables.iter().flat_map(move |table| table.entries(hash));
        entries.filter(move |entry| entry.tag == tag).map(|entry| Place {
            form: entry.place >> 8,
            offset: (entry.place & 0xff) as usize,
            further: (usize::from(entry.further.0), entry.further.1),
        })
    }

    /// Bytes of memory in use.
    pub(super) fn size(&self) -> usize {
        self.map.len() * 8 + self.tables.iter().map(|table| size_of_val(&*table.heads) + size_of_val(&*table.entries)).sum::<usize>()
    }

    #[inline(always)]
    fn hash(&self, gram: u64) -> u64 {
        gram.wrapping_mul(self.key)
    }
}

impl Table {
    fn new(hashed: &[Hashed]) -> Self {
        let buckets = (hashed.len() / 2).next_power_of_two().clamp(1 << 6, 1 << 22);
        let bucket = 64 - buckets.trailing_zeros();
        let mut heads = vec![0u32; buckets + 1];
        for (hash, _) in hashed {
            heads[(hash >> bucket) as usize + 1] += 1;
        }
        for at in 1..heads.len() {
            heads[at] += heads[at - 1];
        }
        let mut next = heads.clone();
        let mut entries = vec![Entry::default(); hashed.len()];
        for (hash, entry) in hashed {
            let slot = &mut next[(hash >> bucket) as usize];
            entries[*slot as usize] = *entry;
            *slot += 1;
        }
        Self { bucket, heads: heads.into(), entries: entries.into() }
    }

    /// The entries of a hash's bucket.
    #[inline]
    fn entries(&self, hash: u64) -> &[Entry] {
        let bucket = (hash >> self.bucket) as usize;
        &self.entries[self.heads[bucket] as usize..self.heads[bucket + 1] as usize]
    }
}

/// The hash of a gram at its widest, each bit of which depends on all of the gram: no table of grams stands behind it.
#[inline]
pub(super) fn hash(gram: [u8; WIDEST]) -> u64 {
    let product = u128::from(folded(gram)) * u128::from(key());
    (product >> 64) as u64 ^ product as u64
}

/// A gram in which no letter tells its case.
#[inline(always)]
fn folded(gram: [u8; WIDEST]) -> u64 {
    // Letters differ from their other case in this bit.
    u64::from_le_bytes(gram) | 0x2020_2020_2020_2020
}

/// Which word of the map, before it is cut to the map's size.
#[inline(always)]
pub(super) fn word(hash: u64) -> usize {
    (hash >> 36) as usize
}

/// Two bits of a word.
#[inline(always)]
pub(super) fn bits(hash: u64) -> u64 {
    1 << (hash >> 24 & 63) | 1 << (hash >> 30 & 63)
}

#[inline(always)]
fn tag(hash: u64) -> u16 {
    (hash >> 16) as u16
}

fn key() -> u64 {
    static KEY: OnceLock<u64> = OnceLock::new();
    *KEY.get_or_init(|| {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("the system has a random source");
        // Odd, so that multiplying by it loses nothing.
        u64::from_le_bytes(bytes) | 1
    })
}
