//! What ends with what: tokens with a time or a password, links with whoever made them.

use std::time::Duration;

use shieldops_identity::{
    CredentialKind, IdentityError,
    api_keys::{self, NewKey},
    create_token, lasting,
    people::{self, Change, PasswordChange, accept, invite, reset, reset_link},
    roles::{self, NewRole},
};
use shieldops_model::{TenantId, UserId, tenant::SettingsBase};
use shieldops_store::{Job, PageRequest, RoleRef, people as rows};

use crate::world::{At, HOME, PASSWORD, World, from, world};

const NEW: &str = "another horse battery";
const DAY: Duration = Duration::from_hours(24);

async fn token(at: &At, user: UserId, lasts: Option<Duration>) -> String {
    let made = create_token(&at.scope, CredentialKind::Personal, "cli", Some(user), None, lasts).await;
    made.unwrap().1.expose().to_owned()
}

#[tokio::test]
async fn a_personal_token_ends_by_itself_and_an_ingest_token_does_not() {
    let world = world().await;
    let eve = world.person("eve", "viewer").await;
    let at = world.as_person("eve").await;
    let (own, short) = (token(&at, eve, None).await, token(&at, eve, Some(DAY)).await);
    let made = create_token(&at.scope, CredentialKind::Ingest, "web", None, None, None).await;
    let (_, ingest) = made.unwrap();
    let listed = rows::tokens(&mut at.scope.read().await.unwrap()).await.unwrap();
    let mut ends: Vec<_> = listed.iter().map(|token| token.expires_at).collect();
    ends.sort_unstable();
    assert_eq!(ends, [None, Some(world.now().plus(DAY)), Some(world.now().plus(DAY * 90))]);
    world.clock.advance(DAY);
    assert!(world.authenticate(&short).await.is_none() && world.authenticate(&own).await.is_some());
    world.clock.advance(DAY * 89);
    assert!(world.authenticate(&own).await.is_none());
    assert!(world.authenticate(ingest.expose()).await.is_some());
}

#[test]
fn nobody_gets_a_token_for_longer_than_the_settings_allow() {
    let settings = SettingsBase { token_days: 30, ..SettingsBase::default() };
    assert_eq!(lasting(&settings, None).unwrap(), DAY * 30);
    assert_eq!(lasting(&settings, Some(7)).unwrap(), DAY * 7);
    for days in [0, 31, u32::MAX] {
        assert!(matches!(lasting(&settings, Some(days)), Err(IdentityError::Invalid(_))), "{days}");
    }
}

#[tokio::test]
async fn a_new_password_ends_the_personal_tokens_of_every_tenant_unless_they_are_kept() {
    let world = world().await;
    let eve = world.person("eve", "viewer").await;
    let at = world.as_person("eve").await;
    let acme = world.tenant("acme", None).await;
    let mut tx = world.store.job(acme.id, Job::Cli).unwrap().begin().await.unwrap();
    shieldops_store::memberships::add(&mut tx, eve, &RoleRef::parse("viewer"), world.now()).await.unwrap();
    tx.commit(world.now()).await.unwrap();
    let there = world.store.job(acme.id, Job::Cli).unwrap();
    let here = token(&at, eve, None).await;
    let made = create_token(&there, CredentialKind::Personal, "there", Some(eve), None, None).await;
    let elsewhere = made.unwrap().1.expose().to_owned();
    let change = async |current: &str, new: &str, keep_tokens| {
        let (door, origin) = (world.door(), from(HOME));
        let change = PasswordChange { current: current.into(), new: new.into(), keep_tokens };
        people::change_password(&door, &at.scope, &at.principal, change, &origin).await.unwrap();
    };
    change(PASSWORD, NEW, true).await;
    assert!(world.authenticate(&here).await.is_some() && world.authenticate(&elsewhere).await.is_some());
    change(NEW, PASSWORD, false).await;
    assert!(world.authenticate(&here).await.is_none() && world.authenticate(&elsewhere).await.is_none());
    let listed = rows::tokens(&mut there.read().await.unwrap()).await.unwrap();
    assert_eq!(listed[0].revoked_at, Some(world.now()), "the other tenant sees that it ended");
}

#[tokio::test]
async fn a_reset_link_ends_personal_tokens_too() {
    let world = world().await;
    world.person("boss", "admin").await;
    let eve = world.person("eve", "viewer").await;
    let boss = world.as_person("boss").await;
    let own = token(&boss, eve, None).await;
    let (_, link) = reset_link(&boss.scope, &boss.rights, &boss.principal, eve).await.unwrap();
    reset(&world.store, link.expose(), NEW.into(), &from(HOME)).await.unwrap();
    assert!(world.authenticate(&own).await.is_none());
}

/// A boss, and another administrator who invited somebody.
async fn invited(world: &World, role: &str) -> (At, At, UserId, String) {
    world.person("boss", "admin").await;
    let boss = world.as_person("boss").await;
    let maker = world.person("mallory", "admin").await;
    let mallory = world.as_person("mallory").await;
    let (_, link) = invite(&mallory.scope, &mallory.rights, "friend", role).await.unwrap();
    (boss, mallory, maker, link.expose().to_owned())
}

