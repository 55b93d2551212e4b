//! A tenant's own rules, its states and its exceptions over one book.

use std::collections::BTreeSet;

use shieldops_detect::{EventRef, Worker};
use shieldops_model::{ExceptionId, id};

use super::*;
use crate::content::Content;

const NOW: i64 = 1_790_000_000;

fn id(number: usize) -> String {
    format!("5a000000-0000-4000-8000-{number:012}")
}

fn text(number: usize, word: &str) -> String {
    format!(
        "title: Rule {number}\nid: {}\nlevel: low\nlogsource:\n  product: linux\ndetection:\n  selection:\n    message|contains: {word}\n  condition: selection\n",
        id(number)
    )
}

/// A book of so many rules, each of which finds `x`.
fn book(rules: usize) -> Arc<RuleBook> {
    let dir = tempfile::tempdir().unwrap();
    for number in 0..rules {
        std::fs::write(dir.path().join(format!("{number}.yml")), text(number, "x")).unwrap();
    }
    Content::load(&[], vec![dir.path().to_owned()], State::Enabled).book()
}

fn time(offset: i64) -> Timestamp {
    Timestamp::from_secs(NOW + offset)
}

fn linux() -> LogSource {
    LogSource { product: Some("linux".to_owned()), ..LogSource::default() }
}

fn exception(rules: &str, word: &str, expires_at: Timestamp) -> stored::Exception {
    let filter = format!(
        "title: Known\nlogsource:\n  product: linux\nfilter:\n  rules: {rules}\n  known:\n    message|contains: {word}\n  condition: not known\n"
    );
    let id: ExceptionId = id::mint(time(0), &mut rand::rng());
    stored::Exception {
        id,
        title: "Known".to_owned(),
        filter,
        rules: Vec::new(),
        owner: "ann".to_owned(),
        reason: "known".to_owned(),
        created_at: time(0),
        updated_at: time(0),
        expires_at,
        by: String::new(),
        by_name: String::new(),
        version: 1,
    }
}

#[test]
fn a_rule_that_is_off_is_the_only_one_missing_wherever_it_stands_in_the_set() {
    for (rules, off) in [(1, 0), (64, 63), (65, 64), (130, 64), (130, 129)] {
        let states = [(id(off), State::Retired), ("no rule of the set".to_owned(), State::Draft)].into();
        let made = TenantRules::make(book(rules), State::Enabled, &Wanted { states, ..Wanted::default() });
        assert_eq!(made.book.set.len(), rules);
        for rule in made.book.set.rules() {
            assert_eq!(made.runs(rule.index), rule.id != id(off), "{} of {rules}", rule.id);
            assert!(!made.is_shadow(rule.index));
        }
    }
}

#[test]
fn what_the_tenant_did_not_set_is_as_the_installation_says() {
    let states = [(id(1), State::Enabled), (id(2), State::Draft)].into();
    let made = TenantRules::make(book(3), State::Shadow, &Wanted { states, ..Wanted::default() });
    let seen: BTreeSet<(String, bool, bool)> = made
        .book
        .set
        .rules()
        .iter()
        .map(|rule| (rule.id.clone(), made.runs(rule.index), made.is_shadow(rule.index)))
        .collect();
    assert_eq!(seen, [(id(0), true, true), (id(1), true, false), (id(2), false, false)].into());
}

#[test]
fn a_rule_of_the_tenant_stands_in_for_the_one_of_the_same_id_and_a_broken_one_does_not() {
    let own = vec![
        (id(0), State::Shadow, text(0, "y")),
        (id(1), State::Enabled, "title: [".to_owned()),
        (id(7), State::Enabled, text(7, "z")),
    ];
    let made = TenantRules::make(book(2), State::Enabled, &Wanted { own, ..Wanted::default() });
    let runs: Vec<bool> = (0..2).map(|number| made.runs(made.book.set.position(&id(number)).unwrap())).collect();
    assert_eq!(runs, [false, true]);
    let own = made.own.as_ref().unwrap();
    assert_eq!((own.set.len(), own.is_shadow(&id(0)), own.is_shadow(&id(7))), (2, true, false));
    let plain = TenantRules::make(Arc::clone(&made.book), State::Enabled, &Wanted::default());
    assert_ne!(made.hash, plain.hash, "the log of coverage tells them apart");
}

