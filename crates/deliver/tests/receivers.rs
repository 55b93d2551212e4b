//! Letters to a real mail server and a real web server, which know nothing of this code (`scripts/receivers`). What arrived
//! is read from what they kept; a signature is verified by another implementation of RFC 9421, a digest by openssl.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: a wrong step ends the test")]
#![allow(clippy::disallowed_methods, reason = "tests read where the receivers are")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use httpsig::prelude::{
    HttpSignatureBase, HttpSignatureHeaders, SharedKey,
    message_component::{HttpMessageComponent, HttpMessageComponentId},
};
use serde_json::Value;
use shieldops_deliver::{Egress, Failure, Letter, Mailer, Secret, Security, SmtpSettings, webhook};
use shieldops_model::{Audience, LetterId, Notice, NoticeKind, Timestamp, id};

const HOSTILE: &str = "<b>x</b>\r\nBcc: all@example.org\r\n\r\nhttp://evil.example/ Zażółć";
const KEY: &str = "a secret of thirty-two characters";

fn peer(name: &str) -> Option<String> {
    let found = std::env::var(name).ok();
    if found.is_none() {
        eprintln!("SKIPPED: {name} is not set (scripts/receivers)");
    }
    found
}

fn now() -> Timestamp {
    Timestamp::from_secs(1_790_000_000)
}

fn notice() -> Notice {
    let plan = id::mint(now(), &mut rand::rng());
    let notice = Notice::new(NoticeKind::ApprovalRequest, Audience::Approvers).with("Plan", HOSTILE);
    Notice { plan: Some(plan), ..notice }
}

fn letter(notice: &Notice) -> Letter<'_> {
    let id: LetterId = id::mint(now(), &mut rand::rng());
    Letter { id, notice, at: now(), tenant: "acme", site: "https://shield.example" }
}

/// What the receivers kept of a letter.
fn kept(kind: &str, id: LetterId) -> Vec<Value> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(std::env::var("PEER_RECEIVED").unwrap()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with(kind) && !name.ends_with("part") {
            let text = std::fs::read_to_string(path).unwrap();
            if text.contains(&id.to_string()) {
                found.push(serde_json::from_str(&text).unwrap());
            }
        }
    }
    found
}

fn server(address: &str, security: Security, password: &str) -> Mailer {
    let (host, port) = address.split_once(':').unwrap();
    let roots = std::fs::read(std::env::var("PEER_CA").unwrap()).unwrap();
    Mailer::new(&SmtpSettings {
        host: host.to_owned(),
        port: port.parse().unwrap(),
        security,
        login: (security != Security::Plain).then(|| ("peer".to_owned(), Secret::new(password))),
        from: "ShieldOps <alerts@shield.example>".to_owned(),
        roots,
    })
    .unwrap()
}

async fn mail(mailer: &Mailer, to: &str, letter: &Letter<'_>) -> Result<(), Failure> {
    mailer.send(to, letter.id, letter.at, &letter.text()).await
}

#[tokio::test]
async fn a_letter_arrives_by_starttls_by_tls_and_plain_on_this_machine_as_it_was_written() {
    for (name, security) in
        [("PEER_SMTP", Security::StartTls), ("PEER_SMTPS", Security::Tls), ("PEER_SMTP_PLAIN", Security::Plain)]
    {
        let Some(address) = peer(name) else { return };
        let notice = notice();
        let letter = letter(&notice);
        mail(&server(&address, security, "peerpw"), "ann@example.org", &letter).await.unwrap();
        let arrived = kept("mail", letter.id);
        assert_eq!(arrived.len(), 1, "{name}");
        let one = &arrived[0];
        assert_eq!(one["to"], serde_json::json!(["ann@example.org"]), "nobody was added");
        assert_eq!(one["from"], "alerts@shield.example");
        if security != Security::Plain {
            assert_eq!((&one["tls"], &one["auth"]), (&true.into(), &true.into()), "{name}");
        }
        let headers = one["headers"].as_array().unwrap();
        assert!(headers.iter().all(|header| header[0] != "Bcc"));
        assert!(headers.iter().any(|header| header[1] == format!("<{}@shield.example>", letter.id)));
        assert!(one["subject"].as_str().unwrap().starts_with("[ShieldOps acme] Approval needed: <b>x</b> Bcc:"));
        let (plain, html) = (one["parts"]["text/plain"].as_str().unwrap(), one["parts"]["text/html"].as_str().unwrap());
        assert!(plain.contains("Zażółć") && plain.contains(&letter.link()) && !plain.contains("http://evil"));
        assert!(html.contains("&lt;b&gt;x&lt;/b&gt;") && !html.contains("<b>x"));
    }
}