async fn is_refused(world: &World, link: &str) {
    let answer = accept(&world.door(), link, NEW.into(), &from(HOME)).await;
    assert!(matches!(answer, Err(IdentityError::InvalidLink)), "{:?}", answer.err());
}

async fn open_links(at: &At) -> usize {
    let page = people::invitations(&at.scope, &PageRequest::default()).await.unwrap();
    page.items.iter().filter(|one| one.revoked_at.is_none() && one.spent_at.is_none()).count()
}

#[tokio::test]
async fn an_invitation_ends_when_its_maker_is_removed() {
    let world = world().await;
    let (boss, _, maker, link) = invited(&world, "viewer").await;
    people::remove_membership(&boss.scope, &boss.rights, maker).await.unwrap();
    is_refused(&world, &link).await;
    assert_eq!(open_links(&boss).await, 0, "and the list says so");
    world.verified().await;
}

#[tokio::test]
async fn an_invitation_ends_when_its_maker_is_disabled_here_or_everywhere() {
    let world = world().await;
    let (boss, mallory, maker, link) = invited(&world, "viewer").await;
    let (_, other) = invite(&mallory.scope, &mallory.rights, "other", "viewer").await.unwrap();
    let mut tx = world.store.job(TenantId::INSTALLATION, Job::Cli).unwrap().begin().await.unwrap();
    rows::set_person_disabled(&mut tx, maker, Some(world.now())).await.unwrap();
    tx.record("user.disabled", &[&maker], ()).unwrap();
    tx.commit(world.now()).await.unwrap();
    is_refused(&world, &link).await;
    let mut tx = world.store.job(TenantId::INSTALLATION, Job::Cli).unwrap().begin().await.unwrap();
    rows::set_person_disabled(&mut tx, maker, None).await.unwrap();
    tx.record("user.enabled", &[&maker], ()).unwrap();
    tx.commit(world.now()).await.unwrap();
    let disable = Change { disabled: Some(true), ..Change::default() };
    people::set_membership(&boss.scope, &boss.rights, maker, disable).await.unwrap();
    is_refused(&world, other.expose()).await;
    assert_eq!(open_links(&boss).await, 0);
}

#[tokio::test]
async fn an_invitation_ends_when_its_maker_may_no_longer_give_that_much() {
    let world = world().await;
    let (boss, mallory, maker, link) = invited(&world, "operator").await;
    let (_, small) = invite(&mallory.scope, &mallory.rights, "small", "viewer").await.unwrap();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let viewer: Vec<&str> = shieldops_identity::permission::of_role("viewer").names();
    let mut permissions = names(&viewer);
    permissions.push("user.write".to_owned());
    let wanted = NewRole { name: "desk".into(), permissions, environments: None };
    let desk = roles::create(&boss.scope, &boss.rights, wanted).await.unwrap();
    let change = Change { role: Some(desk.id.to_string()), ..Change::default() };
    people::set_membership(&boss.scope, &boss.rights, maker, change).await.unwrap();
    is_refused(&world, &link).await;
    accept(&world.door(), small.expose(), NEW.into(), &from(HOME)).await.unwrap();
    let (_, third) = invite(&mallory.scope, &boss.rights, "third", "viewer").await.unwrap();
    let change = Change { role: Some("viewer".into()), ..Change::default() };
    people::set_membership(&boss.scope, &boss.rights, maker, change).await.unwrap();
    is_refused(&world, third.expose()).await;
}

#[tokio::test]
async fn an_invitation_by_a_key_ends_with_the_key_and_one_by_the_operator_stands() {
    let world = world().await;
    world.person("boss", "admin").await;
    let boss = world.as_person("boss").await;
    let permissions = boss.rights.permissions().names().into_iter().map(str::to_owned).collect();
    let wanted = NewKey {
        name: "ci".into(),
        permissions,
        routes: Vec::new(),
        addresses: Vec::new(),
        rate_per_s: None,
        expires_at: None,
    };
    let (key, secret) = api_keys::create(&boss.scope, &boss.rights, wanted).await.unwrap();
    let machine = world.at(secret.expose(), None).await;
    let (_, good) = invite(&machine.scope, &machine.rights, "one", "viewer").await.unwrap();
    accept(&world.door(), good.expose(), NEW.into(), &from(HOME)).await.unwrap();
    let (_, link) = invite(&machine.scope, &machine.rights, "two", "viewer").await.unwrap();
    api_keys::revoke(&boss.scope, &boss.rights, key.id, None).await.unwrap();
    is_refused(&world, link.expose()).await;

    let person = boss.principal.user.unwrap();
    shieldops_identity::boot::make_operator(&world.store, person).await.unwrap();
    let acme = world.tenant("acme", None).await;
    let operator = world.as_person("boss").await;
    let scope = world.store.person_scope(acme.id, &world.store.get_person(person).await.unwrap().unwrap()).unwrap();
    let (_, first) = invite(&scope, &operator.rights, "first", "admin").await.unwrap();
    accept(&world.door(), first.expose(), NEW.into(), &from(HOME)).await.unwrap();
}
