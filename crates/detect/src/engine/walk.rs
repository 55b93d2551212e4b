//! Goes through the keys of one canonical line, once for every order of keys that is new.
//!
//! Values of no interest are passed over by their brackets. What is met and cannot be told apart by place alone (a list
//! where a path goes on, one name at two places) becomes [`Loc::Complex`]: the exact reader is asked for it.

use shieldops_vector::{Structure, View};

use super::keys::{Entry, Keys};
use crate::sigma::event::MAX_DEPTH;

/// Where the value of a name stands among the quotes and brackets of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Loc {
    #[default]
    Absent,
    /// A string: behind the quote of that number.
    Text(u32),
    /// A number or word: from behind the quote that closes its key to a quote or bracket.
    Scalar { from: u32, to: Bound },
    /// An object: there, not null, and no value that a test could pass on.
    Object,
    /// Asked of the exact reader.
    Complex,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    Quote(u32),
    Bracket(u32),
}

/// The line is not what its quotes and brackets promise.
#[derive(Debug)]
pub(crate) struct Unexpected;

/// A key that must stand there again: the number of its first quote and the bytes from the one before it.
#[derive(Debug)]
pub(crate) struct SeenKey {
    pub(crate) quote: u32,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// A walk over one line.
pub(crate) struct Walk<'a> {
    keys: &'a Keys,
    bytes: &'a [u8],
    quotes: &'a [u32],
    brackets: &'a [u32],
    /// Next of each.
    quote: usize,
    bracket: usize,
    pub(crate) seen: Vec<SeenKey>,
    pub(crate) locs: Vec<Loc>,
}

type Walked<T> = Result<T, Unexpected>;

impl<'a> Walk<'a> {
    pub(crate) fn new(keys: &'a Keys, line: View<'a>, structure: &'a Structure) -> Self {
        let mut locs = vec![Loc::Absent; keys.len()];
        for key in keys.opaque() {
            if let Some(loc) = locs.get_mut(*key) {
                *loc = Loc::Complex;
            }
        }
        let (quotes, brackets) = (structure.quotes(), structure.brackets());
        Self { keys, bytes: line.bytes(), quotes, brackets, quote: 0, bracket: 0, seen: Vec::new(), locs }
    }

    /// The whole line: one object.
    pub(crate) fn line(&mut self) -> Walked<()> {
        if self.bytes.first() != Some(&b'{') || self.depth() >= MAX_DEPTH {
            return Err(Unexpected);
        }
        self.bracket = 1;
        let end = self.object(0, 1)?;
        let complete = end == self.bytes.len() && self.quote == self.quotes.len();
        if complete && self.bracket == self.brackets.len() { Ok(()) } else { Err(Unexpected) }
    }

