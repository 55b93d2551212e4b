//! Detection as code on a real server: a tenant's rule from draft to alert, exceptions, and what was covered.

use super::*;

const RULE: &str = "5a000000-0000-4000-8000-0000000000d1";

fn rule(word: &str) -> String {
    format!(
        "title: Word\nname: a_word\nid: {RULE}\nstatus: test\nlevel: medium\ntags: [attack.credential-access, attack.t1110]\nlogsource:\n  product: linux\n  service: sshd\ndetection:\n  selection:\n    message|contains: {word}\n  condition: selection\nshieldops:\n  triage: Ask who said {word}.\n"
    )
}

/// A line of sshd's, so many minutes from now.
fn line(minutes: i64, words: &str) -> String {
    let at = from_now(&format!("{minutes} minutes"));
    format!("<38>1 {at} web-07 sshd 4211 - - {words}")
}

fn written(word: &str) -> Value {
    json!({"text": rule(word), "match": [line(0, &format!("a {word} b"))], "miss": [line(0, "nothing")], "note": "first"})
}

fn path(rest: &str) -> String {
    format!("/api/v1/rules/{RULE}{rest}")
}

fn set(who: &Caller, body: &Value) -> site::Reply {
    who.call("PATCH", &path(""), Some(body))
}

/// Sends a line and waits until it was looked at.
fn send(org: &Org, shipper: &Caller, line: &str) {
    shipper.send_lines(line);
    let looked_at = || {
        let stats = org.admin.get("/api/v1/ingest/stats");
        (stats["processed"].as_u64()? >= stats["accepted"].as_u64()?).then_some(())
    };
    until(looked_at);
}

/// How often the rule has raised or raised again an alert.
fn alerted(who: &Caller) -> u64 {
    let alerts = who.items(&format!("/api/v1/alerts?rule_id={RULE}"));
    alerts.iter().map(|alert| alert["count"].as_u64().unwrap()).sum()
}

fn backtest(who: &Caller) -> Value {
    let body = json!({"from": from_now("-1 day")});
    let begun = who.call("POST", &path("/backtest"), Some(&body));
    assert_eq!(begun.status, 202, "{}", begun.text);
    let job = begun.header("location").unwrap().to_owned();
    until(|| Some(who.get(&job)).filter(|job| job["state"] != "running"));
    let id = text(&begun.json()["id"]);
    who.get(&path(&format!("/backtests/{id}")))
}

