//! Whether a line has the keys of one seen before, at the same places among its quotes and brackets.
//!
//! A stencil is learned from a line whose keys are known. It fits another line when that has as many quotes and brackets,
//! each bracket between the same two quotes, and the same bytes around the same quotes. Then every key of the first line
//! is a key of the second, at the same number.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as arch;

use crate::{structure::Structure, tier::Tier, view::View};

/// Bytes that one comparison covers.
const WIDTH: usize = 16;

/// Bytes that must stand at a quote.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    wanted: [u8; WIDTH],
    /// Number of the quote.
    quote: u32,
    /// From the byte before the quote.
    skip: u16,
    /// Bit `i` is set where byte `i` counts.
    mask: u16,
}

/// A bracket and the number of quotes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bracket {
    quotes: u32,
    byte: u8,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stencil {
    quotes: usize,
    brackets: Vec<Bracket>,
    pieces: Vec<Piece>,
}

impl Stencil {
    /// With as many quotes as `line` has, and its brackets.
    pub fn new(line: View<'_>, structure: &Structure) -> Self {
        let quotes = structure.quotes();
        let bracket = |at: &u32| {
            let before = quotes.partition_point(|quote| quote < at);
            let byte = line.bytes().get(*at as usize).copied().unwrap_or_default();
            Bracket { quotes: u32::try_from(before).unwrap_or(u32::MAX), byte }
        };
        Self { quotes: quotes.len(), brackets: structure.brackets().iter().map(bracket).collect(), pieces: Vec::new() }
    }

    /// Wants these bytes around a quote; the first of them stands before it.
    pub fn want(&mut self, quote: u32, bytes: &[u8]) {
        for (number, part) in bytes.chunks(WIDTH).enumerate() {
            let mut wanted = [0; WIDTH];
            wanted[..part.len()].copy_from_slice(part);
            let mask = u16::try_from((1_u64 << part.len()) - 1).unwrap_or(u16::MAX);
            // A piece so far behind its quote that its place cannot be told never fits.
            let Ok(skip) = u16::try_from(number * WIDTH) else { return self.quotes = usize::MAX };
            self.pieces.push(Piece { wanted, quote, skip, mask });
        }
    }

    /// Bytes that this stencil takes in memory.
    pub fn size(&self) -> usize {
        self.pieces.len() * size_of::<Piece>() + self.brackets.len() * size_of::<Bracket>() + size_of::<Self>()
    }

    /// `structure` is the line's own.
    #[inline]
    pub fn fits(&self, line: View<'_>, structure: &Structure) -> bool {
        self.fits_as(line, structure, Tier::best())
    }

    /// The same by the instructions of `tier`, or the best below it that there is.
    pub fn fits_as(&self, line: View<'_>, structure: &Structure, tier: Tier) -> bool {
        if structure.quotes().len() != self.quotes || structure.brackets().len() != self.brackets.len() {
            return false;
        }
        let pieces = match tier.available() {
            // SAFETY: the tier was found on this processor.
            #[cfg(target_arch = "x86_64")]
            Tier::Avx512 => unsafe { pieces_avx512(&self.pieces, line, structure.quotes()) },
            // SAFETY: the tier was found on this processor.
            #[cfg(target_arch = "x86_64")]
            Tier::Avx2 => unsafe { pieces_avx2(&self.pieces, line, structure.quotes()) },
            _ => self.pieces.iter().all(|piece| {
                place(piece, line, structure.quotes()).is_some_and(|at| {
                    let have = line.bytes().get(at..).unwrap_or_default();
                    let bits = (0..WIDTH).filter(|bit| piece.mask >> bit & 1 == 1);
                    bits.into_iter().all(|bit| have.get(bit) == Some(&piece.wanted[bit]))
                })
            }),
        };
        pieces && self.brackets_fit(line, structure)
    }

    fn brackets_fit(&self, line: View<'_>, structure: &Structure) -> bool {
        let (quotes, bytes) = (structure.quotes(), line.bytes());
        let mut fits = true;
        for (wanted, at) in self.brackets.iter().zip(structure.brackets()) {
            let number = wanted.quotes as usize;
            let after = number == 0 || quotes.get(number - 1).is_some_and(|quote| quote < at);
            let before = quotes.get(number).is_none_or(|quote| quote > at);
            fits &= after & before & (bytes.get(*at as usize) == Some(&wanted.byte));
        }
        fits
    }
}

