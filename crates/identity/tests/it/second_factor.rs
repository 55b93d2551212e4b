//! Authenticator apps and recovery codes: setting up, signing in, replays, and a tenant that requires one.

use std::time::Duration;

use shieldops_identity::{
    IdentityError, Permission, Proof, SignIn, SignedIn, decide, factors,
    sessions::{self, Challenge, Method, second_factor},
};
use shieldops_model::{Code, Confirmation, ConfirmedWith, tenant::TenantSettings};
use shieldops_store::{PageRequest, ledger, settings};
use totp_rs::{Algorithm, Secret, TOTP};

use crate::world::{At, HOME, PASSWORD, World, from, may, world};

/// The app on somebody's phone.
pub(crate) struct App(TOTP);

impl App {
    pub(crate) fn scan(secret: &str) -> Self {
        let secret = Secret::Encoded(secret.to_owned()).to_bytes().unwrap();
        Self(TOTP::new(Algorithm::SHA1, 6, 0, 30, secret, None, "ada".into()).unwrap())
    }

    pub(crate) fn code(&self, world: &World) -> String {
        self.0.generate(u64::try_from(world.now().as_secs()).unwrap())
    }
}

/// Sets up an app; the recovery codes are those shown.
async fn set_up(world: &World, at: &At) -> (App, Vec<String>) {
    let offer = factors::begin_totp(&at.scope, &at.principal).await.unwrap();
    let app = App::scan(&offer.secret);
    let wrong = factors::confirm_totp(&at.scope, &at.principal, offer.ticket.expose(), "000000").await;
    assert!(matches!(wrong, Err(IdentityError::WrongCode)));
    let codes = factors::confirm_totp(&at.scope, &at.principal, offer.ticket.expose(), &app.code(world)).await;
    let replay = factors::confirm_totp(&at.scope, &at.principal, offer.ticket.expose(), &app.code(world)).await;
    assert!(replay.is_err(), "a ticket is spent once");
    // The code of the set-up is used up too.
    world.clock.advance(Duration::from_secs(30));
    (app, codes.unwrap())
}

async fn challenged(world: &World, name: &str) -> Challenge {
    match world.try_sign_in(name, PASSWORD, HOME).await.unwrap() {
        SignIn::SecondFactor(challenge) => challenge,
        SignIn::Done(_) => panic!("no second factor was asked for"),
    }
}

async fn answer(world: &World, ticket: &str, proof: Proof) -> Result<SignedIn, IdentityError> {
    second_factor(&world.door(), ticket, proof, &from(HOME)).await
}

/// How and when somebody last proved who they are, as their next request says.
async fn confirmed(world: &World, signed_in: &SignedIn) -> Confirmation {
    world.authenticate(signed_in.secret.expose()).await.unwrap().confirmed.unwrap()
}

#[tokio::test]
async fn a_person_with_an_app_signs_in_with_a_code_of_it() {
    let world = world().await;
    world.person("ada", "analyst").await;
    let (app, codes) = set_up(&world, &world.as_person("ada").await).await;
    assert_eq!(codes.len(), 10);
    let challenge = challenged(&world, "ada").await;
    let ticket = challenge.ticket.expose();
    assert_eq!(challenge.methods, [Method::Totp, Method::RecoveryCode]);
    assert!(world.authenticate(ticket).await.is_none(), "a ticket opens nothing");
    let wrong = answer(&world, ticket, Proof::Code("000000".into())).await;
    assert!(matches!(wrong, Err(IdentityError::WrongCode)));
    let wrong = answer(&world, ticket, Proof::Password(PASSWORD.into())).await;
    assert!(matches!(wrong, Err(IdentityError::SecondFactorRequired)));
    let code = app.code(&world);
    let signed_in = answer(&world, ticket, Proof::Code(code.clone())).await.unwrap();
    assert_eq!(confirmed(&world, &signed_in).await, Confirmation::new(ConfirmedWith::Totp, world.now()));
    let again = answer(&world, ticket, Proof::Code(code.clone())).await;
    assert!(matches!(again, Err(IdentityError::TicketSpent)));
    // A code that somebody saw opens no second session.
    let next = challenged(&world, "ada").await;
    let replay = answer(&world, next.ticket.expose(), Proof::Code(code)).await;
    assert!(matches!(replay, Err(IdentityError::WrongCode)));
    world.clock.advance(Duration::from_secs(30));
    assert!(answer(&world, next.ticket.expose(), Proof::Code(app.code(&world))).await.is_ok());
    world.verified().await;
}

