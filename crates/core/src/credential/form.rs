//! Fields of forms (`application/x-www-form-urlencoded`): found as every server would, filled in where they stand.

use super::fields::Held;
use crate::url::names::Name;
use crate::url::{pairs, percent_decoded};
use std::ops::Range;
use zeroize::Zeroizing;

/// What the form holds under that name.
pub(super) fn held(form: &str, name: &str) -> Held {
    let granted = Name::plain(name);
    // A `;` ends a pair for some servers, and a `+` is a blank for all.
    let is_alike = |pair: &&str| Name::encoded(&pair.split_once('=').unwrap_or((pair, "")).0.replace('+', " ")).is_like(&granted);
    let alike = pairs(form).filter(is_alike).count();
    match (alike, find(form, name)) {
        (0, _) => Held::Nothing,
        (1, Some(at)) => match String::from_utf8(percent_decoded(&form[at.clone()])) {
            Ok(text) => Held::Text(text, at),
            Err(_) => Held::Odd("the field is not text"),
        },
        (1, None) => Held::Twice("the field has another spelling of its name"),
        _ => Held::Twice("the field is there more than once"),
    }
}

/// Where the value of the field stands, undecoded.
fn find(form: &str, name: &str) -> Option<Range<usize>> {
    let mut at = 0;
    for pair in form.split('&') {
        if let Some((key, value)) = pair.split_once('=')
            && percent_decoded(key) == name.as_bytes()
            && !value.contains(['+', ';'])
        {
            let start = at + key.len() + 1;
            return Some(start..start + value.len());
        }
        at += pair.len() + 1;
    }
    None
}

/// The form with a value in the place of the field's; `None` where it has no such field.
pub(super) fn filled(form: &str, name: &str, value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let at = find(form, name)?;
    let mut out = Zeroizing::new(Vec::with_capacity(form.len() + value.len() * 3));
    out.extend_from_slice(&form.as_bytes()[..at.start]);
    super::template::percent_encode(value, &mut out);
    out.extend_from_slice(&form.as_bytes()[at.end..]);
    Some(out)
}

/// The form, or query, without the pairs of that name.
pub(super) fn without(form: &str, name: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(form.len()));
    for pair in form.split('&').filter(|pair| pair.split('=').next() != Some(name)) {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(pair);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_what_every_server_takes_for_it() {
        assert_eq!(held("a=1&token=P&b=2", "token"), Held::Text("P".into(), 10..11));
        assert_eq!(held("token=P%2Dx", "token"), Held::Text("P-x".into(), 6..11));
        assert_eq!(held("user%5Bkey%5D=P", "user[key]"), Held::Text("P".into(), 14..15));
        assert_eq!(held("", "token"), Held::Nothing);
        assert_eq!(held("tokens=1&my_token=2&a=token", "token"), Held::Nothing);
        for other in [
            "token=P&token=Q",
            "token=P&Token=Q",
            "token=P&token%20=Q",
            "token=P&%74oken=Q",
            "token=P&token[]=Q",
            "token=P&a=1;token=Q",
            "token=P&token",
            "token=P&+token=Q",
            "token=P;x=1",
            "Token=P",
            "token",
            "token=P+",
            "token=%ff",
            "token%00=P",
        ] {
            assert!(matches!(held(other, "token"), Held::Twice(_) | Held::Odd(_)), "{other}: {:?}", held(other, "token"));
        }
    }

    #[test]
    fn a_value_is_escaped_and_the_rest_stays() {
        let filled = filled("a=%7e&token=P&b", "token", "v&w=ä +".as_bytes()).expect("the field is there");
        assert_eq!(std::str::from_utf8(&filled), Ok("a=%7e&token=v%26w%3D%C3%A4%20%2B&b"));
    }
}
