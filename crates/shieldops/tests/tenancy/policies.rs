//! A tenant's own policies on a real server: written by one, proved, put in force by another, and what they decide then.

use super::*;

const POLICIES: &str = "/api/v1/policies";

const TILL: &str = "package tenant.till\n\nimport data.shieldops.plan\n\ndeny contains {\"code\": \"hours\", \"detail\": \"not the till\"} if {\n\tsome action in plan.changing\n\taction.target.name == \"sim/till\"\n}\n";
const TILL_TEST: &str = "package tenant.till_test\n\nimport data.shieldops.testing\nimport data.tenant.till\n\ntest_another_target_is_free if till.deny == set() with input as testing.block_of_a_stranger\n";

fn file(path: &str, text: &str) -> Value {
    json!({"path": path, "text": text})
}

/// A policy that denies plans on `sim/till`, with its test.
pub(crate) fn till() -> Value {
    json!([file("till.rego", TILL), file("till_test.rego", TILL_TEST)])
}

fn pushed(who: &Caller, files: &Value) -> site::Reply {
    who.call("POST", &format!("{POLICIES}/versions"), Some(&json!({"files": files, "reason": "the till is special"})))
}

fn activate(who: &Caller, number: i64) -> site::Reply {
    who.call("POST", &format!("{POLICIES}/versions/{number}/activate"), Some(&json!({"reason": "agreed"})))
}

/// A replay that has ended.
fn replayed(who: &Caller, body: &Value) -> Value {
    let job = who.post(&format!("{POLICIES}/replays"), body);
    let path = format!("{POLICIES}/replays/{}", text(&job["id"]));
    until(|| Some(who.get(&path)).filter(|replay| replay["state"] != "running"))
}

/// Written by one, replayed, and put in force by another.
fn put_in_force(author: &Caller, second: &Caller, files: &Value) -> i64 {
    let number = pushed(author, files).ok()["number"].as_i64().unwrap();
    assert_eq!(replayed(author, &json!({"version": number}))["state"], "done");
    assert_eq!(activate(second, number).ok()["state"], "in_force");
    number
}

fn planned(who: &Caller, on: &str) -> Value {
    who.post("/api/v1/plans", &block(on))
}

fn deny_of(plan: &Value) -> Option<String> {
    plan["decision"]["denies"].as_array().unwrap().first().map(|deny| text(&deny["code"]))
}

#[test]
fn what_a_tenant_forbids_itself_is_denied_from_the_next_decision_on_and_after_a_crash_and_to_nobody_else() {
    let mut site = Site::start(&[]);
    let (org, beside) = (site.tenant("acme", "Acme", None), site.tenant("beside", "Beside", None));
    let second = org.member("bea", "admin");
    for org in [&org, &beside] {
        target(org, "sim/till", "staging");
    }
    target(&org, "sim/web", "staging");
    let before = planned(&org.admin, "sim/till");
    assert_eq!(before["state"], "proposed", "{before}");
    let number = put_in_force(&org.admin, &second, &till());
    let denied = planned(&org.admin, "sim/till");
    assert_eq!((&denied["state"], deny_of(&denied).as_deref()), (&json!("denied"), Some("tenant.till.hours")));
    assert_ne!(denied["decision"]["policy_hash"], before["decision"]["policy_hash"]);
    assert_eq!(denied["decision"]["policy_hash"], org.admin.get(POLICIES)["policy_hash"]);
    assert_eq!(planned(&org.admin, "sim/web")["state"], "proposed", "another target is free");
    assert_eq!(planned(&beside.admin, "sim/till")["state"], "proposed", "and another tenant");
    let path = format!("/api/v1/plans/{}/approve", text(&before["id"]));
    second.call("POST", &path, Some(&json!({"hash": before["hash"]}))).ok();
    // What was allowed before is decided again at its run.
    let path = format!("/api/v1/plans/{}", text(&before["id"]));
    until(|| Some(org.admin.get(&path)).filter(|plan| plan["state"] == "denied"));
    site.server.kill();
    site.server.restart_with(&[], &[("SHIELDOPS_LIMITS__ENABLED", "false")]);
    let (admin, second) = (org.admin.at(site.url()), second.at(site.url()));
    assert_eq!(admin.get(POLICIES)["number"], number);
    assert_eq!(deny_of(&planned(&admin, "sim/till")).as_deref(), Some("tenant.till.hours"));
    let asked = admin.call("POST", &format!("{POLICIES}/deactivate"), Some(&json!({"reason": "over"})));
    assert_eq!((asked.status, &asked.json()["kind"]), (202, &json!("policies")), "{}", asked.text);
    let confirm = format!("/api/v1/gate-changes/{}/confirm", text(&asked.json()["id"]));
    admin.call("POST", &confirm, None).refused(403, "second_person_required");
    assert_eq!(
        deny_of(&planned(&admin, "sim/till")).as_deref(),
        Some("tenant.till.hours"),
        "one alone changes nothing"
    );
    second.call("POST", &confirm, None).ok();
    assert_eq!(planned(&admin, "sim/till")["state"], "proposed");
    assert_eq!(admin.get(POLICIES)["number"], 0);
    let kinds = ["policy.version_written", "policy.activated", "policy.deactivated"];
    for kind in kinds {
        assert_eq!(admin.items(&format!("/api/v1/ledger?kind={kind}")).len(), 1, "{kind}");
    }
}

