//! Documents that are nearly typed data (EIP-712): each a small edit of a good one.

use super::*;

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
    let cases: toml::Table = include_str!("../../../../tests/field/typed-data.toml").parse().expect("TOML");
    let files = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/field/typed-data");
    assert!(cases.len() >= 9);
    for (name, hash) in &cases {
        let text = std::fs::read_to_string(files.join(format!("{name}.json"))).expect("a file");
        let read = TypedData::read(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.signing_hash.to_string(), hash.as_str().expect("a hash"), "{name}");
    }
}

#[test]
fn a_signature_over_a_type_with_a_colon_is_the_published_one() {
    let document = TypedData::read(include_str!("../../../../tests/field/typed-data/hyperliquid-usd-send.json")).expect("a document");
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
        (r#""count":255,"#, "", "`message.count`: its type has this field, and the document does not"),
        (r#""pair":[1,2]"#, r#""pair":[1,1.5]"#, "`message.pair[1]`: a number is not of its type"),
        (r#""name":"Bob""#, r#""name":1"#, "`message.friends[0].name`: a value is of another type than its field"),
        (r#""version":"1","#, "", "`domain.version`: its type has this field"),
        (r#""name":"Cow","#, r#""name":"Cow","name":"Cow","#, "`message.maker.name`: a key appears twice in one object"),
        (r#"{"name":"maker","type":"Person"}"#, r#"{"name":"maker","type":"Persona"}"#, "`types`: a field is of a type that is missing"),
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
