//! `DhtBuilder`: what a node is told before it starts, and how its sockets come to be.
//! Separate because it is all that runs before there is a task.

use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_dht_proto::{
    AddressPolicy, Config, LimitConfig, Node, Request, Snapshot, Store, StoreConfig, Verdict,
};
use mainstay_krpc::Id;
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::runtime::Handle;

use crate::driver;
use crate::error::BuildError;
use crate::extend::Extensions;
use crate::handle::Dht;
use crate::listen::{Listen, Ports};
use crate::packets::PacketLog;
use crate::runtime::current_or_background;
use crate::state::Keeper;

/// Hosts that introduce newcomers to the public network.
pub const DEFAULT_BOOTSTRAP: [&str; 5] = [
    "dht.transmissionbt.com:6881",
    "dht.libtorrent.org:25401",
    "router.bittorrent.com:6881",
    "router.bt.ouinet.work:6881",
    "router.utorrent.com:6881",
];

/// The port that a node tries first.
pub const DEFAULT_PORT: u16 = 6881;

/// Configures a [`Dht`].
///
/// With no setting it is a client of the public network: read-only, on port 6881 or a random one, on
/// every address family that this machine has.
///
/// ```no_run
/// use mainstay_dht::Dht;
///
/// let dht = Dht::builder().server_mode(true).port(6881).build()?;
/// # Ok::<(), mainstay_dht::BuildError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct DhtBuilder {
    bootstrap: Vec<Box<str>>,
    listen: Listen,
    config: Config,
    seed: Option<[u8; 32]>,
    state: Option<PathBuf>,
    packets: usize,
    extensions: Extensions,
}

impl DhtBuilder {
    pub(crate) fn new() -> Self {
        Self {
            bootstrap: owned(&DEFAULT_BOOTSTRAP),
            listen: Listen::default(),
            config: Config { read_only: true, ..Config::default() },
            seed: None,
            state: None,
            packets: 0,
            extensions: Extensions::default(),
        }
    }

    /// Joins through these `host:port` addresses, in place of those given before and of
    /// [`DEFAULT_BOOTSTRAP`].
    ///
    /// Host names are resolved in the background, again and again until one has an address.
    pub fn bootstrap(mut self, addresses: &[impl AsRef<str>]) -> Self {
        self.bootstrap = owned(addresses);
        self
    }

    /// Joins through these `host:port` addresses as well.
    pub fn extra_bootstrap(mut self, addresses: &[impl AsRef<str>]) -> Self {
        self.bootstrap.extend(owned(addresses));
        self
    }

    /// Joins nobody: the node waits for others. For the first node of a network.
    pub fn no_bootstrap(mut self) -> Self {
        self.bootstrap.clear();
        self
    }

