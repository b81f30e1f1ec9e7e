//! One honest relay among rogues: the right answer, in time, and for little memory.
//!
//! Separate because the client is a process of its own here, so that what it holds in memory is its own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mainstay::{Keypair, SignedPacket, Timestamp};
use mainstay_tests::command::binary;
use serde_json::Value;

/// What a relay does with whoever asks it.
#[derive(Clone, Copy, Debug)]
enum Conduct {
    Honest,
    /// A body that never ends, with or without a length.
    EndlessBody,
    EndlessChunks,
    /// Ten megabytes of header.
    LongHead,
    /// A byte of the head each 100 ms.
    Drip,
    /// No HTTP at all, and much of it.
    Garbage,
    /// A body that says it is packed, and would unpack to ten megabytes.
    Packed,
    /// A packet of somebody else, signed well.
    OtherKey,
    /// A packet of the key, with one bit turned.
    Forged,
    /// The packet that was there before.
    Older,
    /// Another relay, which sends back here.
    Circle,
    /// Nothing.
    Silent,
}

const GROUPS: [[Conduct; 4]; 3] = [
    [Conduct::EndlessBody, Conduct::LongHead, Conduct::Drip, Conduct::Garbage],
    [Conduct::EndlessChunks, Conduct::Packed, Conduct::OtherKey, Conduct::Silent],
    [Conduct::Forged, Conduct::Older, Conduct::Circle, Conduct::EndlessBody],
];

/// What all relays know.
#[derive(Clone)]
struct World {
    newest: SignedPacket,
    older: SignedPacket,
    other: SignedPacket,
}

impl World {
    fn new() -> Self {
        let packet = |keypair: &Keypair, last: u8, ago: u64| {
            SignedPacket::builder()
                .a("@".try_into().unwrap(), [192, 0, 2, last].into(), 3600)
                .timestamp((Timestamp::now().as_u64() - ago).into())
                .sign(keypair)
                .unwrap()
        };
        let keypair = Keypair::random();
        Self {
            newest: packet(&keypair, 7, 0),
            older: packet(&keypair, 66, 10_000_000),
            other: packet(&Keypair::random(), 66, 0),
        }
    }

    /// Starts a relay, which serves until this process ends; gives its address.
    fn relay(&self, conduct: Conduct) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let world = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let world = world.clone();
                // Whoever hangs up ends the answer.
                std::thread::spawn(move || {
                    drop(world.answer(stream, conduct, &address.to_string()));
                });
            }
        });
        format!("http://{address}")
    }

    fn answer(&self, mut stream: TcpStream, conduct: Conduct, own: &str) -> std::io::Result<()> {
        let mut head = Vec::new();
        let mut part = [0; 1024];
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut part)? {
                0 => return Ok(()),
                length => head.extend_from_slice(&part[..length]),
            }
        }
        let payload = |packet: &SignedPacket| packet.to_relay_payload().to_vec();
        match conduct {
            Conduct::Honest => whole(&mut stream, "", &payload(&self.newest)),
            Conduct::Older => whole(&mut stream, "", &payload(&self.older)),
            Conduct::OtherKey => whole(&mut stream, "", &payload(&self.other)),
            Conduct::Forged => {
                let mut forged = payload(&self.newest);
                if let Some(byte) = forged.last_mut() {
                    *byte ^= 1;
                }
                whole(&mut stream, "", &forged)
            }
            Conduct::Packed => whole(&mut stream, "Content-Encoding: gzip\r\n", &packed()),
            Conduct::EndlessBody => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")?;
                flood(&mut stream, &[b'x'; 65_536], usize::MAX)
            }
            Conduct::EndlessChunks => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                let chunk = [b"8000\r\n".as_slice(), &[b'x'; 0x8000], b"\r\n"].concat();
                flood(&mut stream, &chunk, usize::MAX)
            }
            Conduct::LongHead => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nX: ")?;
                flood(&mut stream, &[b'x'; 65_536], 160)
            }
            Conduct::Garbage => flood(&mut stream, &[0xa7; 65_536], 160),
            Conduct::Drip => {
                for byte in b"HTTP/1.1 200 OK\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
                    stream.write_all(&[*byte])?;
                    // The pace of a rogue, not a wait for something to happen.
                    stream.set_read_timeout(Some(Duration::from_millis(100)))?;
                    if stream.read(&mut part).is_ok() {
                        break;
                    }
                }
                Ok(())
            }
            Conduct::Circle => {
                let head = format!(
                    "HTTP/1.1 307 Away\r\nLocation: http://{own}/x\r\nContent-Length: 0\r\n\r\n"
                );
                stream.write_all(head.as_bytes())
            }
            Conduct::Silent => stream.read(&mut part).map(drop),
        }
    }
}

