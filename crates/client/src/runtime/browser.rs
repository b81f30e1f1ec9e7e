//! The event loop of a browser.
//!
//! Separate because native programs have threads instead.

use std::future::Future;
use std::io;
use std::time::Duration;

/// The event loop that carries a client's work.
#[derive(Clone, Debug)]
pub(crate) struct Background;

impl Background {
    /// The page's own, which always runs.
    #[expect(clippy::unnecessary_wraps, reason = "native programs may have no threads left")]
    pub(crate) fn shared() -> io::Result<Self> {
        Ok(Self)
    }

    /// Runs `work` to its end, whoever still waits for it.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        wasm_bindgen_futures::spawn_local(work);
    }
}

/// Waits for `work`, which in browsers is a request to a relay and keeps its own time.
pub(crate) async fn timeout<F: Future>(_patience: Duration, work: F) -> Option<F::Output> {
    Some(work.await)
}
