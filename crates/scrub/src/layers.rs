//! Values that a search is made for on top of another one, at once or when a text may hold them, are found as if they had been there at first.

use super::tests::Numbers;
use super::*;

const DIGITS: [&[u8]; 5] = [
    b"0123456789abcdef",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"abcdefghijklmnopqrstuvwxyz-",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!?~ }{=\n",
    b"0123456789",
];

/// A value of `least` bytes or more, of any make.
fn value(numbers: &mut Numbers, least: usize) -> Vec<u8> {
    let digits = DIGITS[numbers.next() as usize % DIGITS.len()];
    let length = least + numbers.next() as usize % 60;
    let name: &[u8] = [&b"pf_live_"[..], b"", b"", b"0x", b"eyJhbGciOiJFUzI1NiJ9."][numbers.next() as usize % 5];
    name.iter().copied().chain((0..length).map(|_| digits[numbers.next() as usize % digits.len()])).collect()
}

/// Values, each with what stands for it.
fn values(numbers: &mut Numbers, count: usize, least: usize) -> Arc<Vec<(Arc<Known>, Replacement)>> {
    let each = |at| {
        let known = Arc::new(Known::new(&value(numbers, least), at % 3 == 2));
        (known, Replacement::new(format!("PLACEHOLDER{at}"), format!("[redacted:{least}-{at}]")))
    };
    Arc::new((0..count).map(each).collect())
}

fn at_once(values: &[(Arc<Known>, Replacement)], rules: Option<Arc<Rules>>) -> Scrubber {
    let (known, replacements) = values.iter().cloned().unzip();
    Scrubber::new(Arc::new(Search::new(known, rules)), replacements)
}

/// What is left of a text that comes in pieces of so many bytes, with a silence behind each `silent`th.
fn answered(scrubber: &Arc<Scrubber>, text: &[u8], size: usize, silent: usize) -> Vec<u8> {
    let (mut stream, mut out) = (Stream::of_answer(Arc::clone(scrubber)), Vec::new());
    for (at, piece) in text.chunks(size).enumerate() {
        stream.push(piece, &mut out);
        if (at + 1).is_multiple_of(silent) {
            stream.pause(&mut out);
        }
    }
    stream.finish(&mut out);
    out
}

