//! Signing in with a password, sessions and tokens.

use std::{sync::Arc, time::Duration};

use shieldops_identity::{
    CredentialKind, IdentityError, Rights, create_token, decide, people,
    sessions::{self, list, revoke},
};
use shieldops_model::tenant::{TenantChange, TenantSettings};
use shieldops_store::{Job, RoleRef, StoreError, memberships, settings, tenants};

use crate::world::{HOME, PASSWORD, World, from, world};

#[tokio::test]
async fn a_user_signs_in_works_and_signs_out() {
    let world = world().await;
    let user = world.person("ada", "analyst").await;
    let signed_in = world.sign_in("ada", PASSWORD, HOME).await.unwrap();
    assert_eq!(signed_in.expires_at, world.now().plus(Duration::from_hours(12)));
    let at = world.at(signed_in.secret.expose(), None).await;
    assert_eq!((at.principal.user, at.principal.role.name()), (Some(user), Some("analyst")));
    sessions::sign_out(&at.scope, &at.principal).await.unwrap();
    assert!(world.authenticate(signed_in.secret.expose()).await.is_none());
    // Also while at work in another tenant than the one it was opened in.
    let signed_in = world.sign_in("ada", PASSWORD, HOME).await.unwrap();
    let beta = world.tenant("beta", None).await;
    let mut tx = world.store.job(beta.id, Job::Cli).unwrap().begin().await.unwrap();
    memberships::add(&mut tx, user, &RoleRef::parse("viewer"), world.now()).await.unwrap();
    tx.commit(world.now()).await.unwrap();
    let at = world.at(signed_in.secret.expose(), Some("beta")).await;
    sessions::sign_out(&at.scope, &at.principal).await.unwrap();
    assert!(world.authenticate(signed_in.secret.expose()).await.is_none());
    world.verified().await;
}

#[tokio::test]
async fn a_wrong_password_an_unknown_name_and_a_disabled_user_get_the_same_answer() {
    let world = world().await;
    world.person("ada", "viewer").await;
    world.person("boss", "admin").await;
    people::create(&world.scope().await, &Rights::of_host(), "nopassword", "viewer", None).await.unwrap();
    let gone = world.person("gone", "viewer").await;
    let mut tx = world.scope().await.begin().await.unwrap();
    memberships::set(&mut tx, gone, None, Some(true), None, world.now()).await.unwrap();
    tx.commit(world.now()).await.unwrap();
    for (name, password) in [
        ("ada", "wrong horse battery"),
        ("nobody", PASSWORD),
        ("gone", PASSWORD),
        ("nopassword", ""),
        ("no such name!", PASSWORD),
        ("аda", PASSWORD),
    ] {
        let refused = world.sign_in(name, password, HOME).await.err().unwrap();
        assert!(matches!(refused, IdentityError::WrongCredentials), "{name}: {refused}");
    }
}

#[tokio::test]
async fn an_address_is_one_name_however_it_is_written() {
    let world = world().await;
    world.person("Ada@Example.org", "viewer").await;
    assert!(world.sign_in("ADA@example.ORG", PASSWORD, HOME).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_side_by_side_do_not_get_past_the_wait() {
    let world = Arc::new(world().await);
    world.person("ada", "viewer").await;
    let tries: Vec<_> = (0..20)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::task::spawn(async move { world.sign_in("ada", "wrong horse battery", HOME).await.err().unwrap() })
        })
        .collect();
    let mut verified = 0;
    for one in tries {
        match one.await.unwrap() {
            IdentityError::WrongCredentials => verified += 1,
            other => assert!(matches!(other, IdentityError::Wait(_)), "{other}"),
        }
    }
    assert_eq!(verified, 5);
    // From another address the right password still opens.
    assert!(world.sign_in("ada", PASSWORD, "198.51.100.7").await.is_ok());
    assert!(matches!(world.sign_in("ada", PASSWORD, HOME).await, Err(IdentityError::Wait(_))));
    world.clock.advance(Duration::from_secs(2));
    assert!(world.sign_in("ada", PASSWORD, HOME).await.is_ok());
}