#[test]
fn a_version_is_activated_by_another_than_its_author_after_its_tests_and_a_replay() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let (admin, second, viewer) = (&org.admin, org.member("bea", "admin"), org.member("vic", "viewer"));
    let missing = |reply: &site::Reply| -> Vec<String> {
        let errors = reply.json()["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| text(&error["code"])).collect()
    };
    let made = pushed(admin, &till()).ok();
    assert_eq!(
        (&made["number"], &made["tests_passed"], &made["missing"]),
        (&json!(1), &json!(1), &json!(["replay_missing"]))
    );
    let unproved = activate(&second, 1);
    unproved.refused(409, "policy_not_proved");
    assert_eq!(missing(&unproved), ["replay_missing"]);
    replayed(admin, &json!({"version": 1, "from": from_now("-1 hour")}));
    assert_eq!(missing(&activate(&second, 1)), ["replay_missing"], "an hour proves nothing of 30 days");
    replayed(admin, &json!({"version": 1}));
    activate(admin, 1).refused(403, "second_person_required");
    activate(&viewer, 1).refused(403, "forbidden");
    let key = org.key("robot", &["settings.write", "automation.read"]);
    activate(&key, 1).refused(403, "forbidden");
    let failing = TILL_TEST.replace("== set()", "== {1}");
    let broken = pushed(admin, &json!([file("till.rego", TILL), file("till_test.rego", &failing)])).ok();
    assert_eq!((&broken["tests_failed"], &broken["ready"]), (&json!(1), &json!(false)), "{broken}");
    let bare = pushed(admin, &json!([file("till.rego", TILL)])).ok();
    assert_eq!(bare["tests"]["tests"], json!([]));
    // The replay of version 1 is of the same policies: they differ in their tests alone.
    for (number, wanted) in [(2, "tests_failed"), (3, "tests_missing")] {
        let refused = activate(&second, number);
        refused.refused(409, "policy_not_proved");
        assert_eq!(missing(&refused), [wanted]);
    }
    assert_eq!(activate(&second, 1).ok()["state"], "in_force");
    activate(&second, 1).refused(409, "conflict");
    activate(&second, 9).refused(404, "not_found");
    let shown = viewer.get(&format!("{POLICIES}/versions/1"));
    assert_eq!(shown["texts"].as_array().unwrap().len(), 2);
    assert_eq!((&shown["replay"]["number"], &shown["ready"]), (&json!(1), &json!(true)), "{shown}");
    let diff = viewer.get(&format!("{POLICIES}/diff?from=1&to=3"));
    assert_eq!((&diff["files"][0]["path"], &diff["files"][0]["change"]), (&json!("till_test.rego"), &json!("removed")));
    assert_eq!(viewer.items(&format!("{POLICIES}/versions")).len(), 3);
    let (first, rest) =
        (viewer.get(&format!("{POLICIES}/built-in?limit=1")), viewer.items(&format!("{POLICIES}/built-in?limit=200")));
    assert_eq!((first["items"].as_array().unwrap().len(), rest.len() > 20), (1, true));
    let limits = rest.iter().find(|file| file["path"] == "limits.rego").unwrap();
    assert_eq!((&limits["package"], &limits["test"]), (&json!("shieldops.limits"), &json!(false)));
}

