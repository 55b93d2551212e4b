//! `linux.quarantine_file`: moves one file, unchanged, into a vault of root's on its own filesystem.
//!
//! Not a copy: the inode stays what it was, so owner, permissions, times and hash come back with it.

mod essential;
mod proof;
mod vault;

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::json;
use shieldops_model::{ControlPath, Reason, Target};
use shieldops_policy::{Dependant, Facts};
use shieldops_respond::{Capability, Child, Class, Description, Fault, Mark, Observed, Permit, Proving, Purpose, Site};

use super::{
    Linux, authorized_key,
    ground::{self, Ground, Kind, MAX_HASHED, MAX_TEXT, Outcome, Seen, Trouble, Who, refused},
    hand::Job,
    kill_process, lasting, process,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Absolute, without links.
    #[serde(deserialize_with = "path")]
    pub path: String,
    /// Seconds after which the file comes back by itself.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lasting::expiry")]
    pub expires_in_s: Option<u64>,
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    ground::check_path(&text).map_err(D::Error::custom)?;
    Ok(text)
}

/// One file: which it is, and what is in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Not compared: a filesystem's number may change with a reboot.
    pub dev: u64,
    pub inode: u64,
    pub size: u64,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime_ns: i64,
    /// `None`: too large to be hashed.
    pub sha256: Option<String>,
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        let key = |it: &Self| (it.inode, it.size, it.mode, it.uid, it.gid, it.mtime_ns, it.sha256.clone());
        key(self) == key(other)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub path: String,
    /// What is at the path.
    pub file: Option<Content>,
    /// What of this path is in our vault.
    pub quarantined: Option<Content>,
    /// The vault has a note about this path without its file, or is empty: a move was cut off. Not compared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leftover: bool,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && self.file == other.file && self.quarantined == other.quarantined
    }
}

#[derive(Debug, Clone)]
pub struct QuarantineFile {
    linux: Arc<Linux>,
}

impl QuarantineFile {
    pub fn new(linux: Arc<Linux>) -> Self {
        Self { linux }
    }
}

fn content(on: &dyn Ground, path: &str, seen: &Seen) -> Outcome<Content> {
    let sha256 = if seen.size > MAX_HASHED {
        None
    } else {
        on.read(path, Who::Root, MAX_HASHED)?.map(|text| ground::sha256(&text.bytes))
    };
    let Seen { dev, inode, size, mode, uid, gid, mtime_ns, .. } = *seen;
    Ok(Content { dev, inode, size, mode, uid, gid, mtime_ns, sha256 })
}

/// Reads the state, and what hangs on the file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Look {
    path: String,
    /// Fingerprints of keys that we come in by.
    own_keys: Vec<String>,
}

impl Job for Look {
    type Answer = (State, Facts);
    const NAME: &'static str = "quarantine_file.look";

    fn run(self, on: &mut dyn Ground) -> Outcome<Self::Answer> {
        let seen = on.find(&self.path, Who::Root)?;
        let file = match &seen {
            Some(seen) if seen.kind == Kind::File => Some(content(on, &self.path, seen)?),
            _ => None,
        };
        let quarantined = match vault::find(on, &self.path)? {
            Some(entry) => Some(content(on, &entry.file, &entry.seen)?),
            None => None,
        };
        let mut facts = Facts { resources: vec![format!("path:{}", self.path)], ..Facts::default() };
        if let Some(seen) = &seen {
            facts.untouchable = untouchable(on, &self.path, seen)?;
            facts.untouchable.extend(of_keys(on, &self, seen)?);
            hang(on, seen, &mut facts)?;
        }
        if quarantined.is_some() && file.is_some() {
            let detail = format!("{} was quarantined before and is there again: undo that first", self.path);
            facts.untouchable.push(reason("vault_occupied", detail));
        }
        if file.as_ref().is_some_and(|file| file.sha256.is_none()) {
            facts.not_checkable.push(format!("the hash: the file is larger than {MAX_HASHED} bytes"));
        }
        let leftover = vault::leftover(on, &self.path)?;
        Ok((State { path: self.path, file, quarantined, leftover }, facts))
    }
}

fn reason(code: &str, detail: String) -> Reason {
    Reason { code: code.to_owned(), detail }
}

