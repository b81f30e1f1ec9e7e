//! What a cached answer costs a relay, beside pkarr-relay: processor time a request, and how it grows with cores.
//!
//! Separate from the packets, because a server is measured from outside.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_keys::Keypair;
use mainstay_packets::SignedPacket;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

use crate::contenders::{Contender, Contenders};
use crate::figures::{Table, percentile};
use crate::network::{Network, Weather};
use crate::process::Process;

const NETWORK: Weather = Weather { nodes: 1_000, round_trip: Duration::ZERO, dead: 0.0, loss: 0.0 };

pub(crate) fn run(contenders: &Contenders, quick: bool) -> Result<(), String> {
    let (rounds, time) = if quick { (1, 1) } else { (5, 4) };
    let network = Network::start(NETWORK, &[]);
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let mut table = Table::new(&[
        "relay",
        "cores",
        "connections",
        "CPU a request (µs)",
        "requests a second",
        "p50 (ms)",
        "p99",
        "memory (MB)",
    ]);
    for (cores, connections) in [("0", 32), ("0", 256), ("0,1", 256)] {
        let mut running = Vec::new();
        for contender in
            contenders.iter().filter(|one| ["mainstay", "mainline"].contains(&one.which))
        {
            running.push(Running::start(contender, cores, &network, &runtime)?);
        }
        for _ in 0..rounds {
            for relay in &mut running {
                relay.measure(connections, Duration::from_secs(time), &runtime)?;
            }
        }
        for relay in &running {
            table.row(relay.row(cores, connections));
        }
    }
    table.print("Relay: GET of a cached key, rate limits off");
    Ok(())
}

/// A relay that holds one packet, and what was measured of it.
struct Running {
    name: &'static str,
    process: Process,
    address: SocketAddr,
    path: String,
    measured: Vec<Measured>,
}

impl Running {
    fn start(
        contender: &Contender,
        cores: &str,
        network: &Network,
        runtime: &Runtime,
    ) -> Result<Self, String> {
        let mut process = contender.start_on(cores)?;
        let answer = process.ask(&json!({ "op": "relay", "bootstrap": network.bootstrap }))?;
        let address = answer["url"].as_str().and_then(|url| {
            url.trim_start_matches("http://").trim_end_matches('/').parse::<SocketAddr>().ok()
        });
        let address = address.ok_or_else(|| format!("{answer}: no address"))?;
        let keypair = Keypair::from_secret_key(&[9; 32]);
        runtime.block_on(publish(address, &keypair))?;
        let name = if contender.which == "mainline" { "pkarr-relay 2.1" } else { contender.name };
        let path = format!("/{}", keypair.public_key());
        Ok(Self { name, process, address, path, measured: Vec::new() })
    }

    fn measure(
        &mut self,
        connections: usize,
        time: Duration,
        runtime: &Runtime,
    ) -> Result<(), String> {
        let before = self.process.usage().cpu;
        let took = runtime.block_on(load(self.address, self.path.clone(), connections, time))?;
        let cpu = (self.process.usage().cpu - before).as_secs_f64() * 1e6 / took.len() as f64;
        self.measured.push(Measured { cpu, rate: took.len() as f64 / time.as_secs_f64(), took });
        Ok(())
    }

    fn row(&self, cores: &str, connections: usize) -> Vec<String> {
        let median = |of: fn(&Measured) -> f64| {
            percentile(&self.measured.iter().map(of).collect::<Vec<_>>(), 0.5)
        };
        vec![
            self.name.to_owned(),
            cores.to_owned(),
            connections.to_string(),
            format!("{:.1}", median(|one| one.cpu)),
            format!("{:.0}", median(|one| one.rate)),
            format!("{:.2}", median(|one| percentile(&one.took, 0.5))),
            format!("{:.2}", median(|one| percentile(&one.took, 0.99))),
            format!("{:.1}", self.process.usage().memory as f64 / 1e6),
        ]
    }
}

struct Measured {
    cpu: f64,
    rate: f64,
    took: Vec<f64>,
}

async fn publish(address: SocketAddr, keypair: &Keypair) -> Result<(), String> {
    let packet = SignedPacket::builder()
        .a("n1".try_into().expect("a name"), [192, 0, 2, 7].into(), 3_600)
        .sign(keypair)
        .map_err(|error| error.to_string())?;
    let payload = packet.to_relay_payload();
    let head = format!(
        "PUT /{} HTTP/1.1\r\nhost: relay\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        keypair.public_key(),
        payload.len()
    );
    let mut answer = String::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        stream.write_all(head.as_bytes()).await.map_err(|error| error.to_string())?;
        stream.write_all(&payload).await.map_err(|error| error.to_string())?;
        answer.clear();
        stream.read_to_string(&mut answer).await.map_err(|error| error.to_string())?;
        if answer.starts_with("HTTP/1.1 204") {
            return Ok(());
        }
    }
    Err(format!(
        "the relay did not store the packet: {}",
        answer.lines().next().unwrap_or_default()
    ))
}

/// Milliseconds of each request that so many connections made in this time, one at a time each.
async fn load(
    address: SocketAddr,
    path: String,
    connections: usize,
    time: Duration,
) -> Result<Vec<f64>, String> {
    let end = Instant::now() + time;
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let request = format!("GET {path} HTTP/1.1\r\nhost: relay\r\n\r\n");
        running.spawn(async move { one_connection(address, &request, end).await });
    }
    let mut all = Vec::new();
    while let Some(one) = running.join_next().await {
        all.append(&mut one.map_err(|error| error.to_string())??);
    }
    Ok(all)
}

async fn one_connection(
    address: SocketAddr,
    request: &str,
    end: Instant,
) -> Result<Vec<f64>, String> {
    let told = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(address).await.map_err(told)?;
    stream.set_nodelay(true).map_err(told)?;
    let mut took = Vec::new();
    let mut buffer = vec![0; 4_096];
    while Instant::now() < end {
        let start = Instant::now();
        stream.write_all(request.as_bytes()).await.map_err(told)?;
        let (mut filled, mut whole) = (0, None);
        while whole.is_none_or(|whole| filled < whole) {
            let length = stream.read(&mut buffer[filled..]).await.map_err(told)?;
            if length == 0 {
                return Err("the relay closed the connection".to_owned());
            }
            filled += length;
            whole = whole.or_else(|| whole_length(&buffer[..filled]));
        }
        if !buffer.starts_with(b"HTTP/1.1 200") {
            return Err(String::from_utf8_lossy(&buffer[..filled.min(60)]).into_owned());
        }
        took.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(took)
}

/// The length of head and body, once the head is there.
fn whole_length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?.to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"))?;
    Some(head + length.trim().parse::<usize>().ok()?)
}
