//! The fields of bodies that grants name: what stands in them, and placeholders elsewhere in the body.

use super::{Asked, Denial, Destination, Placeholders, Rule, Substitution, deny, granted_places};
use crate::credential::{Fields, Held, MOST_HELD, Part, Target, part, unknown_checksum};
use crate::manifest::Misplaced;

/// How a request is sent whose fields can be found.
const READABLE: &str = "send a form or JSON in UTF-8, with its `content-type` and without a `content-encoding`; for other bodies at these paths, grant the secret in a header";

/// The body as far as its fields have to be found.
pub(super) fn read<'b>(open: &[&Destination], asked: &Asked<'b>) -> Result<Fields<'b>, Denial> {
    if !granted_places(open).any(|granted| granted.place.is_field()) {
        return Ok(Fields::Empty);
    }
    let Some(body) = asked.body else {
        return Err(deny(
            Rule::Body,
            asked,
            "the host has not read the body, and a secret is granted in one of its fields".to_owned(),
            READABLE.to_owned(),
        ));
    };
    Fields::read(asked.headers, body).map_err(|why| deny(Rule::Body, asked, why.to_owned(), READABLE.to_owned()))
}

/// Denies a granted field that holds anything but our placeholder, and what would be wrong once the body is another. Gives a secret whose
/// placeholder stands elsewhere in the body.
pub(super) fn judge(
    open: &[&Destination],
    asked: &Asked<'_>,
    fields: &Fields<'_>,
    substitutions: &[Substitution],
    placeholders: &Placeholders,
    misplaced: Misplaced,
) -> Result<Option<usize>, Denial> {
    for granted in granted_places(open).filter(|granted| matches!(part(granted.place), Part::Body)) {
        let why = match fields.held(granted.place) {
            None | Some(Held::Nothing) => continue,
            Some(_) if substitutions.iter().any(|s| s.scheme.fills(&Target::of(granted.place))) => continue,
            Some(Held::Text(text, _)) if placeholders.within(text.as_bytes()).is_some() => {
                "it holds more than the placeholder, or that of another secret"
            }
            Some(Held::Text(..)) => "it holds something else",
            Some(other) => other.why().unwrap_or_default(),
        };
        let found = format!("the field `{}` of the body does not hold the granted placeholder: {why}", granted.place);
        let remedy = "an agent may send the granted placeholder there, whole and once, or nothing".to_owned();
        return Err(Denial { stop: misplaced == Misplaced::Stop, ..deny(Rule::ForeignCredential, asked, found, remedy) });
    }
    let mut filled: Vec<_> = substitutions.iter().filter_map(|s| s.scheme.target()?.within(fields)).collect();
    if filled.is_empty() {
        return Ok(None);
    }
    if let Some(name) = unknown_checksum(asked.headers) {
        let reason = format!("the header `{name}` is a checksum of the body, which the host can't recompute once the secret is in it");
        return Err(deny(Rule::Header, asked, reason, "leave the checksum out, or send one of SHA-256, SHA-512 or MD5".to_owned()));
    }
    filled.sort_by_key(|at| at.start);
    let body = asked.body.unwrap_or_default();
    let starts = std::iter::once(0).chain(filled.iter().map(|at| at.end));
    let ends = filled.iter().map(|at| at.start).chain([body.len()]);
    Ok(starts.zip(ends).find_map(|(start, end)| placeholders.within(body.get(start..end)?)))
}

/// The denial of a body in which fields can't be looked for, since it is too long.
pub(super) fn too_long(asked: &Asked<'_>) -> Denial {
    let reason = format!(
        "the body is longer than {} MiB, the most that is held where a secret is granted in a field, or signs the body",
        MOST_HELD >> 20
    );
    deny(
        Rule::Body,
        asked,
        reason,
        "send less at once; for longer bodies, name their paths in an entry with the secret in a header, or in an `[[egress]]`".to_owned(),
    )
}
