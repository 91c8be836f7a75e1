//! Phrases (BIP-39) and the accounts that paths lead to (BIP-32, BIP-44).

use super::*;

#[test]
fn the_development_phrase_leads_to_its_accounts() {
    let known = [ADDRESS, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"];

    for (index, address) in known.into_iter().enumerate() {
        let account = account(PHRASE, "", &format!("m/44'/60'/0'/0/{index}"));
        assert_eq!(account.as_deref(), Ok(address), "{index}");
    }
    assert_eq!(account_of(&format!("  {}\n", PHRASE.replace(' ', "  \t"))).as_deref(), Ok(ADDRESS));
    assert_ne!(account(PHRASE, "another passphrase", FIRST_ACCOUNT).as_deref(), Ok(ADDRESS));
}

#[test]
fn three_phrases_of_the_reference_lead_to_its_keys() {
    // https://github.com/trezor/python-mnemonic/blob/master/vectors.json, "english" 1, 2 and 4; the passphrase is TREZOR.
    let cases = [
        (
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
            "xprv9s21ZrQH143K3h3fDYiay8mocZ3afhfULfb5GX8kCBdno77K4HiA15Tg23wpbeF1pLfs1c5SPmYHrEpTuuRhxMwvKDwqdKiGJS9XFKzUsAF",
        ),
        (
            "legal winner thank year wave sausage worth useful legal winner thank yellow",
            "xprv9s21ZrQH143K2gA81bYFHqU68xz1cX2APaSq5tt6MFSLeXnCKV1RVUJt9FWNTbrrryem4ZckN8k4Ls1H6nwdvDTvnV7zEXs2HgPezuVccsq",
        ),
        (
            "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong",
            "xprv9s21ZrQH143K2V4oox4M8Zmhi2Fjx5XK4Lf7GKRvPSgydU3mjZuKGCTg7UPiBUD7ydVPvSLtg9hjp7MQTYsW67rZHAXeccqYqrsx8LcXnyd",
        ),
    ];

    for (phrase, xprv) in cases {
        leads_to(phrase, xprv).expect(phrase);
    }
}

/// Whether a phrase with the passphrase TREZOR leads to that master key; and to its first account, which its chain code has a part in.
fn leads_to(phrase: &str, xprv: &str) -> Result<(), String> {
    let master: XPrv = xprv.parse().expect("an extended key (BIP-32)");
    let child = child_of(&master, FIRST_ACCOUNT);

    let at_m = public(&read(phrase, "TREZOR", "m")?);
    let first = public(&read(phrase, "TREZOR", FIRST_ACCOUNT)?);

    assert_eq!(at_m, *master.private_key().verifying_key(), "{phrase}");
    assert_eq!(first, *child.private_key().verifying_key(), "{phrase}");
    Ok(())
}

/// Child by child, as BIP-32 writes it.
fn child_of(master: &XPrv, path: &str) -> XPrv {
    let steps = path.split('/').skip(1).map(|step| step.parse().expect("a step"));
    steps.fold(master.clone(), |key, step| key.derive_child(step).expect("a child"))
}

#[test]
fn paths_lead_where_the_first_vector_of_bip_32_says() {
    // BIP-32, test vector 1. Its seed has 16 bytes, which no phrase gives: asked is what `phrase` asks, with that seed.
    let seed = hex!("000102030405060708090a0b0c0d0e0f");
    let cases = [
        ("m", "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"),
        ("m/0'", "xprv9uHRZZhk6KAJC1avXpDAp4MDc3sQKNxDiPvvkX8Br5ngLNv1TxvUxt4cV1rGL5hj6KCesnDYUhd7oWgT11eZG7XnxHrnYeSvkzY7d2bhkJ7"),
        ("m/0'/1", "xprv9wTYmMFdV23N2TdNG573QoEsfRrWKQgWeibmLntzniatZvR9BmLnvSxqu53Kw1UmYPxLgboyZQaXwTCg8MSY3H2EU4pWcQDnRnrVA1xe8fs"),
        ("m/0'/1/2'", "xprv9z4pot5VBttmtdRTWfWQmoH1taj2axGVzFqSb8C9xaxKymcFzXBDptWmT7FwuEzG3ryjH4ktypQSAewRiNMjANTtpgP4mLTj34bhnZX7UiM"),
        ("m/0'/1/2'/2", "xprvA2JDeKCSNNZky6uBCviVfJSKyQ1mDYahRjijr5idH2WwLsEd4Hsb2Tyh8RfQMuPh7f7RtyzTtdrbdqqsunu5Mm3wDvUAKRHSC34sJ7in334"),
        (
            "m/0'/1/2'/2/1000000000",
            "xprvA41z7zogVVwxVSgdKUHDy1SKmdb533PjDz7J6N6mV6uS3ze1ai8FHa8kmHScGpWmj4WggLyQjgPie1rFSruoUihUZREPSL39UNdE3BBDu76",
        ),
    ];

    for (path, xprv) in cases {
        let key = XPrv::derive_from_path(seed, &path.parse().expect("a path")).expect("a key");
        assert_eq!(*key.to_string(bip32::Prefix::XPRV), xprv, "{path}");
    }
}

#[test]
fn a_phrase_that_is_none_is_refused_without_a_word_of_it() {
    let eleven = PHRASE.replacen("test ", "", 1);
    let thirteen = format!("test {PHRASE}");
    let checksum = PHRASE.replace("junk", "test");
    let unknown = PHRASE.replace("junk", "strongroom");
    let upper = PHRASE.to_uppercase();

    for text in [&eleven, &thirteen, &checksum, &unknown, &upper] {
        let refusal = account_of(text).expect_err(text);
        let said: Vec<String> = refusal.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).collect();
        assert!(refusal.contains("BIP-39"), "{refusal}");
        assert!(!text.split(' ').any(|word| said.contains(&word.to_lowercase())), "{refusal}");
    }
}

