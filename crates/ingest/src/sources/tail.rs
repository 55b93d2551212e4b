//! Follows text files as they grow, through rotation and truncation, and resumes where it was.
//!
//! Each delivery is marked with the place behind it, which is durable with the lines themselves: a process that ends between the
//! delivery and the saved place goes on from the mark, and no line comes twice. A path's generation grows with every file that
//! takes its name and with every truncation, so that marks grow though places begin again at zero.
//!
//! A file is known again by its inode and its beginning: where these are another file's, that one is read from its start.
//!
//! Who rotates makes the new file first and tells the writer after: the old one is read until the new one is written to and the
//! old one is quiet. What all the same is never read is said in the log.

use std::{
    io::{self, SeekFrom},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

mod head;
mod rotation;

use super::{Checkpoints, Delivery, Mark, Sink, deliver};
use crate::formats::audit::before_last_serial;
use head::Head;

/// Files to follow.
pub struct Tail {
    pub paths: Vec<PathBuf>,
    /// The source's name; by shape where there is none.
    pub hint: Option<String>,
    pub checkpoints: Arc<dyn Checkpoints>,
    /// Whether a file that was never seen is read from its start; otherwise only what is added.
    pub from_start: bool,
    /// How often the files are looked at.
    pub poll: Duration,
    /// The longest line in bytes.
    pub line_bytes: usize,
    /// How long a rotated file is quiet before the one that took its name is read.
    pub leave_after: Duration,
}

/// How much is read at once.
const CHUNK: usize = 256 * 1024;
/// Audit records at the end of a file wait so long for the rest of their serial.
const AUDIT_HELD: Duration = Duration::from_secs(2);
/// A rotated file that is never quiet holds up the new one no longer than this.
const LEAVE_AT_LATEST: Duration = Duration::from_secs(30);
/// A file that was left is looked at for so long, to say what comes to it all the same.
const WATCHED: Duration = Duration::from_mins(10);

impl Tail {
    pub fn new(paths: Vec<PathBuf>, hint: Option<String>, checkpoints: Arc<dyn Checkpoints>) -> Self {
        let (poll, leave_after) = (Duration::from_millis(500), Duration::from_secs(2));
        Self { paths, hint, checkpoints, from_start: true, poll, line_bytes: 1024 * 1024, leave_after }
    }

    /// Follows the files until cancelled.
    pub async fn run(self, sink: Arc<dyn Sink>, cancel: CancellationToken) {
        let mut files: Vec<Followed> = self.paths.iter().map(|path| Followed::new(path.clone())).collect();
        loop {
            for file in &mut files {
                match self.follow(file, &*sink, &cancel).await {
                    Ok(Delivery::Stopped) => return,
                    Ok(_) => file.complained = false,
                    Err(error) => file.complain(&error),
                }
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(self.poll) => {}
            }
        }
    }

    /// Reads what is new in one file; where that was rotated away and is at its end, changes over to the file that came next.
    async fn follow(&self, file: &mut Followed, sink: &dyn Sink, cancel: &CancellationToken) -> io::Result<Delivery> {
        file.watch_left().await;
        if file.open.is_none() {
            file.open = Some(self.open(file, sink).await?);
        }
        loop {
            let now_there = tokio::fs::metadata(&file.path).await.ok();
            let Some(open) = file.open.as_mut() else { return Ok(Delivery::Accepted) };
            let rotated = now_there.filter(|there| there.ino() != open.inode);
            if self.drain(&file.path, open, false, sink, cancel).await? == Delivery::Stopped {
                return Ok(Delivery::Stopped);
            }
            let Some(there) = rotated else { return Ok(Delivery::Accepted) };
            let between = rotation::since(&file.path, &open.file.metadata().await?).await?;
            if !open.may_be_left(there.len() > 0 || !between.is_empty(), self.leave_after) {
                return Ok(Delivery::Accepted);
            }
            if self.drain(&file.path, open, true, sink, cancel).await? == Delivery::Stopped {
                return Ok(Delivery::Stopped);
            }
            let generation = open.generation.saturating_add(1);
            let next = file.next(between);
            let next = self.begin(&file.path, File::open(next).await?, 0, generation).await?;
            file.left = file.open.replace(next).map(|left| (left.file, left.offset, Instant::now()));
        }
    }

    /// A file that is read from `offset` in a new generation: its place is kept before anything of it is delivered.
    async fn begin(&self, path: &Path, file: File, offset: u64, generation: u64) -> io::Result<Open> {
        let open = Open::at(file, offset, generation).await?;
        self.checkpoints.save(&key(path), &open.place());
        Ok(open)
    }

    /// Opens a file where it was left: the same inode with the same beginning, or the one that rotation moved aside.
    async fn open(&self, followed: &mut Followed, sink: &dyn Sink) -> io::Result<Open> {
        let path = followed.path.clone();
        let path = path.as_path();
        let mut file = File::open(path).await?;
        let there = file.metadata().await?;
        let marked = sink.last(&key(path)).map(position);
        let Some(place) = self.checkpoints.load(&key(path)).as_deref().and_then(Place::parse) else {
            let offset = if self.from_start { 0 } else { there.len() };
            return self.begin(path, file, offset, marked.map_or(0, |(last, _)| last.saturating_add(1))).await;
        };
        // Delivered and not yet saved when the process ended.
        let offset = match marked {
            Some((generation, offset)) if generation == place.generation => place.offset.max(offset),
            _ => place.offset,
        };
        let next = place.generation.max(marked.map_or(0, |(last, _)| last)).saturating_add(1);
        if there.ino() == place.inode {
            if offset > there.len() {
                return self.begin(path, file, 0, next).await;
            }
            if place.head.begins(&mut file).await? {
                return Open::at(file, offset, place.generation).await;
            }
            followed.missed = true;
            tracing::warn!(path = %path.display(), offset, "another file has the inode of the one that was followed, or it was written anew: it is read from its start; what the old one had behind this byte is not read");
            return self.begin(path, file, 0, next).await;
        }
        let aside =
            rotation::aside(path).await?.into_iter().find(|aside| aside.inode == place.inode && !aside.is_packed);
        if let Some(aside) = aside {
            let mut old = File::open(aside.path).await?;
            if offset <= old.metadata().await?.len() && place.head.begins(&mut old).await? {
                return Open::at(old, offset, place.generation).await;
            }
        }
        followed.missed = true;
        tracing::warn!(path = %path.display(), offset, "the file that was followed is gone or packed: what was added to it behind this byte, and to files that were rotated since, is not read");
        self.begin(path, file, 0, next).await
    }

    /// Delivers every whole line to the end of the file; of a file that was rotated away also the last, unfinished one.
    async fn drain(
        &self,
        path: &Path,
        open: &mut Open,
        ended: bool,
        sink: &dyn Sink,
        cancel: &CancellationToken,
    ) -> io::Result<Delivery> {
        let length = open.file.metadata().await?.len();
        if length < open.offset || length > open.seen && !open.head.begins(&mut open.file).await? {
            tracing::info!(path = %path.display(), "file was truncated: reading from its start");
            (open.offset, open.generation, open.head) = (0, open.generation.saturating_add(1), Head::default());
            // Of a line that was too long and is gone, nothing is left to skip.
            open.skipping = false;
            self.checkpoints.save(&key(path), &open.place());
        }
        if length > open.seen {
            open.grown = Instant::now();
        }
        open.seen = length;
        loop {
            let piece = open.read(self.line_bytes.saturating_add(1).max(CHUNK)).await?;
            if piece.is_empty() {
                return Ok(Delivery::Accepted);
            }
            let taken = self.whole_lines(&piece, open, ended);
            if taken.0 == 0 {
                return Ok(Delivery::Accepted);
            }
            let lines = piece.slice(..taken.0);
            let (key, end) = (key(path), open.offset.saturating_add(u64::try_from(taken.0).unwrap_or(0)));
            let mark = Mark { producer: &key, number: number(open.generation, end) };
            if !taken.1
                && !lines.trim_ascii().is_empty()
                && deliver(sink, self.hint.as_deref(), lines, Some(mark), cancel).await == Delivery::Stopped
            {
                return Ok(Delivery::Stopped);
            }
            open.offset = end;
            if open.head.is_short() {
                open.head = Head::of(&mut open.file, end).await?;
            }
            self.checkpoints.save(&key, &open.place());
        }
    }

    /// How many bytes of a piece are whole lines that need not wait, and whether they are the rest of a line already refused.
    fn whole_lines(&self, piece: &Bytes, open: &mut Open, ended: bool) -> (usize, bool) {
        let first_end = memchr::memchr(b'\n', piece);
        if std::mem::take(&mut open.skipping) {
            open.skipping = first_end.is_none() && !ended;
            return (first_end.map_or(piece.len(), |at| at.saturating_add(1)), true);
        }
        let end = memchr::memrchr(b'\n', piece).map_or(0, |at| at.saturating_add(1));
        if end == 0 {
            open.skipping = piece.len() > self.line_bytes;
            return (if ended || open.skipping { piece.len() } else { 0 }, false);
        }
        let read_to = open.offset.saturating_add(u64::try_from(end).unwrap_or(0));
        let at_end = read_to >= open.seen;
        let wait = at_end && !ended && open.grown.elapsed() < AUDIT_HELD;
        (if wait { before_last_serial(piece.get(..end).unwrap_or_default()) } else { end }, false)
    }
}

fn key(path: &Path) -> String {
    format!("tail:{}", path.display())
}

/// Bytes that a file may have, 16 TiB: above them a mark holds the generation.
const GENERATION: u64 = 1 << 44;

fn number(generation: u64, offset: u64) -> u64 {
    generation.saturating_mul(GENERATION).saturating_add(offset)
}

/// Generation and offset of a mark.
fn position(number: u64) -> (u64, u64) {
    (number.checked_div(GENERATION).unwrap_or(0), number.checked_rem(GENERATION).unwrap_or(0))
}

/// A saved place: `inode:offset:generation:head`.
struct Place {
    inode: u64,
    offset: u64,
    generation: u64,
    head: Head,
}

impl Place {
    /// The first versions kept no generation, and no beginning, which fits every file.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (inode, offset) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let generation = parts.next().map_or(Some(0), |text| text.parse().ok())?;
        let head = parts.next().map_or(Some(Head::default()), Head::parse)?;
        Some(Self { inode, offset, generation, head })
    }
}

