//! The search for endpoints: depth first, best record first, and on to the next wherever a branch fails.
//!
//! Separate from the client so that tests can hand it zones, and the seed of its shuffles.

mod place;

use std::collections::BTreeMap;

use mainstay_keys::PublicKey;
use mainstay_packets::dns::TYPE;
use mainstay_packets::{Record, SignedPacket};
use rand::seq::SliceRandom;
use rand::{SeedableRng, rngs::StdRng};

pub(crate) use self::place::Place;
use self::place::Trail;
use super::endpoint::{Endpoint, Host};
use super::error::{Attempt, Attempts, DeadEnd};
use super::service::{Misfit, Service, parse_name};
use crate::client::Client;
use crate::error::ResolveError;
use crate::freshness::Policy;

/// How many packets one search may ask for, whatever the records say: beyond, branches are dropped.
pub(super) const MAX_PACKETS: usize = 64;

/// How many dead ends are kept to be told.
const MAX_ATTEMPTS: usize = 32;

/// Where packets come from.
pub(super) trait Zones {
    /// The packet of a key.
    async fn zone(&self, key: &PublicKey) -> Result<SignedPacket, ResolveError>;
}

impl Zones for Client {
    /// A server that moved is found at its new place, and one whose packet cannot be had now at the old.
    async fn zone(&self, key: &PublicKey) -> Result<SignedPacket, ResolveError> {
        let resolution = self.resolve_with(key, Policy::StaleIfError).await?;
        Ok(resolution.packet)
    }
}

/// A search under way.
pub(super) struct Walk<Z> {
    zones: Z,
    rtype: TYPE,
    limit: u8,
    rng: StdRng,
    /// What is still to be tried; the last comes next.
    steps: Vec<Step>,
    packets: BTreeMap<PublicKey, Result<SignedPacket, ResolveError>>,
    /// The names whose records were followed, and how deep: nothing new is found there, unless less deep.
    followed: BTreeMap<Place, usize>,
    found: Vec<Endpoint>,
    tried: Vec<Attempt>,
}

/// One thing to try.
struct Step {
    /// The names from the first to this one.
    trail: Trail,
    what: What,
}

enum What {
    /// Look for service records at the name. Where it has none, `via` leads to its addresses.
    Services { via: Option<Service> },
    /// Follow a service record of the name.
    Record(Service),
    /// Take the addresses of the name.
    Addresses { via: Option<Service>, target: String },
}

/// What leads on from a name that has no record of the type asked for.
enum Onward {
    Addresses(Endpoint),
    Alias(String),
    Nothing,
}

impl<Z: Zones> Walk<Z> {
    pub(super) fn new(zones: Z, place: Place, rtype: TYPE, limit: u8, seed: u64) -> Self {
        let first = Step { trail: Trail::new(place), what: What::Services { via: None } };
        Self {
            zones,
            rtype,
            limit: limit.max(1),
            rng: StdRng::seed_from_u64(seed),
            steps: vec![first],
            packets: BTreeMap::new(),
            followed: BTreeMap::new(),
            found: Vec::new(),
            tried: Vec::new(),
        }
    }

    /// The next endpoint, unless all ways have been tried.
    pub(super) async fn next(&mut self) -> Option<Endpoint> {
        while let Some(Step { trail, what }) = self.steps.pop() {
            let endpoint = match what {
                What::Services { via } => self.services(trail, via).await,
                What::Record(service) => self.follow(trail, service),
                What::Addresses { via, target } => self.addresses(trail, via, target).await,
            };
            if let Some(endpoint) = endpoint.filter(|endpoint| self.is_new(endpoint)) {
                self.found.push(endpoint.clone());
                return Some(endpoint);
            }
        }
        None
    }

