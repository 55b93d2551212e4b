//! A piece of a list: records one behind the other, at most 256 KiB. What the store keeps and what a table reads are the
//! same bytes, so loading is checking and hashing, and a block that did not change is shared by the old table and the new.
//!
//! A record: a byte of kind (the low three bits) and flags, the length of the value (two bytes), the value, the line (four
//! bytes), then by the flags: time of addition and of expiry (four bytes each, seconds), confidence (one byte), reference
//! (two bytes of length, text). All numbers little endian.

use std::{ops::Range, sync::Arc};

use super::value::{IndicatorKind, MAX_VALUE_BYTES, Value};

/// Bytes of a block: also the stride of addresses in a table.
pub const BLOCK_BYTES: usize = 256 * 1024;
/// Bytes of a reference; a longer one is cut.
const MAX_REFERENCE_BYTES: usize = 512;

const FORMAT: u8 = 1;
const KIND: u8 = 0x07;
const ADDED: u8 = 0x08;
const EXPIRES: u8 = 0x10;
const CONFIDENCE: u8 = 0x20;
const REFERENCE: u8 = 0x40;
/// Nothing sets it.
const SPARE: u8 = 0x80;

/// One indicator of a list, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub value: Value,
    /// From 1, in what was imported.
    pub line: u32,
    /// Seconds since 1970.
    pub added: Option<u32>,
    /// Seconds since 1970; from then on it is not found.
    pub expires: Option<u32>,
    /// 0 to 100.
    pub confidence: Option<u8>,
    /// A report, a name, a link: what the source says of it.
    pub reference: String,
}

impl Entry {
    pub fn new(value: Value, line: u32) -> Self {
        Self { value, line, added: None, expires: None, confidence: None, reference: String::new() }
    }
}

/// Why bytes are no block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadBlock {
    /// Where in the block.
    pub at: usize,
}

impl std::fmt::Display for BadBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the record at byte {} of a block of indicators is damaged", self.at)
    }
}

impl std::error::Error for BadBlock {}

/// Checked records.
#[derive(Debug, Clone)]
pub struct Block {
    bytes: Arc<[u8]>,
    len: usize,
}

impl Block {
    /// Takes bytes that `BlockWriter` made, however long ago and wherever they were since.
    ///
    /// # Errors
    /// The place of the first record that is none.
    pub fn read(bytes: impl Into<Arc<[u8]>>) -> Result<Self, BadBlock> {
        let bytes = bytes.into();
        if bytes.len() > BLOCK_BYTES || bytes.first() != Some(&FORMAT) {
            return Err(BadBlock { at: 0 });
        }
        let mut at = 1;
        let mut len = 0_usize;
        while at < bytes.len() {
            let record = Record::at(&bytes, at).filter(Record::is_well_formed).ok_or(BadBlock { at })?;
            at = record.end;
            len = len.saturating_add(1);
        }
        Ok(Self { bytes, len })
    }

    /// Indicators in it.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// Everything in it, in the order of the list.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.records().filter_map(|record| record.entry())
    }

    pub(super) fn records(&self) -> impl Iterator<Item = Record<'_>> + '_ {
        let mut at = 1;
        std::iter::from_fn(move || {
            let record = Record::at(&self.bytes, at)?;
            at = record.end;
            Some(record)
        })
    }

    #[inline]
    pub(super) fn record(&self, at: usize) -> Option<Record<'_>> {
        Record::at(&self.bytes, at)
    }
}

/// A record where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) start: usize,
    end: usize,
    flags: u8,
    pub(super) key: &'a [u8],
    /// What is behind the value.
    tail: &'a [u8],
}

