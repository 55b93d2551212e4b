//! Roles, keys and grants: nobody gives more than they have.

use std::time::Duration;

use shieldops_identity::{
    CredentialKind, IdentityError, Permission, Permissions, Rights,
    api_keys::{self, NewKey},
    authorise, create_token, duties,
    grants::{self, LONGEST_GRANT, NewGrant},
    people::{self, Change},
    roles::{self, NewRole},
    sessions,
};
use shieldops_model::{Environment, Timestamp, tenant::TenantSettings};
use shieldops_store::{StoreError, TenantScope, settings};

use crate::world::{At, HOME, PASSWORD, World, may, world};

fn role(name: &str, permissions: &[&str], environments: Option<Vec<Environment>>) -> NewRole {
    let permissions = permissions.iter().map(|name| (*name).to_owned()).collect();
    NewRole { name: name.to_owned(), permissions, environments }
}

fn key(permissions: &[&str]) -> NewKey {
    NewKey {
        name: "ci".to_owned(),
        permissions: permissions.iter().map(|name| (*name).to_owned()).collect(),
        routes: Vec::new(),
        addresses: Vec::new(),
        rate_per_s: None,
        expires_at: None,
    }
}

async fn boss(world: &World) -> At {
    world.person("boss", "admin").await;
    world.as_person("boss").await
}

/// Somebody who manages people and keys, and works on staging only.
async fn helpdesk(world: &World, boss: &At) -> At {
    let wanted = ["user.read", "user.write", "role.write", "key.write", "alert.read", "plan.approve"];
    let made =
        roles::create(&boss.scope, &boss.rights, role("helpdesk", &wanted, Some(vec![Environment::Staging]))).await;
    let made = made.unwrap();
    world.person("helga", &made.id.to_string()).await;
    world.as_person("helga").await
}

#[tokio::test]
async fn a_role_of_one_s_own_holds_from_the_next_request_on() {
    let world = world().await;
    let boss = boss(&world).await;
    let wanted = role("night shift", &["alert.read", "plan.approve"], Some(vec![Environment::Staging]));
    let made = roles::create(&boss.scope, &boss.rights, wanted).await.unwrap();
    world.person("eve", &made.id.to_string()).await;
    let signed_in = world.sign_in("eve", PASSWORD, HOME).await.unwrap();
    let eve = world.at(signed_in.secret.expose(), None).await;
    assert!(may(&eve, Permission::AlertRead) && !may(&eve, Permission::AlertWrite));
    let outside = authorise(&eve.rights, Permission::PlanApprove, Some(&[Environment::Production]));
    assert_eq!(
        (outside.allowed, outside.rule.as_str()),
        (false, "custom role night shift, environments staging: production is outside")
    );
    let narrower = role("night shift", &["alert.read"], None);
    roles::update(&boss.scope, &boss.rights, made.id, narrower, made.version).await.unwrap();
    assert!(!may(&world.at(signed_in.secret.expose(), None).await, Permission::PlanApprove));
    let in_use = roles::remove(&boss.scope, &boss.rights, made.id, made.version + 1).await;
    assert!(matches!(in_use, Err(IdentityError::Store(StoreError::InUseBy { .. }))));
    world.verified().await;
}

#[tokio::test]
async fn a_role_that_is_wider_odd_or_alike_is_refused() {
    let world = world().await;
    let boss = boss(&world).await;
    let helga = helpdesk(&world, &boss).await;
    let staging = Some(vec![Environment::Staging]);
    let everywhere = role("wide", &["plan.approve"], None);
    let more = role("more", &["alert.write"], staging.clone());
    for wanted in [everywhere, more] {
        let refused = roles::create(&helga.scope, &helga.rights, wanted).await;
        assert!(matches!(refused, Err(IdentityError::WiderThanOwn(_))));
    }
    assert!(roles::create(&helga.scope, &helga.rights, role("same", &["plan.approve"], staging)).await.is_ok());
    let make = async |wanted| roles::create(&boss.scope, &boss.rights, wanted).await;
    let of_installation = make(role("operators", &["tenant.write"], None)).await;
    assert!(matches!(of_installation, Err(IdentityError::WiderThanOwn(_))));
    // Roles do not nest: the name of a role is no permission.
    for odd in [&["admin"][..], &["same"], &["alert.fly"], &[]] {
        assert!(matches!(make(role("odd", odd, None)).await, Err(IdentityError::Invalid(_))), "{odd:?}");
    }
    for alike in ["ADMIN", "аdmin", "sаme", "adrnin"] {
        let refused = make(role(alike, &["alert.read"], None)).await;
        assert!(matches!(refused, Err(IdentityError::Confusable(_))), "{alike}");
    }
}

