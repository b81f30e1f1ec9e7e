//! Secrets stay in their files: nothing that the command line prints, logs or writes elsewhere has one.
//!
//! Separate because it is not about a verb but about all of them: each is run as talkative as it can be, with keys whose
//! every spelling is then looked for in everything that came out.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mainstay::Keypair;
use mainstay_tests::command::{Running, binary};

/// A key with its file, and the folder that has all files of a test.
struct Secret {
    bytes: [u8; 32],
    public: String,
    file: String,
}

const PASSPHRASE: &str = "korrekt-batterie-pferd-klammer";

impl Secret {
    fn write(folder: &Path, name: &str, byte: u8) -> Self {
        // No byte of it repeats, so that every part of it can be told from chance.
        let mut bytes = [byte.wrapping_mul(31); 32];
        for (index, byte) in (0_u8..).zip(&mut bytes) {
            *byte = byte.wrapping_add(index * 7);
        }
        let file = folder.join(name);
        let keypair = Keypair::from_secret_key(&bytes);
        std::fs::write(&file, hex(&bytes)).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self { bytes, public: keypair.to_z32(), file: file.to_str().unwrap().to_owned() }
    }

    /// How a part of it would look: as bytes, and as text of every kind that this program or another might write.
    fn spellings(&self) -> Vec<Vec<u8>> {
        let half = &self.bytes[..16];
        let decimal: Vec<_> = self.bytes[..8].iter().map(u8::to_string).collect();
        vec![
            half.to_vec(),
            hex(half).into_bytes(),
            hex(half).to_uppercase().into_bytes(),
            base64(&self.bytes[..15]).into_bytes(),
            z32(&self.bytes[..15]).into_bytes(),
            decimal.join(", ").into_bytes(),
            decimal.join(",").into_bytes(),
        ]
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn in_digits(bytes: &[u8], width: usize, alphabet: &[u8]) -> String {
    let bits =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| usize::from(byte >> bit & 1)));
    let bits: Vec<_> = bits.collect();
    let digits =
        bits.chunks_exact(width).map(|digit| digit.iter().fold(0, |sum, bit| sum * 2 + bit));
    digits.map(|digit| char::from(alphabet[digit])).collect()
}

fn base64(bytes: &[u8]) -> String {
    in_digits(bytes, 6, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
}

fn z32(bytes: &[u8]) -> String {
    in_digits(bytes, 5, b"ybndrfg8ejkmcpqxot1uwisza345h769")
}

/// Everything that was found out, and where.
#[derive(Default)]
struct Heard(Vec<(String, Vec<u8>)>);

impl Heard {
    /// Runs a verb with every log line that there is; it may fail.
    fn run(&mut self, words: &[&str], input: &[u8]) {
        use std::io::Write as _;
        let mut child = Command::new(binary())
            .args(words)
            .env("MAINSTAY_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A verb that needs no input may have ended.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        self.0.push((format!("{words:?}, stdout"), output.stdout));
        self.0.push((format!("{words:?}, stderr"), output.stderr));
    }

    /// Reads all files in a folder, but for those that are to have a secret.
    fn read(&mut self, folder: &Path, except: &[&str]) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                self.read(&path, except);
            } else if !except.contains(&path.to_str().unwrap()) {
                self.0.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }

    /// Which place has which of these.
    fn of(&self, spellings: &[Vec<u8>]) -> Vec<String> {
        let mut found = Vec::new();
        for (place, said) in &self.0 {
            for spelling in spellings {
                if said.windows(spelling.len()).any(|part| part == spelling) {
                    found.push(format!("{place} has {}", spelling.escape_ascii()));
                }
            }
        }
        found
    }
}

#[test]
fn what_is_looked_for_would_be_found() {
    let folder = tempfile::tempdir().unwrap();
    let secret = Secret::write(folder.path(), "key", 5);
    let public = Keypair::from_secret_key(&secret.bytes).public_key();
    assert_eq!(z32(&public.to_bytes()[..30]), secret.public[..48]);
    for (index, spelling) in secret.spellings().into_iter().enumerate() {
        let mut heard = Heard::default();
        let said = [b"secret: ".to_vec(), spelling, b"\n".to_vec()].concat();
        heard.0.push(("a leak".to_owned(), said));
        assert_eq!(heard.of(&secret.spellings()).len(), 1, "spelling {index} is not noticed");
    }
}

#[test]
fn no_verb_says_or_writes_a_secret_whatever_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let secret = Secret::write(folder.path(), "one.key", 3);
    let other = Secret::write(folder.path(), "two.key", 9);
    let passphrase = path("passphrase");
    std::fs::write(&passphrase, PASSPHRASE).unwrap();
    let encrypted = path("new.key");
    let state = path("state");
    std::fs::write(path("one.zone"), "@ 60 A 192.0.2.7\n").unwrap();
    let (_testnet, first) = Running::start(&["testnet", "--nodes", "5"]);
    let bootstrap = first["bootstrap"][0].as_str().unwrap();
    let zone: &[u8] = b"@ 60 A 192.0.2.7\n";
    let in_hex = hex(&secret.bytes);
    let mut heard = Heard::default();
    for words in [
        &["key", "show", &secret.file][..],
        &["key", "new", &secret.file],
        &["key", "new", &encrypted, "--passphrase-file", &passphrase],
        &["key", "show", &encrypted, "--passphrase-file", &passphrase],
        &["sign", "--key", &secret.file, "-"],
        &["publish", "--key", &secret.file, "--bootstrap", bootstrap, "-"],
        &["publish", "--key", &secret.file, "--relay", "http://127.0.0.1:1", "-"],
        &["resolve", &secret.public, "--bootstrap", bootstrap, "--trace"],
        &[
            "republish",
            folder.path().to_str().unwrap(),
            "--once",
            "--state",
            &state,
            "--bootstrap",
            bootstrap,
        ],
        // A zone where a key should be, and a key where a zone should be.
        &["sign", "--key", &path("one.zone"), &secret.file],
        &["verify", &secret.file],
        &["sign", "--key", &other.file, &secret.file],
        &["relay", "--config", &secret.file, "--check-config"],
        &[
            "node",
            "--listen",
            "127.0.0.1:0",
            "--no-bootstrap",
            "--state",
            &secret.file,
            "--bootstrap",
            "x",
        ],
        &["resolve", "--bootstrap", bootstrap, "--key"],
        &["relay", "--print-config"],
    ] {
        heard.run(words, zone);
        heard.run(&[&["--json"], words].concat(), zone);
    }
    // Who hands the secret over as a word or as input has it in what was said back only where they put it.
    heard.run(&["key", "show", "-"], in_hex.as_bytes());
    heard.run(&["verify", "-"], &secret.bytes);
    heard.read(folder.path(), &[&secret.file, &other.file, &passphrase]);
    let mut spellings = [secret.spellings(), other.spellings()].concat();
    spellings.push(PASSPHRASE.as_bytes().to_vec());
    assert_eq!(heard.of(&spellings), Vec::<String>::new());
}
