//! Who is told of what, on a real server with a real mail server and web server beside it (`scripts/receivers`).

#![allow(clippy::disallowed_methods, reason = "tests read where the receivers are")]

use super::*;

const SECRET: &str = "thirty-two characters and some more";

/// The receivers; nothing, said aloud, where they do not run.
pub(crate) struct Receivers {
    kept: String,
    http: String,
    /// Of a server that sends its letters there.
    env: Vec<(&'static str, String)>,
}

pub(crate) fn receivers() -> Option<Receivers> {
    let peer = |name: &str| std::env::var(name).ok();
    let (Some(smtp), Some(http), Some(kept), Some(ca)) =
        (peer("PEER_SMTP"), peer("PEER_HTTP"), peer("PEER_RECEIVED"), peer("PEER_CA"))
    else {
        eprintln!("SKIPPED: no receivers (scripts/receivers)");
        return None;
    };
    let (host, port) = smtp.split_once(':').unwrap();
    let password = format!("{kept}/../password");
    std::fs::write(&password, "peerpw\n").unwrap();
    let env = vec![
        ("SHIELDOPS_SMTP__HOST", host.to_owned()),
        ("SHIELDOPS_SMTP__PORT", port.to_owned()),
        ("SHIELDOPS_SMTP__USER", "peer".to_owned()),
        ("SHIELDOPS_SMTP__PASSWORD_FILE", password),
        ("SHIELDOPS_SMTP__CA_FILE", ca),
        ("SHIELDOPS_SMTP__FROM", "alerts@shield.example".to_owned()),
        ("SHIELDOPS_EGRESS__ALLOW", "127.0.0.1".to_owned()),
        ("SHIELDOPS_PUBLIC_URL", "https://shield.example".to_owned()),
    ];
    Some(Receivers { kept, http, env })
}

impl Receivers {
    pub(crate) fn env<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let own = self.env.iter().map(|(name, value)| (*name, value.as_str()));
        own.filter(|(name, _)| more.iter().all(|(other, _)| other != name)).chain(more.iter().copied()).collect()
    }

    pub(crate) fn start(&self) -> Server {
        Server::start_with(&[], &self.env(&[]))
    }

    /// What arrived of this kind that holds every word. Of a letter that came again, because the server was killed before it
    /// could note that it was taken, one copy: as a mailbox shows it, which knows them by their Message-ID.
    pub(crate) fn of(&self, kind: &str, words: &[&str]) -> Vec<Value> {
        let mut known = std::collections::BTreeSet::new();
        let copies = self.copies(kind, words).into_iter();
        copies.filter(|copy| message_id(copy).is_none_or(|id| known.insert(id.to_owned()))).collect()
    }

    pub(crate) fn copies(&self, kind: &str, words: &[&str]) -> Vec<Value> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.kept).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !name.starts_with(kind) || name.ends_with("part") {
                continue;
            }
            let value: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            if words.iter().all(|word| value.to_string().contains(word)) {
                found.push(value);
            }
        }
        found
    }

    /// Waits for one of this kind.
    pub(crate) fn wait(&self, kind: &str, words: &[&str]) -> Value {
        until(|| self.of(kind, words).pop())
    }

    /// Whom the letters with these words went to, when all letters of this server are sent: those of one notice are made at
    /// once.
    pub(crate) fn went_to(&self, server: &Server, person: &str, words: &[&str]) -> Vec<String> {
        self.wait("mail", words);
        until(|| {
            let letters = all(server, person, "/api/v1/notifications/outbox");
            letters.iter().all(|letter| letter["state"] == "sent").then_some(())
        });
        recipients(&self.copies("mail", words))
    }

    pub(crate) fn hook(&self, server: &Server, admin: &str, path: &str) {
        let url = format!("http://{}{path}", self.http);
        let body = json!({"email": true, "webhook": {"url": url, "secret": SECRET}}).to_string();
        let (status, answer) = server.raw("put", "/api/v1/notifications", Some(admin), Some(&body));
        assert_eq!(status, 200, "{answer}");
        assert!(!answer.to_string().contains(SECRET) && answer["webhook"]["secret_set"] == true, "{answer}");
    }
}

