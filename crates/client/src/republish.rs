//! Keeping names alive: packets are put again before nodes forget them.
//!
//! Separate because it uses the client as any program could, and goes on by itself.
//!
//! [`Republisher`] does it over a [`Client`]. [`Schedule`] is what decides, without clock or network, for
//! programs that bring their own.

mod chance;
mod config;
mod driver;
mod event;
mod saver;
mod schedule;
mod state;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mainstay_keys::PublicKey;
use mainstay_packets::{SignedPacket, Timestamp};
use thiserror::Error;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::client::Client;
pub use config::RepublishConfig;
use driver::{Command, Driver};
use event::Counters;
pub use event::{Event, Events, Metrics, RepublishError};
use saver::Saver;
pub use schedule::{AddError, End, Kept, Schedule, Task, Verdict, Work};
pub use state::StateError;
use state::StateFolder;

/// How many events wait for a slow reader before it misses the oldest.
const EVENTS: usize = 1024;

/// How many commands wait; who sends more waits too.
const COMMANDS: usize = 64;

/// Keeps packets alive: puts each again, byte for byte, before the nodes of the DHT forget it.
///
/// It needs no secret key, so a packet may be anybody's. Nothing is signed again: nodes that have the packet
/// already need not verify it once more, and caches keep it as it is. Who has something new to say signs a
/// packet and [`add`](Self::add)s it in place of the old one.
///
/// * A packet never replaces a newer one. When somebody has published a newer packet, that is kept
///   from then on, and a [`Verdict::Adopted`] says so.
/// * After each put the acknowledgements are counted, and half-way to the next one a read counts who still
///   has the packet; with too few the next put comes early. [`RepublishConfig`] has the reasons.
/// * With a state folder it goes on after a restart where it was, without a flood.
///
/// Cloning gives another handle. It ends with [`Self::shutdown`], or when the last handle is dropped.
///
/// ```
/// use mainstay_client::republish::Republisher;
/// use mainstay_client::{Client, Keypair, SignedPacket};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # #[cfg(feature = "dht")] {
/// let testnet = mainstay_client::dht::Testnet::new(10).await?;
/// let client = Client::builder().no_default_network().bootstrap(&testnet.bootstrap).build()?;
/// let packet = SignedPacket::builder().sign(&Keypair::random())?;
///
/// let republisher = Republisher::builder(client).start()?;
/// let mut events = republisher.events();
/// republisher.add(packet.clone()).await?;
///
/// let event = events.next().await.expect("it runs");
/// assert_eq!((event.key, event.timestamp), (packet.public_key(), Some(packet.timestamp())));
/// println!("at {} nodes, next at {}", event.copies.unwrap_or_default(), event.next);
/// republisher.shutdown().await;
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Republisher {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    counters: Arc<Counters>,
    /// Never read; others are made of it.
    events: broadcast::Receiver<Event>,
}

/// Configures a [`Republisher`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct RepublisherBuilder {
    client: Client,
    config: RepublishConfig,
    state: Option<PathBuf>,
}

/// A republisher could not be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The state folder cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The thread that writes the state could not be started.
    #[error("cannot start the thread that writes the state")]
    Thread(#[source] io::Error),
}

impl RepublisherBuilder {
    /// How often, how many copies, how hard to try.
    pub fn config(mut self, config: RepublishConfig) -> Self {
        self.config = config;
        self
    }

    /// Keeps packets and their next turns in this folder, one small file a key, and begins with what is
    /// there. Made if missing; for one process at a time.
    ///
    /// A file is written soon after each change, in the background; [`Republisher::shutdown`] waits for all. What
    /// cannot be written is counted and logged, and the work goes on. Default: none, and a restart begins
    /// with nothing.
    pub fn state(mut self, folder: impl AsRef<Path>) -> Self {
        self.state = Some(folder.as_ref().to_owned());
        self
    }

