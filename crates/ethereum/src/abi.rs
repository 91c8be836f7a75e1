//! Calldata by a function's signature (Solidity ABI), in its one canonical form: heads first, tails behind them in order, without a gap, and
//! nothing after. Every byte is looked at once, so that what is decoded is never larger than what was given.

use super::rlp::Malformed;
use super::value::{FieldPath, Value};
use alloy_dyn_abi::{DynSolType, Specifier};
use alloy_json_abi::Param;
use alloy_primitives::{Address, I256, U256};

/// Bytes of a word.
const WORD: usize = 32;

/// A function of a contract, with its parameters.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name, as in `transfer`.
    pub name: String,
    /// The canonical signature, `transfer(address,uint256)`.
    pub signature: String,
    /// The first four bytes of the hash of its signature.
    pub selector: [u8; 4],
    inputs: Vec<Param>,
    types: Vec<DynSolType>,
}

impl Function {
    /// Parses a signature as Solidity writes it, with or without names: `transfer(address to, uint256 amount)`. The fields of a tuple have
    /// none: they are known by their numbers, as in `calls[].0`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix("function ").unwrap_or(text);
        let function = alloy_json_abi::Function::parse(text).ok()?;
        let named = |name: &str| function.inputs.iter().filter(|input| input.name == name).count();
        if function.inputs.iter().any(|input| !input.name.is_empty() && named(&input.name) > 1) {
            return None;
        }
        let types = function.inputs.iter().map(|input| input.resolve().ok()).collect::<Option<Vec<_>>>()?;
        types.iter().all(is_plain).then(|| Self {
            signature: function.signature(),
            selector: function.selector().0,
            name: function.name,
            inputs: function.inputs,
            types,
        })
    }

    /// The arguments of a call of this function, `data` being what follows the selector.
    pub fn read(&self, data: &[u8]) -> Result<Value, Malformed> {
        let names = self.inputs.iter().map(|input| input.name.clone());
        let read = Block(data).read(&self.types.iter().collect::<Vec<_>>());
        let (values, used) = read
            .filter(|(_, used)| *used == data.len())
            .ok_or(Malformed("the call data is not the canonical encoding of the function's arguments"))?;
        debug_assert_eq!(used, data.len());
        Ok(Value::Struct(names.zip(values).collect()))
    }

    /// The type that a path leads to, among the arguments.
    pub fn leads_to(&self, path: &FieldPath) -> Option<String> {
        // Structures have no names of their own here: each is known by the numbers on the way to it.
        let mut known = vec![("()".to_owned(), named(&self.inputs, "()"))];
        let mut open: Vec<(String, &[Param])> = vec![("()".to_owned(), &self.inputs)];
        while let Some((within, params)) = open.pop() {
            for (at, param) in params.iter().enumerate().filter(|(_, param)| !param.components.is_empty()) {
                let own = format!("{within}.{at}");
                known.push((own.clone(), named(&param.components, &own)));
                open.push((own, &param.components));
            }
        }
        path.leads_to("()", &|name| known.iter().find(|(known, _)| known == name).map(|(_, fields)| fields.clone()))
    }
}

/// The parameters by name and type; a structure's type is the way to it, and its array brackets.
fn named(params: &[Param], within: &str) -> Vec<(String, String)> {
    let one = |(at, param): (usize, &Param)| {
        let of = match param.components.is_empty() {
            true => param.ty.clone(),
            false => format!("{within}.{at}{}", param.ty.trim_start_matches("tuple")),
        };
        (param.name.clone(), of)
    };
    params.iter().enumerate().map(one).collect()
}

/// Whether a type has values of at least one word each: an array of nothing could be as long as it likes.
fn is_plain(of: &DynSolType) -> bool {
    match of {
        DynSolType::FixedArray(inner, length) => *length > 0 && is_plain(inner),
        DynSolType::Array(inner) => is_plain(inner),
        DynSolType::Tuple(inner) => !inner.is_empty() && inner.iter().all(is_plain),
        DynSolType::Function => false,
        _ => true,
    }
}

fn is_dynamic(of: &DynSolType) -> bool {
    match of {
        DynSolType::Bytes | DynSolType::String | DynSolType::Array(_) => true,
        DynSolType::FixedArray(inner, _) => is_dynamic(inner),
        DynSolType::Tuple(inner) => inner.iter().any(is_dynamic),
        _ => false,
    }
}

/// Bytes that a value takes in its block's head.
fn head(of: &DynSolType) -> usize {
    match of {
        _ if is_dynamic(of) => WORD,
        DynSolType::FixedArray(inner, length) => head(inner).saturating_mul(*length),
        DynSolType::Tuple(inner) => inner.iter().map(head).fold(0, usize::saturating_add),
        _ => WORD,
    }
}

