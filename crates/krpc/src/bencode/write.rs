//! Canonical bencode into a caller's buffer: apart from reading, because it knows no tolerance.

/// Appends `string` with its length before it.
#[inline]
pub(crate) fn push_string(out: &mut Vec<u8>, string: &[u8]) {
    push_length(out, string.len());
    out.extend_from_slice(string);
}

/// Appends the length of a string, whose bytes the caller appends.
pub(crate) fn push_length(out: &mut Vec<u8>, length: usize) {
    push_decimal(out, length as u64);
    out.push(b':');
}

/// Appends `integer` between `i` and `e`.
pub(crate) fn push_integer(out: &mut Vec<u8>, integer: i64) {
    out.push(b'i');
    if integer < 0 {
        out.push(b'-');
    }
    push_decimal(out, integer.unsigned_abs());
    out.push(b'e');
}

fn push_decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        first -= 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
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
        for number in [0, 1, 9, 10, -1, 99, 100, 12_345, i64::MAX, i64::MIN] {
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