#[tokio::test]
async fn a_recovery_code_opens_once() {
    let world = world().await;
    let ada = world.person("ada", "analyst").await;
    let (_, codes) = set_up(&world, &world.as_person("ada").await).await;
    let code = codes.first().unwrap().clone();
    for right in [true, false] {
        let challenge = challenged(&world, "ada").await;
        let done = answer(&world, challenge.ticket.expose(), Proof::RecoveryCode(code.to_uppercase())).await;
        assert_eq!(done.is_ok(), right);
    }
    assert_eq!(factors::status(&world.store, ada).await.unwrap().recovery_codes_left, 9);
    world.verified().await;
}

#[tokio::test]
async fn a_session_is_as_good_as_its_last_proof_and_the_ledger_says_what_that_was() {
    let world = world().await;
    world.person("ada", "analyst").await;
    let first = world.sign_in("ada", PASSWORD, HOME).await.unwrap();
    assert_eq!(confirmed(&world, &first).await.with, ConfirmedWith::Password);
    let ada = world.at(first.secret.expose(), None).await;
    let (app, codes) = set_up(&world, &ada).await;
    assert_eq!(confirmed(&world, &first).await.with, ConfirmedWith::Totp, "an app shows itself when it is added");

    let challenge = challenged(&world, "ada").await;
    let recovered = answer(&world, challenge.ticket.expose(), Proof::RecoveryCode(codes[0].clone())).await.unwrap();
    let opened = world.now();
    assert_eq!(confirmed(&world, &recovered).await, Confirmation::new(ConfirmedWith::RecoveryCode, opened));
    assert!(
        !confirmed(&world, &recovered).await.is_strong(opened),
        "it opens a session, and is no fresh second factor"
    );
    let at = world.at(recovered.secret.expose(), None).await;
    let (door, origin) = (world.door(), from(HOME));
    let prove = async |proof| sessions::reauthenticate(&door, &at.scope, &at.principal, proof, &origin).await.unwrap();
    world.clock.advance(Duration::from_mins(1));
    prove(Proof::Code(app.code(&world))).await;
    assert_eq!(confirmed(&world, &recovered).await, Confirmation::new(ConfirmedWith::Totp, world.now()));
    prove(Proof::RecoveryCode(codes[1].clone())).await;
    assert!(!confirmed(&world, &recovered).await.is_strong(world.now()), "the last proof counts");

    let said = said(&world, &["session.opened", "session.verified"]).await;
    let said: Vec<_> = said.iter().map(|entry| entry.payload["confirmed_with"].as_str().unwrap()).collect();
    assert_eq!(said, ["password", "totp", "recovery_code", "totp", "recovery_code"]);
}

/// Entries of these kinds, oldest first.
async fn said(world: &World, kinds: &[&str]) -> Vec<ledger::Entry> {
    let page = PageRequest { limit: Some(200), cursor: None };
    let mut access = world.scope().await.read().await.unwrap();
    let found = ledger::list(&mut access, &ledger::Filter::default(), &page).await.unwrap().items;
    found.into_iter().rev().filter(|entry| kinds.contains(&entry.kind.as_str())).collect()
}

#[tokio::test]
async fn a_ticket_is_good_for_five_minutes_and_for_its_own_person() {
    let world = world().await;
    world.person("ada", "analyst").await;
    world.person("bob", "analyst").await;
    let (app, _) = set_up(&world, &world.as_person("ada").await).await;
    let (bobs, _) = set_up(&world, &world.as_person("bob").await).await;
    let challenge = challenged(&world, "ada").await;
    let crossed = answer(&world, challenge.ticket.expose(), Proof::Code(bobs.code(&world))).await;
    assert!(matches!(crossed, Err(IdentityError::WrongCode)));
    world.after_a_ticket();
    let late = answer(&world, challenge.ticket.expose(), Proof::Code(app.code(&world))).await;
    assert!(matches!(late, Err(IdentityError::TicketSpent)));
    for text in ["", "sot_", "nonsense", &challenge.ticket.expose().replace("sot_", "sos_")] {
        let odd = answer(&world, text, Proof::Code(app.code(&world))).await;
        assert!(matches!(odd, Err(IdentityError::TicketSpent)), "{text}");
    }
}

