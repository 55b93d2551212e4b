//! What else a tenant makes of detection: correlations of its own, lists of values, pipelines, and how many alerts it wants.

use super::*;

const BASE: &str = "5a000000-0000-4000-8000-0000000000e1";
const BELOW: &str = "5a000000-0000-4000-8000-0000000000e2";
const CORRELATION: &str = "5a000000-0000-4000-8000-0000000000e3";

fn rule(id: &str, name: &str, detection: &str) -> String {
    format!(
        "title: {name}\nid: {id}\nname: {name}\nstatus: test\nlevel: medium\nlogsource:\n  product: linux\n  service: sshd\ndetection:\n  selection:\n    {detection}\n  condition: selection\n"
    )
}

/// A rule of its own together with `refused`, which stands in a row of its own.
fn correlation(refers: &str) -> String {
    let below = rule(BELOW, "taken", "message|contains: vermilion");
    format!(
        "{below}---\ntitle: Refused, then taken\nid: {CORRELATION}\nstatus: test\nlevel: high\ncorrelation:\n  type: temporal_ordered\n  rules:\n    - {refers}\n    - taken\n  timespan: 10m\n"
    )
}

fn line(second: i64, words: &str) -> String {
    let at = from_now(&format!("{second} seconds"));
    format!("<38>1 {at} web-07 sshd 4211 - - {words}")
}

fn send(org: &Org, shipper: &Caller, line: &str) {
    shipper.send_lines(line);
    let looked_at = || {
        let stats = org.admin.get("/api/v1/ingest/stats");
        (stats["processed"].as_u64()? >= stats["accepted"].as_u64()?).then_some(())
    };
    until(looked_at);
}

/// As by a power cut, at the same address.
fn restart(site: &mut Site) {
    let listen = site.url().trim_start_matches("http://").to_owned();
    site.server.kill();
    site.server.restart_at(&listen, &[], &[("SHIELDOPS_LIMITS__ENABLED", "false")]);
}

fn alerts(who: &Caller, id: &str) -> Vec<Value> {
    who.items(&format!("/api/v1/alerts?rule_id={id}"))
}

fn create(who: &Caller, text: &str) -> site::Reply {
    who.call("POST", "/api/v1/rules", Some(&json!({"text": text})))
}

fn enable(who: &Caller, id: &str) -> site::Reply {
    let body = json!({"state": "enabled", "override": true, "reason": "a test"});
    who.call("PATCH", &format!("/api/v1/rules/{id}"), Some(&body))
}

fn codes(reply: &site::Reply) -> Vec<String> {
    reply.json()["errors"].as_array().unwrap().iter().map(|error| text(&error["code"])).collect()
}

