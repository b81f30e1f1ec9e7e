//! The verbs that need no network: `key`, `sign`, `verify`, `completions`.
//!
//! Separate from the network's, because these must work on a machine that has none.

use std::path::Path;

use mainstay_tests::command::{json, run};
use serde_json::json;

const ZONE: &str = "$TTL 60\n@ A 192.0.2.7\nwww 300 CNAME @\n_t TXT \"a b\" \"c\"\n";

#[test]
fn a_new_key_is_shown_again_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let made = json(&["key".as_ref(), "new".as_ref(), file.as_os_str()], b"");
    let key = made["public_key"].as_str().unwrap();
    assert_eq!(key.len(), 52);
    assert_eq!(made["file"], file.to_str().unwrap());
    let shown = json(&["key".as_ref(), "show".as_ref(), file.as_os_str()], b"");
    assert_eq!(shown, made);
    let secret = std::fs::read_to_string(&file).unwrap();
    assert_eq!(secret.trim().len(), 64);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_key_file_is_never_overwritten_unless_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key").to_str().unwrap().to_owned();
    let first = json(&["key", "new", &file], b"");
    let refused = run(&["key", "new", &file], b"");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("exists already"));
    assert_eq!(json(&["key", "show", &file], b"")["public_key"], first["public_key"]);
    let replaced = json(&["key", "new", "--force", &file], b"");
    assert_ne!(replaced["public_key"], first["public_key"]);
}

#[test]
fn an_encrypted_key_opens_with_its_passphrase_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key").to_str().unwrap().to_owned();
    let made = json(&["key", "new", &file, "--passphrase-file", "-"], b"open sesame\n");
    let show = ["key", "show", &file, "--passphrase-file", "-"];
    assert_eq!(json(&show, b"open sesame\nrest")["public_key"], made["public_key"]);
    assert_eq!(run(&show, b"sesame").status.code(), Some(2));
    let without = run(&["key", "show", &file], b"");
    assert_eq!(without.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&without.stderr).contains("encrypted"));
}

#[test]
fn a_public_key_is_shown_from_whatever_is_pasted() {
    let z32 = "8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo";
    for pasted in [
        z32.to_owned(),
        format!("pk:{z32}"),
        format!("https://www.{}:8443/x@y", z32.to_uppercase()),
    ] {
        assert_eq!(json(&["key", "show", &pasted], b""), json!({ "public_key": z32 }));
    }
    let nonsense = run(&["key", "show", "no key at all"], b"");
    assert_eq!(nonsense.status.code(), Some(2));
    assert!(nonsense.stdout.is_empty());
}

#[test]
fn a_signed_zone_verifies_and_says_what_was_signed() {
    let folder = tempfile::tempdir().unwrap();
    let key = new_key(folder.path());
    let signed =
        run(&["sign", "--key", &key.0, "--timestamp", "1700000000000000", "-"], ZONE.as_bytes());
    assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
    let shown = json(&["verify", "-"], &signed.stdout);
    let name = |label: &str| format!("{label}{}", key.1);
    assert_eq!(
        shown,
        json!({
            "public_key": key.1, "timestamp": 1_700_000_000_000_000_u64, "age": 0, "source": "file",
            "records": [
                { "name": name(""), "type": "A", "ttl": 60, "data": "192.0.2.7" },
                { "name": name("www."), "type": "CNAME", "ttl": 300, "data": name("") + "." },
                { "name": name("_t."), "type": "TXT", "ttl": 60, "data": "\"a b\" \"c\"" },
            ],
            "left_out": 0,
        })
    );
    let again =
        run(&["sign", "--key", &key.0, "--timestamp", "1700000000000000", "-"], ZONE.as_bytes());
    assert_eq!(again.stdout, signed.stdout, "the same zone, key and time are not the same bytes");
}

#[test]
fn sign_writes_the_same_bytes_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let key = new_key(folder.path());
    let out = folder.path().join("packet");
    let arguments =
        ["sign", "--key", &key.0, "--timestamp", "1", "-", "--out", out.to_str().unwrap()];
    let to_file = run(&arguments, ZONE.as_bytes());
    assert!(to_file.status.success() && to_file.stdout.is_empty());
    let to_stdout = run(&arguments[..6], ZONE.as_bytes());
    assert_eq!(std::fs::read(out).unwrap(), to_stdout.stdout);
}

#[test]
fn a_changed_packet_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let key = new_key(folder.path());
    let signed = run(&["sign", "--key", &key.0, "-"], ZONE.as_bytes()).stdout;
    for at in [0, 40, 100, 110, signed.len() - 1] {
        let mut changed = signed.clone();
        changed[at] ^= 1;
        let refused = run(&["--json", "verify", "-"], &changed);
        assert_eq!(refused.status.code(), Some(2), "byte {at}");
        assert!(refused.stdout.is_empty());
    }
    for cut in [0, 1, 103, signed.len() - 1] {
        assert_eq!(run(&["verify", "-"], &signed[..cut]).status.code(), Some(2), "{cut} bytes");
    }
}

