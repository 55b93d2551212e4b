//! A keyed hash of 64 bits for the table of indicators. The key is made anew for each table, so nobody can write a list
//! or an event that makes look-ups slow; what a hit is worth is decided on the text, never on the hash.

#![expect(clippy::arithmetic_side_effects, reason = "the arithmetic wraps by design or is on lengths of slices")]

use std::ops::Range;

use shieldops_vector::equal_bytes;

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

/// The last bytes before `end`, at most eight, as a number. It is one load and no loop where eight bytes stand there.
#[inline]
fn word(bytes: &[u8], end: usize, length: usize) -> u64 {
    let whole = end.checked_sub(8).and_then(|start| bytes.get(start..)).and_then(<[u8]>::first_chunk::<8>);
    if let Some(eight) = whole {
        let others = 64_u32.saturating_sub(8_u32.saturating_mul(u32::try_from(length).unwrap_or(8)));
        return u64::from_le_bytes(*eight).checked_shr(others).unwrap_or(0);
    }
    let own = bytes.get(end - length..end).unwrap_or_default();
    own.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

impl HashKey {
    /// Of what stands at a place among other bytes.
    #[inline]
    pub(super) fn hash(self, kind: IndicatorKind, bytes: &[u8], place: Range<usize>) -> u64 {
        let length = place.len();
        self.finish(self.add(self.begin(kind), bytes, place), length)
    }

    /// A state that [`add`](Self::add) goes on from: domains are hashed label by label.
    #[inline]
    fn begin(self, kind: IndicatorKind) -> u64 {
        let Self([one, _]) = self;
        one ^ u64::from(kind.code()).wrapping_mul(SECRET[2])
    }

    #[inline]
    fn add(self, state: u64, bytes: &[u8], place: Range<usize>) -> u64 {
        let Self([_, key]) = self;
        let (mut state, mut start, end, length) = (state, place.start, place.end, place.len());
        if length > 16 {
            (state, start) = self.add_sixteens(state, bytes, place);
        }
        let left = end - start;
        let (head, tail) = (left.min(8), left.saturating_sub(8));
        let (first, last) = (word(bytes, start + head, head), word(bytes, end, tail));
        fold(first ^ SECRET[1] ^ key, last ^ state ^ SECRET[0].wrapping_add(widen(length)))
    }

    /// All but the last bytes, at most 16, which begin at the place given back.
    fn add_sixteens(self, mut state: u64, bytes: &[u8], place: Range<usize>) -> (u64, usize) {
        let Self([_, key]) = self;
        let mut start = place.start;
        while place.end - start > 16 {
            state = fold(word(bytes, start + 8, 8) ^ SECRET[0] ^ key, word(bytes, start + 16, 8) ^ state);
            start += 16;
        }
        (state, start)
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
    pub(super) fn labels(self, bytes: &[u8], name: Range<usize>, mut seen: impl FnMut(usize, u64)) {
        let mut state = self.begin(IndicatorKind::Domain);
        let (mut end, mut before) = (name.end, name.end);
        while before > name.start {
            let window = before.saturating_sub(16);
            let own = name.start.saturating_sub(window);
            let mut dots = dots_between(bytes, window, before) >> own << own;
            while let Some(last) = dots.checked_ilog2() {
                dots ^= 1 << last;
                let dot = window + usize::try_from(last).unwrap_or(0);
                state = self.add(state, bytes, dot + 1..end);
                seen(dot + 1, state);
                end = dot;
            }
            before = window;
        }
        seen(name.start, self.add(state, bytes, name.start..end));
    }

    /// The hash of a whole domain, and how many labels it has.
    #[inline]
    pub(super) fn domain(self, bytes: &[u8], name: Range<usize>) -> (u64, u32) {
        let (mut last, mut labels, length) = (0, 0, name.len());
        self.labels(bytes, name, |_, state| (last, labels) = (state, labels + 1));
        (self.finish(last, length), labels)
    }
}

/// A bit for each dot in at most 16 bytes.
#[inline]
fn dots_between(bytes: &[u8], start: usize, end: usize) -> u16 {
    let window = bytes.get(start..end).unwrap_or_default();
    match window.first_chunk::<16>() {
        Some(window) => equal_bytes(window, b'.'),
        None => window.iter().rev().fold(0, |dots, byte| dots << 1 | u16::from(*byte == b'.')),
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

    fn domain(key: HashKey, name: &str) -> u64 {
        key.domain(name.as_bytes(), 0..name.len()).0
    }

    #[test]
    fn texts_that_differ_in_anything_differ_in_their_hash() {
        let mut seen = HashSet::new();
        for length in 0..100_usize {
            for byte in [0_u8, 1, b'a'] {
                for kind in IndicatorKind::ALL {
                    let text = vec![byte; length];
                    let own = if kind == IndicatorKind::Domain {
                        KEY.domain(&text, 0..length).0
                    } else {
                        KEY.hash(kind, &text, 0..length)
                    };
                    seen.insert(own);
                }
            }
        }
        // Of no bytes there is one text, not three.
        assert_eq!(seen.len(), 99 * 3 * IndicatorKind::ALL.len() + IndicatorKind::ALL.len());
        assert_ne!(domain(KEY, "a.bc"), domain(KEY, "ab.c"));
        assert_ne!(domain(KEY, "evil.example"), domain(HashKey([3, 4]), "evil.example"));
    }

    #[test]
    fn what_stands_around_a_text_does_not_change_its_hash() {
        for length in 0..70_usize {
            let text: Vec<u8> = (0..length).map(|at| if at % 9 == 8 { b'.' } else { b'a' }).collect();
            for before in [0, 1, 7, 8, 15, 16, 40] {
                let around = [vec![b'.'; before], text.clone(), vec![b'.'; 3]].concat();
                let place = before..before + length;
                assert_eq!(
                    KEY.hash(IndicatorKind::Url, &around, place.clone()),
                    KEY.hash(IndicatorKind::Url, &text, 0..length)
                );
                assert_eq!(KEY.domain(&around, place), KEY.domain(&text, 0..length), "{length} behind {before}");
            }
        }
    }

    #[test]
    fn a_domain_gives_the_hashes_of_all_above_it() {
        for name in ["a.b.example", "a", ".a", "..", "a.0123456789abcdef0123456789abcdef0123.b.example"] {
            let mut seen = Vec::new();
            KEY.labels(name.as_bytes(), 0..name.len(), |start, state| {
                seen.push((start, KEY.finish(state, name.len() - start)));
            });
            let mut above: Vec<usize> = name.match_indices('.').map(|(dot, _)| dot + 1).rev().collect();
            above.push(0);
            let expected: Vec<(usize, u64)> =
                above.into_iter().map(|start| (start, domain(KEY, name.get(start..).unwrap()))).collect();
            assert_eq!(seen, expected, "{name}");
        }
        assert_eq!(KEY.domain(b"a.b.example", 0..11).1, 3);
    }
}
