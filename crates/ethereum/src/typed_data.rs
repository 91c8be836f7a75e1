//! EIP-712 typed data, read strictly: each field that a type names is there, once, in the form of its type. The hash is made of the very
//! values that policy and audit see, and a type is known by its whole encoding, never by its name.
//!
//! What no type names in a message is not signed, and is left out, as wallets do: libraries put fields of their own into it, and pass types
//! that it does not use. Neither policy nor audit sees them. A domain has none: implementations differ in what they make of one.

use super::quantity;
use super::rlp::Malformed;
use super::value::Value;
use alloy_primitives::{Address, B256, I256, U256, keccak256};
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use strongroom_ground::json;

/// Most bytes of a document.
const MAX_LENGTH: usize = 256 * 1024;
/// Most structures of a document: their hashes take time in the square of it.
const MAX_TYPES: usize = 64;
/// Deepest nesting of a document.
const MAX_DEPTH: usize = 100;
/// The name of every domain's type.
const DOMAIN: &str = "EIP712Domain";
/// The fields that a domain may have, in their order (EIP-712).
const DOMAIN_FIELDS: [(&str, &str); 5] =
    [("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address"), ("salt", "bytes32")];

/// A document that may be signed.
#[derive(Debug, Clone)]
pub struct TypedData {
    /// Where it counts.
    pub domain: Domain,
    /// `encodeType` of the primary type, with all types that it refers to.
    pub encoded_type: String,
    /// The struct that is signed.
    pub message: Value,
    /// What is signed: the hash of domain and message.
    pub signing_hash: B256,
    /// The structures that it is made of.
    types: Types,
}

/// For whom a document is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Domain {
    /// The application's name.
    pub name: Option<String>,
    /// The application's version.
    pub version: Option<String>,
    /// The chain (EIP-155).
    pub chain: Option<U256>,
    /// The contract that verifies it.
    pub contract: Option<Address>,
    /// Any other distinction.
    pub salt: Option<B256>,
}

type Read<T> = Result<T, Malformed>;

/// Why a document is not signed, and where in it that stands. Holds nothing of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// As in `message.details[0].amount`; nothing where it is the document.
    at: String,
    why: Malformed,
}

impl Unreadable {
    /// The same, within a field or an element.
    fn within(mut self, name: &str) -> Self {
        let name: String = name.chars().take(64).collect();
        let joint = if self.at.is_empty() || self.at.starts_with('[') { "" } else { "." };
        if self.at.len() < 512 {
            self.at = format!("{name}{joint}{}", self.at);
        }
        self
    }
}

impl From<Malformed> for Unreadable {
    fn from(why: Malformed) -> Self {
        Self { at: String::new(), why }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at.as_str() {
            "" => write!(f, "{}", self.why),
            at => write!(f, "`{}`: {}", strongroom_ground::text::for_people(at), self.why),
        }
    }
}

impl TypedData {
    /// Reads the JSON document of `eth_signTypedData_v4`. Where `types` has no `EIP712Domain`, it has the domain's own fields in the order
    /// of EIP-712, as ethers, viem and alloy write it.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        if text.len() > MAX_LENGTH {
            return Err(Malformed("the document has more than 256 KiB").into());
        }
        let whole: &RawValue = serde_json::from_str(text).map_err(|_| Malformed("not a JSON document"))?;
        let [types, primary, domain, message] = Json::read(whole, 0)?.exactly(["types", "primaryType", "domain", "message"])?;
        let mut types = Types::read(&types, &domain).map_err(|why| Unreadable::from(why).within("types"))?;
        let Json::Text(primary) = primary else { return Err(Malformed("`primaryType` is not a string").into()) };
        if primary == DOMAIN {
            return Err(Malformed("the document is nothing but a domain").into());
        }
        let encoded_type = types.encoded(&primary)?;

        let used: BTreeSet<&str> = types.reached(&primary)?.into_iter().chain(types.reached(DOMAIN)?).collect();
        let hash_of = |name: &str| types.encoded(name).map(|encoded| (name.to_owned(), keccak256(encoded)));
        let hashes = Hashes { types: &types, of: used.into_iter().map(hash_of).collect::<Read<_>>()? };
        types.check_domain(&domain).map_err(|why| Unreadable::from(why).within("domain"))?;
        let domain_value = types.value(DOMAIN, &domain).map_err(|error| error.within("domain"))?;
        let domain_hash = hashes.structure(DOMAIN, &domain_value)?;
        let message = types.value(&primary, &message).map_err(|error| error.within("message"))?;
        let message_hash = hashes.structure(&primary, &message)?;
        let signing_hash = keccak256([&[0x19, 0x01], domain_hash.as_slice(), message_hash.as_slice()].concat());
        let used = hashes.of;
        types.0.retain(|name, _| used.contains_key(name));
        Ok(Self { domain: Domain::of(domain_value)?, encoded_type, message, signing_hash, types })
    }

    /// The document once more, as `eth_signTypedData_v4` takes it: with what is signed and nothing else. Numbers are decimal texts.
    pub fn to_json(&self) -> serde_json::Value {
        let field = |(name, of): &(String, String)| json!({ "name": name, "type": of });
        let types = self.types.0.iter().map(|(name, fields)| (name.clone(), fields.iter().map(field).collect()));
        let Domain { name, version, chain, contract, salt } = &self.domain;
        let domain = [
            ("name", name.clone()),
            ("version", version.clone()),
            ("chainId", chain.map(quantity::digits)),
            ("verifyingContract", contract.map(|contract| contract.to_string())),
            ("salt", salt.map(|salt| salt.to_string())),
        ];
        let domain = domain.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into())));
        json!({
            "types": serde_json::Map::from_iter(types),
            "primaryType": self.name(),
            "domain": serde_json::Map::from_iter(domain),
            "message": self.message.to_json(),
        })
    }

    /// The name of the primary type.
    pub fn name(&self) -> &str {
        self.encoded_type.split('(').next().unwrap_or_default()
    }
}

