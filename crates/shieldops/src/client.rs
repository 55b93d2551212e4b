//! The HTTP client of the commands that talk to a server.

mod connection;

use std::{
    io::{Read as _, Write},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context as _;
use serde_json::Value;
use shieldops_model::Code;
use ureq::{
    Agent, Body,
    http::{Request, Response},
    tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem},
};

pub(crate) use self::connection::{Connection, ServerArgs};
use crate::{output::Failure, profile::Profiles};

const TIMEOUT: Duration = Duration::from_mins(1);
/// A longer answer is refused; exports are written as they come.
const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;
/// Rows that the server gives at once.
const PAGE: usize = 200;

/// How a caller shows who it is.
enum Credential {
    Token(String),
    /// The cookie of a session, and the value that every change must carry.
    Session {
        cookie: String,
        csrf: Option<String>,
    },
    Nobody,
}

pub(crate) struct Client {
    agent: Agent,
    server: String,
    credential: Credential,
    tenant: Option<String>,
}

impl Client {
    pub(crate) fn new(args: &ServerArgs) -> Result<Self, Failure> {
        Self::connect(&Connection::resolve(args, &Profiles::load()?)?)
    }

    pub(crate) fn connect(connection: &Connection) -> Result<Self, Failure> {
        let Some(token) = connection.token.clone() else {
            let fix = "sign in with `shieldops login`, or make a token with `shieldops token create --data-dir DIR --kind personal --name NAME` and give it as --token or SHIELDOPS_TOKEN";
            return Err(Failure::unusable("a token is needed").fix(fix));
        };
        Ok(Self { credential: Credential::Token(token), ..Self::nobody(connection)? })
    }

    /// For what needs no credential yet.
    pub(crate) fn nobody(connection: &Connection) -> Result<Self, Failure> {
        Ok(Self {
            agent: agent(connection.ca_file.as_ref())?,
            server: connection.server.clone(),
            credential: Credential::Nobody,
            tenant: connection.tenant.clone(),
        })
    }

    /// For a server that was started here.
    pub(crate) fn local(server: &str, token: &str) -> Result<Self, Failure> {
        let (server, token) = (server.to_owned(), Some(token.to_owned()));
        Self::connect(&Connection { server, token, ..Connection::default() })
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, Failure> {
        answer(self.send("GET", path, &[], None)?)
    }

    /// Creates or acts. The key makes a request that arrives twice one request.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.post_text(path, "application/json", body.to_string())
    }

    /// Asks for an answer before the work is done: a job.
    pub(crate) fn post_later(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let key = hex::encode(rand::random::<[u8; 16]>());
        let headers = [("idempotency-key", key.as_str()), ("prefer", "respond-async")];
        answer(self.send("POST", path, &headers, Some(("application/json", body.to_string())))?)
    }

    /// Acts on an object as it stands now.
    pub(crate) fn post_over(&self, object: &str, path: &str, body: &Value) -> Result<Value, Failure> {
        let (tag, _) = self.read(object)?;
        let key = hex::encode(rand::random::<[u8; 16]>());
        let headers = [("idempotency-key", key.as_str()), ("if-match", tag.as_str())];
        answer(self.send("POST", path, &headers, Some(("application/json", body.to_string())))?)
    }

    pub(crate) fn post_text(&self, path: &str, kind: &str, body: String) -> Result<Value, Failure> {
        let key = hex::encode(rand::random::<[u8; 16]>());
        answer(self.send("POST", path, &[("idempotency-key", &key)], Some((kind, body)))?)
    }

    /// Changes members of an object as it stands now.
    pub(crate) fn patch(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.change("PATCH", path, Some(body))
    }

