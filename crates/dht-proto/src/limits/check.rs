//! Which budgets make sense together, judged before a node takes them.
//! Apart from the budgets, which count with whatever they are given.

use crate::LimitConfig;

/// No budget of bytes that is not 0 is smaller: two fifths of it are there at once, and the largest answer takes 1,400.
const LEAST_BYTES: u32 = 3500;
/// The most budgets that a node keeps, in 128 MiB.
const MOST_REMEMBERED: usize = 1 << 24;

/// Budgets that no node should run with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// A budget of bytes is too small for the largest answer, a stored value, which would then never be sent.
    #[error(
        "{field} is {bytes}, which is never enough for a stored value; give it {least} bytes a second or more, or 0 to send nothing"
    )]
    TooFewBytes {
        /// Which field of [`LimitConfig`].
        field: &'static str,
        /// What it says.
        bytes: u32,
        /// The least that makes sense.
        least: u32,
    },
    /// No budget would be remembered, or more than memory should hold.
    #[error("{remembered} budgets cannot be remembered; give a number from 1 to {most}")]
    Remembered {
        /// What [`LimitConfig::remembered`] says.
        remembered: usize,
        /// The most that makes sense.
        most: usize,
    },
}

impl LimitConfig {
    /// Whether these limits make sense. [`Node::set_limits`](crate::Node::set_limits) asks this; a node that is made with
    /// others obeys them all the same.
    ///
    /// # Errors
    /// [`LimitError`], which names the field.
    pub fn check(&self) -> Result<(), LimitError> {
        for (field, bytes) in [
            ("bytes_per_address", self.bytes_per_address),
            ("bytes_per_network", self.bytes_per_network),
            // Those who are not proven get half of it.
            ("bytes_in_total", self.bytes_in_total),
        ] {
            let least = if field == "bytes_in_total" { 2 * LEAST_BYTES } else { LEAST_BYTES };
            if bytes > 0 && bytes < least {
                return Err(LimitError::TooFewBytes { field, bytes, least });
            }
        }
        let remembered = self.remembered;
        if remembered == 0 || remembered > MOST_REMEMBERED {
            return Err(LimitError::Remembered { remembered, most: MOST_REMEMBERED });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_could_never_be_met_are_refused_by_name() {
        let default = LimitConfig::default;
        assert_eq!(default().check(), Ok(()));
        let nothing = LimitConfig { bytes_per_address: 0, bytes_in_total: 0, ..default() };
        assert_eq!(nothing.check(), Ok(()));
        let least = LimitConfig {
            bytes_per_address: 3500,
            bytes_per_network: 3500,
            bytes_in_total: 7000,
            remembered: 16_777_216,
            ..default()
        };
        assert_eq!(least.check(), Ok(()));
        let one = LimitConfig { bytes_in_total: 1, remembered: 1, ..default() };
        assert!(matches!(one.check(), Err(LimitError::TooFewBytes { bytes: 1, .. })));
        let (few, most) = (3499, MOST_REMEMBERED);
        for (limits, field, least) in [
            (LimitConfig { bytes_per_address: few, ..default() }, "bytes_per_address", 3500),
            (LimitConfig { bytes_per_network: few, ..default() }, "bytes_per_network", 3500),
            (LimitConfig { bytes_in_total: few, ..default() }, "bytes_in_total", 7000),
        ] {
            let expected = LimitError::TooFewBytes { field, bytes: few, least };
            assert_eq!(limits.check(), Err(expected));
        }
        for remembered in [0, most + 1] {
            let limits = LimitConfig { remembered, ..default() };
            assert_eq!(limits.check(), Err(LimitError::Remembered { remembered, most }));
        }
    }
}
