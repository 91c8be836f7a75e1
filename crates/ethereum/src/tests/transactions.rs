//! Transactions of each kind (EIP-155, EIP-2718, EIP-2930, EIP-1559, EIP-4844, EIP-7702), by the examples of their standards and public chains.

use super::*;

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
        assert_eq!(Transaction::read_signed(&bytes), Ok((transaction, signature)), "{reference}");
        assert_eq!(signature.signer(&keccak256(&parts.payload)), Some(sender), "{reference}");
    }
}

#[test]
fn a_signed_transaction_is_read_in_its_one_form_alone() {
    let key = key(&"46".repeat(32));
    for transaction in [legacy(), access_list(), dynamic_fee(), blob(), set_code()] {
        let signature = sign(&key, transaction.signing_hash());
        let raw = transaction.signed(&signature);
        let order = U256::from_be_bytes(hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
        let high = Recoverable { s: (order - U256::from_be_bytes(signature.s)).to_be_bytes(), ..signature };
        let [no_r, no_s] = [Recoverable { r: [0; 32], ..signature }, Recoverable { s: [0; 32], ..signature }];
        let beyond = Recoverable { r: order.to_be_bytes(), ..signature };

        assert_eq!(Transaction::read_signed(&raw), Ok((transaction.clone(), signature)));
        for signature in [high, no_r, no_s, beyond] {
            let error = Transaction::read_signed(&transaction.signed(&signature)).expect_err("no signature of EIP-2");
            assert!(error.to_string().contains("signature"), "{error}");
        }
        let mut every = vec![transaction.payload(), [&raw[..], &[0]].concat(), raw[..raw.len() - 1].to_vec(), Vec::new()];
        // Any other byte is another transaction, another signature, or none.
        every.extend((0..raw.len()).map(|at| [&raw[..at], &[raw[at] ^ 1], &raw[at + 1..]].concat()));
        for bytes in every {
            assert_ne!(Transaction::read_signed(&bytes), Ok((transaction.clone(), signature)), "{}", hex::encode(&bytes));
        }
    }
    // As before EIP-155, and with a parity that is none.
    let vitalik = hex::decode(SIGNED[0].1).expect("hexadecimal digits");
    let anywhere = [&vitalik[..vitalik.len() - 67], &[0x1b], &vitalik[vitalik.len() - 66..]].concat();
    assert_eq!(vitalik[vitalik.len() - 67], 0x25);
    assert!(Transaction::read_signed(&anywhere).expect_err("for any chain").to_string().contains("EIP-155"));
    let market = hex::decode(SIGNED[3].1).expect("hexadecimal digits");
    let parity = [&market[..market.len() - 67], &[2], &market[market.len() - 66..]].concat();
    assert!(Transaction::read_signed(&parity).expect_err("no parity").to_string().contains("parity"));
}

#[test]
fn the_field_in_which_two_transactions_differ_has_its_name() {
    let one = Transaction { to: Some(Address::ZERO), input: vec![1], ..dynamic_fee() };
    let Kind::DynamicFee { market, access } = one.kind.clone() else { panic!("it pays by the market") };
    let more = Market { max: market.max + U256::ONE, ..market };
    let tip = Market { priority: market.priority + U256::ONE, ..market };
    let touching = [access.clone(), vec![(Address::ZERO, Vec::new())]].concat();
    for (field, other) in [
        ("chainId", Transaction { chain: one.chain + 1, ..one.clone() }),
        ("nonce", Transaction { nonce: one.nonce + 1, ..one.clone() }),
        ("to", Transaction { to: None, ..one.clone() }),
        ("value", Transaction { value: one.value + U256::ONE, ..one.clone() }),
        ("gas", Transaction { gas: one.gas + 1, ..one.clone() }),
        ("input", Transaction { input: Vec::new(), ..one.clone() }),
        ("fee", Transaction { kind: Kind::DynamicFee { market: more, access: access.clone() }, ..one.clone() }),
        ("fee", Transaction { kind: Kind::DynamicFee { market: tip, access: access.clone() }, ..one.clone() }),
        ("accessList", Transaction { kind: Kind::DynamicFee { market, access: touching }, ..one.clone() }),
        ("type", Transaction { kind: Kind::AccessList { price: market.max, access }, ..one.clone() }),
    ] {
        assert_eq!(one.difference(&other), Some(field));
    }
    assert_eq!(one.difference(&one.clone()), None);
    let Kind::SetCode { market, access, .. } = set_code().kind else { panic!("it sets code") };
    let other = Transaction { kind: Kind::SetCode { market, access, authorizations: Vec::new() }, ..set_code() };
    assert_eq!(set_code().difference(&other), Some("kind"));
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