/// Where offsets are counted from: the arguments, or what a tuple or an array holds.
#[derive(Clone, Copy)]
struct Block<'a>(&'a [u8]);

impl<'a> Block<'a> {
    fn word(self, at: usize) -> Option<&'a [u8; WORD]> {
        self.0.get(at..at.checked_add(WORD)?)?.try_into().ok()
    }

    fn length(self, at: usize) -> Option<usize> {
        usize::try_from(U256::from_be_bytes(*self.word(at)?)).ok()
    }

    /// The values of these types, one after the other, and how many bytes they take with their tails.
    fn read(self, types: &[&DynSolType]) -> Option<(Vec<Value>, usize)> {
        let mut tail = types.iter().map(|of| head(of)).fold(0, usize::saturating_add);
        if tail > self.0.len() {
            return None;
        }
        let (mut at, mut values) = (0, Vec::with_capacity(types.len()));
        for of in types {
            if is_dynamic(of) {
                // The one place where a tail may be.
                if self.length(at)? != tail {
                    return None;
                }
                let (value, used) = Block(self.0.get(tail..)?).dynamic(of)?;
                values.push(value);
                tail = tail.checked_add(used)?;
            } else {
                values.push(self.fixed(of, at)?);
            }
            at += head(of);
        }
        Some((values, tail))
    }

    /// A value that stands in the head itself.
    fn fixed(self, of: &DynSolType, at: usize) -> Option<Value> {
        match of {
            DynSolType::FixedArray(inner, length) => {
                let each = (0..*length).map(|index| self.fixed(inner, at + index * head(inner)));
                each.collect::<Option<_>>().map(Value::List)
            }
            DynSolType::Tuple(inner) => {
                let (mut at, mut fields) = (at, Vec::with_capacity(inner.len()));
                for of in inner {
                    fields.push((String::new(), self.fixed(of, at)?));
                    at += head(of);
                }
                Some(Value::Struct(fields))
            }
            _ => word(of, self.word(at)?),
        }
    }

    /// A value in a tail, and how many bytes it takes.
    fn dynamic(self, of: &DynSolType) -> Option<(Value, usize)> {
        match of {
            DynSolType::Bytes | DynSolType::String => {
                let length = self.length(0)?;
                let padded = length.checked_next_multiple_of(WORD)?.checked_add(WORD)?;
                let (bytes, padding) = self.0.get(WORD..padded)?.split_at(length);
                if padding.iter().any(|byte| *byte != 0) {
                    return None;
                }
                let value = match of {
                    DynSolType::Bytes => Value::Bytes(bytes.to_vec()),
                    _ => Value::Text(std::str::from_utf8(bytes).ok()?.to_owned()),
                };
                Some((value, padded))
            }
            DynSolType::Array(inner) => {
                let (count, rest) = (self.length(0)?, Block(self.0.get(WORD..)?));
                // Each element has a word at least: so many can't be there.
                if count > rest.0.len() / WORD {
                    return None;
                }
                let (values, used) = rest.read(&vec![&**inner; count])?;
                Some((Value::List(values), used + WORD))
            }
            DynSolType::FixedArray(inner, length) => {
                if *length > self.0.len() / WORD {
                    return None;
                }
                let (values, used) = self.read(&vec![&**inner; *length])?;
                Some((Value::List(values), used))
            }
            DynSolType::Tuple(inner) => {
                let (values, used) = self.read(&inner.iter().collect::<Vec<_>>())?;
                Some((Value::Struct(values.into_iter().map(|value| (String::new(), value)).collect()), used))
            }
            _ => None,
        }
    }
}

