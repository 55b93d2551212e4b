//! What ShieldOps can do to the world: one folder per provider, one file per capability. Nothing here decides.

pub mod linux;

use std::sync::Arc;

use shieldops_respond::{AnyCapability, Typed};

/// Every capability of this build.
pub fn capabilities(linux: Arc<linux::Linux>) -> Vec<Arc<dyn AnyCapability>> {
    vec![Arc::new(Typed::new(linux::BlockIp::new(linux)))]
}
