//! Canonical bencode into a caller's buffer: apart from reading, because it knows no tolerance.

/// Appends `string` with its length before it.
#[inline]
pub(crate) fn push_string(out: &mut Vec<u8>, string: &[u8]) {
    push_length(out, string.len());
    out.extend_from_slice(string);
}

/// Appends the length of a string, whose bytes the caller appends.
#[inline]
pub(crate) fn push_length(out: &mut Vec<u8>, length: usize) {
    push_decimal(out, length as u64, b':');
}

/// Appends `integer` between `i` and `e`.
pub(crate) fn push_integer(out: &mut Vec<u8>, integer: i64) {
    out.extend_from_slice(if integer < 0 { b"i-" } else { b"i" });
    push_decimal(out, integer.unsigned_abs(), b'e');
}

/// Appends `number` and the byte that ends it. Nearly all numbers of a message are lengths of few digits.
#[inline]
fn push_decimal(out: &mut Vec<u8>, number: u64, end: u8) {
    match number {
        0..10 => out.extend_from_slice(&[digit(number), end]),
        10..100 => out.extend_from_slice(&[digit(number / 10), digit(number), end]),
        100..1000 => {
            let (high, middle) = (digit(number / 100), digit(number / 10));
            out.extend_from_slice(&[high, middle, digit(number), end]);
        }
        1000.. => push_large_decimal(out, number, end),
    }
}

fn push_large_decimal(out: &mut Vec<u8>, mut number: u64, end: u8) {
    let mut written = [end; 21];
    let mut first = written.len() - 1;
    for place in written.iter_mut().rev().skip(1) {
        *place = digit(number);
        number /= 10;
        first -= 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(written.get(first..).unwrap_or_default());
}

/// The last digit of `number`.
const fn digit(number: u64) -> u8 {
    b'0' + (number % 10) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_without_a_digit_too_many() {
        let written = |number| {
            let mut out = Vec::new();
            push_integer(&mut out, number);
            String::from_utf8(out).expect("digits")
        };
        for number in [0, 1, 9, 10, -1, 99, 100, 999, -1000, 12_345, i64::MAX, i64::MIN] {
            assert_eq!(written(number), format!("i{number}e"));
        }
    }

    #[test]
    fn strings_carry_their_length() {
        let mut out = Vec::new();
        push_string(&mut out, b"");
        push_string(&mut out, b"Hello World!");
        push_string(&mut out, &[b'x'; 100]);
        assert_eq!(out, [&b"0:12:Hello World!100:"[..], &[b'x'; 100]].concat());
    }
}
