//! Recursive Length Prefix (Ethereum Yellow Paper, appendix B), in its one canonical form: what is read here and written again is the same
//! bytes. Anything else is refused: longer lengths than needed, a byte in a string of its own, leading zeros of numbers, bytes that trail.

use alloy_primitives::{Address, B256, U256};

/// Lists within lists, at most. Transactions have four.
const MAX_DEPTH: usize = 6;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item<'a> {
    /// A string of bytes.
    Bytes(&'a [u8]),
    /// A list of items.
    List(Vec<Item<'a>>),
}

/// Why bytes are no item, or not the one expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

type Read<T> = Result<T, Malformed>;

impl<'a> Item<'a> {
    /// The one item that `bytes` are.
    pub fn read(bytes: &'a [u8]) -> Read<Self> {
        match item(bytes, 0)? {
            (item, []) => Ok(item),
            _ => Err(Malformed("bytes follow after the RLP item")),
        }
    }

    /// Its bytes, where it is a string.
    pub fn bytes(&self) -> Read<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::List(_) => Err(Malformed("a list is where bytes belong")),
        }
    }

    /// Its items, where it is a list.
    pub fn list(&self) -> Read<&[Item<'a>]> {
        match self {
            Self::List(items) => Ok(items),
            Self::Bytes(_) => Err(Malformed("bytes are where a list belongs")),
        }
    }

    /// A number of at most 256 bits, without leading zeros.
    pub fn number(&self) -> Read<U256> {
        match self.bytes()? {
            [0, ..] => Err(Malformed("a number has a leading zero")),
            bytes => U256::try_from_be_slice(bytes).ok_or(Malformed("a number has more than 256 bits")),
        }
    }

    /// A number of at most 64 bits, without leading zeros.
    pub fn small(&self) -> Read<u64> {
        u64::try_from(self.number()?).map_err(|_| Malformed("a number has more than 64 bits"))
    }

    /// An address: exactly 20 bytes.
    pub fn address(&self) -> Read<Address> {
        Address::try_from(self.bytes()?).map_err(|_| Malformed("an address does not have 20 bytes"))
    }

    /// A word: exactly 32 bytes.
    pub fn word(&self) -> Read<B256> {
        B256::try_from(self.bytes()?).map_err(|_| Malformed("a word does not have 32 bytes"))
    }
}

fn item(bytes: &[u8], depth: usize) -> Read<(Item<'_>, &[u8])> {
    if depth > MAX_DEPTH {
        return Err(Malformed("lists are nested too deep"));
    }
    let (&first, rest) = bytes.split_first().ok_or(Malformed("the RLP ends too early"))?;
    match first {
        0..=0x7f => Ok((Item::Bytes(&bytes[..1]), rest)),
        0x80..=0xb7 => {
            let (inner, rest) = take(rest, usize::from(first - 0x80))?;
            match inner {
                [0..=0x7f] => Err(Malformed("a single byte has a length before it")),
                _ => Ok((Item::Bytes(inner), rest)),
            }
        }
        0xb8..=0xbf => {
            let (inner, rest) = long(rest, usize::from(first - 0xb7))?;
            Ok((Item::Bytes(inner), rest))
        }
        0xc0..=0xf7 => {
            let (inner, rest) = take(rest, usize::from(first - 0xc0))?;
            Ok((Item::List(items(inner, depth)?), rest))
        }
        0xf8..=0xff => {
            let (inner, rest) = long(rest, usize::from(first - 0xf7))?;
            Ok((Item::List(items(inner, depth)?), rest))
        }
    }
}

fn items(mut bytes: &[u8], depth: usize) -> Read<Vec<Item<'_>>> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        let (item, rest) = item(bytes, depth + 1)?;
        items.push(item);
        bytes = rest;
    }
    Ok(items)
}

fn take(bytes: &[u8], length: usize) -> Read<(&[u8], &[u8])> {
    bytes.split_at_checked(length).ok_or(Malformed("the RLP ends too early"))
}

