//! The decision tree: which features of `mainstay` for whom, what that brings in, and what it must not.
//!
//! Separate so that a new branch is a new row here and nothing else. Only branches whose features exist have
//! a row.

/// One row of the tree.
pub(crate) struct Branch {
    pub(crate) name: &'static str,
    /// For whom, in the words of the page.
    pub(crate) question: &'static str,
    /// The line of a reader's Cargo.toml.
    pub(crate) line: &'static str,
    pub(crate) default_features: bool,
    pub(crate) features: &'static [&'static str],
    /// Features that must stay off.
    pub(crate) leaves_off: &'static [&'static str],
    /// Crates that must be in `cargo tree`.
    pub(crate) brings: &'static [&'static str],
    /// Crates that must not be in `cargo tree` of this machine's target.
    pub(crate) absent: &'static [&'static str],
    /// Crates that must not be in `cargo tree` of the browser's target.
    pub(crate) absent_in_browser: &'static [&'static str],
    pub(crate) is_for_browsers: bool,
}

const DHT: [&str; 4] = ["mainstay-dht", "mainstay-dht-proto", "mainstay-kad", "bendy"];

/// What goes on from packets to services: the verifier of TLS, and all that comes with it.
const BEYOND_PACKETS: &[&str] =
    &["endpoints", "tls", "reqwest-resolve", "reqwest-builder", "lmdb-cache", "disk-cache"];

pub(crate) const TREE: &[Branch] = &[
    Branch {
        name: "keys only",
        question: "You make and check keys, nothing else",
        line: "mainstay = { version = \"0.1\", default-features = false, features = [\"keys\"] }",
        default_features: false,
        features: &["keys"],
        leaves_off: BEYOND_PACKETS,
        brings: &["mainstay-keys"],
        absent: &[
            "mainstay-krpc",
            "mainstay-packets",
            "mainstay-client",
            "mainstay-dht",
            "mainstay-relay",
            "simple-dns",
            "bendy",
            "tokio",
            "reqwest",
        ],
        absent_in_browser: &["tokio", "reqwest"],
        is_for_browsers: true,
    },
    Branch {
        name: "sign offline",
        question: "You sign and verify packets without a network",
        line: "mainstay = { version = \"0.1\", default-features = false, features = [\"signed_packet\"] }",
        default_features: false,
        features: &["signed_packet"],
        leaves_off: BEYOND_PACKETS,
        brings: &["mainstay-keys", "mainstay-krpc", "mainstay-packets"],
        absent: &["bendy", "tokio", "reqwest", "mainstay-client", "mainstay-kad"],
        absent_in_browser: &["bendy", "tokio", "reqwest"],
        is_for_browsers: true,
    },
    Branch {
        name: "relays only",
        question: "You are in a browser, or behind a firewall that lets only HTTPS out",
        line: "mainstay = { version = \"0.1\", default-features = false, features = [\"relays\"] }",
        default_features: false,
        features: &["relays"],
        leaves_off: BEYOND_PACKETS,
        brings: &["mainstay-client", "mainstay-relay", "mainstay-packets", "mainstay-keys"],
        absent: &DHT,
        absent_in_browser: &[
            "mainstay-dht",
            "mainstay-kad",
            "mio",
            "socket2",
            "hyper",
            "rustls",
            "moka",
        ],
        is_for_browsers: true,
    },
    Branch {
        name: "DHT only",
        question: "You trust no relay",
        line: "mainstay = { version = \"0.1\", default-features = false, features = [\"dht\"] }",
        default_features: false,
        features: &["dht"],
        leaves_off: BEYOND_PACKETS,
        brings: &["mainstay-client", "mainstay-dht"],
        absent: &["reqwest", "hyper", "rustls", "mainstay-relay"],
        absent_in_browser: &[],
        is_for_browsers: false,
    },
    Branch {
        name: "server",
        question: "You run a server or a native application",
        line: "mainstay = \"0.1\"",
        default_features: true,
        features: &[],
        leaves_off: BEYOND_PACKETS,
        brings: &["mainstay-client", "mainstay-dht", "mainstay-relay"],
        absent: &["heed", "redb", "native-tls", "openssl-sys", "aws-lc-rs", "domain", "age"],
        absent_in_browser: &[],
        is_for_browsers: false,
    },
    Branch {
        name: "shared cache on disk",
        question: "You restart, or run several processes, and want to keep what was resolved",
        line: "mainstay = { version = \"0.1\", features = [\"lmdb-cache\"] }",
        default_features: true,
        features: &["lmdb-cache"],
        leaves_off: &["endpoints", "tls", "reqwest-resolve", "reqwest-builder", "disk-cache"],
        brings: &["mainstay-client", "heed"],
        absent: &["redb", "native-tls", "openssl-sys"],
        absent_in_browser: &[],
        is_for_browsers: false,
    },
    Branch {
        name: "cache on disk",
        question: "You want the same for one process, with an engine in safe Rust and no C compiler",
        line: "mainstay = { version = \"0.1\", features = [\"disk-cache\"] }",
        default_features: true,
        features: &["disk-cache"],
        leaves_off: &["endpoints", "tls", "reqwest-resolve", "reqwest-builder", "lmdb-cache"],
        brings: &["mainstay-client", "redb"],
        absent: &["heed", "native-tls", "openssl-sys"],
        absent_in_browser: &[],
        is_for_browsers: false,
    },
    Branch {
        name: "HTTPS endpoints",
        question: "You look for the services that a name leads to",
        line: "mainstay = { version = \"0.1\", features = [\"endpoints\"] }",
        default_features: true,
        features: &["endpoints"],
        leaves_off: &["tls", "reqwest-resolve", "reqwest-builder", "lmdb-cache", "disk-cache"],
        brings: &["mainstay-client", "rand"],
        absent: &["heed", "native-tls", "openssl-sys"],
        absent_in_browser: &[],
        is_for_browsers: false,
    },
    Branch {
        name: "HTTP client",
        question: "You fetch `https://<key>/`, and the web, with one HTTP client; or serve it",
        line: "mainstay = { version = \"0.1\", features = [\"reqwest-builder\"] }",
        default_features: true,
        features: &["reqwest-builder"],
        leaves_off: &["lmdb-cache", "disk-cache"],
        brings: &["mainstay-client", "reqwest", "rustls", "ring", "tower"],
        absent: &["heed", "native-tls", "openssl-sys", "aws-lc-rs"],
        absent_in_browser: &[],
        is_for_browsers: false,
    },
    Branch {
        name: "everything",
        question: "You want every feature",
        line: "mainstay = { version = \"0.1\", features = [\"full\"] }",
        default_features: true,
        features: &["full"],
        leaves_off: &[],
        brings: &[
            "mainstay-client",
            "mainstay-dht",
            "mainstay-relay",
            "domain",
            "age",
            "heed",
            "redb",
        ],
        absent: &["native-tls", "openssl-sys", "aws-lc-rs"],
        absent_in_browser: &[],
        is_for_browsers: false,
    },
];
