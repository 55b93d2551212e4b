//! How reading is proved: the host is afterwards as it was.

use async_trait::async_trait;
use serde_json::{Value, json};
use shieldops_model::Target;
use shieldops_respond::{Draw, Fault, Proving};

use super::CollectEvidence;
use crate::linux::{
    nft::{self, addresses},
    proofs,
};

#[async_trait]
impl Proving for CollectEvidence {
    async fn stage(&self, target: &Target, draw: &mut Draw) -> Result<Value, Fault> {
        let access = self.linux.fresh(target, draw).await?;
        if draw.coin() {
            let (marker, address) = (self.linux.marker(), [203, 0, 113, 66].into());
            let batch = addresses::block(marker, None, address, None, &nft::mark(marker, "staged"));
            self.linux.batch(&access, &batch, None).await?;
        }
        // A network twin has sockets and nothing else.
        Ok(json!({"files": [], "processes": false, "sockets": true}))
    }

    async fn snapshot(&self, target: &Target) -> Result<Value, Fault> {
        self.linux.picture(target).await
    }

    async fn disturb(&self, target: &Target, _params: &Value, _draw: &mut Draw) -> Result<(), Fault> {
        proofs::stand_in(target)
    }
}
