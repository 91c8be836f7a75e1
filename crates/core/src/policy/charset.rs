//! Charsets by which a body can be searched as it is, and those that hide what is in it.

use http::{HeaderMap, header};

/// UTF-8, ASCII and Latin-1 in their spellings, without signs.
const PLAIN: &[&str] = &[
    "ansix341968",
    "ansix341986",
    "ascii",
    "cp1252",
    "cp819",
    "csisolatin1",
    "ibm819",
    "iso646us",
    "iso88591",
    "iso885911987",
    "isoir100",
    "l1",
    "latin1",
    "usascii",
    "utf8",
    "windows1252",
    "xcp1252",
];

/// How charsets begin in which ASCII is itself, or every byte of it stands between NULs.
const ASCII_BASED: &[&str] = &[
    "big5",
    "cp125",
    "cp437",
    "cp850",
    "cp852",
    "cp866",
    "cp874",
    "cp932",
    "cp936",
    "cp949",
    "csshiftjis",
    "euc",
    "gb",
    "ibm437",
    "ibm850",
    "ibm852",
    "ibm866",
    "iso2022",
    "iso8859",
    "koi8",
    "ksc5601",
    "latin",
    "mac",
    "mskanji",
    "shiftjis",
    "sjis",
    "tis620",
    "ucs2",
    "ucs4",
    "utf16",
    "utf32",
    "windows125",
    "windows31j",
    "windows874",
    "windows949",
    "xeuc",
    "xmac",
    "xsjis",
];

/// The charsets that `Content-Type` names, every one of them, without signs: readers differ in which of several they follow.
pub fn named(headers: &HeaderMap) -> Vec<String> {
    let names_one = |line: &&http::HeaderValue| line.as_bytes().windows(7).any(|word| word.eq_ignore_ascii_case(b"charset"));
    let lines = headers
        .get_all(header::CONTENT_TYPE)
        .iter()
        .filter(names_one)
        .map(|line| String::from_utf8_lossy(line.as_bytes()).to_ascii_lowercase());
    lines
        .flat_map(|line| line.match_indices("charset").filter_map(|(at, word)| name(&line[at + word.len()..])).collect::<Vec<_>>())
        .collect()
}

/// The name that follows `charset`, in this spelling or with a language (`charset*=utf-8''…`).
fn name(rest: &str) -> Option<String> {
    let value = rest.trim_start().trim_start_matches('*').trim_start().strip_prefix('=')?;
    let value = value.trim_start_matches([' ', '\t', '"', '\'', '\\']);
    let end = value.find([';', ',', '"', '\'', ' ', '\t']).unwrap_or(value.len());
    Some(value[..end].chars().filter(|c| c.is_alphanumeric()).collect())
}

/// Whether text in this charset is searched as it is.
pub fn is_plain(name: &str) -> bool {
    name.is_empty() || PLAIN.contains(&name)
}

/// Whether keys, which are ASCII, are found in text of this charset.
pub fn is_ascii_based(name: &str) -> bool {
    is_plain(name) || ASCII_BASED.iter().any(|known| name.starts_with(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn of(line: &str) -> Vec<String> {
        named(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_str(line).expect("a value"))]))
    }

    #[test]
    fn every_charset_of_a_line_counts_in_every_spelling() {
        for plain in [
            "text/plain",
            "text/plain; charset=utf-8",
            "text/plain;charset=UTF8",
            "text/plain; charset=\"utf-8\"",
            "a/b; CHARSET = 'US-ASCII'",
            "a/b; charset=ISO_8859-1:1987",
            "a/b; charset=latin1",
            "a/b; charset=",
            "a/b; charset=windows-1252",
            "a/b;charset*=utf-8''x",
        ] {
            assert!(of(plain).iter().all(|name| is_plain(name)), "{plain}: {:?}", of(plain));
        }
        for other in [
            "a/b; charset=utf-16",
            "a/b; charset=UTF-32BE",
            "a/b; charset=utf-8; charset=utf-7",
            "a/b;charset = \"IBM037\"",
            "a/b; x=\"charset=cp500\"",
            "a/b; charset=iso-8859-15",
            "a/b; charset*=utf-7''x",
            "a/b; charset=x-user-defined",
            "a/b;charset=\\\"utf-7\\\"",
        ] {
            assert!(!of(other).iter().all(|name| is_plain(name)), "{other}: {:?}", of(other));
        }
        for ascii in ["utf16le", "shiftjis", "gbk", "eucjp", "windows1251", "iso885915", "utf8"] {
            assert!(is_ascii_based(ascii), "{ascii}");
        }
        for hiding in ["utf7", "ibm037", "cp500", "ebcdiccpus", "scsu", "bocu1", "hzgb2312", "ibm1047", "utfebcdic"] {
            assert!(!is_ascii_based(hiding), "{hiding}");
        }
    }
}
