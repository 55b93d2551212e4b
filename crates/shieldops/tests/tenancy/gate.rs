//! What a tenant decides about its gate, on a real server: who may alone, and what takes two.

use super::*;

const SETTINGS: &str = "/api/v1/gate-settings";
const AUTONOMY: &str = "/api/v1/autonomy";
const CHANGES: &str = "/api/v1/gate-changes";
const GRANTS: &str = "/api/v1/standing-grants";

fn restarts(number: u32) -> Value {
    json!({"settings": {"numbers": {"restarts_per_hour": number}}, "reason": "a try"})
}

/// The number of a draft that was written.
fn drafted(who: &Caller, body: &Value) -> (i64, Value) {
    let made = who.call("PUT", SETTINGS, Some(body)).ok();
    (made["number"].as_i64().unwrap(), made)
}

fn activate(who: &Caller, number: i64) -> site::Reply {
    who.call("POST", &format!("{SETTINGS}/versions/{number}/activate"), Some(&json!({"reason": "agreed"})))
}

#[test]
fn settings_of_the_gate_are_written_by_one_person_and_put_in_force_by_another() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let (admin, second, viewer) = (&org.admin, org.member("bea", "admin"), org.member("vic", "viewer"));
    let built_in = admin.get(SETTINGS);
    assert_eq!((&built_in["number"], &built_in["settings"]["numbers"]["restarts_per_hour"]), (&json!(0), &json!(5)));
    let (number, made) = drafted(admin, &restarts(9));
    assert_eq!((&made["state"], &made["tightens"]), (&json!("draft"), &json!(false)), "{made}");
    assert_eq!(admin.get(SETTINGS)["number"], 0, "a draft changes nothing");
    activate(admin, number).refused(403, "second_person_required");
    activate(&viewer, number).refused(403, "forbidden");
    assert_eq!(activate(&second, number).ok()["state"], "in_force");
    activate(&second, number).refused(409, "conflict");
    let (tight, made) = drafted(admin, &restarts(2));
    assert_eq!(made["tightens"], true);
    assert_eq!(activate(admin, tight).ok()["state"], "in_force", "what only tightens takes nobody else");
    let shown = viewer.get(SETTINGS);
    assert_eq!((&shown["number"], &shown["settings"]["numbers"]["restarts_per_hour"]), (&json!(tight), &json!(2)));
    let diff = viewer.get(&format!("{SETTINGS}/diff?from=1"));
    assert_eq!(diff["changes"], json!([{"path": "numbers.restarts_per_hour", "before": 9, "after": 2}]), "{diff}");
    let back = admin.call_with(
        "POST",
        &format!("{SETTINGS}/rollback"),
        &[("if-match", &format!("\"{tight}\"")), ("idempotency-key", "back")],
        Some(&json!({"version": 1, "reason": "worse"})),
    );
    assert_eq!((&back.ok()["restores"], &back.json()["tightens"]), (&json!(1), &json!(false)));
    assert_eq!(viewer.items(&format!("{SETTINGS}/versions")).len(), 3);
    let entries = admin.items("/api/v1/ledger?kind=gate_settings.activated");
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0]["payload"]["before"]["settings"]["numbers"]["restarts_per_hour"], 9, "{entries:?}");
}

#[test]
fn settings_that_are_wrong_or_were_overtaken_are_refused_with_every_mistake() {
    let site = Site::start(&[]);
    let (org, other) = (site.tenant("acme", "Acme", None), site.tenant("other", "Other", None));
    let stranger = other.admin.get("/api/v1/me")["user"]["id"].clone();
    let team = json!({"name": "web", "members": [stranger], "labels": {"role": "web"}});
    let wrong = json!({"settings": {"numbers": {"vote_void_s": 0}, "teams": [team]}, "reason": "a try"});
    let refused = org.admin.call("PUT", SETTINGS, Some(&wrong));
    refused.refused(400, "invalid_request");
    let fields: Vec<String> =
        refused.json()["errors"].as_array().unwrap().iter().map(|error| text(&error["code"])).collect();
    assert_eq!(fields, ["numbers.vote_void_s", "teams.0.members.0"], "{}", refused.text);
    let unknown = json!({"settings": {"nmbers": {}}, "reason": "a try"});
    org.admin.call("PUT", SETTINGS, Some(&unknown)).refused(400, "invalid_request");
    let (first, _) = drafted(&org.admin, &restarts(4));
    let (second, _) = drafted(&org.admin, &restarts(3));
    activate(&org.admin, second).ok();
    activate(&org.admin, first).refused(409, "conflict");
    let stale = [("if-match", "\"0\"")];
    org.admin.call_with("PUT", SETTINGS, &stale, Some(&restarts(1))).refused(412, "precondition_failed");
    org.admin.call_with("PUT", SETTINGS, &[], Some(&restarts(1))).refused(428, "precondition_required");
    let key = org.key("robot", &["settings.write", "automation.read"]);
    key.call("PUT", SETTINGS, Some(&restarts(1))).refused(403, "forbidden");
}