#[test]
fn what_one_asked_to_take_out_of_force_is_the_version_that_was_in_force_then() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let (admin, second) = (&org.admin, org.member("bea", "admin"));
    target(&org, "sim/till", "staging");
    admin.call("POST", &format!("{POLICIES}/deactivate"), Some(&json!({"reason": "none"}))).refused(409, "conflict");
    put_in_force(admin, &second, &till());
    let asked = admin.call("POST", &format!("{POLICIES}/deactivate"), Some(&json!({"reason": "over"}))).json();
    let stricter = TILL.replace("not the till", "never the till");
    let number =
        put_in_force(admin, &second, &json!([file("till.rego", &stricter), file("till_test.rego", TILL_TEST)]));
    let confirm = format!("/api/v1/gate-changes/{}/confirm", text(&asked["id"]));
    second.call("POST", &confirm, None).refused(409, "conflict");
    assert_eq!(admin.get(POLICIES)["number"], number);
    assert_eq!(planned(admin, "sim/till")["decision"]["denies"][0]["detail"], "never the till");
}

#[test]
fn a_replay_of_an_older_version_proves_nothing_of_the_next() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let (admin, second) = (&org.admin, org.member("bea", "admin"));
    put_in_force(admin, &second, &till());
    let stricter = TILL.replace("not the till", "never the till");
    pushed(admin, &json!([file("till.rego", &stricter), file("till_test.rego", TILL_TEST)])).ok();
    let unproved = activate(&second, 2);
    unproved.refused(409, "policy_not_proved");
    assert_eq!(unproved.json()["errors"][0]["code"], "replay_missing");
    replayed(admin, &json!({"version": 1}));
    activate(&second, 2).refused(409, "policy_not_proved");
    replayed(admin, &json!({"version": 2}));
    assert_eq!(activate(&second, 2).ok()["state"], "in_force");
    assert_eq!(activate(&second, 1).ok()["state"], "in_force", "and back, by the replay that it has");
}

#[test]
fn policies_that_could_do_harm_are_refused_with_file_and_line() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let deny = |when: &str| format!("package tenant.p\n\ndeny contains \"x\" if {{\n\t{when}\n}}\n");
    let nested = "some a in [1,2,3,4,5,6,7,8,9,10]\n\tsome b in [1,2,3,4,5,6,7,8,9,10]\n\tsome c in [1,2,3,4,5,6,7,8,9,10]\n\tsome d in [1,2,3,4,5,6,7,8,9,10]\n\tsome e in [1,2,3,4,5,6,7,8,9,10]\n\tsome f in [1,2,3,4,5,6,7,8,9,10]\n\tsome g in [1,2,3,4,5,6,7,8,9,10]\n\ta + b + c + d + e + f + g == 0";
    for (path, rego, place, why) in [
        ("p.rego", deny("count(numbers.range(1, 100000000000)) > 1"), "p.rego:4", "`numbers.range` may not be called"),
        ("p.rego", deny("http.send({}).body"), "p.rego:4", "`http.send` may not be called"),
        ("p.rego", deny("input.nothing == 1"), "p.rego:4", "is no field of the input"),
        ("p.rego", "package tenant.p\n\ndeny contains \"x\" if {\n".to_owned(), "p.rego:4", ""),
        ("p.rego", deny(nested), "p.rego:3", ""),
        ("../p.rego", deny("input.drifted"), "../p.rego", "the path must be"),
        ("p_test.rego", deny("input.drifted"), "files", "no policy among the files"),
        ("limits.rego", deny("input.drifted"), "limits.rego", "another file has this name"),
    ] {
        let refused = pushed(&org.admin, &json!([file(path, &rego)]));
        refused.refused(422, "invalid_policy");
        let error = refused.json()["errors"][0].clone();
        assert_eq!(error["code"], place, "{rego}\n{}", refused.text);
        assert!(text(&error["detail"]).contains(why), "{rego}\n{}", refused.text);
        let check = org.admin.post(&format!("{POLICIES}/check"), &json!({"files": [file(path, &rego)]}));
        assert!(text(&check["errors"][0]["why"]).contains(why) && check["tests"].is_null(), "{check}");
    }
    let many: Vec<Value> = (0..51).map(|n| file(&format!("p{n}.rego"), &deny("input.drifted"))).collect();
    let refused = pushed(&org.admin, &json!(many));
    refused.refused(422, "invalid_policy");
    assert!(refused.text.contains("there are 51 files; at most 50"), "{}", refused.text);
    assert!(org.admin.items(&format!("{POLICIES}/versions")).is_empty());
    let good = org.admin.post(&format!("{POLICIES}/check"), &json!({"files": till()}));
    assert_eq!((&good["errors"], &good["tests"]["tests"][0]["passed"]), (&json!([]), &json!(true)), "{good}");
}

