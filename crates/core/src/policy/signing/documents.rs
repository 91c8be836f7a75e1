//! Judges typed data (EIP-712): by its whole domain and the whole encoding of its type.

use super::calls::{Entry, Judge, numbers};
use super::standards::{self, Effect};
use super::{Verdict, within_bounds};
use crate::ethereum::typed_data::{Domain, TypedData, Types};
use crate::ethereum::value::{FieldPath, Value};
use crate::manifest::{SigningConfig, Spends, TypedSpec};
use crate::policy::Rule;
use crate::policy::denial::{self, manifest_lines};
use alloy_primitives::U256;

/// Whether an entry can be granted at all.
pub(super) fn check(typed: &TypedSpec, config: &SigningConfig) -> Result<(), String> {
    let primary = typed.encoded_type.split('(').next().unwrap_or_default();
    if standards::NEVER_TYPES.contains(&primary) {
        return Err(format!("`{primary}` can't be granted: it stands for something else, which can't be seen or priced"));
    }
    let standard = standards::document(&typed.encoded_type);
    let contract_needed = match (&typed.spends, standard) {
        (Spends::Standard, None) => {
            return Err(format!(
                "the host does not know what `{primary}` spends; say so: `spends = {{ amount = \"FIELD\", recipient = \"FIELD\" }}`, or `spends = \"none\"`"
            ));
        }
        (Spends::Standard, Some(known)) => known.effect != Effect::Nothing,
        (_, Some(_)) => return Err(format!("`{primary}` is a standard's; leave `spends` out")),
        (Spends::Nothing, None) if typed.contract == Some(config.permit2) => {
            return Err("documents of Permit2 spend something; say what in `spends`".to_owned());
        }
        (Spends::Nothing, None) => false,
        (Spends::Amount(movement), None) => movement.asset.is_none(),
    };
    if typed.contract == Some(config.permit2) && standard.is_none() && typed.deadlines.is_empty() {
        return Err("documents of Permit2 have deadlines; name their fields in `deadlines`".to_owned());
    }
    if contract_needed && typed.contract.is_none() {
        return Err("its domain has no `contract`, which would say what asset it spends".to_owned());
    }
    Ok(())
}

/// Judges a document.
pub(super) fn judge(judge: &mut Judge<'_>, document: &TypedData, now: u64) -> Verdict<()> {
    let policy = judge.policy;
    let mut refused = None;
    for entry in
        policy.spec.typed.iter().filter(|entry| entry.encoded_type == document.encoded_type && same_domain(entry, &document.domain))
    {
        let (spends, lines) = (judge.spends.clone(), judge.lines.len());
        match granted(judge, entry, document, now) {
            Ok(()) => return Ok(()),
            Err(refusal) => {
                judge.spends = spends;
                judge.lines.truncate(lines);
                refused.get_or_insert(refusal);
            }
        }
    }
    Err(refused.unwrap_or_else(|| {
        let remedy = match never(document) {
            Some(why) => format!("no line can allow it: {why}"),
            None => manifest_lines(&lines(&policy.signer, document)),
        };
        (Rule::TypedData, "documents of this domain and type are not granted".to_owned(), remedy)
    }))
}