impl<'a> Record<'a> {
    #[inline]
    fn at(bytes: &'a [u8], start: usize) -> Option<Self> {
        let rest = bytes.get(start..)?;
        let (&[flags, low, high], rest) = rest.split_first_chunk::<3>()?;
        let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([low, high])))?;
        let fixed = 4_usize
            .saturating_add(if flags & ADDED == 0 { 0 } else { 4 })
            .saturating_add(if flags & EXPIRES == 0 { 0 } else { 4 })
            .saturating_add(usize::from(flags & CONFIDENCE != 0));
        let mut length = fixed;
        if flags & REFERENCE != 0 {
            let size = rest.get(fixed..)?.first_chunk::<2>()?;
            length = fixed.saturating_add(2).saturating_add(usize::from(u16::from_le_bytes(*size)));
        }
        let tail = rest.get(..length)?;
        let end = start.saturating_add(3).saturating_add(key.len()).saturating_add(length);
        Some(Self { start, end, flags, key, tail })
    }

    /// Where the value stands in the block.
    #[inline]
    pub(super) fn place(&self) -> Range<usize> {
        let start = self.start.saturating_add(3);
        start..start.saturating_add(self.key.len())
    }

    #[inline]
    pub(super) fn kind(&self) -> Option<IndicatorKind> {
        IndicatorKind::of_code(self.flags & KIND)
    }

    pub(super) fn is_well_formed(&self) -> bool {
        self.flags & SPARE == 0
            && self.key.len() <= MAX_VALUE_BYTES.saturating_add(1)
            && self.kind().is_some_and(|kind| Value::is_well_formed(kind, self.key))
    }

    /// Whether it is of no use any more at a time.
    pub(super) fn is_expired(&self, now: u32) -> bool {
        self.expires().is_some_and(|expires| expires <= now)
    }

    fn expires(&self) -> Option<u32> {
        let at = if self.flags & ADDED == 0 { 4 } else { 8 };
        if self.flags & EXPIRES == 0 { None } else { number(self.tail, at) }
    }

    pub(super) fn entry(&self) -> Option<Entry> {
        let value = Value::read(self.kind()?, self.key)?;
        let line = number(self.tail, 0)?;
        let mut at: usize = 4;
        let mut time = |flag: u8| {
            let present = self.flags & flag != 0;
            let found = if present { number(self.tail, at) } else { None };
            at = if present { at.saturating_add(4) } else { at };
            found
        };
        let (added, expires) = (time(ADDED), time(EXPIRES));
        let mut confidence = None;
        if self.flags & CONFIDENCE != 0 {
            confidence = self.tail.get(at).copied();
            at = at.saturating_add(1);
        }
        let text = self.tail.get(at.saturating_add(2)..).unwrap_or_default();
        let reference = String::from_utf8_lossy(text).into_owned();
        Some(Entry { value, line, added, expires, confidence, reference })
    }
}

fn number(tail: &[u8], at: usize) -> Option<u32> {
    tail.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))
}

/// Makes blocks of entries.
#[derive(Debug, Default)]
pub struct BlockWriter {
    bytes: Vec<u8>,
    record: Vec<u8>,
    len: usize,
}

impl BlockWriter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry; gives back the block that it did not fit into any more.
    pub fn push(&mut self, entry: &Entry) -> Option<Block> {
        self.record.clear();
        write(entry, &mut self.record);
        let full = self.bytes.len().saturating_add(self.record.len()) > BLOCK_BYTES;
        let done = if full { self.finish() } else { None };
        if self.bytes.is_empty() {
            self.bytes.push(FORMAT);
        }
        self.bytes.extend_from_slice(&self.record);
        self.len = self.len.saturating_add(1);
        done
    }

    /// What was not given back yet.
    pub fn finish(&mut self) -> Option<Block> {
        let len = std::mem::take(&mut self.len);
        let bytes = std::mem::take(&mut self.bytes);
        (len > 0).then(|| Block { bytes: bytes.into(), len })
    }

    /// The blocks of some entries.
    pub fn blocks<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<Block> {
        let mut writer = Self::new();
        let mut blocks: Vec<Block> = entries.into_iter().filter_map(|entry| writer.push(entry)).collect();
        blocks.extend(writer.finish());
        blocks
    }
}