#[test]
fn a_correlation_of_a_tenant_finds_its_own_events_over_a_restart_and_nobody_elses() {
    let mut site = Site::start(&[]);
    let (ours, theirs) = (site.tenant("ours", "Ours", None), site.tenant("theirs", "Theirs", None));
    let (shipper, elsewhere) = (ours.shipper("in"), theirs.shipper("in"));
    let admin = &ours.admin;
    let missing = create(admin, &correlation("refused"));
    missing.refused(422, "invalid_rule");
    assert!(codes(&missing).contains(&"unknown-rule".to_owned()), "{}", missing.text);
    for who in [admin, &theirs.admin] {
        assert_eq!(create(who, &rule(BASE, "refused", "message|contains: heliotrope")).status, 201);
        enable(who, BASE).ok();
    }
    let story = |words: [&str; 2]| format!("{}\n{}", line(1, words[0]), line(5, words[1]));
    let (found, not) = (story(["a heliotrope", "a vermilion"]), story(["a vermilion", "a heliotrope"]));
    let body = json!({"text": correlation("refused"), "match": [found], "miss": [not]});
    let checked = admin.post("/api/v1/rules/check", &body);
    assert_eq!((&checked["rule_id"], &checked["tests"]["passed"]), (&json!(CORRELATION), &json!(2)), "{checked}");
    let made = admin.call("POST", "/api/v1/rules", Some(&body));
    assert_eq!((made.status, &made.json()["tests"]["verdict"]), (201, &json!("passed")), "{}", made.text);
    assert_eq!(made.json()["correlation"]["members"], json!([BASE, BELOW]), "{}", made.text);
    enable(admin, CORRELATION).ok();

    send(&ours, &shipper, &line(-60, "a heliotrope"));
    send(&theirs, &elsewhere, &line(-60, "a heliotrope"));
    send(&theirs, &elsewhere, &line(-55, "a vermilion"));
    assert!(alerts(admin, CORRELATION).is_empty(), "another tenant's event completes nothing");
    restart(&mut site);
    send(&ours, &shipper, &line(-50, "a vermilion"));
    let found = alerts(admin, CORRELATION);
    assert_eq!((found.len(), &found[0]["count"]), (1, &json!(2)), "what came before the restart counts: {found:?}");
    assert!(alerts(admin, BELOW).is_empty(), "what it brought along is silent");
    assert!(alerts(&theirs.admin, CORRELATION).is_empty());
    let shown = admin.get(&format!("/api/v1/alerts/{}", text(&found[0]["id"])));
    assert_eq!(shown["matches"][0]["fields"][0]["field"], "message", "{shown}");

    let test = json!({"from": from_now("-1 day"), "to": from_now("10 minutes")});
    let begun = admin.call("POST", &format!("/api/v1/rules/{CORRELATION}/backtest"), Some(&test));
    assert_eq!((begun.status, &begun.json()["subject"]), (202, &json!(CORRELATION)), "{}", begun.text);
    let job = begun.header("location").unwrap().to_owned();
    until(|| Some(admin.get(&job)).filter(|job| job["state"] != "running"));
    let report = admin.get(&format!("/api/v1/rules/{CORRELATION}/backtests/{}", text(&begun.json()["id"])));
    assert_eq!((&report["state"], &report["report"]["matches"]), (&json!("done"), &json!(1)), "{report}");

    let why = json!({"event": line(1, "a vermilion")});
    let why = admin.post(&format!("/api/v1/rules/{CORRELATION}/explain"), &why);
    assert_eq!((&why["matched"], &why["condition_holds"]), (&json!(true), &json!(false)), "{why}");

    let retire = json!({"state": "retired", "reason": "old"});
    let needed = admin.call("PATCH", &format!("/api/v1/rules/{BASE}"), Some(&retire));
    needed.refused(409, "conflict");
    assert_eq!(codes(&needed), ["needed_by"], "{}", needed.text);
    assert_eq!(admin.get(&format!("/api/v1/rules/{BASE}"))["needed_by"][0]["id"], CORRELATION);
    let forced = json!({"state": "retired", "reason": "old", "override": true});
    admin.call("PATCH", &format!("/api/v1/rules/{BASE}"), Some(&forced)).ok();
    let gone = enable(admin, CORRELATION);
    gone.refused(422, "invalid_rule");
    assert!(codes(&gone).contains(&"retired-rule".to_owned()), "{}", gone.text);
}

#[test]
fn correlations_that_build_on_each_other_and_texts_of_several_rows_are_refused() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let above = |id: &str, name: &str, of: &str| {
        format!(
            "title: {name}\nid: {id}\nname: {name}\nlevel: low\ncorrelation:\n  type: event_count\n  rules: {of}\n  timespan: 1m\n  condition: {{gte: 2}}\n"
        )
    };
    let admin = &org.admin;
    assert_eq!(create(admin, &rule(BASE, "base", "message|contains: heliotrope")).status, 201);
    assert_eq!(create(admin, &above(BELOW, "one", "base")).status, 201);
    assert_eq!(create(admin, &above(CORRELATION, "two", "one")).status, 201);
    let body = json!({"text": above(BELOW, "one", "two")});
    let circle = admin.call("PUT", &format!("/api/v1/rules/{BELOW}"), Some(&body));
    circle.refused(422, "invalid_rule");
    assert!(codes(&circle).contains(&"correlation-cycle".to_owned()), "{}", circle.text);
    let other = "5a000000-0000-4000-8000-0000000000e9";
    let two = format!("{}---\n{}", rule(other, "a", "message: a"), rule(other, "b", "message: b"));
    create(admin, &two).refused(422, "invalid_rule");
    let taken = format!("{}---\n{}", rule(BASE, "again", "message: a"), above(other, "more", "again"));
    let taken = create(admin, &taken);
    taken.refused(422, "invalid_rule");
    assert!(codes(&taken).contains(&"taken-id".to_owned()), "{}", taken.text);
}

