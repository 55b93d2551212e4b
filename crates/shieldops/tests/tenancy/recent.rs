//! What changes who may do what asks a session to prove again who it is; reading and triage do not.

use super::*;
use crate::clock;

/// Changes of rights that a session may make, with the version they saw where they want one.
fn changes(role: &Value, key: &Value, member: &str) -> Vec<(&'static str, String, Value)> {
    let at = |kind: &str, of: &Value| format!("/api/v1/{kind}/{}", text(&of["id"]));
    let key_body = json!({"name": "k2", "permissions": ["alert.read"]});
    let role_body = json!({"name": "r2", "permissions": ["alert.read"]});
    let until = from_now("+1 day");
    vec![
        ("POST", "/api/v1/roles".to_owned(), role_body.clone()),
        ("PUT", at("roles", role), role_body),
        ("DELETE", at("roles", role), Value::Null),
        ("POST", "/api/v1/keys".to_owned(), key_body.clone()),
        ("PUT", at("keys", key), key_body),
        ("POST", format!("{}/rotate", at("keys", key)), json!({"overlap_s": 0})),
        ("DELETE", at("keys", key), Value::Null),
        ("POST", "/api/v1/tokens".to_owned(), json!({"name": "t", "kind": "personal"})),
        ("POST", "/api/v1/invitations".to_owned(), json!({"name": "ivo", "role": "viewer"})),
        ("PATCH", format!("/api/v1/users/{member}"), json!({"role": "admin"})),
        ("DELETE", format!("/api/v1/users/{member}"), Value::Null),
        ("POST", format!("/api/v1/users/{member}/reset"), Value::Null),
        ("DELETE", format!("/api/v1/users/{member}/factors"), Value::Null),
        ("POST", "/api/v1/grants".to_owned(), json!({"role": "analyst", "reason": "help", "expires_at": until})),
        ("PUT", "/api/v1/settings".to_owned(), json!({})),
        ("PUT", "/api/v1/notifications".to_owned(), json!({"email": true})),
        ("POST", "/api/v1/settings/rollback".to_owned(), json!({"version": 1})),
        ("POST", "/api/v1/policies/versions/1/activate".to_owned(), json!({"reason": "agreed"})),
    ]
}

#[test]
fn an_old_session_changes_no_rights_until_it_proves_again_who_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut clock) = clock::ahead(dir.path()) else { return };
    let mut site = Site::start(&[]);
    let org = site.tenant("recent", "Recent", None);
    let rita = org.member("rita", "viewer");
    let member = text(&rita.get("/api/v1/me")["user"]["id"]);
    let role = org.admin.post("/api/v1/roles", &json!({"name": "r1", "permissions": ["alert.read"]}));
    let key = org.admin.post("/api/v1/keys", &json!({"name": "k1", "permissions": ["alert.read"]}));
    site.server.stop();
    site.server.restart_with(&[], &clock.by(6 * 60));

    let admin = org.admin.at(site.url());
    let call = |(method, path, body): &(&'static str, String, Value)| {
        let fresh = server::fresh_key();
        let needed = [("idempotency-key", fresh.as_str()), ("if-match", "*")];
        admin.call_with(method, path, &needed, Some(body).filter(|body| !body.is_null()))
    };
    let changes = changes(&role, &key, &member);
    for change in &changes {
        let reply = call(change);
        assert_eq!(reply.json()["code"], "reauthentication_required", "{change:?}: {} {}", reply.status, reply.text);
        assert_eq!(reply.status, 403);
    }
    admin.get("/api/v1/alerts");
    assert_eq!(admin.items("/api/v1/keys").len(), 1, "nothing was changed");

    admin
        .call("POST", "/api/v1/me/reauthenticate", Some(&json!({"password": "not this one"})))
        .refused(401, "wrong_credentials");
    assert_eq!(call(&changes[0]).status, 403, "a wrong password proves nothing");
    admin.call("POST", "/api/v1/me/reauthenticate", Some(&json!({"password": PASSWORD}))).ok();
    for change in &changes {
        assert!(!call(change).text.contains("reauthentication_required"), "{change:?}");
    }
    let keys = admin.items("/api/v1/keys");
    let old = keys.iter().find(|made| made["id"] == key["id"]);
    assert!(old.is_none_or(|old| !old["revoked_at"].is_null()), "the old key is gone: {old:?}");
}
