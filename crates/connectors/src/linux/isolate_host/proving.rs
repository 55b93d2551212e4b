//! How an isolation is proved: hosts with and without blocks and strangers' rules, and somebody who meddles with ours.

use async_trait::async_trait;
use ipnet::IpNet;
use serde_json::{Value, json};
use shieldops_model::Target;
use shieldops_respond::{Draw, Fault, Proving};

use super::{IsolateHost, Params, SSH_PORT};
use crate::linux::{
    nft::{self, FAMILY, addresses, isolation},
    proofs, twin,
};

const KEPT: [&str; 4] = ["198.51.100.200/32", "192.0.2.0/24", "192.0.2.16/28", "2001:db8::/64"];

#[async_trait]
impl Proving for IsolateHost {
    async fn stage(&self, target: &Target, draw: &mut Draw) -> Result<Value, Fault> {
        let access = self.linux.fresh(target, draw).await?;
        if draw.coin() {
            let (marker, address) = (self.linux.marker(), [203, 0, 113, 66].into());
            let batch = addresses::block(marker, None, address, None, &nft::mark(marker, "staged"));
            self.linux.batch(&access, &batch, None).await?;
        }
        let mut keep: Vec<IpNet> = Vec::new();
        for text in KEPT {
            keep.extend(text.parse::<IpNet>().ok().filter(|_| draw.coin()));
        }
        keep.sort_unstable();
        let port = if draw.coin() { SSH_PORT } else { twin::PORT };
        let params = Params { keep, port, expires_in_s: proofs::some_time(draw) };
        serde_json::to_value(params).map_err(|error| Fault::Failed(error.to_string()))
    }

    async fn snapshot(&self, target: &Target) -> Result<Value, Fault> {
        self.linux.picture(target).await
    }

    async fn disturb(&self, target: &Target, _params: &Value, draw: &mut Draw) -> Result<(), Fault> {
        proofs::stand_in(target)?;
        let access = self.linux.access(target)?;
        let tables = self.linux.tables(&access).await?;
        let Some(table) = tables.isolation() else { return Ok(()) };
        let flush = json!({"flush": {"chain": {"family": FAMILY, "table": isolation::TABLE, "name": "inbound"}}});
        let batch = match draw.below(4) {
            0 => json!({"nftables": [nft::delete_table(isolation::TABLE)]}),
            1 => json!({"nftables": [flush]}),
            2 => isolation::keep(table, None, "by hand"),
            _ => isolation::reopen(table),
        };
        self.linux.batch(&access, &batch, None).await
    }
}