    /// Listens on this port of every interface, in each family; 0 takes any free one.
    ///
    /// A port that is given and taken is an error. Default: 6881 or, for a client, a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.listen.port = Some(port);
        self
    }

    /// Listens on this port where it is to be had, else on any free one, a server too: for those who tell others their
    /// port, or have it forwarded, but would rather run than not.
    ///
    /// Also at an address that [`Self::bind`] names with port 0. Counts for nothing where [`Self::port`] is called.
    pub fn prefer_port(mut self, port: u16) -> Self {
        self.listen.preferred = Some(port);
        self
    }

    /// Listens on exactly this address; port 0 takes any free one.
    ///
    /// Once this is called, the family of the other kind is off unless this is called for it, too.
    /// On a host with several IPv6 addresses, binding one of them keeps the node's address and id
    /// the same to everybody ([BEP 32](https://www.bittorrent.org/beps/bep_0032.html)).
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.listen.bind(address);
        self
    }

    /// Listens on this address, too, with an id, a table and a store of its own: for a host with several addresses
    /// of one family ([BEP 45](https://www.bittorrent.org/beps/bep_0045.html)); port 0 takes any free one.
    ///
    /// It stays one [`Dht`]. Others see a node at each address, which answers from there. A lookup or put goes out from
    /// one of them, since nodes distrust a host that asks for one target from several addresses: from the first, and
    /// from a further one while the first is offline or knows nobody. [`Dht::homes`] gives each by itself.
    ///
    /// Each further address costs what a node costs. With a [state file](Self::state_file) it has one of its own,
    /// `FILE.2` for the first further one and so on. The address that others see is learned for each;
    /// [`id`](Self::id) and [`public_ip`](Self::public_ip) are for the first.
    pub fn also_bind(mut self, address: SocketAddr) -> Self {
        self.listen.also_bind(address);
        self
    }

    /// Switches IPv4 off.
    pub fn no_ipv4(mut self) -> Self {
        self.listen.ipv4 = false;
        self
    }

    /// Switches IPv6 off.
    pub fn no_ipv6(mut self) -> Self {
        self.listen.ipv6 = false;
        self
    }

    /// How large a receive buffer to ask the system for, in bytes: it holds what arrives while the
    /// node is busy. Default: 1 MiB for each socket; the system may give less.
    pub fn receive_buffer(mut self, size: usize) -> Self {
        self.listen.receive_buffer = Some(size);
        self
    }

    /// Whether to answer others and store for them, which needs an address that they can reach.
    ///
    /// Default: false; the node is read-only
    /// ([BEP 43](https://www.bittorrent.org/beps/bep_0043.html)), and others do not remember it.
    pub fn server_mode(mut self, serve: bool) -> Self {
        self.config.read_only = !serve;
        self
    }

    /// Finds out whether strangers reach this host, and follows: a server while they do, a client while they do not.
    ///
    /// The node begins as a server on trial for a quarter of an hour, whatever [`server_mode`](Self::server_mode)
    /// says, since nobody asks a client anything. Default: false.
    pub fn adaptive(mut self, adapt: bool) -> Self {
        self.config.adaptive = adapt;
        self
    }

    /// The address that others see this host under, if it is known. Otherwise the node learns it
    /// from those it talks to.
    pub fn public_ip(mut self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.config.public_ipv4 = Some(address),
            IpAddr::V6(address) => self.config.public_ipv6 = Some(address),
        }
        self
    }

    /// Starts with this id, for instance the one of an earlier run. Default: a random one.
    pub fn id(mut self, id: Id) -> Self {
        self.config.id = Some(id);
        self
    }

    /// Keeps the node's state in this file, and starts from what an earlier run left there: its ids, the best 200
    /// nodes with their round trips, and the last 1,024 signed items it stored ([`Dht::published`]).
    ///
    /// With it a node needs no bootstrap host: it asks the nodes it knew, and those hosts only after 300 ms. The file
    /// is replaced whole every ten minutes, a minute after the first join and after a put, and at
    /// [`Dht::shutdown`]; a crash at any point leaves the one before. One node uses it at a time: a second gets
    /// [`BuildError::StateInUse`]. A link to a file stays one. Beside the file stand a file `.lock` and, while it is written, one `.new`.
    ///
    /// A file that is broken, of a newer version, or not ours never keeps the node from starting: it is renamed to
    /// `.broken` or `.newer`, and [`NodeEvent::StateSetAside`](crate::NodeEvent::StateSetAside) says why.
    ///
    /// [`DhtBuilder::build`] then reads the file: some kilobytes, 1.3 MB at most. Default: none.
    pub fn state_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.state = Some(path.into());
        self
    }

    /// Keeps the last `count` datagrams received and sent for [`Dht::packets`]: at most 65,536, up to 2 kB each.
    /// Default: 0, none.
    pub fn packet_log(mut self, count: usize) -> Self {
        self.packets = count;
        self
    }

    /// How long a node may stay silent before its request counts as lost.
    ///
    /// Well before that, at a time measured from answers, a silent request stops holding up its
    /// lookup. Default: 2 seconds.
    pub fn request_timeout(mut self, patience: Duration) -> Self {
        self.config.request_timeout = patience;
        self
    }

    /// When a lookup or put ends whatever the network does. Default: 20 seconds.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.config.ask_deadline = deadline;
        self
    }

    /// Whether lookups and puts tell what they are after to nodes near it only, about 64 of the whole network: those
    /// farther off are asked for nodes in its direction, and learn a few bits of the target.
    ///
    /// Costs a message now and then, and a value whose only copies lie far from its target. Who holds the value, and
    /// who stands beside them, learns the target still; and nothing hides this node's address. Default: false.
    pub fn private_lookups(mut self, private: bool) -> Self {
        self.config.private_lookups = private;
        self
    }

    /// How much to store for others. Matters in server mode only.
    pub fn store(mut self, caps: StoreConfig) -> Self {
        self.config.store = caps;
        self
    }

    /// Stores for others in what `make` gives, in the place of a
    /// [`MemoryStore`](mainstay_dht_proto::MemoryStore) with the caps of [`store`](Self::store). Called once for
    /// each node that is built. Matters in server mode only.
    pub fn custom_store(
        mut self,
        make: impl Fn() -> Box<dyn Store> + Send + Sync + 'static,
    ) -> Self {
        self.extensions.store = Some(Arc::new(make));
        self
    }

    /// Lets `hook` see every request of strangers, with method, target and source, before it is answered, and
    /// refuse it. It must be quick: the node waits for it; if it panics, the node is gone, and its questions end with
    /// an error.
    ///
    /// ```no_run
    /// use mainstay_dht::{Dht, Verdict};
    ///
    /// # let blocked = mainstay_krpc::Id::from_bytes([7; 20]);
    /// let dht = Dht::builder().server_mode(true).request_hook(move |request| {
    ///     if request.target == Some(blocked) { Verdict::Ignore } else { Verdict::Answer }
    /// });
    /// ```
    pub fn request_hook(
        mut self,
        hook: impl Fn(&Request<'_>) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        self.extensions.hook = Some(Arc::new(hook));
        self
    }

    /// How much strangers are sent. Matters in server mode only; [`Dht::set_limits`] changes it later.
    pub fn limits(mut self, limits: LimitConfig) -> Self {
        self.config.limits = limits;
        self
    }

    /// Which addresses the node may talk to. Default: public ones, and private ones in a private network.
    pub fn addresses(mut self, policy: AddressPolicy) -> Self {
        self.config.addresses = policy;
        self
    }

    /// Draws the node's randomness from this seed and not from the system, to replay a run.
    ///
    /// Whoever knows the seed can forge answers to this node: use it in tests only.
    pub fn seed(mut self, seed: [u8; 32]) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Binds the sockets and starts the node.
    ///
    /// Does not wait and asks no name server. The node runs in the tokio runtime of the caller or,
    /// where there is none, in a background runtime that all such nodes share.
    ///
    /// # Errors
    ///
    /// [`BuildError`], if an address cannot be bound, a bootstrap address is malformed, the limits make no sense, or the state file is in use or
    /// in a folder that cannot be written to.
    ///
    /// # Panics
    ///
    /// If the caller's tokio runtime was built without I/O or without time.
    pub fn build(self) -> Result<Dht, BuildError> {
        let (literal, names) = self.checked()?;
        let seed = match self.seed {
            Some(seed) => seed,
            None => fresh_seed()?,
        };
        let server = !self.config.read_only || self.config.adaptive;
        let runtime = current_or_background().map_err(BuildError::Runtime)?;
        let _entered = runtime.enter();
        let ports = self.listen.open(server)?;
        let further = self.listen.open_further()?;
        let mut homes = Vec::new();
        for (ports, number) in further.into_iter().zip(2_u8..) {
            let state = self.state.as_ref().map(|path| numbered(path, number));
            let own =
                Config { id: None, public_ipv4: None, public_ipv6: None, ..self.config.clone() };
            let mut seed = seed;
            if let Some(last) = seed.last_mut() {
                *last ^= number;
            }
            let plan =
                Plan { config: own, literal: literal.clone(), names: names.clone(), seed, state };
            homes.push(self.start(&runtime, ports, plan, Vec::new())?);
        }
        let state = self.state.clone();
        let plan = Plan { config: self.config.clone(), literal, names, seed, state };
        self.start(&runtime, ports, plan, homes)
    }

    /// Whether [`Self::build`] would refuse the settings for themselves, without a look at the machine: for programs that
    /// check a configuration before they need it.
    ///
    /// # Errors
    ///
    /// [`BuildError::Bootstrap`] and [`BuildError::Limits`].
    pub fn check(&self) -> Result<(), BuildError> {
        self.checked().map(drop)
    }

    /// The bootstrap addresses and names, if the settings make sense.
    fn checked(&self) -> Result<(Vec<SocketAddr>, Vec<Box<str>>), BuildError> {
        self.config.limits.check()?;
        split(&self.bootstrap)
    }

    /// Starts the node of some sockets.
    fn start(
        &self,
        runtime: &Handle,
        ports: Ports,
        plan: Plan,
        homes: Vec<Dht>,
    ) -> Result<Dht, BuildError> {
        let Plan { mut config, literal, names, seed, state } = plan;
        config.ipv4 = ports.ipv4.as_ref().and_then(|port| v4(port.local_addr()));
        config.ipv6 = ports.ipv6.as_ref().and_then(|port| v6(port.local_addr()));
        // With an address at hand, nobody need wait for the name servers.
        config.more_bootstrap = literal.is_empty() && !names.is_empty();
        config.bootstrap = literal;
        let now = Instant::now();
        let mut life =
            driver::Life { packets: PacketLog::new(self.packets), ..driver::Life::default() };
        let mut restored = None;
        if let Some(path) = &state {
            config.remember_published = Snapshot::MOST_PUBLISHED;
            let (keeper, snapshot, event) = Keeper::open(path, now)?;
            (life.keeper, restored) = (Some(keeper), snapshot);
            event.into_iter().for_each(|event| life.events.push(event));
        }
        let mut node = Node::new(config, seed, now);
        self.extensions.apply(&mut node);
        driver::set_wall_clock(&mut node, now);
        if let Some(snapshot) = restored {
            node.restore(now, &snapshot);
        }
        Ok(driver::start(runtime, node, ports, names, life, homes))
    }
}

