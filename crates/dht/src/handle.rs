//! `Dht`, the async handle of a node.
//! Separate from the task that owns the node: a handle holds channels and no state of the protocol.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mainstay_dht_proto::{
    Ask, AskOptions, LimitConfig, LookupReport, PutReport, RemoteNode, Samples, Scrape, Snapshot,
};
use mainstay_keys::PublicKey;
use mainstay_krpc::Id;
use mainstay_krpc::item::{ImmutableItem, MAX_SALT, MutableItem};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

use crate::blocking::DhtBlocking;
use crate::builder::DhtBuilder;
use crate::command::{CancelOnDrop, Command, NewAsk, Pong, Reply};
use crate::error::{BuildError, GetError, PingError, PutError};
use crate::event::EventStream;
use crate::info::{Info, Published, Readiness};
use crate::packets::Packet;
use crate::putting::Putting;
use crate::sampling::{SampleConfig, SampleWalk};
use crate::stream::{GetStream, Start};
use crate::trace::TraceStream;

/// A running node of the Mainline DHT. Cloning is cheap and gives another handle of the same node.
///
/// The node lives in a task of its own, which ends when [`Dht::shutdown`] is called or the last
/// handle (the streams of lookups included, those of events and steps not) is dropped. Handles may be used from any executor and any thread.
///
/// # Dropping a future
///
/// Every future and stream of this type may be dropped at any time: the node then stops working on
/// that question. A put that is dropped may have stored its value at some nodes already.
///
/// # Example
///
/// ```
/// use mainstay_dht::{Dht, Testnet};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let testnet = Testnet::new(5).await?;
/// let dht = Dht::builder().bootstrap(&testnet.bootstrap).bind("127.0.0.1:0".parse()?).build()?;
///
/// let report = dht.put_immutable(b"hello").await?;
/// let item = dht.get_immutable(report.target).await?.expect("it was just stored");
/// assert_eq!(item.bytes(), Some(&b"hello"[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Dht {
    shared: Arc<Shared>,
    /// How what is asked through this handle is asked.
    options: AskOptions,
}

#[derive(Debug)]
struct Shared {
    commands: mpsc::Sender<Command>,
    cancels: mpsc::UnboundedSender<u64>,
    tickets: AtomicU64,
    published: Arc<Published>,
    limits: watch::Sender<LimitConfig>,
    /// The nodes at further addresses; they have none themselves.
    homes: Vec<Dht>,
}

impl Dht {
    /// Starts to configure a node.
    pub fn builder() -> DhtBuilder {
        DhtBuilder::new()
    }

    /// A node of the public network that asks and answers nobody: [`Dht::builder`] with no setting.
    ///
    /// # Errors
    ///
    /// [`BuildError`], for instance if no socket can be opened.
    pub fn client() -> Result<Self, BuildError> {
        Self::builder().build()
    }

    /// A node of the public network that also answers others and stores for them, on port 6881: it must be reached from outside.
    ///
    /// # Errors
    ///
    /// [`BuildError`], for instance if the port is taken.
    pub fn server() -> Result<Self, BuildError> {
        Self::builder().server_mode(true).build()
    }

    pub(crate) fn new(
        commands: mpsc::Sender<Command>,
        cancels: mpsc::UnboundedSender<u64>,
        published: Arc<Published>,
        limits: watch::Sender<LimitConfig>,
        homes: Vec<Dht>,
    ) -> Self {
        let tickets = AtomicU64::new(0);
        let shared = Arc::new(Shared { commands, cancels, tickets, published, limits, homes });
        Self { shared, options: AskOptions::default() }
    }

    /// The nodes at the further addresses of this one, in the order of
    /// [`DhtBuilder::also_bind`]: each with an id, a table, events and figures of its own. Questions to one of them
    /// go out from its address. They end with this node.
    pub fn homes(&self) -> &[Self] {
        &self.shared.homes
    }

    /// The limits that were given last.
    pub fn limits(&self) -> LimitConfig {
        self.shared.limits.borrow().clone()
    }

    /// Puts limits where the node looks for them, and makes it look; false if it is gone.
    pub(crate) fn switch_limits(&self, limits: LimitConfig) -> bool {
        let taken = self.shared.limits.send(limits).is_ok();
        // Where the queue has no room, the node is about to look in any case.
        taken
            && !matches!(self.shared.commands.try_send(Command::Look), Err(TrySendError::Closed(_)))
    }

