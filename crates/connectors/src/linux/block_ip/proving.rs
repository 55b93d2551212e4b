//! How a block is proved: hosts with other blocks, and somebody who meddles with ours.

use std::net::IpAddr;

use async_trait::async_trait;
use serde_json::Value;
use shieldops_model::Target;
use shieldops_respond::{Draw, Fault, Proving};

use super::{BlockIp, Params};
use crate::linux::{
    nft::{self, addresses},
    proofs,
};

const ADDRESSES: [&str; 6] =
    ["203.0.113.66", "198.51.100.9", "198.51.100.10", "192.0.2.255", "2001:db8::66", "2001:db8:0:1::1"];

#[async_trait]
impl Proving for BlockIp {
    async fn stage(&self, target: &Target, draw: &mut Draw) -> Result<Value, Fault> {
        let access = self.linux.fresh(target, draw).await?;
        let about = usize::try_from(draw.below(6)).unwrap_or_default();
        for (place, address) in ADDRESSES.iter().enumerate() {
            if place == about || draw.below(3) > 0 {
                continue;
            }
            let (Ok(address), marker) = (address.parse::<IpAddr>(), self.linux.marker()) else { continue };
            let before = self.linux.tables(&access).await?;
            let batch = addresses::block(marker, before.addresses(), address, None, &nft::mark(marker, "staged"));
            self.linux.batch(&access, &batch, None).await?;
        }
        let address = ADDRESSES.get(about).and_then(|text| text.parse().ok());
        let address = address.ok_or_else(|| Fault::Failed("no such address".to_owned()))?;
        let params = Params { address, expires_in_s: proofs::some_time(draw) };
        serde_json::to_value(params).map_err(|error| Fault::Failed(error.to_string()))
    }

    async fn snapshot(&self, target: &Target) -> Result<Value, Fault> {
        self.linux.picture(target).await
    }

    async fn disturb(&self, target: &Target, params: &Value, draw: &mut Draw) -> Result<(), Fault> {
        proofs::stand_in(target)?;
        let params: Params =
            serde_json::from_value(params.clone()).map_err(|error| Fault::Params(error.to_string()))?;
        let access = self.linux.access(target)?;
        let tables = self.linux.tables(&access).await?;
        let Some(table) = tables.addresses() else { return Ok(()) };
        let (there, set) = (addresses::find(table, params.address), addresses::set_of(params.address));
        let batch = proofs::meddle(there, (addresses::TABLE, set), &params.address.to_string(), draw);
        self.linux.batch(&access, &batch, None).await
    }
}
