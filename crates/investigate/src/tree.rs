//! Sessions and their processes: sign-ins by sshd's process, login sessions by the audit's session id, processes below
//! their parents.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use shieldops_model::investigation::TreeNode;

use crate::{
    case::{CaseEvent, class},
    facts::{Facts, account_on, is_act, same_host},
    timeline::detail_of,
    words::{address_or, name, number, program},
};

/// Nodes of a tree.
pub(crate) const MAX_NODES: usize = 300;
/// Deeper processes are drawn at this depth.
const MAX_DEPTH: u32 = 24;
/// How long after a sign-in its audit session may begin.
const SESSION_START: Duration = Duration::from_mins(5);
/// How much earlier the audit may have written than sshd.
const SKEW: Duration = Duration::from_secs(2);

pub(crate) struct Tree {
    pub(crate) nodes: Vec<TreeNode>,
    sessions: usize,
    quiet: usize,
    left_out: usize,
}

impl Tree {
    pub(crate) fn found(&self) -> String {
        let mut found = vec![format!(
            "{}, {}",
            number(self.sessions, "session", "sessions"),
            number(self.nodes.len(), "node", "nodes")
        )];
        if self.quiet > 0 {
            found.push(format!("{} without any alert left out", number(self.quiet, "session", "sessions")));
        }
        if self.left_out > 0 {
            found.push(format!("{} beyond the limit left out", number(self.left_out, "node", "nodes")));
        }
        found.join("; ")
    }
}

/// A node before it is placed: an event and the events below it.
struct Draft<'a> {
    event: &'a CaseEvent,
    label: String,
    children: Vec<usize>,
}

/// A session: its place among the drafts is the root.
struct Session<'a> {
    root: usize,
    events: Vec<&'a CaseEvent>,
    sign_in: Option<&'a CaseEvent>,
    /// Not a session: the processes of none.
    is_nameless: bool,
}

type SessionKey<'a> = (Option<&'a str>, &'a str, &'a str);

pub(crate) fn tree(facts: &Facts<'_>) -> Tree {
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    let mut sessions: Vec<Session<'_>> = Vec::new();
    for ((_, _, id), events) in by_session(facts) {
        sessions.extend(session(&mut drafts, id, events));
    }
    sessions.sort_by_key(|session| session.events.first().map(|event| (event.time, event.id)));
    let roots = nest(&mut drafts, &sessions);
    let telling: Vec<usize> = roots.iter().copied().filter(|root| is_telling(facts, &drafts, *root)).collect();
    let (nodes, left_out) = place(&drafts, &telling);
    Tree { nodes, sessions: telling.len(), quiet: roots.len() - telling.len(), left_out }
}

/// Events that belong to a session or are processes, by host, source and session id.
fn by_session<'a>(facts: &Facts<'a>) -> BTreeMap<SessionKey<'a>, Vec<&'a CaseEvent>> {
    let mut sessions: BTreeMap<SessionKey<'a>, Vec<&'a CaseEvent>> = BTreeMap::new();
    for event in &facts.events {
        let id = event.ocsf.session.as_deref();
        if id.is_some() || event.ocsf.class_uid == class::PROCESS {
            sessions.entry((event.host(), event.source.as_str(), id.unwrap_or_default())).or_default().push(event);
        }
    }
    sessions
}

/// Drafts a session that signs in or runs something; a session of refused passwords has nothing below it.
fn session<'a>(drafts: &mut Vec<Draft<'a>>, id: &str, events: Vec<&'a CaseEvent>) -> Option<Session<'a>> {
    let sign_in = events.iter().copied().find(|event| !id.is_empty() && is_sign_in(event));
    let counts = |event: &&CaseEvent| is_act(event) && !(id.is_empty() && event.alerts.is_empty());
    let acts: Vec<&CaseEvent> = events.iter().copied().filter(counts).collect();
    let first = sign_in.or_else(|| acts.first().copied())?;
    let root = drafts.len();
    drafts.push(Draft { event: first, label: session_label(id, sign_in, first), children: Vec::new() });
    let mut places: BTreeMap<u64, usize> = BTreeMap::new();
    for event in acts {
        let place = drafts.len();
        let process = event.ocsf.process.as_ref();
        let own = process.and_then(|process| process.pid);
        let is_process = event.ocsf.class_uid == class::PROCESS;
        let parent_pid = event.ocsf.parent.as_ref().and_then(|parent| parent.pid);
        let above = if is_process { parent_pid } else { own };
        let parent = above.and_then(|pid| places.get(&pid)).copied().unwrap_or(root);
        drafts.push(Draft { event, label: act_label(event), children: Vec::new() });
        if let Some(parent) = drafts.get_mut(parent) {
            parent.children.push(place);
        }
        if let (true, Some(pid)) = (is_process, own) {
            places.insert(pid, place);
        }
    }
    Some(Session { root, events, sign_in, is_nameless: id.is_empty() })
}

