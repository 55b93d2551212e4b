//! An export of a log: NDJSON that proves itself. First line: tenant, verifier key, head; then entries; then checkpoints.

use std::io::BufRead;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::{Checkpoint, LedgerError, Leaf, Report, Stored, VerifierKey, Verifier, leaf_hash};

const LINE_BYTES: usize = 64 * 1024 * 1024;

/// One line of an export.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case", deny_unknown_fields)]
pub enum ExportLine {
    Head { v: u32, tenant: String, verifier_key: String, size: u64, root: String },
    /// `payload` is the opened content, for readers; the proof is over `leaf`.
    Entry { seq: u64, leaf: String, #[serde(default, skip_serializing_if = "Option::is_none")] payload: Option<serde_json::Value> },
    Checkpoint { note: String },
}

pub struct VerifiedExport {
    pub report: Report,
}

/// Checks an export against its own key, or against the one given.
pub fn verify_export(reader: impl BufRead, outside: Option<&[Checkpoint]>) -> Result<VerifiedExport, LedgerError> {
    let mut lines = Vec::new();
    for (number, line) in reader.lines().enumerate() {
        let at = u64::try_from(number + 1).unwrap_or(u64::MAX);
        let fail = |detail: String| LedgerError::Export { line: at, detail };
        let line = line.map_err(|error| fail(error.to_string()))?;
        if line.len() > LINE_BYTES {
            return Err(fail(format!("longer than {LINE_BYTES} bytes")));
        }
        lines.push(serde_json::from_str::<ExportLine>(&line).map_err(|error| fail(error.to_string()))?);
    }
    let Some(ExportLine::Head { v: 1, tenant, verifier_key, size, root }) = lines.first() else {
        return Err(LedgerError::Export { line: 1, detail: "not a head line of version 1".to_owned() });
    };
    let key = VerifierKey::parse(verifier_key)?;
    let mut heads: Vec<Checkpoint> = outside.unwrap_or_default().to_vec();
    let mut faults = Vec::new();
    for line in &lines {
        if let ExportLine::Checkpoint { note } = line {
            match key.open(note) {
                Ok(head) => heads.push(head),
                Err(error) => faults.push(error.to_string()),
            }
        }
    }
    let mut verifier = Verifier::new(tenant.clone(), &heads);
    for fault in faults {
        verifier.fail(None, fault);
    }
    for line in &lines {
        if let ExportLine::Entry { seq, leaf, .. } = line {
            feed(&mut verifier, *seq, leaf);
        }
    }
    let root = (0..root.len() / 2).filter_map(|at| u8::from_str_radix(root.get(at * 2..at * 2 + 2)?, 16).ok()).collect();
    Ok(VerifiedExport { report: verifier.finish(Some((*size, root))) })
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
            verifier.entry(&Stored { seq, leaf: bytes, hash, kind: header.kind, time: header.time, subjects: header.subjects });
        }
        Err(error) => verifier.fail(Some(seq), error.to_string()),
    }
}
