//! Changing a zone without losing what others changed meanwhile: read, edit, sign, compare-and-swap, again.
//!
//! Separate from publishing, which carries one packet: here a packet that lost is made anew.

mod pause;
mod turn;

use std::error::Error;

use mainstay_keys::{Keypair, PublicKey};
use mainstay_packets::{BuildError, SignedPacket, SignedPacketBuilder, Timestamp};
use thiserror::Error;

use crate::client::Client;
use crate::error::{ConcurrencyError, PublishError, ResolveError};
use crate::freshness::Policy;
use crate::publishing::Publishes;
use crate::report::{PublishReport, PublishResult};

pub(crate) use turn::Turns;

/// How often [`Client::update`] tries before it leaves the key to its rivals.
pub const MAX_UPDATE_ATTEMPTS: u32 = 16;

/// The timestamp that stands for "no packet" in a compare-and-swap.
const NOTHING: u64 = 0;

/// What a closure given to [`Client::update`] may fail with; it ends the update.
pub type EditError = Box<dyn Error + Send + Sync>;

/// The zone of a key as [`Client::update`] has just read it.
#[derive(Clone, Debug)]
pub struct CurrentZone {
    packet: Option<SignedPacket>,
}

impl CurrentZone {
    /// The newest packet of the key; `None` if it has none yet.
    #[must_use]
    pub fn packet(&self) -> Option<&SignedPacket> {
        self.packet.as_ref()
    }

    /// A builder with the present records, to add to and [remove](SignedPacketBuilder::remove) from.
    #[must_use]
    pub fn to_builder(&self) -> SignedPacketBuilder {
        self.packet.as_ref().map_or_else(SignedPacket::builder, SignedPacket::to_builder)
    }
}

/// An update that was published.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Updated {
    /// What stands for the key.
    pub packet: SignedPacket,
    /// What each backend did with it.
    pub report: PublishReport,
    /// How often it took to be faster than everybody else; 1 where nobody interfered.
    pub attempts: u32,
}

