//! A door that lets in so many packets a second from each address.
//! Separate because it counts, and the host it belongs to is only described.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::dice::Mixing;

/// What a host takes in from one IP address.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Packets a second, in the long run.
    pub per_second: f64,
    /// Packets that may come at once after a silence.
    pub burst: f64,
    /// How long an address that came too often is shut out altogether; begins anew with each packet.
    pub ban: Duration,
}

/// A [`Limit`] at work.
#[derive(Debug, Default)]
pub(crate) struct Door {
    visitors: HashMap<IpAddr, Visitor, Mixing>,
}

#[derive(Debug)]
struct Visitor {
    credit: f64,
    at: Instant,
    banned_until: Option<Instant>,
}

impl Door {
    pub(crate) fn admits(&mut self, now: Instant, limit: &Limit, from: IpAddr) -> bool {
        let fresh = Visitor { credit: limit.burst, at: now, banned_until: None };
        let visitor = self.visitors.entry(from).or_insert(fresh);
        let passed = now.saturating_duration_since(visitor.at).as_secs_f64();
        visitor.credit = (visitor.credit + passed * limit.per_second).min(limit.burst);
        visitor.at = now;
        let banned = visitor.banned_until.is_some_and(|until| now < until);
        if !banned && visitor.credit >= 1.0 {
            visitor.credit -= 1.0;
            return true;
        }
        visitor.banned_until = Some(now + limit.ban);
        false
    }
}
