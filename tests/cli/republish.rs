//! `republish`: a folder of packets, zones and keys, put once or kept alive, over a network in another process.
//!
//! Separate because what it does depends on files that change while it runs.

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use mainstay_tests::command::{Running, binary, json, run};
use serde_json::Value;

use crate::files::new_key;

/// A testnet in its own process, a folder and a state folder.
struct Place {
    _net: Running,
    bootstrap: String,
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let (net, first) = Running::start(&["testnet", "--nodes", "12"]);
        let bootstrap: Vec<_> =
            first["bootstrap"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
        let bootstrap = bootstrap.join(",");
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("names")).unwrap();
        Self { _net: net, bootstrap, root }
    }

    fn path(&self, name: &str) -> String {
        self.root.path().join(name).to_str().unwrap().to_owned()
    }

    /// A key and its zone in the folder; gives the public key.
    fn zone(&self, name: &str, text: &str) -> String {
        let (file, key) = new_key(&fresh(self.root.path(), name));
        std::fs::rename(file, self.path(&format!("names/{name}.key"))).unwrap();
        self.write(&format!("names/{name}.zone"), text);
        key
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn words(&self, more: &[&str]) -> Vec<String> {
        let mut words = vec!["republish".to_owned(), self.path("names"), "--state".to_owned()];
        words.extend([self.path("state"), "--bootstrap".to_owned(), self.bootstrap.clone()]);
        words.extend(more.iter().map(|word| (*word).to_owned()));
        words
    }

    fn resolve(&self, key: &str) -> Value {
        json(&["resolve", "--most-recent", "--bootstrap", &self.bootstrap, key], b"")
    }
}

fn fresh(folder: &Path, name: &str) -> std::path::PathBuf {
    let folder = folder.join(format!("keys-{name}"));
    std::fs::create_dir(&folder).unwrap();
    folder
}

