//! Signing in, the admin link and tokens, on a real store.

#![allow(clippy::unwrap_used, reason = "tests: a wrong step ends the test")]
#![allow(clippy::disallowed_methods, reason = "tests wait for what they spawn")]

use std::{sync::Arc, time::Duration};

use shieldops_identity::{
    ADMIN_LINK_FOR, Backoff, CredentialKind, IdentityError, PasswordError, SESSION_FOR, SignedIn, admin_link,
    authenticate, claim, create_token, create_user, sign_in, sign_out,
};
use shieldops_model::{Clock as _, FixedClock, Timestamp};
use shieldops_store::{Job, Options, Store, TenantScope, ledger::verify_directory, people};

const PASSWORD: &str = "correct horse battery";
const HOME: &str = "192.0.2.1";

struct World {
    dir: tempfile::TempDir,
    clock: FixedClock,
    store: Store,
    backoff: Backoff,
}

async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let clock = FixedClock::at(Timestamp::from_secs(1_790_000_000));
    let options = Options { data_dir: dir.path().to_owned(), demo: false, ..Options::default() };
    let store = Store::open(&options, Arc::new(clock.clone())).await.unwrap();
    World { dir, clock, store, backoff: Backoff::default() }
}

impl World {
    async fn scope(&self) -> TenantScope {
        self.store.job(self.store.first().await.unwrap().id, Job::Cli).unwrap()
    }

    async fn link(&self) -> Option<String> {
        let tenant = self.store.first().await.unwrap().id;
        admin_link(&self.store, tenant).await.unwrap().map(|secret| secret.expose().to_owned())
    }

    async fn sign_in(&self, name: &str, password: &str, from: &str) -> Result<SignedIn, IdentityError> {
        sign_in(&self.store, &self.backoff, name, password.to_owned(), Some(from.to_owned())).await
    }

    async fn claim(&self, link: &str, password: &str) -> Result<SignedIn, IdentityError> {
        claim(&self.store, link, password.to_owned(), Some(HOME.to_owned())).await
    }
}

#[tokio::test]
async fn a_user_signs_in_works_and_signs_out() {
    let world = world().await;
    let scope = world.scope().await;
    let user = create_user(&scope, "ada", "analyst", Some(PASSWORD.into())).await.unwrap();
    let signed_in = world.sign_in("ada", PASSWORD, HOME).await.unwrap();
    assert_eq!(signed_in.expires_at, world.clock.now().plus(SESSION_FOR));
    let principal = authenticate(&world.store, signed_in.secret.expose()).await.unwrap().unwrap();
    assert_eq!((principal.user, principal.role.as_str()), (Some(user.id), "analyst"));
    sign_out(&world.store.scope(&principal).unwrap(), signed_in.session).await.unwrap();
    assert!(authenticate(&world.store, signed_in.secret.expose()).await.unwrap().is_none());
    assert!(verify_directory(world.dir.path(), &[]).await.unwrap().ok);
}

