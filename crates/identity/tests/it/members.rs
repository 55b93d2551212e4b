//! Members: invitations, resets, changes and the last administrator.

use std::time::Duration;

use shieldops_identity::{
    CredentialKind, IdentityError, Permission, Rights, create_token, may_still,
    people::{self, Change, INVITATION_FOR, accept, accept_signed_in, invite, reset, reset_link},
};
use shieldops_model::tenant::TenantSettings;
use shieldops_store::{Job, RoleRef, StoreError, memberships, settings};

use crate::world::{HOME, PASSWORD, from, may, world};

const NEW: &str = "another horse battery";

#[tokio::test]
async fn somebody_new_comes_in_by_a_link_that_is_good_once() {
    let world = world().await;
    world.person("boss", "admin").await;
    let boss = world.as_person("boss").await;
    let (invitation, link) = invite(&boss.scope, &boss.rights, "Eve@Example.org", "analyst").await.unwrap();
    assert_eq!(invitation.name, "eve@example.org");
    let (door, origin) = (world.door(), from(HOME));
    let weak = accept(&door, link.expose(), "short".into(), &origin).await;
    assert!(matches!(weak, Err(IdentityError::Password(_))));
    let signed_in = accept(&door, link.expose(), NEW.into(), &origin).await.unwrap();
    let eve = world.at(signed_in.secret.expose(), None).await;
    assert!(may(&eve, Permission::AlertWrite) && !may(&eve, Permission::UserWrite));
    for text in [link.expose(), "", "sov_", &link.expose().replace("sov_", "sor_")] {
        let refused = accept(&door, text, NEW.into(), &origin).await;
        assert!(matches!(refused, Err(IdentityError::InvalidLink)), "{text}");
    }
    world.verified().await;
}

#[tokio::test]
async fn a_link_ends_with_its_time_with_the_next_one_and_when_it_is_withdrawn() {
    let world = world().await;
    world.person("boss", "admin").await;
    let boss = world.as_person("boss").await;
    let ask = async || invite(&boss.scope, &boss.rights, "eve", "viewer").await.unwrap();
    let (_, first) = ask().await;
    let (second, link) = ask().await;
    let (door, origin) = (world.door(), from(HOME));
    assert!(matches!(accept(&door, first.expose(), NEW.into(), &origin).await, Err(IdentityError::InvalidLink)));
    people::revoke_invitation(&boss.scope, second.id).await.unwrap();
    assert!(matches!(accept(&door, link.expose(), NEW.into(), &origin).await, Err(IdentityError::InvalidLink)));
    let (_, third) = ask().await;
    world.clock.advance(INVITATION_FOR);
    assert!(matches!(accept(&door, third.expose(), NEW.into(), &origin).await, Err(IdentityError::InvalidLink)));
}

#[tokio::test]
async fn a_person_of_another_tenant_is_invited_like_anybody_and_accepts_signed_in() {
    let world = world().await;
    let beta = world.tenant("beta", None).await;
    world.person("eve", "viewer").await;
    world.person("mallory", "viewer").await;
    world.person_of(beta.id, "boss", "admin").await;
    let boss = world.as_person("boss").await;
    let (_, link) = invite(&boss.scope, &boss.rights, "eve", "analyst").await.unwrap();
    let (_, _) = invite(&boss.scope, &boss.rights, "nobody-yet", "analyst").await.unwrap();
    let refused = accept(&world.door(), link.expose(), NEW.into(), &from(HOME)).await;
    assert!(matches!(refused, Err(IdentityError::SignInToAccept)));
    let mallory = world.as_person("mallory").await;
    let stolen = accept_signed_in(&world.store, &mallory.principal, link.expose()).await;
    assert!(matches!(stolen, Err(IdentityError::InvalidLink)));
    let signed_in = world.sign_in("eve", PASSWORD, HOME).await.unwrap();
    let eve = world.at(signed_in.secret.expose(), None).await;
    let slug = accept_signed_in(&world.store, &eve.principal, link.expose()).await.unwrap();
    let there = world.at(signed_in.secret.expose(), Some(&slug)).await;
    assert_eq!((slug.as_str(), there.principal.tenant), ("beta", beta.id));
    assert!(may(&there, Permission::AlertWrite) && !may(&eve, Permission::AlertWrite));
    world.verified().await;
}