#[test]
fn alerts_beyond_what_is_wanted_are_counted_on_the_last_one_also_over_a_restart() {
    let mut site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let (admin, shipper) = (&org.admin, org.shipper("in"));
    create(admin, &rule(BASE, "base", "message|contains: heliotrope"));
    enable(admin, BASE).ok();
    let path = format!("/api/v1/rules/{BASE}/throttle");
    let limit = |alerts: u32| json!({"limit": {"alerts": alerts, "window_s": 86_400, "per": null}, "reason": "noisy"});
    let wrong = admin.call("PUT", &path, Some(&limit(0)));
    assert_eq!(wrong.status, 400, "{}", wrong.text);
    let set = admin.call("PUT", &path, Some(&limit(2)));
    assert_eq!((set.status, set.header("etag")), (200, Some("\"1\"")), "{}", set.text);
    // Ten minutes apart, each would be an alert of its own.
    for second in [-2_400, -1_800, -1_200] {
        send(&org, &shipper, &line(second, "a heliotrope"));
    }
    let counts = || {
        let mut counts: Vec<u64> = alerts(admin, BASE).iter().map(|one| one["count"].as_u64().unwrap()).collect();
        counts.sort_unstable();
        counts
    };
    assert_eq!(counts(), [1, 2], "the third is counted on the second");
    restart(&mut site);
    send(&org, &shipper, &line(-600, "a heliotrope"));
    assert_eq!(counts(), [1, 3], "and after a restart the fourth");
    assert_eq!(admin.get(&path)["withheld"], 2);
    assert_eq!(admin.get(&format!("/api/v1/rules/{BASE}"))["scorecard"]["throttled_matches"], 2);
    admin.call("PUT", &path, Some(&json!({"limit": null, "reason": "calm"}))).ok();
    send(&org, &shipper, &line(0, "a heliotrope"));
    assert_eq!(counts(), [1, 1, 3], "without the limit each is its own again");
    let kinds: Vec<Value> = admin.items("/api/v1/ledger?limit=200").iter().map(|entry| entry["kind"].clone()).collect();
    assert!(kinds.contains(&json!("rule.throttled")) && kinds.contains(&json!("rule.unthrottled")), "{kinds:?}");
}

#[test]
fn lists_and_pipelines_of_a_tenant_shape_its_rules_and_nobody_elses() {
    let site = Site::start(&[]);
    let (ours, theirs) = (site.tenant("ours", "Ours", None), site.tenant("theirs", "Theirs", None));
    let (shipper, elsewhere) = (ours.shipper("in"), theirs.shipper("in"));
    let admin = &ours.admin;
    for who in [admin, &theirs.admin] {
        assert_eq!(create(who, &rule(BASE, "base", "body|contains|expand: '%Words%'")).status, 201);
        enable(who, BASE).ok();
    }
    let both = |words: &str| {
        send(&ours, &shipper, &line(0, words));
        send(&theirs, &elsewhere, &line(0, words));
    };
    let found = || {
        (
            alerts(admin, BASE).iter().map(|one| one["count"].as_u64().unwrap()).sum::<u64>(),
            alerts(&theirs.admin, BASE).len(),
        )
    };
    let list = |values: &[&str]| json!({"name": "Words", "values": values, "note": "first"});
    for bad in ["../x", "a b", ""] {
        let bad = admin.call("POST", "/api/v1/value-lists", Some(&json!({"name": bad, "values": []})));
        assert_eq!(bad.status, 400, "{}", bad.text);
    }
    let made = admin.call("POST", "/api/v1/value-lists", Some(&list(&["heliotrope"])));
    assert_eq!((made.status, &made.json()["rules"]), (201, &json!([BASE])), "{}", made.text);
    both("a heliotrope");
    assert_eq!(found(), (0, 0), "no event has the field `body`");

    let text =
        "name: ours\npriority: 10\ntransformations:\n  - type: field_name_mapping\n    mapping:\n      body: message\n";
    let broken = admin.call(
        "POST",
        "/api/v1/pipelines",
        Some(&json!({"name": "ours", "text": "transformations: [{type: no}]\n"})),
    );
    broken.refused(422, "invalid_rule");
    let made = admin.call("POST", "/api/v1/pipelines", Some(&json!({"name": "ours", "text": text})));
    assert_eq!((made.status, &made.json()["active"]), (201, &json!(false)), "{}", made.text);
    both("a heliotrope");
    assert_eq!(found(), (0, 0), "it is not in use yet");
    let on = json!({"active": true, "reason": "ready"});
    let used = admin.call("PATCH", "/api/v1/pipelines/ours", Some(&on)).ok();
    assert_eq!((&used["active"], &used["live"]), (&json!(true), &json!(1)));
    both("a heliotrope");
    assert_eq!(found(), (1, 0), "for this tenant alone");
    let why = admin.post(&format!("/api/v1/rules/{BASE}/explain"), &json!({"event": line(0, "a heliotrope")}));
    assert_eq!(why["matched"], true, "explained as it is compiled: {why}");

    let next = json!({"values": ["vermilion"], "note": "second"});
    admin.call("PUT", "/api/v1/value-lists/Words", Some(&next)).ok();
    both("a heliotrope");
    assert_eq!(found(), (1, 0), "the list says otherwise now");
    both("a vermilion");
    assert_eq!(found(), (2, 0));
    admin.call("DELETE", "/api/v1/value-lists/Words", None).refused(409, "conflict");
    let first = admin.get("/api/v1/value-lists/Words/versions/1");
    assert_eq!((&first["values"], &first["live"]), (&json!(["heliotrope"]), &json!(false)), "{first}");
    theirs.admin.call("GET", "/api/v1/value-lists/Words", None).refused(404, "not_found");
    theirs.admin.call("GET", "/api/v1/pipelines/ours", None).refused(404, "not_found");
    admin.call("DELETE", "/api/v1/pipelines/ours", None).refused(409, "conflict");
    admin.call("PATCH", "/api/v1/pipelines/ours", Some(&json!({"active": false, "reason": "over"}))).ok();
    assert_eq!(admin.call("DELETE", "/api/v1/pipelines/ours", None).status, 204);
}

