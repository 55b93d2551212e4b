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
    fn read_from(&mut self, offset: u64) -> io::Result<Vec<u8>>;
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
    fn read_from(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.0.seek(SeekFrom::Start(offset))?;
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
    /// Where the whole records end.
    end: u64,
}

impl<D: Disk> CheckpointFile<D> {
    /// Opens for writing: a torn tail is cut off.
    ///
    /// # Errors
    /// `InvalidData` when the file is damaged otherwise: cutting there would destroy the evidence.
    pub fn open(disk: D) -> io::Result<(Self, Option<String>)> {
        Self::resume(disk, 0)
    }

    /// Opens a file whose first `known` bytes were read before, and gives the last note after them. A commit so reads
    /// what others appended, not the whole file.
    pub fn resume(mut disk: D, known: u64) -> io::Result<(Self, Option<String>)> {
        let bytes = disk.read_from(known)?;
        let (notes, whole) = read_all(&bytes);
        let end = known.saturating_add(u64::try_from(whole).map_err(io::Error::other)?);
        match tail(&bytes, whole) {
            Tail::Clean => {}
            Tail::Torn => {
                disk.truncate(end)?;
                disk.sync()?;
            }
            Tail::Damaged => {
                let why = format!("damaged at byte {end}, nothing was changed: run `shieldops ledger verify`");
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
        Ok((Self { disk, end }, notes.into_iter().next_back()))
    }

    /// Where the whole records end, for `resume`.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Appends a note durably; after a failure the file ends where it did.
    pub fn append(&mut self, note: &str) -> io::Result<()> {
        let length = u32::try_from(note.len()).map_err(io::Error::other)?;
        if length == 0 || length > NOTE_BYTES || note.contains('\0') {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a note"));
        }
        let mut record = length.to_be_bytes().to_vec();
        record.extend_from_slice(note.as_bytes());
        if let Err(error) = self.disk.append(&record).and_then(|()| self.disk.sync()) {
            // Should this fail too, the next writer finds a torn tail or a whole record.
            drop(self.disk.truncate(self.end));
            return Err(error);
        }
        self.end = self.end.saturating_add(u64::from(length)).saturating_add(4);
        Ok(())
    }
}

/// The whole notes of a file, and how many bytes they take. What follows them, `tail` tells.
pub fn read_all(bytes: &[u8]) -> (Vec<String>, usize) {
    let mut notes = Vec::new();
    let mut rest = bytes;
    while let Some((note, after)) = record(rest) {
        notes.push(note.to_owned());
        rest = after;
    }
    (notes, bytes.len() - rest.len())
}

fn record(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, after) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length);
    let (note, after) =
        after.split_at_checked(usize::try_from(length).ok().filter(|_| (1..=NOTE_BYTES).contains(&length))?)?;
    // A note has no NUL; a page that was never written has nothing else.
    let note = std::str::from_utf8(note).ok().filter(|note| !note.contains('\0'))?;
    Some((note, after))
}

/// What follows the whole records of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    Clean,
    /// One record that a power loss cut short or left unwritten.
    Torn,
    /// Anything else: the file was changed.
    Damaged,
}

