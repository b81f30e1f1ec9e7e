//! Where at a relay a packet lies.
//! Apart because relays stand under paths of their own, and both sides must agree on the rest.

use mainstay_keys::PublicKey;
use thiserror::Error;
use url::Url;

use super::Policy;

/// Where a server answers for a key: at the root, and under `/pkarr` as the relays of iroh do.
pub const PACKET_PATHS: [&str; 2] = ["/{key}", "/pkarr/{key}"];

/// Where a server says that it is well.
pub const HEALTH_PATH: &str = "/health";

/// Reads the address of a relay: `http` or `https`, a host, and perhaps a path and a query, both of which are kept.
///
/// # Errors
///
/// [`RelayUrlError`] says why it is none.
pub fn parse_relay_url(text: &str) -> Result<Url, RelayUrlError> {
    let mut url = Url::parse(text.trim())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(RelayUrlError::NotHttp);
    }
    url.set_fragment(None);
    Ok(url)
}

/// Where the packet of `key` lies at the relay `base`: the key behind whatever path the relay has.
///
/// With `policy`, the query says how far the relay may go; relays that know no policies ignore it. What the relay's own
/// address has as query stays in front.
#[must_use]
pub fn packet_url(base: &Url, key: &PublicKey, policy: Option<Policy>) -> Url {
    let mut url = base.clone();
    url.set_fragment(None);
    // Addresses without a hierarchy (`data:…`) have no segments; they are refused where relays are named.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push(&key.to_z32());
    }
    if let Some(policy) = policy {
        url.query_pairs_mut().append_pair(Policy::PARAMETER, policy.as_str());
    }
    url
}

/// Why a text is not the address of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RelayUrlError {
    /// It is no URL.
    #[error("the address of the relay is no URL; write it as https://relay.example")]
    Parse(#[from] url::ParseError),
    /// It is one, but not of the web.
    #[error("the address of a relay begins with https:// or http://")]
    NotHttp,
}

#[cfg(test)]
mod tests {
    use mainstay_keys::Keypair;

    use super::*;

    const KEY: &str = "7jfgaa9nutjyixzikb7tgmsf9gkwq7iqz498zr1nd5ig1fng4esy";

    #[test]
    fn the_key_goes_behind_the_path_of_the_relay() {
        let key = Keypair::from_secret_key(&[7; 32]).public_key();
        for (base, expected) in [
            ("https://relay.example", "https://relay.example/<key>?policy=CacheOnly"),
            ("https://relay.example/", "https://relay.example/<key>?policy=CacheOnly"),
            ("http://127.0.0.1:6881", "http://127.0.0.1:6881/<key>?policy=CacheOnly"),
            ("https://dns.example/pkarr", "https://dns.example/pkarr/<key>?policy=CacheOnly"),
            ("https://dns.example/pkarr/", "https://dns.example/pkarr/<key>?policy=CacheOnly"),
            ("https://r.example/a/b?t=1#f", "https://r.example/a/b/<key>?t=1&policy=CacheOnly"),
        ] {
            let base = parse_relay_url(base).unwrap();
            let url = packet_url(&base, &key, Some(Policy::CacheOnly));
            assert_eq!(url.as_str(), expected.replace("<key>", KEY));
            let expected = expected.replace("<key>", KEY);
            let bare = expected.replace("?policy=CacheOnly", "").replace("&policy=CacheOnly", "");
            assert_eq!(packet_url(&base, &key, None).as_str(), bare);
        }
    }

    #[test]
    fn only_addresses_of_the_web_name_a_relay() {
        for text in ["", "relay.example", "//relay.example", "https://", "https://a b"] {
            assert!(matches!(parse_relay_url(text), Err(RelayUrlError::Parse(_))), "{text}");
        }
        for text in
            ["ftp://relay.example", "data:text/plain,x", "udp://1.2.3.4:1", "relay.example:80"]
        {
            assert_eq!(parse_relay_url(text), Err(RelayUrlError::NotHttp), "{text}");
        }
        assert!(parse_relay_url(" https://relay.example\n").is_ok());
    }
}
