//! The checkpoint file of a log: every commit's signed head, appended and synced. A record is a length (four bytes, big
//! endian) and a note; a torn last record is what a power loss leaves and is dropped by the next writer.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

/// Bytes of one note.
const NOTE_BYTES: u32 = 64 * 1024;

/// Where the records rest; a test puts a disk below that loses what was not synced.
pub trait Disk {
    fn read_all(&mut self) -> io::Result<Vec<u8>>;
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
}

/// A real file.
pub struct FileDisk(File);

impl FileDisk {
    /// Opens or makes the file, and makes its name durable.
    pub fn open(path: &Path) -> io::Result<Self> {
        let fresh = !path.exists();
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        if fresh && let Some(parent) = path.parent() {
            file.sync_all()?;
            File::open(parent)?.sync_all()?;
        }
        Ok(Self(file))
    }

    /// Locks the file against other processes until it is dropped.
    pub fn lock(&self) -> io::Result<()> {
        self.0.lock()
    }
}

impl Disk for FileDisk {
    fn read_all(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.0.seek(SeekFrom::Start(0))?;
        self.0.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.seek(SeekFrom::End(0))?;
        self.0.write_all(bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// A writer of checkpoints.
pub struct CheckpointFile<D> {
    disk: D,
}

impl<D: Disk> CheckpointFile<D> {
    /// Opens for writing: a torn tail is cut off.
    pub fn open(mut disk: D) -> io::Result<(Self, Option<String>)> {
        let bytes = disk.read_all()?;
        let (notes, whole) = read_all(&bytes);
        if whole < bytes.len() {
            disk.truncate(u64::try_from(whole).unwrap_or(u64::MAX))?;
            disk.sync()?;
        }
        Ok((Self { disk }, notes.into_iter().next_back()))
    }

    /// Appends a note durably; after a failure the file ends where it did.
    pub fn append(&mut self, note: &str) -> io::Result<()> {
        let length = u32::try_from(note.len()).map_err(io::Error::other)?;
        let mut record = length.to_be_bytes().to_vec();
        record.extend_from_slice(note.as_bytes());
        self.disk.append(&record)?;
        self.disk.sync()
    }
}

/// The whole notes of a file, and how many bytes they take. What follows is a torn tail.
pub fn read_all(bytes: &[u8]) -> (Vec<String>, usize) {
    let mut notes = Vec::new();
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length);
        let Some((note, after)) = usize::try_from(length).ok().filter(|_| length <= NOTE_BYTES).and_then(|length| after.split_at_checked(length)) else { break };
        let Ok(note) = std::str::from_utf8(note) else { break };
        notes.push(note.to_owned());
        rest = after;
    }
    (notes, bytes.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_tail_is_cut_and_the_whole_records_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (mut file, last) = CheckpointFile::open(FileDisk::open(&path).unwrap()).unwrap();
        assert_eq!(last, None);
        file.append("one").unwrap();
        file.append("two").unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in 1..7 {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let (mut file, last) = CheckpointFile::open(FileDisk::open(&path).unwrap()).unwrap();
            assert_eq!(last.as_deref(), Some("one"));
            file.append("two").unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), whole);
        }
    }
}
