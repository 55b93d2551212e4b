//! What the proofs of several capabilities share: a stand-in is put into a state and compared.

use serde_json::Value;
use shieldops_model::Target;
use shieldops_respond::Fault;

use super::{
    Linux,
    ground::staging::{Snapshot, Stage, Thing},
};

/// A text field of the parameters.
pub(super) fn text<'a>(params: &'a Value, field: &str) -> &'a str {
    params[field].as_str().unwrap_or_default()
}

impl Linux {
    /// Clears places of a stand-in and makes things there.
    pub(super) async fn stage(&self, target: &Target, clear: &[&str], make: Vec<Thing>) -> Result<(), Fault> {
        let clear = clear.iter().map(|path| (*path).to_owned()).collect();
        self.hand(target, Stage { clear, make }, None).await
    }

    pub(super) async fn snapshot(&self, target: &Target, roots: &[&str], inodes: bool) -> Result<Value, Fault> {
        let roots = roots.iter().map(|path| (*path).to_owned()).collect();
        let all = self.hand(target, Snapshot { roots, inodes }, None).await?;
        serde_json::to_value(all).map_err(|error| Fault::Failed(error.to_string()))
    }
}
