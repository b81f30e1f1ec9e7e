//! Properties of reading and writing on inputs that nobody thought of; bendy is the oracle.

mod generate;
mod oracle;

use proptest::prelude::*;

use self::generate::{Parts, bencoded, bencodish, mutate, mutations, parts};
use crate::bencode::{Cursor, check};
use crate::{Message, Response, canonical};

fn encode(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

/// Whether bendy takes `bytes` for one canonical value, however large.
fn bendy_accepts(bytes: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut values = 0;
    for token in bendy::decoding::Decoder::new(bytes).tokens() {
        match token {
            Ok(bendy::state_tracker::Token::List | bendy::state_tracker::Token::Dict) => depth += 1,
            Ok(bendy::state_tracker::Token::End) => depth -= 1,
            Ok(_) => {}
            Err(_) => return false,
        }
        values += usize::from(depth == 0);
    }
    depth == 0 && values == 1
}

/// Looks at everything that a message holds lazily.
fn exhaust(message: &Message<'_>) {
    if let crate::Body::Response(response) = message.body {
        let Response { nodes, nodes6, values, samples, .. } = response;
        let count = nodes.iter().count() + nodes6.iter().count();
        let count = count + values.iter().count() + samples.iter().count();
        assert!(count <= crate::MAX_MESSAGE);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_written_is_canonical_and_read_as_it_was_meant(parts in parts()) {
        let message = parts.message();
        let datagram = encode(&message);
        prop_assert!(bendy_accepts(&datagram), "{}", datagram.escape_ascii());
        prop_assert_eq!(Message::decode(&datagram), Ok(message));
    }

    #[test]
    fn what_bendy_takes_for_a_message_we_take_for_the_same(parts in parts()) {
        let datagram = encode(&parts.message());
        let expected = oracle::read(&datagram);
        prop_assert!(expected.is_some(), "{}", datagram.escape_ascii());
        prop_assert_eq!(Message::decode(&datagram).ok(), expected);
    }

    #[test]
    fn what_bendy_takes_for_a_mutated_message_we_take_for_the_same(
        parts in parts(),
        mutations in mutations(),
    ) {
        let mut datagram = encode(&parts.message());
        mutate(&mut datagram, &mutations);
        if let Some(expected) = oracle::read(&datagram) {
            prop_assert_eq!(Message::decode(&datagram), Ok(expected));
        }
    }

    #[test]
    fn what_bendy_takes_for_a_message_of_random_entries_we_take_for_the_same(
        datagram in generate::krpcish(),
    ) {
        prop_assert!(bendy_accepts(&datagram));
        if let Some(expected) = oracle::read(&datagram) {
            prop_assert_eq!(Message::decode(&datagram), Ok(expected));
        }
    }

    #[test]
    fn what_is_read_of_a_mutated_message_is_written_as_the_same_message(
        parts in parts(),
        mutations in mutations(),
    ) {
        let mut datagram = encode(&parts.message());
        mutate(&mut datagram, &mutations);
        if let Ok(message) = Message::decode(&datagram) {
            exhaust(&message);
            let written = encode(&message);
            prop_assert_eq!(Message::decode(&written), Ok(message));
        }
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let dictionary = [b"d", &bytes[..]].concat();
        for datagram in [bytes, dictionary] {
            match Message::decode(&datagram) {
                Ok(message) => exhaust(&message),
                Err(error) => drop(error.reply().map(|reply| encode(&reply))),
            }
        }
    }

    #[test]
    fn our_judge_and_bendy_agree_on_trees(value in bencoded(), mutations in mutations()) {
        prop_assert_eq!(check(&value), canonical::check(&value));
        let mut mutated = value;
        mutate(&mut mutated, &mutations);
        prop_assert_eq!(check(&mutated).is_ok(), canonical::check(&mutated).is_ok());
    }

    #[test]
    fn our_judge_and_bendy_agree_on_what_looks_like_bencode(bytes in bencodish()) {
        prop_assert_eq!(check(&bytes).is_ok(), canonical::check(&bytes).is_ok());
    }

    #[test]
    fn the_tolerant_reader_passes_over_whatever_bendy_accepts(
        value in bencoded(),
        tail in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let bytes = [&value[..], &tail].concat();
        let mut cursor = Cursor::new(&bytes);
        prop_assert_eq!(cursor.span(0), Ok(&value[..]));
        prop_assert_eq!(cursor.rest(), &tail[..]);
    }
}

#[test]
fn the_oracle_takes_nothing_that_is_not_canonical() {
    let ping = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";
    assert!(oracle::read(ping).is_some());
    let unsorted = b"d1:q4:ping1:ad2:id20:abcdefghij0123456789e1:t2:aa1:y1:qe";
    assert!(oracle::read(unsorted).is_none() && Message::decode(unsorted).is_ok());
    let _: fn(&Parts) -> Message<'_> = Parts::message;
}

#[test]
fn what_may_be_stored_is_as_deep_as_a_message_can_carry_and_no_deeper() {
    let read = |depth: usize| {
        let value = [vec![b'l'; depth], vec![b'e'; depth]].concat();
        let head = &b"d1:rd2:id20:aaaaaaaaaaaaaaaaaaaa1:v"[..];
        let datagram = [head, &value, b"e1:t2:aa1:y1:re"].concat();
        let message = Message::decode(&datagram).ok()?;
        let crate::Body::Response(response) = message.body else { return None };
        Some(response.value? == value)
    };
    assert_eq!(read(crate::item::MAX_VALUE_DEPTH), Some(true));
    assert_eq!(read(crate::item::MAX_VALUE_DEPTH + 1), None);
}