fn protecting(target: &Value) -> Value {
    let entry = json!({"kind": "target", "value": target, "why": "a customer's"});
    json!({"settings": {"protected": [entry]}, "reason": "a try"})
}

#[test]
fn an_entry_that_protects_no_target_that_there_is_is_refused_and_one_in_force_may_outlive_its_target() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let (admin, second) = (&org.admin, org.member("bea", "admin"));
    let refused = admin.call("PUT", SETTINGS, Some(&protecting(&json!("sim/no-such"))));
    refused.refused(400, "invalid_request");
    let error = refused.json()["errors"][0].clone();
    assert_eq!(error["code"], "protected.0.value", "{error}");
    assert!(text(&error["detail"]).contains("no target `sim/no-such` is registered"), "{error}");
    let target =
        admin.post("/api/v1/targets", &json!({"kind": "linux_host", "name": "sim/till", "environment": "staging"}));
    for named in [&target["id"], &target["name"]] {
        let (number, _) = drafted(admin, &protecting(named));
        activate(&second, number).ok();
    }
    admin.call("DELETE", &format!("/api/v1/targets/{}", text(&target["id"])), None);
    assert!(admin.items("/api/v1/targets").iter().all(|known| known["name"] != target["name"]));
    let (_, made) = drafted(admin, &protecting(&target["name"]));
    assert_eq!(made["settings"]["protected"][0]["value"], "sim/till", "what is in force may stay");
    admin.call("PUT", SETTINGS, Some(&protecting(&target["id"]))).refused(400, "invalid_request");
}

fn level(who: &Caller, capability: &str, environment: &str) -> i64 {
    let autonomy = who.get(AUTONOMY);
    let found = autonomy["effective"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["capability"] == capability && one["environment"] == environment);
    found.unwrap_or_else(|| panic!("{autonomy}"))["level"].as_i64().unwrap()
}

fn set(who: &Caller, level: u8) -> site::Reply {
    who.call("PUT", AUTONOMY, Some(&json!({"level": level, "reason": "a try"})))
}

fn confirm(who: &Caller, change: &Value) -> site::Reply {
    who.call("POST", &format!("{CHANGES}/{}/confirm", text(&change["id"])), None)
}

#[test]
fn anybody_who_may_halt_lowers_autonomy_at_once_and_to_let_it_act_takes_two_administrators() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let (admin, second, analyst) = (&org.admin, org.member("bea", "admin"), org.member("ann", "analyst"));
    assert_eq!(level(&analyst, "linux.block_ip", "production"), 2);
    assert_eq!(set(&analyst, 1).status, 200);
    assert_eq!(level(&analyst, "linux.block_ip", "production"), 1);
    set(&analyst, 2).refused(403, "forbidden");
    assert_eq!(set(admin, 2).status, 200, "below 3 one administrator is enough");
    let asked = set(admin, 4);
    assert_eq!((asked.status, &asked.json()["state"]), (202, &json!("pending")), "{}", asked.text);
    assert_eq!(level(admin, "linux.block_ip", "production"), 2, "until then nothing changes");
    assert_eq!(admin.get(AUTONOMY)["pending"].as_array().unwrap().len(), 1);
    confirm(admin, &asked.json()).refused(403, "second_person_required");
    confirm(&analyst, &asked.json()).refused(403, "forbidden");
    assert_eq!(confirm(&second, &asked.json()).ok()["state"], "confirmed");
    confirm(&second, &asked.json()).refused(409, "conflict");
    assert_eq!(level(admin, "linux.block_ip", "production"), 4);
    let set_to = &admin.get(AUTONOMY)["levels"][0];
    assert_eq!(set_to["confirmed_by"], second.get("/api/v1/me")["user"]["id"], "{set_to}");
    assert_eq!(set(&analyst, 0).status, 200);
    let again = set(admin, 3).json();
    set(&analyst, 1).refused(403, "forbidden");
    assert_eq!(set(admin, 1).status, 200);
    confirm(&second, &again).refused(409, "conflict");
    let path = format!("{CHANGES}/{}/withdraw", text(&again["id"]));
    assert_eq!(admin.post(&path, &json!({"reason": "no more"}))["state"], "withdrawn");
    assert!(admin.items(&format!("{CHANGES}?active=true")).is_empty());
    for (body, status, code) in [
        (json!({"level": 5, "reason": "x"}), 400, "invalid_request"),
        (json!({"level": 1, "reason": " "}), 400, "invalid_request"),
        (
            json!({"level": 1, "environment": "staging", "capability": "linux.block_ip", "reason": "x"}),
            400,
            "invalid_request",
        ),
        (json!({"level": 1, "capability": "linux.nothing", "reason": "x"}), 422, "unknown_capability"),
    ] {
        admin.call("PUT", AUTONOMY, Some(&body)).refused(status, code);
    }
}

