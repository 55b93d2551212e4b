//! From the making of a tenant to the destruction of its key.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::*;

const MARKERS: [&str; 4] = ["mkzevent81", "mkznote82", "mkzrole83", "mkztarget84"];

fn change(site: &Site, slug: &str, what: &str) -> Value {
    site.operator.post(&format!("/api/v1/tenants/{slug}/{what}"), &json!({"reason": "as agreed"}))
}

#[test]
fn a_tenant_is_renamed_and_its_people_find_it_by_its_new_name() {
    let site = Site::start(&[]);
    let org = site.tenant("harbour", "Harbour", None);
    let tag = site.operator.call("GET", "/api/v1/tenants/harbour", None).header("etag").unwrap().to_owned();
    let patch = json!({"slug": "quay", "name": "The Quay"});
    let renamed = site.operator.call_with("PATCH", "/api/v1/tenants/harbour", &[("if-match", &tag)], Some(&patch)).ok();
    assert_eq!((&renamed["slug"], &renamed["name"]), (&json!("quay"), &json!("The Quay")));
    site.operator.call("GET", "/api/v1/tenants/harbour", None).refused(404, "not_found");
    assert_eq!(org.admin.about("quay").get("/api/v1/me")["tenant"]["slug"], "quay");
    org.admin.about("harbour").call("GET", "/api/v1/me", None).refused(404, "not_found");
    let kinds: Vec<Value> =
        org.admin.items("/api/v1/ledger?limit=200").iter().map(|entry| entry["kind"].clone()).collect();
    assert!(kinds.contains(&json!("tenant.updated")), "the tenant's own ledger says so: {kinds:?}");
}

#[test]
fn an_operator_reads_and_proves_the_ledger_of_the_installation_and_nobody_else_does() {
    let site = Site::start(&[]);
    let org = site.tenant("harbour", "Harbour", None);
    let made = site.operator.items("/api/v1/installation/ledger?kind=tenant.created");
    assert!(made.iter().any(|entry| entry["payload"].to_string().contains("harbour")), "{made:?}");
    assert!(org.admin.items("/api/v1/ledger?kind=tenant.created&limit=200").len() <= 1, "a tenant's own is another");
    let proof = site.operator.get("/api/v1/installation/ledger/verify");
    assert_eq!(proof["ok"], true, "{proof}");
    let file = site.operator.call("GET", "/api/v1/installation/ledger/export?format=csv&kind=tenant.created", None);
    assert_eq!((file.status, file.text.lines().count()), (200, made.len() + 1), "{}", file.text);
    for path in ["", "/verify", "/export"] {
        let path = format!("/api/v1/installation/ledger{path}");
        org.admin.call("GET", &path, None).refused(403, "forbidden");
    }
}

#[test]
fn names_that_a_tenant_cannot_have_are_refused_and_a_slug_is_taken_once() {
    let site = Site::start(&[]);
    for slug in ["", "-a", "a-", "A", "a_b", "a/b", "ä", &"a".repeat(41)] {
        let body = json!({"slug": slug, "name": "A"});
        site.operator.call("POST", "/api/v1/tenants", Some(&body)).refused(400, "invalid_request");
    }
    site.tenant("once", "Once", None);
    let again = json!({"slug": "once", "name": "Again"});
    site.operator.call("POST", "/api/v1/tenants", Some(&again)).refused(409, "already_exists");
    // In a list nobody could tell them apart: the second begins with a Cyrillic letter.
    for name in ["ONCE", "\u{41e}nce"] {
        let body = json!({"slug": "twice", "name": name});
        site.operator.call("POST", "/api/v1/tenants", Some(&body)).refused(409, "already_exists");
    }
    let renamed = json!({"name": "ONCE"});
    site.operator.call_with("PATCH", "/api/v1/tenants/once", &[("if-match", "*")], Some(&renamed)).ok();
}

