//! `linux.disable_user`: a user of /etc/shadow can log in no more, by password or by key.
//!
//! A lock alone still lets keys in where PAM decides (`UsePAM yes`), so the account expires as well.

mod proof;
mod shadow;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::{ControlPath, Reason, Target};
use shieldops_policy::{Dependant, Facts};
use shieldops_respond::{Capability, Child, Class, Description, Fault, Observed, Permit, Proving, Purpose, Site};

use self::shadow::Entry;
use super::{
    Linux, accounts,
    ground::{self, Ground, MAX_TEXT, Making, Outcome, Trouble, Who},
    hand::Job,
    lasting, process,
};

const SHADOW: &str = "/etc/shadow";
/// Where cron keeps the crontabs of users.
const SPOOLS: [&str; 2] = ["/var/spool/cron/crontabs", "/var/spool/cron"];

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    #[serde(deserialize_with = "accounts::user")]
    pub user: String,
    /// Seconds after which the user may log in again by itself.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lasting::expiry")]
    pub expires_in_s: Option<u64>,
}

/// The user's line, without its secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub user: String,
    pub entry: Entry,
    /// The whole file when it was read: an undo that restores exactly it restores its time. Not compared.
    pub file_sha256: String,
    pub file_mtime_ns: i64,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.user == other.user && self.entry == other.entry
    }
}

#[derive(Debug, Clone)]
pub struct DisableUser {
    linux: Arc<Linux>,
}

