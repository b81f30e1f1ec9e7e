//! What the files of a folder mean to `republish`: packets, zones with their keys, and keys alone.
//!
//! Separate because people learn these rules, and because the network has no part in them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::path::{Path, PathBuf};

use mainstay::zone::Reader;
use mainstay::{Keypair, PublicKey, SignedPacket, SignedPacketBuilder, Timestamp};

use crate::args::{Passphrase, Republish};
use crate::failure::Failure;
use crate::input;

/// The file in the state folder that tells which zones were signed.
const SIGNED: &str = "zones.json";

/// A folder of packets, zones and keys.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    passphrase: Passphrase,
    ttl: u32,
    /// Where it is noted what was signed, if that is to outlive the process.
    notes: Option<PathBuf>,
    /// The DNS message that each key's zone was last signed into, as a digest.
    signed: BTreeMap<String, u64>,
}

/// What was found in it.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Packets with their file names.
    pub(crate) packets: Vec<(String, SignedPacket)>,
    /// Keys without packet or zone.
    pub(crate) keys: Vec<PublicKey>,
    pub(crate) zones: Vec<Zone>,
    /// A sentence a file that could not be used.
    pub(crate) problems: Vec<String>,
}

impl Contents {
    /// Two zones of one key would take each other's place for ever.
    fn drop_second_zones(&mut self) {
        let mut signed: BTreeMap<PublicKey, String> = BTreeMap::new();
        let problems = &mut self.problems;
        self.zones.retain(|zone| match signed.entry(zone.keypair.public_key()) {
            Entry::Vacant(first) => {
                first.insert(zone.name.clone());
                true
            }
            Entry::Occupied(first) => {
                problems.push(format!("{} has the same key as {}", zone.name, first.get()));
                false
            }
        });
    }
}

/// A zone and the key that signs it.
#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) name: String,
    pub(crate) keypair: Keypair,
    text: String,
}

impl Folder {
    /// The folder that was named on the command line.
    pub(crate) fn new(republish: &Republish) -> Result<Self, Failure> {
        let notes = republish.state.as_ref().map(|state| state.join(SIGNED));
        // Notes that cannot be read are as good as none: the zones are signed anew.
        let signed = notes.as_ref().and_then(|notes| fs::read(notes).ok());
        let signed = signed.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(Self {
            path: republish.folder.clone(),
            passphrase: republish.passphrase.clone(),
            ttl: republish.ttl,
            notes,
            signed: signed.unwrap_or_default(),
        })
    }

    /// Reads all files. One that cannot be used is a problem of its own; the others are used.
    pub(crate) fn read(&self) -> Result<Contents, Failure> {
        let failed = |source| Failure::File { action: "read", path: self.path.clone(), source };
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            paths.push(entry.map_err(failed)?.path());
        }
        paths.sort();
        let mut contents = Contents::default();
        for path in &paths {
            if let Err(failure) = self.read_file(path, &mut contents) {
                contents.problems.push(failure.line());
            }
        }
        contents.drop_second_zones();
        if contents.packets.is_empty() && contents.keys.is_empty() && contents.zones.is_empty() {
            let mut what = format!(
                "{} has nothing to keep: no NAME.packet, no NAME.zone with NAME.key, no NAME.key and no NAME.pub",
                self.path.display()
            );
            for problem in &contents.problems {
                what.push_str(&format!("\n  {problem}"));
            }
            return Err(Failure::BadInput { what, source: None });
        }
        Ok(contents)
    }

    fn read_file(&self, path: &Path, contents: &mut Contents) -> Result<(), Failure> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = path.extension().and_then(|extension| extension.to_str());
        let kind = kind.filter(|_| !name.starts_with('.'));
        let is_meant = matches!(kind, Some("packet" | "zone" | "key" | "pub"));
        // To open a pipe would wait for somebody to write into it. What cannot be looked at says so when it is read.
        if is_meant && fs::metadata(path).is_ok_and(|it| !it.is_file()) {
            let what = format!("{name} is no file");
            return Err(Failure::BadInput { what, source: None });
        }
        match kind {
            Some("packet") => {
                let packet =
                    SignedPacket::try_from(input::read(path)?.as_slice()).map_err(|error| {
                        Failure::input(format!("{name} is no signed packet"), error)
                    })?;
                contents.packets.push((name, packet));
            }
            Some("zone") => {
                let keypair = input::keypair(&path.with_extension("key"), &self.passphrase)?;
                let text = input::read_text(path)?;
                contents.zones.push(Zone { name, keypair, text });
            }
            Some("key") if !path.with_extension("zone").exists() => {
                let keypair = input::keypair(path, &self.passphrase)?;
                contents.keys.push(keypair.public_key());
            }
            Some("pub") => {
                for line in input::read_text(path)?.lines() {
                    let line = line.trim();
                    if line.is_empty() || line.starts_with('#') {
                        continue;
                    }
                    let key = PublicKey::try_from(line).map_err(|error| {
                        Failure::input(format!("{name}: {line:?} is no public key"), error)
                    })?;
                    contents.keys.push(key);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The packet of a zone: the standing one where the zone has not changed since it was signed, else a new one.
    ///
    /// A packet that was published elsewhere after the zone was signed here stands, until the zone changes.
    pub(crate) fn packet_of(
        &mut self,
        zone: &Zone,
        standing: Option<&SignedPacket>,
    ) -> Result<SignedPacket, String> {
        let key = zone.keypair.public_key();
        let sign = |timestamp: Timestamp| {
            let records = Reader::new(&key).default_ttl(self.ttl).read(&zone.text);
            let records = records.map_err(|error| format!("{}: {error}", zone.name))?;
            let builder = SignedPacketBuilder::from(records).timestamp(timestamp);
            builder.sign(&zone.keypair).map_err(|error| format!("{}: {error}", zone.name))
        };
        let packet = match standing {
            Some(standing) => sign(Timestamp::after(standing.timestamp()))?,
            None => sign(Timestamp::now())?,
        };
        let digest = digest(packet.encoded_packet());
        let was_signed = self.signed.insert(key.to_z32(), digest) == Some(digest);
        if !was_signed {
            self.note();
        }
        match standing {
            Some(standing)
                if was_signed || standing.encoded_packet() == packet.encoded_packet() =>
            {
                Ok(standing.clone())
            }
            _ => Ok(packet),
        }
    }

    /// Notes what was signed. Without the notes a restart signs anew, which is no harm.
    fn note(&self) {
        let Some(notes) = &self.notes else { return };
        let unfinished = notes.with_extension("unfinished");
        let written = serde_json::to_vec(&self.signed)
            .map_err(std::io::Error::from)
            .and_then(|bytes| fs::write(&unfinished, bytes))
            .and_then(|()| fs::rename(&unfinished, notes));
        if let Err(error) = written {
            tracing::warn!(%error, "it was not noted which zones were signed");
        }
    }
}

/// FNV-1a: tells two zones apart that nobody made to look alike.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
