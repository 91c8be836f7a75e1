//! Typed data (EIP-712), by the example of its standard and held against another implementation.

use super::*;

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
        // As it is written for others, it is the same document.
        let written = ours.to_json().to_string();
        assert_eq!(by_alloy(&written), (encoded_type, signing_hash), "{written}");
        assert_eq!(TypedData::read(&written).map(|again| again.signing_hash), Ok(signing_hash), "{written}");
    }
}

#[test]
fn a_document_is_written_with_what_is_signed_and_nothing_else() {
    let unsigned = MAIL.replace("\"contents\": \"Hello", "\"bcc\": \"everybody\", \"contents\": \"Hello");
    let unsigned = unsigned.replace("\"types\": {", "\"types\": {\"Unused\": [{\"name\": \"x\", \"type\": \"uint8\"}],");

    let read = TypedData::read(&unsigned).expect("what no type names is left out");

    assert_eq!(read.to_json(), TypedData::read(MAIL).expect("the example").to_json());
    assert!(!read.to_json().to_string().contains("everybody"));
    assert_eq!(read.to_json()["domain"]["chainId"], "1");
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
