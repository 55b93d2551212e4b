//! Tenants as the operator makes, renames, suspends and deletes them; people and tenants for the other tests.

use std::time::Duration;

use shieldops_model::{Clock as _, Id, SessionId, TenantChange, TenantId, TenantState, UserId, id};
use shieldops_store::{
    Job, PageRequest, RoleRef, StoreError, TenantScope, ledger,
    people::{self, NewCredential, User},
    tenants::{self, NewTenant, Tenant, TenantPatch},
};

use crate::support::{World, cut_checkpoints, world};

pub(crate) fn fresh<K: id::Kind>(world: &World) -> Id<K> {
    id::mint(world.clock.now(), &mut rand::rng())
}

pub(crate) fn installation(world: &World) -> TenantScope {
    world.store.job(TenantId::INSTALLATION, Job::Cli).unwrap()
}

pub(crate) async fn try_tenant(world: &World, slug: &str, parent: Option<TenantId>) -> Result<Tenant, StoreError> {
    let mut tx = installation(world).begin().await?;
    let new = NewTenant { slug: slug.into(), name: format!("Tenant {slug}"), parent, demo: false };
    let tenant = tenants::create(&mut tx, &new, world.clock.now()).await?;
    tx.commit(world.clock.now()).await?;
    world.store.deliver_notices(world.clock.now()).await?;
    Ok(tenant)
}

/// Another tenant, and the scope of a worker in it.
pub(crate) async fn tenant(world: &World, slug: &str, parent: Option<TenantId>) -> TenantScope {
    let tenant = try_tenant(world, slug, parent).await.unwrap();
    world.store.job(tenant.id, Job::Cli).unwrap()
}