    /// The most brackets that are open at once.
    fn depth(&self) -> usize {
        let (mut open, mut most) = (0_usize, 0);
        for at in self.brackets.iter().filter_map(|at| usize::try_from(*at).ok()) {
            open = match self.byte(at) {
                Some(b'{' | b'[') => open.saturating_add(1),
                _ => open.saturating_sub(1),
            };
            most = most.max(open);
        }
        most
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn quote_at(&self, number: usize) -> Walked<usize> {
        self.quotes.get(number).and_then(|at| usize::try_from(*at).ok()).ok_or(Unexpected)
    }

    fn blanks(&self, mut at: usize) -> usize {
        while self.byte(at) == Some(b' ') {
            at = at.saturating_add(1);
        }
        at
    }

    /// From behind the opening brace to behind the closing one.
    fn object(&mut self, level: usize, start: usize) -> Walked<usize> {
        let mut at = self.blanks(start);
        if self.byte(at) == Some(b'}') {
            return self.close(at);
        }
        loop {
            at = self.member(level, at)?;
            at = self.blanks(at);
            match self.byte(at) {
                Some(b',') => at = self.blanks(at.saturating_add(1)),
                Some(b'}') => return self.close(at),
                _ => return Err(Unexpected),
            }
        }
    }

    fn close(&mut self, at: usize) -> Walked<usize> {
        if self.brackets.get(self.bracket).and_then(|place| usize::try_from(*place).ok()) != Some(at) {
            return Err(Unexpected);
        }
        self.bracket = self.bracket.saturating_add(1);
        Ok(at.saturating_add(1))
    }

    /// A key and its value; what follows the value.
    fn member(&mut self, level: usize, at: usize) -> Walked<usize> {
        let number = self.quote;
        let (open, shut) = (self.quote_at(number)?, self.quote_at(number.saturating_add(1))?);
        if open != at {
            return Err(Unexpected);
        }
        self.quote = number.saturating_add(2);
        let key = self.bytes.get(open.saturating_add(1)..shut).ok_or(Unexpected)?;
        let entry = self.keys.entry(level, key);
        if self.byte(shut.saturating_add(1)) != Some(b':') {
            return Err(Unexpected);
        }
        let value = self.blanks(shut.saturating_add(2));
        let first = self.byte(value).ok_or(Unexpected)?;
        // The first byte of a value that may differ next time is not part of what must stand there.
        let fixed = usize::from(matches!(first, b'"' | b'{' | b'['));
        let quote = u32::try_from(number).ok().ok_or(Unexpected)?;
        let end = value.saturating_add(fixed);
        self.seen.push(SeenKey { quote, start: open.saturating_sub(1), end });
        match first {
            b'"' => self.text(entry, value),
            b'{' => self.map(entry, value),
            b'[' => {
                self.hide(entry);
                self.skip(value)
            }
            _ => self.scalar(entry, value),
        }
    }

    fn text(&mut self, entry: Entry, value: usize) -> Walked<usize> {
        let number = self.quote;
        if self.quote_at(number)? != value {
            return Err(Unexpected);
        }
        let end = self.quote_at(number.saturating_add(1))?;
        self.quote = number.saturating_add(2);
        self.place(entry, Loc::Text(u32::try_from(number).ok().ok_or(Unexpected)?));
        Ok(end.saturating_add(1))
    }

    fn map(&mut self, entry: Entry, value: usize) -> Walked<usize> {
        if let Some(name) = entry.name {
            self.set(name, Loc::Object);
        }
        let Some(level) = entry.level else { return self.skip(value) };
        self.forget(level);
        self.close(value)?;
        self.object(level, value.saturating_add(1))
    }

    fn scalar(&mut self, entry: Entry, value: usize) -> Walked<usize> {
        let quote = self.quotes.get(self.quote).copied().unwrap_or(u32::MAX);
        let bracket = self.brackets.get(self.bracket).copied().unwrap_or(u32::MAX);
        let next = quote.min(bracket);
        let end = usize::try_from(next).ok().filter(|end| *end <= self.bytes.len()).ok_or(Unexpected)?;
        let number = |number: usize| u32::try_from(number).ok().ok_or(Unexpected);
        let to =
            if quote < bracket { Bound::Quote(number(self.quote)?) } else { Bound::Bracket(number(self.bracket)?) };
        let text = trimmed(self.bytes.get(value..end).ok_or(Unexpected)?);
        let is_number = matches!(text, [b'-' | b'0'..=b'9', ..])
            && text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
        if !is_number && !matches!(text, b"true" | b"false" | b"null") {
            return Err(Unexpected);
        }
        self.place(entry, Loc::Scalar { from: number(self.quote.saturating_sub(1))?, to });
        Ok(value.saturating_add(text.len()))
    }

    /// Over a list or an object of no interest.
    fn skip(&mut self, value: usize) -> Walked<usize> {
        let mut depth = 0_usize;
        loop {
            let at = self.brackets.get(self.bracket).and_then(|at| usize::try_from(*at).ok()).ok_or(Unexpected)?;
            if depth == 0 && at != value {
                return Err(Unexpected);
            }
            self.bracket = self.bracket.saturating_add(1);
            if matches!(self.byte(at), Some(b'{' | b'[')) {
                depth = depth.saturating_add(1);
                continue;
            }
            depth = depth.saturating_sub(1);
            if depth == 0 {
                while self.quotes.get(self.quote).is_some_and(|quote| usize::try_from(*quote).is_ok_and(|q| q < at)) {
                    self.quote = self.quote.saturating_add(1);
                }
                return Ok(at.saturating_add(1));
            }
        }
    }

    fn place(&mut self, entry: Entry, loc: Loc) {
        if let Some(name) = entry.name {
            self.set(name, loc);
        }
        // A path may have been through an earlier member of this key: the last one counts, and it ends here.
        if let Some(level) = entry.level {
            self.forget(level);
        }
    }

    /// A value that only the exact reader takes apart: a list.
    fn hide(&mut self, entry: Entry) {
        if let Some(name) = entry.name {
            self.set(name, Loc::Complex);
        }
        for key in entry.level.map_or(&[][..], |level| self.keys.below(level)) {
            self.set(*key, Loc::Complex);
        }
    }

    /// Of names below a level that were met before, the exact reader says what holds.
    fn forget(&mut self, level: usize) {
        for key in self.keys.below(level) {
            if let Some(loc) = self.locs.get_mut(*key)
                && *loc != Loc::Absent
            {
                *loc = Loc::Complex;
            }
        }
    }

    fn set(&mut self, name: usize, loc: Loc) {
        if let Some(slot) = self.locs.get_mut(name) {
            *slot = if *slot == Loc::Absent { loc } else { Loc::Complex };
        }
    }
}

/// Without blanks and the comma behind a number or word.
pub(crate) fn trimmed(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii();
    text.strip_suffix(b",").unwrap_or(text).trim_ascii_end()
}
