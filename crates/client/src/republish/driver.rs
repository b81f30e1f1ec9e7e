//! The task that carries out what the schedule asks for.
//!
//! Separate because it alone knows the clock and the client; it decides nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use mainstay_keys::PublicKey;
use mainstay_packets::{SignedPacket, Timestamp};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::event::{Counters, Event, RepublishError};
use super::saver::Saver;
use super::schedule::{AddError, End, Kept, Schedule, Task, Verdict, Work};
use super::state::Planned;
use crate::client::Client;
use crate::error::{PublishError, ResolveError};
use crate::freshness::Policy;
use crate::report::{PublishReport, PublishResult, Source};

/// The longest sleep: a machine that was suspended does not tell, and its timers stood still meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// How long what is under way may go on after a shutdown was asked for.
const FAREWELL: Duration = Duration::from_secs(3);

/// What the handle asks of the driver.
#[derive(Debug)]
pub(crate) enum Command {
    Add(SignedPacket, oneshot::Sender<Result<(), AddError>>),
    AddKey(PublicKey, oneshot::Sender<Result<(), AddError>>),
    Remove(PublicKey, oneshot::Sender<Option<Kept>>),
    Kept(PublicKey, oneshot::Sender<Option<Kept>>),
    Keys(oneshot::Sender<Vec<PublicKey>>),
    Shutdown(oneshot::Sender<()>),
}

type Job = Pin<Box<dyn Future<Output = (Task, End, Option<RepublishError>)> + Send>>;

/// Owns the schedule.
pub(crate) struct Driver {
    pub(crate) client: Client,
    pub(crate) schedule: Schedule,
    pub(crate) saver: Option<Saver>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) commands: mpsc::Receiver<Command>,
}

impl Driver {
    /// Works until told to stop, or until the last handle is gone.
    pub(crate) async fn run(mut self) {
        let mut jobs: FuturesUnordered<Job> = FuturesUnordered::new();
        let farewell = loop {
            while let Some(task) = self.schedule.poll(Timestamp::clock()) {
                jobs.push(Box::pin(carry_out(self.client.clone(), task)));
            }
            self.count();
            let rest = self.schedule.poll_timeout(Timestamp::clock()).unwrap_or(LONGEST_SLEEP);
            tokio::select! {
                command = self.commands.recv() => match command {
                    None => break None,
                    Some(Command::Shutdown(reply)) => break Some(reply),
                    Some(command) => self.handle_command(command),
                },
                Some((task, end, error)) = jobs.next() => self.handle_end(&task, end, error),
                () = sleep(rest.min(LONGEST_SLEEP)) => {}
            }
        };
        let _ = timeout(FAREWELL, async {
            while let Some((task, end, error)) = jobs.next().await {
                self.handle_end(&task, end, error);
            }
        })
        .await;
        self.count();
        if let Some(saver) = self.saver.take() {
            saver.finish().await;
        }
        drop(self);
        if let Some(reply) = farewell {
            let _ = reply.send(());
        }
    }

    // Whoever asked may have gone meanwhile: no reply is no loss.
    fn handle_command(&mut self, command: Command) {
        let now = Timestamp::clock();
        match command {
            Command::Add(packet, reply) => {
                let key = packet.public_key();
                let added = self.schedule.add(now, packet).map(|_verdict| self.save(now, &key));
                let _ = reply.send(added);
            }
            Command::AddKey(key, reply) => {
                let _ = reply.send(self.schedule.add_key(now, key));
            }
            Command::Remove(key, reply) => {
                let removed = self.schedule.remove(now, &key);
                if let Some(saver) = self.saver.as_ref().filter(|_| removed.is_some()) {
                    saver.save(key, None);
                }
                let _ = reply.send(removed);
            }
            Command::Kept(key, reply) => {
                let _ = reply.send(self.schedule.kept(now, &key));
            }
            Command::Keys(reply) => {
                let _ = reply.send(self.schedule.keys().copied().collect());
            }
            Command::Shutdown(reply) => drop(reply),
        }
    }

