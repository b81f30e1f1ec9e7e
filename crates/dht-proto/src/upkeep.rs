//! Keeps the tables alive: joins, pings who has been silent, refreshes what nobody looked at, joins again.
//! Speaks only when something is due, and not beside the owner's questions unless they never end; between rounds an
//! idle node sleeps for minutes.

mod thin;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_kad::Contact as _;
use mainstay_krpc::{Id, Method, Want};
use rand::RngExt as _;

use crate::asks::{Asks, Tended};
use crate::contact::Contact;
use crate::network::{FEW, NODES, Network};
use crate::scope::{Family, Scope};
use crate::search::Scene;
use crate::transactions::Purpose;
use crate::waking::Waking;
use crate::wire::Request;
use crate::{Event, QueryId};

/// How long after a round the next one comes, give or take a quarter so that nodes do not move in step.
const ROUND: Duration = Duration::from_secs(300);
/// The same for the first round after joining.
const FIRST_ROUND: Duration = Duration::from_secs(60);
/// Every how many rounds, the first included, we walk to our own id.
const ROUNDS_TO_WALK: u32 = 3;
/// How long a round that is due waits for questions of the owner to end, at most: the next one then comes a fifth later.
const GIVES_WAY: Duration = Duration::from_secs(60);
/// How often a round that waits looks whether they have.
const LOOKS: Duration = Duration::from_secs(2);
/// How many nodes one round pings.
const PINGS: usize = 32;
/// How many buckets one round refreshes.
const REFRESHES: usize = 4;
/// How many walks of one round go where the table knows too few.
const THIN: usize = 2;
/// How many rounds do so, the first ones, before only one in as many does.
const EAGER_ROUNDS: u32 = 6;
/// How many nodes that asked us may be under verification at once; more are left for another time, so that
/// a flood from invented addresses makes us send next to nothing.
const GREETINGS: usize = 16;
/// A public table with this many nodes need not verify everybody who asks at once.
const SETTLED: usize = 32;
/// The wait after the first failed attempt to join; each further one doubles it.
const RETRY: Duration = Duration::from_secs(2);
/// The longest wait between attempts to join.
const LONGEST_RETRY: Duration = Duration::from_secs(900);
/// How long nodes of an earlier run have before bootstrap hosts are asked, too.
const HOSTS_AFTER: Duration = Duration::from_millis(300);
/// How many nodes of each table one probe pings while we are offline.
const PROBES: usize = 4;
/// The longest wait between probes in the first [`EAGER_PROBES`] of them.
const EAGER: Duration = Duration::from_secs(10);
/// How many probes come in close succession: those of about ten minutes.
const EAGER_PROBES: u32 = 64;
/// The longest wait between probes after that.
const PATIENT: Duration = Duration::from_secs(60);

/// The upkeep of both tables.
#[derive(Debug)]
pub(crate) struct Upkeep {
    cares: Vec<Care>,
    /// Whom a ping is on its way to.
    pinging: BTreeSet<SocketAddr>,
    /// Nodes of an earlier run that have not been asked yet.
    waking: Option<Waking>,
    /// While we are offline: when to try whether somebody answers, and how often we did.
    probe: Option<(Instant, u32)>,
    announced: bool,
}

/// The upkeep of one table.
#[derive(Debug)]
struct Care {
    family: Family,
    join: Join,
    next_round: Option<Instant>,
    /// Until when a round that is due waits for the owner's questions.
    gives_way_until: Option<Instant>,
    /// Rounds since we joined or our id changed.
    rounds: u32,
}

/// How far we are in joining.
///
/// Due → Walking → Joined, or → Due again, later each time, while there is somebody to ask; Lonely when
/// there is not. An empty table leads from anywhere back to Due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join {
    Due {
        at: Instant,
        attempt: u32,
    },
    Walking {
        query: QueryId,
        attempt: u32,
    },
    Joined,
    /// Waits until a bootstrap address is given or somebody asks us something.
    Lonely,
}

