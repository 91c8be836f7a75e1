//! What is typed on a terminal, unseen. What is new is typed twice, and is long enough to be worth typing.

use super::{Failure, code};
use std::io::{self, IsTerminal};
use strongroom::MIN_LENGTH;
use zeroize::Zeroizing;

/// Least characters of a new passphrase: whoever has the encrypted file may try passphrases on it without end.
pub(super) const LEAST_PASSPHRASE: usize = 12;

/// Where lines are typed.
pub(super) trait Ask {
    /// Asks for a line, which is not shown.
    fn ask(&mut self, prompt: &str) -> io::Result<String>;
}

/// The terminal of the process, whatever its standard streams are.
pub(super) struct Terminal;

impl Ask for Terminal {
    fn ask(&mut self, prompt: &str) -> io::Result<String> {
        rpassword::prompt_password(prompt)
    }
}

/// Whether the person at the terminal wants something done. `otherwise` is what became of it where there is nobody to ask.
pub(super) fn confirmed(question: &str, otherwise: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        let why = format!("there is no terminal to ask on; give `--yes`, or `--dry-run` to look; {otherwise}");
        return Err(Failure::new(code::USAGE, why));
    }
    super::output::ask(format_args!("{question} [y/N]: "));
    let mut line = String::new();
    let typed = io::stdin().read_line(&mut line);
    Ok(typed.is_ok() && ["y", "yes"].contains(&line.trim().to_lowercase().as_str()))
}

/// A passphrase that nothing is encrypted with yet.
pub(super) fn new_passphrase(terminal: &mut impl Ask) -> Result<Zeroizing<String>, Failure> {
    let least = format!("at least {LEAST_PASSPHRASE} characters");
    let passphrase = twice(terminal, &format!("New passphrase ({least}): "))?;
    check_passphrase(&passphrase).map(|()| passphrase)
}

/// Refuses a new passphrase that could be guessed by trying all.
pub(super) fn check_passphrase(passphrase: &str) -> Result<(), Failure> {
    let blank = passphrase.trim().is_empty();
    if blank || passphrase.chars().count() < LEAST_PASSPHRASE {
        let found = if blank { "the passphrase is empty" } else { "the passphrase is too short" };
        return Err(Failure::new(code::USAGE, format!("{found}: take at least {LEAST_PASSPHRASE} characters; nothing was written")));
    }
    Ok(())
}

/// A value that is to be kept as a secret.
pub(super) fn new_value(terminal: &mut impl Ask, name: &str) -> Result<Zeroizing<String>, Failure> {
    let value = twice(terminal, &format!("Value of {name}: "))?;
    check_value(value.as_bytes()).map(|()| value)
}

/// Refuses a value that no store keeps, before one is asked.
pub(super) fn check_value(value: &[u8]) -> Result<(), Failure> {
    let found = match value.len() {
        0 => "the value is empty".to_owned(),
        length if length < MIN_LENGTH => {
            format!("the value has fewer than {MIN_LENGTH} bytes, too few to be recognised in text and taken out")
        }
        _ => return Ok(()),
    };
    Err(Failure::new(code::USAGE, format!("{found}; nothing was written")))
}

fn twice(terminal: &mut impl Ask, prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let failed = |error: io::Error| Failure::new(code::USAGE, format!("nothing was typed ({error}); nothing was written"));
    let first = Zeroizing::new(terminal.ask(prompt).map_err(failed)?);
    let second = Zeroizing::new(terminal.ask("Once more: ").map_err(failed)?);
    match *first == *second {
        true => Ok(first),
        false => Err(Failure::new(code::USAGE, "the two are not the same; nothing was written")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types these lines, then closes the terminal.
    struct Typed(Vec<&'static str>);

    impl Ask for Typed {
        fn ask(&mut self, _prompt: &str) -> io::Result<String> {
            if self.0.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(self.0.remove(0).to_owned()) }
        }
    }

    #[test]
    fn a_new_passphrase_is_typed_twice_and_is_no_short_one() {
        let typed = |lines: &[&'static str]| new_passphrase(&mut Typed(lines.to_vec())).map_err(|failure| failure.message);

        assert_eq!(*typed(&["correct horse", "correct horse"]).expect("taken"), "correct horse");
        // Characters, not bytes.
        assert!(typed(&["éééééé", "éééééé"]).expect_err("short").contains("too short"));
        for (lines, why) in [
            (vec!["", ""], "empty"),
            (vec!["            ", "            "], "empty"),
            (vec!["elevenchars", "elevenchars"], "too short"),
            (vec!["correct horse", "correct hearse"], "not the same"),
            (vec!["correct horse"], "nothing was typed"),
            (vec![], "nothing was typed"),
        ] {
            let told = typed(&lines).expect_err("refused");
            assert!(told.contains(why), "{lines:?}: {told}");
            assert!(lines.iter().all(|line| line.trim().is_empty() || !told.contains(line)), "{told}");
        }
    }

    #[test]
    fn a_new_value_is_typed_twice_and_is_not_empty() {
        let typed = |lines: &[&'static str]| new_value(&mut Typed(lines.to_vec()), "KEY").map_err(|failure| failure.message);

        assert_eq!(*typed(&["12345678", "12345678"]).expect("taken"), "12345678");
        assert!(typed(&["", ""]).expect_err("empty").contains("empty"));
        assert!(typed(&["1234567", "1234567"]).expect_err("short").contains("fewer than 8 bytes"));
        assert!(typed(&["12345678", "12345679"]).expect_err("differs").contains("not the same"));
    }
}
