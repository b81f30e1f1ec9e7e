//! Address translation: which packets get out, as whom, and which get in.
//! Separate because it is a state machine of its own between a site and the open network.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// The box between a site and the open network.
#[derive(Debug, Clone)]
pub struct Nat {
    /// The address it shows to the outside.
    pub outside: IpAddr,
    /// How it translates and whom it lets in.
    pub kind: NatKind,
    /// How long a mapping, or a pass for answers, lives after the last packet out. Incoming
    /// packets do not extend it ([RFC 4787](https://www.rfc-editor.org/rfc/rfc4787) leaves that
    /// open; this is the harder case).
    pub lifetime: Duration,
    /// Whether a packet from inside to the outside address comes back in. Default boxes do not.
    pub hairpin: bool,
}

impl Nat {
    /// A box of this kind whose mappings live 60 seconds, without hairpin.
    pub const fn new(outside: IpAddr, kind: NatKind) -> Self {
        Self { outside, kind, lifetime: Duration::from_secs(60), hairpin: false }
    }
}

/// How a NAT translates and whom it lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NatKind {
    /// One outside port for an inside address; anybody may send to it while it lives.
    FullCone,
    /// One outside port for an inside address; only hosts it sent to lately may send, from any of
    /// their ports.
    AddressRestricted,
    /// One outside port for an inside address; only addresses it sent to lately may answer.
    PortRestricted,
    /// Another outside port for each destination; only that destination may answer.
    Symmetric,
    /// Ports are kept as they are; only addresses sent to lately may answer.
    Firewall,
}

/// A NAT at work.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) nat: Nat,
    /// Outside ports in use, by what they stand for.
    ports: BTreeMap<Flow, Port>,
    /// The same, by outside port.
    flows: BTreeMap<u16, Flow>,
    /// When each inside address last sent to each outside one.
    passes: BTreeMap<(SocketAddr, SocketAddr), Instant>,
    next_port: u16,
    /// Entries after the last sweep: the next comes when there are twice as many.
    swept: usize,
}

/// What an outside port stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Flow {
    inside: SocketAddr,
    /// The only destination, in a symmetric NAT.
    to: Option<SocketAddr>,
}

#[derive(Debug, Clone, Copy)]
struct Port {
    number: u16,
    used: Instant,
}

impl Gate {
    pub(crate) const fn new(nat: Nat) -> Self {
        Self {
            nat,
            ports: BTreeMap::new(),
            flows: BTreeMap::new(),
            passes: BTreeMap::new(),
            next_port: 1024,
            swept: 0,
        }
    }

    /// A packet leaves: the source that the outside sees. `None` when every port is in use.
    pub(crate) fn outbound(
        &mut self,
        now: Instant,
        inside: SocketAddr,
        to: SocketAddr,
    ) -> Option<SocketAddr> {
        self.sweep(now);
        self.passes.insert((inside, to), now);
        let flow = match self.nat.kind {
            NatKind::Symmetric => Flow { inside, to: Some(to) },
            NatKind::FullCone
            | NatKind::AddressRestricted
            | NatKind::PortRestricted
            | NatKind::Firewall => Flow { inside, to: None },
        };
        let number = match self.ports.get(&flow) {
            Some(port) if !self.expired(now, port.used) => port.number,
            Some(_) | None => self.open(flow)?,
        };
        self.ports.insert(flow, Port { number, used: now });
        Some(SocketAddr::new(self.nat.outside, number))
    }

    /// A packet arrives at an outside port: the inside address that gets it, if any.
    pub(crate) fn inbound(&self, now: Instant, port: u16, from: SocketAddr) -> Option<SocketAddr> {
        let flow = self.flows.get(&port)?;
        if self.expired(now, self.ports.get(flow)?.used) {
            return None;
        }
        let invited = match self.nat.kind {
            NatKind::FullCone => true,
            NatKind::AddressRestricted => {
                let ports =
                    [0, u16::MAX].map(|port| (flow.inside, SocketAddr::new(from.ip(), port)));
                let mut passes = self.passes.range(ports[0]..=ports[1]);
                passes.any(|(_, sent)| !self.expired(now, *sent))
            }
            NatKind::PortRestricted | NatKind::Symmetric | NatKind::Firewall => {
                self.passes.get(&(flow.inside, from)).is_some_and(|sent| !self.expired(now, *sent))
            }
        };
        let meant = flow.to.is_none_or(|to| to == from);
        (invited && meant).then_some(flow.inside)
    }

    /// Forgets everything, as after a restart.
    pub(crate) fn forget(&mut self) {
        self.ports.clear();
        self.flows.clear();
        self.passes.clear();
    }

    fn expired(&self, now: Instant, used: Instant) -> bool {
        now.saturating_duration_since(used) > self.nat.lifetime
    }

    /// Takes a free outside port for a flow: the inside port if it can be kept, else the next.
    fn open(&mut self, flow: Flow) -> Option<u16> {
        if let Some(old) = self.ports.remove(&flow) {
            self.flows.remove(&old.number);
        }
        let wanted = match self.nat.kind {
            NatKind::Firewall => Some(flow.inside.port()),
            NatKind::FullCone
            | NatKind::AddressRestricted
            | NatKind::PortRestricted
            | NatKind::Symmetric => None,
        };
        let number = wanted.filter(|port| !self.flows.contains_key(port)).or_else(|| {
            let ports = (0..=u16::MAX).map(|step| self.next_port.wrapping_add(step));
            ports.filter(|port| *port >= 1024).find(|port| !self.flows.contains_key(port))
        })?;
        self.next_port = number.wrapping_add(1).max(1024);
        self.flows.insert(number, flow);
        Some(number)
    }

    /// Drops what has expired, each time the box has grown to twice what it held.
    fn sweep(&mut self, now: Instant) {
        if self.passes.len() < 2 * self.swept.max(64) {
            return;
        }
        let lifetime = self.nat.lifetime;
        let lives = |used: Instant| now.saturating_duration_since(used) <= lifetime;
        self.passes.retain(|_, sent| lives(*sent));
        self.ports.retain(|_, port| lives(port.used));
        let ports = &self.ports;
        self.flows.retain(|_, flow| ports.contains_key(flow));
        self.swept = self.passes.len();
    }
}

#[cfg(test)]
mod tests;