fn whole(stream: &mut TcpStream, more: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\n{more}Content-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(&[head.as_bytes(), body].concat())
}

fn flood(stream: &mut TcpStream, bytes: &[u8], times: usize) -> std::io::Result<()> {
    (0..times).try_for_each(|_| stream.write_all(bytes))
}

/// Ten megabytes of zeros, in gzip: a thousand blocks of the same stored bytes would not do, so it is one block of
/// repetitions, written by hand (RFC 1951, fixed codes: a zero, then copies of 258 bytes from one byte back).
fn packed() -> Vec<u8> {
    let mut bits: Vec<bool> = Vec::new();
    let mut push = |value: u32, count: u32, high_first: bool| {
        for index in 0..count {
            let at = if high_first { count - 1 - index } else { index };
            bits.push(value >> at & 1 == 1);
        }
    };
    push(1, 1, false);
    push(1, 2, false);
    push(0b0011_0000, 8, true);
    for _ in 0..40_000 {
        push(0b1100_0101, 8, true);
        push(0, 5, true);
    }
    push(0, 7, true);
    let bytes = bits.chunks(8).map(|byte| {
        byte.iter().enumerate().fold(0, |sum, (index, bit)| sum | u8::from(*bit) << index)
    });
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3].into_iter().chain(bytes).chain([0; 8]).collect()
}

/// What a look-up took: its records, its time, and the most that it held in memory, in KiB.
struct Told {
    answer: Value,
    took: Duration,
    peak: usize,
}

fn resolve(relays: &[String], key: &str, more: &[&str]) -> Told {
    let begun = Instant::now();
    let mut child = Command::new(binary())
        .args(["resolve", key, "--json", "--relay", &relays.join(",")])
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        // It is gone between the two lines sometimes.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(now.unwrap_or(0));
        std::thread::yield_now();
    }
    let took = begun.elapsed();
    let output = child.wait_with_output().unwrap();
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_default();
    Told { answer, took, peak }
}

#[test]
fn one_honest_relay_of_five_is_enough() {
    let world = World::new();
    let key = world.newest.public_key().to_z32();
    // With somebody silent, so that it lives long enough for its peak to be seen.
    let patient = [Conduct::Honest, Conduct::Silent].map(|conduct| world.relay(conduct));
    let usual = resolve(&patient, &key, &["--most-recent"]).peak;
    for more in [&[][..], &["--most-recent"]] {
        let alone = resolve(&[world.relay(Conduct::Honest)], &key, more);
        assert_eq!(alone.answer["records"][0]["data"], "192.0.2.7", "the honest one alone");
        for group in GROUPS {
            let mut relays: Vec<_> = group.iter().map(|conduct| world.relay(*conduct)).collect();
            relays.push(world.relay(Conduct::Honest));
            let told = resolve(&relays, &key, more);
            let grown = told.peak.saturating_sub(usual);
            println!(
                "{group:?} {more:?}: {:.2} s, alone {:.2} s; {grown} KiB more than {} KiB",
                told.took.as_secs_f64(),
                alone.took.as_secs_f64(),
                usual
            );
            let data = &told.answer["records"][0]["data"];
            // Who asks only for a first answer may get an older one of the key, if a rogue is the fastest.
            let is_older = *data == "192.0.2.66" && more.is_empty();
            assert!(*data == "192.0.2.7" || is_older, "{group:?}: {}", told.answer);
            assert!(grown <= 5 * 1024, "{group:?}: {grown} KiB more");
        }
    }
}
