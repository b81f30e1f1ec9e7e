//! The forms that scripts rely on: exit codes, what goes to which stream, what is never printed.
//!
//! Separate from the verbs, because these hold for all of them.

use mainstay_tests::command::run;

use crate::files::new_key;

#[test]
fn bad_words_exit_with_two_and_say_so_on_stderr_only() {
    for words in [
        &["no-such-verb"][..],
        &["resolve"],
        &["--timeout", "0", "demo"],
        &["--timeout", "soon", "demo"],
        &["resolve", "not-a-key", "--json"],
        &["resolve", "8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo", "NOTYPE"],
        &["publish", "--key", "k"],
        &["resolve", "--relay", "ftp://x", "8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo"],
        &[
            "resolve",
            "--no-dht",
            "--no-relays",
            "8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo",
        ],
        &["testnet", "--nodes", "0"],
        &["node", "--listen", "nowhere"],
        &["node", "--listen", "127.0.0.1:0", "--bootstrap", "no-port"],
        &["relay", "--listen", "127.0.0.1:0", "--bootstrap", "no-port"],
        &["relay", "--listen", "127.0.0.1:0", "--no-bootstrap", "--no-dht"],
        &[
            "resolve",
            "--bootstrap",
            "no-port",
            "8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo",
        ],
        &["publish", "--key", "k", "zone", "--cas", "18446744073709551615"],
    ] {
        let output = run(words, b"");
        assert_eq!(
            output.status.code(),
            Some(2),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.stdout.is_empty(), "{words:?}");
        assert!(!output.stderr.is_empty(), "{words:?}");
    }
}

#[test]
fn help_of_every_verb_goes_to_stdout() {
    for verb in [
        "key",
        "sign",
        "verify",
        "publish",
        "resolve",
        "node",
        "relay",
        "testnet",
        "demo",
        "completions",
    ] {
        let output = run(&[verb, "--help"], b"");
        assert!(output.status.success() && output.stderr.is_empty(), "{verb}");
        let help = String::from_utf8(output.stdout).unwrap();
        for option in ["--json", "--bootstrap", "--relay", "--no-dht", "--no-relays", "--timeout"] {
            assert!(help.contains(option), "{verb} --help does not tell of {option}");
        }
    }
    let version = run(&["--version"], b"");
    assert_eq!(
        String::from_utf8(version.stdout).unwrap(),
        format!("mainstay {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn the_secret_is_in_no_output_whatever_the_verbosity() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = new_key(folder.path());
    let secret = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    for words in [
        &["-vvv", "key", "show", &file][..],
        &["-vvv", "--json", "sign", "--key", &file, "-"],
        &["-vvv", "sign", "--key", &file, "/no/such/zone"],
        &["-vvv", "--timeout", "0.2", "--bootstrap", "127.0.0.1:1", "publish", "--key", &file, "-"],
        &["key", "show", &secret],
    ] {
        let output = run(words, b"@ 60 A 192.0.2.1\n");
        for stream in [&output.stdout, &output.stderr] {
            let text = String::from_utf8_lossy(stream);
            let quoted_back = words.contains(&secret.as_str());
            assert!(quoted_back || !text.contains(&secret), "{words:?} prints the secret");
        }
    }
}

#[test]
fn nothing_moves_on_stderr_when_it_is_no_terminal() {
    let output = run(&["demo", "--json"], b"");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let done: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(done["dht"]["records"], done["relay"]["records"]);
    assert_eq!(done["dht"]["timestamp"], done["relay"]["timestamp"]);
    assert_eq!(done["dht"]["source"], "dht");
    assert!(done["relay"]["source"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert!(done["stored"].as_u64() >= Some(8));
    let escapes = run(&["demo"], b"").stdout.iter().filter(|byte| **byte == 0x1b).count();
    assert_eq!(escapes, 0, "colours where nobody looks");
}

#[test]
fn an_option_that_names_a_network_is_refused_where_it_means_nothing() {
    for words in [
        &["testnet", "--bootstrap", "127.0.0.1:1"][..],
        &["demo", "--relay", "http://127.0.0.1:1"],
        &["key", "show", "x", "--no-dht"],
        &["sign", "--key", "x", "y", "--no-relays"],
        &["verify", "x", "--bootstrap", "127.0.0.1:1"],
        &["node", "--no-dht"],
        &["relay", "--relay", "http://127.0.0.1:1"],
    ] {
        let refused = run(words, b"");
        assert_eq!(refused.status.code(), Some(2), "{words:?}");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains("has no meaning here"), "{words:?}: {said}");
    }
}

#[test]
fn a_zone_that_no_node_can_store_is_refused_with_the_limit_before_anybody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = new_key(folder.path());
    let text = |length: usize| {
        let mut zone = "@ TXT".to_owned();
        let mut left = length;
        while left > 0 {
            let part = left.min(255);
            zone.push_str(&format!(" \"{}\"", "x".repeat(part)));
            left -= part;
        }
        zone
    };
    let publish = ["publish", "--key", &file, "-", "--relay", "http://127.0.0.1:9"];
    let codes = |length| run(&publish, text(length).as_bytes());
    // The first length that is refused for its size, not for want of a network.
    let refused = (910..930).map(codes).find(|output| output.status.code() == Some(2)).unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("takes 997 bytes, and the DHT stores 996 at most"), "{said}");
}

#[test]
fn a_timestamp_of_a_wrong_clock_is_refused_and_the_clock_named() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = new_key(folder.path());
    let words = [
        "publish",
        "--key",
        &file,
        "-",
        "--timestamp",
        "4102444800000000",
        "--relay",
        "http://127.0.0.1:9",
    ];
    let refused = run(&words, b"@ A 192.0.2.1\n");
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("clock of this machine") && said.contains("2100-01-01"), "{said}");
}