    pub(crate) fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.change("DELETE", path, None)
    }

    /// A deletion that is told more, as a query.
    pub(crate) fn delete_asking(&self, path: &str, query: &str) -> Result<Value, Failure> {
        let (tag, _) = self.read(path)?;
        answer(self.send("DELETE", &format!("{path}{query}"), &[("if-match", &tag)], None)?)
    }

    /// Replaces an object by what `edit` makes of it as it stands now.
    pub(crate) fn edit(
        &self,
        path: &str,
        edit: impl FnOnce(&Value) -> Result<Value, Failure>,
    ) -> Result<Value, Failure> {
        let (tag, now) = self.read(path)?;
        let body = edit(&answer(now)?)?.to_string();
        answer(self.send("PUT", path, &[("if-match", &tag)], Some(("application/json", body)))?)
    }

    fn change(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let (tag, _) = self.read(path)?;
        let body = body.map(|body| ("application/json", body.to_string()));
        answer(self.send(method, path, &[("if-match", &tag)], body)?)
    }

    /// An object with its tag, so that a change made meanwhile by somebody else is not overwritten. What has no page of
    /// its own has no tag: it is changed if it is there.
    fn read(&self, path: &str) -> Result<(String, Response<Body>), Failure> {
        let read = self.send("GET", path, &[], None)?;
        let tag = read.headers().get("etag").and_then(|tag| tag.to_str().ok()).unwrap_or("*").to_owned();
        Ok((tag, read))
    }

    /// Opens a session with this request and stays in it; a challenge when a second factor is needed.
    pub(crate) fn open_session(&mut self, path: &str, body: &Value) -> Result<Option<Value>, Failure> {
        let mut response = self.send("POST", path, &[], Some(("application/json", body.to_string())))?;
        let cookies = response.headers().get_all("set-cookie").iter();
        let cookie =
            cookies.filter_map(|line| line.to_str().ok()).find_map(|line| line.split(';').next()).map(str::to_owned);
        if response.status().as_u16() == Code::SECOND_FACTOR_REQUIRED.status {
            let text = text(&mut response)?;
            let refusal = serde_json::from_str(&text).unwrap_or(Value::Null);
            if refusal["code"] == Code::SECOND_FACTOR_REQUIRED.name {
                return Ok(Some(refusal));
            }
            return Err(problem(Code::SECOND_FACTOR_REQUIRED.status, &refusal));
        }
        answer(response)?;
        let Some(cookie) = cookie else {
            let fix = "check that --server names a ShieldOps server";
            return Err(Failure::unusable("the server opened no session").fix(fix));
        };
        self.credential = Credential::Session { cookie, csrf: None };
        let me = self.get("/api/v1/me")?;
        if let Credential::Session { csrf, .. } = &mut self.credential {
            *csrf = me["csrf"].as_str().map(str::to_owned);
        }
        Ok(None)
    }

    /// Ends a session that was opened here.
    pub(crate) fn close_session(&self) -> Result<(), Failure> {
        answer(self.send("DELETE", "/api/v1/session", &[("if-match", "*")], None)?).map(drop)
    }

    /// At most `limit` rows of a list, over as many pages as that takes.
    pub(crate) fn list(&self, path: &str, filters: &[(&str, Option<&str>)], limit: usize) -> Result<Value, Failure> {
        let (mut items, mut cursor): (Vec<Value>, Option<String>) = (Vec::new(), None);
        loop {
            let wanted = limit.saturating_sub(items.len()).min(PAGE).to_string();
            let own = [("limit", Some(wanted.as_str())), ("cursor", cursor.as_deref())];
            let asked: Vec<_> = filters.iter().chain(&own).copied().collect();
            let mut page = self.get(&format!("{path}{}", query(&asked)))?;
            let next = page["next_cursor"].as_str().map(str::to_owned);
            if let Value::Array(more) = page["items"].take() {
                items.extend(more);
            }
            cursor = next;
            if cursor.is_none() || items.len() >= limit {
                return Ok(serde_json::json!({"items": items, "next_cursor": cursor}));
            }
        }
    }

    /// A link as somebody else can open it: without a `public_url` the server gives its path only.
    pub(crate) fn whole_link(&self, mut made: Value) -> Value {
        if let Some(path) = made["link"].as_str().filter(|link| link.starts_with('/')) {
            made["link"] = format!("{}{path}", self.server).into();
        }
        made
    }

    /// Writes an answer's body as it comes.
    pub(crate) fn download(&self, path: &str, out: &mut impl Write) -> Result<(), Failure> {
        let response = self.send("GET", path, &[], None)?;
        if !response.status().is_success() {
            return answer(response).map(|_| ());
        }
        let mut body = response.into_body();
        let copied = std::io::copy(&mut body.as_reader(), out).and_then(|_| out.flush());
        match copied {
            // A reader that left early is no error.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Failure::unusable("the export was cut short").why(error.to_string()))
            }
            _ => Ok(()),
        }
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, String)>,
    ) -> Result<Response<Body>, Failure> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.server));
        match &self.credential {
            Credential::Token(token) => request = request.header("authorization", format!("Bearer {token}")),
            Credential::Session { cookie, csrf } => {
                request = request.header("cookie", cookie);
                if let Some(csrf) = csrf {
                    request = request.header("shieldops-csrf", csrf);
                }
            }
            Credential::Nobody => {}
        }
        if let Some(tenant) = &self.tenant {
            request = request.header("shieldops-tenant", tenant);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = match body {
            Some((kind, body)) => {
                let request =
                    request.header("content-type", kind).body(body).map_err(|error| wrong_url(&self.server, &error))?;
                self.agent.run(request)
            }
            None => self.agent.run(request.body(()).map_err(|error| wrong_url(&self.server, &error))?),
        };
        sent.map_err(|error| {
            let fix = "check that it runs and that --server is right; for a self-signed certificate give --ca-file";
            Failure::unusable(format!("cannot reach {}", self.server)).why(error.to_string()).fix(fix)
        })
    }
}

