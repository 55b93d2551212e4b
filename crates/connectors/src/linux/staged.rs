//! What the proofs of several capabilities share: a stand-in is put into a state and compared.

use serde_json::Value;
use shieldops_model::Target;
use shieldops_respond::{Draw, Fault};

use super::{
    Linux,
    ground::staging::{Running, Snapshot, Stage, Start, Thing},
};

/// A text field of the parameters.
pub(super) fn text<'a>(params: &'a Value, field: &str) -> &'a str {
    params[field].as_str().unwrap_or_default()
}

/// Half of the effects end by themselves.
pub(super) fn sometimes_ending(mut params: Value, draw: &mut Draw) -> Value {
    if draw.coin() {
        params["expires_in_s"] = (1 + draw.below(86_400)).into();
    }
    params
}

impl Linux {
    /// Clears places of a stand-in and makes things there.
    pub(super) async fn stage(&self, target: &Target, clear: &[&str], make: Vec<Thing>) -> Result<(), Fault> {
        let clear = clear.iter().map(|path| (*path).to_owned()).collect();
        self.hand(target, Stage { clear, make }, None).await
    }

    pub(super) async fn start(&self, target: &Target, start: Start) -> Result<(Vec<u32>, Option<u32>), Fault> {
        self.hand(target, start, None).await
    }

    pub(super) async fn running(&self, target: &Target) -> Result<Value, Fault> {
        Ok(self.hand(target, Running {}, None).await?.into())
    }

    pub(super) async fn snapshot(&self, target: &Target, roots: &[&str], inodes: bool) -> Result<Value, Fault> {
        let roots = roots.iter().map(|path| (*path).to_owned()).collect();
        let all = self.hand(target, Snapshot { roots, inodes }, None).await?;
        serde_json::to_value(all).map_err(|error| Fault::Failed(error.to_string()))
    }
}
