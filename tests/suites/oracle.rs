//! The oracle attack: an agent has its guesses echoed, or sends them, and watches what becomes of them, when, and in what pieces. It must
//! learn nothing about a value from that short of the whole value. The same attack on a scrubber that holds back what begins like a value
//! finds the whole key: that is how the test knows that it would notice.

use std::sync::Arc;
use strongroom::End;
use strongroom::scrub::{Known, Replacement, Rules, Scrubber, Search, Stream};
use strongroom_demo::server::{Response, Seen, respond};
use strongroom_tests::corpus::{self, Numbers};
use strongroom_tests::{AgentFixture, Ran, VALUE, echo};

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
    let replacement = Replacement::new("PLACEHOLDER", "[redacted]");
    let mut stream = Stream::of_answer(Arc::new(Scrubber::new(Arc::new(search), vec![replacement])));
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
    // Nor does it help to be told a part: the next digit shows nothing until all of it is known.
    for known in GUESSABLE.len()..VALUE.len() - 1 {
        let fates: Vec<_> = DIGITS.iter().map(|digit| ours(&format!("{}{}", &VALUE[..known], char::from(*digit)))).collect();
        assert!(fates.iter().all(|fate| *fate == fates[0]), "after {known} characters: {fates:?}");
    }
}

#[test]
fn an_agent_sees_the_same_pieces_for_a_right_guess_and_a_wrong_one() {
    for length in [GUESSABLE.len() + 1, GUESSABLE.len() + 5, GUESSABLE.len() + 15] {
        let pieces = |guess: &str| {
            let answer = format!("{}{guess}", "x".repeat(20_000));
            let ran = AgentFixture::new()
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

/// Keys of every make whose beginning may be public: an account's or a key's id, a bot's number, claims.
const MAKES: &[&str] = &[
    VALUE,
    "sk_live_51NcQ2mLw8Rt4VbXkY7Zp3HdJs0Fg5Ka9Xy6Kq2mZp9Lw4Rt8Vb3Nc6Hd1Fg5Js0AbCdEfGhIjKlMnOpQr",
    "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",
    "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs",
    "github_pat_11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ0123456789abcdefGhIjKlMnOpQrStUvWxYz012345",
    "patAb3dEf6hIj9kLm.4f9aQ2b7c1d8e3f0a5b6c7d8e9f0a1b2c3d4e5f60718293a4b5c6d7e8f9a0b1c2",
    "key-id-0001.5bQ9zX2kLm7Rt4Vw8Yc3Hd6Jf1Gs",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVPmB92K27uhbUJU1p1rwWw1gFWFOEjXkQ",
    "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0",
];

/// Plays a guess back at the border that the path names.
fn play(seen: &Seen) -> Response {
    let guess = String::from_utf8_lossy(&seen.body).into_owned();
    let with = |name: &'static str, value: String| {
        let mut answer = respond(200, "text/plain", "see the head");
        answer.headers_mut().insert(name, value.parse().expect("a header's value"));
        answer
    };
    match seen.path() {
        "/v1/end" => respond(200, "text/plain", format!("echo: {guess}")),
        "/v1/hex" => respond(200, "text/plain", format!("echo: {}", hex(&guess))),
        "/v1/word" => respond(200, "application/json", format!("{{\"echo\":\"zz{guess}zz\"}}")),
        "/v1/front" => respond(401, "text/plain", format!("{guess} is no key")),
        "/v1/two" => respond(200, "text/plain", format!("{guess}, {guess}.")),
        "/v1/header" => with("x-echo", guess),
        "/v1/location" => with("location", format!("https://api.test/v1/x?key={guess}")),
        "/v1/trailer" => echo::trailed("x-echo", seen.target.split_once('?').map_or("", |(_, guess)| guess).as_bytes()),
        _ => respond(200, "text/plain", "seen."),
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// All that a guest, and who reads after it, can see of a guess.
fn fate(value: &'static str, guess: &str) -> Vec<String> {
    let hexed = hex(guess);
    let borders = ["end", "hex", "word", "front", "two", "header", "location"];
    let mut operations: Vec<String> =
        borders.iter().map(|border| format!("send POST https://api.test/v1/{border} h:authorization=Bearer+{{KEY}} b:{guess}")).collect();
    operations.push(format!("trailers api.test /v1/trailer?{guess}"));
    // What leaves, at each end of a body, in a header, in the URL; and what is said.
    operations.extend([
        format!("send POST https://api.test/v1/x b:zz{guess}"),
        format!("send POST https://api.test/v1/x b:{hexed}"),
        format!("send POST https://api.test/v1/x b:{guess},{guess}"),
        format!("send GET https://api.test/v1/x h:x-note={guess}"),
        format!("send GET https://api.test/v1/x h:x-note=zz{hexed}"),
        format!("send GET https://api.test/v1/x?note={hexed}"),
        format!("log {guess}"),
        format!("print {guess}"),
        format!("print {hexed}"),
    ]);
    let operations: Vec<&str> = operations.iter().map(String::as_str).collect();
    // The guess stands in the guest's own memory.
    let ran = AgentFixture::new().value("KEY", value).server(play).try_run(&operations).expect("it ran");
    assert_eq!(ran.outcome.end, End::Exit(0), "{}", ran.stdout);
    observed(&ran, &[guess, &hexed])
}

/// What was seen of a run, without the guess itself.
fn observed(ran: &Ran, guesses: &[&str]) -> Vec<String> {
    let undated = |text: &str| match text.split_once("; date=") {
        Some((before, after)) => format!("{before}{}", &after[after.find(" GMT").unwrap_or(0)..]),
        None => text.to_owned(),
    };
    let without = |text: &str| guesses.iter().fold(undated(text), |text, guess| text.replace(guess, "GUESS"));
    let counts = |record: &serde_json::Value| format!("{} {} {}", record["sent"], record["received"], record["redacted"]);
    let mut seen: Vec<String> = [&ran.stdout, &ran.stderr, &ran.log].into_iter().flat_map(|text| text.lines().map(without)).collect();
    seen.iter_mut().for_each(|line| {
        // A placeholder is another in each run.
        let at = line.find("pf_live_").filter(|_| !guesses.iter().any(|guess| guess.starts_with("pf_live_")));
        at.into_iter().for_each(|at| line.truncate(at));
    });
    seen.extend(ran.records("answer").into_iter().map(counts));
    seen.extend(ran.denied().into_iter().map(str::to_owned));
    seen.extend(ran.seen.iter().map(|seen| without(&String::from_utf8_lossy(&seen.body))));
    seen.push(format!("{:?}", (ran.outcome.usage.sent, ran.outcome.usage.received, ran.outcome.usage.output, ran.outcome.usage.denials)));
    seen
}

/// The same guess with another last character of the same kind.
fn wrong(right: &str) -> String {
    let (before, last) = right.split_at(right.len() - 1);
    let other = match last.as_bytes()[0] {
        byte @ (b'0'..=b'8' | b'a'..=b'e' | b'g'..=b'y' | b'A'..=b'E' | b'G'..=b'Y') => byte + 1,
        b'9' => b'8',
        b'f' => b'e',
        b'F' => b'E',
        b'z' => b'y',
        b'Z' => b'Y',
        other => other,
    };
    format!("{before}{}", char::from(other))
}

#[test]
fn nothing_short_of_a_whole_value_shows_at_any_border() {
    for value in MAKES {
        let length = value.len();
        // One character short, the next line of a print could begin with the last one: that is the whole value, broken.
        for known in [length / 4, length / 2, 3 * length / 4, length - 2] {
            let right = &value[..known];
            assert_eq!(fate(value, right), fate(value, &wrong(right)), "{known} characters of {value}");
        }
    }
    assert_ne!(fate(VALUE, VALUE), fate(VALUE, &wrong(VALUE)), "a whole value shows: the test would notice");
}

/// What it costs: how many lines of ordinary text would lose their last word if an answer ended with them, and without a line break.
#[test]
fn few_ordinary_ends_lose_their_last_word() {
    let search = Search::new(vec![Arc::new(Known::new(VALUE.as_bytes(), false))], None);
    let replacement = Replacement::new("PLACEHOLDER", "[redacted]");
    let scrubber = Arc::new(Scrubber::new(Arc::new(search), vec![replacement]));
    let lost = |text: &str| {
        let mut stream = Stream::of_answer(Arc::clone(&scrubber));
        let mut out = Vec::new();
        stream.push(text.as_bytes(), &mut out);
        stream.finish(&mut out);
        out != text.as_bytes()
    };
    let mut numbers = Numbers::new(22);
    let texts = [
        ("JSON", corpus::json(&mut numbers, 1 << 18), 0.0),
        ("code", corpus::code(&mut numbers, 1 << 18), 0.02),
        ("prose", corpus::prose(&mut numbers, 1 << 18), 0.0),
        ("logs", corpus::logs(&mut numbers, 1 << 18), 0.5),
    ];
    for (kind, text, most) in texts {
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        let lost = lines.iter().filter(|line| lost(line)).count() as f64 / lines.len() as f64;
        println!("{kind}: {:.1} % of {} lines", lost * 100.0, lines.len());
        assert!(lost <= most, "{kind}: {lost}");
    }
}
