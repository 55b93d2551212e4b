//! One event: a JSON object read once into a flat table of values, reused from event to event.
//!
//! Hostile bytes are normal here. What can still be matched is: lone surrogates and invalid UTF-8 become U+FFFD, raw
//! control characters stay. What cannot be read at all (no object, too deep, too long, cut off) is refused as a whole.

mod json;

use std::ops::Range;

use super::pattern::fold;
use crate::engine::escape;

/// Bytes of one event.
pub const MAX_EVENT_BYTES: usize = 16 * 1_024 * 1_024;
/// Nesting of one event.
pub(crate) const MAX_DEPTH: usize = 64;

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
    /// A number or word, not a string.
    bare: bool,
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

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
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
        json::Reader::new(self, bytes).document()
    }

    /// Whether `read` would read this event; forgets the one before.
    pub(crate) fn can_read(&mut self, bytes: &[u8]) -> bool {
        self.nodes.clear();
        self.text.clear();
        self.folded.clear();
        self.top.clear();
        bytes.len() <= MAX_EVENT_BYTES && json::Reader::checking(self, bytes).document().is_ok()
    }

    /// The event again as one canonical line: no blanks, one spelling for each text, no key twice in an object.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.write_node(0, out);
    }

    fn write_node(&self, node: usize, out: &mut Vec<u8>) {
        let (open, shut) = match self.kind(node) {
            Kind::Null => return out.extend_from_slice(b"null"),
            Kind::Scalar if self.nodes.get(node).is_some_and(|node| node.bare) => {
                return out.extend_from_slice(self.text(node).as_bytes());
            }
            Kind::Scalar => return write_text(self.text(node), out),
            Kind::List => (b'[', b']'),
            Kind::Map => (b'{', b'}'),
        };
        out.push(open);
        for (place, child) in self.children(node).enumerate() {
            if place > 0 {
                out.push(b',');
            }
            if open == b'{' {
                write_text(self.key(child), out);
                out.push(b':');
            }
            self.write_node(child, out);
        }
        out.push(shut);
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
