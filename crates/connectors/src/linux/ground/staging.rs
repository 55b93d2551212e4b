//! Stand-ins are put into a state and compared before and after. Never a real host.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor},
};
use sha2::{Digest, Sha256};

use super::{Ground, Kind, MAX_ENTRIES, MAX_HASHED, Outcome, Seen, Trouble, Who, join, refused};
use crate::linux::hand::Job;

/// What is in a file: written as text where it is some, else as a list of numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_binary) => serializer.collect_seq(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

/// Either way of writing it.
struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of bytes")
    }

    fn visit_str<E>(self, text: &str) -> Result<Bytes, E> {
        Ok(Bytes(text.as_bytes().to_vec()))
    }

    fn visit_string<E>(self, text: String) -> Result<Bytes, E> {
        Ok(Bytes(text.into_bytes()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Bytes, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = list.next_element()? {
            bytes.push(byte);
        }
        Ok(Bytes(bytes))
    }
}

/// A file or a folder to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Thing {
    pub(crate) path: String,
    /// `None`: a folder.
    pub(crate) text: Option<Bytes>,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime_ns: i64,
}

impl Thing {
    pub(crate) fn file(path: &str, text: impl AsRef<[u8]>, mode: u32, owner: u32, mtime_s: u64) -> Self {
        let mtime_ns = i64::try_from(mtime_s).unwrap_or_default().saturating_mul(1_000_000_000);
        Self {
            path: path.to_owned(),
            text: Some(Bytes(text.as_ref().to_vec())),
            mode,
            uid: owner,
            gid: owner,
            mtime_ns,
        }
    }

    pub(crate) fn folder(path: &str, mode: u32, owner: u32) -> Self {
        Self { text: None, ..Self::file(path, "", mode, owner, 1_700_000_000) }
    }
}

/// Clears places and makes things there.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Stage {
    pub(crate) clear: Vec<String>,
    pub(crate) make: Vec<Thing>,
}

impl Job for Stage {
    type Answer = ();
    const NAME: &'static str = "stage";
    const CHANGES: bool = true;
    const STAND_IN_ONLY: bool = true;

    fn run(self, on: &mut dyn Ground) -> Outcome<()> {
        if !on.with().stand_in {
            return refused("only a simulator or a twin is put into a state");
        }
        self.clear.iter().try_for_each(|path| on.clear(path))?;
        self.make.iter().try_for_each(|thing| on.stage(thing))
    }
}

/// Ends all processes of a user and starts others.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) end: Option<u32>,
    pub(crate) uid: u32,
    pub(crate) count: u64,
    /// As one login of that user.
    pub(crate) login: bool,
}

impl Job for Start {
    /// Numbers, and the session of the last.
    type Answer = (Vec<u32>, Option<u32>);
    const NAME: &'static str = "start";
    const CHANGES: bool = true;
    const STAND_IN_ONLY: bool = true;

    fn run(self, on: &mut dyn Ground) -> Outcome<Self::Answer> {
        if !on.with().stand_in {
            return refused("only a simulator or a twin is put into a state");
        }
        let old = on.processes()?.into_iter().filter(|process| Some(process.uid) == self.end);
        old.map(|process| process.identity).collect::<Vec<_>>().iter().try_for_each(|it| on.kill(it))?;
        let (mut pids, mut session) = (Vec::new(), None);
        for number in 0..self.count {
            // One login for all: what is started later is in the same session.
            let (pid, its) = on.start("sleep", self.uid, self.login && number == 0)?;
            pids.push(pid);
            session = its.or(session);
        }
        Ok((pids, session))
    }
}

/// Every process of a stand-in but ourselves.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Running {}

impl Job for Running {
    type Answer = Vec<String>;
    const NAME: &'static str = "running";
    const STAND_IN_ONLY: bool = true;

    fn run(self, on: &mut dyn Ground) -> Outcome<Self::Answer> {
        let others = on.processes()?.into_iter().filter(|process| !process.ours);
        let line = |process: super::Process| {
            format!("{} {} {} {:?}", process.identity.pid, process.name, process.uid, process.session)
        };
        Ok(others.map(line).collect())
    }
}

/// Everything below some places, in one order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) roots: Vec<String>,
    /// Which inode a file is: a file that is moved stays the same, one that is rewritten does not.
    pub(crate) inodes: bool,
}

impl Job for Snapshot {
    type Answer = BTreeMap<String, String>;
    const NAME: &'static str = "snapshot";

    fn run(self, on: &mut dyn Ground) -> Outcome<Self::Answer> {
        let mut all = BTreeMap::new();
        let mut waiting = self.roots.clone();
        while let Some(path) = waiting.pop() {
            let Some(seen) = on.find(&path, Who::Root)? else { continue };
            if seen.kind == Kind::Folder {
                let names = on.list(&path, Who::Root)?.unwrap_or_default();
                waiting.extend(names.iter().map(|name| join(&path, name)));
            }
            let line = describe(on, &path, &seen, self.inodes);
            all.insert(path, line);
            if all.len() > MAX_ENTRIES {
                return Err(Trouble::Unavailable(format!("more than {MAX_ENTRIES} files")));
            }
        }
        Ok(all)
    }
}

/// A line of the picture; a link is a thing of its own.
fn describe(on: &dyn Ground, path: &str, seen: &Seen, inodes: bool) -> String {
    let owner = format!("{:o} {}:{}", seen.mode, seen.uid, seen.gid);
    if seen.kind != Kind::File {
        return format!("{:?} {owner}", seen.kind);
    }
    let hash = match on.read(path, Who::Root, MAX_HASHED) {
        Ok(text) => hex::encode(Sha256::digest(text.map(|text| text.bytes).unwrap_or_default())),
        Err(_) => "not hashed".to_owned(),
    };
    let inode = if inodes { format!(" inode {}", seen.inode) } else { String::new() };
    format!("file {owner} {} bytes links {} at {} {hash}{inode}", seen.size, seen.links, seen.mtime_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_file_is_written_as_text_where_it_is_some_and_read_as_it_was() {
        for (bytes, written) in [(&b"a\n\""[..], r#""a\n\"""#), (b"", r#""""#), (&[0xff, 0, 7], "[255,0,7]")] {
            let bytes = Bytes(bytes.to_vec());
            assert_eq!(serde_json::to_string(&bytes).unwrap(), written);
            assert_eq!(serde_json::from_str::<Bytes>(written).unwrap(), bytes);
        }
        for wrong in ["7", "[256]", "[-1]", "null", "{}"] {
            assert!(serde_json::from_str::<Bytes>(wrong).is_err(), "{wrong}");
        }
    }
}
