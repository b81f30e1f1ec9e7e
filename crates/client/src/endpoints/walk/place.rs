//! Names under keys, and the trail of them that a search has come by.
//!
//! Separate because depth and circles are counted by trails alone.

use std::fmt;

use mainstay_keys::{PublicKey, PublicKeyError};
use mainstay_packets::{Record, SignedPacket};

/// How many names one trail may have: aliases within one packet cost nothing, but they must end.
const MAX_NAMES: usize = 32;

/// A name under a key, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    key: PublicKey,
    below: String,
}

impl Place {
    /// Takes what people paste.
    pub(crate) fn parse(name: &str) -> Result<Self, PublicKeyError> {
        let (key, below) = PublicKey::parse_name(name)?;
        Ok(Self { key, below: below.to_ascii_lowercase() })
    }

    /// The place of a host as it stands in URLs and TLS, if it ends in a key.
    #[cfg(all(any(feature = "tls", feature = "reqwest-resolve"), not(target_family = "wasm")))]
    pub(crate) fn of_host(host: &str) -> Option<Self> {
        let host = host.strip_suffix('.').unwrap_or(host);
        Self::below_a_key(&host.to_ascii_lowercase())
    }

    /// The host that a look-up is about: `_8443._https.<host>` asks for `<host>`, as do HTTPS records at the host.
    #[cfg(all(feature = "tls", not(target_family = "wasm")))]
    pub(crate) fn host(&self) -> String {
        let name = self.to_string();
        let prefixed = name.strip_prefix('_').and_then(|name| name.split_once("._https."));
        match prefixed {
            Some((port, host)) if port.parse::<u16>().is_ok() => host.to_owned(),
            _ => name,
        }
    }

    /// The place of a name in a record, if it ends in a key.
    pub(super) fn below_a_key(name: &str) -> Option<Self> {
        let (below, last) = name.rsplit_once('.').unwrap_or(("", name));
        let key = PublicKey::from_z32(last).ok()?;
        Some(Self { key, below: below.to_owned() })
    }

    pub(crate) fn key(&self) -> PublicKey {
        self.key
    }

    /// What the key's packet says of the name, by its wildcards too.
    pub(super) fn records<'a>(
        &'a self,
        packet: &'a SignedPacket,
    ) -> impl Iterator<Item = Record<'a>> {
        // A `*` would ask for all names at once, and no host is called that.
        let is_host = !self.below.starts_with('*');
        is_host.then(|| packet.resource_records(&self.below)).into_iter().flatten()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.below.is_empty() {
            write!(f, "{}.", self.below)?;
        }
        self.key.fmt(f)
    }
}

/// The names from the first to the present one.
#[derive(Clone, Debug)]
pub(super) struct Trail {
    before: Vec<Place>,
    here: Place,
}

impl Trail {
    pub(super) fn new(here: Place) -> Self {
        Self { before: Vec::new(), here }
    }

    pub(super) fn here(&self) -> &Place {
        &self.here
    }

    pub(super) fn contains(&self, place: &Place) -> bool {
        self.here == *place || self.before.contains(place)
    }

    pub(super) fn enter(&self, place: Place) -> Self {
        let mut before = self.before.clone();
        before.push(self.here.clone());
        Self { before, here: place }
    }

    /// The trail on which the present name is one of those before; what follows on it can still be no circle.
    pub(super) fn back_to(&self, place: Place) -> Self {
        let mut before = self.before.clone();
        before.push(self.here.clone());
        before.retain(|name| *name != place);
        Self { before, here: place }
    }

    /// How many packets it takes to come here.
    pub(super) fn packets(&self) -> usize {
        let names: Vec<&Place> = self.before.iter().chain([&self.here]).collect();
        let is_first = |(index, place): &(usize, &&Place)| {
            names.iter().take(*index).all(|before| before.key != place.key)
        };
        names.iter().enumerate().filter(is_first).count()
    }

    pub(super) fn is_too_long(&self) -> bool {
        self.before.len() >= MAX_NAMES
    }
}
