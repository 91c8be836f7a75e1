//! What the crate `strongroom` makes public, wherever it is defined: what others build on, and what a release can't take back.

use super::items::{self, Block};
use super::sources::{Place, Sources, below, is_public, leaves};
use super::text::line;
use std::collections::BTreeMap;
use syn::{Attribute, GenericArgument, Item, PathArguments, Type};

/// Crates of others that are passed on whole, or in part: their surface is theirs.
const OTHERS: [&str; 6] = ["alloy_primitives", "async_trait", "http", "ipnet", "k256", "regex"];

/// The public surface.
pub struct Surface {
    /// One block for each item, in the order of their paths.
    pub text: String,
    /// What has no documentation, by its path.
    pub undocumented: Vec<String>,
}

/// One way by which an item is public.
struct Way {
    path: String,
    /// The features that it asks for.
    cfgs: Vec<String>,
}

struct Walk<'a> {
    sources: &'a Sources,
    /// The modules that are public, with what features they ask for.
    modules: BTreeMap<String, (Place, Vec<String>)>,
    /// The items, by where they are defined.
    items: BTreeMap<Place, Vec<Way>>,
    /// What is passed on of other crates.
    others: Vec<Block>,
}

impl Surface {
    /// Reads it.
    ///
    /// # Panics
    /// Where something is passed on that can't be found.
    #[must_use]
    pub fn of(sources: &Sources) -> Self {
        let mut walk = Walk { sources, modules: BTreeMap::new(), items: BTreeMap::new(), others: Vec::new() };
        walk.module(&["strongroom".to_owned()], "strongroom", &[]);
        for ways in walk.items.values_mut() {
            // By the room's path where there is one, and by what the crate passes on besides.
            ways.sort_by_key(|way| (std::cmp::Reverse(way.path.matches("::").count()), way.path.clone()));
        }
        let mut blocks: Vec<Block> = walk.modules.iter().map(|(path, (at, cfgs))| walk.of_module(path, at, cfgs)).collect();
        blocks.append(&mut std::mem::take(&mut walk.others));
        for (place, ways) in &walk.items {
            for item in sources.items(place) {
                blocks.push(items::block(item, &ways[0].path, &ways[0].cfgs));
            }
            let other = |way: &Way| Block {
                path: way.path.clone(),
                lines: with_cfgs(&format!("use {} = {}", way.path, ways[0].path), &way.cfgs),
                bare: Vec::new(),
            };
            blocks.extend(ways[1..].iter().map(other));
        }
        walk.implementations(&mut blocks);
        blocks.sort_by(|a, b| (&a.path, &a.lines).cmp(&(&b.path, &b.lines)));
        let text = blocks.iter().map(|block| block.lines.join("\n") + "\n").collect::<Vec<_>>().join("\n");
        Self { text, undocumented: blocks.into_iter().flat_map(|block| block.bare).collect() }
    }
}

