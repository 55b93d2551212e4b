//! What ShieldOps can do to the world: one folder per provider, one file per capability. Nothing here decides.

pub mod linux;

use std::sync::Arc;

use shieldops_respond::{AnyCapability, Typed};

/// Every capability of this build.
pub fn capabilities(linux: Arc<linux::Linux>) -> Vec<Arc<dyn AnyCapability>> {
    vec![
        Arc::new(Typed::new(linux::BlockDomain::new(Arc::clone(&linux)))),
        Arc::new(Typed::new(linux::BlockIp::new(Arc::clone(&linux)))),
        Arc::new(Typed::new(linux::BlockRange::new(Arc::clone(&linux)))),
        Arc::new(Typed::new(linux::DisableCronEntry::new(Arc::clone(&linux)))),
        Arc::new(Typed::new(linux::DisableUser::new(Arc::clone(&linux)))),
        Arc::new(Typed::new(linux::EndSessions::new(Arc::clone(&linux)))),
        Arc::new(Typed::new(linux::CollectEvidence::new(Arc::clone(&linux)))),
        Arc::new(Typed::new(linux::IsolateHost::new(Arc::clone(&linux)))),
        Arc::new(Typed::new(linux::KillProcess::new(Arc::clone(&linux)))),
        Arc::new(Typed::new(linux::QuarantineFile::new(Arc::clone(&linux)))),
        Arc::new(Typed::new(linux::RemoveAuthorizedKey::new(linux))),
    ]
}
