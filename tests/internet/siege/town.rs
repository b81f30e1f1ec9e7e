//! A town of a thousand or so lazy nodes in each family, and those who move in to besiege one of them.
//! Separate because it has no clock and no node: it only answers.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use mainstay_krpc::{
    Body, Id, Message, Method, NodeInfo, NodeInfo6, Nodes, Nodes6, Query, Response, bep42,
};
use mainstay_sim::{Backdrop, Dice, Lifetime, Reply};

/// How long the honest stay, and which share of them is away.
const SESSION: Lifetime = Lifetime::Exponential(Duration::from_secs(12_000));
const AWAY: f64 = 0.3;
/// The port of everybody.
const PORT: u16 = 6881;
/// Every how many newcomers an attacker knocks again: once an hour.
const AGAIN: u64 = 300;
/// How often it does.
const TIMES: u64 = 12;
/// How many attackers on either side of a target are considered for an answer.
const NEAR: usize = 24;

/// Somebody with an address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) id: Id,
    pub(super) addr: SocketAddr,
}

/// Everybody but the node under siege.
pub(super) struct Town {
    seed: u64,
    began: Option<Instant>,
    /// The honest of each family.
    honest: [Vec<Member>; 2],
    /// Where in `honest` an address is.
    houses: HashMap<SocketAddr, usize>,
    /// The attackers of each family, by id.
    hostile: [BTreeMap<Id, SocketAddr>; 2],
    /// The same in the order they came.
    arrivals: Vec<[Member; 2]>,
    ids: HashMap<SocketAddr, Id>,
}

impl Town {
    /// So many honest nodes in each family, each in a /16 or /32 of its own.
    pub(super) fn new(seed: u64, honest: usize) -> Self {
        let member = |family: usize, number: usize| {
            let [.., high, low] = number.to_be_bytes();
            let addr: SocketAddr = if family == 0 {
                let [first, second] = [number % 80, number / 80].map(|byte| byte as u8);
                (Ipv4Addr::new(20 + first, second, 1, 1), PORT).into()
            } else {
                let second = u16::from_be_bytes([high, low]);
                (Ipv6Addr::new(0x2a01, second, 1, 0, 0, 0, 0, 1), PORT).into()
            };
            Member { id: bep42::id_for(addr.ip(), random(seed, family, number as u64)), addr }
        };
        let honest = [0, 1].map(|family| {
            (0..honest).map(|number| member(family, number)).collect::<Vec<Member>>()
        });
        let places = honest.iter().flat_map(|all| all.iter().enumerate());
        let houses = places.map(|(at, member)| (member.addr, at)).collect();
        Self {
            seed,
            began: None,
            honest,
            houses,
            hostile: [BTreeMap::new(), BTreeMap::new()],
            arrivals: Vec::new(),
            ids: HashMap::new(),
        }
    }

    /// The first of the honest of each family.
    pub(super) fn some_addresses(&self, count: usize) -> Vec<SocketAddr> {
        let first = self.honest.iter().flat_map(|all| all.iter().take(8 * count).step_by(8));
        first.map(|member| member.addr).collect()
    }

    /// One attacker of each family moves in: the odd ones next to these ids, the others where their address says.
    pub(super) fn move_in(&mut self, number: u64, near: [Id; 2]) -> [Member; 2] {
        let members = [0, 1].map(|family| {
            let [.., high, low] = number.to_be_bytes();
            let addr: SocketAddr = if family == 0 {
                // Over all /24s of the /16 first.
                (Ipv4Addr::new(120, 7, low, high + 1), PORT).into()
            } else {
                let third = u16::from_be_bytes([high, low]);
                (Ipv6Addr::new(0x2600, 0xbad, third, 0, 0, 0, 0, 1), PORT).into()
            };
            let mut dice = Dice::of(&[self.seed, 0x0076_6963_7469, number]);
            let id = if number.is_multiple_of(2) {
                bep42::id_for(addr.ip(), random(self.seed ^ 1, family, number))
            } else {
                let mut bytes = near[family].to_bytes();
                let (first, rest) = bytes.split_at_mut(1 + number as usize % 6);
                rest.fill_with(|| dice.below(256) as u8);
                first[0] ^= (dice.below(4) == 0) as u8;
                Id::from_bytes(bytes)
            };
            self.hostile[family].insert(id, addr);
            self.ids.insert(addr, id);
            Member { id, addr }
        });
        self.arrivals.push(members);
        members
    }

    /// The attackers that knock once more when this one comes.
    pub(super) fn reminders(&self, number: u64) -> Vec<Member> {
        let hours = (1..=TIMES).filter_map(|hour| number.checked_sub(hour * AGAIN));
        hours.filter_map(|at| self.arrivals.get(at as usize)).flatten().copied().collect()
    }