#[test]
fn values_in_layers_are_found_as_if_they_had_been_there_at_first() {
    let mut numbers = Numbers(0x5851_f42d_4c95_7f2d);
    for round in 0..16 {
        let rules = (round % 2 == 0).then(Rules::standard);
        // Short ones make the search on top of longer ones anew.
        let least = |numbers: &mut Numbers| [8, 12, 20, 30, 40][numbers.next() as usize % 5];
        let counts = [round % 4, 1 + round % 2, usize::from(round % 3 == 0)];
        let layers = counts.map(|count| {
            let least = least(&mut numbers);
            values(&mut numbers, count, least)
        });
        let flat = Arc::new(at_once(&layers.iter().flat_map(|layer| layer.iter().cloned()).collect::<Vec<_>>(), rules.clone()));
        let fresh = || {
            let layered = at_once(&layers[0], rules.clone()).knowing_also(&layers[1]);
            Arc::new(if layers[2].is_empty() { layered } else { layered.knowing_also(&layers[2]) })
        };
        let layered = fresh();
        for _ in 0..6 {
            let length = numbers.next() as usize % 60;
            let seed: Vec<u8> = (0..length).map(|_| numbers.next().to_le_bytes()[0]).collect();
            let text = naive::text(&flat, &seed);
            naive::compare(&layered, &text, &seed);
            let (size, silent) = (1 + numbers.next() as usize % 50, 1 + numbers.next() as usize % 9);
            // Of a scrubber that has made nothing yet, too.
            for scrubber in [&layered, &fresh()] {
                assert_eq!(scrubber.find(&text), flat.find(&text), "{}", text.escape_ascii());
                assert_eq!(scrubber.scrub(&text), flat.scrub(&text), "{}", text.escape_ascii());
                for cut in [&text[..], &text[..text.len() / 2], &text[..text.len().min(30)]] {
                    let (found, expected) = (answered(scrubber, cut, size, silent), answered(&flat, cut, size, silent));
                    assert_eq!(found.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{}", cut.escape_ascii());
                }
            }
        }
        assert_eq!(layered.whole().literals(), flat.whole().literals());
    }
}

#[test]
fn every_form_of_a_value_beside_others_is_found_in_every_piece_of_a_stream() {
    let mut numbers = Numbers(0x0dd0_beef_5eed_0001);
    for least in [8, 16, 44, 64] {
        let (own, carried) = (values(&mut numbers, 2, 20), values(&mut numbers, 1, least));
        let fresh = || at_once(&own, Some(Rules::standard())).knowing_also(&carried);
        for literal in at_once(&carried, None).whole().literals() {
            let text = [b"<".as_slice(), &literal, b">"].concat();
            assert!(fresh().scrub(&text).is_some(), "{}", text.escape_ascii());
            for size in [1, 7, text.len()] {
                let out = answered(&Arc::new(fresh()), &text, size, usize::MAX);
                assert!(
                    out.starts_with(b"<[redacted:") || out.starts_with(b"<PLACEHOLDER"),
                    "{}: {}",
                    text.escape_ascii(),
                    out.escape_ascii()
                );
            }
        }
    }
}

#[test]
fn a_value_cut_short_at_the_end_of_a_short_answer_goes_though_nothing_was_made_of_it() {
    let words = (Arc::new(Known::new(b"correct!horse!battery!staple", false)), Replacement::new("P", "[redacted:P]"));
    let scrubber = Arc::new(at_once(&[], None).knowing_also(&Arc::new(vec![words])));

    let out = answered(&scrubber, b"cut: correct!horse!ba", 7, usize::MAX);

    assert_eq!(out.escape_ascii().to_string(), "cut: [redacted:last-word]");
    assert!(!scrubber.has_made(), "the text is too short");
}

#[test]
fn nothing_is_made_of_a_value_until_a_text_may_hold_it() {
    let mut numbers = Numbers(0x1234_5678_9abc_def1);
    let (own, carried) = (values(&mut numbers, 2, 20), values(&mut numbers, 1, 60));
    let fresh = || Arc::new(at_once(&own, Some(Rules::standard())).knowing_also(&carried));
    let shortest = carried[0].0.least();

    // Shorter than it, as long, and with all that may make a text look like one.
    let ordinary = "{\"pair\": \"ETH-USD\", \"price\": 3120.5, \"at\": \"2026-11-30 09:12:45\", \"next\": \"a%2Fb\"} ";
    for text in ["x".repeat(shortest - 2) + " ", "x".repeat(shortest) + " "] {
        let scrubber = fresh();
        assert_eq!(answered(&scrubber, text.as_bytes(), 7, usize::MAX), text.as_bytes());
        assert!(scrubber.scrub(text.as_bytes()).is_none() && !scrubber.has_made(), "{text}");
    }
    // Ordinary text may look like one to the keyed hash of a glance: to few of many.
    let mut is_made = |text: &str| {
        let (own, carried) = (values(&mut numbers, 2, 20), values(&mut numbers, 1, 60));
        let scrubber = Arc::new(at_once(&own, Some(Rules::standard())).knowing_also(&carried));
        assert_eq!(answered(&scrubber, text.as_bytes(), 7, usize::MAX), text.as_bytes());
        scrubber.has_made()
    };
    let texts = [ordinary.to_owned(), ordinary.repeat(6)];
    let made = (0..40).filter(|number| is_made(&texts[number % 2])).count();
    assert!(made < 10, "{made} of 40");

    for literal in at_once(&carried, None).whole().literals() {
        let scrubber = fresh();
        assert!(scrubber.scrub(&literal).is_some() && scrubber.has_made(), "{}", literal.escape_ascii());
    }
    let scrubber = fresh();
    let long = "x ".repeat(1024);
    assert!(scrubber.scrub(long.as_bytes()).is_none() && scrubber.has_made(), "of a long text it is not asked");
}

#[test]
fn a_glance_sees_forms_of_which_every_byte_is_escaped() {
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    let carried = values(&mut numbers, 1, 16);
    let flat = at_once(&carried, None);
    let mut found = 0;
    for (at, literal) in flat.whole().literals().into_iter().enumerate() {
        for how in (0..16).filter(|how| (at + how) % 3 == 1) {
            let whole = naive::escaped(&literal, how, 1);
            // Behind another letter, the first word of hexadecimal is none.
            for text in [&whole[..], &[b"x", &whole[1..]].concat()] {
                let expected = flat.find(text);
                assert_eq!(at_once(&[], None).knowing_also(&carried).find(text), expected, "{}", text.escape_ascii());
                found += usize::from(!expected.is_empty());
            }
        }
    }
    assert!(found > 100, "{found}");
}

#[test]
fn no_glance_is_taken_for_a_value_that_is_as_short_as_what_it_tells_by() {
    let carried = Arc::new(vec![(Arc::new(Known::new(b"Zt8kLw2mQ", false)), Replacement::new("P", "[redacted:P]"))]);

    let out = at_once(&[], None).knowing_also(&carried).scrub(b"<Zt8kL%772mQ>").expect("it stands there");

    assert_eq!(out.escape_ascii().to_string(), "<[redacted:P]>");
}

/// Forms of values that only a glance is taken for, whole and broken, with escapes here and there.
#[test]
fn a_glance_at_a_short_text_misses_nothing() {
    const AROUND: [&[u8]; 6] = [b"", b"{\"a\": \"", b"x=", b"12:34:56 ", b"\r\n", b"-61:62:63"];
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut found, mut unmade) = (0, 0);
    for round in 0..300 {
        let (own, carried) = (values(&mut numbers, round % 3, 20), values(&mut numbers, 1 + round % 2, [16, 17, 32, 64][round / 2 % 4]));
        let literals = at_once(&carried, None).whole().literals();
        let mut literal = literals[numbers.next() as usize % literals.len()].clone();
        literal[3] ^= u8::from(round % 4 == 0);
        let (how, density) = (numbers.next() as usize % 48, 1 + numbers.next() as usize % 48);
        let mut around = || AROUND[numbers.next() as usize % AROUND.len()];
        let text = [around(), &naive::escaped(&literal, how, density), around()].concat();
        let rules = round.is_multiple_of(2).then(Rules::standard);
        let flat = at_once(&own.iter().chain(&*carried).cloned().collect::<Vec<_>>(), rules.clone());
        let fresh = at_once(&own, rules).knowing_also(&carried);

        assert_eq!(fresh.find(&text), flat.find(&text), "{}", text.escape_ascii());
        found += usize::from(flat.finds(&text));
        unmade += usize::from(!fresh.has_made());
    }
    assert!(found > 150 && unmade > 5, "some texts hold one, and of some that do not none is made: {found}, {unmade}");
}

#[test]
fn what_is_let_go_of_a_stream_is_let_go_by_all_values() {
    let key = b"Zt8kLw2m}\nQ9vXr4sN}\np7BqZt8k";
    let carried = Arc::new(vec![(Arc::new(Known::new(key, false)), Replacement::new("P", "[redacted:P]"))]);
    let scrubber = Arc::new(at_once(&[], Some(Rules::standard())).knowing_also(&carried));

    let out = answered(&scrubber, key, 2, usize::MAX);

    assert_eq!(out.escape_ascii().to_string(), "P");
}

#[test]
fn no_form_is_shorter_than_what_is_told_before_it_is_made() {
    let mut numbers = Numbers(0xfeed_face_cafe_beef);
    for least in 1..40 {
        for (known, _) in values(&mut numbers, 6, least).iter() {
            let shortest = Search::new(vec![Arc::clone(known)], None).literals().iter().map(Vec::len).min().unwrap_or(usize::MAX);
            assert!(known.least() <= shortest, "{} is told, and a form has {shortest}", known.least());
        }
    }
}
