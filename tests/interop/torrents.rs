//! Peers, scrapes (BEP 33) and samples (BEP 51) between Mainstay's node and libtorrent's.
//!
//! Separate from the items, because nothing here is signed: what counts is who is counted, and where.
//! libtorrent's Python binding offers no scrape: its nodes answer ours, and its seeds are counted by ours; that our
//! answers to a scrape are BEP 33's is shown byte by byte in `tests/swarm/serving.rs`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mainstay_dht::Dht;
use mainstay_krpc::Id;
use serde_json::json;

use crate::items::{join_only_theirs, node, strings};
use crate::peer::{Peer, Program};

/// libtorrent's flag for an announce of somebody who has everything.
const SEED: u8 = 1;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_scrape_of_libtorrents_nodes_tells_seeds_from_downloaders() {
    let Some(mut theirs) = Peer::spawn(Program::Libtorrent) else { return };
    let ours = join_only_theirs(&mut theirs, Ipv4Addr::LOCALHOST.into()).await;
    let hash = Id::from_bytes(*b"scraped by Mainstay ");
    scrape_counts(&ours, &mut theirs, hash).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_node_counts_what_libtorrent_announces_to_it() {
    let Some(mut theirs) = Peer::spawn(Program::Libtorrent) else { return };
    let testnet = mainstay_dht::Testnet::new(8).await.expect("loopback has room for it");
    theirs.must(&json!({ "op": "start", "nodes": 1, "bootstrap": testnet.bootstrap }));
    let hash = Id::from_bytes(*b"counted by Mainstay ");
    scrape_counts(&testnet.nodes[5], &mut theirs, hash).await;
}

/// One address announces as a seed, then it is the only one counted, and as nothing else.
async fn scrape_counts(ours: &Dht, theirs: &mut Peer, hash: Id) {
    let none = ours.scrape(hash).await.expect("nodes answer");
    assert_eq!((none.seed_count(), none.downloader_count()), (0, 0));
    theirs.must(
        &json!({ "op": "announce", "info_hash": hash.to_string(), "port": 1, "flags": SEED }),
    );
    let seeds = counted(ours, hash, |counts| counts.0 > 0).await;
    assert_eq!(seeds, (1, 0), "one seed");

    let other = Id::from_bytes(hash.as_bytes().map(|byte| byte ^ 1));
    theirs.must(&json!({ "op": "announce", "info_hash": other.to_string(), "port": 1 }));
    let downloaders = counted(ours, other, |counts| counts.1 > 0).await;
    assert_eq!(downloaders, (0, 1), "one downloader");
}

/// Seeds and downloaders. libtorrent does not tell its caller when an announce has arrived: 30 scrapes at most.
async fn counted(ours: &Dht, hash: Id, arrived: impl Fn((u64, u64)) -> bool) -> (u64, u64) {
    let mut counts = (0, 0);
    for _ in 0..30 {
        let scrape = ours.scrape(hash).await.expect("nodes answer");
        counts = (scrape.seed_count(), scrape.downloader_count());
        if arrived(counts) {
            break;
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_samples_of_libtorrents_nodes_name_what_was_announced_there() {
    let Some(mut theirs) = Peer::spawn(Program::Libtorrent) else { return };
    let ours = join_only_theirs(&mut theirs, Ipv4Addr::LOCALHOST.into()).await;
    let hash = Id::from_bytes(*b"sampled by Mainstay ");
    ours.announce_peer(hash, Some(4321)).await.expect("their nodes take it");
    let samples = ours.sample_infohashes(hash).await.expect("nodes answer");
    let holders: Vec<_> = samples.iter().filter(|one| one.info_hashes.contains(&hash)).collect();
    assert!(holders.len() >= 4, "{} of {} nodes name it", holders.len(), samples.len());
    for holder in holders {
        assert_eq!((holder.total, holder.info_hashes.len()), (1, 1));
        assert!(holder.interval <= Duration::from_secs(6 * 60 * 60), "BEP 51's most");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn libtorrents_sample_of_our_node_names_what_libtorrent_announced_there() {
    let Some(mut theirs) = Peer::spawn(Program::Libtorrent) else { return };
    let first = Dht::builder()
        .no_bootstrap()
        .server_mode(true)
        .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .build()
        .expect("loopback has a free port");
    let address = first.local_addr().to_string();
    let started = theirs.must(&json!({ "op": "start", "nodes": 2, "bootstrap": [address] }));
    let ours = node(&strings(&started["addresses"]), Ipv4Addr::LOCALHOST.into());
    assert!(ours.ready().await, "did not join through {started}");
    let hash = Id::from_bytes(*b"sampled by libtorren");
    ours.announce_peer(hash, Some(4321)).await.expect("all nodes take it");
    let sample = theirs.must(
        &json!({ "op": "sample", "node": address, "target": Id::from_bytes([7; 20]).to_string() }),
    );
    assert_eq!(strings(&sample["samples"]), [hash.to_string()]);
    assert_eq!(sample["total"], 1);
    assert!(sample["interval"].as_f64().is_some_and(|seconds| seconds <= 21_600.0), "{sample}");
    assert!(sample["nodes"].as_u64() >= Some(1), "a sample names nodes to go on with: {sample}");
}
