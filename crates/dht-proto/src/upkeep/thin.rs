//! Where the table knows too few: far from us, where no ping finds anybody new.
//! Apart from the rounds, because it counts by shared bits, which the table's wide buckets do not show.

use mainstay_kad::Contact as _;
use mainstay_krpc::Id;
use rand::seq::IndexedRandom as _;

use crate::network::NODES;
use crate::scope::Family;
use crate::search::Scene;

/// A target at a level, by bits shared with our id, of which the table holds less than a bucket although the
/// network has more.
///
/// The buckets alone do not tell: while the table is small it is one wide bucket, kept fresh by the pings to
/// those in it, and whole halves of the network may be missing from it.
pub(super) fn thin_target(scene: &mut Scene<'_>, family: Family) -> Option<Id> {
    let network = scene.networks.of(family)?;
    let own = network.table.own_id();
    let mut levels = [0_usize; 64];
    for entry in network.table.iter() {
        let level = own.shared_prefix(&entry.contact().id());
        if let Some(count) = levels.get_mut(level) {
            *count += 1;
        }
    }
    // Levels that hold four buckets' worth of nodes: the nearer ones are seen to by the walks to our own id.
    let mut expected = network.size.estimate()?.nodes / 2.0;
    let mut thin = Vec::new();
    for (level, count) in levels.into_iter().enumerate() {
        if expected < 4.0 * f64::from(u32::try_from(NODES).unwrap_or(u32::MAX)) {
            break;
        }
        if count < NODES {
            thin.push(level);
        }
        expected /= 2.0;
    }
    let level = *thin.choose(&mut scene.wire.rng)?;
    let target =
        own.random_at_prefix(level, |bytes| rand::Rng::fill_bytes(&mut scene.wire.rng, bytes));
    Some(Id::from_bytes(target.to_bytes()))
}
