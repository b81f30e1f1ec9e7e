//! Keys as paths spell them, remembered.
//!
//! Separate because it is only about speed: to read a key means to check that it is a point of the curve, which costs as
//! much as everything else that an answer from memory takes. Each thread remembers the keys that it answered for last.

use std::cell::RefCell;

use mainstay_keys::PublicKey;

/// How many spellings a thread remembers: 88 KiB.
const SLOTS: usize = 1024;
/// How many characters a key has, written as programs do.
const CHARACTERS: usize = 52;

#[derive(Clone, Copy, Debug)]
struct Known {
    text: [u8; CHARACTERS],
    key: PublicKey,
}

thread_local! {
    /// Each spelling has one slot, which it shares with others; the last that was noted stands there.
    static KNOWN: RefCell<Vec<Option<Known>>> = const { RefCell::new(Vec::new()) };
}

/// The key of this spelling, if it was noted and nothing has taken its place.
pub(crate) fn recall(text: &str) -> Option<PublicKey> {
    let text: &[u8; CHARACTERS] = text.as_bytes().try_into().ok()?;
    KNOWN.with_borrow(|known| {
        let known = known.get(slot(text))?.as_ref()?;
        (known.text == *text).then_some(known.key)
    })
}

/// Remembers what a spelling was read as. To be called for keys that there is something of: those that strangers make
/// up would push them out.
pub(crate) fn note(text: &str, key: PublicKey) {
    let Ok(text) = <[u8; CHARACTERS]>::try_from(text.as_bytes()) else { return };
    KNOWN.with_borrow_mut(|known| {
        if known.is_empty() {
            known.resize(SLOTS, None);
        }
        if let Some(slot) = known.get_mut(slot(&text)) {
            *slot = Some(Known { text, key });
        }
    });
}

/// Whoever looks for neighbours of a key only takes its slot, and so a few microseconds, from it.
fn slot(text: &[u8; CHARACTERS]) -> usize {
    let [a, b, c, d, e, f, g, h, ..] = *text;
    // The golden ratio spreads what differs in few bits over the upper ones.
    let mixed = u64::from_le_bytes([a, b, c, d, e, f, g, h]).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> 32).unwrap_or(0) % SLOTS
}

#[cfg(test)]
mod tests {
    use mainstay_keys::Keypair;

    use super::*;

    #[test]
    fn a_spelling_gives_its_own_key_or_none() {
        let keys: Vec<_> = (0..4 * SLOTS).map(|_| Keypair::random().public_key()).collect();
        assert_eq!(recall(&keys[0].to_z32()), None);
        for key in &keys {
            note(&key.to_z32(), *key);
            assert_eq!(recall(&key.to_z32()), Some(*key));
        }
        let known = keys.iter().filter(|key| {
            let recalled = recall(&key.to_z32());
            assert!(recalled.is_none_or(|recalled| recalled == **key));
            recalled.is_some()
        });
        let known = known.count();
        assert!((SLOTS / 2..=SLOTS).contains(&known), "{known} of {SLOTS} slots are used");
    }

    #[test]
    fn spellings_that_programs_do_not_use_are_read_anew() {
        let key = Keypair::random().public_key();
        let uri = key.to_uri_string();
        note(&uri, key);
        assert_eq!(recall(&uri), None);
        note(&key.to_z32(), key);
        assert_eq!(recall(&key.to_z32().to_uppercase()), None);
    }
}
