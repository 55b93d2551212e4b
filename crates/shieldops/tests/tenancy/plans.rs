//! What a plan says of what it reaches, from events to the answer; lists of actions; and what protection plans by itself.

use super::*;
use crate::clock;

const DAY_S: u32 = 24 * 3_600;
const SETTINGS: &str = "/api/v1/gate-settings";

/// One line for each address, from a host that somebody signs in to.
fn signed_in(range: std::ops::RangeInclusive<usize>) -> String {
    let line = |last| {
        format!("Nov 21 10:15:02 edge sshd[4211]: Failed password for ann from 198.51.100.{last} port 51122 ssh2\n")
    };
    range.map(line).collect()
}

fn block_range(target: &str, range: &str) -> Value {
    let target = json!({"kind": "linux_host", "name": target});
    json!({"actions": [{"capability": "linux.block_range", "target": target, "params": {"range": range}}]})
}

fn codes(plan: &Value) -> Vec<&str> {
    plan["decision"]["denies"].as_array().unwrap().iter().map(|deny| deny["code"].as_str().unwrap()).collect()
}

#[test]
fn the_peers_of_a_range_in_the_events_are_the_blast_radius_of_a_plan_and_too_many_deny_it() {
    let site = Site::start(&[]);
    let (org, other) = (site.tenant("acme", "Acme", None), site.tenant("other", "Other", None));
    for org in [&org, &other] {
        target(org, "sim/web", "staging");
    }
    let plan = |org: &Org| org.admin.post("/api/v1/plans", &block_range("sim/web", "198.51.100.0/24"));
    let alone = plan(&org);
    assert_eq!((&alone["blast_radius"], &alone["state"]), (&json!(2), &json!("proposed")), "{alone}");
    let shipper = org.shipper("edge");
    shipper.send_lines(&signed_in(1..=12));
    until(|| (plan(&org)["blast_radius"] == 13).then_some(()));
    let seen = plan(&org);
    let resources = seen["actions"][0]["resources"].as_array().unwrap();
    assert!(resources.contains(&json!("peer:198.51.100.12")) && resources.len() == 13, "{seen}");
    assert_eq!(
        (&seen["state"], &seen["actions"][0]["estimate"]["measured"]),
        (&json!("proposed"), &json!(0)),
        "{seen}"
    );
    assert!(seen["estimated_ms"].as_u64().unwrap() > 0);
    shipper.send_lines(&signed_in(13..=30));
    until(|| (plan(&org)["blast_radius"] == 31).then_some(()));
    let over = plan(&org);
    assert!(over["state"] == "denied" && codes(&over).contains(&"blast_radius"), "{over}");
    let narrow = org.admin.post("/api/v1/plans", &block_range("sim/web", "198.51.100.0/28"));
    assert_eq!((&narrow["blast_radius"], &narrow["state"]), (&json!(16), &json!("proposed")), "{narrow}");
    assert_eq!(plan(&other)["blast_radius"], 2, "what another tenant saw is not seen");
}

#[test]
fn a_peer_is_remembered_for_seven_days_and_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut clock) = clock::ahead(dir.path()) else { return };
    let mut site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    target(&org, "sim/web", "staging");
    let (planner, shipper) = (Org::token_of(&org.admin, "planner").1, org.shipper("edge"));
    let comes_to = |at: &str, days: u32, numbers: std::ops::RangeInclusive<u32>, wanted: u32| {
        let said = from_now(&format!("+{days} days"));
        let line = |number| {
            format!(
                "<38>1 {said} edge sshd 4211 - - Failed password for ann from 198.51.100.{number} port 51122 ssh2\n"
            )
        };
        shipper.at(at).send_lines(&numbers.map(line).collect::<String>());
        let planner = planner.at(at);
        let radius =
            || planner.post("/api/v1/plans", &block_range("sim/web", "198.51.100.0/24"))["blast_radius"].clone();
        until(|| (radius() == wanted).then_some(()));
    };
    comes_to(site.url(), 0, 1..=3, 4);
    for (days, number, wanted) in [(6, 9, 5), (8, 10, 3)] {
        site.server.stop();
        let [preload, ahead] = clock.by(days * DAY_S);
        site.server.restart_with(&[], &[preload, ahead, ("SHIELDOPS_LIMITS__ENABLED", "false")]);
        comes_to(site.url(), days, number..=number, wanted);
    }
}

