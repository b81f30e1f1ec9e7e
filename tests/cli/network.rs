//! `publish` and `resolve` over a network in another process: what is printed, and the exit codes of every end.
//!
//! Separate from the verbs without a network, because these need one.

use mainstay_tests::command::{Running, json, run};
use serde_json::Value;

use crate::files::new_key;

const ZONE: &[u8] = b"$TTL 60\n@ A 192.0.2.7\nwww CNAME @\nfar CNAME example.com.\n_t TXT \"hello\"\n*.w A 192.0.2.8\n";

/// A testnet in its own process, and the options that lead to it.
struct Network {
    _running: Running,
    dht: [String; 2],
    relay: [String; 2],
}

impl Network {
    fn start() -> Self {
        let (running, first) = Running::start(&["testnet", "--nodes", "10"]);
        let bootstrap: Vec<_> =
            first["bootstrap"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
        let dht = ["--bootstrap".to_owned(), bootstrap.join(",")];
        let relay = ["--relay".to_owned(), first["relay"].as_str().unwrap().to_owned()];
        Self { _running: running, dht, relay }
    }

    fn words<'a>(options: &[&'a [String; 2]], words: &[&'a str]) -> Vec<&'a str> {
        let options = options.iter().flat_map(|option| option.iter().map(String::as_str));
        words.iter().copied().chain(options).collect()
    }
}

#[test]
fn what_is_published_over_one_backend_resolves_over_the_other() {
    let network = Network::start();
    let folder = tempfile::tempdir().unwrap();
    for (out, back, source) in [
        (&network.dht, &network.relay, network.relay[1].as_str()),
        (&network.relay, &network.dht, "dht"),
    ] {
        let (file, key) = new_key(&fresh(folder.path(), source));
        let published = json(&Network::words(&[out], &["publish", "--key", &file, "-"]), ZONE);
        assert_eq!(published["public_key"], key);
        assert!(published["stored"].as_u64() >= Some(8), "{published}");
        assert_eq!(published["backends"].as_array().unwrap().len(), 1);
        assert_eq!(published["backends"][0]["ok"], true);
        let resolved = json(&Network::words(&[back], &["resolve", &key]), b"");
        assert_eq!(resolved["timestamp"], published["timestamp"]);
        assert_eq!(resolved["source"], source);
        assert_eq!(resolved["records"].as_array().unwrap().len(), 5);
        assert!(resolved["age"].as_u64().is_some());
    }
}

#[test]
fn names_types_aliases_and_wildcards_answer_like_dns() {
    let network = Network::start();
    let folder = tempfile::tempdir().unwrap();
    let (file, key) = new_key(folder.path());
    json(&Network::words(&[&network.dht, &network.relay], &["publish", "--key", &file, "-"]), ZONE);
    let ask = |name: &str, kind: &str| {
        let resolved = json(&Network::words(&[&network.dht], &["resolve", name, kind]), b"");
        let records = resolved["records"].as_array().unwrap().clone();
        records.iter().map(|r| format!("{} {}", r["type"], r["data"])).collect::<Vec<_>>()
    };
    assert_eq!(ask(&key, "A"), [r#""A" "192.0.2.7""#]);
    assert_eq!(ask(&format!("https://_T.{key}:8443/path"), "txt"), [r#""TXT" "\"hello\"""#]);
    let alias = format!("\"CNAME\" \"{key}.\"");
    assert_eq!(ask(&format!("www.{key}"), "A"), [alias.as_str(), r#""A" "192.0.2.7""#]);
    assert_eq!(ask(&format!("far.{key}."), "A"), [r#""CNAME" "example.com.""#]);
    assert_eq!(ask(&format!("any.w.{key}"), "A"), [r#""A" "192.0.2.8""#]);
    for (name, kind) in [(format!("nothing.{key}"), "A"), (key.clone(), "MX")] {
        let none = run(&Network::words(&[&network.dht], &["--json", "resolve", &name, kind]), b"");
        assert_eq!(none.status.code(), Some(1), "{name} {kind}");
        assert!(none.stdout.is_empty());
    }
}

#[test]
fn the_answer_reads_like_dig_and_the_trace_goes_to_stderr() {
    let network = Network::start();
    let folder = tempfile::tempdir().unwrap();
    let (file, key) = new_key(folder.path());
    json(&Network::words(&[&network.dht], &["publish", "--key", &file, "-"]), ZONE);
    let output = run(&Network::words(&[&network.dht], &["resolve", "--trace", &key, "A"]), b"");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(";; ANSWER SECTION:\n"), "{text}");
    assert!(text.contains(&format!("{key}.\t60\tIN\tA\t192.0.2.7\n")), "{text}");
    assert!(text.contains(";; Query time: "), "{text}");
    let trace = String::from_utf8(output.stderr).unwrap();
    assert!(
        trace.contains(" ms ") && trace.contains("asked") && trace.contains("answered in"),
        "{trace}"
    );
}

#[test]
fn an_older_packet_and_a_wrong_condition_exit_as_conflicts() {
    let network = Network::start();
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = new_key(folder.path());
    for options in [&network.dht, &network.relay] {
        let publish = |extra: &[&str]| {
            let words = [&["--json", "publish", "--key", &file, "-"], extra].concat();
            run(&Network::words(&[options], &words), ZONE)
        };
        let first = publish(&[]);
        assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
        let first: Value = serde_json::from_slice(&first.stdout).unwrap();
        let timestamp = first["timestamp"].as_u64().unwrap();
        let older = publish(&["--timestamp", &(timestamp - 1).to_string()]);
        assert_eq!(older.status.code(), Some(4), "{}", String::from_utf8_lossy(&older.stderr));
        let wrong = publish(&["--cas", &(timestamp - 1).to_string()]);
        let told = String::from_utf8_lossy(&wrong.stderr);
        assert_eq!(wrong.status.code(), Some(4), "{told}");
        assert_eq!(told.matches("has changed").count(), 1, "{told}");
        assert!(told.contains("refused by "), "{told}");
        let right = publish(&["--cas", &timestamp.to_string()]);
        assert!(right.status.success(), "{}", String::from_utf8_lossy(&right.stderr));
    }
}

#[test]
fn not_found_and_no_network_have_codes_of_their_own() {
    let network = Network::start();
    let folder = tempfile::tempdir().unwrap();
    let (file, key) = new_key(folder.path());
    for options in [&network.dht, &network.relay] {
        let none = run(&Network::words(&[options], &["resolve", &key]), b"");
        assert_eq!(none.status.code(), Some(1), "{}", String::from_utf8_lossy(&none.stderr));
    }
    // A port that is bound and never answers: not even an unreachable comes back.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    for words in [
        &["resolve", "--timeout", "3", "--bootstrap", &silent, &key][..],
        &["publish", "--timeout", "3", "--bootstrap", &silent, "--key", &file, "-"],
        &["resolve", "--timeout", "3", "--relay", "http://127.0.0.1:1", &key],
    ] {
        let output = run(words, ZONE);
        assert_eq!(
            output.status.code(),
            Some(3),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn who_joins_through_the_dead_is_told_whom_nobody_was_heard_from() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let hash = "0123456789abcdef0123456789abcdef01234567";
    for timeout in ["1", "8"] {
        let words = ["dht", "find", hash, "--timeout", timeout, "--bootstrap", &silent];
        let output = run(&words, b"");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told.contains("answer") && !told.contains("no result"), "{told}");
    }
}

fn fresh(folder: &std::path::Path, name: &str) -> std::path::PathBuf {
    let folder = folder.join(name.replace(['/', ':'], "_"));
    std::fs::create_dir(&folder).unwrap();
    folder
}
