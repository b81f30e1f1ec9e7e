//! Folders and files that this process may read and not write.
//!
//! Separate because the superuser may write to anything: there a process is started that may not.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use mainstay_tests::caches::{ENGINES, KEYS, cached, file, open, put_all};

#[test]
fn a_folder_that_nothing_can_be_added_to_serves_the_files_that_are_there() {
    for engine in ENGINES {
        let folder = written(engine);
        permit(folder.path(), 0o500);
        let told = told_of(engine, folder.path());
        let all = format!("kept, {KEYS} found, {KEYS} stored, {KEYS} found again\n");
        assert_eq!(told, all, "{engine}");
    }
}

#[test]
fn files_that_cannot_be_written_are_a_clear_error_and_stay_as_they_are() {
    for engine in ENGINES {
        let folder = written(engine);
        let content = fs::read(folder.path().join(file(engine))).unwrap();
        for entry in fs::read_dir(folder.path()).unwrap() {
            permit(&entry.unwrap().path(), 0o400);
        }
        for mode in [0o700, 0o500] {
            permit(folder.path(), mode);
            refuses(engine, folder.path());
        }
        assert!(fs::read(folder.path().join(file(engine))).unwrap() == content);
    }
}

#[test]
fn only_the_packets_being_read_only_is_a_clear_error_too() {
    for engine in ENGINES {
        let folder = written(engine);
        permit(&folder.path().join(file(engine)), 0o400);
        refuses(engine, folder.path());
    }
}

#[test]
fn a_cache_that_cannot_be_begun_or_set_aside_is_a_clear_error() {
    for engine in ENGINES {
        let folder = tempfile::tempdir().unwrap();
        permit(folder.path(), 0o500);
        refuses(engine, folder.path());
        let folder = written(engine);
        fs::write(folder.path().join(file(engine)), [7; 9000]).unwrap();
        permit(folder.path(), 0o500);
        refuses(engine, folder.path());
        assert!(fs::read(folder.path().join(file(engine))).unwrap() == [7; 9000]);
    }
}

fn refuses(engine: &str, folder: &Path) {
    let told = told_of(engine, folder);
    let is_clear = told.starts_with("refused: ") && told.contains("cannot be opened for writing");
    assert!(is_clear && told.contains("Permission denied"), "{engine}: {told}");
}

/// A folder with a packet for each key.
fn written(engine: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let cache = open(engine, folder.path()).unwrap().cache;
    let all: Vec<_> = (0..KEYS).map(cached).collect();
    assert_eq!(put_all(&*cache, &all), (all.len(), None));
    folder
}

fn permit(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// What a process that heeds permissions tells of the cache in this folder.
fn told_of(engine: &str, folder: &Path) -> String {
    let child = env!("CARGO_BIN_EXE_cache-child");
    let mut command = if permissions_bind() {
        Command::new(child)
    } else {
        let mut command = Command::new("setpriv");
        command.arg("--bounding-set=-dac_override,-dac_read_search").arg(child);
        command
    };
    command.args([engine, "read"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    writeln!(process.stdin.take().unwrap(), "{}", folder.display()).unwrap();
    let mut told = String::new();
    process.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    let status = process.wait().unwrap();
    assert!(status.success(), "{engine}: {status} after {told}");
    told
}

/// Whether permissions stop this process: they do not stop the superuser.
fn permissions_bind() -> bool {
    let folder = tempfile::tempdir().unwrap();
    permit(folder.path(), 0o500);
    fs::write(folder.path().join("trial"), "").is_err()
}
