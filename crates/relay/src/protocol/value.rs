//! Values of the headers that speak of time: when a packet was seen, and when to ask again.
//! Apart because both come from strangers, and nothing that they can write may break or bind us.

use std::time::{Duration, SystemTime};

use mainstay_packets::Timestamp;

/// Longer than this nobody is asked to wait, whatever a relay writes.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// When the packet was last seen on the network: `Memento-Datetime`, or what `Age` tells.
///
/// A time in the future is ignored, as if it were not there: it would make a packet fresh for longer than its owner
/// said. `Age` counts for relays that send no `Memento-Datetime`, through a cache that says how long it has kept the answer.
#[must_use]
pub fn last_seen(
    memento_datetime: Option<&str>,
    age: Option<&str>,
    now: Timestamp,
) -> Option<Timestamp> {
    let memento = memento_datetime
        .and_then(|date| Timestamp::parse_http_date(date.trim()).ok())
        .filter(|seen| *seen <= now);
    let aged = || now.checked_sub(Duration::from_secs(decimal(age?)?));
    memento.or_else(aged)
}

/// How long to wait before asking again: `Retry-After`, in seconds or as an HTTP date
/// ([RFC 9110, section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)), at most a day.
///
/// A date that is over means now; what cannot be read is nothing.
#[must_use]
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let wait = match decimal(value) {
        Some(seconds) => Duration::from_secs(seconds),
        None => httpdate::parse_http_date(value.trim())
            .ok()?
            .duration_since(now)
            .unwrap_or(Duration::ZERO),
    };
    Some(wait.min(LONGEST_WAIT))
}

/// Writes `Retry-After`: whole seconds, rounded up, at least one.
#[must_use]
pub fn seconds_until_retry(wait: Duration) -> String {
    let whole = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    whole.max(1).to_string()
}

/// Digits only; more than fit count as the largest number.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2023-11-14 22:13:20.
    const NOW: u64 = 1_700_000_000_000_000;

    #[test]
    fn a_memento_in_the_future_is_ignored() {
        let seen = |memento| last_seen(Some(memento), None, NOW.into());
        assert_eq!(seen("Tue, 14 Nov 2023 22:13:20 GMT"), Some(NOW.into()));
        assert_eq!(seen("Tue, 14 Nov 2023 22:13:19 GMT"), Some((NOW - 1_000_000).into()));
        for ignored in
            ["Tue, 14 Nov 2023 22:13:21 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "", "soon"]
        {
            assert_eq!(seen(ignored), None, "{ignored}");
        }
    }

    #[test]
    fn an_age_counts_where_no_memento_does() {
        let now = Timestamp::from(NOW);
        let minute_ago = Some((NOW - 60_000_000).into());
        assert_eq!(last_seen(None, Some("60"), now), minute_ago);
        assert_eq!(last_seen(Some("soon"), Some(" 60 "), now), minute_ago);
        let memento = Some("Tue, 14 Nov 2023 22:13:20 GMT");
        assert_eq!(last_seen(memento, Some("60"), now), Some(now));
        for ignored in ["", "-1", "+60", "1e3", "99999999999999999999999", "9999999999999"] {
            assert_eq!(last_seen(None, Some(ignored), now), None, "{ignored}");
        }
        assert_eq!(last_seen(None, None, now), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_more_than_a_day() {
        let now = Timestamp::from(NOW).to_system_time();
        let day = 86_400;
        for (value, seconds) in [
            ("0", Some(0)),
            ("7", Some(7)),
            (" 7 ", Some(7)),
            ("86401", Some(day)),
            ("99999999999999999999999999", Some(day)),
            ("Tue, 14 Nov 2023 22:13:50 GMT", Some(30)),
            ("Tuesday, 14-Nov-23 22:13:50 GMT", Some(30)),
            ("Tue, 14 Nov 2023 22:13:19 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(day)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn a_server_never_says_to_come_back_at_once() {
        for (wait, text) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (60_000, "60")] {
            assert_eq!(seconds_until_retry(Duration::from_millis(wait)), text);
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_the_readers_panic_or_reach_into_the_future(
            memento in "\\PC{0,40}|[A-Z][a-z]{2}, [0-9]{2} (Jan|Feb|Dec) [0-9]{4} [0-9:]{8} GMT",
            age in "\\PC{0,20}|[0-9]{0,25}",
            now: u64,
        ) {
            let now = Timestamp::from(now);
            if let Some(seen) = last_seen(Some(&memento), Some(&age), now) {
                prop_assert!(seen <= now);
            }
            for value in [&memento, &age] {
                let wait = retry_after(value, now.to_system_time());
                prop_assert!(wait.is_none_or(|wait| wait <= LONGEST_WAIT));
            }
        }

        #[test]
        fn what_a_server_says_a_client_waits(millis in 0_u64..80_000_000) {
            let wait = Duration::from_millis(millis);
            let read = retry_after(&seconds_until_retry(wait), SystemTime::UNIX_EPOCH).unwrap();
            prop_assert!(read >= wait && read <= wait + Duration::from_secs(1));
        }
    }
}
