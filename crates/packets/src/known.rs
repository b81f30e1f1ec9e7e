//! Packets that were verified before, a fingerprint of each: who reads the same bytes again need not verify them again.
//!
//! Separate because this is a proof of its own kind: not that a key has signed these bytes, but that somebody in this
//! process has checked that it did.

use std::fmt;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mainstay_keys::PublicKey;
use siphasher::sip128::SipHasher24;

use crate::SignedPacket;

/// How many parts have a lock each.
const PARTS: usize = 16;
/// How many slots a part has at first.
const FIRST_SLOTS: usize = 64;
/// In how many slots a fingerprint may be: so many that in a memory that is full few find all of them taken.
const WAYS: usize = 16;

/// A bounded memory of packets that were verified, for caches that lie outside of this process's memory.
///
/// Of a packet it keeps 24 bytes: which key it is of, and a keyed hash (SipHash-2-4, 128 bits) of all its bytes. Bytes
/// that are read back and have the same hash are the packet that was verified: whoever can change them, but does not
/// know the secret, has one chance in 2^128. Recognising a packet takes a twentieth of the time of verifying it.
///
/// Threads share it; each call takes one of sixteen locks for some nanoseconds.
///
/// ```
/// use mainstay_keys::Keypair;
/// use mainstay_packets::{KnownPackets, SignedPacket};
///
/// // Sixteen bytes of chance.
/// # let secret = [7; 16];
/// let known = KnownPackets::new(1000, &secret);
/// let keypair = Keypair::random();
/// let packet = SignedPacket::builder().sign(&keypair)?;
/// known.note(&packet);
///
/// let read_back = packet.as_bytes().to_vec();
/// assert_eq!(known.recognise(&keypair.public_key(), &read_back), Some(packet));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KnownPackets {
    /// Has the secret.
    hasher: SipHasher24,
    parts: [Mutex<Part>; PARTS],
    /// The most slots of a part.
    most: usize,
}

/// Slots, each as near to where its name belongs as there was room.
#[derive(Default)]
struct Part(Vec<Slot>);

/// The name of a key, 0 if there is none, and the hash of its packet.
type Slot = [u64; 3];

impl KnownPackets {
    /// A memory of about so many packets, one of each key; 0 for none.
    ///
    /// The secret must be random, and unknown to whoever can write where the packets are kept. It takes 24 to 60 bytes a
    /// packet as they come, 30 once it is full.
    #[must_use]
    pub fn new(packets: usize, secret: &[u8; 16]) -> Self {
        let most = packets.div_ceil(PARTS);
        let most = if most == 0 { 0 } else { most.saturating_add(most / 4).max(WAYS) };
        Self { hasher: SipHasher24::new_with_key(secret), parts: Default::default(), most }
    }

    /// Notes a packet, instead of the one of its key that was noted before. Where there is no room, another key's is
    /// forgotten.
    pub fn note(&self, packet: &SignedPacket) {
        if self.most > 0 {
            let name = self.name(&packet.public_key());
            self.part(name).put(self.slot(name, packet.as_bytes()), self.most);
        }
    }

    /// Whether a packet of this key was noted, and not forgotten since.
    #[must_use]
    pub fn knows(&self, key: &PublicKey) -> bool {
        let name = self.name(key);
        self.part(name).find(name).is_some()
    }

    /// The packet that these bytes are, if it is the one of this key that was noted last. Checks no signature.
    #[must_use]
    pub fn recognise(&self, key: &PublicKey, bytes: &[u8]) -> Option<SignedPacket> {
        let name = self.name(key);
        let noted = self.part(name).find(name)?;
        if noted == self.slot(name, bytes) { SignedPacket::of_known(*key, bytes) } else { None }
    }

    /// What stands for a key here.
    fn name(&self, key: &PublicKey) -> u64 {
        self.hasher.hash(key.as_bytes()).h1.max(1)
    }

    fn slot(&self, name: u64, bytes: &[u8]) -> Slot {
        let hash = self.hasher.hash(bytes);
        [name, hash.h1, hash.h2]
    }

    fn part(&self, name: u64) -> MutexGuard<'_, Part> {
        let [.., low] = name.to_be_bytes();
        let [first, ..] = &self.parts;
        let part = self.parts.get(usize::from(low) % PARTS).unwrap_or(first);
        part.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// Where a name may be.
    fn places(&self, name: u64) -> impl Iterator<Item = usize> + use<> {
        let length = self.0.len();
        // The upper half of the product: a number below the length, whatever that is.
        let scaled = u128::from(name).saturating_mul(length as u128) >> 64;
        let first = usize::try_from(scaled).unwrap_or_default();
        (0..WAYS.min(length))
            .map(move |step| first.wrapping_add(step).checked_rem(length).unwrap_or_default())
    }

    /// The first slot of these places that has this name.
    fn place_of(&self, name: u64, sought: u64) -> Option<usize> {
        self.places(name).find(|place| self.0.get(*place).is_some_and(|slot| slot[0] == sought))
    }

    fn find(&self, name: u64) -> Option<Slot> {
        self.place_of(name, name).and_then(|place| self.0.get(place)).copied()
    }

    fn put(&mut self, slot: Slot, most: usize) {
        let [name, _, chance] = slot;
        loop {
            let free = self.place_of(name, name).or_else(|| self.place_of(name, 0));
            if free.is_none() && self.grow(most) {
                continue;
            }
            let [.., step] = chance.to_be_bytes();
            let place = free.or_else(|| self.places(name).nth(usize::from(step) % WAYS));
            if let Some(there) = place.and_then(|place| self.0.get_mut(place)) {
                *there = slot;
            }
            return;
        }
    }

    /// Takes twice the room, if that is allowed.
    fn grow(&mut self, most: usize) -> bool {
        let length = self.0.len().saturating_mul(2).max(FIRST_SLOTS).min(most);
        if length <= self.0.len() {
            return false;
        }
        let slots = mem::replace(&mut self.0, vec![[0; 3]; length]);
        for slot in slots {
            let [name, ..] = slot;
            let free = self.place_of(name, 0).filter(|_| name != 0);
            if let Some(there) = free.and_then(|place| self.0.get_mut(place)) {
                *there = slot;
            }
        }
        true
    }
}

impl fmt::Debug for KnownPackets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownPackets").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
