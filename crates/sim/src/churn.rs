//! How long nodes stay and how long they are away.
//! Separate because it is a law of large numbers, and the network only asks it for the next change.

use std::time::Duration;

use crate::dice::Dice;

/// Nodes that come and go, each in its own rhythm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Churn {
    /// How long a node stays.
    pub session: Lifetime,
    /// How long it is away.
    pub absence: Lifetime,
}

/// How a length of time is spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lifetime {
    /// Always the same.
    Fixed(Duration),
    /// Exponential with this mean: who has stayed long is as likely to go as who has just come.
    Exponential(Duration),
    /// Two kinds of nodes, each exponential, as measured sessions are.
    TwoKinds {
        /// The mean of the short ones.
        short: Duration,
        /// The mean of the long ones.
        long: Duration,
        /// Share of the short ones.
        short_share: f64,
    },
    /// Weibull; a shape below 1 means that who has stayed long will stay longer.
    Weibull {
        /// 63 % are shorter.
        scale: Duration,
        /// 1 is exponential.
        shape: f64,
    },
}

impl Lifetime {
    /// Sessions as measured on Mainline: half end within 200 minutes, 3 % last more than 9,000.
    pub const MAINLINE: Self = Self::TwoKinds {
        short: Duration::from_secs(176 * 60),
        long: Duration::from_secs(4000 * 60),
        short_share: 0.715,
    };

    /// One such time.
    pub fn draw(self, dice: &mut Dice) -> Duration {
        match self {
            Self::Fixed(time) => time,
            Self::Exponential(mean) => dice.exponential(mean),
            Self::TwoKinds { short, long, short_share } => {
                let mean = if dice.unit() < short_share { short } else { long };
                dice.exponential(mean)
            }
            Self::Weibull { scale, shape } => {
                scale.mul_f64((-(1.0 - dice.unit()).ln()).powf(1.0 / shape))
            }
        }
    }
}
