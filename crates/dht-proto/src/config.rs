//! What a node is told before it starts: addresses, patience, and the cap of everything strangers can grow.
//! Apart from the node, so that the whole list of bounds can be read in one place.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use mainstay_krpc::Id;

/// Everything a [`Node`](crate::Node) can be told.
///
/// All fields are public; build one with `Config { bootstrap, ..Config::default() }`.
/// At least one of [`ipv4`](Self::ipv4) and [`ipv6`](Self::ipv6) must be set, or every ask ends with
/// "no nodes".
#[derive(Debug, Clone)]
pub struct Config {
    /// The local address of the IPv4 socket, as the socket reports it; `None` switches IPv4 off.
    /// Default: `0.0.0.0:0`.
    pub ipv4: Option<SocketAddrV4>,
    /// The local address of the IPv6 socket; `None` switches IPv6 off. Default: `None`.
    pub ipv6: Option<SocketAddrV6>,
    /// Addresses to ask when the table is empty. Names are resolved by whoever drives the node; more can
    /// follow through [`Node::add_bootstrap`](crate::Node::add_bootstrap). Default: none.
    pub bootstrap: Vec<SocketAddr>,
    /// Whether more addresses are on their way, for instance names that are being resolved.
    ///
    /// Until [`Node::add_bootstrap`](crate::Node::add_bootstrap) was called once (with an empty list, if
    /// there turned out to be none) the first bootstrap then does not settle, asks that find nobody to ask
    /// wait instead of ending as "no nodes", and an empty [`bootstrap`](Self::bootstrap) does not make the
    /// node the first of a private network. Default: false.
    pub more_bootstrap: bool,
    /// The id to start with, for instance that of an earlier run. Default: drawn from the seed, fitting
    /// the public address where one is given ([BEP 42](https://www.bittorrent.org/beps/bep_0042.html)).
    pub id: Option<Id>,
    /// Our public IPv4 address where it is known from elsewhere; votes of strangers are then ignored.
    pub public_ipv4: Option<Ipv4Addr>,
    /// Our public IPv6 address where it is known from elsewhere.
    pub public_ipv6: Option<Ipv6Addr>,
    /// Answers nothing and asks others not to remember us
    /// ([BEP 43](https://www.bittorrent.org/beps/bep_0043.html)). For devices behind a firewall or on a
    /// metered link. Default: false.
    pub read_only: bool,
    /// Finds out whether strangers reach this node, and follows: a server while they do, read-only while they do
    /// not. It begins as a server on trial, whatever [`read_only`](Self::read_only) says, and tells each change with
    /// [`Event::Role`](crate::Event::Role). Default: false; the role stays as configured.
    pub adaptive: bool,
    /// Which addresses the node may talk to. Default: [`AddressPolicy::Auto`].
    pub addresses: AddressPolicy,
    /// How long a node may stay silent before its request counts as lost. Well before that, at a time
    /// measured from answers, a silent request stops holding up its lookup. More than a day counts as a day.
    /// Default: 2 seconds.
    pub request_timeout: Duration,
    /// When an ask ends whatever the network does, unless it has a [deadline](crate::AskOptions::deadline) of its own;
    /// more than a day counts as a day. Default: 20 seconds.
    pub ask_deadline: Duration,
    /// How many requests one lookup keeps in flight on its way to the target, stalled ones apart; at least eight
    /// once it has come to its neighbours.
    ///
    /// Asking more together ends each step with the quickest answer instead of a usual one, and waits for fewer of the
    /// dead; it costs messages. A search for a value keeps half of it in flight among the neighbours of its target, of
    /// whom the first that answers has the value; a put keeps twice as many, since it needs many answers, but asks no
    /// more there than are likely to be needed; the upkeep, and every ask while more than eight run, half as many.
    /// Default: 24.
    pub concurrency: usize,
    /// How many nodes one lookup asks at most. Default: 200.
    pub max_visits: usize,
    /// How many of the closest nodes a put stores at: 8 (a bucket) to 20.
    ///
    /// More copies survive more nodes leaving, at a message or two each. Default: 16, twice what a reader
    /// asks at the end of its lookup, so that half the neighbourhood may leave within the hour.
    pub store_at: usize,
    /// How many nodes of each family are remembered beside the table, for lookups to start next to their target;
    /// nobody is pinged for it. 0 switches it off: lookups then take two or three hops more.
    ///
    /// An entry takes about 52 bytes. Only nodes that answered us make the memory grow (those that others name
    /// fill gaps in it), so a node that asks little remembers little. Default: 4,096.
    pub contacts: usize,
    /// Whether a put stores at a node on the way as soon as it is most likely among the closest, judged by
    /// the size of the network, instead of waiting until the closest have all been found.
    ///
    /// Half of the copies are acknowledged before the closest are all known; a few are made a little farther than needed,
    /// and the eight closest that are found get theirs in any case, up to half as many copies more.
    /// A put that turns out to be outdated may then have left copies at nodes that knew nothing newer; with `cas`
    /// nothing is stored early. Default: true.
    pub eager_puts: bool,
    /// Whether only nodes near a target are told what it is, about 64 of the whole network.
    ///
    /// Nodes farther off are asked for nodes near another target, which shares four bits more with the true one than
    /// their own id does: enough to lead on, too little to tell what is looked for. Where near begins follows from
    /// the estimated size of the network. So whoever runs nodes all over the network learns less of what this one
    /// looks for; those at the target, who hold the value, learn it still. Costs a value that lies at nodes farther
    /// off, which are not asked for it, and now and then a few messages. Default: false.
    pub private_lookups: bool,
    /// How many asks may run at once; one more ends at once as
    /// [`LookupError::Busy`](crate::LookupError::Busy). Default: 4,096.
    pub max_asks: usize,
    /// How many of the signed items that we stored in the network to remember for
    /// [`Node::snapshot`](crate::Node::snapshot), the latest; about 1 kB each, at most 1,024. Default: 0.
    pub remember_published: usize,
    /// Caps of the memory that serves others.
    pub store: StoreConfig,
    /// How many requests strangers may send.
    pub limits: LimitConfig,
}