    /// Starts to work, in the client's background threads. Reads the state folder first, and blocks for it.
    ///
    /// Files of the folder that are damaged are logged and left alone.
    ///
    /// # Errors
    /// [`StartError`]: the state folder or this machine is to blame.
    pub fn start(self) -> Result<Republisher, StartError> {
        let seed = RandomState::new().build_hasher().finish();
        let mut schedule = Schedule::new(self.config, seed);
        let counters = Arc::new(Counters::default());
        let saver = match &self.state {
            Some(path) => {
                let folder = StateFolder::open(path)?;
                restore(&mut schedule, &folder)?;
                let saver = Saver::start(folder, counters.clone()).map_err(StartError::Thread)?;
                Some(saver)
            }
            None => None,
        };
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let (sender, events) = broadcast::channel(EVENTS);
        counters.set(schedule.len(), schedule.overdue(Timestamp::clock()), 0);
        let background = self.client.engine().background.clone();
        let driver = Driver {
            client: self.client,
            schedule,
            saver,
            counters: counters.clone(),
            events: sender,
            commands: receiver,
        };
        background.spawn(driver.run());
        Ok(Republisher { commands, shared: Arc::new(Shared { counters, events }) })
    }
}

fn restore(schedule: &mut Schedule, folder: &StateFolder) -> Result<(), StateError> {
    let (kept, problems) = folder.load()?;
    for error in problems {
        tracing::warn!(%error, "not kept");
    }
    let now = Timestamp::clock();
    for planned in kept {
        let key = planned.packet.public_key();
        if let Err(error) = schedule.restore(now, planned.packet, planned.next) {
            tracing::warn!(%key, %error, "not kept");
        }
    }
    Ok(())
}

impl Republisher {
    /// Starts to configure one that publishes through this client.
    pub fn builder(client: Client) -> RepublisherBuilder {
        RepublisherBuilder { client, config: RepublishConfig::default(), state: None }
    }

    /// Keeps this packet from now on, in place of an older one of its key, and puts it as soon as there is
    /// room. The same packet again changes nothing.
    ///
    /// # Errors
    /// [`AddError`]: there is a newer one, it is from the future, there is no room, or all has ended.
    pub async fn add(&self, packet: SignedPacket) -> Result<(), AddError> {
        self.ask(|reply| Command::Add(packet, reply)).await.unwrap_or(Err(AddError::Shutdown))
    }

    /// Keeps whatever packet the network has of this key: looks for it first, and again every interval until
    /// there is one. A key that is kept already stays as it is.
    ///
    /// # Errors
    /// [`AddError`]: there is no room, or all has ended.
    pub async fn add_key(&self, key: PublicKey) -> Result<(), AddError> {
        self.ask(|reply| Command::AddKey(key, reply)).await.unwrap_or(Err(AddError::Shutdown))
    }

    /// Stops keeping a key, and forgets it in the state folder; gives what was known of it. What nodes have they
    /// forget by themselves.
    pub async fn remove(&self, key: &PublicKey) -> Option<Kept> {
        self.ask(|reply| Command::Remove(*key, reply)).await.flatten()
    }

    /// What is known of a key; `None` if it is not kept.
    pub async fn kept(&self, key: &PublicKey) -> Option<Kept> {
        self.ask(|reply| Command::Kept(*key, reply)).await.flatten()
    }

    /// The keys that are kept, those of the state folder included, in their order; none once all has ended.
    pub async fn keys(&self) -> Vec<PublicKey> {
        self.ask(Command::Keys).await.unwrap_or_default()
    }

    /// What happens from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        Events(self.shared.events.resubscribe())
    }

    /// What was done so far, and what is to be done.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.shared.counters.read()
    }

    /// Begins nothing more, gives what is under way three seconds to end, writes the state, and returns.
    ///
    /// All other handles end with it.
    pub async fn shutdown(&self) {
        let _ = self.ask(Command::Shutdown).await;
    }

    /// `None` once it has ended.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}

#[cfg(test)]
mod tests;