    pub(super) fn is_hostile(&self, addr: SocketAddr) -> bool {
        match addr {
            SocketAddr::V4(addr) => addr.ip().octets()[..2] == [120, 7],
            SocketAddr::V6(addr) => addr.ip().segments()[..2] == [0x2600, 0xbad],
        }
    }

    fn is_home(&self, now: Instant, addr: SocketAddr, at: usize) -> bool {
        let mut dice = Dice::of(&[self.seed, u64::from(addr.is_ipv4()), at as u64]);
        let session = SESSION.draw(&mut dice).max(Duration::from_secs(60)).as_secs_f64();
        let cycle = session / (1.0 - AWAY);
        let clock = self.began.map_or(0.0, |began| (now - began).as_secs_f64());
        (clock / cycle + dice.unit()).fract() * cycle < session
    }

    /// The eight closest to a target that the one at `owner` names: attackers name each other, the honest whom they
    /// happen to know, attackers too.
    fn named(&self, owner: Member, target: &Id) -> Vec<Member> {
        let family = usize::from(owner.addr.is_ipv6());
        let hostile = &self.hostile[family];
        let around =
            hostile.range(target..).take(NEAR).chain(hostile.range(..target).rev().take(NEAR));
        let around = around.map(|(id, addr)| Member { id: *id, addr: *addr });
        let mut named: Vec<Member> = if self.is_hostile(owner.addr) {
            around.collect()
        } else {
            let honest = self.honest[family].iter().copied();
            honest.chain(around).filter(|member| self.knows(&owner.id, &member.id)).collect()
        };
        named.retain(|member| member.id != owner.id);
        named.sort_unstable_by_key(|member| distance(&member.id, target));
        named.truncate(8);
        named
    }

    /// A quarter of all, and all of its neighbourhood.
    fn knows(&self, owner: &Id, member: &Id) -> bool {
        let [own, other] = [owner, member].map(|id| {
            let [a, b, c, d, e, f, g, h, ..] = id.to_bytes();
            u64::from_be_bytes([a, b, c, d, e, f, g, h])
        });
        (own ^ other) >> 59 == 0 || Dice::of(&[self.seed, own, other]).below(4) == 0
    }

    fn answer(&self, owner: Member, from: SocketAddr, tid: &[u8], query: &Query<'_>) -> Vec<u8> {
        let target = match &query.method {
            Method::FindNode { target } | Method::Get { target, .. } => Some(target),
            Method::GetPeers { info_hash, .. } => Some(info_hash),
            _ => None,
        };
        let named = target.map_or_else(Vec::new, |target| self.named(owner, target));
        let (mut nodes, mut nodes6) = (Vec::new(), Vec::new());
        for Member { id, addr } in named {
            match addr {
                SocketAddr::V4(addr) => nodes.push(NodeInfo { id, addr }),
                SocketAddr::V6(addr) => nodes6.push(NodeInfo6 { id, addr }),
            }
        }
        let mut response = Response::new(owner.id);
        response.nodes = Nodes::List(&nodes);
        response.nodes6 = Nodes6::List(&nodes6);
        response.token = matches!(query.method, Method::Get { .. } | Method::GetPeers { .. })
            .then_some(b"token".as_slice());
        let mut message = Message::response(tid, response);
        message.ip = Some(from);
        let mut payload = Vec::with_capacity(400);
        message.encode(&mut payload);
        payload
    }
}

impl Backdrop for Town {
    fn owns(&self, address: SocketAddr) -> bool {
        self.is_hostile(address) || self.houses.contains_key(&address)
    }

    fn handle_datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
        replies: &mut Vec<Reply>,
    ) {
        self.began.get_or_insert(now);
        let Ok(Message { transaction, body: Body::Query(query), .. }) = Message::decode(datagram)
        else {
            return;
        };
        let family = usize::from(to.is_ipv6());
        let owner = match self.houses.get(&to) {
            Some(at) if !self.is_home(now, to, *at) => return,
            Some(at) => self.honest[family][*at],
            None => match self.ids.get(&to) {
                Some(id) => Member { id: *id, addr: to },
                None => return,
            },
        };
        let payload = self.answer(owner, from, transaction, &query);
        let thinking = Dice::of(&[self.seed, u64::from(to.port())]).below(80);
        // Who attacks answers at once.
        let after = if self.is_hostile(to) { 0 } else { 20 + thinking };
        replies.push(Reply { from: to, to: from, payload, after: Duration::from_millis(after) });
    }
}

fn random(seed: u64, family: usize, number: u64) -> [u8; 20] {
    let mut dice = Dice::of(&[seed, 0x0074_6f77, family as u64, number]);
    let mut bytes = [0; 20];
    bytes.fill_with(|| dice.below(256) as u8);
    bytes
}

fn distance(id: &Id, target: &Id) -> [u8; 20] {
    let mut distance = id.to_bytes();
    for (byte, other) in distance.iter_mut().zip(target.as_bytes()) {
        *byte ^= other;
    }
    distance
}
