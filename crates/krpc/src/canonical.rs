//! The judge of canonical form, which is bendy: apart from the codec, which is tolerant where this may not be.

use bendy::decoding::Decoder;
use bendy::state_tracker::Token;

use crate::bencode;
use crate::item::{MAX_VALUE_DEPTH, MAX_VALUE_TOKENS, NotCanonical};

/// Whether `value` is one canonical bencoded value that nodes can read.
///
/// Keys sorted and none twice, no digit too many, nothing behind it, at most [`MAX_VALUE_DEPTH`] levels and
/// [`MAX_VALUE_TOKENS`] tokens. One pass; bendy allocates its stack of levels each time, of the same size for any value.
///
/// # Errors
/// [`NotCanonical`]: the first thing that is wrong.
pub fn check(value: &[u8]) -> Result<(), NotCanonical> {
    let mut depth = 0_usize;
    let mut whole = false;
    for (index, token) in Decoder::new(value).tokens().enumerate() {
        if whole {
            return Err(NotCanonical::Trailing);
        }
        if index == MAX_VALUE_TOKENS {
            return Err(NotCanonical::TooManyTokens);
        }
        // bendy keeps its reason to itself; our own judge, which agrees with it, can name one.
        let Ok(token) = token else {
            return Err(bencode::check(value).err().unwrap_or(NotCanonical::Malformed));
        };
        match token {
            Token::List | Token::Dict => depth += 1,
            Token::End => depth = depth.checked_sub(1).ok_or(NotCanonical::Malformed)?,
            Token::String(_) | Token::Num(_) => {}
        }
        if depth > MAX_VALUE_DEPTH {
            return Err(NotCanonical::TooDeep);
        }
        whole = depth == 0;
    }
    if whole { Ok(()) } else { Err(NotCanonical::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_canonical_value_passes() {
        for value in ["0:", "i-1e", "le", "d1:ali1e1:xe1:bdee", "i18446744073709551616e"] {
            assert_eq!(check(value.as_bytes()), Ok(()), "{value}");
        }
    }

    #[test]
    fn reasons_are_named() {
        let refused = [
            ("", NotCanonical::Malformed),
            ("i-0e", NotCanonical::Malformed),
            ("1:", NotCanonical::Malformed),
            ("le1:a", NotCanonical::Trailing),
            ("0:\0", NotCanonical::Trailing),
            ("d1:b0:1:a0:e", NotCanonical::UnsortedKeys),
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
}
