//! State files of nodes on real sockets: restarts, broken files, crashes at any point of the writing.
//! Apart from other ends of nodes, because here something is left behind.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use mainstay_dht::{
    BuildError, Dht, EventStream, Explanation, MutableItem, NodeEvent, StateError, Testnet,
    read_state,
};
use mainstay_keys::Keypair;

use super::{client_of, loopback};

#[tokio::test]
async fn a_node_with_a_state_file_joins_again_without_any_bootstrap() {
    let (testnet, folder) = (Testnet::new(12).await.unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("state");
    let first = client_of(&testnet).state_file(&path).build().unwrap();
    assert!(first.ready().await);
    let (id, item) = (first.info().id(), signed(7));
    first.put_mutable(item.clone(), None).await.unwrap();
    first.shutdown().await;
    let saved = read_state(&path).unwrap().expect("it was written at the shutdown");
    assert!(saved.nodes.len() >= 8 && saved.taken.is_some(), "{saved:?}");

    let second = Dht::builder().no_bootstrap().bind(loopback()).state_file(&path).build().unwrap();
    // Asked at once, before it has joined.
    let found = second.get_mutable_most_recent(item.key(), None).await.unwrap();
    assert_eq!(found.as_ref(), Some(&item));
    assert!(second.ready().await);
    assert_eq!(second.info().id(), id);
    assert_eq!(second.published().await, [item]);
    let told =
        until(&mut second.events().await, |event| matches!(event, NodeEvent::StateRestored { .. }))
            .await;
    let NodeEvent::StateRestored { nodes, published, .. } = told else { panic!() };
    assert_eq!((nodes, published), (saved.nodes.len(), 1));
}

#[tokio::test]
async fn a_broken_state_file_is_told_and_the_node_starts_and_writes_a_new_one() {
    let (testnet, folder) = (Testnet::new(5).await.unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("state");
    fs::write(&path, b"not a state").unwrap();
    let dht = client_of(&testnet).state_file(&path).build().unwrap();
    let mut events = dht.events().await;
    let told = until(&mut events, |event| matches!(event, NodeEvent::StateSetAside { .. })).await;
    let NodeEvent::StateSetAside { moved_to: Some(aside), reason, .. } = told else { panic!() };
    assert!(matches!(reason, StateError::Content { .. }));
    assert_eq!(fs::read(aside).unwrap(), b"not a state");
    assert!(dht.ready().await);
    dht.shutdown().await;
    until(&mut events, |event| matches!(event, NodeEvent::StateSaved { .. })).await;
    assert!(!read_state(&path).unwrap().unwrap().nodes.is_empty());
}

#[tokio::test]
async fn the_last_handle_that_goes_leaves_the_state_behind() {
    let (testnet, folder) = (Testnet::new(5).await.unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("state");
    let dht = client_of(&testnet).state_file(&path).build().unwrap();
    let second = client_of(&testnet).state_file(&path).build();
    assert!(matches!(second, Err(BuildError::StateInUse { .. })), "{second:?}");
    assert!(dht.ready().await);
    let mut events = dht.events().await;
    drop(dht);
    until(&mut events, |event| matches!(event, NodeEvent::StateSaved { .. })).await;
    assert!(read_state(&path).unwrap().is_some());
    // The file is free for the next.
    while events.next().await.is_some() {}
    assert!(client_of(&testnet).state_file(&path).build().is_ok());
}

#[test]
fn the_blocking_handle_has_the_same_events_and_state() {
    let (testnet, folder) = (Testnet::blocking(4).unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("state");
    let dht = client_of(&testnet).state_file(&path).build().unwrap().as_blocking();
    assert!(dht.ready());
    let mut steps = dht.trace();
    dht.put_mutable(signed(1), None).unwrap();
    assert!(steps.next().is_some());
    assert_eq!(dht.published(), [signed(1)]);
    assert!(dht.snapshot().unwrap().nodes.len() >= 3);
    let mut events = dht.events();
    assert!(events.any(|event| matches!(event, NodeEvent::Settled { nodes } if nodes > 0)));
    dht.shutdown();
    assert!(events.any(|event| matches!(event, NodeEvent::StateSaved { .. })));
}

#[tokio::test]
async fn a_lookup_is_explained_and_its_packets_and_figures_are_kept() {
    let testnet = Testnet::new(8).await.unwrap();
    let dht = client_of(&testnet).packet_log(100).build().unwrap();
    assert!(dht.ready().await);
    let mut trace = dht.trace().await;
    dht.put_mutable(signed(3), None).await.unwrap();
    let steps: Vec<_> = std::iter::from_fn(|| trace.try_next()).collect();
    let [put] = &Explanation::of(&steps)[..] else { panic!("{steps:?}") };
    assert_eq!(put.target, Some(signed(3).target()));
    assert!(put.answered() >= 6 && put.nodes.len() >= put.answered(), "{put}");
    let text = put.to_string();
    for part in ["lookup of ", "├─ 127.0.0.1:", "answered in ", "asked to store", "stored it in "]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let packets = dht.packets().await;
    assert!(packets.len() <= 100);
    for kind in ["get", "put", "answer"] {
        assert!(packets.iter().any(|packet| packet.kind() == kind), "{kind}");
    }
    let counters = dht.info().counters();
    assert_eq!(counters.round_trips.total(), counters.answers);
    assert_eq!((counters.ask_requests.total(), counters.ask_times.total()), (1, 1));
    assert!((1..=8).contains(&counters.ask_hops.quantile(1.0).unwrap()));
    assert_eq!(
        counters.received,
        counters.queries + counters.answers + counters.errors + counters.dropped()
    );
    assert!(testnet.nodes[0].packets().await.is_empty());
}

/// How often the writer is killed; `MAINSTAY_KILLS` says otherwise.
const KILLS: usize = 60;

#[test]
fn a_writer_killed_at_any_point_leaves_the_last_state_it_told_of_or_a_later_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let kills = std::env::var("MAINSTAY_KILLS").ok().and_then(|text| text.parse().ok());
    let mut told = 0;
    for round in 0..kills.unwrap_or(KILLS) {
        let mut writer = Command::new(env!("CARGO_BIN_EXE_state-writer"))
            .arg(&path)
            .arg((told + 1).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        // It goes on writing, so that the kill comes in the midst of one of the next.
        for line in lines.by_ref().take(1 + round % 7) {
            told = line.unwrap().parse().unwrap();
        }
        for _ in 0..round * 997 {
            std::hint::spin_loop();
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        let found = number(&path);
        assert!(found >= told, "round {round}: {found} is there, {told} was told");
        told = found;
    }
    assert!(fs::read_dir(folder.path()).unwrap().count() <= 2, "drafts pile up");
}

/// The number of the state in `path`.
fn number(path: &Path) -> u64 {
    let state = read_state(path).expect("a whole state").expect("some state");
    state.taken.expect("its number").as_secs()
}

fn signed(seq: i64) -> MutableItem {
    MutableItem::sign_bytes(&Keypair::from_secret_key(&[3; 32]), b"", seq, b"value").unwrap()
}

/// The first event of a kind.
async fn until(events: &mut EventStream, wanted: impl Fn(&NodeEvent) -> bool) -> NodeEvent {
    loop {
        let event = events.next().await.expect("the event comes before the node goes");
        if wanted(&event) {
            return event;
        }
    }
}