#[test]
fn actions_are_listed_by_what_they_did_where_for_what_and_how_they_stand_page_by_page() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let second = org.member("bea", "admin");
    let web = in_force(&org, &second, "sim/web");
    target(&org, "sim/db", "staging");
    for range in ["203.0.113.64/28", "203.0.113.128/28"] {
        org.admin.post("/api/v1/plans", &block_range("sim/db", range));
    }
    let ids = |query: &str| -> Vec<String> {
        org.admin.items(&format!("/api/v1/actions?{query}")).iter().map(|action| text(&action["id"])).collect()
    };
    let database = text(&org.admin.items("/api/v1/actions")[0]["target_id"]);
    assert_eq!(ids("capability=linux.block_ip"), std::slice::from_ref(&web));
    assert_eq!(ids(&format!("target_id={database}")).len(), 2);
    assert_eq!(ids(&format!("target_id={database}&state=planned&capability=linux.block_range")).len(), 2);
    assert!(ids(&format!("target_id={database}&state=verified")).is_empty());
    assert!(ids("incident_id=inc_01h455vb4pex5vsknk084sn02q").is_empty());
    let path = format!("/api/v1/actions?target_id={database}&limit=1");
    let first = org.admin.get(&path);
    let cursor = text(&first["next_cursor"]);
    let next = org.admin.get(&format!("{path}&cursor={cursor}"));
    assert_ne!(first["items"][0]["id"], next["items"][0]["id"]);
    assert_eq!((&next["items"][0]["target_id"], &next["next_cursor"]), (&json!(database), &Value::Null));
    org.admin.call("GET", &format!("/api/v1/actions?limit=1&cursor={cursor}"), None).refused(400, "invalid_cursor");
    org.admin.call("GET", "/api/v1/actions?target_id=web", None).refused(400, "invalid_request");
}

/// These come under protection, and nothing else.
fn protect(org: &Org, second: &Caller, entries: &Value) {
    let draft = json!({"settings": {"protected": entries}, "reason": "ours"});
    let number = org.admin.call("PUT", SETTINGS, Some(&draft)).ok()["number"].clone();
    second.post(&format!("{SETTINGS}/versions/{number}/activate"), &json!({"reason": "agreed"}));
}

#[test]
fn what_exists_on_a_thing_that_comes_under_protection_gets_a_plan_that_lifts_it_and_waits_for_a_person() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let second = org.member("bea", "admin");
    let action = in_force(&org, &second, "sim/web");
    let entry = json!({"kind": "range", "value": "203.0.113.0/28", "why": "the resolvers"});
    protect(&org, &second, &json!([entry]));
    let effects = || org.admin.items(&format!("{SETTINGS}/effects"));
    let found = effects();
    assert_eq!((found.len(), &found[0]["action_id"]), (1, &json!(action)), "{found:?}");
    let plan = org.admin.get(&format!("/api/v1/plans/{}", text(&found[0]["undo_plan_id"])));
    assert_eq!((&plan["requester"], &plan["state"]), (&json!("system:protection"), &json!("proposed")), "{plan}");
    assert_eq!(plan["actions"][0]["undo_of"], json!(action));
    assert!(text(&plan["why"]).contains("the resolvers"), "{plan}");
    assert_eq!(org.admin.get(&format!("/api/v1/actions/{action}"))["state"], "verified", "nothing is lifted by itself");
    let path = format!("/api/v1/plans/{}/approve", text(&plan["id"]));
    let done = second.post(&path, &json!({"hash": plan["hash"]}));
    assert_eq!((&done["state"], &done["actions"][0]["state"]), (&json!("executed"), &json!("verified")), "{done}");
    assert_eq!(org.admin.get(&format!("/api/v1/actions/{action}"))["state"], "undone");
    assert!(effects().is_empty());
}

