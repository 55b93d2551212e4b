//! How a blocked range is proved: hosts with ranges inside, around and beside it, and somebody who meddles with ours.

use async_trait::async_trait;
use ipnet::IpNet;
use serde_json::Value;
use shieldops_model::Target;
use shieldops_respond::{Draw, Fault, Proving};

use super::{BlockRange, Params};
use crate::linux::{
    nft::{self, ranges},
    proofs,
};

const RANGES: [&str; 8] = [
    "203.0.113.64/26",
    "203.0.113.64/30",
    "203.0.113.66/31",
    "198.51.100.0/28",
    "198.51.100.0/25",
    "2001:db8:6::/64",
    // Wider than may be asked for.
    "198.51.0.0/17",
    "2001:db8:6::/48",
];

#[async_trait]
impl Proving for BlockRange {
    async fn stage(&self, target: &Target, draw: &mut Draw) -> Result<Value, Fault> {
        let access = self.linux.fresh(target, draw).await?;
        let about = usize::try_from(draw.below(6)).unwrap_or_default();
        for (place, range) in RANGES.iter().enumerate() {
            if place == about || draw.below(3) > 0 {
                continue;
            }
            let (Ok(range), marker) = (range.parse::<IpNet>(), self.linux.marker()) else { continue };
            let before = self.linux.tables(&access).await?;
            let batch = ranges::block(marker, before.ranges(), range, None, &nft::mark(marker, "staged"));
            self.linux.batch(&access, &batch, None).await?;
        }
        let range = RANGES.get(about).and_then(|text| text.parse().ok());
        let range = range.ok_or_else(|| Fault::Failed("no such range".to_owned()))?;
        let params = Params { range, expires_in_s: proofs::some_time(draw) };
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
        let Some(table) = tables.ranges() else { return Ok(()) };
        let set = ranges::set_of(params.range);
        if !table.sets.contains_key(&set) {
            return Ok(());
        }
        let value = params.range.addr().to_string();
        let batch = proofs::meddle(ranges::find(table, params.range), (ranges::TABLE, &set), &value, draw);
        self.linux.batch(&access, &batch, None).await
    }
}