#[test]
fn a_suspended_tenant_is_read_and_takes_events_and_makes_nothing_until_it_is_resumed() {
    let site = Site::start(&[]);
    let org = site.tenant("slow", "Slow", None);
    let shipper = org.shipper("edge");
    change(&site, "slow", "suspend");
    org.admin
        .call("POST", "/api/v1/roles", Some(&json!({"name": "r", "permissions": []})))
        .refused(403, "tenant_suspended");
    org.admin.call("POST", "/api/v1/plans", Some(&block("sim/none"))).refused(403, "tenant_suspended");
    assert_eq!(shipper.send_lines(&attack("slow-1", 1))["accepted"], 1);
    until(|| (!org.admin.items("/api/v1/alerts").is_empty()).then_some(()));
    assert_eq!(permission(&org.admin, "role.write")["rule"], "tenant suspended");
    change(&site, "slow", "resume");
    org.admin.post("/api/v1/roles", &json!({"name": "r", "permissions": ["alert.read"]}));
}

#[test]
fn a_suspended_tenant_still_says_no_and_halts_and_says_yes_to_nothing() {
    let site = Site::start(&[]);
    let org = site.tenant("slow", "Slow", None);
    let (second, viewer) = (org.member("slow-second", "analyst"), org.member("slow-viewer", "viewer"));
    target(&org, "sim/slow", "production");
    let plan = org.admin.post("/api/v1/plans", &block("sim/slow"));
    let path = |what: &str| format!("/api/v1/plans/{}/{what}", text(&plan["id"]));
    change(&site, "slow", "suspend");
    let why = json!({"reason": "not now"});
    let yes = json!({"hash": plan["hash"]});
    second.call("POST", &path("approve"), Some(&yes)).refused(403, "tenant_suspended");
    viewer.call("POST", &path("reject"), Some(&why)).refused(403, "forbidden");
    assert_eq!(second.post(&path("reject"), &why)["state"], "rejected");
    assert_eq!(second.post("/api/v1/automation/halt", &why)["halted"], true);
    second.call("POST", "/api/v1/automation/resume", Some(&why)).refused(403, "tenant_suspended");
    change(&site, "slow", "resume");
    assert_eq!(second.post("/api/v1/automation/resume", &why)["halted"], false);
    change(&site, "slow", "lock");
    second.call("POST", "/api/v1/automation/halt", Some(&why)).refused(403, "tenant_locked");
}

#[test]
fn a_locked_tenant_lets_nobody_in_and_keeps_what_it_is_sent() {
    let site = Site::start(&[]);
    let org = site.tenant("shut", "Shut", None);
    let shipper = org.shipper("edge");
    let key = org.key("reader", &["alert.read"]);
    change(&site, "shut", "lock");
    for caller in [&org.admin, &key] {
        caller.call("GET", "/api/v1/alerts", None).refused(403, "tenant_locked");
    }
    let refused = site.sign_in("shut-admin", PASSWORD);
    assert!(refused.status == 403 || refused.status == 401, "{} {}", refused.status, refused.text);
    assert_eq!(shipper.send_lines("one line")["accepted"], 1);
    change(&site, "shut", "unlock");
    until(|| {
        let found = org.admin.call("GET", "/api/v1/events", None);
        (found.status == 200 && !found.json()["items"].as_array()?.is_empty()).then_some(())
    });
}

#[test]
fn a_tenant_with_something_in_force_is_deleted_only_after_that_is_undone() {
    let site = Site::start(&[]);
    let org = site.tenant("armed", "Armed", None);
    let second = org.member("armed-second", "admin");
    let action = in_force(&org, &second, "sim/armed");
    let path = "/api/v1/tenants/armed?reason=closing";
    let refused = site.operator.call("DELETE", path, None);
    assert_eq!(refused.status, 409, "{}", refused.text);
    let deletion = site.operator.call("DELETE", &format!("{path}&undo_first=true"), None).ok();
    assert_eq!(deletion["undone"], json!([action]), "{deletion}");
    assert_eq!(deletion["tenant"]["state"], "deleting");
    org.admin.call("GET", "/api/v1/alerts", None).refused(403, "tenant_locked");
    assert_eq!(change(&site, "armed", "cancel-deletion")["state"], "suspended");
    change(&site, "armed", "resume");
    let after = org.admin.get(&format!("/api/v1/actions/{action}"));
    assert_eq!(after["state"], "undone", "{after}");
}

