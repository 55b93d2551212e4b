//! An incident for outside: one JSON document, or one HTML page that needs nothing else.

mod html;
mod sections;

use serde::{Deserialize, Serialize};
use shieldops_model::{Alert, EventId, Incident, Investigation, Note, Plan, Timestamp};

pub use html::render_html;

/// The version of the document: readers accept the one before.
pub const VERSION: u32 = 1;

/// All that is exported of an incident. Its JSON is the JSON export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Export {
    pub version: u32,
    pub generated_at: Timestamp,
    /// Name and version of the product.
    pub product: String,
    pub incident: Incident,
    pub alerts: Vec<Alert>,
    pub investigation: Option<Investigation>,
    pub plans: Vec<Plan>,
    pub notes: Vec<Note>,
    /// The cited events.
    pub events: Vec<ExportEvent>,
    /// The ledger's entries about the incident, by sequence.
    pub ledger: Vec<LedgerRow>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportEvent {
    pub id: EventId,
    pub time: Timestamp,
    pub source: String,
    /// The bytes as they came, as text.
    pub raw: String,
}

/// A ledger entry as a reader needs it; its hash lets the ledger prove it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    pub seq: u64,
    pub time: Timestamp,
    pub kind: String,
    pub actor: String,
    /// Leaf hash, hex.
    pub hash: String,
    pub summary: String,
}
