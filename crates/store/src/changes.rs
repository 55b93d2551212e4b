//! What a commit changed, for live updates: kind, id and version, never the content.

use serde::Serialize;
use shieldops_model::TenantId;

#[derive(Debug, Clone, Serialize)]
pub struct Change {
    #[serde(skip)]
    pub tenant: TenantId,
    /// `alert`, `incident`, `investigation`, `plan`, `action`, `target`, `rule`, `automation`, `ingest`, `dead_letter`.
    pub kind: &'static str,
    pub id: String,
    pub version: i64,
    /// The ledger's size after the commit.
    pub seq: i64,
}
