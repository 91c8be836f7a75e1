//! The oracle attack: an agent has its guesses echoed and watches when, and in what pieces, the echo comes back. It must learn nothing
//! about a value from that before it knows 64 bits of it. The same attack on a scrubber that holds back what begins like a value finds
//! the whole key: that is how the test knows that it would notice.

use std::sync::Arc;
use strongroom::scrub::{Known, Replacement, Rules, Scrubber, Search, Stream};
use strongroom_demo::server::respond;
use strongroom_tests::{Room, VALUE};

const GUESSABLE: &str = "pf_live_";
const DIGITS: &[u8] = b"0123456789abcdef";

/// What an agent sees of an echo: how much of it is there after the first piece, and in the end.
type Echo<'a> = &'a dyn Fn(&str) -> (usize, usize);

/// Guesses the key digit by digit: where one guess fares otherwise than the others, it is right.
fn attack(echo: Echo<'_>) -> String {
    let mut known = GUESSABLE.to_owned();
    while known.len() < VALUE.len() {
        let fates: Vec<(usize, usize)> = DIGITS.iter().map(|digit| echo(&format!("{known}{}", char::from(*digit)))).collect();
        let odd: Vec<usize> = (0..DIGITS.len()).filter(|at| fates.iter().filter(|fate| **fate == fates[*at]).count() == 1).collect();
        let [right] = odd.as_slice() else { return known };
        known.push(char::from(DIGITS[*right]));
    }
    known
}

/// A scrubber that lets everything go but what begins like the value.
fn naive(guess: &str) -> (usize, usize) {
    let text = format!("you said: {guess}");
    let held = (1..=text.len().min(VALUE.len())).rev().find(|length| VALUE.starts_with(&text[text.len() - length..])).unwrap_or(0);
    (text.len() - held, text.len())
}

/// The host's own. The second piece shows what was held back.
fn ours(guess: &str) -> (usize, usize) {
    let search = Search::new(vec![Arc::new(Known::new(VALUE.as_bytes(), false))], Some(Rules::standard()));
    let replacement = Replacement { plain: "PLACEHOLDER".into(), encoded: "[redacted]".into() };
    let mut stream = Stream::new(Arc::new(Scrubber::new(Arc::new(search), vec![replacement])));
    let mut out = Vec::new();
    stream.push(format!("{}you said: {guess}", "x".repeat(4096)).as_bytes(), &mut out);
    let first = out.len();
    stream.finish(&mut out);
    (first, out.len())
}

#[test]
fn an_echo_gives_nothing_away_and_would_with_a_naive_hold_back() {
    assert_eq!(attack(&naive), VALUE, "the attack works where there is an oracle");

    assert_eq!(attack(&ours), GUESSABLE);
    // Nor does it help to be told a part: the next digit shows nothing until 64 bits are known.
    for known in GUESSABLE.len()..GUESSABLE.len() + 15 {
        let fates: Vec<_> = DIGITS.iter().map(|digit| ours(&format!("{}{}", &VALUE[..known], char::from(*digit)))).collect();
        assert!(fates.iter().all(|fate| *fate == fates[0]), "after {known} characters: {fates:?}");
    }
}

#[test]
fn an_agent_sees_the_same_pieces_for_a_right_guess_and_a_wrong_one() {
    for length in [GUESSABLE.len() + 1, GUESSABLE.len() + 5, GUESSABLE.len() + 15] {
        let pieces = |guess: &str| {
            let answer = format!("{}{guess}", "x".repeat(20_000));
            let ran = Room::new()
                .server(move |_| respond(200, "text/plain", answer.clone()))
                .run(&["pieces GET https://api.test/v1/x h:authorization=Bearer+{KEY}"]);
            ran.stdout.lines().find(|line| line.starts_with("pieces ")).unwrap().to_owned()
        };
        let right = VALUE[..length].to_owned();
        let last = if right.ends_with('0') { '1' } else { '0' };
        let wrong = format!("{}{last}", &VALUE[..length - 1]);

        // How a socket cuts an answer up is chance: what each guess can get is compared, not one run of each.
        let of = |guess: &str| (0..5).map(|_| pieces(guess)).collect::<std::collections::BTreeSet<String>>();
        let (right, wrong) = (of(&right), of(&wrong));
        assert!(right.intersection(&wrong).next().is_some(), "{length} characters: {right:?} against {wrong:?}");
    }
}
