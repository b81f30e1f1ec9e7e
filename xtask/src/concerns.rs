//! What must not be wrong, wherever it lies: the parts of our crates that `coverage` and `mutants` hold to higher floors.
//!
//! Separate so that both count the same files under the same names.

/// Files that are judged together although they lie in several crates.
#[derive(Debug)]
pub(crate) struct Concern {
    pub(crate) name: &'static str,
    /// A stranger gains something wherever a rule of it does not hold: no mutant of it may survive.
    pub(crate) is_security: bool,
    /// How the paths of its files begin, from the root.
    places: &'static [&'static str],
}

/// A file belongs to the first that has a place for it.
pub(crate) const CONCERNS: [Concern; 6] = [
    Concern {
        name: "tokens",
        is_security: true,
        places: &["crates/dht-proto/src/tokens", "crates/dht-proto/src/transactions"],
    },
    Concern {
        name: "verify",
        is_security: true,
        places: &[
            "crates/client/src/tls/",
            "crates/keys/src/keypair",
            "crates/keys/src/public_key",
            "crates/keys/src/secret_key",
            "crates/keys/src/signature",
            "crates/krpc/src/item",
            "crates/packets/src/packet",
        ],
    },
    Concern {
        name: "limits",
        is_security: true,
        places: &["crates/dht-proto/src/limits", "crates/relay-server/src/limits"],
    },
    Concern {
        name: "policy",
        is_security: false,
        places: &[
            "crates/client/src/freshness",
            "crates/client/src/ranking",
            "crates/client/src/seen",
            "crates/dht-proto/src/reach",
        ],
    },
    Concern {
        name: "store",
        is_security: false,
        places: &[
            "crates/client/src/cache/memory",
            "crates/client/src/cache/persistent",
            "crates/dht-proto/src/server/",
            "crates/dht-proto/src/store",
        ],
    },
    Concern {
        name: "codec",
        is_security: false,
        places: &["crates/keys/src/", "crates/krpc/src/", "crates/packets/src/"],
    },
];

/// The concern of the file at that path from the root.
pub(crate) fn of(path: &str) -> Option<&'static Concern> {
    CONCERNS.iter().find(|concern| concern.places.iter().any(|place| path.starts_with(place)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_file_belongs_to_the_first_concern_that_has_a_place_for_it() {
        let name = |path| of(path).map(|concern| concern.name);
        assert_eq!(name("crates/krpc/src/item/mutable.rs"), Some("verify"));
        assert_eq!(name("crates/krpc/src/decode.rs"), Some("codec"));
        assert_eq!(name("crates/dht-proto/src/tokens.rs"), Some("tokens"));
        assert_eq!(name("crates/cli/src/main.rs"), None);
    }

    #[test]
    fn every_place_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for place in CONCERNS.iter().flat_map(|concern| concern.places) {
            let there = root.join(place).is_dir() || root.join(format!("{place}.rs")).is_file();
            assert!(there, "{place}");
        }
    }
}
