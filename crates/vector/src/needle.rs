//! One text looked for by two of its bytes that are rare; without regard to ASCII case, unless it is told otherwise.
//!
//! Where those two stand almost everywhere and much is compared in vain, the search goes on by a table of the text's own
//! repetitions: no text and no line makes it take longer than both are long.

use crate::{
    block::{self, Block},
    tier::Tier,
    view::{AHEAD, View},
};

/// A text in lower case and where its two rarest bytes stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needle {
    text: Box<[u8]>,
    /// As it was given, where case counts.
    exact: Option<Box<[u8]>>,
    /// Invariant: both below [`REACH`] and below the length of the text.
    places: [usize; 2],
    bytes: [u8; 2],
}

/// The two bytes stand this near to the start, so that their loads stay within the room behind a view.
const REACH: usize = AHEAD - 64;

/// Bytes that may be compared in vain, and for each byte of a view, before the search goes on by a table.
const FREE: usize = 4_096;
const PATIENCE: usize = 16;

impl Needle {
    /// `None` for an empty text. `rarity` orders bytes: the lesser, the rarer.
    pub fn new(text: &[u8], rarity: impl Fn(u8) -> u32) -> Option<Self> {
        let text: Box<[u8]> = text.to_ascii_lowercase().into();
        let rarest = |but: Option<usize>| {
            let places = text.iter().take(REACH).enumerate().filter(|(place, _)| Some(*place) != but);
            places.min_by_key(|(_, byte)| rarity(**byte | 0x20)).map(|(place, _)| place)
        };
        let first = rarest(None)?;
        let second = rarest(Some(first)).unwrap_or(first);
        let byte = |place: usize| text.get(place).map_or(0, |byte| byte | 0x20);
        let bytes = [byte(first), byte(second)];
        Some(Self { text, exact: None, places: [first, second], bytes })
    }

    /// The same with regard to case.
    pub fn cased(text: &[u8], rarity: impl Fn(u8) -> u32) -> Option<Self> {
        Some(Self { exact: Some(text.into()), ..Self::new(text, rarity)? })
    }

    /// In lower case.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    #[inline]
    fn is(&self, part: &[u8]) -> bool {
        match &self.exact {
            None => part.eq_ignore_ascii_case(&self.text),
            Some(exact) => *part == **exact,
        }
    }

    /// By a table: each byte is read once, and what the text repeats of itself is not compared again.
    #[cold]
    #[inline(never)]
    fn find_linear(&self, bytes: &[u8], from: usize, accept: &mut dyn FnMut(usize) -> bool) -> Option<usize> {
        let text = self.exact.as_ref().unwrap_or(&self.text);
        let folded = |byte: u8| if self.exact.is_some() { byte } else { byte.to_ascii_lowercase() };
        let repeats = repeats(text);
        let mut have = 0;
        for (place, byte) in bytes.iter().enumerate().skip(from) {
            let byte = folded(*byte);
            while have > 0 && text[have] != byte {
                have = repeats[have - 1];
            }
            if text[have] == byte {
                have += 1;
            }
            if have == text.len() {
                let start = place + 1 - have;
                if accept(start) {
                    return Some(start);
                }
                have = repeats[have - 1];
            }
        }
        None
    }

    /// The first place not before `from` where the text stands and `accept` says yes.
    #[inline]
    pub fn find(&self, within: View<'_>, from: usize, accept: impl FnMut(usize) -> bool) -> Option<usize> {
        self.find_as(within, from, accept, Tier::best())
    }

    /// The same by the instructions of `tier`, or the best below it that there is.
    pub fn find_as(
        &self,
        within: View<'_>,
        from: usize,
        accept: impl FnMut(usize) -> bool,
        tier: Tier,
    ) -> Option<usize> {
        match tier.available() {
            // SAFETY: the tier was found on this processor.
            #[cfg(target_arch = "x86_64")]
            Tier::Avx512 => unsafe { find_avx512(self, within, from, accept) },
            // SAFETY: the tier was found on this processor.
            #[cfg(target_arch = "x86_64")]
            Tier::Avx2 => unsafe { find_avx2(self, within, from, accept) },
            // SAFETY: plain code needs no instructions.
            _ => unsafe { find_blocks::<block::Plain>(self, within, from, accept) },
        }
    }
}

