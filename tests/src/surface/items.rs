//! One item of the surface as lines: what of it others may name, and what of it has no documentation.

use super::public::attribute;
use super::sources::{is_for_tests, is_public};
use super::text::line;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Expr, Field, Fields, FnArg, Generics, ImplItem, Item, ItemEnum, ItemImpl, ItemTrait, Meta, Pat, Path, ReceiverKind,
    Signature, Token, TraitItem,
};

/// The lines of one item.
#[derive(Default)]
pub(super) struct Block {
    /// Its path; of an `impl` its head.
    pub(super) path: String,
    pub(super) lines: Vec<String>,
    /// What in it has no documentation.
    pub(super) bare: Vec<String>,
}

/// An item, by the path where others find it.
pub(super) fn block(item: &Item, path: &str, cfgs: &[String]) -> Block {
    let mut block = Block { path: path.to_owned(), ..Block::default() };
    let attrs = super::sources::attributes(item);
    block.lines.push(head(item, path));
    let mut notes = cfgs.to_vec();
    notes.extend(kept(attrs).into_iter().filter(|note| !cfgs.contains(note)));
    notes.extend(derived(attrs));
    block.lines.extend(notes.into_iter().map(|note| format!("    {note}")));
    block.expect_docs(attrs, path);
    match item {
        Item::Struct(item) => block.fields("    ", &item.fields, path, false),
        Item::Enum(item) => block.variants(item, path),
        Item::Trait(item) => block.members(item, path),
        _ => {}
    }
    block
}

fn head(item: &Item, path: &str) -> String {
    let generic = |generics: &Generics| (angled(generics), bounds(generics));
    match item {
        Item::Const(item) => format!("const {path}: {}", line(&item.ty)),
        Item::Static(item) => format!("static {path}: {}", line(&item.ty)),
        Item::Fn(item) => signature(&item.sig, path),
        Item::Enum(item) => format!("enum {path}{}{}", angled(&item.generics), bounds(&item.generics)),
        Item::Struct(item) => format!("struct {path}{}{}", angled(&item.generics), bounds(&item.generics)),
        Item::Trait(item) => {
            let (angled, bounds) = generic(&item.generics);
            let above = if item.supertraits.is_empty() { String::new() } else { format!(": {}", line(&item.supertraits)) };
            format!("trait {path}{angled}{above}{bounds}")
        }
        Item::Type(item) => format!("type {path}{} = {}", angled(&item.generics), line(&item.ty)),
        _ => panic!("`{path}` is of a kind that is not known here"),
    }
}

impl Block {
    fn expect_docs(&mut self, attrs: &[Attribute], path: &str) {
        if !is_documented(attrs) {
            self.bare.push(path.to_owned());
        }
    }

    /// Fields; those of a variant are as public as it is.
    fn fields(&mut self, indent: &str, fields: &Fields, path: &str, all_public: bool) {
        let is_shown = |field: &&Field| all_public || is_public(&field.vis);
        for (place, field) in fields.iter().enumerate().filter(|(_, field)| is_shown(field)) {
            let name = field.ident.as_ref().map_or_else(|| place.to_string(), ToString::to_string);
            self.lines.push(format!("{indent}{}{name}: {}", inline(&field.attrs), line(&field.ty)));
            if field.ident.is_some() {
                self.expect_docs(&field.attrs, &format!("{path}::{name}"));
            }
        }
        if !fields.iter().all(|field| is_shown(&field)) {
            self.lines.push(format!("{indent}.."));
        }
    }

    fn variants(&mut self, item: &ItemEnum, path: &str) {
        for variant in &item.variants {
            let inner = format!("{path}::{}", variant.ident);
            let unnamed = unnamed(&variant.fields);
            self.lines.push(format!("    {}{}{unnamed}", inline(&variant.attrs), variant.ident));
            self.expect_docs(&variant.attrs, &inner);
            if let Fields::Named(_) = variant.fields {
                self.fields("        ", &variant.fields, &inner, true);
            }
        }
    }

    fn members(&mut self, item: &ItemTrait, path: &str) {
        for member in &item.items {
            let (attrs, name, text) = match member {
                TraitItem::Fn(function) => {
                    let end = if function.default.is_some() { " { … }" } else { "" };
                    let name = function.sig.ident.to_string();
                    (&function.attrs, name.clone(), signature(&function.sig, &name) + end)
                }
                TraitItem::Const(constant) => {
                    (&constant.attrs, constant.ident.to_string(), format!("const {}: {}", constant.ident, line(&constant.ty)))
                }
                TraitItem::Type(ty) => {
                    let above = if ty.bounds.is_empty() { String::new() } else { format!(": {}", line(&ty.bounds)) };
                    (&ty.attrs, ty.ident.to_string(), format!("type {}{}{above}", ty.ident, angled(&ty.generics)))
                }
                _ => panic!("`{path}` has a member of a kind that is not known here"),
            };
            self.lines.push(format!("    {}{text}", inline(attrs)));
            self.expect_docs(attrs, &format!("{path}::{name}"));
        }
    }
}

/// `(…)` of a variant, or nothing.
fn unnamed(fields: &Fields) -> String {
    let Fields::Unnamed(fields) = fields else { return String::new() };
    let types = fields.unnamed.iter().map(|field| inline(&field.attrs) + &line(&field.ty));
    format!("({})", types.collect::<Vec<_>>().join(", "))
}