#[tokio::test]
async fn codes_are_not_guessed_faster_than_passwords() {
    let world = world().await;
    world.person("ada", "analyst").await;
    let (app, _) = set_up(&world, &world.as_person("ada").await).await;
    let challenge = challenged(&world, "ada").await;
    let mut refused = Vec::new();
    for guess in 0..6 {
        refused
            .push(answer(&world, challenge.ticket.expose(), Proof::Code(format!("{guess:06}"))).await.err().unwrap());
    }
    assert!(matches!(refused.last(), Some(IdentityError::Wait(_))));
    // A new sign-in does not start the count anew.
    let challenge = challenged(&world, "ada").await;
    let waits = answer(&world, challenge.ticket.expose(), Proof::Code(app.code(&world))).await;
    assert!(matches!(waits, Err(IdentityError::Wait(_))));
    world.clock.advance(Duration::from_mins(1));
    assert!(answer(&world, challenge.ticket.expose(), Proof::Code(app.code(&world))).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_send_one_code_at_once_one_gets_in() {
    let world = world().await;
    world.person("ada", "analyst").await;
    let (app, _) = set_up(&world, &world.as_person("ada").await).await;
    let (one, other) = (challenged(&world, "ada").await, challenged(&world, "ada").await);
    let code = app.code(&world);
    let (one, other) = tokio::join!(
        answer(&world, one.ticket.expose(), Proof::Code(code.clone())),
        answer(&world, other.ticket.expose(), Proof::Code(code)),
    );
    assert!(one.is_ok() != other.is_ok());
}

#[tokio::test]
async fn second_factors_change_only_after_a_recent_confirmation_with_one() {
    let world = world().await;
    world.person("ada", "analyst").await;
    let ada = world.as_person("ada").await;
    let (app, first) = set_up(&world, &ada).await;
    world.clock.advance(Duration::from_secs(301));
    for refused in [
        factors::begin_totp(&ada.scope, &ada.principal).await.err(),
        factors::new_recovery_codes(&ada.scope, &ada.principal).await.err(),
        factors::remove_totp(&ada.scope, &ada.principal).await.err(),
    ] {
        assert!(matches!(refused, Some(IdentityError::ReauthenticationRequired)));
    }
    let (door, origin) = (world.door(), from(HOME));
    let confirm = async |proof| sessions::reauthenticate(&door, &ada.scope, &ada.principal, proof, &origin).await;
    let by_password = confirm(Proof::Password(PASSWORD.into())).await;
    assert!(matches!(by_password, Err(IdentityError::SecondFactorRequired)));
    confirm(Proof::Code(app.code(&world))).await.unwrap();
    let challenge = challenged(&world, "ada").await;
    world.clock.advance(Duration::from_secs(30));
    let fresh = answer(&world, challenge.ticket.expose(), Proof::Code(app.code(&world))).await.unwrap();
    let ada = world.at(fresh.secret.expose(), None).await;
    assert!(matches!(factors::begin_totp(&ada.scope, &ada.principal).await, Err(IdentityError::Conflict(_))));
    let second = factors::new_recovery_codes(&ada.scope, &ada.principal).await.unwrap();
    assert!(first.iter().all(|code| !second.contains(code)));
    factors::remove_totp(&ada.scope, &ada.principal).await.unwrap();
    assert!(world.sign_in("ada", PASSWORD, HOME).await.is_ok(), "no second factor, none asked for");
    // In the session that the app once opened, a password alone is no fresh second factor.
    let proof = Proof::Password(PASSWORD.into());
    sessions::reauthenticate(&door, &ada.scope, &ada.principal, proof, &origin).await.unwrap();
    assert_eq!(confirmed(&world, &fresh).await, Confirmation::new(ConfirmedWith::Password, world.now()));
    world.verified().await;
}

#[tokio::test]
async fn a_tenant_that_requires_a_second_factor_shows_nothing_without_one() {
    let world = world().await;
    let user = world.person("ada", "admin").await;
    let mut tx = world.scope().await.begin().await.unwrap();
    let wanted = TenantSettings { require_second_factor: Some(true), ..TenantSettings::default() };
    settings::put(&mut tx, &wanted, None, world.now()).await.unwrap();
    tx.commit(world.now()).await.unwrap();
    let signed_in = world.sign_in("ada", PASSWORD, HOME).await.unwrap();
    let ada = world.at(signed_in.secret.expose(), None).await;
    let refused = decide::authorise(&ada.rights, Permission::AlertRead, None);
    assert_eq!(refused.code, Some(Code::SECOND_FACTOR_NEEDED_HERE));
    // One's own account is open, so that a factor can be added; the session counts from then on.
    set_up(&world, &ada).await;
    assert!(may(&world.at(signed_in.secret.expose(), None).await, Permission::AlertRead));
    assert!(factors::status(&world.store, user).await.unwrap().any());
}