#[tokio::test]
async fn a_session_is_seen_and_ended_by_its_person_and_by_who_may() {
    let world = world().await;
    world.person("ada", "viewer").await;
    world.person("boss", "admin").await;
    let (other, boss) = (world.sign_in("ada", PASSWORD, "198.51.100.7").await.unwrap(), world.as_person("boss").await);
    let ada = world.as_person("ada").await;
    let own = list(&ada.scope, &ada.principal, false).await.unwrap();
    assert_eq!(own.len(), 2);
    assert!(own.iter().all(|session| session.user_agent.as_deref() == Some("Test/1.0")));
    let of_boss = boss.principal.session.unwrap();
    let refused = revoke(&ada.scope, &ada.rights, &ada.principal, of_boss).await;
    assert!(matches!(refused, Err(IdentityError::Denied(_))));
    revoke(&ada.scope, &ada.rights, &ada.principal, other.session).await.unwrap();
    assert!(world.authenticate(other.secret.expose()).await.is_none());
    revoke(&boss.scope, &boss.rights, &boss.principal, ada.principal.session.unwrap()).await.unwrap();
    assert_eq!(list(&boss.scope, &boss.principal, true).await.unwrap().len(), 1);
    world.verified().await;
}

async fn set(world: &World, wanted: TenantSettings) {
    let mut tx = world.scope().await.begin().await.unwrap();
    settings::put(&mut tx, &wanted, None, world.now()).await.unwrap();
    tx.commit(world.now()).await.unwrap();
}

#[tokio::test]
async fn a_session_ends_when_it_idles_for_as_long_as_the_tenant_says() {
    let world = world().await;
    world.person("ada", "viewer").await;
    set(&world, TenantSettings { session_idle_minutes: Some(10), session_hours: Some(2), ..Default::default() }).await;
    let signed_in = world.sign_in("ada", PASSWORD, HOME).await.unwrap();
    assert_eq!(signed_in.expires_at, world.now().plus(Duration::from_hours(2)));
    for _ in 0..3 {
        world.clock.advance(Duration::from_mins(9));
        assert!(world.authenticate(signed_in.secret.expose()).await.is_some(), "in use");
    }
    // To look whether it still holds, as an open socket does, is no use of it.
    world.clock.advance(Duration::from_mins(9));
    assert!(sessions::look_up(&world.store, signed_in.secret.expose(), None).await.unwrap().is_some());
    world.clock.advance(Duration::from_mins(2));
    assert!(world.authenticate(signed_in.secret.expose()).await.is_none());
}

#[tokio::test]
async fn one_confirms_who_one_is_for_five_minutes() {
    let world = world().await;
    world.person("ada", "viewer").await;
    let ada = world.as_person("ada").await;
    assert!(decide::require_recent(&ada.principal, world.now()).is_ok(), "a sign-in is a confirmation");
    world.clock.advance(Duration::from_secs(301));
    let refused = decide::require_recent(&ada.principal, world.now());
    assert!(matches!(refused, Err(IdentityError::ReauthenticationRequired)));
    let confirm = |password: &str| sessions::Proof::Password(password.to_owned());
    let (door, origin) = (world.door(), from(HOME));
    let wrong = sessions::reauthenticate(&door, &ada.scope, &ada.principal, confirm("wrong horse"), &origin).await;
    assert!(matches!(wrong, Err(IdentityError::WrongCredentials)));
    sessions::reauthenticate(&door, &ada.scope, &ada.principal, confirm(PASSWORD), &origin).await.unwrap();
    let again = list(&ada.scope, &ada.principal, false).await.unwrap();
    assert_eq!(again.len(), 1);
    world.verified().await;
}

