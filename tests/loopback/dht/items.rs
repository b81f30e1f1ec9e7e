//! BEP 44 from handle to handle: mutable and immutable items, salt, sequence numbers, compare-and-swap.
//! Apart from peers, which expire and conflict by other rules.

use mainstay_dht::{GetError, Id, ItemError, MutableItem, PutError, PutStep, Testnet};
use mainstay_keys::Keypair;

use super::{client_of, joined};

#[tokio::test]
async fn a_mutable_item_is_found_by_a_node_that_joins_later() {
    let testnet = Testnet::new(12).await.unwrap();
    let keypair = Keypair::random();
    let item = signed(&keypair, b"", 7, b"value");
    let report = joined(&testnet).await.put_mutable(item.clone(), None).await.unwrap();
    assert_eq!(report.target, item.target());
    assert!(report.stored >= 8, "stored at {} nodes", report.stored);

    let reader = client_of(&testnet).build().unwrap();
    let found = reader.get_mutable_most_recent(&keypair.public_key(), None).await.unwrap();
    assert_eq!(found, Some(item));
}

#[tokio::test]
async fn a_put_tells_of_each_copy_of_the_quorum_and_of_its_end() {
    let testnet = Testnet::new(20).await.unwrap();
    let dht = joined(&testnet).await;
    let item = signed(&Keypair::random(), b"", 1, b"value");
    let mut put = dht.start_put_mutable(item.clone(), None).await.unwrap();
    let first = put.next().await.unwrap();
    assert_eq!((first.stored, first.quorum), (1, 8));
    let quorum = put.quorum().await.unwrap();
    assert_eq!(quorum.stored, 8);
    let report = put.finish().await.unwrap();
    assert_eq!(
        (report.target, report.nodes[0], report.nodes[7]),
        (item.target(), first.node, quorum.node)
    );
    assert!(report.stored >= 12, "{report:?}");
}

#[tokio::test]
async fn a_detached_put_is_completed_and_a_dropped_one_is_not() {
    let testnet = Testnet::new(20).await.unwrap();
    let dht = joined(&testnet).await;
    let [kept, dropped] = [Keypair::random(), Keypair::random()];
    drop(dht.start_put_mutable(signed(&dropped, b"", 1, b"value"), None).await.unwrap());
    let put = dht.start_put_mutable(signed(&kept, b"", 1, b"value"), None).await.unwrap();
    put.detach();
    // Answers of a later put come after those of an earlier one, on loopback, but need not: so it is looked for.
    let other = signed(&Keypair::random(), b"", 1, b"other");
    let mut found = None;
    for _ in 0..20 {
        dht.put_mutable(other.clone(), None).await.unwrap();
        found = dht.get_mutable_most_recent(&kept.public_key(), None).await.unwrap();
        if found.is_some() {
            break;
        }
    }
    assert_eq!(found.unwrap().bytes(), Some(&b"value"[..]));
    assert_eq!(dht.get_mutable_most_recent(&dropped.public_key(), None).await.unwrap(), None);
}

#[tokio::test]
async fn a_put_without_a_quorum_says_so_and_ends() {
    let testnet = Testnet::new(3).await.unwrap();
    let dht = joined(&testnet).await;
    let item = mainstay_dht::ImmutableItem::from_bytes(b"few").unwrap();
    let mut put = dht.start_put_immutable(item).await.unwrap();
    assert_eq!(put.quorum().await, None);
    assert!((1..8).contains(&put.finish().await.unwrap().stored));
}

#[tokio::test]
async fn each_salt_is_an_item_of_its_own() {
    let testnet = Testnet::new(8).await.unwrap();
    let dht = joined(&testnet).await;
    let keypair = Keypair::random();
    for (salt, value) in [(&b""[..], &b"none"[..]), (b"a", b"first"), (b"b", b"second")] {
        dht.put_mutable(signed(&keypair, salt, 1, value), None).await.unwrap();
    }
    for (salt, value) in
        [(None, &b"none"[..]), (Some(&b"a"[..]), b"first"), (Some(b"b"), b"second")]
    {
        let found = dht.get_mutable_most_recent(&keypair.public_key(), salt).await.unwrap();
        assert_eq!(found.unwrap().bytes(), Some(value));
    }
    let other = dht.get_mutable_most_recent(&keypair.public_key(), Some(b"c")).await.unwrap();
    assert_eq!(other, None);
}

#[tokio::test]
async fn an_older_item_is_refused_and_the_error_tells_what_is_stored() {
    let testnet = Testnet::new(8).await.unwrap();
    let dht = joined(&testnet).await;
    let keypair = Keypair::random();
    let newer = signed(&keypair, b"", 9, b"newer");
    dht.put_mutable(newer.clone(), None).await.unwrap();

    let error = dht.put_mutable(signed(&keypair, b"", 8, b"older"), None).await.unwrap_err();
    assert!(matches!(error, PutError::NotMostRecent { .. }), "{error:?}");
    assert_eq!(error.seen(), Some(9));
    let found = dht.get_mutable_most_recent(&keypair.public_key(), None).await.unwrap();
    assert_eq!(found, Some(newer));
}

