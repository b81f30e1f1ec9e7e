//! A relay with as many connections as it may have: who waits, who makes way, and for whom.
//!
//! Separate because each of these tests fills a relay first.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use super::{Relay, connected, rest};

/// How long anything may take before the test gives up on it: less than the relay's patience with a slow head.
const PATIENCE: Duration = Duration::from_secs(8);

const ASK: &[u8] = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const ASK_AND_STAY: &[u8] = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n";

async fn full(connections: usize) -> Relay {
    // Only who makes way can be why a place is free.
    let slow = Duration::from_secs(60);
    Relay::start_with(|builder| {
        builder.max_connections(connections).head_timeout(slow).body_timeout(slow)
    })
    .await
}

/// A request that is being answered until its body comes.
async fn asking(relay: &Relay) -> TcpStream {
    let key = mainstay::Keypair::random().to_z32();
    let head = format!(
        "PUT /{key} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\n"
    );
    let stream = connected(relay, head.as_bytes()).await;
    // The relay asks for the body once it answers.
    tokio::time::timeout(PATIENCE, stream.readable()).await.unwrap().unwrap();
    stream
}

async fn connected_from(relay: &Relay, last: u8, bytes: &[u8]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(Ipv4Addr::new(127, 1, 0, last).into(), 0)).unwrap();
    let mut stream = socket.connect(relay.server.local_addr()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

async fn answer(mut stream: TcpStream) -> String {
    tokio::time::timeout(PATIENCE, rest(&mut stream)).await.expect("no answer")
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_while_all_others_are_answered() {
    let relay = full(2).await;
    let (first, _second) = (asking(&relay).await, asking(&relay).await);
    let third = connected(&relay, ASK).await;
    let early = tokio::time::timeout(Duration::from_millis(300), third.readable()).await;
    assert!(early.is_err(), "more connections are served than the limit allows");
    drop(first);
    assert!(answer(third).await.starts_with("HTTP/1.1 200 OK"));
    assert_eq!(relay.metric("mainstay_relay_connections_cut_total").await, 0);
}

#[tokio::test]
async fn whoever_comes_to_a_full_relay_takes_the_place_of_one_that_only_waits() {
    let relay = full(2).await;
    let mut busy = asking(&relay).await;
    let idle = connected(&relay, ASK_AND_STAY).await;
    idle.readable().await.unwrap();
    assert!(answer(connected(&relay, ASK).await).await.starts_with("HTTP/1.1 200 OK"));
    assert!(answer(idle).await.starts_with("HTTP/1.1 200 OK"), "it was answered, then closed");
    // Whoever was being answered has lost nothing.
    busy.write_all(b"x").await.unwrap();
    assert!(answer(busy).await.contains("HTTP/1.1 400"));
    assert_eq!(relay.metric("mainstay_relay_connections_cut_total").await, 1);
}

#[tokio::test]
async fn a_source_that_holds_most_places_loses_them_and_others_keep_theirs() {
    let relay = full(8).await;
    // The one that waits longest is a client that will ask again.
    let mut patient = connected_from(&relay, 1, ASK_AND_STAY).await;
    patient.readable().await.unwrap();
    let mut crowd = Vec::new();
    for _ in 0..7 {
        crowd.push(connected_from(&relay, 2, b"GET /he").await);
    }
    for newcomer in 3..9 {
        let stream = connected_from(&relay, newcomer, ASK).await;
        assert!(answer(stream).await.starts_with("HTTP/1.1 200 OK"), "newcomer {newcomer}");
    }
    patient.write_all(ASK).await.unwrap();
    let answers = answer(patient).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
}
