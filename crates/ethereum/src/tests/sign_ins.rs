//! Sign-ins (EIP-4361).

use super::*;

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