impl DisableUser {
    pub fn new(linux: Arc<Linux>) -> Self {
        Self { linux }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Look {
    user: String,
}

impl Job for Look {
    type Answer = (State, Facts);
    const NAME: &'static str = "disable_user.look";

    fn run(self, on: &mut dyn Ground) -> Outcome<Self::Answer> {
        let account = accounts::find(on, &self.user)?;
        let state = state(on, &self.user)?;
        let mut facts = Facts { resources: vec![format!("user:{}", self.user)], ..Facts::default() };
        facts.touches.push(format!("path:{SHADOW}"));
        facts.untouchable = untouchable(on, &account)?;
        hang(on, &account, &mut facts)?;
        Ok((state, facts))
    }
}

fn shadow_text(on: &dyn Ground) -> Outcome<ground::Text> {
    let read = on.read(SHADOW, Who::Root, MAX_TEXT)?;
    read.ok_or_else(|| Trouble::Refused("there is no /etc/shadow here: its users are not disabled by it".to_owned()))
}

fn state(on: &dyn Ground, user: &str) -> Outcome<State> {
    let text = shadow_text(on)?;
    let entry = shadow::read(&text.bytes, user).map_err(Trouble::Refused)?.ok_or_else(|| {
        Trouble::Refused(format!("{user} has no line in /etc/shadow: disable it where its account lives"))
    })?;
    let file_sha256 = ground::sha256(&text.bytes);
    Ok(State { user: user.to_owned(), entry, file_sha256, file_mtime_ns: text.seen.mtime_ns })
}

/// How a user may log in.
pub(super) struct Login {
    pub(super) expired: bool,
    /// It has a password that is not locked.
    pub(super) password: bool,
}

/// What the user's line says of it; `None` where there is none that can be read.
pub(super) fn login(on: &dyn Ground, user: &str) -> Option<Login> {
    let text = shadow_text(on).ok()?;
    let entry = shadow::read(&text.bytes, user).ok()??;
    let password = shadow::has_password(&text.bytes, user);
    Some(Login { expired: entry.expired(on.with().now_ns), password })
}

/// Whether a user can log in at all.
fn enabled(on: &dyn Ground, user: &str) -> bool {
    login(on, user).is_some_and(|login| !login.expired)
}

fn untouchable(on: &dyn Ground, account: &accounts::Account) -> Outcome<Vec<Reason>> {
    let mut reasons = Vec::new();
    let mut no = |code: &str, why: &str| {
        reasons.push(Reason { code: code.to_owned(), detail: format!("{} {why}", account.name) });
    };
    if account.uid == 0 {
        no("root_identity", "is root");
    }
    let administrators = accounts::administrators(on)?;
    if administrators.contains(&account.name)
        && !administrators.iter().any(|other| *other != account.name && enabled(on, other))
    {
        no("last_administrator", "is the last user who may become root");
    }
    if on.processes()?.iter().any(|process| process.ours && process.uid == account.uid) {
        no("own_account", "is the user that we run as");
    }
    for place in &on.with().own {
        let folder = on.find(place, Who::Root)?.filter(|seen| seen.kind == ground::Kind::Folder);
        if folder.is_some_and(|seen| seen.uid == account.uid) {
            no("own_account", &format!("owns {place}, which is ours"));
        }
    }
    Ok(reasons)
}

/// What goes on although the user cannot log in any more.
fn hang(on: &dyn Ground, account: &accounts::Account, facts: &mut Facts) -> Outcome<()> {
    let mut depend = |kind: &str, name: String, detail: &str| {
        facts.dependants.push(Dependant { kind: kind.to_owned(), name, detail: detail.to_owned() });
    };
    for process in on.processes()?.into_iter().filter(|process| process.uid == account.uid) {
        match process.session {
            Some(session) => depend("session", format!("session {session}"), "goes on until it is ended"),
            None => depend("process", format!("{} ({})", process.name, process.identity.pid), "goes on"),
        }
    }
    for spool in SPOOLS {
        let crontab = ground::join(spool, &account.name);
        if on.find(&crontab, Who::Root).ok().flatten().is_some_and(|seen| seen.kind == ground::Kind::File) {
            depend("job", crontab, "its entries go on, unless cron asks PAM");
        }
    }
    facts.dependants.sort();
    facts.dependants.dedup();
    Ok(())
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Set {
    from: State,
    to: State,
}

impl Job for Set {
    type Answer = ();
    const NAME: &'static str = "disable_user.set";
    const CHANGES: bool = true;

    fn run(self, on: &mut dyn Ground) -> Outcome<()> {
        on.lock_passwords()?;
        ground::sweep(on, SHADOW, Who::Root)?;
        let text = shadow_text(on)?;
        let now = state(on, &self.to.user)?;
        // The rest of the line may be another by now (a new password): it stays, only lock and expiry are ours.
        if (now.entry.locks, &now.entry.expires_day) != (self.from.entry.locks, &self.from.entry.expires_day) {
            return ground::refused(format!("the line of {} changed since it was read", self.to.user));
        }
        let wanted = &self.to.entry;
        let bytes =
            shadow::write(&text.bytes, &self.to.user, wanted.locks, &wanted.expires_day).map_err(Trouble::Refused)?;
        let before = ground::sha256(&bytes) == self.to.file_sha256;
        let making = Making::like(&text.seen, before.then_some(self.to.file_mtime_ns));
        on.write(SHADOW, Who::Root, Some(&text.seen), &bytes, making)
    }

    fn sweep(self, on: &mut dyn Ground) -> Outcome<()> {
        ground::sweep(on, SHADOW, Who::Root)
    }
}

#[async_trait]
impl Capability for DisableUser {
    type Params = Params;
    type State = State;

    fn describe(&self) -> Description {
        Description {
            name: "linux.disable_user",
            title: "Disable a user",
            target_kind: "linux_host",
            params_schema: json!({
                "type": "object", "additionalProperties": false, "required": ["user"],
                "properties": {
                    "user": {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.$-]{0,31}$", "description": "name of a user in /etc/shadow", "examples": ["alice"]},
                    "expires_in_s": {"type": "integer", "minimum": 1, "maximum": lasting::MAX_EXPIRY_S, "description": "seconds after which the user may log in again"},
                },
            }),
            class: Class::Reversible,
            purpose: Purpose::Containment,
            effects: &["user.disable"],
            settle_ms: 0,
            base_risk: 2,
            twin: shieldops_respond::Twin::Rooted,
            docs: "Locks the password and lets the account expire on day 1, in one change of /etc/shadow under its lock: a lock alone still \
                   lets keys in where sshd asks PAM. Sessions, jobs and cron entries that are there go on. Users of a directory are refused. \
                   Undo puts back exactly the lock and the expiry day that were there.",
        }
    }

    async fn observe(&self, target: &Target, params: &Params) -> Result<Observed<State>, Fault> {
        let (state, facts) = self.linux.hand(target, Look { user: params.user.clone() }, None).await?;
        Ok(Observed { state, facts })
    }

    fn desired(&self, state: &State, _params: &Params) -> State {
        let entry = Entry {
            locks: state.entry.locks.max(1),
            expires_day: shadow::LONG_AGO.to_owned(),
            rest_sha256: state.entry.rest_sha256.clone(),
        };
        State { entry, ..state.clone() }
    }

    async fn apply(&self, site: Site<'_>, from: &State, to: &State, _permit: Permit) -> Result<(), Fault> {
        self.linux.hand(site.target, Set { from: from.clone(), to: to.clone() }, Some(site.watch)).await
    }

    fn undo_text(&self, params: &Params) -> String {
        format!("Puts back the lock and the expiry day that {} had; a password that was set since stays.", params.user)
    }

    fn control_path(&self, target: &Target, _params: &Params) -> ControlPath {
        Linux::control_path(target)
    }

    fn key(&self, params: &Params) -> String {
        params.user.clone()
    }

    fn lasts(&self, params: &Params) -> Option<Duration> {
        params.expires_in_s.map(Duration::from_secs)
    }

    fn holds(&self, observed: &State, wanted: &State) -> bool {
        let ours = |state: &State| (state.user.clone(), state.entry.locks, state.entry.expires_day.clone());
        ours(observed) == ours(wanted)
    }

    fn not_checkable(&self, params: &Params) -> Vec<String> {
        vec![
            format!("other ways that {} may have: further accounts, tokens, a directory", params.user),
            "services that do not ask PAM (sshd with `UsePAM no` lets a key in although the account has expired)"
                .to_owned(),
            "sessions, jobs and cron entries that are there: they go on".to_owned(),
        ]
    }

    async fn end_child(&self, child: &Child) -> Result<(), Fault> {
        process::end(child).await
    }

    fn proving(&self) -> Option<&dyn Proving> {
        Some(self)
    }
}
