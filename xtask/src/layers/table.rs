//! The import table: for each package what it may import of ours, what of others, and what must never come
//! in behind those.
//!
//! Separate so that a change of the architecture is a change of this file and of nothing else. A new crate
//! of ours needs a row; a new dependency needs its name here and its reason in the commit.

/// What one package may import.
pub(crate) struct Row {
    pub(crate) package: &'static str,
    pub(crate) ours: &'static [Arrow],
    pub(crate) others: Others,
    /// Must not appear in `cargo tree` whatever the features.
    pub(crate) never: &'static [&'static str],
    /// Must not appear in `cargo tree` without features.
    pub(crate) never_bare: &'static [&'static str],
}

/// An allowed import of a package of ours.
pub(crate) struct Arrow {
    pub(crate) to: &'static str,
    /// The feature of that package which this importer may not switch on.
    pub(crate) without: Option<&'static str>,
}

/// What may be imported of other people's.
#[derive(Clone, Copy)]
pub(crate) enum Others {
    Any,
    Only(&'static [&'static str]),
}

const fn on(to: &'static str) -> Arrow {
    Arrow { to, without: None }
}

const fn without(to: &'static str, feature: &'static str) -> Arrow {
    Arrow { to, without: Some(feature) }
}

pub(crate) const TABLE: &[Row] = &[
    // The vocabulary.
    Row {
        package: "mainstay-keys",
        ours: &[],
        others: Others::Only(&[
            "age",
            "ed25519-dalek",
            "getrandom",
            "rand",
            "serde",
            "thiserror",
            "zeroize",
        ]),
        never: &["tokio", "simple-dns", "reqwest"],
        never_bare: &["age", "serde"],
    },
    Row {
        package: "mainstay-kad",
        ours: &[],
        others: Others::Only(&[]),
        never: &[],
        never_bare: &[],
    },
    Row {
        package: "mainstay-krpc",
        ours: &[on("mainstay-keys")],
        others: Others::Only(&["bendy", "crc32c", "sha1", "thiserror"]),
        never: &["tokio", "socket2", "mio"],
        never_bare: &["bendy"],
    },
    Row {
        package: "mainstay-packets",
        ours: &[on("mainstay-keys"), without("mainstay-krpc", "codec")],
        others: Others::Only(&[
            "bytes",
            "domain",
            "httpdate",
            "serde",
            "simple-dns",
            "siphasher",
            "thiserror",
            "web-time",
        ]),
        never: &["bendy", "tokio", "reqwest"],
        never_bare: &["domain", "serde"],
    },
    Row {
        package: "mainstay-sim",
        ours: &[],
        others: Others::Only(&["rand"]),
        never: &["tokio"],
        never_bare: &[],
    },
    // The decisions.
    Row {
        package: "mainstay-dht-proto",
        ours: &[on("mainstay-kad"), on("mainstay-keys"), on("mainstay-krpc")],
        others: Others::Only(&["rand", "siphasher", "thiserror", "tracing"]),
        never: &["tokio", "socket2", "mio"],
        never_bare: &[],
    },
    // The plumbing.
    Row {
        package: "mainstay-dht",
        ours: &[
            on("mainstay-dht-proto"),
            on("mainstay-kad"),
            on("mainstay-keys"),
            on("mainstay-krpc"),
        ],
        others: Others::Only(&["futures-core", "rand", "socket2", "thiserror", "tokio", "tracing"]),
        never: &["simple-dns", "reqwest", "hyper"],
        never_bare: &[],
    },
    Row {
        package: "mainstay-relay",
        ours: &[on("mainstay-keys"), on("mainstay-packets")],
        others: Others::Only(&[
            "bytes",
            "httpdate",
            "reqwest",
            "rustls",
            "thiserror",
            "tracing",
            "url",
            "webpki-roots",
        ]),
        never: &["mainstay-kad", "mainstay-dht-proto", "mainstay-dht", "bendy", "native-tls"],
        never_bare: &["reqwest", "hyper", "rustls", "tokio"],
    },
    Row {
        package: "mainstay-client",
        ours: &[
            on("mainstay-dht"),
            on("mainstay-keys"),
            on("mainstay-packets"),
            on("mainstay-relay"),
        ],
        others: Others::Only(&[
            "async-trait",
            "bytes",
            "futures-util",
            "heed",
            "hyper",
            "hyper-util",
            "js-sys",
            "moka",
            "quinn",
            "rand",
            "redb",
            "reqwest",
            "rustls",
            "sha1",
            "thiserror",
            "tokio",
            "tokio-rustls",
            "tower",
            "tracing",
            "url",
            "wasm-bindgen-futures",
            "webpki-roots",
        ]),
        never: &["native-tls"],
        never_bare: &["bendy", "mainstay-kad", "mainstay-dht", "reqwest"],
    },
    // The doors.
    Row {
        package: "mainstay-relay-server",
        ours: &[
            on("mainstay-client"),
            on("mainstay-keys"),
            on("mainstay-packets"),
            without("mainstay-relay", "client"),
        ],
        others: Others::Only(&[
            "bytes",
            "hyper",
            "hyper-util",
            "rustls",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "tokio-rustls",
            "toml",
            "tracing",
            "url",
        ]),
        never: &["reqwest", "native-tls"],
        never_bare: &[],
    },
    Row {
        package: "mainstay",
        ours: &[
            on("mainstay-client"),
            on("mainstay-dht"),
            on("mainstay-keys"),
            on("mainstay-krpc"),
            on("mainstay-packets"),
            on("mainstay-relay"),
        ],
        others: Others::Only(&[]),
        never: &["native-tls"],
        never_bare: &["mainstay-keys"],
    },
    Row {
        package: "mainstay-cli",
        ours: &[on("mainstay"), on("mainstay-relay-server")],
        others: Others::Only(&[
            "clap",
            "clap_complete",
            "indicatif",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "tracing",
            "tracing-subscriber",
        ]),
        never: &["native-tls"],
        never_bare: &[],
    },
    // Never published, and imported by nobody: no row above names them.
    Row {
        package: "mainstay-tests",
        ours: EVERYTHING,
        others: Others::Any,
        never: &[],
        never_bare: &[],
    },
    Row {
        package: "mainstay-benches",
        ours: EVERYTHING,
        others: Others::Any,
        never: &[],
        never_bare: &[],
    },
    Row {
        package: "xtask",
        ours: &[],
        others: Others::Only(&["serde_json"]),
        never: &[],
        never_bare: &[],
    },
];

const EVERYTHING: &[Arrow] = &[
    on("mainstay"),
    on("mainstay-client"),
    on("mainstay-dht"),
    on("mainstay-dht-proto"),
    on("mainstay-kad"),
    on("mainstay-keys"),
    on("mainstay-krpc"),
    on("mainstay-packets"),
    on("mainstay-relay"),
    on("mainstay-relay-server"),
    on("mainstay-sim"),
];
