//! `mainstay sign`: a zone and a key in, a signed packet out, no network.
//!
//! Separate as every verb is; `publish` makes its packet here too.

use std::path::Path;

use mainstay::zone::Reader;
use mainstay::{SignedPacket, SignedPacketBuilder, Timestamp};

use crate::args::{Options, Sign, ZoneInput};
use crate::failure::Failure;
use crate::{input, output, show};

pub(crate) fn run(common: &Options, sign: &Sign) -> Result<(), Failure> {
    let packet = packet(&sign.input)?;
    let Some(path) = &sign.out else { return output::bytes(packet.as_bytes()) };
    std::fs::write(path, packet.as_bytes()).map_err(|source| Failure::File {
        action: "write",
        path: path.clone(),
        source,
    })?;
    if common.json { output::json(&show::packet(&packet, "file", None)) } else { Ok(()) }
}

/// Reads the zone and signs it.
pub(crate) fn packet(input: &ZoneInput) -> Result<SignedPacket, Failure> {
    if input.zone == Path::new("-")
        && input.passphrase.passphrase_file.as_deref() == Some(Path::new("-"))
    {
        let what = "the zone and the passphrase cannot both come from standard input".to_owned();
        return Err(Failure::BadInput { what, source: None });
    }
    let keypair = input::keypair(&input.key, &input.passphrase)?;
    let text = input::read_text(&input.zone)?;
    let records = Reader::new(&keypair.public_key())
        .default_ttl(input.ttl)
        .read(&text)
        .map_err(|error| Failure::input(format!("{}: not a zone", input.zone.display()), error))?;
    let mut builder = SignedPacketBuilder::from(records);
    if let Some(timestamp) = input.timestamp {
        builder = builder.timestamp(Timestamp::from(timestamp));
    }
    builder.sign(&keypair).map_err(|error| {
        Failure::input(format!("{}: cannot be signed", input.zone.display()), error)
    })
}
