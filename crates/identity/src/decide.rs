//! May this caller do that? A pure function of what was read in the caller's own request, with the rule that decided.
//!
//! Denied unless a rule gives it. A role gives its permissions, perhaps only for some environments of targets; a grant
//! gives a role's; a key its own. The state of the tenant takes away, never gives. Roles do not nest, so there is no loop
//! to be found among them.

use serde::Serialize;
use shieldops_model::{Code, Environment, FRESH, TenantState, Timestamp};
use shieldops_store::{KeyFacts, Principal, PrincipalKind, RoleRef, TenantScope, roles};
use utoipa::ToSchema;

use crate::{
    IdentityError,
    permission::{self, Permission, Permissions},
    reach,
};

/// How long a confirmation of who one is holds.
pub const RECENT: std::time::Duration = FRESH;

/// What a caller may do, made once a request.
#[derive(Debug, Clone)]
pub struct Rights {
    holds: Permissions,
    /// The only environments in which targets may be acted on; absent: all.
    environments: Option<Vec<Environment>>,
    /// What gives it: `role analyst`.
    rule: String,
    state: TenantState,
    /// Of the installation.
    operator: bool,
    /// The tenant requires a second factor, and this session was opened without one.
    second_factor_due: bool,
}

/// What was decided, and by which rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PermissionDecision)]
pub struct Decision {
    #[schema(value_type = String)]
    pub permission: Permission,
    pub allowed: bool,
    /// `role analyst`, `custom role night-shift, environments staging`, `grant gnt_… as analyst`, `key ci`,
    /// `tenant suspended`.
    pub rule: String,
    /// The only environments in which it holds; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environments: Option<Vec<Environment>>,
    /// The public code of a refusal.
    #[serde(skip)]
    pub code: Option<Code>,
}

impl std::fmt::Display for Decision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verb = if self.allowed { "allowed" } else { "denied" };
        write!(f, "`{}` is {verb} by {}", self.permission, self.rule)
    }
}

impl Decision {
    pub fn check(self) -> Result<(), IdentityError> {
        if self.allowed { Ok(()) } else { Err(IdentityError::Denied(Box::new(self))) }
    }
}

impl Rights {
    /// The rights of a caller in the tenant of its request.
    pub async fn load(scope: &TenantScope, principal: &Principal) -> Result<Self, IdentityError> {
        let role = match &principal.role {
            RoleRef::Custom(id) => roles::find(&mut scope.read().await?, *id).await?,
            RoleRef::BuiltIn(_) => None,
        };
        let (holds, environments, rule) = match (&principal.key, &principal.role, role) {
            (Some(key), ..) => (Permissions::known(&key.permissions), None, format!("key {}", principal.user_name)),
            (None, RoleRef::BuiltIn(name), _) => (permission::of_role(name), None, format!("role {name}")),
            (None, RoleRef::Custom(_), Some(role)) => {
                let rule = custom_rule(&role.name, role.environments.as_deref());
                (Permissions::known(&role.permissions), role.environments, rule)
            }
            (None, RoleRef::Custom(id), None) => (Permissions::EMPTY, None, format!("role {id}, which is gone")),
        };
        let rights = Self {
            holds: holds.minus(INSTALLATION),
            environments,
            rule,
            state: principal.tenant_state,
            operator: principal.operator && matches!(principal.kind, PrincipalKind::Session | PrincipalKind::Personal),
            second_factor_due: principal.second_factor_due,
        };
        Ok(match principal.via_grant {
            Some(grant) => rights.granted(&grant.to_string()),
            None => rights,
        })
    }

    /// Whoever has the data directory: the command line beside it.
    pub fn of_host() -> Self {
        Self { operator: true, ..Self::built_in(permission::ADMIN) }
    }

    /// A built-in role in a tenant that is active.
    pub fn built_in(role: &str) -> Self {
        Self {
            holds: permission::of_role(role),
            environments: None,
            rule: format!("role {role}"),
            state: TenantState::Active,
            operator: false,
            second_factor_due: false,
        }
    }

    /// A role of the tenant's own.
    pub fn custom(name: &str, holds: Permissions, environments: Option<Vec<Environment>>) -> Self {
        let rule = custom_rule(name, environments.as_deref());
        Self { holds: holds.minus(INSTALLATION), environments, rule, ..Self::built_in("") }
    }

    /// The same by a grant. A grant gives no grants: its chain ends here.
    #[must_use]
    pub fn granted(self, grant: &str) -> Self {
        let rule = format!("grant {grant} as {}", self.rule.strip_prefix("role ").unwrap_or(&self.rule));
        Self { holds: self.holds.minus(Permissions::of(&[Permission::GrantWrite])), rule, ..self }
    }

    #[must_use]
    pub fn in_state(self, state: TenantState) -> Self {
        Self { state, ..self }
    }

    /// For what only stops something, such as a no to a plan: a suspended tenant takes nothing away from it.
    #[must_use]
    pub fn to_stop(self) -> Self {
        match self.state {
            TenantState::Suspended => self.in_state(TenantState::Active),
            TenantState::Active | TenantState::Locked | TenantState::Deleting | TenantState::Deleted => self,
        }
    }

    pub fn permissions(&self) -> Permissions {
        self.holds
    }

    pub fn environments(&self) -> Option<&[Environment]> {
        self.environments.as_deref()
    }

