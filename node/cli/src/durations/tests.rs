use proptest::prelude::*;

use super::*;

#[test]
fn units() {
    for (text, ms) in [
        ("0s", 0),
        ("500ms", 500),
        ("30s", 30_000),
        ("5m", 300_000),
        ("5min", 300_000),
        ("2h", 7_200_000),
        ("7d", 604_800_000),
        (" 1 w ", 604_800_000),
    ] {
        assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
    }
}

#[test]
fn what_is_no_duration() {
    for (text, error) in [
        ("", DurationError::NoNumber),
        ("soon", DurationError::NoNumber),
        ("-5s", DurationError::NoNumber),
        ("30", DurationError::NoUnit(30)),
        ("3y", DurationError::UnknownUnit("y".to_owned())),
        ("1.5h", DurationError::NotOne),
        ("1h 30m", DurationError::NotOne),
        ("1h30m", DurationError::NotOne),
        ("9999w", DurationError::TooLong),
        ("99999999999999999999s", DurationError::TooLong),
        ("18446744073709551615w", DurationError::TooLong),
    ] {
        assert_eq!(parse(text), Err(error), "{text}");
    }
}

#[test]
fn described_for_people() {
    for (ms, text) in [
        (0, "0 ms"),
        (120, "120 ms"),
        (59_999, "59 s"),
        (60_000, "1 min"),
        (302_000, "5 min 2 s"),
        (7_260_000, "2 h 1 min"),
        (277_200_000, "3 d 5 h"),
    ] {
        assert_eq!(describe(Duration::from_millis(ms)), text);
    }
}

#[test]
fn wire_form_saturates() {
    assert_eq!(wire_ms(Duration::from_secs(30)), 30_000);
    assert_eq!(wire_ms(Duration::MAX), u32::MAX);
}

const UNITS: [(&str, u64); 7] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("min", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

proptest! {
    #[test]
    fn a_number_with_a_unit_is_so_long_unless_too_long(
        number in prop_oneof![0_u64..10_000, any::<u64>()],
        unit in proptest::sample::select(&UNITS[..]),
        blanks in "[ ]{0,2}",
    ) {
        let expected = number.checked_mul(unit.1).filter(|ms| *ms <= LONGEST_MS);
        let expected = expected.map(Duration::from_millis).ok_or(DurationError::TooLong);
        prop_assert_eq!(parse(&format!("{blanks}{number}{blanks}{}{blanks}", unit.0)), expected);
    }

    /// Whatever is typed: a duration within bounds, or an error that says what is wanted.
    #[test]
    fn anything_typed_is_judged(text in prop_oneof![any::<String>(), "[0-9]{0,4}[a-z. -]{0,3}[0-9]{0,2}"]) {
        match parse(&text) {
            Ok(duration) => prop_assert!(duration <= Duration::from_millis(LONGEST_MS)),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    /// What is said is true as far as it goes: never more than it was, and less by no more than the smallest unit said.
    #[test]
    fn what_is_said_is_not_more_than_it_was(ms in 0_u64..LONGEST_MS) {
        let said = describe(Duration::from_millis(ms));
        let words: Vec<&str> = said.split(' ').collect();
        let (mut total_ms, mut smallest) = (0, 0);
        for pair in words.chunks(2) {
            let unit = UNITS.iter().find(|(name, _)| *name == pair[1]).unwrap().1;
            total_ms += pair[0].parse::<u64>().unwrap() * unit;
            smallest = unit;
        }
        let finest = match ms {
            0..60_000 => smallest,
            60_000..3_600_000 => 1_000,
            3_600_000..86_400_000 => 60_000,
            _ => 3_600_000,
        };
        prop_assert!(total_ms <= ms && ms - total_ms < finest, "{ms} ms: {said}");
    }
}
