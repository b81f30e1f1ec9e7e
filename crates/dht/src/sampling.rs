//! A walk through the whole network, asking every node once which info hashes it holds (BEP 51).
//! Separate from the lookups, which go to one place, and from the frontier, which decides whom to ask next.

mod frontier;

use std::collections::HashSet;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_core::Stream;
use mainstay_dht_proto::{Ask, RemoteNode, Samples};
use mainstay_krpc::Id;

use self::frontier::Frontier;
use crate::command::Reply;
use crate::handle::Dht;
use crate::runtime::block_on;

/// Bounds of a [`SampleWalk`].
#[derive(Debug, Clone)]
pub struct SampleConfig {
    /// How many nodes are asked at a time. Default: 16.
    pub concurrency: usize,
    /// How many nodes are asked in all, and remembered for as long as the walk lives: 16 bytes each.
    /// Default: 1,000,000.
    pub most_nodes: usize,
    /// How many nodes may wait to be asked; more are not remembered until somebody names them again. About 100 bytes
    /// each. Default: 16,384.
    pub most_waiting: usize,
    /// How many info hashes are remembered, so that none is told twice: about 32 bytes each. What comes on top is
    /// told as often as it is found. Default: 1,000,000.
    pub most_info_hashes: usize,
}

impl Default for SampleConfig {
    fn default() -> Self {
        Self {
            concurrency: 16,
            most_nodes: 1_000_000,
            most_waiting: 16_384,
            most_info_hashes: 1_000_000,
        }
    }
}

/// One node's sample.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sampled {
    /// Who answered.
    pub node: RemoteNode,
    /// Those of its info hashes that were not told before.
    pub info_hashes: Vec<Id>,
    /// How many it says it holds.
    pub total: u64,
    /// How long it asks to be left alone.
    pub interval: Duration,
}

/// What a walk has come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SampleReport {
    /// Nodes asked.
    pub asked: u64,
    /// Nodes that answered: a census of those that can be reached, as far as the walk came.
    pub answered: u64,
    /// Distinct info hashes, as far as they were remembered.
    pub info_hashes: u64,
    /// The sum of what the nodes say they hold; most info hashes are held by several.
    pub held: u64,
}

type Visit = Pin<Box<dyn Future<Output = Option<Vec<Samples>>> + Send>>;
type Seeds = Pin<Box<dyn Future<Output = Vec<RemoteNode>> + Send>>;

/// A walk through the network, from [`Dht::sample_walk`]. It sends nothing unless it is asked for the
/// [next](Self::next) sample, and costs one request for each node and sweep.
///
/// Dropping it ends the walk. The nodes that were asked are remembered as long as it lives, with when they may be asked
/// again: [`again`](Self::again) begins another sweep without those who want to be left alone still.
#[must_use = "a walk does nothing unless it is asked for samples"]
pub struct SampleWalk {
    node: Dht,
    config: SampleConfig,
    seeds: Option<Seeds>,
    frontier: Frontier,
    visits: Vec<(RemoteNode, Visit)>,
    known: HashSet<Id>,
    report: SampleReport,
}

impl SampleWalk {
    pub(crate) fn new(node: Dht, config: SampleConfig) -> Self {
        let frontier = Frontier::new(config.most_nodes, config.most_waiting);
        let mut walk = Self {
            node,
            config,
            seeds: None,
            frontier,
            visits: Vec::new(),
            known: HashSet::new(),
            report: SampleReport::default(),
        };
        walk.again();
        walk
    }

    /// The next sample, or `None` once everybody who was found has been asked. Cancel safe.
    pub async fn next(&mut self) -> Option<Sampled> {
        poll_fn(|context| self.poll(context)).await
    }

    /// As [`next`](Self::next), for threads without an executor.
    pub fn next_blocking(&mut self) -> Option<Sampled> {
        block_on(self.next())
    }

    /// What was found by now, over all sweeps.
    pub fn report(&self) -> SampleReport {
        self.report
    }

    /// Begins another sweep, from the nodes that the table holds by now. Nodes that asked to be left alone for longer
    /// than it has been are left alone, and so are for an hour those that did not answer.
    pub fn again(&mut self) {
        let node = self.node.clone();
        self.seeds = Some(Box::pin(async move {
            let target = Id::from_bytes(rand::random());
            let mut seeds = node.find_node(target).await.unwrap_or_default();
            let saved = node.snapshot().await.map(|snapshot| snapshot.nodes).unwrap_or_default();
            seeds.extend(saved.into_iter().map(|saved| saved.node));
            seeds
        }));
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Sampled>> {
        if let Some(seeds) = &mut self.seeds {
            let Poll::Ready(seeds) = seeds.as_mut().poll(context) else { return Poll::Pending };
            self.seeds = None;
            self.hear(seeds);
        }
        loop {
            while self.visits.len() < self.config.concurrency.max(1) {
                let Some((node, target)) = self.frontier.next(Instant::now()) else { break };
                self.report.asked += 1;
                self.visits.push((node, visit(self.node.clone(), node, target)));
            }
            let ended = self.visits.iter_mut().enumerate().find_map(|(at, (_, visit))| match visit
                .as_mut()
                .poll(context)
            {
                Poll::Ready(answer) => Some((at, answer)),
                Poll::Pending => None,
            });
            match ended {
                Some((at, answer)) => {
                    let (node, _) = self.visits.swap_remove(at);
                    if let Some(samples) = answer.and_then(|samples| samples.into_iter().next()) {
                        return Poll::Ready(Some(self.take(node, samples)));
                    }
                }
                None if self.visits.is_empty() => return Poll::Ready(None),
                None => return Poll::Pending,
            }
        }
    }

    fn take(&mut self, asked: RemoteNode, samples: Samples) -> Sampled {
        let Samples { node, mut info_hashes, total, interval, nodes } = samples;
        self.frontier.answered(&asked, Instant::now(), interval);
        self.hear(nodes);
        self.report.answered += 1;
        self.report.held = self.report.held.saturating_add(total);
        info_hashes.retain(|info_hash| {
            if self.known.contains(info_hash) {
                return false;
            }
            if self.known.len() < self.config.most_info_hashes {
                self.known.insert(*info_hash);
            }
            true
        });
        self.report.info_hashes = u64::try_from(self.known.len()).unwrap_or(u64::MAX);
        Sampled { node, info_hashes, total, interval }
    }

    fn hear(&mut self, nodes: Vec<RemoteNode>) {
        let now = Instant::now();
        for node in nodes {
            self.frontier.hear(now, node);
        }
    }
}

fn visit(dht: Dht, node: RemoteNode, target: Id) -> Visit {
    Box::pin(async move {
        let ask = Ask::SampleNode { addr: node.addr, target };
        dht.begin(ask, Reply::Samples).await?.answer().await?.ok()
    })
}

impl Stream for SampleWalk {
    type Item = Sampled;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Sampled>> {
        self.poll(context)
    }
}

impl fmt::Debug for SampleWalk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SampleWalk").field("report", &self.report).finish_non_exhaustive()
    }
}
