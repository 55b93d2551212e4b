//! What every way in leans on, and where a request comes from.

use shieldops_model::{TenantId, tenant::SettingsBase};
use shieldops_store::{Store, TenantScope, people::Person, settings};

use crate::{Backoff, IdentityError, passkeys::Passkeys};

/// The parts of the server that a sign-in needs.
#[derive(Clone, Copy)]
pub struct Door<'a> {
    pub store: &'a Store,
    pub backoff: &'a Backoff,
    /// What a tenant's settings inherit from.
    pub base: &'a SettingsBase,
    /// Absent where the public address can have none.
    pub passkeys: Option<&'a Passkeys>,
}

/// Where a request comes from, as the ledger and the list of sessions show it.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    pub addr: Option<String>,
    pub agent: Option<String>,
}

/// Characters of a user agent that are kept.
const AGENT_CHARS: usize = 200;

impl Origin {
    pub(crate) fn addr(&self) -> Option<&str> {
        self.addr.as_deref()
    }

    /// The user agent as it is kept: cut, and without control characters.
    pub(crate) fn agent(&self) -> Option<String> {
        let agent = self.agent.as_ref()?;
        Some(agent.chars().filter(|character| !character.is_control()).take(AGENT_CHARS).collect())
    }
}

impl Door<'_> {
    /// The tenant's settings in force.
    pub(crate) async fn settings(&self, scope: &TenantScope) -> Result<SettingsBase, IdentityError> {
        let current = settings::current(&mut scope.read().await?).await?;
        Ok(current.value.effective(self.base))
    }
}

/// The scope of what a person does in a tenant before there is a principal.
pub(crate) fn scope_of(store: &Store, tenant: TenantId, person: &Person) -> Result<TenantScope, IdentityError> {
    Ok(store.person_scope(tenant, person)?)
}
