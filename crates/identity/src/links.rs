//! Links by which somebody becomes a member or sets a new password. There is no mail: a link is shown once, to whoever
//! made it. Inviting an address that has an account answers as for one that has not.

use std::time::Duration;

use shieldops_model::{ConfirmedWith, InvitationId, TenantState, UserId, id};
use shieldops_store::{
    Page, PageRequest, Principal, RoleRef, Store, StoreError, TenantScope,
    invitations::{self, Invitation, InvitationKind},
    memberships,
    people::{self, Keep, Tenant, User},
};

use crate::{
    CredentialKind, Door, IdentityError, Origin, Secret, api_keys,
    decide::Rights,
    door::scope_of,
    hash_password, makers, password,
    people::{fresh_name, may_reset, may_reset_still},
    permission::ROLES,
    roles::{self, assignable},
    secret,
    sessions::{self, SignedIn, of_session},
};

pub const INVITATION_FOR: Duration = Duration::from_hours(7 * 24);
pub const RESET_FOR: Duration = Duration::from_hours(24);

/// Invites somebody; the link is the secret. The installation's operator may invite to any tenant with a built-in role:
/// so the first administrator of a new tenant comes in.
pub async fn invite(
    scope: &TenantScope,
    rights: &Rights,
    name: &str,
    role: &str,
) -> Result<(Invitation, Secret), IdentityError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    if api_keys::unlimited(&mut tx, "a person", now).await?.is_some() {
        return Err(IdentityError::WiderThanOwn("a person, who stays when the key itself has ended".to_owned()));
    }
    let name = fresh_name(&mut tx, name).await?;
    let by_operator = rights.is_operator() && ROLES.contains(&role);
    let giver = if by_operator { &Rights::of_host() } else { rights };
    let role = assignable(&mut tx, giver, role).await?;
    let secret = Secret::mint(CredentialKind::Invitation, &mut rand::rng());
    let invitation = Invitation {
        id: id::mint(now, &mut rand::rng()),
        kind: InvitationKind::Invite,
        tenant: scope.tenant(),
        name,
        role,
        person: None,
        invited_by: scope.actor().id.clone(),
        created_at: now,
        expires_at: scope.ends(Some(now.plus(INVITATION_FOR))).unwrap_or(now),
        spent_at: None,
        revoked_at: None,
    };
    invitations::create(&mut tx, &invitation, secret.hash).await?;
    tx.commit(now).await?;
    Ok((invitation, secret))
}

/// The invitation behind a link, and its tenant, if it can be spent now.
async fn open_link(
    store: &Store,
    link: &str,
    kind: InvitationKind,
) -> Result<([u8; 32], Invitation, Tenant), IdentityError> {
    let wanted = match kind {
        InvitationKind::Invite => CredentialKind::Invitation,
        InvitationKind::Reset => CredentialKind::Reset,
    };
    let hash = match secret::hash(link) {
        Some((kind, hash)) if kind == wanted => hash,
        _ => return Err(IdentityError::InvalidLink),
    };
    let found = store.open_invitation(&hash, store.clock().now()).await?;
    let found = found.filter(|invitation| invitation.kind == kind).ok_or(IdentityError::InvalidLink)?;
    let tenant = store.get_tenant(found.tenant).await?;
    // Nobody joins a tenant that is not open; a password may be set in one that is suspended.
    let open = match kind {
        InvitationKind::Invite => tenant.state == TenantState::Active,
        InvitationKind::Reset => matches!(tenant.state, TenantState::Active | TenantState::Suspended),
    };
    if open { Ok((hash, found, tenant)) } else { Err(IdentityError::InvalidLink) }
}

/// Accepts an invitation as somebody new: makes the person with this password and opens a session.
///
/// # Errors
/// `InvalidLink`; `SignInToAccept` where there is an account of the invited name, and the link stays good.
pub async fn accept(door: &Door<'_>, link: &str, given: String, from: &Origin) -> Result<SignedIn, IdentityError> {
    let (hash, invitation, tenant) = open_link(door.store, link, InvitationKind::Invite).await?;
    if door.store.find_person(&invitation.name).await?.is_some() {
        return Err(IdentityError::SignInToAccept);
    }
    password::check(&invitation.name, &given)?;
    let password_hash = hash_password(given).await?;
    let now = door.store.clock().now();
    let id: UserId = id::mint(now, &mut rand::rng());
    let mut user = User::new(id, &invitation.name, &invitation.role, now);
    user.has_password = true;
    let mut tx = door.store.newcomer_scope(tenant.id, user.id, &user.name)?.begin().await?;
    // Looked at again under the lock: the role may be gone by now or hold what is held apart, and the name taken.
    let given = roles::find(&mut tx, &user.role).await.map_err(|_gone| IdentityError::InvalidLink)?;
    roles::apart(&mut tx, given.holds).await?;
    makers::check(&mut tx, &invitation, &given, now).await?;
    fresh_name(&mut tx, &user.name).await?;
    if invitations::spend(&mut tx, &hash, now).await?.is_none() {
        return Err(IdentityError::InvalidLink);
    }
    people::create_user(&mut tx, &user, Some(&password_hash)).await?;
    let body = serde_json::json!({"name": user.name, "role": user.role, "invitation": invitation.id});
    tx.record("user.created", &[&user.id, &invitation.id], body)?;
    tx.commit(now).await?;
    let person = door.store.get_person(user.id).await?.ok_or(StoreError::NotFound)?;
    sessions::open(door, &tenant, &person, from, ConfirmedWith::Password).await
}