/// A value of one word, with its padding as it has to be.
fn word(of: &DynSolType, word: &[u8; WORD]) -> Option<Value> {
    let number = U256::from_be_bytes(*word);
    match of {
        DynSolType::Uint(bits) => (number.bit_len() <= *bits).then_some(Value::Uint(number)),
        DynSolType::Int(bits) => {
            let magnitude = if word[0] & 0x80 != 0 { !number } else { number };
            (magnitude.bit_len() < *bits).then(|| Value::Int(I256::from_raw(number)))
        }
        DynSolType::Bool => (number <= U256::from(1)).then(|| Value::Bool(!number.is_zero())),
        DynSolType::Address => (number.bit_len() <= 160).then(|| Value::Address(Address::from_slice(&word[12..]))),
        DynSolType::FixedBytes(length) => {
            let (bytes, padding) = word.split_at(*length);
            padding.iter().all(|byte| *byte == 0).then(|| Value::Bytes(bytes.to_vec()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_dyn_abi::DynSolValue;

    fn padded(number: usize) -> [u8; 32] {
        U256::from(number).to_be_bytes()
    }

    #[test]
    fn call_data_has_one_form() {
        let transfer = Function::parse("transfer(address to, uint256 amount)").expect("a signature");
        assert_eq!(transfer.selector, [0xa9, 0x05, 0x9c, 0xbb]);
        let mut data = [0u8; 64];
        data[31] = 7;
        data[63] = 9;

        let value = transfer.read(&data).expect("canonical");

        assert_eq!(value.field("amount"), Some(&Value::Uint(U256::from(9))));
        data[0] = 1;
        assert!(transfer.read(&data).is_err(), "dirty padding");
        data[0] = 0;
        assert!(transfer.read(&[&data[..], &[0]].concat()).is_err(), "a byte that trails");
        assert!(transfer.read(&data[..63]).is_err());
    }

    #[test]
    fn paths_lead_into_structures_and_arrays() {
        let batch = Function::parse("aggregate3((address,bool,bytes)[] calls)").expect("a signature");
        let leads = |path: &str| batch.leads_to(&FieldPath::parse(path).expect("a path"));

        assert_eq!(batch.signature, "aggregate3((address,bool,bytes)[])");
        assert_eq!(leads("calls[].0").as_deref(), Some("address"));
        assert_eq!(leads("calls.0"), None);
        assert_eq!(leads("calls[].nothing"), None);
    }

    #[test]
    fn elements_that_share_one_tail_are_refused() {
        let multicall = Function::parse("multicall(bytes[])").expect("a signature");
        // Two elements whose offsets lead to the same bytes: decoded, they would be more than was given.
        let shared = [padded(32), padded(2), padded(64), padded(64), padded(32), [7; 32]].concat();
        let apart = [padded(32), padded(2), padded(64), padded(128), padded(32), [7; 32], padded(32), [7; 32]].concat();

        assert!(multicall.read(&shared).is_err());
        assert!(multicall.read(&apart).is_ok());
        let endless = [padded(32), padded(usize::MAX)].concat();
        assert!(multicall.read(&endless).is_err());
        assert!(Function::parse("f(uint256[0][])").is_none(), "an array of nothing could be as long as it likes");
    }

    #[test]
    fn what_another_implementation_encodes_is_read_as_the_same_values() {
        let cases: &[(&str, &[&str])] = &[
            ("f(address,uint256)", &["0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "5"]),
            ("f(uint8,int8,bool,bytes4)", &["255", "-128", "true", "0x01020304"]),
            ("f(string,bytes)", &["hello, world; a text of more than one word of it", "0x0102"]),
            ("f(uint256[],uint256[2][])", &["[1,2,3]", "[[1,2],[3,4]]"]),
            (
                "f((address,bool,bytes)[])",
                &["[(0x70997970C51812dc3A010C7d01b50e0d17dc79C8,true,0x01),(0x70997970C51812dc3A010C7d01b50e0d17dc79C8,false,0x)]"],
            ),
            ("f(string[2],(uint256,(string,bytes)))", &["[\"a\",\"bc\"]", "(7,(\"x\",0xff))"]),
            ("f(bytes[][])", &["[[0x01,0x02],[],[0x03]]"]),
        ];
        for (signature, arguments) in cases {
            let function = Function::parse(signature).expect("a signature");
            let values: Vec<DynSolValue> =
                function.types.iter().zip(*arguments).map(|(of, text)| of.coerce_str(text).expect("a value")).collect();
            let data = DynSolValue::Tuple(values.clone()).abi_encode_params();

            let Value::Struct(read) = function.read(&data).unwrap_or_else(|wrong| panic!("{signature}: {wrong}")) else {
                panic!("arguments")
            };

            assert!(read.iter().zip(&values).all(|((_, ours), theirs)| same(ours, theirs)), "{signature}: {read:?}");
            for at in 0..data.len() {
                let mut changed = data.clone();
                changed[at] ^= 0x80;
                // Whatever is still read is read as something else.
                assert_ne!(function.read(&changed).ok(), Some(Value::Struct(read.clone())), "{signature}, byte {at}");
            }
        }
    }

    fn same(ours: &Value, theirs: &DynSolValue) -> bool {
        match (ours, theirs) {
            (Value::Uint(a), DynSolValue::Uint(b, _)) => a == b,
            (Value::Int(a), DynSolValue::Int(b, _)) => a == b,
            (Value::Bool(a), DynSolValue::Bool(b)) => a == b,
            (Value::Address(a), DynSolValue::Address(b)) => a == b,
            (Value::Bytes(a), DynSolValue::Bytes(b)) => a == b,
            (Value::Bytes(a), DynSolValue::FixedBytes(b, length)) => *a == b[..*length],
            (Value::Text(a), DynSolValue::String(b)) => a == b,
            (Value::List(a), DynSolValue::Array(b) | DynSolValue::FixedArray(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Value::Struct(a), DynSolValue::Tuple(b)) => a.len() == b.len() && a.iter().zip(b).all(|((_, a), b)| same(a, b)),
            _ => false,
        }
    }
}
