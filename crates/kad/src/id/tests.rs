//! What an id and a distance promise.
//! Apart from the code because the properties outgrew it.

use super::*;
use proptest::prelude::*;

fn id(text: &str) -> Id<20> {
    text.parse().unwrap()
}

/// A `fill` that writes the same byte everywhere.
fn constant(byte: u8) -> impl FnMut(&mut [u8]) {
    move |buffer| buffer.fill(byte)
}

#[test]
fn text_round_trips_and_either_case_is_read() {
    let text = "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401";
    assert_eq!(id(text).to_string(), text);
    assert_eq!(id(&text.to_uppercase()), id(text));
    assert_eq!(format!("{:?}", id(text)), format!("Id({text})"));
}

#[test]
fn text_of_another_length_or_alphabet_is_refused_with_the_place() {
    assert_eq!("5f".parse::<Id<20>>(), Err(ParseIdError::Length { found: 2, expected: 40 }));
    assert_eq!("0g".parse::<Id<1>>(), Err(ParseIdError::Digit { at: 1 }));
    assert_eq!("é".parse::<Id<1>>(), Err(ParseIdError::Digit { at: 0 }));
}

#[test]
fn a_shared_prefix_counts_bits_across_bytes() {
    let a = Id::from([0b1010_1010, 0b1111_0000]);
    assert_eq!(a.shared_prefix(&Id::from([0b1010_1010, 0b1111_1000])), 12);
    assert_eq!(a.shared_prefix(&Id::from([0b0010_1010, 0b1111_0000])), 0);
    assert_eq!(a.shared_prefix(&a), 16);
}

#[test]
fn a_random_id_at_a_prefix_differs_in_the_next_bit_even_if_chance_agrees() {
    let own = Id::from([0xff_u8; 20]);
    for bits in 0..160 {
        assert_eq!(own.random_at_prefix(bits, constant(0xff)).shared_prefix(&own), bits);
        assert_eq!(own.random_at_prefix(bits, constant(0x00)).shared_prefix(&own), bits);
    }
    assert_eq!(own.random_at_prefix(160, constant(0)), own);
}

#[test]
fn a_distance_is_a_share_of_the_space() {
    let zero = Id::<20>::ZERO;
    assert_eq!(zero.distance(&zero).fraction(), 0.0);
    assert_eq!(zero.distance(&zero.with_bit(0, true)).fraction(), 0.5);
    assert_eq!(zero.distance(&zero.with_bit(10, true)).fraction(), 1.0 / 2048.0);
    assert_eq!(Distance::<20>::MAX.fraction(), 1.0);
}

#[test]
fn the_head_of_a_narrow_id_keeps_the_order() {
    assert!(Id::from([1_u8, 0]).head() > Id::from([0_u8, 0xff]).head());
    assert_eq!(Id::from([0xab_u8]).head(), 0xab00_0000_0000_0000);
}

proptest! {
    #[test]
    fn the_metric_is_symmetric_zero_only_for_equals_and_unidirectional(
        a: [u8; 20], b: [u8; 20], c: [u8; 20]
    ) {
        let (a, b, c) = (Id::from(a), Id::from(b), Id::from(c));
        prop_assert_eq!(a.distance(&b), b.distance(&a));
        prop_assert_eq!(a.distance(&b) == Distance::ZERO, a == b);
        prop_assert_eq!(a.distance(&b) == a.distance(&c), b == c);
        prop_assert_eq!(a.closer(&b, &c), a.distance(&b).cmp(&a.distance(&c)));
    }

    #[test]
    fn a_longer_shared_prefix_is_always_closer(a: [u8; 4], b: [u8; 4], c: [u8; 4]) {
        let (a, b, c) = (Id::from(a), Id::from(b), Id::from(c));
        if a.shared_prefix(&b) > a.shared_prefix(&c) {
            prop_assert!(a.distance(&b) < a.distance(&c));
        }
    }

    #[test]
    fn setting_a_bit_changes_that_bit_alone(a: [u8; 3], index in 0_usize..24, value: bool) {
        let a = Id::from(a);
        let changed = a.with_bit(index, value);
        for bit in 0..24 {
            prop_assert_eq!(changed.bit(bit), if bit == index { value } else { a.bit(bit) });
        }
    }

    #[test]
    fn a_prefix_is_kept_and_the_rest_is_random(own: [u8; 20], noise: [u8; 20], bits in 0_usize..=160) {
        let (own, noise) = (Id::from(own), Id::from(noise));
        let made = own.random_with_prefix(bits, |buffer| buffer.copy_from_slice(noise.as_bytes()));
        for bit in 0..160 {
            let source = if bit < bits { own } else { noise };
            prop_assert_eq!(made.bit(bit), source.bit(bit));
        }
    }
}