/// A zone was not updated.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// The closure declined; nothing was published in this attempt.
    #[error("the edit was given up")]
    Edit(#[source] EditError),
    /// The edited zone cannot be signed; mend the edit.
    #[error("the edited zone cannot be signed")]
    Sign(#[from] BuildError),
    /// What stands is not known, so nothing was published: try again when the network answers.
    ///
    /// If it is [`ResolveError::NotAPacket`], what stands is known and cannot be edited: to give it up, publish a packet
    /// in its place.
    #[error("cannot read the zone to be updated")]
    Read(#[source] ResolveError),
    /// No backend stored the update, and no rival is to blame: try again later.
    #[error("cannot publish the update")]
    Publish(#[source] PublishError),
    /// In every attempt somebody else was faster. Try again later, or give the key fewer writers.
    #[error("{attempts} attempts in a row lost against other publishers, the last {}", against(*rival, last))]
    Contended {
        /// How often it was tried.
        attempts: u32,
        /// The timestamp of the packet that won the last time, where known.
        rival: Option<Timestamp>,
        /// How the last attempt was refused; [`PublishError::report`] has the backends.
        last: PublishError,
    },
}

/// Updating.
impl Client {
    /// Changes the zone of a key, whoever else is changing it at the same time.
    ///
    /// Reads the newest packet that the whole network has, hands its records to `edit`, signs what comes back with a
    /// later timestamp, and publishes it in place of exactly the packet that was read. If somebody else was faster, it
    /// starts over with what they published, after a pause that grows and is drawn at random, at most
    /// [`MAX_UPDATE_ATTEMPTS`] times. So `edit` is called once for each attempt; let it do nothing else. If it changes
    /// nothing, the packet that stands is published again as it is.
    ///
    /// Updates of one key through one client and its clones take turns, and do not compete. Several clients are as safe
    /// as compare-and-swap is in what they publish through (see [`Self::publish`]): for no update to be lost, they must
    /// have a backend in common. The DHT alone is not quite that: two that start from the same packet may reach different
    /// nodes, and readers take the later timestamp wherever they see it. So the one whom most nodes refuse starts over from
    /// the other's packet, if any node still shows it; what cannot be seen is left, that a packet which few nodes hold
    /// stands above one which its writer was told is stored. Where an attempt is reported as refused though it got
    /// through, others may build on it, and it is edited in once more; so prefer edits that may be applied twice.
    ///
    /// Dropping the future ends the update before its next attempt; a publish that is under way goes on.
    ///
    /// ```no_run
    /// # use mainstay_client::{Client, Keypair};
    /// # async fn example(client: Client, keypair: Keypair) -> Result<(), Box<dyn std::error::Error>> {
    /// let updated = client
    ///     .update(&keypair, |zone| {
    ///         let records = zone.to_builder().remove(&"www".try_into()?, None);
    ///         Ok(records.a("www".try_into()?, "192.0.2.7".parse()?, 300))
    ///     })
    ///     .await?;
    /// println!("stored at {} nodes", updated.report.stored_nodes());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`UpdateError`] tells an edit that declined from a network that did not answer and from rivals who won.
    pub async fn update(
        &self,
        keypair: &Keypair,
        mut edit: impl FnMut(&CurrentZone) -> Result<SignedPacketBuilder, EditError>,
    ) -> Result<Updated, UpdateError> {
        let key = keypair.public_key();
        let engine = self.engine();
        let _turn = engine.turns.wait_for(key).await;
        // Each with what it was to replace: it has the records of that one, and of nobody else's since.
        let mut tried: Vec<(SignedPacket, Timestamp)> = Vec::new();
        for attempts in 1.. {
            let mut zone = self.read_zone(&key).await?;
            let ours: Vec<_> = tried.iter().map(|(own, _)| own.clone()).collect();
            let stands = |own: &SignedPacket| zone.packet().is_some_and(|it| own.is_same_as(it));
            if let Some((_, base)) = tried.iter().find(|(own, _)| stands(own)) {
                // It stands, but perhaps above one whose writer was told the same: then the edit goes on top of that.
                let passed_over = engine.passed_over(key, *base, &ours).await;
                zone.packet = passed_over.or(zone.packet);
            }
            let seen = engine.seen.highest(&key, Timestamp::clock());
            let (packet, cas) = make(&zone, keypair, &ours, seen, &mut edit)?;
            let published = Publishes::publish_after(engine, &packet, cas, &ours).await;
            if let Some(base) = cas {
                tried.push((packet.clone(), base));
            }
            let lost = match published {
                Ok(report) => return Ok(Updated { packet, report, attempts }),
                Err(error) => error,
            };
            let Some(conflict) = lost.concurrency() else {
                return Err(UpdateError::Publish(lost));
            };
            if attempts >= MAX_UPDATE_ATTEMPTS {
                return Err(UpdateError::Contended {
                    attempts,
                    rival: conflict.seen(),
                    last: lost,
                });
            }
            tracing::debug!(key = key.short(), attempts, error = %lost, "another publisher was faster");
            engine.background.sleep(pause::after(attempts, &packet)).await;
        }
        unreachable!("the last attempt returns")
    }

    async fn read_zone(&self, key: &PublicKey) -> Result<CurrentZone, UpdateError> {
        match self.resolve_with(key, Policy::MostRecent).await {
            Ok(resolution) => Ok(CurrentZone { packet: Some(resolution.packet) }),
            Err(ResolveError::NotFound(_)) => Ok(CurrentZone { packet: None }),
            Err(error) => Err(UpdateError::Read(error)),
        }
    }
}

/// What to publish, and what it replaces.
fn make(
    zone: &CurrentZone,
    keypair: &Keypair,
    ours: &[SignedPacket],
    seen: Option<Timestamp>,
    edit: &mut impl FnMut(&CurrentZone) -> Result<SignedPacketBuilder, EditError>,
) -> Result<(SignedPacket, Option<Timestamp>), UpdateError> {
    // An attempt that was refused and stands all the same has done what was asked: once more to all, and done.
    let is_ours = |it: &&SignedPacket| ours.iter().any(|own| own.is_same_as(it));
    if let Some(standing) = zone.packet().filter(is_ours) {
        return Ok((standing.clone(), None));
    }
    let records = edit(zone).map_err(UpdateError::Edit)?;
    let standing = zone.packet().map(SignedPacket::timestamp);
    let own = ours.last().map(SignedPacket::timestamp);
    let latest = standing.max(seen).max(own).unwrap_or(Timestamp::from(NOTHING));
    let packet = records.timestamp(Timestamp::after(latest)).sign(keypair)?;
    match zone.packet().filter(|it| it.encoded_packet() == packet.encoded_packet()) {
        Some(unchanged) => Ok((unchanged.clone(), None)),
        None => Ok((packet, Some(standing.unwrap_or(Timestamp::from(NOTHING))))),
    }
}

fn against(rival: Option<Timestamp>, last: &PublishError) -> String {
    let mut text = match rival {
        Some(rival) => format!("against the packet of {}", rival.as_u64()),
        None => "against a packet that nobody showed".to_owned(),
    };
    let outcomes = last.report().map(|report| report.outcomes.as_slice()).unwrap_or_default();
    for outcome in outcomes {
        if matches!(outcome.result, PublishResult::Conflict { .. }) || outcome.refused > 0 {
            text.push_str(" at ");
            text.push_str(&outcome.backend.to_string());
        }
    }
    text
}

impl ConcurrencyError {
    /// The timestamp of the packet that is in the way, where known.
    #[must_use]
    pub fn seen(&self) -> Option<Timestamp> {
        match self {
            Self::ConflictRisk => None,
            Self::NotMostRecent { seen } | Self::CasFailed { seen } => *seen,
        }
    }
}

#[cfg(test)]
mod tests;
