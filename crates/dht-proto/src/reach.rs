//! Whether strangers reach us, and so whether a node that adapts is a server or a client.
//! Judged by who asks us unasked: a node behind a closed NAT is only ever asked by those it has asked just before.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::Config;
use crate::scope::Group;

/// For how long a host that we asked is let in by a NAT, with a good margin.
pub(crate) const CONTACT: Duration = Duration::from_secs(600);
/// How many providers must have asked us unasked within [`LAPSE`], so that one stray datagram decides nothing.
const WITNESSES: usize = 2;
/// After how much time without a stranger we count as out of reach.
const LAPSE: Duration = Duration::from_secs(1800);
/// How long a node that adapts is a server on trial: so long others need to learn of it and to ask.
const TRIAL: Duration = Duration::from_secs(900);
/// How long it then is a client before it tries again: nobody asks a client unasked, so only a trial can tell.
const REST: Duration = Duration::from_secs(3 * 3600);

/// What is known of our reachability.
#[derive(Debug)]
pub(crate) struct Reach {
    adaptive: bool,
    read_only: bool,
    /// The latest witnesses, of different providers, the latest first.
    witnesses: Vec<(Group, Instant)>,
    phase: Phase,
}

/// Trial → Open when witnesses come, or → Closed when its time is up; Open → Closed when they stop; Closed → Open
/// when they come all the same, or → Trial after a rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Trial { until: Instant },
    Open { until: Instant },
    Closed { until: Instant },
}

impl Reach {
    pub(crate) fn new(config: &Config, now: Instant) -> Self {
        Self {
            adaptive: config.adaptive,
            read_only: config.read_only && !config.adaptive,
            witnesses: Vec::new(),
            phase: Phase::Trial { until: now + TRIAL },
        }
    }

    /// Whether we answer nobody at present.
    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Whether strangers reach us; `None` until there was time to tell.
    pub(crate) fn is_reachable(&self) -> Option<bool> {
        match self.phase {
            Phase::Trial { .. } => None,
            Phase::Open { .. } => Some(true),
            Phase::Closed { .. } => Some(false),
        }
    }

    /// A host that we have not contacted lately asked us something. Gives whether anything changed.
    pub(crate) fn asked_unasked(&mut self, now: Instant, by: IpAddr) -> bool {
        let provider = Group::provider(by);
        let fresh = |at: Instant| now.saturating_duration_since(at) < LAPSE;
        self.witnesses.retain(|(group, at)| *group != provider && fresh(*at));
        self.witnesses.truncate(WITNESSES - 1);
        self.witnesses.insert(0, (provider, now));
        if self.witnesses.len() < WITNESSES {
            return false;
        }
        self.enter(Phase::Open { until: now + LAPSE })
    }

