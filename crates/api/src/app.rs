//! What the handlers share: built once by the binary.

use std::sync::Arc;

use ipnet::IpNet;
use shieldops_identity::{Backoff, Door, IdentityError, passkeys::Passkeys};
use shieldops_model::{Code, TenantId, tenant::SettingsBase};
use shieldops_pipeline::{Intake, Pipeline};
use shieldops_respond::Engine;
use shieldops_store::Store;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Denials, Limits, Metrics, Problem, Sockets, assets::Asset};

pub struct App {
    pub store: Store,
    pub intake: Intake,
    pub pipeline: Pipeline,
    pub tenants: Arc<dyn Tenants>,
    pub backoff: Backoff,
    /// None: the server has no `public_url` that a passkey can belong to.
    pub passkeys: Option<Arc<Passkeys>>,
    /// What tenants inherit where they say nothing themselves.
    pub base: SettingsBase,
    pub limits: Limits,
    pub sockets: Sockets,
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
    /// A proxy in front terminates TLS.
    pub behind_proxy: bool,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where people reach the server, for links.
    pub public_url: Option<String>,
    /// Where an address that a tenant chose may lead.
    pub egress: shieldops_deliver::Egress,
    /// Whether the installation has a mail server.
    pub mails: bool,
    /// Whether a target's name is one that the connectors know.
    pub check_target_name: fn(&str) -> Result<(), String>,
}

/// The tenants of this process. They come and go while it runs.
pub trait Tenants: Send + Sync {
    /// The tenant's engine; made when it is first asked for.
    fn engine(&self, tenant: TenantId) -> Result<Arc<Engine>, NoEngine>;

    /// The same in every process, for what reaches no target: to reject, to halt, to say what can be done.
    fn desk(&self, tenant: TenantId) -> Result<Arc<Engine>, NoEngine>;

    /// Those whose work is done here.
    fn running(&self) -> Vec<TenantId>;
}

/// Why a tenant has no engine here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoEngine {
    /// This process does not have the role `respond`.
    NotHere,
    /// It has, and another one that has it responds for this tenant.
    Elsewhere,
    /// There is no such tenant, or it is shredded.
    Unknown,
}

impl App {
    /// What every sign-in leans on.
    pub(crate) fn door(&self) -> Door<'_> {
        Door { store: &self.store, backoff: &self.backoff, base: &self.base, passkeys: self.passkeys.as_deref() }
    }

    pub(crate) fn passkeys(&self) -> Result<&Passkeys, Problem> {
        Ok(self.passkeys.as_deref().ok_or(IdentityError::PasskeysUnavailable)?)
    }

    pub(crate) fn engine(&self, tenant: TenantId) -> Result<Arc<Engine>, Problem> {
        self.tenants.engine(tenant).map_err(Problem::from)
    }

    /// For what reaches no target.
    pub(crate) fn desk(&self, tenant: TenantId) -> Result<Arc<Engine>, Problem> {
        self.tenants.desk(tenant).map_err(Problem::from)
    }
}

impl From<NoEngine> for Problem {
    fn from(why: NoEngine) -> Self {
        match why {
            NoEngine::NotHere => Self::new(Code::ROLE_NOT_HERE, "this process has no role respond"),
            NoEngine::Elsewhere => Self::new(
                Code::ROLE_NOT_HERE,
                "another process responds for this tenant; this one stands by until that one is gone",
            ),
            NoEngine::Unknown => Self::not_found(),
        }
    }
}
