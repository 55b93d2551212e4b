//! What the handlers share: built once by the binary.

use std::{collections::HashMap, sync::Arc};

use shieldops_identity::Backoff;
use shieldops_model::TenantId;
use shieldops_pipeline::{Intake, Pipeline};
use shieldops_respond::Engine;
use shieldops_store::Store;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Denials, Metrics, Problem, assets::Asset};

pub struct App {
    pub store: Store,
    pub intake: Intake,
    pub pipeline: Pipeline,
    pub engines: HashMap<TenantId, Arc<Engine>>,
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

impl App {
    pub(crate) fn engine(&self, tenant: TenantId) -> Result<&Arc<Engine>, Problem> {
        self.engines.get(&tenant).ok_or_else(Problem::not_found)
    }
}
