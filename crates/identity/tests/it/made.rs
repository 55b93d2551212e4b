//! What somebody makes reaches no farther, and lasts no longer, than what they made it through.

use std::time::Duration;

use shieldops_identity::{
    CredentialKind, IdentityError,
    api_keys::{self, NewKey},
    create_token,
    grants::{self, NewGrant},
    people::{self, invite, reset_link},
    roles::{self, NewRole},
};

use crate::world::{HOME, PASSWORD, world};

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

#[tokio::test]
async fn a_limited_key_makes_no_token_and_no_person_that_outlive_or_outreach_it() {
    let world = world().await;
    world.person("boss", "admin").await;
    let boss = world.as_person("boss").await;
    let until = world.now().plus(Duration::from_hours(1));
    let reads = NewRole { name: "reads".into(), permissions: vec!["alert.read".into()], environments: None };
    let reads = roles::create(&boss.scope, &boss.rights, reads).await.unwrap().id.to_string();
    let free = || key(&["key.write", "user.write", "alert.read"]);
    let limited = [
        NewKey { addresses: vec!["10.0.0.0/8".to_owned()], ..free() },
        NewKey { routes: vec!["* /api/v1/tokens".to_owned()], ..free() },
        NewKey { rate_per_s: Some(5), ..free() },
    ];
    for wanted in limited {
        let (_, secret) = api_keys::create(&boss.scope, &boss.rights, wanted.clone()).await.unwrap();
        let held = world.at(secret.expose(), None).await;
        let token = create_token(&held.scope, CredentialKind::Ingest, "web", None, None, None).await;
        assert!(matches!(token, Err(IdentityError::WiderThanOwn(_))), "{wanted:?}");
        let invited = invite(&held.scope, &held.rights, "eve", &reads).await;
        assert!(matches!(invited, Err(IdentityError::WiderThanOwn(_))), "{wanted:?}");
    }
    let ends = NewKey { expires_at: Some(until), ..free() };
    let (_, secret) = api_keys::create(&boss.scope, &boss.rights, ends).await.unwrap();
    let held = world.at(secret.expose(), None).await;
    let (token, _) = create_token(&held.scope, CredentialKind::Ingest, "web", None, None, None).await.unwrap();
    assert_eq!(token.expires_at, Some(until));
    let invited = invite(&held.scope, &held.rights, "eve", &reads).await;
    assert!(matches!(invited, Err(IdentityError::WiderThanOwn(_))), "a person stays");
    let (_, secret) = api_keys::create(&boss.scope, &boss.rights, free()).await.unwrap();
    let held = world.at(secret.expose(), None).await;
    assert!(create_token(&held.scope, CredentialKind::Ingest, "web", None, None, None).await.is_ok());
    assert!(invite(&held.scope, &held.rights, "eve", &reads).await.is_ok());
}

#[tokio::test]
async fn nobody_s_credentials_are_reset_through_a_grant() {
    let world = world().await;
    let parent = world.store.first().await.unwrap();
    let child = world.tenant("child", Some(parent.id)).await;
    let eve = world.person_of(child.id, "eve", "viewer").await;
    world.person_of(child.id, "owner", "admin").await;
    world.person("msp", "admin").await;
    let owner = world.as_person("owner").await;
    let msp = world.sign_in("msp", PASSWORD, HOME).await.unwrap();
    let expires_at = world.now().plus(Duration::from_hours(8));
    let wanted = NewGrant { role: "admin".into(), reason: "on call".into(), expires_at };
    grants::create(&owner.scope, &owner.rights, &owner.principal, wanted).await.unwrap();
    let there = world.at(msp.secret.expose(), Some("child")).await;
    let link = reset_link(&there.scope, &there.rights, &there.principal, eve).await;
    assert!(matches!(link, Err(IdentityError::Conflict(_))));
    let removed = people::remove_factors(&there.scope, &there.rights, &there.principal, eve).await;
    assert!(matches!(removed, Err(IdentityError::Conflict(_))));
    assert!(reset_link(&owner.scope, &owner.rights, &owner.principal, eve).await.is_ok());
}