fn write(entry: &Entry, out: &mut Vec<u8>) {
    let reference = cut(&entry.reference, MAX_REFERENCE_BYTES);
    let mut flags = entry.value.kind().code();
    flags |= if entry.added.is_some() { ADDED } else { 0 };
    flags |= if entry.expires.is_some() { EXPIRES } else { 0 };
    flags |= if entry.confidence.is_some() { CONFIDENCE } else { 0 };
    flags |= if reference.is_empty() { 0 } else { REFERENCE };
    out.extend_from_slice(&[flags, 0, 0]);
    entry.value.write(out);
    let length = u16::try_from(out.len().saturating_sub(3)).unwrap_or(u16::MAX);
    if let Some(place) = out.get_mut(1..3) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    out.extend_from_slice(&entry.line.to_le_bytes());
    for time in [entry.added, entry.expires].into_iter().flatten() {
        out.extend_from_slice(&time.to_le_bytes());
    }
    out.extend(entry.confidence);
    if !reference.is_empty() {
        out.extend_from_slice(&u16::try_from(reference.len()).unwrap_or(0).to_le_bytes());
        out.extend_from_slice(reference.as_bytes());
    }
}

fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries() -> Vec<Entry> {
        let words = ["203.0.113.7", "10.0.0.0/8", "2001:db8::/32", "evil.example", "http://x.example/a", "a@b.example"];
        let mut entries: Vec<Entry> = words.iter().map(|word| Entry::new(Value::parse(word).unwrap(), 7)).collect();
        entries[1].expires = Some(9);
        entries[2] = Entry { added: Some(1), confidence: Some(80), ..entries[2].clone() };
        entries[3] = Entry {
            added: Some(1),
            expires: Some(2),
            confidence: Some(3),
            reference: "ä report".into(),
            ..entries[3].clone()
        };
        entries.push(Entry::new(Value::parse("d41d8cd98f00b204e9800998ecf8427e").unwrap(), u32::MAX));
        entries
    }

    #[test]
    fn what_is_written_is_read_again() {
        let entries = entries();
        let blocks = BlockWriter::blocks(&entries);
        let read = Block::read(blocks[0].bytes().to_vec()).unwrap();
        assert_eq!(read.entries().collect::<Vec<_>>(), entries);
        assert_eq!((blocks.len(), read.len()), (1, entries.len()));
        let expired: Vec<bool> = read.records().map(|record| record.is_expired(2)).collect();
        assert_eq!(expired, [false, false, false, true, false, false, false]);
    }

    #[test]
    fn no_block_is_larger_than_the_limit_and_nothing_is_lost_between_two() {
        let long = Value::parse(&format!("http://x.example/{}", "a".repeat(4_000))).unwrap();
        let entries: Vec<Entry> = (0..200).map(|line| Entry::new(long.clone(), line)).collect();
        let blocks = BlockWriter::blocks(&entries);
        assert!(blocks.iter().all(|block| block.bytes().len() <= BLOCK_BYTES));
        let lines: Vec<u32> = blocks.iter().flat_map(Block::entries).map(|entry| entry.line).collect();
        assert_eq!(lines, (0..200).collect::<Vec<_>>());
    }

    #[test]
    fn a_damaged_block_is_refused_with_the_place() {
        let good = BlockWriter::blocks(&entries())[0].bytes().to_vec();
        assert_eq!(Block::read(good[..good.len() - 1].to_vec()).unwrap_err().at, good.len() - 3 - 16 - 4);
        assert_eq!(Block::read(Vec::new()).unwrap_err(), BadBlock { at: 0 });
        let mut other = good.clone();
        other[1] = 0x80 | 1;
        assert_eq!(Block::read(other).unwrap_err(), BadBlock { at: 1 });
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_are_records_or_an_error(mut bytes: Vec<u8>) {
            bytes.insert(0, FORMAT);
            if let Ok(block) = Block::read(bytes) {
                prop_assert_eq!(block.entries().count(), block.len());
            }
        }
    }
}