#[test]
fn a_rule_of_a_tenant_is_watched_proved_and_enabled_before_it_raises_alerts() {
    let site = Site::start(&[]);
    let (ours, theirs) = (site.tenant("ours", "Ours", None), site.tenant("theirs", "Theirs", None));
    let (shipper, elsewhere) = (ours.shipper("in"), theirs.shipper("in"));
    let admin = &ours.admin;
    let made = admin.call("POST", "/api/v1/rules", Some(&written("heliotrope")));
    assert_eq!((made.status, made.header("etag")), (201, Some("\"1\"")), "{}", made.text);
    assert_eq!((&made.json()["state"], &made.json()["tests"]["verdict"]), (&json!("draft"), &json!("passed")));
    theirs.admin.call("GET", &path(""), None).refused(404, "not_found");
    send(&ours, &shipper, &line(0, "a heliotrope"));
    assert_eq!(alerted(admin), 0, "a draft is not run");

    let enable = json!({"state": "enabled", "reason": "ready"});
    let refused = set(admin, &enable);
    refused.refused(409, "rule_not_proved");
    assert_eq!(refused.json()["errors"][0]["code"], "backtest_missing", "{}", refused.text);
    set(admin, &json!({"state": "shadow", "reason": "watch it first"})).ok();
    send(&ours, &shipper, &line(0, "a heliotrope"));
    let seen = admin.items(&path("/matches"));
    assert_eq!((seen.len(), alerted(admin)), (1, 0), "a match in shadow is listed and raises nothing: {seen:?}");
    assert_eq!(admin.get(&path(""))["scorecard"]["shadow_matches"], 1);

    let test = backtest(admin);
    let report = &test["report"];
    assert_eq!(
        (&test["state"], &report["matches"], &report["alerts"]),
        (&json!("done"), &json!(2), &json!(1)),
        "{test}"
    );
    assert_eq!((&report["complete"], report["per_day"].as_array().unwrap().len()), (&json!(true), 1), "{test}");
    set(admin, &enable).ok();
    send(&ours, &shipper, &line(0, "a heliotrope"));
    send(&theirs, &elsewhere, &line(0, "a heliotrope"));
    assert_eq!((alerted(admin), alerted(&theirs.admin)), (1, 0), "enabled, for this tenant alone");
    let id = text(&admin.items(&format!("/api/v1/alerts?rule_id={RULE}"))[0]["id"]);
    let shown = admin.get(&format!("/api/v1/alerts/{id}"));
    assert_eq!(shown["matches"][0]["fields"][0]["field"], "message", "the alert says what matched: {shown}");
    assert_eq!(shown["rule"]["triage"], "Ask who said heliotrope.", "and what to look at first");

    let again = admin.call("PUT", &path(""), Some(&written("periwinkle"))).ok();
    assert_eq!((&again["head"], &again["live"], &again["proof"]["ready"]), (&json!(2), &json!(1), &json!(false)));
    let why = |body: Value| admin.post(&path("/explain"), &body);
    let runs = why(json!({"event": line(0, "a heliotrope")}));
    assert_eq!((&runs["matched"], &runs["version"], &runs["state"]), (&json!(true), &json!(1), &json!("enabled")));
    let next = why(json!({"event": line(0, "a periwinkle"), "version": 2}));
    assert_eq!((&next["matched"], &next["version"], &next["state"]), (&json!(true), &json!(2), &json!("draft")));
    assert_eq!(why(json!({"event": line(0, "a periwinkle")}))["matched"], false, "of what runs, unless told");
    let diff = admin.get(&path("/diff"));
    assert!(
        text(&diff["text"]).contains("-    message|contains: heliotrope\n+    message|contains: periwinkle"),
        "{diff}"
    );
    send(&ours, &shipper, &line(0, "a periwinkle"));
    assert_eq!(alerted(admin), 1, "what runs is what was proved");
    set(admin, &enable).refused(409, "rule_not_proved");
    let forced = set(admin, &json!({"state": "enabled", "override": true, "reason": "under attack"})).ok();
    assert_eq!((&forced["live"], &forced["switched"]["unproved"]), (&json!(2), &json!(true)));
    send(&ours, &shipper, &line(0, "a periwinkle"));
    assert_eq!(alerted(admin), 2);
    let kinds: Vec<Value> = admin.items("/api/v1/ledger?limit=200").iter().map(|entry| entry["kind"].clone()).collect();
    for kind in ["rule.created", "rule.shadowed", "rule.enabled", "rule.revised"] {
        assert!(kinds.contains(&json!(kind)), "{kind}: {kinds:?}");
    }
}

#[test]
fn an_excepted_event_raises_no_alert_and_after_the_end_of_the_exception_it_does() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let (admin, shipper) = (&org.admin, org.shipper("in"));
    admin.post("/api/v1/rules", &written("heliotrope"));
    set(admin, &json!({"state": "enabled", "override": true, "reason": "a test"})).ok();
    let filter = format!(
        "title: Backups\nlogsource:\n  product: linux\n  service: sshd\nfilter:\n  rules: [{RULE}]\n  known:\n    message|contains: backup\n  condition: not known\n"
    );
    let body =
        json!({"filter": filter, "owner": "ann", "reason": "the nightly backup", "expires_at": from_now("2 minutes")});
    let made = admin.call("POST", "/api/v1/exceptions", Some(&body));
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    assert_eq!((&made["rules"], &made["active"]), (&json!([RULE]), &json!(true)));

    send(&org, &shipper, &line(0, "heliotrope of a backup"));
    assert_eq!(alerted(admin), 0, "it is excepted");
    send(&org, &shipper, &line(0, "heliotrope of somebody else"));
    assert_eq!(alerted(admin), 1, "another event is not");
    send(&org, &shipper, &line(5, "heliotrope of a backup"));
    assert_eq!(alerted(admin), 2, "an event from after its end is not");
    assert_eq!(admin.get(&path(""))["scorecard"]["excepted_matches"], 1);
    let why = admin.post(&path("/explain"), &json!({"event": line(0, "heliotrope of a backup")}));
    assert_eq!((&why["matched"], &why["excepted_by"]), (&json!(true), &made["id"]), "{why}");

    let by_name = filter.replace(RULE, "a_word").replace("backup", "cinema");
    admin.post(
        "/api/v1/exceptions",
        &json!({"filter": by_name, "owner": "ann", "reason": "of it by its name", "expires_at": from_now("2 minutes")}),
    );
    let listed = admin.items(&format!("/api/v1/exceptions?rule_id={RULE}")).len();
    assert_eq!((listed, &admin.get(&path(""))["exceptions"]), (2, &json!(2)), "by id and by name");

    let carried = admin.get(&path("/export"));
    assert_eq!(carried["exceptions"][0]["owner"], "ann", "{carried}");
    let other = site.tenant("other", "Other", None);
    let mut strange = carried.clone();
    strange["text"] = json!(text(&carried["text"]).replace(RULE, "5a000000-0000-4000-8000-00000000000f"));
    other.admin.call("POST", "/api/v1/rules/import", Some(&strange)).refused(400, "invalid_request");
    let copy = other.admin.call("POST", "/api/v1/rules/import", Some(&carried));
    assert_eq!((copy.status, &copy.json()["state"], &copy.json()["exceptions"]), (201, &json!("draft"), &json!(2)));

    admin.call("DELETE", &format!("/api/v1/exceptions/{}", text(&made["id"])), None).ok();
    send(&org, &shipper, &line(0, "heliotrope of a backup"));
    assert_eq!(alerted(admin), 3, "taken back, it holds no more");
    let kinds: Vec<Value> = admin.items("/api/v1/ledger?limit=200").iter().map(|entry| entry["kind"].clone()).collect();
    assert!(kinds.contains(&json!("exception.created")) && kinds.contains(&json!("exception.deleted")), "{kinds:?}");
}

