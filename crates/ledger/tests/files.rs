//! What can be done to the checkpoint file and to an export, and that it is found.

#![expect(clippy::unwrap_used, reason = "a test that cannot build its log has failed")]

use std::io::Cursor;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use shieldops_ledger::{
    ExportLine, Frontier, Header, Leaf, Report, Signer, Stored, Tail, Verifier, VerifierKey, checkpoint_tail,
    leaf_hash, read_checkpoints, verify_export,
};

const NAME: &str = "shieldops/abc/tnt_1";

/// A log at rest: each entry its own commit.
struct Log {
    entries: Vec<Stored>,
    notes: Vec<String>,
    frontier: Frontier,
    key: VerifierKey,
}

fn log(size: u64, seed: u8) -> Log {
    let signer = Signer::new(NAME, &[seed; 32]);
    let mut log = Log { entries: Vec::new(), notes: Vec::new(), frontier: Frontier::default(), key: signer.verifier() };
    for seq in 0..size {
        let time = format!("2026-11-21T10:00:{:02}.{:06}Z", seq / 60, u64::from(seed));
        let time = time.replace("10:00", &format!("10:{:02}", seq % 60));
        let header = Header {
            kind: "plan.approved".into(),
            seq,
            subjects: vec![format!("pln_{seq}")],
            tenant: "tnt_1".into(),
            time,
            v: 1,
        };
        let leaf = Leaf { header: header.clone(), sealed: vec![seed; 20] }.to_bytes();
        let hash = leaf_hash(&leaf);
        log.frontier.append(hash);
        log.entries.push(Stored {
            seq,
            leaf,
            hash: hash.to_vec(),
            kind: header.kind,
            time: header.time,
            subjects: header.subjects,
        });
        log.notes.push(signer.sign(seq + 1, log.frontier.root()));
    }
    log
}

fn file(notes: &[String]) -> Vec<u8> {
    notes
        .iter()
        .flat_map(|note| [&u32::try_from(note.len()).unwrap().to_be_bytes(), note.as_bytes()].concat())
        .collect()
}

fn verify(log: &Log, file: &[u8]) -> Report {
    let (notes, whole) = read_checkpoints(file);
    let opened: Result<Vec<_>, _> = notes.iter().map(|note| log.key.open(note)).collect();
    let mut verifier = Verifier::new("tnt_1", opened.as_deref().unwrap_or_default());
    if opened.is_err() || checkpoint_tail(file, whole) == Tail::Damaged {
        verifier.fail(None, "the checkpoint file");
    }
    for entry in &log.entries {
        verifier.entry(entry);
    }
    verifier.finish(Some((log.frontier.size(), log.frontier.root().to_vec())))
}

fn export(log: &Log) -> String {
    let head = ExportLine::Head {
        v: 1,
        tenant: "tnt_1".into(),
        verifier_key: log.key.to_text(),
        size: log.frontier.size(),
        root: log.frontier.root().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat(),
    };
    let entries = log.entries.iter().map(|entry| ExportLine::Entry {
        seq: entry.seq,
        leaf: STANDARD.encode(&entry.leaf),
        payload: None,
    });
    let notes = log.notes.iter().map(|note| ExportLine::Checkpoint { note: note.clone() });
    let lines = std::iter::once(head).chain(entries).chain(notes);
    lines.map(|line| serde_json::to_string(&line).unwrap() + "\n").collect()
}

fn sound(text: &[u8], outside: &[String]) -> bool {
    verify_export(Cursor::new(text), outside).is_ok_and(|export| export.report.ok)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_changed_bit_of_the_checkpoint_file_is_found_or_costs_the_last_commit_alone(size in 2..6_u64, at: prop::sample::Index, bit in 0..8_u8) {
        let log = log(size, 7);
        let mut bytes = file(&log.notes);
        let last = bytes.len() - 4 - log.notes.last().unwrap().len();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let report = verify(&log, &bytes);
        prop_assert!(!report.ok || (at >= last && report.uncovered_commits == 1), "byte {at}");
    }

    #[test]
    fn a_cut_checkpoint_file_is_sound_only_when_the_last_commit_alone_is_missing(size in 1..6_u64, at: prop::sample::Index) {
        let log = log(size, 7);
        let bytes = file(&log.notes);
        let cut = at.index(bytes.len());
        let one_less = bytes.len() - 4 - log.notes.last().unwrap().len();
        prop_assert_eq!(verify(&log, &bytes[..cut]).ok, cut >= one_less, "cut at {} of {}", cut, bytes.len());
    }

    #[test]
    fn any_changed_bit_of_an_export_is_found(size in 1..5_u64, at: prop::sample::Index, bit in 0..8_u8) {
        let mut bytes = export(&log(size, 7)).into_bytes();
        prop_assert!(sound(&bytes, &[]));
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(!sound(&bytes, &[]), "byte {at}: {}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn an_export_without_one_of_its_entries_is_found(size in 1..6_u64, at: prop::sample::Index) {
        let text = export(&log(size, 7));
        let mut lines: Vec<_> = text.lines().collect();
        lines.remove(1 + at.index(usize::try_from(size).unwrap()));
        prop_assert!(!sound(lines.join("\n").as_bytes(), &[]));
    }
}

#[test]
fn a_log_written_anew_beside_a_removed_checkpoint_file_is_found() {
    let report = verify(&log(9, 7), &[]);
    assert!(!report.ok);
    assert_eq!((report.uncovered_commits, report.uncovered_entries), (9, 9));
}

#[test]
fn many_entries_of_one_commit_may_lack_their_checkpoint() {
    let mut log = log(3, 7);
    let time = log.entries[2].time.clone();
    for seq in 3..6 {
        let header =
            Header { kind: "k".into(), seq, subjects: vec![], tenant: "tnt_1".into(), time: time.clone(), v: 1 };
        let leaf = Leaf { header, sealed: vec![] }.to_bytes();
        let hash = leaf_hash(&leaf);
        log.frontier.append(hash);
        log.entries.push(Stored {
            seq,
            leaf,
            hash: hash.to_vec(),
            kind: "k".into(),
            time: time.clone(),
            subjects: vec![],
        });
    }
    let bytes = file(&log.notes[..2]);
    let report = verify(&log, &bytes);
    assert!(report.ok, "{report:?}");
    assert_eq!((report.uncovered_commits, report.uncovered_entries), (1, 4));
}

#[test]
fn an_export_made_up_with_another_key_is_found_by_a_checkpoint_kept_outside() {
    let (real, forged) = (log(6, 7), log(6, 8));
    let kept = [real.notes[3].clone()];
    assert!(sound(export(&real).as_bytes(), &kept));
    assert!(sound(export(&forged).as_bytes(), &[]), "nothing inside can tell");
    assert!(!sound(export(&forged).as_bytes(), &kept));
}

#[test]
fn an_export_shorter_than_a_checkpoint_kept_outside_is_found() {
    let (long, short) = (log(9, 7), log(5, 7));
    assert!(sound(export(&short).as_bytes(), &[]));
    assert!(!sound(export(&short).as_bytes(), &[long.notes[8].clone()]));
}

#[test]
fn an_export_without_checkpoints_proves_nothing() {
    let mut log = log(1, 7);
    log.notes.clear();
    assert!(!sound(export(&log).as_bytes(), &[]));
}

#[test]
fn what_is_no_export_is_an_error_and_no_verdict() {
    for text in ["", "\n", "{}", "[1]", "PK\u{3}\u{4}", "\0\0\0"] {
        assert!(verify_export(Cursor::new(text), &[]).is_err(), "{text:?}");
    }
}
