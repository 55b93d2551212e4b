//! Votes on something critical count by what the voter's session proved itself with, and how long ago: with an authenticator app,
//! recovery codes, a passkey in software, and a clock that is put ahead.

#[path = "../../../identity/tests/it/authenticator.rs"]
#[allow(dead_code, reason = "the tests of passkeys themselves use all of it")]
mod authenticator;

use shieldops_model::{Clock as _, SystemClock};
use totp_rs::{Algorithm, Secret, TOTP};

use self::authenticator::Device;
use super::*;
use crate::clock;

/// Passkeys belong to a name.
const URL: &str = "https://shieldops.example.org";
const LATER_S: u32 = 6 * 60;

/// The app on somebody's phone.
struct App(TOTP);

impl App {
    /// Sets one up; the recovery codes with it.
    fn of(who: &Caller) -> (Self, Vec<String>) {
        let offer = who.call("POST", "/api/v1/me/totp", None).ok();
        let secret = Secret::Encoded(text(&offer["secret"])).to_bytes().unwrap();
        let app = Self(TOTP::new(Algorithm::SHA1, 6, 0, 30, secret, None, "bea".into()).unwrap());
        let body = json!({"ticket": offer["ticket"], "code": app.code(0)});
        let codes = who.post("/api/v1/me/totp/confirm", &body)["recovery_codes"].clone();
        (app, codes.as_array().unwrap().iter().map(text).collect())
    }

    /// What it shows on a server whose clock is so far ahead.
    fn code(&self, ahead_s: u32) -> String {
        let now = u64::try_from(SystemClock.now().as_secs()).unwrap();
        self.0.generate(now + u64::from(ahead_s))
    }
}

/// A range of addresses on an important target in production.
fn critical(org: &Org) -> Value {
    let about = json!({"kind": "linux_host", "name": "sim/web", "environment": "production", "criticality": "high"});
    org.admin.post("/api/v1/targets", &about);
    let target = json!({"kind": "linux_host", "name": "sim/web"});
    let action = json!({"capability": "linux.block_range", "target": target, "params": {"range": "198.51.100.0/28"}});
    let plan = org.admin.post("/api/v1/plans", &json!({"actions": [action]}));
    assert_eq!((&plan["risk"], &plan["decision"]["approvals_needed"]), (&json!("critical"), &json!(2)), "{plan}");
    assert_eq!(plan["decision"]["obligations"]["strong_session"], true, "{plan}");
    plan
}

fn vote(who: &Caller, plan: &Value) -> site::Reply {
    let path = format!("/api/v1/plans/{}/approve", text(&plan["id"]));
    who.call("POST", &path, Some(&json!({"hash": plan["hash"]})))
}

fn with(who: &Caller) -> Value {
    who.get("/api/v1/me")["confirmed"]["with"].clone()
}

/// Signs in with a password and a recovery code.
fn recovered(site: &Site, name: &str, code: &str) -> Caller {
    let challenge = site.sign_in(name, PASSWORD).json();
    let body = json!({"ticket": challenge["ticket"], "recovery_code": code});
    let path = "/api/v1/session/second-factor";
    Caller::session(site.url(), &Caller::nobody(site.url()).call_with("POST", path, &[], Some(&body)))
}

/// Makes a passkey for somebody who proves with their password who they are, and signs in with it alone.
fn by_passkey(who: &Caller, url: &str) -> Caller {
    who.post("/api/v1/me/reauthenticate", &json!({"password": PASSWORD}));
    let begun = who.call("POST", "/api/v1/me/passkeys/begin", None).ok();
    let (mut device, credential) = Device::register(&begun["options"], URL);
    let body = json!({"ticket": begun["ticket"], "name": "laptop", "credential": credential});
    who.post("/api/v1/me/passkeys/finish", &body);
    let nobody = Caller::nobody(url);
    let begun = nobody.call_with("POST", "/api/v1/session/passkey/begin", &[], None).ok();
    let body = json!({"ticket": begun["ticket"], "credential": device.sign(&begun["options"])});
    Caller::session(url, &nobody.call_with("POST", "/api/v1/session/passkey/finish", &[], Some(&body)))
}