/// What one node of a builder is made from.
struct Plan {
    config: Config,
    literal: Vec<SocketAddr>,
    names: Vec<Box<str>>,
    seed: [u8; 32],
    state: Option<PathBuf>,
}

/// The state file of a further address.
fn numbered(path: &Path, number: u8) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

fn owned(addresses: &[impl AsRef<str>]) -> Vec<Box<str>> {
    addresses.iter().map(|address| address.as_ref().into()).collect()
}

/// Tells addresses from names that have to be resolved.
fn split(bootstrap: &[Box<str>]) -> Result<(Vec<SocketAddr>, Vec<Box<str>>), BuildError> {
    let mut literal = Vec::new();
    let mut names = Vec::new();
    for address in bootstrap {
        if let Ok(address) = address.parse::<SocketAddr>() {
            literal.push(address);
            continue;
        }
        let port =
            address.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !host.contains(':'));
        if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
            return Err(BuildError::Bootstrap { address: address.clone() });
        }
        names.push(address.clone());
    }
    Ok((literal, names))
}

fn fresh_seed() -> Result<[u8; 32], BuildError> {
    let mut seed = [0; 32];
    SysRng.try_fill_bytes(&mut seed).map_err(|error| BuildError::Entropy(Box::new(error)))?;
    Ok(seed)
}

