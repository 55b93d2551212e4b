//! `linux.block_domain`: a name leads nowhere on this host. The weakest block: it holds for who asks the hosts file.

mod hosts;
mod proof;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::json;
use shieldops_model::{ControlPath, Reason, Target};
use shieldops_policy::Facts;
use shieldops_respond::{
    Capability, Child, Class, Description, Fault, Mark, Observed, Permit, Probe, ProbeResult, Proving, Purpose, Site,
};

use super::{
    Linux, accounts,
    ground::{self, Ground, MAX_TEXT, Making, Outcome, Trouble, Who, refused},
    hand::Job,
    lasting, process,
};

const HOSTS: &str = "/etc/hosts";
const GETENT: [&str; 2] = ["/usr/bin/getent", "/bin/getent"];
/// What a sink may look like in an answer.
const NOWHERE: [&str; 3] = ["0.0.0.0", "::", "::ffff:0.0.0.0"];

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// In A-labels; a name in Unicode is taken for them.
    #[serde(deserialize_with = "domain")]
    pub domain: String,
    /// Seconds after which the block undoes itself.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lasting::expiry")]
    pub expires_in_s: Option<u64>,
}

fn domain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    hosts::canonical(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub domain: String,
    /// Our lines in the hosts file: two, or none.
    pub lines: usize,
    /// What the host's own resolver says is nowhere.
    pub blocked: bool,
    /// The whole file when it was read: an undo that restores exactly it restores its time. Not compared.
    pub file_sha256: String,
    pub file_mtime_ns: i64,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        let key = |it: &Self| (it.domain.clone(), it.lines, it.blocked);
        key(self) == key(other)
    }
}

#[derive(Debug, Clone)]
pub struct BlockDomain {
    linux: Arc<Linux>,
}

impl BlockDomain {
    pub fn new(linux: Arc<Linux>) -> Self {
        Self { linux }
    }
}

fn read(on: &dyn Ground) -> Outcome<ground::Text> {
    let read = on.read(HOSTS, Who::Root, MAX_TEXT)?;
    read.ok_or_else(|| Trouble::Refused(format!("there is no {HOSTS} here")))
}

