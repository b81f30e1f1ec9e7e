//! What happens to one packet between its sender and its fate.
//! Separate from the run loop because it never touches the clock or a deadline.

use std::net::SocketAddr;
use std::time::Instant;

use super::Network;
use crate::dice::{Dice, address_word, mix};
use crate::link::Channel;
use crate::queue::Event;
use crate::trace::content_word;
use crate::{Datagram, Fate, Machine, Node, Packet};

/// What draws for packets are made with, beside the seed.
const PACKET: u64 = 0x7061_636b_6574;

impl<M: Machine> Network<M> {
    pub(super) fn send(&mut self, sender: Node, datagram: Datagram) {
        let Datagram { to, payload } = datagram;
        self.stats.sent += 1;
        self.stats.sent_bytes += payload.len() as u64;
        let host = &self.slots[sender.0].host;
        let family = |address: &&SocketAddr| address.is_ipv4() == to.is_ipv4();
        let Some(inside) = host.addresses.iter().find(family).copied() else {
            self.settle(self.now, Some(sender), to, to, &payload, Fate::Unreachable);
            return;
        };
        let from = match host.site {
            Some(site) => self.sites[site.0].gate.outbound(self.now, inside, to),
            None => Some(inside),
        };
        let Some(from) = from else {
            return self.settle(self.now, Some(sender), inside, to, &payload, Fate::Filtered);
        };
        match self.departure(sender, payload.len()) {
            Some(at) => self.carry(Some(sender), at, from, to, payload),
            None => self.settle(self.now, Some(sender), from, to, &payload, Fate::Lost),
        }
    }

