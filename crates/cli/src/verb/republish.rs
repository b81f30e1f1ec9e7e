//! `mainstay republish`: keeps the names of a folder alive until interrupted, or puts each once.
//!
//! Separate as every verb is; what the folder's files mean is in `folder`.

mod folder;

use std::collections::{BTreeMap, BTreeSet};

use mainstay::republish::{
    AddError, Event, Events, RepublishConfig, Republisher, StartError, Verdict, Work,
};
use mainstay::{Client, PublicKey, SignedPacket, Timestamp};
use serde::Serialize;

use crate::args::{Options, Republish};
use crate::failure::Failure;
use crate::interrupt::{Hangup, Interrupt};
use crate::{network, output};
use folder::{Contents, Folder};

/// How many zones are looked for in the network at once before they are signed.
const AT_ONCE: usize = 32;

/// What `republish` prints first with `--json`, and again after each reading of the folder.
#[derive(Debug, Serialize)]
struct Read {
    event: &'static str,
    keys: usize,
    problems: Vec<String>,
}

/// What `republish` prints of a key with `--json`.
#[derive(Debug, Serialize)]
struct Happened {
    event: &'static str,
    public_key: String,
    timestamp: Option<u64>,
    copies: Option<usize>,
    /// When the key's next turn comes, in microseconds since 1970.
    next: u64,
    error: Option<String>,
}

/// What `republish --once` prints last with `--json`.
#[derive(Debug, Serialize)]
struct Summary {
    event: &'static str,
    keys: usize,
    stored: usize,
    thin: usize,
    failed: usize,
}

pub(crate) async fn run(common: &Options, republish: &Republish) -> Result<(), Failure> {
    let interrupt = Interrupt::listen()?;
    let mut hangup = Hangup::listen()?;
    let mut folder = Folder::new(republish)?;
    let contents = folder.read()?;
    let client = network::client(common)?;
    let mut service = Service::start(common, republish, &client)?;
    // Before anything is added, so that no event is missed.
    let mut events = service.republisher.events();
    let republisher = service.republisher.clone();
    let work = async {
        service.keep(&mut folder, contents).await?;
        if republish.once {
            service.once(&mut events).await
        } else {
            service.watch(&mut folder, &mut hangup, &mut events).await
        }
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = interrupt.wait() => match republish.once {
            true => Err(Failure::Network { what: "interrupted".to_owned(), source: None }),
            false => Ok(()),
        },
    };
    republisher.shutdown().await;
    outcome
}

/// The republisher with what this run has asked of it.
struct Service {
    client: Client,
    republisher: Republisher,
    json: bool,
    /// How many files could not be used when the folder was last read.
    problems: usize,
    /// The keys that the folder names.
    keys: BTreeSet<PublicKey>,
}

impl Service {
    fn start(common: &Options, republish: &Republish, client: &Client) -> Result<Self, Failure> {
        let config = RepublishConfig {
            interval: republish.interval,
            enough: republish.enough,
            rate: republish.rate,
            ..RepublishConfig::default()
        };
        let mut builder = Republisher::builder(client.clone()).config(config);
        if let Some(state) = &republish.state {
            builder = builder.state(state);
        }
        let republisher = builder.start().map_err(|error| match error {
            StartError::State(error) => Failure::local("cannot use the state folder", error),
            other => Failure::local("cannot start", other),
        })?;
        let (client, json) = (client.clone(), common.json);
        Ok(Self { client, republisher, json, problems: 0, keys: BTreeSet::new() })
    }

    /// Tells what happens, and reads the folder again when told to.
    async fn watch(
        &mut self,
        folder: &mut Folder,
        hangup: &mut Hangup,
        events: &mut Events,
    ) -> Result<(), Failure> {
        loop {
            tokio::select! {
                () = hangup.next() => match folder.read() {
                    Ok(contents) => self.keep(folder, contents).await?,
                    // What is kept already is kept on.
                    Err(failure) => tracing::warn!(error = %failure, "the folder was not read again"),
                },
                event = events.next() => match event {
                    Some(event) => self.print(&event)?,
                    None => return Ok(()),
                },
            }
        }
    }

    /// Keeps what the folder has from now on, and lets go what it no longer has.
    async fn keep(&mut self, folder: &mut Folder, contents: Contents) -> Result<(), Failure> {
        let Contents { packets, keys, zones, mut problems } = contents;
        let mut named: BTreeSet<PublicKey> = keys.iter().copied().collect();
        named.extend(zones.iter().map(|zone| zone.keypair.public_key()));
        named.extend(packets.iter().map(|(_, packet)| packet.public_key()));
        // Asked, not remembered: the state folder may have keys that left the folder while nobody looked.
        for gone in self.republisher.keys().await.iter().filter(|key| !named.contains(key)) {
            self.republisher.remove(gone).await;
        }
        for (name, packet) in packets {
            self.add(&name, packet, &mut problems).await;
        }
        for zones in zones.chunks(AT_ONCE) {
            let standing = zones.iter().map(|zone| self.standing(zone.keypair.public_key()));
            let standing: Vec<_> = standing.map(tokio::spawn).collect();
            for (zone, standing) in zones.iter().zip(standing) {
                let standing = standing.await.ok().flatten();
                match folder.packet_of(zone, standing.as_ref()) {
                    Ok(packet) => self.add(&zone.name, packet, &mut problems).await,
                    Err(problem) => problems.push(problem),
                }
            }
        }
        for key in keys {
            if let Err(error) = self.republisher.add_key(key).await {
                problems.push(format!("{key}: {error}"));
            }
        }
        self.keys = named;
        self.problems = problems.len();
        let mut kept = 0;
        for key in &self.keys {
            kept += usize::from(self.republisher.kept(key).await.is_some());
        }
        let read = Read { event: "read", keys: kept, problems };
        if self.json {
            return output::json(&read);
        }
        let mut text = format!("keeping {} keys\n", read.keys);
        for problem in &read.problems {
            text.push_str(&format!("  passed over: {problem}\n"));
        }
        output::text(&text)
    }