/// Whom these letters went to.
pub(crate) fn recipients(letters: &[Value]) -> Vec<String> {
    let to = letters.iter().flat_map(|letter| letter["to"].as_array().unwrap());
    let mut to: Vec<String> = to.map(|to| to.as_str().unwrap().to_owned()).collect();
    to.sort();
    to
}

/// Of an e-mail.
fn message_id(copy: &Value) -> Option<&str> {
    let header = copy["headers"].as_array()?.iter().find(|header| header[0] == "Message-ID")?;
    header[1].as_str()
}

pub(crate) fn id(plan: &Value) -> &str {
    plan["id"].as_str().unwrap()
}

/// A plan of a person that waits for somebody's approval.
pub(crate) fn waiting(server: &Server, person: &str, address: &str) -> Value {
    let plan = server.post("/api/v1/plans", person, &block("sim/web", address)).unwrap();
    assert_eq!(plan["state"], "proposed", "{plan}");
    plan
}

pub(crate) fn shown(server: &Server, person: &str, plan: &Value) -> Value {
    server.get(path(plan, "").trim_end_matches('/'), person).unwrap()
}

#[test]
fn approvers_are_told_by_letter_and_signed_webhook_and_a_link_that_is_followed_approves_nothing() {
    let Some(receivers) = receivers() else { return };
    let server = receivers.start();
    let ann = server.token("personal");
    target(&server, &ann, "sim/web", false);
    let bea = colleague(&server, &ann, "bea@example.org", "analyst");
    colleague(&server, &ann, "vic@example.org", "viewer");
    receivers.hook(&server, &ann, "/ok");
    let asked = colleague(&server, &ann, "eve@example.org", "analyst");
    let plan = waiting(&server, &asked, "203.0.113.81");

    let went_to = receivers.went_to(&server, &ann, &[id(&plan)]);
    assert_eq!(went_to, ["bea@example.org"], "once, and neither to who asked nor to who may not");
    let letter = receivers.wait("mail", &[id(&plan)]);
    assert_eq!((&letter["tls"], &letter["auth"]), (&json!(true), &json!(true)));
    let link = format!("https://shield.example/t/main/plans/{}", id(&plan));
    let slug = server.get("/api/v1/me", &ann).unwrap()["tenant"]["slug"].as_str().unwrap_or("main").to_owned();
    let link = link.replace("/t/main/", &format!("/t/{slug}/"));
    assert!(letter["parts"]["text/plain"].as_str().unwrap().contains(&link), "{letter}");
    let hook = receivers.wait("http", &[id(&plan)]);
    assert!(hook.to_string().contains("hmac-sha256") && hook.to_string().contains("content-digest"));

    // Whoever follows the link, with a session or without, has said nothing yet.
    let page = link.strip_prefix("https://shield.example").unwrap();
    for (method, token) in [("get", None), ("head", None), ("get", Some(bea.as_str()))] {
        server.raw(method, page, token, None);
    }
    let after = shown(&server, &ann, &plan);
    assert_eq!((&after["state"], &after["approvals"]), (&json!("proposed"), &json!([])));
    let done = server.post(&path(&plan, "approve"), &bea, &json!({"hash": plan["hash"]})).unwrap();
    assert_eq!(done["state"], "executed", "{done}");
}

