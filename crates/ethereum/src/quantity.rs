//! Numbers, addresses and bytes as people and JSON write them, each in few forms.

use alloy_primitives::{Address, I256, U256};

/// Decimal digits, or `0x` and hexadecimal digits; no sign, no blanks, at most 256 bits.
pub fn uint(text: &str) -> Option<U256> {
    let (digits, radix) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    let clean = (1..=78).contains(&digits.len()) && digits.bytes().all(|b| char::from(b).is_digit(radix));
    match digits.len() {
        _ if !clean => None,
        // Most numbers have 64 bits, and the standard library reads those faster.
        ..=16 => u64::from_str_radix(digits, radix).ok().map(U256::from),
        _ => U256::from_str_radix(digits, u64::from(radix)).ok(),
    }
}

/// Decimal digits, with a `-` before them or not; or `0x` and hexadecimal digits.
pub fn int(text: &str) -> Option<I256> {
    if text.starts_with("0x") {
        return uint(text).and_then(|number| I256::try_from(number).ok());
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let clean = (1..=78).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    clean.then(|| I256::from_dec_str(text).ok())?
}

/// As [`uint`], within 64 bits.
pub fn small(text: &str) -> Option<u64> {
    uint(text).and_then(|number| u64::try_from(number).ok())
}

/// `0x` and 40 hexadecimal digits: all in one case, or with the checksum of EIP-55.
pub fn address(text: &str) -> Option<Address> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 40)?;
    let mixed = digits.bytes().any(|b| b.is_ascii_uppercase()) && digits.bytes().any(|b| b.is_ascii_lowercase());
    if mixed { Address::parse_checksummed(text, None).ok() } else { Address::try_from(bytes(text)?.as_slice()).ok() }
}

/// `0x` and pairs of hexadecimal digits.
pub fn bytes(text: &str) -> Option<Vec<u8>> {
    strongroom_ground::text::unhex(text.strip_prefix("0x")?)
}

/// An amount of an asset: digits, and after a point at most as many as the asset has decimals.
pub fn amount(text: &str, decimals: u8) -> Option<U256> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let clean = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !clean(whole) || !clean(part) || part.len() > usize::from(decimals) || text.ends_with('.') {
        return None;
    }
    match format!("{whole}{part:0<width$}", width = usize::from(decimals)).trim_start_matches('0') {
        "" => Some(U256::ZERO),
        digits => uint(digits),
    }
}

/// The decimal digits of a number.
pub fn digits(number: U256) -> String {
    // Most have 128 bits, and of those the standard library has the digits sooner.
    u128::try_from(number).map_or_else(|_| number.to_string(), |number| number.to_string())
}

/// The amount as people write it.
pub fn shown(amount: U256, decimals: u8) -> String {
    let decimals = usize::from(decimals);
    let mut digits = digits(amount);
    if digits.len() <= decimals {
        digits.insert_str(0, &"0".repeat(decimals + 1 - digits.len()));
    }
    if decimals > 0 {
        digits.insert(digits.len() - decimals, '.');
        digits.truncate(digits.trim_end_matches('0').trim_end_matches('.').len());
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_few_forms() {
        assert_eq!(uint("0x10"), Some(U256::from(16)));
        assert_eq!(uint("10"), Some(U256::from(10)));
        assert_eq!(int("-1"), Some(I256::MINUS_ONE));
        for bad in ["", "0x", " 1", "+1", "-1", "1_000", "1e18", "0X10", "0b1", "１"] {
            assert_eq!(uint(bad), None, "{bad}");
        }
        assert_eq!(uint(&U256::MAX.to_string()), Some(U256::MAX));
        for digits in 15..=20 {
            assert_eq!(uint(&"9".repeat(digits)), Some(U256::from(10).pow(U256::from(digits)) - U256::ONE), "{digits}");
            assert_eq!(uint(&format!("0x{}", "f".repeat(digits))), Some((U256::ONE << (4 * digits)) - U256::ONE), "{digits}");
        }
        assert_eq!(uint(&format!("0x1{}", "0".repeat(64))), None);
    }

    #[test]
    fn an_address_in_mixed_case_has_its_checksum() {
        // EIP-55, its examples.
        for good in [
            "0x52908400098527886E0F7030069857D2E4169EE7",
            "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
            "0xde709f2102306220921060314715629080e2fb77",
            "0x27b1fdb04752bbc536007a920d24acb045561c26",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
            "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ] {
            assert!(address(good).is_some(), "{good}");
        }
        for bad in [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",
            "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeA",
        ] {
            assert!(address(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn amounts_are_exact() {
        assert_eq!(amount("1.5", 6), Some(U256::from(1_500_000)));
        assert_eq!(amount("0.000001", 6), Some(U256::from(1)));
        assert_eq!(amount("0", 18), Some(U256::ZERO));
        for bad in ["", ".5", "1.", "1.0000001", "-1", "1,5", "1e3"] {
            assert_eq!(amount(bad, 6), None, "{bad}");
        }
        assert_eq!(shown(U256::from(1_500_000), 6), "1.5");
        assert_eq!(shown(U256::from(1), 6), "0.000001");
        assert_eq!(shown(U256::from(7), 0), "7");
        assert_eq!(shown(U256::from(700), 0), "700");
        assert_eq!(shown(U256::from(700), 2), "7");
        assert_eq!(shown(U256::ZERO, 18), "0");
        assert_eq!(shown(U256::MAX, 77), "1.15792089237316195423570985008687907853269984665640564039457584007913129639935");
    }
}
