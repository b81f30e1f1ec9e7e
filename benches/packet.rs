//! Signed packets: what verifying, signing, cloning and looking up cost, in time and allocations.
//!
//! Separate from the codec, because here the signature is the floor: `verify_signature` and `sign_message` are the same
//! work without a packet, and every figure is to be read as a ratio to them.
//!
//! `cargo bench -p mainstay-benches --bench packet`
#![allow(missing_docs, reason = "a bench has no readers but its table")]

use bytes::Bytes;
use divan::{AllocProfiler, Bencher, black_box};
use mainstay_keys::Keypair;
use mainstay_packets::{SignedPacket, SignedPacketBuilder};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

/// A small zone, and one that nearly fills a packet.
const RECORDS: [usize; 2] = [2, 25];

fn main() {
    divan::main();
}

#[divan::bench(args = RECORDS)]
fn verify_signature(bencher: Bencher<'_, '_>, records: usize) {
    let message = packet(records).encoded_packet().to_vec();
    let signature = keypair().sign(&message);
    let key = keypair().public_key();
    bencher.bench(|| black_box(&key).verify(black_box(&message), black_box(&signature)));
}

#[divan::bench(args = RECORDS)]
fn verify_and_parse(bencher: Bencher<'_, '_>, records: usize) {
    let packet = packet(records);
    let (key, payload) = (packet.public_key(), packet.to_relay_payload());
    bencher.bench(|| SignedPacket::from_relay_payload(black_box(&key), black_box(&payload)));
}

#[divan::bench(args = RECORDS)]
fn sign_message(bencher: Bencher<'_, '_>, records: usize) {
    let message = packet(records).encoded_packet().to_vec();
    let keypair = keypair();
    bencher.bench(|| black_box(&keypair).sign(black_box(&message)));
}

#[divan::bench(args = RECORDS)]
fn build_and_sign(bencher: Bencher<'_, '_>, records: usize) {
    let (builder, keypair) = (builder(records), keypair());
    bencher.bench(|| black_box(&builder).sign(black_box(&keypair)));
}

#[divan::bench(args = RECORDS)]
fn clone(bencher: Bencher<'_, '_>, records: usize) {
    let packet = packet(records);
    bencher.bench(|| black_box(&packet).clone());
}

#[divan::bench(args = RECORDS)]
fn public_key(bencher: Bencher<'_, '_>, records: usize) {
    let packet = packet(records);
    bencher.bench(|| black_box(&packet).public_key());
}

#[divan::bench(args = RECORDS)]
fn look_up_a_name(bencher: Bencher<'_, '_>, records: usize) {
    let packet = packet(records);
    bencher.bench(|| black_box(&packet).resource_records(black_box("n1")).count());
}

#[divan::bench(args = RECORDS)]
fn look_up_a_name_that_is_not_there(bencher: Bencher<'_, '_>, records: usize) {
    let packet = packet(records);
    bencher.bench(|| black_box(&packet).resource_records(black_box("none")).count());
}

#[divan::bench(args = RECORDS)]
fn copy_bytes(bencher: Bencher<'_, '_>, records: usize) {
    let bytes = packet(records).as_bytes().clone();
    bencher.bench(|| Bytes::copy_from_slice(black_box(&bytes)));
}

fn keypair() -> Keypair {
    Keypair::from_secret_key(&[7; 32])
}

fn packet(records: usize) -> SignedPacket {
    builder(records).sign(&keypair()).expect("the zone is small enough")
}

fn builder(records: usize) -> SignedPacketBuilder {
    let builder = SignedPacket::builder().timestamp(1_700_000_000_000_000.into());
    (0..records).fold(builder, |builder, number| {
        let owner = format!("n{number}").try_into().expect("a name");
        builder.a(owner, [192, 0, 2, 7].into(), 300)
    })
}
