//! A file that was cut inside its last chunk, filled with zeros to a whole one, so that the records before the cut are read.

use std::io::{self, Read, Seek, SeekFrom};

/// The file header's size.
const HEADER: u64 = 4_096;
/// A chunk's size.
pub(super) const CHUNK: u64 = 65_536;

/// A reader with zeros after its end.
pub(super) struct Padded<R> {
    inner: R,
    length: u64,
    whole: u64,
    at: u64,
}

impl<R: Read + Seek> Padded<R> {
    pub(super) fn new(mut inner: R) -> io::Result<Self> {
        let length = inner.seek(SeekFrom::End(0))?;
        inner.seek(SeekFrom::Start(0))?;
        let chunks = length.saturating_sub(HEADER).div_ceil(CHUNK);
        let whole = length.max(if chunks == 0 { length } else { HEADER.saturating_add(chunks.saturating_mul(CHUNK)) });
        Ok(Self { inner, length, whole, at: 0 })
    }

    /// How many bytes the last chunk lacks.
    pub(super) fn missing(&self) -> u64 {
        self.whole.saturating_sub(self.length)
    }

    /// How many chunks the file holds, the cut one included.
    pub(super) fn chunks(&self) -> u64 {
        self.whole.saturating_sub(HEADER) >> 16
    }
}

impl<R: Read + Seek> Read for Padded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = |end: u64| usize::try_from(end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let read = if self.at < self.length {
            self.inner.read(buffer)?
        } else {
            let zeros = buffer.len().min(left(self.whole));
            buffer.iter_mut().take(zeros).for_each(|byte| *byte = 0);
            zeros
        };
        self.at = self.at.saturating_add(u64::try_from(read).unwrap_or(0));
        Ok(read)
    }
}

impl<R: Read + Seek> Seek for Padded<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.whole.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let target = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.inner.seek(SeekFrom::Start(target.min(self.length)))?;
        self.at = target;
        Ok(target)
    }
}