#[test]
fn an_undo_that_waits_for_somebody_asks_them_as_any_plan_does() {
    let Some(receivers) = receivers() else { return };
    let server = receivers.start();
    let ann = server.token("personal");
    target(&server, &ann, "sim/web", false);
    let bea = colleague(&server, &ann, "bea@example.org", "analyst");
    let eve = colleague(&server, &ann, "eve@example.org", "analyst");
    colleague(&server, &ann, "vic@example.org", "viewer");
    let mut body = block("sim/web", "203.0.113.87");
    body["actions"][0]["params"]["expires_in_s"] = json!(600);
    let plan = server.post("/api/v1/plans", &ann, &body).unwrap();
    let done = server.post(&path(&plan, "approve"), &bea, &json!({"hash": plan["hash"]})).unwrap();
    let action = done["actions"][0]["id"].as_str().unwrap();

    // Somebody made it last by hand: what they made of it is not overwritten unasked.
    let mut host: Value = serde_json::from_str(&simulated(&server, "web")).unwrap();
    let element = &mut host["table"]["sets"]["blocked_v4"]["elements"]["203.0.113.87"];
    (element["timeout_s"], element["ends"]) = (Value::Null, Value::Null);
    std::fs::write(Path::new(server.data_dir()).join("sim/web.json"), host.to_string()).unwrap();
    let asked = server.post(&format!("/api/v1/actions/{action}/undo"), &eve, &json!({"reason": "over"})).unwrap();
    assert_eq!(asked["state"], "drifted", "{asked}");
    let plans = server.get("/api/v1/plans?state=proposed", &ann).unwrap();
    let undo = &plans["items"][0];
    assert_eq!(undo["undo_of"], plan["id"], "{plans}");
    let went_to = receivers.went_to(&server, &ann, &[id(undo)]);
    assert_eq!(went_to, ["bea@example.org"], "neither to who asked nor to who may not");
    let letter = receivers.wait("mail", &[id(undo)]);
    let text = letter["parts"]["text/plain"].as_str().unwrap();
    assert!(text.contains("Approval needed") && text.contains("the state changed since the action"), "{text}");
    assert_eq!(
        receivers.of("mail", &["no longer in force", action]),
        [Value::Null; 0],
        "it is more in force than before"
    );
    let done = server.post(&path(undo, "approve"), &bea, &json!({"hash": undo["hash"]})).unwrap();
    assert_eq!(done["state"], "executed", "{done}");
}

#[test]
fn a_response_that_was_agreed_to_and_not_carried_out_is_told_to_who_asked_and_who_may_approve() {
    let Some(receivers) = receivers() else { return };
    let server = receivers.start();
    let ann = server.token("personal");
    target(&server, &ann, "sim/web", false);
    let (bea, eve) = (
        colleague(&server, &ann, "bea@example.org", "analyst"),
        colleague(&server, &ann, "eve@example.org", "analyst"),
    );
    colleague(&server, &ann, "vic@example.org", "viewer");
    let plan = waiting(&server, &eve, "203.0.113.88");

    // The host cannot be read any more as the run begins.
    let hosts = Path::new(server.data_dir()).join("sim");
    std::fs::create_dir_all(&hosts).unwrap();
    std::fs::write(hosts.join("web.json"), "no host").unwrap();
    let done = server.post(&path(&plan, "approve"), &bea, &json!({"hash": plan["hash"]})).unwrap();
    assert_eq!(done["actions"][0]["state"], "aborted", "{done}");
    let went_to = receivers.went_to(&server, &ann, &[id(&plan), "was not carried out"]);
    assert_eq!(went_to, ["bea@example.org", "eve@example.org"], "and not to who may only look");
    let letter = receivers.wait("mail", &[id(&plan), "was not carried out"]);
    let text = letter["parts"]["text/plain"].as_str().unwrap();
    assert!(
        text.contains("Verified: 0 of 1 actions") && text.contains("Aborted: linux.block_ip on sim/web: "),
        "{text}"
    );
}

#[test]
fn a_no_is_told_to_who_asked_with_its_reason() {
    let Some(receivers) = receivers() else { return };
    let server = receivers.start();
    let ann = server.token("personal");
    target(&server, &ann, "sim/web", false);
    let bea = colleague(&server, &ann, "bea@example.org", "analyst");
    let eve = colleague(&server, &ann, "eve@example.org", "analyst");
    let plan = waiting(&server, &eve, "203.0.113.89");
    let reason = json!({"reason": "this is our own scanner"});
    let done = server.post(&path(&plan, "reject"), &bea, &reason).unwrap();
    assert_eq!(done["state"], "rejected", "{done}");
    let went_to = receivers.went_to(&server, &ann, &[id(&plan), "was not carried out"]);
    assert_eq!(went_to, ["eve@example.org"], "nobody else waits for it");
    let letter = receivers.wait("mail", &[id(&plan), "was not carried out"]);
    let text = letter["parts"]["text/plain"].as_str().unwrap();
    assert!(text.contains("the plan was rejected: this is our own scanner"), "{text}");
}