impl Domain {
    fn of(value: Value) -> Read<Self> {
        let Value::Struct(fields) = value else { return Err(Malformed("the domain is not an object")) };
        let mut domain = Self::default();
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("name", Value::Text(text)) => domain.name = Some(text),
                ("version", Value::Text(text)) => domain.version = Some(text),
                ("chainId", Value::Uint(chain)) => domain.chain = Some(chain),
                ("verifyingContract", Value::Address(contract)) => domain.contract = Some(contract),
                ("salt", Value::Bytes(salt)) => domain.salt = B256::try_from(salt.as_slice()).ok(),
                _ => return Err(Malformed("the domain has a field that EIP-712 does not know")),
            }
        }
        Ok(domain)
    }
}

/// The structures of a document, or of a manifest's `type`: each with its fields by name and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Types(BTreeMap<String, Vec<(String, String)>>);

impl Types {
    fn read(json: &Json, domain: &Json) -> Read<Self> {
        let Json::Object(all) = json else { return Err(Malformed("`types` is not an object")) };
        if all.len() > MAX_TYPES {
            return Err(Malformed("`types` has more than 64 structures"));
        }
        let mut types = BTreeMap::new();
        for (name, fields) in all {
            let Json::List(fields) = fields else { return Err(Malformed("a type is not a list of fields")) };
            let field = |json: &Json| match json.both("name", "type")? {
                (Json::Text(name), Json::Text(of)) => Ok((name.clone(), of.clone())),
                _ => Err(Malformed("a field's name or type is not a string")),
            };
            types.insert(name.clone(), fields.iter().map(field).collect::<Read<Vec<_>>>()?);
        }
        if !types.contains_key(DOMAIN) {
            types.insert(DOMAIN.to_owned(), fields_of_domain(domain)?);
        }
        let types = Self(types);
        types.check()?;
        let domain = &types.0[DOMAIN];
        let is_known = |(name, of): &(String, String)| DOMAIN_FIELDS.iter().any(|(known, known_type)| name == known && of == known_type);
        match !domain.is_empty() && domain.iter().all(is_known) {
            true => Ok(types),
            false => Err(Malformed("`EIP712Domain` has other fields than those of EIP-712, or none")),
        }
    }

    /// Parses what `encodeType` gives: `Mail(Person from,string text)Person(string name)`. The first type is the primary one.
    pub fn parse(text: &str) -> Read<(Self, String)> {
        let wrong = Malformed("not an encoded type; write it as in `Mail(Person from,string text)Person(string name)`");
        let mut types = BTreeMap::new();
        let (mut rest, mut primary) = (text, None);
        while !rest.is_empty() {
            let (name, after) = rest.split_once('(').ok_or(wrong)?;
            let (fields, after) = after.split_once(')').ok_or(wrong)?;
            let field = |field: &str| field.split_once(' ').map(|(of, name)| (name.to_owned(), of.to_owned()));
            let fields = fields.split(',').map(field).collect::<Option<Vec<_>>>().ok_or(wrong)?;
            if types.insert(name.to_owned(), fields).is_some() {
                return Err(wrong);
            }
            primary.get_or_insert(name);
            rest = after;
        }
        let types = Self(types);
        types.check()?;
        let primary = primary.ok_or(wrong)?.to_owned();
        // So that one type has one text.
        if types.encoded(&primary)? != text {
            return Err(Malformed("the types after the first must be those that it refers to, in the order of their names"));
        }
        Ok((types, primary))
    }