/// For each start of the text, how much of its end the text begins with.
fn repeats(text: &[u8]) -> Vec<usize> {
    let mut repeats = vec![0; text.len()];
    let mut have = 0;
    for place in 1..text.len() {
        while have > 0 && text[have] != text[place] {
            have = repeats[have - 1];
        }
        if text[have] == text[place] {
            have += 1;
        }
        repeats[place] = have;
    }
    repeats
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi1,bmi2,popcnt,lzcnt,pclmulqdq")]
unsafe fn find_avx512(
    needle: &Needle,
    within: View<'_>,
    from: usize,
    accept: impl FnMut(usize) -> bool,
) -> Option<usize> {
    // SAFETY: the instructions are enabled here.
    unsafe { find_blocks::<block::Avx512>(needle, within, from, accept) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt,pclmulqdq")]
unsafe fn find_avx2(
    needle: &Needle,
    within: View<'_>,
    from: usize,
    accept: impl FnMut(usize) -> bool,
) -> Option<usize> {
    // SAFETY: the instructions are enabled here.
    unsafe { find_blocks::<block::Avx2>(needle, within, from, accept) }
}

/// # Safety
/// The instructions of `B`.
#[inline(always)]
unsafe fn find_blocks<B: Block>(
    needle: &Needle,
    within: View<'_>,
    from: usize,
    mut accept: impl FnMut(usize) -> bool,
) -> Option<usize> {
    let length = needle.text.len();
    let places = (within.len() + 1).checked_sub(length)?;
    let bytes = within.bytes();
    let mut at = from;
    let mut patience = FREE + PATIENCE * within.len();
    while at < places {
        // SAFETY: `at < len`, the places are at most `REACH`, and `REACH + 64 <= AHEAD`.
        let mut hits = unsafe {
            let first = B::load(within.pointer().add(at + needle.places[0])).lowered().equal(needle.bytes[0]);
            let second = B::load(within.pointer().add(at + needle.places[1])).lowered().equal(needle.bytes[1]);
            first & second
        };
        let left = places - at;
        if left < 64 {
            hits &= (1 << left) - 1;
        }
        while hits != 0 {
            let place = at + hits.trailing_zeros() as usize;
            hits &= hits - 1;
            if patience < length {
                return needle.find_linear(bytes, place, &mut accept);
            }
            patience -= length;
            let here = bytes.get(place..place + length).unwrap_or_default();
            if needle.is(here) && accept(place) {
                return Some(place);
            }
        }
        at += 64;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::view::Padded;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn every_tier_finds_what_a_comparison_at_each_place_finds(
            hay in "[abAB@`\u{e9}]{0,200}",
            text in "[abAB@`]{1,6}",
            from in 0_usize..40,
        ) {
            let needle = Needle::new(text.as_bytes(), u32::from).unwrap();
            let expected = hay.as_bytes().windows(text.len()).enumerate().skip(from)
                .find(|(_, part)| part.eq_ignore_ascii_case(text.as_bytes())).map(|(place, _)| place);
            let mut padded = Padded::new();
            padded.fill(|bytes| bytes.extend_from_slice(hay.as_bytes()));
            for tier in Tier::all() {
                prop_assert_eq!(needle.find_as(padded.view(), from, |_| true, tier), expected, "{:?}", tier);
            }
        }
    }

    proptest! {
        #[test]
        fn a_table_finds_what_a_comparison_at_each_place_finds(
            hay in "[abAB]{0,60}", text in "[abAB]{1,7}", from in 0_usize..20, pass in 0_usize..4, cased: bool,
        ) {
            let needle = if cased { Needle::cased(text.as_bytes(), u32::from) } else { Needle::new(text.as_bytes(), u32::from) };
            let same = |part: &[u8]| if cased { part == text.as_bytes() } else { part.eq_ignore_ascii_case(text.as_bytes()) };
            let places = hay.as_bytes().windows(text.len()).enumerate().skip(from).filter(|(_, part)| same(part));
            let expected = places.map(|(place, _)| place).nth(pass);
            let needle = needle.unwrap();
            let accept = || {
                let mut left = pass;
                move |_: usize| { let found = left == 0; left = left.saturating_sub(1); found }
            };
            prop_assert_eq!(needle.find_linear(hay.as_bytes(), from, &mut accept()), expected);
            let mut padded = Padded::new();
            padded.fill(|bytes| bytes.extend_from_slice(hay.as_bytes()));
            for tier in Tier::all() {
                prop_assert_eq!(needle.find_as(padded.view(), from, accept(), tier), expected, "{:?}", tier);
            }
        }
    }

    #[test]
    fn a_long_text_that_almost_stands_everywhere_takes_no_longer_than_the_line_is_long() {
        const LINE: usize = 1024 * 1024;
        let time = |work: &mut dyn FnMut()| {
            let began = std::time::Instant::now();
            work();
            began.elapsed()
        };
        let mut padded = Padded::new();
        padded.fill(|bytes| bytes.resize(LINE, b'a'));
        let bytes = padded.view().bytes();
        let once = time(&mut || assert!(std::hint::black_box(bytes).iter().all(|byte| *byte != b'b')));
        let almost = [vec![b'a'; 20_000], vec![b'b']].concat();
        for needle in [Needle::new(&almost, u32::from), Needle::cased(&almost, u32::from)] {
            let needle = needle.unwrap();
            for tier in Tier::all() {
                let took = time(&mut || assert_eq!(needle.find_as(padded.view(), 0, |_| true, tier), None));
                assert!(took < once * 200, "{tier:?}: {took:?}, to read it once {once:?}");
            }
        }
        let long = Needle::new(&vec![b'a'; 20_000], u32::from).unwrap();
        let took = time(&mut || assert_eq!(long.find(padded.view(), 0, |place| place > 600_000), Some(600_001)));
        assert!(took < once * 200, "{took:?}, to read it once {once:?}");
    }

    #[test]
    fn a_place_that_is_not_accepted_is_passed_over() {
        let needle = Needle::new(b"AB", u32::from).unwrap();
        let mut padded = Padded::new();
        padded.fill(|bytes| bytes.extend_from_slice(b"abxxab"));
        for tier in Tier::all() {
            assert_eq!(needle.find_as(padded.view(), 0, |place| place > 0, tier), Some(4));
            assert_eq!(needle.find_as(padded.view(), 5, |_| true, tier), None);
        }
        assert!(Needle::new(b"", u32::from).is_none());
        let long = Needle::new(&[b'x'; 500], u32::from).unwrap();
        assert_eq!(long.find(padded.view(), 0, |_| true), None);
    }
}
