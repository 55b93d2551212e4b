//! Credentials that are not good: expired, cut, of another installation, twice, or sent by somebody who should not.

use super::*;

#[test]
fn only_a_whole_living_credential_of_this_installation_is_one() {
    let (site, other) = (Site::start(&[]), Site::start(&[]));
    let org = site.tenant("strict", "Strict", None);
    let (_, token) = Org::token_of(&org.admin, "mine");
    let (_, foreign) = Org::token_of(&other.operator, "theirs");
    let bearer = |caller: &Caller| caller.headers[0].1.strip_prefix("Bearer ").unwrap().to_owned();
    let good = bearer(&token);
    let cut = good.get(..good.len() - 1).unwrap().to_owned();
    let changed = format!("{cut}{}", if good.ends_with('0') { '1' } else { '0' });
    let kinds = ["sos_", "sok_", "soi_", "sko_"].map(|kind| format!("{kind}{}", good.split_once('_').unwrap().1));
    token.call("GET", "/api/v1/me", None).ok();
    let others =
        [cut, changed, format!("{good}0"), good.to_uppercase(), bearer(&foreign), String::new(), "x".repeat(9_000)];
    for wrong in others.into_iter().chain(kinds.into_iter().filter(|kind| *kind != good)) {
        let reply = Caller::bearer(site.url(), &wrong).call("GET", "/api/v1/me", None);
        assert!([401, 431].contains(&reply.status), "{wrong}: {} {}", reply.status, reply.text);
    }
    let cookie = other.operator.at(site.url());
    cookie.call("GET", "/api/v1/me", None).refused(401, "unauthenticated");
}

#[test]
fn a_key_ends_at_its_time_and_when_it_is_rotated_after_the_overlap() {
    let site = Site::start(&[]);
    let org = site.tenant("timed", "Timed", None);
    let body = json!({"name": "short", "permissions": ["alert.read"], "expires_at": from_now("+3 seconds")});
    let short = org.admin.post("/api/v1/keys", &body);
    let short = Caller::bearer(site.url(), &text(&short["key"]));
    short.call("GET", "/api/v1/alerts", None).ok();
    until(|| (short.call("GET", "/api/v1/alerts", None).status == 401).then_some(()));

    let made = org.admin.post("/api/v1/keys", &json!({"name": "long", "permissions": ["alert.read"]}));
    let old = Caller::bearer(site.url(), &text(&made["key"]));
    let path = format!("/api/v1/keys/{}/rotate", text(&made["id"]));
    let new = org.admin.post(&path, &json!({"overlap_s": 3}));
    let new = Caller::bearer(site.url(), &text(&new["key"]));
    for both in [&old, &new] {
        both.call("GET", "/api/v1/alerts", None).ok();
    }
    until(|| (old.call("GET", "/api/v1/alerts", None).status == 401).then_some(()));
    new.call("GET", "/api/v1/alerts", None).ok();
}

#[test]
fn a_key_is_for_its_routes_its_addresses_and_its_permissions() {
    let site = Site::start(&[]);
    let org = site.tenant("fenced", "Fenced", None);
    let make = |routes: Value, addresses: Value| {
        let body = json!({"name": "k", "permissions": ["alert.read", "incident.read"], "routes": routes, "addresses": addresses});
        Caller::bearer(site.url(), &text(&org.admin.post("/api/v1/keys", &body)["key"]))
    };
    let alerts = make(json!(["GET /api/v1/alerts/**", "GET /api/v1/alerts"]), json!([]));
    alerts.call("GET", "/api/v1/alerts", None).ok();
    alerts.call("GET", "/api/v1/incidents", None).refused(403, "route_not_allowed");
    let elsewhere = make(json!([]), json!(["198.51.100.0/24"]));
    elsewhere.call("GET", "/api/v1/alerts", None).refused(403, "address_not_allowed");
    let more = [("x-forwarded-for", "198.51.100.7"), ("forwarded", "for=198.51.100.7"), ("x-real-ip", "198.51.100.7")];
    let forged = elsewhere.call_with("GET", "/api/v1/alerts", &more, None);
    forged.refused(403, "address_not_allowed");
    let here = make(json!([]), json!(["127.0.0.0/8", "::1"]));
    here.call("GET", "/api/v1/alerts", None).ok();
    here.call("GET", "/api/v1/events", None).refused(403, "forbidden");
}

#[test]
fn two_credentials_in_one_request_are_none() {
    let site = Site::start(&[]);
    let (_, one) = Org::token_of(&site.operator, "one");
    let mut two = one.clone();
    two.headers.push(one.headers[0].clone());
    two.call("GET", "/api/v1/me", None).refused(400, "invalid_request");
    let tenants = [("shieldops-tenant", "a"), ("shieldops-tenant", "b")];
    one.call_with("GET", "/api/v1/me", &tenants, None).refused(400, "invalid_request");
}

