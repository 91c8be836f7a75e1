//! Tokens as text, in one form whatever the lines and blanks of the source: what rustfmt breaks anew is no change.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;

/// Some tokens in one line.
pub(super) fn line(tokens: &impl ToTokens) -> String {
    let mut line = Line { text: String::new(), last: Last::Tight };
    line.stream(tokens.to_token_stream());
    line.text
}

/// What stands at the end of a line, as far as it decides on a blank.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// What sticks to its next: `&`, `::`, an opened bracket.
    Tight,
    /// What has a blank behind it, whatever follows.
    Spaced,
    /// A name, or a literal.
    Word,
    /// A word that is no name, or a lifetime: brackets stand apart from it.
    Keyword,
    /// A closed bracket.
    Closed,
}

struct Line {
    text: String,
    last: Last,
}

/// Signs of several characters, the longer ones first.
const SIGNS: [&str; 9] = ["..=", "->", "=>", "::", "..", "&&", "||", "==", "!="];
const KEYWORDS: [&str; 8] = ["mut", "dyn", "as", "where", "const", "in", "ref", "impl"];

impl Line {
    fn stream(&mut self, stream: TokenStream) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut next = 0;
        while next < tokens.len() {
            next += match &tokens[next] {
                TokenTree::Ident(word) => self.word(&word.to_string()),
                TokenTree::Literal(literal) => self.word(&literal.to_string()),
                TokenTree::Group(group) => self.group(group),
                TokenTree::Punct(_) => self.signs(&tokens[next..]),
            };
        }
    }

    fn word(&mut self, word: &str) -> usize {
        self.put(word, self.last != Last::Tight, if KEYWORDS.contains(&word) { Last::Keyword } else { Last::Word });
        1
    }

    fn group(&mut self, group: &Group) -> usize {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::Brace => ("{ ", " }"),
            Delimiter::None => ("", ""),
        };
        let is_apart = matches!(self.last, Last::Spaced | Last::Keyword) || (open == "{ " && self.last != Last::Tight);
        self.put(open, is_apart, Last::Tight);
        self.stream(without_last_comma(group.stream()));
        self.put(close, false, Last::Closed);
        1
    }

    /// A sign; how many tokens it was.
    fn signs(&mut self, tokens: &[TokenTree]) -> usize {
        let signs = |len: usize| tokens.iter().take(len).map(ToString::to_string).collect::<String>();
        if let ("'", Some(TokenTree::Ident(name))) = (signs(1).as_str(), tokens.get(1)) {
            let is_generic = matches!(self.last, Last::Tight);
            self.put(&format!("'{name}"), !is_generic, Last::Keyword);
            return 2;
        }
        let sign = SIGNS.iter().find(|sign| signs(sign.len()) == **sign).map_or_else(|| signs(1), |sign| (*sign).to_owned());
        let is_behind_word = !matches!(self.last, Last::Tight);
        match sign.as_str() {
            "," | ";" | ":" => self.put(&sign, false, Last::Spaced),
            "->" | "=>" | "=" | "+" | "|" | "==" | "!=" | "||" => self.put(&sign, true, Last::Spaced),
            "<" => self.put(&sign, self.last == Last::Keyword && !self.text.ends_with("impl"), Last::Tight),
            ">" => self.closed(),
            "&" | "*" | "?" | "&&" => self.put(&sign, is_behind_word, Last::Tight),
            _ => self.put(&sign, self.last == Last::Spaced, Last::Tight),
        }
        sign.len()
    }

    /// A list of generics ends: behind a comma in a source of many lines, and without it in one of one.
    fn closed(&mut self) {
        if self.text.ends_with(',') {
            self.text.pop();
        }
        self.last = Last::Tight;
        self.put(">", false, Last::Closed);
    }

    fn put(&mut self, text: &str, is_apart: bool, last: Last) {
        if is_apart && !self.text.is_empty() && !self.text.ends_with(' ') {
            self.text.push(' ');
        }
        self.text.push_str(text);
        self.last = last;
    }
}

/// Without the comma that a list of several has at its end where it is written in several lines. That of `(T,)` says that it is a tuple.
fn without_last_comma(stream: TokenStream) -> TokenStream {
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let mut tokens: Vec<TokenTree> = stream.into_iter().collect();
    if tokens.last().is_some_and(is_comma) && tokens.iter().filter(|token| is_comma(token)).count() > 1 {
        tokens.pop();
    }
    tokens.into_iter().collect()
}