/// Caps of what the node stores for others.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Immutable items. The farthest from our id, oldest first, goes when full. Default: 2,000.
    pub immutable_items: usize,
    /// Mutable items, with the same rule. Default: 2,000.
    pub mutable_items: usize,
    /// Info hashes with peers. Default: 2,000.
    pub info_hashes: usize,
    /// Peers of one info hash; the longest silent goes when full. Default: 500.
    pub peers: usize,
    /// The share of a pool that one IP address (a /64 of IPv6) may fill: one in this many. Default: 100.
    pub share_per_address: usize,
    /// The share of a pool that one network (/24, /48 of IPv6) may fill: one in this many. Default: 20.
    pub share_per_network: usize,
    /// The share of a pool of items that one provider (/16, /32 of IPv6) may fill: one in this many.
    /// Default: 5.
    pub share_per_provider: usize,
    /// How long an item lives after its last put. Default: 2 hours, as
    /// [BEP 44](https://www.bittorrent.org/beps/bep_0044.html) expects.
    pub item_lifetime: Duration,
    /// How long a peer lives after its last announce. Default: 45 minutes.
    pub peer_lifetime: Duration,
    /// How far a sequence number, read as microseconds since 1970, may run ahead of the wall clock; nothing
    /// is judged while no wall clock is set. Counters and coarser times are far below it; who numbers items
    /// in nanoseconds is refused. `None` switches the check off. Default: 24 hours.
    pub sequence_ahead: Option<Duration>,
}