    /// Whether nothing before leads to the same place. The addresses of a name come last, and often are those that
    /// its records lead to.
    fn is_new(&self, endpoint: &Endpoint) -> bool {
        let says_as_much = |found: &Endpoint| {
            let is_there = found.host == endpoint.host && found.port() == endpoint.port();
            let is_same_server = is_there && found.public_key == endpoint.public_key;
            is_same_server && (endpoint.service.is_none() || found.service == endpoint.service)
        };
        !self.found.iter().any(says_as_much)
    }

    /// The dead ends so far.
    pub(super) fn tried(self) -> Attempts {
        Attempts(self.tried)
    }

    /// Puts what the service records of the name say on the stack.
    async fn services(&mut self, trail: Trail, via: Option<Service>) -> Option<Endpoint> {
        let depth = trail.packets();
        if self.followed.get(trail.here()).is_some_and(|known| *known <= depth) {
            return None;
        }
        let Some(packet) = self.packet(&trail).await else {
            return hinted(&trail, via);
        };
        let rtype = self.rtype;
        let records = trail.here().records(&packet).filter(|record| record.rtype() == rtype);
        let records: Vec<_> =
            records.map(|record| Service::parse(&record.uncompressed_rdata())).collect();
        let target = via.as_ref().map_or(".", |via| via.target.as_str()).to_owned();
        if records.is_empty() {
            self.push(trail, What::Addresses { via, target });
            return None;
        }
        self.followed.insert(trail.here().clone(), depth);
        let Some(records) = records.into_iter().collect::<Option<Vec<Service>>>() else {
            self.dead_end(&trail, DeadEnd::Malformed);
            self.push(trail, What::Addresses { via, target });
            return None;
        };
        self.push_records(&trail, records);
        None
    }

    /// Puts records on the stack, so that the best comes next and the addresses of the name last.
    fn push_records(&mut self, trail: &Trail, mut records: Vec<Service>) {
        // Where there is an alias, nothing else counts (section 2.4.1).
        if records.iter().any(Service::is_alias) {
            records.retain(Service::is_alias);
        }
        let of_service = |record: &Service| !(record.is_alias() && record.target == ".");
        records.retain(of_service);
        if records.is_empty() {
            return self.dead_end(trail, DeadEnd::NotOffered);
        }
        records.shuffle(&mut self.rng);
        records.sort_by_key(|record| record.priority);
        self.push(trail.clone(), What::Addresses { via: None, target: ".".to_owned() });
        for record in records.into_iter().rev() {
            self.push(trail.clone(), What::Record(record));
        }
    }

    /// Goes where one record leads.
    fn follow(&mut self, trail: Trail, service: Service) -> Option<Endpoint> {
        let priority = service.priority;
        if let Err(misfit) = service.check() {
            let reason = match misfit {
                Misfit::UnknownMandatory(key) => DeadEnd::UnknownMandatory { priority, key },
                Misfit::Inconsistent => DeadEnd::Inconsistent { priority },
            };
            self.dead_end(&trail, reason);
            return None;
        }
        let target = service.target.clone();
        // What an alias leads to is no service; its parameters mean nothing.
        let via = (!service.is_alias()).then_some(service);
        if target == "." {
            self.push(trail, What::Addresses { via, target });
            return None;
        }
        let Some(place) = Place::below_a_key(&target) else {
            return Some(domain(&trail, target, via));
        };
        if !trail.contains(&place) {
            if let Some(trail) = self.enter(&trail, place) {
                self.push(trail, What::Services { via });
            }
        } else if via.is_some() {
            // A name may serve what itself, or a name on the way, has the addresses of.
            self.push(trail.back_to(place), What::Addresses { via, target });
        } else {
            self.dead_end(&trail, DeadEnd::Circle);
        }
        None
    }