/// Accepts an invitation as the person who is signed in. Answers the tenant's slug.
///
/// # Errors
/// `InvalidLink`, also for a link that is meant for somebody else.
pub async fn accept_signed_in(store: &Store, principal: &Principal, link: &str) -> Result<String, IdentityError> {
    let (user, _) = of_session(principal)?;
    let (hash, invitation, tenant) = open_link(store, link, InvitationKind::Invite).await?;
    let person = store.get_person(user).await?.ok_or(StoreError::NotFound)?;
    if person.name != invitation.name {
        return Err(IdentityError::InvalidLink);
    }
    let now = store.clock().now();
    let mut tx = scope_of(store, tenant.id, &person)?.begin().await?;
    let given = roles::find(&mut tx, &invitation.role.to_string()).await.map_err(|_gone| IdentityError::InvalidLink)?;
    roles::apart(&mut tx, given.holds).await?;
    makers::check(&mut tx, &invitation, &given, now).await?;
    fresh_name(&mut tx, &person.name).await?;
    if invitations::spend(&mut tx, &hash, now).await?.is_none() {
        return Err(IdentityError::InvalidLink);
    }
    memberships::add(&mut tx, user, &given.role, now).await?;
    tx.commit(now).await?;
    Ok(tenant.slug)
}

/// Invitations of the tenant, newest first.
pub async fn invitations(scope: &TenantScope, page: &PageRequest) -> Result<Page<Invitation>, IdentityError> {
    Ok(invitations::list(&mut scope.read().await?, page).await?)
}

pub async fn revoke_invitation(scope: &TenantScope, invitation: InvitationId) -> Result<(), IdentityError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    invitations::revoke(&mut tx, invitation, now).await?;
    tx.commit(now).await?;
    Ok(())
}

/// Makes a link by which a member sets a new password.
///
/// # Errors
/// `Conflict` for a person who is not this tenant's alone, unless the caller is the installation's operator.
pub async fn reset_link(
    scope: &TenantScope,
    rights: &Rights,
    principal: &Principal,
    user: UserId,
) -> Result<(Invitation, Secret), IdentityError> {
    let known = may_reset(scope, rights, principal, user).await?;
    let now = scope.store().clock().now();
    let secret = Secret::mint(CredentialKind::Reset, &mut rand::rng());
    let mut tx = scope.begin().await?;
    may_reset_still(&mut tx, rights, user).await?;
    let invitation = Invitation {
        id: id::mint(now, &mut rand::rng()),
        kind: InvitationKind::Reset,
        tenant: scope.tenant(),
        name: known.name,
        role: RoleRef::parse(&known.role),
        person: Some(user),
        invited_by: scope.actor().id.clone(),
        created_at: now,
        expires_at: now.plus(RESET_FOR),
        spent_at: None,
        revoked_at: None,
    };
    invitations::create(&mut tx, &invitation, secret.hash).await?;
    tx.commit(now).await?;
    Ok((invitation, secret))
}

/// Spends a reset link: sets the password and ends every session and personal token of the person. Second factors stay.
pub async fn reset(store: &Store, link: &str, given: String, from: &Origin) -> Result<(), IdentityError> {
    let (hash, invitation, tenant) = open_link(store, link, InvitationKind::Reset).await?;
    let user = invitation.person.ok_or(IdentityError::InvalidLink)?;
    let person = store.get_person(user).await?.ok_or(IdentityError::InvalidLink)?;
    password::check(&person.name, &given)?;
    let password_hash = hash_password(given).await?;
    let now = store.clock().now();
    let mut tx = scope_of(store, tenant.id, &person)?.begin().await?;
    // As it is now: they may have more than when the link was made.
    let role = people::user(&mut tx, user).await?.ok_or(IdentityError::InvalidLink)?.role;
    let holds = roles::find(&mut tx, &role).await.map_err(|_gone| IdentityError::InvalidLink)?;
    makers::check(&mut tx, &invitation, &holds, now).await?;
    memberships::hold(&mut tx, user).await?;
    if !memberships::is_sole(&mut tx, user).await? && !makers::is_installations(store, &invitation).await? {
        return Err(IdentityError::InvalidLink);
    }
    if invitations::spend(&mut tx, &hash, now).await?.is_none() {
        return Err(IdentityError::InvalidLink);
    }
    let ended = people::set_password(&mut tx, user, &password_hash, Keep::default(), now).await?;
    let body = serde_json::json!({"client_addr": from.addr, "by": "reset link", "tokens_ended": ended});
    tx.record("password.changed", &[&user, &invitation.id], body)?;
    tx.commit(now).await?;
    Ok(())
}
