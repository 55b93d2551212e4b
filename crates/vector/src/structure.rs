//! Where the quotes and brackets of one JSON line stand, found 64 bytes at a time.
//!
//! A quote behind an odd run of backslashes is none; a bracket inside a string is none. Nothing is checked here: of a
//! line that is no JSON the positions are still those of its quotes and brackets, and the reader behind this decides.

use crate::{
    block::{self, Block},
    tier::Tier,
    view::View,
};

/// Room that one block may need.
const BLOCK: usize = 64;

/// The structure of one line; buffers are kept from line to line.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about the line")]
pub struct Structure {
    quotes: Vec<u32>,
    quote_count: usize,
    brackets: Vec<u32>,
    bracket_count: usize,
    /// Bytes outside ASCII.
    pub high: bool,
    /// A byte that may begin U+212A or U+0130, the two characters whose lower case holds an ASCII letter.
    pub folding: bool,
    /// Control characters as they are.
    pub control: bool,
    /// An escape other than `\" \\ \b \f \n \r \t`.
    pub odd_escape: bool,
    /// Backslashes at all.
    pub escapes: bool,
}

impl Default for Structure {
    fn default() -> Self {
        Self {
            quotes: vec![0; 4 * BLOCK],
            quote_count: 0,
            brackets: vec![0; 4 * BLOCK],
            bracket_count: 0,
            high: false,
            folding: false,
            control: false,
            odd_escape: false,
            escapes: false,
        }
    }
}

impl Structure {
    pub fn new() -> Self {
        Self::default()
    }

    /// Positions of the quotes, from the start of the line.
    #[inline]
    pub fn quotes(&self) -> &[u32] {
        self.quotes.get(..self.quote_count).unwrap_or_default()
    }

    /// Positions of brackets and braces outside strings.
    #[inline]
    pub fn brackets(&self) -> &[u32] {
        self.brackets.get(..self.bracket_count).unwrap_or_default()
    }

    /// Forgets the line before and reads this one.
    #[inline]
    pub fn read(&mut self, line: View<'_>) {
        self.read_as(line, Tier::best());
    }

