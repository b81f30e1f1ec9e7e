//! What the tests ask, in few words.
//! Apart from the tests, so that each of them is about its network only.

use std::time::Duration;

use mainstay_dht_proto::{Ask, Event, LookupReport, Outcome};
use mainstay_keys::Keypair;
use mainstay_krpc::Id;
use mainstay_krpc::item::MutableItem;
use mainstay_sim::Dice;
use mainstay_tests::internet::{Terrain, World};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// An internet in which everybody who is there answers soon: for what is said of recall.
pub(crate) fn prompt(seed: u64, nodes: usize, dead: f64) -> Terrain {
    Terrain { seed, nodes, dead, busy: 0.0, queueing: 0.0, ..Terrain::default() }
}

/// The item of this number at this sequence number.
pub(crate) fn item(number: u64, seq: i64) -> MutableItem {
    let mut secret = [9; 32];
    secret[..8].copy_from_slice(&number.to_be_bytes());
    let value = format!("value {seq} of {number}");
    MutableItem::sign_bytes(&Keypair::from_secret_key(&secret), b"", seq, value.as_bytes()).unwrap()
}

pub(crate) fn get_of(item: &MutableItem) -> Ask {
    Ask::GetMutable { key: *item.key(), salt: item.salt().to_vec(), newer_than: None }
}

/// Puts; says how many acknowledged.
pub(crate) fn put(world: &mut World, guest: usize, item: &MutableItem) -> usize {
    let ask = Ask::PutMutable { item: item.clone(), cas: None };
    match world.ask(guest, ask, false).0 {
        Outcome::Put(Ok(report)) => report.stored,
        Outcome::Put(Err(_)) => 0,
        other => panic!("{other:?}"),
    }
}

/// Gets; the sequence number found, and the report.
pub(crate) fn get(
    world: &mut World,
    guest: usize,
    item: &MutableItem,
) -> (Option<i64>, LookupReport) {
    let (outcome, report, _) = world.ask(guest, get_of(item), false);
    match outcome {
        Outcome::Mutable(found) => (found.ok().flatten().map(|item| item.seq()), report),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn target(dice: &mut Dice) -> Id {
    let mut target = [0; 20];
    target.fill_with(|| dice.below(256) as u8);
    Id::from_bytes(target)
}

/// How many of the eight closest living nodes a search for nodes finds, as a share.
pub(crate) fn recall(world: &mut World, guest: usize, target: Id) -> f64 {
    let (outcome, _, _) = world.ask(guest, Ask::FindNode { target }, false);
    let Outcome::Nodes(Ok(found)) = outcome else { return 0.0 };
    let internet = world.internet.as_ref().unwrap().borrow();
    let census = internet.census();
    let truth = census.closest(&target, 8, |number| census.lives(number));
    let known =
        truth.iter().filter(|number| found.iter().any(|node| node.id == census.id(**number)));
    known.count() as f64 / truth.len() as f64
}

/// The contacts of a node's table that share exactly 0, 1, 2 … bits with its id.
pub(crate) fn depths(world: &World, guest: usize) -> [usize; 24] {
    let own = world.node(guest).info().ipv4.unwrap().id;
    let mut depths = [0; 24];
    for contact in world.node(guest).contacts() {
        let own = u128::from_be_bytes(*own.as_bytes().first_chunk().unwrap());
        let other = u128::from_be_bytes(*contact.id.as_bytes().first_chunk().unwrap());
        depths[((own ^ other).leading_zeros() as usize).min(23)] += 1;
    }
    depths
}

pub(crate) fn count(events: &[(Duration, Event)], which: impl Fn(&Event) -> bool) -> usize {
    events.iter().filter(|(_, event)| which(event)).count()
}