#[test]
fn a_standing_grant_is_for_something_and_for_a_time_and_ends_at_once() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    target(&org, "sim/web", "staging");
    let id = text(&org.admin.items("/api/v1/targets")[0]["id"]);
    let body = |until: &str, targets: &[&str]| json!({"capability": "linux.block_ip", "environment": "staging", "targets": targets, "until": from_now(until), "reason": "the night"});
    let admin = &org.admin;
    for (wrong, status, code) in [
        (body("+31 days", &[&id]), 400, "invalid_request"),
        (body("-1 hour", &[&id]), 400, "invalid_request"),
        (body("+1 day", &[]), 400, "invalid_request"),
        (body("+1 day", &["tgt_01h455vb4pex5vsknk084sn02q"]), 422, "unknown_target"),
    ] {
        admin.call("POST", GRANTS, Some(&wrong)).refused(status, code);
    }
    let mut elsewhere = body("+1 day", &[&id]);
    elsewhere["environment"] = "production".into();
    admin.call("POST", GRANTS, Some(&elsewhere)).refused(400, "invalid_request");
    let fine = body("+1 day", &[&id]);
    org.member("ann", "analyst").call("POST", GRANTS, Some(&fine)).refused(403, "forbidden");
    org.key("robot", &["settings.write"]).call("POST", GRANTS, Some(&fine)).refused(403, "forbidden");
    let made = admin.post(GRANTS, &fine);
    assert_eq!(made["granted_by"], admin.get("/api/v1/me")["user"]["id"], "{made}");
    assert_eq!(admin.items(&format!("{GRANTS}?active=true")).len(), 1);
    let path = format!("{GRANTS}/{}", text(&made["id"]));
    assert_eq!(admin.call("DELETE", &path, None).status, 204);
    admin.call("DELETE", &path, None).refused(409, "conflict");
    assert!(admin.items(&format!("{GRANTS}?active=true")).is_empty());
    assert_eq!(admin.items("/api/v1/ledger?kind=standing_grant.").len(), 2);
}

#[test]
fn a_target_is_lowered_by_two_people_and_plans_for_it_end() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let second = org.member("bea", "operator");
    target(&org, "sim/web", "production");
    let plan = org.admin.post("/api/v1/plans", &block("sim/web"));
    assert_eq!(plan["state"], "proposed", "{plan}");
    let path = format!("/api/v1/targets/{}", text(&plan["actions"][0]["target_id"]));
    let higher = org.admin.call("PATCH", &path, Some(&json!({"criticality": "high"})));
    assert_eq!((higher.status, &higher.json()["criticality"]), (200, &json!("high")), "{}", higher.text);
    let asked = org.admin.call("PATCH", &path, Some(&json!({"environment": "staging", "reason": "it moved"})));
    assert_eq!((asked.status, &asked.json()["kind"]), (202, &json!("target")), "{}", asked.text);
    assert_eq!(org.admin.items("/api/v1/targets")[0]["environment"], "production");
    confirm(&org.admin, &asked.json()).refused(403, "second_person_required");
    assert_eq!(confirm(&second, &asked.json()).status, 200);
    assert_eq!(org.admin.items("/api/v1/targets")[0]["environment"], "staging");
    let ended = org.admin.get(&format!("/api/v1/plans/{}", text(&plan["id"])));
    assert_eq!(ended["state"], "superseded", "{ended}");
    org.admin.call("PATCH", &path, Some(&json!({"criticality": "low"}))).refused(400, "invalid_request");
    let lower = json!({"criticality": "low", "reason": "nobody uses it"});
    let overtaken = org.admin.call("PATCH", &path, Some(&lower)).json();
    assert_eq!(overtaken.get("replaces"), None, "{overtaken}");
    org.admin.call("PATCH", &path, Some(&json!({"owner": "ann"}))).ok();
    confirm(&second, &overtaken).refused(409, "conflict");
}

