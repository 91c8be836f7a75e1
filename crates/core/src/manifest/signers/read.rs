//! Reads the `[signers.NAME]` tables.

use super::super::diagnostic::Problem;
use super::super::names;
use super::super::reader::{Elsewhere, Section};
use super::super::units::{self, Rate};
use super::expression::{pattern, template};
use super::{Bound, CallSpec, JwtSpec, LimitSpec, Most, Movement, OnChain, Purpose, SignInSpec, SignerSpec, Spends, TypedSpec, WalletSpec};
use crate::ethereum::abi::Function;
use crate::ethereum::quantity;
use crate::ethereum::typed_data::Types;
use crate::ethereum::value::{FieldPath, Value};
use crate::manifest::SecretRef;
use alloy_primitives::{Address, B256, U256};
use std::time::Duration;

/// How far ahead the deadline of a signature may lie, unless the manifest says otherwise.
const DEFAULT_WITHIN: Duration = Duration::from_secs(60 * 60);
/// How often a key may be used, unless the manifest says otherwise.
const DEFAULT_RATE: Rate = Rate { requests: 600, per: Duration::from_secs(60) };
/// How long a token lives, unless the manifest says otherwise.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// Reads all signers of a manifest.
pub(in crate::manifest) fn read(root: &Section<'_>, text: &str) -> Vec<SignerSpec> {
    let tables = root.named_tables("signers");
    let one = |(name, span, section): (String, std::ops::Range<usize>, Section<'_>)| {
        if let Err(problem) = names::secret_name(&name) {
            root.report(span, problem);
        }
        signer(name, &section, text)
    };
    tables.into_iter().filter_map(one).collect()
}

fn signer(name: String, section: &Section<'_>, text: &str) -> Option<SignerSpec> {
    let from = section.require("from", "from = ?", SecretRef::parse);
    let namespace = section.parse("namespace", names::namespace);
    let passphrase = section.parse("passphrase", SecretRef::parse);
    let path = section.parse("path", |text| match text.parse::<bip32::DerivationPath>() {
        Ok(_) if !text.contains('+') => Ok(text.to_owned()),
        _ => Err(Problem::new("not a BIP-32 path", "write it as in `m/44'/60'/0'/0/0`")),
    });
    let rate = section.parse("rate", units::rate).unwrap_or(DEFAULT_RATE);
    let purpose = purpose(section, text);
    Some(SignerSpec { name, from: from?, namespace, passphrase, path, rate, purpose: purpose?, line: section.line(text) })
}

fn purpose(section: &Section<'_>, text: &str) -> Option<Purpose> {
    section.elsewhere(ELSEWHERE);
    let kind = match section.has("use") {
        true => section.require_one_of("use", "an unknown purpose", &["wallet", "jwt", "hmac", "solana", "digest"]),
        false => {
            section.set_aside(&["use"]);
            Some("wallet")
        }
    };
    match kind {
        Some("wallet") => wallet(section, text).map(|wallet| Purpose::Wallet(Box::new(wallet))),
        Some("jwt") => Some(Purpose::Jwt(jwt(section))),
        Some("hmac") => section.require("template", "template = ?", template).map(|template| Purpose::Hmac { template }),
        Some("solana") => section.require_list("messages", "messages = ?", pattern).map(|messages| Purpose::Solana { messages }),
        Some(_) => Some(Purpose::Digest),
        None => {
            section.ignore_rest();
            None
        }
    }
}

const OF_WALLETS: &str = "to `use = \"wallet\"`";
const OF_TOKENS: &str = "to `use = \"jwt\"`";
/// Keys that signers have for one purpose.
const ELSEWHERE: Elsewhere = &[
    ("chains", OF_WALLETS),
    ("kinds", OF_WALLETS),
    ("recipients", OF_WALLETS),
    ("accounts", OF_WALLETS),
    ("max_value", OF_WALLETS),
    ("max_fee", OF_WALLETS),
    ("max_gas", OF_WALLETS),
    ("nonce_floor", OF_WALLETS),
    ("call", OF_WALLETS),
    ("typed", OF_WALLETS),
    ("sign_in", OF_WALLETS),
    ("delegate", OF_WALLETS),
    ("limit", OF_WALLETS),
    ("messages", "to `use = \"wallet\"` or `\"solana\"`"),
    ("issuer", OF_TOKENS),
    ("subject", OF_TOKENS),
    ("audience", OF_TOKENS),
    ("scope", OF_TOKENS),
    ("lifetime", OF_TOKENS),
    ("headers", OF_TOKENS),
    ("claims", OF_TOKENS),
    ("template", "to `use = \"hmac\"`"),
];

