//! Colours, for whoever reads on a terminal that has them.

use std::ffi::OsString;
use std::io::IsTerminal;

/// Whether there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint(bool);

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tint {
    /// Like any other.
    Plain,
    /// The title of a part.
    Title,
    /// Of less weight.
    Faint,
    /// A key itself, by its description.
    Key,
    /// What stands for a key.
    Placeholder,
    /// As it must be.
    Good,
    /// Denied, or wrong.
    Bad,
}

impl Paint {
    /// No colours.
    pub const NONE: Self = Self(false);

    /// What suits stdout: none in a pipe, none where `NO_COLOR` is set (<https://no-color.org>), none on a terminal that has none.
    #[must_use]
    pub fn of_stdout() -> Self {
        Self::of(std::io::stdout().is_terminal(), |name| std::env::var_os(name))
    }

    fn of(is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let is_unwanted = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = variable("TERM").is_none_or(|terminal| terminal.is_empty() || terminal == "dumb");
        Self(is_terminal && !is_unwanted && !is_dumb)
    }

    /// The text in its colour.
    #[must_use]
    pub fn tint(self, tint: Tint, text: &str) -> String {
        let code = match tint {
            Tint::Title => "1",
            Tint::Faint => "2",
            Tint::Key => "33",
            Tint::Placeholder => "36",
            Tint::Good => "32",
            Tint::Bad => "31",
            Tint::Plain => return text.to_owned(),
        };
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_have_them_and_people_who_want_them() {
        let paint = |is_terminal, set: &[(&str, &str)]| {
            Paint::of(is_terminal, |name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value)))
        };
        let xterm = ("TERM", "xterm-256color");

        assert_eq!(paint(true, &[xterm]), Paint(true));
        assert_eq!(paint(true, &[xterm, ("NO_COLOR", "")]), Paint(true));
        assert_eq!(paint(true, &[xterm, ("NO_COLOR", "1")]), Paint::NONE);
        assert_eq!(paint(true, &[("TERM", "dumb")]), Paint::NONE);
        assert_eq!(paint(true, &[]), Paint::NONE);
        assert_eq!(paint(false, &[xterm]), Paint::NONE);
        assert_eq!(Paint::NONE.tint(Tint::Bad, "denied"), "denied");
        assert_eq!(Paint(true).tint(Tint::Bad, "denied"), "\x1b[31mdenied\x1b[0m");
    }
}