#[tokio::test]
async fn nobody_reaches_past_somebody_who_has_more() {
    let world = world().await;
    let boss = boss(&world).await;
    let helga = helpdesk(&world, &boss).await;
    let (chief, eve) = (boss.principal.user.unwrap(), world.person("eve", "viewer").await);
    let to = |role: &str| Change { role: Some(role.into()), ..Change::default() };
    for refused in [
        people::set_membership(&helga.scope, &helga.rights, helga.principal.user.unwrap(), to("admin")).await.err(),
        people::set_membership(&helga.scope, &helga.rights, chief, to("viewer")).await.err(),
        people::remove_membership(&helga.scope, &helga.rights, chief).await.err(),
        people::reset_link(&helga.scope, &helga.rights, &helga.principal, chief).await.err(),
        people::remove_factors(&helga.scope, &helga.rights, &helga.principal, chief).await.err(),
        people::invite(&helga.scope, &helga.rights, "mallory", "admin").await.err(),
        people::create(&helga.scope, &helga.rights, "mallory", "analyst", None).await.err(),
        // Narrow as a viewer is, it reads what she does not.
        people::set_membership(&helga.scope, &helga.rights, eve, to("viewer")).await.err(),
    ] {
        let refused = refused.unwrap();
        assert!(matches!(refused, IdentityError::WiderThanOwn(_)), "{refused}");
    }
}

#[tokio::test]
async fn permissions_that_are_held_apart_are_not_given_to_one_person() {
    let world = world().await;
    let boss = boss(&world).await;
    let eve = world.person("eve", "viewer").await;
    let pair = [["plan.create".to_owned(), "plan.approve".to_owned()]];
    let (old, _) = api_keys::create(&boss.scope, &boss.rights, key(&["plan.create", "plan.approve"])).await.unwrap();
    api_keys::create(&boss.scope, &boss.rights, key(&["plan.create"])).await.unwrap();
    let (gone, _) = api_keys::create(&boss.scope, &boss.rights, key(&["plan.create", "plan.approve"])).await.unwrap();
    api_keys::revoke(&boss.scope, &boss.rights, gone.id, None).await.unwrap();
    let mut reader = boss.scope.read().await.unwrap();
    let all = boss.rights.permissions();
    let held = duties::held_together(&mut reader, &pair, all, world.now()).await.unwrap();
    let chief = boss.principal.user.unwrap().to_string();
    assert_eq!(held.iter().map(|one| one.id.clone()).collect::<Vec<_>>(), [chief.clone(), old.id.to_string()]);
    assert!(held.iter().all(|one| one.pair == pair[0]));
    let people = Permissions::of(&[Permission::UserRead]);
    let held = duties::held_together(&mut reader, &pair, people, world.now()).await.unwrap();
    assert_eq!(held.into_iter().map(|one| one.id).collect::<Vec<_>>(), [chief], "keys are for who may read keys");
    assert!(duties::held_together(&mut reader, &[], all, world.now()).await.unwrap().is_empty());
    drop(reader);
    let mut tx = boss.scope.begin().await.unwrap();
    let wanted = TenantSettings { separation_of_duty: pair.to_vec(), ..TenantSettings::default() };
    settings::put(&mut tx, &wanted, None, world.now()).await.unwrap();
    tx.commit(world.now()).await.unwrap();
    let to_analyst = Change { role: Some("analyst".into()), ..Change::default() };
    for refused in [
        people::set_membership(&boss.scope, &boss.rights, eve, to_analyst).await.err(),
        people::invite(&boss.scope, &boss.rights, "bob", "operator").await.err(),
        roles::create(&boss.scope, &boss.rights, role("both", &["plan.create", "plan.approve"], None)).await.err(),
        api_keys::create(&boss.scope, &boss.rights, key(&["plan.create", "plan.approve"])).await.err(),
    ] {
        let refused = refused.unwrap();
        assert!(matches!(refused, IdentityError::SeparationOfDuty(..)), "{refused}");
    }
    assert!(roles::create(&boss.scope, &boss.rights, role("one", &["plan.create"], None)).await.is_ok());
}

