//! What the names among tokens stand for, and which types of the crates carry a socket.

use super::functions::functions;
use super::sources::{Place, Sources};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use std::collections::{BTreeMap, BTreeSet};
use syn::{Fields, Item};

/// Types that have a socket in one of their fields: by the type, what sockets those are, and the names of those fields and of methods that
/// give what is in them.
pub(super) type Carriers = BTreeMap<Place, (BTreeSet<String>, Vec<String>)>;

/// What paths among tokens stand for, through the module's `use` and through aliases of types.
pub(super) fn names(sources: &Sources, at: &[String], tokens: &TokenStream) -> Vec<Place> {
    let mut found = Vec::new();
    for path in paths(tokens) {
        let meaning = sources.meaning(at, &path);
        if let ([Item::Type(alias)], Some((_, module))) = (&sources.items(&meaning)[..], meaning.split_last()) {
            found.extend(names(sources, module, &alias.ty.to_token_stream()));
        }
        // In `Type::function` the type is the one that has a `use`.
        if let Some((last, of)) = path.split_last().filter(|(_, of)| !of.is_empty()) {
            found.push(super::sources::below(&sources.meaning(at, of), last));
        }
        found.push(meaning);
    }
    found
}

fn paths(tokens: &TokenStream) -> Vec<Place> {
    let (mut found, mut path, mut colons) = (Vec::new(), Place::new(), 0);
    for token in tokens.clone() {
        match &token {
            TokenTree::Ident(word) => {
                if colons != 2 {
                    found.push(std::mem::take(&mut path));
                }
                path.push(word.to_string());
            }
            TokenTree::Group(group) => found.extend(paths(&group.stream())),
            _ => {}
        }
        colons = if matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ':') { colons + 1 } else { 0 };
    }
    found.push(path);
    found.retain(|path| !path.is_empty());
    found
}

/// The types with a socket, and within a module those that hold one of them.
pub(super) fn carriers(sources: &Sources, sockets: &[Place]) -> Carriers {
    let mut carriers = by_fields(sources, sockets);
    for function in functions(sources) {
        let gives = !among(&names(sources, function.at, &function.signature.output.to_token_stream()), sockets).is_empty();
        let receiver = function.receiver.filter(|_| gives).map(|ty| names(sources, function.at, &ty.to_token_stream()));
        for owner in receiver.into_iter().flatten() {
            if let Some((_, named)) = carriers.get_mut(&owner) {
                named.push(function.signature.ident.to_string());
            }
        }
    }
    carriers
}

fn by_fields(sources: &Sources, sockets: &[Place]) -> Carriers {
    let mut carriers = Carriers::new();
    loop {
        let before = carriers.len();
        for (at, module) in &sources.modules {
            for item in &module.items {
                let Some(name) = super::sources::name_of(item) else { continue };
                for (field, ty) in fields(item) {
                    let carried = carried(sources, at, &ty, sockets, &carriers);
                    if !carried.is_empty() {
                        let known = carriers.entry(super::sources::below(at, &name.to_string())).or_default();
                        known.0.extend(carried);
                        known.1.push(field);
                    }
                }
            }
        }
        if carriers.len() == before {
            return carriers;
        }
    }
}

fn carried(sources: &Sources, at: &[String], ty: &TokenStream, sockets: &[Place], carriers: &Carriers) -> BTreeSet<String> {
    let names = names(sources, at, ty);
    let through =
        names.iter().filter(|name| name.split_last().is_some_and(|(_, module)| module == at)).filter_map(|name| carriers.get(name));
    through.flat_map(|(sockets, _)| sockets.clone()).chain(among(&names, sockets)).collect()
}

/// Those of the sockets that names stand for.
pub(super) fn among(names: &[Place], sockets: &[Place]) -> Vec<String> {
    names.iter().filter_map(|name| sockets.iter().find(|socket| name.starts_with(socket))).map(|socket| socket.join("::")).collect()
}

/// The fields of a type, and of its variants, with their types.
fn fields(item: &Item) -> Vec<(String, TokenStream)> {
    let of = |fields: &Fields| {
        let name = |(place, field): (usize, &syn::Field)| field.ident.as_ref().map_or_else(|| place.to_string(), ToString::to_string);
        fields.iter().enumerate().map(|(place, field)| (name((place, field)), field.ty.to_token_stream())).collect::<Vec<_>>()
    };
    match item {
        Item::Struct(item) => of(&item.fields),
        Item::Enum(item) => item.variants.iter().flat_map(|variant| of(&variant.fields)).collect(),
        _ => Vec::new(),
    }
}

/// The calls of a method by its name, with an object or as a path: whether each has arguments.
pub(super) fn calls(body: &TokenStream, name: &str) -> Vec<bool> {
    let arguments = |next: Option<&TokenTree>| match next {
        Some(TokenTree::Group(arguments)) => !arguments.stream().is_empty(),
        // As a function that is handed on.
        _ => true,
    };
    members(body, name, &|before, next| {
        if before == ':' || matches!(next, Some(TokenTree::Group(_))) { Some(arguments(next)) } else { None }
    })
}

/// Whether a field is spoken of, or a method.
pub(super) fn touches(body: &TokenStream, field: &str) -> bool {
    !members(body, field, &|before, _| (before == '.').then_some(true)).is_empty()
}

/// What stands behind `.` or `::`, by its name, as `told` says of the sign before it and of what follows.
fn members(body: &TokenStream, name: &str, told: &dyn Fn(char, Option<&TokenTree>) -> Option<bool>) -> Vec<bool> {
    let tokens: Vec<TokenTree> = body.clone().into_iter().collect();
    let mut found = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        match (token, tokens.get(place + 1)) {
            (TokenTree::Punct(sign), Some(word)) if ".:".contains(sign.as_char()) && word.to_string() == name => {
                found.extend(told(sign.as_char(), tokens.get(place + 2)));
            }
            (TokenTree::Group(group), _) => found.extend(members(&group.stream(), name, told)),
            _ => {}
        }
    }
    found
}
