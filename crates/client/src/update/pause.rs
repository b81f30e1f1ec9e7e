//! How long an update that lost waits before it tries again: a pure function.
//!
//! Separate so that its bounds can be tested without waiting.

use std::time::Duration;

use mainstay_packets::SignedPacket;

/// The pause after the first defeat, before chance.
const FIRST: Duration = Duration::from_millis(25);

/// The longest pause, before chance.
const LONGEST: Duration = Duration::from_secs(2);

/// From half to one and a half times `FIRST`, doubled with each defeat.
///
/// Chance is the signature of the packet that lost: nobody else draws the same, and no generator is needed.
pub(super) fn after(attempts: u32, lost: &SignedPacket) -> Duration {
    let doubled = FIRST.saturating_mul(1 << attempts.saturating_sub(1).min(10)).min(LONGEST);
    let [drawn, ..] = lost.signature().to_bytes();
    doubled / 2 + doubled.saturating_mul(drawn.into()) / 255
}

#[cfg(test)]
mod tests {
    use mainstay_keys::Keypair;

    use super::{Duration, FIRST, LONGEST, SignedPacket, after};

    #[test]
    fn pauses_grow_are_bounded_and_differ_between_rivals() {
        let rivals: Vec<_> =
            (0..32).map(|_| SignedPacket::builder().sign(&Keypair::random()).unwrap()).collect();
        for attempts in [1, 2, 5, 16, u32::MAX] {
            let pauses: Vec<_> = rivals.iter().map(|lost| after(attempts, lost)).collect();
            let base = (FIRST * 2_u32.pow(attempts.min(11) - 1)).min(LONGEST);
            let bounds = base / 2..=base * 3 / 2 + Duration::from_nanos(1);
            assert!(pauses.iter().all(|pause| bounds.contains(pause)), "{pauses:?}");
            assert!(pauses.iter().max() > pauses.iter().min(), "chance decides who is first");
        }
    }
}
