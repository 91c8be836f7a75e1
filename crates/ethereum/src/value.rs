//! Decoded values, of calldata and of typed data alike: what policy reads, audit prints and the hash is made of.

use alloy_primitives::{Address, I256, U256};
use serde_json::Value as Json;
use std::fmt;

/// One decoded value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An unsigned number of any width.
    Uint(U256),
    /// A signed number of any width.
    Int(I256),
    /// An address.
    Address(Address),
    /// A truth value.
    Bool(bool),
    /// Bytes, of a fixed length or not.
    Bytes(Vec<u8>),
    /// Text.
    Text(String),
    /// Fields by name, in order.
    Struct(Vec<(String, Value)>),
    /// An array, of a fixed length or not.
    List(Vec<Value>),
}

/// The way to a value within a structure: `permitted.amount`; `details[].amount` leads to that of each element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Each,
}

impl FieldPath {
    /// Parses a path. None where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        for part in text.split('.') {
            let name = part.trim_end_matches("[]");
            let clean = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'$');
            if !clean {
                return None;
            }
            steps.push(Step::Field(name.to_owned()));
            steps.extend(std::iter::repeat_n(Step::Each, (part.len() - name.len()) / 2));
        }
        Some(Self(steps))
    }

    /// The part up to its last array.
    fn arrays(&self) -> &[Step] {
        let last = self.0.iter().rposition(|step| *step == Step::Each);
        &self.0[..last.map_or(0, |last| last + 1)]
    }

    /// Whether the values that the two lead to belong to each other in their order: this one leads to one, or through the same arrays, or both
    /// lead through one array each.
    pub fn is_paired_with(&self, other: &Self) -> bool {
        let count = |path: &Self| path.0.iter().filter(|step| **step == Step::Each).count();
        self.arrays().is_empty() || self.arrays() == other.arrays() || count(self) == 1 && count(other) == 1
    }

    /// The type that it leads to, through the structures that `fields` knows: each type's fields, by name and type.
    pub fn leads_to(&self, root: &str, fields: &impl Fn(&str) -> Option<Vec<(String, String)>>) -> Option<String> {
        let mut at = root.to_owned();
        for step in &self.0 {
            at = match step {
                Step::Field(name) => {
                    let fields = fields(&at)?;
                    let named = fields.iter().find(|(known, _)| known == name);
                    named.or_else(|| fields.get(name.parse::<usize>().ok()?))?.1.clone()
                }
                // An array's innermost type stands before its last bracket.
                Step::Each => at.strip_suffix(']')?.rsplit_once('[')?.0.to_owned(),
            };
        }
        Some(at)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if at == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Each => f.write_str("[]")?,
            }
        }
        Ok(())
    }
}

impl Value {
    /// The values that a path leads to: one, or as many as the arrays on its way have. None where there is no such way.
    pub fn at(&self, path: &FieldPath) -> Option<Vec<&Self>> {
        let mut found = vec![self];
        for step in &path.0 {
            found = match step {
                Step::Field(name) => found.into_iter().map(|value| value.field(name)).collect::<Option<_>>()?,
                Step::Each => {
                    let lists = found.into_iter().map(|value| if let Self::List(items) = value { Some(items) } else { None });
                    lists.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect()
                }
            };
        }
        Some(found)
    }

    /// A field of a struct, by its name.
    pub fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Struct(fields) => {
                let named = fields.iter().find(|(known, _)| known == name);
                // Parameters may have no names: then they are known by their number.
                named.or_else(|| fields.get(name.parse::<usize>().ok()?)).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The value as JSON has it in typed data: numbers as decimal texts, bytes as `0x` and digits.
    pub(crate) fn to_json(&self) -> Json {
        match self {
            Self::Uint(number) => number.to_string().into(),
            Self::Int(number) => number.to_string().into(),
            Self::Address(address) => address.to_string().into(),
            Self::Bool(bool) => (*bool).into(),
            Self::Bytes(bytes) => format!("0x{}", strongroom_ground::text::hex(bytes)).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Struct(fields) => Json::Object(fields.iter().map(|(name, value)| (name.clone(), value.to_json())).collect()),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
        }
    }

    /// The number, where it is an unsigned one.
    pub fn as_uint(&self) -> Option<U256> {
        if let Self::Uint(number) = self { Some(*number) } else { None }
    }

    /// The address, where it is one.
    pub fn as_address(&self) -> Option<Address> {
        if let Self::Address(address) = self { Some(*address) } else { None }
    }
}

impl fmt::Display for Value {
    /// One line. Long bytes and texts are cut, and say how long they are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 64;
        let list = |f: &mut fmt::Formatter<'_>, open: &str, close: &str, items: &mut dyn Iterator<Item = String>| {
            let items: Vec<String> = items.collect();
            write!(f, "{open}{}{close}", items.join(", "))
        };
        match self {
            Self::Uint(number) => write!(f, "{number}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Bool(bool) => write!(f, "{bool}"),
            Self::Bytes(bytes) if bytes.len() > SHOWN => {
                write!(f, "0x{}… ({} bytes)", strongroom_ground::text::hex(&bytes[..SHOWN]), bytes.len())
            }
            Self::Bytes(bytes) => write!(f, "0x{}", strongroom_ground::text::hex(bytes)),
            Self::Text(text) if text.chars().count() > SHOWN => {
                write!(f, "{:?}… ({} bytes)", text.chars().take(SHOWN).collect::<String>(), text.len())
            }
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Struct(fields) => list(f, "(", ")", &mut fields.iter().map(|(name, value)| format!("{name}: {value}"))),
            Self::List(items) => list(f, "[", "]", &mut items.iter().map(ToString::to_string)),
        }
    }
}