#[test]
fn an_approval_that_nobody_gives_is_told_to_more_and_more_people_and_is_never_a_yes() {
    let (Some(receivers), dir) = (receivers(), tempfile::tempdir().unwrap()) else { return };
    let Some(mut clock) = clock::ahead(dir.path()) else { return };
    let mut server = receivers.start();
    let ann = server.token("personal");
    target(&server, &ann, "sim/web", false);
    let bea = colleague(&server, &ann, "bea@example.org", "analyst");
    colleague(&server, &ann, "adm@example.org", "admin");
    let plan = waiting(&server, &ann, "203.0.113.82");
    until(|| (receivers.of("mail", &[id(&plan)]).len() == 2).then_some(()));
    let letters = |server: &Server| all(server, &ann, "/api/v1/notifications/outbox").len();
    assert_eq!(letters(&server), 2, "both may approve");

    // Each restart is one in the middle: what waits goes on waiting.
    for (ahead, more, all_letters) in
        [(310, "approval_request", 4), (610, "approval_request", 5), (910, "unanswered", 6)]
    {
        server.kill();
        let later = clock.by(ahead);
        server.restart_with(&[], &receivers.env(&later));
        until(|| (receivers.of("mail", &[id(&plan)]).len() == all_letters).then_some(()));
        let newest = server.get("/api/v1/notifications/outbox?limit=1", &ann).unwrap();
        assert_eq!(newest["items"][0]["kind"], more, "{newest}");
    }
    let last = receivers.wait("mail", &[id(&plan), "Nobody answered"]);
    assert_eq!(last["to"], json!(["adm@example.org"]));
    let after = shown(&server, &ann, &plan);
    assert_eq!((&after["state"], &after["unanswered"]), (&json!("proposed"), &json!(true)), "{after}");
    assert!(!simulated(&server, "web").contains("203.0.113.82"), "silence does nothing");
    let entries = server.get("/api/v1/ledger?kind=plan.unanswered", &ann).unwrap();
    assert_eq!(entries["items"].as_array().unwrap().len(), 1);
    // It can still be approved until its own end.
    let done = server.post(&path(&plan, "approve"), &bea, &json!({"hash": plan["hash"]})).unwrap();
    assert_eq!(done["state"], "executed", "{done}");
}

#[test]
fn a_letter_that_nobody_takes_is_tried_again_after_a_kill_or_given_up_and_holds_up_nothing() {
    let Some(receivers) = receivers() else { return };
    // Nobody listens where the mail server should be.
    let mut server = Server::start_with(&[], &receivers.env(&[("SHIELDOPS_SMTP__PORT", "9")]));
    let ann = server.token("personal");
    target(&server, &ann, "sim/web", false);
    let bea = colleague(&server, &ann, "bea@example.org", "analyst");
    colleague(&server, &ann, "reject@example.org", "analyst");
    receivers.hook(&server, &ann, "/once/a-letter");
    let plan = waiting(&server, &ann, "203.0.113.83");
    let tried = || {
        let letters = all(&server, &ann, "/api/v1/notifications/outbox");
        let mail: Vec<Value> = letters.into_iter().filter(|letter| letter["channel"] == "email").collect();
        let all = mail.len() == 2 && mail.iter().all(|letter| letter["attempts"].as_u64() >= Some(1));
        all.then_some(mail)
    };
    let before = until(tried);
    assert!(before.iter().all(|letter| letter["state"] == "queued" && letter["error"].is_string()), "{before:?}");
    server.kill();
    server.restart_with(&[], &receivers.env(&[]));

    let arrived = receivers.wait("mail", &[id(&plan), "bea@example.org"]);
    let to_bea = before.iter().find(|letter| letter["to"] == "bea@example.org").unwrap();
    let mark = format!("<{}@shield.example>", to_bea["id"].as_str().unwrap());
    assert!(arrived["headers"].to_string().contains(&mark), "the same letter: {arrived}");
    let dead = until(|| {
        let list = server.get("/api/v1/notifications/outbox?state=dead", &ann).unwrap();
        list["items"].as_array().unwrap().first().cloned()
    });
    assert_eq!(dead["to"], "reject@example.org");
    let entries = server.get("/api/v1/ledger?kind=notice.undelivered", &ann).unwrap();
    assert_eq!(entries["items"].as_array().unwrap().len(), 1, "{entries}");
    // The webhook refused the first time and took the second; both copies have one id.
    let copies = until(|| Some(receivers.copies("http", &[id(&plan)])).filter(|copies| copies.len() >= 2));
    let body = |copy: &Value| serde_json::from_str::<Value>(copy["body"].as_str().unwrap()).unwrap()["id"].clone();
    assert_eq!(body(&copies[0]), body(&copies[1]));
    let done = server.post(&path(&plan, "approve"), &bea, &json!({"hash": plan["hash"]})).unwrap();
    assert_eq!(done["state"], "executed", "{done}");
}