#[test]
fn a_path_that_is_none_is_refused_without_a_word_of_the_phrase() {
    for path in ["", "44'/60'/0'/0/0", "M/44'/60'/0'/0/0", "m/", "m//0", "m/x", "m/-1", "m/0''", "m/2147483648", "m/4294967296'", "m/0 "] {
        let refusal = account(PHRASE, "secret words", path).expect_err(path);
        assert!(refusal.contains("`path`"), "{refusal}");
        assert!(["test", "junk", "secret"].iter().all(|word| !refusal.contains(word)), "{refusal}");
    }
}

#[test]
fn a_passphrase_of_a_phrase_is_text() {
    let passphrase = SecretValue::new([0xff, 0xfe]);

    let refusal = Local::read(&SecretValue::new(PHRASE), Some(&passphrase), FIRST_ACCOUNT).err();

    assert_eq!(refusal.as_deref(), Some("its passphrase is not text"));
}

#[test]
fn every_phrase_of_the_public_vectors() {
    let vectors = vectors("bip39/vectors.json");
    let mut tally: BTreeMap<&str, (usize, usize)> = BTreeMap::new();

    for (language, cases) in vectors.as_object().expect("languages") {
        let (read, refused) = tally.entry(language).or_default();
        for case in cases.as_array().expect("cases") {
            let [_, phrase, _, xprv] = [0, 1, 2, 3].map(|at| case[at].as_str().expect("text"));
            match leads_to(phrase, xprv) {
                Ok(()) => *read += 1,
                Err(refusal) => {
                    *refused += 1;
                    assert!(refusal.contains("BIP-39") && !phrase.split_whitespace().any(|word| refusal.contains(word)), "{refusal}");
                }
            }
        }
    }

    println!("BIP-39, by language (read, refused): {tally:?}");
    assert_eq!(tally["english"], (24, 0));
    // Two of the vectors' languages are none of BIP-39's own.
    let refused: Vec<&str> = tally.iter().filter(|(_, (_, refused))| *refused > 0).map(|(language, _)| *language).collect();
    assert_eq!(refused, ["russian", "turkish"], "{tally:?}");
}

#[test]
fn a_phrase_with_a_word_on_each_line_is_read() {
    let lines = PHRASE.replace(' ', "\n");

    let account = account_of(&lines);

    assert_eq!(account.as_deref(), Ok(ADDRESS));
}