    /// The node that a question goes out from: the first that is heard and knows others.
    fn home(&self) -> &Self {
        let serves = |dht: &&Self| {
            let published = &dht.shared.published;
            published.nodes() > 0 && published.is_online()
        };
        let all = std::iter::once(self).chain(&self.shared.homes);
        if self.shared.homes.is_empty() {
            self
        } else {
            all.into_iter().find(serves).unwrap_or(self)
        }
    }

    /// Another handle of the same node, through which everything is asked in this way: with a deadline, with more
    /// or less effort.
    ///
    /// A lookup that its deadline ends gives what it found by then, and its report says that it was
    /// [cut short](LookupReport::cut_short); a put gives the copies acknowledged by then, or
    /// [`PutError`] if there are none.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use mainstay_dht::{AskOptions, Dht, Testnet};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let testnet = Testnet::new(5).await?;
    /// # let dht = Dht::builder().bootstrap(&testnet.bootstrap).bind("127.0.0.1:0".parse()?).build()?;
    /// let hurried = AskOptions { deadline: Some(Duration::from_secs(2)), ..AskOptions::default() };
    /// let report = dht.with_options(hurried).put_immutable(b"hello").await?;
    /// assert!(!report.cut_short, "all have answered in less than two seconds");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_options(&self, options: AskOptions) -> Self {
        Self { shared: Arc::clone(&self.shared), options }
    }

    /// The same node for threads without an executor.
    pub fn as_blocking(&self) -> DhtBlocking {
        DhtBlocking::new(self.clone())
    }
}

/// A question that the node works on; dropping it cancels the work.
#[derive(Debug)]
pub(crate) struct Question<T> {
    answer: oneshot::Receiver<T>,
    cancel: CancelOnDrop,
}

impl<T> Question<T> {
    /// Waits for the answer; `None` if the node is gone.
    pub(crate) async fn answer(mut self) -> Option<T> {
        let answer = (&mut self.answer).await;
        self.cancel.disarm();
        answer.ok()
    }

    /// Lets the node work on, although nobody waits for the answer.
    pub(crate) fn abandon(mut self) {
        self.cancel.disarm();
    }
}

/// Finding and storing.
impl Dht {
    /// Looks for the item that `key` signed under `salt`; yields each one that is newer than those
    /// before, the moment it is verified.
    ///
    /// With `newer_than`, only items with a higher sequence number are looked for, and nodes save
    /// sending others ([BEP 44](https://www.bittorrent.org/beps/bep_0044.html)). The last item of
    /// the stream is the newest that the nodes closest to the target hold. The lookup starts at
    /// once; dropping the stream cancels it.
    pub fn get_mutable(
        &self,
        key: &PublicKey,
        salt: Option<&[u8]>,
        newer_than: Option<i64>,
    ) -> GetStream<MutableItem> {
        match mutable(key, salt, newer_than) {
            Ok(ask) => self.stream(ask, Reply::Items),
            Err(error) => GetStream::ended(self.clone(), error),
        }
    }

    /// The newest item that `key` signed under `salt`, once the whole lookup has settled.
    ///
    /// # Errors
    ///
    /// [`GetError`], if nobody could be asked. Finding nothing is `Ok(None)`.
    pub async fn get_mutable_most_recent(
        &self,
        key: &PublicKey,
        salt: Option<&[u8]>,
    ) -> Result<Option<MutableItem>, GetError> {
        let ask = mutable(key, salt, None)?;
        self.ask(ask, Reply::Newest).await.unwrap_or(Err(GetError::Shutdown))
    }

    /// Stores a signed item at the nodes closest to its target.
    ///
    /// With `cas`, only where the stored item has that sequence number. The put is over when every
    /// node has answered or was given up; [`PutReport::stored`] counts the acknowledgements.
    ///
    /// # Errors
    ///
    /// [`PutError::Conflict`] and [`PutError::NotMostRecent`] tell that someone else published;
    /// the others, that the value could not be stored now.
    pub async fn put_mutable(
        &self,
        item: MutableItem,
        cas: Option<i64>,
    ) -> Result<PutReport, PutError> {
        self.put(Ask::PutMutable { item, cas }, cas).await
    }

    /// Starts to store a signed item, and tells of each copy and each refusal: for callers who go on when the first copy is
    /// stored, or when [half of them](Putting::quorum) are, long before the last node has answered.
    ///
    /// # Errors
    ///
    /// [`PutError::Shutdown`], if the node is gone. All else is told by [`Putting::finish`].
    pub async fn start_put_mutable(
        &self,
        item: MutableItem,
        cas: Option<i64>,
    ) -> Result<Putting, PutError> {
        self.start_put(Ask::PutMutable { item, cas }, cas).await
    }

