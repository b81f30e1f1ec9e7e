//! Times with units, `1h30m`, put into seconds: RFC 1035 has only numbers, and name servers take both.
//!
//! Separate because the parser behind us reads numbers alone.

use std::borrow::Cow;

use super::tokens::{self, Token};

/// How many tokens may stand between a record's name and its type: TTL and class.
const BEFORE_TYPE: usize = 2;

/// Which tokens of an SOA record's data are times: refresh, retry, expire and minimum.
const SOA_TIMES: std::ops::Range<usize> = 3..7;

/// The entry with the TTL, or the times of an SOA record, in seconds.
pub(super) fn in_seconds(entry: &str) -> Cow<'_, str> {
    let tokens = tokens::tokens(entry);
    let Some((first, rest)) = tokens.split_first() else { return entry.into() };
    if first.text.starts_with('$') {
        let times = if first.text.eq_ignore_ascii_case("$TTL") { rest } else { &[] };
        return replaced(entry, times.iter().take(1));
    }
    let before = rest.iter().take(BEFORE_TYPE);
    let before = before.take_while(|token| !token.text.eq_ignore_ascii_case("SOA"));
    let soa = rest.iter().take(BEFORE_TYPE + 1).position(|t| t.text.eq_ignore_ascii_case("SOA"));
    let times = soa.and_then(|soa| rest.get(soa..)).unwrap_or_default();
    // Counted from the type, which stands before the data.
    let times = times.iter().skip(1 + SOA_TIMES.start).take(SOA_TIMES.len());
    replaced(entry, leading_times(before).chain(times))
}

/// The tokens up to the first that is neither a time nor a class, so that no type or data is touched.
fn leading_times<'a, 'b: 'a>(
    tokens: impl Iterator<Item = &'a Token<'b>>,
) -> impl Iterator<Item = &'a Token<'b>> {
    tokens.take_while(|token| {
        seconds(token.text).is_some()
            || token.text.bytes().all(|byte| byte.is_ascii_digit())
            || token.text.parse::<domain::base::iana::Class>().is_ok()
    })
}

fn replaced<'a, 'b: 'a>(
    entry: &'b str,
    times: impl Iterator<Item = &'a Token<'b>>,
) -> Cow<'b, str> {
    let times: Vec<_> =
        times.filter_map(|time| seconds(time.text).map(|seconds| (time, seconds))).collect();
    if times.is_empty() {
        return entry.into();
    }
    let mut replaced = entry.to_owned();
    for (time, seconds) in times.iter().rev() {
        let end = time.start + time.text.len();
        replaced.replace_range(time.start..end, &seconds.to_string());
    }
    replaced.into()
}

/// The seconds of a time with units; nothing for a plain number, for anything else, and for more than 32 bits.
fn seconds(text: &str) -> Option<u32> {
    let mut rest = text;
    let mut sum: u32 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = rest.split_at_checked(digits)?;
        let factor = match unit.bytes().next()?.to_ascii_lowercase() {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        let number: u32 = number.parse().ok()?;
        sum = sum.checked_add(number.checked_mul(factor)?)?;
        rest = unit.get(1..)?;
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::{in_seconds, seconds};

    #[test]
    fn units_add_up_in_either_case_and_nothing_else_is_a_time() {
        for (text, expected) in
            [("1h", 3600), ("1D2H", 93_600), ("1w1d1h1m1s", 694_861), ("0s", 0), ("90m", 5400)]
        {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in ["", "h", "1", "1h30", "1x", "h1", "-1h", "1 h", "5000000000s", "9999999w", "é"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn only_times_are_rewritten() {
        for (entry, expected) in [
            ("$TTL 1h", "$TTL 3600"),
            ("www 1d IN A 192.0.2.1", "www 86400 IN A 192.0.2.1"),
            ("www IN 1d A 192.0.2.1", "www IN 86400 A 192.0.2.1"),
            (" 5m TXT 1h", " 300 TXT 1h"),
            ("1h TXT 1h", "1h TXT 1h"),
            ("$ORIGIN 1h", "$ORIGIN 1h"),
            ("@ SOA ns h 1 1d 2h 1w (\n 5m )", "@ SOA ns h 1 86400 7200 604800 (\n 300 )"),
            ("@ 1h TXT a ; 2h", "@ 3600 TXT a ; 2h"),
            ("", ""),
        ] {
            assert_eq!(in_seconds(entry), expected);
        }
    }
}
