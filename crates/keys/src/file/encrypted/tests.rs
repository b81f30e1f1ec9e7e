//! Encrypted files, with so little work for the passphrase that a test can afford it.
//! Apart from the code because they need a way in that sets the work.

use std::fs;

use super::*;
use crate::file::Overwrite;

fn recipient(passphrase: &str, work: u8) -> scrypt::Recipient {
    let mut recipient = scrypt_recipient(passphrase).unwrap();
    recipient.set_work_factor(work);
    recipient
}

fn written(folder: &tempfile::TempDir, passphrase: &str) -> SecretKeyFile {
    let file = SecretKeyFile::new(folder.path().join("key.age"));
    let secret = SecretKey::from_bytes(&[7; 32]);
    file.write_encrypted_to(&secret, recipient(passphrase, 2), Overwrite::No).unwrap();
    file
}

#[test]
fn the_passphrase_opens_what_it_closed() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&folder, "correct horse");
    let text = fs::read_to_string(file.path()).unwrap();
    assert!(text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"));
    assert!(!text.contains("0707"));
    assert!(file.is_encrypted().unwrap());
    assert_eq!(file.read_encrypted("correct horse").unwrap().as_bytes(), &[7; 32]);
    assert!(matches!(file.read(), Err(ReadError::Encrypted { .. })));
}

#[test]
fn another_passphrase_is_told_from_a_damaged_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&folder, "correct horse");
    for wrong in ["", "Correct horse", "correct horse "] {
        let refused = file.read_encrypted(wrong);
        assert!(matches!(refused, Err(ReadError::WrongPassphrase { .. })));
    }
    let text = fs::read_to_string(file.path()).unwrap();
    for damaged in [&text[..60], &text.replacen("END AGE", "END EGA", 1), "age-encryption.org/v1\n"]
    {
        fs::write(file.path(), damaged).unwrap();
        let refused = file.read_encrypted("correct horse");
        assert!(matches!(refused, Err(ReadError::Damaged { .. })), "{refused:?}");
    }
}

#[test]
fn a_plain_file_and_an_empty_passphrase_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = SecretKeyFile::new(folder.path().join("key"));
    let secret = SecretKey::from_bytes(&[7; 32]);
    let refused = file.write_encrypted(&secret, "", Overwrite::No);
    assert!(matches!(refused, Err(WriteError::EmptyPassphrase)));
    file.write(&secret, Overwrite::No).unwrap();
    assert!(matches!(file.read_encrypted("any"), Err(ReadError::NotEncrypted { .. })));
}

#[test]
fn binary_files_and_foreign_white_space_are_read_and_other_content_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = SecretKeyFile::new(folder.path().join("key.age"));
    let binary = age::encrypt(&recipient("pass", 2), format!("{}\n", "AB".repeat(32)).as_bytes());
    fs::write(file.path(), binary.unwrap()).unwrap();
    assert_eq!(file.read_encrypted("pass").unwrap().as_bytes(), &[0xab; 32]);
    let poem = age::encrypt(&recipient("pass", 2), b"not a key").unwrap();
    fs::write(file.path(), poem).unwrap();
    assert!(matches!(file.read_encrypted("pass"), Err(ReadError::Secret { .. })));
}

#[test]
fn a_file_that_asks_for_hours_of_work_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&folder, "pass");
    let binary = age::encrypt(&recipient("pass", 2), b"").unwrap();
    let mut greedy = String::from_utf8_lossy(&binary).into_owned();
    let line = greedy.lines().find(|line| line.starts_with("-> scrypt")).unwrap().to_owned();
    greedy = greedy.replacen(&line, &line.replacen(" 2", " 60", 1), 1);
    fs::write(file.path(), greedy).unwrap();
    let refused = file.read_encrypted("pass");
    assert!(matches!(refused, Err(ReadError::TooMuchWork { .. })), "{refused:?}");
}