/// A sign-in as the service itself reports it; the audit's record of it belongs to the session that it begins.
fn is_sign_in(event: &CaseEvent) -> bool {
    event.log_source.service.as_deref() != Some("auditd")
        && event.ocsf.class_uid == class::AUTHENTICATION
        && event.ocsf.status.as_deref() == Some("success")
        && event.ocsf.src_ip.is_some()
}

fn session_label(id: &str, sign_in: Option<&CaseEvent>, first: &CaseEvent) -> String {
    let account = account_on(first.who(), first.host());
    match sign_in {
        Some(event) => format!("Sign-in of {account} from {}", address_or(event.ocsf.src_ip.as_deref(), "an address")),
        None if id.is_empty() => {
            format!("Processes outside any login session, {}", name(first.host(), "an unnamed host"))
        }
        None => format!("Login session {} of {account}", name(Some(id), "without id")),
    }
}

fn act_label(event: &CaseEvent) -> String {
    let image = event.ocsf.process.as_ref().and_then(|process| process.image.as_deref());
    match event.ocsf.class_uid {
        class::PROCESS => program(image.unwrap_or_default()).to_owned(),
        class::FILE if event.ocsf.activity == "Open" => "opened a file".to_owned(),
        class::FILE => "changed a file".to_owned(),
        class::ACCOUNT_CHANGE => "changed an account".to_owned(),
        _ => "changed a scheduled job".to_owned(),
    }
}

/// Puts an audit session below the sign-in that began it. Returns the roots that stay.
fn nest(drafts: &mut [Draft<'_>], sessions: &[Session<'_>]) -> Vec<usize> {
    let mut roots = Vec::new();
    for session in sessions {
        let above = if session.is_nameless || session.sign_in.is_some() { None } else { sign_in_of(session, sessions) };
        match above.and_then(|above| drafts.get_mut(above)) {
            Some(draft) => draft.children.push(session.root),
            None => roots.push(session.root),
        }
    }
    roots
}

/// The latest sign-in of the same account on the same host shortly before the session's first event.
fn sign_in_of(session: &Session<'_>, sessions: &[Session<'_>]) -> Option<usize> {
    let first = session.events.first()?;
    let user = first.who()?;
    let began = |sign_in: &CaseEvent| {
        same_host(sign_in.host(), first.host())
            && sign_in.who() == Some(user)
            && sign_in.time <= first.time.plus(SKEW)
            && first.time.since(sign_in.time) <= SESSION_START
    };
    let fitting =
        sessions.iter().filter_map(|other| Some((other.sign_in.filter(|sign_in| began(sign_in))?, other.root)));
    fitting.max_by_key(|(sign_in, _)| (sign_in.time, sign_in.id)).map(|(_, root)| root)
}

/// Whether anything below a root has an alert, or the root is a sign-in that follows failures.
fn is_telling(facts: &Facts<'_>, drafts: &[Draft<'_>], root: usize) -> bool {
    let breaches: BTreeSet<_> = facts.breaches.iter().map(|breach| breach.success.id).collect();
    let mut open = vec![root];
    while let Some(draft) = open.pop().and_then(|place| drafts.get(place)) {
        if !draft.event.alerts.is_empty() || breaches.contains(&draft.event.id) {
            return true;
        }
        open.extend(&draft.children);
    }
    false
}

/// Roots first, each above what it began, in time order.
fn place(drafts: &[Draft<'_>], roots: &[usize]) -> (Vec<TreeNode>, usize) {
    let mut nodes = Vec::new();
    let mut left_out = 0;
    let mut open: Vec<(usize, u32)> = roots.iter().rev().map(|root| (*root, 0)).collect();
    while let Some((place, depth)) = open.pop() {
        let Some(draft) = drafts.get(place) else { continue };
        open.extend(draft.children.iter().rev().map(|child| (*child, (depth + 1).min(MAX_DEPTH))));
        if nodes.len() == MAX_NODES {
            left_out += 1;
            continue;
        }
        nodes.push(TreeNode {
            depth,
            time: draft.event.time,
            label: draft.label.clone(),
            detail: detail_of(draft.event).unwrap_or_default(),
            event_id: draft.event.id,
            severity: draft.event.severity(),
        });
    }
    (nodes, left_out)
}