/// A path and the file that is read for it now.
struct Followed {
    path: PathBuf,
    open: Option<Open>,
    complained: bool,
    /// The file that was left last, how far it was read, and when.
    left: Option<(File, u64, Instant)>,
    /// Something was not read, which was said.
    missed: bool,
}

impl Followed {
    fn new(path: PathBuf) -> Self {
        Self { path, open: None, complained: false, left: None, missed: false }
    }

    /// The file that comes after the one that is open: one that was rotated away meanwhile, or the one that has the name now.
    fn next(&mut self, between: Vec<rotation::Aside>) -> PathBuf {
        for aside in between {
            if !aside.is_packed {
                return aside.path;
            }
            self.missed = true;
            tracing::warn!(path = %aside.path.display(), "a rotated file was packed before it was read: its lines are missing");
        }
        self.path.clone()
    }

    /// Says what comes to a file after it was left.
    async fn watch_left(&mut self) {
        let Some((file, read, since)) = &self.left else { return };
        let length = file.metadata().await.map_or(0, |there| there.len());
        if length > *read {
            let bytes = length.saturating_sub(*read);
            tracing::warn!(path = %self.path.display(), bytes, "lines were written to a file long after it was rotated: they are not read");
            self.missed = true;
        } else if since.elapsed() < WATCHED {
            return;
        }
        self.left = None;
    }