#[tokio::test]
async fn a_key_rotates_without_downtime_and_ends_when_it_is_revoked() {
    let world = world().await;
    let boss = boss(&world).await;
    let (made, first) = api_keys::create(&boss.scope, &boss.rights, key(&["alert.read"])).await.unwrap();
    let rotated = api_keys::rotate(&boss.scope, &boss.rights, made.id, Duration::from_hours(1)).await.unwrap();
    let (_, second, until) = rotated;
    assert_eq!(until, world.now().plus(Duration::from_hours(1)));
    for secret in [&first, &second] {
        let machine = world.at(secret.expose(), None).await;
        assert!(may(&machine, Permission::AlertRead) && !may(&machine, Permission::AlertWrite));
        assert_eq!(authorise(&machine.rights, Permission::AlertRead, None).rule, "key ci");
    }
    world.clock.advance(Duration::from_hours(1));
    assert!(world.authenticate(first.expose()).await.is_none());
    assert!(world.authenticate(second.expose()).await.is_some());
    api_keys::revoke(&boss.scope, &boss.rights, made.id, None).await.unwrap();
    assert!(world.authenticate(second.expose()).await.is_none());
    let revived = api_keys::rotate(&boss.scope, &boss.rights, made.id, Duration::ZERO).await;
    assert!(matches!(revived, Err(IdentityError::Conflict(_))));
    world.verified().await;
}

#[tokio::test]
async fn a_key_is_never_wider_than_its_maker_and_expires() {
    let world = world().await;
    let boss = boss(&world).await;
    let helga = helpdesk(&world, &boss).await;
    for wider in [&["alert.write"][..], &["plan.approve"], &["tenant.read"]] {
        let refused = api_keys::create(&helga.scope, &helga.rights, key(wider)).await;
        assert!(matches!(refused, Err(IdentityError::WiderThanOwn(_))), "{wider:?}");
    }
    let (wide, _) = api_keys::create(&boss.scope, &boss.rights, key(&["alert.write"])).await.unwrap();
    let taken_over = api_keys::rotate(&helga.scope, &helga.rights, wide.id, Duration::ZERO).await;
    assert!(matches!(taken_over, Err(IdentityError::WiderThanOwn(_))));
    let until = world.now().plus(Duration::from_mins(1));
    let short = NewKey { expires_at: Some(until), ..key(&["alert.read"]) };
    let (_, secret) = api_keys::create(&boss.scope, &boss.rights, short).await.unwrap();
    assert!(world.authenticate(secret.expose()).await.is_some());
    world.clock.advance(Duration::from_mins(1));
    assert!(world.authenticate(secret.expose()).await.is_none());
    for odd in [
        NewKey { rate_per_s: Some(0), ..key(&["alert.read"]) },
        NewKey { expires_at: Some(Timestamp::from_secs(0)), ..key(&["alert.read"]) },
        NewKey { routes: vec!["GET".into()], ..key(&["alert.read"]) },
        NewKey { addresses: vec!["10.0.0.0/33".into()], ..key(&["alert.read"]) },
        key(&[]),
    ] {
        let refused = api_keys::create(&boss.scope, &boss.rights, odd).await;
        assert!(matches!(refused, Err(IdentityError::Invalid(_))));
    }
}

