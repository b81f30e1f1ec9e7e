//! How long an answer may be kept by caches on the way: `Cache-Control`.
//! Apart because the two sides must mean the same seconds.

use std::time::Duration;

/// Asks caches on the way, the relay's own excepted, to stay out of it.
pub const BYPASS: &str = "no-cache, no-store, must-revalidate";

/// Tells caches on the way to keep nothing of an answer, for errors.
pub const NO_STORE: &str = "no-store";

/// Lets caches on the way keep an answer, but ask the relay about it each time: for what was asked of the network alone.
pub const REVALIDATE: &str = "public, no-cache";

/// The `Cache-Control` of a packet that is fresh for `remaining` more: that long, and no longer, may others keep it.
///
/// It is what is left of the packet's time to live, not the whole of it, so that a cache on the way never makes a packet
/// live twice as long.
#[must_use]
pub fn cache_control(remaining: Duration) -> String {
    format!("public, max-age={}", remaining.as_secs())
}

/// The `max-age` of a `Cache-Control`; nothing if there is none, or if it may not be kept at all.
#[must_use]
pub fn max_age(cache_control: &str) -> Option<Duration> {
    let mut age = None;
    for directive in cache_control.split(',') {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return None,
            "max-age" => age = value.trim().trim_matches('"').parse().ok(),
            _ => {}
        }
    }
    age.map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn max_age_reads_what_cache_control_writes_and_what_others_write() {
        for seconds in [0, 1, 300, 86_400] {
            let age = Duration::from_secs(seconds);
            assert_eq!(max_age(&cache_control(age)), Some(age));
        }
        let five = Some(Duration::from_secs(5));
        for text in
            ["max-age=5", "Max-Age=5, public", "public,max-age = 5", "s-maxage=9, max-age=\"5\""]
        {
            assert_eq!(max_age(text), five, "{text}");
        }
        for text in [
            "",
            "public",
            "max-age",
            "max-age=-1",
            "max-age=x",
            NO_STORE,
            REVALIDATE,
            "max-age=5, no-cache",
            BYPASS,
        ] {
            assert_eq!(max_age(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_the_reader_panic(text in "\\PC{0,40}|[a-z-]{0,9}(=\"?[0-9]{0,25}\"?)?(,max-age=[0-9]{0,25})?") {
            let _ = max_age(&text);
        }
    }
}
