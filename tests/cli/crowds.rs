//! A relay among thousands of connections: what they cost it, how soon slow ones are cut, and that others notice nothing.
//!
//! Separate because relay and crowd are processes of their own here, so that the figures are those of the relay.
//! `MAINSTAY_CROWD=10000` makes the crowd a real one; then the goals of a release build are checked as well.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mainstay::{Keypair, SignedPacket};
use mainstay_tests::command::Running;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// How long anything may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many connections one address may have, by default.
const OF_ONE_ADDRESS: usize = 64;

fn asked() -> Option<usize> {
    std::env::var("MAINSTAY_CROWD").ok().and_then(|count| count.parse().ok())
}

/// A relay with the limits that it has by default, but for the number of connections; only this machine's own address
/// is exempt. It holds one packet, whose path is given.
fn relay(crowd: usize, head: u64) -> (Vec<Running>, SocketAddr, String) {
    let (testnet, first) = Running::start(&["testnet", "--nodes", "5"]);
    let bootstrap = first["bootstrap"][0].as_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    let text = format!(
        "[http]\nport = 0\nbind = ['127.0.0.1']\nmax_connections = {}\nhead_timeout_seconds = {head}\n\
         [mainline]\nbind = '127.0.0.1'\nbootstrap = ['{bootstrap}']\n\
         [rate_limiter]\nexempt = ['127.0.0.1/32']\n[log]\nlevel = 'error'\n",
        2 * crowd + 100
    );
    std::fs::write(&file, text).unwrap();
    let (relay, started) = Running::start(&["relay", "--config", file.to_str().unwrap()]);
    let url = started["url"].as_str().unwrap();
    let address = url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
    let keypair = Keypair::random();
    let packet = SignedPacket::builder()
        .a("@".try_into().unwrap(), [192, 0, 2, 7].into(), 3600)
        .sign(&keypair)
        .unwrap();
    let path = format!("/{}", keypair.to_z32());
    let payload = packet.to_relay_payload();
    while crate::relaying::ask(url, "PUT", &path, &payload) != 204 {}
    (vec![relay, testnet], address, path)
}

/// One of so many connections, from an address that has no more than it may.
async fn connect(address: SocketAddr, number: usize) -> TcpStream {
    let [.., high, low] = (number / OF_ONE_ADDRESS).to_be_bytes();
    let socket = TcpSocket::new_v4().unwrap();
    let own = IpAddr::V4(Ipv4Addr::new(127, 1, high, low));
    socket.bind(SocketAddr::new(own, 0)).unwrap();
    socket.connect(address).await.unwrap()
}

/// Asks, and reads until head and body are there: the status, or nothing where the connection ended.
async fn get(stream: &mut TcpStream, path: &str) -> Option<u16> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: relay\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let (mut answer, mut part) = (Vec::new(), [0; 2048]);
    loop {
        let length = stream.read(&mut part).await.ok().filter(|length| *length > 0)?;
        answer.extend_from_slice(&part[..length]);
        let head = answer.windows(4).position(|end| end == b"\r\n\r\n");
        let Some(head) = head else { continue };
        let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
        let body = text.split_once("content-length: ")?.1.split("\r\n").next()?.parse().ok()?;
        if answer.len() - head - 4 >= body {
            return text.split(' ').nth(1)?.parse().ok();
        }
    }
}

