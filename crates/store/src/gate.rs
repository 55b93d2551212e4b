//! What a tenant decides about its gate, and what the engine reads of it: settings, changes that wait for a second person,
//! how far automation may go, standing grants, policies of its own, and what was begun of late.
//!
//! The settings are a document that `policy` gives its meaning; here it is sealed JSON.

pub mod autonomy;
pub mod changes;
pub mod grants;
pub mod inputs;
pub mod outcomes;
pub mod policies;
pub mod refused;
pub mod replays;
pub mod settings;
pub mod undone;
pub mod uses;
pub mod void;

use std::time::Duration;

use shieldops_model::Timestamp;

use crate::{Access, Result};

/// How far back the rates look.
const HOUR: Duration = Duration::from_hours(1);

/// Everything that one evaluation needs besides the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The document in force; none while the built-in numbers hold.
    pub settings: Option<serde_json::Value>,
    /// 0: the built-in numbers.
    pub settings_version: i64,
    pub levels: Vec<autonomy::Level>,
    /// Those that hold now.
    pub lowered: Vec<autonomy::Lowered>,
    /// Those that hold now.
    pub grants: Vec<grants::StandingGrant>,
    /// What was begun in the last hour, oldest first.
    pub uses: Vec<uses::Use>,
}

/// `since`: `now`, or before it where the clock is in doubt; what was begun, and what was lowered, holds an hour or its time
/// from then on.
pub async fn read(access: &mut impl Access, now: Timestamp, since: Timestamp) -> Result<Gate> {
    let in_force = settings::in_force(access).await?;
    Ok(Gate {
        settings_version: in_force.as_ref().map_or(0, |version| version.number),
        settings: in_force.map(|version| version.document),
        levels: autonomy::levels(access).await?,
        lowered: autonomy::lowered(access, since).await?,
        grants: grants::active(access, now).await?,
        uses: uses::since(access, since.minus(HOUR)).await?,
    })
}
