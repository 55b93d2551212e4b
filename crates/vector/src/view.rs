//! A line and the bytes behind it that a vector load may touch.

/// Readable bytes behind every [`View`]. More than a vector and the longest step behind a position.
pub const AHEAD: usize = 192;

/// A piece of a buffer with at least [`AHEAD`] readable bytes behind it, and fewer than 4 GiB long.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Begins with the piece. Invariant: `len + AHEAD <= bytes.len()`, `len < u32::MAX - AHEAD`.
    bytes: &'a [u8],
    len: usize,
}

impl<'a> View<'a> {
    /// `bytes[start..end]`, or `None` where too few bytes follow: copy the piece into a [`Padded`] then.
    #[inline]
    pub fn new(bytes: &'a [u8], start: usize, end: usize) -> Option<Self> {
        let len = end.checked_sub(start)?;
        let rest = bytes.get(start..)?;
        let small = u32::try_from(len.checked_add(AHEAD)?).is_ok();
        (small && rest.len() >= len + AHEAD).then_some(Self { bytes: rest, len })
    }

    #[inline]
    pub fn len(self) -> usize {
        self.len
    }

    #[inline]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        &self.bytes[..self.len]
    }

    /// The part `start..end`; cut at the end of this view.
    #[inline]
    #[must_use]
    pub fn part(self, start: usize, end: usize) -> Self {
        let end = end.min(self.len);
        let start = start.min(end);
        // SAFETY: `start <= end <= self.len <= self.bytes.len()`.
        let bytes = unsafe { self.bytes.get_unchecked(start..) };
        Self { bytes, len: end - start }
    }

    /// The eight bytes from `at`, little end first; zero where `at` is behind the end of this view.
    #[inline(always)]
    pub fn word(self, at: usize) -> u64 {
        if at > self.len {
            return 0;
        }
        // SAFETY: `at + 8 <= self.len + AHEAD <= self.bytes.len()`.
        unsafe { self.bytes.as_ptr().add(at).cast::<u64>().read_unaligned() }.to_le()
    }

    /// Where the bytes begin; the caller stays below `len + AHEAD`.
    #[inline(always)]
    pub(crate) fn pointer(self) -> *const u8 {
        self.bytes.as_ptr()
    }
}

/// Asks for bytes that are wanted soon, so that they are near when they are; at most a page of them.
#[inline]
pub fn prefetch(bytes: &[u8], start: usize, end: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(part) = bytes.get(start..end.min(start.saturating_add(4_096))) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        for line in part.chunks(64) {
            // SAFETY: a hint about an address; nothing is read.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (bytes, start, end);
}

/// A copy of a text with room behind it, used again and again.
#[derive(Debug)]
pub struct Padded {
    bytes: Vec<u8>,
}

impl Default for Padded {
    fn default() -> Self {
        Self { bytes: vec![0; AHEAD] }
    }
}

impl Padded {
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the text and takes what `write` appends to an empty buffer.
    pub fn fill(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.clear();
        write(&mut self.bytes);
        self.bytes.extend_from_slice(&[0; AHEAD]);
    }

    /// The text; empty where it is too long for a view.
    pub fn view(&self) -> View<'_> {
        let len = self.bytes.len().saturating_sub(AHEAD);
        View::new(&self.bytes, 0, len).unwrap_or(View { bytes: &self.bytes, len: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_needs_readable_bytes_behind_it() {
        let bytes = vec![b'a'; AHEAD + 10];
        assert_eq!(View::new(&bytes, 2, 10).map(View::len), Some(8));
        assert!(View::new(&bytes, 2, 11).is_none());
        assert!(View::new(&bytes, 11, 10).is_none() && View::new(&bytes, 999, 999).is_none());
    }

    #[test]
    fn parts_and_words_stay_inside() {
        let mut padded = Padded::new();
        padded.fill(|bytes| bytes.extend_from_slice(b"0123456789"));
        let view = padded.view();
        assert_eq!(view.part(2, 4).bytes(), b"23");
        assert_eq!(view.part(8, 99).bytes(), b"89");
        assert_eq!(view.part(50, 99).bytes(), b"");
        assert_eq!(view.word(1), u64::from_le_bytes(*b"12345678"));
        assert_eq!(view.word(10), 0);
        assert_eq!(view.word(usize::MAX), 0);
    }
}
