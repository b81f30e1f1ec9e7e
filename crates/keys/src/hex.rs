//! Hexadecimal, as secret-key files use it: lower case out, either case in, nothing else.
//! Our own because the content is secret: no copy of it is left behind that nobody wipes.

use zeroize::Zeroizing;

/// The digits of `bytes`, wiped when they are dropped.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn encode(bytes: &[u8; 32]) -> Zeroizing<[u8; 64]> {
    let mut digits = Zeroizing::new([0; 64]);
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    digits
}

/// The bytes that exactly 64 digits stand for; otherwise the place of the first character that is no digit, or `None`
/// when there are more or fewer.
pub(crate) fn decode(digits: &[u8]) -> Result<Zeroizing<[u8; 32]>, Option<usize>> {
    if let Some(position) = digits.iter().position(|digit| value(*digit).is_none()) {
        return Err(Some(position));
    }
    if digits.len() != 64 {
        return Err(None);
    }
    let mut bytes = Zeroizing::new([0; 32]);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte =
            pair.iter().filter_map(|digit| value(*digit)).fold(0, |high, low| (high << 4) | low);
    }
    Ok(bytes)
}

#[cfg(not(target_family = "wasm"))]
fn digit(value: u8) -> u8 {
    match value {
        0..10 => b'0' + value,
        _ => b'a' - 10 + value,
    }
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
