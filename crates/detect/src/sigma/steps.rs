//! Texts, dashes and `?` one behind the other, looked for all at once: a bit for each step, moved on by each character.
//!
//! It is slow beside a search for a rare part and takes the same time whatever stands in the value; so it serves where that
//! search was tried in vain too often.

use std::collections::HashMap;

use super::pattern::DASHES;

/// What one character must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Is(char),
    /// Any of the dashes and the slash.
    Dash,
    Any,
}

/// Bytes that may be compared in vain, and for each byte of a value, before a search goes on step by step.
const FREE: usize = 16_384;
const PER_BYTE: usize = 16;

/// What may be compared in a value of so many bytes.
pub(crate) fn patience(bytes: usize) -> usize {
    FREE.saturating_add(bytes.saturating_mul(PER_BYTE))
}

pub(crate) struct Steps {
    /// Words of 64 steps.
    words: usize,
    /// The bit of the last step in the last word.
    last: u64,
    /// For each character that a step names, where its bits begin in `bits`; all others have those at 0.
    places: HashMap<char, usize>,
    /// The same for ASCII.
    ascii: [usize; 128],
    /// The steps that a character passes.
    bits: Vec<u64>,
}

impl Steps {
    pub(crate) fn new(steps: &[Step]) -> Self {
        let words = steps.len().div_ceil(64).max(1);
        let bit = |at: usize| 1_u64 << (at & 63);
        let last = bit(steps.len().saturating_sub(1));
        let mut made = Self { words, last, places: HashMap::new(), ascii: [0; 128], bits: vec![0; words] };
        for step in steps {
            match step {
                Step::Is(char) => made.place(*char),
                Step::Dash => DASHES.iter().for_each(|dash| made.place(*dash)),
                Step::Any => {}
            }
        }
        for (at, step) in steps.iter().enumerate() {
            let (word, bit) = (at / 64, bit(at));
            match step {
                Step::Is(char) => made.set(made.of(*char).saturating_add(word), bit),
                Step::Dash => DASHES.iter().for_each(|dash| made.set(made.of(*dash).saturating_add(word), bit)),
                Step::Any => (word..made.bits.len()).step_by(words).for_each(|place| made.set(place, bit)),
            }
        }
        made
    }

    fn place(&mut self, char: char) {
        let next = self.bits.len();
        if *self.places.entry(char).or_insert(next) != next {
            return;
        }
        if let Some(place) = usize::try_from(u32::from(char)).ok().and_then(|code| self.ascii.get_mut(code)) {
            *place = next;
        }
        self.bits.resize(next.saturating_add(self.words), 0);
    }

    fn set(&mut self, place: usize, bit: u64) {
        if let Some(word) = self.bits.get_mut(place) {
            *word |= bit;
        }
    }

    fn of(&self, char: char) -> usize {
        match usize::try_from(u32::from(char)).ok().and_then(|code| self.ascii.get(code)) {
            Some(place) => *place,
            None => self.places.get(&char).copied().unwrap_or(0),
        }
    }

    /// The number of the first character with which the steps end and that `accept` takes.
    pub(crate) fn find(
        &self,
        chars: impl Iterator<Item = char>,
        mut accept: impl FnMut(usize) -> bool,
    ) -> Option<usize> {
        let mut state = vec![0_u64; self.words];
        for (number, char) in chars.enumerate() {
            let passes = self.bits.get(self.of(char)..)?;
            let mut carried = 1;
            for (word, passes) in state.iter_mut().zip(passes) {
                let moved = *word << 1 | carried;
                carried = *word >> 63;
                *word = moved & passes;
            }
            if state.last().is_some_and(|word| word & self.last != 0) && accept(number) {
                return Some(number);
            }
        }
        None
    }
}
