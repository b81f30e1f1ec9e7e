//! How a search walks: how many it asks at once, how widely, how patiently, and how many copies it stores.
//! Apart from the walk, so that what the owner's wishes, the kind of ask and the load make of it is read in one place.

use mainstay_kad::{LookupConfig, Sparing};

use crate::goal::Goal;
use crate::network::{NODES, Network};
use crate::{AskOptions, Config, Effort};

/// No network is larger. A node that cannot judge the size of its own yet lets nobody crowd closer to a target than
/// that many nodes would.
const MOST_NODES: u64 = 100_000_000;

/// While more asks than this run, each keeps half as many requests in flight: then it is the sum that counts.
const FEW_ASKS: usize = 8;

/// From which share of answers on nearly everybody answers.
const LIVELY: f64 = 0.9;

/// With so many requests of a put in flight nobody is asked who stands outside the neighbourhood of its target, where
/// nearly everybody answers. With 8 a put in a network of 10,000 nodes takes 36 messages and one in a hundred 195 ms,
/// with 12 it is 40 and 170 ms, with 16 it is 45 and 155 ms (test `figures::a_put_takes`, with 60 puts).
const SCOUTS: usize = 12;

/// How a search walks and how many copies it stores.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    concurrency: usize,
    visits: usize,
    store_at: usize,
    pub(super) eager: bool,
    /// Whether nodes on the way are not told the target.
    pub(super) private: bool,
    /// Whether the silent among the closest are asked once more and waited for.
    pub(super) thorough: bool,
    /// Over how many disjoint paths it walks.
    pub(super) paths: usize,
}

impl Pace {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            concurrency: config.concurrency.max(1),
            visits: config.max_visits,
            store_at: config.store_at.clamp(1, 20),
            eager: config.eager_puts,
            private: config.private_lookups,
            thorough: false,
            paths: 1,
        }
    }

    /// For an ask of the owner, beside so many others.
    pub(crate) fn of_owner(self, goal: &Goal, options: AskOptions, running: usize) -> Self {
        let thorough = match (goal, options.effort) {
            _ if goal.only().is_some() => false,
            (Goal::Nodes { .. }, None) => true,
            (_, effort) => effort == Some(Effort::Thorough),
        };
        let paths = if goal.only().is_some() { 1 } else { usize::from(options.paths) };
        let pace = Self { thorough, paths, ..self };
        if running > FEW_ASKS {
            return pace.at_half();
        }
        // The first value is the first of many answers; a quorum needs the slower half of them too.
        let concurrency =
            if goal.stores() { self.concurrency.saturating_mul(2) } else { self.concurrency };
        Self { concurrency, ..pace }
    }

    /// For the upkeep, which is in no hurry.
    pub(crate) fn of_upkeep(self) -> Self {
        self.at_half()
    }

    fn at_half(self) -> Self {
        Self { concurrency: self.concurrency.div_ceil(2), ..self }
    }

    /// As many as are stored at, and as many to look for what may be stored there: before a value counts as
    /// absent, all of them must have been asked. A search for nodes is as wide although it gives `NODES`:
    /// where a fifth of all nodes names only its own kind, that kind's eight closest end a narrow walk, and
    /// the size of the network, estimated from such ends, comes out a fifth of what it is.
    pub(super) fn closest(self, goal: &Goal) -> usize {
        if goal.stores() || goal.finds() || matches!(goal, Goal::Nodes { .. }) {
            self.store_at.max(NODES)
        } else {
            NODES
        }
    }

    /// How many copies a put makes.
    pub(super) const fn copies(self) -> usize {
        self.store_at
    }

    /// How many acknowledgements make a put safe: half of the copies.
    pub(super) fn quorum(self) -> usize {
        self.store_at.div_ceil(2)
    }

    pub(super) fn lookup(self, goal: &Goal, network: &Network) -> LookupConfig {
        let guarded = goal.stores() || goal.finds();
        // All neighbours must be asked in the end; but of those who hold a value one will do at first.
        let closing = if goal.finds() { self.concurrency.div_ceil(2) } else { self.concurrency };
        LookupConfig {
            network_size: guarded.then(|| network.known_size().unwrap_or(MOST_NODES)),
            closest: self.closest(goal),
            parallelism: self.concurrency,
            closing_parallelism: NODES.max(closing),
            near: network.share_of(self.closest(goal)),
            sparing: self.sparing(goal, network),
            visits: self.visits,
            patient: self.thorough,
            ..LookupConfig::default()
        }
    }

    /// How a put spares messages: not where many get lost, since copies want spare answers there, nor where the silent
    /// are waited for. Where many are silent those farther off are asked all the same, for whom they know.
    fn sparing(self, goal: &Goal, network: &Network) -> Option<Sparing> {
        let answering = network.weather.answering();
        let scouts = if answering < LIVELY { self.concurrency } else { SCOUTS };
        let spares = goal.stores() && !self.thorough && !network.weather.is_rough();
        spares.then_some(Sparing { answering, scouts })
    }
}
