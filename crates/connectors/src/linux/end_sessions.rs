//! `linux.end_sessions`: ends one login session of a user: every process that the kernel's audit counts to it.

mod proof;

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::{ControlPath, Reason, Target};
use shieldops_policy::{Dependant, Facts};
use shieldops_respond::{
    Capability, Child, Class, Description, Fault, Observed, Permit, Probe, ProbeResult, Proving, Purpose, Site,
};

use super::{
    Linux, accounts,
    ground::{Ground, Identity, Outcome, Process, Trouble, refused},
    hand::Job,
    kill_process, process,
};

/// How often new processes of the session are looked for.
const ROUNDS: usize = 50;
/// The most sessions and processes that are named.
const SHOWN: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    #[serde(deserialize_with = "accounts::user")]
    pub user: String,
    /// The audit id. Without one the sessions there are are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u32>,
}

/// One session, and which it is: an id is given again after a boot.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub user: String,
    pub session: u32,
    pub boot_id: String,
    pub runs: bool,
    /// The oldest process of it.
    pub leader: Option<Identity>,
}

/// The audit gives an id once in a boot, so that is which session it is. Its oldest process is not: that may end before the
/// others, also where a process of ours was lost while it ended them all.
impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        let key = |it: &Self| (it.user.clone(), it.session, it.runs);
        key(self) == key(other) && (!self.runs || self.boot_id == other.boot_id)
    }
}

#[derive(Debug, Clone)]
pub struct EndSessions {
    linux: Arc<Linux>,
}

impl EndSessions {
    pub fn new(linux: Arc<Linux>) -> Self {
        Self { linux }
    }
}

/// The processes of a user's session, the oldest first.
#[derive(Default)]
struct Members {
    ending: Vec<Process>,
    /// Those that serve others and go on, and why.
    spared: Vec<Reason>,
    /// What forbids to end the session at all.
    untouchable: Vec<Reason>,
}

fn members(on: &dyn Ground, uid: u32, session: u32) -> Outcome<Members> {
    let mut found = on.processes()?;
    found.retain(|process| process.session == Some(session) && process.login_uid == Some(uid));
    found.sort_by_key(|process| (process.identity.start_ticks, process.identity.pid));
    let mut members = Members::default();
    for process in found {
        let reasons = kill_process::protected(on, &process)?;
        if kill_process::serves(&reasons) {
            members.spared.extend(reasons);
        } else {
            members.untouchable.extend(reasons);
            members.ending.push(process);
        }
    }
    // Nothing is left that could be ended: that is no session that ended.
    if members.ending.is_empty() {
        members.untouchable.append(&mut members.spared);
    }
    Ok(members)
}

