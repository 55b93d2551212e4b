//! What the handlers share: built once by the binary.

use std::sync::Arc;

use shieldops_identity::Backoff;
use shieldops_model::{Code, TenantId};
use shieldops_pipeline::{Intake, Pipeline};
use shieldops_respond::Engine;
use shieldops_store::Store;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Denials, Metrics, Problem, assets::Asset};

pub struct App {
    pub store: Store,
    pub intake: Intake,
    pub pipeline: Pipeline,
    pub tenants: Arc<dyn Tenants>,
    pub backoff: Backoff,
    pub metrics: Metrics,
    /// Refused requests that wait to become entries.
    pub denials: Denials,
    /// What changes something goes on here, though the request that asked for it may be gone.
    pub tasks: TaskTracker,
    pub settings: Settings,
    /// Cancelled when the server drains: live connections close.
    pub stop: CancellationToken,
}

pub struct Settings {
    /// Bytes of a request body, before and after decompression.
    pub max_body_bytes: usize,
    pub version: &'static str,
    pub assets: &'static [Asset],
    /// A proxy in front terminates TLS and names the client in `X-Forwarded-For`.
    pub behind_proxy: bool,
    /// Whether a target's name is one that the connectors know.
    pub check_target_name: fn(&str) -> Result<(), String>,
}

/// The tenants of this process. They come and go while it runs.
pub trait Tenants: Send + Sync {
    /// The tenant's engine; made when it is first asked for.
    fn engine(&self, tenant: TenantId) -> Result<Arc<Engine>, NoEngine>;

    /// Those whose work is done here.
    fn running(&self) -> Vec<TenantId>;
}

/// Why a tenant has no engine here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoEngine {
    /// This process does not have the role `respond`.
    NotHere,
    /// There is no such tenant, or it is shredded.
    Unknown,
}

impl App {
    pub(crate) fn engine(&self, tenant: TenantId) -> Result<Arc<Engine>, Problem> {
        self.tenants.engine(tenant).map_err(|why| match why {
            NoEngine::NotHere => Problem::new(Code::ROLE_NOT_HERE, "this process has no role respond"),
            NoEngine::Unknown => Problem::not_found(),
        })
    }
}