    /// The same by the instructions of `tier`, or the best below it that there is.
    pub fn read_as(&mut self, line: View<'_>, tier: Tier) {
        self.quote_count = 0;
        self.bracket_count = 0;
        match tier.available() {
            // SAFETY: the tier was found on this processor.
            #[cfg(target_arch = "x86_64")]
            Tier::Avx512 => unsafe { read_avx512(self, line) },
            // SAFETY: the tier was found on this processor.
            #[cfg(target_arch = "x86_64")]
            Tier::Avx2 => unsafe { read_avx2(self, line) },
            // SAFETY: plain code needs no instructions.
            _ => unsafe { read_blocks::<block::Plain>(self, line) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi1,bmi2,popcnt,lzcnt,pclmulqdq")]
unsafe fn read_avx512(into: &mut Structure, line: View<'_>) {
    // SAFETY: the instructions are enabled here.
    unsafe { read_blocks::<block::Avx512>(into, line) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt,pclmulqdq")]
unsafe fn read_avx2(into: &mut Structure, line: View<'_>) {
    // SAFETY: the instructions are enabled here.
    unsafe { read_blocks::<block::Avx2>(into, line) }
}

/// # Safety
/// The instructions of `B`.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a view is shorter than 4 GiB")]
unsafe fn read_blocks<B: Block>(into: &mut Structure, line: View<'_>) {
    let (mut escaped_next, mut in_string) = (0_u64, 0_u64);
    let (mut high, mut control, mut odd, mut folding, mut escapes) = (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
    let (mut quotes, mut brackets) = (0_usize, 0_usize);
    let mut at = 0;
    while at < line.len() {
        if quotes + BLOCK > into.quotes.len() {
            into.quotes.resize(into.quotes.len() * 2, 0);
        }
        if brackets + BLOCK > into.brackets.len() {
            into.brackets.resize(into.brackets.len() * 2, 0);
        }
        let left = line.len() - at;
        let valid = if left >= BLOCK { u64::MAX } else { (1 << left) - 1 };
        // SAFETY: `at < len`, and `AHEAD` is more than 64 bytes behind `len`. The buffers were just given room for a block
        // behind their counts. The instructions are the caller's promise.
        unsafe {
            let bytes = B::load(line.pointer().add(at));
            let slashes = bytes.equal(b'\\') & valid;
            let marks = bytes.equal(b'"') & valid;
            let mut found = marks;
            if slashes | escaped_next != 0 {
                let escaped = escaped(slashes, &mut escaped_next);
                found &= !escaped;
                escapes |= slashes;
                let others = escaped & !slashes & !marks & valid;
                if others != 0 {
                    let usual = bytes.equal(b'n') | bytes.equal(b'r') | bytes.equal(b't');
                    let usual = usual | bytes.equal(b'b') | bytes.equal(b'f');
                    odd |= others & !usual;
                }
            }
            let inside = B::parity(found) ^ in_string;
            in_string = (inside.cast_signed() >> 63).cast_unsigned();
            let above = bytes.high() & valid;
            if above != 0 {
                high |= above;
                folding |= (bytes.equal(0xe2) | bytes.equal(0xc4)) & valid;
            }
            control |= bytes.control() & valid;
            let lowered = bytes.lowered();
            let ends = (lowered.equal(b'{') | lowered.equal(b'}')) & !inside & valid;
            B::positions(found, at as u32, into.quotes.as_mut_ptr().add(quotes));
            quotes += found.count_ones() as usize;
            if ends != 0 {
                B::positions(ends, at as u32, into.brackets.as_mut_ptr().add(brackets));
                brackets += ends.count_ones() as usize;
            }
        }
        at += BLOCK;
    }
    into.quote_count = quotes;
    into.bracket_count = brackets;
    into.high = high != 0;
    into.folding = folding != 0;
    into.control = control != 0;
    into.odd_escape = odd != 0;
    into.escapes = escapes != 0;
}

/// Bytes behind an odd run of backslashes; `carry` says whether the first byte of the block is one, then the next's.
#[inline(always)]
fn escaped(slashes: u64, carry: &mut u64) -> u64 {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let starts = slashes & !*carry;
    let follows = starts << 1 | *carry;
    let odd_starts = starts & !EVEN & !follows;
    let (sequences, overflow) = odd_starts.overflowing_add(starts);
    *carry = u64::from(overflow);
    (EVEN ^ sequences << 1) & follows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::view::Padded;

    #[derive(Debug, Default, PartialEq, Eq)]
    struct Seen {
        quotes: Vec<u32>,
        brackets: Vec<u32>,
        flags: [bool; 5],
    }

    /// One byte after the other.
    fn obvious(line: &[u8]) -> Seen {
        let mut seen = Seen::default();
        let (mut inside, mut escaped) = (false, false);
        for (at, byte) in line.iter().copied().enumerate() {
            let at = u32::try_from(at).unwrap();
            seen.flags[0] |= !byte.is_ascii();
            seen.flags[1] |= matches!(byte, 0xe2 | 0xc4);
            seen.flags[2] |= byte < b' ';
            seen.flags[3] |= escaped && !b"\"\\nrtbf".contains(&byte);
            seen.flags[4] |= byte == b'\\';
            if byte == b'"' && !escaped {
                seen.quotes.push(at);
                inside = !inside;
            } else if b"[]{}".contains(&byte) && !inside {
                seen.brackets.push(at);
            }
            escaped = byte == b'\\' && !escaped;
        }
        seen
    }

    fn read(line: &[u8], tier: Tier) -> Seen {
        let (mut padded, mut structure) = (Padded::new(), Structure::new());
        padded.fill(|bytes| bytes.extend_from_slice(line));
        structure.read_as(padded.view(), tier);
        let flags = [structure.high, structure.folding, structure.control, structure.odd_escape, structure.escapes];
        Seen { quotes: structure.quotes().to_vec(), brackets: structure.brackets().to_vec(), flags }
    }

    #[test]
    fn quotes_in_strings_and_brackets_in_strings_are_none() {
        let line = br#"{"a\"b":[1,"]\\"],"c":"\\\""}"#;
        for tier in Tier::all() {
            let seen = read(line, tier);
            assert_eq!(seen.quotes, [1, 6, 11, 15, 18, 20, 22, 27], "{tier:?}");
            assert_eq!(seen.brackets, [0, 8, 16, 28], "{tier:?}");
        }
    }

    #[test]
    fn a_block_full_of_quotes_and_a_long_line_fit() {
        for tier in Tier::all() {
            assert_eq!(read(&[b'"'; 4_000], tier).quotes.len(), 4_000);
            assert_eq!(read(&[b'['; 4_000], tier).brackets.len(), 4_000);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn every_tier_sees_what_a_look_at_each_byte_sees(
            line in prop::collection::vec(prop::sample::select(&b"\"\"\\\\\\{}[]ntu/a, \n\xe2\xc4\xff"[..]), 0..300),
        ) {
            let expected = obvious(&line);
            for tier in Tier::all() {
                prop_assert_eq!(&read(&line, tier), &expected, "{:?}", tier);
            }
        }
    }
}