#[tokio::test]
async fn names_that_look_like_a_member_are_refused() {
    let world = world().await;
    world.person("admin", "admin").await;
    world.person("modern", "viewer").await;
    let boss = world.as_person("admin").await;
    for name in ["аdmin", "rnodern", "ADMIN", "ＡＤＭＩＮ", "adrnin"] {
        let made = people::create(&boss.scope, &boss.rights, name, "viewer", Some(NEW.into())).await;
        assert!(matches!(made, Err(IdentityError::Confusable(_))), "{name}");
        let invited = invite(&boss.scope, &boss.rights, name, "viewer").await;
        assert!(matches!(invited, Err(IdentityError::Confusable(_))), "{name}");
    }
    let taken = invite(&boss.scope, &boss.rights, "modern", "viewer").await;
    assert!(matches!(taken, Err(IdentityError::Store(StoreError::AlreadyExists { .. }))));
    for name in ["", "a b", "a\u{202e}b", &"x".repeat(200)] {
        let odd = people::create(&boss.scope, &boss.rights, name, "viewer", None).await;
        assert!(matches!(odd, Err(IdentityError::InvalidName)), "{name}");
    }
    let odd = people::create(&boss.scope, &boss.rights, "ada", "god", None).await;
    assert!(matches!(odd, Err(IdentityError::UnknownRole(_))));
}

#[tokio::test]
async fn the_last_administrator_neither_leaves_nor_steps_down() {
    let world = world().await;
    let boss = world.person("boss", "admin").await;
    let at = world.as_person("boss").await;
    let demoted = Change { role: Some("viewer".into()), ..Change::default() };
    let disabled = Change { disabled: Some(true), ..Change::default() };
    for refused in [
        people::set_membership(&at.scope, &at.rights, boss, demoted.clone()).await.err(),
        people::set_membership(&at.scope, &at.rights, boss, disabled).await.err(),
        people::remove_membership(&at.scope, &at.rights, boss).await.err(),
    ] {
        let refused = refused.unwrap();
        assert!(matches!(refused, IdentityError::Store(StoreError::LastAdministrator)), "{refused}");
    }
    world.person("other", "admin").await;
    let changed = people::set_membership(&at.scope, &at.rights, boss, demoted).await.unwrap();
    assert_eq!(changed.role, "viewer");
    assert!(!may(&world.as_person("boss").await, Permission::UserWrite), "holds on the next request");
    world.verified().await;
}

#[tokio::test]
async fn a_change_of_what_somebody_else_changed_meanwhile_is_refused() {
    let world = world().await;
    world.person("boss", "admin").await;
    let eve = world.person("eve", "viewer").await;
    let at = world.as_person("boss").await;
    let to = |role: &str, expected| Change { role: Some(role.into()), expected, ..Change::default() };
    let changed = people::set_membership(&at.scope, &at.rights, eve, to("analyst", None)).await.unwrap();
    let stale = people::set_membership(&at.scope, &at.rights, eve, to("auditor", Some(changed.version - 1))).await;
    assert!(matches!(stale, Err(IdentityError::Store(StoreError::Stale { .. }))));
}

#[tokio::test]
async fn a_member_who_leaves_is_out_at_once_and_gone_with_the_last_membership() {
    let world = world().await;
    world.person("boss", "admin").await;
    let eve = world.person("eve", "viewer").await;
    let at = world.as_person("boss").await;
    let session = world.sign_in("eve", PASSWORD, HOME).await.unwrap();
    let made = create_token(&at.scope, CredentialKind::Personal, "cli", Some(eve), None, None).await;
    let (_, token) = made.unwrap();
    people::remove_membership(&at.scope, &at.rights, eve).await.unwrap();
    assert!(world.authenticate(session.secret.expose()).await.is_none());
    assert!(world.authenticate(token.expose()).await.is_none());
    assert!(world.store.find_person("eve").await.unwrap().is_none());
    world.verified().await;
}

