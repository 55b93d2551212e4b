//! Detection as code: a tenant's own rules, exceptions, backtests, and what was covered.

use std::time::Duration;

use shieldops_model::{
    Alert, AlertId, AlertStatus, Clock as _, EventId, JobId, LogSource, Severity, Timestamp, Verdict, id,
};
use shieldops_store::{
    PageRequest, StoreError, Tx,
    alerts::{self, Tally},
    backtests::{self, Backtest, Report},
    coverage::{self, Minute, RuleSet, SourceFields, Window},
    exceptions::{self, Exception},
    jobs::JobState,
    ledger,
    own_rules::{self, Change, NewVersion, versions},
    rule_parts::{self, Kind, Part},
    rule_states::State,
    shadow::{self, Counts, Match},
    throttles::{self, Limit, Slot},
};

use crate::{
    support::{World, alert, now, world},
    tenancy::tenant,
};

const RULE: &str = "5a000000-0000-4000-8000-000000000001";

fn written(text: &str) -> NewVersion {
    let hash = format!("{:012x}", text.len());
    NewVersion { text: text.to_owned(), hash, matches: vec!["{}".to_owned()], misses: Vec::new(), note: String::new() }
}

async fn begin(world: &World) -> Tx {
    world.scope().begin().await.unwrap()
}

async fn commit(world: &World, tx: Tx) {
    world.clock.advance(Duration::from_millis(1));
    tx.commit(world.clock.now()).await.unwrap();
}

const ENABLE: Change<'static> = Change { state: State::Enabled, number: 1, reason: "proved", unproved: false };

