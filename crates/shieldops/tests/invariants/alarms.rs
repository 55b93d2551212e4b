//! What people are told without having asked: a response that is no longer in force, and a broken glass. On a real server with
//! a real mail server and web server beside it (`scripts/receivers`).

use std::process::Command;

use super::{
    told::{id, receivers, recipients, shown, waiting},
    *,
};

const PASSWORD: &str = "another long phrase";

/// A session that proved itself by a second factor just now: its cookie and what its changes carry.
struct Strong {
    cookie: String,
    csrf: String,
}

impl Strong {
    /// Gives a person an authenticator app, whose first code is the proof.
    fn of(server: &Server, name: &str) -> Self {
        let login = json!({"name": name, "password": PASSWORD}).to_string();
        let first = Self::with(server, server.cookie("/api/v1/session", &login).unwrap());
        let (status, offer) = first.post(server, "/api/v1/me/totp", None);
        assert_eq!(status, 201, "{offer}");
        let body = json!({"ticket": offer["ticket"], "code": code(offer["secret"].as_str().unwrap())}).to_string();
        let (status, codes) = first.post(server, "/api/v1/me/totp/confirm", Some(&body));
        assert_eq!(status, 201, "{codes}");
        first
    }

    fn with(server: &Server, cookie: String) -> Self {
        let (status, me) = server.with_cookie("get", "/api/v1/me", &cookie, None, None);
        assert_eq!(status, 200, "{me}");
        let csrf = me["csrf"].as_str().unwrap().to_owned();
        Self { cookie, csrf }
    }

    fn post(&self, server: &Server, path: &str, body: Option<&str>) -> (u16, Value) {
        server.with_cookie("post", path, &self.cookie, Some(&self.csrf), body)
    }
}

/// What an authenticator app shows (RFC 6238), by the interpreter that the receivers run on.
fn code(secret: &str) -> String {
    let program = "import base64,hashlib,hmac,struct,sys,time\n\
        key=base64.b32decode(sys.argv[1]+'='*(-len(sys.argv[1])%8))\n\
        mac=hmac.new(key,struct.pack('>Q',int(time.time())//30),hashlib.sha1).digest()\n\
        at=mac[-1]&15\n\
        print('%06d'%((struct.unpack('>I',mac[at:at+4])[0]&0x7fffffff)%1000000))";
    let output = Command::new("/usr/bin/python3").args(["-c", program, secret]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_response_that_is_gone_is_told_to_who_may_approve_once() {
    let Some(receivers) = receivers() else { return };
    let mut server = receivers.start();
    let ann = server.token("personal");
    target(&server, &ann, "sim/web", false);
    let bea = colleague(&server, &ann, "bea@example.org", "analyst");
    colleague(&server, &ann, "vic@example.org", "viewer");
    receivers.hook(&server, &ann, "/ok?drift");
    let plan = waiting(&server, &ann, "203.0.113.84");
    let done = server.post(&path(&plan, "approve"), &bea, &json!({"hash": plan["hash"]})).unwrap();
    let action = done["actions"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(done["actions"][0]["state"], "verified", "{done}");

    // Somebody empties the packet filter while nobody looks. The next start looks at once, and so does the one after it.
    server.kill();
    std::fs::remove_file(Path::new(server.data_dir()).join("sim/web.json")).unwrap();
    server.restart_with(&[], &receivers.env(&[]));
    let letter = receivers.wait("mail", &[&action, "no longer in force"]);
    assert!(letter["subject"].as_str().unwrap().contains("(simulated)"), "{letter}");
    assert!(
        letter["parts"]["text/plain"].as_str().unwrap().contains("somebody changed it: blocked: false, was true"),
        "{letter}"
    );
    receivers.wait("http", &[&action, "\\\"drifted\\\""]);
    server.kill();
    server.restart_with(&[], &receivers.env(&[]));
    let entries = server.get("/api/v1/ledger?kind=action.drifted", &ann).unwrap();
    assert_eq!(entries["items"].as_array().unwrap().len(), 1, "{entries}");
    until(|| {
        let sent = all(&server, &ann, "/api/v1/notifications/outbox");
        sent.iter().all(|letter| letter["state"] == "sent").then_some(())
    });
    assert_eq!(recipients(&receivers.of("mail", &[id(&plan), "no longer in force"])), ["bea@example.org"]);
    assert_eq!(shown(&server, &ann, &plan)["actions"][0]["state"], "drifted");
}

#[test]
fn a_broken_glass_is_told_to_every_administrator_with_its_reason() {
    let Some(receivers) = receivers() else { return };
    let server = receivers.start();
    let ann = server.token("personal");
    target(&server, &ann, "sim/web", false);
    let bea = colleague(&server, &ann, "bea@example.org", "analyst");
    for administrator in ["adm@example.org", "eve@example.org"] {
        colleague(&server, &ann, administrator, "admin");
    }
    receivers.hook(&server, &ann, "/ok?glass");
    let plan = waiting(&server, &ann, "203.0.113.85");
    let body = json!({"hash": plan["hash"], "reason": "the house burns"});
    let refused = server.post(&path(&plan, "break-glass"), &bea, &body).unwrap_err();
    assert!(refused["code"].is_string(), "a token is not enough: {refused}");
    assert_eq!(receivers.of("mail", &[id(&plan), "approvals were set aside"]), [Value::Null; 0]);

    let strong = Strong::of(&server, "bea@example.org");
    let (status, done) = strong.post(&server, &path(&plan, "break-glass"), Some(&body.to_string()));
    assert_eq!((status, &done["state"]), (200, &json!("executed")), "{done}");
    assert_eq!(done["actions"][0]["state"], "verified", "{done}");
    let went_to = receivers.went_to(&server, &ann, &[id(&plan), "approvals were set aside"]);
    assert_eq!(went_to, ["adm@example.org", "eve@example.org"]);
    let letter = receivers.wait("mail", &[id(&plan), "approvals were set aside", "the house burns"]);
    assert!(letter["parts"]["text/plain"].as_str().unwrap().contains("bea@example.org"), "who did it: {letter}");
    receivers.wait("http", &[id(&plan), "break_glass", "the house burns"]);
    let entries = server.get("/api/v1/ledger?kind=plan.break_glass", &ann).unwrap();
    assert_eq!(entries["items"].as_array().unwrap().len(), 1, "{entries}");
    assert_eq!(entries["items"][0]["payload"]["confirmed"]["with"], "totp", "what it was confirmed with: {entries}");
    assert_eq!(shown(&server, &ann, &plan)["break_glass"]["confirmed"]["with"], "totp");
}
