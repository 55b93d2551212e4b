//! Second factors, recovery codes, and sign-ins that are half done.

use std::time::Duration;

use shieldops_model::{Clock as _, Confirmation, ConfirmedWith, UserId};
use shieldops_store::{
    Ceremony, StoreError, TenantScope,
    factors::{self, Factor, FactorKind},
    memberships,
    people::NewCredential,
    sessions,
};

use crate::{
    principals::principal,
    support::{World, world},
    tenancy::{fresh, kinds, person, session, session_of, tenant},
};

fn factor(world: &World, kind: FactorKind, body: &str) -> Factor {
    Factor {
        id: fresh(world),
        kind,
        name: "phone".into(),
        body: body.as_bytes().to_vec(),
        created_at: world.clock.now(),
        last_used_at: None,
        last_step: None,
    }
}

pub(crate) async fn with_app(world: &World, scope: &TenantScope, user: UserId, secret: &str) -> Factor {
    let factor = factor(world, FactorKind::Totp, secret);
    let mut tx = scope.begin().await.unwrap();
    factors::add(&mut tx, user, &factor).await.unwrap();
    factors::set_recovery_codes(&mut tx, user, &[[1; 32], [2; 32]]).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    factor
}

#[tokio::test]
async fn a_factor_reads_back_and_one_person_has_one_app() {
    let Some(world) = world().await else { return };
    let scope = world.scope();
    let ada = person(&world, &scope, "ada", "viewer").await;
    let app = with_app(&world, &scope, ada, "the secret").await;
    let known = world.store.factors_of(ada).await.unwrap();
    assert_eq!((known.len(), known[0].id, known[0].body.as_slice()), (1, app.id, b"the secret".as_slice()));
    assert!(!serde_json::to_string(&known[0]).unwrap().contains("body"), "a secret is never serialised");
    let mut tx = scope.begin().await.unwrap();
    let second = factors::add(&mut tx, ada, &factor(&world, FactorKind::Totp, "x")).await;
    assert!(matches!(second, Err(StoreError::AlreadyExists { .. })));
    factors::add(&mut tx, ada, &factor(&world, FactorKind::Passkey, "a key")).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    assert_eq!(world.store.factors_of(ada).await.unwrap().len(), 2);
    let bob = person(&world, &scope, "bob", "viewer").await;
    assert!(world.store.factors_of(bob).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_time_step_is_taken_once_and_never_an_earlier_one() {
    let Some(world) = world().await else { return };
    let scope = world.scope();
    let ada = person(&world, &scope, "ada", "viewer").await;
    let app = with_app(&world, &scope, ada, "s").await;
    let now = world.clock.now();
    let mut tx = scope.begin().await.unwrap();
    for (step, taken) in [(10, true), (10, false), (9, false), (11, true)] {
        assert_eq!(factors::take_step(&mut tx, ada, app.id, step, now).await.unwrap(), taken, "{step}");
    }
    factors::set_body(&mut tx, ada, app.id, b"moved", now).await.unwrap();
    tx.commit(now).await.unwrap();
    let known = &world.store.factors_of(ada).await.unwrap()[0];
    assert_eq!(
        (known.last_step, known.last_used_at, known.body.as_slice()),
        (Some(11), Some(now), b"moved".as_slice())
    );
}

#[tokio::test]
async fn a_recovery_code_opens_once_and_codes_go_with_the_last_factor() {
    let Some(world) = world().await else { return };
    let scope = world.scope();
    let ada = person(&world, &scope, "ada", "viewer").await;
    let app = with_app(&world, &scope, ada, "s").await;
    let now = world.clock.now();
    let mut tx = scope.begin().await.unwrap();
    assert!(factors::spend_recovery_code(&mut tx, ada, &[1; 32], now).await.unwrap());
    assert!(!factors::spend_recovery_code(&mut tx, ada, &[1; 32], now).await.unwrap());
    assert!(!factors::spend_recovery_code(&mut tx, ada, &[7; 32], now).await.unwrap());
    tx.commit(now).await.unwrap();
    assert_eq!(world.store.recovery_codes_left(ada).await.unwrap(), 1);
    let mut tx = scope.begin().await.unwrap();
    factors::remove(&mut tx, ada, app.id).await.unwrap();
    assert!(matches!(factors::remove(&mut tx, ada, app.id).await, Err(StoreError::NotFound)));
    tx.commit(now).await.unwrap();
    assert_eq!(world.store.recovery_codes_left(ada).await.unwrap(), 0);
    let made = kinds(&scope).await;
    assert_eq!(made, ["user.created", "factor.added", "recovery_codes.made", "recovery_code.spent", "factor.removed"]);
}

#[tokio::test]
async fn factors_go_with_their_person() {
    let Some(world) = world().await else { return };
    let scope = world.scope();
    let ada = person(&world, &scope, "ada", "viewer").await;
    with_app(&world, &scope, ada, "s").await;
    let mut tx = scope.begin().await.unwrap();
    assert!(memberships::remove(&mut tx, ada, world.clock.now()).await.unwrap());
    tx.commit(world.clock.now()).await.unwrap();
    assert!(world.store.factors_of(ada).await.unwrap().is_empty());
    assert_eq!(world.store.recovery_codes_left(ada).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ceremony_is_spent_by_one_of_two_and_only_as_what_it_is() {
    let Some(world) = world().await else { return };
    let now = world.clock.now();
    let expires_at = now.plus(Duration::from_mins(5));
    let open =
        Ceremony { hash: [1; 32], kind: "second_factor".into(), principal: None, body: b"half".to_vec(), expires_at };
    world.store.open_ceremony(&open, now).await.unwrap();
    assert!(world.store.spend_ceremony(&[1; 32], "passkey", now).await.unwrap().is_none());
    assert_eq!(world.store.find_ceremony(&[1; 32], "second_factor", now).await.unwrap().unwrap().body, b"half");
    let spend = || world.store.spend_ceremony(&[1; 32], "second_factor", now);
    let (one, other) = tokio::join!(spend(), spend());
    assert!(one.unwrap().is_some() != other.unwrap().is_some());
    world.store.open_ceremony(&Ceremony { hash: [2; 32], ..open }, now).await.unwrap();
    world.clock.advance(Duration::from_mins(5));
    let late = world.store.spend_ceremony(&[2; 32], "second_factor", world.clock.now()).await.unwrap();
    assert!(late.is_none());
}

#[tokio::test]
async fn strangers_who_begin_sign_ins_keep_no_person_out() {
    let Some(world) = world().await else { return };
    let ada = person(&world, &world.scope(), "ada", "viewer").await;
    let now = world.clock.now();
    let ceremony = |number: u8, principal| Ceremony {
        hash: [number; 32],
        kind: "passkey".into(),
        principal,
        body: Vec::new(),
        expires_at: now.plus(Duration::from_secs(u64::from(number) + 60)),
    };
    world.store.open_ceremony(&ceremony(1, None), now).await.unwrap();
    let (digits, hash) =
        ("WITH d(n) AS (VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9))", "a.n+10*b.n+100*c.n+1000*e.n");
    let full = |hash: &str| {
        format!(
            "{digits} INSERT INTO ceremonies (hash, kind, body, expires_at) SELECT {hash}, 'passkey', X'00', {} FROM d a, d b, d c, d e",
            now.plus(Duration::from_secs(70)).as_micros()
        )
    };
    let hash = if crate::POSTGRES {
        format!("decode(lpad(to_hex({hash}), 64, '0'), 'hex')")
    } else {
        format!("CAST(printf('%032d', {hash}) AS BLOB)")
    };
    world.sql(&full(&hash)).await;
    world.store.open_ceremony(&ceremony(99, None), now).await.unwrap();
    assert!(world.store.find_ceremony(&[99; 32], "passkey", now).await.unwrap().is_some(), "nor another stranger");
    for number in 2..=30 {
        world.store.open_ceremony(&ceremony(number, Some(ada)), now).await.unwrap();
    }
    let mut left = 0;
    for number in 2..=30 {
        left += u32::from(world.store.find_ceremony(&[number; 32], "passkey", now).await.unwrap().is_some());
    }
    assert_eq!(left, 20, "the oldest of a person go");
    assert!(world.store.find_ceremony(&[30; 32], "passkey", now).await.unwrap().is_some());
    assert!(world.store.find_ceremony(&[1; 32], "passkey", now).await.unwrap().is_none(), "the oldest stranger's went");
}

#[tokio::test]
async fn a_session_that_is_verified_again_says_when_and_how() {
    let Some(world) = world().await else { return };
    let scope = world.scope();
    let ada = person(&world, &scope, "ada", "viewer").await;
    let id = session(&world, &scope, ada, 1).await;
    let found = principal(&world, 1, None).await;
    assert!(found.confirmed.is_none());
    // The last proof counts, whatever the one before it was: a password after a passkey is a password.
    for with in ConfirmedWith::ALL.into_iter().rev() {
        let now = world.clock.now();
        let confirmed = Confirmation::new(with, now);
        let mut tx = scope.begin().await.unwrap();
        sessions::set_confirmed(&mut tx, id, confirmed).await.unwrap();
        tx.record("session.verified", &[&id], ()).unwrap();
        tx.commit(now).await.unwrap();
        assert_eq!(principal(&world, 1, None).await.confirmed, Some(confirmed));
        let listed = world.store.sessions_of(ada, now).await.unwrap();
        assert_eq!((listed.len(), listed[0].confirmed), (1, Some(confirmed)));
        world.clock.advance(Duration::from_secs(7));
    }
}

/// The index as the release before 22 had it, which knew of a session only whether it had been given a second factor.
const BEFORE: &str = "ALTER TABLE principal_index ADD COLUMN strong INTEGER NOT NULL DEFAULT 0; \
    UPDATE principal_index SET strong=1 WHERE confirmed_with='recovery_code'; \
    ALTER TABLE principal_index DROP COLUMN confirmed_with; DELETE FROM _sqlx_migrations WHERE version=22; ";

#[tokio::test]
async fn sessions_of_a_release_that_kept_no_method_work_on_and_vote_on_nothing_critical() {
    let Some(world) = world().await else { return };
    let (scope, at) = (world.scope(), world.clock.now());
    let ada = person(&world, &scope, "ada", "viewer").await;
    for (hash, with) in [(1, Some(ConfirmedWith::Password)), (2, Some(ConfirmedWith::RecoveryCode)), (3, None)] {
        let confirmed = with.map(|with| Confirmation::new(with, at));
        let credential = NewCredential { hash: [hash; 32], user: Some(ada), confirmed, ..NewCredential::default() };
        session_of(&world, &scope, credential).await;
    }
    let stopped = world.stop().await;
    let (gone, there) = if crate::POSTGRES {
        (
            "DROP TRIGGER authority_of_principals ON principal_index; ",
            "CREATE CONSTRAINT TRIGGER authority_of_principals AFTER DELETE OR UPDATE OF strong, verified_at ON principal_index \
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION authority_moves()",
        )
    } else {
        (
            "DROP TRIGGER authority_of_principals; ",
            "CREATE TRIGGER authority_of_principals AFTER UPDATE OF strong, verified_at ON principal_index \
             BEGIN INSERT INTO authority VALUES (1,1) ON CONFLICT (one) DO UPDATE SET epoch=epoch+1; END",
        )
    };
    stopped.sql(&format!("{gone}{BEFORE}{there}")).await;
    let world = stopped.start().await;
    let kept = [Some(ConfirmedWith::Password), Some(ConfirmedWith::SecondFactor), None];
    for (hash, with) in (1..).zip(kept) {
        let found = principal(&world, hash, None).await;
        assert_eq!(found.confirmed, with.map(|with| Confirmation::new(with, at)));
        assert!(!found.confirmed.is_some_and(|confirmed| confirmed.is_strong(at)));
        // The epoch moves with it as before: what is remembered of the session is read again.
        let fresh = Confirmation::new(ConfirmedWith::Passkey, at);
        let mut tx = world.scope().begin().await.unwrap();
        sessions::set_confirmed(&mut tx, found.session.unwrap(), fresh).await.unwrap();
        tx.record("session.verified", &[&ada], ()).unwrap();
        tx.commit(at).await.unwrap();
        assert_eq!(principal(&world, hash, None).await.confirmed, Some(fresh));
    }
    assert!(world.verify(&[]).await.ok);
}

#[tokio::test]
async fn of_two_apps_that_are_set_up_at_once_in_two_tenants_one_is_taken() {
    let Some(world) = world().await else { return };
    let (here, there) = (world.scope(), tenant(&world, "acme", None).await);
    let ada = person(&world, &here, "ada", "viewer").await;
    let (one, other) = (factor(&world, FactorKind::Totp, "one"), factor(&world, FactorKind::Totp, "other"));
    let mut first = here.begin().await.unwrap();
    factors::add(&mut first, ada, &one).await.unwrap();
    let now = world.clock.now();
    let second = tokio::spawn(async move {
        let mut second = there.begin().await?;
        factors::add(&mut second, ada, &other).await?;
        second.commit(now).await
    });
    // On PostgreSQL the second has begun by now and waits for the person; on SQLite it waits for the writer.
    tokio::time::sleep(Duration::from_millis(200)).await;
    first.commit(now).await.unwrap();
    let second = second.await.unwrap();
    assert!(matches!(second, Err(StoreError::AlreadyExists { .. })), "{second:?}");
    assert_eq!(world.store.factors_of(ada).await.unwrap().len(), 1);
}