    /// The fields of a structure.
    pub fn fields(&self, name: &str) -> Option<Vec<(String, String)>> {
        self.0.get(name).cloned()
    }

    fn check(&self) -> Read<()> {
        for (name, fields) in &self.0 {
            if !is_type_name(name) || is_taken(name) {
                return Err(Malformed("invalid name of a type"));
            }
            let names: BTreeSet<&String> = fields.iter().map(|(name, _)| name).collect();
            if names.len() != fields.len() || !fields.iter().all(|(name, _)| is_identifier(name)) {
                return Err(Malformed("a field's name is invalid, or appears twice in one type"));
            }
            for (_, of) in fields {
                let base = of.split('[').next().unwrap_or_default();
                let known = self.0.contains_key(base) || Atomic::parse(base).is_some();
                if !known || base == DOMAIN || !brackets_are_well_formed(&of[base.len()..]) {
                    return Err(Malformed("a field is of a type that is missing"));
                }
            }
        }
        Ok(())
    }

    /// A domain has no field that its type has not: some implementations would sign it, some not.
    fn check_domain(&self, domain: &Json) -> Read<()> {
        let is_typed = |name: &str| self.0[DOMAIN].iter().any(|(known, _)| known == name);
        match domain {
            Json::Object(given) if given.iter().all(|(name, _)| is_typed(name)) => Ok(()),
            Json::Object(_) => Err(Malformed("it has a field that `EIP712Domain` does not have: add it there, or leave it out")),
            _ => Err(Malformed("the domain is not an object")),
        }
    }

    /// The structures that one refers to, itself included.
    fn reached<'t>(&'t self, root: &str) -> Read<BTreeSet<&'t str>> {
        let (root, _) = self.0.get_key_value(root).ok_or(Malformed("the primary type is not in `types`"))?;
        let (mut reached, mut open) = (BTreeSet::new(), vec![root.as_str()]);
        while let Some(name) = open.pop() {
            if reached.insert(name) {
                let bases = self.0[name].iter().map(|(_, of)| of.split('[').next().unwrap_or_default());
                open.extend(bases.filter_map(|base| self.0.get_key_value(base)).map(|(name, _)| name.as_str()));
            }
        }
        Ok(reached)
    }

    /// EIP-712's `encodeType`.
    fn encoded(&self, root: &str) -> Read<String> {
        let mut names = self.reached(root)?;
        names.remove(root);
        let one = |name: &str| {
            let fields: Vec<String> = self.0[name].iter().map(|(name, of)| format!("{of} {name}")).collect();
            format!("{name}({})", fields.join(","))
        };
        Ok(std::iter::once(root).chain(names).map(one).collect())
    }

    /// The value of a type that a piece of JSON stands for.
    fn value(&self, of: &str, json: &Json) -> Result<Value, Unreadable> {
        if let Some((inner, length)) = split_array(of) {
            let Json::List(items) = json else { return Err(Malformed("there is no list where the type says an array").into()) };
            if length.is_some_and(|length| length != items.len()) {
                return Err(Malformed("an array does not have the length of its type").into());
            }
            let item = |(at, item): (usize, &Json)| self.value(inner, item).map_err(|error| error.within(&format!("[{at}]")));
            return Ok(Value::List(items.iter().enumerate().map(item).collect::<Result<_, _>>()?));
        }
        let Some(fields) = self.0.get(of) else {
            return Ok(Atomic::parse(of).ok_or(Malformed("a type is missing"))?.value(json)?);
        };
        let Json::Object(given) = json else { return Err(Malformed("there is no object where the type says a structure").into()) };
        let field = |(name, of): &(String, String)| {
            let found = given.iter().find(|(key, _)| key == name).ok_or(Malformed("its type has this field, and the document does not"));
            let value = found.map_err(Unreadable::from).and_then(|(_, json)| self.value(of, json));
            value.map(|value| (name.clone(), value)).map_err(|error| error.within(name))
        };
        Ok(Value::Struct(fields.iter().map(field).collect::<Result<_, _>>()?))
    }
}

/// The structures of a document, each with the hash of its whole encoding.
struct Hashes<'t> {
    types: &'t Types,
    of: BTreeMap<String, B256>,
}

