//! Every form of a timestamp, and that no two of a process are the same.

use std::{collections::BTreeSet, thread};

use super::*;

const VECTORS: [(u64, &str, &str); 6] = [
    (0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000000Z"),
    (42, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000042Z"),
    // A leap day in a year that only the rule of 400 makes a leap year.
    (951_782_400_000_000, "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-29T00:00:00.000000Z"),
    (1_700_000_000_000_001, "Tue, 14 Nov 2023 22:13:20 GMT", "2023-11-14T22:13:20.000001Z"),
    // No leap year.
    (4_107_542_399_999_999, "Sun, 28 Feb 2100 23:59:59 GMT", "2100-02-28T23:59:59.999999Z"),
    (253_402_300_799_999_999, "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59.999999Z"),
];

#[test]
fn dates_are_written_and_read_as_others_do() {
    for (micros, http, text) in VECTORS {
        let timestamp = Timestamp::from(micros);
        assert_eq!(timestamp.format_http_date(), http);
        assert_eq!(timestamp.to_rfc3339(), text);
        let second = Timestamp::from(micros - micros % 1_000_000);
        assert_eq!(Timestamp::parse_http_date(http), Ok(second));
        assert_eq!(timestamp.to_string().parse(), Ok(timestamp));
    }
    // The two obsolete forms of RFC 9110.
    let second = Ok(Timestamp::from(784_111_777_000_000));
    assert_eq!(Timestamp::parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), second);
    assert_eq!(Timestamp::parse_http_date("Sun Nov  6 08:49:37 1994"), second);
}

#[test]
fn no_value_makes_a_form_panic() {
    for micros in [Timestamp::MAX.as_u64() + 1, 1 << 63, u64::MAX] {
        let timestamp = Timestamp::from(micros);
        assert_eq!(timestamp.format_http_date(), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(timestamp.to_rfc3339(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(timestamp.to_string(), micros.to_string());
        assert!(!timestamp.is_representable());
        assert_eq!(timestamp.to_seq(), None);
    }
    assert!(Timestamp::MAX.is_representable());
    assert_eq!(Timestamp::MAX.to_seq(), Some(253_402_300_799_999_999));
}

#[test]
fn what_is_no_timestamp_is_refused() {
    for text in ["", "-1", "+1", " 1", "1.5", "18446744073709551616", "0x1"] {
        assert_eq!(text.parse::<Timestamp>(), Err(TimestampError::NotANumber), "{text:?}");
    }
    for text in ["", "yesterday", "Fri, 32 Dec 2021 00:00:00 GMT", "2023-11-14T22:13:20Z"] {
        assert_eq!(Timestamp::parse_http_date(text), Err(TimestampError::HttpDate), "{text:?}");
    }
}

#[test]
fn sequence_numbers_that_are_no_timestamps_are_refused() {
    assert_eq!(Timestamp::try_from(42_i64), Ok(Timestamp::from(42)));
    assert_eq!(Timestamp::try_from(-1_i64), Err(TimestampError::Negative));
    let micros = Timestamp::MAX.as_u64() + 1;
    let too_far = TimestampError::TooFar { micros };
    assert_eq!(Timestamp::try_from(253_402_300_800_000_000_i64), Err(too_far));
}

#[test]
fn no_two_calls_of_now_return_the_same() {
    let counted = 10_000;
    let threads: Vec<_> = (0..4)
        .map(|_| thread::spawn(move || (0..counted).map(|_| Timestamp::now()).collect::<Vec<_>>()))
        .collect();
    let mut seen = BTreeSet::new();
    for thread in threads {
        let stamps = thread.join().unwrap();
        assert!(stamps.is_sorted_by(|one, next| one < next));
        seen.extend(stamps);
    }
    assert_eq!(seen.len(), 4 * counted);
}

#[test]
fn after_a_later_timestamp_comes_the_next() {
    let future = Timestamp::now().checked_add(Duration::from_secs(3600)).unwrap();
    assert_eq!(Timestamp::after(future).as_u64(), future.as_u64() + 1);
    let now = Timestamp::now();
    assert!(Timestamp::after(Timestamp::from(7)) > now);
    // The future of one key does not become the clock of all others.
    assert!(Timestamp::now() < future);
    assert!(!Timestamp::after(Timestamp::MAX).is_representable());
    assert_eq!(Timestamp::after(Timestamp::from(u64::MAX)).as_u64(), u64::MAX);
}

#[test]
fn a_clock_before_1970_counts_as_1970() {
    let before = UNIX_EPOCH - Duration::from_secs(1);
    assert_eq!(Timestamp::from(before), Timestamp::from(0));
    assert_eq!(Timestamp::from(UNIX_EPOCH + Duration::from_micros(5)), Timestamp::from(5));
}

#[test]
fn sums_that_do_not_fit_are_no_timestamps() {
    let second = Duration::from_secs(1);
    let start = Timestamp::from(5);
    assert_eq!(start.checked_sub(second), None);
    assert_eq!(start.checked_add(second), Some(Timestamp::from(1_000_005)));
    assert_eq!(Timestamp::from(u64::MAX).checked_add(second), None);
    assert_eq!(start.checked_add(Duration::MAX), None);
    assert_eq!(start.saturating_duration_since(Timestamp::MAX), Duration::ZERO);
    assert_eq!(Timestamp::from(9).saturating_duration_since(start), Duration::from_micros(4));
}

#[test]
fn after_a_clock_that_stood_far_ahead_is_set_right_its_timestamps_are_not_continued() {
    let right = 1_700_000_000_000_000;
    let hour = 3_600_000_000;
    assert_eq!(next(right - 5, right), right);
    assert_eq!(next(right, right), right + 1);
    assert_eq!(next(right + hour, right), right + hour + 1, "an hour that is set back in autumn");
    for jump in [3 * hour, 24 * 30 * hour, 24 * 3_650 * hour, u64::MAX - right] {
        assert_eq!(next(right + jump, right), right);
    }
}
