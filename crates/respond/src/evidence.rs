//! Evidence: what an action reads is kept sealed, and its hash stands in the ledger before the action ends.

use serde_json::json;
use sha2::{Digest, Sha256};
use shieldops_model::ActionId;

use crate::{
    Collected, Engine, Error, Write,
    engine::{EXECUTOR, action_entry},
};

impl Engine {
    pub(crate) async fn collect(&self, id: ActionId, item: Collected) -> Result<(), Error> {
        let action = self.get_action(id).await?;
        let detail = json!({"name": item.name, "media_type": item.media_type, "size": item.bytes.len(),
            "sha256": hex::encode(Sha256::digest(&item.bytes)), "note": item.note});
        let what = action_entry("evidence.collected", EXECUTOR, &action, detail.clone());
        let writes = vec![self.step(id, "collected", detail), Write::Collected { action: id, item }];
        self.crash("before_collected")?;
        self.commit(writes, what).await?;
        self.crash("after_collected")
    }
}
