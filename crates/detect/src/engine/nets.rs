//! What looks for witnesses in the values of one field: every method at once that its patterns need.

mod edges;
mod grams;
mod texts;

use shieldops_vector::View;

pub(crate) use self::edges::Edges;
use self::{grams::Grams, texts::Texts};
use crate::sigma::pattern::Anchor;

/// The rules of a shard that a witness speaks for: a part of its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Hits {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// What may be compared in one value for witnesses. Where texts that are much alike almost stand everywhere it is lost, and
/// all of them are reported: their rules are looked at one by one then, which nothing makes slow.
struct Patience(usize);

impl Patience {
    /// Comparisons that are free, and those for each byte of the value.
    const FREE: usize = 4_096;
    const PER_BYTE: usize = 16;
    /// Bytes that one comparison takes.
    const WIDE: usize = 16;

    #[inline]
    fn with(value: View<'_>) -> Self {
        Self(Self::FREE.saturating_add(value.len().saturating_mul(Self::PER_BYTE)))
    }

    /// One text more, with the rules that it is reported for; whether there was patience for it.
    #[inline]
    fn compares(&mut self, bytes: usize, hits: Hits) -> bool {
        let rules = usize::try_from(hits.end.wrapping_sub(hits.start)).unwrap_or(0);
        self.0 = self.0.saturating_sub(bytes.div_euclid(Self::WIDE).saturating_add(rules).saturating_add(1));
        self.0 > 0
    }

    #[inline]
    fn is_lost(&self) -> bool {
        self.0 == 0
    }
}

/// A text in its spelling, in lower case and ASCII, with where it must stand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Witness {
    pub(crate) bytes: Vec<u8>,
    pub(crate) place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// The value is there at all.
    Present,
    Whole,
    Start,
    End,
    Anywhere,
    /// Equal as a number: the same digits, or the value is no plain whole number.
    Number,
}

impl From<Anchor> for Place {
    fn from(anchor: Anchor) -> Self {
        match anchor {
            Anchor::Whole => Self::Whole,
            Anchor::Start => Self::Start,
            Anchor::End => Self::End,
            Anchor::Anywhere => Self::Anywhere,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Net {
    /// Rules for which the field must be there at all.
    pub(crate) present: Hits,
    /// Rules whose witness may be outside ASCII.
    pub(crate) beyond: Hits,
    /// Rules that compare a number, for values that are no plain whole number.
    numbers: Hits,
    ends: Edges,
    starts: Edges,
    texts: Vec<Texts>,
    grams: Option<Grams>,
}

/// How often four or three bytes stand in the values that a net will see: the less, the better a witness is found.
pub(crate) trait Rarity {
    fn of(&self, bytes: &[u8]) -> u64;
}

/// Values at least this long are better searched for all patterns at once.
const LONG: f64 = 130.0;
/// Patterns that Teddy takes in one go.
const PER_TEDDY: usize = 64;

impl Net {
    /// `patterns` are sorted and without duplicates. `length` is what a value is expected to have.
    pub(crate) fn new(
        patterns: Vec<(Witness, Hits)>,
        [numbers, beyond]: [Hits; 2],
        length: f64,
        rarity: &impl Rarity,
    ) -> Self {
        let mut net = Self { beyond, numbers, ..Self::default() };
        let (mut ends, mut starts, mut inside) = (Vec::new(), Vec::new(), Vec::new());
        for (witness, hits) in patterns {
            match witness.place {
                Place::Present => net.present = hits,
                Place::Whole | Place::Number => ends.push((witness.bytes, true, hits)),
                Place::End => ends.push((witness.bytes, false, hits)),
                Place::Start => starts.push((witness.bytes, false, hits)),
                Place::Anywhere => inside.push((witness.bytes, hits)),
            }
        }
        net.ends = Edges::new(ends, false);
        net.starts = Edges::new(starts, true);
        net.search(inside, length, rarity);
        net
    }

    fn search(&mut self, inside: Vec<(Vec<u8>, Hits)>, length: f64, rarity: &impl Rarity) {
        let few = inside.len() <= PER_TEDDY || length >= LONG && inside.len() <= PER_TEDDY.saturating_mul(2);
        let (long, short): (Vec<_>, Vec<_>) =
            inside.into_iter().partition(|(bytes, _)| !few && bytes.len() >= grams::SHORTEST);
        for part in short.chunks(PER_TEDDY) {
            self.texts.push(Texts::new(part.to_vec(), rarity));
        }
        if !long.is_empty() {
            self.grams = Some(Grams::new(long, rarity));
        }
    }

    /// Whether anything must be looked for in the value.
    pub(crate) fn looks(&self) -> bool {
        !self.ends.is_empty()
            || !self.starts.is_empty()
            || !self.texts.is_empty()
            || self.grams.is_some()
            || self.numbers != Hits::default()
            || self.beyond != Hits::default()
    }

    /// Calls `hit` for every witness that stands in the value, and perhaps for some that do not.
    #[inline]
    pub(crate) fn run(&self, value: View<'_>, hit: &mut impl FnMut(Hits)) {
        if !self.ends.is_empty() {
            self.ends.find(value.bytes(), hit);
        }
        if !self.starts.is_empty() {
            self.starts.find(value.bytes(), hit);
        }
        if self.numbers != Hits::default() && !is_plain_number(value.bytes()) {
            hit(self.numbers);
        }
        for texts in &self.texts {
            texts.find(value, hit);
        }
        if let Some(grams) = &self.grams {
            grams.find(value, hit);
        }
    }

    /// Every list of rules that the net may report, but for those of mere presence.
    pub(crate) fn each_list(&self, visit: &mut impl FnMut(Hits)) {
        visit(self.numbers);
        visit(self.beyond);
        self.ends.each_list(visit);
        self.starts.each_list(visit);
        self.texts.iter().for_each(|texts| texts.each_list(visit));
        if let Some(grams) = &self.grams {
            grams.each_list(visit);
        }
    }

    pub(crate) fn size(&self) -> usize {
        let texts: usize = self.texts.iter().map(Texts::size).sum();
        let grams = self.grams.as_ref().map_or(0, Grams::size);
        [self.ends.size(), self.starts.size(), texts, grams, size_of::<Self>()].into_iter().sum()
    }
}

/// Digits without a zero before them: two such are equal only when their texts are.
pub(crate) fn is_plain_number(text: &[u8]) -> bool {
    text.first() != Some(&b'0') && text.iter().all(u8::is_ascii_digit)
}