#[test]
fn a_replay_says_which_plans_would_have_been_decided_otherwise_and_how_many_could_not_be_asked() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    for name in ["sim/till", "sim/web"] {
        target(&org, name, "staging");
    }
    let (till_plan, _web) = (planned(&org.admin, "sim/till"), planned(&org.admin, "sim/web"));
    let of_files = replayed(&org.admin, &json!({"files": till()}));
    let report = &of_files["report"];
    assert_eq!((&of_files["state"], &of_files["number"]), (&json!("done"), &json!(0)), "{of_files}");
    assert_eq!(
        (&report["decisions"], &report["replayed"], &report["same"]),
        (&json!(2), &json!(2), &json!(1)),
        "{report}"
    );
    assert_eq!((&report["newly_denied"], &report["not_replayable"]), (&json!(1), &json!(0)), "{report}");
    let difference = &report["differences"][0];
    assert_eq!(
        (&difference["name"], &difference["after"]["denies"][0]["code"]),
        (&till_plan["id"], &json!("tenant.till.hours"))
    );
    site.server.sql("UPDATE policy_inputs SET body=x'00'");
    let lost = replayed(&org.admin, &json!({"files": till()}))["report"].clone();
    assert_eq!((&lost["replayed"], &lost["not_replayable"]), (&json!(0), &json!(2)), "{lost}");
    assert!(text(&lost["not_replayable_because"][0]["why"]).contains("cannot be read"), "{lost}");
    let now = replayed(&org.admin, &json!({}));
    assert_eq!(now["policy_hash"], org.admin.get(POLICIES)["policy_hash"], "what decides now");
    for wrong in [
        json!({"version": 1, "files": till()}),
        json!({"from": from_now("-40 days")}),
        json!({"from": from_now("+1 day")}),
    ] {
        org.admin.call("POST", &format!("{POLICIES}/replays"), Some(&wrong)).refused(400, "invalid_request");
    }
    org.admin.call("POST", &format!("{POLICIES}/replays"), Some(&json!({"version": 7}))).refused(404, "not_found");
    assert_eq!(org.admin.items(&format!("{POLICIES}/replays")).len(), 3);
}

#[test]
fn the_command_line_takes_a_folder_from_test_to_force() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let second = org.member("bea", "admin");
    let folder = tempfile::tempdir().unwrap();
    for (name, body) in [("till.rego", TILL), ("till_test.rego", TILL_TEST)] {
        std::fs::write(folder.path().join(name), body).unwrap();
    }
    let dir = folder.path().to_str().unwrap();
    let tokens = [&org.admin, &second].map(|who| {
        let made = who.post("/api/v1/tokens", &json!({"kind": "personal", "name": "cli"}));
        text(&made["token"])
    });
    let run = |who: usize, args: &[&str]| -> (i32, Value) {
        let more = ["--output", "json", "--server", site.url(), "--token", &tokens[who]];
        let ran = site.server.cli(&[args, &more].concat());
        (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_else(|_| json!({"said": ran.stderr})))
    };
    assert_eq!(run(0, &["policy", "check", dir]).0, 0);
    let (code, made) = run(0, &["policy", "push", dir, "--reason", "the till"]);
    assert_eq!((code, &made["number"]), (0, &json!(1)), "{made}");
    let (code, replay) = run(0, &["policy", "replay", "--version", "1"]);
    assert_eq!((code, &replay["state"]), (0, &json!("done")), "{replay}");
    let (code, refused) = run(0, &["policy", "activate", "1", "--reason", "alone"]);
    assert_eq!(code, 1, "{refused}");
    assert_eq!(run(1, &["policy", "activate", "1", "--reason", "agreed"]).1["state"], "in_force");
    assert_eq!(run(0, &["policy", "show"]).1["number"], 1);
    let (code, written) = run(0, &["policy", "versions", "--number", "1", "--out", &format!("{dir}/back")]);
    assert_eq!(code, 0, "{written}");
    assert_eq!(std::fs::read_to_string(folder.path().join("back/till.rego")).unwrap(), TILL);
    assert_eq!(run(0, &["policy", "deactivate", "--reason", "over"]).1["state"], "pending");
}
