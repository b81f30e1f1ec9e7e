//! How many events a second the network carries on one core: a thousand hosts that send everything back.
//! `cargo run --release -p mainstay-sim --example throughput`
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_sim::{Datagram, Host, Latency, Link, Machine, Network};

/// Sends everything back.
struct Echo(Vec<Datagram>);

impl Machine for Echo {
    fn handle_datagram(&mut self, _now: Instant, from: SocketAddr, bytes: &[u8]) {
        self.0.push(Datagram { to: from, payload: bytes.to_vec() });
    }
    fn handle_timeout(&mut self, _now: Instant) {}
    fn poll_transmit(&mut self) -> Option<Datagram> {
        self.0.pop()
    }
    fn poll_timeout(&mut self) -> Option<Instant> {
        None
    }
}

fn main() {
    let mut network = Network::new(1, Instant::now());
    let [median, least] = [60, 3].map(Duration::from_millis);
    let latency = Latency::LogNormal { median, sigma: 0.6, least };
    network.set_link(Link { latency, jitter: Duration::from_millis(4), ..Link::default() });
    let address = |number: u16| {
        let [high, low] = number.to_be_bytes();
        SocketAddr::from(([10, 0, high, low], 6881))
    };
    let nodes: Vec<_> = (0..1000)
        .map(|number| network.add(Host::open(address(number)), Echo(Vec::new())))
        .collect();
    for (node, number) in nodes.iter().zip(0..1000) {
        let to = address((number + 1) % 1000);
        network.with(*node, |echo, _| echo.0.push(Datagram { to, payload: vec![7; 100] }));
    }
    let began = Instant::now();
    network.run_for(Duration::from_secs(300));
    let took = began.elapsed().as_secs_f64();
    let delivered = network.stats().delivered;
    #[expect(clippy::cast_precision_loss, reason = "a few million")]
    let rate = delivered as f64 / took;
    println!("{delivered} packets in {took:.2} s: {rate:.0} a second");
}