    /// The addresses of the name; else where its alias leads; else the hints of the record that leads here.
    async fn addresses(
        &mut self,
        trail: Trail,
        via: Option<Service>,
        target: String,
    ) -> Option<Endpoint> {
        let packet = self.packet(&trail).await?;
        match onward(&packet, trail.here(), via.clone(), &target) {
            Onward::Addresses(endpoint) => return Some(endpoint),
            Onward::Alias(name) => {
                let Some(place) = Place::below_a_key(&name) else {
                    return Some(domain(&trail, name, via));
                };
                if trail.contains(&place) {
                    self.dead_end(&trail, DeadEnd::Circle);
                } else if let Some(trail) = self.enter(&trail, place) {
                    self.push(trail, What::Services { via });
                }
            }
            Onward::Nothing => {
                let is_fallback = target == "." && self.followed.contains_key(trail.here());
                if via.is_some() || !is_fallback {
                    self.dead_end(&trail, DeadEnd::NoRecords);
                }
            }
        }
        None
    }

    /// The packet of the key that the name lies under.
    async fn packet(&mut self, trail: &Trail) -> Option<SignedPacket> {
        let key = trail.here().key();
        let known = self.packets.get(&key).cloned();
        let resolved = match known {
            Some(resolved) => resolved,
            None if self.packets.len() >= MAX_PACKETS => {
                self.dead_end(trail, DeadEnd::TooWide { limit: MAX_PACKETS });
                return None;
            }
            None => {
                let resolved = self.zones.zone(&key).await;
                self.packets.insert(key, resolved.clone());
                resolved
            }
        };
        match resolved {
            Ok(packet) => Some(packet),
            Err(source) => {
                self.dead_end(trail, DeadEnd::Unresolved { key, source });
                None
            }
        }
    }

    /// The trail to one more name, if it may be that long.
    fn enter(&mut self, trail: &Trail, place: Place) -> Option<Trail> {
        let longer = trail.enter(place);
        if longer.packets() > usize::from(self.limit) || longer.is_too_long() {
            self.dead_end(&longer, DeadEnd::TooDeep { limit: self.limit });
            return None;
        }
        Some(longer)
    }

    fn push(&mut self, trail: Trail, what: What) {
        self.steps.push(Step { trail, what });
    }

    fn dead_end(&mut self, trail: &Trail, reason: DeadEnd) {
        if self.tried.len() < MAX_ATTEMPTS {
            self.tried.push(Attempt { name: trail.here().to_string(), reason });
        }
    }
}

/// What a name without service records has.
fn onward(packet: &SignedPacket, place: &Place, via: Option<Service>, target: &str) -> Onward {
    let mut addresses: Vec<_> =
        place.records(packet).filter_map(|record| record.address()).collect();
    if addresses.is_empty() {
        if let Some(alias) = place.records(packet).find_map(alias) {
            return Onward::Alias(alias);
        }
        addresses.extend(via.iter().flat_map(Service::hints));
    }
    if addresses.is_empty() {
        return Onward::Nothing;
    }
    Onward::Addresses(Endpoint {
        public_key: place.key(),
        host: Host::Signed(addresses),
        target: target.to_owned(),
        service: via,
    })
}

/// Where a CNAME leads.
fn alias(record: Record<'_>) -> Option<String> {
    if record.rtype() != TYPE::CNAME {
        return None;
    }
    parse_name(&record.uncompressed_rdata()).map(|(name, _)| name)
}

/// What a record says of a server whose own packet is not to be had: its key, and where it was.
fn hinted(trail: &Trail, via: Option<Service>) -> Option<Endpoint> {
    let hints: Vec<_> = via.iter().flat_map(Service::hints).collect();
    let service = via.filter(|_| !hints.is_empty())?;
    Some(Endpoint {
        public_key: trail.here().key(),
        host: Host::Signed(hints),
        target: service.target.clone(),
        service: Some(service),
    })
}

/// An endpoint in DNS, which the name at the trail's end leads to.
fn domain(trail: &Trail, domain: String, via: Option<Service>) -> Endpoint {
    Endpoint {
        public_key: trail.here().key(),
        host: Host::Domain(domain.clone()),
        target: domain,
        service: via,
    }
}

#[cfg(test)]
mod tests;
