//! When a packet was signed: microseconds since 1970, strictly monotonic within a process.
//!
//! Separate because the timestamp is the sequence number of BEP 44: it orders packets, guards publishing and travels
//! through HTTP headers, so every form it takes is written and read here.

use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use thiserror::Error;

/// Microseconds since the UNIX epoch, as signed into a packet.
///
/// The author of a packet chooses it, so it says which of two packets of one key is newer and nothing about when a
/// packet was seen. As text it is the decimal number of microseconds; [`Timestamp::to_rfc3339`] is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// The largest value that [`Timestamp::now`] has given out in this process.
static LATEST: AtomicU64 = AtomicU64::new(0);

/// How far the clock may be set back and the timestamps go on from where they were: as far ahead as relays accept.
const SET_BACK: u64 = 2 * 60 * 60 * 1_000_000;

impl Timestamp {
    /// The last microsecond of the year 9999: HTTP dates end there, and so do the timestamps that we accept.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// The clock's time, or one microsecond more than the last call gave: no two calls in a process return the same
    /// value, whatever the threads, also where the clock is set back a little. A clock before 1970 counts as 1970.
    ///
    /// A clock that is set back by more than two hours stood wrong before, and what it gave out is not continued: relays
    /// would refuse what is signed so far ahead for as long as the process runs.
    #[must_use]
    pub fn now() -> Self {
        let clock = Self::clock().0;
        let previous = LATEST
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(next(last, clock)))
            .unwrap_or_else(|last| last);
        Self(next(previous, clock))
    }

    /// The clock's time as it stands: for the age of what was seen, not for signing.
    ///
    /// Unlike [`Timestamp::now`] it leaves no trace, so that asking often never runs ahead of the clock. A clock before
    /// 1970 counts as 1970.
    #[must_use]
    pub fn clock() -> Self {
        Self(u64::try_from(since_1970().as_micros()).unwrap_or(u64::MAX))
    }

    /// A timestamp for a packet that shall replace one that carries `observed`: now, or just after it when the
    /// observed one lies in the future. Only `observed` is continued, so that one key with a wrong clock does not push
    /// those of all others; who replaces the replacement passes that one's timestamp.
    ///
    /// After [`Timestamp::MAX`] comes a value that is not [representable](Self::is_representable): such a key
    /// cannot be published under any more, and signing says so.
    #[must_use]
    pub fn after(observed: Self) -> Self {
        Self::now().max(Self(observed.0.saturating_add(1)))
    }

    /// Microseconds since the UNIX epoch.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The sequence number of [BEP 44](https://www.bittorrent.org/beps/bep_0044.html), if it can be one for us: see
    /// [`Self::is_representable`].
    #[must_use]
    pub fn to_seq(self) -> Option<i64> {
        if self.is_representable() { i64::try_from(self.0).ok() } else { None }
    }

    /// Whether the time lies before the year 10000, and so fits a sequence number, an HTTP date and a calendar.
    #[must_use]
    pub const fn is_representable(self) -> bool {
        self.0 <= Self::MAX.0
    }

    /// `self` plus a duration, or nothing if that is more than 64 bits hold.
    #[must_use]
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let micros = u64::try_from(duration.as_micros()).ok()?;
        self.0.checked_add(micros).map(Self)
    }

    /// `self` minus a duration, or nothing if that is before 1970.
    #[must_use]
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        let micros = u64::try_from(duration.as_micros()).ok()?;
        self.0.checked_sub(micros).map(Self)
    }

    /// How much later `self` is than `earlier`; zero if it is not.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The time as a [`SystemTime`]; what is not [representable](Self::is_representable) becomes [`Self::MAX`].
    #[must_use]
    pub fn to_system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_micros(self.min(Self::MAX).0)
    }

    /// The HTTP date ([RFC 9110 5.6.7](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7)) of the second that the
    /// timestamp lies in; what is not [representable](Self::is_representable) becomes the last second of 9999.
    #[must_use]
    pub fn format_http_date(self) -> String {
        httpdate::fmt_http_date(self.to_system_time())
    }

    /// Reads an HTTP date in any of its three forms.
    ///
    /// # Errors
    /// [`TimestampError`] if the text is none.
    pub fn parse_http_date(text: &str) -> Result<Self, TimestampError> {
        let time = httpdate::parse_http_date(text).map_err(|_| TimestampError::HttpDate)?;
        let timestamp = Self::from(time);
        if timestamp.is_representable() { Ok(timestamp) } else { Err(TimestampError::HttpDate) }
    }

    /// The time in UTC as people read it, `2023-11-14T22:13:20.000000Z`
    /// ([RFC 3339](https://www.rfc-editor.org/rfc/rfc3339)); what is not [representable](Self::is_representable)
    /// becomes [`Self::MAX`].
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        let micros = self.min(Self::MAX).0;
        let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil_date(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
    }
}

impl From<u64> for Timestamp {
    fn from(micros: u64) -> Self {
        Self(micros)
    }
}

impl From<Timestamp> for u64 {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0
    }
}

impl From<SystemTime> for Timestamp {
    /// Times before 1970 become 1970; times that 64 bits do not hold become the largest value.
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}

impl TryFrom<i64> for Timestamp {
    type Error = TimestampError;

    /// Reads a sequence number of BEP 44.
    fn try_from(seq: i64) -> Result<Self, TimestampError> {
        let micros = u64::try_from(seq).map_err(|_| TimestampError::Negative)?;
        let timestamp = Self(micros);
        if timestamp.is_representable() {
            Ok(timestamp)
        } else {
            Err(TimestampError::TooFar { micros })
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Reads the decimal number of microseconds: digits only, no sign.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(TimestampError::NotANumber);
        }
        text.parse().map(Self).map_err(|_| TimestampError::NotANumber)
    }
}

/// Why something is not a timestamp that a packet can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TimestampError {
    /// The text is not a decimal number of microseconds that fits 64 bits.
    #[error("the timestamp is not a decimal number of microseconds since 1970")]
    NotANumber,
    /// The text is not an HTTP date, or one outside the years 1970 to 9999.
    #[error("the date is not an HTTP date")]
    HttpDate,
    /// The sequence number is negative; a packet's timestamp never is.
    #[error(
        "the sequence number is negative, so it is no timestamp: the key's owner published something else"
    )]
    Negative,
    /// The time lies beyond the year 9999. Nothing newer could ever be published, so such packets are refused.
    #[error(
        "the timestamp ({micros} µs) lies beyond the year 9999: the key's owner signed it with a broken clock"
    )]
    TooFar {
        /// The timestamp.
        micros: u64,
    },
}

/// What comes after `last`, given the clock.
fn next(last: u64, clock: u64) -> u64 {
    if last > clock.saturating_add(SET_BACK) { clock } else { clock.max(last.saturating_add(1)) }
}

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

/// In a browser the standard library has no clock, and asking for it panics.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
fn since_1970() -> Duration {
    web_time::SystemTime::now().duration_since(web_time::UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

/// The civil date of a day since 1970-01-01, by counting years from March so that the leap day comes last.
fn civil_date(days: u64) -> (u64, u64, u64) {
    // Day 0 of the count is 0000-03-01; 400 years have 146,097 days.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests;
