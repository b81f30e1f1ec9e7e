//! Reads master files by way of the parser of the `domain` crate.
//!
//! Separate because that parser's ways are met here and nowhere else: it has a default TTL of its own, which a `$TTL`
//! put before the text replaces; it keeps its position to itself, so entries are handed to it one by one.

use domain::{
    base::{Name, iana::Class, name::ToLabelIter, rdata::ComposeRecordData},
    zonefile::inplace::{Entry as Scanned, ScannedRecord, Zonefile},
};
use mainstay_keys::PublicKey;

use super::{
    SyntaxError, Zone, ZoneError, ZoneErrorKind,
    entries::{Entry, entries},
    rewrite::rewrite,
    tokens, units,
};
use crate::{
    Owner,
    builder::{BuildError, Draft},
    dns::TYPE,
    labels::Labels,
    message,
    owner::Origin,
};

/// Reads zones, with settings.
#[derive(Clone, Debug)]
pub struct Reader {
    key: PublicKey,
    default_ttl: u32,
}

impl Reader {
    /// The TTL of records that have none, in a text without `$TTL`: five minutes.
    pub const DEFAULT_TTL: u32 = 300;

    /// A reader of zones under `key`.
    #[must_use]
    pub fn new(key: &PublicKey) -> Self {
        Self { key: *key, default_ttl: Self::DEFAULT_TTL }
    }

    /// The TTL of records that have none, as if the text began with `$TTL`; it has no effect after a `$TTL` there.
    #[must_use]
    pub fn default_ttl(mut self, ttl: u32) -> Self {
        self.default_ttl = ttl;
        self
    }

    /// Reads a zone.
    ///
    /// # Errors
    /// [`ZoneError`] says where the text is wrong, and how.
    pub fn read(&self, text: &str) -> Result<Zone, ZoneError> {
        // Some editors put a byte-order mark before the text.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut session = Session::new(self);
        for entry in entries(text)? {
            session.entry(entry)?;
        }
        Ok(Zone { key: self.key, drafts: session.drafts })
    }
}

/// The reading of one text.
struct Session {
    scanner: Zonefile,
    /// How many line ends the scanner has been given.
    lines: usize,
    origin: Origin,
    drafts: Vec<Draft>,
}

impl Session {
    fn new(reader: &Reader) -> Self {
        let origin = Origin::new(reader.key);
        // A zone may mix classes, as packets may.
        let mut scanner = Zonefile::new().allow_invalid();
        scanner.set_default_class(Class::IN);
        let mut wire = vec![u8::try_from(origin.label().len()).unwrap_or(u8::MAX)];
        wire.extend_from_slice(origin.label());
        wire.push(0);
        if let Ok(name) = Name::from_octets(wire.into()) {
            scanner.set_origin(name);
        }
        scanner.extend_from_slice(format!("$TTL {}\n", reader.default_ttl).as_bytes());
        Self { scanner, lines: 1, origin, drafts: Vec::new() }
    }

    fn entry(&mut self, entry: Entry<'_>) -> Result<(), ZoneError> {
        let origin = self.scanner.origin();
        let origin = origin.map_err(|_| ZoneError {
            line: entry.line,
            column: 1,
            kind: ZoneErrorKind::Origin,
        })?;
        let seconds = units::in_seconds(entry.text);
        let rewritten = rewrite(&seconds, &origin).map_err(|(at, kind)| {
            let (line, column) = tokens::position(entry.text, at);
            ZoneError { line: entry.line + line, column: column + 1, kind }
        })?;
        self.scanner.extend_from_slice(rewritten.as_bytes());
        self.scanner.extend_from_slice(b"\n");
        loop {
            let scanned = self
                .scanner
                .next_entry()
                .map_err(|error| self.syntax(entry, &error.to_string()))?;
            let result = match scanned {
                None => break,
                Some(Scanned::Include { .. }) => Err(ZoneErrorKind::Include),
                Some(Scanned::Record(record)) => self.record(&record),
            };
            result.map_err(|kind| ZoneError { line: entry.line, column: 1, kind })?;
        }
        self.lines += 1 + rewritten.matches('\n').count();
        Ok(())
    }

    fn record(&mut self, record: &ScannedRecord) -> Result<(), ZoneErrorKind> {
        let owner = self.owner(record)?;
        let class = record.class().to_int();
        if !message::is_class(class) {
            return Err(ZoneErrorKind::Class { class });
        }
        let mut rdata = Vec::new();
        // Writing to memory fails only for want of it.
        let _ = record.data().compose_rdata(&mut rdata);
        let rtype = TYPE::from(record.rtype().to_int());
        let draft = Draft::new(owner, rtype, record.ttl().as_secs(), rdata);
        let draft = draft.map_err(|error| match error {
            BuildError::Ttl { ttl, .. } => ZoneErrorKind::Ttl { ttl },
            _ => ZoneErrorKind::Data,
        })?;
        self.drafts.push(Draft { class, ..draft });
        Ok(())
    }

    fn owner(&self, record: &ScannedRecord) -> Result<Owner, ZoneErrorKind> {
        let mut labels = Labels::new();
        for label in record.owner().iter_labels().filter(|label| !label.is_root()) {
            labels.push(label.as_slice()).map_err(|_| ZoneErrorKind::OutsideZone)?;
        }
        let below = self.origin.below(labels.as_wire()).ok_or(ZoneErrorKind::OutsideZone)?;
        Ok(Owner::below_apex(below))
    }

    /// Places what the scanner says, `line:column: words`, within the entry.
    fn syntax(&self, entry: Entry<'_>, error: &str) -> ZoneError {
        let mut parts = error.splitn(3, ':');
        let mut number = || parts.next().and_then(|part| part.trim().parse::<usize>().ok());
        let (line, column) = (number(), number());
        let words = plain_words(parts.next().unwrap_or(error).trim());
        // The scanner may have read the entry's line end already; then the fault lies before it.
        let before = line.unwrap_or_default().saturating_sub(self.lines + 1);
        let last = entry.text.split('\n').count() - 1;
        let (line, column) = if before > last {
            (last, entry.text.split('\n').next_back().unwrap_or_default().len() + 1)
        } else {
            (before, column.unwrap_or(1))
        };
        // The words may quote the text, which must not reach a terminal's controls.
        let words = words.replace(char::is_control, "\u{fffd}");
        let kind = ZoneErrorKind::Syntax(SyntaxError(words.into()));
        ZoneError { line: entry.line + line, column, kind }
    }
}

/// The scanner's most frequent complaints in words that say what to do; the rest as they are.
fn plain_words(words: &str) -> &str {
    match words {
        "unexpected end of entry" => "the record ends too early",
        "trailing tokens" => "the record goes on after its end",
        "missing last owner" => "the first record has no name",
        "expected rtype" => "a record type is expected here",
        "unknown record type with concrete data" => {
            "the data of this record type must be written in bytes, as \\# LENGTH HEX"
        }
        "bad symbol" => {
            "a character that is no printable ASCII; write names in Punycode (xn--…), bytes as \\DDD"
        }
        "bad charstr" => "a string longer than 255 bytes; cut it into several strings in quotes",
        "bad name" => "a label longer than 63 bytes, or a name longer than 255",
        "unbalanced parens" => "this parenthesis closes none",
        other => other,
    }
}