#[test]
fn an_exception_holds_for_its_rules_and_events_until_its_end_by_the_events_time() {
    let exceptions = vec![exception(&id(0), "backup", time(60)), exception("any", "always", time(120))];
    let made = TenantRules::make(book(2), State::Enabled, &Wanted { exceptions, ..Wanted::default() });
    let held = |rule: usize, word: &str, at: i64| {
        let rule = made.book.set.get(&id(rule)).unwrap();
        made.excepted(rule, time(at), &linux(), format!(r#"{{"message":"x {word}"}}"#).as_bytes())
    };
    assert!(held(0, "backup", 0) && held(0, "backup", 59), "before its end");
    assert!(!held(0, "backup", 60), "from its end on");
    assert!(!held(0, "attack", 0), "another event");
    assert!(!held(1, "backup", 0), "another rule");
    assert!(held(1, "always", 119) && held(0, "always", 119) && !held(1, "always", 120), "any rule");
}

fn correlation(number: usize, of: &str, generate: &str) -> String {
    format!(
        "title: Correlation {number}\nid: {}\nlevel: high\ncorrelation:\n  type: event_count\n  rules: {of}\n  timespan: 1m\n  condition:\n    gte: 2\n{generate}",
        id(number)
    )
}

#[test]
fn a_correlation_of_the_tenant_builds_on_everybodys_rules_and_silences_them_only_while_it_is_enabled() {
    let with = |state| {
        let own = vec![(id(8), state, correlation(8, &id(0), "generate: false\n"))];
        TenantRules::make(book(2), State::Enabled, &Wanted { own, ..Wanted::default() })
    };
    for (state, silent) in [(State::Enabled, true), (State::Shadow, false)] {
        let made = with(state);
        let set = made.correlation_set();
        assert_eq!((set.len(), made.correlations.is_shadow(&id(8))), (1, !silent));
        let place = made.correlated().position(&id(0)).unwrap();
        assert_eq!((set.wants(place), set.is_silent(place)), (true, silent), "{state:?}");
        assert!(made.facts(&id(8)).is_some() && made.runs(made.book.set.position(&id(0)).unwrap()));
    }
    let plain = TenantRules::make(book(2), State::Enabled, &Wanted::default());
    assert!(plain.correlation_set().is_empty(), "it is nobody else's");
}

#[test]
fn what_a_correlation_brings_along_runs_with_it_and_a_missing_rule_leaves_the_others() {
    let brought = format!("{}---\n{}", text(5, "y"), correlation(8, &id(5), ""));
    let own = vec![(id(8), State::Shadow, brought), (id(9), State::Enabled, correlation(9, "gone", ""))];
    let made = TenantRules::make(book(1), State::Enabled, &Wanted { own, ..Wanted::default() });
    let own = made.own.as_ref().unwrap();
    assert!(own.is_below(&id(5)) && own.is_shadow(&id(5)) && own.set.get(&id(5)).is_some());
    assert_eq!(made.correlation_set().len(), 1);
    let place = made.correlated().position(&id(5)).unwrap();
    assert!(made.correlation_set().is_silent(place));
}

#[test]
fn what_works_for_a_correlation_raises_no_alerts_when_that_cannot_be_used_any_more() {
    let rows = |of: &str| {
        let brought = format!("{}---\n{}---\n{}", text(5, "y"), text(6, "z"), correlation(8, of, ""));
        let own = vec![(id(8), State::Enabled, brought)];
        TenantRules::make(book(1), State::Enabled, &Wanted { own, ..Wanted::default() })
    };
    for (of, usable) in [(format!("[{}, {}]", id(5), id(0)), true), (format!("[{}, gone]", id(5)), false)] {
        let made = rows(&of);
        assert_eq!(made.correlation_set().len(), usize::from(usable));
        let own = made.own.as_ref().unwrap();
        let silent = |number| crate::batch::is_silent(&made, own.set.get(&id(number)).unwrap());
        assert_eq!((silent(5), silent(6)), (true, false), "{of}: and of another rule of the text nothing is kept back");
    }
}

#[test]
fn a_list_of_the_tenant_fills_in_what_rules_wait_for_its_own_and_everybodys() {
    let dir = tempfile::tempdir().unwrap();
    let waits = text(0, "x").replace("message|contains: x", "user|expand: '%Admins%'");
    std::fs::write(dir.path().join("0.yml"), &waits).unwrap();
    let book = Content::load(&[], vec![dir.path().to_owned()], State::Enabled).book();
    let lists = vec![("Admins".to_owned(), "root\nann\n".to_owned())];
    let own = vec![(id(7), State::Enabled, waits.replace(&id(0), &id(7)))];
    let made = TenantRules::make(book, State::Enabled, &Wanted { own, lists, ..Wanted::default() });
    assert!(!made.runs(0), "the set of everybody does without it");
    let own = made.own.as_ref().unwrap();
    let finds = |user: &str| {
        let (line, source) = (format!(r#"{{"user":"{user}"}}"#), linux());
        let mut found = Vec::new();
        let events = [EventRef { line: 0..line.len(), source: &source }];
        own.set.scan(&mut Worker::new(), &events, line.as_bytes(), &mut |_, rule| found.push(rule.id.clone()));
        found.sort();
        found
    };
    assert_eq!((finds("ann"), finds("bob")), (vec![id(0), id(7)], Vec::new()));
}

/// A folder with a rule that names a list, and a filter over rules.
fn filtered(rules: &str) -> Arc<RuleBook> {
    let dir = tempfile::tempdir().unwrap();
    let waits = text(0, "x").replace("message|contains: x", "user|expand: '%Admins%'");
    let filter = exception(rules, "backup", time(0)).filter;
    std::fs::write(dir.path().join("0.yml"), format!("{waits}---\n{}", text(1, "x"))).unwrap();
    std::fs::write(dir.path().join("filter.yml"), filter).unwrap();
    let book = Content::load(&[], vec![dir.path().to_owned()], State::Enabled).book();
    assert_eq!((book.set.len(), book.failed()), (2, 0), "{:?}", book.diagnostics);
    book
}

#[test]
fn filters_of_the_installation_hold_for_its_rules_with_a_tenants_list_and_for_a_tenants_own() {
    let lists = vec![("Admins".to_owned(), "root\n".to_owned())];
    let own = vec![(id(7), State::Enabled, text(7, "x"))];
    let [root, backup] = [r#"{"user":"root","message":"x"}"#, r#"{"user":"root","message":"x backup"}"#];
    for (rules, left) in [("any".to_owned(), vec![]), (format!("[{}, {}]", id(0), id(1)), vec![id(7)])] {
        let (own, lists) = (own.clone(), lists.clone());
        let made = TenantRules::make(filtered(&rules), State::Enabled, &Wanted { own, lists, ..Wanted::default() });
        let set = &made.own.as_ref().unwrap().set;
        assert_eq!(found(set, root), [id(0), id(7)]);
        assert_eq!(found(set, backup), left, "{rules}");
        assert_eq!((found(&made.book.set, root), found(&made.book.set, backup)), (vec![id(1)], vec![]));
    }
}

#[test]
fn who_asks_why_a_rule_finds_an_event_hears_of_the_filter_that_takes_it_out() {
    let book = filtered("any");
    let rule = &book.entries[&id(1)].rule;
    let why = |line: &str| rule.why_with(book.set.options(), &linux(), line.as_bytes());
    let [kept, out] = [why(r#"{"message":"x"}"#), why(r#"{"message":"x backup"}"#)];
    assert_eq!((kept.matched, kept.filtered_by), (true, None));
    assert_eq!((out.matched, out.condition, out.filtered_by.as_deref()), (false, true, Some("Known")));
    let names: Vec<&str> = out.selections.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["selection"], "the rule's own");
}

#[test]
fn windows_audit_of_processes_is_what_the_setting_says() {
    let shape = crate::content::Shape { mappings_off: vec!["windows-4688".to_owned()], ..Default::default() };
    let off = Content::load_shaped(&[], Vec::new(), shape, State::Enabled).book();
    let mapped = LogSource {
        product: Some("windows".to_owned()),
        service: Some("security".to_owned()),
        categories: vec!["process_creation".to_owned()],
    };
    let (mut seen, mut kept) = (mapped.clone(), mapped.clone());
    off.fit(&mut seen);
    book(0).fit(&mut kept);
    assert_eq!((seen.categories.is_empty(), kept), (true, mapped));
}

/// Renames the field of all rules here.
const RENAMES: &str =
    "name: ours\ntransformations:\n  - type: field_name_mapping\n    mapping:\n      message: theirs\n";
/// Refuses each of them, and none for another product.
const REFUSES: &str = "name: ours\ntransformations:\n  - type: rule_failure\n    message: not here\n    rule_conditions:\n      - type: logsource\n        product: linux\n";

fn pipeline(text: &str) -> Vec<(String, String)> {
    vec![("ours".to_owned(), text.to_owned())]
}

/// Ids of the rules of a set that find the line.
fn found(set: &RuleSet, line: &str) -> Vec<String> {
    let source = linux();
    let mut found = Vec::new();
    let events = [EventRef { line: 0..line.len(), source: &source }];
    set.scan(&mut Worker::new(), &events, line.as_bytes(), &mut |_, rule| found.push(rule.id.clone()));
    found.sort();
    found
}

#[test]
fn a_tenants_pipeline_hides_no_match_of_everybodys_rules_behind_an_exception() {
    let own = vec![(id(7), State::Enabled, text(7, "x"))];
    let exceptions = vec![exception("any", "backup", time(60))];
    let wanted = Wanted { own, exceptions, pipelines: pipeline(RENAMES), ..Wanted::default() };
    let made = TenantRules::make(book(1), State::Enabled, &wanted);
    let base = made.book.set.get(&id(0)).unwrap();
    let held = |rule: &Rule, line: &str| made.excepted(rule, time(0), &linux(), line.as_bytes());
    assert!(!held(base, r#"{"message":"x attack"}"#));
    assert!(held(base, r#"{"message":"x backup"}"#));
    let own = made.own.as_ref().unwrap().set.get(&id(7)).unwrap();
    assert!(!held(own, r#"{"theirs":"x attack"}"#), "the exception's fields are fitted with the rule's");
    assert!(held(own, r#"{"theirs":"x backup"}"#));
}

#[test]
fn an_exception_for_another_log_source_is_not_asked() {
    let mut elsewhere = exception("any", "x", time(60));
    elsewhere.filter = elsewhere.filter.replace("linux", "windows");
    let wanted = Wanted { exceptions: vec![elsewhere], ..Wanted::default() };
    let made = TenantRules::make(book(1), State::Enabled, &wanted);
    assert!(!made.excepted(made.book.set.get(&id(0)).unwrap(), time(0), &linux(), br#"{"message":"x"}"#));
}

#[test]
fn a_rule_of_everybody_that_names_a_list_of_the_tenant_is_left_alone_by_its_pipelines() {
    let dir = tempfile::tempdir().unwrap();
    let waits = text(0, "x").replace("message|contains: x", "message|expand: '%Admins%'");
    std::fs::write(dir.path().join("0.yml"), &waits).unwrap();
    let book = Content::load(&[], vec![dir.path().to_owned()], State::Enabled).book();
    let lists = vec![("Admins".to_owned(), "root\n".to_owned())];
    let own = vec![(id(7), State::Enabled, waits.replace(&id(0), &id(7)))];
    let wanted = Wanted { own, lists, pipelines: pipeline(RENAMES), ..Wanted::default() };
    let made = TenantRules::make(book, State::Enabled, &wanted);
    let set = &made.own.as_ref().unwrap().set;
    assert_eq!(found(set, r#"{"message":"root"}"#), [id(0)]);
    assert_eq!(found(set, r#"{"theirs":"root"}"#), [id(7)]);
}

#[test]
fn a_correlation_of_the_tenant_groups_everybodys_rules_by_the_fields_that_they_have() {
    let grouped =
        |number: usize, of: &str| correlation(number, of, "").replace("  type", "  group-by: [message]\n  type");
    let own = vec![
        (id(7), State::Enabled, text(7, "x")),
        (id(8), State::Enabled, grouped(8, &id(0))),
        (id(9), State::Enabled, grouped(9, &id(7))),
    ];
    let wanted = Wanted { own, pipelines: pipeline(RENAMES), ..Wanted::default() };
    let made = TenantRules::make(book(1), State::Enabled, &wanted);
    let links = made.correlated().links();
    let mut fields: Vec<(String, Vec<String>)> = links
        .correlations
        .iter()
        .flat_map(|linked| &linked.members)
        .map(|member| match &member.target {
            shieldops_detect::Target::Rule(id) => (id.clone(), member.group_by.clone()),
            other @ shieldops_detect::Target::Correlation(_) => panic!("{other:?}"),
        })
        .collect();
    fields.sort();
    assert_eq!(fields, [(id(0), vec!["message".to_owned()]), (id(7), vec!["theirs".to_owned()])]);
}

#[test]
fn a_rule_of_the_tenant_that_its_pipeline_refuses_leaves_the_one_below_it_running() {
    let elsewhere = text(7, "z").replace("linux", "windows");
    let own = vec![(id(0), State::Enabled, text(0, "y")), (id(7), State::Enabled, elsewhere)];
    let wanted = Wanted { own, pipelines: pipeline(REFUSES), ..Wanted::default() };
    let made = TenantRules::make(book(1), State::Enabled, &wanted);
    assert!(made.runs(0) && made.own.as_ref().is_some_and(|own| own.set.len() == 1));
    let coverage::RuleSet::Tenant { differs, .. } = &made.set else { panic!("{:?}", made.set) };
    assert_eq!(differs.keys().collect::<Vec<_>>(), [&id(7)]);
}

#[test]
fn a_correlation_that_cannot_be_used_leaves_the_one_below_it_running() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("0.yml"), format!("{}---\n{}", text(0, "x"), correlation(8, &id(0), ""))).unwrap();
    let book = Content::load(&[], vec![dir.path().to_owned()], State::Enabled).book();
    let own =
        vec![(id(8), State::Shadow, correlation(8, "gone", "")), (id(9), State::Enabled, correlation(9, &id(0), ""))];
    let made = TenantRules::make(book, State::Enabled, &Wanted { own, ..Wanted::default() });
    let set = made.correlation_set();
    assert!(set.find(&id(8)).is_some() && set.find(&id(9)).is_some());
    assert!(!made.correlations.is_shadow(&id(8)), "as everybody's is set");
}
