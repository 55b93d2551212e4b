//! One set of rules for all tenants, and what each of them switched off.

use std::{fs, path::Path};

use super::*;

const RULE: &str = "5a000000-0000-4000-8000-000000000001";

fn write_rule(dir: &Path, name: &str, id: &str, word: &str) {
    let text = format!(
        "title: {name}\nid: {id}\nstatus: test\nlevel: medium\nlogsource:\n  product: linux\n  service: sshd\ndetection:\n  selection:\n    message|contains: {word}\n  condition: selection\n"
    );
    fs::write(dir.join(format!("{name}.yml")), text).unwrap();
}

/// Sends the word once and gives how often the rule has matched then.
fn matches(admin: &Caller, shipper: &Caller) -> u64 {
    shipper.send_lines("Nov 21 10:15:02 web-07 sshd[4211]: heliotrope");
    let looked_at = || {
        let stats = admin.get("/api/v1/ingest/stats");
        (stats["processed"].as_u64()? >= stats["accepted"].as_u64()?).then_some(())
    };
    until(looked_at);
    let alerts = admin.items(&format!("/api/v1/alerts?rule_id={RULE}"));
    alerts.iter().map(|alert| alert["count"].as_u64().unwrap()).sum()
}

fn switch(who: &Caller, enabled: bool, reason: &str) -> site::Reply {
    who.call("PATCH", &format!("/api/v1/rules/{RULE}"), Some(&json!({"enabled": enabled, "reason": reason})))
}

#[test]
fn a_rule_that_one_tenant_switched_off_stays_off_for_it_alone_through_reload_and_restart() {
    let dir = tempfile::tempdir().unwrap();
    write_rule(dir.path(), "word", RULE, "heliotrope");
    let config = dir.path().join("shieldops.toml");
    fs::write(&config, format!("[rules]\ndirs = [{:?}]\n", dir.path())).unwrap();
    let args = ["--config", config.to_str().unwrap()];
    let mut site = Site::start_with(&args, &[]);
    let (ours, theirs) = (site.tenant("ours", "Ours", None), site.tenant("theirs", "Theirs", None));
    let (ours_in, theirs_in) = (ours.shipper("in"), theirs.shipper("in"));
    assert_eq!((matches(&ours.admin, &ours_in), matches(&theirs.admin, &theirs_in)), (1, 1));

    let off = switch(&ours.admin, false, "noisy here").ok();
    assert_eq!((&off["enabled"], &off["switched"]["reason"]), (&json!(false), &json!("noisy here")), "{off}");
    assert_eq!((matches(&ours.admin, &ours_in), matches(&theirs.admin, &theirs_in)), (1, 2), "from the next batch on");

    // Another set, in which the rule has another place.
    write_rule(dir.path(), "another", "5a000000-0000-4000-8000-000000000000", "periwinkle");
    site.operator.post("/api/v1/rules/reload", &json!({}));
    assert_eq!((matches(&ours.admin, &ours_in), matches(&theirs.admin, &theirs_in)), (1, 3), "after a reload");

    site.server.stop();
    site.server.restart_with(&args, &[("SHIELDOPS_LIMITS__ENABLED", "false")]);
    let at = |caller: &Caller| caller.at(site.url());
    let (ours_in, theirs_in, us, them) = (at(&ours_in), at(&theirs_in), at(&ours.admin), at(&theirs.admin));
    assert_eq!((matches(&us, &ours_in), matches(&them, &theirs_in)), (1, 4), "after a restart");

    switch(&us, true, "tuned").ok();
    assert_eq!(matches(&us, &ours_in), 2, "on again");
    let kinds: Vec<Value> = us.items("/api/v1/ledger?limit=200").iter().map(|entry| entry["kind"].clone()).collect();
    assert!(kinds.contains(&json!("rule.disabled")) && kinds.contains(&json!("rule.enabled")), "{kinds:?}");
}

#[test]
fn a_rule_is_switched_with_a_reason_by_whoever_may_and_saw_how_it_was() {
    let dir = tempfile::tempdir().unwrap();
    write_rule(dir.path(), "word", RULE, "heliotrope");
    let config = dir.path().join("shieldops.toml");
    fs::write(&config, format!("[rules]\ndirs = [{:?}]\n", dir.path())).unwrap();
    let site = Site::start_with(&["--config", config.to_str().unwrap()], &[]);
    let (ours, theirs) = (site.tenant("ours", "Ours", None), site.tenant("theirs", "Theirs", None));
    let path = format!("/api/v1/rules/{RULE}");
    let viewer = ours.member("vera", "viewer");
    switch(&viewer, false, "mine").refused(403, "forbidden");
    assert_eq!(switch(&ours.admin, false, "  ").status, 400);
    let missing = ours.admin.call("PATCH", "/api/v1/rules/none", Some(&json!({"enabled": false, "reason": "x"})));
    missing.refused(404, "not_found");

    let seen = viewer.call("GET", &path, None);
    assert_eq!((seen.header("etag"), &seen.json()["enabled"]), (Some("\"0\""), &json!(true)));
    let body = json!({"enabled": false, "reason": "noisy"});
    let with = |tag: &str| ours.admin.call_with("PATCH", &path, &[("if-match", tag)], Some(&body));
    ours.admin.call_with("PATCH", &path, &[], Some(&body)).refused(428, "precondition_required");
    with("\"7\"").refused(412, "precondition_failed");
    let done = with("\"0\"");
    assert_eq!((done.status, done.header("etag")), (200, Some("\"1\"")), "{}", done.text);
    with("\"0\"").refused(412, "precondition_failed");

    let ids = |who: &Caller, query: &str| -> Vec<String> {
        who.items(&format!("/api/v1/rules?limit=200&{query}")).iter().map(|rule| text(&rule["id"])).collect()
    };
    assert_eq!(ids(&viewer, "enabled=false"), [RULE]);
    assert!(!ids(&viewer, "enabled=true").contains(&RULE.to_owned()));
    assert!(ids(&theirs.admin, "enabled=false").is_empty(), "another tenant sees nothing of it");
    let named = &viewer.items("/api/v1/rules?enabled=false")[0]["switched"];
    assert_eq!((&named["by_name"], &named["reason"]), (&json!("ours-admin"), &json!("noisy")), "{named}");
}