    /// Gives whether anything changed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        match self.phase {
            Phase::Trial { until } | Phase::Open { until } if until <= now => {
                self.enter(Phase::Closed { until: now + REST })
            }
            Phase::Closed { until } if until <= now => {
                self.enter(Phase::Trial { until: now + TRIAL })
            }
            Phase::Trial { .. } | Phase::Open { .. } | Phase::Closed { .. } => false,
        }
    }

    /// Only a node that has a role to change wakes up for it; the others notice when they are awake anyway.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Trial { until } | Phase::Open { until } | Phase::Closed { until } => {
                self.adaptive.then_some(until)
            }
        }
    }

    fn enter(&mut self, phase: Phase) -> bool {
        let before = (self.is_reachable(), self.read_only);
        self.phase = phase;
        if self.adaptive {
            self.read_only = matches!(phase, Phase::Closed { .. });
        }
        before != (self.is_reachable(), self.read_only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stranger(provider: u8) -> IpAddr {
        IpAddr::from([60, provider, 1, 1])
    }

    fn reach(adaptive: bool, read_only: bool) -> (Reach, Instant) {
        let now = crate::testing::start();
        (Reach::new(&Config { adaptive, read_only, ..Config::default() }, now), now)
    }

    #[test]
    fn two_strangers_of_different_providers_prove_that_we_are_reached() {
        let (mut reach, now) = reach(true, true);
        assert!(!reach.is_read_only(), "on trial we answer, or nobody would ask");
        assert!(!reach.asked_unasked(now, stranger(1)));
        assert!(!reach.asked_unasked(now, stranger(1)));
        assert_eq!(reach.is_reachable(), None);
        assert!(reach.asked_unasked(now, stranger(2)));
        assert_eq!(reach.is_reachable(), Some(true));
    }

    #[test]
    fn who_is_asked_by_nobody_becomes_a_client_and_tries_again_later() {
        let (mut reach, now) = reach(true, true);
        assert!(!reach.handle_timeout(now + TRIAL - Duration::from_secs(1)));
        assert!(reach.handle_timeout(now + TRIAL));
        assert_eq!((reach.is_read_only(), reach.is_reachable()), (true, Some(false)));
        assert!(reach.handle_timeout(now + TRIAL + REST));
        assert_eq!((reach.is_read_only(), reach.is_reachable()), (false, None));
    }

    #[test]
    fn a_server_that_strangers_stop_to_reach_becomes_a_client_and_back() {
        let (mut reach, now) = reach(true, true);
        reach.asked_unasked(now, stranger(1));
        reach.asked_unasked(now, stranger(2));
        assert!(reach.handle_timeout(now + LAPSE));
        assert!(reach.is_read_only());
        let later = now + LAPSE + Duration::from_secs(60);
        reach.asked_unasked(later, stranger(3));
        assert!(reach.asked_unasked(later, stranger(4)));
        assert!(!reach.is_read_only());
    }

    #[test]
    fn a_fixed_role_stays_whatever_is_learnt() {
        for read_only in [false, true] {
            let (mut reach, now) = reach(false, read_only);
            reach.handle_timeout(now + TRIAL);
            assert_eq!((reach.is_read_only(), reach.is_reachable()), (read_only, Some(false)));
            assert_eq!(reach.poll_timeout(), None);
        }
    }

    #[test]
    fn a_witness_counts_for_half_an_hour_and_so_does_what_two_of_them_prove() {
        let second = Duration::from_secs(1);
        let (mut reach, now) = reach(true, true);
        reach.asked_unasked(now, stranger(1));
        assert!(!reach.asked_unasked(now + LAPSE, stranger(2)), "the first was too long ago");
        assert_eq!(reach.is_reachable(), None);
        let proven = now + LAPSE * 2 - second;
        assert!(reach.asked_unasked(proven, stranger(3)));
        assert_eq!(reach.poll_timeout(), Some(proven + LAPSE));
        // Whoever comes later prolongs it.
        assert!(!reach.asked_unasked(proven + second, stranger(4)), "nothing changes by it");
        assert!(!reach.handle_timeout(proven + LAPSE));
        assert_eq!(reach.is_reachable(), Some(true));
        assert!(reach.handle_timeout(proven + LAPSE + second));
        assert_eq!(reach.is_reachable(), Some(false));
    }

    #[test]
    fn a_node_that_adapts_wakes_up_when_its_trial_and_its_rest_are_over() {
        let (mut reach, now) = reach(true, false);
        assert_eq!(reach.poll_timeout(), Some(now + TRIAL));
        reach.handle_timeout(now + TRIAL);
        let rested = now + TRIAL + REST;
        assert_eq!(reach.poll_timeout(), Some(rested));
        assert!(!reach.handle_timeout(rested - Duration::from_secs(1)));
        assert!(reach.is_read_only());
        reach.handle_timeout(rested);
        assert_eq!(reach.poll_timeout(), Some(rested + TRIAL));
    }

    #[test]
    fn any_number_of_strangers_takes_the_room_of_two() {
        let (mut reach, now) = reach(false, false);
        for provider in 0..=255 {
            reach.asked_unasked(now, stranger(provider));
        }
        assert_eq!(reach.witnesses.len(), WITNESSES);
    }
}
