//! Who asks, and for which tenant. A [`TenantScope`] comes only from the installation tables or from a job.

use std::sync::{Arc, Mutex, PoisonError};

use shieldops_model::{TenantId, Timestamp, UserId};
use shieldops_seal::DataKey;

use crate::{Lease, Principal, Reader, Result, Store, StoreError, Tx, db::Ahead, people::Person, principal::Bound};

/// A worker that acts for a tenant.
#[derive(Debug, Clone, Copy)]
pub enum Job {
    Pipeline,
    Investigation,
    Response,
    Demo,
    /// What a server does that nobody asked for just now.
    Server,
    Cli,
}

impl Job {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pipeline => "system:pipeline",
            Self::Investigation => "system:investigation",
            Self::Response => "system:response",
            Self::Demo => "system:demo",
            Self::Server => "system:server",
            Self::Cli => "system:cli",
        }
    }
}

/// Who did it, as the ledger says it: `usr_…`, `tok_…` or `system:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub id: String,
    pub name: String,
}

/// The one way to a tenant's rows.
#[derive(Clone)]
pub struct TenantScope {
    pub(crate) store: Store,
    pub(crate) tenant: TenantId,
    pub(crate) actor: Arc<Actor>,
    pub(crate) key: DataKey,
    /// What every transaction is fenced by.
    pub(crate) lease: Option<Lease>,
    /// What ends what is made through it.
    pub(crate) bound: Option<Bound>,
    /// For the first who reads.
    pub(crate) ahead: Option<Arc<Mutex<Option<Ahead>>>>,
}

impl TenantScope {
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// When a credential or link ends that is to end then, or never: what is made through a grant ends with it.
    pub fn ends(&self, wanted: Option<Timestamp>) -> Option<Timestamp> {
        self.bound.map(|bound| bound.until).into_iter().chain(wanted).min()
    }

    /// A connection to read from.
    pub async fn read(&self) -> Result<Reader> {
        match self.take_ahead() {
            Some(ahead) => Ok(Reader::of(self, ahead.into_reading())),
            None => Reader::open(self).await,
        }
    }

    /// With a reading of this tenant that has begun.
    #[must_use]
    pub fn with_ahead(self, ahead: Ahead) -> Self {
        Self { ahead: Some(Arc::new(Mutex::new(Some(ahead)))), ..self }
    }

    /// Gives back a reading that nobody has asked for yet: before a wait.
    pub fn let_go(&self) {
        drop(self.take_ahead());
    }

    fn take_ahead(&self) -> Option<Ahead> {
        self.ahead.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A transaction that may change things; it holds the one writer until it ends.
    pub async fn begin(&self) -> Result<Tx> {
        Tx::begin(self).await
    }
}

impl Store {
    /// The scope of an authenticated principal.
    pub fn scope(&self, principal: &Principal) -> Result<TenantScope> {
        let scope = self.scope_for(principal.tenant, principal.actor())?;
        Ok(TenantScope { bound: principal.bound, ..scope })
    }

    /// The installation's own scope, for whoever runs it: tenants, operators, and its ledger.
    ///
    /// # Errors
    /// `NotFound` for anybody else.
    pub fn installation_scope(&self, principal: &Principal) -> Result<TenantScope> {
        if !principal.operator {
            return Err(StoreError::NotFound);
        }
        self.scope_for(TenantId::INSTALLATION, principal.actor())
    }

    /// The scope of a person before there is a principal: a second factor, an invitation, a reset link.
    pub fn person_scope(&self, tenant: TenantId, person: &Person) -> Result<TenantScope> {
        self.scope_for(tenant, Actor { id: person.id.to_string(), name: person.name.clone() })
    }

    /// The scope of somebody who is about to become one: whoever spends an invitation.
    pub fn newcomer_scope(&self, tenant: TenantId, id: UserId, name: &str) -> Result<TenantScope> {
        self.scope_for(tenant, Actor { id: id.to_string(), name: name.to_owned() })
    }

    /// The scope of a worker of this process.
    pub fn job(&self, tenant: TenantId, job: Job) -> Result<TenantScope> {
        self.scope_for(tenant, Actor { id: job.as_str().to_owned(), name: job.as_str().to_owned() })
    }

    fn scope_for(&self, tenant: TenantId, actor: Actor) -> Result<TenantScope> {
        let key = self.keys().data_key(tenant)?;
        Ok(TenantScope {
            store: self.clone(),
            tenant,
            actor: Arc::new(actor),
            key,
            lease: None,
            bound: None,
            ahead: None,
        })
    }
}

impl std::fmt::Debug for TenantScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TenantScope")
            .field("tenant", &self.tenant)
            .field("actor", &self.actor.id)
            .finish_non_exhaustive()
    }
}
