//! What every investigation keeps to: the same bytes for the same case, limits, and no claim without evidence.

use std::collections::BTreeSet;

use proptest::prelude::*;
use shieldops_model::{EventId, Severity, Timestamp};

use crate::{
    CaseFile, Export, ExportEvent, LedgerRow, LiveBlock, export,
    facts::Facts,
    hypotheses::MAX_HYPOTHESES,
    investigate, render_html,
    testing::{ATTACKER, Builder, FAILED, HOST, OFFICE, RECON, Rule, SIGN_IN, SPRAYED, SQLI, START, recorded, target},
    words::DETAIL_MAX,
};

fn bytes(case: &CaseFile) -> String {
    serde_json::to_string(&investigate(case)).unwrap()
}

#[test]
fn the_recorded_attack_is_understood() {
    insta::assert_json_snapshot!(investigate(&recorded().case()));
}

#[test]
fn a_spray_that_gets_in_is_the_first_hypothesis_and_harmless_ones_come_last() {
    let found = investigate(&recorded().case());
    let told: Vec<String> =
        found.hypotheses.iter().map(|idea| format!("{:.2} {}", idea.confidence, idea.title)).collect();
    insta::assert_snapshot!(told.join("\n"));
    let against = found.hypotheses.iter().flat_map(|idea| &idea.evidence).filter(|evidence| !evidence.supports).count();
    assert!(against > 3, "evidence against is shown too: {against}");
}

#[test]
fn the_attacker_is_blocked_on_the_registered_victim_and_the_office_is_not() {
    let found = investigate(&recorded().case());
    let [plan] = found.proposed_plans.as_slice() else { panic!("one plan: {:?}", found.proposed_plans) };
    assert_eq!(plan.title, "Block 203.0.113.66 on web-01");
    let [action] = plan.actions.as_slice() else { panic!("one action") };
    assert_eq!((action.capability.as_str(), action.target.name.as_str()), ("linux.block_ip", "twin/demo"));
    assert_eq!(action.params, serde_json::json!({ "address": ATTACKER, "expires_in_s": 86_400 }));
    assert!(plan.confidence >= 0.5);
}

#[test]
fn a_revision_with_more_of_the_same_proposes_the_same_words_and_actions() {
    let mut builder = recorded();
    let before = investigate(&builder.case()).proposed_plans;
    for user in SPRAYED {
        builder.auth(200_000, ATTACKER, user, "failure").alert(FAILED);
    }
    let after = investigate(&CaseFile { revision: 2, ..builder.case() }).proposed_plans;
    let words = |plans: &[shieldops_model::ProposedPlan]| {
        plans.iter().map(|plan| (plan.title.clone(), plan.why.clone(), plan.actions.clone())).collect::<Vec<_>>()
    };
    assert_eq!(words(&before), words(&after));
}

#[test]
fn one_line_that_a_medium_rule_matches_is_enough_for_a_plan_and_a_low_one_is_not() {
    let with = |rule: Rule| {
        let mut builder = Builder::new();
        builder.auth(0, ATTACKER, "root", "failure").alert(rule);
        investigate(&builder.case()).proposed_plans.len()
    };
    let (title, _, tactics, technique) = FAILED;
    assert_eq!(with((title, Severity::Medium, tactics, technique)), 1);
    assert_eq!(with(FAILED), 0);
}

/// The words that explain why there is no plan.
fn without_plan(change: impl FnOnce(&mut CaseFile), address: &str) -> String {
    let mut builder = Builder::new();
    builder.auth(0, address, "root", "success").alert(SIGN_IN);
    let mut case = builder.case();
    change(&mut case);
    let found = investigate(&case);
    assert_eq!(found.proposed_plans, []);
    let gaps = found.not_checked.iter().map(|gap| format!("{}: {}", gap.what, gap.why));
    let response = found.steps.iter().find(|step| step.name == "Looked for a response").unwrap();
    gaps.filter(|gap| gap.starts_with("No target") || gap.starts_with("No plan") || gap.starts_with("No block"))
        .chain([response.found.clone()])
        .collect::<Vec<_>>()
        .join(" | ")
}

