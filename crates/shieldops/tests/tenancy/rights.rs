//! Who may do what: roles of one's own, grants to a parent, and what nobody may do.

use super::*;

#[test]
fn a_role_for_staging_plans_nothing_in_production() {
    let site = Site::start(&[]);
    let org = site.tenant("staged", "Staged", None);
    target(&org, "sim/prod", "production");
    target(&org, "sim/stage", "staging");
    let role = json!({"name": "night-shift", "permissions": ["plan.read", "plan.create", "target.read"], "environments": ["staging"]});
    let role = org.admin.post("/api/v1/roles", &role);
    let night = org.member("nina", &text(&role["id"]));
    let refused = night.call("POST", "/api/v1/plans", Some(&block("sim/prod")));
    refused.refused(403, "forbidden");
    assert!(
        refused.text.contains("night-shift") && refused.text.contains("staging"),
        "the rule is named: {}",
        refused.text
    );
    let plan = night.post("/api/v1/plans", &block("sim/stage"));
    assert_eq!(plan["state"], "proposed", "{plan}");
    let decision = permission(&night, "plan.create");
    assert_eq!((&decision["allowed"], &decision["environments"]), (&json!(true), &json!(["staging"])), "{decision}");
    assert_eq!(permission(&night, "user.write")["allowed"], false);
    let wider = json!({"name": "night-shift", "permissions": ["plan.read"]});
    let path = format!("/api/v1/roles/{}", text(&role["id"]));
    org.admin.call("PUT", &path, Some(&wider)).ok();
    night.call("POST", "/api/v1/plans", Some(&block("sim/stage"))).refused(403, "forbidden");
    let refused = org.admin.call("DELETE", &path, None);
    assert_eq!(refused.status, 409, "somebody has it: {}", refused.text);
}

#[test]
fn who_may_approve_is_who_reaches_the_targets_and_has_not_voted() {
    let site = Site::start(&[]);
    let org = site.tenant("staged", "Staged", None);
    let deputy = org.member("deputy", "admin");
    target(&org, "sim/prod", "production");
    target(&org, "sim/stage", "staging");
    let role = json!({"name": "night", "permissions": ["plan.read", "plan.approve"], "environments": ["staging"]});
    let role = org.admin.post("/api/v1/roles", &role);
    let night = org.member("nina", &text(&role["id"]));
    let named = |plan: &Value| plan["approvers"].as_array().unwrap().iter().map(text).collect::<Vec<_>>();
    for (name, may) in [("sim/prod", false), ("sim/stage", true)] {
        let plan = org.admin.post("/api/v1/plans", &block(name));
        let path = format!("/api/v1/plans/{}", text(&plan["id"]));
        let seen = night.get(&path);
        assert_eq!((seen["state"] == "proposed", &seen["can_approve"]), (true, &json!(may)), "{seen}");
        assert_eq!(named(&seen).contains(&"nina".to_owned()), may, "{seen}");
        assert_eq!(seen["cannot_approve_why"].to_string().contains("production is outside"), !may, "{seen}");
        let inbox = night.items("/api/v1/approvals");
        let asked = inbox.iter().find(|one| one["plan_id"] == plan["id"]).unwrap();
        assert_eq!(asked["may_vote"], json!(may), "{asked}");
        let vote = json!({"hash": plan["hash"]});
        assert_eq!(night.call("POST", &format!("{path}/approve"), Some(&vote)).status == 403, !may);
        if !may {
            assert!(named(&seen).contains(&"deputy".to_owned()), "{seen}");
            deputy.post(&format!("{path}/approve"), &vote);
            let after = named(&org.admin.get(&path));
            assert!(!after.contains(&"deputy".to_owned()), "who voted is not asked again: {after:?}");
        }
    }
}

/// A parent and its child, and a person of the parent.
fn family(site: &Site) -> (Org, Org) {
    let parent = site.tenant("parent", "Parent", None);
    let child = site.tenant("child", "Child", Some("parent"));
    (parent, child)
}

fn grant(child: &Org, role: &str, until: &str) -> Value {
    child.admin.post("/api/v1/grants", &json!({"role": role, "reason": "night cover", "expires_at": from_now(until)}))
}