fn wallet(section: &Section<'_>, text: &str) -> Option<WalletSpec> {
    const KINDS: &[&str] = &["legacy", "2930", "1559", "4844", "7702"];
    let kind = |text: &str| match KINDS.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(Problem::new("not a kind of transaction", format!("write one or more of {KINDS:?}"))),
    };
    let nonces = section.strings("nonce_floor", |chain, floor| {
        let ok = quantity::small(chain).is_some() && quantity::small(floor).is_some();
        if ok { Ok(()) } else { Err(Problem::new("not a nonce for a chain", "write `nonce_floor = { 1 = \"42\" }`")) }
    });
    // What is wrong with the chains is told once: addresses are then read on any.
    let chains = section.require_numbers("chains", "chains = ?");
    let known = chains.as_deref();
    // Whose an address is on one chain says nothing of another, unless a key has it.
    let on_chain = |text: &str| {
        let (chain, rest) = text.split_once(':').map_or((None, text), |(chain, rest)| (Some(chain), rest));
        let chain = match chain {
            Some("*") => None,
            Some(chain) => Some(
                quantity::small(chain)
                    .filter(|chain| known.is_none_or(|known| known.contains(chain)))
                    .ok_or_else(|| Problem::new("not one of the signer's chains", "write one of `chains` before the colon"))?,
            ),
            None if known.is_none_or(|known| known.len() == 1) => None,
            None => {
                return Err(Problem::new(
                    "an address without its chain, and the signer has several",
                    "write it as in `1:0x…`, or as `*:0x…` where a key has it and not a contract",
                ));
            }
        };
        Ok(OnChain { chain, address: address(rest)? })
    };
    let wallet = WalletSpec {
        kinds: section.non_empty("kinds", "`1559`", kind).unwrap_or_else(|| vec!["1559".to_owned()]),
        recipients: section.list("recipients", on_chain).unwrap_or_default(),
        accounts: section.list("accounts", on_chain).unwrap_or_default(),
        max_value: section.parse("max_value", amount),
        max_fee: section.parse("max_fee", amount),
        max_gas: section.integer("max_gas", 21_000..=1_000_000_000),
        nonces: nonces.iter().filter_map(|(chain, floor)| Some((quantity::small(chain)?, quantity::small(floor)?))).collect(),
        calls: section.tables("call").iter().filter_map(|section| call(section, text, &on_chain)).collect(),
        typed: section.tables("typed").iter().filter_map(|section| typed(section, text)).collect(),
        messages: section.list("messages", pattern).unwrap_or_default(),
        sign_ins: section.tables("sign_in").iter().filter_map(sign_in).collect(),
        delegates: section.tables("delegate").iter().filter_map(delegate).collect(),
        limits: section.tables("limit").iter().filter_map(limit).collect(),
        chains: chains.clone().unwrap_or_default(),
    };
    let mut seen = Vec::new();
    for limit in &wallet.limits {
        match seen.contains(&(&limit.asset, limit.chain)) {
            true => {
                section.report_here(Problem::new(format!("two limits for {} on chain {}", limit.asset, limit.chain), "keep one of them"))
            }
            false => seen.push((&limit.asset, limit.chain)),
        }
    }
    chains.map(|_| wallet)
}

fn call(section: &Section<'_>, text: &str, on_chain: &dyn Fn(&str) -> Result<OnChain, Problem>) -> Option<CallSpec> {
    let to = section.require_list("to", "to = ?", on_chain);
    let value = section.parse("value", |text| {
        quantity::amount(text, 18)
            .ok_or_else(|| Problem::new("not an amount", "write whole units and at most 18 decimals, as in `\"0.5\"`"))
    });
    let function = section.require("function", "function = ?", |text| Function::parse(text).ok_or_else(|| no_function(text)));
    let nft = section.bool("nft").unwrap_or(false);
    let Some(function) = function else {
        section.set_aside(&["args", "spends"]);
        return None;
    };
    let leads = |path: &FieldPath| function.leads_to(path);
    let args = bounds(section, "args", &leads);
    let spends = spends(section, &leads);
    let value = value.unwrap_or_default();
    Some(CallSpec { to: to?, value, spends, nft, args, line: section.line(text), function })
}

