//! The main job on real input over real peers: a zone file, our command line, nodes of libtorrent, the real pkarr.
//!
//! Separate from the pairings, because here the program that people run is under test.

use serde_json::{Value, json};

use crate::hex;
use crate::peer::{Peer, Program};

const ZONE: &str = "\
$TTL 300
@      A     192.0.2.7
@      HTTPS 1 . alpn=h2 port=8443
www    CNAME @
_text  TXT   \"from a zone file\"
";

#[test]
fn a_zone_file_published_into_libtorrents_nodes_is_resolved_by_pkarr_8() {
    published_by_us_and_by_them(Program::Modern);
}

#[test]
fn a_zone_file_published_into_libtorrents_nodes_is_resolved_by_pkarr_5() {
    published_by_us_and_by_them(Program::Pkarr5);
}

fn published_by_us_and_by_them(program: Program) {
    let Some(mut libtorrent) = Peer::spawn(Program::Libtorrent) else { return };
    let Some(mut pkarr) = Peer::spawn(program) else { return };
    let started = libtorrent.must(&json!({ "op": "start", "nodes": 12, "bootstrap": [] }));
    let bootstrap: Vec<_> =
        started["addresses"].as_array().expect("addresses").iter().take(3).collect();
    let joined: Vec<_> = bootstrap.iter().map(|address| address.as_str().expect("text")).collect();
    let joined = joined.join(",");
    pkarr.must(&json!({ "op": "client", "bootstrap": bootstrap }));

    let folder = tempfile::tempdir().expect("a folder of our own");
    let (key_file, zone_file) = (folder.path().join("key"), folder.path().join("zone"));
    std::fs::write(&zone_file, ZONE).expect("the folder can be written");
    let made = mainstay(&["key", "new", &path(&key_file)]);
    let key = made["public_key"].as_str().expect("a key").to_owned();

    let published = mainstay(&[
        "publish",
        "--bootstrap",
        &joined,
        "--key",
        &path(&key_file),
        &path(&zone_file),
    ]);
    assert!(published["stored"].as_u64() >= Some(8), "{published}");
    let read = pkarr.must(&json!({ "op": "resolve", "public_key": key }));
    assert_eq!(read["timestamp"], published["timestamp"]);
    assert_eq!(read["records"].as_array().map(Vec::len), Some(4), "{read}");

    let secret = std::fs::read_to_string(&key_file).expect("the key file is ours");
    let theirs = pkarr.must(&json!({
        "op": "publish", "seed": secret.trim(),
        "records": [{ "name": "_text", "type": "TXT", "ttl": 60, "data": "from pkarr" }],
    }));
    let resolved =
        mainstay(&["resolve", "--bootstrap", &joined, &format!("https://_text.{key}/"), "TXT"]);
    assert_eq!(resolved["timestamp"], theirs["packet"]["timestamp"]);
    assert_eq!(resolved["source"], "dht");
    assert_eq!(
        resolved["records"],
        json!([{ "name": format!("_text.{key}"), "type": "TXT", "ttl": 60, "data": "\"from pkarr\"" }])
    );
    let bytes = hex::decode(theirs["packet"]["packet"].as_str().expect("hex"));
    let file = folder.path().join("packet");
    std::fs::write(&file, bytes).expect("the folder can be written");
    assert_eq!(mainstay(&["verify", &path(&file)])["public_key"], key);
}

/// The JSON object that the command prints.
fn mainstay(arguments: &[&str]) -> Value {
    mainstay_tests::command::json(arguments, b"")
}

fn path(path: &std::path::Path) -> String {
    path.to_str().expect("temporary folders have plain names").to_owned()
}