/// Why this file cannot or must not be moved.
fn untouchable(on: &dyn Ground, path: &str, seen: &Seen) -> Outcome<Vec<Reason>> {
    let mut reasons = Vec::new();
    let mut no = |code: &str, why: &str| reasons.push(reason(code, format!("{path} {why}")));
    if seen.kind != Kind::File {
        no("not_a_file", "is no regular file: only regular files are quarantined");
    }
    if seen.immutable {
        no("immutable", "is immutable or append-only: take that flag away first (chattr)");
    }
    if seen.kind == Kind::File && seen.links > 1 {
        no("hard_links", &format!("has {} names: under the others it would stay", seen.links));
    }
    let folder = on.find(ground::split(path).0, Who::Root)?;
    if seen.mounted || folder.is_some_and(|folder| folder.mount != seen.mount) {
        no("mounted", "is mounted there: a mounted file cannot be renamed");
    }
    if let Some(why) = essential::why(on, path)? {
        no("essential_file", &why);
    }
    if let Err(Trouble::Refused(why)) = vault::room(on, path) {
        no("no_vault", &format!("has nowhere to go: {why}"));
    }
    if ground::is_in(path, &on.with().own) {
        no("own_data", "is our own: data, a key, or configuration");
    }
    Ok(reasons)
}

/// Why a file of keys has to stay: we, or the last of those who may become root, come in by it.
fn of_keys(on: &dyn Ground, look: &Look, seen: &Seen) -> Outcome<Vec<Reason>> {
    if seen.kind != Kind::File {
        return Ok(Vec::new());
    }
    let path = &look.path;
    let read = if seen.size > MAX_TEXT { None } else { on.read(path, Who::Root, MAX_TEXT)? };
    let keys = read.map(|text| {
        text.bytes.split(|byte| *byte == b'\n').filter_map(authorized_key::keys::fingerprint).collect::<Vec<_>>()
    });
    let mut reasons = Vec::new();
    if keys.iter().flatten().any(|key| look.own_keys.contains(key)) {
        reasons.push(reason("own_key", format!("{path} holds the key that we come in by")));
    }
    // What is too long to be read may hold one.
    if keys.is_none_or(|keys| !keys.is_empty()) {
        reasons.extend(authorized_key::last_file(on, path)?);
    }
    Ok(reasons)
}

/// Who holds the file.
fn hang(on: &dyn Ground, seen: &Seen, facts: &mut Facts) -> Outcome<()> {
    if seen.kind != Kind::File {
        return Ok(());
    }
    for (process, how) in on.holders(seen)? {
        let said = match how.as_str() {
            "runs" => "runs this program, and goes on",
            "mapped" => "has it mapped, and goes on",
            _ => "has it open, and goes on",
        };
        let name = format!("{} ({})", process.name, process.identity.pid);
        let protected = kill_process::protected(on, &process)?;
        if how == "runs" {
            facts.untouchable.extend(protected);
            facts.resources.push(process.resource());
        } else if how == "mapped" && essential::holds_all(&protected) {
            let detail = format!("{name} has it mapped: without it nothing like that starts again");
            facts.untouchable.push(reason("needed_to_run", detail));
        }
        facts.dependants.push(Dependant { kind: "process".to_owned(), name, detail: said.to_owned() });
    }
    facts.dependants.sort();
    facts.resources.sort();
    facts.resources.dedup();
    Ok(())
}

/// Makes it so: in or out.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Move {
    action: String,
    from: State,
    to: State,
}

impl Job for Move {
    type Answer = ();
    const NAME: &'static str = "quarantine_file.move";
    const CHANGES: bool = true;

    fn run(self, on: &mut dyn Ground) -> Outcome<()> {
        let path = &self.to.path;
        match (&self.to.file, &self.to.quarantined) {
            (None, Some(wanted)) => {
                let Some(seen) = on.find(path, Who::Root)? else {
                    return Err(Trouble::Failed(format!("{path} is gone")));
                };
                if let Some(why) = untouchable(on, path, &seen)?.first() {
                    return refused(&why.detail);
                }
                if content(on, path, &seen)? != *wanted {
                    return refused(format!("{path} is another file than the one that was seen"));
                }
                vault::put(on, path, &seen, &self.action)
            }
            (Some(wanted), None) => {
                let Some(entry) = vault::find(on, path)? else {
                    if is_back(on, path, wanted)? {
                        return vault::tidy(on, path);
                    }
                    return Err(Trouble::Failed(format!("nothing of {path} is in the vault")));
                };
                if content(on, &entry.file, &entry.seen)? != *wanted {
                    return refused(format!("what is in the vault is not what was at {path}"));
                }
                vault::take(on, path, &entry)
            }
            _ => Ok(()),
        }
    }

    fn sweep(self, on: &mut dyn Ground) -> Outcome<()> {
        vault::tidy(on, &self.to.path)
    }
}

/// Whether the file is at its place: a move back was cut off after that.
fn is_back(on: &dyn Ground, path: &str, wanted: &Content) -> Outcome<bool> {
    let Some(seen) = on.find(path, Who::Root)?.filter(|seen| seen.kind == Kind::File) else { return Ok(false) };
    Ok(content(on, path, &seen)? == *wanted)
}

