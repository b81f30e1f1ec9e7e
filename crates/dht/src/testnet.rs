//! Networks of real nodes on loopback, in one process, for tests and for trying things out.
//! Separate because its nodes are ordinary ones: it has no other way to them than anybody.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mainstay_dht_proto::{Ask, LimitConfig, RemoteNode, StoreConfig};
use mainstay_krpc::Id;

use crate::builder::DhtBuilder;
use crate::command::Reply;
use crate::error::BuildError;
use crate::handle::Dht;
use crate::runtime::block_on;

/// A network of ordinary nodes on loopback, all joined. Dropping it (and the handles taken from
/// it) ends them.
///
/// ```
/// use mainstay_dht::{Dht, Testnet};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let testnet = Testnet::new(10).await?;
/// let dht = Dht::builder().bootstrap(&testnet.bootstrap).bind("127.0.0.1:0".parse()?).build()?;
/// assert!(dht.ready().await);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Testnet {
    /// Addresses to give to [`DhtBuilder::bootstrap`]: a few of the nodes.
    pub bootstrap: Vec<String>,
    /// The nodes.
    pub nodes: Vec<Dht>,
}

/// Configures a [`Testnet`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct TestnetBuilder {
    nodes: usize,
    address: IpAddr,
    node: DhtBuilder,
}

impl Testnet {
    /// Starts to configure a network of this many nodes.
    pub fn builder(nodes: usize) -> TestnetBuilder {
        TestnetBuilder { nodes, address: Ipv4Addr::LOCALHOST.into(), node: Dht::builder() }
    }

    /// A network of this many nodes, all joined.
    ///
    /// # Errors
    ///
    /// [`BuildError`], if a node cannot be started: most likely the limit of open files.
    pub async fn new(nodes: usize) -> Result<Self, BuildError> {
        Self::builder(nodes).build().await
    }

    /// As [`Testnet::new`], for threads without an executor.
    ///
    /// # Errors
    ///
    /// As [`Testnet::new`].
    pub fn blocking(nodes: usize) -> Result<Self, BuildError> {
        Self::builder(nodes).build_blocking()
    }

    /// Ends all nodes and waits until their sockets are closed.
    pub async fn shutdown(self) {
        for node in &self.nodes {
            node.shutdown().await;
        }
    }
}

impl TestnetBuilder {
    /// Gives the nodes IPv6 in place of IPv4.
    pub fn ipv6(self) -> Self {
        self.bind_address(Ipv6Addr::LOCALHOST.into())
    }

    /// The address that all nodes listen on, each at a port of its own. Default: 127.0.0.1.
    pub fn bind_address(mut self, address: IpAddr) -> Self {
        self.address = address;
        self
    }

    /// How much each node stores for others.
    pub fn store(mut self, caps: StoreConfig) -> Self {
        self.node = self.node.store(caps);
        self
    }

    /// How many requests each node answers.
    pub fn limits(mut self, limits: LimitConfig) -> Self {
        self.node = self.node.limits(limits);
        self
    }

    /// Starts the nodes and waits until all have joined, and each is found by another.
    ///
    /// # Errors
    ///
    /// [`BuildError`], if a node cannot be started: most likely the limit of open files.
    pub async fn build(self) -> Result<Testnet, BuildError> {
        let mut nodes: Vec<Dht> = Vec::with_capacity(self.nodes);
        let template = self
            .node
            .bind(SocketAddr::new(self.address, 0))
            .receive_buffer(RECEIVE_BUFFER)
            .server_mode(true);
        // Each wave is as large as the network that takes it in. All at once would grow several networks
        // whose tables are full before they meet, and one after the other would take longer.
        while nodes.len() < self.nodes {
            let there = nodes.len();
            for index in there..self.nodes.min((2 * there).max(1)) {
                let known: Vec<String> =
                    nodes.get(index - there).map(address).into_iter().collect();
                nodes.push(template.clone().bootstrap(&known).build()?);
            }
            for newcomer in &nodes[there..] {
                newcomer.ready().await;
            }
        }
        connect(&nodes).await?;
        let bootstrap = nodes.iter().take(BOOTSTRAP).map(address).collect();
        Ok(Testnet { bootstrap, nodes })
    }

    /// As [`TestnetBuilder::build`], for threads without an executor.
    ///
    /// # Errors
    ///
    /// As [`TestnetBuilder::build`].
    pub fn build_blocking(self) -> Result<Testnet, BuildError> {
        block_on(self.build())
    }
}

/// How many nodes are named to newcomers.
const BOOTSTRAP: usize = 8;
/// The receive buffer of a node in a test network: hundreds of datagrams.
const RECEIVE_BUFFER: usize = 256 * 1024;
/// How often nodes that nobody finds may walk to their neighbourhood again.
const ROUNDS: usize = 8;

fn address(node: &Dht) -> String {
    node.local_addr().to_string()
}

/// Makes sure that every node is found.
///
/// Each is looked up by the next one in the order of ids: that ring leaves no node, and no group of
/// nodes, unknown to the rest. Nodes that join at the same time may miss each other, so who is not
/// found walks to its own neighbourhood once more, now that everybody is there.
async fn connect(nodes: &[Dht]) -> Result<(), BuildError> {
    let mut ring: Vec<(Id, &Dht)> = nodes.iter().map(|node| (node.info().id(), node)).collect();
    ring.sort_unstable_by_key(|(id, _)| *id);
    let next = |at: usize| ring[(at + 1) % ring.len()];
    let mut hidden: Vec<usize> = (0..ring.len()).collect();
    for _ in 0..ROUNDS {
        let found = find_all(hidden.iter().map(|at| (next(*at).1, ring[*at].0))).await;
        let is_hidden = |(at, found): (usize, Vec<RemoteNode>)| {
            let first = found.first().map(|node| node.id);
            (ring.len() > 1 && first != Some(ring[at].0)).then_some(at)
        };
        hidden = hidden.into_iter().zip(found).filter_map(is_hidden).collect();
        if hidden.is_empty() {
            return Ok(());
        }
        find_all(hidden.iter().map(|at| (ring[*at].1, ring[*at].0))).await;
    }
    Err(BuildError::NotConnected { nodes: hidden.len() })
}

/// Lets each node look for its id, all at once.
async fn find_all(searches: impl Iterator<Item = (&Dht, Id)>) -> Vec<Vec<RemoteNode>> {
    let mut questions = Vec::new();
    for (seeker, target) in searches {
        questions.push(seeker.begin(Ask::FindNode { target }, Reply::Nodes).await);
    }
    let mut answers = Vec::with_capacity(questions.len());
    for question in questions {
        let answer = match question {
            Some(question) => question.answer().await,
            None => None,
        };
        answers.push(answer.and_then(Result::ok).unwrap_or_default());
    }
    answers
}
