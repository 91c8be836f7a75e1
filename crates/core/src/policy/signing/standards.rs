//! What the functions and documents of the field's standards spend, by their whole signature or type. A manifest can't say otherwise of them.

use crate::ethereum::value::FieldPath;
use crate::manifest::Movement;

/// What a standard's function or document does. Fields are named, or numbered where parameters have no names of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Moves an asset, or lets somebody move it.
    Moves { asset: Option<&'static str>, amount: &'static str, recipient: &'static str, account: Option<&'static str> },
    /// Costs nothing: takes back what was allowed.
    Nothing,
    /// Lets somebody move all single tokens of a contract.
    Operator { recipient: &'static str },
    /// DAI's permit: everything, or nothing.
    AllOrNothing { recipient: &'static str, account: &'static str, allowed: &'static str },
    /// Calls others, one or many: contract (none for the one that is called), value, call data.
    Calls { to: Option<&'static str>, value: Option<&'static str>, data: &'static str, by_contract: bool },
    /// A transaction of a Safe (https://docs.safe.global).
    Safe,
}

/// A function that has one meaning wherever it is found.
pub(super) struct StandardCall {
    pub(super) signature: &'static str,
    pub(super) effect: Effect,
}

/// A document that has one meaning.
pub(super) struct StandardType {
    pub(super) encoded_type: &'static str,
    pub(super) effect: Effect,
    pub(super) deadlines: &'static [&'static str],
}

const fn moves(amount: &'static str, recipient: &'static str, account: Option<&'static str>) -> Effect {
    Effect::Moves { asset: None, amount, recipient, account }
}

const fn calls(to: &'static str, value: Option<&'static str>, data: &'static str, by_contract: bool) -> Effect {
    Effect::Calls { to: Some(to), value, data, by_contract }
}

const fn multicall(data: &'static str) -> Effect {
    Effect::Calls { to: None, value: None, data, by_contract: false }
}

macro_rules! call {
    ($signature:literal, $effect:expr) => {
        StandardCall { signature: $signature, effect: $effect }
    };
}

/// Functions: ERC-20, ERC-721, EIP-2612, Permit2, the multicalls of the field, smart accounts (EIP-4337's samples, ERC-7579 aside), Safe.
pub(super) const CALLS: &[StandardCall] = &[
    call!("transfer(address,uint256)", moves("1", "0", None)),
    call!("approve(address,uint256)", moves("1", "0", None)),
    call!("increaseAllowance(address,uint256)", moves("1", "0", None)),
    call!("decreaseAllowance(address,uint256)", Effect::Nothing),
    call!("transferFrom(address,address,uint256)", moves("2", "1", Some("0"))),
    call!("safeTransferFrom(address,address,uint256)", moves("2", "1", Some("0"))),
    call!("safeTransferFrom(address,address,uint256,bytes)", moves("2", "1", Some("0"))),
    call!("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)", moves("2", "1", Some("0"))),
    call!("setApprovalForAll(address,bool)", Effect::Operator { recipient: "0" }),
    call!("approve(address,address,uint160,uint48)", Effect::Moves { asset: Some("0"), amount: "2", recipient: "1", account: None }),
    call!(
        "transferFrom(address,address,uint160,address)",
        Effect::Moves { asset: Some("3"), amount: "2", recipient: "1", account: Some("0") }
    ),
    call!("multicall(bytes[])", multicall("0[]")),
    call!("multicall(uint256,bytes[])", multicall("1[]")),
    call!("multicall(bytes32,bytes[])", multicall("1[]")),
    call!("aggregate((address,bytes)[])", calls("0[].0", None, "0[].1", true)),
    call!("tryAggregate(bool,(address,bytes)[])", calls("1[].0", None, "1[].1", true)),
    call!("aggregate3((address,bool,bytes)[])", calls("0[].0", None, "0[].2", true)),
    call!("aggregate3Value((address,bool,uint256,bytes)[])", calls("0[].0", Some("0[].2"), "0[].3", true)),
    call!("execute(address,uint256,bytes)", calls("0", Some("1"), "2", true)),
    call!("executeBatch(address[],bytes[])", calls("0[]", None, "1[]", true)),
    call!("executeBatch(address[],uint256[],bytes[])", calls("0[]", Some("1[]"), "2[]", true)),
    call!("executeBatch((address,uint256,bytes)[])", calls("0[].0", Some("0[].1"), "0[].2", true)),
    call!("execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)", Effect::Safe),
];

/// Functions that no manifest can grant, and why.
pub(super) const NEVER: &[(&str, &str)] = &[
    ("approveHash(bytes32)", "it approves a hash that can't be decoded"),
    ("signMessage(bytes)", "it approves a hash that can't be decoded"),
    ("multiSend(bytes)", "its calls are packed in a form of its own"),
    ("execute(bytes32,bytes)", "its calls are packed in a form of its own"),
    ("enableModule(address)", "it changes who controls an account"),
    ("disableModule(address,address)", "it changes who controls an account"),
    ("setGuard(address)", "it changes who controls an account"),
    ("setFallbackHandler(address)", "it changes who controls an account"),
    ("addOwnerWithThreshold(address,uint256)", "it changes who controls an account"),
    ("removeOwner(address,address,uint256)", "it changes who controls an account"),
    ("swapOwner(address,address,address)", "it changes who controls an account"),
    ("changeThreshold(uint256)", "it changes who controls an account"),
    ("execTransactionFromModule(address,uint256,bytes,uint8)", "a module acts in an account's name"),
    ("execTransactionFromModuleReturnData(address,uint256,bytes,uint8)", "a module acts in an account's name"),
    (
        "handleOps((address,uint256,bytes,bytes,uint256,uint256,uint256,uint256,uint256,bytes,bytes)[],address)",
        "operations of an EntryPoint are not priced",
    ),
    (
        "handleOps((address,uint256,bytes,bytes,bytes32,uint256,bytes32,bytes,bytes)[],address)",
        "operations of an EntryPoint are not priced",
    ),
];

/// Names of types that no manifest can grant, in any of their versions: operations of an EntryPoint, hashes in disguise, and calls that
/// somebody else makes in the account's name.
pub(super) const NEVER_TYPES: &[&str] = &[
    "PackedUserOperation",
    "UserOperation",
    "SafeOp",
    "SafeMessage",
    "CoinbaseSmartWalletMessage",
    "MetaTransaction",
    "ForwardRequest",
    "TypedDataSign",
    "PersonalSign",
];

/// Documents: EIP-2612, DAI, EIP-3009, Permit2, Safe.
pub(super) const TYPES: &[StandardType] = &[
    StandardType {
        encoded_type: "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)",
        effect: Effect::Moves { asset: None, amount: "value", recipient: "spender", account: Some("owner") },
        deadlines: &["deadline"],
    },
    StandardType {
        encoded_type: "Permit(address holder,address spender,uint256 nonce,uint256 expiry,bool allowed)",
        effect: Effect::AllOrNothing { recipient: "spender", account: "holder", allowed: "allowed" },
        deadlines: &["expiry"],
    },
    StandardType {
        encoded_type: "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)",
        effect: Effect::Moves { asset: None, amount: "value", recipient: "to", account: Some("from") },
        deadlines: &["validBefore"],
    },
    StandardType {
        encoded_type: "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)",
        effect: Effect::Moves { asset: None, amount: "value", recipient: "to", account: Some("from") },
        deadlines: &["validBefore"],
    },
    StandardType { encoded_type: "CancelAuthorization(address authorizer,bytes32 nonce)", effect: Effect::Nothing, deadlines: &[] },
    StandardType {
        encoded_type: "PermitSingle(PermitDetails details,address spender,uint256 sigDeadline)PermitDetails(address token,uint160 amount,uint48 expiration,uint48 nonce)",
        effect: Effect::Moves { asset: Some("details.token"), amount: "details.amount", recipient: "spender", account: None },
        deadlines: &["details.expiration", "sigDeadline"],
    },
    StandardType {
        encoded_type: "PermitBatch(PermitDetails[] details,address spender,uint256 sigDeadline)PermitDetails(address token,uint160 amount,uint48 expiration,uint48 nonce)",
        effect: Effect::Moves { asset: Some("details[].token"), amount: "details[].amount", recipient: "spender", account: None },
        deadlines: &["details[].expiration", "sigDeadline"],
    },
    StandardType {
        encoded_type: "PermitTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline)TokenPermissions(address token,uint256 amount)",
        effect: Effect::Moves { asset: Some("permitted.token"), amount: "permitted.amount", recipient: "spender", account: None },
        deadlines: &["deadline"],
    },
    StandardType {
        encoded_type: "PermitBatchTransferFrom(TokenPermissions[] permitted,address spender,uint256 nonce,uint256 deadline)TokenPermissions(address token,uint256 amount)",
        effect: Effect::Moves { asset: Some("permitted[].token"), amount: "permitted[].amount", recipient: "spender", account: None },
        deadlines: &["deadline"],
    },
    StandardType {
        encoded_type: "SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce)",
        effect: Effect::Safe,
        deadlines: &[],
    },
];

/// What a function of that signature does.
pub(super) fn call(signature: &str) -> Option<Effect> {
    CALLS.iter().find(|known| known.signature == signature).map(|known| known.effect)
}

/// A document of that type.
pub(super) fn document(encoded_type: &str) -> Option<&'static StandardType> {
    TYPES.iter().find(|known| known.encoded_type == encoded_type)
}

