//! How much an expression holds for.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Most texts, in whatever letter case, that a group holds for which names a field: what has fewer than 12 bits is no secret.
const MOST_NAMES: u64 = 1 << 12;

/// Whether the first group of an expression holds for a few fixed texts only, such as names of fields.
pub(super) fn begins_with_names(hir: &Hir) -> bool {
    first_group(hir).is_some_and(|group| texts(group) <= MOST_NAMES)
}

/// How large an expression is with its repetitions written out.
pub(super) fn steps(hir: &Hir) -> u64 {
    let all = |parts: &[Hir]| parts.iter().map(steps).fold(1, u64::saturating_add);
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(Class::Bytes(class)) => class.ranges().len() as u64,
        HirKind::Class(Class::Unicode(class)) => 4 * class.ranges().len() as u64,
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min.saturating_add(1)).max(1);
            u64::from(times).saturating_mul(steps(&repetition.sub).saturating_add(1))
        }
        HirKind::Capture(capture) => steps(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => all(parts),
    }
}

/// The first group of an expression.
fn first_group(hir: &Hir) -> Option<&Hir> {
    match hir.kind() {
        HirKind::Capture(capture) => Some(&capture.sub),
        HirKind::Repetition(repetition) => first_group(&repetition.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().find_map(first_group),
        _ => None,
    }
}

/// For how many texts an expression holds, with small and capital letters as one; the most there can be.
fn texts(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) => 1,
        HirKind::Class(Class::Bytes(class)) => {
            let is_in = |byte: u8| class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&byte));
            let is_again = |byte: u8| byte.is_ascii_lowercase() && is_in(byte.to_ascii_uppercase());
            (0..=u8::MAX).filter(|byte| is_in(*byte) && !is_again(*byte)).count() as u64
        }
        HirKind::Class(Class::Unicode(_)) => u64::MAX,
        HirKind::Repetition(repetition) => {
            let of = texts(&repetition.sub);
            match repetition.max {
                None => u64::MAX,
                Some(max) => (repetition.min..=max).fold(0, |all, times| all.saturating_add(of.saturating_pow(times))),
            }
        }
        HirKind::Capture(capture) => texts(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(texts).fold(1, u64::saturating_mul),
        HirKind::Alternation(parts) => parts.iter().map(texts).fold(0, u64::saturating_add),
    }
}

/// Whether all that an expression holds for has a line break in it.
pub(super) fn needs_break(hir: &Hir) -> bool {
    let is_break = |byte: u8| matches!(byte, b'\n' | b'\r');
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().any(|byte| is_break(*byte)),
        HirKind::Class(Class::Bytes(class)) => {
            !class.ranges().is_empty() && class.ranges().iter().all(|range| (range.start()..=range.end()).all(is_break))
        }
        HirKind::Repetition(repetition) => repetition.min > 0 && needs_break(&repetition.sub),
        HirKind::Capture(capture) => needs_break(&capture.sub),
        HirKind::Concat(parts) => parts.iter().any(needs_break),
        HirKind::Alternation(parts) => parts.iter().all(needs_break),
        _ => false,
    }
}
