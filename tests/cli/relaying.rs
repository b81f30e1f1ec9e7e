//! `mainstay relay` as operators run it: its configuration file, its signals, its store, its limits.
//!
//! Separate from the other verbs that run, because this one has a configuration and keeps promises over restarts.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use mainstay::{Keypair, SignedPacket};
use mainstay_tests::command::{Running, binary, run};
use serde_json::Value;

/// How long anything may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// One request over a connection of its own: the status of the answer, 0 where there is none.
pub(crate) fn ask(url: &str, method: &str, path: &str, body: &[u8]) -> u16 {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let answer = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let status = answer().ok().and_then(|text| text.split(' ').nth(1)?.parse().ok());
    status.unwrap_or(0)
}

fn write(folder: &Path, text: &str) -> String {
    let file = folder.join("relay.toml");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn the_configuration_that_is_printed_can_be_read_again() {
    let printed = run(&["relay", "--print-config"], b"");
    assert!(printed.status.success() && printed.stderr.is_empty());
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), std::str::from_utf8(&printed.stdout).unwrap());
    let checked = run(&["relay", "--config", &file, "--check-config"], b"");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn a_wrong_configuration_is_bad_input_with_its_file_its_line_and_what_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "[http]\nport = 0\nmax_conections = 3\n");
    let refused = run(&["relay", "--config", &file, "--check-config"], b"");
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    for part in ["relay.toml", "line 3", "did you mean \"max_connections\"?"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
}

#[test]
fn a_check_refuses_what_a_start_would_refuse() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key.pem"), "no key").unwrap();
    for (text, part) in [
        ("[log]\nlevel = 'loud=='\n", "[log] level"),
        ("[tls]\ncertificate = 'none.pem'\nkey = 'key.pem'\n", "none.pem"),
        ("[rate_limiter]\nremembered = 99_999_999_999\n", "remembered"),
    ] {
        let file = write(folder.path(), text);
        let refused = run(&["relay", "--config", &file, "--check-config"], b"");
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{text}: {said}");
        assert!(said.contains(part), "no {part} in {said}");
    }
}

#[test]
fn on_sighup_new_limits_hold_and_a_broken_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let text = |more: &str| {
        format!(
            "[http]\nport = 0\nbind = ['127.0.0.1']\n[mainline]\nbind = '127.0.0.1'\nbootstrap = []\n[log]\nlevel = 'error'\n{more}"
        )
    };
    let file = write(folder.path(), &text(""));
    let (relay, started) = Running::start(&["relay", "--config", &file]);
    let url = started["url"].as_str().unwrap();
    assert_eq!(ask(url, "GET", "/health", b""), 200);
    write(folder.path(), "[http\n");
    relay.signal("HUP");
    write(folder.path(), &text("[rate_limiter]\nquota = '1r/d'\nburst = 1\n"));
    relay.signal("HUP");
    let begun = Instant::now();
    while ask(url, "GET", "/health", b"") != 429 {
        assert!(begun.elapsed() < PATIENCE, "the new limit does not hold");
    }
    let (status, _) = relay.end("TERM");
    assert!(status.success());
}

/// Publishes packets of new keys until it is told to end, and tells of each that was acknowledged.
fn publish(url: &str, acknowledged: &mpsc::Sender<String>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let keypair = Keypair::random();
        let packet = SignedPacket::builder()
            .a("@".try_into().unwrap(), [192, 0, 2, 7].into(), 3600)
            .sign(&keypair)
            .unwrap();
        let key = keypair.to_z32();
        if ask(url, "PUT", &format!("/{key}"), &packet.to_relay_payload()) == 204 {
            acknowledged.send(key).unwrap();
        }
    }
}