#[test]
fn what_exists_on_a_target_that_is_set_protected_gets_a_plan_that_lifts_it() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let second = org.member("bea", "admin");
    let action = in_force(&org, &second, "sim/web");
    let row = org.admin.items("/api/v1/targets").remove(0);
    let path = format!("/api/v1/targets/{}", text(&row["id"]));
    org.admin.call("PATCH", &path, Some(&json!({"protected": true}))).ok();
    let found = org.admin.items(&format!("{SETTINGS}/effects"));
    assert_eq!((found.len(), &found[0]["action_id"]), (1, &json!(action)), "{found:?}");
    let plan = org.admin.get(&format!("/api/v1/plans/{}", text(&found[0]["undo_plan_id"])));
    assert_eq!((&plan["requester"], &plan["state"]), (&json!("system:protection"), &json!("proposed")), "{plan}");
    assert!(text(&plan["why"]).contains("set protected"), "{plan}");
}

#[test]
fn whoever_leaves_an_effect_on_a_protected_thing_is_not_asked_again_when_another_comes_under_protection() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let second = org.member("bea", "admin");
    in_force(&org, &second, "sim/web");
    let entry = json!({"kind": "range", "value": "203.0.113.0/28", "why": "the resolvers"});
    protect(&org, &second, &json!([entry]));
    let effects = || org.admin.items(&format!("{SETTINGS}/effects"));
    let plan = text(&effects()[0]["undo_plan_id"]);
    second.post(&format!("/api/v1/plans/{plan}/reject"), &json!({"reason": "it attacks still"}));
    assert_eq!(effects()[0]["undo_plan_id"], Value::Null, "it is listed, and nothing waits");
    protect(&org, &second, &json!([entry, {"kind": "user", "value": "ann", "why": "the boss"}]));
    assert_eq!((effects().len(), &effects()[0]["undo_plan_id"]), (1, &Value::Null));
}

#[test]
fn a_freeze_is_set_aside_only_by_who_may_approve_and_with_a_reason() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    target(&org, "sim/web", "staging");
    let body = |reason: &str| {
        let mut body = block("sim/web");
        body["freeze_override"] = reason.into();
        body
    };
    let may = json!({"name": "planner", "permissions": ["plan.create", "plan.read"]});
    let planner = org.member("pia", &text(&org.admin.post("/api/v1/roles", &may)["id"]));
    let own = planner.post("/api/v1/plans", &block("sim/web"));
    let may_not = planner.call("POST", "/api/v1/plans", Some(&body("the outage is worse")));
    may_not.refused(403, "forbidden");
    assert!(may_not.text.contains("may not set a freeze aside"), "{}", may_not.text);
    let again = format!("/api/v1/plans/{}/replan", text(&own["id"]));
    planner.call("POST", &again, Some(&json!({"freeze_override": "x"}))).refused(403, "forbidden");
    org.admin.call("POST", "/api/v1/plans", Some(&body(" "))).refused(400, "invalid_request");
    let plan = org.admin.post("/api/v1/plans", &body("the outage is worse"));
    assert_eq!((&plan["state"], plan.get("freeze_override")), (&json!("proposed"), None), "nothing was frozen: {plan}");
    let again = format!("/api/v1/plans/{}/replan", text(&plan["id"]));
    org.admin.post(&format!("/api/v1/plans/{}/reject", text(&plan["id"])), &json!({"reason": "an exercise"}));
    let replanned = org.admin.post(&again, &json!({"freeze_override": "the outage is worse"}));
    assert_eq!(replanned["state"], "proposed", "{replanned}");
}
