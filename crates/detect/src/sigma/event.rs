//! One event: a JSON object read once into a flat table of values, reused from event to event.
//!
//! Hostile bytes are normal here. What can still be matched is: lone surrogates and invalid UTF-8 become U+FFFD, raw
//! control characters stay. What cannot be read at all (no object, too deep, too long, cut off) is refused as a whole.

use std::ops::Range;

use super::pattern::fold;

/// Bytes of one event.
pub const MAX_EVENT_BYTES: usize = 16 * 1_024 * 1_024;
/// Nesting of one event.
const MAX_DEPTH: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    /// Text, number or boolean: all compared by their text.
    Scalar,
    List,
    Map,
}

/// A part of one of the text buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Span {
    start: usize,
    end: usize,
}

impl Span {
    fn of(self, buffer: &str) -> &str {
        buffer.get(Range::from(self)).unwrap_or_default()
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        span.start..span.end
    }
}

#[derive(Debug, Clone)]
struct Node {
    kind: Kind,
    key: Span,
    text: Span,
    folded: Option<Span>,
    /// The number of the first node behind this one and everything in it.
    end: usize,
    /// A later member of the same object has the same key.
    dead: bool,
}

/// The table. Node 0 is the object itself.
#[derive(Debug, Default)]
pub(crate) struct Doc {
    nodes: Vec<Node>,
    text: String,
    folded: String,
    /// The members of the object, sorted by key.
    top: Vec<usize>,
    members: Vec<usize>,
}

/// The event cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

impl Doc {
    /// Forgets the event before and reads this one.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        self.nodes.clear();
        self.text.clear();
        self.folded.clear();
        self.top.clear();
        if bytes.len() > MAX_EVENT_BYTES {
            return Err(Unreadable);
        }
        let mut reader = Reader { doc: self, bytes, next: 0 };
        reader.skip_blanks();
        if reader.peek() != Some(b'{') {
            return Err(Unreadable);
        }
        reader.value(Span::default(), 0)?;
        reader.skip_blanks();
        if reader.peek().is_none() { Ok(()) } else { Err(Unreadable) }
    }

    pub(crate) fn kind(&self, node: usize) -> Kind {
        self.nodes.get(node).map_or(Kind::Null, |node| node.kind)
    }

    pub(crate) fn text(&self, node: usize) -> &str {
        self.nodes.get(node).map_or("", |node| node.text.of(&self.text))
    }

    /// The text in lower case, once `fold_node` has made it.
    pub(crate) fn folded(&self, node: usize) -> &str {
        self.nodes.get(node).and_then(|node| node.folded).map_or("", |span| span.of(&self.folded))
    }

    pub(crate) fn fold_node(&mut self, node: usize) {
        let Some(node) = self.nodes.get_mut(node) else { return };
        if node.folded.is_none() && node.kind == Kind::Scalar {
            let start = self.folded.len();
            fold(node.text.of(&self.text), &mut self.folded);
            node.folded = Some(Span { start, end: self.folded.len() });
        }
    }

    /// Every scalar of the event, at any depth.
    pub(crate) fn scalars(&self, out: &mut Vec<usize>) {
        let mut index = 0;
        while let Some(node) = self.nodes.get(index) {
            if node.dead {
                index = node.end;
                continue;
            }
            if node.kind == Kind::Scalar {
                out.push(index);
            }
            index = index.saturating_add(1);
        }
    }

    /// The values of a field: `true` when the field is there at all. Lists give each of their elements.
    ///
    /// A key that is the whole path wins over a path into objects; a path goes through every element of a list.
    pub(crate) fn find(&self, path: &str, out: &mut Vec<usize>) -> bool {
        self.find_in(0, path, out)
    }

    fn find_in(&self, map: usize, path: &str, out: &mut Vec<usize>) -> bool {
        if let Some(member) = self.member(map, path) {
            self.push_values(member, out);
            return true;
        }
        path.match_indices('.').any(|(dot, _)| {
            let (Some(head), Some(tail)) = (path.get(..dot), path.get(dot.saturating_add(1)..)) else { return false };
            self.member(map, head).is_some_and(|member| self.descend(member, tail, out))
        })
    }

    fn descend(&self, node: usize, path: &str, out: &mut Vec<usize>) -> bool {
        match self.kind(node) {
            Kind::Map => self.find_in(node, path, out),
            Kind::List => self.children(node).filter(|child| self.descend(*child, path, out)).count() > 0,
            Kind::Null | Kind::Scalar => false,
        }
    }

    fn push_values(&self, node: usize, out: &mut Vec<usize>) {
        if self.kind(node) == Kind::List {
            self.children(node).for_each(|child| self.push_values(child, out));
        } else {
            out.push(node);
        }
    }

    fn member(&self, map: usize, key: &str) -> Option<usize> {
        if map == 0 {
            let place = self.top.binary_search_by(|member| self.key(*member).cmp(key)).ok()?;
            return self.top.get(place).copied();
        }
        self.children(map).find(|child| self.key(*child) == key)
    }

    fn key(&self, node: usize) -> &str {
        self.nodes.get(node).map_or("", |node| node.key.of(&self.text))
    }

    fn children(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        let end = self.nodes.get(node).map_or(0, |node| node.end);
        let mut next = node.saturating_add(1);
        std::iter::from_fn(move || {
            while next < end {
                let child = next;
                let node = self.nodes.get(child)?;
                next = node.end;
                if !node.dead {
                    return Some(child);
                }
            }
            None
        })
    }

    /// Marks the members whose key comes again; the last one counts.
    fn drop_duplicates(&mut self, map: usize) {
        let mut members = std::mem::take(&mut self.members);
        members.clear();
        members.extend(self.children(map));
        if map == 0 || members.len() > 1 {
            members.sort_unstable_by(|a, b| self.key(*a).cmp(self.key(*b)).then_with(|| a.cmp(b)));
            for (earlier, later) in members.iter().zip(members.iter().skip(1)) {
                let same = self.key(*earlier) == self.key(*later);
                if let Some(node) = self.nodes.get_mut(*earlier) {
                    node.dead = same;
                }
            }
        }
        if map == 0 {
            self.top.extend(members.iter().copied().filter(|member| self.nodes.get(*member).is_some_and(|n| !n.dead)));
        }
        self.members = members;
    }
}

