//! What happens to one packet between its sender and its fate.
//! Separate from the run loop because it never touches the clock or a deadline.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::Network;
use crate::link::mix;
use crate::queue::Event;
use crate::{Datagram, Fate, Machine, Node, Packet};

impl<M: Machine> Network<M> {
    pub(super) fn send(&mut self, sender: Node, datagram: Datagram) {
        let Datagram { to, payload } = datagram;
        self.stats.sent += 1;
        self.stats.sent_bytes += payload.len() as u64;
        let host = &self.slots[sender.0].host;
        let family = |address: &&SocketAddr| address.is_ipv4() == to.is_ipv4();
        let Some(inside) = host.addresses.iter().find(family).copied() else {
            self.settle(self.now, sender, to, to, &payload, Fate::Unreachable);
            return;
        };
        let from = match host.site {
            Some(site) => self.sites[site.0].gate.outbound(self.now, inside, to),
            None => Some(inside),
        };
        match from {
            Some(from) => self.carry(sender, from, to, payload),
            None => self.settle(self.now, sender, inside, to, &payload, Fate::Filtered),
        }
    }

    /// Takes a packet across the sender's line, the network and the receiver's line.
    fn carry(&mut self, sender: Node, from: SocketAddr, to: SocketAddr, payload: Vec<u8>) {
        let receiver = self.owner(to);
        let line = |node: Node| self.slots[node.0].host.line.clone();
        let links = [line(sender), self.link.clone(), receiver.map(line).unwrap_or_default()];
        if links.iter().any(|link| !link.fits(&payload)) {
            return self.settle(self.now, sender, from, to, &payload, Fate::TooLarge);
        }
        let extra = links.iter().any(|link| link.duplicates(&mut self.rng));
        self.stats.duplicated += u64::from(extra);
        let pair = self.pair(from, to);
        for _ in 0..=usize::from(extra) {
            if links.iter().any(|link| link.loses(&mut self.rng)) {
                self.settle(self.now, sender, from, to, &payload, Fate::Lost);
                continue;
            }
            let mut payload = payload.clone();
            let mut at = self.now;
            for link in &links {
                self.stats.corrupted += u64::from(link.corrupts(&mut self.rng, &mut payload));
                at += link.delay(&mut self.rng, pair);
            }
            self.queue.push(at, Event::Arrive { sent: self.now, from, to, sender, payload });
        }
    }

    pub(super) fn arrive(
        &mut self,
        sent: Instant,
        from: SocketAddr,
        to: SocketAddr,
        sender: Node,
        payload: &[u8],
    ) {
        let fate = self.fate(from, to, sender);
        self.settle(sent, sender, from, to, payload, fate);
        match fate {
            Fate::Delivered(node) => {
                self.slots[node.0].machine.handle_datagram(self.now, from, payload);
                self.drain(node);
            }
            Fate::Unreachable if self.reports_unreachable => {
                let back = self.now + (self.now - sent);
                self.queue.push(back, Event::Unreachable { node: sender, to });
            }
            Fate::Unreachable
            | Fate::Lost
            | Fate::TooLarge
            | Fate::Partitioned
            | Fate::Filtered => {}
        }
    }

    fn fate(&self, from: SocketAddr, to: SocketAddr, sender: Node) -> Fate {
        let node = match self.gates.get(&to.ip()) {
            Some(site) => {
                let state = &self.sites[site.0];
                let from_inside = self.slots[sender.0].host.site == Some(*site);
                if from_inside && !state.gate.nat.hairpin {
                    return Fate::Filtered;
                }
                match state.gate.inbound(self.now, to.port(), from) {
                    Some(inside) => state.hosts.get(&inside),
                    None => return Fate::Filtered,
                }
            }
            None => self.open.get(&to),
        };
        match node {
            Some(node) if self.slots[node.0].part != self.slots[sender.0].part => Fate::Partitioned,
            Some(node) if self.slots[node.0].up => Fate::Delivered(*node),
            Some(_) | None => Fate::Unreachable,
        }
    }

    /// The node that an address leads to, as far as it can be told before the packet gets there.
    fn owner(&self, address: SocketAddr) -> Option<Node> {
        match self.gates.get(&address.ip()) {
            Some(site) => self.sites[site.0].hosts.values().next().copied(),
            None => self.open.get(&address).copied(),
        }
    }

    /// A number that stands for two hosts, whichever way round.
    fn pair(&self, from: SocketAddr, to: SocketAddr) -> u64 {
        let ends = [from, to].map(|end| {
            // The ports of a NAT come and go; the way to it stays the same.
            let port = if self.gates.contains_key(&end.ip()) { 0 } else { u64::from(end.port()) };
            match end.ip() {
                IpAddr::V4(ip) => mix(u64::from(ip.to_bits()) << 16 | port),
                IpAddr::V6(ip) => {
                    let segments = ip.segments().map(u64::from);
                    segments.iter().fold(port, |sum, segment| mix(sum ^ segment))
                }
            }
        });
        mix(self.seed ^ ends[0].wrapping_add(ends[1]))
    }

    fn settle(
        &mut self,
        sent: Instant,
        sender: Node,
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
