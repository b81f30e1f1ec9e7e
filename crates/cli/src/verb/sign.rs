//! `mainstay sign`: a zone and a key in, a signed packet out, no network.
//!
//! Separate as every verb is; `publish` makes its packet here too.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use mainstay::zone::Reader;
use mainstay::{SignedPacket, SignedPacketBuilder, Timestamp};

use crate::args::{Options, Sign, ZoneInput};
use crate::failure::Failure;
use crate::{input, output, show};

pub(crate) fn run(common: &Options, sign: &Sign) -> Result<(), Failure> {
    if sign.out.is_none() && std::io::stdout().is_terminal() {
        let what = "a packet is bytes, which would confuse this terminal; name a file with --out, or redirect";
        return Err(Failure::BadInput { what: what.to_owned(), source: None });
    }
    let packet = packet(&sign.input)?;
    if let Some(what) = too_large_to_store(&packet) {
        // Stderr gone means that nobody reads.
        let _ = writeln!(std::io::stderr(), "mainstay: {} {what}", input::name(&sign.input.zone));
    }
    let out = sign.out.as_deref().filter(|path| *path != Path::new("-"));
    let Some(path) = out else { return output::bytes(packet.as_bytes()) };
    std::fs::write(path, packet.as_bytes()).map_err(|source| Failure::File {
        action: "write",
        path: path.to_owned(),
        source,
    })?;
    if common.json { output::json(&show::packet(&packet, "file", None)) } else { Ok(()) }
}

/// What is wrong with a packet that may be signed and that no node of the DHT stores.
pub(crate) fn too_large_to_store(packet: &SignedPacket) -> Option<String> {
    let (size, most) = (packet.encoded_packet().len(), SignedPacket::MAX_STORED_DNS_BYTES);
    (size > most).then(|| {
        format!(
            "takes {size} bytes, and the DHT stores {most} at most (1000 with the length before them); shorten it by {}",
            size - most
        )
    })
}

/// Reads the zone and signs it.
pub(crate) fn packet(input: &ZoneInput) -> Result<SignedPacket, Failure> {
    let passphrase = input.passphrase.passphrase_file.as_deref();
    input::one_from_stdin([&*input.zone, &*input.key].into_iter().chain(passphrase))?;
    let keypair = input::keypair(&input.key, &input.passphrase)?;
    let text = input::read_text(&input.zone)?;
    let records =
        Reader::new(&keypair.public_key()).default_ttl(input.ttl).read(&text).map_err(|error| {
            Failure::input(format!("{} is no zone", input::name(&input.zone)), error)
        })?;
    if records.is_empty() {
        // Often a slip, and sometimes meant: it is how a zone is emptied. Stderr gone means that nobody reads.
        let name = input::name(&input.zone);
        let _ = writeln!(
            std::io::stderr(),
            "mainstay: {name} has no records; published, it takes all records of the key back"
        );
    }
    let mut builder = SignedPacketBuilder::from(records);
    if let Some(timestamp) = input.timestamp {
        builder = builder.timestamp(Timestamp::from(timestamp));
    }
    builder.sign(&keypair).map_err(|error| {
        Failure::input(format!("{} cannot be signed", input::name(&input.zone)), error)
    })
}
