//! Examples that several standards share.

use super::*;

pub(super) fn of_kind(kind: Kind) -> Transaction {
    let (to, value) = (Some(Address::repeat_byte(0x35)), U256::from(10).pow(U256::from(18)));
    Transaction { chain: 1, nonce: 9, gas: 21_000, to, value, input: Vec::new(), kind }
}

pub(super) fn market() -> Market {
    Market { max: U256::from(30_000_000_000u64), priority: U256::from(1_000_000_000u64) }
}

pub(super) fn legacy() -> Transaction {
    of_kind(Kind::Legacy { price: U256::from(20_000_000_000u64) })
}

pub(super) fn access_list() -> Transaction {
    let access = vec![(Address::repeat_byte(0x77), vec![B256::ZERO, B256::repeat_byte(0x88)]), (Address::ZERO, Vec::new())];
    of_kind(Kind::AccessList { price: U256::from(7), access })
}

pub(super) fn dynamic_fee() -> Transaction {
    Transaction { input: vec![0; 300], ..of_kind(Kind::DynamicFee { market: market(), access: Vec::new() }) }
}

pub(super) fn blob() -> Transaction {
    let mut hashes = vec![B256::repeat_byte(0xaa), B256::repeat_byte(0xbb)];
    hashes.iter_mut().for_each(|hash| hash.0[0] = 1);
    of_kind(Kind::Blob { market: market(), access: Vec::new(), blob_fee: U256::from(5), hashes })
}

pub(super) fn set_code() -> Transaction {
    let authorization = Authorization { chain: U256::from(1), delegate: Address::repeat_byte(0x99), nonce: 3 };
    let signed = SignedAuthorization { authorization, odd: 1, r: U256::from(11), s: U256::from(12) };
    of_kind(Kind::SetCode { market: market(), access: Vec::new(), authorizations: vec![signed] })
}

/// A document with a field of each sort, to be edited.
pub(super) const ORDER: &str = r#"{
"types":{
"EIP712Domain":[{"name":"name","type":"string"},{"name":"version","type":"string"},{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}],
"Order":[{"name":"maker","type":"Person"},{"name":"count","type":"uint8"},{"name":"delta","type":"int8"},{"name":"tag","type":"bytes4"},{"name":"note","type":"bytes"},
{"name":"open","type":"bool"},{"name":"pair","type":"uint16[2]"},{"name":"friends","type":"Person[]"},{"name":"amount","type":"uint256"}],
"Person":[{"name":"name","type":"string"},{"name":"wallet","type":"address"}]},
"primaryType":"Order",
"domain":{"name":"Shop","version":"1","chainId":1,"verifyingContract":"0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"},
"message":{"maker":{"name":"Cow","wallet":"0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},"count":255,"delta":-128,"tag":"0x01020304","note":"0x0506",
"open":true,"pair":[1,2],"friends":[{"name":"Bob","wallet":"0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"}],"amount":"1000000000000000000000"}}"#;

/// A document for one domain.
pub(super) fn document(types: &str, primary: &str, message: &str) -> String {
    format!(
        r#"{{"types": {{"EIP712Domain": [{{"name": "name", "type": "string"}}, {{"name": "chainId", "type": "uint256"}}], {types}}},
            "primaryType": "{primary}", "domain": {{"name": "Test", "chainId": "0x539"}}, "message": {message}}}"#
    )
}

/// A document of one structure, `T`, with one field, `v`.
pub(super) fn field(of: &str, value: &str) -> String {
    document(&format!(r#""T": [{{"name": "v", "type": "{of}"}}]"#), "T", &format!(r#"{{"v": {value}}}"#))
}

/// What alloy makes of a document, by an implementation that shares nothing with ours.
pub(super) fn by_alloy(document: &str) -> (String, B256) {
    let theirs: alloy_dyn_abi::TypedData = serde_json::from_str(document).expect("a document that alloy reads");
    (theirs.encode_type().expect("a type"), theirs.eip712_signing_hash().expect("a hash"))
}