    /// As [`Dht::start_put_mutable`], for a value under its hash.
    ///
    /// # Errors
    ///
    /// [`PutError::Shutdown`], if the node is gone. All else is told by [`Putting::finish`].
    pub async fn start_put_immutable(&self, item: ImmutableItem) -> Result<Putting, PutError> {
        self.start_put(Ask::PutImmutable { item }, None).await
    }

    /// The value that hashes to `target`.
    ///
    /// # Errors
    ///
    /// [`GetError`], if nobody could be asked. Finding nothing is `Ok(None)`.
    pub async fn get_immutable(&self, target: Id) -> Result<Option<ImmutableItem>, GetError> {
        let ask = Ask::GetImmutable { target };
        self.ask(ask, Reply::Immutable).await.unwrap_or(Err(GetError::Shutdown))
    }

    /// Stores bytes under their hash, which is [`PutReport::target`].
    ///
    /// # Errors
    ///
    /// [`PutError::Item`] for more than 996 bytes (1,000 once bencoded); the others, if the value could
    /// not be stored now.
    pub async fn put_immutable(&self, bytes: &[u8]) -> Result<PutReport, PutError> {
        self.put_immutable_item(ImmutableItem::from_bytes(bytes)?).await
    }

    /// Stores any bencoded value under its hash.
    ///
    /// # Errors
    ///
    /// As [`Dht::put_immutable`].
    pub async fn put_immutable_item(&self, item: ImmutableItem) -> Result<PutReport, PutError> {
        self.put(Ask::PutImmutable { item }, None).await
    }

    /// Looks for those who announced `info_hash`; yields peers in batches, none twice.
    ///
    /// The addresses are what the announcers claimed: unproven. The lookup starts at once; dropping
    /// the stream cancels it.
    pub fn get_peers(&self, info_hash: Id) -> GetStream<Vec<SocketAddr>> {
        self.stream(Ask::GetPeers { info_hash, no_seeds: false }, Reply::Peers)
    }

    /// As [`Dht::get_peers`], without those who said that they have everything, where a node tells them apart
    /// ([BEP 33](https://www.bittorrent.org/beps/bep_0033.html)): for who has everything, too.
    pub fn get_downloaders(&self, info_hash: Id) -> GetStream<Vec<SocketAddr>> {
        self.stream(Ask::GetPeers { info_hash, no_seeds: true }, Reply::Peers)
    }

    /// Announces this host under `info_hash`
    /// ([BEP 5](https://www.bittorrent.org/beps/bep_0005.html)): at `port`, or at the UDP port that the
    /// nodes see it come from.
    ///
    /// # Errors
    ///
    /// [`PutError`], if no node took the announcement.
    pub async fn announce_peer(
        &self,
        info_hash: Id,
        port: Option<u16>,
    ) -> Result<PutReport, PutError> {
        self.put(Ask::AnnouncePeer { info_hash, port, seed: false }, None).await
    }

    /// As [`Dht::announce_peer`], and says that this host has everything
    /// ([BEP 33](https://www.bittorrent.org/beps/bep_0033.html)): a [scrape](Self::scrape) then counts it among the seeds.
    ///
    /// # Errors
    ///
    /// [`PutError`], if no node took the announcement.
    pub async fn announce_seed(
        &self,
        info_hash: Id,
        port: Option<u16>,
    ) -> Result<PutReport, PutError> {
        self.put(Ask::AnnouncePeer { info_hash, port, seed: true }, None).await
    }

    /// Asks whether a node is at this address.
    ///
    /// # Errors
    ///
    /// [`PingError`], if nobody answered.
    pub async fn ping(&self, address: SocketAddr) -> Result<Pong, PingError> {
        let answer = self.ask(Ask::Ping { addr: address }, Reply::Pong).await;
        answer.ok_or(PingError::Shutdown)?.ok_or(PingError::NoAnswer { address })
    }

    /// The nodes closest to `target` that answered, closest first, of both families.
    ///
    /// Waits for the silent among them, so that hardly a living one is missed: some four seconds where contacts are
    /// dead. [`Effort::Quick`](crate::Effort::Quick), given to [`Dht::with_options`], ends in a quarter of that and
    /// misses about one in sixteen.
    ///
    /// # Errors
    ///
    /// [`GetError`], if nobody could be asked.
    pub async fn find_node(&self, target: Id) -> Result<Vec<RemoteNode>, GetError> {
        let ask = Ask::FindNode { target };
        self.ask(ask, Reply::Nodes).await.unwrap_or(Err(GetError::Shutdown))
    }