/// The user's sessions, each with how many processes it has and its oldest.
fn sessions(on: &dyn Ground, uid: u32) -> Outcome<Vec<(u32, String)>> {
    let mut found = on.processes()?;
    found.retain(|process| process.session.is_some() && process.login_uid == Some(uid));
    found.sort_by_key(|process| (process.session, process.identity.start_ticks, process.identity.pid));
    let groups = found.chunk_by(|a, b| a.session == b.session).filter_map(|group| {
        let first = group.first()?;
        let said = format!("{} processes, the first {} ({})", group.len(), first.name, first.identity.pid);
        Some((first.session?, said))
    });
    Ok(groups.take(SHOWN).collect())
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Look {
    user: String,
    session: Option<u32>,
}

impl Job for Look {
    type Answer = (State, Facts);
    const NAME: &'static str = "end_sessions.look";

    fn run(self, on: &mut dyn Ground) -> Outcome<Self::Answer> {
        let account = accounts::find(on, &self.user)?;
        if !on.keeps_sessions() {
            let why = "this kernel keeps no audit session ids: which process belongs to which login cannot be checked";
            return refused(why);
        }
        let all = sessions(on, account.uid)?;
        let Some(session) = self.session else {
            return Err(unnamed(&self.user, &all));
        };
        let members = members(on, account.uid, session)?;
        let mut facts = Facts { resources: vec![format!("user:{}", self.user)], ..Facts::default() };
        facts.untouchable = members.untouchable;
        for process in &members.ending {
            facts.touches.push(process.resource());
            facts.resources.extend(on.sockets(process.identity.pid)?.peers.iter().map(|peer| format!("peer:{peer}")));
        }
        let name = |process: &Process| format!("{} ({})", process.name, process.identity.pid);
        facts.dependants =
            members.ending.iter().take(SHOWN).map(|it| depend("process", name(it), "ends with the session")).collect();
        facts.dependants.extend(members.spared.iter().map(|it| depend("process", it.detail.clone(), "goes on")));
        let others = all.into_iter().filter(|(id, _)| *id != session);
        facts
            .dependants
            .extend(others.map(|(id, said)| depend("session", format!("session {id}"), &format!("goes on: {said}"))));
        facts.resources.sort();
        facts.resources.dedup();
        facts.touches.sort();
        facts.touches.dedup();
        let leader = members.ending.first().map(|process| process.identity.clone());
        let state = State { user: self.user, session, boot_id: on.boot_id()?, runs: leader.is_some(), leader };
        Ok((state, facts))
    }
}

fn depend(kind: &str, name: String, detail: &str) -> Dependant {
    Dependant { kind: kind.to_owned(), name, detail: detail.to_owned() }
}

fn unnamed(user: &str, all: &[(u32, String)]) -> Trouble {
    if all.is_empty() {
        let why =
            format!("{user} has no session that audit knows: its processes, if any, cannot be told apart by login");
        return Trouble::Refused(why);
    }
    let named: Vec<String> = all.iter().map(|(id, said)| format!("{id} ({said})")).collect();
    Trouble::Params(format!("session: name one of {user}'s, an action each: {}", named.join("; ")))
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct End {
    from: State,
}

impl Job for End {
    type Answer = ();
    const NAME: &'static str = "end_sessions.end";
    const CHANGES: bool = true;

    fn run(self, on: &mut dyn Ground) -> Outcome<()> {
        let account = accounts::find(on, &self.from.user)?;
        if on.boot_id()? != self.from.boot_id {
            return refused("the host was started again: the session is gone, and its id may be another's");
        }
        for _ in 0..ROUNDS {
            let members = members(on, account.uid, self.from.session)?;
            if members.ending.is_empty() {
                return Ok(());
            }
            if let Some(why) = members.untouchable.first() {
                return refused(&why.detail);
            }
            members.ending.iter().try_for_each(|process| on.kill(&process.identity))?;
        }
        Err(Trouble::Failed("the session starts processes faster than they can be ended".to_owned()))
    }
}

/// Whether it runs, and the user's other sessions now.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Others {
    user: String,
    session: u32,
}

impl Job for Others {
    type Answer = (bool, Vec<String>);
    const NAME: &'static str = "end_sessions.others";

    fn run(self, on: &mut dyn Ground) -> Outcome<Self::Answer> {
        let account = accounts::find(on, &self.user)?;
        let all = sessions(on, account.uid)?;
        let runs = !members(on, account.uid, self.session)?.ending.is_empty();
        let others = all.into_iter().filter(|(id, _)| *id != self.session);
        Ok((runs, others.map(|(id, said)| format!("session {id} ({said})")).collect()))
    }
}

#[async_trait]
impl Capability for EndSessions {
    type Params = Params;
    type State = State;

    fn describe(&self) -> Description {
        Description {
            name: "linux.end_sessions",
            title: "End a login session",
            target_kind: "linux_host",
            params_schema: json!({
                "type": "object", "additionalProperties": false, "required": ["user"],
                "properties": {
                    "user": {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.$-]{0,31}$", "description": "whose session", "examples": ["alice"]},
                    "session": {"type": "integer", "minimum": 1, "maximum": u32::MAX - 1, "description": "audit session id; leave it out to be told which there are", "examples": [7]},
                },
            }),
            class: Class::Irreversible,
            purpose: Purpose::Containment,
            effects: &["session.end"],
            settle_ms: 3_000,
            base_risk: 1,
            twin: shieldops_respond::Twin::Rooted,
            docs: "Kills every process that the kernel's audit counts to this login, however it was started and whatever it calls itself; what \
                   runs a database, a listener of ssh or the keeping of records, from a program of root's, goes on and is named. One \
                   session an action. Refused where the kernel keeps no audit session ids. The user can log in again: disable the user or remove the \
                   key first.",
        }
    }

    async fn observe(&self, target: &Target, params: &Params) -> Result<Observed<State>, Fault> {
        let look = Look { user: params.user.clone(), session: params.session };
        let (state, facts) = self.linux.hand(target, look, None).await?;
        Ok(Observed { state, facts })
    }

    fn desired(&self, state: &State, _params: &Params) -> State {
        State { runs: false, ..state.clone() }
    }

    async fn apply(&self, site: Site<'_>, from: &State, _to: &State, _permit: Permit) -> Result<(), Fault> {
        self.linux.hand(site.target, End { from: from.clone() }, Some(site.watch)).await
    }

    fn undo_text(&self, params: &Params) -> String {
        format!("Nothing brings the session back; {} may log in again.", params.user)
    }

    fn control_path(&self, target: &Target, _params: &Params) -> ControlPath {
        Linux::control_path(target)
    }

    fn key(&self, params: &Params) -> String {
        format!("{}/{}", params.user, params.session.unwrap_or_default())
    }

    fn holds(&self, observed: &State, wanted: &State) -> bool {
        // After a boot the id may be another session's.
        observed == wanted || (!wanted.runs && observed.boot_id != wanted.boot_id)
    }

    fn not_checkable(&self, params: &Params) -> Vec<String> {
        vec![
            format!("processes of {} that no login started: services, timers, containers", params.user),
            "sessions that begin after this one ended".to_owned(),
        ]
    }

    async fn probe(&self, target: &Target, params: &Params) -> Option<Probe> {
        let others = Others { user: params.user.clone(), session: params.session? };
        let (runs, others) = self.linux.hand(target, others, None).await.ok()?;
        let result = if runs { ProbeResult::Reachable } else { ProbeResult::Refused };
        let what = if runs { "the session runs" } else { "no process of the session is left" };
        let detail =
            if others.is_empty() { what.to_owned() } else { format!("{what}; also there: {}", others.join("; ")) };
        Some(Probe { result, detail })
    }

    async fn end_child(&self, child: &Child) -> Result<(), Fault> {
        process::end(child).await
    }
    fn proving(&self) -> Option<&dyn Proving> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(leader: Option<(u32, u64)>, boot_id: &str) -> State {
        let identity = |(pid, start_ticks)| Identity { boot_id: boot_id.to_owned(), pid, start_ticks, exe_inode: 1 };
        let leader = leader.map(identity);
        State { user: "ann".to_owned(), session: 7, boot_id: boot_id.to_owned(), runs: leader.is_some(), leader }
    }

    #[test]
    fn what_is_left_of_a_session_is_that_session_and_another_boot_s_is_not() {
        let whole = state(Some((245, 100)), "b");
        assert_eq!(state(Some((247, 101)), "b"), whole, "its oldest process has ended");
        assert_ne!(state(Some((245, 100)), "c"), whole, "of another boot");
        assert_ne!(state(None, "b"), whole, "nothing is left");
        assert_ne!(State { session: 8, ..state(Some((247, 101)), "b") }, whole, "another login");
    }
}
