//! Messages (EIP-191).

use super::*;

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