/// Where the bytes of a piece begin: inside the line, so that a load stays in the room behind it.
#[inline(always)]
fn place(piece: &Piece, line: View<'_>, quotes: &[u32]) -> Option<usize> {
    let quote = *quotes.get(piece.quote as usize)? as usize;
    let at = (quote + piece.skip as usize).checked_sub(1)?;
    (at < line.len()).then_some(at)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi1,bmi2,popcnt,lzcnt,pclmulqdq")]
unsafe fn pieces_avx512(pieces: &[Piece], line: View<'_>, quotes: &[u32]) -> bool {
    for few in pieces.chunks(8) {
        let (mut differing, mut cut) = (0, false);
        for piece in few {
            let Some(at) = place(piece, line, quotes) else { return false };
            // SAFETY: `at < len`, and `AHEAD` is more than the width. What counts of it may lie behind the line's end only
            // where the line is another than the stencil's; then the line's own quotes stand elsewhere or bytes differ.
            differing |= unsafe {
                let have = arch::_mm_loadu_si128(line.pointer().add(at).cast());
                let wanted = arch::_mm_loadu_si128(piece.wanted.as_ptr().cast());
                arch::_mm_mask_cmpneq_epi8_mask(piece.mask, have, wanted)
            };
            cut |= outside(piece, line, at);
        }
        if differing != 0 || cut {
            return false;
        }
    }
    true
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt,pclmulqdq")]
unsafe fn pieces_avx2(pieces: &[Piece], line: View<'_>, quotes: &[u32]) -> bool {
    for few in pieces.chunks(8) {
        let (mut differing, mut cut) = (0, false);
        for piece in few {
            let Some(at) = place(piece, line, quotes) else { return false };
            // SAFETY: `at < len`, and `AHEAD` is more than the width.
            let same = unsafe {
                let have = arch::_mm_loadu_si128(line.pointer().add(at).cast());
                let wanted = arch::_mm_loadu_si128(piece.wanted.as_ptr().cast());
                arch::_mm_movemask_epi8(arch::_mm_cmpeq_epi8(have, wanted)).cast_unsigned()
            };
            differing |= u32::from(piece.mask) & !same;
            cut |= outside(piece, line, at);
        }
        if differing != 0 || cut {
            return false;
        }
    }
    true
}

/// Not zero where a byte that counts lies behind the end of the line.
#[inline(always)]
fn outside(piece: &Piece, line: View<'_>, at: usize) -> bool {
    let count = WIDTH - piece.mask.leading_zeros() as usize;
    at + count > line.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::view::Padded;

    fn with<T>(line: &[u8], look: impl FnOnce(View<'_>, &Structure) -> T) -> T {
        let (mut padded, mut structure) = (Padded::new(), Structure::new());
        padded.fill(|bytes| bytes.extend_from_slice(line));
        structure.read(padded.view());
        look(padded.view(), &structure)
    }

    fn stencil() -> Stencil {
        with(br#"{"one":"x","a key that is longer than one piece":[1]}"#, |line, structure| {
            let mut stencil = Stencil::new(line, structure);
            stencil.want(0, br#"{"one":""#);
            stencil.want(4, br#","a key that is longer than one piece":["#);
            stencil
        })
    }

    #[test]
    fn other_values_fit_and_other_keys_brackets_or_counts_do_not() {
        let table: [(&[u8], bool); 8] = [
            (br#"{"one":"y and more","a key that is longer than one piece":[1,2]}"#, true),
            (br#"{"one":"","a key that is longer than one piece":[]}"#, true),
            (br#"{"two":"y","a key that is longer than one piece":[1]}"#, false),
            (br#"{"one":"y","a key that is longer than one piecE":[1]}"#, false),
            (br#"{"one":"y","a key that is longer than one piece":{1}}"#, false),
            (br#"{"one":"y","a key that is longer than one piece":1}[]"#, false),
            (br#"{"one":1,"x":"a key that is longer than one piece":[1]}"#, false),
            (br#"{"one":"y","a key that is longer than one piece":["1"]}"#, false),
        ];
        for (line, expected) in table {
            for tier in Tier::all() {
                let fits = with(line, |line, structure| stencil().fits_as(line, structure, tier));
                assert_eq!(fits, expected, "{tier:?} {}", String::from_utf8_lossy(line));
            }
        }
    }

    proptest! {
        #[test]
        fn every_tier_says_the_same(
            line in prop::collection::vec(prop::sample::select(&b"\"\"{}a:,"[..]), 0..60),
            other in prop::collection::vec(prop::sample::select(&b"\"\"{}a:,"[..]), 0..60),
            quote in 0_u32..6, wanted in prop::collection::vec(prop::sample::select(&b"\"{}a:,"[..]), 1..40),
        ) {
            let mut stencil = with(&line, Stencil::new);
            let bytes = with(&line, |line, structure| {
                let at = structure.quotes().get(quote as usize).map_or(0, |at| *at as usize);
                line.bytes().get(at.saturating_sub(1)..).unwrap_or_default().to_vec()
            });
            stencil.want(quote, if wanted.len() % 2 == 0 { &wanted } else { &bytes });
            for line in [&line, &other] {
                let expected = with(line, |line, structure| stencil.fits_as(line, structure, Tier::Scalar));
                for tier in Tier::all() {
                    prop_assert_eq!(with(line, |l, s| stencil.fits_as(l, s, tier)), expected, "{:?}", tier);
                }
            }
        }
    }
}
