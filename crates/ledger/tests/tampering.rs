//! Any single change to a stored log is found; an untouched log is sound.

#![expect(clippy::unwrap_used, reason = "a test that cannot build its log has failed")]

use proptest::prelude::*;
use shieldops_ledger::{Checkpoint, Frontier, Header, Leaf, Report, Stored, Verifier, leaf_hash};

#[derive(Debug, Clone)]
struct Log {
    entries: Vec<Stored>,
    heads: Vec<Checkpoint>,
    head: (u64, Vec<u8>),
}

fn log(size: u64) -> Log {
    let mut frontier = Frontier::default();
    let (mut entries, mut heads) = (Vec::new(), Vec::new());
    for seq in 0..size {
        let header = Header {
            kind: format!("kind.{}", seq % 3),
            seq,
            subjects: vec![format!("pln_{seq}")],
            tenant: "tnt_1".into(),
            time: format!("2026-11-21T10:00:00.{seq:06}Z"),
            v: 1,
        };
        let leaf = Leaf { header: header.clone(), sealed: vec![u8::try_from(seq % 251).unwrap(); 40] }.to_bytes();
        let hash = leaf_hash(&leaf);
        frontier.append(hash);
        entries.push(Stored {
            seq,
            leaf,
            hash: hash.to_vec(),
            kind: header.kind,
            time: header.time,
            subjects: header.subjects,
        });
        heads.push(Checkpoint { origin: "o".into(), size: seq + 1, root: frontier.root() });
    }
    Log { entries, heads, head: (size, frontier.root().to_vec()) }
}

fn verify(log: &Log) -> Report {
    let mut verifier = Verifier::new("tnt_1", &log.heads);
    for entry in &log.entries {
        verifier.entry(entry);
    }
    verifier.finish(Some(log.head.clone()))
}

/// One change that somebody with the database and a hasher could make.
#[derive(Debug, Clone)]
enum Change {
    Leaf { at: prop::sample::Index, byte: prop::sample::Index, bit: u8, rehash: bool },
    Column { at: prop::sample::Index, which: u8 },
    Delete(prop::sample::Index),
    DeleteAndRenumber(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    Insert(prop::sample::Index),
    Truncate { keep: prop::sample::Index, fix_head: bool },
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..8_u8, any::<bool>())
            .prop_map(|(at, byte, bit, rehash)| Change::Leaf { at, byte, bit, rehash }),
        (any::<prop::sample::Index>(), 0..3_u8).prop_map(|(at, which)| Change::Column { at, which }),
        any::<prop::sample::Index>().prop_map(Change::Delete),
        any::<prop::sample::Index>().prop_map(Change::DeleteAndRenumber),
        (any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(|(a, b)| Change::Swap(a, b)),
        any::<prop::sample::Index>().prop_map(Change::Insert),
        (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(keep, fix_head)| Change::Truncate { keep, fix_head }),
    ]
}

/// Applies the change; false when it happens to change nothing.
fn apply(log: &mut Log, change: &Change) -> bool {
    let count = log.entries.len();
    match change {
        Change::Leaf { at, byte, bit, rehash } => {
            let entry = &mut log.entries[at.index(count)];
            let byte = byte.index(entry.leaf.len());
            entry.leaf[byte] ^= 1 << bit;
            if *rehash {
                entry.hash = leaf_hash(&entry.leaf).to_vec();
            }
        }
        Change::Column { at, which } => {
            let entry = &mut log.entries[at.index(count)];
            match which {
                0 => entry.kind.push('x'),
                1 => entry.time.push('0'),
                _ => entry.subjects.push("pln_other".into()),
            }
        }
        Change::Delete(at) => {
            log.entries.remove(at.index(count));
        }
        Change::DeleteAndRenumber(at) => {
            log.entries.remove(at.index(count));
            for (seq, entry) in log.entries.iter_mut().enumerate() {
                entry.seq = u64::try_from(seq).unwrap();
            }
        }
        Change::Swap(a, b) => {
            let (a, b) = (a.index(count), b.index(count));
            log.entries.swap(a, b);
            return a != b;
        }
        Change::Insert(at) => {
            let copy = log.entries[at.index(count)].clone();
            log.entries.insert(at.index(count), copy);
        }
        Change::Truncate { keep, fix_head } => {
            log.entries.truncate(keep.index(count));
            if *fix_head {
                let mut frontier = Frontier::default();
                log.entries.iter().for_each(|entry| frontier.append(leaf_hash(&entry.leaf)));
                log.head = (frontier.size(), frontier.root().to_vec());
            }
        }
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn an_untouched_log_is_sound(size in 0..60_u64) {
        prop_assert!(verify(&log(size)).ok);
    }

    #[test]
    fn any_single_change_is_found(size in 1..60_u64, change in change()) {
        let mut log = log(size);
        if apply(&mut log, &change) {
            let report = verify(&log);
            prop_assert!(!report.ok, "{change:?} was not found");
            prop_assert!(report.first_bad.is_some());
        }
    }
}

#[test]
fn a_commit_whose_checkpoint_is_missing_is_sound_and_said_to_be_uncovered() {
    let mut log = log(9);
    log.heads.pop();
    let report = verify(&log);
    assert!(report.ok);
    assert_eq!(report.uncovered_entries, 1);
}

#[test]
fn the_first_bad_entry_is_named() {
    let mut log = log(9);
    log.entries[4].leaf[50] ^= 1;
    log.entries[7].leaf[50] ^= 1;
    assert_eq!(verify(&log).first_bad.unwrap().seq, Some(4));
}
