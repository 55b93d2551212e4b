//! The HTTP client of the commands that talk to a server.

use std::{
    io::{Read as _, Write},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;
use shieldops_model::Code;
use ureq::{
    Agent, Body,
    http::{Request, Response},
    tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem},
};

use crate::output::{Failure, Output};

const TIMEOUT: Duration = Duration::from_mins(1);
/// A longer answer is refused; exports are written as they come.
const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;
/// Rows that the server gives at once.
const PAGE: usize = 200;

/// Which server, as whom.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerArgs {
    /// The address of the server.
    #[arg(long, value_name = "URL", env = "SHIELDOPS_SERVER", default_value = "http://127.0.0.1:8420")]
    pub(crate) server: String,
    /// A personal access token.
    #[arg(long, value_name = "TOKEN", env = "SHIELDOPS_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// A PEM file with the certificate to trust, for a self-signed server: tls/cert.pem of its data directory.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

pub(crate) struct Client {
    agent: Agent,
    server: String,
    token: String,
}

impl Client {
    pub(crate) fn new(args: &ServerArgs) -> Result<Self, Failure> {
        let Some(token) = args.token.clone().filter(|token| !token.is_empty()) else {
            let fix = "make one with `shieldops token create --data-dir DIR --kind personal --name NAME`, and give it as --token or SHIELDOPS_TOKEN";
            return Err(Failure::unusable("a token is needed").fix(fix));
        };
        if !args.server.starts_with("http://") && !args.server.starts_with("https://") {
            return Err(Failure::unusable(format!("--server {}: not a URL", args.server))
                .fix("write it as http://127.0.0.1:8420"));
        }
        Ok(Self { agent: agent(args.ca_file.as_ref())?, server: args.server.trim_end_matches('/').to_owned(), token })
    }

    /// For a server that was started here.
    pub(crate) fn local(server: &str, token: &str) -> Result<Self, Failure> {
        Ok(Self { agent: agent(None)?, server: server.to_owned(), token: token.to_owned() })
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, Failure> {
        answer(self.send("GET", path, None)?)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        answer(self.send("POST", path, Some(("application/json", body.to_string())))?)
    }

    pub(crate) fn post_text(&self, path: &str, kind: &str, body: String) -> Result<Value, Failure> {
        answer(self.send("POST", path, Some((kind, body)))?)
    }

    /// At most `limit` rows of a list, over as many pages as that takes.
    pub(crate) fn list(&self, path: &str, filters: &[(&str, Option<&str>)], limit: usize) -> Result<Value, Failure> {
        let (mut items, mut cursor): (Vec<Value>, Option<String>) = (Vec::new(), None);
        loop {
            let wanted = limit.saturating_sub(items.len()).min(PAGE).to_string();
            let own = [("limit", Some(wanted.as_str())), ("cursor", cursor.as_deref())];
            let query: Vec<_> = filters
                .iter()
                .chain(&own)
                .filter_map(|(name, value)| Some(format!("{name}={}", escape((*value)?))))
                .collect();
            let mut page = self.get(&format!("{path}?{}", query.join("&")))?;
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

    /// Writes an answer's body as it comes.
    pub(crate) fn download(&self, path: &str, out: &mut impl Write) -> Result<(), Failure> {
        let response = self.send("GET", path, None)?;
        if !response.status().is_success() {
            return answer(response).map(|_| ());
        }
        let mut body = response.into_body();
        let copied = std::io::copy(&mut body.as_reader(), out).and_then(|_| out.flush());
        copied.map_err(|error| Failure::unusable("the export was cut short").why(error.to_string()))
    }

    fn send(&self, method: &str, path: &str, body: Option<(&str, String)>) -> Result<Response<Body>, Failure> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.server));
        request = request.header("authorization", format!("Bearer {}", self.token));
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

/// The value of an answer, or its problem as what, why and fix.
fn answer(mut response: Response<Body>) -> Result<Value, Failure> {
    let status = response.status();
    let mut text = String::new();
    let mut reader = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).reader();
    reader
        .read_to_string(&mut text)
        .map_err(|error| Failure::unusable("the answer cannot be read").why(error.to_string()))?;
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
    why.extend(body["errors"].as_array().into_iter().flatten().map(crate::output::text));
    if !why.is_empty() {
        failure = failure.why(why.join("; "));
    }
    let request = member("request_id").map(|id| format!(" [request {id}]")).unwrap_or_default();
    match known {
        Some(known) => failure.fix(format!("{}{request}", known.help)),
        None => failure,
    }
}

/// A value of a query, percent-encoded.
fn escape(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn args(server: &str, token: Option<&str>) -> ServerArgs {
        ServerArgs { server: server.to_owned(), token: token.map(str::to_owned), ca_file: None, output: Output::Json }
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
        assert_eq!(Client::new(&args("http://127.0.0.1:1", None)).err().unwrap().code, 2);
        assert_eq!(Client::new(&args("localhost", Some("x"))).err().unwrap().code, 2);
        let client = Client::new(&args("http://127.0.0.1:1", Some("x"))).ok().unwrap();
        let failure = client.get("/api/v1/me").unwrap_err();
        assert_eq!(failure.code, 2);
        assert!(failure.what.contains("127.0.0.1:1"), "{}", failure.what);
    }

    #[test]
    fn what_is_no_id_does_not_become_a_path() {
        assert!(id("pln_01h455vb4pex5vsknk084sn02q").is_ok());
        for text in ["", "../me", "a?b", "a/b"] {
            assert!(id(text).is_err(), "{text}");
        }
    }
}