/// A new person with a password, and a member of this tenant.
pub(crate) async fn person(world: &World, scope: &TenantScope, name: &str, role: &str) -> UserId {
    let user = User::new(fresh(world), name, &RoleRef::parse(role), world.clock.now());
    let mut tx = scope.begin().await.unwrap();
    people::create_user(&mut tx, &user, Some("a hash")).await.unwrap();
    tx.record("user.created", &[&user.id], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    user.id
}

/// A session of twelve hours.
pub(crate) async fn session(world: &World, scope: &TenantScope, user: UserId, hash: u8) -> SessionId {
    let expires_at = Some(world.clock.now().plus(Duration::from_hours(12)));
    let credential = NewCredential { hash: [hash; 32], user: Some(user), expires_at, ..NewCredential::default() };
    session_of(world, scope, credential).await
}

pub(crate) async fn session_of(world: &World, scope: &TenantScope, credential: NewCredential) -> SessionId {
    let id = fresh(world);
    let mut tx = scope.begin().await.unwrap();
    people::create_session(&mut tx, id, &credential, world.clock.now()).await.unwrap();
    tx.record("session.opened", &[&id], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    id
}

pub(crate) async fn change(world: &World, tenant: TenantId, change: TenantChange) -> Result<Tenant, StoreError> {
    let mut tx = installation(world).begin().await?;
    let now = world.clock.now();
    let after = tenants::change_state(&mut tx, tenant, change, "a reason", Some(now), None, now).await?;
    tx.commit(now).await?;
    world.store.deliver_notices(now).await?;
    Ok(after)
}

/// The kinds of the entries of a ledger, oldest first.
pub(crate) async fn kinds(scope: &TenantScope) -> Vec<String> {
    let page = PageRequest { limit: Some(200), cursor: None };
    let entries = ledger::list(&mut scope.read().await.unwrap(), &ledger::Filter::default(), &page).await.unwrap();
    entries.items.into_iter().rev().map(|entry| entry.kind).collect()
}

#[tokio::test]
async fn a_tenant_has_a_key_and_a_ledger_of_its_own_and_both_ledgers_say_that_it_was_made() {
    let Some(world) = world().await else { return };
    let acme = tenant(&world, "acme", None).await;
    world.store.deliver_notices(world.clock.now()).await.unwrap();
    assert_eq!(kinds(&acme).await, ["tenant.created"], "a notice is delivered once");
    assert_eq!(kinds(&installation(&world)).await, ["tenant.created"]);
    let found = world.store.tenant_by_slug("acme").await.unwrap().unwrap();
    assert_eq!((found.id, found.state, found.version), (acme.tenant(), TenantState::Active, 1));
    assert!(matches!(try_tenant(&world, "acme", None).await, Err(StoreError::AlreadyExists { .. })));
    assert_eq!(world.store.tenants().await.unwrap().len(), 2, "the installation itself is none of them");
    let proof = world.store.verify().await.unwrap();
    let of_acme = proof.logs.iter().find(|log| log.tenant == acme.tenant().to_string()).unwrap();
    assert!(proof.ok && of_acme.entries == 1, "in place, wherever the rows are: {proof:?}");
    assert!(world.stop().await.verify().await.ok);
}

#[tokio::test]
async fn the_proof_of_one_log_is_of_that_log_alone() {
    let Some(world) = world().await else { return };
    let (acme, other) = (tenant(&world, "acme", None).await, tenant(&world, "other", None).await);
    world.store.deliver_notices(world.clock.now()).await.unwrap();
    let logs_of = async |scope: &TenantScope| world.store.verify_log(scope.tenant()).await.unwrap().logs;
    world
        .sql(&format!("DELETE FROM ledger_entries WHERE tenant_id=X'{}'", hex::encode(other.tenant().to_bytes())))
        .await;
    let sound = logs_of(&acme).await;
    assert!(sound.len() == 1 && sound[0].ok && sound[0].entries == 1, "{sound:?}");
    assert_eq!(sound[0].tenant, acme.tenant().to_string());
    let damaged = logs_of(&other).await;
    assert!(damaged.len() == 1 && !damaged[0].ok, "{damaged:?}");
    assert!(!world.store.verify().await.unwrap().ok);
}

#[tokio::test]
async fn a_notice_that_a_crash_left_behind_is_delivered_later() {
    let Some(world) = world().await else { return };
    let acme = tenant(&world, "acme", None).await;
    let mut tx = installation(&world).begin().await.unwrap();
    let patch = TenantPatch { name: Some("Acme".into()), ..TenantPatch::default() };
    tenants::update(&mut tx, acme.tenant(), &patch, Some(1), world.clock.now()).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    assert_eq!(kinds(&acme).await, ["tenant.created"]);
    let id = acme.tenant();
    drop(acme);
    let world = world.stop().await.start().await;
    assert_eq!(kinds(&world.store.job(id, Job::Cli).unwrap()).await, ["tenant.created", "tenant.updated"]);
}

#[tokio::test]
async fn only_the_installation_changes_tenants() {
    let Some(world) = world().await else { return };
    let acme = tenant(&world, "acme", None).await;
    let now = world.clock.now();
    let mut tx = world.scope().begin().await.unwrap();
    let new = NewTenant { slug: "mine".into(), name: "Mine".into(), parent: None, demo: false };
    assert!(matches!(tenants::create(&mut tx, &new, now).await, Err(StoreError::NotFound)));
    let patch = TenantPatch { slug: Some("theirs".into()), ..TenantPatch::default() };
    assert!(matches!(tenants::update(&mut tx, acme.tenant(), &patch, None, now).await, Err(StoreError::NotFound)));
    let lock = tenants::change_state(&mut tx, acme.tenant(), TenantChange::Lock, "", None, None, now).await;
    assert!(matches!(lock, Err(StoreError::NotFound)));
    assert!(matches!(tenants::list(&mut tx, &PageRequest::default(), None).await, Err(StoreError::NotFound)));
}

#[tokio::test]
async fn a_tenant_passes_its_states_and_every_step_has_an_entry_with_before_and_after() {
    use TenantChange::{CancelDeletion, Lock, Resume, ScheduleDeletion, Suspend, Unlock};
    let Some(world) = world().await else { return };
    let acme = tenant(&world, "acme", None).await;
    for (step, wanted) in [
        (Suspend, TenantState::Suspended),
        (Resume, TenantState::Active),
        (Lock, TenantState::Locked),
        (Unlock, TenantState::Active),
        (ScheduleDeletion, TenantState::Deleting),
        (CancelDeletion, TenantState::Suspended),
        (Lock, TenantState::Locked),
        // A lock that ends does not end the suspension before it.
        (Unlock, TenantState::Suspended),
    ] {
        assert_eq!(change(&world, acme.tenant(), step).await.unwrap().state, wanted);
    }
    assert!(matches!(change(&world, acme.tenant(), Unlock).await, Err(StoreError::Refused { .. })));
    let tenant = world.store.get_tenant(acme.tenant()).await.unwrap();
    assert_eq!((tenant.version, tenant.delete_after), (9, None));
    let mut reader = acme.read().await.unwrap();
    let entries = ledger::of_subject(&mut reader, &acme.tenant().to_string()).await.unwrap();
    let last = &entries.last().unwrap().payload;
    assert_eq!(
        (last["before"]["state"].as_str(), last["after"]["state"].as_str(), last["reason"].as_str()),
        (Some("locked"), Some("suspended"), Some("a reason"))
    );
}

#[tokio::test]
async fn a_stale_version_and_a_taken_slug_are_refused_and_the_transaction_goes_on() {
    let Some(world) = world().await else { return };
    let (acme, other) = (tenant(&world, "acme", None).await, tenant(&world, "other", None).await);
    let now = world.clock.now();
    let mut tx = installation(&world).begin().await.unwrap();
    let slug = |slug: &str| TenantPatch { slug: Some(slug.into()), ..TenantPatch::default() };
    let stale = tenants::update(&mut tx, acme.tenant(), &slug("new"), Some(2), now).await;
    assert!(matches!(stale, Err(StoreError::Stale { version: 1 })));
    let taken = tenants::update(&mut tx, acme.tenant(), &slug("other"), Some(1), now).await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })));
    tenants::update(&mut tx, acme.tenant(), &slug("new"), Some(1), now).await.unwrap();
    tx.commit(now).await.unwrap();
    assert!(world.store.tenant_by_slug("acme").await.unwrap().is_none());
    assert_eq!(world.store.tenant_by_slug("new").await.unwrap().unwrap().id, acme.tenant());
    assert_eq!(world.store.tenant_by_slug("other").await.unwrap().unwrap().id, other.tenant());
}