impl Walk<'_> {
    fn module(&mut self, at: &[String], path: &str, cfgs: &[String]) {
        let sources = self.sources;
        let module = sources.modules.get(at).unwrap_or_else(|| panic!("no module `{}`", at.join("::")));
        self.modules.insert(path.to_owned(), (at.to_vec(), cfgs.to_vec()));
        for item in &module.items {
            let all = cfgs.iter().cloned().chain(items::cfgs(super::sources::attributes(item))).collect::<Vec<_>>();
            match item {
                Item::Mod(inner) if is_public(&inner.vis) && !items::is_hidden(&inner.attrs) => {
                    let name = inner.ident.to_string();
                    self.module(&below(at, &name), &format!("{path}::{name}"), &all);
                }
                Item::Use(used) if is_public(&used.vis) && !items::is_hidden(&used.attrs) => {
                    for leaf in leaves(&used.tree) {
                        let name =
                            leaf.name.unwrap_or_else(|| panic!("`{}::*` in `{path}` hides what it makes public", leaf.path.join("::")));
                        self.passed_on(at, &leaf.path, &format!("{path}::{name}"), &all);
                    }
                }
                item => {
                    if let Some(name) = super::sources::name_of(item).filter(|_| items::is_public_item(item)) {
                        self.item(below(at, &name.to_string()), format!("{path}::{name}"), all);
                    }
                }
            }
        }
    }

    fn passed_on(&mut self, at: &[String], to: &[String], path: &str, cfgs: &[String]) {
        if to.first().is_some_and(|first| OTHERS.contains(&first.as_str())) {
            let lines = with_cfgs(&format!("use {path} = {}", to.join("::")), cfgs);
            self.others.push(Block { path: path.to_owned(), lines, bare: Vec::new() });
            return;
        }
        let mut found = false;
        for place in self.sources.places(at, to) {
            if self.is_public_module(&place) {
                self.module(&place, path, cfgs);
                found = true;
            }
            if !self.sources.items(&place).is_empty() {
                self.item(place, path.to_owned(), cfgs.to_vec());
                found = true;
            }
        }
        assert!(found, "`{path}` is public, and `{}` is not found", to.join("::"));
    }

    /// Whether a place is a module that can be passed on: one that only has an item's name can't.
    fn is_public_module(&self, place: &[String]) -> bool {
        let Some((name, parent)) = place.split_last() else { return false };
        let is_it = |item: &Item| matches!(item, Item::Mod(module) if module.ident == name && is_public(&module.vis));
        self.sources.modules.get(parent).is_some_and(|parent| parent.items.iter().any(is_it))
    }

    fn item(&mut self, place: Place, path: String, cfgs: Vec<String>) {
        let ways = self.items.entry(place).or_default();
        if ways.iter().all(|way| way.path != path) {
            ways.push(Way { path, cfgs });
        }
    }

    fn of_module(&self, path: &str, at: &[String], cfgs: &[String]) -> Block {
        let bare = if items::is_documented(&self.sources.modules[at].attrs) { Vec::new() } else { vec![path.to_owned()] };
        Block { path: path.to_owned(), lines: with_cfgs(&format!("mod {path}"), cfgs), bare }
    }

    /// Puts every `impl` under the item that it belongs to: its type, or the trait, or a type that the trait is about.
    fn implementations(&self, blocks: &mut [Block]) {
        let mut found: BTreeMap<&str, BTreeMap<String, Block>> = BTreeMap::new();
        for (at, module) in &self.sources.modules {
            for item in &module.items {
                let Item::Impl(implementation) = item else { continue };
                let Some(owner) = self.owner(at, implementation) else { continue };
                let cfgs = self.sources.cfgs(at).into_iter().chain(items::cfgs(&implementation.attrs)).collect::<Vec<_>>();
                let cfgs = cfgs.into_iter().filter(|cfg| !owner.cfgs.contains(cfg)).collect::<Vec<_>>();
                let Some(more) = items::implementation(implementation, &owner.path, &cfgs) else { continue };
                let block = found
                    .entry(&owner.path)
                    .or_default()
                    .entry(more.path.clone())
                    .or_insert_with(|| Block { path: more.path, ..Block::default() });
                block.lines.extend(more.lines);
                block.bare.extend(more.bare);
            }
        }
        for block in blocks.iter_mut().filter(|block| !block.lines[0].starts_with("use ")) {
            for (head, mut inner) in found.remove(block.path.as_str()).into_iter().flatten() {
                inner.lines.sort();
                block.lines.push(head);
                block.lines.extend(inner.lines);
                block.bare.extend(inner.bare);
            }
        }
    }

    /// The item that an `impl` is listed under. None where it speaks of what is not public.
    fn owner(&self, at: &[String], implementation: &syn::ItemImpl) -> Option<&Way> {
        let mut types = vec![implementation.self_ty.as_ref()];
        let of = implementation.trait_.as_ref().map(|(path, _)| path);
        types.extend(of.into_iter().flat_map(|path| &path.segments).flat_map(|segment| arguments(&segment.arguments)));
        let mut named: Vec<Place> = types.into_iter().filter_map(named).collect();
        named.insert(1.min(named.len()), of.map(words).unwrap_or_default());
        let places: Vec<Vec<Place>> = named.iter().map(|words| self.sources.places(at, words)).collect();
        let is_private = |place: &Place| !self.sources.items(place).is_empty() && !self.items.contains_key(place);
        if places.iter().flatten().any(is_private) {
            return None;
        }
        places.iter().flatten().find_map(|place| self.items.get(place)).map(|ways| &ways[0])
    }
}

/// The path of a type, without its references.
fn named(ty: &Type) -> Option<Place> {
    match ty {
        Type::Reference(reference) => named(&reference.elem),
        Type::Path(path) => Some(words(&path.path)),
        _ => None,
    }
}

fn arguments(arguments: &PathArguments) -> Vec<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return Vec::new() };
    arguments.args.iter().filter_map(|argument| if let GenericArgument::Type(ty) = argument { Some(ty) } else { None }).collect()
}

pub(super) fn words(path: &syn::Path) -> Place {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

/// A head with the features that it asks for below it.
fn with_cfgs(head: &str, cfgs: &[String]) -> Vec<String> {
    [head.to_owned()].into_iter().chain(cfgs.iter().map(|cfg| format!("    {cfg}"))).collect()
}

/// An attribute as it is written.
pub(super) fn attribute(attribute: &Attribute) -> String {
    format!("#[{}]", line(&attribute.meta))
}
