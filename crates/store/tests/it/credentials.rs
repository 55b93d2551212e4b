//! Invariant 11: what a credential stands for is read with each request.

use std::time::Duration;

use shieldops_model::{Clock as _, SessionId, TokenId, UserId, id};
use shieldops_store::{
    Principal, RoleRef, memberships,
    people::{self, NewCredential, Token, User},
};

use crate::support::{World, world};

const SESSION: [u8; 32] = [1; 32];
const TOKEN: [u8; 32] = [2; 32];

struct Person {
    user: UserId,
    session: SessionId,
    token: TokenId,
}

/// A user with a session of an hour and a personal token.
async fn person(world: &World) -> Person {
    let now = world.clock.now();
    let (user, session, token) =
        (id::mint(now, &mut rand::rng()), id::mint(now, &mut rand::rng()), id::mint(now, &mut rand::rng()));
    let row = User::new(user, "ada", &RoleRef::parse("analyst"), now);
    let credential =
        |hash, expires_at| NewCredential { hash, user: Some(user), expires_at, ..NewCredential::default() };
    let token_row = Token {
        id: token,
        kind: "personal".into(),
        name: "cli".into(),
        user_id: Some(user),
        source: None,
        created_at: now,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    let mut tx = world.scope().begin().await.unwrap();
    people::create_user(&mut tx, &row, None).await.unwrap();
    people::create_session(&mut tx, session, &credential(SESSION, Some(now.plus(Duration::from_hours(1)))), now)
        .await
        .unwrap();
    people::create_token(&mut tx, &token_row, &credential(TOKEN, None)).await.unwrap();
    tx.record("user.created", &[&user], ()).unwrap();
    tx.commit(now).await.unwrap();
    Person { user, session, token }
}

async fn principal(world: &World, hash: &[u8; 32]) -> Option<Principal> {
    world.store.authenticate(hash, None, world.clock.now()).await.unwrap().principal()
}

async fn known(world: &World, hash: &[u8; 32]) -> bool {
    principal(world, hash).await.is_some()
}

#[tokio::test]
async fn invariant_11_a_revoked_session_or_token_is_refused_at_once() {
    let Some(world) = world().await else { return };
    let person = person(&world).await;
    let found = principal(&world, &SESSION).await.unwrap();
    assert_eq!(
        (found.user, found.session, found.role),
        (Some(person.user), Some(person.session), RoleRef::parse("analyst"))
    );
    let mut tx = world.scope().begin().await.unwrap();
    people::revoke_session(&mut tx, person.session, world.clock.now()).await.unwrap();
    tx.record("session.closed", &[&person.session], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    assert!(!known(&world, &SESSION).await && known(&world, &TOKEN).await);
    let mut tx = world.scope().begin().await.unwrap();
    people::revoke_token(&mut tx, person.token, world.clock.now()).await.unwrap();
    tx.record("token.revoked", &[&person.token], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    assert!(!known(&world, &TOKEN).await);
}

#[tokio::test]
async fn invariant_11_a_session_ends_when_its_time_is_over() {
    let Some(world) = world().await else { return };
    person(&world).await;
    world.clock.advance(Duration::from_secs(3_599));
    assert!(known(&world, &SESSION).await);
    world.clock.advance(Duration::from_secs(1));
    assert!(!known(&world, &SESSION).await && known(&world, &TOKEN).await);
}

#[tokio::test]
async fn invariant_11_a_disabled_user_is_refused_with_every_credential() {
    let Some(world) = world().await else { return };
    let person = person(&world).await;
    for disabled in [true, false] {
        let (mut tx, now) = (world.scope().begin().await.unwrap(), world.clock.now());
        let viewer = RoleRef::parse("viewer");
        memberships::set(&mut tx, person.user, Some(&viewer), Some(disabled), None, now).await.unwrap();
        tx.commit(now).await.unwrap();
        for hash in [SESSION, TOKEN] {
            assert_eq!(known(&world, &hash).await, !disabled);
        }
    }
    assert!(principal(&world, &TOKEN).await.unwrap().role.is("viewer"));
}

#[tokio::test]
async fn invariant_11_without_a_membership_nothing_opens() {
    let Some(world) = world().await else { return };
    person(&world).await;
    world.sql("DELETE FROM memberships").await;
    assert!(!known(&world, &SESSION).await && !known(&world, &TOKEN).await);
}

#[tokio::test]
async fn the_use_of_a_token_is_noted() {
    let Some(world) = world().await else { return };
    person(&world).await;
    let found = principal(&world, &TOKEN).await.unwrap();
    world.store.used(&TOKEN, &found, world.clock.now()).await.unwrap();
    let tokens = people::tokens(&mut world.scope().read().await.unwrap()).await.unwrap();
    assert_eq!(tokens[0].last_used_at, Some(world.clock.now()));
}