impl Upkeep {
    pub(crate) fn new(now: Instant, families: impl Iterator<Item = Family>) -> Self {
        let join = Join::Due { at: now, attempt: 0 };
        let care =
            |family| Care { family, join, next_round: None, gives_way_until: None, rounds: 0 };
        Self {
            cares: families.map(care).collect(),
            pinging: BTreeSet::new(),
            waking: None,
            probe: None,
            announced: false,
        }
    }

    /// Starts from nodes of an earlier run: they are asked first, and bootstrap hosts if those take too long.
    pub(crate) fn wake(&mut self, now: Instant, contacts: Vec<Contact>, asks: &mut Asks) {
        for care in &mut self.cares {
            let known = contacts.iter().any(|contact| contact.family() == care.family);
            if known && matches!(care.join, Join::Due { attempt: 0, .. }) {
                care.join = Join::Due { at: now + HOSTS_AFTER, attempt: 0 };
            }
        }
        self.waking = Waking::new(now, contacts);
        asks.hold(self.waking.is_some());
    }

    /// Whether nodes of an earlier run are still being asked.
    pub(crate) fn is_waking(&self) -> bool {
        self.waking.as_ref().is_some_and(Waking::is_first_pass)
    }

    /// We have just come to be offline: the next rounds are minutes away, and nobody would notice that it is
    /// over.
    pub(crate) fn went_offline(&mut self, now: Instant) {
        self.probe = Some((now + RETRY, 0));
    }

    /// Something may have changed around us: whoever is joined walks to its neighbourhood anew.
    pub(crate) fn look_around(&mut self, now: Instant) {
        self.probe = None;
        for care in &mut self.cares {
            match care.join {
                Join::Walking { .. } => {}
                Join::Joined | Join::Due { .. } | Join::Lonely => {
                    care.join = Join::Due { at: now, attempt: 0 };
                }
            }
            // The pings of a round find out who is still there.
            care.next_round = care.next_round.map(|_| now);
            care.gives_way_until = Some(now);
        }
    }

    /// Whether the first bootstrap has settled.
    pub(crate) fn has_settled(&self) -> bool {
        self.announced
    }

    /// Joins at the next timeout, for instance because there are new addresses to join through.
    pub(crate) fn join_now(&mut self, now: Instant) {
        for care in &mut self.cares {
            match care.join {
                Join::Due { .. } | Join::Lonely => care.join = Join::Due { at: now, attempt: 0 },
                Join::Walking { .. } | Join::Joined => {}
            }
        }
    }

    /// Our id changed: the neighbourhood of the new one is not known yet.
    pub(crate) fn rejoin(&mut self, now: Instant, family: Family) {
        if let Some(care) = self.cares.iter_mut().find(|care| care.family == family) {
            care.join = Join::Due { at: now, attempt: 0 };
            (care.rounds, care.next_round) = (0, None);
        }
    }

    /// Somebody asked us something. If the table misses such a node, a ping finds out whether it exists: the
    /// sender of a datagram proves nothing.
    ///
    /// A table that has enough waits for its next round: a node behind a NAT answers those it has just asked,
    /// and nobody else, so a later ping is the better test.
    pub(crate) fn greet(&mut self, scene: &mut Scene<'_>, contact: Contact) {
        let filter = scene.networks.filter;
        let Some(network) = scene.networks.of_mut(contact.family()) else { return };
        if !network.is_other(filter, &contact) || network.table.asked_us(scene.now, &contact) {
            return;
        }
        let addr = contact.addr();
        let few = network.table.len() < SETTLED || Scope::of(addr) != Scope::Global;
        if !few || !is_missed(network, &contact) {
            network.table.heard(contact);
        } else if self.pinging.len() < GREETINGS && !self.pinging.contains(&addr) {
            // Whatever id it asked under, the one it answers under is the one it is remembered by.
            self.ping(scene, &contact, None);
        }
    }

    /// A ping was answered or lost.
    pub(crate) fn ping_ended(&mut self, addr: SocketAddr) {
        self.pinging.remove(&addr);
        self.ping_stalled(addr);
    }