    /// Counts who announced `info_hash`, without asking for a list
    /// ([BEP 33](https://www.bittorrent.org/beps/bep_0033.html)).
    ///
    /// # Errors
    ///
    /// [`GetError`], if nobody could be asked.
    pub async fn scrape(&self, info_hash: Id) -> Result<Scrape, GetError> {
        let ask = Ask::Scrape { info_hash };
        let found = self.ask(ask, Reply::Scrape).await.unwrap_or(Err(GetError::Shutdown));
        found.map(|scrape| *scrape)
    }

    /// Asks the nodes around `target` which info hashes they hold
    /// ([BEP 51](https://www.bittorrent.org/beps/bep_0051.html)).
    ///
    /// # Errors
    ///
    /// [`GetError`], if nobody could be asked.
    pub async fn sample_infohashes(&self, target: Id) -> Result<Vec<Samples>, GetError> {
        let ask = Ask::SampleInfohashes { target };
        self.ask(ask, Reply::Samples).await.unwrap_or(Err(GetError::Shutdown))
    }
}

/// Going through the whole network.
impl Dht {
    /// Walks through the network and asks every node it finds once which info hashes it holds
    /// ([BEP 51](https://www.bittorrent.org/beps/bep_0051.html)); tells each info hash once, and counts the nodes.
    ///
    /// The public network has millions of nodes: bound the walk with [`SampleConfig::most_nodes`], or drop it.
    pub fn sample_walk(&self, config: SampleConfig) -> SampleWalk {
        SampleWalk::new(self.clone(), config)
    }
}

/// Looking at the node, and ending it.
impl Dht {
    /// A look at the node. Costs a copy: the node is not disturbed.
    pub fn info(&self) -> Info {
        self.shared.published.info()
    }

    /// The address that the node listens on: that of IPv4, where it is on.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.published.local().first()
    }

    /// The addresses that the node listens on: one for each family that is on, then the
    /// [further](DhtBuilder::also_bind) ones.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        let further = self.shared.homes.iter().map(Self::local_addr);
        self.shared.published.local().all().chain(further).collect()
    }

    /// Whether the node has joined: its first bootstrap has settled, and it knows other nodes. False once it is gone.
    pub fn bootstrapped(&self) -> bool {
        self.shared.published.is_settled() && self.shared.published.nodes() > 0
    }

    /// Waits until the first bootstrap has settled; true if the node then knows others.
    ///
    /// False means that no bootstrap address answered (the node goes on trying), that it is the first
    /// of its network, or that it was shut down.
    pub async fn ready(&self) -> bool {
        let mut readiness = self.shared.published.readiness();
        let settled = readiness.wait_for(|readiness| *readiness != Readiness::Joining).await;
        settled.is_ok_and(|readiness| *readiness == Readiness::Settled) && self.bootstrapped()
    }

    /// Addresses of nodes that answered lately, best first: what to give to
    /// [`DhtBuilder::bootstrap`] next time, or to another node.
    ///
    /// Taken when the table last changed, at most every second; 200 at most.
    pub fn to_bootstrap(&self) -> Vec<String> {
        self.shared.published.contacts(|address| address.to_string())
    }

    /// Watches the lookups and puts that start from now on.
    pub async fn trace(&self) -> TraceStream {
        let (steps, stream) = TraceStream::channel();
        // A node that is gone drops the sender, and the stream has ended.
        let _ = self.shared.commands.send(Command::Trace(steps)).await;
        stream
    }

    /// What happens to the node: first what happened of late, then what comes.
    pub async fn events(&self) -> EventStream {
        let (watcher, stream) = EventStream::channel();
        // A node that is gone drops the sender, and the stream has ended.
        let _ = self.shared.commands.send(Command::Watch(watcher)).await;
        stream
    }

    /// The last datagrams that the node received and sent, the earliest first: as many as
    /// [`DhtBuilder::packet_log`] keeps, so none unless that was called.
    pub async fn packets(&self) -> Vec<Packet> {
        let (reply, packets) = oneshot::channel();
        if self.shared.commands.send(Command::Packets(reply)).await.is_err() {
            return Vec::new();
        }
        packets.await.unwrap_or_default()
    }

    /// What the node would save now ([`DhtBuilder::state_file`]), for those who keep it elsewhere than in a file;
    /// `None` if the node is gone.
    pub async fn snapshot(&self) -> Option<Snapshot> {
        let (reply, snapshot) = oneshot::channel();
        self.shared.commands.send(Command::Snapshot(reply)).await.ok()?;
        snapshot.await.ok()
    }

    /// The signed items that this node stored in the network, in this run and, with a state file, in earlier ones:
    /// the last 1,024, the latest last.
    ///
    /// Nodes forget items after two hours ([BEP 44](https://www.bittorrent.org/beps/bep_0044.html)); who wants to
    /// keep them puts these again. Empty without a [state file](DhtBuilder::state_file).
    pub async fn published(&self) -> Vec<MutableItem> {
        self.snapshot().await.map(|snapshot| snapshot.published).unwrap_or_default()
    }

    /// Stops the node, writes its state file, if it has one, and waits until its sockets are closed. All questions
    /// that are open, and all that come after, end with an error. May be called more than once, and at the same time.
    pub async fn shutdown(&self) {
        for home in &self.shared.homes {
            // Those have no homes of their own.
            Box::pin(home.shutdown()).await;
        }
        let (done, stopped) = oneshot::channel();
        if self.shared.commands.send(Command::Shutdown(done)).await.is_ok() {
            // An error means that the node is gone, which is what was wanted.
            let _ = stopped.await;
        }
    }
}

