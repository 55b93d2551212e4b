//! Roles of a tenant's own: a set of permissions, perhaps for some environments of targets only. Roles do not nest, so
//! there are no loops among them; nobody makes a role wider than their own.

use shieldops_model::{Environment, RoleId, id};
use shieldops_store::{
    Access, RoleRef, StoreError, TenantScope, Tx,
    roles::{self, Role},
    settings,
};

use crate::{
    IdentityError,
    bounds::{separate, within},
    decide::Rights,
    names,
    permission::{Permissions, ROLES, of_role},
};

/// A role as somebody wants it.
#[derive(Debug, Clone)]
pub struct NewRole {
    pub name: String,
    /// Names of permissions.
    pub permissions: Vec<String>,
    /// The only environments in which it may plan, approve, undo and change targets; absent: all.
    pub environments: Option<Vec<Environment>>,
}

/// What a role gives whoever is given it.
pub(crate) struct Given {
    pub(crate) role: RoleRef,
    pub(crate) holds: Permissions,
    pub(crate) environments: Option<Vec<Environment>>,
}

/// The role of this name or id in the tenant.
///
/// # Errors
/// `UnknownRole`.
pub(crate) async fn find(access: &mut impl Access, role: &str) -> Result<Given, IdentityError> {
    match RoleRef::parse(role) {
        RoleRef::BuiltIn(name) if ROLES.contains(&name.as_str()) => {
            Ok(Given { holds: of_role(&name), role: RoleRef::BuiltIn(name), environments: None })
        }
        RoleRef::BuiltIn(name) => Err(IdentityError::UnknownRole(name.chars().take(64).collect())),
        RoleRef::Custom(id) => {
            let known = roles::find(access, id).await?.ok_or_else(|| IdentityError::UnknownRole(id.to_string()))?;
            let holds = Permissions::known(&known.permissions);
            Ok(Given { role: RoleRef::Custom(id), holds, environments: known.environments })
        }
    }
}

/// The role, if the granter may give it and one person may hold it.
pub(crate) async fn assignable(tx: &mut Tx, rights: &Rights, role: &str) -> Result<RoleRef, IdentityError> {
    let given = find(tx, role).await?;
    within(rights, given.holds, given.environments.as_deref())?;
    apart(tx, given.holds).await?;
    Ok(given.role)
}

/// Refuses to touch somebody who has more than the caller: to end, demote or reset them would be a way past them.
pub(crate) async fn not_above(access: &mut impl Access, rights: &Rights, role: &str) -> Result<(), IdentityError> {
    match find(access, role).await {
        Ok(given) => within(rights, given.holds, given.environments.as_deref()),
        // A role that is gone gives nothing.
        Err(IdentityError::UnknownRole(_)) => Ok(()),
        Err(other) => Err(other),
    }
}

/// Whether one person may hold all of these, as the tenant's settings are now.
pub(crate) async fn apart(access: &mut impl Access, holds: Permissions) -> Result<(), IdentityError> {
    let current = settings::current(access).await?;
    separate(&current.value.separation_of_duty, holds)
}

async fn checked(tx: &mut Tx, rights: &Rights, wanted: NewRole, but: Option<RoleId>) -> Result<NewRole, IdentityError> {
    let name = names::label(&wanted.name)?;
    let known = roles::list(tx).await?;
    let others = known.iter().filter(|role| Some(role.id) != but).map(|role| role.name.as_str());
    if let Some(like) = names::alike(&name, others.chain(ROLES)) {
        return Err(taken(&name, like));
    }
    let holds = Permissions::parse(&wanted.permissions).map_err(|unknown| {
        IdentityError::Invalid(format!("there is no permission `{}`", unknown.chars().take(64).collect::<String>()))
    })?;
    if let Some(of_installation) = holds.iter().find(|permission| permission.is_installation()) {
        return Err(IdentityError::WiderThanOwn(format!("{of_installation} belongs to the installation's operator")));
    }
    if holds.is_empty() {
        return Err(IdentityError::Invalid("a role has at least one permission".to_owned()));
    }
    let mut environments = wanted.environments;
    if let Some(list) = &mut environments {
        list.sort_unstable();
        list.dedup();
    }
    within(rights, holds, environments.as_deref())?;
    apart(tx, holds).await?;
    let permissions = holds.names().into_iter().map(str::to_owned).collect();
    Ok(NewRole { name, permissions, environments })
}

/// The same name is taken; another one is only alike.
pub(crate) fn taken(name: &str, like: &str) -> IdentityError {
    if name == like {
        StoreError::AlreadyExists { what: name.to_owned() }.into()
    } else {
        IdentityError::Confusable(name.to_owned())
    }
}

/// Makes a role.
///
/// # Errors
/// `WiderThanOwn`, `SeparationOfDuty`, `Confusable`, `Invalid`.
pub async fn create(scope: &TenantScope, rights: &Rights, wanted: NewRole) -> Result<Role, IdentityError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    let wanted = checked(&mut tx, rights, wanted, None).await?;
    let role = Role {
        id: id::mint(now, &mut rand::rng()),
        name: wanted.name,
        permissions: wanted.permissions,
        environments: wanted.environments,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    roles::create(&mut tx, &role).await?;
    tx.commit(now).await?;
    Ok(role)
}

/// Changes a role, and with it what everybody who has it may do, from their next request on.
pub async fn update(
    scope: &TenantScope,
    rights: &Rights,
    role: RoleId,
    wanted: NewRole,
    expected: i64,
) -> Result<Role, IdentityError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    let known = roles::find(&mut tx, role).await?.ok_or(StoreError::NotFound)?;
    // Narrowing a role that is wider than one's own is a change of people above oneself.
    not_above(&mut tx, rights, &role.to_string()).await?;
    let wanted = checked(&mut tx, rights, wanted, Some(role)).await?;
    let changed = Role {
        name: wanted.name,
        permissions: wanted.permissions,
        environments: wanted.environments,
        updated_at: now,
        version: expected,
        ..known
    };
    let role = roles::update(&mut tx, &changed).await?;
    tx.commit(now).await?;
    Ok(role)
}

/// Removes a role that nobody has.
///
/// # Errors
/// `WiderThanOwn` for a role that gives more than the caller has.
pub async fn remove(scope: &TenantScope, rights: &Rights, role: RoleId, expected: i64) -> Result<(), IdentityError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    not_above(&mut tx, rights, &role.to_string()).await?;
    roles::remove(&mut tx, role, Some(expected)).await?;
    tx.commit(now).await?;
    Ok(())
}
