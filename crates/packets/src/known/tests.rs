//! What is recognised, what is not, and what room that takes.
//!
//! Separate because the limits of a memory show only when it is full.

use mainstay_keys::Keypair;

use super::{KnownPackets, PARTS};
use crate::SignedPacket;

const SECRET: [u8; 16] = *b"sixteen of chanc";

fn packet(number: u64, timestamp: u64) -> SignedPacket {
    let mut secret = [5; 32];
    secret[..8].copy_from_slice(&number.to_be_bytes());
    let text = "a text".try_into().unwrap();
    let packet = SignedPacket::builder().txt("@".try_into().unwrap(), text, 300);
    packet.timestamp(timestamp.into()).sign(&Keypair::from_secret_key(&secret)).unwrap()
}

fn is_known(known: &KnownPackets, packet: &SignedPacket) -> bool {
    let found = known.recognise(&packet.public_key(), packet.as_bytes());
    assert!(found.as_ref().is_none_or(|found| found == packet));
    found.is_some()
}

#[test]
fn what_was_noted_is_recognised_as_the_same_packet() {
    let known = KnownPackets::new(10, &SECRET);
    let packet = packet(1, 7);
    assert!(!is_known(&known, &packet) && !known.knows(&packet.public_key()));
    known.note(&packet);
    let found = known.recognise(&packet.public_key(), packet.as_bytes()).unwrap();
    assert_eq!((found.timestamp(), found.signature()), (packet.timestamp(), packet.signature()));
    assert_eq!(found.resource_records("@").count(), 1);
    assert!(known.knows(&packet.public_key()));
}

#[test]
fn no_change_of_a_bit_and_no_other_length_is_recognised() {
    let known = KnownPackets::new(10, &SECRET);
    let packet = packet(1, 7);
    known.note(&packet);
    let key = packet.public_key();
    let mut bytes = packet.as_bytes().to_vec();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(known.recognise(&key, &bytes).is_none(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    for length in 0..bytes.len() {
        assert!(known.recognise(&key, &bytes[..length]).is_none(), "{length} bytes");
    }
    bytes.push(0);
    assert!(known.recognise(&key, &bytes).is_none());
}

#[test]
fn a_packet_is_recognised_under_its_own_key_and_secret_only() {
    let known = KnownPackets::new(10, &SECRET);
    let (one, other) = (packet(1, 7), packet(2, 7));
    known.note(&one);
    known.note(&other);
    assert!(known.recognise(&other.public_key(), one.as_bytes()).is_none());
    let elsewhere = KnownPackets::new(10, b"another sixteen.");
    elsewhere.note(&packet(1, 8));
    assert!(!is_known(&elsewhere, &one));
    assert_ne!(
        known.slot(1, one.as_bytes()),
        elsewhere.slot(1, one.as_bytes()),
        "a hash without the secret can be computed by anybody"
    );
}

#[test]
fn the_packet_noted_last_stands_for_its_key() {
    let known = KnownPackets::new(10, &SECRET);
    let (old, new) = (packet(1, 7), packet(1, 8));
    known.note(&old);
    known.note(&new);
    assert!(is_known(&known, &new) && !is_known(&known, &old));
}

#[test]
fn it_keeps_as_many_as_it_was_told_to_and_grows_no_further() {
    let known = KnownPackets::new(1600, &SECRET);
    let all: Vec<_> = (0..4000).map(|number| packet(number, 7)).collect();
    all[..1600].iter().for_each(|packet| known.note(packet));
    let kept = all[..1600].iter().filter(|packet| is_known(&known, packet)).count();
    assert!(kept > 1550, "{kept} of 1600");
    all[1600..].iter().for_each(|packet| known.note(packet));
    assert!(is_known(&known, &all[3999]), "the last one was not noted");
    let slots = known.parts.iter().map(|part| part.lock().unwrap().0.len());
    assert!(slots.sum::<usize>() <= 1600 + 400 + PARTS * 2);
}

#[test]
fn a_memory_of_nothing_knows_nothing_and_few_packets_take_little() {
    let nothing = KnownPackets::new(0, &SECRET);
    nothing.note(&packet(1, 7));
    assert!(!is_known(&nothing, &packet(1, 7)));
    let large = KnownPackets::new(usize::MAX, &SECRET);
    large.note(&packet(1, 7));
    assert!(is_known(&large, &packet(1, 7)));
    let slots = large.parts.iter().map(|part| part.lock().unwrap().0.len());
    assert_eq!(slots.sum::<usize>(), super::FIRST_SLOTS);
}

#[test]
fn what_it_is_printed_as_does_not_tell_the_secret() {
    let printed = format!("{:?}", KnownPackets::new(10, &SECRET));
    assert_eq!(printed, "KnownPackets { .. }");
}