    /// Says once that a file cannot be read, until it can again.
    fn complain(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.complained, true) {
            tracing::warn!(path = %self.path.display(), %error, "file cannot be followed; trying again");
        }
    }
}

/// An open file and how far it is delivered.
struct Open {
    file: File,
    inode: u64,
    offset: u64,
    generation: u64,
    head: Head,
    /// Its length when it was last looked at, and when that last grew.
    seen: u64,
    grown: Instant,
    /// The rest of a line over the limit is being passed over.
    skipping: bool,
    /// Since when another file has been there to go on with.
    rotated: Option<Instant>,
}

impl Open {
    async fn at(mut file: File, offset: u64, generation: u64) -> io::Result<Self> {
        let inode = file.metadata().await?.ino();
        let head = Head::of(&mut file, offset).await?;
        Ok(Self {
            file,
            inode,
            offset,
            generation,
            head,
            seen: offset,
            grown: Instant::now(),
            skipping: false,
            rotated: None,
        })
    }

    /// Whether the next file may be read, which is there or not.
    fn may_be_left(&mut self, has_next: bool, leave_after: Duration) -> bool {
        if !has_next {
            return false;
        }
        let since = *self.rotated.get_or_insert_with(Instant::now);
        let is_quiet = self.grown.elapsed().min(since.elapsed()) >= leave_after;
        is_quiet || since.elapsed() >= LEAVE_AT_LATEST
    }

    fn place(&self) -> String {
        format!("{}:{}:{}:{}", self.inode, self.offset, self.generation, self.head)
    }

    async fn read(&mut self, limit: usize) -> io::Result<Bytes> {
        self.file.seek(SeekFrom::Start(self.offset)).await?;
        let mut piece = Vec::with_capacity(CHUNK.min(limit));
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        (&mut self.file).take(limit).read_to_end(&mut piece).await?;
        Ok(piece.into())
    }
}

#[cfg(test)]
mod tests;
