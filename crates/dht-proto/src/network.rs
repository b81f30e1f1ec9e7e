//! One family's network as this node sees it: our id there, our address, and the table around us.
//! A node has one for IPv4 and one for IPv6 ([BEP 32](https://www.bittorrent.org/beps/bep_0032.html)).

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use mainstay_kad::{
    Book, BookConfig, Contact as _, SizeEstimate, SizeEstimator, Table, TableConfig,
};
use mainstay_krpc::{Id, Want, bep42};
use rand::Rng as _;
use rand::rngs::StdRng;

use crate::contact::{Contact, Endpoint, kad_id};
use crate::external::External;
use crate::rtt::Weather;
use crate::scope::{Family, Filter};
use crate::silence::Silence;
use crate::snapshot::IDENTITIES;
use crate::{Config, FamilyInfo, Identity};

/// How many lookups the estimate of the network's size is averaged over.
const SIZE_WINDOW: usize = 16;
/// With fewer contacts than this, a table is not enough to start from.
pub(crate) const FEW: usize = 3;
/// How many nodes an answer names; more would be dropped by some clients and would only amplify.
pub(crate) const NODES: usize = 8;

/// In how many times the distance of the last of the closest a node is stored at before the closest are known: not
/// all who stand there answer, so that the last who stores is farther than the last who lives.
const CLOSE: f64 = 1.25;

/// The table of one family, and who we are in it.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) family: Family,
    pub(crate) id: Id,
    pub(crate) table: Table<Contact, 20>,
    /// Everybody who answered of late, for lookups to start from.
    pub(crate) book: Book<Contact, 20>,
    pub(crate) size: SizeEstimator<20>,
    external: External,
    silence: Silence,
    pub(crate) weather: Weather,
    local: SocketAddr,
    /// Ids of ours and the addresses they fit, the one used last first.
    identities: Vec<Identity>,
    /// Whether the id was given, and no earlier one takes its place.
    given: bool,
}

impl Network {
    fn new(
        config: &Config,
        family: Family,
        local: SocketAddr,
        rng: &mut StdRng,
        now: Instant,
    ) -> Self {
        let public = match family {
            Family::V4 => config.public_ipv4.map(IpAddr::V4),
            Family::V6 => config.public_ipv6.map(IpAddr::V6),
        };
        let mut random = [0; 20];
        rng.fill_bytes(&mut random);
        let fitting = public.map(|ip| bep42::id_for(ip, random));
        let id = config.id.or(fitting).unwrap_or(Id::from_bytes(random));
        Self {
            family,
            id,
            table: Table::new(kad_id(&id), table_config(family)),
            book: Book::new(now, book_config(config)),
            size: SizeEstimator::new(SIZE_WINDOW),
            external: External::new(now, public.map(|ip| SocketAddr::new(ip, local.port()))),
            silence: Silence::default(),
            weather: Weather::new(),
            local,
            identities: Vec::new(),
            given: config.id.is_some(),
        }
    }

    /// Takes up the id of an earlier run: the one that fits our address, if that is known, else the last one.
    fn restore(&mut self, identities: &[Identity]) {
        self.identities = identities.iter().copied().take(IDENTITIES).collect();
        let id = match self.external.address() {
            Some(addr) => self.identity_at(addr.ip()),
            None => self.identities.first().map(|identity| identity.id),
        };
        if let Some(id) = id.filter(|_| !self.given) {
            self.id = id;
            self.table.rehome(kad_id(&id));
        }
    }

    /// Our ids, the present one first.
    pub(crate) fn identities(&self) -> Vec<Identity> {
        let known = self.identities.iter().find(|identity| identity.id == self.id);
        let address = self.external.address().map(|addr| addr.ip());
        let address = address.or_else(|| known.and_then(|identity| identity.address));
        let present = Identity { id: self.id, address };
        let others = self.identities.iter().copied();
        let others = others.filter(|other| other.id != self.id && other.address.is_some());
        std::iter::once(present).chain(others).take(IDENTITIES).collect()
    }