fn no_function(text: &str) -> Problem {
    // `swap((address token,uint256 amount) p)`: where a tuple ends, a name may stand, but not in it.
    let mut depth = 0;
    let names_fields = text.trim().char_indices().any(|(at, c)| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        let behind = text.trim()[at..].trim_start();
        depth > 1
            && c == ' '
            && behind.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && !text.trim()[..at].ends_with([',', '(', ' '])
    });
    match names_fields {
        true => Problem::new(
            "a function with names for the fields of a tuple, which have none here",
            "write their types alone, as in `swap((address,uint256) p)`, and say `p.0` and `p.1` for them",
        ),
        false => Problem::new("not a function", "write it as Solidity does: `transfer(address to, uint256 amount)`"),
    }
}

fn typed(section: &Section<'_>, text: &str) -> Option<TypedSpec> {
    let parsed = section.require("type", "type = ?", |text| {
        let parsed = Types::parse(text).map(|(types, primary)| (text.to_owned(), types, primary));
        parsed.map_err(|wrong| {
            Problem::new(wrong.to_string(), "write what EIP-712 calls encodeType: `Mail(Person from,string text)Person(string name)`")
        })
    });
    let within = section.parse("within", units::duration).unwrap_or(DEFAULT_WITHIN);
    let domain = domain(section);
    let Some((encoded_type, types, primary)) = parsed else {
        section.set_aside(&["fields", "spends", "deadlines"]);
        return None;
    };
    let leads = |path: &FieldPath| path.leads_to(&primary, &|name| types.fields(name));
    let fields = bounds(section, "fields", &leads);
    let spends = spends(section, &leads);
    let deadlines = section.list("deadlines", |text| path_to(text, "uint", &leads)).unwrap_or_default();
    Some(TypedSpec { encoded_type, spends, deadlines, within, fields, line: section.line(text), ..domain? })
}

/// The domain of typed data, with nothing else said yet.
fn domain(section: &Section<'_>) -> Option<TypedSpec> {
    if !section.has("domain") {
        section.set_aside(&["domain"]);
        section
            .report_here(Problem::new("`domain` is missing", "add `domain = { name = ?, chain = ?, contract = ? }` with its own values"));
        return None;
    }
    let domain = section.table("domain")?;
    let chain = domain.require_integer("chain", "chain = ?", 1..=u64::MAX >> 1);
    let spec = TypedSpec {
        name: domain.string("name"),
        version: domain.string("version"),
        chain: chain.unwrap_or_default(),
        contract: domain.parse("contract", address),
        salt: domain.parse("salt", |text| {
            let salt = quantity::bytes(text).and_then(|bytes| B256::try_from(bytes.as_slice()).ok());
            salt.ok_or_else(|| Problem::new("not a salt", "write its 32 bytes: 0x and 64 hexadecimal digits"))
        }),
        encoded_type: String::new(),
        spends: Spends::Standard,
        deadlines: Vec::new(),
        within: DEFAULT_WITHIN,
        fields: Vec::new(),
        line: 0,
    };
    chain.map(|_| spec)
}

