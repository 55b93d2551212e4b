//! Walks the frames of a segment file in order, checking each; after damage it finds the next whole frame, so that one
//! bad byte costs one frame and never the rest of the segment. Bytes that the disk cannot read are damage like any other.

use std::{io, path::Path};

use crate::{
    disk::DiskFile,
    error::{Result, io_error, is_unreadable},
    frame::{self, Header, LONG_HEADER, SHORT_HEADER},
    limits::FRAME_CEILING,
    wire::{len64, size},
};

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;
/// What a disk loses at once.
const PAGE: u64 = 4096;
pub(crate) const UNREADABLE: &str = "the disk cannot read it";

pub(crate) enum Step<'a> {
    Frame {
        position: u64,
        header: Header,
        bytes: &'a [u8],
    },
    /// Nothing whole from `position` up to `until`, where a whole frame begins or the walk ends.
    Damage {
        position: u64,
        until: u64,
        why: &'static str,
    },
}

pub(crate) struct Walk<'a> {
    file: &'a dyn DiskFile,
    path: &'a Path,
    position: u64,
    end: u64,
    buffer: Vec<u8>,
    buffer_at: u64,
    /// The buffer has pages that the disk cannot read, as zeros.
    holes: bool,
    met_holes: bool,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(file: &'a dyn DiskFile, path: &'a Path, position: u64, end: u64) -> Self {
        Self { file, path, position, end, buffer: Vec::new(), buffer_at: position, holes: false, met_holes: false }
    }

    /// Whether some of what was looked at so far could not be read: another time it may be.
    pub(crate) fn met_holes(&self) -> bool {
        self.met_holes
    }

    /// The next step, `None` at the end.
    pub(crate) fn step(&mut self) -> Result<Option<Step<'_>>> {
        let position = self.position;
        if position >= self.end {
            return Ok(None);
        }
        let why = match self.check(position)? {
            Ok(header) => {
                let len = header.frame_len();
                self.position = position.saturating_add(len64(len));
                let bytes = self.window(position, len)?;
                return Ok(Some(Step::Frame { position, header, bytes }));
            }
            Err(_why) if self.holes => UNREADABLE,
            Err(why) => why,
        };
        let mut until = position.saturating_add(1);
        while until < self.end && !self.candidate(&mut until)? {}
        self.position = until;
        Ok(Some(Step::Damage { position, until, why }))
    }

    /// The header of the frame at `position`, or why there is no whole frame.
    fn check(&mut self, position: u64) -> Result<Result<Header, &'static str>> {
        let left = size(self.end.saturating_sub(position));
        let header = match Header::parse(self.window(position, LONG_HEADER.min(left))?) {
            Ok(header) => header,
            Err(why) => return Ok(Err(why)),
        };
        let len = header.frame_len();
        if len > left || len > FRAME_CEILING.saturating_add(LONG_HEADER) {
            return Ok(Err("the frame is cut short"));
        }
        let bytes = self.window(position, len)?;
        if bytes.len() < len {
            return Ok(Err("the frame is cut short"));
        }
        Ok(frame::checked(bytes))
    }

    /// Moves `place` on to the next byte where a frame could begin; true when one does.
    fn candidate(&mut self, place: &mut u64) -> Result<bool> {
        let left = size(self.end.saturating_sub(*place));
        if left < SHORT_HEADER {
            *place = self.end;
            return Ok(true);
        }
        let window = self.window(*place, left.min(CHUNK))?;
        if window.len() < SHORT_HEADER {
            *place = self.end;
            return Ok(true);
        }
        let skip = (0..window.len()).find(|at| window.get(*at..).is_some_and(|rest| Header::parse(rest).is_ok()));
        // A header may begin in the last bytes of the window: look at those again with more behind them.
        let looked = window.len().saturating_sub(LONG_HEADER).max(1);
        let Some(skip) = skip else {
            *place = place.saturating_add(len64(looked));
            return Ok(false);
        };
        *place = place.saturating_add(len64(skip));
        if self.check(*place)?.is_ok() {
            return Ok(true);
        }
        *place = place.saturating_add(1);
        Ok(false)
    }

    /// Fills the buffer page by page: what cannot be read stays zero, which is no frame.
    fn read_around(&mut self, position: u64) -> io::Result<usize> {
        self.buffer.fill(0);
        (self.holes, self.met_holes) = (true, true);
        let mut done = 0_usize;
        while done < self.buffer.len() {
            let at = position.saturating_add(len64(done));
            let page = size(PAGE.saturating_sub(at.checked_rem(PAGE).unwrap_or(0)));
            let end = done.saturating_add(page).min(self.buffer.len());
            let Some(part) = self.buffer.get_mut(done..end) else { break };
            match self.file.read_at(part, at) {
                Ok(read) if read < part.len() => return Ok(done.saturating_add(read)),
                Ok(_) => {}
                Err(error) if is_unreadable(&error) => {
                    part.fill(0);
                    tracing::warn!(path = %self.path.display(), position = at, %error, "the disk cannot read a page of events");
                }
                Err(error) => return Err(error),
            }
            done = end;
        }
        Ok(done)
    }

    /// The bytes at `position`, fewer only at the end of the file.
    fn window(&mut self, position: u64, len: usize) -> Result<&[u8]> {
        let start = position.checked_sub(self.buffer_at).map(size);
        let held = start.is_some_and(|start| start.saturating_add(len) <= self.buffer.len());
        if !held {
            let left = size(self.end.saturating_sub(position));
            self.buffer.resize(len.max(CHUNK.min(left)), 0);
            self.holes = false;
            let read = match self.file.read_at(&mut self.buffer, position) {
                Err(error) if is_unreadable(&error) => self.read_around(position),
                read => read,
            };
            self.buffer.truncate(read.map_err(io_error("reading", self.path))?);
            self.buffer_at = position;
        }
        let start = size(position.saturating_sub(self.buffer_at));
        let end = start.saturating_add(len).min(self.buffer.len());
        Ok(self.buffer.get(start..end).unwrap_or_default())
    }
}
