//! What the ledger says of all this: each change, who made it, and never a secret.

use shieldops_identity::{
    CredentialKind, Proof,
    api_keys::{self, NewKey},
    create_token,
    factors::{begin_totp, confirm_totp},
    people::{self, Change, accept, invite, reset, reset_link},
    sessions::{SignIn, second_factor},
};
use shieldops_model::TenantId;
use shieldops_store::{Job, PageRequest, TenantScope, ledger};

use crate::{
    second_factor::App,
    world::{HOME, PASSWORD, World, from, world},
};

/// What only whoever has the data directory does.
const BY_HAND: &str = "system:cli";
const NEW: &str = "another horse battery";

async fn entries(world: &World) -> Vec<ledger::Entry> {
    entries_of(&world.scope().await).await
}

async fn entries_of(scope: &TenantScope) -> Vec<ledger::Entry> {
    let page = PageRequest { limit: Some(200), cursor: None };
    let mut access = scope.read().await.unwrap();
    ledger::list(&mut access, &ledger::Filter::default(), &page).await.unwrap().items
}

fn key() -> NewKey {
    NewKey {
        name: "ci".into(),
        permissions: vec!["alert.read".into()],
        routes: Vec::new(),
        addresses: Vec::new(),
        rate_per_s: None,
        expires_at: None,
    }
}

/// Everything that makes a secret, once; the secrets.
async fn at_work(world: &World) -> Vec<String> {
    let link = world.link().await.unwrap();
    let boss = world.claim(&link, PASSWORD).await.unwrap();
    let at = world.at(boss.secret.expose(), None).await;
    let (door, origin) = (world.door(), from(HOME));
    let (_, invitation) = invite(&at.scope, &at.rights, "eve", "viewer").await.unwrap();
    let eve = accept(&door, invitation.expose(), PASSWORD.into(), &origin).await.unwrap();
    let analyst = Change { role: Some("analyst".into()), ..Change::default() };
    people::set_membership(&at.scope, &at.rights, eve.user, analyst).await.unwrap();
    let (_, link_of_reset) = reset_link(&at.scope, &at.rights, &at.principal, eve.user).await.unwrap();
    reset(&world.store, link_of_reset.expose(), NEW.into(), &origin).await.unwrap();
    let (_, token) = create_token(&at.scope, CredentialKind::Ingest, "web", None, None, None).await.unwrap();
    let (_, machine) = api_keys::create(&at.scope, &at.rights, key()).await.unwrap();
    let offer = begin_totp(&at.scope, &at.principal).await.unwrap();
    let code = App::scan(&offer.secret).code(world);
    let codes = confirm_totp(&at.scope, &at.principal, offer.ticket.expose(), &code).await.unwrap();
    let SignIn::SecondFactor(challenge) = world.try_sign_in("admin", PASSWORD, HOME).await.unwrap() else {
        panic!("no second factor was asked for")
    };
    let recovery = Proof::RecoveryCode(codes.first().unwrap().clone());
    let again = second_factor(&door, challenge.ticket.expose(), recovery, &origin).await.unwrap();
    let secrets = [&boss.secret, &invitation, &eve.secret, &link_of_reset, &token, &machine, &offer.ticket];
    let secrets = secrets.into_iter().chain([&challenge.ticket, &again.secret]);
    let mut secrets: Vec<String> = secrets.map(|secret| secret.expose().to_owned()).collect();
    secrets.extend(codes);
    secrets.extend([link, offer.secret, PASSWORD.to_owned(), NEW.to_owned(), "$argon2id$".to_owned()]);
    secrets
}

#[tokio::test]
async fn every_change_of_a_credential_is_recorded_and_no_secret_is() {
    let world = world().await;
    let secrets = at_work(&world).await;
    let entries = entries(&world).await;
    for kind in [
        "admin_link.spent",
        "session.opened",
        "invitation.created",
        "invitation.spent",
        "user.created",
        "membership.changed",
        "password.changed",
        "token.created",
        "key.created",
        "factor.added",
        "recovery_codes.made",
        "recovery_code.spent",
    ] {
        assert!(entries.iter().any(|entry| entry.kind == kind), "{kind} is not recorded");
    }
    let written = serde_json::to_string(&entries).unwrap();
    for secret in secrets {
        assert!(!written.contains(&secret), "a secret is in the ledger");
    }
    world.verified().await;
}

#[tokio::test]
async fn an_entry_names_the_person_who_did_it_though_nobody_was_signed_in_yet() {
    let world = world().await;
    at_work(&world).await;
    let installation = world.store.job(TenantId::INSTALLATION, Job::Server).unwrap();
    let mut all = entries(&world).await;
    all.extend(entries_of(&installation).await);
    for kind in ["invitation.spent", "admin_link.made", "admin_link.spent", "operator.made"] {
        assert!(all.iter().any(|entry| entry.kind == kind), "{kind}");
    }
    for entry in all {
        assert_ne!(entry.actor, BY_HAND, "{}: nobody used the command line", entry.kind);
        if [
            "recovery_code.spent",
            "session.opened",
            "password.changed",
            "user.created",
            "invitation.spent",
            "admin_link.spent",
            "operator.made",
        ]
        .contains(&entry.kind.as_str())
        {
            let made_by_the_process = entry.kind == "user.created" && entry.subjects.len() == 1;
            assert!(entry.actor.starts_with("usr_") || made_by_the_process, "{}: {}", entry.kind, entry.actor);
        }
        if entry.kind == "membership.changed" {
            let body = &entry.payload;
            assert_eq!((&body["before"]["role"], &body["after"]["role"]), (&"viewer".into(), &"analyst".into()));
        }
    }
}
