//! The admin link, the operator of the installation, and what is done offline.

use shieldops_identity::{ADMIN_LINK_FOR, IdentityError, PasswordError, Permission, boot};

use crate::world::{HOME, PASSWORD, may, world};

#[tokio::test]
async fn the_admin_link_sets_a_password_once() {
    let world = world().await;
    let link = world.link().await.unwrap();
    assert!(world.authenticate(&link).await.is_none(), "a link is no session");
    assert!(matches!(world.claim(&link, "short").await, Err(IdentityError::Password(PasswordError::TooShort))));
    assert!(matches!(
        world.claim(&link, "the-admin-of-all").await,
        Err(IdentityError::Password(PasswordError::ContainsName))
    ));
    let signed_in = world.claim(&link, PASSWORD).await.unwrap();
    assert!(world.authenticate(signed_in.secret.expose()).await.unwrap().role.is("admin"));
    assert!(matches!(world.claim(&link, "another horse battery").await, Err(IdentityError::LinkSpent)));
    assert!(world.sign_in("admin", PASSWORD, HOME).await.is_ok());
    assert!(world.link().await.is_none(), "no link once an administrator has a password");
}

#[tokio::test]
async fn whoever_spends_the_admin_link_runs_the_installation() {
    let world = world().await;
    let signed_in = world.claim(&world.link().await.unwrap(), PASSWORD).await.unwrap();
    let admin = world.at(signed_in.secret.expose(), None).await;
    assert!(admin.principal.operator && may(&admin, Permission::TenantWrite) && may(&admin, Permission::UserWrite));
    // Another administrator of the same tenant is not.
    world.person("ada", "admin").await;
    let ada = world.as_person("ada").await;
    assert!(may(&ada, Permission::UserWrite) && !may(&ada, Permission::TenantWrite));
    world.verified().await;
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
    world.person("root", "admin").await;
    assert!(matches!(world.claim(&link, "another horse battery").await, Err(IdentityError::LinkSpent)));
    let refused = world.sign_in("admin", "another horse battery", HOME).await;
    assert!(matches!(refused, Err(IdentityError::WrongCredentials)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_spend_the_admin_link_at_once_one_gets_in() {
    let world = world().await;
    let link = world.link().await.unwrap();
    let (one, other) = tokio::join!(world.claim(&link, PASSWORD), world.claim(&link, "another horse battery"));
    assert!(one.is_ok() != other.is_ok());
}

#[tokio::test]
async fn a_lone_administrator_gets_in_again_offline() {
    let world = world().await;
    let signed_in = world.claim(&world.link().await.unwrap(), PASSWORD).await.unwrap();
    let refused = boot::reset_password(&world.store, "nobody", "another horse battery".into(), true).await;
    assert!(matches!(refused, Err(IdentityError::Store(shieldops_store::StoreError::NotFound))));
    let weak = boot::reset_password(&world.store, "admin", "short".into(), true).await;
    assert!(matches!(weak, Err(IdentityError::Password(_))));
    boot::reset_password(&world.store, "admin", "another horse battery".into(), true).await.unwrap();
    assert!(world.authenticate(signed_in.secret.expose()).await.is_none(), "sessions end");
    assert!(world.sign_in("admin", "another horse battery", HOME).await.is_ok());
    world.verified().await;
}
