//! What updating promises: no lost update, an honest error, and an edit that may decline.
//!
//! Separate because it needs a backend that compares and swaps, and rivals that interfere.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mainstay_keys::Keypair;
use url::Url;

use crate::backend::{Backend, End, Find, Finds, Published, Question};
use crate::cache::InMemoryCache;
use crate::engine::Engine;
use crate::report::{BackendName, PublishResult, Source};
use crate::runtime::Background;
use crate::scripted::{Scripted, ago, engine, packet};
use crate::{
    Client, ConcurrencyError, CurrentZone, EditError, Failure, Freshness, MAX_UPDATE_ATTEMPTS,
    SignedPacket, SignedPacketBuilder, Timestamp, UpdateError,
};

/// A store that compares and swaps; before each of the first so many publishes a rival gets in.
#[derive(Debug)]
struct Shelf {
    standing: Mutex<Option<SignedPacket>>,
    rivals: Mutex<u32>,
    keypair: Keypair,
}

impl Shelf {
    fn new(keypair: &Keypair) -> Arc<Self> {
        Arc::new(Self {
            standing: Mutex::default(),
            rivals: Mutex::default(),
            keypair: keypair.clone(),
        })
    }

    fn with_rivals(keypair: &Keypair, rivals: u32) -> Arc<Self> {
        let shelf = Self::new(keypair);
        *shelf.rivals.lock().unwrap() = rivals;
        shelf
    }

    fn names(&self) -> BTreeSet<String> {
        let standing = self.standing.lock().unwrap();
        standing.iter().flat_map(names).collect()
    }
}

