//! `mainstay verify`: is this a signed packet, and what does it say?
//!
//! Separate as every verb is.

use mainstay::SignedPacket;

use crate::args::{Options, Verify};
use crate::failure::Failure;
use crate::{input, output, show};

pub(crate) fn run(common: &Options, verify: &Verify) -> Result<(), Failure> {
    let bytes = input::read(&verify.packet)?;
    let packet = SignedPacket::try_from(bytes.as_slice()).map_err(|error| {
        Failure::input(format!("{} is no signed packet", input::name(&verify.packet)), error)
    })?;
    let kind = verify.kind.as_deref().map(show::kind).transpose()?.flatten();
    if common.json {
        output::json(&show::packet(&packet, "file", kind))
    } else {
        output::text(&show::zone(&packet, kind))
    }
}
