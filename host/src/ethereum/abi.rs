//! Calldata by a function's signature (Solidity ABI), in its one canonical form: what is decoded and encoded again is the same bytes. The
//! decoder of the crate takes more than that: dirty padding, odd offsets, bytes that trail.

use super::rlp::Malformed;
use super::value::{FieldPath, Value};
use alloy_dyn_abi::{DynSolType, DynSolValue, Specifier};
use alloy_json_abi::Param;
use alloy_primitives::I256;

/// A function of a contract, with its parameters.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// The canonical signature, `transfer(address,uint256)`.
    pub(crate) signature: String,
    pub(crate) selector: [u8; 4],
    inputs: Vec<Param>,
    decoder: DynSolType,
}

impl Function {
    /// Parses a signature as Solidity writes it, with or without names: `transfer(address to, uint256 amount)`. The fields of a tuple have
    /// none: they are known by their numbers, as in `calls[].0`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix("function ").unwrap_or(text);
        let function = alloy_json_abi::Function::parse(text).ok()?;
        let named = |name: &str| function.inputs.iter().filter(|input| input.name == name).count();
        if function.inputs.iter().any(|input| !input.name.is_empty() && named(&input.name) > 1) {
            return None;
        }
        let types = function.inputs.iter().map(|input| input.resolve().ok()).collect::<Option<Vec<_>>>()?;
        Some(Self {
            signature: function.signature(),
            selector: function.selector().0,
            name: function.name,
            inputs: function.inputs,
            decoder: DynSolType::Tuple(types),
        })
    }

    /// The arguments of a call of this function, `data` being what follows the selector.
    pub(crate) fn read(&self, data: &[u8]) -> Result<Value, Malformed> {
        let wrong = Malformed("the call data is not the canonical encoding of the function's arguments");
        if self.inputs.is_empty() {
            return if data.is_empty() { Ok(Value::Struct(Vec::new())) } else { Err(wrong) };
        }
        let decoded = self.decoder.abi_decode_params(data).map_err(|_| wrong)?;
        if decoded.abi_encode_params() != data {
            return Err(wrong);
        }
        let DynSolValue::Tuple(values) = decoded else { return Err(wrong) };
        fields(values, &self.inputs).ok_or(wrong)
    }

    /// The type that a path leads to, among the arguments.
    pub(crate) fn leads_to(&self, path: &FieldPath) -> Option<String> {
        // Structures have no names of their own here: each is known by the way to it.
        let mut known = vec![("()".to_owned(), named(&self.inputs, "()"))];
        let mut open: Vec<(String, &Param)> = self.inputs.iter().map(|param| ("()".to_owned(), param)).collect();
        while let Some((within, param)) = open.pop() {
            if !param.components.is_empty() {
                let own = format!("{within}.{}", param.name);
                known.push((own.clone(), named(&param.components, &own)));
                open.extend(param.components.iter().map(|param| (own.clone(), param)));
            }
        }
        path.leads_to("()", &|name| known.iter().find(|(known, _)| known == name).map(|(_, fields)| fields.clone()))
    }
}

/// The parameters by name and type; a structure's type is the way to it, and its array brackets.
fn named(params: &[Param], within: &str) -> Vec<(String, String)> {
    let one = |param: &Param| {
        let of = match param.components.is_empty() {
            true => param.ty.clone(),
            false => format!("{within}.{}{}", param.name, param.ty.trim_start_matches("tuple")),
        };
        (param.name.clone(), of)
    };
    params.iter().map(one).collect()
}

fn fields(values: Vec<DynSolValue>, params: &[Param]) -> Option<Value> {
    let one = |(value, param): (DynSolValue, &Param)| Some((param.name.clone(), value_of(value, &param.components)?));
    Some(Value::Struct(values.into_iter().zip(params).map(one).collect::<Option<_>>()?))
}

fn value_of(value: DynSolValue, components: &[Param]) -> Option<Value> {
    let list =
        |values: Vec<DynSolValue>| Some(Value::List(values.into_iter().map(|value| value_of(value, components)).collect::<Option<_>>()?));
    match value {
        DynSolValue::Bool(bool) => Some(Value::Bool(bool)),
        DynSolValue::Int(number, _) => Some(Value::Int(I256::from_raw(number.into_raw()))),
        DynSolValue::Uint(number, _) => Some(Value::Uint(number)),
        DynSolValue::FixedBytes(word, length) => Some(Value::Bytes(word[..length].to_vec())),
        DynSolValue::Address(address) => Some(Value::Address(address)),
        DynSolValue::Bytes(bytes) => Some(Value::Bytes(bytes)),
        DynSolValue::String(text) => Some(Value::Text(text)),
        DynSolValue::Array(values) | DynSolValue::FixedArray(values) => list(values),
        DynSolValue::Tuple(values) => fields(values, components),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::U256;

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
}