#[test]
fn a_wrong_zone_is_refused_with_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let key = new_key(folder.path());
    let refused = run(&["sign", "--key", &key.0, "-"], b"@ 60 A 192.0.2.7\nwww 60 A 192.0.2.700\n");
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.stdout.is_empty());
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(errors.contains("line 2") && errors.contains("column"), "{errors}");
}

#[test]
fn a_zone_that_is_too_large_names_the_record_that_costs_most() {
    let folder = tempfile::tempdir().unwrap();
    let key = new_key(folder.path());
    let text = "x".repeat(250);
    let zone =
        format!("big 60 TXT \"{text}\" \"{text}\" \"{text}\" \"{text}\"\nsmall 60 A 192.0.2.1\n");
    let refused = run(&["sign", "--key", &key.0, "-"], zone.as_bytes());
    assert_eq!(refused.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(errors.contains("big") && errors.contains("bytes"), "{errors}");
}

#[test]
fn a_missing_file_is_a_local_failure_that_names_it() {
    for arguments in [["verify", "/no/such/packet"], ["completions", "no-such-shell"]] {
        let failed = run(&arguments, b"");
        let expected = if arguments[0] == "verify" { 5 } else { 2 };
        assert_eq!(failed.status.code(), Some(expected));
        assert!(String::from_utf8_lossy(&failed.stderr).contains(arguments[1]));
    }
}

#[test]
fn standard_input_and_output_stand_where_a_file_does() {
    let folder = tempfile::tempdir().unwrap();
    let (file, public_key) = new_key(folder.path());
    let secret = std::fs::read(&file).unwrap();
    assert_eq!(json(&["key", "show", "-"], &secret)["public_key"], public_key);
    let zone = folder.path().join("zone").to_str().unwrap().to_owned();
    std::fs::write(&zone, ZONE).unwrap();
    let signed = run(&["sign", "--key", "-", &zone, "--out", "-"], &secret);
    assert_eq!(json(&["verify", "-"], &signed.stdout)["public_key"], public_key);

    let twice = run(&["sign", "--key", "-", "-"], &secret);
    assert_eq!(twice.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&twice.stderr).contains("standard input"));
    let to_stdout = run(&["key", "new", "-"], b"");
    assert_eq!(to_stdout.status.code(), Some(2));
    assert!(to_stdout.stdout.is_empty());
}

#[test]
fn a_key_that_cannot_be_read_is_a_local_failure_as_any_file() {
    for arguments in [["sign", "--key", "/no/such/key", "-"], ["sign", "--key", "/", "-"]] {
        let failed = run(&arguments, b"");
        assert_eq!(failed.status.code(), Some(5));
        assert!(String::from_utf8_lossy(&failed.stderr).contains(arguments[2]));
    }
}

#[test]
fn each_cause_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = new_key(folder.path());
    let refused = run(&["sign", "--key", &file, "-"], b"@ A 192.0.2\n");
    assert_eq!(
        String::from_utf8_lossy(&refused.stderr),
        "mainstay: standard input is no zone\n  because: line 1, column 12: expected IPv4 address\n"
    );
}

#[test]
fn a_zone_without_records_is_signed_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = new_key(folder.path());
    let signed = run(&["sign", "--key", &file, "-"], b"; nothing\n");
    assert!(signed.status.success());
    assert!(String::from_utf8_lossy(&signed.stderr).contains("no records"));
    assert_eq!(json(&["verify", "-"], &signed.stdout)["records"], json!([]));
}

#[test]
fn a_record_of_another_class_is_shown_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = new_key(folder.path());
    let signed = run(&["sign", "--key", &file, "-"], b"@ CH TXT x\n");
    let shown = run(&["verify", "-"], &signed.stdout);
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(text.contains(".\t300\tCH\tTXT\t\"x\"\n"), "{text}");
}

#[test]
fn every_shell_gets_completions_of_every_verb() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell], b"");
        assert!(script.status.success());
        let script = String::from_utf8(script.stdout).unwrap();
        for verb in
            ["key", "sign", "verify", "publish", "resolve", "node", "relay", "testnet", "demo"]
        {
            assert!(script.contains(verb), "{shell} does not know {verb}");
        }
    }
}

/// A key file in the folder: its path and its public key.
pub(crate) fn new_key(folder: &Path) -> (String, String) {
    let file = folder.join("key").to_str().unwrap().to_owned();
    let made = json(&["key", "new", &file], b"");
    (file, made["public_key"].as_str().unwrap().to_owned())
}

#[test]
fn what_a_key_claims_about_names_that_are_not_its_own_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("packet").to_str().unwrap().to_owned();
    let packet = mainstay_tests::claims::with_a_claim(&mainstay::Keypair::random());
    std::fs::write(&file, packet.as_bytes()).unwrap();
    let shown = json(&["verify", &file], b"");
    assert_eq!(shown["records"].as_array().unwrap().len(), 1);
    assert_eq!(shown["left_out"], 1);
    let said = String::from_utf8(run(&["verify", &file], b"").stdout).unwrap();
    assert!(said.contains("192.0.2.1") && said.contains("LEFT OUT: 1 record"), "{said}");
    assert!(!said.contains("bank.example"), "{said}");
}