#[tokio::test]
async fn nobody_signs_in_to_a_tenant_that_is_locked_but_the_operator_who_may_unlock_it() {
    let world = world().await;
    world.claim(&world.link().await.unwrap(), PASSWORD).await.unwrap();
    world.person("ada", "admin").await;
    let mut tx = world.store.job(shieldops_model::TenantId::INSTALLATION, Job::Cli).unwrap().begin().await.unwrap();
    let tenant = world.first().await;
    tenants::change_state(&mut tx, tenant, TenantChange::Lock, "audit", None, None, world.now()).await.unwrap();
    tx.commit(world.now()).await.unwrap();
    assert!(matches!(world.sign_in("ada", PASSWORD, HOME).await, Err(IdentityError::TenantLocked)));
    let wrong = world.sign_in("ada", "wrong horse battery", HOME).await;
    assert!(matches!(wrong, Err(IdentityError::WrongCredentials)), "said only to who has the password");
    assert!(world.sign_in("admin", PASSWORD, HOME).await.is_ok());
}

#[tokio::test]
async fn a_tenant_that_is_not_theirs_is_as_one_that_is_not_there() {
    let world = world().await;
    world.tenant("beta", None).await;
    world.person("ada", "admin").await;
    let signed_in = world.sign_in("ada", PASSWORD, HOME).await.unwrap();
    for slug in ["beta", "nowhere", "", "BETA"] {
        let refused = sessions::authenticate(&world.store, signed_in.secret.expose(), Some(slug)).await;
        assert!(matches!(refused, Err(IdentityError::Store(StoreError::NotFound))), "{slug}");
    }
    let own = world.store.first().await.unwrap().slug;
    assert!(sessions::authenticate(&world.store, signed_in.secret.expose(), Some(&own)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_token_opens_until_it_is_revoked() {
    let world = world().await;
    let scope = world.scope().await;
    let made = create_token(&scope, CredentialKind::Ingest, "shipper", None, Some("sshd".into()), None).await;
    let (token, secret) = made.unwrap();
    let principal = world.authenticate(secret.expose()).await.unwrap();
    assert_eq!(
        (principal.role.name(), principal.source.as_deref(), principal.token),
        (Some("ingest"), Some("sshd"), Some(token.id))
    );
    let mut tx = scope.begin().await.unwrap();
    shieldops_store::people::revoke_token(&mut tx, token.id, world.now()).await.unwrap();
    tx.record("token.revoked", &[&token.id], ()).unwrap();
    tx.commit(world.now()).await.unwrap();
    assert!(world.authenticate(secret.expose()).await.is_none());
    for text in ["", "sop_", "nonsense"] {
        assert!(world.authenticate(text).await.is_none());
    }
    let odd = create_token(&scope, CredentialKind::Ingest, "a\nb", None, None, None).await;
    assert!(matches!(odd, Err(IdentityError::InvalidLabel)));
}

#[tokio::test]
async fn the_strictest_of_a_persons_tenants_says_how_long_a_session_may_rest() {
    let world = world().await;
    let ada = world.person("ada", "viewer").await;
    let acme = world.tenant("acme", None).await;
    let scope = world.store.job(acme.id, shieldops_store::Job::Cli).unwrap();
    let mut tx = scope.begin().await.unwrap();
    let viewer = shieldops_store::RoleRef::parse("viewer");
    shieldops_store::memberships::add(&mut tx, ada, &viewer, world.now()).await.unwrap();
    tx.commit(world.now()).await.unwrap();
    let session = async || {
        let opened = world.sign_in("ada", PASSWORD, HOME).await.unwrap();
        opened.secret.expose().to_owned()
    };
    let before = session().await;
    let mut tx = scope.begin().await.unwrap();
    let wanted = TenantSettings { session_idle_minutes: Some(10), ..Default::default() };
    settings::put(&mut tx, &wanted, None, world.now()).await.unwrap();
    tx.commit(world.now()).await.unwrap();
    set(&world, TenantSettings { session_idle_minutes: Some(120), ..Default::default() }).await;
    let after = session().await;
    world.clock.advance(Duration::from_mins(9));
    assert!(world.authenticate(&before).await.is_some() && world.authenticate(&after).await.is_some());
    world.clock.advance(Duration::from_mins(11));
    assert!(world.authenticate(&before).await.is_none() && world.authenticate(&after).await.is_none());
    assert_eq!(world.store.sessions_of(ada, world.now()).await.unwrap(), [], "and the list shows none");
}