/// What is in the vaults, by whose action.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Marks {}

impl Job for Marks {
    type Answer = Vec<(String, String)>;
    const NAME: &'static str = "quarantine_file.marks";

    fn run(self, on: &mut dyn Ground) -> Outcome<Self::Answer> {
        vault::all(on)
    }
}

#[async_trait]
impl Capability for QuarantineFile {
    type Params = Params;
    type State = State;

    fn describe(&self) -> Description {
        Description {
            name: "linux.quarantine_file",
            title: "Quarantine a file",
            target_kind: "linux_host",
            params_schema: json!({
                "type": "object", "additionalProperties": false, "required": ["path"],
                "properties": {
                    "path": {"type": "string", "pattern": "^/", "maxLength": ground::MAX_PATH, "description": "absolute path of a regular file, without symbolic links", "examples": ["/tmp/dropper"]},
                    "expires_in_s": {"type": "integer", "minimum": 1, "maximum": lasting::MAX_EXPIRY_S, "description": "seconds after which the file comes back by itself"},
                },
            }),
            class: Class::Reversible,
            purpose: Purpose::Containment,
            effects: &["file.quarantine"],
            settle_ms: 0,
            base_risk: 2,
            twin: shieldops_respond::Twin::Rooted,
            docs: "Renames the file into `.shieldops-vault` at the root of its own filesystem, a folder that only root can enter (under another \
                   name where somebody took that one). The inode is untouched: owner, permissions, times and content come back as they were. \
                   Refused where that is impossible: several names, immutable, mounted, no regular file, a link on the way; and where its keys \
                   are the last by which an administrator gets in (`last_management_key`). A path that is occupied when the file is to come \
                   back is never overwritten.",
        }
    }

    async fn observe(&self, target: &Target, params: &Params) -> Result<Observed<State>, Fault> {
        let look = Look { path: params.path.clone(), own_keys: self.linux.own_keys() };
        let (state, facts) = self.linux.hand(target, look, None).await?;
        Ok(Observed { state, facts })
    }

    fn desired(&self, state: &State, _params: &Params) -> State {
        match &state.file {
            Some(file) => {
                State { path: state.path.clone(), file: None, quarantined: Some(file.clone()), leftover: false }
            }
            None => state.clone(),
        }
    }

    async fn apply(&self, site: Site<'_>, from: &State, to: &State, permit: Permit) -> Result<(), Fault> {
        let job = Move { action: permit.action().to_string(), from: from.clone(), to: to.clone() };
        self.linux.hand(site.target, job, Some(site.watch)).await
    }

    fn holds(&self, observed: &State, wanted: &State) -> bool {
        observed == wanted && (wanted.quarantined.is_some() || !observed.leftover)
    }

    fn half_way(&self, there: &State, from: &State) -> bool {
        there.leftover && there.file.is_some() && there.file == from.quarantined
    }

    fn undo_text(&self, params: &Params) -> String {
        format!("Moves the file back to {}, unless something else is there by then.", params.path)
    }

    fn control_path(&self, target: &Target, _params: &Params) -> ControlPath {
        Linux::control_path(target)
    }

    fn key(&self, params: &Params) -> String {
        params.path.clone()
    }

    fn lasts(&self, params: &Params) -> Option<std::time::Duration> {
        params.expires_in_s.map(std::time::Duration::from_secs)
    }

    fn not_checkable(&self, params: &Params) -> Vec<String> {
        vec![
            format!("copies of {} under other names", params.path),
            "programs that run it already: they go on until they are ended".to_owned(),
        ]
    }

    async fn marks(&self, target: &Target) -> Result<Vec<Mark<Params>>, Fault> {
        if !self.linux.has_files(target) {
            return Ok(Vec::new());
        }
        let found = self.linux.hand(target, Marks {}, None).await?;
        let mark = |(action, path): (String, String)| {
            let detail = format!("{path} is in quarantine");
            Some(Mark { action: action.parse().ok()?, params: Params { path, expires_in_s: None }, detail })
        };
        Ok(found.into_iter().filter_map(mark).collect())
    }

    fn cleared(&self, state: State) -> State {
        match (&state.file, &state.quarantined) {
            (None, Some(_)) => State { path: state.path, file: state.quarantined, quarantined: None, leftover: false },
            _ => state,
        }
    }

    async fn end_child(&self, child: &Child) -> Result<(), Fault> {
        process::end(child).await
    }

    fn proving(&self) -> Option<&dyn Proving> {
        Some(self)
    }
}
