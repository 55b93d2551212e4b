//! Members of a tenant: who may change what, and what goes with a membership.

use shieldops_model::{Clock as _, UserId};
use shieldops_store::{
    RoleRef, StoreError, TenantScope, ledger, memberships,
    people::{self, User},
    sessions,
};

use crate::{
    principals::principal,
    support::{World, world},
    tenancy::{fresh, person, session, tenant},
};

async fn set(
    world: &World,
    scope: &TenantScope,
    user: UserId,
    role: Option<&str>,
    disabled: Option<bool>,
) -> Result<User, StoreError> {
    let mut tx = scope.begin().await?;
    let role = role.map(RoleRef::parse);
    let after = memberships::set(&mut tx, user, role.as_ref(), disabled, None, world.clock.now()).await?;
    tx.commit(world.clock.now()).await?;
    Ok(after)
}

async fn add(world: &World, scope: &TenantScope, user: UserId, role: &str) {
    let mut tx = scope.begin().await.unwrap();
    memberships::add(&mut tx, user, &RoleRef::parse(role), world.clock.now()).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
}

async fn remove(world: &World, scope: &TenantScope, user: UserId) -> Result<bool, StoreError> {
    let mut tx = scope.begin().await?;
    let gone = memberships::remove(&mut tx, user, world.clock.now()).await?;
    tx.commit(world.clock.now()).await?;
    Ok(gone)
}

#[tokio::test]
async fn the_last_administrator_neither_steps_down_nor_goes() {
    let Some(world) = world().await else { return };
    let scope = world.scope();
    let ada = person(&world, &scope, "ada", "admin").await;
    assert!(matches!(set(&world, &scope, ada, Some("viewer"), None).await, Err(StoreError::LastAdministrator)));
    assert!(matches!(set(&world, &scope, ada, None, Some(true)).await, Err(StoreError::LastAdministrator)));
    assert!(matches!(remove(&world, &scope, ada).await, Err(StoreError::LastAdministrator)));
    let bob = person(&world, &scope, "bob", "admin").await;
    set(&world, &scope, bob, None, Some(true)).await.unwrap();
    assert!(matches!(remove(&world, &scope, ada).await, Err(StoreError::LastAdministrator)), "bob is disabled");
    set(&world, &scope, bob, None, Some(false)).await.unwrap();
    assert!(remove(&world, &scope, ada).await.unwrap());
}

