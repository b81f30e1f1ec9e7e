//! Places where a cache cannot write: no room left, no right to, somebody else's.
//!
//! Separate because the process must be told its limits before it starts.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use mainstay_tests::caches::{ENGINES, all_causes, open};

/// How large a file may become, in blocks of 512 bytes.
const BLOCKS: u32 = 6000;

#[test]
fn a_full_disk_refuses_puts_loses_none_and_takes_more_once_there_is_room() {
    for engine in ENGINES {
        let folder = tempfile::tempdir().unwrap();
        let mut process = limited(engine, folder.path());
        let mut told = BufReader::new(process.stdout.take().unwrap()).lines();
        let refused = told.next().unwrap().unwrap();
        assert!(refused.starts_with("0 of "), "{engine}: {refused}");
        assert!(refused.contains(" lost, the cache failed: "), "{engine}: {refused}");
        // LMDB takes half a write for a failing disk.
        let causes = ["no room on disk", "the disk failed"];
        assert!(causes.iter().any(|cause| refused.contains(cause)), "{engine}: {refused}");
        let lifted = Command::new("prlimit")
            .args(["--pid", &process.id().to_string(), "--fsize=unlimited"])
            .status();
        assert!(lifted.unwrap().success());
        writeln!(process.stdin.take().unwrap(), "again").unwrap();
        assert_eq!(told.next().unwrap().unwrap(), "stored again", "{engine}");
        assert!(process.wait().unwrap().success());
        let opened = open(engine, folder.path()).unwrap();
        assert!(!opened.is_new && opened.cache.len() > 100, "{engine}: {}", opened.cache.len());
    }
}

#[test]
fn a_place_that_cannot_be_written_is_a_clear_error() {
    for engine in ENGINES {
        let error = open(engine, "/dev/null/cache").unwrap_err();
        let told = all_causes(&error);
        assert!(told.contains("cannot be opened for writing"), "{engine}: {told}");
    }
}

/// A process whose files may not grow beyond the limit, and that is told so instead of being killed.
fn limited(engine: &str, folder: &Path) -> std::process::Child {
    let script = format!("trap '' XFSZ; ulimit -S -f {BLOCKS}; exec \"$0\" \"$@\"");
    Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_cache-child"), engine, "fill"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}
