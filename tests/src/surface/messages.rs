//! Everything that people may be told: the texts of the host's sources that have words in them, so that they can be read in a row.

use super::sources::Sources;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use std::fmt::Write;
use syn::{Item, LitStr};

/// Attributes whose texts are for readers of the sources.
const FOR_READERS: [&str; 8] = ["allow", "cfg", "cfg_attr", "deprecated", "derive", "doc", "expect", "must_use"];
/// Calls whose texts nobody is told: where the host fails, it reports the place alone.
const OF_DEFECTS: [&str; 6] = ["assert", "assert_eq", "debug_assert", "expect", "panic", "unreachable"];

/// The texts below the module that they stand in, in the order of the sources.
#[must_use]
pub fn messages(sources: &Sources) -> String {
    let mut listed = String::new();
    for (place, module) in &sources.modules {
        let mut texts = Vec::new();
        let own = module.items.iter().filter(|item| !matches!(item, Item::Mod(_)));
        own.for_each(|item| gather(item.to_token_stream(), &mut texts));
        if texts.is_empty() {
            continue;
        }
        let separator = if listed.is_empty() { "" } else { "\n" };
        writeln!(listed, "{separator}{}", place.join("::")).expect("a string takes it");
        texts.iter().for_each(|text| writeln!(listed, "    {text}").expect("a string takes it"));
    }
    listed
}

fn gather(tokens: TokenStream, texts: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut is_skipped = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                if let Some(TokenTree::Group(attribute)) = tokens.peek() {
                    is_skipped = is_for_readers(attribute);
                }
            }
            TokenTree::Ident(name) => is_skipped = OF_DEFECTS.iter().any(|defect| name == defect),
            TokenTree::Punct(mark) if mark.as_char() == '!' => {}
            TokenTree::Punct(_) => is_skipped = false,
            TokenTree::Group(group) => {
                if !std::mem::take(&mut is_skipped) {
                    gather(group.stream(), texts);
                }
            }
            TokenTree::Literal(literal) => {
                if let Ok(text) = syn::parse_str::<LitStr>(&literal.to_string())
                    && has_words(&text.value())
                {
                    texts.push(readable(&text.value()));
                }
            }
        }
    }
}

/// A text on one line, whatever stands in it.
fn readable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

fn is_for_readers(attribute: &Group) -> bool {
    let name = attribute.stream().into_iter().next().map(|token| token.to_string()).unwrap_or_default();
    attribute.delimiter() == Delimiter::Bracket && FOR_READERS.contains(&name.as_str())
}

/// Whether two words stand one after the other: else it is a name, a pattern or a separator.
fn has_words(text: &str) -> bool {
    let is_word = |word: &str| word.chars().filter(|c| c.is_alphabetic()).count() >= 2;
    let words: Vec<&str> = text.split_whitespace().collect();
    words.windows(2).any(|pair| pair.iter().all(|word| is_word(word)))
}
