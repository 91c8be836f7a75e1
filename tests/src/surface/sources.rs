//! The crates of the host as trees of modules, and names followed through `use` to what they stand for. What is for tests alone is left out.

use super::macros;
use std::collections::BTreeMap;
use std::path::Path;
use syn::{Attribute, Item, UseTree, Visibility};

/// A module, or an item within one, from the crate's name on.
pub(super) type Place = Vec<String>;

/// The crates that are read: the name of each, and where it lies.
const CRATES: [(&str, &str); 6] = [
    ("strongroom", "host"),
    ("strongroom_cli", "cli"),
    ("strongroom_core", "crates/core"),
    ("strongroom_ethereum", "crates/ethereum"),
    ("strongroom_ground", "crates/ground"),
    ("strongroom_scrub", "crates/scrub"),
];
/// How many re-exports a name may go through.
const MOST_STEPS: usize = 16;

/// All modules, by their places.
pub struct Sources {
    pub(super) modules: BTreeMap<Place, Module>,
}

pub(super) struct Module {
    /// Its own, and those of its `mod` line.
    pub(super) attrs: Vec<Attribute>,
    pub(super) items: Vec<Item>,
    /// Where among the items a name stands.
    names: BTreeMap<String, Vec<usize>>,
    uses: Vec<Leaf>,
}

/// One name that a `use` brings.
#[derive(Clone)]
pub(super) struct Leaf {
    pub(super) path: Vec<String>,
    /// None for `*`.
    pub(super) name: Option<String>,
}

impl Sources {
    /// Reads the host's crates below the workspace's directory.
    ///
    /// # Panics
    /// Where a source can't be read.
    #[must_use]
    pub fn of_workspace(workspace: &Path) -> Self {
        let mut files = BTreeMap::new();
        for (name, place) in CRATES {
            let root = workspace.join(place).join("src");
            collect(name, &root, &root, &mut files);
        }
        Self::read(&files)
    }

    /// The same of texts, by the crate's name and the path below its `src`: `strongroom/lib.rs`.
    ///
    /// # Panics
    /// As [`Sources::of_workspace`].
    #[must_use]
    pub fn of_texts(files: &[(&str, &str)]) -> Self {
        Self::read(&files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }

    fn read(files: &BTreeMap<String, String>) -> Self {
        let mut sources = Self { modules: BTreeMap::new() };
        for (name, _) in CRATES {
            if let Some(text) = files.get(&format!("{name}/lib.rs")) {
                sources.file(files, vec![name.to_owned()], text, &[]);
            }
        }
        sources
    }

    fn file(&mut self, files: &BTreeMap<String, String>, at: Place, text: &str, attrs: &[Attribute]) {
        let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{}: {error}", at.join("::")));
        self.module(files, at, attrs.iter().cloned().chain(file.attrs).collect(), file.items);
    }

    fn module(&mut self, files: &BTreeMap<String, String>, at: Place, attrs: Vec<Attribute>, items: Vec<Item>) {
        let items = macros::expanded(&at, items.into_iter().filter(|item| !is_for_tests(attributes(item))).collect());
        for item in &items {
            let Item::Mod(module) = item else { continue };
            let inner = below(&at, &module.ident.to_string());
            if let Some((_, items)) = &module.content {
                self.module(files, inner, module.attrs.clone(), items.clone());
                continue;
            }
            let path = inner.join("/");
            let text = files.get(&format!("{path}.rs")).or_else(|| files.get(&format!("{path}/mod.rs")));
            let text = text.unwrap_or_else(|| panic!("`{}` has no file", inner.join("::")));
            self.file(files, inner, text, &module.attrs);
        }
        let uses = items.iter().filter_map(|item| if let Item::Use(used) = item { Some(leaves(&used.tree)) } else { None });
        let uses = uses.flatten().collect();
        let mut names: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, item) in items.iter().enumerate() {
            if let Some(name) = name_of(item) {
                names.entry(name.to_string()).or_default().push(place);
            }
        }
        self.modules.insert(at, Module { attrs, items, names, uses });
    }

    /// The items that stand at a place: more than one where features choose.
    pub(super) fn items(&self, place: &[String]) -> Vec<&Item> {
        let Some((name, at)) = place.split_last() else { return Vec::new() };
        let Some(module) = self.modules.get(at) else { return Vec::new() };
        module.names.get(name).into_iter().flatten().map(|place| &module.items[*place]).collect()
    }

    /// The features that a module asks for, with those around it.
    pub(super) fn cfgs(&self, at: &[String]) -> Vec<String> {
        let around = (1..=at.len()).filter_map(|end| self.modules.get(&at[..end]));
        around.flat_map(|module| super::items::cfgs(&module.attrs)).collect()
    }

    /// What a path stands for that is written in a module: places of items and modules. None where it leads out of these crates.
    pub(super) fn places(&self, at: &[String], path: &[String]) -> Vec<Place> {
        self.follow(at, path, 0)
    }