fn lines(output: &std::process::Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn once_puts_zones_packets_and_keys_and_a_second_time_nothing_that_is_not_due() {
    let place = Place::new();
    let zone = place.zone("zone", "@ 1h A 192.0.2.1\n");
    let (file, packet) = new_key(&fresh(place.root.path(), "packet"));
    let out = place.path("names/others.packet");
    assert!(
        run(&["sign", "--key", &file, "-", "--out", &out], b"@ A 192.0.2.2\n").status.success()
    );
    let (file, known) = new_key(&fresh(place.root.path(), "known"));
    let bootstrap = place.bootstrap.as_str();
    json(&["publish", "--bootstrap", bootstrap, "--key", &file, "-"], b"@ A 192.0.2.3\n");
    place.write("names/friends.pub", &format!("# a friend\n\npk:{known}\n"));

    let first = run(&place.words(&["--once", "--json"]), b"");
    assert_eq!(first.status.code(), Some(0), "{first:?}");
    let summary = lines(&first).pop().unwrap();
    assert_eq!((&summary["keys"], &summary["stored"]), (&3.into(), &3.into()));
    for (key, address) in [(&zone, "192.0.2.1"), (&packet, "192.0.2.2"), (&known, "192.0.2.3")] {
        assert_eq!(place.resolve(key)["records"][0]["data"], address);
    }
    let timestamp = place.resolve(&zone)["timestamp"].clone();
    let second = run(&place.words(&["--once", "--json"]), b"");
    let said = lines(&second);
    assert!(said.iter().all(|line| line["event"] != "stored"), "{said:?}");
    assert_eq!(said.last().unwrap()["stored"], 3);
    assert_eq!(place.resolve(&zone)["timestamp"], timestamp, "nothing is signed again");
}

#[test]
fn a_changed_zone_is_signed_and_put_on_sighup_and_a_removed_one_is_let_go() {
    let place = Place::new();
    let key = place.zone("a", "@ A 192.0.2.1\n");
    let gone = place.zone("b", "@ A 192.0.2.9\n");
    let (mut running, first) = Running::start(&place.words(&[]));
    assert_eq!((&first["event"], &first["keys"]), (&"read".into(), &2.into()));
    for _ in 0..2 {
        assert_eq!(running.line()["event"], "stored");
    }
    place.write("names/a.zone", "@ A 192.0.2.5\n");
    std::fs::remove_file(place.path("names/b.zone")).unwrap();
    std::fs::remove_file(place.path("names/b.key")).unwrap();
    running.signal("HUP");
    let read = running.line();
    assert_eq!((&read["event"], &read["keys"]), (&"read".into(), &1.into()));
    let stored = running.line();
    assert_eq!((&stored["event"], stored["public_key"].as_str()), (&"stored".into(), Some(&*key)));
    assert_eq!(place.resolve(&key)["records"][0]["data"], "192.0.2.5");
    let (status, _) = running.end("TERM");
    assert!(status.success());
    assert!(!Path::new(&place.path(&format!("state/{gone}.kept"))).exists());
    assert!(Path::new(&place.path(&format!("state/{key}.kept"))).exists());
}

#[test]
fn what_left_the_folder_while_it_did_not_run_is_let_go() {
    let place = Place::new();
    let key = place.zone("a", "@ A 192.0.2.1\n");
    let gone = place.zone("b", "@ A 192.0.2.9\n");
    let once = run(&place.words(&["--once", "--json"]), b"");
    assert_eq!(once.status.code(), Some(0), "{once:?}");
    std::fs::remove_file(place.path("names/b.zone")).unwrap();
    std::fs::remove_file(place.path("names/b.key")).unwrap();
    let (running, first) = Running::start(&place.words(&[]));
    assert_eq!((&first["event"], &first["keys"]), (&"read".into(), &1.into()));
    let (status, _) = running.end("TERM");
    assert!(status.success());
    assert!(!Path::new(&place.path(&format!("state/{gone}.kept"))).exists());
    assert!(Path::new(&place.path(&format!("state/{key}.kept"))).exists());
}

#[test]
fn a_signal_ends_it_while_it_still_looks_for_what_stands() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let place = tempfile::tempdir().unwrap();
    let (file, _) = new_key(place.path());
    std::fs::write(Path::new(&file).with_extension("zone"), "@ A 192.0.2.1\n").unwrap();
    std::fs::rename(&file, Path::new(&file).with_extension("key")).unwrap();
    let child = Command::new(binary())
        .args(["republish", place.path().to_str().unwrap(), "--no-relays", "--bootstrap"])
        .arg(silent.local_addr().unwrap().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It listens for signals before it asks anybody.
    silent.recv_from(&mut [0; 2048]).unwrap();
    let killed = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    assert!(killed.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "it did not look to the end first");
}

#[test]
fn a_newer_packet_published_elsewhere_is_adopted_and_survives_a_kill_and_a_restart() {
    let place = Place::new();
    let key = place.zone("a", "@ A 192.0.2.1\n");
    let (mut running, _) = Running::start(&place.words(&[]));
    assert_eq!(running.line()["event"], "stored");
    let file = place.path("names/a.key");
    let published = json(
        &["publish", "--bootstrap", &place.bootstrap, "--key", &file, "-"],
        b"@ A 192.0.2.7\n",
    );
    drop(running);
    // The folder's zone has not changed since it was signed, so the newer packet stands.
    let (mut running, _) = Running::start(&place.words(&["--interval", "4"]));
    let mut events = vec![running.line(), running.line(), running.line()];
    while events.iter().all(|event| event["event"] != "adopted") {
        events.push(running.line());
        assert!(events.len() < 20, "{events:?}");
    }
    assert_eq!(events.last().unwrap()["timestamp"], published["timestamp"]);
    drop(running);
    let once = run(&place.words(&["--once", "--json"]), b"");
    assert_eq!(once.status.code(), Some(0), "{once:?}");
    let resolved = place.resolve(&key);
    assert_eq!(resolved["timestamp"], published["timestamp"]);
    assert_eq!(resolved["records"][0]["data"], "192.0.2.7");
}

#[test]
fn what_cannot_be_used_is_named_and_does_not_stop_the_others() {
    let place = Place::new();
    place.zone("good", "@ A 192.0.2.1\n");
    place.zone("bad", "@ A no.address\n");
    place.write("names/junk.packet", "junk");
    place.write("names/README.md", "no business of ours");
    std::fs::copy(place.path("names/good.key"), place.path("names/twin.key")).unwrap();
    place.write("names/twin.zone", "@ A 192.0.2.2\n");
    let pipe = Command::new("mkfifo").arg(place.path("names/pipe.packet")).status();
    assert!(pipe.unwrap().success());
    let once = run(&place.words(&["--once", "--json"]), b"");
    assert_eq!(once.status.code(), Some(2), "{once:?}");
    let said = lines(&once);
    let problems: Vec<_> =
        said[0]["problems"].as_array().unwrap().iter().map(Value::to_string).collect();
    assert_eq!(problems.len(), 4, "{problems:?}");
    for name in ["junk.packet", "bad.zone", "pipe.packet", "twin.zone"] {
        assert!(problems.iter().any(|problem| problem.contains(name)), "{problems:?}");
    }
    assert_eq!(said.last().unwrap()["stored"], 1);
}

#[test]
fn a_folder_without_names_is_bad_input_and_one_that_is_not_there_a_local_failure() {
    let place = tempfile::tempdir().unwrap();
    let empty = place.path().to_str().unwrap();
    let empty = run(&["republish", empty, "--bootstrap", "127.0.0.1:9"], b"");
    assert_eq!(empty.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&empty.stderr).contains("nothing to keep"));
    let nowhere = place.path().join("nowhere");
    let nowhere = run(&["republish".as_ref(), nowhere.as_os_str(), "--no-relays".as_ref()], b"");
    assert_eq!(nowhere.status.code(), Some(5));
}