#[tokio::test]
async fn a_parent_comes_in_by_a_grant_until_its_day_and_gives_none() {
    let world = world().await;
    let parent = world.store.first().await.unwrap();
    let child = world.tenant("child", Some(parent.id)).await;
    world.person_of(child.id, "owner", "admin").await;
    world.person("msp", "admin").await;
    let owner = world.as_person("owner").await;
    let wanted = |role: &str, days: u64| NewGrant {
        role: role.into(),
        reason: "on call".into(),
        expires_at: world.now().plus(Duration::from_hours(24 * days)),
    };
    let msp = world.sign_in("msp", PASSWORD, HOME).await.unwrap();
    let give = async |at: &At, wanted| grants::create(&at.scope, &at.rights, &at.principal, wanted).await;
    assert!(matches!(give(&owner, wanted("admin", 91)).await, Err(IdentityError::Invalid(_))));
    let grant = give(&owner, wanted("admin", 1)).await.unwrap();
    let there = world.at(msp.secret.expose(), Some("child")).await;
    assert_eq!(authorise(&there.rights, Permission::AlertWrite, None).rule, format!("grant {} as admin", grant.id));
    assert!(!may(&there, Permission::GrantWrite));
    assert!(
        matches!(give(&there, wanted("viewer", 1)).await, Err(IdentityError::WiderThanOwn(_))),
        "no chain of grants"
    );
    world.clock.advance(Duration::from_hours(24));
    let fresh = world.sign_in("msp", PASSWORD, HOME).await.unwrap();
    let over = shieldops_identity::sessions::authenticate(&world.store, fresh.secret.expose(), Some("child")).await;
    assert!(matches!(over, Err(IdentityError::Store(StoreError::NotFound))));
    assert!(LONGEST_GRANT > Duration::from_hours(24));
    world.verified().await;
}

#[tokio::test]
async fn what_is_made_through_a_grant_ends_with_it() {
    let world = world().await;
    let parent = world.store.first().await.unwrap();
    let child = world.tenant("child", Some(parent.id)).await;
    world.person_of(child.id, "owner", "admin").await;
    world.person("msp", "admin").await;
    let owner = world.as_person("owner").await;
    let msp = world.sign_in("msp", PASSWORD, HOME).await.unwrap();
    let until = world.now().plus(Duration::from_hours(8));
    let given = async || {
        let wanted = NewGrant { role: "admin".into(), reason: "on call".into(), expires_at: until };
        grants::create(&owner.scope, &owner.rights, &owner.principal, wanted).await.unwrap()
    };
    let holds = async |secret: &str| sessions::authenticate(&world.store, secret, None).await.unwrap().is_some();
    let token =
        async |scope: &TenantScope| create_token(scope, CredentialKind::Ingest, "web", None, None, None).await.unwrap();
    let (own, _) = token(&owner.scope).await;
    assert_eq!(own.expires_at, None);
    let grant = given().await;
    let there = world.at(msp.secret.expose(), Some("child")).await;
    let (key_made, key_secret) =
        api_keys::create(&there.scope, &there.rights, key(&["key.write", "alert.read"])).await.unwrap();
    let (token_made, token_secret) = token(&there.scope).await;
    assert_eq!((key_made.expires_at, token_made.expires_at), (Some(until), Some(until)));
    // What such a key makes ends with the grant as well.
    let by_key = world.at(key_secret.expose(), None).await;
    let (_, second) =
        api_keys::create(&by_key.scope, &by_key.rights, NewKey { expires_at: Some(until), ..key(&["alert.read"]) })
            .await
            .unwrap();
    for secret in [&key_secret, &token_secret, &second] {
        assert!(holds(secret.expose()).await);
    }
    grants::revoke(&owner.scope, grant.id).await.unwrap();
    for secret in [&key_secret, &token_secret, &second] {
        assert!(!holds(secret.expose()).await);
    }
    given().await;
    let again = world.at(msp.secret.expose(), Some("child")).await;
    let (_, late) = token(&again.scope).await;
    world.clock.advance(Duration::from_hours(8));
    assert!(!holds(late.expose()).await);
    world.verified().await;
}