/// `spends = "standard"`, `"none"`, or a table; the first where there is none.
fn spends(section: &Section<'_>, leads: &dyn Fn(&FieldPath) -> Option<String>) -> Spends {
    if section.is_string("spends") {
        let parsed = section.parse("spends", |text| match text {
            "standard" => Ok(Spends::Standard),
            "none" => Ok(Spends::Nothing),
            _ => Err(Problem::new(
                "not a way to say what a signature spends",
                "write `\"none\"`, or `{ amount = \"FIELD\", recipient = \"FIELD\" }`",
            )),
        });
        return parsed.unwrap_or(Spends::Standard);
    }
    let Some(table) = section.table("spends") else { return Spends::Standard };
    let asset = table.parse("asset", |text| path_to(text, "address", leads));
    let amount = table.require("amount", "amount = ?", |text| path_to(text, "uint", leads));
    let recipient = table.require("recipient", "recipient = ?", |text| path_to(text, "address", leads));
    let account = table.parse("account", |text| path_to(text, "address", leads));
    // Values are paired by their order: those of one array with each other, or of two arrays that are no deeper than one.
    if let Some(amount) = &amount {
        for other in [&asset, &recipient, &account].into_iter().flatten() {
            if !other.is_paired_with(amount) {
                let found = format!("`{other}` and `{amount}` lie in different arrays, whose elements can't be told to belong together");
                table.report_here(Problem::new(found, "name fields of the same array, of two plain arrays, or one that is in none"));
            }
        }
    }
    match (amount, recipient) {
        (Some(amount), Some(recipient)) => Spends::Amount(Box::new(Movement { asset, amount, recipient, account })),
        _ => Spends::Standard,
    }
}

fn path_to(text: &str, of: &str, leads: &dyn Fn(&FieldPath) -> Option<String>) -> Result<FieldPath, Problem> {
    let path =
        FieldPath::parse(text).ok_or_else(|| Problem::new("not a field", "write `amount`, `details.amount` or `details[].amount`"))?;
    match leads(&path) {
        Some(found) if found.starts_with(of) && !found.ends_with(']') => Ok(path),
        Some(found) => Err(Problem::new(format!("this field is of type {found}"), format!("name one of type {of}"))),
        None => Err(Problem::new("there is no such field", "name a field of the function or type above")),
    }
}

fn bounds(section: &Section<'_>, key: &'static str, leads: &dyn Fn(&FieldPath) -> Option<String>) -> Vec<(FieldPath, Vec<Bound>)> {
    let parse = |field: &str, text: &str| {
        let path = path_to(field, "", leads)?;
        let of = leads(&path).unwrap_or_default();
        let bound = Bound::parse(&of, text)?;
        Ok((path, bound))
    };
    let mut bounds: Vec<(FieldPath, Vec<Bound>)> = Vec::new();
    for (path, bound) in section.lists(key, parse) {
        match bounds.iter_mut().find(|(known, _)| *known == path) {
            Some((_, all)) => all.push(bound),
            None => bounds.push((path, vec![bound])),
        }
    }
    bounds
}

impl Bound {
    /// Parses a bound of a field of that type: a value, `10..500` (both ends included, either may be left out), or `self`.
    fn parse(of: &str, text: &str) -> Result<Self, Problem> {
        let wrong =
            || Problem::new(format!("not a value of type {of}"), "write a value; for numbers also `10..500`, for addresses also `self`");
        let value = match of {
            "address" if text == "self" => return Ok(Self::Own),
            "address" => quantity::address(text).map(Value::Address),
            "bool" => text.parse().ok().map(Value::Bool),
            "string" => Some(Value::Text(text.to_owned())),
            _ if of.starts_with("uint") => {
                if let Some((least, most)) = text.split_once("..") {
                    let end = |text: &str, open: U256| if text.is_empty() { Some(open) } else { quantity::uint(text) };
                    let range = end(least, U256::ZERO).zip(end(most, U256::MAX)).filter(|(least, most)| least <= most);
                    return range.map(|(least, most)| Self::Range(least, most)).ok_or_else(wrong);
                }
                quantity::uint(text).map(Value::Uint)
            }
            _ if of.starts_with("int") => quantity::int(text).map(Value::Int),
            _ if of.starts_with("bytes") => quantity::bytes(text).map(Value::Bytes),
            _ => None,
        };
        value.map(Self::Is).ok_or_else(wrong)
    }
}

