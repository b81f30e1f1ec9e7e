//! A small seeded mutator, so that the targets can be replayed on a stable toolchain.
//!
//! Separate from libFuzzer, which needs nightly: this one follows no coverage, it only shakes what it is given.

/// Makes new inputs out of known ones. The same seed makes the same inputs in the same order.
#[derive(Clone, Debug)]
pub struct Mutator {
    state: u64,
}

/// Bytes that decoders of text, bencode and DNS treat specially.
const TELLING: &[u8] =
    b"deil:0123456789-.@*_/?#\\\"();$\x00\x01\x0c\x3f\x40\x7f\x80\xc0\xff \t\r\n";

impl Mutator {
    /// A mutator that repeats itself for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed ^ 0x9e37_79b9_7f4a_7c15 }
    }

    /// A changed copy of one of `inputs`, at most `longest` bytes long; empty when there is none.
    pub fn input(&mut self, inputs: &[Vec<u8>], longest: usize) -> Vec<u8> {
        let Some(mut bytes) = self.choose(inputs).cloned() else { return Vec::new() };
        for _ in 0..=self.below(4) {
            self.change(&mut bytes, inputs);
        }
        bytes.truncate(longest);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, inputs: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        match self.below(8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, self.telling()),
            2 => {
                let end = (at + 1 + self.below(8)).min(bytes.len());
                bytes.drain(at.min(end)..end);
            }
            3 => {
                let end = (at + 1 + self.below(32)).min(bytes.len());
                let again = bytes.get(at..end).unwrap_or_default().to_vec();
                bytes.splice(at..at, again);
            }
            4 => {
                let other = self.choose(inputs).cloned().unwrap_or_default();
                let from = self.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend(other.get(from..).unwrap_or_default());
            }
            5 => {
                let bit = 1 << self.below(8);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= bit;
                }
            }
            6 => {
                let telling = self.telling();
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = telling;
                }
            }
            _ => {
                let random = self.next().to_le_bytes();
                for (byte, random) in bytes.iter_mut().skip(at).zip(random).take(1 + self.below(8))
                {
                    *byte = random;
                }
            }
        }
    }

    fn telling(&mut self) -> u8 {
        self.choose(TELLING).copied().unwrap_or(0)
    }

    fn choose<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let at = self.below(of.len().max(1));
        of.get(at)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or(0).checked_rem(bound).unwrap_or(0)
    }

    /// The next number of a xorshift generator with a multiplied output (Vigna, xorshift64*).
    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[cfg(test)]
mod tests {
    use super::Mutator;

    #[test]
    fn the_same_seed_makes_the_same_inputs() {
        let inputs = vec![
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe".to_vec(),
            b"i1e".to_vec(),
        ];
        let (mut one, mut two) = (Mutator::new(7), Mutator::new(7));
        let first: Vec<_> = (0..1000).map(|_| one.input(&inputs, 100)).collect();
        let second: Vec<_> = (0..1000).map(|_| two.input(&inputs, 100)).collect();
        assert_eq!(first, second);
        assert!(first.iter().all(|input| input.len() <= 100));
        assert!(
            first.iter().collect::<std::collections::BTreeSet<_>>().len() > 500,
            "it hardly changes anything"
        );
    }
}