    /// A ping takes longer than usual.
    pub(crate) fn ping_stalled(&mut self, addr: SocketAddr) {
        if let Some(waking) = &mut self.waking {
            waking.settled(addr);
        }
    }

    pub(crate) fn handle_timeout(&mut self, scene: &mut Scene<'_>, asks: &mut Asks) {
        self.rouse(scene, asks);
        for at in 0..self.cares.len() {
            self.join(scene, asks, at);
            self.round(scene, asks, at);
        }
        self.probe(scene, asks);
        self.settle(scene, asks);
    }

    /// Takes note of what changed elsewhere: searches that ended, tables that filled.
    pub(crate) fn settle(&mut self, scene: &mut Scene<'_>, asks: &mut Asks) {
        self.rouse(scene, asks);
        self.join_whoever_is_due(scene, asks);
        for care in &mut self.cares {
            let Some(network) = scene.networks.of(care.family) else { continue };
            if care.join == Join::Lonely
                && network.table.is_empty()
                && network.table.spares().next().is_some()
            {
                // The other family's network named somebody in this one.
                care.join = Join::Due { at: scene.now, attempt: 0 };
            }
            if care.next_round.is_none() && !network.table.is_empty() {
                let wait = if care.rounds == 0 { FIRST_ROUND } else { ROUND };
                care.next_round = Some(scene.now + jittered(scene, wait));
            }
        }
        let names_follow = asks.names_follow();
        let settled = |care: &Care| match care.join {
            Join::Joined | Join::Lonely => true,
            Join::Due { attempt, .. } | Join::Walking { attempt, .. } => attempt > 0,
        };
        let waking = self.is_waking() && scene.networks.nodes() == 0;
        if !self.announced && !names_follow && !waking && self.cares.iter().all(settled) {
            self.announced = true;
            let nodes = scene.networks.nodes();
            tracing::info!(nodes, "first bootstrap settled");
            scene.wire.events.push_back(Event::Bootstrapped { nodes });
        }
    }

