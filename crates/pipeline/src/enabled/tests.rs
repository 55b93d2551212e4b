//! A tenant's own rules, its states and its exceptions over one book.

use std::collections::BTreeSet;

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