    /// The id that we had at this address.
    fn identity_at(&self, ip: IpAddr) -> Option<Id> {
        let fits = |identity: &&Identity| {
            identity.address == Some(ip) && bep42::is_valid(&identity.id, ip)
        };
        self.identities.iter().find(fits).map(|identity| identity.id)
    }

    /// A node answered a request of ours, under the id that was expected; `late`, if it had stalled.
    pub(crate) fn answered(&mut self, now: Instant, contact: Contact, rtt: Duration, late: bool) {
        if self.book.vouches_for(now, &contact.id(), &contact.address()) {
            self.weather.answered(late);
        }
        if !late {
            self.weather.fulfilled(true);
        }
        self.silence.answered(&contact);
        self.table.responded(now, contact, rtt);
        self.book.responded(now, contact, rtt);
    }

    /// A request for the node `id` at `addr` takes longer than usual.
    pub(crate) fn stalled(&mut self, now: Instant, id: &Id, addr: SocketAddr) {
        self.weather.fulfilled(false);
        if self.book.vouches_for(now, &kad_id(id), &Endpoint::from(addr)) {
            self.weather.stalled();
        }
    }

    /// A node was sent a request, under the id it is known by.
    pub(crate) fn asked(&mut self, now: Instant, contact: &Contact) {
        if !self.is_alias(&contact.key(), contact.addr()) {
            self.table.asked(now, &kad_id(&contact.key()));
        }
    }

    /// A request for the node `id` at `addr` was not answered, for whatever reason: such a host is asked a few times
    /// a minute at most.
    pub(crate) fn missed(&mut self, now: Instant, id: &Id, addr: SocketAddr) {
        self.silence.lost(now, &Contact::new(*id, addr));
    }

    /// The node `id` at `addr` left a request unanswered although our line works.
    pub(crate) fn lost(&mut self, now: Instant, id: &Id, addr: SocketAddr) {
        self.book.failed(&kad_id(id), &Endpoint::from(addr));
        if !self.is_alias(id, addr) {
            self.table.failed(now, &kad_id(id));
        }
    }

    /// Another id than `id` answered at `addr`.
    pub(crate) fn mistook(&mut self, id: &Id, addr: SocketAddr) {
        self.book.remove(&kad_id(id), &Endpoint::from(addr));
        if !self.is_alias(id, addr) {
            self.table.remove(&kad_id(id));
        }
    }

    /// Whether the table knows `id` at another address: whoever named it at this one must not be able to
    /// have the true node forgotten for what happens here.
    fn is_alias(&self, id: &Id, addr: SocketAddr) -> bool {
        self.table.is_elsewhere(&kad_id(id), &Endpoint::from(addr))
    }

    /// Hears a vote on our address; when the verdict changes, our id follows it and the table is sorted
    /// anew around it.
    pub(crate) fn vote(
        &mut self,
        now: Instant,
        rng: &mut StdRng,
        voter: IpAddr,
        seen: SocketAddr,
    ) -> Option<SocketAddr> {
        let former = self.external.address();
        let verdict = self.external.vote(now, voter, seen)?;
        if !bep42::is_valid(&self.id, verdict.ip()) {
            let mut random = [0; 20];
            rng.fill_bytes(&mut random);
            // Who comes back to an address is known there by the id it had.
            let earlier = self.identity_at(verdict.ip());
            if let Some(former) = former {
                let identity = Identity { id: self.id, address: Some(former.ip()) };
                self.identities.retain(|known| known.id != identity.id);
                self.identities.insert(0, identity);
                self.identities.truncate(IDENTITIES);
            }
            self.id = earlier.unwrap_or_else(|| bep42::id_for(verdict.ip(), random));
            self.table.rehome(kad_id(&self.id));
        }
        Some(verdict)
    }

    /// The table's entries nearest to `target`, the nearest first.
    pub(crate) fn nearest(&self, target: &Id) -> impl Iterator<Item = &Contact> {
        self.table.nearest::<NODES>(&kad_id(target))
    }

