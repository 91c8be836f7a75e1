//! Every function of the crates, with what of it decides by what right it touches something.

use super::sources::{Place, Sources, is_for_tests};
use super::text::line;
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Attribute, ImplItem, Item, Meta, Signature, Token, TraitItem, Type};

/// One function, wherever it stands.
pub(super) struct Function<'a> {
    pub(super) path: Place,
    /// The module.
    pub(super) at: &'a [String],
    pub(super) signature: &'a Signature,
    pub(super) body: TokenStream,
    /// The type that it is of, where it has a receiver.
    pub(super) receiver: Option<&'a Type>,
    /// Why lints are told to expect something here, by the lint: the function's own reasons, and those of what is around it.
    pub(super) expected: Vec<(String, String)>,
}

impl Function<'_> {
    /// Its path with its signature.
    pub(super) fn shown(&self) -> String {
        let (path, signature) = (self.path.join("::"), super::items::signature(self.signature, ""));
        let (before, behind) = signature.split_once("fn ").expect("it is a function");
        format!("{path}{behind}{}", if before.is_empty() { String::new() } else { format!(" [{}]", before.trim_end()) })
    }

    /// Why a lint is told to expect something in it: its own reason before those of what is around it.
    pub(super) fn reason(&self, lint: &str) -> Option<&str> {
        self.expected.iter().rev().find(|(expected, _)| expected.starts_with(lint)).map(|(_, reason)| reason.as_str())
    }
}

pub(super) fn functions(sources: &Sources) -> Vec<Function<'_>> {
    let mut all = Vec::new();
    for (at, module) in &sources.modules {
        let around = (1..=at.len()).filter_map(|end| sources.modules.get(&at[..end])).flat_map(|module| &module.attrs).collect::<Vec<_>>();
        let expected = |attrs: &[&[Attribute]]| {
            around.iter().copied().chain(attrs.iter().copied().flatten()).flat_map(expectations).collect::<Vec<_>>()
        };
        let mut keep = |within: &[String], attrs: &[&[Attribute]], signature, body, receiver| {
            let path = at.iter().chain(within).cloned().collect();
            all.push(Function { path, at, signature, body, receiver, expected: expected(attrs) });
        };
        for item in &module.items {
            match item {
                Item::Fn(item) => keep(&[item.sig.ident.to_string()], &[&item.attrs], &item.sig, item.block.to_token_stream(), None),
                Item::Impl(item) => {
                    let ty = line(&item.self_ty);
                    let owner = item.trait_.as_ref().map_or_else(|| ty.clone(), |(path, _)| format!("<{ty} as {}>", line(path)));
                    for member in &item.items {
                        if let ImplItem::Fn(function) = member
                            && !is_for_tests(&function.attrs)
                        {
                            let within = [owner.clone(), function.sig.ident.to_string()];
                            let receiver = function.sig.receiver().map(|_| item.self_ty.as_ref());
                            keep(&within, &[&item.attrs, &function.attrs], &function.sig, function.block.to_token_stream(), receiver);
                        }
                    }
                }
                Item::Trait(item) => {
                    for member in &item.items {
                        if let TraitItem::Fn(function) = member {
                            let within = [item.ident.to_string(), function.sig.ident.to_string()];
                            keep(&within, &[&item.attrs, &function.attrs], &function.sig, function.default.to_token_stream(), None);
                        }
                    }
                }
                _ => {}
            }
        }
    }
    all
}

/// The reasons of an `expect` of what is disallowed, by the lint.
fn expectations(attribute: &Attribute) -> Vec<(String, String)> {
    if !attribute.path().is_ident("expect") {
        return Vec::new();
    }
    let entries = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).expect("lints");
    let reason = entries.iter().find_map(|entry| match entry {
        Meta::NameValue(pair) if pair.path.is_ident("reason") => Some(line(&pair.value).trim_matches('"').to_owned()),
        _ => None,
    });
    let lints = entries.iter().map(|entry| line(entry.path())).filter(|lint| lint.starts_with("clippy::disallowed_"));
    lints.map(|lint| (lint, reason.clone().unwrap_or_default())).collect()
}
