//! Writes records as lines of a master file.
//!
//! Separate because every byte that is written here was chosen by somebody else: what is not printable ASCII must not
//! come out, and what comes out must read back the same.

use std::fmt::{self, Write as _};

use domain::{
    base::{
        ParsedName,
        iana::Rtype,
        rdata::ParseRecordData,
        zonefile_fmt::{DisplayKind, ZonefileFmt},
    },
    dep::octseq::Parser,
    rdata::ZoneRecordData,
};

use crate::{
    builder::Draft,
    dns::{CLASS, TYPE},
    rtype::type_name,
    zone::service,
};

/// Writes a record as one line.
pub(super) fn record(draft: &Draft, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let class = if draft.class == u16::from(CLASS::IN) {
        "IN".to_owned()
    } else {
        format!("CLASS{}", draft.class)
    };
    let rtype = draft.typed();
    let data = rdata(rtype, &draft.rdata);
    writeln!(f, "{} {} {class} {} {data}", draft.owner.in_zone(), draft.ttl, type_name(rtype))
}

/// Writes data without compressed names.
pub(super) fn rdata(rtype: TYPE, rdata: &[u8]) -> String {
    known(rtype, rdata).filter(|text| is_printable(text)).unwrap_or_else(|| generic(rdata))
}

/// The presentation of the type, if it has one.
fn known(rtype: TYPE, rdata: &[u8]) -> Option<String> {
    if matches!(rtype, TYPE::SVCB | TYPE::HTTPS) {
        return service::write(rdata);
    }
    let mut parser = Parser::from_ref(rdata);
    let data: ZoneRecordData<&[u8], ParsedName<&[u8]>> =
        ZoneRecordData::parse_rdata(Rtype::from_int(rtype.into()), &mut parser).ok()??;
    if parser.remaining() > 0 || matches!(data, ZoneRecordData::Unknown(_)) {
        return None;
    }
    Some(data.display_zonefile(DisplayKind::Simple).to_string())
}

/// [RFC 3597 5](https://www.rfc-editor.org/rfc/rfc3597#section-5)
pub(super) fn generic(rdata: &[u8]) -> String {
    let mut text = format!("\\# {}", rdata.len());
    for (position, byte) in rdata.iter().enumerate() {
        let space = if position == 0 { " " } else { "" };
        // Writing to a string does not fail.
        let _ = write!(text, "{space}{byte:02x}");
    }
    text
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}