#[tokio::test]
async fn a_reset_link_sets_a_password_and_ends_every_session() {
    let world = world().await;
    world.person("boss", "admin").await;
    let eve = world.person("eve", "viewer").await;
    let at = world.as_person("boss").await;
    let session = world.sign_in("eve", PASSWORD, HOME).await.unwrap();
    let (_, link) = reset_link(&at.scope, &at.rights, &at.principal, eve).await.unwrap();
    assert!(matches!(
        accept(&world.door(), link.expose(), NEW.into(), &from(HOME)).await,
        Err(IdentityError::InvalidLink)
    ));
    reset(&world.store, link.expose(), NEW.into(), &from(HOME)).await.unwrap();
    assert!(world.authenticate(session.secret.expose()).await.is_none());
    assert!(world.sign_in("eve", NEW, HOME).await.is_ok());
    let again = reset(&world.store, link.expose(), PASSWORD.into(), &from(HOME)).await;
    assert!(matches!(again, Err(IdentityError::InvalidLink)));
    world.clock.advance(Duration::from_secs(301));
    let late = reset_link(&at.scope, &at.rights, &at.principal, eve).await;
    assert!(matches!(late, Err(IdentityError::ReauthenticationRequired)));
    world.verified().await;
}

#[tokio::test]
async fn nobody_resets_a_person_who_is_not_this_tenant_s_alone() {
    let world = world().await;
    let operator = world.claim(&world.link().await.unwrap(), PASSWORD).await.unwrap();
    let operator = world.at(operator.secret.expose(), None).await;
    let beta = world.tenant("beta", None).await;
    world.person("boss", "admin").await;
    let eve = world.person("eve", "viewer").await;
    let other = world.store.job(beta.id, Job::Cli).unwrap();
    let (_, link) = invite(&other, &Rights::of_host(), "eve", "viewer").await.unwrap();
    accept_signed_in(&world.store, &world.as_person("eve").await.principal, link.expose()).await.unwrap();
    let boss = world.as_person("boss").await;
    let refused = reset_link(&boss.scope, &boss.rights, &boss.principal, eve).await;
    assert!(matches!(refused, Err(IdentityError::Conflict(_))));
    let refused = reset_link(&boss.scope, &boss.rights, &boss.principal, operator.principal.user.unwrap()).await;
    assert!(matches!(refused, Err(IdentityError::Conflict(_))), "nor the operator");
    assert!(reset_link(&operator.scope, &operator.rights, &operator.principal, eve).await.is_ok());
}

#[tokio::test]
async fn a_reset_link_opens_no_tenant_that_its_person_joined_since() {
    let world = world().await;
    let beta = world.tenant("beta", None).await;
    world.person("boss", "admin").await;
    let eve = world.person("eve", "viewer").await;
    let boss = world.as_person("boss").await;
    let (_, mine) = reset_link(&boss.scope, &boss.rights, &boss.principal, eve).await.unwrap();
    let other = world.store.job(beta.id, Job::Cli).unwrap();
    let (_, link) = invite(&other, &Rights::of_host(), "eve", "admin").await.unwrap();
    accept_signed_in(&world.store, &world.as_person("eve").await.principal, link.expose()).await.unwrap();
    let spent = reset(&world.store, mine.expose(), NEW.into(), &from(HOME)).await;
    assert!(matches!(spent, Err(IdentityError::InvalidLink)));
    let fred = world.person("fred", "viewer").await;
    let (_, mine) = reset_link(&boss.scope, &boss.rights, &boss.principal, fred).await.unwrap();
    shieldops_identity::boot::make_operator(&world.store, fred).await.unwrap();
    let spent = reset(&world.store, mine.expose(), NEW.into(), &from(HOME)).await;
    assert!(matches!(spent, Err(IdentityError::InvalidLink)), "nor makes its maker an operator");
    world.verified().await;
}