#[test]
fn what_is_said_of_a_clients_address_counts_only_from_a_declared_proxy() {
    let forged = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "203.0.113.5"), ("x-real-ip", "192.0.2.1")];
    let (behind, proxies) = (("SHIELDOPS_BEHIND_PROXY", "true"), "SHIELDOPS_TRUSTED_PROXIES");
    for (env, wanted) in [
        (&[][..], "127.0.0.1"),
        (&[behind][..], "127.0.0.1"),
        (&[behind, (proxies, "10.0.0.0/8")][..], "127.0.0.1"),
        (&[behind, (proxies, "10.0.0.0/8,127.0.0.1")][..], "203.0.113.5"),
        (&[(proxies, "127.0.0.1")][..], "127.0.0.1"),
    ] {
        let site = Site::start(env);
        let login = json!({"name": "admin", "password": PASSWORD});
        let reply = Caller::nobody(site.url()).call_with("POST", "/api/v1/session", &forged, Some(&login));
        let session = Caller::session(site.url(), &reply);
        let id = text(&session.get("/api/v1/me")["session_id"]);
        let sessions = session.items("/api/v1/sessions");
        let own = sessions.iter().find(|one| one["id"] == id.as_str()).unwrap();
        assert_eq!(own["client_addr"], wanted, "{env:?}");
    }
}

#[test]
fn behind_a_proxy_that_nobody_declared_no_address_is_blocked_and_where_people_work_none_is() {
    let forged = [("x-forwarded-for", "203.0.113.5")];
    let (behind, proxies) = (("SHIELDOPS_BEHIND_PROXY", "true"), "SHIELDOPS_TRUSTED_PROXIES");
    for (env, known) in [(&[][..], false), (&[behind, (proxies, "127.0.0.1")][..], true)] {
        let site = Site::start(env);
        let login = json!({"name": "admin", "password": PASSWORD});
        let reply = Caller::nobody(site.url()).call_with("POST", "/api/v1/session", &forged, Some(&login));
        let session = Caller::session(site.url(), &reply);
        let host = json!({"kind": "linux_host", "name": "sim/web", "environment": "staging"});
        session.call_with("POST", "/api/v1/targets", &[forged[0], ("idempotency-key", "target")], Some(&host)).ok();
        let denies = |address: &str| {
            let target = json!({"kind": "linux_host", "name": "sim/web"});
            let action = json!({"capability": "linux.block_ip", "target": target, "params": {"address": address}});
            let plan = json!({"title": "Block it", "why": "it attacks", "actions": [action]});
            session.call_with("POST", "/api/v1/plans", &[forged[0], ("idempotency-key", address)], Some(&plan)).json()["decision"]["denies"]
                .to_string()
        };
        assert_eq!(denies("198.51.100.9").contains("operator_unknown"), !known, "{env:?}");
        if known {
            assert!(denies("203.0.113.5").contains("works from there"), "{}", denies("203.0.113.5"));
        }
    }
}

#[test]
fn a_session_changes_nothing_without_its_own_value_and_ends_when_it_is_revoked() {
    let site = Site::start(&[]);
    let org = site.tenant("web", "Web", None);
    let mut bare = org.admin.clone();
    bare.headers.retain(|(name, _)| name != "shieldops-csrf");
    bare.call("POST", "/api/v1/roles", Some(&json!({"name": "r", "permissions": []}))).refused(403, "csrf");
    let second = Caller::session(site.url(), &site.sign_in("web-admin", PASSWORD));
    let sessions = org.admin.items("/api/v1/sessions");
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    let newest = text(&sessions[0]["id"]);
    org.admin.call("DELETE", &format!("/api/v1/sessions/{newest}"), None).ok();
    let alive = [&org.admin, &second].map(|caller| caller.call("GET", "/api/v1/me", None).status);
    assert!(alive.contains(&401) && alive.contains(&200), "one of both ended: {alive:?}");
}

#[test]
fn a_link_is_spent_once_and_a_reset_ends_every_session() {
    let site = Site::start(&[]);
    let org = site.tenant("links", "Links", None);
    let invited = org.admin.post("/api/v1/invitations", &json!({"name": "rita", "role": "viewer"}));
    let rita = accept(site.url(), &invited);
    let again = json!({"link": site::fragment(&invited), "password": PASSWORD});
    let nobody = Caller::nobody(site.url());
    nobody.call("POST", "/api/v1/invitations/accept", Some(&again)).refused(400, "invalid_link");
    let id = text(&rita.get("/api/v1/me")["user"]["id"]);
    let made = org.admin.call("POST", &format!("/api/v1/users/{id}/reset"), None).ok();
    let reset = json!({"link": site::fragment(&made), "password": "quite another phrase"});
    nobody.call("POST", "/api/v1/session/reset", Some(&reset)).ok();
    rita.call("GET", "/api/v1/me", None).refused(401, "unauthenticated");
    assert_eq!(site.sign_in("rita", PASSWORD).status, 401);
    Caller::session(site.url(), &site.sign_in("rita", "quite another phrase"));
    nobody.call("POST", "/api/v1/session/reset", Some(&reset)).refused(400, "invalid_link");
}
