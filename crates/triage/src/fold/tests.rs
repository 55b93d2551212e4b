//! Deduplication told as cases: windows, counts, limits, and that a replay changes nothing.

use std::sync::Arc;

use proptest::prelude::*;
use shieldops_model::{Entity, EntityKind, Severity};

use super::*;
use crate::finding::RuleFacts;

const TENANT: TenantId = TenantId::from_bits(1);
const NOW: Timestamp = Timestamp::from_secs(10_000);

fn rule(id: &str, version: &str) -> Arc<RuleFacts> {
    Arc::new(RuleFacts {
        id: id.into(),
        title: format!("Rule {id}"),
        version: version.into(),
        level: Severity::Medium,
        attack: Attack { tactics: vec!["credential-access".into()], techniques: vec!["T1110".into()] },
        group_by: Vec::new(),
    })
}

fn finding(event: u128, second: i64, address: &str) -> Finding {
    let grouping = vec![Entity::new(EntityKind::Ip, address)];
    let mut entities = grouping.clone();
    entities.push(Entity::new(EntityKind::User, format!("user{}", event % 7)));
    Finding {
        rule: rule("r", "v1"),
        event_id: EventId::from_bits(event),
        window_time: Timestamp::from_secs(second),
        class_uid: 3002,
        grouping,
        entities,
        demo: false,
    }
}

/// Folds batches one after the other, as a store would hold the alerts.
fn run(batches: &[Vec<Finding>]) -> Vec<Alert> {
    let mut held: Vec<Alert> = Vec::new();
    let mut next = 0_u128;
    for batch in batches {
        let mint = || {
            next += 1;
            AlertId::from_bits(next)
        };
        for change in fold(TENANT, &held, batch, WINDOW, NOW, mint) {
            held.retain(|alert| alert.id != change.alert.id);
            held.push(change.alert);
        }
    }
    held.sort_by_key(|alert| (alert.first_seen, alert.id));
    held
}

fn spans(alerts: &[Alert]) -> String {
    let span = |alert: &Alert| format!("{}-{} x{}", alert.first_seen.as_secs(), alert.last_seen.as_secs(), alert.count);
    alerts.iter().map(span).collect::<Vec<_>>().join(", ")
}

fn check(seconds: &[i64]) -> String {
    let one_by_one: Vec<Vec<Finding>> =
        (1_u128..).zip(seconds).map(|(event, second)| vec![finding(event, *second, "203.0.113.66")]).collect();
    spans(&run(&one_by_one))
}

#[test]
fn matches_of_a_window_are_one_alert_and_the_next_window_another() {
    assert_eq!(check(&[100, 101, 399]), "100-399 x3");
    assert_eq!(check(&[100, 399, 400, 699, 700]), "100-399 x2, 400-699 x2, 700-700 x1");
}

#[test]
fn a_late_match_joins_the_window_it_belongs_to() {
    assert_eq!(check(&[100, 50, 399]), "50-399 x3");
    assert_eq!(check(&[1_000, 100]), "100-100 x1, 1000-1000 x1");
    assert_eq!(check(&[100, 500, 110]), "100-110 x2, 500-500 x1");
}

#[test]
fn a_replay_of_a_batch_changes_nothing() {
    let batch = vec![finding(1, 100, "203.0.113.66"), finding(2, 110, "203.0.113.66")];
    let held = run(std::slice::from_ref(&batch));
    assert_eq!(fold(TENANT, &held, &batch, WINDOW, NOW, || AlertId::from_bits(99)), []);
    let mut twice = batch.clone();
    twice.extend(batch);
    assert_eq!(run(&[twice]), held);
}

#[test]
fn a_closed_alert_takes_the_matches_of_its_window() {
    let mut held = run(&[vec![finding(1, 100, "203.0.113.66")]]);
    held.first_mut().unwrap().status = AlertStatus::Resolved;
    let changes = fold(TENANT, &held, &[finding(2, 130, "203.0.113.66")], WINDOW, NOW, || AlertId::from_bits(99));
    let [change] = changes.as_slice() else { panic!("one change: {changes:?}") };
    assert!(!change.is_new);
    assert_eq!((change.alert.count, change.alert.version, change.alert.status), (2, 2, AlertStatus::Resolved));
    assert_eq!(change.added, [EventId::from_bits(2)]);
}

#[test]
fn a_new_version_of_a_rule_starts_nothing_new_in_the_window() {
    let mut later = finding(2, 130, "203.0.113.66");
    later.rule = rule("r", "v2");
    assert_eq!(spans(&run(&[vec![finding(1, 100, "203.0.113.66")], vec![later]])), "100-130 x2");
}