#[tokio::test]
async fn parents_have_one_level_and_no_loops() {
    let Some(world) = world().await else { return };
    let mssp = tenant(&world, "mssp", None).await.tenant();
    let child = tenant(&world, "child", Some(mssp)).await.tenant();
    assert!(matches!(try_tenant(&world, "grandchild", Some(child)).await, Err(StoreError::Refused { .. })));
    let missing = fresh(&world);
    assert!(matches!(try_tenant(&world, "stray", Some(missing)).await, Err(StoreError::NotFound)));
    let now = world.clock.now();
    let mut tx = installation(&world).begin().await.unwrap();
    for parent in [child, mssp] {
        let patch = TenantPatch { parent: Some(Some(parent)), ..TenantPatch::default() };
        let looped = tenants::update(&mut tx, mssp, &patch, None, now).await;
        assert!(matches!(looped, Err(StoreError::Refused { .. })), "{looped:?}");
    }
}

#[tokio::test]
async fn tenants_are_listed_by_state_and_page() {
    let Some(world) = world().await else { return };
    world.clock.advance(Duration::from_secs(1));
    let first = tenant(&world, "first", None).await.tenant();
    world.clock.advance(Duration::from_secs(1));
    let second = tenant(&world, "second", None).await.tenant();
    change(&world, first, TenantChange::Suspend).await.unwrap();
    let scope = installation(&world);
    let mut reader = scope.read().await.unwrap();
    let page = PageRequest { limit: Some(1), cursor: None };
    let one = tenants::list(&mut reader, &page, None).await.unwrap();
    assert_eq!(one.items[0].id, second);
    let next = PageRequest { limit: Some(1), cursor: one.next_cursor };
    assert_eq!(tenants::list(&mut reader, &next, None).await.unwrap().items[0].id, first);
    let suspended = tenants::list(&mut reader, &PageRequest::default(), Some(TenantState::Suspended)).await.unwrap();
    assert_eq!(suspended.items.iter().map(|tenant| tenant.id).collect::<Vec<_>>(), [first]);
}

#[tokio::test]
async fn a_ledger_that_is_not_sound_keeps_nobody_out_and_no_other_tenant_waiting() {
    let Some(world) = world().await else { return };
    for _ in 0..3 {
        world.commit(&["a.one"]).await.unwrap();
    }
    let keyless = tenant(&world, "keyless", None).await.tenant();
    let sound = tenant(&world, "sound", None).await.tenant();
    for id in [world.tenant, keyless, sound] {
        world.clock.advance(Duration::from_millis(1));
        let mut tx = installation(&world).begin().await.unwrap();
        let suspend = TenantChange::Suspend;
        tenants::change_state(&mut tx, id, suspend, "a reason", None, None, world.clock.now()).await.unwrap();
        tx.commit(world.clock.now()).await.unwrap();
    }
    let stopped = world.stop().await;
    cut_checkpoints(&stopped.checkpoints(), 2);
    let key = stopped.dir.path().join("keys/tenants").join(format!("{keyless}.key"));
    let away = key.with_extension("away");
    std::fs::rename(&key, &away).unwrap();
    let world = stopped.start().await;
    let kinds_of = async |id| kinds(&world.store.job(id, Job::Cli).unwrap()).await;
    assert_eq!(kinds_of(sound).await, ["tenant.created", "tenant.suspended"]);
    if !crate::POSTGRES {
        // On PostgreSQL another node may have written the heads that this one lacks: only a proof says that they are gone.
        assert_eq!(kinds_of(world.tenant).await, ["a.one"; 3]);
    }
    std::fs::rename(&away, &key).unwrap();
    world.store.deliver_notices(world.clock.now()).await.unwrap();
    assert_eq!(kinds_of(keyless).await, ["tenant.created", "tenant.suspended"], "it was owed on");
}
