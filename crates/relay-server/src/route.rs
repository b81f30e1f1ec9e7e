//! What a path and its query ask for.
//!
//! Separate so that everything that can be asked of a relay is one list, and a stranger's text is read in one place.

use std::borrow::Cow;

use url::form_urlencoded;

/// The longest path that means anything: a key in its longest spelling is far shorter.
const LONGEST: usize = 256;

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// `/<key>` and `/pkarr/<key>`: the packet of a key.
    Packet(Cow<'a, str>),
    /// `/records/<key>`: its records as JSON.
    Records(Cow<'a, str>),
    /// `/packets`: the packets of several keys.
    Packets,
    /// `/watch`: new packets, as they come.
    Watch,
    /// `/health`: that the process serves.
    Health,
    /// `/ready`: whether it can do its work.
    Ready,
    /// `/info`: what it is and allows.
    Info,
    /// `/metrics`: its numbers.
    Metrics,
    /// `/`: the page for people.
    Page,
    /// `/relay.css`: how that looks.
    Style,
    /// `/relay.js`: what makes it live.
    Script,
    /// There is nothing.
    Nothing,
    /// Too long to look at.
    TooLong,
}

impl<'a> Route<'a> {
    /// Reads the path of a request.
    pub(crate) fn of(path: &'a str) -> Self {
        if path.len() > LONGEST {
            return Self::TooLong;
        }
        let path = path.strip_prefix('/').unwrap_or(path);
        match path {
            "" => Self::Page,
            "packets" => Self::Packets,
            "watch" => Self::Watch,
            "health" => Self::Health,
            "ready" => Self::Ready,
            "info" => Self::Info,
            "metrics" => Self::Metrics,
            "relay.css" => Self::Style,
            "relay.js" => Self::Script,
            "favicon.ico" => Self::Nothing,
            _ => Self::of_segments(path),
        }
    }

    fn of_segments(path: &'a str) -> Self {
        match path.split_once('/') {
            None => Self::Packet(percent_decoded(path)),
            Some(("pkarr", key)) if is_segment(key) => Self::Packet(percent_decoded(key)),
            Some(("records", key)) if is_segment(key) => Self::Records(percent_decoded(key)),
            Some(_) => Self::Nothing,
        }
    }
}

fn is_segment(text: &str) -> bool {
    !text.is_empty() && !text.contains('/')
}

/// The text with `%3A` and the like read; bytes that are no text become what no key contains.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after.split_at_checked(2).filter(|_| first == b'%');
        match escaped.and_then(|(digits, after)| Some((hex(digits)?, after))) {
            Some((byte, after)) => {
                bytes.push(byte);
                rest = after;
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let [high, low] = digits else { return None };
    u8::try_from((digit(*high)? << 4) | digit(*low)?).ok()
}

/// The first parameter of this name in a query.
pub(crate) fn parameter<'a>(query: Option<&'a str>, name: &str) -> Option<Cow<'a, str>> {
    parameters(query, name).next()
}

/// All parameters of this name in a query, in order.
pub(crate) fn parameters<'a>(
    query: Option<&'a str>,
    name: &str,
) -> impl Iterator<Item = Cow<'a, str>> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.filter(move |(found, _)| found == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_what_is_asked_for() {
        for (path, route) in [
            ("/", Route::Page),
            ("", Route::Page),
            ("/health", Route::Health),
            ("/abc", Route::Packet("abc".into())),
            ("/pkarr/abc", Route::Packet("abc".into())),
            ("/pk%3Aabc", Route::Packet("pk:abc".into())),
            ("/pk%3aabc%", Route::Packet("pk:abc%".into())),
            ("/%zz%4", Route::Packet("%zz%4".into())),
            ("/%ff", Route::Packet("\u{fffd}".into())),
            ("/records/abc", Route::Records("abc".into())),
            ("/pkarr/", Route::Nothing),
            ("/pkarr/a/b", Route::Nothing),
            ("/health/", Route::Nothing),
            ("/a/b", Route::Nothing),
        ] {
            assert_eq!(Route::of(path), route, "{path}");
        }
        assert_eq!(Route::of(&format!("/{}", "a".repeat(256))), Route::TooLong);
    }

    #[test]
    fn parameters_are_decoded_and_kept_in_order() {
        let query = Some("key=a&policy=x&key=b%20c+d&key");
        let keys: Vec<_> = parameters(query, "key").collect();
        assert_eq!(keys, ["a", "b c d", ""]);
        assert_eq!(parameter(query, "policy").as_deref(), Some("x"));
        assert_eq!(parameter(None, "policy"), None);
    }
}