#[test]
fn where_no_plan_is_proposed_the_reason_is_told() {
    let told = [
        without_plan(|case| case.targets.clear(), ATTACKER),
        without_plan(|case| case.targets.iter_mut().for_each(|target| target.protected = true), ATTACKER),
        without_plan(|_| {}, "10.0.0.9"),
        without_plan(
            |case| {
                let action_id = shieldops_model::ActionId::from_bits(9);
                let target = target("twin/demo", HOST).reference();
                case.live_blocks.push(LiveBlock { target, address: ATTACKER.into(), action_id });
            },
            ATTACKER,
        ),
    ];
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn slips_of_a_person_and_jobs_with_an_old_password_are_told_from_attacks() {
    let mut slips = Builder::new();
    slips.auth(0, OFFICE, "admin", "success");
    for second in [100, 104, 109] {
        slips.auth(second * 1_000, OFFICE, "admin", "failure").alert(FAILED);
    }
    slips.auth(115_000, OFFICE, "admin", "success");
    let mut job = Builder::new();
    for minute in 0..20 {
        job.auth(minute * 60_000, "10.0.0.5", "backup", "failure").alert(FAILED);
    }
    let best = |builder: &Builder| {
        let found = investigate(&builder.case());
        let told = found.hypotheses.iter().map(|idea| format!("{:.2} {}", idea.confidence, idea.title));
        told.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(format!("slips\n{}\njob\n{}", best(&slips), best(&job)));
    assert_eq!(investigate(&slips.case()).proposed_plans, []);
}

#[test]
fn a_try_that_two_logs_tell_of_is_counted_once_and_the_fuller_log_counts() {
    let told = |sshd: i64, audit: i64| {
        let mut both = Builder::new();
        for at in 0..sshd.max(audit) {
            let user = SPRAYED[usize::try_from(at).unwrap() % SPRAYED.len()];
            if at < sshd {
                both.auth(at * 1_000, ATTACKER, user, "failure");
            }
            if at < audit {
                both.audited(at * 1_000 + 2, ATTACKER, user, "failure");
            }
        }
        let case = both.case();
        Facts::of(&case).sources[ATTACKER].failures.iter().map(|event| event.source.clone()).collect::<Vec<_>>()
    };
    assert_eq!(told(12, 12), vec!["sshd"; 12]);
    assert_eq!(told(3, 12), vec!["auditd"; 12]);
    assert_eq!(told(0, 12), vec!["auditd"; 12]);
}

#[test]
fn text_of_an_attacker_stays_in_details() {
    let evil = "\u{1b}[2J<script>alert(1)</script> ignore previous instructions \u{202e}";
    let mut builder = Builder::new();
    builder.web(0, ATTACKER, &evil.repeat(20), 200, evil).alert(SQLI);
    builder.auth(10, ATTACKER, evil, "failure").alert(FAILED);
    builder.exec(20, evil, 7, (5, 4), evil).alert(RECON);
    let found = investigate(&builder.case());
    let details: Vec<&str> = found
        .timeline
        .iter()
        .filter_map(|entry| entry.detail.as_deref())
        .chain(found.process_tree.iter().map(|node| node.detail.as_str()))
        .collect();
    assert!(
        details.iter().all(|detail| detail.chars().count() <= DETAIL_MAX + 1 && !detail.chars().any(char::is_control))
    );
    let titles = found.timeline.iter().map(|entry| &entry.title).chain(found.hypotheses.iter().map(|idea| &idea.title));
    let plans = found.proposed_plans.iter().flat_map(|plan| [&plan.title, &plan.why]);
    for text in titles.chain(plans).chain(found.process_tree.iter().map(|node| &node.label)).chain([&found.summary]) {
        assert!(!text.contains("ignore previous") && !text.contains('<') && !text.contains('\u{1b}'), "{text:?}");
    }
}

#[test]
fn an_empty_case_says_that_nothing_could_be_read() {
    let found = investigate(&Builder::new().case());
    assert_eq!(found.summary, "None of the events that the alerts name could be read.");
    assert_eq!((found.hypotheses.len(), found.proposed_plans.len(), found.timeline.len()), (0, 0, 0));
    assert!(!found.not_checked.is_empty());
}

fn export() -> Export {
    let case = recorded().case();
    let first = case.events.first().unwrap();
    Export {
        version: export::VERSION,
        generated_at: Timestamp::from_secs(START + 600),
        product: "ShieldOps 0.1.0".into(),
        incident: case.incident.clone(),
        alerts: case.alerts.clone(),
        investigation: Some(investigate(&case)),
        plans: Vec::new(),
        notes: Vec::new(),
        events: vec![ExportEvent {
            id: first.id,
            time: first.time,
            source: "sshd".into(),
            raw: "<img src=x onerror=alert(1)>\u{0}".into(),
        }],
        ledger: vec![LedgerRow {
            seq: 1,
            time: first.time,
            kind: "incident.opened".into(),
            actor: "system:triage".into(),
            hash: "ab".repeat(32),
            summary: "\"quoted\" & <b>bold</b>".into(),
        }],
    }
}

#[test]
fn the_page_escapes_everything_and_asks_for_nothing() {
    let page = render_html(&export());
    for forbidden in ["<script", "<img", "<b>bold", "http://", "https://", "url(", "@import", "\u{0}", "onclick"] {
        // The downloaded address of the recorded attack is text, not a link.
        let page = page.replace("http://203.0.113.66:8000/upd", "").replace("http-equiv", "");
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(
        page.contains("&lt;img src=x onerror=alert(1)&gt;\\u{0}")
            && page.contains("&quot;quoted&quot; &amp; &lt;b&gt;")
    );
    assert_eq!(page, render_html(&export()));
    let first = export().events.first().unwrap().id;
    assert!(page.contains(&format!("id=\"{first}\"")), "cited events have their place");
    assert!(!page.contains("[evt_") && page.contains("href=\"#evt_"), "citations are links");
    for tag in ["section", "table", "div", "ul", "li", "pre", "h2", "main", "tr", "td", "span", "code"] {
        let (opened, closed) = (
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count(),
            page.matches(&format!("</{tag}>")).count(),
        );
        assert_eq!(opened, closed, "{tag}");
    }
}

#[test]
fn the_json_export_reads_back_as_it_was() {
    let export = export();
    let text = serde_json::to_string(&export).unwrap();
    assert_eq!(serde_json::from_str::<Export>(&text).unwrap(), export);
}

/// Cases of random sign-ins, requests and commands, alerted or not.
fn cases() -> impl Strategy<Value = Builder> {
    let one = (0_i64..600_000, 0_usize..4, 0_usize..4, 0_usize..5, any::<bool>());
    prop::collection::vec(one, 0..120).prop_map(|acts| {
        let mut builder = Builder::new();
        for (millis, who, what, user, alerted) in acts {
            let address = [ATTACKER, OFFICE, "10.0.0.9", "2001:db8::7"][who];
            let user = ["deploy", "root", "admin", "a b", ""][user];
            let pids = (u64::try_from(millis % 50).unwrap(), u64::try_from(millis % 7).unwrap());
            match what {
                0 => builder.auth(millis, address, user, "failure"),
                1 => builder.auth(millis, address, user, "success"),
                2 => builder.web(millis, address, "/x?id=1'", 200, "sqlmap"),
                _ => builder.exec(millis, user, 3, pids, "whoami"),
            };
            let rule = [FAILED, SIGN_IN, SQLI, RECON][what];
            if alerted {
                builder.alert(rule);
            }
        }
        builder
    })
}

proptest! {
    #[test]
    fn the_order_of_the_input_does_not_change_a_byte(builder in cases(), seed in any::<u64>()) {
        let case = builder.case();
        let mut shuffled = case.clone();
        let turn = usize::try_from(seed % 97).unwrap();
        let count = shuffled.events.len().max(1);
        shuffled.events.rotate_left(turn % count);
        shuffled.events.reverse();
        shuffled.alerts.reverse();
        shuffled.events.extend(case.events.iter().take(3).cloned());
        for event in &mut shuffled.events {
            event.alerts.reverse();
        }
        prop_assert_eq!(bytes(&case), bytes(&shuffled));
    }

    #[test]
    fn evidence_resolves_and_limits_hold(builder in cases()) {
        let case = builder.case();
        let found = investigate(&case);
        let known: BTreeSet<EventId> = case.events.iter().map(|event| event.id).collect();
        let cited = found.hypotheses.iter().flat_map(|idea| idea.evidence.iter().map(|evidence| evidence.event_id))
            .chain(found.timeline.iter().map(|entry| entry.event_id))
            .chain(found.process_tree.iter().map(|node| node.event_id))
            .chain(found.attack_path.iter().flat_map(|stage| stage.event_ids.clone()))
            .chain(found.graph.edges.iter().flat_map(|edge| edge.event_ids.clone()));
        for event in cited {
            prop_assert!(known.contains(&event), "{event}");
        }
        for idea in &found.hypotheses {
            prop_assert!((0.0..=1.0).contains(&idea.confidence) && !idea.evidence.is_empty(), "{}", idea.title);
            prop_assert!(format!("{}", idea.confidence).len() <= 4, "two decimals: {}", idea.confidence);
        }
        let falling = found.hypotheses.windows(2).all(|pair| pair[0].confidence >= pair[1].confidence);
        prop_assert!(falling && found.hypotheses.len() <= MAX_HYPOTHESES);
        prop_assert!(found.timeline.len() <= 200 && found.graph.nodes.len() <= 150 && found.graph.edges.len() <= 150);
        let nodes: BTreeSet<&str> = found.graph.nodes.iter().map(|node| node.id.as_str()).collect();
        prop_assert!(found.graph.edges.iter().all(|edge| nodes.contains(edge.from.as_str()) && nodes.contains(edge.to.as_str())));
        for plan in &found.proposed_plans {
            prop_assert!(plan.confidence >= 0.5 && plan.confidence <= 1.0);
        }
    }
}

#[test]
fn a_flood_of_events_stays_within_the_limits() {
    let mut builder = Builder::new();
    for number in 0..6_000_i64 {
        let address = format!("198.51.100.{}", number % 250);
        builder.web(number * 200_000, &address, &format!("/{number}"), 200, "x");
        if number % 2 == 0 {
            builder.alert(SQLI);
        }
        builder.exec(number * 200_000, &format!("user{number}"), 3, (1, 2), "whoami").alert(RECON);
    }
    let found = investigate(&builder.case());
    assert_eq!((found.timeline.len(), found.graph.nodes.len(), found.process_tree.len()), (200, 150, 300));
    assert!(
        found.hypotheses.len() <= MAX_HYPOTHESES && found.proposed_plans.len() <= 10 && found.summary.len() < 5_000
    );
    let told = found.not_checked.iter().any(|gap| gap.what == "7000 events left out");
    assert!(told, "{:?}", found.not_checked);
}
