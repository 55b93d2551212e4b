//! Passkeys from the options to the session, with a device in software.

use shieldops_identity::{
    IdentityError, Proof, SignIn, factors,
    passkeys::{self, begin, begin_registration, finish_registration},
    sessions::{self, Method},
};
use shieldops_model::{Confirmation, ConfirmedWith, UserId};

use crate::{
    authenticator::Device,
    world::{At, HOME, PASSWORD, URL, World, from, world},
};

async fn register(world: &World, at: &At, name: &str) -> (Device, Vec<String>) {
    let begun = begin_registration(&at.scope, &world.passkeys, &at.principal).await.unwrap();
    let selection = begun.options.pointer("/publicKey/authenticatorSelection").unwrap();
    assert_eq!((&selection["residentKey"], &selection["userVerification"]), (&"required".into(), &"required".into()));
    let (device, answer) = Device::register(&begun.options, URL);
    let ticket = begun.ticket.expose();
    let made = finish_registration(&at.scope, &world.passkeys, &at.principal, ticket, name, answer.clone()).await;
    let again = finish_registration(&at.scope, &world.passkeys, &at.principal, ticket, name, answer).await;
    assert!(matches!(again, Err(IdentityError::TicketSpent)));
    let (factor, codes) = made.unwrap();
    assert_eq!(factor.name, name);
    (device, codes)
}

async fn sign_in(world: &World, device: &mut Device) -> Result<UserId, IdentityError> {
    let begun = begin(&world.store, &world.passkeys).await.unwrap();
    assert!(begun.options.get("mediation").is_none());
    let answer = device.sign(&begun.options);
    let signed_in = passkeys::sign_in(&world.door(), begun.ticket.expose(), answer, &from(HOME)).await?;
    let known = world.authenticate(signed_in.secret.expose()).await.unwrap();
    assert_eq!(known.confirmed, Some(Confirmation::new(ConfirmedWith::Passkey, world.now())));
    Ok(signed_in.user)
}

#[tokio::test]
async fn a_person_signs_in_with_a_passkey_alone() {
    let world = world().await;
    let ada = world.person("ada", "analyst").await;
    let at = world.as_person("ada").await;
    let (mut device, codes) = register(&world, &at, "laptop").await;
    assert_eq!(codes.len(), 10, "the first second factor brings recovery codes");
    assert_eq!(sign_in(&world, &mut device).await.unwrap(), ada);
    let (mut phone, none) = register(&world, &at, "phone").await;
    assert!(none.is_empty());
    assert_eq!(sign_in(&world, &mut phone).await.unwrap(), ada);
    let known = passkeys::list(&at.scope, &at.principal).await.unwrap();
    assert_eq!(known.len(), 2);
    assert!(known.iter().all(|passkey| passkey.last_used_at.is_some()));
    for passkey in known {
        passkeys::remove(&at.scope, &at.principal, passkey.id).await.unwrap();
    }
    assert!(matches!(sign_in(&world, &mut device).await, Err(IdentityError::PasskeyRefused)));
    assert_eq!(factors::status(&world.store, ada).await.unwrap().recovery_codes_left, 0);
    world.verified().await;
}

#[tokio::test]
async fn a_passkey_is_a_second_factor_and_a_confirmation() {
    let world = world().await;
    world.person("ada", "analyst").await;
    let at = world.as_person("ada").await;
    let (mut device, _) = register(&world, &at, "laptop").await;
    let SignIn::SecondFactor(challenge) = world.try_sign_in("ada", PASSWORD, HOME).await.unwrap() else {
        panic!("no second factor was asked for")
    };
    assert_eq!(challenge.methods, [Method::Passkey, Method::RecoveryCode]);
    let begun = begin(&world.store, &world.passkeys).await.unwrap();
    let proof = |answer| Proof::Passkey { ticket: begun.ticket.expose().to_owned(), credential: answer };
    let answer = proof(device.sign(&begun.options));
    sessions::second_factor(&world.door(), challenge.ticket.expose(), answer, &from(HOME)).await.unwrap();
    let begun = begin(&world.store, &world.passkeys).await.unwrap();
    let answer = Proof::Passkey { ticket: begun.ticket.expose().to_owned(), credential: device.sign(&begun.options) };
    let until = sessions::reauthenticate(&world.door(), &at.scope, &at.principal, answer, &from(HOME)).await.unwrap();
    assert!(until > world.now());
    let known = world.store.sessions_of(at.principal.user.unwrap(), world.now()).await.unwrap();
    let own = known.iter().find(|one| Some(one.id) == at.principal.session).unwrap();
    assert_eq!(own.confirmed, Some(Confirmation::new(ConfirmedWith::Passkey, world.now())));
}

#[tokio::test]
async fn the_passkey_of_somebody_else_is_no_second_factor() {
    let world = world().await;
    world.person("ada", "analyst").await;
    world.person("bob", "analyst").await;
    register(&world, &world.as_person("ada").await, "laptop").await;
    let (mut bobs, _) = register(&world, &world.as_person("bob").await, "laptop").await;
    let SignIn::SecondFactor(challenge) = world.try_sign_in("ada", PASSWORD, HOME).await.unwrap() else {
        panic!("no second factor was asked for")
    };
    let begun = begin(&world.store, &world.passkeys).await.unwrap();
    let answer = Proof::Passkey { ticket: begun.ticket.expose().to_owned(), credential: bobs.sign(&begun.options) };
    let refused = sessions::second_factor(&world.door(), challenge.ticket.expose(), answer, &from(HOME)).await;
    assert!(matches!(refused, Err(IdentityError::PasskeyRefused)));
}

#[tokio::test]
async fn an_answer_that_is_replayed_copied_or_of_another_page_is_refused() {
    let world = world().await;
    world.person("ada", "analyst").await;
    let bob = world.person("bob", "analyst").await;
    let (mut device, _) = register(&world, &world.as_person("ada").await, "laptop").await;
    let begun = begin(&world.store, &world.passkeys).await.unwrap();
    let answer = device.sign(&begun.options);
    let (door, origin) = (world.door(), from(HOME));
    passkeys::sign_in(&door, begun.ticket.expose(), answer.clone(), &origin).await.unwrap();
    let replay = passkeys::sign_in(&door, begun.ticket.expose(), answer.clone(), &origin).await;
    assert!(matches!(replay, Err(IdentityError::TicketSpent)));
    let next = begin(&world.store, &world.passkeys).await.unwrap();
    let stale = passkeys::sign_in(&door, next.ticket.expose(), answer, &origin).await;
    assert!(matches!(stale, Err(IdentityError::PasskeyRefused)), "another challenge");
    // A copy of the device is behind in its count.
    device.counter = 0;
    assert!(matches!(sign_in(&world, &mut device).await, Err(IdentityError::PasskeyRefused)));
    device.counter = 100;
    let mut elsewhere = device.at("https://shieldops.example.com");
    assert!(matches!(sign_in(&world, &mut elsewhere).await, Err(IdentityError::PasskeyRefused)));
    let mut claims = elsewhere.at(URL).claiming(&bob.to_bytes());
    assert!(matches!(sign_in(&world, &mut claims).await, Err(IdentityError::PasskeyRefused)));
    for odd in [serde_json::json!(null), serde_json::json!({}), serde_json::json!({"id": 1}), serde_json::json!([])] {
        let begun = begin(&world.store, &world.passkeys).await.unwrap();
        let refused = passkeys::sign_in(&door, begun.ticket.expose(), odd, &origin).await;
        assert!(matches!(refused, Err(IdentityError::PasskeyRefused)));
    }
}
