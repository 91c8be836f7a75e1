//! What follows from the format of a secret, a regular expression of the manifest.

use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Least bits that a format must carry: what carries fewer turns up by chance.
const LEAST_BITS: f64 = 64.0;

/// The strings, of three bytes or more, that every text of the format begins with one of; `None` where there are none such, they do
/// not begin with a letter or a digit, or the format carries too little.
pub(super) fn beginnings(format: &str) -> Option<Vec<String>> {
    let hir = regex_syntax::parse(&unanchored(format)).ok()?;
    if bits(&hir) < LEAST_BITS || hir.properties().minimum_len().is_none_or(|length| length < super::LEAST) {
        return None;
    }
    let mut extractor = Extractor::new();
    let prefixes = extractor.limit_class(1).limit_total(16).extract(&hir);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let prefixes = prefixes.literals()?.iter().map(|literal| text(literal.as_bytes())).collect::<Option<Vec<String>>>()?;
    let usable = |prefix: &String| prefix.len() >= 3 && prefix.as_bytes()[0].is_ascii_alphanumeric();
    (!prefixes.is_empty() && prefixes.iter().all(usable)).then_some(prefixes)
}

/// A format without the anchors that say it is the whole text.
pub(super) fn unanchored(format: &str) -> String {
    let inner = format.strip_prefix('^').unwrap_or(format);
    let inner = inner.strip_suffix('$').filter(|inner| !inner.ends_with('\\')).unwrap_or(inner);
    inner.to_owned()
}

/// Whether a class that texts of the expression end with has `-`, and whether it has `_`.
pub(super) fn joints(expression: &str) -> [bool; 2] {
    let hir = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(expression);
    let ends = |joint: u8| hir.as_ref().is_ok_and(|hir| ends_with(hir, joint));
    [ends(b'-'), ends(b'_')]
}

fn ends_with(hir: &Hir, byte: u8) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) => false,
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&char::from(byte)))
        }
        HirKind::Class(Class::Bytes(class)) => class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&byte)),
        HirKind::Repetition(repetition) => ends_with(&repetition.sub, byte),
        HirKind::Capture(capture) => ends_with(&capture.sub, byte),
        HirKind::Concat(parts) => {
            // What may be empty is behind what ends it, too.
            let may_be_empty = |part: &Hir| part.properties().minimum_len() == Some(0);
            let needed = parts.iter().rposition(|part| !may_be_empty(part)).unwrap_or(0);
            parts[needed..].iter().any(|part| ends_with(part, byte))
        }
        HirKind::Alternation(parts) => parts.iter().any(|part| ends_with(part, byte)),
    }
}

/// The least random bits in a text of the expression.
fn bits(hir: &Hir) -> f64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Look(_) => 0.0,
        HirKind::Class(Class::Unicode(class)) => {
            size(class.ranges().iter().map(|range| (u32::from(range.start()), u32::from(range.end()))))
        }
        HirKind::Class(Class::Bytes(class)) => size(class.ranges().iter().map(|range| (u32::from(range.start()), u32::from(range.end())))),
        HirKind::Repetition(repetition) => f64::from(repetition.min) * bits(&repetition.sub),
        HirKind::Capture(capture) => bits(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(bits).sum(),
        HirKind::Alternation(parts) => parts.iter().map(bits).fold(f64::INFINITY, f64::min),
    }
}

fn size(ranges: impl Iterator<Item = (u32, u32)>) -> f64 {
    // Nobody writes keys outside ASCII: a class such as `.` counts as no more.
    let count: u32 = ranges.filter(|(start, _)| *start < 0x80).map(|(start, end)| end.min(0x7f) - start + 1).sum();
    f64::from(count.max(1)).log2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signs_that_an_expression_ends_with_are_known() {
        for (expression, joints) in [
            ("[A-Za-z0-9_-]{20}", [true, true]),
            (r"[a-z]{4}-(?:\w{20}|x)={0,2}", [false, true]),
            ("[A-Za-z0-9_-]{20}[0-9]", [false, false]),
            (r"[0-9-]{20}\b", [true, false]),
        ] {
            assert_eq!(super::joints(expression), joints, "{expression}");
        }
    }

    #[test]
    fn a_format_is_usable_where_it_begins_and_carries_enough() {
        assert_eq!(beginnings("^pf_live_[a-f0-9]{32}$"), Some(vec!["pf_live_".to_owned()]));
        assert_eq!(beginnings("^(?:ghp|gho)_[A-Za-z0-9]{36}$"), Some(vec!["ghp_".to_owned(), "gho_".to_owned()]));
        for loose in ["^[a-f0-9]{32}$", "^pf_live_[a-f0-9]{8}$", "^.+$", "^-----BEGIN [A-Z ]{20}"] {
            assert_eq!(beginnings(loose), None, "{loose}");
        }
    }
}