pub(super) fn path(text: &str) -> FieldPath {
    FieldPath::parse(text).expect("the table's paths are paths")
}

impl Effect {
    /// As a manifest would write it, where it could.
    pub(super) fn movement(self) -> Option<Movement> {
        match self {
            Self::Moves { asset, amount, recipient, account } => {
                Some(Movement { asset: asset.map(path), amount: path(amount), recipient: path(recipient), account: account.map(path) })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ethereum::abi::Function;
    use crate::ethereum::typed_data::Types;

    #[test]
    fn every_path_of_the_tables_leads_to_a_field_of_its_kind() {
        let fields = |effect: Effect| match effect {
            Effect::Moves { asset, amount, recipient, account } => {
                let addresses = [asset, Some(recipient), account].into_iter().flatten().map(|path| (path, "address"));
                addresses.chain([(amount, "uint")]).collect::<Vec<_>>()
            }
            Effect::AllOrNothing { recipient, account, allowed } => vec![(recipient, "address"), (account, "address"), (allowed, "bool")],
            Effect::Operator { recipient } => vec![(recipient, "address")],
            Effect::Calls { to, value, data, .. } => {
                [to.map(|to| (to, "address")), value.map(|value| (value, "uint256")), Some((data, "bytes"))].into_iter().flatten().collect()
            }
            Effect::Nothing | Effect::Safe => Vec::new(),
        };
        for known in CALLS {
            let function = Function::parse(known.signature).expect("a signature");
            assert_eq!(function.signature, known.signature);
            for (text, of) in fields(known.effect) {
                assert!(function.leads_to(&path(text)).is_some_and(|found| found.starts_with(of)), "{} {text}", known.signature);
            }
        }
        for known in TYPES {
            let (types, primary) = Types::parse(known.encoded_type).expect("a type");
            for (text, of) in fields(known.effect).into_iter().chain(known.deadlines.iter().map(|deadline| (*deadline, "uint"))) {
                let found = path(text).leads_to(&primary, &|name| types.fields(name));
                assert!(found.is_some_and(|found| found.starts_with(of)), "{} {text}", known.encoded_type);
            }
        }
        for (signature, _) in NEVER {
            assert_eq!(Function::parse(signature).expect("a signature").signature, *signature);
        }
    }
}
