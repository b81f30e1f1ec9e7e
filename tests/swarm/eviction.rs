//! What strangers can push out of a full store, with the limits as they are and the hours that a flood takes under them.
//! Apart from the other floods, because here time passes and those who are flooded put again.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_dht_proto::Config;
use mainstay_krpc::item::ImmutableItem;
use mainstay_krpc::{Body, Message, Method, Put};
use mainstay_sim::Dice;
use mainstay_tests::seeds;

use crate::scripted::Bench;

/// How many puts one seed is: of one address, and of its /16.
const PORTIONS: [u32; 2] = [1000, 10_000];
/// All whose values fill the pool, and those of them that we watch.
const HONEST: u64 = 2000;
const WATCHED: u64 = HONEST / 4;
/// How often the honest put again.
const HOURLY: Duration = Duration::from_secs(3600);
/// How long a flood waits when it is not answered.
const PAUSE: Duration = Duration::from_millis(250);

#[test]
fn a_flood_from_one_address_pushes_a_hundredth_out_of_a_full_store_at_most() {
    let survivors = flooded(PORTIONS[0], |_| [66, 6, 6, 6]);
    assert!(survivors * 100 >= WATCHED * 99, "{survivors} of {WATCHED}");
}

#[test]
fn a_flood_from_one_provider_pushes_a_hundredth_out_of_a_full_store_at_most() {
    let survivors =
        flooded(PORTIONS[1], |dice| [66, 6, dice.below(256) as u8, dice.below(256) as u8]);
    assert!(survivors * 100 >= WATCHED * 99, "{survivors} of {WATCHED}");
}

/// How many of the watched are left after so many accepted or refused puts a seed from such addresses.
fn flooded(portion: u32, sender: impl Fn(&mut Dice) -> [u8; 4]) -> u64 {
    let mut store = FullStore::new();
    let began = store.bench.now;
    let mut puts = 0;
    seeds::each(1, |seed| {
        let mut dice = Dice::of(&[seed, 0x0065_7669_6374]);
        for _ in 0..portion {
            let from = SocketAddr::from((sender(&mut dice), 6881));
            let value = dice.next() >> 2 | 1 << 40;
            while put(&mut store.bench, from, value).is_none() {
                store.wait(PAUSE);
            }
            puts += 1;
        }
    });
    let hours = (store.bench.now - began).as_secs_f64() / 3600.0;
    store.look();
    let left = WATCHED - store.lost.len() as u64;
    println!("{left} of {WATCHED} survive {puts} puts in {hours:.1} hours");
    left
}

/// A node whose pool is full of values, each of a network of its own, put again every hour.
struct FullStore {
    bench: Bench,
    again: Instant,
    /// The watched that were missing at any time.
    lost: BTreeSet<u64>,
}

impl FullStore {
    fn new() -> Self {
        let bench = Bench::with(Config::default());
        let mut store = Self { again: bench.now, bench, lost: BTreeSet::new() };
        store.put_all();
        assert_eq!(store.bench.node.info().items as u64, HONEST);
        store
    }

    /// What a republisher does, one value after the other over the first minutes of the hour.
    fn put_all(&mut self) {
        self.again = self.bench.now + HOURLY;
        for number in 0..HONEST {
            while put(&mut self.bench, home(number), number).is_none() {
                self.bench.wait(PAUSE);
            }
        }
    }

    fn wait(&mut self, time: Duration) {
        self.bench.wait(time);
        if self.bench.now >= self.again {
            self.look();
            self.put_all();
        }
        self.bench.events.clear();
    }

    /// Takes note of the watched that are missing.
    fn look(&mut self) {
        for number in (0..HONEST).step_by(4) {
            let target = value_of(number).target();
            let reply = loop {
                match self.bench.query(home(number), Method::Get { target, seq: None }) {
                    Some(reply) => break reply,
                    None => self.bench.wait(PAUSE),
                }
            };
            let Body::Response(response) = Message::decode(&reply).unwrap().body else { panic!() };
            if response.value.is_none() {
                self.lost.insert(number);
            }
        }
    }
}

/// Every honest one has a /16 of its own.
fn home(number: u64) -> SocketAddr {
    let [.., high, low] = number.to_be_bytes();
    SocketAddr::from(([20 + high, low, 1, 1], 6881))
}

/// Fetches a token and puts a value as a stranger would: whether it was taken, or nothing if limits kept back an answer.
fn put(bench: &mut Bench, from: SocketAddr, value: u64) -> Option<bool> {
    let item = value_of(value);
    let reply = bench.query(from, Method::Get { target: item.target(), seq: None })?;
    let Body::Response(response) = Message::decode(&reply).unwrap().body else { panic!() };
    let token = response.token.expect("a token").to_vec();
    let reply = bench.query(from, Method::Put(Put::immutable(&token, &item)))?;
    Some(!matches!(Message::decode(&reply).unwrap().body, Body::Error(_)))
}

fn value_of(value: u64) -> ImmutableItem {
    ImmutableItem::new(format!("i{value}e").as_bytes()).unwrap()
}