#[tokio::test]
async fn what_the_server_refuses_for_good_is_given_up_and_what_it_puts_off_is_not() {
    let Some(address) = peer("PEER_SMTP") else { return };
    let (good, wrong) = (server(&address, Security::StartTls, "peerpw"), server(&address, Security::StartTls, "wrong"));
    let notice = notice();
    for (mailer, to, for_good) in [
        (&good, "reject@example.org", true),
        (&good, "later@example.org", false),
        (&good, "greylist@example.org", false),
        (&wrong, "ann@example.org", false),
    ] {
        let letter = letter(&notice);
        let failure = mail(mailer, to, &letter).await.unwrap_err();
        assert_eq!(matches!(failure, Failure::Never { .. }), for_good, "{to}: {failure}");
        assert!(kept("mail", letter.id).is_empty());
        assert!(!failure.to_string().contains("wrong"), "{failure}");
        if to.starts_with("greylist") {
            mail(mailer, to, &letter).await.unwrap();
            assert_eq!(kept("mail", letter.id).len(), 1);
        }
    }
}

#[tokio::test]
async fn nothing_is_said_to_a_server_whose_certificate_is_not_known_or_that_has_no_tls() {
    let (Some(tls), Some(plain)) = (peer("PEER_SMTP"), peer("PEER_SMTP_PLAIN")) else { return };
    let settings = |address: &str, security| {
        let (host, port) = address.split_once(':').unwrap();
        let login = Some(("peer".to_owned(), Secret::new("peerpw")));
        let from = "alerts@shield.example".to_owned();
        let (host, port) = (host.to_owned(), port.parse().unwrap());
        Mailer::new(&SmtpSettings { host, port, security, login, from, roots: Vec::new() }).unwrap()
    };
    let notice = notice();
    for mailer in
        [settings(&tls, Security::StartTls), settings(&plain, Security::StartTls), settings(&plain, Security::Tls)]
    {
        let letter = letter(&notice);
        assert!(matches!(mail(&mailer, "ann@example.org", &letter).await, Err(Failure::Later { .. })));
        assert!(kept("mail", letter.id).is_empty());
    }
}

fn guard(allow: &[&str]) -> Egress {
    let roots = std::fs::read(std::env::var("PEER_CA").unwrap()).unwrap();
    Egress::new(allow.iter().map(|net| net.parse().unwrap()).collect(), &roots).unwrap()
}

async fn hook(guard: &Egress, url: &str, letter: &Letter<'_>) -> Result<(), Failure> {
    let to = guard.check(url).map_err(|refused| Failure::Never { why: refused.0 })?;
    webhook::send(guard, &to, &Secret::new(KEY), letter, now()).await
}

fn field<'a>(request: &'a Value, name: &str) -> &'a str {
    let fields = request["headers"].as_array().unwrap();
    fields.iter().find(|field| field[0] == name).unwrap_or_else(|| panic!("no {name}"))[1].as_str().unwrap()
}

/// Whether another implementation takes the signature of a kept request, sent to `url` with this body type.
fn is_signed(request: &Value, url: &str, key: &str) -> bool {
    let headers =
        HttpSignatureHeaders::try_parse(field(request, "signature"), field(request, "signature-input")).unwrap();
    let one = headers.get("shieldops").unwrap();
    let value = |id: &HttpMessageComponentId| match id.to_string().trim_matches('"') {
        "@method" => "POST".to_owned(),
        "@target-uri" => url.to_owned(),
        name => field(request, name).to_owned(),
    };
    let covered = &one.signature_params().covered_components;
    let names: Vec<String> = covered.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["\"@method\"", "\"@target-uri\"", "\"content-digest\"", "\"content-type\""]);
    let line = |id| HttpMessageComponent::try_from((id, &[value(id)][..])).unwrap();
    let lines: Vec<_> = covered.iter().map(line).collect();
    let base = HttpSignatureBase::try_new(&lines, one.signature_params()).unwrap();
    base.verify_signature_headers(&SharedKey::HmacSha256(key.as_bytes().to_vec()), one).is_ok()
}

