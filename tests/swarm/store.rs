//! Storing and finding again.

use std::time::Duration;

use mainstay_dht_proto::Outcome;

use crate::swarm::{Swarm, item};

#[test]
fn what_one_node_puts_every_node_gets() {
    let mut swarm = Swarm::joined(60, 20);
    let item = item(1, 7);
    let Outcome::Put(Ok(report)) = swarm.put(3, &item) else { panic!("not stored") };
    assert_eq!(report.stored, 16);
    for index in 0..60 {
        assert_eq!(swarm.get(index, &item).as_ref(), Some(&item), "node {index}");
    }
    let _ = Duration::ZERO;
}