#[test]
fn what_cannot_be_undone_is_listed_before_its_tenant_is_deleted_and_stays_behind_only_when_that_is_said() {
    let site = Site::start(&[]);
    let org = site.tenant("stuck", "Stuck", None);
    let second = org.member("stuck-second", "admin");
    let action = in_force(&org, &second, "sim/stuck");
    let realm = text(&site.operator.get("/api/v1/tenants/stuck")["id"]);
    let twin = Path::new(site.server.data_dir()).join("sim").join(realm).join("stuck.json");
    let whole = fs::read(&twin).unwrap();
    fs::write(&twin, "cut off").unwrap();
    let listed = || site.operator.items("/api/v1/installation/ledger?kind=tenant.not_undone");
    let (plain, undo) =
        ("/api/v1/tenants/stuck?reason=closing", "/api/v1/tenants/stuck?reason=closing&undo_first=true");
    let refused = site.operator.call("DELETE", undo, None);
    refused.refused(409, "conflict");
    let told = &refused.json()["errors"];
    assert!(told[0]["code"] == "not_undone" && text(&told[0]["detail"]).starts_with(&action), "{told}");
    assert_eq!(listed()[0]["payload"][0]["action"], json!(action), "it is kept, though nothing was deleted");
    assert_eq!(site.operator.get("/api/v1/tenants/stuck")["state"], "active");
    let deletion = site.operator.call("DELETE", &format!("{undo}&leave_behind=true"), None).ok();
    assert_eq!((&deletion["undone"], &deletion["cannot_be_undone"][0]["action"]), (&json!([]), &json!(action)));
    change(&site, "stuck", "cancel-deletion");
    change(&site, "stuck", "resume");
    assert_eq!(org.admin.get(&format!("/api/v1/actions/{action}"))["state"], "undo_failed");
    let again = site.operator.call("DELETE", plain, None);
    assert_eq!((again.status, &again.json()["errors"][0]["code"]), (409, &json!("not_undone")), "it is told again");
    assert_eq!(listed().len(), 3);
    fs::write(&twin, whole).unwrap();
    let deletion = site.operator.call("DELETE", undo, None).ok();
    assert_eq!((&deletion["undone"], &deletion["cannot_be_undone"]), (&json!([action]), &json!([])));
}

/// Something in every place where a tenant's words are kept.
fn planted(site: &Site) -> Org {
    let org = site.tenant("gone", "Gone", None);
    let second = org.member("gone-second", "admin");
    let [event, note, role, machine] = MARKERS;
    let shipper = org.shipper("edge");
    shipper.send_lines(&attack(event, 7));
    let incident = until(|| org.admin.items("/api/v1/incidents").into_iter().find(|one| !one["revision"].is_null()));
    let path = format!("/api/v1/incidents/{}/notes", text(&incident["id"]));
    org.admin.post(&path, &json!({"text": note}));
    org.admin.post("/api/v1/roles", &json!({"name": role, "permissions": ["alert.read"]}));
    let action = in_force(&org, &second, &format!("sim/{machine}"));
    org.admin.post(&format!("/api/v1/actions/{action}/undo"), &json!({"reason": note}));
    org
}

/// The files of a folder that hold one of these texts, or are called so.
fn holding(dir: &Path, marks: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let marked = |bytes: &[u8]| marks.iter().any(|mark| bytes.windows(mark.len()).any(|part| part == mark.as_bytes()));
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if marked(path.file_name().unwrap().as_encoded_bytes()) {
            found.push(path);
        } else if path.is_dir() {
            found.extend(holding(&path, marks));
        } else if let Ok(bytes) = fs::read(&path)
            && marked(&bytes)
        {
            found.push(path);
        }
    }
    found
}