    fn handle_end(&mut self, task: &Task, end: End, error: Option<RepublishError>) {
        let now = Timestamp::clock();
        let verdict = self.schedule.handle_end(now, task, end);
        let Some(kept) = self.schedule.kept(now, &task.key) else { return };
        self.save(now, &task.key);
        let Task { key, work, .. } = *task;
        let timestamp = kept.packet.map(|packet| packet.timestamp());
        let event =
            Event { key, work, verdict, timestamp, copies: kept.copies, next: kept.next, error };
        match &event.verdict {
            Verdict::Adopted { instead_of: Some(old) } => {
                tracing::warn!(%key, %old, "somebody published a newer packet; it is kept instead");
            }
            verdict => tracing::debug!(%key, ?work, ?verdict, next = %event.next, "done"),
        }
        self.counters.note(&event);
        // Nobody may be listening.
        let _ = self.events.send(event);
    }

    fn save(&self, now: Timestamp, key: &PublicKey) {
        let Some(saver) = &self.saver else { return };
        let Some(Kept { packet: Some(packet), next, .. }) = self.schedule.kept(now, key) else {
            return;
        };
        saver.save(*key, Some(Planned { packet, next }));
    }

    fn count(&self) {
        let overdue = self.schedule.overdue(Timestamp::clock());
        self.counters.set(self.schedule.len(), overdue, self.schedule.running());
    }
}

async fn carry_out(client: Client, task: Task) -> (Task, End, Option<RepublishError>) {
    let (end, error) = match (&task.packet, task.work) {
        (Some(packet), Work::Put) => put(&client, packet).await,
        (None, _) | (_, Work::Read) => read(&client, &task.key).await,
    };
    (task, end, error)
}

async fn put(client: &Client, packet: &SignedPacket) -> (End, Option<RepublishError>) {
    match client.publish_report(packet, None).await {
        Ok(report) => (End::Stored { copies: copies(&report) }, None),
        Err(error) => {
            let end = match &error {
                PublishError::Concurrency(_) | PublishError::Refused { .. } => End::Refused,
                PublishError::NotStored(report) => End::Failed { retry_after: retry_after(report) },
                PublishError::Busy => End::Busy,
                PublishError::Abandoned => End::Failed { retry_after: None },
            };
            (end, Some(error.into()))
        }
    }
}

async fn read(client: &Client, key: &PublicKey) -> (End, Option<RepublishError>) {
    match client.resolve_with(key, Policy::NetworkOnly).await {
        Ok(resolution) => {
            let copies = match resolution.source {
                Source::Dht { nodes } => Some(nodes),
                Source::Cache | Source::Relay(_) => None,
            };
            (End::Found { packet: resolution.packet, copies }, None)
        }
        Err(error) => {
            let end = match &error {
                ResolveError::Busy => End::Busy,
                // What is older than what was seen is as good as nothing.
                ResolveError::NotFound(_) | ResolveError::Outdated { .. } => End::Absent,
                ResolveError::NotCached
                | ResolveError::NotAPacket { .. }
                | ResolveError::NoAnswer(_) => End::Failed { retry_after: None },
            };
            (end, Some(error.into()))
        }
    }
}

/// The largest count that any backend gave; none if none did.
fn copies(report: &PublishReport) -> Option<usize> {
    let counts = report.outcomes.iter().filter_map(|outcome| match &outcome.result {
        PublishResult::Stored { nodes } => *nodes,
        PublishResult::Conflict { .. } | PublishResult::Failed(_) => None,
    });
    counts.max()
}

/// The longest time that a relay asked us to stay away.
fn retry_after(report: &PublishReport) -> Option<Duration> {
    let asked = report.outcomes.iter().filter_map(|outcome| match &outcome.result {
        #[cfg(feature = "relays")]
        PublishResult::Failed(crate::report::Failure::Relay(error)) => error.retry_after(),
        PublishResult::Stored { .. }
        | PublishResult::Conflict { .. }
        | PublishResult::Failed(_) => None,
    });
    asked.max()
}