/// What the process holds in memory, in KiB.
fn resident(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn connections_that_are_open_take_little_memory() {
    let crowd = asked().unwrap_or(300);
    let (relay, address, path) = relay(crowd, 600);
    let before = resident(relay[0].id());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let open: Vec<TcpStream> = runtime.block_on(async {
        let mut open = Vec::new();
        for number in 0..crowd {
            let mut stream = connect(address, number).await;
            assert_eq!(get(&mut stream, &path).await, Some(200));
            open.push(stream);
        }
        open
    });
    let all = resident(relay[0].id());
    let each = all.saturating_sub(before) as f64 / crowd as f64;
    println!("{crowd} open connections: {:.0} MiB in all, {each:.1} KiB each", all as f64 / 1024.0);
    assert!(each < 40.0, "{each} KiB a connection");
    if crowd >= 10_000 {
        assert!(all <= 256 * 1024, "{all} KiB in all");
    }
    drop(open);
}

/// Begins a request and adds a byte from time to time; how long until the relay has had enough.
async fn linger(address: SocketAddr, number: usize) -> Duration {
    // From before it is connected: when that is, the relay may know sooner than this busy process.
    let begun = Instant::now();
    let mut stream = connect(address, number).await;
    let mut drip = tokio::time::interval(Duration::from_secs(1));
    let mut answer = [0; 64];
    // It may be cut off at the first byte.
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: relay\r\nX: ").await;
    loop {
        tokio::select! {
            read = stream.read(&mut answer) => match read {
                Ok(length) if length > 0 => {}
                _ended => return begun.elapsed(),
            },
            _ = drip.tick() => {
                let _ = stream.write_all(b"y").await;
            }
        }
    }
}

/// Connects, asks and breaks off before the answer, as fast as it can; how often.
async fn reset(address: SocketAddr, path: String, over: Arc<AtomicBool>) -> usize {
    let request = format!("GET {path} HTTP/1.1\r\nHost: relay\r\n\r\n");
    let mut times = 0;
    while !over.load(Ordering::Relaxed) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 2, 0, 1], 0).into()).unwrap();
        socket.set_zero_linger().unwrap();
        let Ok(mut stream) = socket.connect(address).await else { continue };
        let _ = stream.write_all(request.as_bytes()).await;
        times += 1;
    }
    times
}

/// Asks over a new connection every few milliseconds: how long each answer took.
async fn behave(address: SocketAddr, path: String, over: Arc<AtomicBool>) -> Vec<Duration> {
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    let mut took = Vec::new();
    while !over.load(Ordering::Relaxed) {
        pace.tick().await;
        let begun = Instant::now();
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert_eq!(get(&mut stream, &path).await, Some(200), "somebody who behaves is not served");
        took.push(begun.elapsed());
    }
    took
}

#[test]
fn a_crowd_of_slow_clients_is_cut_and_nobody_else_notices() {
    let (crowd, head) = asked().map_or((300, 2), |crowd| (crowd, 10));
    let (relay, address, path) = relay(crowd, head);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (cut, resets, mut took) = runtime.block_on(async {
        let over = Arc::new(AtomicBool::new(false));
        let resetting = tokio::spawn(reset(address, path.clone(), over.clone()));
        let behaving = tokio::spawn(behave(address, path.clone(), over.clone()));
        let mut slow = JoinSet::new();
        for number in 0..crowd {
            slow.spawn(linger(address, number));
        }
        let cut = tokio::time::timeout(PATIENCE, slow.join_all()).await.expect("all are cut");
        over.store(true, Ordering::Relaxed);
        (cut, resetting.await.unwrap(), behaving.await.unwrap())
    });
    took.sort_unstable();
    let p99 = took[(took.len() * 99 / 100).min(took.len() - 1)];
    let (first, last) = (cut.iter().min().unwrap(), cut.iter().max().unwrap());
    println!(
        "{crowd} slow clients, cut after {:.1} to {:.1} s; {resets} resets; {} answers to others, \
         p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms; {} MiB",
        first.as_secs_f64(),
        last.as_secs_f64(),
        took.len(),
        took[took.len() / 2].as_secs_f64() * 1000.0,
        p99.as_secs_f64() * 1000.0,
        took[took.len() - 1].as_secs_f64() * 1000.0,
        resident(relay[0].id()) / 1024,
    );
    assert!(first.as_secs_f64() >= 0.9 * head as f64, "somebody was cut after {first:?}");
    if asked().is_some() {
        assert!(*last <= Duration::from_secs(12), "somebody was cut after {last:?}");
        assert!(p99 <= Duration::from_millis(100), "p99 is {p99:?}");
    }
}
