//! The offline verifier: entries one by one, then the head, then every checkpoint.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Checkpoint, Frontier, Hash, Leaf, leaf_hash};

/// An entry as it rests, with the columns that were derived from its header.
#[derive(Debug, Clone)]
pub struct Stored {
    pub seq: u64,
    pub leaf: Vec<u8>,
    pub hash: Vec<u8>,
    pub kind: String,
    /// As the header writes it.
    pub time: String,
    pub subjects: Vec<String>,
}

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bad {
    /// The entry, where one can be named.
    pub seq: Option<u64>,
    pub why: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub tenant: String,
    pub ok: bool,
    pub entries: u64,
    /// Root over all entries, hex.
    pub root: String,
    /// Size of the last signed checkpoint.
    pub checkpoint_size: u64,
    pub checkpoints: u64,
    /// Committed entries that no checkpoint covers: at most one commit, caught up at the next start.
    pub uncovered_entries: u64,
    /// The commits they are of. More than one in a log at rest means that checkpoints were removed.
    pub uncovered_commits: u64,
    pub first_bad: Option<Bad>,
}

/// What an entry was found to be, for callers that count by kind.
#[derive(Debug, Clone)]
pub struct Checked {
    pub leaf: Leaf,
    pub hash: Hash,
}

/// Checks a log as a stream of entries in order.
pub struct Verifier {
    tenant: String,
    frontier: Frontier,
    /// Heads that were signed, to be met on the way: size to root.
    wanted: BTreeMap<u64, Hash>,
    last: u64,
    checkpoints: u64,
    /// The log was written while it was read: any number of commits may lack their checkpoint.
    running: bool,
    uncovered_commits: u64,
    /// The time of the last uncovered entry: the entries of one commit carry one time.
    uncovered_time: Option<String>,
    bad: Option<Bad>,
}

impl Verifier {
    /// `heads` are the opened checkpoints in the file's order.
    pub fn new(tenant: impl Into<String>, heads: &[Checkpoint]) -> Self {
        let mut verifier = Self {
            tenant: tenant.into(),
            frontier: Frontier::default(),
            wanted: BTreeMap::new(),
            last: 0,
            checkpoints: 0,
            running: false,
            uncovered_commits: 0,
            uncovered_time: None,
            bad: None,
        };
        for head in heads {
            verifier.checkpoints += 1;
            verifier.last = verifier.last.max(head.size);
            verifier.expect(head);
        }
        verifier.meet();
        verifier
    }

    /// Also wants the heads of checkpoints that were kept elsewhere. They cover nothing that the file should.
    #[must_use]
    pub fn outside(mut self, heads: &[Checkpoint]) -> Self {
        for head in heads {
            self.expect(head);
        }
        self.meet();
        self
    }

    /// For a log that is written while it is read, where commits may have come between file and database.
    #[must_use]
    pub fn running(mut self) -> Self {
        self.running = true;
        self
    }

    fn expect(&mut self, head: &Checkpoint) {
        if let Some(other) = self.wanted.insert(head.size, head.root)
            && other != head.root
        {
            self.fail(None, format!("two checkpoints of size {} have different roots", head.size));
        }
    }

    /// Reports a fault found outside (a file that does not read, a note that does not open).
    pub fn fail(&mut self, seq: Option<u64>, why: impl Into<String>) {
        if self.bad.is_none() {
            self.bad = Some(Bad { seq, why: why.into() });
        }
    }

    /// Takes the next entry.
    pub fn entry(&mut self, stored: &Stored) -> Option<Checked> {
        if self.frontier.size() >= self.last && self.uncovered_time.as_ref() != Some(&stored.time) {
            self.uncovered_commits += 1;
            self.uncovered_time = Some(stored.time.clone());
        }
        match check(stored, self.frontier.size(), &self.tenant) {
            Ok(checked) => {
                self.frontier.append(checked.hash);
                self.meet();
                Some(checked)
            }
            Err(bad) => {
                self.fail(bad.seq, bad.why);
                // Keeps the count, so that later faults are not blamed on this one's place.
                self.frontier.append(leaf_hash(&stored.leaf));
                None
            }
        }
    }

    fn meet(&mut self) {
        let size = self.frontier.size();
        if let Some(root) = self.wanted.remove(&size)
            && root != self.frontier.root()
        {
            let seq = size.checked_sub(1);
            self.fail(seq, format!("the entries up to here do not give the root of the checkpoint of size {size}"));
        }
    }

    /// Ends the log. `head` is the stored head: size and root.
    pub fn finish(mut self, head: Option<(u64, Vec<u8>)>) -> Report {
        let (size, root) = (self.frontier.size(), self.frontier.root());
        match head {
            Some((stored, _)) if stored != size => {
                self.fail(Some(size.min(stored)), format!("the head says {stored} entries, there are {size}"));
            }
            Some((_, stored)) if stored != root => self.fail(None, "the head's root is not the root of the entries"),
            None if size > 0 => self.fail(None, "there is no head"),
            _ => {}
        }
        if let Some((missing, _)) = self.wanted.first_key_value() {
            let why = format!(
                "a signed checkpoint has {missing} entries, the log has {size}: entries are missing at the end"
            );
            self.fail(Some(size), why);
        }
        if self.uncovered_commits > 1 && !self.running {
            let why = format!(
                "{} commits have no signed checkpoint, at most the last one may lack it: checkpoints were removed",
                self.uncovered_commits
            );
            self.fail(Some(self.last), why);
        }
        Report {
            tenant: self.tenant,
            ok: self.bad.is_none(),
            entries: size,
            root: hex::encode(root),
            checkpoint_size: self.last,
            checkpoints: self.checkpoints,
            uncovered_entries: size.saturating_sub(self.last),
            uncovered_commits: self.uncovered_commits,
            first_bad: self.bad,
        }
    }
}

fn check(stored: &Stored, expected: u64, tenant: &str) -> Result<Checked, Bad> {
    let bad = |why: String| Bad { seq: Some(expected.min(stored.seq)), why };
    if stored.seq != expected {
        return Err(bad(format!("entry {expected} is missing: the next one is {}", stored.seq)));
    }
    let leaf = Leaf::parse(&stored.leaf).map_err(|error| bad(error.to_string()))?;
    let hash = leaf_hash(&stored.leaf);
    if stored.hash != hash {
        return Err(bad("the stored hash is not the hash of the leaf".to_owned()));
    }
    let header = &leaf.header;
    let differs = [
        ("sequence", header.seq == stored.seq),
        ("tenant", header.tenant == tenant),
        ("kind", header.kind == stored.kind),
        ("time", header.time == stored.time),
        ("subjects", header.subjects == stored.subjects),
    ];
    match differs.iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(bad(format!("the {what} beside the leaf is not the one inside"))),
        None => Ok(Checked { leaf, hash }),
    }
}
