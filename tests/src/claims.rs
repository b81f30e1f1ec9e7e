//! A packet that says more than its key can prove.
//!
//! Separate from the tests, because no builder of ours signs such a packet, and several have to leave out what it says.

use mainstay_keys::Keypair;
use mainstay_packets::dns::{
    CLASS, Name, Packet, ResourceRecord,
    rdata::{A, RData},
};
use mainstay_packets::{SignedPacket, Timestamp};

/// A packet with a record of the key's own, and one of a name that belongs to somebody else.
///
/// # Panics
/// Never: both names fit.
#[must_use]
pub fn with_a_claim(keypair: &Keypair) -> SignedPacket {
    let mut message = Packet::new_reply(0);
    let key = keypair.to_z32();
    for (name, address) in [(key.as_str(), 0xc000_0201), ("bank.example", 0xc000_0266)] {
        let data = RData::A(A { address });
        let record = ResourceRecord::new(Name::new_unchecked(name), CLASS::IN, 60, data);
        message.answers.push(record.into_owned());
    }
    let dns = message.build_bytes_vec().expect("a small message");
    let timestamp = Timestamp::now();
    let mut signable = format!("3:seqi{}e1:v{}:", timestamp.as_u64(), dns.len()).into_bytes();
    signable.extend_from_slice(&dns);
    let mut payload = keypair.sign(&signable).as_bytes().to_vec();
    payload.extend_from_slice(&timestamp.as_u64().to_be_bytes());
    payload.extend_from_slice(&dns);
    SignedPacket::from_relay_payload(&keypair.public_key(), &payload.into()).expect("it is signed")
}