#[test]
fn a_critical_plan_takes_a_passkey_or_a_code_of_the_last_five_minutes_and_says_which_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut clock) = clock::ahead(dir.path()) else { return };
    let settings = [("SHIELDOPS_LIMITS__ENABLED", "false"), ("SHIELDOPS_PUBLIC_URL", URL)];
    let mut site = Site::start(&settings);
    let org = site.tenant("acme", "Acme", None);
    let (bea, cid) = (org.member("bea", "admin"), org.member("cid", "admin"));
    let (_, token) = Org::token_of(&bea, "cli");
    let plan = critical(&org);
    let refused = |who: &Caller| vote(who, &plan).refused(403, "strong_session_required");
    assert_eq!(with(&bea), "password");
    refused(&bea);
    refused(&token);
    let (app, codes) = App::of(&bea);
    let recovered = recovered(&site, "bea", &codes[0]);
    assert_eq!((with(&bea), with(&recovered)), (json!("totp"), json!("recovery_code")));
    refused(&recovered);
    let glass = format!("/api/v1/plans/{}/break-glass", text(&plan["id"]));
    let body = json!({"hash": plan["hash"], "reason": "it burns"});
    recovered.call("POST", &glass, Some(&body)).refused(403, "strong_session_required");

    site.server.stop();
    let mut later = settings.to_vec();
    later.extend(clock.by(LATER_S));
    site.server.restart_with(&[], &later);
    let [bea, cid, recovered] = [&bea, &cid, &recovered].map(|who| who.at(site.url()));
    vote(&bea, &plan).refused(403, "strong_session_required");
    assert_eq!(with(&bea), "totp", "it was one, and is too old");
    recovered.post("/api/v1/me/reauthenticate", &json!({"recovery_code": codes[1]}));
    vote(&recovered, &plan).refused(403, "strong_session_required");
    bea.post("/api/v1/me/reauthenticate", &json!({"code": app.code(LATER_S)}));
    let one = vote(&bea, &plan).ok();
    assert_eq!(
        (&one["state"], &one["approvals"][0]["confirmed"]["with"]),
        (&json!("proposed"), &json!("totp")),
        "{one}"
    );
    let done = vote(&by_passkey(&cid, site.url()), &plan).ok();
    assert_eq!(
        (&done["state"], &done["approvals"][1]["confirmed"]["with"]),
        (&json!("executed"), &json!("passkey")),
        "{done}"
    );
    told(&org.admin.at(site.url()));
}

/// The ledger says of each vote and each session what it was confirmed with, and lists of sessions say it too.
fn told(admin: &Caller) {
    let votes = admin.items("/api/v1/ledger?kind=plan.approved");
    let votes: Vec<_> = votes.iter().rev().map(|entry| entry["payload"]["confirmed"]["with"].clone()).collect();
    assert_eq!(votes, ["totp", "passkey"]);
    let opened = admin.items("/api/v1/ledger?kind=session.opened");
    let opened: Vec<_> = opened.iter().rev().map(|entry| text(&entry["payload"]["confirmed_with"])).collect();
    assert_eq!(opened, ["password", "password", "password", "recovery_code", "passkey"]);
    let sessions = admin.items("/api/v1/sessions?all=true");
    let of = |name: &str| -> Vec<String> {
        let own = sessions.iter().filter(|one| one["user_name"] == name);
        own.map(|one| text(&one["confirmed"]["with"])).collect()
    };
    assert_eq!(of("bea"), ["recovery_code", "totp"]);
    assert_eq!(of("cid"), ["passkey", "passkey"], "a passkey shows itself when it is made");
}