#[tokio::test]
async fn a_refusal_is_told_at_once_with_the_node_that_gave_it() {
    let testnet = Testnet::new(8).await.unwrap();
    let dht = joined(&testnet).await;
    let keypair = Keypair::random();
    dht.put_mutable(signed(&keypair, b"", 9, b"one"), None).await.unwrap();

    // Of two values with one number the first stays; nodes say so when they are asked to store, and not before.
    let rival = signed(&keypair, b"", 9, b"another");
    let mut put = dht.start_put_mutable(rival.clone(), None).await.unwrap();
    let step = put.step().await.unwrap();
    let PutStep::Refused(refused) = step else { panic!("{step:?}") };
    assert!(refused.code == 302 && refused.is_conflict(), "{refused:?}");
    let known = testnet.nodes.iter().map(|node| (node.info().id(), node.local_addr()));
    assert!(known.into_iter().any(|node| node == (refused.node.id, refused.node.addr)));
    let error = put.finish().await.unwrap_err();
    assert_eq!(error, PutError::NotMostRecent { newest: None, by: Some(refused.node) });
    let mut put = dht.start_put_mutable(rival, None).await.unwrap();
    assert_eq!(put.next().await, None, "nobody stores");
}

#[tokio::test]
async fn compare_and_swap_stores_only_over_the_expected_item() {
    let testnet = Testnet::new(8).await.unwrap();
    let dht = joined(&testnet).await;
    let keypair = Keypair::random();
    dht.put_mutable(signed(&keypair, b"", 1, b"one"), None).await.unwrap();
    dht.put_mutable(signed(&keypair, b"", 2, b"two"), Some(1)).await.unwrap();

    let late = dht.put_mutable(signed(&keypair, b"", 3, b"late"), Some(1)).await.unwrap_err();
    assert!(matches!(late, PutError::Conflict { cas: Some(1), .. }), "{late:?}");
    assert_eq!(late.seen(), Some(2));
    let found = dht.get_mutable_most_recent(&keypair.public_key(), None).await.unwrap();
    assert_eq!(found.unwrap().bytes(), Some(&b"two"[..]));
}

#[tokio::test]
async fn a_stream_yields_the_item_once_and_then_reports() {
    let testnet = Testnet::new(8).await.unwrap();
    let dht = joined(&testnet).await;
    let keypair = Keypair::random();
    let item = signed(&keypair, b"salt", 4, b"value");
    dht.put_mutable(item.clone(), None).await.unwrap();

    let mut stream = dht.get_mutable(&keypair.public_key(), Some(b"salt"), None);
    assert_eq!(stream.next().await, Some(item));
    assert_eq!(stream.next().await, None);
    assert_eq!(stream.next().await, None, "an ended stream stays ended");
    let report = stream.report().unwrap().unwrap();
    assert!(report.answered > 0 && report.values > 0, "{report:?}");
}

#[tokio::test]
async fn a_reader_that_has_the_newest_item_is_sent_none() {
    let testnet = Testnet::new(8).await.unwrap();
    let dht = joined(&testnet).await;
    let keypair = Keypair::random();
    dht.put_mutable(signed(&keypair, b"", 4, b"value"), None).await.unwrap();

    let mut known = dht.get_mutable(&keypair.public_key(), None, Some(4));
    assert_eq!(known.next().await, None);
    assert!(known.report().unwrap().is_ok());
    let mut older = dht.get_mutable(&keypair.public_key(), None, Some(3));
    assert_eq!(older.next().await.unwrap().seq(), 4);
}

#[tokio::test]
async fn the_largest_immutable_value_is_stored_and_a_larger_one_is_refused_at_home() {
    let testnet = Testnet::new(8).await.unwrap();
    let dht = joined(&testnet).await;
    let bytes = [7; 996];
    let report = dht.put_immutable(&bytes).await.unwrap();
    let found = dht.get_immutable(report.target).await.unwrap().unwrap();
    assert_eq!(found.bytes(), Some(&bytes[..]));

    let sent = dht.info().counters().sent;
    let error = dht.put_immutable(&[7; 997]).await.unwrap_err();
    assert!(matches!(error, PutError::Item(ItemError::ValueTooLarge { .. })), "{error:?}");
    assert_eq!(dht.info().counters().sent, sent);
}

#[tokio::test]
async fn what_nobody_stored_is_not_found_and_that_is_no_error() {
    let testnet = Testnet::new(8).await.unwrap();
    let dht = joined(&testnet).await;
    let nobody = Keypair::random().public_key();
    assert_eq!(dht.get_mutable_most_recent(&nobody, None).await, Ok(None));
    assert_eq!(dht.get_immutable(Id::from_bytes([9; 20])).await, Ok(None));
    assert_eq!(dht.get_mutable(&nobody, None, None).finish().await.unwrap().values, 0);
}

#[tokio::test]
async fn a_salt_that_no_node_would_take_is_refused_at_home() {
    let testnet = Testnet::new(1).await.unwrap();
    let key = Keypair::random().public_key();
    let long = [0; 65];
    let error = GetError::SaltTooLong { length: 65 };
    let dht = &testnet.nodes[0];
    assert_eq!(dht.get_mutable_most_recent(&key, Some(&long)).await, Err(error));
    assert_eq!(dht.get_mutable(&key, Some(&long), None).finish().await, Err(error));
}

fn signed(keypair: &Keypair, salt: &[u8], seq: i64, bytes: &[u8]) -> MutableItem {
    MutableItem::sign_bytes(keypair, salt, seq, bytes).expect("a small value")
}
