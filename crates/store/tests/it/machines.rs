//! API keys, custom roles, invitations and grants: their life, and that none of one tenant is another's.

use std::time::Duration;

use shieldops_model::{Clock as _, Environment, RoleId, TenantChange, Timestamp};
use shieldops_store::{
    PageRequest, RoleRef, StoreError, TenantScope, api_keys, grants,
    invitations::{self, Invitation, InvitationKind},
    memberships,
    people::{self, Keep, NewCredential},
    roles::{self, Role},
    usage,
};

use crate::{
    principals::{grant, make_key, principal, token},
    support::{World, world},
    tenancy::{change, fresh, kinds, person, session, session_of, tenant},
};

fn role(world: &World, name: &str) -> Role {
    let now = world.clock.now();
    Role {
        id: fresh(world),
        name: name.into(),
        permissions: vec!["alert.read".into(), "plan.approve".into()],
        environments: Some(vec![Environment::Staging]),
        created_at: now,
        updated_at: now,
        version: 1,
    }
}

async fn make_role(world: &World, scope: &TenantScope, name: &str) -> Role {
    let role = role(world, name);
    let mut tx = scope.begin().await.unwrap();
    roles::create(&mut tx, &role).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    role
}

fn invitation(world: &World, scope: &TenantScope, name: &str, kind: InvitationKind) -> Invitation {
    let now = world.clock.now();
    Invitation {
        id: fresh(world),
        kind,
        tenant: scope.tenant(),
        name: name.into(),
        role: RoleRef::parse("viewer"),
        person: None,
        invited_by: "usr_x".into(),
        created_at: now,
        expires_at: now.plus(Duration::from_hours(1)),
        spent_at: None,
        revoked_at: None,
    }
}

async fn invite(world: &World, scope: &TenantScope, name: &str, hash: u8) -> Invitation {
    let made = invitation(world, scope, name, InvitationKind::Invite);
    let mut tx = scope.begin().await.unwrap();
    invitations::create(&mut tx, &made, [hash; 32]).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    made
}

#[tokio::test]
async fn a_rotated_key_opens_with_both_secrets_until_the_overlap_ends() {
    let Some(world) = world().await else { return };
    let scope = world.scope();
    let made = make_key(&world, &scope, None, 1).await;
    let until = world.clock.now().plus(Duration::from_mins(5));
    let mut tx = scope.begin().await.unwrap();
    let rotated = api_keys::rotate(&mut tx, made.id, [2; 32], until, world.clock.now()).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    assert_eq!((rotated.secrets, rotated.version), (2, 2));
    for hash in [1, 2] {
        assert_eq!(principal(&world, hash, None).await.key.unwrap().id, made.id);
    }
    let changed = api_keys::ApiKey { name: "cd".into(), permissions: vec!["event.read".into()], ..rotated };
    let mut tx = scope.begin().await.unwrap();
    api_keys::update(&mut tx, &changed, world.clock.now()).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    for hash in [1, 2] {
        assert_eq!(principal(&world, hash, None).await.key.unwrap().permissions, ["event.read"], "both change at once");
    }
    world.clock.advance(Duration::from_mins(5));
    let now = world.clock.now();
    assert!(world.store.authenticate(&[1; 32], None, now).await.unwrap().principal().is_none());
    let mut tx = scope.begin().await.unwrap();
    let stale = api_keys::revoke(&mut tx, made.id, Some(2), now).await;
    assert!(matches!(stale, Err(StoreError::Stale { version: 3 })));
    api_keys::revoke(&mut tx, made.id, Some(3), now).await.unwrap();
    tx.commit(now).await.unwrap();
    assert!(world.store.authenticate(&[2; 32], None, now).await.unwrap().principal().is_none());
    assert_eq!(kinds(&scope).await, ["key.created", "key.rotated", "key.updated", "key.revoked"]);
}