/// What an `impl` adds to its type, under its head. None where others can name nothing of it.
pub(super) fn implementation(item: &ItemImpl, path: &str, cfgs: &[String]) -> Option<Block> {
    let of = item.trait_.as_ref().map(|(path, _)| format!("{} for ", line(path))).unwrap_or_default();
    let note = cfgs.iter().map(|cfg| format!("{cfg} ")).collect::<String>();
    let generics = angled(&item.generics);
    let head = format!("    {note}impl{generics} {of}{}{}", line(&item.self_ty), bounds(&item.generics));
    let mut block = Block { path: head, ..Block::default() };
    for member in &item.items {
        let (attrs, name, text) = match member {
            // What a trait's functions are, the trait says.
            ImplItem::Type(ty) => (&ty.attrs, &ty.ident, format!("type {}{} = {}", ty.ident, angled(&ty.generics), line(&ty.ty))),
            ImplItem::Fn(function) if is_public(&function.vis) => {
                (&function.attrs, &function.sig.ident, signature(&function.sig, &function.sig.ident.to_string()))
            }
            ImplItem::Const(constant) if is_public(&constant.vis) => {
                (&constant.attrs, &constant.ident, format!("const {}: {}", constant.ident, line(&constant.ty)))
            }
            _ => continue,
        };
        if is_for_tests(attrs) {
            continue;
        }
        block.lines.push(format!("        {}{text}", inline(attrs)));
        if item.trait_.is_none() {
            block.expect_docs(attrs, &format!("{path}::{name}"));
        }
    }
    (item.trait_.is_some() || !block.lines.is_empty()).then_some(block)
}

/// A function by some name, without what its body alone is interested in.
pub(super) fn signature(signature: &Signature, name: &str) -> String {
    let mut bare = signature.clone();
    for argument in &mut bare.inputs {
        match argument {
            FnArg::Receiver(receiver) => {
                receiver.attrs.clear();
                if !matches!(receiver.kind, ReceiverKind::Reference(..)) {
                    receiver.mutability = None;
                }
            }
            FnArg::Typed(typed) => {
                typed.attrs.clear();
                if let Pat::Ident(named) = typed.pat.as_mut() {
                    named.mutability = None;
                }
            }
        }
    }
    bare.inputs.pop_punct();
    let qualified = [bare.constness.map(|_| "const "), bare.asyncness.map(|_| "async ")].into_iter().flatten().collect::<String>();
    let output = line(&bare.output);
    let output = if output.is_empty() { output } else { format!(" {output}") };
    format!("{qualified}fn {name}{}({}){output}{}", angled(&bare.generics), line(&bare.inputs), bounds(&bare.generics))
}

/// `<…>` of generics, or nothing.
fn angled(generics: &Generics) -> String {
    let mut generics = generics.clone();
    generics.params.pop_punct();
    generics.where_clause = None;
    line(&generics)
}

/// `where …` of generics, or nothing.
fn bounds(generics: &Generics) -> String {
    let Some(mut clause) = generics.where_clause.clone() else { return String::new() };
    clause.predicates.pop_punct();
    format!(" {}", line(&clause))
}

/// The attributes that are part of what others may rely on.
fn kept(attrs: &[Attribute]) -> Vec<String> {
    let is_kept = |attribute: &&Attribute| {
        let path = line(attribute.path());
        // `from` is thiserror's, and makes a conversion.
        ["from", "non_exhaustive", "cfg", "cfg_attr", "deprecated", "repr", "async_trait", "async_trait::async_trait"]
            .contains(&path.as_str())
    };
    let mut kept: Vec<String> = attrs.iter().filter(is_kept).map(attribute).collect();
    if is_hidden(attrs) {
        kept.push("#[doc(hidden)]".to_owned());
    }
    kept
}

/// The same in one line, before what they stand at.
fn inline(attrs: &[Attribute]) -> String {
    kept(attrs).iter().map(|attribute| format!("{attribute} ")).collect()
}

/// The traits that are derived, in the order of their names.
fn derived(attrs: &[Attribute]) -> Option<String> {
    let lists = attrs.iter().filter(|attribute| attribute.path().is_ident("derive"));
    let paths = lists.flat_map(|list| list.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated).expect("a list of traits"));
    let mut names: Vec<String> = paths.map(|path| line(&path)).collect();
    names.sort();
    (!names.is_empty()).then(|| format!("derive {}", names.join(", ")))
}

pub(super) fn cfgs(attrs: &[Attribute]) -> Vec<String> {
    attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).map(attribute).collect()
}

pub(super) fn is_hidden(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attribute| attribute.path().is_ident("doc") && line(&attribute.meta) == "doc(hidden)")
}

pub(super) fn is_documented(attrs: &[Attribute]) -> bool {
    let says = |value: &Expr| line(&value.to_token_stream()).trim_matches(['"', ' ']).len() > 1;
    attrs.iter().any(|attribute| matches!(&attribute.meta, Meta::NameValue(pair) if pair.path.is_ident("doc") && says(&pair.value)))
}

/// Whether an item that is none of the tree is public where it stands.
pub(super) fn is_public_item(item: &Item) -> bool {
    match item {
        Item::Const(item) => is_public(&item.vis),
        Item::Enum(item) => is_public(&item.vis),
        Item::Fn(item) => is_public(&item.vis),
        Item::Static(item) => is_public(&item.vis),
        Item::Struct(item) => is_public(&item.vis),
        Item::Trait(item) => is_public(&item.vis),
        Item::Type(item) => is_public(&item.vis),
        Item::Union(item) => is_public(&item.vis),
        _ => false,
    }
}