/// How questions get to the node.
impl Dht {
    /// Puts one question and waits for its one answer; `None` if the node is gone.
    async fn ask<T>(&self, ask: Ask, reply: impl FnOnce(oneshot::Sender<T>) -> Reply) -> Option<T> {
        self.begin(ask, reply).await?.answer().await
    }

    /// Puts one question; the node works on it while the caller does something else.
    pub(crate) async fn begin<T>(
        &self,
        ask: Ask,
        reply: impl FnOnce(oneshot::Sender<T>) -> Reply,
    ) -> Option<Question<T>> {
        let (sender, answer) = oneshot::channel();
        let home = self.home();
        let ticket = home.ticket();
        let new = NewAsk::new(ticket, ask, self.options, reply(sender));
        home.shared.commands.send(Command::Ask(Box::new(new))).await.ok()?;
        let cancel = CancelOnDrop::new(ticket, home.shared.cancels.clone());
        Some(Question { answer, cancel })
    }

    async fn put(&self, ask: Ask, cas: Option<i64>) -> Result<PutReport, PutError> {
        let answer = self.ask(ask, |reply| Reply::Put(cas, reply)).await;
        answer.unwrap_or(Err(PutError::Shutdown))
    }

    async fn start_put(&self, ask: Ask, cas: Option<i64>) -> Result<Putting, PutError> {
        let (answers, told) = mpsc::channel(Putting::QUEUE);
        let detached = Arc::new(AtomicBool::new(false));
        let flag = detached.clone();
        let reply = |report| Reply::Putting { cas, answers, detached: flag, report };
        let question = self.begin(ask, reply).await;
        let question = question.ok_or(PutError::Shutdown)?;
        Ok(Putting::new(self.clone(), told, question, detached))
    }

    /// Puts one question that has many answers.
    fn stream<T>(
        &self,
        ask: Ask,
        reply: impl FnOnce(mpsc::Sender<T>, oneshot::Sender<Result<LookupReport, GetError>>) -> Reply,
    ) -> GetStream<T> {
        let (items, receiver) = mpsc::channel(GetStream::<T>::QUEUE);
        let (settled, report) = oneshot::channel();
        let home = self.home();
        let ticket = home.ticket();
        let new = NewAsk::new(ticket, ask, self.options, reply(items, settled));
        let command = Command::Ask(Box::new(new));
        let start: Option<Start> = match home.shared.commands.try_send(command) {
            Ok(()) => None,
            Err(TrySendError::Full(command)) => {
                let commands = home.shared.commands.clone();
                Some(Box::pin(async move { commands.send(command).await.is_ok() }))
            }
            Err(TrySendError::Closed(_)) => {
                return GetStream::ended(self.clone(), GetError::Shutdown);
            }
        };
        let cancel = CancelOnDrop::new(ticket, home.shared.cancels.clone());
        GetStream::new(self.clone(), start, receiver, report, cancel)
    }

    fn ticket(&self) -> u64 {
        self.shared.tickets.fetch_add(1, Ordering::Relaxed)
    }
}

fn mutable(key: &PublicKey, salt: Option<&[u8]>, newer_than: Option<i64>) -> Result<Ask, GetError> {
    let salt = salt.unwrap_or_default();
    if salt.len() > MAX_SALT {
        return Err(GetError::SaltTooLong { length: salt.len() });
    }
    Ok(Ask::GetMutable { key: *key, salt: salt.to_vec(), newer_than })
}