    /// Whom the book knows near `target` and has not of late been silent, the nearest first.
    pub(crate) fn remembered(
        &self,
        now: Instant,
        target: &mainstay_kad::Id<20>,
        count: usize,
    ) -> impl Iterator<Item = &Contact> {
        let known = self.book.closest(now, target, count);
        known
            .into_iter()
            .map(|known| known.contact)
            .filter(move |contact| !self.silence.shuns(now, contact))
    }

    /// Whether `contact` is somebody else whom we may ask.
    pub(crate) fn is_other(&self, filter: Filter, contact: &Contact) -> bool {
        let addr = contact.addr();
        contact.key() != self.id
            && addr != self.local
            && Some(addr) != self.external.address()
            && filter.allows(addr)
    }

    /// Whether `id` is so close to `target` that it is most likely among the `count` closest nodes there that store.
    /// Never, before enough of the network was seen to know how dense it is.
    pub(crate) fn is_close(&self, target: &Id, id: &Id, count: usize) -> bool {
        let share = kad_id(target).distance(&kad_id(id)).fraction();
        share <= self.share_of(count) * CLOSE
    }

    /// The share of the space that holds so many nodes; 0 before we can tell.
    pub(crate) fn share_of(&self, count: usize) -> f64 {
        self.reliable_size().map_or(0.0, |size| size.expected_share(count))
    }

    /// How many nodes there are, if we know it well.
    pub(crate) fn known_size(&self) -> Option<u64> {
        self.reliable_size().map(nodes_of)
    }

    /// How many nodes there are, as far as we can tell: at least those of the table.
    pub(crate) fn guessed_size(&self) -> u64 {
        let listed = u64::try_from(self.table.len()).unwrap_or(u64::MAX);
        self.size.estimate().map_or(0, nodes_of).max(listed)
    }

    fn reliable_size(&self) -> Option<SizeEstimate> {
        /// How unsure the estimate of the network's size may be.
        const MOST_ERROR: f64 = 0.25;
        self.size.estimate().filter(|size| size.error <= MOST_ERROR)
    }

    /// The port we are reached at, as far as we know.
    pub(crate) fn port(&self) -> u16 {
        self.external.address().map_or(self.local.port(), |addr| addr.port())
    }

    pub(crate) fn info(&self) -> FamilyInfo {
        let size = self.size.estimate();
        FamilyInfo {
            id: self.id,
            public: self.external.address(),
            nodes: self.table.len(),
            network_size: size.map(nodes_of),
            network_size_error: size
                .map(|size| nodes_of(SizeEstimate { nodes: size.nodes * size.error, ..size })),
        }
    }
}

/// The one or two networks of a node.
#[derive(Debug)]
pub(crate) struct Networks {
    pub(crate) filter: Filter,
    v4: Option<Network>,
    v6: Option<Network>,
}

impl Networks {
    pub(crate) fn new(config: &Config, rng: &mut StdRng, now: Instant) -> Self {
        let v4 = config
            .ipv4
            .map(|local| Network::new(config, Family::V4, SocketAddr::V4(local), rng, now));
        let mut v6 = config
            .ipv6
            .map(|local| Network::new(config, Family::V6, SocketAddr::V6(local), rng, now));
        // BEP 32 recommends one id for both, as long as no address says otherwise.
        if let (Some(v4), Some(v6)) = (&v4, &mut v6)
            && config.public_ipv6.is_none()
        {
            v6.id = v4.id;
            v6.table.rehome(kad_id(&v6.id));
        }
        Self { filter: Filter::new(config), v4, v6 }
    }

    /// Takes up the ids of an earlier run.
    pub(crate) fn restore(&mut self, ipv4: &[Identity], ipv6: &[Identity]) {
        for (network, identities) in [(&mut self.v4, ipv4), (&mut self.v6, ipv6)] {
            if let Some(network) = network {
                network.restore(identities);
            }
        }
    }

    /// Judges anew which addresses may be talked to, since the bootstrap addresses have changed.
    pub(crate) fn allow(&mut self, config: &Config) {
        self.filter = Filter::new(config);
    }