#[test]
fn what_somebody_asked_for_who_may_not_any_more_is_confirmed_by_nobody() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let (mallory, second) = (org.member("mallory", "operator"), org.member("bea", "operator"));
    target(&org, "sim/web", "production");
    let path = format!("/api/v1/targets/{}", text(&org.admin.items("/api/v1/targets")[0]["id"]));
    let asked = mallory.call("PATCH", &path, Some(&json!({"environment": "staging", "reason": "it moved"}))).json();
    let user = text(&mallory.get("/api/v1/me")["user"]["id"]);
    org.admin.call("PATCH", &format!("/api/v1/users/{user}"), Some(&json!({"role": "viewer"}))).ok();
    let refused = confirm(&second, &asked);
    refused.refused(409, "conflict");
    assert!(refused.text.contains("may not ask for it any more"), "{}", refused.text);
    assert_eq!(org.admin.items("/api/v1/targets")[0]["environment"], "production");
}

#[test]
fn to_remove_a_target_or_register_its_host_again_is_no_way_around_the_second_person() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let mallory = org.member("mallory", "operator");
    let row = |environment: &str, protected: bool| {
        json!({"kind": "linux_host", "name": "sim/till", "environment": environment, "criticality": "high",
            "labels": {"role": "till"}, "protected": protected})
    };
    let made = org.admin.post("/api/v1/targets", &row("production", true));
    let path = format!("/api/v1/targets/{}", text(&made["id"]));
    assert_eq!(mallory.call("DELETE", &path, None).status, 204, "nobody can act on it any more");
    for lower in [row("staging", true), row("production", false)] {
        let refused = mallory.call("POST", "/api/v1/targets", Some(&lower));
        refused.refused(409, "conflict");
        assert!(refused.text.contains("takes two people") && refused.text.contains("production"), "{}", refused.text);
    }
    let mut other_labels = row("production", true);
    other_labels["labels"] = json!({"role": "web"});
    mallory.call("POST", "/api/v1/targets", Some(&other_labels)).refused(409, "conflict");
    let again = mallory.post("/api/v1/targets", &row("production", true));
    let path = format!("/api/v1/targets/{}", text(&again["id"]));
    let lower = json!({"environment": "development", "protected": false, "reason": "it is a toy now"});
    let asked = mallory.call("PATCH", &path, Some(&lower));
    assert_eq!((asked.status, confirm(&org.admin, &asked.json()).status), (202, 200), "{}", asked.text);
    assert_eq!(mallory.call("DELETE", &path, None).status, 204);
    assert_eq!(
        mallory.call("POST", "/api/v1/targets", Some(&row("development", false))).status,
        201,
        "two agreed to it"
    );
}

#[test]
fn a_second_request_to_lower_a_target_says_which_one_it_withdraws_and_so_does_that_one() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let second = org.member("bea", "operator");
    target(&org, "sim/web", "production");
    let path = format!("/api/v1/targets/{}", text(&org.admin.items("/api/v1/targets")[0]["id"]));
    let ask = |who: &Caller, body: Value| {
        let asked = who.call("PATCH", &path, Some(&body));
        assert_eq!(asked.status, 202, "{}", asked.text);
        asked.json()
    };
    let first = ask(&org.admin, json!({"environment": "staging", "reason": "it moved"}));
    let newer = ask(&second, json!({"environment": "development", "reason": "it is a playground"}));
    assert_eq!(newer["replaces"], first["id"], "{newer}");
    let shown = org.admin.get(&format!("{CHANGES}/{}", text(&first["id"])));
    assert_eq!((&shown["state"], &shown["replaced_by"]), (&json!("withdrawn"), &newer["id"]), "{shown}");
    let refused = confirm(&second, &first);
    refused.refused(409, "conflict");
    assert!(refused.text.contains(&text(&newer["id"])), "{}", refused.text);
    let entries = org.admin.items("/api/v1/ledger?kind=gate_change.withdrawn");
    assert_eq!(entries[0]["payload"]["replaced_by"], newer["id"], "{entries:?}");
    assert_eq!(confirm(&org.admin, &newer).status, 200);
    assert_eq!(org.admin.items("/api/v1/targets")[0]["environment"], "development");
}