#[test]
fn a_letter_whose_server_was_killed_before_it_heard_that_it_was_taken_comes_again_under_the_same_id() {
    let Some(receivers) = receivers() else { return };
    let mut server = receivers.start();
    let ann = server.token("personal");
    target(&server, &ann, "sim/web", false);
    colleague(&server, &ann, "mute@example.org", "analyst");
    let plan = waiting(&server, &ann, "203.0.113.86");
    receivers.wait("mail", &[id(&plan)]);
    let letters = |server: &Server| all(server, &ann, "/api/v1/notifications/outbox");
    let letter = letters(&server).remove(0);
    assert_eq!(letter["state"], "queued", "nobody has said that it was taken");
    server.kill();
    let mark = format!("<{}@shield.example>", letter["id"].as_str().unwrap());
    std::fs::write(format!("{}/../answered-{mark}", receivers.kept), "").unwrap();
    server.restart_with(&[], &receivers.env(&[]));
    let sent = until(|| Some(letters(&server)).filter(|letters| letters[0]["state"] == "sent"));
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(receivers.copies("mail", &[id(&plan)]).len() >= 2, "it comes again rather than never");
    let known = receivers.of("mail", &[id(&plan)]);
    assert_eq!(known.len(), 1, "and a mailbox can tell that it is the same");
    assert_eq!(message_id(&known[0]), Some(mark.as_str()));
}

#[test]
fn a_webhook_goes_nowhere_inside_and_a_halt_and_a_test_are_told() {
    let Some(receivers) = receivers() else { return };
    let server = receivers.start();
    let ann = server.token("personal");
    colleague(&server, &ann, "adm@example.org", "admin");
    for url in [
        "http://169.254.169.254/latest/meta-data",
        "https://127.0.0.2/x",
        "https://[::1]/x",
        "https://10.0.0.1/",
        "http://hooks.example.org:99999/",
        "gopher://127.0.0.1/",
    ] {
        let body = json!({"email": true, "webhook": {"url": url, "secret": SECRET}}).to_string();
        let (status, answer) = server.raw("put", "/api/v1/notifications", Some(&ann), Some(&body));
        assert_eq!((status, &answer["code"]), (400, &json!("invalid_request")), "{url}: {answer}");
    }
    let weak = json!({"email": true, "webhook": {"url": "https://hooks.example.org/", "secret": "short"}}).to_string();
    assert_eq!(server.raw("put", "/api/v1/notifications", Some(&ann), Some(&weak)).0, 400);
    receivers.hook(&server, &ann, "/ok?tenant=told");
    let made = server.post("/api/v1/notifications/test", &ann, &json!({})).unwrap();
    let notice = made["notice_id"].as_str().unwrap().to_owned();
    until(|| {
        let list = all(&server, &ann, "/api/v1/notifications/outbox");
        list.into_iter().find(|letter| letter["notice_id"] == notice.as_str() && letter["state"] == "sent")
    });
    let reason = format!("told {notice}");
    server.post("/api/v1/automation/halt", &ann, &json!({"reason": reason})).unwrap();
    let letter = receivers.wait("mail", &[&reason]);
    assert!(letter["subject"].as_str().unwrap().contains("Automation was halted"), "{letter}");
    receivers.wait("http", &[&reason, "automation_halted", "tenant=told"]);
    let keyless = server.cli(&["notify", "outbox", "--server", server.url(), "--token", &ann]);
    assert!(keyless.code == 0 && keyless.stdout.contains("automation_halted"), "{}", keyless.stderr);
}
