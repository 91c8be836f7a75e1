//! What would be moved, and the file as it would be then: made before anything is written, and read again to see that nothing else changes.

use super::choice::{Because, Verdict, Wish};
use super::file::Plain;
use super::item::{Item, Kind, Style, Unreadable, rewritten};
use super::keep::Move;
use super::refused;
use crate::manifest::{Adopted, SecretRef};
use crate::ops::Failed;
use crate::secrets::Entry;
use zeroize::Zeroizing;

pub(super) struct Plan {
    /// The values, each once, in the file's order.
    pub(super) moves: Vec<Move>,
    /// Why each of the items is moved, where it is.
    pub(super) because: Vec<Option<Because>>,
    /// Items that stay though they may be secrets: why.
    pub(super) left: Vec<(usize, String)>,
    /// How many references stand in the file already.
    pub(super) references: usize,
    /// Whether `--undo` would write an item's value in another way than it is written now.
    pub(super) differently: Vec<bool>,
    /// The file with references.
    pub(super) text: Zeroizing<String>,
}

impl Plan {
    /// `entry` says where a name is kept: the backend, and the entry of it.
    pub(super) fn make(
        plain: &Plain,
        kind: Kind,
        items: &[Item],
        wish: &Wish<'_>,
        is_hosts_own: impl Fn(&str) -> bool,
        entry: impl Fn(&str) -> Result<(String, Entry), Failed>,
    ) -> Result<Self, Failed> {
        let nothing = || items.iter().map(|_| None).collect();
        let (mut moves, mut left, mut references): (Vec<Move>, Vec<_>, usize) = (Vec::new(), Vec::new(), 0);
        let (mut because, mut texts): (Vec<Option<Because>>, Vec<Option<String>>) = (nothing(), items.iter().map(|_| None).collect());
        let in_lines: Vec<bool> = items.iter().map(|item| is_in_lines(&plain.text, item)).collect();
        for (index, item) in items.iter().enumerate() {
            match wish.judge(item, is_hosts_own(&item.name)).map_err(|why| refused(plain, &why))? {
                Verdict::Reference => references += 1,
                Verdict::Leave(why) => left.extend(why.map(|why| (index, why))),
                Verdict::Move(why) => {
                    let (backend, entry) = entry(&item.name)?;
                    texts[index] = Some(reference(plain, item, &backend, &entry, in_lines[index])?);
                    because[index] = Some(why);
                    match moves.iter_mut().find(|moved| moved.name == item.name) {
                        None => moves.push(Move { name: item.name.clone(), value: item.text.clone(), entry, items: vec![index] }),
                        Some(moved) if *moved.value == *item.text => moved.items.push(index),
                        Some(moved) => return Err(refused(plain, &twice(item, &items[moved.items[0]]))),
                    }
                }
            }
        }
        let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
        let text = rewritten(&plain.text, items, &texts, &vec![false; items.len()]).map_err(|why| refused(plain, &why))?;
        let again = read_again(plain, kind, &text, items, &texts)?;
        let values: Vec<Option<&str>> = items.iter().zip(&texts).map(|(item, text)| text.map(|_| item.text.as_str())).collect();
        let restored = rewritten(&text, &again, &values, &in_lines).map_err(|why| refused(plain, &why))?;
        let back = read_again(plain, kind, &restored, &again, &values)?;
        let differs = |(item, back): (&Item, &Item)| plain.text[item.at.clone()] != restored[back.at.clone()];
        let differently = items.iter().zip(&back).map(differs).collect();
        Ok(Self { moves, because, left, references, differently, text })
    }
}

/// Reads a file as it would be: the values that were replaced are what they were replaced by, and all others are as they were.
pub(super) fn read_again(plain: &Plain, kind: Kind, text: &str, items: &[Item], texts: &[Option<&str>]) -> Result<Vec<Item>, Failed> {
    let again = kind.read(text).map_err(|why| refused(plain, &why))?;
    let is_same = |((now, before), text): ((&Item, &Item), &Option<&str>)| {
        let expected = text.unwrap_or(before.text.as_str());
        (&now.name, &now.owner, &now.before) == (&before.name, &before.owner, &before.before) && now.text.as_str() == expected
    };
    match again.len() == items.len() && again.iter().zip(items).zip(texts).all(is_same) {
        true => Ok(again),
        false => {
            let found = format!("{}: rewriting it would change its meaning; nothing was written. Move the values by hand", plain.name);
            Err(Failed::usage(found))
        }
    }
}

/// Whether a value stands between double quotes over several lines, where `\n` would say the same.
fn is_in_lines(text: &str, item: &Item) -> bool {
    matches!(item.style, Style::Env { quote: Some('"'), .. }) && text[item.at.clone()].contains('\n')
}

fn reference(plain: &Plain, item: &Item, backend: &str, entry: &Entry, in_lines: bool) -> Result<String, Failed> {
    let Entry { path, which, field, .. } = entry.clone();
    let from = SecretRef::Exact { backend: backend.to_owned(), path, which, field };
    let adopted = Adopted { from, in_lines };
    let text = adopted.to_string();
    // What no manifest can name is no place for a secret.
    match Adopted::read(&text) {
        Some(Ok(read)) if read == adopted => Ok(text),
        _ => {
            let finding = format!("`{}` would be kept at {backend}:{entry}, which no manifest can name", item.label());
            Err(refused(plain, &Unreadable::new(item.line, finding, "choose another `--namespace`, or leave it out")))
        }
    }
}

fn twice(item: &Item, before: &Item) -> Unreadable {
    let finding =
        format!("`{}` has another value than `{}` on line {}, and one entry would keep both", item.label(), before.label(), before.line);
    let remedy = match &item.owner {
        Some(owner) => format!("move them apart, each into a namespace of its own, as in `--only {} --namespace {owner}`", item.label()),
        None => "keep one of them".to_owned(),
    };
    Unreadable::new(item.line, finding, remedy)
}