fn wrong_url(server: &str, error: &ureq::http::Error) -> Failure {
    Failure::unusable(format!("--server {server} or the token cannot be sent")).why(error.to_string())
}

fn agent(ca_file: Option<&PathBuf>) -> Result<Agent, Failure> {
    let mut tls = TlsConfig::builder().provider(TlsProvider::Rustls);
    if let Some(path) = ca_file {
        let pem = std::fs::read(path).with_context(|| format!("--ca-file {}: cannot be read", path.display()))?;
        tls = tls.root_certs(RootCerts::new_with_certs(&certificates(&pem, path)?));
    }
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(TIMEOUT))
        .user_agent(concat!("shieldops/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls.build())
        .build();
    Ok(Agent::new_with_config(config))
}

fn certificates(pem: &[u8], path: &std::path::Path) -> Result<Vec<Certificate<'static>>, Failure> {
    let items = parse_pem(pem).collect::<Result<Vec<_>, _>>().unwrap_or_default();
    let found: Vec<_> = items
        .into_iter()
        .filter_map(|item| if let PemItem::Certificate(found) = item { Some(found) } else { None })
        .collect();
    if found.is_empty() {
        return Err(
            Failure::unusable(format!("--ca-file {}: holds no certificate", path.display())).fix("give a PEM file")
        );
    }
    Ok(found)
}

fn text(response: &mut Response<Body>) -> Result<String, Failure> {
    let mut text = String::new();
    let mut reader = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).reader();
    reader
        .read_to_string(&mut text)
        .map_err(|error| Failure::unusable("the answer cannot be read").why(error.to_string()))?;
    Ok(text)
}

/// The value of an answer, or its problem as what, why and fix.
fn answer(mut response: Response<Body>) -> Result<Value, Failure> {
    let status = response.status();
    let text = text(&mut response)?;
    if status.is_success() {
        if text.is_empty() {
            return Ok(Value::Null);
        }
        let fix = "check that --server names a ShieldOps server";
        return serde_json::from_str(&text)
            .map_err(|error| Failure::unusable("the answer is not JSON").why(error.to_string()).fix(fix));
    }
    Err(problem(status.as_u16(), &serde_json::from_str(&text).unwrap_or(Value::Null)))
}

