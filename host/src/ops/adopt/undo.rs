//! Undoing: the values of a file's references go back into the file from where they are kept.

use super::item::rewritten;
use super::plan::read_again;
use super::report::{Moved, Report};
use super::{Source, Wish, plaintext, refused};
use crate::host::Host;
use crate::manifest::{Adopted, HOSTS_OWN, SecretRef};
use crate::ops::{Failed, Kind};
use crate::secrets::{BackendError, Entry, SecretValue};
use zeroize::Zeroizing;

/// A file as it would be with the values of its references. Nothing is written yet.
pub struct Undoing<'s> {
    source: &'s Source,
    text: Zeroizing<String>,
    /// What would be written back.
    pub report: Report,
}

impl Source {
    /// Fetches the values of this file's references, or of those that are named, from their backends. Where there is no reference, no
    /// backend is asked, and the report is empty.
    ///
    /// # Errors
    /// [`Failed`] with the line of a reference that is wrong, or whose value can't be fetched.
    pub async fn undo(&self, host: &Host, only: &[String]) -> Result<Undoing<'_>, Failed> {
        let Self { plain, kind, items } = self;
        self.has(&Wish::Only(only))?;
        let mut adopted: Vec<Option<Adopted>> = Vec::with_capacity(items.len());
        for item in items {
            let is_meant = only.is_empty() || only.iter().any(|name| item.is_called(name));
            let reference = if is_meant { item.adopted() } else { None };
            adopted.push(reference.transpose().map_err(|why| refused(plain, &why))?);
        }
        let values = self.fetched(host, &adopted).await?;
        let mut report = Report::new(self);
        for ((item, adopted), value) in items.iter().zip(&adopted).zip(&values) {
            if let (Some(Adopted { from, .. }), Some(value)) = (adopted, value) {
                let fingerprint = host.fingerprint(&SecretValue::new(value.as_bytes()));
                report.values.push(Moved::of(item, value.len(), fingerprint, from.to_string()));
            }
        }
        let texts: Vec<Option<&str>> = values.iter().map(|value| value.as_ref().map(|value| value.as_str())).collect();
        let in_lines: Vec<bool> = adopted.iter().map(|adopted| adopted.as_ref().is_some_and(|adopted| adopted.in_lines)).collect();
        let text = rewritten(&plain.text, items, &texts, &in_lines).map_err(|why| refused(plain, &why))?;
        read_again(plain, *kind, &text, items, &texts)?;
        Ok(Undoing { source: self, text, report })
    }

    /// The values of the references, from their backends.
    async fn fetched(&self, host: &Host, adopted: &[Option<Adopted>]) -> Result<Vec<Option<Zeroizing<String>>>, Failed> {
        let mut values = Vec::with_capacity(self.items.len());
        for (item, adopted) in self.items.iter().zip(adopted) {
            let Some(Adopted { from, .. }) = adopted else {
                values.push(None);
                continue;
            };
            let at = |error: BackendError| {
                let place = format!("{}: line {}, `{}`", self.plain.name, item.line, item.label());
                Failed::new(Kind::Secret, format!("{place}: {error}; nothing was written"))
            };
            values.push(Some(value(host, from).await.map_err(at)?));
        }
        Ok(values)
    }
}

impl Undoing<'_> {
    /// Writes the values into the file, which is its owner's alone from then on. Returns its mode before and now, if it has changed.
    ///
    /// # Errors
    /// [`Failed`]; the file is then as it was.
    pub fn write(self) -> Result<Option<(u32, u32)>, Failed> {
        let plain = &self.source.plain;
        let (before, now) = (plain.mode(), plain.mode() & !0o077);
        plain.stage(&self.text, now)?.put()?;
        Ok((now != before).then_some((before, now)))
    }
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
        return Err(BackendError::Refused(format!("{from} is not an entry that `strongroom adopt` writes; take the reference out")));
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
    text.ok_or_else(|| BackendError::Refused(format!("the value at {from} isn't text, and can't be put in such a file")))
}