fn granted(judge: &mut Judge<'_>, entry: &TypedSpec, document: &TypedData, now: u64) -> Verdict<()> {
    let message = &document.message;
    let in_line =
        |reason: String| (Rule::Argument, reason, format!("see `fields` of the typed data in line {} of the manifest", entry.line));
    within_bounds(message, &entry.fields, judge.own).map_err(in_line)?;
    judge.lines.push(format!("document {} for {}: {message}", document.name(), shown(&document.domain)));
    let standard = standards::document(&document.encoded_type);
    let what = Entry { contract: document.domain.contract, root: message, bounds: &entry.fields, nft: false, line: None, approves: false };
    let own = judge.own;
    let mut bounded = true;
    match (&entry.spends, standard.map(|known| known.effect)) {
        (Spends::Nothing, _) | (Spends::Standard, Some(Effect::Nothing)) => {}
        (Spends::Amount(movement), _) => judge.moves(&what, movement, message, own)?,
        (Spends::Standard, Some(Effect::AllOrNothing { recipient, account, allowed })) => {
            let field = |name: &str| message.field(name);
            match (field(recipient).and_then(Value::as_address), field(account).and_then(Value::as_address), field(allowed)) {
                (Some(_), Some(account), Some(Value::Bool(false))) => {
                    judge.account(account)?;
                    bounded = false;
                }
                (Some(spender), Some(account), Some(Value::Bool(true))) => {
                    judge.everything(&what, spender, &standards::path(recipient), account)?;
                }
                _ => return Err((Rule::Undecodable, "the document can't be read".to_owned(), String::new())),
            }
        }
        (Spends::Standard, Some(Effect::Safe)) => {
            let safe = document.domain.contract.ok_or_else(|| (Rule::Undecodable, "the domain names no Safe".to_owned(), String::new()))?;
            let moved = judge.safe(message, safe, 0)?;
            judge.policy.within_value(judge.chain, moved)?;
            if !moved.is_zero() {
                let native = super::AssetId::native(judge.chain);
                judge.limited(native, &judge.policy.native(judge.chain).symbol)?;
                judge.spend(native, moved);
            }
        }
        (Spends::Standard, Some(effect)) => {
            let movement = effect.movement().ok_or_else(|| (Rule::Undecodable, "the document can't be read".to_owned(), String::new()))?;
            judge.moves(&what, &movement, message, own)?;
        }
        (Spends::Standard, None) => return Err((Rule::TypedData, "nothing says what the document spends".to_owned(), String::new())),
    }
    let deadlines = standard.filter(|_| bounded).into_iter().flat_map(|known| known.deadlines).map(|path| standards::path(path));
    let deadlines: Vec<FieldPath> = deadlines.chain(entry.deadlines.iter().cloned()).collect();
    let latest = U256::from(now.saturating_add(entry.within.as_secs()));
    for path in deadlines {
        // Zero is no end at all, in DAI's permit.
        if numbers(message, &path)?.into_iter().any(|deadline| deadline > latest || deadline.is_zero()) {
            let reason = format!("`{path}` is more than {} s ahead", entry.within.as_secs());
            return Err((
                Rule::Deadline,
                reason,
                denial::set(
                    "within",
                    "?",
                    &format!("the `[[signers.{}.typed]]` in line {}, or let it end earlier", judge.policy.signer, entry.line),
                ),
            ));
        }
    }
    Ok(())
}

fn same_domain(entry: &TypedSpec, domain: &Domain) -> bool {
    let Domain { name, version, chain, contract, salt } = domain;
    entry.name == *name
        && entry.version == *version
        && Some(U256::from(entry.chain)) == *chain
        && entry.contract == *contract
        && entry.salt == *salt
}

fn shown(domain: &Domain) -> String {
    let name = domain.name.as_ref().map(|name| format!("{name:?}"));
    let contract = domain.contract.map(|contract| contract.to_string());
    let chain = domain.chain.map(|chain| format!("on chain {chain}"));
    let salt = domain.salt.map(|salt| format!("with the salt {salt}"));
    [name, contract, chain, salt].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Why no entry could allow a document.
fn never(document: &TypedData) -> Option<&'static str> {
    let known = standards::document(&document.encoded_type);
    if standards::NEVER_TYPES.contains(&document.name()) {
        Some("documents of this name stand for something else, which can't be seen or priced")
    } else if Types::parse(&document.encoded_type).is_err() {
        Some("its type has a form that no entry can have")
    } else if document.domain.contract.is_none() && known.is_some_and(|known| known.effect != Effect::Nothing) {
        Some("its domain has no contract, which would say what asset it spends")
    } else {
        None
    }
}

/// The manifest's lines for such a document.
fn lines(signer: &str, document: &TypedData) -> String {
    let text = |value: &dyn ToString| toml::Value::from(value.to_string());
    let domain = &document.domain;
    let chain = domain.chain.and_then(|chain| i64::try_from(chain).ok());
    let fields = [
        ("name", domain.name.as_ref().map(|name| text(name))),
        ("version", domain.version.as_ref().map(|version| text(version))),
        ("chain", chain.map(toml::Value::from)),
        ("contract", domain.contract.as_ref().map(|contract| text(contract))),
        ("salt", domain.salt.as_ref().map(|salt| text(salt))),
    ];
    let fields: Vec<String> = fields.into_iter().filter_map(|(key, value)| Some(format!("{key} = {}", value?))).collect();
    let known = Types::parse(&document.encoded_type).is_ok() && standards::document(&document.encoded_type).is_some();
    let spends = if known { "" } else { "\nspends = ?" };
    format!("[[signers.{signer}.typed]]\ntype = {}\ndomain = {{ {} }}{spends}", text(&document.encoded_type), fields.join(", "))
}
