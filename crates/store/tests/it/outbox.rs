//! Notices: written with what they tell of, addressed once, tried until taken or given up, and forgotten after a time.

use std::time::Duration;

use shieldops_model::{Audience, Clock as _, Notice, NoticeKind, PlanId, Timestamp, id};
use shieldops_store::{
    PageRequest, StoreError, ledger,
    notification_settings::{self, NotificationSettings, Webhook},
    outbox::{self, Channel, Filter, Letter, LetterState, NewLetter},
};

use crate::support::{World, world};

fn plan() -> PlanId {
    id::mint(crate::support::now(), &mut rand::rng())
}

fn request(plan: PlanId, step: u8) -> Notice {
    let notice = Notice::new(NoticeKind::ApprovalRequest, Audience::Approvers).with("Plan", "block 203.0.113.9");
    Notice { plan: Some(plan), step, ..notice }
}

fn to(address: &str) -> NewLetter {
    NewLetter { channel: Channel::Email, to: address.to_owned() }
}

/// A notice that is due now, and its letters.
async fn addressed(world: &World, letters: &[NewLetter]) -> Vec<Letter> {
    let (scope, now) = (world.scope(), world.clock.now());
    let mut tx = scope.begin().await.unwrap();
    let notice = outbox::queue(&mut tx, &request(plan(), 0), now, now).await.unwrap().unwrap();
    assert!(outbox::address(&mut tx, (notice, NoticeKind::ApprovalRequest), letters, now).await.unwrap());
    assert!(!outbox::address(&mut tx, (notice, NoticeKind::ApprovalRequest), letters, now).await.unwrap());
    tx.commit(now).await.unwrap();
    let mut due = outbox::due(&mut scope.read().await.unwrap(), now, 50).await.unwrap();
    due.sort_by(|one, other| one.to.cmp(&other.to));
    due
}

async fn fail(world: &World, letter: &Letter, next: Option<Timestamp>) -> Result<(), StoreError> {
    let mut tx = world.scope().begin().await?;
    outbox::failed(&mut tx, letter, "451 later", next, world.clock.now()).await?;
    tx.commit(world.clock.now()).await
}