#[test]
fn rules_of_a_folder_are_explained_and_tried_as_they_run_with_a_tenants_list_and_filters_and_below_a_correlation() {
    let dir = tempfile::tempdir().unwrap();
    let named = rule(BASE, "named", "message|contains|expand: '%Words%'");
    let below = rule(BELOW, "below", "message|contains: vermilion");
    let filter = "title: Backups\nlogsource:\n  product: linux\nfilter:\n  rules: any\n  backup:\n    message|contains: backup\n  condition: not backup\n";
    let above = format!(
        "title: Often\nid: {CORRELATION}\nstatus: test\nlevel: high\ncorrelation:\n  type: event_count\n  rules: below\n  timespan: 10m\n  condition:\n    gte: 9\n"
    );
    std::fs::write(dir.path().join("rules.yml"), format!("{named}---\n{filter}")).unwrap();
    std::fs::write(dir.path().join("above.yml"), format!("{below}---\n{above}")).unwrap();
    let site = Site::start(&[("SHIELDOPS_RULES__DIRS", dir.path().to_str().unwrap())]);
    let ours = site.tenant("ours", "Ours", None);
    let (shipper, admin) = (ours.shipper("in"), &ours.admin);
    let list = json!({"name": "Words", "values": ["heliotrope"], "note": "first"});
    assert_eq!(admin.call("POST", "/api/v1/value-lists", Some(&list)).status, 201);

    send(&ours, &shipper, &format!("{}\n{}", line(-2, "a heliotrope of the backup"), line(-1, "a heliotrope")));
    let found = alerts(admin, BASE);
    assert_eq!((found.len(), &found[0]["count"]), (1, &json!(1)), "the filter takes one out: {found:?}");
    let shown = admin.get(&format!("/api/v1/alerts/{}", text(&found[0]["id"])));
    assert_eq!(shown["matches"][0]["fields"][0]["field"], "message", "by the list: {shown}");

    let why = |id: &str, words: &str| {
        let why = admin.post(&format!("/api/v1/rules/{id}/explain"), &json!({"event": line(0, words)}));
        (why["matched"].as_bool().unwrap(), text(&why["summary"]))
    };
    assert_eq!(why(BASE, "a heliotrope"), (true, "The rule finds the event and raises an alert.".to_owned()));
    let filtered = "The rule finds the event, and the filter `Backups` takes it out.".to_owned();
    assert_eq!(why(BASE, "a heliotrope of the backup"), (false, filtered));
    let silent = "The rule finds the event and raises no alert of its own: it works for the correlation `Often`.";
    assert_eq!(why(BELOW, "a vermilion"), (true, silent.to_owned()));

    let test = json!({"from": from_now("-1 day"), "to": from_now("10 minutes")});
    let begun = admin.call("POST", &format!("/api/v1/rules/{BASE}/backtest"), Some(&test));
    let job = begun.header("location").unwrap().to_owned();
    until(|| Some(admin.get(&job)).filter(|job| job["state"] != "running"));
    let report = admin.get(&format!("/api/v1/rules/{BASE}/backtests/{}", text(&begun.json()["id"])));
    assert_eq!(report["report"]["matches"], json!(1), "{report}");
}

#[test]
fn who_writes_a_rule_is_told_of_a_field_that_no_source_has_sent_once_one_sends_anything() {
    let site = Site::start(&[]);
    let ours = site.tenant("ours", "Ours", None);
    let (shipper, admin) = (ours.shipper("in"), &ours.admin);
    let unseen = |field: &str| {
        let body = json!({"text": rule(BASE, "base", &format!("{field}|contains: heliotrope"))});
        let checked = admin.post("/api/v1/rules/check", &body);
        let said = checked["diagnostics"].as_array().unwrap().clone();
        said.iter().any(|one| one["code"] == "unseen-field")
    };
    assert!(!unseen("mesage"), "nothing was sent yet");
    send(&ours, &shipper, &line(0, "a heliotrope"));
    assert!(unseen("mesage") && !unseen("message"));
}