fn v4(address: SocketAddr) -> Option<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Some(address),
        SocketAddr::V6(_) => None,
    }
}

fn v6(address: SocketAddr) -> Option<SocketAddrV6> {
    match address {
        SocketAddr::V4(_) => None,
        SocketAddr::V6(address) => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use mainstay_dht_proto::LimitConfig;

    use super::split;
    use crate::{BuildError, Dht};

    #[test]
    fn names_wait_for_the_resolver_and_addresses_do_not() {
        let list =
            ["192.0.2.1:6881".into(), "[2001:db8::1]:1".into(), "dht.example.org:6881".into()];
        let (literal, names) = split(&list).unwrap();
        assert_eq!(literal.len(), 2);
        assert_eq!(names, ["dht.example.org:6881".into()]);
    }

    #[test]
    fn what_is_checked_is_what_would_be_refused() {
        let builder = Dht::builder();
        assert!(builder.check().is_ok());
        let refused = builder.clone().bootstrap(&["dht.example.org"]).check();
        assert!(matches!(refused, Err(BuildError::Bootstrap { .. })), "{refused:?}");
        let limits = LimitConfig { remembered: 0, ..LimitConfig::default() };
        let refused = builder.limits(limits).check();
        assert!(matches!(refused, Err(BuildError::Limits(_))), "{refused:?}");
    }

    #[test]
    fn a_bootstrap_address_without_a_port_is_refused() {
        for address in
            ["dht.example.org", ":6881", "2001:db8::1:6881", "host:port", "host:70000", ""]
        {
            assert!(split(&[address.into()]).is_err(), "{address}");
        }
    }
}