/// SHA-256 in base64, by openssl.
fn digest(body: &str) -> String {
    let mut child = Command::new("sh")
        .args(["-c", "openssl dgst -sha256 -binary | openssl base64 -A"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[tokio::test]
async fn a_webhook_is_signed_so_that_another_implementation_takes_it_and_takes_nothing_else() {
    let (Some(https), Some(http)) = (peer("PEER_HTTPS"), peer("PEER_HTTP")) else { return };
    for url in [format!("https://{https}/ok?to=team%20a"), format!("http://{http}/ok")] {
        let notice = notice();
        let letter = letter(&notice);
        hook(&guard(&["127.0.0.1/32"]), &url, &letter).await.unwrap();
        let arrived = kept("http", letter.id);
        assert_eq!(arrived.len(), 1, "{url}");
        let request = &arrived[0];
        assert!(is_signed(request, &url, KEY));
        assert!(!is_signed(request, &url, "another secret") && !is_signed(request, "https://other.example/ok", KEY));
        let body = request["body"].as_str().unwrap();
        assert_eq!(field(request, "content-digest"), format!("sha-256=:{}:", digest(body)));
        assert!(field(request, "signature-input").contains(&format!("nonce=\"{}\"", letter.id)));
        let said: Value = serde_json::from_str(body).unwrap();
        assert_eq!((&said["id"], &said["kind"]), (&letter.id.to_string().into(), &"approval_request".into()));
        assert_eq!(said["facts"][0]["value"], HOSTILE);
        assert!(!body.contains(KEY));
    }
}

#[tokio::test]
async fn nothing_leaves_for_an_inner_address_and_no_redirect_is_followed() {
    let (Some(https), Some(http)) = (peer("PEER_HTTPS"), peer("PEER_HTTP")) else { return };
    let (port, plain) = (https.rsplit(':').next().unwrap(), http.rsplit(':').next().unwrap());
    let notice = notice();
    for (allow, url) in [
        (&[][..], format!("https://{https}/ok")),
        (&[], format!("https://localhost:{port}/ok")),
        (&[], format!("https://127.1:{port}/ok")),
        (&[], format!("http://localhost:{plain}/ok")),
        (&["10.0.0.0/8"], format!("http://localhost:{plain}/ok")),
        (&["127.0.0.1/32"], format!("http://{http}/redirect")),
    ] {
        let letter = letter(&notice);
        let failure = hook(&guard(allow), &url, &letter).await.unwrap_err();
        assert!(matches!(failure, Failure::Never { .. }), "{url}: {failure}");
        let tried = usize::from(url.ends_with("redirect"));
        assert_eq!(kept("http", letter.id).len(), tried, "{url}");
    }
}

#[tokio::test]
async fn what_a_receiver_answers_says_whether_it_is_tried_again() {
    let Some(http) = peer("PEER_HTTP") else { return };
    let (guard, notice) = (guard(&["127.0.0.1/32"]), notice());
    let letter = letter(&notice);
    let to = |path: &str| format!("http://{http}{path}");
    let asked = hook(&guard, &to("/429"), &letter).await.unwrap_err();
    assert!(matches!(asked, Failure::Later { after: Some(after), .. } if after == Duration::from_secs(90)), "{asked}");
    assert!(matches!(hook(&guard, &to("/503"), &letter).await, Err(Failure::Later { after: None, .. })));
    assert!(matches!(hook(&guard, &to("/410"), &letter).await, Err(Failure::Never { .. })));
    let slow = hook(&guard, &to("/slow"), &letter).await.unwrap_err();
    assert!(matches!(&slow, Failure::Later { why, .. } if why.contains("no answer within")), "{slow}");
    // A port on which nobody listens.
    let closed = hook(&guard, "http://127.0.0.1:9/ok", &letter).await.unwrap_err();
    assert!(matches!(closed, Failure::Later { .. }), "{closed}");
}

#[tokio::test]
async fn a_server_whose_certificate_is_for_another_name_gets_nothing() {
    let Some(https) = peer("PEER_HTTPS") else { return };
    let guard = Egress::new(vec!["127.0.0.1/32".parse().unwrap()], &[]).unwrap();
    let notice = notice();
    let letter = letter(&notice);
    let failure = hook(&guard, &format!("https://{https}/ok"), &letter).await.unwrap_err();
    assert!(matches!(failure, Failure::Later { .. }), "{failure}");
    assert!(kept("http", letter.id).is_empty());
}
