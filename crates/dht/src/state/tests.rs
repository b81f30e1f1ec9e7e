//! Files in every state that crashes, disks and other programs leave them in.

use std::time::Instant;

use mainstay_dht_proto::{RemoteNode, SavedNode};
use mainstay_krpc::Id;

use super::*;
use crate::error::BuildError;
use crate::event::NodeEvent;

fn snapshot(nodes: u8) -> Snapshot {
    let saved = |n| SavedNode {
        node: RemoteNode { id: Id::from_bytes([n; 20]), addr: ([60, 1, 1, n], 6881).into() },
        rtt: std::time::Duration::from_millis(40),
        age: std::time::Duration::ZERO,
    };
    Snapshot { nodes: (0..nodes).map(saved).collect(), ..Snapshot::default() }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_state_is_replaced_whole_and_leaves_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    assert_eq!(read_state(&path).unwrap(), None);
    for nodes in [200, 3] {
        write_state(&path, &snapshot(nodes)).unwrap();
        assert_eq!(read_state(&path).unwrap(), Some(snapshot(nodes)));
    }
    assert_eq!(names(folder.path()), ["state"]);
    #[cfg(unix)]
    {
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_draft_that_a_crash_left_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    write_state(&path, &snapshot(3)).unwrap();
    fs::write(folder.path().join("state.new"), b"half").unwrap();
    assert_eq!(read_state(&path).unwrap(), Some(snapshot(3)));
    write_state(&path, &snapshot(4)).unwrap();
    assert_eq!(read_state(&path).unwrap(), Some(snapshot(4)));
    assert_eq!(names(folder.path()), ["state"]);
}

#[test]
fn a_state_that_cannot_be_written_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    write_state(&path, &snapshot(3)).unwrap();
    // Where the draft should be is a folder, which no file can replace.
    fs::create_dir(folder.path().join("state.new")).unwrap();
    let error = write_state(&path, &snapshot(4)).unwrap_err();
    assert!(matches!(error, StateError::Io { action: "write", .. }), "{error:?}");
    assert_eq!(read_state(&path).unwrap(), Some(snapshot(3)));
}

#[test]
fn whatever_is_wrong_with_a_file_it_is_set_aside_and_told() {
    let good = snapshot(9).encode();
    let mut newer = good.clone();
    newer[9] = 7;
    let mut flipped = good.clone();
    flipped[40] ^= 4;
    let cases: [(Vec<u8>, &str); 6] = [
        (newer, "state.newer"),
        (flipped, "state.broken"),
        (good[..good.len() / 2].to_vec(), "state.broken"),
        (Vec::new(), "state.broken"),
        (vec![0; 4096], "state.broken"),
        (vec![b'x'; Snapshot::MOST_BYTES + 1], "state.broken"),
    ];
    for (bytes, aside) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        fs::write(&path, &bytes).unwrap();
        let (keeper, snapshot, event) = Keeper::open(&path, Instant::now()).unwrap();
        assert_eq!(snapshot, None);
        let Some(NodeEvent::StateSetAside { moved_to, .. }) = event else { panic!("{event:?}") };
        assert_eq!(moved_to.unwrap(), folder.path().join(aside));
        assert_eq!(fs::read(folder.path().join(aside)).unwrap(), bytes);
        assert!(keeper.due().is_some() && !path.exists());
    }
}

#[test]
fn a_state_has_one_node_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let first = Keeper::open(&path, Instant::now()).unwrap();
    let second = Keeper::open(&path, Instant::now());
    assert!(matches!(second, Err(BuildError::StateInUse { .. })), "{second:?}");
    drop(first);
    assert!(Keeper::open(&path, Instant::now()).is_ok());
}

#[test]
fn a_folder_is_no_place_for_a_state_and_stays_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let opened = Keeper::open(folder.path(), Instant::now());
    assert!(matches!(opened, Err(BuildError::State { .. })), "{opened:?}");
    assert!(folder.path().is_dir());
    let missing = Keeper::open(&folder.path().join("no/state"), Instant::now());
    assert!(matches!(missing, Err(BuildError::State { .. })), "{missing:?}");
}

#[tokio::test]
async fn nobody_else_gets_a_state_that_is_still_written_after_its_node_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let one =
        tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    let (disk, slow) = std::sync::mpsc::channel::<()>();
    let busy = one.spawn_blocking(move || slow.recv().is_err());
    let (mut keeper, ..) = Keeper::open(&path, Instant::now()).unwrap();
    let entered = one.handle().clone();
    {
        let _entered = entered.enter();
        keeper.save(Instant::now(), snapshot(3));
    }
    drop(keeper);
    let second = Keeper::open(&path, Instant::now());
    assert!(matches!(second, Err(BuildError::StateInUse { .. })), "{second:?}");
    drop(disk);
    assert!(busy.await.unwrap());
    // What is queued on the one thread for blocking work comes after the writing.
    entered.spawn_blocking(|| ()).await.unwrap();
    let (_keeper, found, _event) = Keeper::open(&path, Instant::now()).unwrap();
    assert_eq!(found, Some(snapshot(3)));
    one.shutdown_background();
}

#[cfg(unix)]
#[test]
fn a_link_to_a_state_stays_a_link_and_has_the_lock_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("state"), folder.path().join("link"));
    write_state(&path, &snapshot(3)).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    write_state(&link, &snapshot(4)).unwrap();
    assert_eq!(read_state(&path).unwrap(), Some(snapshot(4)));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let (_keeper, found, _event) = Keeper::open(&link, Instant::now()).unwrap();
    assert_eq!(found, Some(snapshot(4)));
    let second = Keeper::open(&path, Instant::now());
    assert!(matches!(second, Err(BuildError::StateInUse { .. })), "{second:?}");
}

#[test]
fn no_path_is_no_place_for_a_state() {
    let opened = Keeper::open(Path::new(""), Instant::now());
    assert!(matches!(opened, Err(BuildError::State { .. })), "{opened:?}");
}
