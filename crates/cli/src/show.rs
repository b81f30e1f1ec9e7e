//! Packets as people and scripts read them: in the form of `dig`, and as JSON in a documented, stable schema.
//!
//! Separate, because four verbs show packets, and scripts rely on the form.

use std::fmt::{self, Write as _};
use std::time::Duration;

use mainstay::dns::{CLASS, TYPE};
use mainstay::{PublicKey, Record, Resolution, SignedPacket, Source, parse_type, type_name};
use serde::Serialize;

use crate::failure::Failure;

/// What was asked: a key, a name under it, a type; the whole zone where neither is given.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) key: PublicKey,
    /// The labels before the key; empty for the key itself.
    pub(crate) name: String,
    /// `None` for any type.
    pub(crate) kind: Option<TYPE>,
    pub(crate) whole_zone: bool,
}

impl Question {
    /// Whether everything the key has published is asked for, so that nothing is an answer too.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole_zone && self.kind.is_none()
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.name.is_empty() { "" } else { "." };
        let kind = self.kind.map_or("ANY".into(), type_name);
        // Pasted words may hold what a terminal obeys.
        let name = self.name.replace(char::is_control, "\u{fffd}");
        write!(f, "{name}{dot}{}. IN {kind}", self.key)
    }
}

/// A packet, as `resolve` and `verify` print it with `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct Packet {
    public_key: String,
    /// Microseconds since 1970, as signed.
    timestamp: u64,
    /// Seconds since the source last confirmed the packet.
    age: u64,
    /// `dht`, `cache`, `file`, or the URL of a relay.
    source: String,
    records: Vec<Shown>,
    /// How many records of other names are left out, whatever was asked for.
    left_out: usize,
}

/// A record in [`Packet`].
#[derive(Debug, Serialize)]
struct Shown {
    /// The full name, without a dot at its end.
    name: String,
    #[serde(rename = "type")]
    kind: String,
    ttl: u32,
    /// As in a zone file.
    data: String,
}

impl Packet {
    /// Some records of a resolved packet.
    pub(crate) fn new(
        packet: &SignedPacket,
        records: &[Record<'_>],
        resolution: &Resolution,
    ) -> Self {
        let source = match &resolution.source {
            Source::Dht { .. } => "dht".to_owned(),
            other => other.to_string(),
        };
        Self {
            public_key: packet.public_key().to_z32(),
            timestamp: packet.timestamp().as_u64(),
            age: resolution.age().as_secs(),
            source,
            records: records.iter().map(shown).collect(),
            left_out: left_out(packet),
        }
    }
}

/// The records of a packet that came without a network, as JSON shows them.
pub(crate) fn packet(packet: &SignedPacket, source: &str, kind: Option<TYPE>) -> Packet {
    Packet {
        public_key: packet.public_key().to_z32(),
        timestamp: packet.timestamp().as_u64(),
        age: 0,
        source: source.to_owned(),
        records: of_kind(packet, kind).iter().map(shown).collect(),
        left_out: left_out(packet),
    }
}

/// The records of a packet that came without a network, as text.
pub(crate) fn zone(packet: &SignedPacket, kind: Option<TYPE>) -> String {
    let records = of_kind(packet, kind);
    let mut text = section(&records);
    foot(&mut text, packet);
    text
}

/// The records of a packet, those of other names excepted: a key proves nothing about what is not under it.
pub(crate) fn of_kind(packet: &SignedPacket, kind: Option<TYPE>) -> Vec<Record<'_>> {
    let wanted = |record: &Record<'_>| kind.is_none_or(|kind| record.rtype() == kind);
    packet.all_resource_records().filter(|record| record.in_zone() && wanted(record)).collect()
}

fn left_out(packet: &SignedPacket) -> usize {
    packet.all_resource_records().filter(|record| !record.in_zone()).count()
}

fn shown(record: &Record<'_>) -> Shown {
    Shown {
        name: record.name().to_string(),
        kind: type_name(record.rtype()).into_owned(),
        ttl: record.ttl(),
        data: record.data_text(),
    }
}

/// An answer in the form of `dig`.
pub(crate) fn dig(
    question: &Question,
    records: &[Record<'_>],
    resolution: &Resolution,
    took: Duration,
) -> String {
    let mut text = format!(
        "; <<>> mainstay {} <<>> {question}\n;; ANSWER: {}, of {} records in the packet\n\n;; QUESTION SECTION:\n;{question}\n\n;; ANSWER SECTION:\n",
        env!("CARGO_PKG_VERSION"),
        records.len(),
        of_kind(&resolution.packet, None).len(),
    );
    text.push_str(&section(records));
    text.push('\n');
    foot(&mut text, &resolution.packet);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        ";; Query time: {} msec\n;; SOURCE: {}, confirmed {} s ago",
        took.as_millis(),
        resolution.source,
        resolution.age().as_secs()
    );
    text
}

fn section(records: &[Record<'_>]) -> String {
    let mut text = String::new();
    for record in records {
        let shown = shown(record);
        let _ = writeln!(
            text,
            "{}.\t{}\t{}\t{}\t{}",
            shown.name,
            shown.ttl,
            class(record),
            shown.kind,
            shown.data
        );
    }
    text
}

fn class(record: &Record<'_>) -> &'static str {
    match record.class() {
        CLASS::IN => "IN",
        CLASS::CS => "CS",
        CLASS::CH => "CH",
        CLASS::HS => "HS",
        CLASS::NONE => "NONE",
    }
}

fn foot(text: &mut String, packet: &SignedPacket) {
    let left_out = left_out(packet);
    if left_out > 0 {
        let records =
            if left_out == 1 { "record of another name" } else { "records of other names" };
        let _ =
            writeln!(text, ";; LEFT OUT: {left_out} {records}, about which the key proves nothing");
    }
    let (timestamp, size) = (packet.timestamp(), packet.as_bytes().len());
    let _ = writeln!(
        text,
        ";; SIGNED: {} ({timestamp}) by {}\n;; PACKET SIZE: {size} bytes, {} of {} for the records",
        timestamp.to_rfc3339(),
        packet.public_key(),
        packet.encoded_packet().len(),
        SignedPacket::MAX_STORED_DNS_BYTES,
    );
}

/// The record type that a person named; `None` for ANY.
pub(crate) fn kind(text: &str) -> Result<Option<TYPE>, Failure> {
    if text.eq_ignore_ascii_case("ANY") {
        return Ok(None);
    }
    let unknown = || Failure::BadInput {
        what: format!("{text:?} is no record type; write A, AAAA, TXT, TYPE65280 or ANY"),
        source: None,
    };
    parse_type(text).map(Some).ok_or_else(unknown)
}
