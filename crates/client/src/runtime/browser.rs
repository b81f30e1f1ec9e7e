//! The event loop of a browser.
//!
//! Separate because native programs have threads instead.

use std::future::Future;
use std::io;
use std::time::Duration;

use js_sys::{Function, Promise, Reflect, global};
use mainstay_packets::Timestamp;
use wasm_bindgen_futures::JsFuture;

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

    /// Waits so long.
    pub(crate) async fn sleep(&self, pause: Duration) {
        sleep(pause).await;
    }
}

/// Waits so long; not at all where there is no `setTimeout`.
pub(crate) async fn sleep(pause: Duration) {
    let millis = u32::try_from(pause.as_millis()).unwrap_or(u32::MAX);
    let over = Promise::new(&mut |resolve, _reject| {
        let set_timeout = Reflect::get(&global(), &"setTimeout".into());
        let set = set_timeout.ok().map(Function::from);
        let set = set.map(|set| set.call2(&global(), &resolve, &millis.into()));
        if !matches!(set, Some(Ok(_))) {
            let _ = resolve.call0(&global());
        }
    });
    let _ = JsFuture::from(over).await;
}

/// A moment on the page's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(Timestamp);

impl Moment {
    pub(crate) fn now() -> Self {
        Self(Timestamp::clock())
    }

    /// How long ago it was; nothing, if the clock was set back.
    pub(crate) fn elapsed(self) -> Duration {
        Timestamp::clock().saturating_duration_since(self.0)
    }
}

/// Waits for `work`, which in browsers is a request to a relay and keeps its own time.
pub(crate) async fn timeout<F: Future>(_patience: Duration, work: F) -> Option<F::Output> {
    Some(work.await)
}