/// What follows a length of `width` bytes, which must be above 55 and have no leading zero.
fn long(bytes: &[u8], width: usize) -> Read<(&[u8], &[u8])> {
    let (length, rest) = take(bytes, width)?;
    if length[0] == 0 {
        return Err(Malformed("a length has a leading zero"));
    }
    let length = length.iter().try_fold(0usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)));
    match length {
        Some(length) if length > 55 => take(rest, length),
        Some(_) => Err(Malformed("a short item has a long length")),
        None => Err(Malformed("the RLP ends too early")),
    }
}

/// Writes items, one after the other.
pub struct Writer(Vec<u8>);

impl Writer {
    /// Begins with a first byte of its own where there is one (EIP-2718), and has room for so many bytes before it grows.
    pub fn new(first: Option<u8>, room: usize) -> Self {
        let mut bytes = Vec::with_capacity(room);
        bytes.extend(first);
        Self(bytes)
    }

    /// A list of what `fill` writes.
    pub fn list(&mut self, fill: impl FnOnce(&mut Self)) {
        let begin = self.0.len();
        fill(self);
        // Its header is known only now.
        let end = self.0.len();
        self.header(0xc0, end - begin);
        self.0[begin..].rotate_left(end - begin);
    }

    /// Adds a string of bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        if !matches!(bytes, [0..=0x7f]) {
            self.header(0x80, bytes.len());
        }
        self.0.extend_from_slice(bytes);
    }

    /// Adds a number, without leading zeros.
    pub fn number(&mut self, number: U256) {
        self.bytes(&number.to_be_bytes::<32>()[number.leading_zeros() / 8..]);
    }

    /// Adds a number of at most 64 bits.
    pub fn small(&mut self, number: u64) {
        self.number(U256::from(number));
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    fn header(&mut self, base: u8, length: usize) {
        if length <= 55 {
            self.0.push(base + u8::try_from(length).expect("at most 55"));
            return;
        }
        let length = U256::from(length).to_be_bytes_trimmed_vec();
        self.0.push(base + 55 + u8::try_from(length.len()).expect("at most 8"));
        self.0.extend_from_slice(&length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(item: &Item<'_>, out: &mut Writer) {
        match item {
            Item::Bytes(bytes) => out.bytes(bytes),
            Item::List(items) => out.list(|out| items.iter().for_each(|item| write(item, out))),
        }
    }

    #[test]
    fn the_examples_of_the_specification_are_read_and_written_alike() {
        // https://ethereum.org/en/developers/docs/data-structures-and-encoding/rlp/#examples
        let lorem: Vec<u8> = [&[0xb8, 0x38][..], b"Lorem ipsum dolor sit amet, consectetur adipisicing elit"].concat();
        let examples: &[&[u8]] = &[
            b"\x83dog",
            b"\xc8\x83cat\x83dog",
            b"\x80",
            b"\xc0",
            b"\x00",
            b"\x0f",
            b"\x82\x04\x00",
            b"\xc7\xc0\xc1\xc0\xc3\xc0\xc1\xc0",
            &lorem,
        ];
        for example in examples {
            let mut out = Writer::new(None, 0);
            write(&Item::read(example).expect("canonical"), &mut out);
            assert_eq!(out.finish(), *example);
        }
    }

    #[test]
    fn every_other_form_is_refused() {
        let long = [&[0xb8, 0x37][..], &[7; 55]].concat();
        let zero = [&[0xb9, 0x00, 0x38][..], &[7; 56]].concat();
        let deep = [0xc6, 0xc5, 0xc4, 0xc3, 0xc2, 0xc1, 0xc0].to_vec();
        let deeper = [&[0xc8, 0xc7][..], &deep].concat();
        for bad in [
            &b""[..],
            b"\x81\x05",
            b"\x83do",
            b"\xc8\x83cat\x83do",
            b"\x80\x80",
            b"\xb8",
            b"\xbf\xff\xff\xff\xff\xff\xff\xff\xff",
            &long,
            &zero,
            &deeper,
        ] {
            assert!(Item::read(bad).is_err(), "{bad:02x?}");
        }
        assert!(Item::read(b"\x00").and_then(|item| item.number()).is_err());
        assert!(Item::read(b"\x82\x00\x01").and_then(|item| item.number()).is_err());
        assert!(Item::read(&deep).is_ok());
    }
}