#[test]
fn host_and_owner_of_a_target_are_emptied_and_left_out_they_stay() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    target(&org, "sim/web", "production");
    let path = format!("/api/v1/targets/{}", text(&org.admin.items("/api/v1/targets")[0]["id"]));
    let patched = |body: Value| {
        let row = org.admin.call("PATCH", &path, Some(&body)).ok();
        (row["host"].clone(), row["owner"].clone())
    };
    assert_eq!(patched(json!({"host": "Web-1", "owner": "ann"})), (json!("web-1"), json!("ann")));
    assert_eq!(patched(json!({"owner": null})), (json!("web-1"), Value::Null));
    assert_eq!(patched(json!({"host": null})), (Value::Null, Value::Null));
}

#[test]
fn what_is_protected_holds_for_the_next_plan() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    target(&org, "sim/web", "staging");
    assert_eq!(org.admin.post("/api/v1/plans", &block("sim/web"))["state"], "proposed");
    let entry = json!({"kind": "address", "value": "203.0.113.9", "why": "the resolver"});
    let (number, made) = drafted(&org.admin, &json!({"settings": {"protected": [entry]}, "reason": "ours"}));
    assert_eq!(made["tightens"], false);
    activate(&org.admin, number).refused(403, "second_person_required");
    activate(&org.member("bea", "admin"), number).ok();
    let denied = org.admin.post("/api/v1/plans", &block("sim/web"));
    let reason = &denied["decision"]["denies"][0];
    assert_eq!((&denied["state"], &reason["code"]), (&json!("denied"), &json!("protected_entry")), "{denied}");
}

#[test]
fn effects_that_exist_on_what_is_protected_later_are_listed_until_they_are_undone() {
    let site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let second = org.member("bea", "admin");
    let action = in_force(&org, &second, "sim/web");
    let effects = || org.admin.items(&format!("{SETTINGS}/effects"));
    assert!(effects().is_empty());
    let entry = json!({"kind": "range", "value": "203.0.113.0/28", "why": "the resolvers"});
    let (number, _) = drafted(&org.admin, &json!({"settings": {"protected": [entry]}, "reason": "ours"}));
    activate(&second, number).ok();
    let found = effects();
    assert_eq!((found.len(), &found[0]["action_id"], &found[0]["entry"]), (1, &json!(action), &entry), "{found:?}");
    let undone = org.admin.post(&format!("/api/v1/actions/{action}/undo"), &json!({"reason": "protected"}));
    assert_eq!(undone["state"], "undone", "what is protected is let go of all the same: {undone}");
    assert!(effects().is_empty());
}

/// Writes to a tenant's rows while the server is down.
fn while_down(
    site: &mut Site,
    org: &Org,
    work: impl AsyncFnOnce(&mut shieldops_store::Tx, shieldops_model::Timestamp),
) {
    use shieldops_store::{Job, Options, Store};
    let tenant = text(&site.operator.get(&format!("/api/v1/tenants/{}", org.slug))["id"]).parse().unwrap();
    let listen = site.url().trim_start_matches("http://").to_owned();
    site.server.kill();
    let options = Options { data_dir: site.server.data_dir().into(), ..Options::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(&options, std::sync::Arc::new(shieldops_model::SystemClock)).await.unwrap();
        let now = store.clock().now();
        let mut tx = store.job(tenant, Job::Response).unwrap().begin().await.unwrap();
        work(&mut tx, now).await;
        tx.commit(now).await.unwrap();
        store.close().await;
    });
    site.server.restart_at(&listen, &[], &[("SHIELDOPS_LIMITS__ENABLED", "false")]);
}