    /// The path from the crate's name on, of these crates or of others: the first name is followed through the module's `use`.
    pub(super) fn meaning(&self, at: &[String], path: &[String]) -> Place {
        let own = self.places(at, path).into_iter().find(|place| !self.items(place).is_empty());
        let used = self.modules.get(at).into_iter().flat_map(|module| &module.uses);
        let mut used = used.filter(|leaf| leaf.name.as_ref() == path.first() && leaf.path != path[..1]);
        own.unwrap_or_else(|| match used.next() {
            Some(leaf) => leaf.path.iter().chain(&path[1..]).cloned().collect(),
            None => path.to_vec(),
        })
    }

    fn follow(&self, at: &[String], path: &[String], steps: usize) -> Vec<Place> {
        let Some((first, rest)) = path.split_first() else { return Vec::new() };
        if steps > MOST_STEPS {
            return Vec::new();
        }
        let mut found = match first.as_str() {
            "crate" => vec![at[..1].to_vec()],
            "self" => vec![at.to_vec()],
            "super" => vec![at[..at.len() - 1].to_vec()],
            name => {
                let mut within = self.named(at, name, steps);
                let root = [name.to_owned()];
                if within.is_empty() && self.modules.contains_key(&root[..]) {
                    within.push(root.to_vec());
                }
                within
            }
        };
        for word in rest {
            found = match word.as_str() {
                "super" => found.iter().map(|place| place[..place.len() - 1].to_vec()).collect(),
                word => found.iter().flat_map(|place| self.named(place, word, steps)).collect(),
            };
        }
        found
    }

    /// What a name is within a module: an item or a module of it, or what it has from elsewhere.
    fn named(&self, at: &[String], name: &str, steps: usize) -> Vec<Place> {
        let Some(module) = self.modules.get(at) else { return Vec::new() };
        let own = below(at, name);
        let mut found = Vec::new();
        if !self.items(&own).is_empty() || self.modules.contains_key(&own) {
            found.push(own);
        }
        // A name may be a module's and an item's: `use sign::sign`.
        for leaf in module.uses.iter().filter(|leaf| leaf.name.as_deref() == Some(name)) {
            if !(leaf.path.len() == 1 && leaf.path[0] == name) {
                found.extend(self.follow(at, &leaf.path, steps + 1));
            }
        }
        if found.is_empty() {
            for leaf in module.uses.iter().filter(|leaf| leaf.name.is_none()) {
                let globbed = self.follow(at, &leaf.path, steps + 1);
                found.extend(globbed.iter().filter(|place| place.as_slice() != at).flat_map(|place| self.named(place, name, steps + 1)));
            }
        }
        found.sort();
        found.dedup();
        found
    }
}

fn collect(name: &str, root: &Path, dir: &Path, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(name, root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let below = path.strip_prefix(root).expect("below it").to_str().expect("UTF-8");
            files.insert(format!("{name}/{below}"), std::fs::read_to_string(&path).expect("a source"));
        }
    }
}

/// The names of a `use`, each with its path.
pub(super) fn leaves(tree: &UseTree) -> Vec<Leaf> {
    fn walk(tree: &UseTree, before: &[String], leaves: &mut Vec<Leaf>) {
        let named = |word: String| if word == "self" { before.to_vec() } else { below(before, &word) };
        match tree {
            UseTree::Path(path) => walk(&path.tree, &below(before, &path.ident.to_string()), leaves),
            UseTree::Name(name) => {
                let path = named(name.ident.to_string());
                leaves.push(Leaf { name: path.last().cloned(), path });
            }
            UseTree::Rename(rename) => {
                leaves.push(Leaf { path: named(rename.ident.to_string()), name: Some(rename.rename.to_string()) });
            }
            UseTree::Glob(_) => leaves.push(Leaf { path: before.to_vec(), name: None }),
            UseTree::Group(group) => group.items.iter().for_each(|tree| walk(tree, before, leaves)),
        }
    }
    let mut found = Vec::new();
    walk(tree, &[], &mut found);
    found
}

pub(super) fn below(at: &[String], name: &str) -> Place {
    at.iter().cloned().chain([name.to_owned()]).collect()
}

pub(super) fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Whether something is compiled for tests, or for fuzzing, alone.
pub(super) fn is_for_tests(attrs: &[Attribute]) -> bool {
    attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let text = super::text::line(&attribute.meta);
        ["cfg(test)", "cfg(fuzzing)", "cfg(any(test, fuzzing))"].contains(&text.as_str())
    })
}

pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The name of an item that is none of the tree itself: neither a module nor a `use`.
pub(super) fn name_of(item: &Item) -> Option<&syn::Ident> {
    match item {
        Item::Const(item) => Some(&item.ident),
        Item::Enum(item) => Some(&item.ident),
        Item::Fn(item) => Some(&item.sig.ident),
        Item::Static(item) => Some(&item.ident),
        Item::Struct(item) => Some(&item.ident),
        Item::Trait(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        Item::Union(item) => Some(&item.ident),
        _ => None,
    }
}