#[test]
fn what_was_checked_is_told_by_source_and_rule_and_what_is_wrong_with_a_rule_before_it_is_kept() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let (admin, shipper) = (&org.admin, org.shipper("in"));
    let bad = admin.call("POST", "/api/v1/rules", Some(&json!({"text": "title: x\ndetection: {}\n"})));
    bad.refused(422, "invalid_rule");
    assert!(!bad.json()["errors"].as_array().unwrap().is_empty(), "{}", bad.text);
    let checked = admin.call("POST", "/api/v1/rules/check", Some(&written("heliotrope"))).ok();
    assert_eq!((&checked["rule_id"], &checked["tests"]["failed"]), (&json!(RULE), &json!(0)));

    admin.post("/api/v1/rules", &written("heliotrope"));
    send(&org, &shipper, &line(0, "before it ran"));
    let log = admin.get("/api/v1/coverage/log");
    assert_eq!((&log["rows"][0]["source"], &log["rows"][0]["evaluated"]), (&json!("sshd"), &json!(1)), "{log}");
    let of_rule = || admin.get(&format!("/api/v1/coverage/log?rule={RULE}&source=sshd"));
    let windows = of_rule()["windows"].clone();
    let checked = |windows: &Value, status: &str| windows.as_array().unwrap().iter().any(|one| one["status"] == status);
    assert!(checked(&windows, "not_checked") && !checked(&windows, "evaluated"), "a draft checks nothing: {windows}");
    set(admin, &json!({"state": "enabled", "override": true, "reason": "a test"})).ok();
    send(&org, &shipper, &line(-30, "while it ran"));
    let windows = of_rule()["windows"].clone();
    assert!(checked(&windows, "evaluated"), "{windows}");

    let matrix = admin.get("/api/v1/coverage/attack");
    let technique = matrix["techniques"].as_array().unwrap().iter().find(|one| one["id"] == "T1110").unwrap();
    assert_eq!(technique["level"], "tested", "{technique}");
    let layer = admin.get("/api/v1/coverage/attack/navigator");
    assert_eq!((&layer["versions"]["layer"], &layer["domain"]), (&json!("4.5"), &json!("enterprise-attack")));
    let fields = admin.get("/api/v1/coverage/fields");
    let source = &fields["sources"][0];
    assert_eq!(source["source"], "sshd", "{fields}");
    assert!(source["fields"].as_array().unwrap().iter().any(|field| field["name"] == "message"), "{fields}");

    let why = admin.post(&path("/explain"), &json!({"event": line(0, "nothing of it")}));
    assert_eq!((&why["matched"], &why["log_source"]["matches"]), (&json!(false), &json!(true)), "{why}");
    let item = &why["selections"][0]["items"][0];
    assert_eq!((&item["field"], &item["matched"], &item["present"]), (&json!("message"), &json!(false), &json!(true)));
}
