//! An RFC 6962 Merkle log with C2SP signed checkpoints and an offline verifier. Knows nothing of what an entry means.

mod checkpoints;
mod export;
mod leaf;
mod merkle;
mod note;
mod verify;

pub use checkpoints::{CheckpointFile, Disk, FileDisk, Tail, read_all as read_checkpoints, tail as checkpoint_tail};
pub use export::{ExportLine, VerifiedExport, verify_export};
pub use leaf::{Header, Leaf};
pub use merkle::{
    Frontier, Hash, consistency_proof, empty_root, inclusion_proof, leaf_hash, root_of, verify_consistency,
    verify_inclusion,
};
pub use note::{Checkpoint, Signer, VerifierKey};
pub use verify::{Bad, Checked, Report, Stored, Verifier};

/// What is wrong with a piece of a log.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("leaf: {0}")]
    Leaf(String),
    #[error("checkpoint: {0}")]
    Checkpoint(String),
    #[error("checkpoint file: {0}")]
    File(#[from] std::io::Error),
    #[error("export, line {line}: {detail}")]
    Export { line: u64, detail: String },
}
