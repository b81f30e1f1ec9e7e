//! Fuzz target of the relay crate: the values of headers, which come from strangers on both sides.
//!
//! Separate, because each crate's promises are written down in one file.

use std::time::Duration;

use mainstay_packets::Timestamp;
use mainstay_relay::protocol::{
    EntityTag, Expected, changed_since, last_seen, max_age, parse_relay_url, retry_after,
};

/// 2023-11-14 22:13:20.
const NOW: u64 = 1_700_000_000_000_000;

pub(super) fn seeds() -> Vec<Vec<u8>> {
    [
        "\"1700000000000000-d4022d11b6a9eb0a\"",
        "1700000000000000",
        "*",
        "Tue, 14 Nov 2023 22:13:20 GMT",
        "120",
        "public, max-age=300",
        "https://relay.example/pkarr?token=t#f",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// Any text is refused or means what it says: tags read back, nothing was seen in the future, no wait is without end.
pub(super) fn relay_headers(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let now = Timestamp::from(NOW);
    if let Ok(tag) = text.parse::<EntityTag>() {
        assert_eq!(tag.to_string().parse(), Ok(tag), "a tag reads back as another one");
        assert_eq!(text.parse(), Ok(Expected::Exactly(tag)), "the two readers of tags disagree");
    }
    for (memento, age) in [(Some(text), None), (None, Some(text)), (Some(text), Some(text))] {
        assert!(last_seen(memento, age, now).is_none_or(|seen| seen <= now), "seen in the future");
    }
    let wait = retry_after(text, now.to_system_time());
    assert!(wait.is_none_or(|wait| wait <= Duration::from_secs(86_400)), "a wait without end");
    let _ = max_age(text);
    let _ = changed_since(now, text);
    if let Ok(url) = parse_relay_url(text) {
        assert!(matches!(url.scheme(), "http" | "https") && url.has_host());
        assert_eq!(parse_relay_url(url.as_str()), Ok(url), "an address reads back as another one");
    }
}