    pub fn is_operator(&self) -> bool {
        self.operator
    }
}

const INSTALLATION: Permissions = Permissions::of(&[Permission::TenantRead, Permission::TenantWrite]);

fn custom_rule(name: &str, environments: Option<&[Environment]>) -> String {
    match environments {
        None => format!("custom role {name}"),
        Some(limit) => format!("custom role {name}, environments {}", words(limit)),
    }
}

fn words(environments: &[Environment]) -> String {
    if environments.is_empty() {
        return "none".to_owned();
    }
    environments.iter().map(|environment| word(*environment)).collect::<Vec<_>>().join(" and ")
}

const fn word(environment: Environment) -> &'static str {
    match environment {
        Environment::Development => "development",
        Environment::Staging => "staging",
        Environment::Production => "production",
    }
}

/// Decides. `environments` are those of the targets that the request would reach; nothing where it reaches none, or where
/// they are not read yet: then the caller asks again once they are.
pub fn authorise(rights: &Rights, permission: Permission, environments: Option<&[Environment]>) -> Decision {
    if permission.is_installation() {
        if rights.operator && rights.second_factor_due {
            return decision(permission, Err(SECOND_FACTOR.0), SECOND_FACTOR.1.to_owned(), None);
        }
        let rule =
            if rights.operator { "operator of the installation" } else { "not the operator of the installation" };
        return decision(permission, rights.operator.then_some(()).ok_or(Code::FORBIDDEN), rule.to_owned(), None);
    }
    if let Some((code, rule)) = withheld(rights, permission) {
        return decision(permission, Err(code), rule.to_owned(), None);
    }
    if !rights.holds.contains(permission) {
        return decision(permission, Err(Code::FORBIDDEN), format!("{}, which does not give it", rights.rule), None);
    }
    let limit = rights.environments.as_ref().filter(|_limit| permission.is_environmental());
    if let (Some(limit), Some(asked)) = (limit, environments)
        && let Some(outside) = asked.iter().find(|asked| !limit.contains(asked))
    {
        let rule = format!("{}: {} is outside", rights.rule, word(*outside));
        return decision(permission, Err(Code::FORBIDDEN), rule, Some(limit.clone()));
    }
    decision(permission, Ok(()), rights.rule.clone(), limit.cloned())
}

const SECOND_FACTOR: (Code, &str) = (Code::SECOND_FACTOR_NEEDED_HERE, "tenant that requires a second factor");

/// What the tenant's state or a missing second factor takes away.
fn withheld(rights: &Rights, permission: Permission) -> Option<(Code, &'static str)> {
    let sends_events = permission == Permission::EventWrite;
    // What is in force on a host can still be taken back, by the operator of the installation.
    let undo = permission == Permission::ActionUndo && rights.operator;
    match rights.state {
        TenantState::Deleting | TenantState::Deleted => return Some((Code::TENANT_LOCKED, "tenant being deleted")),
        TenantState::Locked if !(sends_events || undo) => return Some((Code::TENANT_LOCKED, "tenant locked")),
        TenantState::Suspended => {
            if !(sends_events || permission.is_read() || permission.is_export() || undo) {
                return Some((Code::TENANT_SUSPENDED, "tenant suspended"));
            }
        }
        TenantState::Locked | TenantState::Active => {}
    }
    rights.second_factor_due.then_some(SECOND_FACTOR)
}

fn decision(
    permission: Permission,
    outcome: Result<(), Code>,
    rule: String,
    environments: Option<Vec<Environment>>,
) -> Decision {
    Decision { permission, allowed: outcome.is_ok(), rule, environments, code: outcome.err() }
}

/// Every permission, decided: what a dashboard shows.
pub fn all(rights: &Rights) -> Vec<Decision> {
    Permission::ALL.iter().map(|permission| authorise(rights, *permission, None)).collect()
}

/// Whether somebody who is signed in may be answered at all, on routes that take no permission.
pub fn signed_in(rights: &Rights) -> Result<(), IdentityError> {
    let why = match rights.state {
        TenantState::Deleting | TenantState::Deleted => "tenant is being deleted",
        TenantState::Locked => "tenant is locked",
        TenantState::Active | TenantState::Suspended => return Ok(()),
    };
    // Who locked it must be able to unlock it.
    if rights.operator {
        return Ok(());
    }
    Err(IdentityError::TenantClosed(why))
}

/// Whether a key may be used from this address and for this route. `path` is the request's own.
pub fn check_key(key: &KeyFacts, method: &str, path: &str, client: Option<&str>) -> Result<(), IdentityError> {
    if !reach::from_here(&key.addresses, client) {
        return Err(IdentityError::AddressNotAllowed);
    }
    if !reach::to_there(&key.routes, method, path) {
        return Err(IdentityError::RouteNotAllowed);
    }
    Ok(())
}

/// Refuses a session whose person last proved who they are more than five minutes ago. Tokens and keys pass: they are
/// credentials without a session, and what they may do is their own.
pub fn require_recent(principal: &Principal, now: Timestamp) -> Result<(), IdentityError> {
    let recent = principal.confirmed.is_some_and(|confirmed| confirmed.is_fresh(now));
    if principal.kind != PrincipalKind::Session || recent {
        Ok(())
    } else {
        Err(IdentityError::ReauthenticationRequired)
    }
}

#[cfg(test)]
mod tests;