struct Reader<'a> {
    doc: &'a mut Doc,
    bytes: &'a [u8],
    next: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.next).copied()
    }

    fn step(&mut self) {
        self.next = self.next.saturating_add(1);
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.step();
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Unreadable> {
        if self.peek() != Some(byte) {
            return Err(Unreadable);
        }
        self.step();
        Ok(())
    }

    fn push(&mut self, kind: Kind, key: Span, text: Span) -> usize {
        let index = self.doc.nodes.len();
        let end = index.saturating_add(1);
        self.doc.nodes.push(Node { kind, key, text, folded: None, end, dead: false });
        index
    }

    fn close(&mut self, index: usize) {
        let end = self.doc.nodes.len();
        if let Some(node) = self.doc.nodes.get_mut(index) {
            node.end = end;
        }
    }

    fn value(&mut self, key: Span, depth: usize) -> Result<(), Unreadable> {
        if depth >= MAX_DEPTH {
            return Err(Unreadable);
        }
        match self.peek() {
            Some(b'{') => self.map(key, depth),
            Some(b'[') => self.list(key, depth),
            Some(b'"') => {
                let text = self.string()?;
                self.push(Kind::Scalar, key, text);
                Ok(())
            }
            Some(b't') => self.word("true", Kind::Scalar, key),
            Some(b'f') => self.word("false", Kind::Scalar, key),
            Some(b'n') => self.word("null", Kind::Null, key),
            Some(b'-' | b'0'..=b'9') => self.number(key),
            _ => Err(Unreadable),
        }
    }

    fn map(&mut self, key: Span, depth: usize) -> Result<(), Unreadable> {
        let index = self.push(Kind::Map, key, Span::default());
        self.step();
        self.skip_blanks();
        if self.peek() == Some(b'}') {
            self.step();
        } else {
            loop {
                self.skip_blanks();
                let name = self.string()?;
                self.skip_blanks();
                self.expect(b':')?;
                self.skip_blanks();
                self.value(name, depth.saturating_add(1))?;
                if !self.goes_on(b'}')? {
                    break;
                }
            }
        }
        self.close(index);
        self.doc.drop_duplicates(index);
        Ok(())
    }

    fn list(&mut self, key: Span, depth: usize) -> Result<(), Unreadable> {
        let index = self.push(Kind::List, key, Span::default());
        self.step();
        self.skip_blanks();
        if self.peek() == Some(b']') {
            self.step();
        } else {
            loop {
                self.skip_blanks();
                self.value(Span::default(), depth.saturating_add(1))?;
                if !self.goes_on(b']')? {
                    break;
                }
            }
        }
        self.close(index);
        Ok(())
    }

    /// Behind a member: `true` at a comma, `false` at the closing bracket.
    fn goes_on(&mut self, close: u8) -> Result<bool, Unreadable> {
        self.skip_blanks();
        let byte = self.peek();
        self.step();
        match byte {
            Some(b',') => Ok(true),
            Some(byte) if byte == close => Ok(false),
            _ => Err(Unreadable),
        }
    }

    fn word(&mut self, word: &str, kind: Kind, key: Span) -> Result<(), Unreadable> {
        let end = self.next.saturating_add(word.len());
        if self.bytes.get(self.next..end) != Some(word.as_bytes()) {
            return Err(Unreadable);
        }
        self.next = end;
        let text = self.keep(word);
        self.push(kind, key, text);
        Ok(())
    }

    /// Numbers keep their spelling.
    fn number(&mut self, key: Span) -> Result<(), Unreadable> {
        let rest = self.bytes.get(self.next..).unwrap_or_default();
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = rest.iter().take_while(|byte| is_part(byte)).count();
        let number = rest.get(..length).and_then(|number| std::str::from_utf8(number).ok()).ok_or(Unreadable)?;
        self.next = self.next.saturating_add(length);
        let text = self.keep(number);
        self.push(Kind::Scalar, key, text);
        Ok(())
    }

    fn keep(&mut self, text: &str) -> Span {
        let start = self.doc.text.len();
        self.doc.text.push_str(text);
        Span { start, end: self.doc.text.len() }
    }

    fn string(&mut self) -> Result<Span, Unreadable> {
        self.expect(b'"')?;
        let start = self.doc.text.len();
        loop {
            let rest = self.bytes.get(self.next..).unwrap_or_default();
            let length = memchr::memchr2(b'"', b'\\', rest).ok_or(Unreadable)?;
            let (plain, ends) = (rest.get(..length).unwrap_or_default(), rest.get(length) == Some(&b'"'));
            match std::str::from_utf8(plain) {
                Ok(plain) => self.doc.text.push_str(plain),
                Err(_) => self.doc.text.push_str(&String::from_utf8_lossy(plain)),
            }
            self.next = self.next.saturating_add(length).saturating_add(1);
            if ends {
                return Ok(Span { start, end: self.doc.text.len() });
            }
            let char = self.escape()?;
            self.doc.text.push(char);
        }
    }

    /// The character behind a backslash.
    fn escape(&mut self) -> Result<char, Unreadable> {
        let byte = self.peek().ok_or(Unreadable)?;
        self.step();
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode()?,
            _ => return Err(Unreadable),
        })
    }

    /// `\uXXXX`, or a pair of them; half a pair is U+FFFD.
    fn unicode(&mut self) -> Result<char, Unreadable> {
        let first = self.hex4()?;
        if (0xd800..0xdc00).contains(&first) && self.bytes.get(self.next..self.next.saturating_add(2)) == Some(br"\u") {
            let before = self.next;
            self.next = self.next.saturating_add(2);
            let second = self.hex4()?;
            if let Some(Ok(char)) = char::decode_utf16([first, second]).next() {
                return Ok(char);
            }
            self.next = before;
        }
        Ok(char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u16, Unreadable> {
        let end = self.next.saturating_add(4);
        let digits = self.bytes.get(self.next..end).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit())).ok_or(Unreadable)?;
        self.next = end;
        u16::from_str_radix(digits, 16).ok().ok_or(Unreadable)
    }
}