fn problem(status: u16, body: &Value) -> Failure {
    let member = |name: &str| body[name].as_str().map(str::to_owned);
    let code = member("code").unwrap_or_default();
    let known = Code::ALL.iter().find(|known| known.name == code);
    let title = member("title").unwrap_or_else(|| "the server refused".to_owned());
    let mut failure = Failure::refused(format!("{title} ({status} {code})").replace(" )", ")"));
    let mut why: Vec<String> = member("detail").into_iter().collect();
    why.extend(body["errors"].as_array().into_iter().flatten().map(|error| {
        // What is wrong in words; its code is for programs, which read the answer itself.
        error["detail"].as_str().map_or_else(|| crate::output::text(error), str::to_owned)
    }));
    if !why.is_empty() {
        failure = failure.why(why.join("; "));
    }
    let request = member("request_id").map(|id| format!(" [request {id}]")).unwrap_or_default();
    match known {
        Some(known) => failure.fix(format!("{}{request}", known.help)),
        None => failure,
    }
}

/// `?name=value&...` of what is given; nothing when nothing is.
pub(crate) fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let given: Vec<_> =
        pairs.iter().filter_map(|(name, value)| Some(format!("{name}={}", escape((*value)?)))).collect();
    if given.is_empty() { String::new() } else { format!("?{}", given.join("&")) }
}

/// A value of a query or a part of a path, percent-encoded.
pub(crate) fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// An id as it stands in a path: what is no id is refused before it becomes another path.
pub(crate) fn id(text: &str) -> Result<String, String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    if !text.is_empty() && text.len() <= 64 && text.chars().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("want an id such as pln_01h455vb4pex5vsknk084sn02q".to_owned())
    }
}

/// The name of a tenant in addresses.
pub(crate) fn slug(text: &str) -> Result<String, String> {
    shieldops_model::tenant::check_slug(text).map(|()| text.to_owned()).map_err(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn to(server: &str, token: Option<&str>) -> Connection {
        Connection { server: server.to_owned(), token: token.map(str::to_owned), ..Connection::default() }
    }

    #[test]
    fn a_refusal_says_what_why_and_what_to_do() {
        let body = json!({"title": "The plan changed since you read it", "code": "plan_hash_mismatch", "detail": "present hash is abc"});
        let failure = problem(409, &body);
        assert_eq!(failure.code, crate::output::REFUSED);
        assert!(failure.what.contains("plan_hash_mismatch"));
        assert_eq!(failure.why.as_deref(), Some("present hash is abc"));
        assert!(failure.fix.unwrap().contains("Read the plan again"));
    }

    #[test]
    fn without_a_token_or_a_server_the_exit_code_is_two() {
        assert_eq!(Client::connect(&to("http://127.0.0.1:1", None)).err().unwrap().code, 2);
        let nowhere = ServerArgs { server: Some("localhost".to_owned()), ..ServerArgs::default() };
        assert_eq!(Connection::resolve(&nowhere, &Profiles::default()).err().unwrap().code, 2);
        let client = Client::connect(&to("http://127.0.0.1:1", Some("x"))).ok().unwrap();
        let failure = client.get("/api/v1/me").unwrap_err();
        assert_eq!(failure.code, 2);
        assert!(failure.what.contains("127.0.0.1:1"), "{}", failure.what);
    }

    #[test]
    fn what_is_no_slug_is_told_what_one_is() {
        assert_eq!(slug("acme-2").unwrap(), "acme-2");
        for text in ["ac me", "Acme", "", "../me", "tnt_01h455vb4pex5vsknk084sn02q"] {
            assert!(slug(text).unwrap_err().contains("a slug has"), "{text}");
        }
    }

    #[test]
    fn what_is_no_id_does_not_become_a_path() {
        assert!(id("pln_01h455vb4pex5vsknk084sn02q").is_ok());
        for text in ["", "../me", "a?b", "a/b"] {
            assert!(id(text).is_err(), "{text}");
        }
    }
}
