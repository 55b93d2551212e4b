//! Orders of keys that were seen: most events have the keys of one before them, in the same order.

use std::collections::HashMap;

use shieldops_vector::{Stencil, Structure, View};

use super::{
    keys::{Key, Keys},
    walk::{Bound, Loc, Unexpected, Walk, trimmed},
};

/// The keys of a line and where their values stand.
#[derive(Debug)]
pub(crate) struct Shape {
    stencil: Stencil,
    /// In the order of the names.
    locs: Vec<(Key, Loc)>,
}

impl Shape {
    /// The shape of a canonical line.
    pub(crate) fn of(keys: &Keys, line: View<'_>, structure: &Structure) -> Result<Self, Unexpected> {
        let mut walk = Walk::new(keys, line, structure);
        walk.line()?;
        let mut stencil = Stencil::new(line, structure);
        for key in &walk.seen {
            stencil.want(key.quote, line.bytes().get(key.start..key.end).ok_or(Unexpected)?);
        }
        let locs = walk.locs.iter().copied().enumerate().filter(|(_, loc)| *loc != Loc::Absent).collect();
        Ok(Self { stencil, locs })
    }

    pub(crate) fn loc(&self, key: Key) -> Loc {
        let found = self.locs.binary_search_by_key(&key, |(key, _)| *key);
        found.ok().and_then(|place| self.locs.get(place)).map_or(Loc::Absent, |(_, loc)| *loc)
    }

    fn size(&self) -> usize {
        self.stencil.size().saturating_add(self.locs.len().saturating_mul(size_of::<(Key, Loc)>()))
    }
}

/// Shapes that a worker keeps; then it begins again.
const MAX_SHAPES: usize = 8_192;
/// Bytes of them.
const MAX_BYTES: usize = 32 * 1_024 * 1_024;
/// Shapes tried for one line; hostile senders could make any number look alike.
const MAX_ALIKE: usize = 24;

/// What lines of one shape have in common at a glance: quotes, brackets, the first bytes.
type Glance = (usize, usize, u64);

#[derive(Debug, Default)]
pub(crate) struct Shapes {
    all: Vec<Shape>,
    by_glance: HashMap<Glance, Vec<usize>, Quick>,
    bytes: usize,
    /// Counts how often the shapes were forgotten.
    pub(crate) era: u64,
}

impl Shapes {
    pub(crate) fn clear(&mut self) {
        self.all.clear();
        self.by_glance.clear();
        self.bytes = 0;
        self.era = self.era.saturating_add(1);
    }

    pub(crate) fn get(&self, number: usize) -> Option<&Shape> {
        self.all.get(number)
    }

    /// The number of the shape that the line has, found or learned.
    #[inline]
    pub(crate) fn find(&mut self, keys: &Keys, line: View<'_>, structure: &Structure) -> Result<usize, Unexpected> {
        let glance = (structure.quotes().len(), structure.brackets().len(), line.word(2));
        if let Some(numbers) = self.by_glance.get_mut(&glance) {
            let all = &self.all;
            let fits = |number: &usize| all.get(*number).is_some_and(|shape| shape.stencil.fits(line, structure));
            if let Some(place) = numbers.iter().position(fits) {
                let number = numbers.get(place).copied().unwrap_or_default();
                if let Some(before) = place.checked_sub(1) {
                    numbers.swap(place, before);
                }
                return Ok(number);
            }
        }
        self.learn(glance, keys, line, structure)
    }

    #[cold]
    fn learn(
        &mut self,
        glance: Glance,
        keys: &Keys,
        line: View<'_>,
        structure: &Structure,
    ) -> Result<usize, Unexpected> {
        let shape = Shape::of(keys, line, structure)?;
        if self.all.len() >= MAX_SHAPES || self.bytes > MAX_BYTES {
            self.clear();
        }
        self.bytes = self.bytes.saturating_add(shape.size());
        let number = self.all.len();
        self.all.push(shape);
        let alike = self.by_glance.entry(glance).or_default();
        alike.truncate(MAX_ALIKE);
        alike.push(number);
        Ok(number)
    }
}

/// A line with its structure, and what is true of the whole of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) view: View<'a>,
    pub(crate) structure: &'a Structure,
    /// Holds U+212A or U+0130.
    pub(crate) folds: bool,
}

/// The bytes of one value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'a> {
    pub(crate) view: View<'a>,
    pub(crate) scalar: bool,
}

impl Value<'_> {
    pub(crate) fn is_null(self) -> bool {
        self.scalar && self.view.bytes() == b"null"
    }
}

impl<'a> Line<'a> {
    /// The value at a place; `None` where there is none or the exact reader must be asked.
    #[inline]
    pub(crate) fn value(&self, loc: Loc) -> Option<Value<'a>> {
        let quotes = self.structure.quotes();
        let place = |number: u32| {
            let number = usize::try_from(number).ok()?;
            usize::try_from(*quotes.get(number)?).ok()
        };
        match loc {
            Loc::Text(quote) => {
                let (open, shut) = (place(quote)?, place(quote.saturating_add(1))?);
                Some(Value { view: self.view.part(open.saturating_add(1), shut), scalar: false })
            }
            Loc::Scalar { from, to } => {
                let end = match to {
                    Bound::Quote(number) => place(number)?,
                    Bound::Bracket(number) => {
                        let at = self.structure.brackets().get(usize::try_from(number).ok()?)?;
                        usize::try_from(*at).ok()?
                    }
                };
                Some(Value { view: scalar(self.view, place(from)?.saturating_add(2), end), scalar: true })
            }
            Loc::Absent | Loc::Object | Loc::Complex => None,
        }
    }

    /// Whether the value's bytes may be compared with plain patterns.
    #[inline]
    pub(crate) fn is_plain(&self, value: Value<'_>) -> bool {
        !(self.structure.high || self.structure.odd_escape) || self.looks_plain(value)
    }

    fn looks_plain(&self, value: Value<'_>) -> bool {
        let bytes = value.view.bytes();
        bytes.is_ascii() && !(self.structure.odd_escape && memchr::memchr(b'\\', bytes).is_some())
    }
}

/// A number or word, from behind the colon to the next quote or bracket.
fn scalar(view: View<'_>, start: usize, end: usize) -> View<'_> {
    let part = view.part(start, end);
    let skipped = part.bytes().iter().take_while(|byte| **byte == b' ').count();
    let text = trimmed(part.bytes());
    let start = start.saturating_add(skipped);
    view.part(start, start.saturating_add(text.len()))
}

/// A hasher for numbers that nobody chooses to collide: a worker keeps a bounded number of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Quick;

#[derive(Debug, Default)]
pub(crate) struct QuickHasher(u64);

impl std::hash::BuildHasher for Quick {
    type Hasher = QuickHasher;

    fn build_hasher(&self) -> QuickHasher {
        QuickHasher(0)
    }
}

impl std::hash::Hasher for QuickHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = mixed(self.0, number);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(u64::try_from(number).unwrap_or(u64::MAX));
    }
}

#[inline]
pub(crate) fn mixed(hash: u64, number: u64) -> u64 {
    let product = (hash ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (product ^ product.wrapping_shr(32)).rotate_left(23)
}