#[tokio::test]
async fn a_wrong_password_an_unknown_name_and_a_disabled_user_get_the_same_answer() {
    let world = world().await;
    let scope = world.scope().await;
    create_user(&scope, "ada", "viewer", Some(PASSWORD.into())).await.unwrap();
    create_user(&scope, "nopassword", "viewer", None).await.unwrap();
    let gone = create_user(&scope, "gone", "viewer", Some("another horse battery".into())).await.unwrap();
    let mut tx = scope.begin().await.unwrap();
    people::set_user(&mut tx, gone.id, "viewer", Some(world.clock.now())).await.unwrap();
    tx.record("user.changed", &[&gone.id], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    for (name, password) in [
        ("ada", "wrong horse battery"),
        ("nobody", PASSWORD),
        ("gone", "another horse battery"),
        ("nopassword", ""),
        ("no such name!", PASSWORD),
    ] {
        let refused = world.sign_in(name, password, HOME).await.err().unwrap();
        assert!(matches!(refused, IdentityError::WrongCredentials), "{name}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_side_by_side_do_not_get_past_the_wait() {
    let world = Arc::new(world().await);
    create_user(&world.scope().await, "ada", "viewer", Some(PASSWORD.into())).await.unwrap();
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
async fn the_admin_link_sets_a_password_once() {
    let world = world().await;
    let link = world.link().await.unwrap();
    assert!(authenticate(&world.store, &link).await.unwrap().is_none(), "a link is no session");
    assert!(matches!(world.claim(&link, "short").await, Err(IdentityError::Password(PasswordError::TooShort))));
    assert!(matches!(
        world.claim(&link, "the-admin-of-all").await,
        Err(IdentityError::Password(PasswordError::ContainsName))
    ));
    let signed_in = world.claim(&link, PASSWORD).await.unwrap();
    assert_eq!(authenticate(&world.store, signed_in.secret.expose()).await.unwrap().unwrap().role, "admin");
    assert!(matches!(world.claim(&link, "another horse battery").await, Err(IdentityError::LinkSpent)));
    assert!(world.sign_in("admin", PASSWORD, HOME).await.is_ok());
    assert!(world.link().await.is_none(), "no link once an administrator has a password");
}

#[tokio::test]
async fn the_admin_link_ends_with_its_time_and_with_the_next_one() {
    let world = world().await;
    let first = world.link().await.unwrap();
    let second = world.link().await.unwrap();
    assert!(matches!(world.claim(&first, PASSWORD).await, Err(IdentityError::LinkSpent)));
    world.clock.advance(ADMIN_LINK_FOR);
    assert!(matches!(world.claim(&second, PASSWORD).await, Err(IdentityError::LinkSpent)));
    let third = world.link().await.unwrap();
    assert!(world.claim(&third, PASSWORD).await.is_ok());
}

#[tokio::test]
async fn the_admin_link_is_dead_once_an_administrator_has_a_password() {
    let world = world().await;
    let link = world.link().await.unwrap();
    create_user(&world.scope().await, "root", "admin", Some(PASSWORD.into())).await.unwrap();
    assert!(matches!(world.claim(&link, "another horse battery").await, Err(IdentityError::LinkSpent)));
    assert!(matches!(
        world.sign_in("admin", "another horse battery", HOME).await,
        Err(IdentityError::WrongCredentials)
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_spend_the_admin_link_at_once_one_gets_in() {
    let world = world().await;
    let link = world.link().await.unwrap();
    let (one, other) = tokio::join!(world.claim(&link, PASSWORD), world.claim(&link, "another horse battery"));
    assert!(one.is_ok() != other.is_ok());
}

#[tokio::test]
async fn a_token_opens_until_it_is_revoked() {
    let world = world().await;
    let scope = world.scope().await;
    let (token, secret) =
        create_token(&scope, CredentialKind::Ingest, "shipper", None, Some("sshd".into())).await.unwrap();
    let principal = authenticate(&world.store, secret.expose()).await.unwrap().unwrap();
    assert_eq!(
        (principal.role.as_str(), principal.source.as_deref(), principal.token),
        ("ingest", Some("sshd"), Some(token.id))
    );
    let mut tx = scope.begin().await.unwrap();
    people::revoke_token(&mut tx, token.id, world.clock.now()).await.unwrap();
    tx.record("token.revoked", &[&token.id], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    assert!(authenticate(&world.store, secret.expose()).await.unwrap().is_none());
    for text in ["", "sop_", "nonsense"] {
        assert!(authenticate(&world.store, text).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn names_roles_and_labels_are_checked() {
    let world = world().await;
    let scope = world.scope().await;
    for name in ["", "a b", "ä", &"x".repeat(65)] {
        assert!(matches!(create_user(&scope, name, "viewer", None).await, Err(IdentityError::InvalidName)), "{name}");
    }
    assert!(matches!(create_user(&scope, "ada", "god", None).await, Err(IdentityError::UnknownRole(_))));
    assert!(matches!(
        create_token(&scope, CredentialKind::Ingest, "a\nb", None, None).await,
        Err(IdentityError::InvalidName)
    ));
}