/// Judges what follows the first `whole` bytes.
pub fn tail(bytes: &[u8], whole: usize) -> Tail {
    let rest = bytes.get(whole..).unwrap_or_default();
    if rest.is_empty() {
        return Tail::Clean;
    }
    let Some((length, after)) = rest.split_first_chunk::<4>() else { return Tail::Torn };
    let length = u32::from_be_bytes(*length);
    let wanted = usize::try_from(length).unwrap_or(usize::MAX);
    let written = after.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let unwritten = after.len() <= wanted && written < after.len();
    // A NUL inside is the length of another record: more than one is hidden here.
    let one = !after.iter().take(written).any(|byte| *byte == 0);
    let torn = (1..=NOTE_BYTES).contains(&length) && (after.len() < wanted || unwritten) && one;
    let empty = rest.iter().all(|byte| *byte == 0);
    if torn || empty { Tail::Torn } else { Tail::Damaged }
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

    /// A disk that fails and that forgets, at a power loss, what was not synced.
    #[derive(Default)]
    struct Faulty {
        bytes: Vec<u8>,
        durable: Vec<u8>,
        /// The next append writes so many bytes and fails.
        fail_after: Option<usize>,
    }

    impl Disk for &mut Faulty {
        fn read_from(&mut self, offset: u64) -> io::Result<Vec<u8>> {
            Ok(self.bytes[usize::try_from(offset).unwrap()..].to_vec())
        }
        fn truncate(&mut self, length: u64) -> io::Result<()> {
            self.bytes.truncate(usize::try_from(length).unwrap());
            Ok(())
        }
        fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            let written = self.fail_after.take().unwrap_or(bytes.len());
            self.bytes.extend_from_slice(&bytes[..written]);
            if written < bytes.len() { Err(io::Error::other("no space")) } else { Ok(()) }
        }
        fn sync(&mut self) -> io::Result<()> {
            self.durable = self.bytes.clone();
            Ok(())
        }
    }

    #[test]
    fn an_append_that_returned_survives_a_power_loss() {
        let mut disk = Faulty::default();
        for number in 0..5 {
            let (mut file, _) = CheckpointFile::open(&mut disk).unwrap();
            file.append(&format!("note {number}")).unwrap();
            // The power goes: only what was synced is left.
            disk.bytes = disk.durable.clone();
            assert_eq!(read_all(&disk.bytes).0.len(), number + 1);
        }
    }

    #[test]
    fn after_a_full_disk_the_file_goes_on_where_it_ended() {
        for written in 0..10 {
            let mut disk = Faulty::default();
            let (mut file, _) = CheckpointFile::open(&mut disk).unwrap();
            file.append("one").unwrap();
            file.disk.fail_after = Some(written);
            assert!(file.append("two, longer").is_err());
            file.append("two").unwrap();
            assert_eq!(read_all(&disk.bytes).0, ["one", "two"]);
        }
    }

    #[test]
    fn a_damaged_file_is_refused_and_left_as_it_is() {
        let mut disk = Faulty::default();
        let (mut file, _) = CheckpointFile::open(&mut disk).unwrap();
        for note in ["one", "two", "three"] {
            file.append(note).unwrap();
        }
        // A length that swallows what follows, one that is absurd, one that ends in the wrong place, a byte that is no text.
        for (at, byte) in [(0, 0xff), (2, 1), (3, 0), (3, 9), (3, 200), (5, 0xff)] {
            let whole = disk.bytes.clone();
            disk.bytes[at] = byte;
            let changed = disk.bytes.clone();
            assert!(CheckpointFile::open(&mut disk).is_err(), "byte {at}");
            assert_eq!(disk.bytes, changed);
            disk.bytes = whole;
        }
    }

    #[test]
    fn a_page_that_was_never_written_counts_as_torn() {
        let mut disk = Faulty::default();
        let (mut file, _) = CheckpointFile::open(&mut disk).unwrap();
        file.append("one").unwrap();
        let whole = disk.bytes.clone();
        for rest in [&[0; 40][..], &[0, 0, 0, 5, b'a', 0, 0, 0, 0][..]] {
            disk.bytes = [whole.as_slice(), rest].concat();
            let (_, last) = CheckpointFile::open(&mut disk).unwrap();
            assert_eq!((last.as_deref(), &disk.bytes), (Some("one"), &whole));
        }
    }

    #[test]
    fn a_writer_that_resumes_reads_only_what_others_appended() {
        let mut disk = Faulty::default();
        let (mut file, _) = CheckpointFile::open(&mut disk).unwrap();
        file.append("one").unwrap();
        let known = file.end();
        file.append("two").unwrap();
        let (mut file, last) = CheckpointFile::resume(&mut disk, known).unwrap();
        assert_eq!(last.as_deref(), Some("two"));
        file.append("three").unwrap();
        assert_eq!(read_all(&disk.bytes).0, ["one", "two", "three"]);
    }
}