    /// When a packet of this size has left its sender's uplink; `None` if it has no room for it.
    fn departure(&mut self, sender: Node, size: usize) -> Option<Instant> {
        let slot = &mut self.slots[sender.0];
        let Some(uplink) = slot.host.line.uplink else { return Some(self.now) };
        let begins = slot.uplink_free.max(self.now);
        if begins.saturating_duration_since(self.now) > uplink.queue {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a datagram's size is small")]
        let takes = size as f64 / uplink.bytes_per_second.max(1.0);
        slot.uplink_free = begins + std::time::Duration::from_secs_f64(takes);
        Some(slot.uplink_free)
    }

    /// Takes a packet, at `leaves`, across the sender's line, the network and the receiver's line.
    pub(super) fn carry(
        &mut self,
        sender: Option<Node>,
        leaves: Instant,
        from: SocketAddr,
        to: SocketAddr,
        payload: Vec<u8>,
    ) {
        let receiver = self.owner(to);
        let mut dice = self.dice(leaves, from, to, &payload);
        let lines = [sender, receiver].map(|node| node.map(|node| &self.slots[node.0].host.line));
        let links = [lines[0], Some(&self.link), lines[1]];
        if !links.iter().flatten().all(|link| link.fits(&payload, &mut dice)) {
            return self.settle(self.now, sender, from, to, &payload, Fate::TooLarge);
        }
        let extra = links.iter().flatten().any(|link| link.duplicates(&mut dice));
        self.stats.duplicated += u64::from(extra);
        let pair = self.pair(from, to);
        let mut copies = [extra.then(|| payload.clone()), Some(payload)];
        for payload in copies.iter_mut().filter_map(Option::take) {
            if self.loses(sender, receiver, [from, to], leaves, &mut dice) {
                self.settle(self.now, sender, from, to, &payload, Fate::Lost);
                continue;
            }
            let mut payload = payload;
            let mut at = leaves;
            let line = |node: Option<Node>| node.map(|node| &self.slots[node.0].host.line);
            for link in [line(sender), Some(&self.link), line(receiver)].into_iter().flatten() {
                self.stats.corrupted += u64::from(link.corrupts(&mut dice, &mut payload));
                at += link.delay(&mut dice, pair);
            }
            self.queue.push(at, Event::Arrive { sent: leaves, from, to, sender, payload });
        }
    }

    /// Whether a stretch of the way loses a packet; moves the channels of those that have bursts.
    fn loses(
        &mut self,
        sender: Option<Node>,
        receiver: Option<Node>,
        [from, to]: [SocketAddr; 2],
        at: Instant,
        dice: &mut Dice,
    ) -> bool {
        for (end, direction) in [(sender, 0), (receiver, 1)] {
            let Some(node) = end else { continue };
            let slot = &mut self.slots[node.0];
            if slot.host.line.loses(at, &mut slot.channels[direction], dice) {
                return true;
            }
        }
        if self.link.bursts.is_none() {
            return self.link.loses(at, &mut Channel::default(), dice);
        }
        let way = mix(address_word(from)) ^ address_word(to);
        self.link.loses(at, self.channels.entry(way).or_default(), dice)
    }

    pub(super) fn arrive(
        &mut self,
        sent: Instant,
        from: SocketAddr,
        to: SocketAddr,
        sender: Option<Node>,
        payload: &[u8],
    ) {
        let fate = self.fate(from, to, sender);
        self.settle(sent, sender, from, to, payload, fate);
        match fate {
            Fate::Delivered(node) => {
                self.slots[node.0].machine.handle_datagram(self.now, from, payload);
                self.drain(node);
            }
            Fate::Backdrop => self.answer(from, to, payload),
            Fate::Unreachable if self.reports_unreachable => {
                if let Some(node) = sender {
                    let back = self.now + (self.now - sent);
                    self.queue.push(back, Event::Unreachable { node, to });
                }
            }
            Fate::Unreachable
            | Fate::Lost
            | Fate::TooLarge
            | Fate::Partitioned
            | Fate::Limited
            | Fate::Filtered => {}
        }
    }

    /// Lets the backdrop answer, and sends what it says.
    fn answer(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        let Some(backdrop) = &mut self.backdrop else { return };
        let mut replies = std::mem::take(&mut self.replies);
        backdrop.handle_datagram(self.now, from, to, payload, &mut replies);
        for reply in replies.drain(..) {
            self.stats.sent += 1;
            self.stats.sent_bytes += reply.payload.len() as u64;
            self.carry(None, self.now + reply.after, reply.from, reply.to, reply.payload);
        }
        self.replies = replies;
    }

    fn fate(&mut self, from: SocketAddr, to: SocketAddr, sender: Option<Node>) -> Fate {
        let node = match self.gates.get(&to.ip()) {
            Some(site) => {
                let state = &self.sites[site.0];
                let home = sender.and_then(|sender| self.slots[sender.0].host.site);
                if home == Some(*site) && !state.gate.nat.hairpin {
                    return Fate::Filtered;
                }
                match state.gate.inbound(self.now, to.port(), from) {
                    Some(inside) => state.hosts.get(&inside),
                    None => return Fate::Filtered,
                }
            }
            None => self.open.get(&to),
        };
        let part = sender.map_or(0, |sender| self.slots[sender.0].part);
        let Some(node) = node.copied() else {
            return match &self.backdrop {
                Some(backdrop) if backdrop.owns(to) && part == 0 => Fate::Backdrop,
                Some(_) | None => Fate::Unreachable,
            };
        };
        let slot = &mut self.slots[node.0];
        if slot.part != part {
            Fate::Partitioned
        } else if !slot.up {
            Fate::Unreachable
        } else if let Some(limit) = slot.host.limit
            && !slot.door.admits(self.now, &limit, from.ip())
        {
            Fate::Limited
        } else {
            Fate::Delivered(node)
        }
    }

    /// The node that an address leads to, as far as it can be told before the packet gets there.
    fn owner(&self, address: SocketAddr) -> Option<Node> {
        match self.gates.get(&address.ip()) {
            Some(site) => self.sites[site.0].hosts.values().next().copied(),
            None => self.open.get(&address).copied(),
        }
    }

    /// The luck of one packet: it depends on nothing but the packet itself.
    fn dice(&self, leaves: Instant, from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Dice {
        let at = leaves.saturating_duration_since(self.start);
        let moment = at.as_secs() << 32 | u64::from(at.subsec_nanos());
        let content = content_word(payload);
        Dice::of(&[self.seed ^ PACKET, address_word(from), address_word(to), moment, content])
    }

    /// A number that stands for two hosts, whichever way round.
    pub(super) fn pair(&self, from: SocketAddr, to: SocketAddr) -> u64 {
        let ends = [from, to].map(|mut end| {
            // The ports of a NAT come and go; the way to it stays the same.
            if self.gates.contains_key(&end.ip()) {
                end.set_port(0);
            }
            address_word(end)
        });
        mix(self.seed ^ ends[0].wrapping_add(ends[1]))
    }

    fn settle(
        &mut self,
        sent: Instant,
        sender: Option<Node>,
        from: SocketAddr,
        to: SocketAddr,
        payload: &[u8],
        fate: Fate,
    ) {
        let packet = Packet { sent, at: self.now, sender, from, to, payload, fate };
        self.stats.count(fate);
        self.trace.packet(self.start, &packet);
        if let Some(capture) = &mut self.capture {
            capture(&packet);
        }
    }
}