#[test]
fn a_parent_acts_in_its_child_by_a_grant_until_it_is_revoked() {
    let site = Site::start(&[]);
    let (parent, child) = family(&site);
    let there = parent.admin.about("child");
    there.call("GET", "/api/v1/alerts", None).refused(404, "not_found");
    let given = grant(&child, "analyst", "+1 hour");
    assert_eq!(there.get("/api/v1/me")["tenant"]["slug"], "child");
    assert!(there.items("/api/v1/alerts").is_empty());
    let rule = text(&permission(&there, "alert.write")["rule"]);
    assert!(rule.contains(&text(&given["id"])) && rule.contains("analyst"), "{rule}");
    there.call("POST", "/api/v1/roles", Some(&json!({"name": "r", "permissions": []}))).refused(403, "forbidden");
    let held = parent.admin.items("/api/v1/grants?held=true");
    assert_eq!(held.len(), 1);
    assert_eq!(held[0]["other_name"], there.get("/api/v1/me")["tenant"]["name"], "named while it holds");
    let parent_name = parent.admin.get("/api/v1/me")["tenant"]["name"].clone();
    assert_eq!(child.admin.items("/api/v1/grants")[0]["other_name"], parent_name);
    child.admin.call("DELETE", &format!("/api/v1/grants/{}", text(&given["id"])), None).ok();
    there.call("GET", "/api/v1/alerts", None).refused(404, "not_found");
    assert_eq!(parent.admin.items("/api/v1/grants?held=true")[0]["other_name"], Value::Null, "and not afterwards");
    for org in [&parent, &child] {
        let entries = org.admin.items("/api/v1/ledger?limit=200");
        let told =
            |kind: &str| entries.iter().any(|entry| entry["kind"].as_str().is_some_and(|own| own.contains(kind)));
        assert!(told("grant"), "{}'s ledger says nothing of the grant", org.slug);
    }
}

#[test]
fn a_grant_ends_by_itself() {
    let site = Site::start(&[]);
    let (parent, child) = family(&site);
    grant(&child, "viewer", "+4 seconds");
    let there = parent.admin.about("child");
    there.call("GET", "/api/v1/alerts", None).ok();
    until(|| (there.call("GET", "/api/v1/alerts", None).status == 404).then_some(()));
}

#[test]
fn a_grant_goes_to_the_parent_only_and_for_a_time() {
    let site = Site::start(&[]);
    let (parent, child) = family(&site);
    let ask = |org: &Org, body: Value| org.admin.call("POST", "/api/v1/grants", Some(&body)).status;
    let fine = json!({"role": "viewer", "reason": "x", "expires_at": from_now("+1 hour")});
    assert_eq!(ask(&parent, fine.clone()), 409, "a tenant without a parent");
    for (member, value) in
        [("expires_at", from_now("-1 hour")), ("expires_at", from_now("+200 days")), ("role", "emperor".to_owned())]
    {
        let mut body = fine.clone();
        body[member] = value.into();
        assert!([400, 403, 422].contains(&ask(&child, body.clone())), "{body}");
    }
}

#[test]
fn the_last_administrator_stays_one() {
    let site = Site::start(&[]);
    let org = site.tenant("lone", "Lone", None);
    let me = text(&org.admin.get("/api/v1/me")["user"]["id"]);
    let path = format!("/api/v1/users/{me}");
    for patch in [json!({"role": "viewer"}), json!({"disabled": true})] {
        org.admin.call("PATCH", &path, Some(&patch)).refused(409, "last_administrator");
    }
    org.admin.call("DELETE", &path, None).refused(409, "last_administrator");
    let second = org.member("deputy", "admin");
    second.call("PATCH", &path, Some(&json!({"role": "viewer"}))).ok();
    assert_eq!(org.admin.get("/api/v1/me")["user"]["role"], "viewer");
}

#[test]
fn nobody_gives_more_than_they_have() {
    let site = Site::start(&[]);
    let org = site.tenant("narrow", "Narrow", None);
    let role = json!({"name": "clerk", "permissions": ["alert.read", "user.read", "user.write", "role.write", "key.write", "grant.write"]});
    let role = org.admin.post("/api/v1/roles", &role);
    let clerk = org.member("clara", &text(&role["id"]));
    let wide = json!({"name": "wide", "permissions": ["alert.read", "plan.approve"]});
    clerk.call("POST", "/api/v1/roles", Some(&wide)).refused(403, "wider_than_own");
    clerk.call("POST", "/api/v1/keys", Some(&wide)).refused(403, "wider_than_own");
    clerk
        .call("POST", "/api/v1/invitations", Some(&json!({"name": "zoe", "role": "admin"})))
        .refused(403, "wider_than_own");
    let operator_like = json!({"name": "crown", "permissions": ["tenant.write"]});
    let refused = org.admin.call("POST", "/api/v1/roles", Some(&operator_like));
    assert!([400, 403].contains(&refused.status), "an installation's permission in a role: {}", refused.text);
    let own = format!("/api/v1/roles/{}", text(&role["id"]));
    clerk.call("PUT", &own, Some(&wide)).refused(403, "wider_than_own");
}

