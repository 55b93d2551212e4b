//! A keyed hash of 64 bits for the table of indicators. The key is made anew for each table, so nobody can write a list
//! or an event that makes look-ups slow; what a hit is worth is decided on the text, never on the hash.

#![expect(clippy::arithmetic_side_effects, reason = "the arithmetic wraps by design or is on lengths of slices")]

use super::IndicatorKind;

/// Two words of randomness.
#[derive(Debug, Clone, Copy)]
pub struct HashKey(pub [u64; 2]);

const SECRET: [u64; 3] = [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3];

/// The halves of a product of 128 bits, folded.
#[inline]
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    let low = u64::try_from(product & u128::from(u64::MAX)).unwrap_or(0);
    let high = u64::try_from(product >> 64).unwrap_or(0);
    low ^ high
}

/// The first eight bytes, or all where there are fewer, as a number.
#[inline]
fn word(bytes: &[u8]) -> u64 {
    if let Some(eight) = bytes.first_chunk::<8>() {
        return u64::from_le_bytes(*eight);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32;
    }
    bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

impl HashKey {
    #[inline]
    pub(super) fn hash(self, kind: IndicatorKind, bytes: &[u8]) -> u64 {
        self.finish(self.add(self.begin(kind), bytes), bytes.len())
    }

    /// A state that [`add`](Self::add) goes on from: domains are hashed label by label.
    #[inline]
    pub(super) fn begin(self, kind: IndicatorKind) -> u64 {
        let Self([one, _]) = self;
        one ^ u64::from(kind.code()).wrapping_mul(SECRET[2])
    }

    #[inline]
    pub(super) fn add(self, state: u64, bytes: &[u8]) -> u64 {
        let Self([_, key]) = self;
        let mut state = state;
        let mut rest = bytes;
        while let Some((head, tail)) = rest.split_first_chunk::<16>() {
            if tail.is_empty() {
                break;
            }
            state = fold(word(head) ^ SECRET[0] ^ key, word(&head[8..]) ^ state);
            rest = tail;
        }
        let (head, tail) = rest.split_at(rest.len().min(8));
        fold(word(head) ^ SECRET[1] ^ key, word(tail) ^ state ^ SECRET[0].wrapping_add(widen(bytes.len())))
    }

    /// The hash of a state after `length` bytes.
    #[inline]
    pub(super) fn finish(self, state: u64, length: usize) -> u64 {
        let Self([one, two]) = self;
        fold(state ^ SECRET[2] ^ two, one.wrapping_add(widen(length)) ^ SECRET[1])
    }

    /// A domain: its labels from the last to the first, so that all domains above it come on the way. `seen` gets the start
    /// of each and the state that [`finish`](Self::finish) makes its hash of, the shortest first.
    #[inline]
    pub(super) fn labels(self, name: &[u8], mut seen: impl FnMut(usize, u64)) {
        let mut state = self.begin(IndicatorKind::Domain);
        let mut end = name.len();
        loop {
            let before = name.get(..end).unwrap_or_default();
            let start = before.iter().rposition(|byte| *byte == b'.').map_or(0, |dot| dot + 1);
            state = self.add(state, before.get(start..).unwrap_or_default());
            seen(start, state);
            if start == 0 {
                return;
            }
            end = start - 1;
        }
    }

    /// The hash of a whole domain, and how many labels it has.
    #[inline]
    pub(super) fn domain(self, name: &[u8]) -> (u64, u32) {
        let (mut last, mut labels) = (0, 0);
        self.labels(name, |_, state| (last, labels) = (state, labels + 1));
        (self.finish(last, name.len()), labels)
    }
}

fn widen(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const KEY: HashKey = HashKey([1, 2]);

    #[test]
    fn texts_that_differ_in_anything_differ_in_their_hash() {
        let mut seen = HashSet::new();
        for length in 0..100_usize {
            for byte in [0_u8, 1, b'a'] {
                for kind in IndicatorKind::ALL {
                    let text = vec![byte; length];
                    let hash = if kind == IndicatorKind::Domain { KEY.domain(&text).0 } else { KEY.hash(kind, &text) };
                    seen.insert(hash);
                }
            }
        }
        // Of no bytes there is one text, not three.
        assert_eq!(seen.len(), 99 * 3 * IndicatorKind::ALL.len() + IndicatorKind::ALL.len());
        assert_ne!(KEY.domain(b"a.bc"), KEY.domain(b"ab.c"));
        assert_ne!(KEY.domain(b"evil.example"), HashKey([3, 4]).domain(b"evil.example"));
    }

    #[test]
    fn a_domain_gives_the_hashes_of_all_above_it() {
        let mut seen = Vec::new();
        let name = b"a.b.example";
        KEY.labels(name, |start, state| seen.push((start, KEY.finish(state, name.len() - start))));
        let hash = |name: &[u8]| KEY.domain(name).0;
        assert_eq!(seen, [(4, hash(b"example")), (2, hash(b"b.example")), (0, hash(b"a.b.example"))]);
        assert_eq!(KEY.domain(name).1, 3);
    }
}