fn sign_in(section: &Section<'_>) -> Option<SignInSpec> {
    let text = |text: &str| if text.is_empty() { Err(Problem::new("empty", "write it as the site does")) } else { Ok(text.to_owned()) };
    let domain = section.require("domain", "domain = ?", text);
    let uri = section.require("uri", "uri = ?", text);
    let chain = section.require_integer("chain", "chain = ?", 1..=u64::MAX >> 1);
    let within = section.parse("within", units::duration).unwrap_or(DEFAULT_WITHIN);
    let without_expiry = section.bool("without_expiry").unwrap_or(false);
    let nonce_characters = section.parse("nonce_characters", |text| match text.bytes().all(|b| b.is_ascii_punctuation()) {
        true => Ok(text.to_owned()),
        false => {
            Err(Problem::new("not characters of a nonce", "write what nonces may have besides letters and digits, as in `\"-\"` for UUIDs"))
        }
    });
    let nonce_characters = nonce_characters.unwrap_or_default();
    let resources = section.list("resources", text).unwrap_or_default();
    Some(SignInSpec { domain: domain?, uri: uri?, chain: chain?, within, without_expiry, nonce_characters, resources })
}

fn delegate(section: &Section<'_>) -> Option<(u64, Address)> {
    let chain = section.require_integer("chain", "chain = ?", 1..=u64::MAX >> 1);
    let address = section.require("address", "address = ?", address);
    Some((chain?, address?))
}

/// A `[[…limit]]`, of a manifest or of the host configuration.
pub(in crate::manifest) fn limit(section: &Section<'_>) -> Option<LimitSpec> {
    let asset = section.require("asset", "asset = ?", symbol);
    let chain = section.require_integer("chain", "chain = ?", 1..=u64::MAX >> 1);
    let [hour, day, total] = ["hour", "day", "total"].map(|key| section.parse(key, most));
    if hour.is_none() && day.is_none() && total.is_none() && !["hour", "day", "total"].iter().any(|key| section.has(key)) {
        section.report_here(Problem::new(
            "a limit without an amount",
            "add `hour`, `day` or `total` with an amount in whole units, as in `day = ?`; `\"unlimited\"` says that there is none",
        ));
    }
    Some(LimitSpec { asset: asset?, chain: chain?, hour, day, total })
}

fn most(text: &str) -> Result<Most, Problem> {
    if text == "unlimited" { Ok(Most::Unlimited) } else { amount(text).map(Most::Amount) }
}

/// An amount in whole units; how many decimals the asset has is known where the agent is loaded.
pub(in crate::manifest) fn amount(text: &str) -> Result<String, Problem> {
    match quantity::amount(text, 36) {
        Some(_) => Ok(text.to_owned()),
        None => Err(Problem::new("not an amount", "write whole units and decimals, as in `\"0.5\"`")),
    }
}

/// An asset's symbol: 1 to 16 letters, digits, `.` and `-`.
pub(in crate::manifest) fn symbol(text: &str) -> Result<String, Problem> {
    let ok = (1..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b));
    if ok {
        Ok(text.to_owned())
    } else {
        Err(Problem::new("not an asset's symbol", "use 1 to 16 letters, digits, `.` and `-`, as in `USDC`"))
    }
}

pub(in crate::manifest) fn address(text: &str) -> Result<Address, Problem> {
    quantity::address(text)
        .ok_or_else(|| Problem::new("not an address", "write 0x and 40 hexadecimal digits; in mixed case with the checksum of EIP-55"))
}

/// Whether a claim says for whom a token is, or how long, which is not for an agent to say.
pub fn is_registered_claim(name: &str) -> bool {
    ["", "iss", "sub", "aud", "scope", "scp", "exp", "iat", "nbf", "azp", "client_id", "roles", "groups"].contains(&name)
}

fn jwt(section: &Section<'_>) -> JwtSpec {
    const HOSTS: &[&str] = &["alg", "b64", "crit", "jwk", "jku", "x5u", "zip", "enc"];
    let claim = |name: &str| match is_registered_claim(name) {
        false => Ok(name.to_owned()),
        true => Err(Problem::new("this claim says for whom a token is, or for how long", "set it next to `claims`, or leave it out")),
    };
    JwtSpec {
        issuer: section.string("issuer"),
        subject: section.string("subject"),
        audience: section.require("audience", "audience = ?", |text| Ok(text.to_owned())),
        scope: section.string("scope"),
        lifetime: section.parse("lifetime", units::duration).unwrap_or(DEFAULT_LIFETIME),
        headers: section.strings("headers", |name, _| match HOSTS.contains(&name) {
            true => Err(Problem::new("a header that only the host sets", "leave it out")),
            false => Ok(()),
        }),
        claims: section.list("claims", claim).unwrap_or_default(),
    }
}
