//! Many texts at once: where three bytes stand that begin or mark one of them, without regard to ASCII case.
//!
//! The method is the one known as Teddy: for each of three neighbouring bytes, two tables of 16 entries say to which of
//! eight buckets the byte may belong; the buckets that all three agree on are candidates. What is reported is a
//! superset: the caller compares the texts of the bucket.

use crate::{
    block::{self, Block},
    tier::Tier,
    view::View,
};

/// Buckets of one table.
const BUCKETS: usize = 8;

/// Tables for fingerprints of three bytes in eight buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Teddy {
    low: [[u8; 16]; 3],
    high: [[u8; 16]; 3],
}

impl Teddy {
    /// Fingerprints with the bucket (below 8) of each. Their letters may be of either case.
    pub fn new(prints: impl IntoIterator<Item = ([u8; 3], usize)>) -> Self {
        let mut tables = Self::default();
        for (print, bucket) in prints {
            let bit = 1 << (bucket % BUCKETS);
            for (place, byte) in print.into_iter().enumerate() {
                let byte = byte | 0x20;
                tables.low[place][usize::from(byte & 15)] |= bit;
                tables.high[place][usize::from(byte >> 4)] |= bit;
            }
        }
        tables
    }

    /// The buckets that the three bytes may belong to.
    #[inline]
    fn buckets(&self, three: [u8; 3]) -> u8 {
        let bits = |place: usize, byte: u8| {
            let byte = byte | 0x20;
            self.low[place][usize::from(byte & 15)] & self.high[place][usize::from(byte >> 4)]
        };
        bits(0, three[0]) & bits(1, three[1]) & bits(2, three[2])
    }

    /// Calls `found` with every place whose three bytes are a candidate, and its buckets.
    #[inline]
    pub fn scan(&self, within: View<'_>, found: impl FnMut(usize, u8)) {
        self.scan_as(within, found, Tier::best());
    }

    /// The same by the instructions of `tier`, or the best below it that there is.
    pub fn scan_as(&self, within: View<'_>, found: impl FnMut(usize, u8), tier: Tier) {
        match tier.available() {
            // SAFETY: the tier was found on this processor.
            #[cfg(target_arch = "x86_64")]
            Tier::Avx512 => unsafe { scan_avx512(self, within, found) },
            // SAFETY: the tier was found on this processor.
            #[cfg(target_arch = "x86_64")]
            Tier::Avx2 => unsafe { scan_avx2(self, within, found) },
            // SAFETY: plain code needs no instructions.
            _ => unsafe { scan_blocks::<block::Plain>(self, within, found) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi1,bmi2,popcnt,lzcnt,pclmulqdq")]
unsafe fn scan_avx512(tables: &Teddy, within: View<'_>, found: impl FnMut(usize, u8)) {
    // SAFETY: the instructions are enabled here.
    unsafe { scan_blocks::<block::Avx512>(tables, within, found) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt,pclmulqdq")]
unsafe fn scan_avx2(tables: &Teddy, within: View<'_>, found: impl FnMut(usize, u8)) {
    // SAFETY: the instructions are enabled here.
    unsafe { scan_blocks::<block::Avx2>(tables, within, found) }
}

/// # Safety
/// The instructions of `B`.
#[inline(always)]
unsafe fn scan_blocks<B: Block>(tables: &Teddy, within: View<'_>, mut found: impl FnMut(usize, u8)) {
    let Some(places) = within.len().checked_sub(2) else { return };
    let bytes = within.bytes();
    let mut at = 0;
    while at < places {
        // SAFETY: `at + 2 + 64` is below `len + AHEAD`.
        let mut hits = unsafe {
            let first = class::<B>(tables, within, at, 0);
            let second = class::<B>(tables, within, at, 1);
            first.and(second).and(class::<B>(tables, within, at, 2)).nonzero()
        };
        let left = places - at;
        if left < 64 {
            hits &= (1 << left) - 1;
        }
        while hits != 0 {
            let place = at + hits.trailing_zeros() as usize;
            hits &= hits - 1;
            if let Some(three) = bytes.get(place..).and_then(<[u8]>::first_chunk::<3>) {
                found(place, tables.buckets(*three));
            }
        }
        at += 64;
    }
}

/// The buckets that each of 64 bytes may belong to as the one at `place` of three.
///
/// # Safety
/// The instructions of `B`; `at + place + 64` is below `len + AHEAD`.
#[inline(always)]
unsafe fn class<B: Block>(tables: &Teddy, within: View<'_>, at: usize, place: usize) -> B {
    // SAFETY: the caller's promise.
    unsafe { B::load(within.pointer().add(at + place)).lowered().classes(&tables.low[place], &tables.high[place]) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::view::Padded;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn every_tier_reports_the_same_places_and_misses_no_text(
            hay in prop::collection::vec(prop::sample::select(&b"abcdABCD\\\"9\xff"[..]), 0..200),
            prints in prop::collection::vec((prop::array::uniform3(prop::sample::select(&b"abcdAB\\9"[..])), 0_usize..8), 0..12),
        ) {
            let tables = Teddy::new(prints.iter().copied());
            let mut padded = Padded::new();
            padded.fill(|bytes| bytes.extend_from_slice(&hay));
            let report = |tier| {
                let mut all = Vec::new();
                tables.scan_as(padded.view(), |place, buckets| all.push((place, buckets)), tier);
                all
            };
            let expected = report(Tier::Scalar);
            for tier in Tier::all() {
                prop_assert_eq!(report(tier), &expected[..], "{:?}", tier);
            }
            for (place, three) in hay.windows(3).enumerate() {
                for (print, bucket) in &prints {
                    if print.eq_ignore_ascii_case(three) {
                        prop_assert!(expected.iter().any(|(at, bits)| *at == place && bits >> bucket & 1 == 1));
                    }
                }
            }
        }
    }
}
