//! An export of a log: NDJSON that proves itself. First line: tenant, verifier key, head; then entries; then checkpoints.
//!
//! Whoever makes a whole export up can sign it with a key of their own: only a checkpoint from outside tells.

use std::io::{BufRead, Read as _, Seek};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::{Checkpoint, Leaf, LedgerError, Report, Stored, Verifier, VerifierKey, leaf_hash};

const LINE_BYTES: u64 = 64 * 1024 * 1024;

/// One line of an export.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case", deny_unknown_fields)]
pub enum ExportLine {
    Head {
        v: u32,
        tenant: String,
        verifier_key: String,
        size: u64,
        root: String,
    },
    /// `payload` is the opened content, for readers; the proof is over `leaf`.
    Entry {
        seq: u64,
        leaf: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payload: Option<serde_json::Value>,
    },
    Checkpoint {
        note: String,
    },
}

pub struct VerifiedExport {
    pub report: Report,
}

/// Checks an export against its own key. `outside` are notes that were kept elsewhere; those of other logs are passed over.
/// Reads twice, a line at a time: the checkpoints come last and are wanted first.
///
/// # Errors
/// When it cannot be read or is no export at all. What is wrong inside one is in the report.
pub fn verify_export(mut reader: impl BufRead + Seek, outside: &[String]) -> Result<VerifiedExport, LedgerError> {
    let Some(Ok(ExportLine::Head { v: 1, tenant, verifier_key, size, root })) = next_line(&mut reader, 1)? else {
        return Err(LedgerError::Export { line: 1, detail: "not a head line of version 1".to_owned() });
    };
    let key = VerifierKey::parse(&verifier_key)?;
    let (mut heads, mut faults) = (Vec::new(), Vec::new());
    each_line(&mut reader, |_, line| {
        if let Ok(ExportLine::Checkpoint { note }) = line {
            keep(key.open(&note).map(Some), &mut heads, &mut faults);
        }
    })?;
    let mut elsewhere = Vec::new();
    for note in outside {
        keep(key.open_outside(note), &mut elsewhere, &mut faults);
    }
    let mut verifier = Verifier::new(tenant, &heads).outside(&elsewhere);
    if heads.is_empty() && size > 0 {
        faults.push("no signed checkpoint covers the entries".to_owned());
    }
    for fault in faults {
        verifier.fail(None, fault);
    }
    reader.rewind()?;
    each_line(&mut reader, |number, line| match line {
        Ok(ExportLine::Entry { seq, leaf, .. }) => feed(&mut verifier, seq, &leaf),
        Ok(ExportLine::Head { .. }) if number > 1 => verifier.fail(None, format!("line {number} is a second head")),
        Ok(_) => {}
        Err(detail) => verifier.fail(None, format!("line {number}: {detail}")),
    })?;
    // One value has one spelling: hex in capitals is a change like any other.
    let root = hex::decode(&root).ok().filter(|bytes| hex::encode(bytes) == root).unwrap_or_default();
    Ok(VerifiedExport { report: verifier.finish(Some((size, root))) })
}

fn keep(opened: Result<Option<Checkpoint>, LedgerError>, heads: &mut Vec<Checkpoint>, faults: &mut Vec<String>) {
    match opened {
        Ok(head) => heads.extend(head),
        Err(error) => faults.push(error.to_string()),
    }
}

type Line = Result<ExportLine, String>;

fn each_line(reader: &mut impl BufRead, mut take: impl FnMut(u64, Line)) -> Result<(), LedgerError> {
    let mut number = 1;
    while let Some(line) = next_line(reader, number)? {
        take(number, line);
        number += 1;
    }
    Ok(())
}

/// The next line, read up to its limit.
fn next_line(reader: &mut impl BufRead, number: u64) -> Result<Option<Line>, LedgerError> {
    let mut bytes = Vec::new();
    reader.by_ref().take(LINE_BYTES + 1).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LINE_BYTES {
        return Err(LedgerError::Export { line: number, detail: format!("longer than {LINE_BYTES} bytes") });
    }
    Ok(Some(serde_json::from_slice(&bytes).map_err(|error| error.to_string())))
}

fn feed(verifier: &mut Verifier, seq: u64, leaf: &str) {
    let Ok(bytes) = STANDARD.decode(leaf) else {
        verifier.fail(Some(seq), "the leaf is not base64");
        return;
    };
    // An export has no columns beside the leaf: they are taken from it.
    match Leaf::parse(&bytes) {
        Ok(parsed) => {
            let header = parsed.header;
            let hash = leaf_hash(&bytes).to_vec();
            verifier.entry(&Stored {
                seq,
                leaf: bytes,
                hash,
                kind: header.kind,
                time: header.time,
                subjects: header.subjects,
            });
        }
        Err(error) => verifier.fail(Some(seq), error.to_string()),
    }
}
