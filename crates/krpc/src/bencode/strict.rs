//! Our own judge of canonical values: apart from bendy, so that who signs without the codec pulls in no parser.

use crate::item::{MAX_VALUE_DEPTH, MAX_VALUE_TOKENS, NotCanonical};

/// Whether `value` is one canonical bencoded value within the limits.
///
/// Agrees with bendy wherever both are compiled; a property test holds them together.
pub(crate) fn check(value: &[u8]) -> Result<(), NotCanonical> {
    let mut rest = value;
    let mut open = Open::default();
    for _ in 0..MAX_VALUE_TOKENS {
        let (first, tail) = rest.split_first().ok_or(NotCanonical::Malformed)?;
        match first {
            b'0'..=b'9' => {
                let (string, tail) = string(rest).ok_or(NotCanonical::Malformed)?;
                open.string(string)?;
                rest = tail;
            }
            b'i' => {
                open.item()?;
                rest = integer(tail).ok_or(NotCanonical::Malformed)?;
            }
            b'l' => {
                open.item()?;
                open.push(Level::List)?;
                rest = tail;
            }
            b'd' => {
                open.item()?;
                open.push(Level::Key { last: None })?;
                rest = tail;
            }
            b'e' => {
                open.pop()?;
                rest = tail;
            }
            _ => return Err(NotCanonical::Malformed),
        }
        if open.depth == 0 {
            return if rest.is_empty() { Ok(()) } else { Err(NotCanonical::Trailing) };
        }
    }
    Err(NotCanonical::TooManyTokens)
}

/// The payload, if `value` is one canonical byte string and nothing else.
pub(crate) fn string_payload(value: &[u8]) -> Option<&[u8]> {
    string(value).and_then(|(payload, rest)| rest.is_empty().then_some(payload))
}

/// What may come next in a container.
#[derive(Clone, Copy, Debug, Default)]
enum Level<'a> {
    #[default]
    List,
    Key {
        last: Option<&'a [u8]>,
    },
    Value {
        key: &'a [u8],
    },
}

/// The containers that are open, innermost last.
#[derive(Debug, Default)]
struct Open<'a> {
    levels: [Level<'a>; MAX_VALUE_DEPTH],
    depth: usize,
}

impl<'a> Open<'a> {
    fn innermost(&mut self) -> Option<&mut Level<'a>> {
        self.depth.checked_sub(1).and_then(|index| self.levels.get_mut(index))
    }

    fn push(&mut self, level: Level<'a>) -> Result<(), NotCanonical> {
        *self.levels.get_mut(self.depth).ok_or(NotCanonical::TooDeep)? = level;
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) -> Result<(), NotCanonical> {
        match self.innermost() {
            Some(Level::List | Level::Key { .. }) => {
                self.depth -= 1;
                Ok(())
            }
            Some(Level::Value { .. }) | None => Err(NotCanonical::Malformed),
        }
    }

    /// A string came: a key in its place, otherwise a value.
    fn string(&mut self, string: &'a [u8]) -> Result<(), NotCanonical> {
        match self.innermost() {
            Some(Level::Key { last: Some(last) }) if *last >= string => {
                Err(NotCanonical::UnsortedKeys)
            }
            Some(level @ Level::Key { .. }) => {
                *level = Level::Value { key: string };
                Ok(())
            }
            Some(Level::List | Level::Value { .. }) | None => self.item(),
        }
    }

    /// A value came.
    fn item(&mut self) -> Result<(), NotCanonical> {
        match self.innermost() {
            Some(Level::Key { .. }) => Err(NotCanonical::Malformed),
            Some(level @ Level::Value { .. }) => {
                if let Level::Value { key } = *level {
                    *level = Level::Key { last: Some(key) };
                }
                Ok(())
            }
            Some(Level::List) | None => Ok(()),
        }
    }
}

/// Splits a canonical string off the front.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, mut rest) = bytes.split_first()?;
    let mut length = usize::from(first.checked_sub(b'0').filter(|digit| *digit <= 9)?);
    loop {
        let (byte, tail) = rest.split_first()?;
        rest = tail;
        match byte {
            b':' => return rest.split_at_checked(length),
            b'0'..=b'9' if length > 0 => {
                length = length.checked_mul(10)?.checked_add(usize::from(byte - b'0'))?;
            }
            _ => return None,
        }
    }
}

/// What follows a canonical integer whose `i` has been read. Its size is nobody's business but its reader's.
fn integer(bytes: &[u8]) -> Option<&[u8]> {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let negative = digits.len() < bytes.len();
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = digits.split_at_checked(count)?;
    match number {
        [] => None,
        [b'0'] if !negative => rest.strip_prefix(b"e"),
        [b'0', ..] => None,
        _ => rest.strip_prefix(b"e"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_values_of_every_kind_pass() {
        for value in ["0:", "12:Hello World!", "i0e", "i-1e", "i18446744073709551616e", "le", "de"]
        {
            assert_eq!(check(value.as_bytes()), Ok(()), "{value}");
        }
        for value in ["li1e0:ledee", "d1:a0:1:bi1ee", "d0:le1:a1:be", "d1:ad1:ad1:aleeee"] {
            assert_eq!(check(value.as_bytes()), Ok(()), "{value}");
        }
    }

    #[test]
    fn every_other_way_to_write_a_value_is_refused() {
        use NotCanonical::{Malformed, Trailing, UnsortedKeys};
        let refused = [
            ("", Malformed),
            ("i-0e", Malformed),
            ("i00e", Malformed),
            ("i01e", Malformed),
            ("ie", Malformed),
            ("i-e", Malformed),
            ("i1", Malformed),
            ("01:a", Malformed),
            ("00:", Malformed),
            ("2:a", Malformed),
            ("99999999999999999999:a", Malformed),
            ("l", Malformed),
            ("e", Malformed),
            ("d1:ae", Malformed),
            ("di1e0:e", Malformed),
            ("x", Malformed),
            ("i1ei2e", Trailing),
            ("0:\0", Trailing),
            ("d1:b0:1:a0:e", UnsortedKeys),
            ("d1:a0:1:a0:e", UnsortedKeys),
        ];
        for (value, reason) in refused {
            assert_eq!(check(value.as_bytes()), Err(reason), "{value}");
        }
    }

    #[test]
    fn limits_are_met_exactly() {
        let nested = |depth: usize| [vec![b'l'; depth], vec![b'e'; depth]].concat();
        assert_eq!(check(&nested(MAX_VALUE_DEPTH)), Ok(()));
        assert_eq!(check(&nested(MAX_VALUE_DEPTH + 1)), Err(NotCanonical::TooDeep));
        let list = |items: usize| [&b"l"[..], &b"0:".repeat(items), b"e"].concat();
        assert_eq!(check(&list(MAX_VALUE_TOKENS - 2)), Ok(()));
        assert_eq!(check(&list(MAX_VALUE_TOKENS - 1)), Err(NotCanonical::TooManyTokens));
    }

    #[test]
    fn only_one_whole_byte_string_has_a_payload() {
        assert_eq!(string_payload(b"12:Hello World!"), Some(&b"Hello World!"[..]));
        assert_eq!(string_payload(b"0:"), Some(&b""[..]));
        for value in ["", "1:", "1:ab", "01:a", "i1e", "l1:ae", ":"] {
            assert_eq!(string_payload(value.as_bytes()), None, "{value}");
        }
    }
}