    /// Ends walks and begins those that are due, until neither brings about the other.
    fn join_whoever_is_due(&mut self, scene: &mut Scene<'_>, asks: &mut Asks) {
        while !asks.tended.is_empty() {
            for tended in std::mem::take(&mut asks.tended) {
                self.handle_tended(scene, asks, tended);
            }
            for at in 0..self.cares.len() {
                self.join(scene, asks, at);
            }
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let joins = self.cares.iter().filter_map(|care| match care.join {
            Join::Due { at, .. } => Some(at),
            Join::Walking { .. } | Join::Joined | Join::Lonely => None,
        });
        let rounds = self.cares.iter().filter_map(|care| care.next_round);
        let waking = self.waking.as_ref().and_then(Waking::due);
        let probe = self.probe.map(|(at, _)| at);
        joins.chain(rounds).chain(waking).chain(probe).min()
    }

    /// A walk to our own id: whoever is asked on the way learns of us, and we of our neighbourhood.
    fn join(&mut self, scene: &mut Scene<'_>, asks: &mut Asks, at: usize) {
        let Some(care) = self.cares.get_mut(at) else { return };
        let Join::Due { at, attempt } = care.join else { return };
        let Some(network) = scene.networks.of(care.family) else { return };
        if scene.now < at {
            return;
        }
        let hosts = asks.bootstrap().iter().any(|addr| Family::of(*addr) == care.family);
        let spares = network.table.spares().next().is_some();
        if network.table.is_empty() && !hosts && !spares {
            if asks.names_follow() {
                // The driver will call add_bootstrap, and that brings us back here.
                care.join = Join::Due { at: scene.now + LONGEST_RETRY, attempt };
            } else {
                care.join = Join::Lonely;
            }
            return;
        }
        let query = asks.tend(scene, care.family, network.id);
        care.join = Join::Walking { query, attempt };
    }

    fn handle_tended(&mut self, scene: &mut Scene<'_>, asks: &mut Asks, tended: Tended) {
        let walked = |care: &&mut Care| matches!(care.join, Join::Walking { query, .. } if query == tended.query);
        let Some(care) = self.cares.iter_mut().find(walked) else { return };
        let Join::Walking { attempt, .. } = care.join else { return };
        let empty = scene.networks.of(care.family).is_none_or(|network| network.table.is_empty());
        care.join = if tended.answered > 0 || (!empty && attempt > 0) {
            Join::Joined
        } else if !empty {
            // Nobody whom the walk began with answered, and somebody else did meanwhile.
            Join::Due { at: scene.now, attempt: 1 }
        } else {
            let wait = (RETRY * 2_u32.saturating_pow(attempt.min(16))).min(LONGEST_RETRY);
            tracing::info!(family = ?care.family, attempt, ?wait, "nobody answered; joining again later");
            let (ipv6, attempts) = (care.family == Family::V6, attempt.saturating_add(1));
            scene.wire.events.push_back(Event::BootstrapFailed { ipv6, attempts, retry: wait });
            Join::Due { at: scene.now + wait, attempt: attempts }
        };
        asks.start_waiting(scene);
    }

    fn round(&mut self, scene: &mut Scene<'_>, asks: &mut Asks, at: usize) {
        let Some(care) = self.cares.get_mut(at) else { return };
        if care.next_round.is_none_or(|due| scene.now < due) {
            return;
        }
        let family = care.family;
        let Some(network) = scene.networks.of(family) else { return };
        if network.table.is_empty() {
            care.next_round = None;
            if matches!(care.join, Join::Joined | Join::Lonely) {
                care.join = Join::Due { at: scene.now, attempt: 1 };
            }
            self.join(scene, asks, at);
            return;
        }
        let own = network.id;
        let until = *care.gives_way_until.get_or_insert(scene.now + GIVES_WAY);
        if asks.len() > 0 && scene.now < until {
            // Whoever asks wants the line for itself; the table can wait.
            care.next_round = Some(scene.now + LOOKS);
            return;
        }
        care.gives_way_until = None;
        care.next_round = Some(scene.now + jittered(scene, ROUND));
        care.rounds = care.rounds.wrapping_add(1);
        let rounds = care.rounds;
        if rounds % ROUNDS_TO_WALK == 1 || scene.wire.transactions.is_down(family) {
            // The pings of a round keep every bucket fresh, but find nobody new; those who joined together
            // with us were not there yet to be found; and who is offline starts again from the bootstrap.
            asks.tend(scene, family, own);
        }
        for _ in 0..PINGS {
            let due =
                scene.networks.of_mut(family).and_then(|net| net.table.next_to_ping(scene.now));
            let Some(contact) = due else { break };
            self.ping(scene, &contact, contact.known_id());
        }
        for _ in 0..REFRESHES {
            let Some(target) = stale_target(scene, family) else { break };
            asks.tend(scene, family, target);
        }
        // Who is young fills its table; later there is little to fill, or nobody to fill it with.
        let eager = rounds <= EAGER_ROUNDS || rounds % EAGER_ROUNDS == 0;
        for _ in 0..if eager { THIN } else { 0 } {
            let Some(target) = thin::thin_target(scene, family) else { break };
            asks.tend(scene, family, target);
        }
    }

    /// Asks nodes of an earlier run, a few at a time, and lets the join and the asks begin when enough of them
    /// have answered.
    fn rouse(&mut self, scene: &mut Scene<'_>, asks: &mut Asks) {
        let Some(waking) = &mut self.waking else { return };
        let mut next = Vec::new();
        while let Some(contact) = waking.next(scene.now) {
            next.push(contact);
        }
        let over = waking.is_over() || !waking.is_first_pass();
        let began = waking.began();
        let late = scene.now >= began + HOSTS_AFTER;
        let enough = |nodes: usize| nodes >= FEW || over || (nodes > 0 && late);
        if enough(scene.networks.nodes()) && asks.is_held() {
            asks.hold(false);
            asks.start_waiting(scene);
        }
        if over && scene.networks.nodes() > 0 {
            self.waking = None;
        } else if over {
            waking.try_again(scene.now);
        }
        for care in &mut self.cares {
            let nodes = scene.networks.of(care.family).map_or(0, |network| network.table.len());
            let waits = match care.join {
                Join::Due { at, attempt: 0 } => at > scene.now && enough(nodes),
                Join::Due { .. } | Join::Lonely => nodes > 0,
                Join::Walking { .. } | Join::Joined => false,
            };
            if waits {
                care.join = Join::Due { at: scene.now, attempt: 0 };
            }
        }
        for contact in next {
            self.ask_whether_it_lives(scene, &contact, None);
        }
    }

    /// While we are offline: asks a few whom we know, and a bootstrap host, whether we still are.
    fn probe(&mut self, scene: &mut Scene<'_>, asks: &Asks) {
        let Some((at, count)) = self.probe else { return };
        if scene.now < at {
            return;
        }
        if scene.networks.nodes() == 0 {
            // Attempts to join are all there is to do.
            self.probe = None;
            return;
        }
        let longest = if count < EAGER_PROBES { EAGER } else { PATIENT };
        let wait = (RETRY * 2_u32.saturating_pow(count.min(8))).min(longest);
        self.probe = Some((scene.now + wait, count.saturating_add(1)));
        let turn = usize::try_from(count).unwrap_or(0);
        let mut chosen: Vec<Contact> = Vec::new();
        for network in scene.networks.iter() {
            let entries: Vec<_> = network.table.iter().collect();
            let around = entries.iter().cycle().skip(turn * PROBES % entries.len().max(1));
            chosen.extend(around.take(PROBES.min(entries.len())).map(|entry| *entry.contact()));
        }
        let hosts = asks.bootstrap().iter().cycle().skip(turn).take(asks.bootstrap().len().min(1));
        chosen.extend(hosts.map(|addr| Contact::unidentified(*addr)));
        for contact in chosen {
            self.ask_whether_it_lives(scene, &contact, None);
        }
    }

    fn ping(&mut self, scene: &mut Scene<'_>, contact: &Contact, id: Option<Id>) {
        self.pinging.insert(contact.addr());
        self.ask_whether_it_lives(scene, contact, id);
    }

    fn ask_whether_it_lives(&mut self, scene: &mut Scene<'_>, contact: &Contact, id: Option<Id>) {
        let Some(network) = scene.networks.of_mut(contact.family()) else { return };
        network.asked(scene.now, contact);
        let request = Request {
            own: network.id,
            to: contact.addr(),
            id,
            want: Want::NONE,
            method: Method::Ping,
            purpose: Purpose::Ping,
            patiently: false,
            hedged: false,
        };
        scene.wire.ask(scene.now, request);
    }
}

/// Whether the bucket of `contact` is ours to know completely or holds few; the rooms of the wide ones
/// fill by and by, without a ping for everybody who asks.
fn is_missed(network: &Network, contact: &Contact) -> bool {
    let prefix = network.table.own_id().shared_prefix(&contact.id());
    let mut buckets = network.table.buckets().skip(prefix);
    let Some(bucket) = buckets.next() else { return true };
    let is_home = buckets.next().is_none();
    is_home || bucket.entries < NODES
}

/// A target in the bucket that nobody passed through for longest, if that is too long.
fn stale_target(scene: &mut Scene<'_>, family: Family) -> Option<Id> {
    let network = scene.networks.of_mut(family)?;
    let bucket = network.table.stale_bucket(scene.now)?;
    let rng = &mut scene.wire.rng;
    let target = network.table.refresh_target(bucket, |bytes| rand::Rng::fill_bytes(rng, bytes));
    network.table.looked_up(scene.now, &target);
    Some(Id::from_bytes(target.to_bytes()))
}

fn jittered(scene: &mut Scene<'_>, wait: Duration) -> Duration {
    wait * scene.wire.rng.random_range(75..125) / 100
}
