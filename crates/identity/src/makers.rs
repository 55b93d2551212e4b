//! Whether whoever made a link may still make it, and whoever began a job go on with it. Looked at when the link is spent and
//! at each step of the job, so that it holds however the right went: removed, disabled, another role, a role made narrower,
//! a grant that ended, a key that was revoked.

use shieldops_model::{KeyId, Timestamp, UserId};
use shieldops_store::{Access as _, Store, Tx, api_keys, invitations::Invitation, people};

use crate::{
    IdentityError,
    bounds::within,
    decide::{self, Rights},
    permission::{Permission, Permissions, ROLES},
    roles::{self, Given},
};

/// # Errors
/// `InvalidLink` where the maker is gone or has less by now than the link gives.
pub(crate) async fn check(tx: &mut Tx, link: &Invitation, gives: &Given, now: Timestamp) -> Result<(), IdentityError> {
    let rights = match (link.invited_by.parse::<UserId>(), link.invited_by.parse::<KeyId>()) {
        (Ok(person), _) => of_person(tx, person, gives, now).await?,
        (_, Ok(key)) => of_key(tx, key, now).await?,
        // Whoever has the data directory.
        _ => Some(Rights::of_host()),
    };
    let stands = rights.is_some_and(|rights| {
        rights.permissions().contains(Permission::UserWrite)
            && within(&rights, gives.holds, gives.environments.as_deref()).is_ok()
    });
    if stands { Ok(()) } else { Err(IdentityError::InvalidLink) }
}

/// # Errors
/// `Denied`, `Conflict` where whoever began this work may not do it any more, or nobody in the state that the tenant is in now.
pub async fn still(tx: &mut Tx, permission: Permission) -> Result<(), IdentityError> {
    let store = tx.scope().store().clone();
    let (now, actor) = (store.clock().now(), tx.scope().actor().id.clone());
    let rights = match (actor.parse::<UserId>(), actor.parse::<KeyId>()) {
        (Ok(person), _) => match store.get_person(person).await? {
            Some(person) if !person.disabled => of_member(tx, person.id, now).await?,
            _ => None,
        },
        (_, Ok(key)) => of_key(tx, key, now).await?,
        // A worker of this process.
        _ => Some(Rights::of_host()),
    };
    let gone = || IdentityError::Conflict("whoever began this is gone, or nobody here any more".to_owned());
    let rights = rights.ok_or_else(gone)?;
    let state = store.get_tenant(tx.tenant()).await?.state;
    decide::authorise(&rights.in_state(state), permission, None).check()
}

/// Whether the operator of the installation made a link, or whoever has the data directory: it opens all that is the person's.
pub(crate) async fn is_installations(store: &Store, link: &Invitation) -> Result<bool, IdentityError> {
    let Ok(person) = link.invited_by.parse::<UserId>() else { return Ok(link.invited_by.parse::<KeyId>().is_err()) };
    Ok(store.get_person(person).await?.is_some_and(|person| person.operator && !person.disabled))
}

async fn of_person(tx: &mut Tx, id: UserId, gives: &Given, now: Timestamp) -> Result<Option<Rights>, IdentityError> {
    let store = tx.scope().store().clone();
    let Some(person) = store.get_person(id).await?.filter(|person| !person.disabled) else { return Ok(None) };
    if person.operator && gives.role.name().is_some_and(|name| ROLES.contains(&name)) {
        return Ok(Some(Rights::of_host()));
    }
    of_member(tx, id, now).await
}

/// What a person may do here, as a member or by a grant.
async fn of_member(tx: &mut Tx, id: UserId, now: Timestamp) -> Result<Option<Rights>, IdentityError> {
    let (store, tenant) = (tx.scope().store().clone(), tx.tenant());
    let role = match people::user(tx, id).await? {
        Some(member) if member.disabled => None,
        Some(member) => Some(member.role),
        None => {
            let others = store.memberships_of(id, now).await?;
            others.into_iter().find(|one| one.tenant.id == tenant).map(|one| one.role.to_string())
        }
    };
    let Some(role) = role else { return Ok(None) };
    match roles::find(tx, &role).await {
        Ok(has) => Ok(Some(Rights::custom(&role, has.holds, has.environments))),
        Err(IdentityError::UnknownRole(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

async fn of_key(tx: &mut Tx, id: KeyId, now: Timestamp) -> Result<Option<Rights>, IdentityError> {
    let key = api_keys::find(tx, id, now).await?;
    let key = key.filter(|key| key.revoked_at.is_none() && key.expires_at.is_none_or(|at| at > now));
    Ok(key.map(|key| Rights::custom(&key.name, Permissions::known(&key.permissions), None)))
}