#[tokio::test]
async fn a_notice_is_there_with_its_transaction_or_not_at_all() {
    let Some(world) = world().await else { return };
    let (scope, now) = (world.scope(), world.clock.now());
    let due = now.plus(Duration::from_mins(5));
    let mut tx = scope.begin().await.unwrap();
    outbox::queue(&mut tx, &request(plan(), 0), now, now).await.unwrap();
    drop(tx);
    let mut reader = scope.read().await.unwrap();
    assert_eq!(outbox::next_due(&mut reader).await.unwrap(), None);
    let mut tx = scope.begin().await.unwrap();
    let id = outbox::queue(&mut tx, &request(plan(), 1), due, now).await.unwrap().unwrap();
    tx.commit(now).await.unwrap();
    assert_eq!(outbox::next_due(&mut reader).await.unwrap(), Some(due));
    assert_eq!(outbox::waiting(&mut reader, now, 10).await.unwrap(), []);
    let waiting = outbox::waiting(&mut reader, due, 10).await.unwrap();
    assert_eq!((waiting[0].id, waiting[0].notice.facts[0].value.as_str()), (id, "block 203.0.113.9"));
    let mut tx = scope.begin().await.unwrap();
    assert!(outbox::withdraw(&mut tx, id).await.unwrap() && !outbox::withdraw(&mut tx, id).await.unwrap());
    tx.commit(now).await.unwrap();
    assert_eq!(outbox::waiting(&mut reader, due, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_letter_is_tried_until_it_is_taken_or_given_up_and_the_ledger_knows_which_were_given_up() {
    let Some(world) = world().await else { return };
    let letters = addressed(&world, &[to("ann@example.org"), to("bob@example.org")]).await;
    assert_eq!(letters.iter().map(|one| one.to.as_str()).collect::<Vec<_>>(), ["ann@example.org", "bob@example.org"]);
    let later = world.clock.now().plus(Duration::from_secs(30));
    fail(&world, &letters[0], Some(later)).await.unwrap();
    let mut tx = world.scope().begin().await.unwrap();
    outbox::sent(&mut tx, &letters[1], world.clock.now()).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    assert!(matches!(fail(&world, &letters[1], None).await, Err(StoreError::Conflict)));

    let mut reader = world.scope().read().await.unwrap();
    assert_eq!(outbox::due(&mut reader, world.clock.now(), 10).await.unwrap(), []);
    let again = outbox::due(&mut reader, later, 10).await.unwrap();
    assert_eq!((again[0].attempts, again[0].error.as_deref()), (1, Some("451 later")));
    fail(&world, &again[0], None).await.unwrap();

    let dead = Filter { state: Some(LetterState::Dead), channel: Some(Channel::Email) };
    let page = PageRequest { limit: Some(1), cursor: None };
    let listed = outbox::list(&mut reader, &dead, &page).await.unwrap();
    assert_eq!((listed.items.len(), listed.items[0].attempts, listed.next_cursor), (1, 2, None));
    let all = outbox::list(&mut reader, &Filter::default(), &page).await.unwrap();
    let rest = PageRequest { limit: Some(1), cursor: all.next_cursor };
    let rest = outbox::list(&mut reader, &Filter::default(), &rest).await.unwrap();
    assert_eq!((rest.items.len(), rest.next_cursor), (1, None));
    assert_ne!(rest.items[0].state, all.items[0].state);
    let told = ledger::of_subject(&mut reader, &again[0].id.to_string()).await.unwrap();
    assert_eq!(told.iter().map(|one| one.kind.as_str()).collect::<Vec<_>>(), ["notice.undelivered"]);
}

#[tokio::test]
async fn a_request_that_nobody_answers_says_how_far_it_was_escalated() {
    let Some(world) = world().await else { return };
    let (scope, now, plan) = (world.scope(), world.clock.now(), plan());
    let mut reader = scope.read().await.unwrap();
    assert_eq!(outbox::request(&mut reader, plan).await.unwrap(), None);
    for step in 0..3 {
        let mut tx = scope.begin().await.unwrap();
        let id = outbox::queue(&mut tx, &request(plan, step), now, now).await.unwrap().unwrap();
        outbox::address(&mut tx, (id, NoticeKind::ApprovalRequest), &[], now).await.unwrap();
        tx.commit(now).await.unwrap();
    }
    let last = Notice { kind: NoticeKind::Unanswered, ..request(plan, 3) };
    let mut tx = scope.begin().await.unwrap();
    let id = outbox::queue(&mut tx, &last, now, now).await.unwrap().unwrap();
    tx.commit(now).await.unwrap();
    let waits = outbox::request(&mut reader, plan).await.unwrap().unwrap();
    assert_eq!((waits.step, waits.next_at, waits.unanswered), (2, Some(now), false));
    let mut tx = scope.begin().await.unwrap();
    outbox::address(&mut tx, (id, NoticeKind::Unanswered), &[], now).await.unwrap();
    tx.commit(now).await.unwrap();
    let over = outbox::request(&mut reader, plan).await.unwrap().unwrap();
    assert_eq!((over.step, over.next_at, over.unanswered), (2, None, true));
}

#[tokio::test]
async fn the_same_is_told_of_one_action_once_an_hour() {
    let Some(world) = world().await else { return };
    let action = Some(id::mint(crate::support::now(), &mut rand::rng()));
    let failed = Notice { action, ..Notice::new(NoticeKind::UndoFailed, Audience::Approvers) };
    let other = Notice { kind: NoticeKind::Drifted, ..failed.clone() };
    let mut kept = Vec::new();
    for (minutes, notice) in [(0, &failed), (1, &failed), (1, &other), (59, &failed), (61, &failed)] {
        let now = crate::support::now().plus(Duration::from_mins(minutes));
        let mut tx = world.scope().begin().await.unwrap();
        kept.push(outbox::queue(&mut tx, notice, now, now).await.unwrap().is_some());
        tx.commit(now).await.unwrap();
    }
    assert_eq!(kept, [true, false, true, false, true]);
}

#[tokio::test]
async fn what_ended_is_forgotten_after_a_time_and_what_waits_is_not() {
    let Some(world) = world().await else { return };
    let letters = addressed(&world, &[to("ann@example.org"), to("bob@example.org")]).await;
    fail(&world, &letters[0], None).await.unwrap();
    let mut tx = world.scope().begin().await.unwrap();
    outbox::sweep(&mut tx, world.clock.now().plus(Duration::from_secs(1))).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    let mut reader = world.scope().read().await.unwrap();
    assert_eq!(outbox::find_letter(&mut reader, letters[0].id).await.unwrap(), None);
    assert!(outbox::find_letter(&mut reader, letters[1].id).await.unwrap().is_some());
    assert!(outbox::find(&mut reader, letters[1].notice_id).await.unwrap().is_some());
}

#[tokio::test]
async fn the_secret_of_a_webhook_rests_sealed_and_stands_in_no_entry() {
    let Some(world) = world().await else { return };
    let (scope, now) = (world.scope(), world.clock.now());
    let webhook =
        Webhook { url: "https://hooks.example.org/x".to_owned(), secret: "planted-hook-secret-4711".to_owned() };
    assert!(!format!("{webhook:?}").contains("planted"));
    let wanted = NotificationSettings { email: false, webhook: Some(webhook) };
    let mut tx = scope.begin().await.unwrap();
    let put = notification_settings::put(&mut tx, &wanted, Some(0), now).await.unwrap();
    tx.commit(now).await.unwrap();
    assert_eq!((put.version, &put.value), (1, &wanted));
    let mut tx = scope.begin().await.unwrap();
    let stale = notification_settings::put(&mut tx, &wanted, Some(0), now).await;
    assert!(matches!(stale, Err(StoreError::Stale { version: 1 })));
    drop(tx);
    let mut reader = scope.read().await.unwrap();
    let entries = ledger::of_subject(&mut reader, &world.tenant.to_string()).await.unwrap();
    let entry = entries.iter().find(|one| one.kind == "notifications.changed").unwrap();
    assert!(!format!("{entry:?}").contains("planted"));
}

/// As a node of an earlier version sees what a later one wrote.
#[tokio::test]
async fn a_notice_or_letter_that_cannot_be_read_waits_and_holds_up_no_other() {
    let Some(world) = world().await else { return };
    let (scope, now) = (world.scope(), world.clock.now());
    let mut tx = scope.begin().await.unwrap();
    let test = Notice::new(NoticeKind::Test, Audience::Everyone);
    let strange = outbox::queue(&mut tx, &test, now, now).await.unwrap().unwrap();
    let known = outbox::queue(&mut tx, &request(plan(), 0), now, now).await.unwrap().unwrap();
    tx.commit(now).await.unwrap();
    world.sql("UPDATE outbox SET body=(SELECT body FROM outbox WHERE kind='approval_request') WHERE kind='test'").await;
    let mut reader = scope.read().await.unwrap();
    let waiting = outbox::waiting(&mut reader, now, 10).await.unwrap();
    assert_eq!(waiting.iter().map(|queued| queued.id).collect::<Vec<_>>(), [known]);
    let mut tx = scope.begin().await.unwrap();
    outbox::address(&mut tx, (strange, NoticeKind::Test), &[to("ann@example.org")], now).await.unwrap();
    outbox::address(&mut tx, (known, NoticeKind::ApprovalRequest), &[to("bob@example.org")], now).await.unwrap();
    tx.commit(now).await.unwrap();
    world.sql("UPDATE outbox_letters SET kind='of_tomorrow' WHERE kind='test'").await;
    let due = outbox::due(&mut reader, now, 10).await.unwrap();
    assert_eq!(due.iter().map(|letter| letter.to.as_str()).collect::<Vec<_>>(), ["bob@example.org"]);
    assert_eq!(outbox::tally(&mut reader).await.unwrap(), (2, 0), "it is not lost");
}
