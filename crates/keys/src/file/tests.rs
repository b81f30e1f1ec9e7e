//! Secret-key files on a real file system: what is in them, who may open them, what survives.
//! Apart from the code because there are more than a hundred and fifty lines of them.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    thread,
};

use super::*;

const DIGITS: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn secret() -> SecretKey {
    SecretKey::from_hex(DIGITS).unwrap()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A file as another program would leave it, closed to others.
fn file_with(folder: &Path, content: &[u8]) -> SecretKeyFile {
    let path = folder.join("key");
    fs::write(&path, content).unwrap();
    #[cfg(unix)]
    set_mode(&path, 0o600);
    SecretKeyFile::new(path)
}

#[test]
fn a_file_holds_64_digits_and_nothing_else() {
    let folder = folder();
    let file = SecretKeyFile::new(folder.path().join("key"));
    file.write(&secret(), Overwrite::No).unwrap();
    assert_eq!(fs::read_to_string(file.path()).unwrap(), DIGITS);
    assert_eq!(names(folder.path()), ["key"]);
    assert_eq!(file.read().unwrap().as_bytes(), secret().as_bytes());
    assert!(!file.is_encrypted().unwrap());
}

#[test]
fn the_short_ways_of_a_key_pair_read_what_they_write_and_never_overwrite() {
    let folder = folder();
    let path = folder.path().join("key");
    let keypair = Keypair::random();
    keypair.write_secret_key_file(&path).unwrap();
    assert_eq!(Keypair::from_secret_key_file(&path).unwrap(), keypair);
    let again = Keypair::random().write_secret_key_file(&path);
    assert!(matches!(again, Err(WriteError::Exists { .. })));
    assert_eq!(Keypair::from_secret_key_file(&path).unwrap(), keypair);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_open_what_was_written() {
    let folder = folder();
    for overwrite in [Overwrite::No, Overwrite::Yes, Overwrite::Backup] {
        let file = SecretKeyFile::new(folder.path().join(format!("{overwrite:?}")));
        file.write(&secret(), overwrite).unwrap();
        assert_eq!(mode(file.path()), 0o600);
    }
    let draft = folder.path().join("draft");
    place::create(&draft).unwrap();
    assert_eq!(mode(&draft), 0o600, "before the first byte");
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_open_is_refused_unless_permitted() {
    let folder = folder();
    let file = file_with(folder.path(), DIGITS.as_bytes());
    for shared in [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o666] {
        set_mode(file.path(), shared);
        let ReadError::Shared { mode, .. } = file.read().unwrap_err() else { unreachable!() };
        assert_eq!(mode, shared);
        assert!(file.clone().permit_shared().read().is_ok());
    }
    for own in [0o600, 0o400, 0o700] {
        set_mode(file.path(), own);
        assert!(file.read().is_ok());
    }
}

#[test]
fn files_of_other_programs_and_editors_are_read() {
    let folder = folder();
    let upper = DIGITS.to_uppercase();
    for text in [DIGITS, &upper, &format!("{DIGITS}\n"), &format!("  {DIGITS}\r\n\r\n")] {
        let read = file_with(folder.path(), text.as_bytes()).read().unwrap();
        assert_eq!(read.as_bytes(), secret().as_bytes());
    }
}

#[test]
fn content_that_is_no_secret_key_is_refused_without_a_panic_and_without_repeating_it() {
    let folder = folder();
    let odd = format!("a\u{e9}{}", &DIGITS[3..]);
    let plus = DIGITS.replacen("00", "+0", 1);
    let cases: [(&[u8], SecretKeyError); 8] = [
        (b"", SecretKeyError::Length { digits: 0 }),
        (&DIGITS.as_bytes()[..63], SecretKeyError::Length { digits: 63 }),
        (&DIGITS.as_bytes()[..62], SecretKeyError::Length { digits: 62 }),
        (b"0x00", SecretKeyError::NotHex),
        (odd.as_bytes(), SecretKeyError::NotHex),
        (plus.as_bytes(), SecretKeyError::NotHex),
        (&[0xff; 64], SecretKeyError::NotHex),
        (&[0; 32], SecretKeyError::NotHex),
    ];
    for (content, expected) in cases {
        let error = file_with(folder.path(), content).read().unwrap_err();
        let shown = format!("{error} {error:?}");
        let ReadError::Secret { source, .. } = error else { unreachable!("{shown}") };
        assert_eq!(source, expected);
        assert!(!shown.contains(&DIGITS[3..20]), "{shown}");
    }
}

#[test]
fn a_file_of_any_length_is_read_only_so_far() {
    let folder = folder();
    let long = file_with(folder.path(), &vec![b'0'; MAX_LENGTH + 1]);
    assert!(matches!(long.read(), Err(ReadError::TooLong { .. })));
    let longest = file_with(folder.path(), &vec![b'0'; MAX_LENGTH]);
    assert!(matches!(longest.read(), Err(ReadError::Secret { .. })));
}

#[test]
fn a_missing_file_and_a_folder_are_io_errors_that_name_the_path() {
    let folder = folder();
    for path in [folder.path().join("nowhere"), folder.path().to_path_buf()] {
        let error = SecretKeyFile::new(&path).read().unwrap_err();
        assert!(matches!(error, ReadError::Io { .. }));
        assert!(error.to_string().contains(path.to_str().unwrap()));
    }
}

#[test]
fn overwriting_replaces_and_a_backup_keeps_the_former_content() {
    let folder = folder();
    let file = SecretKeyFile::new(folder.path().join("key"));
    let keys = [[1; 32], [2; 32], [3; 32]].map(|bytes| SecretKey::from_bytes(&bytes));
    file.write(&keys[0], Overwrite::Backup).unwrap();
    assert_eq!(names(folder.path()), ["key"], "nothing to keep yet");
    file.write(&keys[1], Overwrite::Yes).unwrap();
    assert_eq!(names(folder.path()), ["key"]);
    file.write(&keys[2], Overwrite::Backup).unwrap();
    assert_eq!(names(folder.path()), ["key", "key.bak"]);
    assert_eq!(file.read().unwrap().as_bytes(), &[3; 32]);
    let kept = SecretKeyFile::new(folder.path().join("key.bak"));
    assert_eq!(kept.read().unwrap().as_bytes(), &[2; 32]);
}

#[cfg(unix)]
#[test]
fn links_and_folders_are_never_replaced_nor_written_through() {
    let folder = folder();
    let target = folder.path().join("target");
    fs::write(&target, "precious").unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let dangling = folder.path().join("dangling");
    std::os::unix::fs::symlink(folder.path().join("nowhere"), &dangling).unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    for path in [&link, &dangling, &inner] {
        let file = SecretKeyFile::new(path);
        let refused = file.write(&secret(), Overwrite::No);
        assert!(matches!(refused, Err(WriteError::Exists { .. })));
        let refused = file.write(&secret(), Overwrite::Yes);
        assert!(matches!(refused, Err(WriteError::NotAFile { .. })));
    }
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    assert_eq!(names(folder.path()), ["dangling", "inner", "link", "target"]);
}

#[test]
fn of_many_that_race_for_one_name_one_wins_and_nothing_is_left_over() {
    let folder = folder();
    let path = folder.path().join("key");
    let won: Vec<u8> = thread::scope(|scope| {
        let racers: Vec<_> = (0..8_u8)
            .map(|n| {
                let file = SecretKeyFile::new(&path);
                let secret = SecretKey::from_bytes(&[n; 32]);
                scope.spawn(move || match file.write(&secret, Overwrite::No) {
                    Ok(()) => Some(n),
                    Err(WriteError::Exists { .. }) => None,
                    Err(other) => unreachable!("{other:?}"),
                })
            })
            .collect();
        racers.into_iter().filter_map(|racer| racer.join().unwrap()).collect()
    });
    assert_eq!(won.len(), 1);
    assert_eq!(SecretKeyFile::new(&path).read().unwrap().as_bytes(), &[won[0]; 32]);
    assert_eq!(names(folder.path()), ["key"]);
}

#[test]
fn a_failed_write_leaves_nothing_behind() {
    let folder = folder();
    let nowhere = SecretKeyFile::new(folder.path().join("missing").join("key"));
    assert!(matches!(nowhere.write(&secret(), Overwrite::No), Err(WriteError::Io { .. })));
    for nameless in ["", "/", ".."] {
        assert!(SecretKeyFile::new(nameless).write(&secret(), Overwrite::Yes).is_err());
    }
    assert!(names(folder.path()).is_empty());
}

#[test]
fn an_encrypted_file_is_recognised_without_its_passphrase() {
    let folder = folder();
    for start in [
        "age-encryption.org/v1\n",
        "-----BEGIN AGE ENCRYPTED FILE-----\n",
        "\n\nage-encryption.org/v9\n",
    ] {
        let file = file_with(folder.path(), start.as_bytes());
        assert!(file.is_encrypted().unwrap());
        assert!(matches!(file.read(), Err(ReadError::Encrypted { .. })));
    }
}

/// The same program plays both parts: with this variable it is the writer, who never stops by itself.
const VICTIM: &str = "MAINSTAY_TEST_KILLED_WRITER";

fn write_for_ever(path: &str) {
    for n in (1..=2).cycle() {
        let secret = SecretKey::from_bytes(&[n; 32]);
        SecretKeyFile::new(path).write(&secret, Overwrite::Yes).unwrap();
        // Not `println`, which the test harness would keep. Once the other side is gone, nobody counts any more.
        if io::stdout().write_all(b"written\n").is_err() {
            return;
        }
    }
}

#[test]
fn a_writer_killed_at_any_moment_leaves_the_old_key_or_the_new_one() {
    if let Ok(path) = env::var(VICTIM) {
        return write_for_ever(&path);
    }
    let folder = folder();
    let file = SecretKeyFile::new(folder.path().join("key"));
    let name = "file::tests::a_writer_killed_at_any_moment_leaves_the_old_key_or_the_new_one";
    for round in 0..12 {
        let mut writer = Command::new(env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env(VICTIM, file.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let mut written = lines.filter(|line| line.as_deref().is_ok_and(|line| line == "written"));
        assert!(written.nth(round % 3).is_some(), "it writes");
        writer.kill().unwrap();
        writer.wait().unwrap();
        let secret = file.read().unwrap();
        assert!([[1; 32], [2; 32]].contains(secret.as_bytes()), "round {round}");
    }
}