#[async_trait]
impl Backend for Shelf {
    fn name(&self) -> BackendName {
        BackendName::Relay(Url::parse("http://shelf.test/").unwrap())
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn publish(&self, packet: &SignedPacket, cas: Option<Timestamp>) -> Published {
        let (mut standing, mut rivals) =
            (self.standing.lock().unwrap(), self.rivals.lock().unwrap());
        if *rivals > 0 {
            *rivals -= 1;
            let records =
                standing.as_ref().map_or_else(SignedPacket::builder, SignedPacket::to_builder);
            let name = format!("rival{rivals}");
            *standing = Some(with(records, &name).sign(&self.keypair).unwrap());
        }
        let seen = standing.as_ref().map(SignedPacket::timestamp);
        let same = standing.as_ref().is_some_and(|standing| standing.is_same_as(packet));
        if !same && cas.is_some_and(|cas| cas != seen.unwrap_or(Timestamp::from(0))) {
            let conflict = ConcurrencyError::CasFailed { seen };
            return PublishResult::Conflict { conflict }.into();
        }
        if seen > Some(packet.timestamp()) {
            let conflict = ConcurrencyError::NotMostRecent { seen };
            return PublishResult::Conflict { conflict }.into();
        }
        *standing = Some(packet.clone());
        PublishResult::Stored { nodes: None }.into()
    }

    async fn resolve(&self, _question: Question, finds: Finds) -> End {
        let standing = self.standing.lock().unwrap().clone();
        if let Some(packet) = standing {
            let source = Source::Cache;
            finds.send(Find { packet, source, last_seen: Timestamp::clock() }).await;
        }
        End::Exhausted
    }
}

/// A client whose one backend is the shelf.
fn client(shelf: &Arc<Shelf>) -> Client {
    let backends: Vec<Arc<dyn Backend>> = vec![shelf.clone()];
    let cache = Some(Arc::new(InMemoryCache::new(10)) as _);
    of(Engine::new(backends, cache, Freshness::default(), Background::current()))
}

fn of(engine: Engine) -> Client {
    Client::new(
        engine,
        7,
        #[cfg(feature = "dht")]
        None,
    )
}

fn with(records: SignedPacketBuilder, name: &str) -> SignedPacketBuilder {
    records.txt(name.try_into().unwrap(), "x".try_into().unwrap(), 300)
}

fn adding(name: &str) -> impl FnMut(&CurrentZone) -> Result<SignedPacketBuilder, EditError> {
    move |zone| Ok(with(zone.to_builder(), name))
}

fn names(packet: &SignedPacket) -> BTreeSet<String> {
    packet.all_resource_records().map(|record| record.name().relative()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_update_creates_the_zone_and_the_next_keeps_its_records() {
    let keypair = Keypair::random();
    let shelf = Shelf::new(&keypair);
    let client = client(&shelf);
    let first = client.update(&keypair, adding("a")).await.unwrap();
    let second = client.update(&keypair, adding("b")).await.unwrap();
    assert_eq!((first.attempts, second.attempts), (1, 1));
    assert!(second.packet.timestamp() > first.packet.timestamp());
    assert_eq!(shelf.names(), set(&["a", "b"]));
}

#[tokio::test(start_paused = true)]
async fn who_is_overtaken_builds_on_what_the_rival_published() {
    let keypair = Keypair::random();
    let shelf = Shelf::with_rivals(&keypair, 3);
    let updated = client(&shelf).update(&keypair, adding("a")).await.unwrap();
    assert_eq!(updated.attempts, 4);
    assert_eq!(shelf.names(), set(&["a", "rival0", "rival1", "rival2"]));
}

#[tokio::test(start_paused = true)]
async fn after_so_many_defeats_the_error_says_how_many_and_against_whom() {
    let keypair = Keypair::random();
    let shelf = Shelf::with_rivals(&keypair, 1000);
    let error = client(&shelf).update(&keypair, adding("a")).await.unwrap_err();
    let stands = shelf.standing.lock().unwrap().as_ref().map(SignedPacket::timestamp);
    let text = error.to_string();
    let UpdateError::Contended { attempts, rival, .. } = error else { panic!("{error}") };
    assert_eq!((attempts, rival), (MAX_UPDATE_ATTEMPTS, stands));
    let rival = rival.map(Timestamp::as_u64).unwrap_or_default().to_string();
    assert!(text.contains("16 attempts") && text.contains("shelf.test"), "{text}");
    assert!(text.contains(&rival), "{text}");
}

#[tokio::test(start_paused = true)]
async fn updates_of_one_key_in_one_client_take_turns() {
    let keypair = Keypair::random();
    let shelf = Shelf::new(&keypair);
    let client = client(&shelf);
    let names: Vec<_> = (0..30).map(|n| format!("n{n}")).collect();
    let updates = names.iter().map(|name| {
        let (client, keypair, name) = (client.clone(), keypair.clone(), name.clone());
        tokio::spawn(async move { client.update(&keypair, adding(&name)).await.unwrap().attempts })
    });
    for update in updates.collect::<Vec<_>>() {
        assert_eq!(update.await.unwrap(), 1);
    }
    assert_eq!(shelf.names(), names.into_iter().collect());
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_declines_publishes_nothing() {
    let keypair = Keypair::random();
    let shelf = Shelf::new(&keypair);
    let declined = client(&shelf).update(&keypair, |_zone| Err("no".into())).await.unwrap_err();
    assert!(matches!(&declined, UpdateError::Edit(cause) if cause.to_string() == "no"));
    assert_eq!(shelf.names(), set(&[]));
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_changes_nothing_publishes_what_stands_once_more() {
    let keypair = Keypair::random();
    let shelf = Shelf::new(&keypair);
    let client = client(&shelf);
    let first = client.update(&keypair, adding("a")).await.unwrap();
    let again = client.update(&keypair, adding("a")).await.unwrap();
    assert_eq!(again.packet, first.packet);
}

#[tokio::test(start_paused = true)]
async fn an_update_follows_what_it_replaces_though_our_clock_is_behind() {
    let keypair = Keypair::random();
    let shelf = Shelf::new(&keypair);
    let ahead = Timestamp::clock().checked_add(Duration::from_secs(3600)).unwrap();
    *shelf.standing.lock().unwrap() = Some(packet(&keypair, ahead, 300));
    let updated = client(&shelf).update(&keypair, adding("a")).await.unwrap();
    assert_eq!(updated.packet.timestamp().as_u64(), ahead.as_u64() + 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_published_over_what_could_not_be_read() {
    let keypair = Keypair::random();
    let broken = Scripted::with(&[]).ending(End::Failed(Failure::Abandoned));
    let broken = Arc::new(broken);
    let engine = Arc::into_inner(engine(&[&broken])).expect("nobody else has it");
    let error = of(engine).update(&keypair, adding("a")).await.unwrap_err();
    assert!(matches!(error, UpdateError::Read(_)), "{error}");
    assert_eq!(broken.published(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_does_not_fit_a_packet_is_not_published() {
    let keypair = Keypair::random();
    let shelf = Shelf::new(&keypair);
    let text = "x".repeat(1200);
    let huge = |zone: &CurrentZone| {
        Ok(zone.to_builder().txt("a".try_into()?, text.as_str().try_into()?, 300))
    };
    let error = client(&shelf).update(&keypair, huge).await.unwrap_err();
    assert!(matches!(error, UpdateError::Sign(_)), "{error}");
    assert_eq!(shelf.names(), set(&[]));
}

#[tokio::test(start_paused = true)]
async fn some_nodes_that_hold_a_newer_packet_are_enough_to_lose() {
    let keypair = Keypair::random();
    let (ours, newer) = (packet(&keypair, ago(50), 300), packet(&keypair, ago(5), 300));
    let storing = Arc::new(Scripted::with(&[]));
    let elsewhere = Arc::new(Scripted::with(std::slice::from_ref(&newer)));
    let failed = PublishResult::Failed(Failure::Abandoned);
    *elsewhere.stores.lock().unwrap() = failed;
    *storing.refused.lock().unwrap() = 2;
    let client = of(Arc::into_inner(engine(&[&storing, &elsewhere])).expect("nobody else has it"));
    let error = client.publish(&ours, None).await.unwrap_err();
    let seen = Some(newer.timestamp());
    assert_eq!(error.concurrency(), Some(ConcurrencyError::NotMostRecent { seen }), "{error}");
}

/// Five nodes behind one backend that compare and swap each for itself; a rival who started from the same packet has
/// reached so many of them just before the first publish gets there.
#[derive(Debug)]
struct Nodes {
    standing: Mutex<[Option<SignedPacket>; 5]>,
    rival_reaches: Mutex<usize>,
    /// Whether the last node is not seen, and nobody takes the second publish, before that is over.
    stumbles: bool,
    publishes: Mutex<u32>,
    keypair: Keypair,
}

impl Nodes {
    fn client(keypair: &Keypair, base: &SignedPacket, rival_reaches: usize) -> (Arc<Self>, Client) {
        Self::stumbling(keypair, base, rival_reaches, false)
    }

    fn stumbling(
        keypair: &Keypair,
        base: &SignedPacket,
        rival_reaches: usize,
        stumbles: bool,
    ) -> (Arc<Self>, Client) {
        let nodes = Arc::new(Self {
            stumbles,
            publishes: Mutex::default(),
            standing: Mutex::new([(); 5].map(|()| Some(base.clone()))),
            rival_reaches: Mutex::new(rival_reaches),
            keypair: keypair.clone(),
        });
        let backends: Vec<Arc<dyn Backend>> = vec![nodes.clone()];
        let cache = Some(Arc::new(InMemoryCache::new(10)) as _);
        let engine = Engine::new(backends, cache, Freshness::default(), Background::current());
        (nodes, of(engine))
    }

    fn newest(&self) -> BTreeSet<String> {
        let standing = self.standing.lock().unwrap();
        names(standing.iter().flatten().max_by_key(|packet| packet.timestamp()).unwrap())
    }
}

#[async_trait]
impl Backend for Nodes {
    fn name(&self) -> BackendName {
        BackendName::Dht
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn publish(&self, packet: &SignedPacket, cas: Option<Timestamp>) -> Published {
        let mut standing = self.standing.lock().unwrap();
        let reached = std::mem::take(&mut *self.rival_reaches.lock().unwrap());
        for node in standing.iter_mut().take(reached) {
            let rival = with(node.as_ref().unwrap().to_builder(), "rival");
            // Signed earlier than ours, though it came sooner.
            let signed = Timestamp::from(packet.timestamp().as_u64() - 1);
            *node = Some(rival.timestamp(signed).sign(&self.keypair).unwrap());
        }
        let mut publishes = self.publishes.lock().unwrap();
        *publishes += 1;
        if self.stumbles && *publishes == 2 {
            return PublishResult::Conflict {
                conflict: ConcurrencyError::CasFailed { seen: None },
            }
            .into();
        }
        let (mut stored, mut refused) = (0, 0);
        for node in standing.iter_mut() {
            let seen = node.as_ref().map(SignedPacket::timestamp);
            let takes = cas.is_none_or(|cas| Some(cas) == seen) && seen <= Some(packet.timestamp());
            if takes || node.as_ref().is_some_and(|it| it.is_same_as(packet)) {
                *node = Some(packet.clone());
                stored += 1;
            } else {
                refused += 1;
            }
        }
        if stored == 0 {
            let conflict = ConcurrencyError::CasFailed { seen: None };
            return PublishResult::Conflict { conflict }.into();
        }
        Published { result: PublishResult::Stored { nodes: Some(stored) }, refused }
    }

    async fn resolve(&self, _question: Question, finds: Finds) -> End {
        let standing = self.standing.lock().unwrap().clone();
        let unseen = usize::from(self.stumbles && *self.publishes.lock().unwrap() < 2);
        for packet in standing.into_iter().rev().skip(unseen).rev().flatten() {
            let source = Source::Dht { nodes: 1 };
            finds.send(Find { packet, source, last_seen: Timestamp::clock() }).await;
        }
        End::Exhausted
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_newer_at_few_nodes_does_not_pass_over_a_rival_whom_most_have_taken() {
    let keypair = Keypair::random();
    let base = with(SignedPacket::builder(), "base").timestamp(ago(60)).sign(&keypair).unwrap();
    for (reached, attempts) in [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (5, 2)] {
        let (nodes, client) = Nodes::client(&keypair, &base, reached);
        let updated = client.update(&keypair, adding("ours")).await.unwrap();
        assert_eq!(updated.attempts, attempts, "{reached}");
        assert_eq!(nodes.newest(), names(&updated.packet), "{reached}");
        if reached > 2 {
            // The rival may have been told that it stands.
            assert_eq!(nodes.newest(), set(&["base", "rival", "ours"]), "{reached}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_publish_that_most_refuse_for_a_rival_is_refused_with_the_rival_named() {
    let keypair = Keypair::random();
    let base = with(SignedPacket::builder(), "base").timestamp(ago(60)).sign(&keypair).unwrap();
    let (_nodes, client) = Nodes::client(&keypair, &base, 4);
    let ours = with(base.to_builder(), "ours").sign(&keypair).unwrap();
    let refused = client.publish_report(&ours, Some(base.timestamp())).await.unwrap_err();
    let rival = Timestamp::from(ours.timestamp().as_u64() - 1);
    let seen = refused.concurrency().and_then(|conflict| conflict.seen());
    assert_eq!(seen, Some(rival), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_attempt_that_shows_up_later_is_not_put_again_over_whom_it_never_saw() {
    let keypair = Keypair::random();
    let base = with(SignedPacket::builder(), "base").timestamp(ago(60)).sign(&keypair).unwrap();
    let (nodes, client) = Nodes::stumbling(&keypair, &base, 4, true);
    let updated = client.update(&keypair, adding("ours")).await.unwrap();
    assert_eq!(
        updated.attempts, 3,
        "refused for the rival, refused again, and then on top of the rival"
    );
    assert_eq!(nodes.newest(), set(&["base", "rival", "ours"]));
}
