//! Cuts a master file into entries: lines, or several lines that parentheses or quotes hold together.
//!
//! Separate because the parser behind us reports the place where it stopped reading, which may lie lines further on;
//! handed one entry at a time, it cannot blame the next.

use super::{ZoneError, ZoneErrorKind};

/// A part of the file that stands for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// The text without the line end after it.
    pub(super) text: &'a str,
    /// The line that it begins on, counted from 1.
    pub(super) line: usize,
}

/// A line and a column, counted from 1.
type Position = (usize, usize);

/// Goes through a text and remembers what is open.
#[derive(Default)]
struct Cutter {
    /// Where the open quote stands.
    quote: Option<Position>,
    /// Where the outermost open parenthesis stands, and how many are open.
    parenthesis: Option<(Position, usize)>,
    comment: bool,
    /// The next byte means itself.
    escaped: bool,
}

/// Cuts up a text.
pub(super) fn entries(text: &str) -> Result<Vec<Entry<'_>>, ZoneError> {
    let mut cutter = Cutter::default();
    let mut entries = Vec::new();
    let mut start = Position::default();
    let mut offset = 0;
    let mut end = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if offset == end {
            start = (number + 1, 1);
        }
        end += line.len();
        for (at, byte) in line.bytes().enumerate() {
            cutter.step(byte, (number + 1, at + 1));
        }
        if cutter.is_whole() {
            let text = text.get(offset..end).unwrap_or_default();
            entries.push(Entry { text: text.strip_suffix('\n').unwrap_or(text), line: start.0 });
            offset = end;
        }
    }
    match (cutter.quote, cutter.parenthesis) {
        (Some((line, column)), _) => {
            Err(ZoneError { line, column, kind: ZoneErrorKind::OpenQuote })
        }
        (None, Some(((line, column), _))) => {
            Err(ZoneError { line, column, kind: ZoneErrorKind::OpenParenthesis })
        }
        (None, None) => Ok(entries),
    }
}

impl Cutter {
    fn is_whole(&self) -> bool {
        self.quote.is_none() && self.parenthesis.is_none()
    }

    fn step(&mut self, byte: u8, here: Position) {
        let escaped = std::mem::take(&mut self.escaped);
        match byte {
            b'\n' => self.comment = false,
            _ if self.comment || escaped => {}
            b'\\' => self.escaped = true,
            b'"' => self.quote = if self.quote.is_some() { None } else { Some(here) },
            _ if self.quote.is_some() => {}
            b';' => self.comment = true,
            b'(' => {
                let (first, depth) = self.parenthesis.unwrap_or((here, 0));
                self.parenthesis = Some((first, depth + 1));
            }
            b')' => {
                let inner = |&(_, depth): &(Position, usize)| depth > 1;
                self.parenthesis =
                    self.parenthesis.filter(inner).map(|(first, depth)| (first, depth - 1));
            }
            _ => {}
        }
    }
}