#[tokio::test]
async fn a_person_who_joins_a_tenant_while_they_leave_their_last_one_stays() {
    let Some(world) = world().await else { return };
    let (scope, beta, now) = (world.scope(), tenant(&world, "beta", None).await, world.clock.now());
    let eve = person(&world, &scope, "eve", "viewer").await;
    let mut joins = beta.begin().await.unwrap();
    memberships::add(&mut joins, eve, &RoleRef::parse("viewer"), now).await.unwrap();
    let joined = async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        joins.commit(now).await.unwrap();
    };
    let (gone, ()) = tokio::join!(remove(&world, &scope, eve), joined);
    assert!(!gone.unwrap());
    assert!(world.store.get_person(eve).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_administrators_who_step_down_at_once_one_stays() {
    let Some(world) = world().await else { return };
    let scope = world.scope();
    let (ada, bob) = (person(&world, &scope, "ada", "admin").await, person(&world, &scope, "bob", "admin").await);
    let (one, other) =
        tokio::join!(set(&world, &scope, ada, Some("viewer"), None), set(&world, &scope, bob, Some("viewer"), None));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    assert!(world.store.has_administrator(world.tenant).await.unwrap());
}

#[tokio::test]
async fn a_change_has_before_and_after_in_the_ledger_and_a_version() {
    let Some(world) = world().await else { return };
    let scope = world.scope();
    let ada = person(&world, &scope, "ada", "viewer").await;
    let after = set(&world, &scope, ada, Some("analyst"), Some(true)).await.unwrap();
    assert_eq!((after.role.as_str(), after.disabled, after.version), ("analyst", true, 2));
    let mut tx = scope.begin().await.unwrap();
    let stale = memberships::set(&mut tx, ada, None, Some(false), Some(1), world.clock.now()).await;
    assert!(matches!(stale, Err(StoreError::Stale { version: 2 })));
    drop(tx);
    let entries = ledger::of_subject(&mut scope.read().await.unwrap(), &ada.to_string()).await.unwrap();
    let last = entries.last().unwrap();
    assert_eq!((last.kind.as_str(), last.payload["before"]["role"].as_str()), ("membership.changed", Some("viewer")));
    assert_eq!(last.payload["after"], serde_json::json!({"role": "analyst", "disabled": true}));
}

#[tokio::test]
async fn a_person_who_is_disabled_in_one_tenant_works_in_the_other() {
    let Some(world) = world().await else { return };
    let (here, there) = (world.scope(), tenant(&world, "there", None).await);
    let ada = person(&world, &here, "ada", "viewer").await;
    add(&world, &there, ada, "analyst").await;
    session(&world, &here, ada, 1).await;
    set(&world, &here, ada, None, Some(true)).await.unwrap();
    let now = world.clock.now();
    assert!(world.store.authenticate(&[1; 32], None, now).await.unwrap().principal().is_none());
    assert!(principal(&world, 1, Some("there")).await.role.is("analyst"));
    let user = people::user(&mut there.read().await.unwrap(), ada).await.unwrap().unwrap();
    assert!(!user.disabled && !user.second_factor && user.has_password);
}

#[tokio::test]
async fn a_person_goes_with_the_last_membership_and_the_credentials_of_the_tenant_with_each() {
    let Some(world) = world().await else { return };
    let (here, there) = (world.scope(), tenant(&world, "there", None).await);
    let ada = person(&world, &here, "ada", "viewer").await;
    add(&world, &there, ada, "viewer").await;
    session(&world, &here, ada, 1).await;
    session(&world, &there, ada, 2).await;
    assert!(!memberships::is_sole(&mut here.read().await.unwrap(), ada).await.unwrap());
    assert!(!remove(&world, &here, ada).await.unwrap(), "the person is still in the other tenant");
    let now = world.clock.now();
    assert!(world.store.authenticate(&[1; 32], Some("there"), now).await.unwrap().principal().is_none());
    assert!(principal(&world, 2, None).await.tenant == there.tenant());
    assert!(memberships::is_sole(&mut there.read().await.unwrap(), ada).await.unwrap());
    assert!(remove(&world, &there, ada).await.unwrap());
    assert!(world.store.find_person("ada").await.unwrap().is_none());
    assert!(world.store.sessions_of(ada, now).await.unwrap().is_empty());
    person(&world, &here, "ada", "viewer").await;
}

#[tokio::test]
async fn a_tenant_changes_nothing_of_somebody_who_is_no_member() {
    let Some(world) = world().await else { return };
    let (here, there) = (world.scope(), tenant(&world, "there", None).await);
    let ada = person(&world, &here, "ada", "viewer").await;
    assert!(matches!(set(&world, &there, ada, Some("admin"), None).await, Err(StoreError::NotFound)));
    assert!(matches!(remove(&world, &there, ada).await, Err(StoreError::NotFound)));
    assert!(people::user(&mut there.read().await.unwrap(), ada).await.unwrap().is_none());
    assert!(memberships::names(&mut there.read().await.unwrap()).await.unwrap().is_empty());
    let now = world.clock.now();
    let mut tx = there.begin().await.unwrap();
    assert!(matches!(
        people::set_password(&mut tx, ada, "x", people::Keep::default(), now).await,
        Err(StoreError::NotFound)
    ));
    assert!(matches!(people::set_person_disabled(&mut tx, ada, Some(now)).await, Err(StoreError::NotFound)));
    let known = User::new(fresh(&world), "ada", &RoleRef::parse("viewer"), now);
    let taken = people::create_user(&mut tx, &known, None).await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })), "a name is one person's in the installation");
    let unknown = RoleRef::Custom(fresh(&world));
    assert!(matches!(memberships::add(&mut tx, ada, &unknown, now).await, Err(StoreError::NotFound)));
}

#[tokio::test]
async fn a_new_password_ends_every_session_but_the_one_it_was_set_in() {
    let Some(world) = world().await else { return };
    let (here, there) = (world.scope(), tenant(&world, "there", None).await);
    let ada = person(&world, &here, "ada", "viewer").await;
    add(&world, &there, ada, "viewer").await;
    let kept = session(&world, &here, ada, 1).await;
    session(&world, &there, ada, 2).await;
    let now = world.clock.now();
    let mut tx = here.begin().await.unwrap();
    people::set_password(&mut tx, ada, "another", people::Keep { session: Some(kept), tokens: true }, now)
        .await
        .unwrap();
    tx.record("user.password_changed", &[&ada], ()).unwrap();
    tx.commit(now).await.unwrap();
    let left: Vec<_> = world.store.sessions_of(ada, now).await.unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!(left, [kept]);
    assert_eq!(sessions::list(&mut here.read().await.unwrap(), None, now).await.unwrap().len(), 1);
    assert_eq!(world.store.get_person(ada).await.unwrap().unwrap().password_hash.as_deref(), Some("another"));
}