#[tokio::test]
async fn what_runs_stays_as_it_is_while_newer_versions_are_written() {
    let Some(world) = world().await else { return };
    let other = tenant(&world, "other", None).await;
    let mut tx = begin(&world).await;
    let rule = own_rules::create(&mut tx, RULE, &written("one"), now()).await.unwrap();
    let again = own_rules::create(&mut tx, RULE, &written("one"), now()).await;
    assert!(matches!(again, Err(StoreError::AlreadyExists { .. })));
    assert!(versions::live(&mut tx).await.unwrap().is_empty(), "a draft does not run");
    let rule = own_rules::change(&mut tx, rule, ENABLE, now()).await.unwrap();
    let rule = own_rules::revise(&mut tx, rule, &written("two, longer"), now()).await.unwrap();
    assert_eq!((rule.head, rule.live, rule.version), (2, Some(1), 3));
    commit(&world, tx).await;

    let mut reader = world.scope().read().await.unwrap();
    assert_eq!(own_rules::find(&mut reader, RULE).await.unwrap().unwrap(), rule);
    let live = versions::live(&mut reader).await.unwrap();
    assert_eq!((live.len(), live[0].1.written.text.as_str()), (1, "one"));
    assert_eq!(versions::heads(&mut reader).await.unwrap()[0].1.written.text, "two, longer");
    let numbers: Vec<i64> =
        versions::of_rule(&mut reader, RULE).await.unwrap().iter().map(|version| version.number).collect();
    assert_eq!(numbers, [2, 1]);
    let entries = ledger::of_subject(&mut reader, RULE).await.unwrap();
    let mut kinds: Vec<_> = entries.iter().map(|entry| entry.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["rule.created", "rule.enabled", "rule.revised"]);
    assert!(own_rules::all(&mut other.read().await.unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_change_over_another_one_is_refused() {
    let Some(world) = world().await else { return };
    let mut tx = begin(&world).await;
    let seen = own_rules::create(&mut tx, RULE, &written("one"), now()).await.unwrap();
    own_rules::change(&mut tx, seen.clone(), ENABLE, now()).await.unwrap();
    let lost = own_rules::change(&mut tx, seen, ENABLE, now()).await;
    assert!(matches!(lost, Err(StoreError::Conflict)));
}

fn exception(minutes: u64) -> Exception {
    Exception {
        id: id::mint(now(), &mut rand::rng()),
        title: "Backups".to_owned(),
        filter: "title: Backups".to_owned(),
        rules: vec![RULE.to_owned()],
        owner: "ann".to_owned(),
        reason: "the nightly backup".to_owned(),
        created_at: now(),
        updated_at: now(),
        expires_at: now().plus(Duration::from_mins(minutes)),
        by: "system:cli".to_owned(),
        by_name: "system:cli".to_owned(),
        version: 1,
    }
}

#[tokio::test]
async fn exceptions_are_kept_with_owner_reason_and_end_and_stand_in_the_ledger() {
    let Some(world) = world().await else { return };
    let mut tx = begin(&world).await;
    let (mut short, long) = (exception(1), exception(60));
    exceptions::insert(&mut tx, &short).await.unwrap();
    exceptions::insert(&mut tx, &long).await.unwrap();
    commit(&world, tx).await;
    let mut reader = world.scope().read().await.unwrap();
    assert_eq!(exceptions::all(&mut reader).await.unwrap().len(), 2);
    let later = exceptions::after(&mut reader, now().plus(Duration::from_mins(1))).await.unwrap();
    assert_eq!(later, std::slice::from_ref(&long), "an exception ends at its end");
    let mut tx = begin(&world).await;
    short.expires_at = now().plus(Duration::from_mins(5));
    exceptions::update(&mut tx, &mut short).await.unwrap();
    exceptions::delete(&mut tx, &long).await.unwrap();
    commit(&world, tx).await;
    assert_eq!(exceptions::all(&mut reader).await.unwrap(), [short]);
    let entries = ledger::of_subject(&mut reader, RULE).await.unwrap();
    let mut kinds: Vec<_> = entries.iter().map(|entry| entry.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["exception.created", "exception.created", "exception.deleted", "exception.updated"]);
}

fn backtest(version: &str) -> Backtest {
    let id: JobId = id::mint(now(), &mut rand::rng());
    Backtest {
        id,
        rule_id: RULE.to_owned(),
        version: version.to_owned(),
        from: now().minus(Duration::from_hours(1)),
        to: now(),
        state: JobState::Running,
        at: now(),
        by: "system:cli".to_owned(),
        report: None,
    }
}

#[tokio::test]
async fn only_a_backtest_of_this_version_that_looked_at_all_of_its_window_is_a_proof() {
    let Some(world) = world().await else { return };
    let mut tx = begin(&world).await;
    let mut test = backtest("aaaaaaaaaaaa");
    backtests::insert(&mut tx, &test).await.unwrap();
    assert_eq!(backtests::proof(&mut tx, RULE, "aaaaaaaaaaaa").await.unwrap(), None, "it runs still");
    (test.state, test.report) = (JobState::Done, Some(Report { matches: 3, ..Report::default() }));
    backtests::finish(&mut tx, &test).await.unwrap();
    assert_eq!(backtests::proof(&mut tx, RULE, "aaaaaaaaaaaa").await.unwrap(), None, "it was cut off");
    let mut test = backtest("aaaaaaaaaaaa");
    backtests::insert(&mut tx, &test).await.unwrap();
    (test.state, test.report) = (JobState::Done, Some(Report { complete: true, ..Report::default() }));
    backtests::finish(&mut tx, &test).await.unwrap();
    assert!(matches!(backtests::finish(&mut tx, &test).await, Err(StoreError::Conflict)));
    assert_eq!(backtests::proof(&mut tx, RULE, "aaaaaaaaaaaa").await.unwrap(), Some(test.clone()));
    assert_eq!(backtests::proof(&mut tx, RULE, "bbbbbbbbbbbb").await.unwrap(), None);
    let orphan = backtest("bbbbbbbbbbbb");
    backtests::insert(&mut tx, &orphan).await.unwrap();
    backtests::give_up(&mut tx).await.unwrap();
    let found = backtests::find(&mut tx, RULE, orphan.id).await.unwrap().unwrap();
    assert_eq!(found.state, JobState::Failed, "its job is not there any more");
    let page = PageRequest { limit: Some(1), cursor: None };
    let first = backtests::of_rule(&mut tx, RULE, &page).await.unwrap();
    assert!(first.next_cursor.is_some() && first.items.len() == 1);
}

#[tokio::test]
async fn matches_in_shadow_are_counted_whole_and_listed_up_to_a_bound() {
    let Some(world) = world().await else { return };
    let mut tx = begin(&world).await;
    let found: Vec<Match> = (1..=1_005_u128)
        .map(|number| Match {
            rule_id: RULE.to_owned(),
            event_id: EventId::from_bits(number),
            at: now(),
            source: "sshd".to_owned(),
            version: "aaaaaaaaaaaa".to_owned(),
        })
        .collect();
    shadow::insert(&mut tx, &found).await.unwrap();
    shadow::insert(&mut tx, &found[..2]).await.unwrap();
    let counts = Counts { shadow: 1_005, excepted: 2, throttled: 3 };
    shadow::count(&mut tx, RULE, now(), counts).await.unwrap();
    shadow::count(&mut tx, RULE, now().minus(Duration::from_hours(72)), Counts { shadow: 1, ..Counts::default() })
        .await
        .unwrap();
    commit(&world, tx).await;
    let mut reader = world.scope().read().await.unwrap();
    let since = now().minus(Duration::from_hours(24));
    assert_eq!(shadow::counts(&mut reader, since).await.unwrap()[RULE], counts);
    let mut page = PageRequest { limit: Some(200), cursor: None };
    let mut listed = Vec::new();
    loop {
        let part = shadow::list(&mut reader, RULE, &page).await.unwrap();
        listed.extend(part.items);
        page.cursor = part.next_cursor;
        if page.cursor.is_none() {
            break;
        }
    }
    assert_eq!((listed.len(), listed[0].event_id), (1_000, EventId::from_bits(1_005)), "the newest first");
    assert_eq!(listed[999].event_id, EventId::from_bits(6));
}

fn minute(source: &str, at: Timestamp, evaluated: u64) -> Minute {
    Minute { source: source.to_owned(), minute: at, rules: "set".to_owned(), evaluated, late: 1, skipped: 0 }
}

#[tokio::test]
async fn the_log_of_coverage_adds_up_by_source_and_minute_and_ends_after_a_month() {
    let Some(world) = world().await else { return };
    let at = Timestamp::from_secs(now().as_secs() / 60 * 60);
    let mut tx = begin(&world).await;
    coverage::add(&mut tx, &[minute("sshd", at, 2), minute("nginx", at, 7)]).await.unwrap();
    coverage::add(&mut tx, &[minute("sshd", at.plus(Duration::from_secs(59)), 3)]).await.unwrap();
    let old = at.minus(Duration::from_hours(24 * 31));
    coverage::add(&mut tx, &[minute("sshd", old, 1)]).await.unwrap();
    let set = RuleSet::Base([(RULE.to_owned(), "aaaaaaaaaaaa".to_owned())].into());
    coverage::keep_set(&mut tx, "base:1", &set, old).await.unwrap();
    coverage::keep_set(&mut tx, "gone", &set, old).await.unwrap();
    coverage::keep_set(&mut tx, "set", &set, old).await.unwrap();
    coverage::prune(&mut tx, at.minus(Duration::from_hours(24 * coverage::DAYS))).await.unwrap();
    commit(&world, tx).await;
    let mut reader = world.scope().read().await.unwrap();
    let window = Window { sources: &["sshd"], from: old, to: at, gaps: false, limit: 100 };
    let sshd = coverage::minutes(&mut reader, &window).await.unwrap();
    assert_eq!(sshd, [Minute { late: 2, ..minute("sshd", at, 5) }]);
    let all = Window { sources: &[], ..window };
    assert_eq!(coverage::minutes(&mut reader, &all).await.unwrap().len(), 2);
    let both = Window { sources: &["nginx", "sshd", "other"], ..all.clone() };
    assert_eq!(coverage::minutes(&mut reader, &both).await.unwrap().len(), 2);
    assert!(coverage::minutes(&mut reader, &Window { gaps: true, ..all }).await.unwrap().is_empty());
    for (hash, kept) in [("base:1", true), ("gone", false), ("set", true)] {
        assert_eq!(coverage::find_set(&mut reader, hash).await.unwrap().is_some(), kept, "{hash}");
    }
}

#[tokio::test]
async fn what_a_source_sends_is_kept_for_the_tenant_alone() {
    let Some(world) = world().await else { return };
    let other = tenant(&world, "other", None).await;
    let source = LogSource { product: Some("linux".to_owned()), ..LogSource::default() };
    let fields = SourceFields {
        log_sources: [source].into(),
        events: 3,
        fields: [("message".to_owned(), 3)].into(),
        more: false,
    };
    let mut tx = begin(&world).await;
    coverage::keep_fields(&mut tx, "sshd", &fields, now()).await.unwrap();
    commit(&world, tx).await;
    let mut reader = world.scope().read().await.unwrap();
    assert_eq!(coverage::fields_of(&mut reader, "sshd").await.unwrap(), Some(fields.clone()));
    assert_eq!(coverage::fields(&mut reader).await.unwrap(), [("sshd".to_owned(), now(), fields)]);
    assert!(coverage::fields(&mut other.read().await.unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn parts_have_versions_limits_and_entries_and_belong_to_one_tenant() {
    let Some(world) = world().await else { return };
    let other = tenant(&world, "other", None).await;
    let mut tx = begin(&world).await;
    let list = rule_parts::create(&mut tx, Kind::List, "Admins", ("root\n", "first"), now()).await.unwrap();
    let again = rule_parts::create(&mut tx, Kind::List, "Admins", ("", ""), now()).await;
    assert!(matches!(again, Err(StoreError::AlreadyExists { .. })));
    let pipeline = rule_parts::create(&mut tx, Kind::Pipeline, "Admins", ("name: x\n", ""), now()).await.unwrap();
    assert_eq!((list.live, pipeline.live), (Some(1), None), "a list is in use at once, a pipeline is not");
    let list = rule_parts::revise(&mut tx, list, ("ann\n", "second"), now()).await.unwrap();
    let stale = Part { version: 1, ..list.clone() };
    assert!(matches!(rule_parts::delete(&mut tx, &stale).await, Err(StoreError::Conflict)));
    let large = "x".repeat(16 * 1024 * 1024);
    let large = rule_parts::create(&mut tx, Kind::List, "Large", (&large, ""), now()).await;
    assert!(matches!(large, Err(StoreError::Refused { .. })), "with the other it is too much");
    rule_parts::set(&mut tx, pipeline, Some(1), "ready", now()).await.unwrap();
    commit(&world, tx).await;

    let mut reader = world.scope().read().await.unwrap();
    let lists = rule_parts::live(&mut reader, Kind::List).await.unwrap();
    assert_eq!((lists.len(), lists[0].1.as_str()), (1, "ann\n"));
    assert_eq!(rule_parts::live(&mut reader, Kind::Pipeline).await.unwrap().len(), 1);
    let first = rule_parts::version(&mut reader, Kind::List, "Admins", 1).await.unwrap().unwrap();
    assert_eq!((first.text.as_str(), first.note.as_str()), ("root\n", "first"));
    // Its name is sealed with the rest: a subject stands in clear, and outlives the tenant's key.
    assert!(ledger::of_subject(&mut reader, "Admins").await.unwrap().is_empty());
    let page = PageRequest { limit: None, cursor: None };
    let entries = ledger::list(&mut reader, &ledger::Filter::default(), &page).await.unwrap().items;
    let mut kinds: Vec<_> =
        entries.iter().filter(|entry| entry.payload["name"] == "Admins").map(|entry| entry.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["pipeline.created", "pipeline.set", "value_list.created", "value_list.revised"]);
    assert!(rule_parts::all(&mut other.read().await.unwrap(), Kind::List).await.unwrap().is_empty());
}

#[tokio::test]
async fn throttles_are_changed_in_turn_and_what_counts_is_found_by_time_and_subject() {
    let Some(world) = world().await else { return };
    let mut tx = begin(&world).await;
    let limit = Limit { alerts: 2, window_s: 60, per: None };
    let set = throttles::set(&mut tx, RULE, Some(limit), "noisy", now()).await.unwrap();
    assert_eq!(set.version, 1);
    let at = |second| now().plus(Duration::from_secs(second));
    let slot = |second: u64| Slot { at: at(second), alert: AlertId::from_bits(u128::from(second)) };
    for (subject, second) in [([1; 32], 0), ([1; 32], 50), ([1; 32], 500), ([2; 32], 10)] {
        throttles::take(&mut tx, RULE, &subject, slot(second)).await.unwrap();
    }
    throttles::withheld(&mut tx, RULE, &[1; 32], slot(50), 7).await.unwrap();
    commit(&world, tx).await;
    let mut reader = world.scope().read().await.unwrap();
    assert_eq!(throttles::all(&mut reader).await.unwrap()[RULE].limit, Some(limit));
    let found = throttles::slots(&mut reader, RULE, &[1; 32], (at(0), at(60))).await.unwrap();
    assert_eq!(found, [slot(0), slot(50)]);
    for (slot, withheld) in [(slot(50), 7), (slot(0), 0)] {
        let raised = Alert { id: slot.alert, rule_id: RULE.to_owned(), ..alert(1) };
        assert_eq!(alerts::around(&mut reader, &raised).await.unwrap().withheld, withheld);
    }
}

#[tokio::test]
async fn an_alert_is_shown_with_how_many_are_alike_and_never_counted_on_for_more_than_a_hundred() {
    let Some(world) = world().await else { return };
    let mut tx = begin(&world).await;
    let alike = |number: u8| Alert { rule_id: RULE.to_owned(), ..alert(number) };
    for number in 0..3 {
        alerts::insert(&mut tx, &alike(number)).await.unwrap();
    }
    tx.record("alert.created", &[], "three").unwrap();
    commit(&world, tx).await;
    let around = alerts::around(&mut world.scope().read().await.unwrap(), &alike(0)).await.unwrap();
    assert_eq!((around.similar, around.listed, around.own_rule), (2, false, false));
    let mut tx = begin(&world).await;
    for number in 3..120 {
        alerts::insert(&mut tx, &alike(number)).await.unwrap();
    }
    own_rules::create(&mut tx, RULE, &written("title: x"), now()).await.unwrap();
    commit(&world, tx).await;
    let around = alerts::around(&mut world.scope().read().await.unwrap(), &alike(0)).await.unwrap();
    assert_eq!((around.similar, around.own_rule), (alerts::SIMILAR, true));
}

#[tokio::test]
async fn what_an_overview_counts_follows_every_change_of_an_alert() {
    let Some(world) = world().await else { return };
    let mut tx = begin(&world).await;
    let mut alerts: Vec<Alert> = (0..5).map(alert).collect();
    for one in &alerts {
        alerts::insert(&mut tx, one).await.unwrap();
    }
    tx.record("alert.created", &[], "five").unwrap();
    commit(&world, tx).await;
    let mut tx = begin(&world).await;
    alerts[0].status = AlertStatus::Resolved;
    alerts[1].severity = Severity::Low;
    alerts[2].verdict = Some(Verdict::FalsePositive);
    alerts[3].count = 9;
    for one in &mut alerts[..4] {
        alerts::update(&mut tx, one).await.unwrap();
    }
    tx.record("alert.updated", &[], "four").unwrap();
    commit(&world, tx).await;
    let tally = alerts::tally(&mut world.scope().read().await.unwrap()).await.unwrap();
    let counted = |status: &str, severity: Severity, verdict: Option<&str>, alerts| Tally {
        status: status.to_owned(),
        severity: severity.id(),
        verdict: verdict.map(str::to_owned),
        alerts,
    };
    let expected = [
        counted("new", Severity::Low, None, 1),
        counted("new", Severity::High, None, 2),
        counted("new", Severity::High, Some("false_positive"), 1),
        counted("resolved", Severity::High, None, 1),
    ];
    assert_eq!(tally, expected);
    let other = tenant(&world, "other", None).await;
    assert!(alerts::tally(&mut other.read().await.unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_an_overview_charts_follows_every_change_of_an_alert() {
    let Some(world) = world().await else { return };
    let half_hour = |number: i64| Timestamp::from_micros((950_000 + number) * 1_800_000_000);
    let mut tx = begin(&world).await;
    let mut alerts: Vec<Alert> =
        (0..4).map(|number| Alert { first_seen: half_hour(i64::from(number)), ..alert(number) }).collect();
    for one in &alerts {
        alerts::insert(&mut tx, one).await.unwrap();
    }
    tx.record("alert.created", &[], "four").unwrap();
    commit(&world, tx).await;
    let mut tx = begin(&world).await;
    alerts[0].first_seen = half_hour(2);
    alerts[1].severity = Severity::Low;
    alerts[3].count = 9;
    for one in &mut alerts {
        alerts::update(&mut tx, one).await.unwrap();
    }
    tx.record("alert.updated", &[], "four").unwrap();
    commit(&world, tx).await;
    let counted = |at, severity: Severity, alerts| alerts::Bucket { at, severity: severity.id(), alerts };
    let mut reader = world.scope().read().await.unwrap();
    // What the database counted by the half hour is what the alerts themselves say.
    for shift_us in [0, -1] {
        let from = Timestamp::from_micros(half_hour(1).as_micros() + shift_us);
        let charted = alerts::histogram(&mut reader, from, 1_800_000_000, 2).await.unwrap();
        assert_eq!(charted, [counted(0, Severity::Low, 1), counted(1, Severity::High, 2)]);
    }
    let other = tenant(&world, "other", None).await;
    let theirs = alerts::histogram(&mut other.read().await.unwrap(), half_hour(0), 1_800_000_000, 9).await.unwrap();
    assert!(theirs.is_empty());
}

#[tokio::test]
async fn a_listed_alert_is_the_alert_whether_it_was_written_by_this_version_or_an_older_one() {
    let Some(world) = world().await else { return };
    let mut tx = begin(&world).await;
    let mut alerts: Vec<Alert> = (0..3).map(alert).collect();
    for one in &alerts {
        alerts::insert(&mut tx, one).await.unwrap();
    }
    tx.record("alert.created", &[], "three").unwrap();
    commit(&world, tx).await;
    // One that knew another shape of an alert; then one of them is written again.
    assert_eq!(world.sql("UPDATE alerts SET shape=0").await, 3);
    let mut tx = begin(&world).await;
    alerts::update(&mut tx, &mut alerts[1]).await.unwrap();
    tx.record("alert.updated", &[], "one").unwrap();
    commit(&world, tx).await;
    let mut reader = world.scope().read().await.unwrap();
    let page = PageRequest { limit: None, cursor: None };
    let listed = alerts::list(&mut reader, &alerts::Filter::default(), &page).await.unwrap();
    for item in &listed.items {
        let shown: Alert = serde_json::from_slice(&item.json).unwrap();
        assert_eq!((shown.id, &shown), (item.id, &alerts::get(&mut reader, item.id).await.unwrap()));
    }
    assert_eq!(listed.items.len(), 3);
}