#[test]
fn of_a_deleted_tenant_no_byte_is_left_that_says_something_and_the_ledger_still_proves_itself() {
    let mut site = Site::start(&[]);
    let org = planted(&site);
    let beside = site.tenant("beside", "Beside", None);
    beside.admin.post("/api/v1/roles", &json!({"name": "stays-here", "permissions": ["alert.read"]}));
    let data = PathBuf::from(site.server.data_dir());
    assert!(!holding(&data, &MARKERS).is_empty(), "what was planted can be found before");
    site.operator.call("DELETE", "/api/v1/tenants/gone?reason=closing&grace_hours=0", None).ok();
    let deleted = || site.operator.items("/api/v1/tenants?state=deleted");
    until(|| (deleted().len() == 1).then_some(()));
    org.admin.call("GET", "/api/v1/me", None).refused(401, "unauthenticated");
    assert_eq!(site.sign_in("gone-admin", PASSWORD).status, 401);
    assert_eq!(beside.admin.items("/api/v1/roles").len(), 1, "the other tenant is as it was");
    until(|| holding(&data, &MARKERS).is_empty().then_some(()));
    let tenant = text(&deleted()[0]["id"]);
    assert_eq!(holding(&data.join("sim"), &[&tenant]), Vec::<PathBuf>::new(), "nor a folder of its name");
    site.server.stop();
    assert_eq!(holding(&data, &MARKERS), Vec::<PathBuf>::new(), "when it has ended");
    let proof = site.server.cli(&["ledger", "verify", site.server.data_dir(), "--output", "json"]);
    assert_eq!(proof.code, 0, "{}{}", proof.stdout, proof.stderr);
}

#[test]
fn settings_are_checked_before_they_hold_and_earlier_ones_come_back() {
    let site = Site::start(&[]);
    let org = site.tenant("tuned", "Tuned", None);
    let put = |body: Value| org.admin.call("PUT", "/api/v1/settings", Some(&body));
    assert_eq!(put(json!({"session_idle_minutes": 30})).ok()["effective"]["session_idle_minutes"], 30);
    assert_eq!(put(json!({"session_idle_minutes": 20})).ok()["version"], 2);
    for wrong in [
        json!({"session_idle_minutes": 0}),
        json!({"default_role": "emperor"}),
        json!({"limits": {"interactive_per_s": 1_000_000}}),
        json!({"separation_of_duty": [["alert.read", "alert.fly"]]}),
        json!({"unheard_of": true}),
    ] {
        let refused = put(wrong.clone());
        assert_eq!(refused.status, 400, "{wrong}: {}", refused.text);
    }
    assert_eq!(org.admin.items("/api/v1/settings/versions").len(), 2, "what is refused is no version");
    let back = rolled_back(&org.admin, 1, "*").ok();
    assert_eq!((&back["version"], &back["effective"]["session_idle_minutes"]), (&json!(3), &json!(30)));
    rolled_back(&org.admin, 99, "*").refused(404, "not_found");
}

fn rolled_back(caller: &Caller, version: u64, seen: &str) -> site::Reply {
    let key = server::fresh_key();
    let headers = [("idempotency-key", key.as_str()), ("if-match", seen)];
    caller.call_with("POST", "/api/v1/settings/rollback", &headers, Some(&json!({"version": version})))
}

#[test]
fn going_back_to_settings_is_checked_as_setting_them_is() {
    let site = Site::start(&[]);
    let org = site.tenant("back", "Back", None);
    let role = org.admin.post("/api/v1/roles", &json!({"name": "night", "permissions": ["alert.read"]}));
    let put = |settings: &Value| org.admin.call("PUT", "/api/v1/settings", Some(settings)).ok();
    put(&json!({"default_role": role["id"]}));
    put(&json!({"session_hours": 4}));
    let key = server::fresh_key();
    let blind = org.admin.call_with(
        "POST",
        "/api/v1/settings/rollback",
        &[("idempotency-key", &key)],
        Some(&json!({"version": 1})),
    );
    blind.refused(428, "precondition_required");
    rolled_back(&org.admin, 1, "\"1\"").refused(412, "precondition_failed");
    org.admin.call("DELETE", &format!("/api/v1/roles/{}", text(&role["id"])), None).ok();
    let refused = rolled_back(&org.admin, 1, "\"2\"");
    refused.refused(400, "invalid_request");
    assert_eq!(refused.json()["errors"][0]["code"], "default_role", "{}", refused.text);
    assert_eq!(org.admin.get("/api/v1/settings")["version"], 2, "nothing changed");
}
