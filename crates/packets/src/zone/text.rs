//! Writes records as lines of a master file.
//!
//! Separate because every byte that is written here was chosen by somebody else: what is not printable ASCII must not
//! come out, and what comes out must read back the same.

use std::fmt::{self, Write as _};

use domain::{
    base::{
        ParsedName,
        iana::Rtype,
        rdata::{ComposeRecordData, ParseRecordData},
        zonefile_fmt::{DisplayKind, ZonefileFmt},
    },
    dep::octseq::Parser,
    rdata::ZoneRecordData,
    zonefile::inplace::{Entry, Zonefile},
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
    let text = data.display_zonefile(DisplayKind::Simple).to_string();
    reads_back(rtype, &text, rdata).then_some(text)
}

/// Whether the text stands for this data. It does not for names with a quote or a semicolon, which the `domain` crate
/// writes without escapes; they are rare enough to be left to the other form.
fn reads_back(rtype: TYPE, text: &str, rdata: &[u8]) -> bool {
    let mut scanner = Zonefile::new();
    scanner.extend_from_slice(format!(". 0 IN {} {text}\n", type_name(rtype)).as_bytes());
    let Ok(Some(Entry::Record(record))) = scanner.next_entry() else { return false };
    let mut again = Vec::with_capacity(rdata.len());
    record.data().compose_rdata(&mut again).is_ok() && again == rdata
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
