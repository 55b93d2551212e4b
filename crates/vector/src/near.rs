//! What a table in memory needs that is larger than any cache: large pages, a line asked for before it is read, and the
//! marks of a line compared with one at once.

use std::mem::MaybeUninit;

/// Asks for the memory of an item that is read soon. Nothing is read; a place behind the end is no matter.
#[inline(always)]
pub fn prefetch_item<T>(items: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(item) = items.get(at) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint about an address; nothing is read.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(item).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (items, at);
}

/// Asks the system for large pages behind room that nothing was written to yet: a table that is read at random is then
/// found with a few hundred translations instead of tens of thousands. Where the system has none, nothing happens.
pub fn large_pages<T>(room: &[MaybeUninit<T>]) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 2 << 20;
        let (begin, bytes) = (room.as_ptr().addr(), size_of_val(room));
        let skipped = begin.next_multiple_of(PAGE) - begin;
        let whole = bytes.saturating_sub(skipped) / PAGE * PAGE;
        if whole > 0 {
            let place = room.as_ptr().cast::<u8>().wrapping_add(skipped).cast_mut().cast();
            // SAFETY: the pages are inside of `room`; the advice changes neither what they hold nor who may use them.
            let _advice = unsafe { rustix::mm::madvise(place, whole, rustix::mm::Advice::LinuxHugepage) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = room;
}

/// A bit for each of the bytes that is `byte`, the first in the lowest place.
#[inline(always)]
pub fn equal_bytes(bytes: &[u8; 16], byte: u8) -> u16 {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8};
        // SAFETY: SSE2 is part of every x86-64; the load is of the sixteen bytes of the array.
        let found = unsafe {
            let held = _mm_loadu_si128(bytes.as_ptr().cast());
            _mm_movemask_epi8(_mm_cmpeq_epi8(held, _mm_set1_epi8(byte.cast_signed())))
        };
        bits(found)
    }
    #[cfg(not(target_arch = "x86_64"))]
    plain_equal(bytes, &byte)
}

/// A bit for each of the words that is `word`, the first in the lowest place.
#[inline(always)]
pub fn equal_words(words: &[u16; 12], word: u16) -> u16 {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{
            _mm_cmpeq_epi16, _mm_loadl_epi64, _mm_loadu_si128, _mm_movemask_epi8, _mm_packs_epi16, _mm_set1_epi16,
        };
        // SAFETY: SSE2 is part of every x86-64; the loads are of the first eight words and of the four behind them.
        let found = unsafe {
            let wanted = _mm_set1_epi16(word.cast_signed());
            let first = _mm_cmpeq_epi16(_mm_loadu_si128(words.as_ptr().cast()), wanted);
            let last = _mm_cmpeq_epi16(_mm_loadl_epi64(words.as_ptr().add(8).cast()), wanted);
            _mm_movemask_epi8(_mm_packs_epi16(first, last))
        };
        bits(found) & 0x0fff
    }
    #[cfg(not(target_arch = "x86_64"))]
    plain_equal(words, &word)
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn bits(mask: i32) -> u16 {
    // A mask of sixteen lanes.
    let [low, high, ..] = mask.to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// The twin of [`equal_bytes`] and [`equal_words`] for every other machine.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn plain_equal<T: PartialEq>(items: &[T], item: &T) -> u16 {
    items.iter().enumerate().fold(0, |found, (place, held)| found | u16::from(held == item) << place)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn asking_for_what_is_not_there_is_no_matter() {
        let items = [1_u32, 2];
        (0..5).chain([usize::MAX]).for_each(|at| prefetch_item(&items, at));
        prefetch_item::<u8>(&[], 0);
    }

    #[test]
    fn room_for_a_table_stays_room() {
        for bytes in [0, 1, 4_096, 7 << 20] {
            let mut room: Vec<u8> = Vec::with_capacity(bytes);
            large_pages(room.spare_capacity_mut());
            room.resize(bytes, 7);
            assert!(room.iter().all(|byte| *byte == 7));
        }
    }

    proptest! {
        #[test]
        fn many_at_once_are_what_one_by_one_are(
            bytes in proptest::array::uniform16(0_u8..4), byte in 0_u8..4,
            words in proptest::array::uniform12(0x7ffe_u16..0x8002), word in 0x7ffe_u16..0x8002,
        ) {
            prop_assert_eq!(equal_bytes(&bytes, byte), plain_equal(&bytes, &byte));
            prop_assert_eq!(equal_bytes(&[byte; 16], byte), u16::MAX);
            prop_assert_eq!(equal_words(&words, word), plain_equal(&words, &word));
            prop_assert_eq!(equal_words(&[word; 12], word), 0x0fff);
        }
    }
}
