//! The items that macros of these crates make. Those macros are of one kind: of a list of names, each perhaps with attributes, one item for each,
//! or one field. Whoever writes another kind is told here.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use std::collections::BTreeMap;
use syn::Item;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Token};

/// One name of the list.
struct Named {
    attrs: Vec<Attribute>,
    name: Ident,
}

impl Parse for Named {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self { attrs: Attribute::parse_outer(input)?, name: input.parse()? })
    }
}

/// The items of a module with those that its own macros make.
pub(super) fn expanded(at: &[String], items: Vec<Item>) -> Vec<Item> {
    let own: BTreeMap<String, TokenStream> = items.iter().filter_map(definition).collect();
    let mut all = Vec::new();
    for item in items {
        let called = match &item {
            Item::Macro(call) if call.ident.is_none() => {
                call.mac.path.get_ident().and_then(|name| Some((name, own.get(&name.to_string())?)))
            }
            _ => None,
        };
        let (Some((name, body)), Item::Macro(call)) = (called, &item) else {
            all.push(item);
            continue;
        };
        let unread = format!("{}: the items of `{name}!` can't be read", at.join("::"));
        let list = call.mac.parse_body_with(Punctuated::<Named, Token![,]>::parse_terminated).expect(&unread);
        let tokens = repeated(body.clone(), &list.into_iter().collect::<Vec<_>>());
        all.extend(syn::parse2::<syn::File>(tokens).expect(&unread).items);
    }
    all
}

/// The name of a macro, and what it makes by its one arm.
fn definition(item: &Item) -> Option<(String, TokenStream)> {
    let Item::Macro(item) = item else { return None };
    let name = item.ident.as_ref()?;
    let mut tokens = item.mac.tokens.clone().into_iter();
    let made = tokens.by_ref().filter_map(|token| if let TokenTree::Group(group) = token { Some(group.stream()) } else { None }).nth(1)?;
    Some((name.to_string(), made))
}

/// `$( … ),*` once for each of the names.
fn repeated(body: TokenStream, list: &[Named]) -> TokenStream {
    each(body, &|group, separator| {
        let one = |named| inner(group.clone(), named).into_iter().chain(separator.clone()).collect::<TokenStream>();
        list.iter().map(one).collect()
    })
}

/// `$name` by the name, and `$(#[$doc])*` by its attributes.
fn inner(body: TokenStream, named: &Named) -> TokenStream {
    let attrs = named.attrs.iter().map(quote::ToTokens::to_token_stream).collect::<TokenStream>();
    let mut filled = TokenStream::new();
    let mut tokens = each(body, &|_, _| attrs.clone()).into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(dollar) if dollar.as_char() == '$' && tokens.peek().is_some_and(|next| next.to_string() == "name") => {
                tokens.next();
                filled.extend([TokenTree::Ident(named.name.clone())]);
            }
            TokenTree::Group(group) => {
                filled.extend([TokenTree::Group(Group::new(group.delimiter(), inner(group.stream(), named)))]);
            }
            other => filled.extend([other]),
        }
    }
    filled
}

/// Replaces every `$( … )` with what `by` makes of its body and of what separates its repetitions.
fn each(body: TokenStream, by: &dyn Fn(&TokenStream, Option<TokenTree>) -> TokenStream) -> TokenStream {
    let mut made = TokenStream::new();
    let mut tokens = body.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(dollar) if dollar.as_char() == '$' => match tokens.peek() {
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
                    let group = group.stream();
                    tokens.next();
                    let separator = tokens.next().filter(|token| !matches!(token.to_string().as_str(), "*" | "+"));
                    if separator.is_some() {
                        tokens.next();
                    }
                    made.extend(by(&group, separator));
                }
                _ => made.extend([TokenTree::Punct(dollar)]),
            },
            TokenTree::Group(group) => made.extend([TokenTree::Group(Group::new(group.delimiter(), each(group.stream(), by)))]),
            other => made.extend([other]),
        }
    }
    made
}
