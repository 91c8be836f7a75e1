//! The formats of what outlives a host. Each has a number, and what has none is of format 1. Whoever finds a larger number than it knows
//! reads nothing of the rest, and writes nothing over it: what it can't read may be all that somebody has.

use serde::Deserialize;

/// The number that a JSON object has as `format`; none where it has none, or the text is no object.
pub fn of_json(text: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Head {
        format: Option<u64>,
    }
    // Of a list, the first element would count.
    text.trim_ascii_start().starts_with(b"{").then_some(())?;
    serde_json::from_slice::<Head>(text).ok()?.format
}

/// Why nothing of this format is read, with what to do; none where it is.
pub fn refused(format: u64, known: u64) -> Option<String> {
    (format > known).then(|| format!("written by a newer Strongroom (format {format}; this one reads up to {known}): upgrade this one"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_whatever_else_there_is() {
        for (text, format) in [
            (r#"{"format":1,"secrets":{}}"#, Some(1)),
            (r#"{"of":"a later version","format":7}"#, Some(7)),
            (r#"{"event":"denial"}"#, None),
            (r#"{"format":"7"}"#, None),
            (r#"[7]"#, None),
            ("no JSON", None),
        ] {
            assert_eq!(of_json(text.as_bytes()), format, "{text}");
        }
    }

    #[test]
    fn a_larger_number_is_refused_with_what_to_do() {
        assert_eq!(refused(1, 2), None);
        assert_eq!(refused(2, 2), None);
        let said = "written by a newer Strongroom (format 3; this one reads up to 2): upgrade this one";
        assert_eq!(refused(3, 2).as_deref(), Some(said));
    }
}