impl Hashes<'_> {
    /// EIP-712's `hashStruct`, of a value that [`Types::value`] has made for that type.
    fn structure(&self, of: &str, value: &Value) -> Read<B256> {
        let (Some(fields), Some(hash), Value::Struct(values)) = (self.types.0.get(of), self.of.get(of), value) else {
            return Err(Malformed("invalid structure"));
        };
        let mut encoded = hash.to_vec();
        for ((_, of), (_, value)) in fields.iter().zip(values) {
            encoded.extend_from_slice(self.word(of, value)?.as_slice());
        }
        Ok(keccak256(encoded))
    }

    /// EIP-712's `encodeData` of one field.
    fn word(&self, of: &str, value: &Value) -> Read<B256> {
        Ok(match value {
            Value::Uint(number) => B256::from(*number),
            Value::Int(number) => B256::from(number.into_raw()),
            Value::Bool(bool) => B256::from(U256::from(u8::from(*bool))),
            Value::Address(address) => address.into_word(),
            Value::Text(text) => keccak256(text),
            Value::Bytes(bytes) if of == "bytes" => keccak256(bytes),
            Value::Bytes(bytes) => B256::right_padding_from(bytes),
            Value::Struct(_) => self.structure(of, value)?,
            Value::List(items) => {
                let inner = split_array(of).ok_or(Malformed("invalid array type"))?.0;
                let words = items.iter().map(|item| self.word(inner, item)).collect::<Read<Vec<_>>>()?;
                keccak256(words.concat())
            }
        })
    }
}

/// The types that are not made of others.
#[derive(Debug, Clone, Copy)]
enum Atomic {
    Uint(usize),
    Int(usize),
    Fixed(usize),
    Address,
    Bool,
    Bytes,
    Text,
}

impl Atomic {
    fn parse(text: &str) -> Option<Self> {
        let bits = |digits: &str| plain_number(digits).filter(|bits| (8..=256).contains(bits) && bits % 8 == 0);
        match text {
            "address" => Some(Self::Address),
            "bool" => Some(Self::Bool),
            "bytes" => Some(Self::Bytes),
            "string" => Some(Self::Text),
            _ => match (text.strip_prefix("uint"), text.strip_prefix("int"), text.strip_prefix("bytes")) {
                (Some(digits), _, _) => bits(digits).map(Self::Uint),
                (_, Some(digits), _) => bits(digits).map(Self::Int),
                (_, _, Some(digits)) => plain_number(digits).filter(|length| (1..=32).contains(length)).map(Self::Fixed),
                _ => None,
            },
        }
    }

    fn value(self, json: &Json) -> Read<Value> {
        match (self, json) {
            (Self::Uint(bits), Json::Number(text) | Json::Text(text)) => {
                let number = quantity::uint(text).filter(|number| number.bit_len() <= bits);
                number.map(Value::Uint).ok_or(Malformed("a number is not of its type: write decimal digits, or 0x and hexadecimal ones"))
            }
            (Self::Int(bits), Json::Number(text) | Json::Text(text)) => {
                let number = quantity::int(text).filter(|number| fits(*number, bits));
                number
                    .map(Value::Int)
                    .ok_or(Malformed("a signed number is not of its type: write decimal digits, or 0x and hexadecimal ones"))
            }
            (Self::Address, Json::Text(text)) => {
                quantity::address(text).map(Value::Address).ok_or(Malformed("invalid address: malformed, or its EIP-55 checksum is wrong"))
            }
            (Self::Bool, Json::Bool(bool)) => Ok(Value::Bool(*bool)),
            (Self::Text, Json::Text(text)) => Ok(Value::Text(text.clone())),
            (Self::Bytes, Json::Text(text)) => {
                quantity::bytes(text).map(Value::Bytes).ok_or(Malformed("bytes are not 0x and pairs of hexadecimal digits"))
            }
            (Self::Fixed(length), Json::Text(text)) => quantity::bytes(text)
                .filter(|bytes| bytes.len() == length)
                .map(Value::Bytes)
                .ok_or(Malformed("bytes are not 0x and as many pairs of hexadecimal digits as their type says")),
            _ => Err(Malformed("a value is of another type than its field")),
        }
    }
}

/// Whether a structure of that name would look like one of Solidity's types.
fn is_taken(name: &str) -> bool {
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == 'x');
    let numbered = name.len() > base.len() && ["uint", "int", "bytes", "fixed", "ufixed"].contains(&base);
    numbered || ["address", "bool", "byte", "bytes", "fixed", "function", "int", "string", "ufixed", "uint"].contains(&name)
}

fn fits(number: I256, bits: usize) -> bool {
    let magnitude = if number.is_negative() { !number.into_raw() } else { number.into_raw() };
    magnitude.bit_len() < bits
}