    pub(crate) fn of(&self, family: Family) -> Option<&Network> {
        match family {
            Family::V4 => self.v4.as_ref(),
            Family::V6 => self.v6.as_ref(),
        }
    }

    pub(crate) fn of_mut(&mut self, family: Family) -> Option<&mut Network> {
        match family {
            Family::V4 => self.v4.as_mut(),
            Family::V6 => self.v6.as_mut(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Network> {
        self.v4.iter().chain(&self.v6)
    }

    /// Takes note of nodes that the node at `teller` named, as far as we may ask them, and gives those back.
    /// They wait for a ping of the upkeep; nothing is sent for being named.
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        teller: SocketAddr,
        mut named: Vec<Contact>,
    ) -> Vec<Contact> {
        let filter = self.filter.as_told_by(teller);
        let Some(family) = named.first().map(Contact::family) else { return named };
        let Some(network) = self.of_mut(family) else { return Vec::new() };
        // Under the id of nobody a node could be asked for ever: what it does would be held against no one.
        named.retain(|other| {
            other.known_id().is_some()
                && network.is_other(filter, other)
                && !network.silence.shuns(now, other)
        });
        for other in &named {
            network.table.heard(*other);
            network.book.heard(now, *other);
        }
        named
    }

    /// What to say in `want` to nodes of `family`: both, while the other family's table lacks nodes, since
    /// one network can introduce us to the other (BEP 32); else nothing, which means their own.
    pub(crate) fn want(&self, family: Family) -> Want {
        let other = match family {
            Family::V4 => &self.v6,
            Family::V6 => &self.v4,
        };
        match other {
            Some(network) if network.table.len() < FEW => Want::BOTH,
            Some(_) | None => Want::NONE,
        }
    }

    /// How many nodes all tables hold.
    pub(crate) fn nodes(&self) -> usize {
        self.iter().map(|network| network.table.len()).sum()
    }

    /// The id by which the store judges what is far.
    pub(crate) fn home(&self) -> Id {
        self.iter().next().map_or(Id::from_bytes([0; 20]), |network| network.id)
    }
}

/// Wide where most lookups start, yet a table that has seen everything stays below 30 kB.
fn table_config(family: Family) -> TableConfig {
    // A /16 costs more than a /32 of IPv6, which one request and a small fee get from a registry. One hundredth less
    // than a tenth and a twentieth, because whoever is in stays when the table shrinks.
    let (provider_percent, provider_floor) = match family {
        Family::V4 => (9, 8),
        Family::V6 => (4, 4),
    };
    let wide_levels = vec![64, 32, 16];
    TableConfig { wide_levels, provider_percent, provider_floor, ..TableConfig::default() }
}

fn book_config(config: &Config) -> BookConfig {
    BookConfig { capacity: config.contacts, ..BookConfig::default() }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float saturates, and a number of nodes is positive"
)]
fn nodes_of(estimate: SizeEstimate) -> u64 {
    estimate.nodes.round() as u64
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn what_happens_at_an_address_that_borrows_an_id_is_not_held_against_its_owner() {
        let now = crate::testing::start();
        let mut rng = StdRng::from_seed([1; 32]);
        let mut networks = Networks::new(&Config::default(), &mut rng, now);
        let network = networks.of_mut(Family::V4).unwrap();
        let (id, addr) = (Id::from_bytes([7; 20]), SocketAddr::from(([60, 1, 1, 1], 6881)));
        let elsewhere = SocketAddr::from(([66, 6, 6, 6], 6881));
        network.answered(now, Contact::new(id, addr), Duration::from_millis(50), false);
        for _ in 0..100 {
            network.lost(now, &id, elsewhere);
            network.mistook(&id, elsewhere);
        }
        assert_eq!(network.table.entry(&kad_id(&id)).unwrap().failures(), 0);
        network.lost(now, &id, addr);
        assert_eq!(network.table.entry(&kad_id(&id)).unwrap().failures(), 1);
        network.mistook(&id, addr);
        assert!(network.table.is_empty());
    }
}
