//! One file as the target told of it: what is known of it, and as much of it as was asked for.

use serde_json::{Value, json};
use shieldops_respond::{Collected, Fault};

use crate::linux::ground;

/// What became of one file.
#[derive(Debug, PartialEq)]
pub(super) struct Piece {
    path: String,
    known: Option<Known>,
    pub(super) bytes: Vec<u8>,
    /// What is missing of it, and why.
    note: Option<String>,
}

#[derive(Debug, PartialEq)]
struct Known {
    size: u64,
    /// Octal.
    mode: String,
    uid: u64,
    gid: u64,
    modified_s: u64,
    inode: u64,
    /// Of the whole file; `None` where it is too large to be hashed there.
    sha256: Option<String>,
}

impl Piece {
    pub(super) fn without(path: &str, why: &str) -> Self {
        Self { path: path.to_owned(), known: None, bytes: Vec::new(), note: Some(why.to_owned()) }
    }

    /// Reads what [`Remote::File`](crate::linux::ssh::Remote) prints: one word that says why there is nothing, or a line
    /// of facts, a line with the hash, and the bytes.
    pub(super) fn parse(path: &str, said: &[u8], most: u64) -> Result<Self, Fault> {
        let odd = || Fault::Unavailable(format!("the host did not say what `{}` is", path.escape_debug()));
        let (facts, rest) = line(said).ok_or_else(odd)?;
        let why = match facts {
            "link" => "not read: a symbolic link is at the path or on the way to it",
            "missing" => "not read: nothing is there that this user can see",
            "other" => "not read: it is no regular file",
            "unreadable" => "not read: it cannot be opened",
            _ => "",
        };
        if !why.is_empty() {
            return Ok(Self::without(path, why));
        }
        let (sha256, bytes) = line(rest).ok_or_else(odd)?;
        let known = Known::parse(facts, sha256).ok_or_else(odd)?;
        let read = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if read > most {
            return Err(odd());
        }
        let note = (read < known.size).then(|| format!("cut at {read} of {} bytes", known.size));
        Ok(Self { path: path.to_owned(), known: Some(known), bytes: bytes.to_vec(), note })
    }

    /// Its line in the list of files.
    pub(super) fn described(&self) -> Value {
        let known = self.known.as_ref().map(|known| {
            json!({"size": known.size, "mode": known.mode, "uid": known.uid, "gid": known.gid,
                "modified_s": known.modified_s, "inode": known.inode, "sha256": known.sha256})
        });
        json!({"path": self.path, "file": known, "read": self.bytes.len(), "read_sha256": ground::sha256(&self.bytes), "note": self.note})
    }

    /// Its bytes, where any were read.
    pub(super) fn collected(self) -> Option<Collected> {
        self.known?;
        let media_type = "application/octet-stream";
        Some(Collected { name: self.path, media_type, bytes: self.bytes, note: self.note })
    }
}

impl Known {
    fn parse(facts: &str, sha256: &str) -> Option<Self> {
        let mut words = facts.strip_prefix("file ")?.split(' ');
        let mut number = || words.next()?.parse::<u64>().ok();
        let (size, mode, uid, gid) = (number()?, number()?, number()?, number()?);
        let (modified_s, inode) = (number()?, number()?);
        let whole = sha256.len() == 64 && sha256.chars().all(|letter| letter.is_ascii_hexdigit());
        if !whole && !sha256.is_empty() {
            return None;
        }
        let sha256 = whole.then(|| sha256.to_owned());
        // `%a` prints octal digits.
        Some(Self { size, mode: format!("{mode:04}"), uid, gid, modified_s, inode, sha256 })
    }
}

/// The first line and what comes after it.
fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (first, rest) = bytes.split_at(end);
    Some((std::str::from_utf8(first).ok()?, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(said: &str) -> Result<Piece, Fault> {
        Piece::parse("/etc/x", said.as_bytes(), 8)
    }

    #[test]
    fn a_file_is_read_whole_or_says_what_is_missing() {
        let hash = "a".repeat(64);
        let whole = parse(&format!("file 4 644 0 0 1700000000 12\n{hash}\nab\nc")).unwrap();
        assert_eq!((whole.bytes.as_slice(), &whole.note), (b"ab\nc".as_slice(), &None));
        let cut = parse(&format!("file 70000 600 0 0 1 12\n{hash}\n12345678")).unwrap();
        assert_eq!(cut.note.as_deref(), Some("cut at 8 of 70000 bytes"));
        assert_eq!(cut.described()["file"]["mode"], "0600");
        for word in ["link", "missing", "other", "unreadable"] {
            let none = parse(&format!("{word}\n")).unwrap();
            assert!(none.note.as_deref().unwrap().starts_with("not read"), "{word}");
            assert_eq!(none.collected(), None);
        }
    }

    #[test]
    fn a_half_or_odd_answer_is_an_error() {
        for said in ["", "file", "file 4 644 0 0 1 2", "file x 644 0 0 1 2\n\nabcd", "file 4 644 0 0 1 2\nshort\nabcd"]
        {
            assert!(parse(said).is_err(), "{said:?}");
        }
        assert!(parse("file 9 644 0 0 1 2\n\n123456789").is_err(), "more than was asked for");
    }
}
