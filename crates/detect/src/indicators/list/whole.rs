//! A list that is in memory whole: its lines are shared out among threads.

use super::{Defaults, ListFormat, ListReader, MAX_DIAGNOSTICS};
use crate::{
    diagnostic::Diagnostic,
    indicators::block::{Block, BlockWriter, Entry},
};

/// What is read before lines are shared out: the header is among it.
const HEAD_BYTES: usize = 64 * 1024;
/// A thread is not worth beginning for less.
const LEAST_BYTES: usize = 512 * 1024;

/// What a list holds.
#[derive(Debug, Default)]
pub struct ReadList {
    /// In the order of the list.
    pub blocks: Vec<Block>,
    pub entries: u64,
    /// Lines, or objects, that were no indicator.
    pub refused: u64,
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a list on at most so many threads. `before` lines of it came earlier.
pub fn read_list(
    text: &[u8],
    name: &str,
    (format, defaults): (ListFormat, Defaults),
    before: u32,
    threads: usize,
) -> ReadList {
    let mut reader = ListReader::new(name, format, defaults);
    let (head, rest) = cut(text, HEAD_BYTES);
    let mut first = Part::new(before);
    reader.push(head, &mut |entry| first.take(entry));
    let threads =
        if reader.may_be_shared() { threads.clamp(1, rest.len().div_euclid(LEAST_BYTES).saturating_add(1)) } else { 1 };
    let size = rest.len().div_ceil(threads);
    let (own, mut others) = cut(rest, size);
    let mut line = reader.line.saturating_add(lines(own));
    let parts = std::thread::scope(|scope| {
        let mut started = Vec::new();
        while !others.is_empty() {
            let (part, after) = cut(others, size);
            let mut reader = reader.behind(line);
            started.push(scope.spawn(move || Part::new(before).read(&mut reader, part)));
            line = line.saturating_add(lines(part));
            others = after;
        }
        let own = first.read(&mut reader, own);
        let others = started.into_iter().filter_map(|thread| thread.join().ok());
        std::iter::once(own).chain(others).collect::<Vec<ReadList>>()
    });
    parts.into_iter().fold(ReadList::default(), ReadList::join)
}

/// Up to the end of the line in which a place is.
fn cut(text: &[u8], at: usize) -> (&[u8], &[u8]) {
    let behind = text.get(at..).and_then(|rest| memchr::memchr(b'\n', rest));
    text.split_at(behind.map_or(text.len(), |end| at.saturating_add(end).saturating_add(1)))
}

fn lines(text: &[u8]) -> u32 {
    u32::try_from(memchr::memchr_iter(b'\n', text).count()).unwrap_or(u32::MAX)
}

/// What one thread reads.
struct Part {
    writer: BlockWriter,
    read: ReadList,
    before: u32,
}

impl Part {
    fn new(before: u32) -> Self {
        Self { writer: BlockWriter::new(), read: ReadList::default(), before }
    }

    fn take(&mut self, mut entry: Entry) {
        entry.line = entry.line.saturating_add(self.before);
        self.read.entries = self.read.entries.saturating_add(1);
        self.read.blocks.extend(self.writer.push(&entry));
    }

    fn read(mut self, reader: &mut ListReader, text: &[u8]) -> ReadList {
        reader.push(text, &mut |entry| self.take(entry));
        let mut diagnostics = reader.finish(&mut |entry| self.take(entry));
        let before = usize::try_from(self.before).unwrap_or(0);
        for said in &mut diagnostics {
            said.line = said.line.saturating_add(before);
        }
        self.read.blocks.extend(self.writer.finish());
        ReadList { refused: reader.refused(), diagnostics, ..self.read }
    }
}

impl ReadList {
    fn join(mut self, next: Self) -> Self {
        self.blocks.extend(next.blocks);
        self.entries = self.entries.saturating_add(next.entries);
        self.refused = self.refused.saturating_add(next.refused);
        self.diagnostics.extend(next.diagnostics);
        self.diagnostics.truncate(MAX_DIAGNOSTICS);
        self
    }
}