/// Puts a piece of evidence beside an action: what no capability of the simulator collects.
fn keep(site: &mut Site, org: &Org, action: &str, bytes: &[u8]) {
    while_down(site, org, async |tx, now| {
        let new = shieldops_store::collected::New {
            name: "/tmp/<b>x</b>.html".into(),
            media_type: "text/html".into(),
            note: None,
            bytes: bytes.to_vec(),
        };
        let piece = shieldops_store::collected::keep(tx, action.parse().unwrap(), &new, now).await.unwrap();
        tx.record("evidence.collected", &[&action], &piece).unwrap();
    });
}

#[test]
fn what_the_system_lowered_by_itself_two_people_take_back_and_nobody_else() {
    use shieldops_store::gate::autonomy::{self, Lowered};
    let mut site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let (second, analyst) = (org.member("bea", "admin"), org.member("ann", "analyst"));
    target(&org, "sim/web", "staging");
    let id = text(&org.admin.items("/api/v1/targets")[0]["id"]);
    let body = json!({"capability": "linux.block_ip", "target": id, "reason": "the disk was full, it is not now"});
    let restore = |who: &Caller| who.call("POST", &format!("{AUTONOMY}/restore"), Some(&body));
    restore(&org.admin).refused(404, "not_found");
    let target = id.parse().unwrap();
    while_down(&mut site, &org, async |tx, at| {
        let why = "an action failed".to_owned();
        let capability = "linux.block_ip".to_owned();
        let lowered = Lowered { capability, target: Some(target), to: 2, why, at, until: None };
        assert!(autonomy::lower(tx, &lowered).await.unwrap());
    });
    let lowered = || org.admin.get(AUTONOMY)["lowered"].as_array().unwrap().len();
    assert_eq!(lowered(), 1);
    restore(&analyst).refused(403, "forbidden");
    let asked = restore(&org.admin);
    assert_eq!((asked.status, lowered()), (202, 1), "{}", asked.text);
    confirm(&org.admin, &asked.json()).refused(403, "second_person_required");
    confirm(&analyst, &asked.json()).refused(403, "forbidden");
    assert_eq!(confirm(&second, &asked.json()).ok()["state"], "confirmed");
    assert_eq!(lowered(), 0);
    restore(&org.admin).refused(404, "not_found");
    assert_eq!(org.admin.items("/api/v1/ledger?kind=autonomy.lowered").len(), 1);
}

#[test]
fn evidence_is_taken_byte_for_byte_never_shown_as_a_page_and_each_time_in_the_ledger() {
    let mut site = Site::start(&[]);
    let org = site.tenant("acme", "Acme", None);
    let action = in_force(&org, &org.member("bea", "admin"), "sim/web");
    let bytes = b"<script>alert(1)</script>";
    keep(&mut site, &org, &action, bytes);
    let path = format!("/api/v1/actions/{action}/evidence");
    let listed = org.admin.items(&path);
    assert_eq!((listed.len(), &listed[0]["number"], &listed[0]["size"]), (1, &json!(1), &json!(bytes.len())));
    for _ in 0..2 {
        let taken = org.admin.call("GET", &format!("{path}/1"), None);
        assert_eq!((taken.status, taken.text.as_bytes()), (200, &bytes[..]));
        assert_eq!(taken.header("content-type"), Some("application/octet-stream"), "whatever the target said it is");
        assert!(taken.header("content-disposition").unwrap().starts_with("attachment; filename=\"evidence-"));
        assert_eq!(taken.header("x-content-type-options"), Some("nosniff"));
        assert!(taken.header("content-security-policy").unwrap().contains("sandbox"));
    }
    let entries = org.admin.items("/api/v1/ledger?kind=evidence.downloaded");
    assert_eq!(entries.len(), 2, "each download");
    assert_eq!(entries[0]["payload"]["sha256"], listed[0]["sha256"]);
    org.admin.call("GET", &format!("{path}/2"), None).refused(404, "not_found");
    org.member("vic", "viewer").call("GET", &format!("{path}/1"), None).refused(403, "forbidden");
    let theirs = site.tenant("theirs", "Theirs", None);
    theirs.admin.call("GET", &format!("{path}/1"), None).refused(404, "not_found");
    theirs.admin.call("GET", &path, None).refused(404, "not_found");
}
