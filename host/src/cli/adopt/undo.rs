//! `strongroom adopt --undo`: the values of a file's references, from where they are kept back into the file.

use super::super::secrets::Where;
use super::super::{Done, Failure, code};
use super::file::Plain;
use super::item::{Item, Kind, rewritten};
use super::plan::read_again;
use super::report::{self, Report};
use super::{Adopt, plaintext, refused};
use crate::host::Host;
use crate::manifest::{Adopted, HOSTS_OWN, SecretRef};
use crate::secrets::{BackendError, Entry, SecretValue, StoreError};
use zeroize::Zeroizing;

impl Adopt {
    pub(super) fn undo(&self, plain: &Plain, kind: Kind, items: &[Item]) -> Done {
        let mut adopted: Vec<Option<Adopted>> = Vec::with_capacity(items.len());
        for item in items {
            let is_meant = self.only.is_empty() || super::Wish::Only(&self.only).names(item);
            let reference = if is_meant { item.adopted() } else { None };
            adopted.push(reference.transpose().map_err(|why| refused(plain, &why))?);
        }
        let host = self.at.host.host()?;
        let mut report = Report::new(plain, kind);
        if adopted.iter().all(Option::is_none) {
            return report.nothing(true, self.json);
        }
        let values = fetched(&self.at, &host, plain, items, &adopted)?;
        for ((item, adopted), value) in items.iter().zip(&adopted).zip(&values) {
            if let (Some(Adopted { from, .. }), Some(value)) = (adopted, value) {
                report.row(item, value.len(), host.fingerprint(&SecretValue::new(value.as_bytes())), from.to_string());
            }
        }
        let texts: Vec<Option<&str>> = values.iter().map(|value| value.as_ref().map(|value| value.as_str())).collect();
        let in_lines: Vec<bool> = adopted.iter().map(|adopted| adopted.as_ref().is_some_and(|adopted| adopted.in_lines)).collect();
        let text = rewritten(&plain.text, items, &texts, &in_lines).map_err(|why| refused(plain, &why))?;
        read_again(plain, kind, &text, items, &texts)?;

        report.list(self.json, self.dry_run || self.yes)?;
        let count = texts.iter().flatten().count();
        let question = format!("Write {count} {} into {} as plaintext?", report::values(count), plain.name);
        if self.dry_run || !self.is_confirmed(&question)? {
            return report.unwritten(self.json);
        }
        // What holds plaintext is its owner's alone.
        let mode = plain.mode() & !0o077;
        plain.stage(&text, mode)?.put()?;
        report.undone(self.json, (mode != plain.mode()).then_some((plain.mode(), mode)))
    }
}

/// The values of the references, from their backends.
fn fetched(
    at: &Where,
    host: &Host,
    plain: &Plain,
    items: &[Item],
    adopted: &[Option<Adopted>],
) -> Result<Vec<Option<Zeroizing<String>>>, Failure> {
    let all = async {
        let mut values = Vec::with_capacity(items.len());
        for (item, adopted) in items.iter().zip(adopted) {
            let Some(Adopted { from, .. }) = adopted else {
                values.push(None);
                continue;
            };
            let at = |why: String| format!("{}: line {}, `{}`: {why}; nothing was written", plain.name, item.line, item.label());
            values.push(Some(value(host, from).await.map_err(|error| StoreError::Unavailable(at(error.to_string())))?));
        }
        Ok(values)
    };
    at.finish(host, all).map_err(|Failure { message, .. }| Failure::new(code::SECRET, message))
}

/// One of them.
async fn value(host: &Host, from: &SecretRef) -> Result<Zeroizing<String>, BackendError> {
    let SecretRef::Exact { backend, path, which, field } = from else {
        return Err(BackendError::Refused(format!("{from} names no entry of a backend")));
    };
    let configured = host.backends().named(Some(backend))?;
    let mut entry = Entry::new(path.clone());
    (entry.which, entry.field) = (which.clone(), field.clone());
    let source = &configured.backend;
    if source.is_environment() || path.starts_with(HOSTS_OWN) || source.leases().is_some_and(|leases| leases.is_leased(&entry)) {
        return Err(BackendError::Refused(format!("{from} is no entry that `strongroom adopt` writes; take the reference out")));
    }
    source.admits(&entry)?;
    let whole = source.get(&entry).await.map_err(|error| error.of_field(field.as_deref()))?.value;
    let value = match field {
        None => whole,
        Some(field) => whole.field(field).map_err(|_| BackendError::NotFound {
            looked_for: format!("the field `{}` of {backend}:{path}", crate::text::for_people(field)),
        })?,
    };
    let text = plaintext::of(&value);
    text.ok_or_else(|| BackendError::Refused(format!("the value at {from} is no text, and can't stand in such a file")))
}