#[tokio::test]
async fn an_invitation_gives_nothing_that_is_held_apart_by_now() {
    let world = world().await;
    let (door, origin) = (world.door(), from(HOME));
    let scope = world.scope().await;
    let (_, link) = invite(&scope, &Rights::of_host(), "eve", "analyst").await.unwrap();
    let apart = vec![["plan.create".to_owned(), "plan.approve".to_owned()]];
    let value = TenantSettings { separation_of_duty: apart, ..TenantSettings::default() };
    let mut tx = scope.begin().await.unwrap();
    settings::put(&mut tx, &value, None, world.now()).await.unwrap();
    tx.commit(world.now()).await.unwrap();
    let refused = accept(&door, link.expose(), NEW.into(), &origin).await;
    assert!(matches!(refused, Err(IdentityError::SeparationOfDuty(..))));
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_of_its_person() {
    let world = world().await;
    world.person("eve", "viewer").await;
    let other = world.sign_in("eve", PASSWORD, "198.51.100.7").await.unwrap();
    let own = world.sign_in("eve", PASSWORD, HOME).await.unwrap();
    let eve = world.at(own.secret.expose(), None).await;
    let change = async |current: &str, new: &str| {
        let (door, origin) = (world.door(), from(HOME));
        let change = people::PasswordChange { current: current.into(), new: new.into(), keep_tokens: false };
        people::change_password(&door, &eve.scope, &eve.principal, change, &origin).await
    };
    assert!(matches!(change("wrong horse battery", NEW).await, Err(IdentityError::WrongCredentials)));
    assert!(matches!(change(PASSWORD, "short").await, Err(IdentityError::Password(_))));
    change(PASSWORD, NEW).await.unwrap();
    assert!(world.authenticate(other.secret.expose()).await.is_none());
    assert!(world.authenticate(own.secret.expose()).await.is_some());
    assert!(world.sign_in("eve", NEW, HOME).await.is_ok());
    world.verified().await;
}

#[tokio::test]
async fn who_was_disabled_removed_or_given_a_lesser_role_may_not_any_more() {
    let world = world().await;
    world.person("boss", "admin").await;
    let at = world.as_person("boss").await;
    let (approve, production) = (Permission::PlanApprove, [shieldops_model::Environment::Production]);
    let still = async |user| may_still(&at.scope, user, approve, &production).await.unwrap();
    let to = |role: Option<&str>, disabled| Change { role: role.map(str::to_owned), disabled, ..Change::default() };
    for (name, change) in [("ann", to(Some("viewer"), None)), ("bea", to(None, Some(true)))] {
        let user = world.person(name, "analyst").await;
        assert!(still(user).await, "{name}");
        people::set_membership(&at.scope, &at.rights, user, change).await.unwrap();
        assert!(!still(user).await, "{name}");
    }
    let eve = world.person("eve", "analyst").await;
    people::remove_membership(&at.scope, &at.rights, eve).await.unwrap();
    assert!(!still(eve).await && !still(shieldops_model::UserId::from_bits(9)).await);
}

#[tokio::test]
async fn a_tenant_s_administrators_do_not_lock_out_who_runs_the_installation() {
    let world = world().await;
    let operator = world.claim(&world.link().await.unwrap(), PASSWORD).await.unwrap();
    let operator = world.at(operator.secret.expose(), None).await;
    let user = operator.principal.user.unwrap();
    world.person("boss", "admin").await;
    let boss = world.as_person("boss").await;
    for at in [&boss, &operator] {
        let disable = Change { disabled: Some(true), ..Change::default() };
        let disabled = people::set_membership(&at.scope, &at.rights, user, disable).await;
        assert!(matches!(disabled, Err(IdentityError::Conflict(_))), "{disabled:?}");
        let removed = people::remove_membership(&at.scope, &at.rights, user).await;
        assert!(matches!(removed, Err(IdentityError::Conflict(_))), "{removed:?}");
    }
    let beta = world.tenant("beta", None).await;
    let mut tx = world.store.job(beta.id, Job::Cli).unwrap().begin().await.unwrap();
    memberships::add(&mut tx, user, &RoleRef::parse("viewer"), world.now()).await.unwrap();
    tx.commit(world.now()).await.unwrap();
    people::remove_membership(&boss.scope, &boss.rights, user).await.unwrap();
    assert!(world.sign_in("admin", PASSWORD, HOME).await.is_ok(), "there is another way in");
}