#[test]
fn what_was_acknowledged_before_a_signal_or_a_kill_is_there_afterwards() {
    let (_testnet, first) = Running::start(&["testnet", "--nodes", "5"]);
    let bootstrap = first["bootstrap"][0].as_str().unwrap();
    let rounds = std::env::var("MAINSTAY_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let ways = [("disk", "TERM"), ("disk", "KILL"), ("lmdb", "TERM"), ("lmdb", "KILL")];
    let (mut promised, mut longest) = (0, [Duration::ZERO; 2]);
    for (engine, signal) in ways.into_iter().cycle().take(rounds.unwrap_or(ways.len())) {
        let folder = tempfile::tempdir().unwrap();
        let file = write(
            folder.path(),
            &format!(
                "[http]\nport = 0\nbind = ['127.0.0.1']\n[mainline]\nbind = '127.0.0.1'\n\
                 bootstrap = ['{bootstrap}']\n[cache]\npath = 'store'\nengine = '{engine}'\n\
                 [rate_limiter]\nenabled = false\n[log]\nlevel = 'error'\n"
            ),
        );
        let (relay, started) = Running::start(&["relay", "--config", &file]);
        let url = started["url"].as_str().unwrap();
        let (sender, acknowledged) = mpsc::channel();
        let over = AtomicBool::new(false);
        let keys: Vec<String> = std::thread::scope(|scope| {
            let publishers: Vec<_> = (0..4)
                .map(|_| sender.clone())
                .map(|sender| {
                    scope.spawn({
                        let over = &over;
                        move || publish(url, &sender, over)
                    })
                })
                .collect();
            let mut keys: Vec<_> =
                (0..25).map(|_| acknowledged.recv_timeout(PATIENCE).unwrap()).collect();
            let begun = Instant::now();
            relay.end(signal);
            longest[0] = longest[0].max(begun.elapsed());
            over.store(true, Ordering::Relaxed);
            publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
            keys.extend(acknowledged.try_iter());
            keys
        });
        let begun = Instant::now();
        let (_relay, started) = Running::start(&["relay", "--config", &file]);
        longest[1] = longest[1].max(begun.elapsed());
        let url = started["url"].as_str().unwrap();
        for key in &keys {
            let status = ask(url, "GET", &format!("/{key}?policy=CacheOnly"), b"");
            assert_eq!(status, 200, "{engine}, {signal}: {key} of {} is lost", keys.len());
        }
        promised += keys.len();
    }
    let [ended, started] = longest;
    println!(
        "{promised} acknowledged, none lost; ended in {ended:?} at most, and started in {started:?}"
    );
    if rounds.is_some() {
        assert!(ended <= Duration::from_secs(5), "it took {ended:?} to end");
        assert!(started <= Duration::from_secs(1), "it took {started:?} to start");
    }
}

#[cfg(unix)]
#[test]
fn a_relay_that_ran_out_of_files_says_so_and_takes_connections_again() {
    let folder = tempfile::tempdir().unwrap();
    // Its own caps are far off, so that it is the files that run out.
    let file = write(
        folder.path(),
        "[http]\nport = 0\nbind = ['127.0.0.1']\nmax_connections = 1000\n\
         max_connections_per_source = 1000\n[mainline]\nbind = '127.0.0.1'\nbootstrap = []\n",
    );
    let mut relay = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
        .arg(binary())
        .args(["relay", "--config", &file, "--json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = std::io::BufReader::new(relay.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut line).unwrap();
    let started: Value = serde_json::from_str(&line).unwrap();
    let url = started["url"].as_str().unwrap();
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let (sender, said) = mpsc::channel();
    let errors = std::io::BufReader::new(relay.stderr.take().unwrap());
    std::thread::spawn(move || {
        let lines = std::io::BufRead::lines(errors).map_while(Result::ok);
        lines.for_each(|line| drop(sender.send(line)));
    });
    let held: Vec<_> = (0..100).map(|_| TcpStream::connect(address).unwrap()).collect();
    let begun = Instant::now();
    while !said.recv_timeout(PATIENCE).unwrap().contains("limit of open files") {
        assert!(begun.elapsed() < PATIENCE, "it has files enough");
    }
    drop(held);
    let answered = ask(url, "GET", "/health", b"");
    relay.kill().unwrap();
    relay.wait().unwrap();
    assert_eq!(answered, 200);
}
