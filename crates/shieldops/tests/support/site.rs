//! An installation with people in it: tenants made over the API by its operator, administrators who came by invitation,
//! and callers of every kind.

#![allow(dead_code, reason = "each test of the whole uses another part")]

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use ureq::Agent;

use crate::server::{Server, fresh_key};

pub(crate) const PASSWORD: &str = "a phrase of some length";

/// An answer with all that a client can see of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, Vec<String>>,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|values| values.first()).map(String::as_str)
    }

    /// The code of a refusal with this status.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, &self.json()["code"]), (status, &json!(code)), "{}", self.text);
    }

    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text);
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }
}

/// Somebody, or something, that calls one server.
#[derive(Clone)]
pub(crate) struct Caller {
    agent: Agent,
    url: String,
    /// What says who it is.
    pub(crate) headers: Vec<(String, String)>,
}

impl Caller {
    pub(crate) fn nobody(url: &str) -> Self {
        let config =
            Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_mins(1))).build();
        Self { agent: Agent::new_with_config(config), url: url.to_owned(), headers: Vec::new() }
    }

    pub(crate) fn bearer(url: &str, token: &str) -> Self {
        Self { headers: vec![("authorization".to_owned(), format!("Bearer {token}"))], ..Self::nobody(url) }
    }

    /// The session of a `Set-Cookie`.
    pub(crate) fn session(url: &str, reply: &Reply) -> Self {
        let cookie =
            reply.header("set-cookie").unwrap_or_else(|| panic!("no session: {} {}", reply.status, reply.text));
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let mut caller = Self { headers: vec![("cookie".to_owned(), cookie)], ..Self::nobody(url) };
        let csrf = caller.get("/api/v1/me")["csrf"].as_str().unwrap().to_owned();
        caller.headers.push(("shieldops-csrf".to_owned(), csrf));
        caller
    }

    /// The same caller at another server.
    pub(crate) fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// The same caller, about another tenant.
    pub(crate) fn about(&self, slug: &str) -> Self {
        let mut caller = self.clone();
        caller.headers.push(("shieldops-tenant".to_owned(), slug.to_owned()));
        caller
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.call("GET", path, None).ok()
    }

    pub(crate) fn items(&self, path: &str) -> Vec<Value> {
        self.get(path)["items"].as_array().unwrap().clone()
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", path, Some(body)).ok()
    }

    /// With a key of its own and over whatever version there is, as a client sends that wants it done.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let key = fresh_key();
        let more: &[(&str, &str)] = match method {
            "POST" => &[("idempotency-key", &key)],
            "PUT" | "PATCH" | "DELETE" => &[("if-match", "*")],
            _ => &[],
        };
        self.call_with(method, path, more, body)
    }

    /// With these headers and none besides those that say who calls.
    pub(crate) fn call_with(&self, method: &str, path: &str, more: &[(&str, &str)], body: Option<&Value>) -> Reply {
        let kind = if body.is_some() { "application/json" } else { "" };
        self.bytes(method, path, more, kind, body.map(Value::to_string).unwrap_or_default().as_bytes())
    }

    pub(crate) fn bytes(&self, method: &str, path: &str, more: &[(&str, &str)], kind: &str, body: &[u8]) -> Reply {
        // A server that answers before it has read a body ends the connection: the next request on it is sent again.
        let answered = (0..3).map(|_| self.try_bytes(method, path, more, kind, body)).find(Result::is_ok);
        let mut response = answered.and_then(Result::ok).unwrap_or_else(|| panic!("{method} {path}: no answer"));
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in response.headers() {
            headers.entry(name.to_string()).or_default().push(String::from_utf8_lossy(value.as_bytes()).into_owned());
        }
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
        Reply { status: response.status().as_u16(), headers, text }
    }

    fn try_bytes(
        &self,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        kind: &str,
        body: &[u8],
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        if body.is_empty() {
            self.agent.run(request.body(()).unwrap())
        } else {
            self.agent.run(request.body(body.to_vec()).unwrap())
        }
    }

    /// Events, one a line.
    #[track_caller]
    pub(crate) fn send_lines(&self, lines: &str) -> Value {
        self.bytes("POST", "/api/v1/events", &[], "text/plain", lines.as_bytes()).ok()
    }
}

