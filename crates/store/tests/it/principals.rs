//! Whom a credential stands for, in which tenant, as what.

use std::time::Duration;

use shieldops_model::{Clock as _, GrantId, TenantChange, TenantState, Timestamp, UserId};
use shieldops_store::{
    Authenticated, Principal, PrincipalKind, RoleRef, TenantScope,
    api_keys::{self, ApiKey},
    grants::{self, Grant},
    memberships,
    people::{self, NewCredential, Token},
    sessions, tokens,
};

use crate::{
    support::{World, world},
    tenancy::{change, fresh, installation, person, session, session_of, tenant},
};

pub(crate) async fn ask(world: &World, hash: u8, wanted: Option<&str>) -> Authenticated {
    world.store.authenticate(&[hash; 32], wanted, world.clock.now()).await.unwrap()
}

pub(crate) async fn principal(world: &World, hash: u8, wanted: Option<&str>) -> Principal {
    ask(world, hash, wanted).await.principal().unwrap()
}

/// In a few characters: what the credential comes to there.
async fn outcome(world: &World, hash: u8, wanted: Option<&str>) -> String {
    match ask(world, hash, wanted).await {
        Authenticated::Refused => "refused".into(),
        Authenticated::NoSuchTenant => "no such tenant".into(),
        Authenticated::As(found) => {
            let grant = if found.via_grant.is_some() { " by grant" } else { "" };
            format!("{} {} in {}{grant}", found.kind.as_str(), found.role, found.tenant_slug)
        }
    }
}