#[tokio::test]
async fn at_most_five_secrets_of_a_key_are_valid_and_an_earlier_end_holds_for_all() {
    let Some(world) = world().await else { return };
    let made = make_key(&world, &world.scope(), None, 1).await;
    let now = world.clock.now();
    let mut tx = world.scope().begin().await.unwrap();
    for hash in 2..=5 {
        api_keys::rotate(&mut tx, made.id, [hash; 32], now.plus(Duration::from_hours(1)), now).await.unwrap();
    }
    let sixth = api_keys::rotate(&mut tx, made.id, [6; 32], now, now).await;
    assert!(matches!(sixth, Err(StoreError::TooMany { limit: 5, .. })));
    let known = api_keys::find(&mut tx, made.id, now).await.unwrap().unwrap();
    let sooner = now.plus(Duration::from_mins(1));
    let after = api_keys::ApiKey { expires_at: Some(sooner), ..known };
    api_keys::update(&mut tx, &after, now).await.unwrap();
    tx.commit(now).await.unwrap();
    for hash in 1..=5 {
        assert_eq!(principal(&world, hash, None).await.expires_at, Some(sooner));
    }
}

#[tokio::test]
async fn a_role_that_somebody_has_is_not_deleted_and_names_are_unique() {
    let Some(world) = world().await else { return };
    let scope = world.scope();
    let night = make_role(&world, &scope, "night shift").await;
    let ada = person(&world, &scope, "ada", &night.id.to_string()).await;
    session(&world, &scope, ada, 1).await;
    assert_eq!(principal(&world, 1, None).await.role, RoleRef::Custom(night.id));
    let mut tx = scope.begin().await.unwrap();
    let now = world.clock.now();
    assert!(matches!(roles::remove(&mut tx, night.id, None).await, Err(StoreError::InUseBy { .. })));
    assert!(matches!(
        roles::create(&mut tx, &role(&world, "night shift")).await,
        Err(StoreError::AlreadyExists { .. })
    ));
    let wider = Role { permissions: vec!["user.write".into()], environments: None, ..night.clone() };
    let after = roles::update(&mut tx, &wider).await.unwrap();
    assert_eq!((after.version, roles::find(&mut tx, night.id).await.unwrap().unwrap()), (2, after.clone()));
    assert!(matches!(roles::update(&mut tx, &wider).await, Err(StoreError::Stale { version: 2 })));
    memberships::set(&mut tx, ada, Some(&RoleRef::parse("viewer")), None, None, now).await.unwrap();
    roles::remove(&mut tx, night.id, Some(2)).await.unwrap();
    tx.commit(now).await.unwrap();
    assert!(roles::list(&mut scope.read().await.unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_invitation_is_spent_once_within_its_time_and_a_newer_one_ends_it() {
    let Some(world) = world().await else { return };
    let scope = world.scope();
    let first = invite(&world, &scope, "ada", 1).await;
    invite(&world, &scope, "ada", 2).await;
    invite(&world, &scope, "bob", 3).await;
    let now = world.clock.now();
    assert!(world.store.open_invitation(&[1; 32], now).await.unwrap().is_none());
    assert_eq!(world.store.open_invitation(&[2; 32], now).await.unwrap().unwrap().name, "ada");
    let mut tx = scope.begin().await.unwrap();
    assert!(matches!(invitations::revoke(&mut tx, first.id, now).await, Err(StoreError::NotFound)));
    assert_eq!(invitations::spend(&mut tx, &[2; 32], now).await.unwrap().unwrap().name, "ada");
    assert!(invitations::spend(&mut tx, &[2; 32], now).await.unwrap().is_none());
    tx.commit(now).await.unwrap();
    change(&world, world.tenant, TenantChange::Lock).await.unwrap();
    assert!(world.store.open_invitation(&[3; 32], now).await.unwrap().is_none(), "nobody comes into a locked tenant");
    change(&world, world.tenant, TenantChange::Unlock).await.unwrap();
    world.clock.advance(Duration::from_hours(1));
    assert!(world.store.open_invitation(&[3; 32], world.clock.now()).await.unwrap().is_none());
    let mut tx = scope.begin().await.unwrap();
    assert!(invitations::spend(&mut tx, &[3; 32], world.clock.now()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_grant_is_for_the_parent_alone_and_both_ledgers_have_it() {
    let Some(world) = world().await else { return };
    let mssp = tenant(&world, "mssp", None).await;
    let child = tenant(&world, "child", Some(mssp.tenant())).await;
    let id = grant(&world, &child, &mssp, "auditor").await;
    let page = PageRequest::default();
    let (given, held) = (
        grants::list(&mut child.read().await.unwrap(), &page).await.unwrap().items,
        grants::held(&mut mssp.read().await.unwrap(), &page).await.unwrap().items,
    );
    assert_eq!((given.len(), &given, given[0].reason.as_str()), (1, &held, "monthly review"));
    assert!(kinds(&child).await.contains(&"grant.created".to_owned()));
    assert!(kinds(&mssp).await.contains(&"grant.received".to_owned()));
    let mut tx = mssp.begin().await.unwrap();
    let backwards = grants::Grant { tenant: mssp.tenant(), grantee: child.tenant(), ..given[0].clone() };
    assert!(matches!(grants::create(&mut tx, &backwards).await, Err(StoreError::Refused { .. })));
    drop(tx);
    let mut tx = world.scope().begin().await.unwrap();
    assert!(matches!(grants::revoke(&mut tx, id, world.clock.now()).await, Err(StoreError::NotFound)));
    let stranger = grants::Grant { id: fresh(&world), ..given[0].clone() };
    assert!(matches!(grants::create(&mut tx, &stranger).await, Err(StoreError::Refused { .. })));
    drop(tx);
    let mut tx = child.begin().await.unwrap();
    grants::revoke(&mut tx, id, world.clock.now()).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    world.store.deliver_notices(world.clock.now()).await.unwrap();
    assert!(kinds(&mssp).await.contains(&"grant.ended".to_owned()));
}

#[tokio::test]
async fn invariant_10_keys_roles_invitations_and_grants_of_another_tenant_are_not_found() {
    let Some(world) = world().await else { return };
    let (ours, theirs) = (world.scope(), tenant(&world, "theirs", None).await);
    let made = make_key(&world, &ours, None, 1).await;
    let night: RoleId = make_role(&world, &ours, "night shift").await.id;
    let invited = invite(&world, &ours, "ada", 2).await;
    let (now, page) = (world.clock.now(), PageRequest::default());
    let mut reader = theirs.read().await.unwrap();
    assert!(api_keys::find(&mut reader, made.id, now).await.unwrap().is_none());
    assert!(api_keys::list(&mut reader, &page, now).await.unwrap().items.is_empty());
    assert!(roles::find(&mut reader, night).await.unwrap().is_none());
    assert!(roles::list(&mut reader).await.unwrap().is_empty());
    assert!(invitations::list(&mut reader, &page).await.unwrap().items.is_empty());
    assert!(grants::list(&mut reader, &page).await.unwrap().items.is_empty());
    let usage = usage::of(&mut reader, now, now.plus(Duration::from_hours(1))).await.unwrap();
    assert_eq!((usage.keys, usage.custom_roles, usage.members), (0, 0, 0));
    drop(reader);
    let mut tx = theirs.begin().await.unwrap();
    let missing =
        |outcome: Result<(), StoreError>| assert!(matches!(outcome, Err(StoreError::NotFound)), "{outcome:?}");
    missing(api_keys::revoke(&mut tx, made.id, None, now).await);
    missing(api_keys::update(&mut tx, &made, now).await.map(drop));
    missing(api_keys::rotate(&mut tx, made.id, [9; 32], now, now).await.map(drop));
    missing(roles::remove(&mut tx, night, None).await);
    missing(roles::update(&mut tx, &role(&world, "x")).await.map(drop));
    missing(invitations::revoke(&mut tx, invited.id, now).await);
    assert!(invitations::spend(&mut tx, &[2; 32], now).await.unwrap().is_none());
    drop(tx);
    assert!(principal(&world, 1, None).await.key.is_some(), "it works as before");
}

#[tokio::test]
async fn usage_counts_the_rows_of_the_tenant_as_they_are() {
    let Some(world) = world().await else { return };
    let scope = world.scope();
    let ada = person(&world, &scope, "ada", "viewer").await;
    session(&world, &scope, ada, 1).await;
    make_key(&world, &scope, None, 2).await;
    let start = Timestamp::from_secs(world.clock.now().as_secs() / 60 * 60);
    let mut tx = scope.begin().await.unwrap();
    for (hours, events) in [(0, 5), (25, 7), (26, 1)] {
        let at = start.plus(Duration::from_hours(hours));
        shieldops_store::bookkeeping::minute_seen(&mut tx, at, events).await.unwrap();
    }
    tx.commit(start).await.unwrap();
    let to = start.plus(Duration::from_hours(26));
    let found = usage::of(&mut scope.read().await.unwrap(), start, to).await.unwrap();
    assert_eq!((found.members, found.keys, found.events), (1, 1, 12), "the minute that begins at the end is not in");
    let running = usage::of(&mut scope.read().await.unwrap(), start, to.plus(Duration::from_secs(1))).await.unwrap();
    assert_eq!(running.events, 13, "the minute that is running is in");
    assert_eq!(found.events_by_day.iter().map(|day| day.events).sum::<u64>(), 12);
    assert_eq!(found.ledger_entries, u64::try_from(kinds(&scope).await.len()).unwrap());
}

#[tokio::test]
async fn a_key_of_a_grant_ends_with_it_however_it_is_changed() {
    let Some(world) = world().await else { return };
    let mssp = tenant(&world, "mssp", None).await;
    let child = tenant(&world, "child", Some(mssp.tenant())).await;
    let ada = person(&world, &mssp, "ada", "admin").await;
    session(&world, &mssp, ada, 1).await;
    let id = grant(&world, &child, &mssp, "admin").await;
    let until = world.clock.now().plus(Duration::from_hours(1));
    let there = world.store.scope(&principal(&world, 1, Some("child")).await).unwrap();
    let made = make_key(&world, &there, Some(until), 2).await;
    let mut tx = child.begin().await.unwrap();
    let endless = api_keys::ApiKey { expires_at: None, ..made };
    let changed = api_keys::update(&mut tx, &endless, world.clock.now()).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    assert_eq!(changed.expires_at, Some(until));
    // As an earlier version left one.
    world.sql("UPDATE principal_index SET expires_at=NULL WHERE kind='key'").await;
    let held = principal(&world, 2, None).await;
    assert_eq!(held.bound.map(|bound| (bound.grant, bound.until)), Some((id, until)), "and so does what it makes");
    make_key(&world, &world.store.scope(&held).unwrap(), None, 3).await;
    world.clock.advance(Duration::from_hours(1));
    for hash in [2, 3] {
        let found = world.store.authenticate(&[hash; 32], None, world.clock.now()).await.unwrap();
        assert!(found.principal().is_none(), "{hash}");
    }
}

#[tokio::test]
async fn usage_counts_the_credentials_that_are_in_force() {
    let Some(world) = world().await else { return };
    let scope = world.scope();
    let ada = person(&world, &scope, "ada", "viewer").await;
    let idle = Some(Duration::from_mins(5));
    let expires_at = Some(world.clock.now().plus(Duration::from_hours(12)));
    let open = NewCredential { hash: [1; 32], user: Some(ada), expires_at, idle, ..NewCredential::default() };
    session_of(&world, &scope, open).await;
    token(&world, &scope, "personal", Some(ada), 2).await;
    token(&world, &scope, "ingest", None, 3).await;
    let counted = async || {
        let now = world.clock.now();
        let found = usage::of(&mut scope.read().await.unwrap(), now, now).await.unwrap();
        (found.sessions, found.tokens)
    };
    assert_eq!(counted().await, (1, 2));
    world.clock.advance(Duration::from_mins(6));
    assert_eq!(counted().await, (0, 2), "nobody used the session");
    let (now, mut tx) = (world.clock.now(), scope.begin().await.unwrap());
    people::set_password(&mut tx, ada, "another hash", Keep::default(), now).await.unwrap();
    tx.record("password.changed", &[&ada], ()).unwrap();
    tx.commit(now).await.unwrap();
    assert_eq!(counted().await, (0, 1), "the new password ended the personal token");
}
