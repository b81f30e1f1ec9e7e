//! A rate as operators write it: `20r/s`.
//!
//! Separate because the limiter and the configuration both speak of it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

/// So many requests in a second, minute, hour or day, as pkarr-relay writes them: `2r/s`, `100r/m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Quota {
    requests: u32,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Unit {
    Second,
    Minute,
    Hour,
    Day,
}

impl Unit {
    const ALL: [(char, Self); 4] =
        [('s', Self::Second), ('m', Self::Minute), ('h', Self::Hour), ('d', Self::Day)];

    const fn seconds(self) -> u32 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86_400,
        }
    }
}

impl Quota {
    /// So many a second; at least one.
    #[must_use]
    pub const fn per_second(requests: u32) -> Self {
        let requests = if requests == 0 { 1 } else { requests };
        Self { requests, unit: Unit::Second }
    }

    /// The time after which one more is allowed; at least a nanosecond.
    #[must_use]
    pub fn interval(self) -> Duration {
        let unit = Duration::from_secs(self.unit.seconds().into());
        (unit / self.requests).max(Duration::from_nanos(1))
    }

    /// The rate as whole requests a second, rounded up.
    #[must_use]
    pub const fn per_whole_second(self) -> u32 {
        self.requests.div_ceil(self.unit.seconds())
    }

    /// How many may be saved up unless said otherwise: the number in the rate.
    #[must_use]
    pub const fn default_burst(self) -> u32 {
        self.requests
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = Unit::ALL.iter().find(|(_, unit)| *unit == self.unit).map_or('s', |(l, _)| *l);
        write!(f, "{}r/{letter}", self.requests)
    }
}

impl FromStr for Quota {
    type Err = NotAQuota;

    fn from_str(text: &str) -> Result<Self, NotAQuota> {
        let (requests, letter) = text.trim().split_once("r/").ok_or(NotAQuota)?;
        let requests: u32 = requests.trim_end().parse().map_err(|_| NotAQuota)?;
        let unit = Unit::ALL.into_iter().find(|(known, _)| letter.chars().eq([*known]));
        match (requests, unit) {
            (0, _) | (_, None) => Err(NotAQuota),
            (requests, Some((_, unit))) => Ok(Self { requests, unit }),
        }
    }
}

impl TryFrom<String> for Quota {
    type Error = NotAQuota;

    fn try_from(text: String) -> Result<Self, NotAQuota> {
        text.parse()
    }
}

/// The text is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a rate; write it as \"20r/s\", with s, m, h or d for second, minute, hour or day")]
pub struct NotAQuota;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_reads_back_as_it_was_written() {
        for (text, interval, a_second) in
            [("2r/s", 500, 2), ("60r/m", 1000, 1), ("7200r/h", 500, 2), ("86400r/d", 1000, 1)]
        {
            let quota: Quota = text.parse().unwrap();
            assert_eq!(quota.to_string(), text);
            assert_eq!(quota.interval(), Duration::from_millis(interval));
            assert_eq!(quota.per_whole_second(), a_second);
        }
        assert_eq!("1r/d".parse::<Quota>().unwrap().per_whole_second(), 1);
        assert_eq!("4000000000r/s".parse::<Quota>().unwrap().interval().as_nanos(), 1);
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in
            ["", "2", "r/s", "0r/s", "-1r/s", "2r/w", "2r/ss", "2 r/", "2r", "5000000000r/s"]
        {
            assert_eq!(text.parse::<Quota>(), Err(NotAQuota), "{text}");
        }
    }
}