/// What the host's own resolver answers; only asked where our lines answer it, so that nothing leaves the host.
fn leads_nowhere(on: &dyn Ground, domain: &str) -> Outcome<Option<bool>> {
    if let Some(said) = on.ask(&["getent", "ahosts", domain])? {
        let mut addresses = said.lines().filter_map(|line| line.split_ascii_whitespace().next());
        return Ok(Some(addresses.all(|address| NOWHERE.contains(&address))));
    }
    let there = GETENT.iter().any(|path| on.find(path, Who::Root).ok().flatten().is_some());
    Ok(if there { Some(false) } else { None })
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Look {
    domain: String,
}

impl Job for Look {
    type Answer = (State, Facts);
    const NAME: &'static str = "block_domain.look";

    fn run(self, on: &mut dyn Ground) -> Outcome<Self::Answer> {
        let (text, marker) = (read(on)?, on.with().marker.clone());
        let lines = hosts::count(&text.bytes, &marker, &self.domain);
        let nowhere = if lines == hosts::SINKS.len() { leads_nowhere(on, &self.domain)? } else { Some(false) };
        let mut facts = Facts { resources: vec![format!("domain:{}", self.domain)], ..Facts::default() };
        facts.touches.push(format!("path:{HOSTS}"));
        if nowhere.is_none() {
            facts.not_checkable.push("what the resolver answers: there is no getent here".to_owned());
        }
        facts.untouchable = untouchable(on, &text, &self.domain)?;
        let state = State {
            lines,
            blocked: nowhere.unwrap_or(true),
            file_sha256: ground::sha256(&text.bytes),
            file_mtime_ns: text.seen.mtime_ns,
            domain: self.domain,
        };
        Ok((state, facts))
    }
}

fn untouchable(on: &dyn Ground, text: &ground::Text, domain: &str) -> Outcome<Vec<Reason>> {
    let mut reasons = Vec::new();
    let mut no = |code: &str, detail: String| reasons.push(Reason { code: code.to_owned(), detail });
    let others = hosts::others(&text.bytes, &on.with().marker, domain);
    if !others.is_empty() {
        no(
            "named_by_others",
            format!("{HOSTS} gives {domain} the address {} already: that is not ours", others.join(", ")),
        );
    }
    if text.seen.mounted {
        no("mounted", format!("{HOSTS} is mounted there: a mounted file cannot be replaced"));
    }
    if text.seen.immutable {
        no("immutable", format!("{HOSTS} is immutable or append-only: take that flag away first (chattr)"));
    }
    let own = accounts::text(on, "/etc/hostname")?.trim().to_ascii_lowercase();
    if own == domain || domain.ends_with(".localhost") || domain == "localhost.localdomain" {
        no("own_name", format!("{domain} is this host"));
    }
    Ok(reasons)
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Set {
    action: String,
    from: State,
    to: State,
}

impl Job for Set {
    type Answer = ();
    const NAME: &'static str = "block_domain.set";
    const CHANGES: bool = true;

    fn run(self, on: &mut dyn Ground) -> Outcome<()> {
        ground::sweep(on, HOSTS, Who::Root)?;
        let (text, marker) = (read(on)?, on.with().marker.clone());
        let domain = &self.to.domain;
        if hosts::count(&text.bytes, &marker, domain) != self.from.lines {
            return refused(format!("our lines of {domain} changed since they were read: nothing was done"));
        }
        let bytes = if self.to.lines > 0 {
            if let Some(why) = untouchable(on, &text, domain)?.first() {
                return refused(&why.detail);
            }
            hosts::with(&text.bytes, &marker, &self.action, domain)
        } else {
            hosts::without(&text.bytes, &marker, domain)
        };
        if bytes == text.bytes {
            return Ok(());
        }
        let before = ground::sha256(&bytes) == self.to.file_sha256;
        let making = Making::like(&text.seen, before.then_some(self.to.file_mtime_ns));
        on.write(HOSTS, Who::Root, Some(&text.seen), &bytes, making)
    }

    fn sweep(self, on: &mut dyn Ground) -> Outcome<()> {
        ground::sweep(on, HOSTS, Who::Root)
    }
}

/// Names that we block: action, name.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Marks {}

impl Job for Marks {
    type Answer = Vec<(String, String)>;
    const NAME: &'static str = "block_domain.marks";

    fn run(self, on: &mut dyn Ground) -> Outcome<Self::Answer> {
        let text = on.read(HOSTS, Who::Root, MAX_TEXT)?;
        Ok(text.map(|text| hosts::marks(&text.bytes, &on.with().marker)).unwrap_or_default())
    }
}

/// What the resolver says now, where our lines answer it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ask {
    domain: String,
}

impl Job for Ask {
    type Answer = Option<bool>;
    const NAME: &'static str = "block_domain.ask";

    fn run(self, on: &mut dyn Ground) -> Outcome<Self::Answer> {
        let (text, marker) = (read(on)?, on.with().marker.clone());
        if hosts::count(&text.bytes, &marker, &self.domain) == 0 { Ok(None) } else { leads_nowhere(on, &self.domain) }
    }
}

#[async_trait]
impl Capability for BlockDomain {
    type Params = Params;
    type State = State;

    fn describe(&self) -> Description {
        Description {
            name: "linux.block_domain",
            title: "Block a domain name",
            target_kind: "linux_host",
            params_schema: json!({
                "type": "object", "additionalProperties": false, "required": ["domain"],
                "properties": {
                    "domain": {"type": "string", "minLength": 3, "maxLength": 253, "description": "domain name, in Unicode or A-labels; exactly this name, not those below it", "examples": ["evil.example"]},
                    "expires_in_s": {"type": "integer", "minimum": 1, "maximum": lasting::MAX_EXPIRY_S, "description": "seconds after which the block undoes itself"},
                },
            }),
            class: Class::Reversible,
            purpose: Purpose::Containment,
            effects: &["network.deny"],
            settle_ms: 0,
            base_risk: 1,
            twin: shieldops_respond::Twin::Rooted,
            docs: "Two marked lines at the head of /etc/hosts, verified by asking the host's own resolver (getent). The weakest block: names \
                   below it, programs with a resolver of their own, DNS over HTTPS, known addresses and connections that are up escape it. \
                   Refused where the file is mounted or already names it.",
        }
    }

    async fn observe(&self, target: &Target, params: &Params) -> Result<Observed<State>, Fault> {
        let (state, facts) = self.linux.hand(target, Look { domain: params.domain.clone() }, None).await?;
        Ok(Observed { state, facts })
    }

    fn desired(&self, state: &State, _params: &Params) -> State {
        State { lines: hosts::SINKS.len(), blocked: true, ..state.clone() }
    }

    async fn apply(&self, site: Site<'_>, from: &State, to: &State, permit: Permit) -> Result<(), Fault> {
        let set = Set { action: permit.action().to_string(), from: from.clone(), to: to.clone() };
        self.linux.hand(site.target, set, Some(site.watch)).await
    }

    fn undo_text(&self, params: &Params) -> String {
        format!(
            "Takes our lines of {} out of {HOSTS}; programs that keep answers may use them for a while.",
            params.domain
        )
    }

    fn control_path(&self, target: &Target, _params: &Params) -> ControlPath {
        Linux::control_path(target)
    }

    fn key(&self, params: &Params) -> String {
        params.domain.clone()
    }

    fn lasts(&self, params: &Params) -> Option<Duration> {
        params.expires_in_s.map(Duration::from_secs)
    }

    fn not_checkable(&self, params: &Params) -> Vec<String> {
        vec![
            format!("names below {}", params.domain),
            "programs with a resolver of their own, DNS over HTTPS, and caches".to_owned(),
            "connections that are up, and addresses that are known already".to_owned(),
        ]
    }

    async fn probe(&self, target: &Target, params: &Params) -> Option<Probe> {
        let nowhere = self.linux.hand(target, Ask { domain: params.domain.clone() }, None).await.ok()?;
        let (result, detail) = match nowhere {
            Some(true) => (ProbeResult::Refused, "the host's resolver says that it is nowhere"),
            Some(false) => (ProbeResult::Reachable, "the host's resolver has another answer"),
            None => {
                (ProbeResult::Unknown, "not asked: a question about a name that is not blocked would leave the host")
            }
        };
        Some(Probe { result, detail: detail.to_owned() })
    }

    async fn marks(&self, target: &Target) -> Result<Vec<Mark<Params>>, Fault> {
        if !self.linux.has_files(target) {
            return Ok(Vec::new());
        }
        let found = self.linux.hand(target, Marks {}, None).await?;
        let mark = |(action, name): (String, String)| {
            let domain = hosts::canonical(&name).ok()?;
            let detail = format!("{domain} leads nowhere by {HOSTS}");
            Some(Mark { action: action.parse().ok()?, params: Params { domain, expires_in_s: None }, detail })
        };
        Ok(found.into_iter().filter_map(mark).collect())
    }

    fn cleared(&self, state: State) -> State {
        State { lines: 0, blocked: false, ..state }
    }

    async fn end_child(&self, child: &Child) -> Result<(), Fault> {
        process::end(child).await
    }

    fn proving(&self) -> Option<&dyn Proving> {
        Some(self)
    }
}