/// The innermost but one: `uint8[2][]` is an array of `uint8[2]`.
fn split_array(of: &str) -> Option<(&str, Option<usize>)> {
    let (inner, length) = of.strip_suffix(']')?.rsplit_once('[')?;
    Some((inner, plain_number(length)))
}

fn brackets_are_well_formed(mut text: &str) -> bool {
    while let Some(rest) = text.strip_prefix('[') {
        let Some((length, rest)) = rest.split_once(']') else { return false };
        if !length.is_empty() && plain_number(length).is_none_or(|length| length == 0) {
            return false;
        }
        text = rest;
    }
    text.is_empty()
}

/// Digits without a leading zero, at most four.
fn plain_number(text: &str) -> Option<usize> {
    let plain = (1..=4).contains(&text.len()) && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

/// The fields of a domain in the order of EIP-712: what `EIP712Domain` is where a document has none.
fn fields_of_domain(domain: &Json) -> Read<Vec<(String, String)>> {
    let Json::Object(given) = domain else { return Err(Malformed("the domain is not an object")) };
    if given.iter().any(|(name, _)| !DOMAIN_FIELDS.iter().any(|(known, _)| known == name)) {
        return Err(Malformed("the domain has a field that EIP-712 does not know, and `types` has no `EIP712Domain`"));
    }
    let fields = DOMAIN_FIELDS.iter().filter(|(known, _)| given.iter().any(|(name, _)| name == known));
    Ok(fields.map(|(name, of)| ((*name).to_owned(), (*of).to_owned())).collect())
}

/// An identifier, or several with `:` between them, as one exchange names its types.
fn is_type_name(text: &str) -> bool {
    text.len() <= 128 && text.split(':').all(is_identifier)
}

fn is_identifier(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_' || b == b'$');
    first && text.len() <= 128 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'$')
}

/// JSON (RFC 8259) in which no object has a key twice. Numbers are kept as they are written.
#[derive(Debug)]
enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    fn read(raw: &RawValue, depth: usize) -> Result<Self, Unreadable> {
        const NONE: Malformed = Malformed("not a JSON document");
        if depth > MAX_DEPTH {
            return Err(Malformed("the document is nested more than a hundred levels deep").into());
        }
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'{') => {
                let (mut fields, mut seen) = (Vec::new(), BTreeSet::new());
                for (key, value) in json::members(raw).ok_or(NONE)? {
                    if !seen.insert(key.clone()) {
                        return Err(Unreadable::from(Malformed("a key appears twice in one object")).within(&key));
                    }
                    let value = Self::read(value, depth + 1).map_err(|error| error.within(&key))?;
                    fields.push((key, value));
                }
                Ok(Self::Object(fields))
            }
            Some(b'[') => {
                let item = |(at, item)| Self::read(item, depth + 1).map_err(|error| error.within(&format!("[{at}]")));
                Ok(Self::List(json::elements(raw).ok_or(NONE)?.into_iter().enumerate().map(item).collect::<Result<_, _>>()?))
            }
            Some(b'"') => Ok(Self::Text(serde_json::from_str(text).map_err(|_| NONE)?)),
            Some(b't' | b'f') => Ok(Self::Bool(text == "true")),
            Some(b'n') => Ok(Self::Null),
            _ => Ok(Self::Number(text.to_owned())),
        }
    }

    /// The values of an object that has these keys and no others.
    fn exactly<const N: usize>(self, keys: [&str; N]) -> Read<[Self; N]> {
        let wrong = Malformed("the document does not have exactly the keys `types`, `primaryType`, `domain` and `message`");
        let Self::Object(mut fields) = self else { return Err(wrong) };
        if fields.len() != N {
            return Err(wrong);
        }
        let mut take = |key: &str| fields.iter().position(|(name, _)| name == key).map(|at| fields.swap_remove(at).1);
        let found: Option<Vec<Self>> = keys.iter().map(|key| take(key)).collect();
        found.and_then(|found| found.try_into().ok()).ok_or(wrong)
    }

    /// The values of an object that has these two keys and no others.
    fn both(&self, first: &str, second: &str) -> Read<(&Self, &Self)> {
        match self {
            Self::Object(fields) if fields.len() == 2 => {
                let value = |key: &str| fields.iter().find(|(name, _)| name == key).map(|(_, value)| value);
                value(first).zip(value(second)).ok_or(Malformed("a field of a type does not have exactly a `name` and a `type`"))
            }
            _ => Err(Malformed("a field of a type does not have exactly a `name` and a `type`")),
        }
    }
}
