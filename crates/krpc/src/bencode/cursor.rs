//! The tolerant reader of the envelope: apart from the strict judge, because real nodes write what BEPs forbid.

use super::{MAX_DEPTH, MAX_MESSAGE, MAX_TOKENS};

/// What stops a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The bytes end inside of something.
    Truncated,
    /// A byte stands where bencode allows no such byte.
    Syntax,
    /// More than [`MAX_DEPTH`] containers in each other.
    TooDeep,
    /// More than [`MAX_TOKENS`] tokens.
    TooManyTokens,
}

/// Reads bencode from left to right and hands out borrowed parts.
///
/// Tolerates leading zeros in lengths and integers and the integer `-0`. Sortedness of keys is not looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    tokens: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, tokens: MAX_TOKENS }
    }

    /// What has not been read.
    #[cfg(test)]
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next byte, which stays unread.
    pub(crate) fn peek(&self) -> Result<u8, Fault> {
        self.rest.first().copied().ok_or(Fault::Truncated)
    }

    /// Whether the innermost container ends here; its end is then read.
    pub(crate) fn at_end(&mut self) -> Result<bool, Fault> {
        match self.rest.split_first() {
            Some((b'e', rest)) => {
                self.rest = rest;
                self.count()?;
                Ok(true)
            }
            Some(_) => Ok(false),
            None => Err(Fault::Truncated),
        }
    }

    /// Reads `opening`, if it is next.
    pub(crate) fn open(&mut self, opening: u8) -> Result<bool, Fault> {
        match self.rest.split_first() {
            Some((first, rest)) if *first == opening => {
                self.rest = rest;
                self.count()?;
                Ok(true)
            }
            Some(_) => Ok(false),
            None => Err(Fault::Truncated),
        }
    }

    /// Reads a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<&'a [u8], Fault> {
        // Nearly all keys and most values of the envelope are this short.
        let (length, rest) = match self.rest {
            [digit @ b'0'..=b'9', b':', rest @ ..] => (usize::from(digit - b'0'), rest),
            _ => self.long_length()?,
        };
        let (string, rest) = rest.split_at_checked(length).ok_or(Fault::Truncated)?;
        self.rest = rest;
        self.count()?;
        Ok(string)
    }

    /// A length of any number of digits and what follows its colon.
    fn long_length(&self) -> Result<(usize, &'a [u8]), Fault> {
        let mut length = 0;
        let mut rest = self.rest;
        loop {
            let Some((byte, tail)) = rest.split_first() else { return Err(Fault::Truncated) };
            match byte {
                b'0'..=b'9' => length = length * 10 + usize::from(byte - b'0'),
                b':' if rest.len() < self.rest.len() => return Ok((length, tail)),
                _ => return Err(Fault::Syntax),
            }
            if length > MAX_MESSAGE {
                return Err(Fault::Truncated);
            }
            rest = tail;
        }
    }

    /// Reads a string; `None` for a value of another kind, which is passed over. It stands in `depth` containers.
    #[inline]
    pub(crate) fn string_or_skip(&mut self, depth: usize) -> Result<Option<&'a [u8]>, Fault> {
        if self.peek()?.is_ascii_digit() {
            self.string().map(Some)
        } else {
            self.skip(depth).map(|()| None)
        }
    }

    /// Reads an integer; `None` for one that no `i64` holds.
    pub(crate) fn integer(&mut self) -> Result<Option<i64>, Fault> {
        let rest = match self.rest.split_first() {
            Some((b'i', rest)) => rest,
            Some(_) => return Err(Fault::Syntax),
            None => return Err(Fault::Truncated),
        };
        let (negative, mut rest) = match rest.split_first() {
            Some((b'-', rest)) => (true, rest),
            Some(_) | None => (false, rest),
        };
        // Gathered below zero, where there is room for one number more.
        let mut number = Some(0_i64);
        let mut digits = 0;
        loop {
            let Some((byte, tail)) = rest.split_first() else { return Err(Fault::Truncated) };
            rest = tail;
            match byte {
                b'0'..=b'9' => {
                    let digit = i64::from(byte - b'0');
                    number = number
                        .and_then(|number| number.checked_mul(10))
                        .and_then(|number| number.checked_sub(digit));
                    digits += 1;
                }
                b'e' if digits > 0 => break,
                _ => return Err(Fault::Syntax),
            }
        }
        self.rest = rest;
        self.count()?;
        Ok(if negative { number } else { number.and_then(i64::checked_neg) })
    }

    /// Reads on in a list until a string comes, and returns it; `None` where the list ends or breaks.
    pub(crate) fn next_string(&mut self) -> Option<&'a [u8]> {
        while !self.at_end().ok()? {
            if self.peek().ok()?.is_ascii_digit() {
                return self.string().ok();
            }
            self.skip(0).ok()?;
        }
        self.rest = &[];
        None
    }

    /// Reads a value of any kind and returns the bytes it is written with.
    ///
    /// `depth` says how many containers the value stands in.
    pub(crate) fn span(&mut self, depth: usize) -> Result<&'a [u8], Fault> {
        let before = self.rest;
        self.skip(depth)?;
        let length = before.len().saturating_sub(self.rest.len());
        Ok(before.get(..length).unwrap_or_default())
    }

    /// Passes over a value of any kind that stands in `depth` containers.
    pub(crate) fn skip(&mut self, depth: usize) -> Result<(), Fault> {
        match self.peek()? {
            b'0'..=b'9' => self.string().map(drop),
            b'i' => self.integer().map(drop),
            b'l' | b'd' => self.skip_container(depth),
            _ => Err(Fault::Syntax),
        }
    }

    /// Passes over a list or dictionary: one bit a level says which, one whether a key's value is due.
    fn skip_container(&mut self, depth: usize) -> Result<(), Fault> {
        let (mut dictionaries, mut due) = (0_u32, 0_u32);
        let mut level = 0;
        loop {
            let in_dictionary = dictionaries & 1 == 1;
            let key_due = in_dictionary && due & 1 == 0;
            match self.peek()? {
                b'0'..=b'9' => self.string().map(drop)?,
                _ if key_due && self.peek()? != b'e' => return Err(Fault::Syntax),
                b'i' => self.integer().map(drop)?,
                opening @ (b'l' | b'd') => {
                    self.open(opening)?;
                    if depth + level >= MAX_DEPTH {
                        return Err(Fault::TooDeep);
                    }
                    level += 1;
                    dictionaries = dictionaries << 1 | u32::from(opening == b'd');
                    due <<= 1;
                    continue;
                }
                b'e' if !in_dictionary || key_due => {
                    self.at_end()?;
                    level -= 1;
                    dictionaries >>= 1;
                    due >>= 1;
                    if level == 0 {
                        return Ok(());
                    }
                }
                _ => return Err(Fault::Syntax),
            }
            due ^= dictionaries & 1;
        }
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.tokens = self.tokens.checked_sub(1).ok_or(Fault::TooManyTokens)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(bytes: &[u8]) -> Result<&[u8], Fault> {
        let mut cursor = Cursor::new(bytes);
        cursor.skip(0)?;
        Ok(cursor.rest())
    }

    #[test]
    fn strings_may_have_leading_zeros_but_must_be_there() {
        assert_eq!(Cursor::new(b"3:abcd").string(), Ok(&b"abc"[..]));
        assert_eq!(Cursor::new(b"0003:abcd").string(), Ok(&b"abc"[..]));
        assert_eq!(Cursor::new(b"0:").string(), Ok(&b""[..]));
        assert_eq!(Cursor::new(b"4:abc").string(), Err(Fault::Truncated));
        assert_eq!(Cursor::new(b":abc").string(), Err(Fault::Syntax));
        assert_eq!(Cursor::new(b"12").string(), Err(Fault::Truncated));
        assert_eq!(Cursor::new(b"-1:a").string(), Err(Fault::Syntax));
    }

    #[test]
    fn lengths_beyond_any_number_are_refused() {
        for length in ["2147483648", "9223372036854775808", "18446744073709551616", "65508"] {
            let bytes = format!("{length}:abc");
            assert_eq!(Cursor::new(bytes.as_bytes()).string(), Err(Fault::Truncated), "{length}");
        }
    }

    #[test]
    fn integers_are_read_to_both_ends_of_their_range() {
        let read = |text: &str| Cursor::new(text.as_bytes()).integer();
        assert_eq!(read("i9223372036854775807e"), Ok(Some(i64::MAX)));
        assert_eq!(read("i-9223372036854775808e"), Ok(Some(i64::MIN)));
        assert_eq!(read("i9223372036854775808e"), Ok(None));
        assert_eq!(read("i-9223372036854775809e"), Ok(None));
        assert_eq!(read("i18446744073709551615e"), Ok(None));
        assert_eq!(read("i-0e"), Ok(Some(0)));
        assert_eq!(read("i007e"), Ok(Some(7)));
        assert_eq!(read("ie"), Err(Fault::Syntax));
        assert_eq!(read("i-e"), Err(Fault::Syntax));
        assert_eq!(read("i--1e"), Err(Fault::Syntax));
        assert_eq!(read("i1"), Err(Fault::Truncated));
    }

    #[test]
    fn values_of_every_kind_are_passed_over() {
        for value in ["3:abc", "i5e", "le", "de", "li1e1:ae", "d1:ai1e1:bl1:cd1:d1:eeee", "llleee"]
        {
            assert_eq!(skipped(format!("{value}rest").as_bytes()), Ok(&b"rest"[..]), "{value}");
        }
    }

    #[test]
    fn a_dictionary_has_strings_as_keys_and_a_value_for_each() {
        for value in ["di1e1:ae", "dle1:ae", "d1:ae", "d1:a1:b1:ce", "ld1:aee"] {
            assert_eq!(skipped(value.as_bytes()), Err(Fault::Syntax), "{value}");
        }
    }

    #[test]
    fn nesting_is_capped_without_recursion() {
        let nested = |depth: usize| [vec![b'l'; depth], vec![b'e'; depth]].concat();
        assert_eq!(skipped(&nested(MAX_DEPTH)), Ok(&b""[..]));
        assert_eq!(skipped(&nested(MAX_DEPTH + 1)), Err(Fault::TooDeep));
        assert_eq!(skipped(&nested(30_000)), Err(Fault::TooDeep));
        assert_eq!(Cursor::new(&nested(MAX_DEPTH)).skip(1), Err(Fault::TooDeep));
    }

    #[test]
    fn tokens_are_capped() {
        let list = |items: usize| [&b"l"[..], &b"0:".repeat(items), b"e"].concat();
        assert_eq!(skipped(&list(MAX_TOKENS - 2)), Ok(&b""[..]));
        assert_eq!(skipped(&list(MAX_TOKENS - 1)), Err(Fault::TooManyTokens));
    }

    #[test]
    fn a_span_is_the_value_as_it_was_written() {
        let mut cursor = Cursor::new(b"d02:abi-0eetail");
        assert_eq!(cursor.span(0), Ok(&b"d02:abi-0ee"[..]));
        assert_eq!(cursor.rest(), b"tail");
    }
}