#[tokio::test]
async fn a_grant_is_no_wider_than_the_granter_and_goes_to_the_parent_only() {
    let world = world().await;
    let boss = boss(&world).await;
    let wanted =
        NewGrant { role: "admin".into(), reason: "help".into(), expires_at: world.now().plus(Duration::from_hours(1)) };
    let without_parent = grants::create(&boss.scope, &boss.rights, &boss.principal, wanted.clone()).await;
    assert!(matches!(without_parent, Err(IdentityError::Conflict(_))));
    let parent = world.store.first().await.unwrap();
    let child = world.tenant("child", Some(parent.id)).await;
    world.person_of(child.id, "owner", "admin").await;
    let owner = world.as_person("owner").await;
    let narrow = Rights::built_in("auditor");
    let refused = grants::create(&owner.scope, &narrow, &owner.principal, wanted).await;
    assert!(matches!(refused, Err(IdentityError::WiderThanOwn(_))));
}

#[tokio::test]
async fn nobody_ends_a_key_or_a_role_that_is_wider_than_their_own() {
    let world = world().await;
    let boss = boss(&world).await;
    let helga = helpdesk(&world, &boss).await;
    let wider = |outcome: Result<(), IdentityError>| assert!(matches!(outcome, Err(IdentityError::WiderThanOwn(_))));
    let (wide, _) = api_keys::create(&boss.scope, &boss.rights, key(&["alert.read", "ledger.read"])).await.unwrap();
    let (narrow, _) = api_keys::create(&boss.scope, &boss.rights, key(&["alert.read"])).await.unwrap();
    wider(api_keys::revoke(&helga.scope, &helga.rights, wide.id, None).await);
    api_keys::revoke(&helga.scope, &helga.rights, narrow.id, None).await.unwrap();
    let made = async |name: &str, holds: &[&str]| {
        roles::create(&boss.scope, &boss.rights, role(name, holds, None)).await.unwrap()
    };
    let (wide, narrow) = (made("wide", &["ledger.read"]).await, made("narrow", &["alert.read"]).await);
    wider(roles::remove(&helga.scope, &helga.rights, wide.id, wide.version).await);
    roles::remove(&helga.scope, &helga.rights, narrow.id, narrow.version).await.unwrap();
}

#[tokio::test]
async fn a_key_gives_no_key_that_reaches_farther_than_itself() {
    let world = world().await;
    let boss = boss(&world).await;
    let until = world.now().plus(Duration::from_hours(1));
    let narrow = |end: Timestamp| NewKey {
        routes: vec!["* /api/v1/keys/**".to_owned()],
        addresses: vec!["10.0.0.0/8".to_owned()],
        rate_per_s: Some(5),
        expires_at: Some(end),
        ..key(&["key.write", "alert.read"])
    };
    let (free, _) = api_keys::create(&boss.scope, &boss.rights, key(&["alert.read"])).await.unwrap();
    let (made, secret) = api_keys::create(&boss.scope, &boss.rights, narrow(until)).await.unwrap();
    let held = world.at(secret.expose(), None).await;
    let wider = [
        NewKey { routes: Vec::new(), ..narrow(until) },
        NewKey { addresses: vec!["10.0.0.0/7".to_owned()], ..narrow(until) },
        NewKey { rate_per_s: None, ..narrow(until) },
        NewKey { expires_at: None, ..narrow(until) },
        narrow(until.plus(Duration::from_secs(1))),
    ];
    for wanted in wider {
        let refused = api_keys::create(&held.scope, &held.rights, wanted.clone()).await;
        assert!(matches!(refused, Err(IdentityError::WiderThanOwn(_))), "{wanted:?}");
        let refused = api_keys::update(&held.scope, &held.rights, made.id, wanted.clone(), made.version).await;
        assert!(matches!(refused, Err(IdentityError::WiderThanOwn(_))), "{wanted:?}");
    }
    let rotated = api_keys::rotate(&held.scope, &held.rights, free.id, Duration::ZERO).await;
    assert!(matches!(rotated, Err(IdentityError::WiderThanOwn(_))), "a new secret of one that reaches farther");
    assert!(api_keys::create(&held.scope, &held.rights, narrow(until)).await.is_ok());
    assert!(api_keys::rotate(&held.scope, &held.rights, made.id, Duration::ZERO).await.is_ok());
}