/// Budgets for what strangers are sent, each in any one second: three fifths of it for longer than that.
///
/// Who is over budget gets no answer. Loopback is exempt, and so are private addresses where the node may talk to
/// them: a test network is one host. An address is proven while it is in our table, or for ten minutes after it
/// answered a request of ours or showed a token; any other may be the victim of who sends in its name, and is
/// answered with at most three times the bytes it sent (a stored value apart).
///
/// With 0 nothing is sent. A budget of bytes holds two fifths of itself at once: below 3,500 the largest answers (1,400
/// bytes, a stored value) are never sent, below 2,560 some lists of nodes are not either.
#[derive(Debug, Clone)]
pub struct LimitConfig {
    /// Replies to one unproven IP address (a /64 of IPv6). Default: 12.
    pub replies_per_address: u32,
    /// Replies to one network (/24, /48 of IPv6) for its unproven addresses. Default: 20.
    pub replies_per_network: u32,
    /// Replies to one proven IP address. Default: 100.
    pub replies_per_proven_address: u32,
    /// Bytes of replies to one IP address, proven or not. Default: 6,000.
    pub bytes_per_address: u32,
    /// Bytes of replies to one network, proven or not. Default: 10,000.
    pub bytes_per_network: u32,
    /// Bytes of replies to everybody together, of which unproven addresses get half; a reply counts as 64 at least.
    /// Default: 1,000,000.
    pub bytes_in_total: u32,
    /// How many budgets are kept, eight bytes each, in sets of eight. A keyed hash gives a sender its set; while more
    /// than eight are in use there, a newcomer shares the one used least. With one for every 500 of
    /// [`bytes_in_total`](Self::bytes_in_total) a flood spends that before it starves anybody by sharing.
    /// Default: 2,048.
    pub remembered: usize,
}

/// Which addresses the node asks, remembers and hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressPolicy {
    /// Public addresses only, except that a node whose own socket, or one of whose bootstrap addresses,
    /// is loopback or private may talk to such addresses; a node without any bootstrap address is taken
    /// for the first of a private network and may too.
    Auto,
    /// Public addresses only.
    Public,
    /// Any unicast address, loopback and private ones included.
    Any,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ipv4: Some(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)),
            ipv6: None,
            bootstrap: Vec::new(),
            more_bootstrap: false,
            id: None,
            public_ipv4: None,
            public_ipv6: None,
            read_only: false,
            adaptive: false,
            addresses: AddressPolicy::Auto,
            request_timeout: Duration::from_secs(2),
            ask_deadline: Duration::from_secs(20),
            concurrency: 24,
            max_visits: 200,
            store_at: 16,
            contacts: 4096,
            eager_puts: true,
            private_lookups: false,
            max_asks: 4096,
            remember_published: 0,
            store: StoreConfig::default(),
            limits: LimitConfig::default(),
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            immutable_items: 2000,
            mutable_items: 2000,
            info_hashes: 2000,
            peers: 500,
            share_per_address: 100,
            share_per_network: 20,
            share_per_provider: 5,
            item_lifetime: Duration::from_secs(2 * 3600),
            peer_lifetime: Duration::from_secs(45 * 60),
            sequence_ahead: Some(Duration::from_secs(24 * 3600)),
        }
    }
}

impl LimitConfig {
    /// Without a bound on replies and bytes: for a network of one's own, a test, a load generator that asks for everybody.
    /// A node on the Internet would amplify whatever forged senders ask.
    #[must_use]
    pub fn unlimited() -> Self {
        Self {
            replies_per_address: u32::MAX,
            replies_per_network: u32::MAX,
            replies_per_proven_address: u32::MAX,
            bytes_per_address: u32::MAX,
            bytes_per_network: u32::MAX,
            bytes_in_total: u32::MAX,
            ..Self::default()
        }
    }
}

impl Default for LimitConfig {
    fn default() -> Self {
        Self {
            replies_per_address: 12,
            replies_per_network: 20,
            replies_per_proven_address: 100,
            bytes_per_address: 6000,
            bytes_per_network: 10_000,
            bytes_in_total: 1_000_000,
            remembered: 2048,
        }
    }
}