pub(crate) async fn token(world: &World, scope: &TenantScope, kind: &str, user: Option<UserId>, hash: u8) {
    let row = Token {
        id: fresh(world),
        kind: kind.into(),
        name: format!("{kind} token"),
        user_id: user,
        source: Some("sshd".into()),
        created_at: world.clock.now(),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    let mut tx = scope.begin().await.unwrap();
    let credential = NewCredential { hash: [hash; 32], user, ..NewCredential::default() };
    people::create_token(&mut tx, &row, &credential).await.unwrap();
    tx.record("token.created", &[&row.id], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();
}

pub(crate) fn key(world: &World, expires_at: Option<Timestamp>) -> ApiKey {
    ApiKey {
        id: fresh(world),
        name: "ci".into(),
        permissions: vec!["alert.read".into()],
        routes: vec!["GET /api/v1/alerts".into()],
        addresses: vec!["192.0.2.0/24".into()],
        rate_per_s: Some(5),
        created_by: "usr_x".into(),
        created_at: world.clock.now(),
        expires_at,
        revoked_at: None,
        last_used_at: None,
        secrets: 0,
        version: 1,
    }
}

pub(crate) async fn make_key(world: &World, scope: &TenantScope, expires_at: Option<Timestamp>, hash: u8) -> ApiKey {
    let key = key(world, expires_at);
    let mut tx = scope.begin().await.unwrap();
    api_keys::create(&mut tx, &key, [hash; 32]).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    key
}

pub(crate) async fn grant(world: &World, child: &TenantScope, parent: &TenantScope, role: &str) -> GrantId {
    let now = world.clock.now();
    let grant = Grant {
        id: fresh(world),
        tenant: child.tenant(),
        grantee: parent.tenant(),
        role: RoleRef::parse(role),
        reason: "monthly review".into(),
        granted_by: "usr_x".into(),
        created_at: now,
        expires_at: now.plus(Duration::from_hours(1)),
        revoked_at: None,
    };
    let mut tx = child.begin().await.unwrap();
    grants::create(&mut tx, &grant).await.unwrap();
    tx.commit(now).await.unwrap();
    world.store.deliver_notices(now).await.unwrap();
    grant.id
}

/// Ada is an analyst in `main` and an administrator of `mssp`; `child` is the parent's, `stray` is nobody's. Credential 1 is
/// her session and 2 her token, both made in `main`; 3 is an ingest token and 4 a key of `main`.
struct Matrix {
    ada: UserId,
    mssp: TenantScope,
    child: TenantScope,
}

async fn matrix(world: &World) -> Matrix {
    let mssp = tenant(world, "mssp", None).await;
    let child = tenant(world, "child", Some(mssp.tenant())).await;
    tenant(world, "stray", None).await;
    let ada = person(world, &world.scope(), "ada", "analyst").await;
    let mut tx = mssp.begin().await.unwrap();
    memberships::add(&mut tx, ada, &RoleRef::parse("admin"), world.clock.now()).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    session(world, &world.scope(), ada, 1).await;
    token(world, &world.scope(), "personal", Some(ada), 2).await;
    token(world, &world.scope(), "ingest", None, 3).await;
    make_key(world, &world.scope(), None, 4).await;
    Matrix { ada, mssp, child }
}

#[tokio::test]
async fn a_request_may_name_a_tenant_of_the_person_and_no_other() {
    let Some(world) = world().await else { return };
    let Matrix { child, mssp, .. } = matrix(&world).await;
    for (hash, kind) in [(1, "session"), (2, "personal")] {
        assert_eq!(outcome(&world, hash, None).await, format!("{kind} analyst in main"));
        assert_eq!(outcome(&world, hash, Some("mssp")).await, format!("{kind} admin in mssp"));
        for foreign in ["child", "stray", "unknown", "", "MAIN", "x' OR 1=1 --"] {
            assert_eq!(outcome(&world, hash, Some(foreign)).await, "no such tenant", "{foreign}");
        }
    }
    for (hash, kind) in [(3, "ingest"), (4, "key")] {
        for wanted in [None, Some("main")] {
            assert_eq!(outcome(&world, hash, wanted).await, format!("{kind} {kind} in main"));
        }
        assert_eq!(outcome(&world, hash, Some("mssp")).await, "no such tenant", "a machine belongs to one tenant");
    }
    grant(&world, &child, &mssp, "auditor").await;
    for (hash, kind) in [(1, "session"), (2, "personal")] {
        assert_eq!(outcome(&world, hash, Some("child")).await, format!("{kind} auditor in child by grant"));
    }
    assert_eq!(outcome(&world, 4, Some("child")).await, "no such tenant");
    assert_eq!(outcome(&world, 9, Some("main")).await, "refused", "an unknown credential learns nothing of tenants");
}

#[tokio::test]
async fn a_grant_ends_with_its_time_its_revocation_and_the_rights_in_the_parent() {
    let Some(world) = world().await else { return };
    let Matrix { ada, child, mssp } = matrix(&world).await;
    let first = grant(&world, &child, &mssp, "auditor").await;
    let id = principal(&world, 1, Some("child")).await.via_grant;
    assert_eq!(id, Some(first));
    let mut tx = mssp.begin().await.unwrap();
    grants::revoke(&mut tx, first, world.clock.now()).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    assert_eq!(outcome(&world, 1, Some("child")).await, "no such tenant");
    grant(&world, &child, &mssp, "viewer").await;
    assert_eq!(outcome(&world, 1, Some("child")).await, "session viewer in child by grant");
    for (role, seen) in [("viewer", "no such tenant"), ("operator", "session viewer in child by grant")] {
        // Only an administrator who stays may step down.
        let mut tx = mssp.begin().await.unwrap();
        let set = memberships::set(&mut tx, ada, Some(&RoleRef::parse(role)), None, None, world.clock.now()).await;
        if set.is_err() {
            drop(tx);
            person(&world, &mssp, "boss", "admin").await;
            let mut tx = mssp.begin().await.unwrap();
            memberships::set(&mut tx, ada, Some(&RoleRef::parse(role)), None, None, world.clock.now()).await.unwrap();
            tx.commit(world.clock.now()).await.unwrap();
        } else {
            tx.commit(world.clock.now()).await.unwrap();
        }
        assert_eq!(outcome(&world, 1, Some("child")).await, seen, "as {role} of the parent");
    }
    world.clock.advance(Duration::from_hours(1));
    assert_eq!(outcome(&world, 1, Some("child")).await, "no such tenant");
}

#[tokio::test]
async fn a_parent_that_is_not_active_gets_in_nowhere_and_a_membership_wins_over_a_grant() {
    let Some(world) = world().await else { return };
    let Matrix { ada, child, mssp } = matrix(&world).await;
    grant(&world, &child, &mssp, "auditor").await;
    change(&world, mssp.tenant(), TenantChange::Suspend).await.unwrap();
    assert_eq!(outcome(&world, 1, Some("child")).await, "no such tenant");
    change(&world, mssp.tenant(), TenantChange::Resume).await.unwrap();
    let mut tx = child.begin().await.unwrap();
    memberships::add(&mut tx, ada, &RoleRef::parse("viewer"), world.clock.now()).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    assert_eq!(outcome(&world, 1, Some("child")).await, "session viewer in child");
    let of_ada = world.store.memberships_of(ada, world.clock.now()).await.unwrap();
    let mut slugs: Vec<_> = of_ada.iter().map(|one| (one.tenant.slug.as_str(), one.via_grant.is_some())).collect();
    slugs.sort_unstable();
    assert_eq!(slugs, [("child", false), ("main", false), ("mssp", false)]);
}

#[tokio::test]
async fn a_grant_that_was_made_at_the_moment_the_parent_changed_lets_nobody_in() {
    let Some(world) = world().await else { return };
    let Matrix { ada, child, mssp } = matrix(&world).await;
    grant(&world, &child, &mssp, "auditor").await;
    // As a change of parent leaves it that did not see the grant yet.
    world.sql("UPDATE tenants SET parent=NULL WHERE slug='child'").await;
    assert_eq!(outcome(&world, 1, Some("child")).await, "no such tenant");
    let of_ada = world.store.memberships_of(ada, world.clock.now()).await.unwrap();
    assert!(of_ada.iter().all(|one| one.tenant.slug != "child"));
}

#[tokio::test]
async fn a_token_from_elsewhere_is_no_way_around_a_second_factor() {
    let Some(world) = world().await else { return };
    matrix(&world).await;
    world.sql("UPDATE tenants SET second_factor=1").await;
    for (hash, wanted, due) in [
        (1, None, true),
        (1, Some("mssp"), true),
        (2, None, false),
        (2, Some("mssp"), true),
        (3, None, false),
        (4, None, false),
    ] {
        assert_eq!(principal(&world, hash, wanted).await.second_factor_due, due, "{hash} in {wanted:?}");
    }
}

#[tokio::test]
async fn the_state_of_the_tenant_is_on_the_principal_whatever_its_kind_and_a_deleted_one_is_none() {
    let Some(world) = world().await else { return };
    matrix(&world).await;
    for (step, state) in [
        (TenantChange::Suspend, TenantState::Suspended),
        (TenantChange::Lock, TenantState::Locked),
        (TenantChange::ScheduleDeletion, TenantState::Deleting),
    ] {
        change(&world, world.tenant, step).await.unwrap();
        for hash in 1..=4 {
            assert_eq!(principal(&world, hash, None).await.tenant_state, state);
        }
    }
    world.sql("UPDATE tenants SET state='deleted' WHERE slug='main'").await;
    for hash in 1..=4 {
        assert_eq!(outcome(&world, hash, None).await, "refused");
        assert_eq!(outcome(&world, hash, Some("main")).await, "no such tenant");
    }
    assert_eq!(outcome(&world, 1, Some("mssp")).await, "session admin in mssp", "the person works elsewhere");
}

#[tokio::test]
async fn a_key_carries_what_it_may_do_and_ends_with_its_time() {
    let Some(world) = world().await else { return };
    let until = world.clock.now().plus(Duration::from_mins(1));
    let made = make_key(&world, &world.scope(), Some(until), 7).await;
    let found = principal(&world, 7, None).await;
    let facts = found.key.as_ref().unwrap();
    assert_eq!((facts.id, &facts.permissions, facts.rate_per_s), (made.id, &made.permissions, Some(5)));
    assert_eq!((&facts.routes, &facts.addresses), (&made.routes, &made.addresses));
    assert_eq!((found.kind, found.user, found.subject()), (PrincipalKind::Key, None, made.id.to_bytes()));
    assert_eq!((found.actor().id, found.actor().name), (made.id.to_string(), "ci".to_owned()));
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(outcome(&world, 7, None).await, "refused");
}

#[tokio::test]
async fn an_ingest_token_names_itself_and_its_source_without_a_read_of_its_row() {
    let Some(world) = world().await else { return };
    token(&world, &world.scope(), "ingest", None, 3).await;
    let found = principal(&world, 3, None).await;
    assert_eq!((found.user_name.as_str(), found.source.as_deref()), ("ingest token", Some("sshd")));
    assert!(found.token.is_some() && found.session.is_none() && !found.operator);
}

#[tokio::test]
async fn an_idle_session_ends_and_use_keeps_it_open() {
    let Some(world) = world().await else { return };
    let ada = person(&world, &world.scope(), "ada", "viewer").await;
    let idle = Some(Duration::from_mins(10));
    let credential = NewCredential { hash: [1; 32], user: Some(ada), idle, ..NewCredential::default() };
    session_of(&world, &world.scope(), credential).await;
    for _ in 0..3 {
        world.clock.advance(Duration::from_mins(9));
        let found = principal(&world, 1, None).await;
        world.store.used(&[1; 32], &found, world.clock.now()).await.unwrap();
    }
    assert_eq!(
        sessions::list(&mut world.scope().read().await.unwrap(), None, world.clock.now()).await.unwrap().len(),
        1
    );
    world.clock.advance(Duration::from_mins(10));
    assert_eq!(outcome(&world, 1, None).await, "refused");
    assert!(world.store.sessions_of(ada, world.clock.now()).await.unwrap().is_empty());
}

#[tokio::test]
async fn use_is_noted_at_most_once_a_minute() {
    let Some(world) = world().await else { return };
    let ada = person(&world, &world.scope(), "ada", "viewer").await;
    session(&world, &world.scope(), ada, 1).await;
    let start = world.clock.now();
    let found = principal(&world, 1, None).await;
    assert!(found.use_due);
    world.store.used(&[1; 32], &found, start).await.unwrap();
    world.clock.advance(Duration::from_mins(1));
    assert!(!principal(&world, 1, None).await.use_due);
    // What is remembered of a credential is looked at again after ten seconds at the latest.
    world.clock.advance(Duration::from_secs(11));
    assert!(principal(&world, 1, None).await.use_due);
    let of_ada = world.store.memberships_of(ada, world.clock.now()).await.unwrap();
    assert_eq!(of_ada[0].last_used_at, Some(start));
}

#[tokio::test]
async fn an_operator_is_known_as_one_and_the_last_one_stays() {
    let Some(world) = world().await else { return };
    let ada = person(&world, &world.scope(), "ada", "viewer").await;
    session(&world, &world.scope(), ada, 1).await;
    assert!(world.store.installation_scope(&principal(&world, 1, None).await).is_err());
    let mut tx = installation(&world).begin().await.unwrap();
    people::set_operator(&mut tx, ada, true, world.clock.now()).await.unwrap();
    tx.record("operator.added", &[&ada], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    let found = principal(&world, 1, None).await;
    assert!(found.operator && world.store.installation_scope(&found).is_ok());
    assert!(world.store.get_person(ada).await.unwrap().unwrap().operator);
    let mut tx = installation(&world).begin().await.unwrap();
    let last = people::set_operator(&mut tx, ada, false, world.clock.now()).await;
    assert!(matches!(last, Err(shieldops_store::StoreError::LastAdministrator)));
    drop(tx);
    let mut tx = world.scope().begin().await.unwrap();
    assert!(people::set_operator(&mut tx, ada, true, world.clock.now()).await.is_err(), "a tenant makes no operators");
}

#[tokio::test]
async fn sessions_are_listed_and_end_one_by_one_and_all_at_once() {
    let Some(world) = world().await else { return };
    let Matrix { ada, mssp, .. } = matrix(&world).await;
    let (here, there) = (session(&world, &world.scope(), ada, 11).await, session(&world, &mssp, ada, 12).await);
    let now = world.clock.now();
    assert_eq!(sessions::list(&mut mssp.read().await.unwrap(), Some(ada), now).await.unwrap().len(), 1);
    assert_eq!(world.store.sessions_of(ada, now).await.unwrap().len(), 3);
    let mut tx = world.scope().begin().await.unwrap();
    let foreign = people::revoke_session(&mut tx, there, now).await;
    assert!(matches!(foreign, Err(shieldops_store::StoreError::NotFound)), "opened in another tenant");
    sessions::revoke_own(&mut tx, ada, there, now).await.unwrap();
    assert_eq!(sessions::end_all(&mut tx, ada, Some(here), now).await.unwrap(), 1);
    tx.record("session.closed", &[&there], ()).unwrap();
    tx.commit(now).await.unwrap();
    let left: Vec<_> = world.store.sessions_of(ada, now).await.unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!(left, [here]);
    assert_eq!(tokens::of_user(&mut world.scope().read().await.unwrap(), ada).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_tenant_s_people_and_all_others_are_known_by_where_they_work() {
    let Some(world) = world().await else { return };
    let (first, second) = (world.scope(), tenant(&world, "second", None).await);
    let now = world.clock.now();
    for (scope, name, hash, addr) in [(&first, "eve", 21, "192.0.2.1"), (&second, "dan", 22, "198.51.100.1")] {
        let user = Some(person(&world, scope, name, "viewer").await);
        let client_addr = Some(addr.to_owned());
        let expires_at = Some(now.plus(Duration::from_hours(12)));
        let credential = NewCredential { hash: [hash; 32], user, expires_at, client_addr, ..NewCredential::default() };
        session_of(&world, scope, credential).await;
    }
    let store = &world.store;
    assert_eq!(store.addresses_in_use(first.tenant(), now, now).await.unwrap(), ["192.0.2.1"]);
    assert_eq!(store.addresses_of_others(first.tenant(), now, now).await.unwrap(), ["198.51.100.1"]);
    assert_eq!(store.addresses_of_others(second.tenant(), now, now).await.unwrap(), ["192.0.2.1"]);
    let later = now.plus(Duration::from_hours(13));
    assert!(store.addresses_of_others(first.tenant(), now, later).await.unwrap().is_empty(), "it is over");
}

#[tokio::test]
async fn a_person_who_is_disabled_everywhere_is_refused_at_once_and_let_in_again_at_once() {
    let Some(world) = world().await else { return };
    let ada = person(&world, &world.scope(), "ada", "viewer").await;
    session(&world, &world.scope(), ada, 1).await;
    assert_eq!(principal(&world, 1, None).await.user, Some(ada));
    for disabled_at in [Some(world.clock.now()), None] {
        let mut tx = installation(&world).begin().await.unwrap();
        people::set_person_disabled(&mut tx, ada, disabled_at).await.unwrap();
        tx.record("user.disabled", &[&ada], ()).unwrap();
        tx.commit(world.clock.now()).await.unwrap();
        assert_eq!(outcome(&world, 1, None).await == "refused", disabled_at.is_some());
    }
}
