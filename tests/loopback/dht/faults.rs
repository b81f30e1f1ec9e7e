//! Real sockets and real time over lines that lose, double, delay and damage what they carry.
//! Apart from the simulations, which show that the rules cope: here the driver, its sockets and its clock must.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mainstay_dht::{Dht, MutableItem};
use mainstay_keys::Keypair;
use mainstay_sim::Dice;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::loopback;

/// How many nodes there are, each behind a line of its own. They do not know each other.
const NODES: u64 = 12;
const ITEMS: u8 = 12;

/// What happens to a datagram, each way.
const LOST: f64 = 0.10;
const TWICE: f64 = 0.15;
const DAMAGED: f64 = 0.03;
const LONGEST: Duration = Duration::from_millis(40);

/// How many datagrams were lost, doubled, damaged.
#[derive(Debug, Default)]
struct Tally([AtomicU64; 3]);

impl Tally {
    fn count(&self, fault: usize) {
        self.0[fault].fetch_add(1, Ordering::Relaxed);
    }

    fn counts(&self) -> [u64; 3] {
        self.0.each_ref().map(|count| count.load(Ordering::Relaxed))
    }
}

/// A line to `server`, open until the test ends; whoever wants to speak to it sends here.
async fn line(server: SocketAddr, seed: u64, tally: Arc<Tally>) -> SocketAddr {
    let front = Arc::new(UdpSocket::bind(loopback()).await.unwrap());
    let address = front.local_addr().unwrap();
    tokio::spawn(async move {
        let mut dice = Dice::of(&[seed, 1]);
        let mut backs: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
        let mut buffer = [0; 2048];
        loop {
            // On some systems an ICMP answer to an earlier datagram comes as an error.
            let Ok((length, client)) = front.recv_from(&mut buffer).await else { continue };
            let back = match backs.entry(client) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let back = Arc::new(UdpSocket::bind(loopback()).await.unwrap());
                    let dice = Dice::of(&[seed, 2, u64::from(client.port())]);
                    tokio::spawn(home(back.clone(), front.clone(), client, dice, tally.clone()));
                    new.insert(back)
                }
            };
            carry(back, server, &buffer[..length], &mut dice, &tally);
        }
    });
    address
}

/// Carries back what the server says to one client.
async fn home(
    back: Arc<UdpSocket>,
    front: Arc<UdpSocket>,
    client: SocketAddr,
    mut dice: Dice,
    tally: Arc<Tally>,
) {
    let mut buffer = [0; 2048];
    loop {
        let Ok((length, _)) = back.recv_from(&mut buffer).await else { continue };
        carry(&front, client, &buffer[..length], &mut dice, &tally);
    }
}

fn carry(via: &Arc<UdpSocket>, to: SocketAddr, bytes: &[u8], dice: &mut Dice, tally: &Tally) {
    if dice.happens(LOST) {
        tally.count(0);
        return;
    }
    let twice = dice.happens(TWICE);
    if twice {
        tally.count(1);
    }
    for _ in 0..=u8::from(twice) {
        let mut bytes = bytes.to_vec();
        if dice.happens(DAMAGED) {
            tally.count(2);
            let at = dice.unit() * bytes.len() as f64;
            let hit = bytes.iter_mut().enumerate().find(|(place, _)| *place as f64 + 1.0 > at);
            hit.into_iter().for_each(|(_, byte)| *byte ^= 1 << dice.below(8));
        }
        let (via, delay) = (via.clone(), dice.up_to(LONGEST));
        tokio::spawn(async move {
            let _ = timeout(delay, pending::<()>()).await;
            let _ = via.send_to(&bytes, to).await;
        });
    }
}

#[tokio::test]
async fn what_is_put_over_bad_lines_is_found_over_bad_lines() {
    let tally = Arc::new(Tally::default());
    let (mut servers, mut lines) = (Vec::new(), Vec::new());
    for seed in 0..NODES {
        let server =
            Dht::builder().no_bootstrap().server_mode(true).bind(loopback()).build().unwrap();
        lines.push(line(server.local_addr(), seed, tally.clone()).await.to_string());
        servers.push(server);
    }
    let client = || Dht::builder().bootstrap(&lines).bind(loopback()).build().unwrap();
    let (writer, reader) = (client(), client());
    assert!(writer.ready().await && reader.ready().await);
    let keys: Vec<Keypair> = (1..=ITEMS).map(|n| Keypair::from_secret_key(&[n; 32])).collect();
    for seq in 1..=2 {
        for keypair in &keys {
            let item = MutableItem::sign_bytes(keypair, b"", seq, &[7; 200]).unwrap();
            let report = writer.put_mutable(item, None).await.unwrap();
            assert!(report.stored >= 1, "{report:?}");
        }
    }
    for keypair in &keys {
        let found = reader.get_mutable_most_recent(&keypair.public_key(), None).await.unwrap();
        let found = found.expect("every put was acknowledged");
        assert_eq!((found.seq(), found.bytes()), (2, Some(&[7; 200][..])));
    }
    let [lost, twice, damaged] = tally.counts();
    assert!(lost > 20 && twice > 20 && damaged > 5, "the lines were good: {tally:?}");
    let heard = [&writer, &reader].map(|dht| dht.info().counters());
    assert!(heard.iter().any(|counters| counters.unexpected > 0), "answers that came twice");
    assert!(heard.iter().any(|counters| counters.timed_out > 0));
    for server in &servers {
        assert!(server.info().is_running() && server.info().items() <= keys.len());
    }
}