    /// What the zone of this key was last signed into may stand, here or in the network.
    fn standing(&self, key: PublicKey) -> impl Future<Output = Option<SignedPacket>> + use<> {
        let (republisher, client) = (self.republisher.clone(), self.client.clone());
        async move {
            match republisher.kept(&key).await.and_then(|kept| kept.packet) {
                Some(packet) => Some(packet),
                None => client.resolve_most_recent(&key).await,
            }
        }
    }

    async fn add(&self, name: &str, packet: SignedPacket, problems: &mut Vec<String>) {
        if let Some(what) = super::sign::too_large_to_store(&packet) {
            return problems.push(format!("{name} {what}"));
        }
        match self.republisher.add(packet).await {
            // A newer one is kept, which was published elsewhere.
            Ok(()) | Err(AddError::Older { .. }) => {}
            Err(error) => problems.push(format!("{name}: {error}")),
        }
    }

    /// Waits until each key was put or failed once.
    async fn once(&self, events: &mut Events) -> Result<(), Failure> {
        let mut waiting = self.keys.clone();
        // What was put so lately that it is not due has its turn too.
        let mut ends: BTreeMap<PublicKey, &'static str> = BTreeMap::new();
        for key in &self.keys {
            let Some(kept) = self.republisher.kept(key).await else {
                waiting.remove(key);
                continue;
            };
            if kept.failures == 0 && kept.next > Timestamp::clock() {
                waiting.remove(key);
                ends.insert(*key, "stored");
            }
        }
        let mut refused = BTreeSet::new();
        while !waiting.is_empty() {
            let Some(event) = events.next().await else {
                ends.extend(waiting.iter().map(|key| (*key, "failed")));
                break;
            };
            let is_refused = event.verdict == Verdict::Searching && !refused.insert(event.key);
            let end = match (&event.verdict, event.work) {
                // What is refused though the newest was looked for stays refused.
                _ if is_refused => "failed",
                (Verdict::Kept, Work::Put) => "stored",
                (Verdict::Thin, Work::Put) => "thin",
                (Verdict::Failed { .. } | Verdict::Absent, _) => "failed",
                _ => {
                    self.print(&event)?;
                    continue;
                }
            };
            waiting.remove(&event.key);
            ends.insert(event.key, end);
            self.print(&event)?;
        }
        let count = |what| ends.values().filter(|end| **end == what).count();
        let summary = Summary {
            event: "once",
            keys: ends.len(),
            stored: count("stored") + count("thin"),
            thin: count("thin"),
            failed: count("failed"),
        };
        if self.json {
            output::json(&summary)?;
        } else {
            output::text(&format!(
                "{} of {} keys stored, {} of them at few nodes",
                summary.stored, summary.keys, summary.thin
            ))?;
        }
        if summary.failed > 0 {
            let what = format!("{} of {} keys were not stored", summary.failed, summary.keys);
            return Err(Failure::Network { what, source: None });
        }
        if self.problems > 0 {
            let what = format!("{} files could not be used, as said above", self.problems);
            return Err(Failure::BadInput { what, source: None });
        }
        Ok(())
    }

    fn print(&self, event: &Event) -> Result<(), Failure> {
        let name = match (&event.verdict, event.work) {
            (Verdict::Kept, Work::Put) => "stored",
            (Verdict::Kept, Work::Read) => "held",
            (Verdict::Thin, Work::Put) => "thin",
            (Verdict::Thin, Work::Read) => "lost",
            (Verdict::Adopted { .. }, _) => "adopted",
            (Verdict::Searching, _) => "refused",
            (Verdict::Absent, _) => "absent",
            (Verdict::Failed { .. }, _) => "failed",
            _ => return Ok(()),
        };
        let happened = Happened {
            event: name,
            public_key: event.key.to_z32(),
            timestamp: event.timestamp.map(Timestamp::as_u64),
            copies: event.copies,
            next: event.next.as_u64(),
            error: event.error.as_ref().map(ToString::to_string),
        };
        if self.json {
            return output::json(&happened);
        }
        let copies = happened.copies.map_or_else(String::new, |n| format!(" at {n} nodes"));
        let error = happened.error.map_or_else(String::new, |error| format!(": {error}"));
        let next = event.next.to_rfc3339();
        output::text(&format!("{} {name}{copies}, next {next}{error}", happened.public_key))
    }
}
