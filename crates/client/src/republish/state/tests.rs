//! The state folder: what is written is read again, and damage stays where it is.
//!
//! Separate to keep the form of the files readable.

use mainstay_keys::Keypair;

use super::*;
use crate::scripted::packet;

fn planned() -> Planned {
    let packet = packet(&Keypair::random(), Timestamp::from(1_700_000_000_000_000), 300);
    Planned { packet, next: Timestamp::from(1_700_000_123_000_000) }
}

fn folder() -> (tempfile::TempDir, StateFolder) {
    let place = tempfile::tempdir().unwrap();
    let folder = StateFolder::open(&place.path().join("made/below")).unwrap();
    (place, folder)
}

#[test]
fn what_is_saved_is_loaded_and_what_is_removed_is_not() {
    let (_place, folder) = folder();
    let (one, two) = (planned(), planned());
    folder.save(&one).unwrap();
    folder.save(&two).unwrap();
    folder.save(&Planned { next: Timestamp::from(7), ..one.clone() }).unwrap();
    folder.remove(&two.packet.public_key()).unwrap();
    folder.remove(&two.packet.public_key()).unwrap();
    let (kept, problems) = folder.load().unwrap();
    assert_eq!(kept, [Planned { next: Timestamp::from(7), ..one }]);
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn a_folder_that_disappears_is_made_again() {
    let (_place, folder) = folder();
    folder.save(&planned()).unwrap();
    fs::remove_dir_all(&folder.0).unwrap();
    let after = planned();
    folder.save(&after).unwrap();
    let (kept, problems) = folder.load().unwrap();
    assert_eq!((kept, problems.len()), (vec![after], 0));
}

#[test]
fn a_file_cut_anywhere_or_with_any_byte_changed_is_damaged_and_harms_no_other() {
    let whole = encode(&planned());
    let path = Path::new("x.kept");
    assert!(decode(path, &whole).is_ok());
    for length in 0..whole.len() {
        let cut = whole.get(..length).unwrap();
        assert!(decode(path, cut).is_err(), "cut to {length}");
    }
    for index in 0..whole.len() {
        let mut changed = whole.clone();
        *changed.get_mut(index).unwrap() ^= 1;
        assert!(decode(path, &changed).is_err(), "byte {index} changed");
    }
    let (_place, folder) = folder();
    let good = planned();
    folder.save(&good).unwrap();
    let bad = planned();
    folder.save(&bad).unwrap();
    fs::write(folder.path(&bad.packet.public_key()), b"garbage").unwrap();
    let (kept, problems) = folder.load().unwrap();
    assert_eq!(kept, [good]);
    assert_eq!(problems.len(), 1);
}

#[test]
fn a_file_of_a_newer_version_is_told_apart_from_a_damaged_one_and_left_alone() {
    let (_place, folder) = folder();
    let path = folder.path(&planned().packet.public_key());
    fs::write(&path, b"mainstay-republish 2 0 0\n").unwrap();
    let (kept, problems) = folder.load().unwrap();
    assert!(kept.is_empty());
    assert!(matches!(problems.as_slice(), [StateError::Version { .. }]), "{problems:?}");
    assert!(path.exists());
}

#[test]
fn a_packet_under_the_name_of_another_key_is_not_kept() {
    let (_place, folder) = folder();
    let (one, two) = (planned(), planned());
    fs::write(folder.path(&one.packet.public_key()), encode(&two)).unwrap();
    let (kept, problems) = folder.load().unwrap();
    assert!(kept.is_empty());
    assert_eq!(problems.len(), 1);
}

#[test]
fn what_a_crash_left_unfinished_is_passed_over() {
    let (_place, folder) = folder();
    let good = planned();
    folder.save(&good).unwrap();
    let path = folder.path(&good.packet.public_key()).with_extension(UNFINISHED);
    fs::write(path, b"mainstay-republish 1 17").unwrap();
    let (kept, problems) = folder.load().unwrap();
    assert_eq!((kept, problems.len()), (vec![good], 0));
}

#[test]
fn a_folder_that_is_a_file_is_named() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = StateFolder::open(&file).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
}