#[test]
fn separated_duties_are_not_held_together() {
    let site = Site::start(&[]);
    let org = site.tenant("split", "Split", None);
    let rule = json!({"separation_of_duty": [["plan.create", "plan.approve"]]});
    let put = org.admin.call("PUT", "/api/v1/settings", Some(&rule));
    if put.status == 200 {
        let held = put.json()["held_together"].clone();
        assert_eq!((&held[0]["kind"], &held[1]), (&json!("member"), &Value::Null), "{held}");
        assert_eq!(org.admin.get("/api/v1/settings")["held_together"], held);
        org.admin
            .call("POST", "/api/v1/invitations", Some(&json!({"name": "al", "role": "operator"})))
            .refused(409, "separation_of_duty");
    }
    let both = json!({"name": "both", "permissions": ["plan.create", "plan.approve"]});
    let made = org.admin.call("POST", "/api/v1/roles", Some(&both));
    if made.status == 201 {
        let role = text(&made.json()["id"]);
        org.admin
            .call("POST", "/api/v1/invitations", Some(&json!({"name": "bo", "role": role})))
            .refused(409, "separation_of_duty");
    } else {
        made.refused(409, "separation_of_duty");
    }
}

#[test]
fn names_that_look_like_a_members_are_refused() {
    let site = Site::start(&[]);
    let org = site.tenant("look", "Look", None);
    org.member("paul@example.org", "viewer");
    for name in ["PAUL@example.org", "pаul@example.org", "paul@example.org\u{200b}"] {
        let body = json!({"name": name, "role": "viewer"});
        let refused = org.admin.call("POST", "/api/v1/invitations", Some(&body));
        assert!([400, 409].contains(&refused.status), "{name}: {} {}", refused.status, refused.text);
    }
}

#[test]
fn an_invitation_says_the_same_of_a_new_name_and_of_a_known_one() {
    let site = Site::start(&[]);
    let (one, two) = (site.tenant("one", "One", None), site.tenant("two", "Two", None));
    let shape = |name: &str| {
        let invited = two.admin.call("POST", "/api/v1/invitations", Some(&json!({"name": name, "role": "viewer"})));
        let body = invited.json();
        let members: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
        let nothing: Vec<bool> = body.as_object().unwrap().values().map(Value::is_null).collect();
        (invited.status, members, nothing)
    };
    assert_eq!(shape("one-admin"), shape("nobody-yet"));
    let invited = two.admin.post("/api/v1/invitations", &json!({"name": "one-admin", "role": "viewer"}));
    let link = json!({"link": site::fragment(&invited)});
    one.admin.call("POST", "/api/v1/invitations/accept", Some(&link)).ok();
    let me = one.admin.about("two").get("/api/v1/me");
    assert_eq!((&me["tenant"]["slug"], &me["user"]["role"]), (&json!("two"), &json!("viewer")));
    assert_eq!(one.admin.get("/api/v1/me")["tenants"].as_array().unwrap().len(), 2);
    one.admin.call("POST", "/api/v1/invitations/accept", Some(&link)).refused(400, "invalid_link");
}

#[test]
fn a_tenant_does_not_learn_whether_a_name_is_taken_elsewhere() {
    let site = Site::start(&[]);
    let (_one, two) = (site.tenant("one", "One", None), site.tenant("two", "Two", None));
    let key = two.key("all", &["user.read", "user.write", "alert.read"]);
    for caller in [&two.admin, &key] {
        let said = ["one-admin", "nobody-yet", "admin"].map(|name| {
            let body = json!({"name": name, "role": "viewer", "password": PASSWORD});
            let mut said = caller.call("POST", "/api/v1/users", Some(&body));
            let code = said.json()["code"].clone();
            said.headers.remove("date");
            (said.status, code, said.json()["detail"].clone())
        });
        assert_eq!((said[0].0, &said[0].1), (403, &json!("forbidden")));
        assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
    }
    let made = json!({"name": "by-the-operator", "role": "viewer", "password": PASSWORD});
    site.operator.post("/api/v1/users", &made);
}
