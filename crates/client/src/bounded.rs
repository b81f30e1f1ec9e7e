//! A bounded map from keys to values that threads share: what caches and memories are made of.
//!
//! Separate because it is the one place that knows moka, and that browsers need another one: moka reads a
//! clock that does not exist there.

#[cfg(any(test, target_family = "wasm"))]
mod browser;
#[cfg(not(target_family = "wasm"))]
mod native;

#[cfg(target_family = "wasm")]
pub(crate) use browser::Bounded;
#[cfg(not(target_family = "wasm"))]
pub(crate) use native::Bounded;

/// Who leaves when the map is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// Whoever was not asked for longest.
    LeastRecent,
    /// As above, for values that weigh bytes and are asked for again and again: only a sample of those uses counts.
    #[cfg_attr(
        any(target_family = "wasm", not(any(feature = "lmdb-cache", feature = "disk-cache"))),
        expect(dead_code, reason = "only caches on disk have such a map")
    )]
    AboutLeastRecent,
    /// Whoever is asked for least often, newcomers included. (In browsers: as above.)
    LeastUseful,
}

#[cfg(test)]
mod tests;
