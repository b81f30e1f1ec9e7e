//! What the tests of this crate share: a moment to start from, and a small network without sockets.
//! Only compiled for tests.

use std::time::Instant;

/// Some moment; the one place where tests read a clock, since an `Instant` cannot be made otherwise.
#[allow(
    clippy::disallowed_methods,
    reason = "an Instant cannot be made otherwise, and no test looks at its value"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}