/// A running installation and its operator.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) operator: Caller,
}

/// A tenant with its first administrator, signed in.
pub(crate) struct Org {
    pub(crate) slug: String,
    pub(crate) admin: Caller,
}

impl Site {
    /// Without limits of rates, which no test here is about.
    pub(crate) fn start(env: &[(&str, &str)]) -> Self {
        Self::start_with(&[], env)
    }

    pub(crate) fn start_with(args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut all = vec![("SHIELDOPS_LIMITS__ENABLED", "false")];
        all.extend_from_slice(env);
        let server = Server::start_with(args, &all);
        let operator = claim(&server);
        Self { server, operator }
    }

    pub(crate) fn url(&self) -> &str {
        self.server.url()
    }

    /// A tenant, and an administrator who came by an invitation link.
    pub(crate) fn tenant(&self, slug: &str, name: &str, parent: Option<&str>) -> Org {
        let mut body = json!({"slug": slug, "name": name});
        if let Some(parent) = parent {
            body["parent"] = parent.into();
        }
        self.operator.post("/api/v1/tenants", &body);
        let invitation = json!({"name": format!("{slug}-admin"), "role": "admin"});
        let invited = self.operator.post(&format!("/api/v1/tenants/{slug}/invitations"), &invitation);
        Org { slug: slug.to_owned(), admin: accept(self.url(), &invited) }
    }

    pub(crate) fn sign_in(&self, name: &str, password: &str) -> Reply {
        let login = json!({"name": name, "password": password});
        Caller::nobody(self.url()).call_with("POST", "/api/v1/session", &[], Some(&login))
    }
}

/// The administrator of the first tenant, who spends the admin link and so becomes operator.
pub(crate) fn claim(server: &Server) -> Caller {
    let link = server.admin_link.clone().expect("an admin link");
    let claim = json!({"secret": link, "password": PASSWORD});
    let reply = Caller::nobody(server.url()).call_with("POST", "/api/v1/session/claim", &[], Some(&claim));
    Caller::session(server.url(), &reply)
}

/// The secret of a link.
pub(crate) fn fragment(made: &Value) -> String {
    made["link"].as_str().unwrap().split_once('=').unwrap().1.to_owned()
}

/// A new person follows a link and is signed in.
pub(crate) fn accept(url: &str, invited: &Value) -> Caller {
    let acceptance = json!({"link": fragment(invited), "password": PASSWORD});
    let reply = Caller::nobody(url).call_with("POST", "/api/v1/invitations/accept", &[], Some(&acceptance));
    Caller::session(url, &reply)
}

impl Org {
    /// Somebody new with a role, by invitation.
    pub(crate) fn member(&self, name: &str, role: &str) -> Caller {
        let invited = self.admin.post("/api/v1/invitations", &json!({"name": name, "role": role}));
        accept(self.admin.url(), &invited)
    }

    /// A key that may do all that these permissions say.
    pub(crate) fn key(&self, name: &str, permissions: &[&str]) -> Caller {
        let made = self.admin.post("/api/v1/keys", &json!({"name": name, "permissions": permissions}));
        Caller::bearer(self.admin.url(), made["key"].as_str().unwrap())
    }

    /// A shipper of events.
    pub(crate) fn shipper(&self, name: &str) -> Caller {
        let made = self.admin.post("/api/v1/tokens", &json!({"kind": "ingest", "name": name}));
        Caller::bearer(self.admin.url(), made["token"].as_str().unwrap())
    }

    /// A personal token of a caller.
    pub(crate) fn token_of(caller: &Caller, name: &str) -> (String, Caller) {
        let made = caller.post("/api/v1/tokens", &json!({"kind": "personal", "name": name}));
        let token = made["token"].as_str().unwrap();
        (made["id"].as_str().unwrap().to_owned(), Caller::bearer(caller.url(), token))
    }
}

/// Somebody signs in as root from a public address: one line, one alert, one incident with a plan.
pub(crate) fn attack(host: &str, number: usize) -> String {
    format!(
        "Nov 21 10:15:02 {host} sshd[4211]: Accepted password for root from 203.0.113.{} port 51122 ssh2",
        number % 250
    )
}
