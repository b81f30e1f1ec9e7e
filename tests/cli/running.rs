//! The verbs that run until interrupted: their first line, their service, their clean end.
//!
//! Separate from the others, because a process that runs has a life to watch.

use mainstay_tests::command::{Running, json, run};

use crate::files::new_key;

#[test]
fn testnet_node_and_relay_end_cleanly_on_both_signals() {
    for signal in ["INT", "TERM"] {
        for words in [
            &["testnet", "--nodes", "5"][..],
            &["node", "--listen", "127.0.0.1:0", "--no-bootstrap"],
            &["relay", "--listen", "127.0.0.1:0", "--no-bootstrap"],
        ] {
            let (running, _) = Running::start(words);
            let (status, rest) = running.end(signal);
            assert!(status.success(), "{words:?} ends with {status} on {signal}");
            assert_eq!(rest, "", "{words:?} prints more than its first line");
        }
    }
}

#[test]
fn the_first_line_of_each_has_what_scripts_need() {
    let (_testnet, first) = Running::start(&["testnet", "--nodes", "5"]);
    let bootstrap = first["bootstrap"].as_array().unwrap();
    assert!(!bootstrap.is_empty());
    assert!(bootstrap.iter().all(|address| address.as_str().unwrap().starts_with("127.0.0.1:")));
    assert!(first["relay"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    let (_node, first) = Running::start(&["node", "--listen", "127.0.0.1:0", "--no-bootstrap"]);
    assert!(first["address"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert_eq!(first["id"].as_str().unwrap().len(), 40);
    let (_relay, first) = Running::start(&["relay", "--listen", "127.0.0.1:0", "--no-bootstrap"]);
    assert!(first["url"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert!(first["dht"].as_str().unwrap().starts_with("127.0.0.1:"));
}

/// The addresses of the sockets that a process has for UDP.
#[cfg(target_os = "linux")]
fn udp_sockets(process: u32) -> Vec<String> {
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let sockets: Vec<_> = files
        .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
        .filter_map(|file| {
            Some(file.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let mut addresses = Vec::new();
    for table in ["udp", "udp6"] {
        // A system without IPv6 has no such table.
        let lines =
            std::fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
        for line in lines.lines().skip(1) {
            let words: Vec<_> = line.split_whitespace().collect();
            if sockets.iter().any(|socket| socket == words[9]) {
                addresses.push(words[1].to_owned());
            }
        }
    }
    addresses
}

#[cfg(target_os = "linux")]
#[test]
fn a_test_network_listens_on_loopback_alone() {
    let (testnet, _) = Running::start(&["testnet", "--nodes", "3"]);
    let sockets = udp_sockets(testnet.id());
    assert_eq!(sockets.len(), 4, "three nodes and the relay's: {sockets:?}");
    // 127.0.0.1, as the kernel writes it on this machine.
    let loopback = format!("{:08X}:", u32::from_ne_bytes([127, 0, 0, 1]));
    assert!(sockets.iter().all(|address| address.starts_with(&loopback)), "{sockets:?}");
}

#[test]
fn a_relay_without_a_port_for_its_node_starts_where_the_usual_one_is_taken() {
    // Whether we hold it or somebody else does: it is taken.
    let _usual = std::net::UdpSocket::bind("127.0.0.1:6881");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    for node in ["bind = '127.0.0.1'", "ipv6 = false"] {
        let text =
            format!("[http]\nport = 0\nbind = ['127.0.0.1']\n[mainline]\nbootstrap = []\n{node}\n");
        std::fs::write(&file, text).unwrap();
        let (relay, first) = Running::start(&["relay", "--config", file.to_str().unwrap()]);
        let dht = first["dht"].as_str().unwrap();
        assert!(!dht.ends_with(":6881"), "{dht}");
        assert!(relay.end("TERM").0.success());
    }
}

#[test]
fn nodes_started_one_by_one_are_a_network_that_stores_and_finds() {
    let (_first, line) = Running::start(&["node", "--listen", "127.0.0.1:0", "--no-bootstrap"]);
    let bootstrap = line["address"].as_str().unwrap().to_owned();
    let more: Vec<_> = (0..3)
        .map(|_| Running::start(&["node", "--listen", "127.0.0.1:0", "--bootstrap", &bootstrap]))
        .collect();
    let (_relay, relay) =
        Running::start(&["relay", "--listen", "127.0.0.1:0", "--bootstrap", &bootstrap]);
    let folder = tempfile::tempdir().unwrap();
    let (file, key) = new_key(folder.path());
    let last = more.last().unwrap().1["address"].as_str().unwrap();
    let zone = b"@ 60 A 192.0.2.7\n";
    let published = json(&["publish", "--bootstrap", last, "--key", &file, "-"], zone);
    assert!(published["stored"].as_u64() >= Some(4), "{published}");
    let url = relay["url"].as_str().unwrap();
    let resolved = json(&["resolve", "--relay", url, &key, "A"], b"");
    assert_eq!(resolved["records"][0]["data"], "192.0.2.7");
}

#[test]
fn a_relay_searches_once_for_a_key_that_nobody_knows() {
    let (_node, node) = Running::start(&["node", "--listen", "127.0.0.1:0", "--no-bootstrap"]);
    let bootstrap = node["address"].as_str().unwrap();
    let (_relay, relay) =
        Running::start(&["relay", "--listen", "127.0.0.1:0", "--bootstrap", bootstrap]);
    let url = relay["url"].as_str().unwrap();
    // On a machine that is slow enough the relay has forgotten that it looked; one of several times it has not.
    let denied = (0..5).any(|_| {
        let folder = tempfile::tempdir().unwrap();
        let (file, key) = new_key(folder.path());
        let resolve = ["resolve", "--relay", url, &key];
        assert_eq!(run(&resolve, b"").status.code(), Some(1));
        json(&["publish", "--bootstrap", bootstrap, "--key", &file, "-"], b"@ A 192.0.2.7\n");
        let denied = run(&resolve, b"").status.code() == Some(1);
        let newest = json(&["resolve", "--relay", url, "--most-recent", &key], b"");
        assert_eq!(newest["records"][0]["data"], "192.0.2.7");
        denied
    });
    assert!(denied, "every request for an unknown key starts a search");
}

#[test]
fn a_taken_port_is_a_local_failure_that_names_it() {
    let (_node, first) = Running::start(&["node", "--listen", "127.0.0.1:0", "--no-bootstrap"]);
    let taken = first["address"].as_str().unwrap();
    let second = run(&["node", "--listen", taken, "--no-bootstrap"], b"");
    assert_eq!(second.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&second.stderr).contains(taken));
}

#[test]
fn a_node_with_a_state_file_is_known_again_and_joins_through_whom_it_knew() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").to_str().unwrap().to_owned();
    let (_other, other) = Running::start(&["node", "--listen", "127.0.0.1:0", "--no-bootstrap"]);
    let bootstrap = other["address"].as_str().unwrap();
    let listen = ["node", "--listen", "127.0.0.1:0", "--state", &state];
    let informed = ["--info-every", "0.05", "--bootstrap", bootstrap];
    let (mut running, first) = Running::start(&[&listen[..], &informed].concat());
    while running.line()["nodes"] != 1 {}
    let (status, _) = running.end("TERM");
    assert!(status.success());

    let (mut running, again) =
        Running::start(&[&listen[..], &["--info-every", "0.05", "--no-bootstrap"]].concat());
    assert_eq!(again["id"], first["id"]);
    let second = run(&[&listen[..], &["--no-bootstrap"]].concat(), b"");
    assert_eq!(second.status.code(), Some(5), "two nodes with one state");
    let known = loop {
        let info = running.line();
        if info["nodes"] == 1 {
            break info;
        }
    };
    let count = |field: &str| known[field].as_u64().unwrap();
    let late = known["late"].as_object().unwrap();
    assert!(late["asked_by_us_a_second"]["find_node"].is_number());
    assert!(known["ask_hops"].is_array() && late["seconds"].as_f64().unwrap() > 0.0);
    let dropped: u64 =
        known["dropped"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(count("received"), count("queries") + count("answers") + count("errors") + dropped);
}

#[test]
fn what_happens_to_a_node_is_told_on_stderr() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    std::fs::write(&state, b"not a state").unwrap();
    let state = state.to_str().unwrap();
    let words = ["node", "--listen", "127.0.0.1:0", "--no-bootstrap", "--state", state];
    let told = Running::told(&words, "settled", "INT");
    let named = |name: &str| told.iter().any(|event| event["event"] == name);
    for name in ["state_set_aside", "settled", "state_saved"] {
        assert!(named(name), "{name}: {told:?}");
    }
}

#[test]
fn a_node_whose_log_nobody_reads_goes_on_answering_and_ends_when_told() {
    let binary = mainstay_tests::command::binary();
    let mut child = std::process::Command::new(binary)
        .args(["node", "--listen", "127.0.0.1:0", "--no-bootstrap", "--json", "-vvv"])
        .args(["--info-every", "0.01"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut lines = std::io::BufReader::new(child.stdout.as_mut().unwrap());
    std::io::BufRead::read_line(&mut lines, &mut line).unwrap();
    let first: serde_json::Value = serde_json::from_str(&line).unwrap();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(first["address"].as_str().unwrap()).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    let ping = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";
    // Each of these is a line of the log, and together they are many times what a pipe holds.
    for _ in 0..200 {
        for _ in 0..20 {
            socket.send(b"this is no message of any kind").unwrap();
        }
        socket.send(ping).unwrap();
        let mut buffer = [0; 1500];
        socket.recv(&mut buffer).expect("it answers although nobody reads what it tells");
    }
    let id = child.id().to_string();
    assert!(
        std::process::Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success()
    );
    // Both pipes are open, full, and read by nobody until it has ended.
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_dht_is_asked_from_the_command_line() {
    let (_testnet, first) = Running::start(&["testnet", "--nodes", "10"]);
    let bootstrap = first["bootstrap"][0].as_str().unwrap();
    let hash = "0123456789abcdef0123456789abcdef01234567";
    let ask = |words: &[&str]| json(&[&["dht"], words, &["--bootstrap", bootstrap]].concat(), b"");
    assert_eq!(ask(&["ping", bootstrap])["id"].as_str().unwrap().len(), 40);
    assert!(ask(&["find", hash])["nodes"].as_array().unwrap().len() >= 8);
    let missing = run(&["dht", "peers", hash, "--bootstrap", bootstrap], b"");
    assert_eq!(missing.status.code(), Some(1));
    assert!(ask(&["announce", hash, "--port", "7"])["stored"].as_u64().unwrap() >= 8);
    assert_eq!(ask(&["peers", hash])["peers"], serde_json::json!(["127.0.0.1:7"]));
    assert_eq!(ask(&["scrape", hash])["downloaders"], 1);
    assert!(ask(&["announce", hash, "--port", "7", "--seed"])["stored"].as_u64().unwrap() >= 8);
    assert_eq!(
        (&ask(&["scrape", hash])["seeds"], &ask(&["scrape", hash])["downloaders"]),
        (&1.into(), &0.into())
    );
    let none = run(&["dht", "peers", hash, "--no-seeds", "--bootstrap", bootstrap], b"");
    assert_eq!(none.status.code(), Some(1));
    let sampled = run(&["dht", "sample", "--json", "--bootstrap", bootstrap], b"");
    let text = String::from_utf8(sampled.stdout).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (sum, nodes) = lines.split_last().unwrap();
    assert_eq!((nodes.len(), &sum["answered"], &sum["info_hashes"]), (10, &10.into(), &1.into()));
    let hashes = nodes.iter().flat_map(|line| line["info_hashes"].as_array().unwrap());
    assert_eq!(hashes.collect::<Vec<_>>(), [hash]);
}