#[test]
fn demonstration_matches_stay_apart() {
    let mut demo = finding(2, 130, "203.0.113.66");
    demo.demo = true;
    let held = run(&[vec![finding(1, 100, "203.0.113.66"), demo]]);
    assert_eq!(held.iter().map(|alert| (alert.demo, alert.count)).collect::<Vec<_>>(), [(false, 1), (true, 1)]);
}

#[test]
fn an_alert_names_at_most_fifty_events_and_counts_all() {
    let many: Vec<Finding> = (1..=500).map(|event| finding(event, 100, "203.0.113.66")).collect();
    let held = run(&[many]);
    let [alert] = held.as_slice() else { panic!("one alert") };
    assert_eq!((alert.count, alert.event_ids.len(), alert.entities.len()), (500, MAX_EVENT_IDS, 8));
}

#[test]
fn the_key_of_an_alert_is_the_key_under_which_it_is_found() {
    let batch = [finding(1, 100, "203.0.113.66")];
    let held = run(&[batch.to_vec()]);
    let [alert] = held.as_slice() else { panic!("one alert") };
    let found = key(TENANT, alert).unwrap();
    let key = FoldKey { rule_id: found.rule_id, fingerprint: found.fingerprint };
    let (after, before) = (Timestamp::from_secs(-200), Timestamp::from_secs(400));
    assert_eq!(super::spans(TENANT, &batch, WINDOW), [Span { key, after, before }]);
}

#[test]
fn an_old_finding_asks_for_the_alerts_of_its_time_and_not_for_all_since() {
    let (old, live, other) =
        (finding(1, 1_000, "203.0.113.1"), finding(2, 90_000, "203.0.113.1"), finding(3, 90_100, "203.0.113.2"));
    let asked = super::spans(TENANT, &[live.clone(), other, old, finding(4, 90_300, "203.0.113.1")], WINDOW);
    let mut of_the_first: Vec<(i64, i64)> = asked
        .iter()
        .filter(|span| span.key == key_of(TENANT, &live))
        .map(|span| (span.after.as_secs(), span.before.as_secs()))
        .collect();
    of_the_first.sort_unstable();
    assert_eq!(of_the_first, [(700, 1_300), (89_700, 90_600)]);
    assert_eq!(asked.len(), 3);
}

/// Findings of a few attackers within `span` seconds.
fn findings(span: i64) -> impl Strategy<Value = Vec<Finding>> {
    let one = (1_u128..200, 0..span, 0_usize..3);
    prop::collection::vec(one, 1..60).prop_map(|made| {
        let addresses = ["203.0.113.1", "203.0.113.2", "203.0.113.3"];
        // One event has one time and one source.
        let distinct: BTreeMap<u128, (i64, usize)> =
            made.into_iter().map(|(event, second, who)| (event, (second, who))).collect();
        distinct.into_iter().map(|(event, (second, who))| finding(event, second, addresses.get(who).unwrap())).collect()
    })
}

/// What an alert says, without what tells batches apart (its id, its window's start, its version).
type Told = (String, u64, Timestamp, Timestamp, Vec<EventId>, Vec<Entity>);
fn told(alerts: &[Alert]) -> Vec<Told> {
    let tell = |alert: &Alert| {
        let Alert { fingerprint, count, first_seen, last_seen, event_ids, entities, .. } = alert.clone();
        (fingerprint, count, first_seen, last_seen, event_ids, entities)
    };
    let mut told: Vec<_> = alerts.iter().map(tell).collect();
    told.sort();
    told
}

proptest! {
    #[test]
    fn within_a_window_order_and_batches_do_not_matter(
        (ordered, shuffled) in findings(300).prop_flat_map(|made| (Just(made.clone()), Just(made).prop_shuffle())),
        size in 1_usize..20,
    ) {
        let whole = run(&[ordered]);
        let batches: Vec<Vec<Finding>> = shuffled.chunks(size).map(<[Finding]>::to_vec).collect();
        prop_assert_eq!(told(&run(&batches)), told(&whole));
        prop_assert!(whole.len() <= 3);
    }

    #[test]
    fn nothing_is_lost_or_counted_twice(made in findings(5_000).prop_shuffle(), size in 1_usize..20) {
        let batches: Vec<Vec<Finding>> = made.chunks(size).map(<[Finding]>::to_vec).collect();
        let held = run(&batches);
        prop_assert_eq!(held.iter().map(|alert| alert.count).sum::<u64>(), u64::try_from(made.len()).unwrap());
        let named: BTreeSet<EventId> = held.iter().flat_map(|alert| alert.event_ids.clone()).collect();
        prop_assert_eq!(named, made.iter().map(|finding| finding.event_id).collect::<BTreeSet<_>>());
    }
}
