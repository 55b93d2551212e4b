//! `linux.remove_authorized_key`: one key lets nobody in as one user any more, in every file that sshd reads for that user.
//!
//! Each of its lines becomes a comment that carries our mark, in its own place: so it comes back where it was.

pub(super) mod keys;
mod last;
mod proof;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::json;
use shieldops_model::{ControlPath, Reason, Target};
use shieldops_policy::{Dependant, Facts};
use shieldops_respond::{Capability, Child, Class, Description, Fault, Mark, Observed, Permit, Proving, Purpose, Site};

pub(super) use last::last_file;

use super::{
    Linux, accounts,
    ground::{self, Ground, Outcome, Who},
    hand::Job,
    lasting,
    lines::{self, Lines, Place, Which},
    process,
};

const SSHD_CONFIG: &str = "/etc/ssh/sshd_config";
const SSHD_CONFIG_FOLDER: &str = "/etc/ssh/sshd_config.d";
/// Where sshd looks when it cannot be asked.
const USUAL: &str = ".ssh/authorized_keys .ssh/authorized_keys2";
/// The most accounts whose files are searched for marks.
const MAX_ACCOUNTS: usize = 2_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    #[serde(deserialize_with = "accounts::user")]
    pub user: String,
    /// A fingerprint; a whole public key is taken for its fingerprint.
    #[serde(deserialize_with = "key")]
    pub key: String,
    /// Seconds after which the key comes back by itself.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lasting::expiry")]
    pub expires_in_s: Option<u64>,
}

fn key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    keys::named(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// The lines of the key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub user: String,
    pub key: String,
    pub lines: Lines,
}

#[derive(Debug, Clone)]
pub struct RemoveAuthorizedKey {
    linux: Arc<Linux>,
}

impl RemoveAuthorizedKey {
    pub fn new(linux: Arc<Linux>) -> Self {
        Self { linux }
    }
}

/// What sshd says of a user, as far as keys go.
struct Sshd {
    patterns: String,
    notes: Vec<String>,
    /// Whether it lets this user in by a key.
    keys: bool,
    /// Whether it says that it lets this user in by a password.
    passwords: bool,
}

fn ask_sshd(on: &dyn Ground, user: &str) -> Outcome<Sshd> {
    let question = format!("user={user},host=localhost,addr=127.0.0.1");
    let Some(said) = on.ask(&["sshd", "-T", "-C", &question])? else {
        let note = format!("which files sshd reads: it could not be asked, so {USUAL} were taken");
        return Ok(Sshd { patterns: USUAL.to_owned(), notes: vec![note], keys: true, passwords: false });
    };
    let value = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let mut notes = Vec::new();
    if let Some(command) = value("authorizedkeyscommand").filter(|command| *command != "none") {
        notes.push(format!("keys that sshd takes from a program ({command})"));
    }
    if value("trustedusercakeys").is_some_and(|keys| keys != "none") {
        notes.push("certificates that sshd trusts for this user".to_owned());
    }
    notes.extend(matched(on));
    let root = if user == "root" { value("permitrootlogin").unwrap_or("yes") } else { "yes" };
    let takes = |name: &str| value(name) == Some("yes");
    Ok(Sshd {
        patterns: value("authorizedkeysfile").unwrap_or(USUAL).to_owned(),
        notes,
        keys: value("pubkeyauthentication") != Some("no") && !matches!(root, "no" | "forced-commands-only"),
        passwords: root == "yes" && (takes("passwordauthentication") || takes("kbdinteractiveauthentication")),
    })
}

/// What `Match` blocks by where a client comes from, or which address it comes to, may name: one client is asked about.
fn matched(on: &dyn Ground) -> Option<String> {
    let mut paths = vec![SSHD_CONFIG.to_owned()];
    let more = on.list(SSHD_CONFIG_FOLDER, Who::Root).ok().flatten().unwrap_or_default();
    paths.extend(more.iter().map(|name| ground::join(SSHD_CONFIG_FOLDER, name)));
    let by_client = |line: &str| {
        let line = line.trim().to_ascii_lowercase();
        let mut words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
        let criteria =
            ["address", "host", "invalid-user", "localaddress", "localnetwork", "localport", "rdomain", "version"];
        words.next() == Some("match") && words.any(|word| criteria.contains(&word))
    };
    let found = paths.into_iter().find(|path| {
        let text = accounts::text(on, path).unwrap_or_default();
        text.lines().any(by_client)
    });
    found.map(|path| format!("files of keys that a Match block of {path} names for some clients or addresses only"))
}

/// The files of a user's keys, each opened as that user where it is below its home.
fn places(account: &accounts::Account, patterns: &str) -> Vec<Place> {
    let home = account.home.trim_end_matches('/');
    let own = |path: &str| !home.is_empty() && path.strip_prefix(home).is_some_and(|rest| rest.starts_with('/'));
    let files = keys::files(patterns, &account.name, account.uid, &account.home);
    let mut places: Vec<Place> = Vec::new();
    for path in files.into_iter().filter(|path| ground::check_path(path).is_ok()) {
        let who = if own(&path) { Who::User { uid: account.uid, gid: account.gid } } else { Who::Root };
        if !places.iter().any(|place| place.path == path) {
            places.push(Place { path, who });
        }
    }
    places
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Look {
    user: String,
    key: String,
    /// Fingerprints that we come in by.
    own_keys: Vec<String>,
}

impl Job for Look {
    type Answer = (State, Facts);
    const NAME: &'static str = "authorized_key.look";

    fn run(self, on: &mut dyn Ground) -> Outcome<Self::Answer> {
        let account = accounts::find(on, &self.user)?;
        let sshd = ask_sshd(on, &self.user)?;
        let lines = lines::read(on, &places(&account, &sshd.patterns), &Which::Key(self.key.clone()))?;
        let mut facts = Facts {
            resources: vec![format!("user:{}", self.user)],
            not_checkable: sshd.notes.clone(),
            ..Facts::default()
        };
        // What has the key is what would be written.
        facts.touches = lines.copies.iter().map(|copy| format!("path:{}", copy.path)).collect();
        facts.touches.dedup();
        if self.own_keys.contains(&self.key) {
            let detail = format!("{} is the key that we come in by", self.key);
            facts.untouchable.push(Reason { code: "own_key".to_owned(), detail });
        }
        facts.untouchable.extend(last::last_way(on, &account, &sshd, &self.key)?);
        let sessions =
            on.processes()?.into_iter().filter(|process| process.uid == account.uid && process.session.is_some());
        facts.dependants = sessions
            .map(|process| Dependant {
                kind: "session".to_owned(),
                name: format!("session {}", process.session.unwrap_or_default()),
                detail: "goes on until it is ended, whichever key it came in by".to_owned(),
            })
            .collect();
        facts.dependants.sort();
        facts.dependants.dedup();
        Ok((State { user: self.user, key: self.key, lines }, facts))
    }
}

/// Changes the lines, in the files that sshd reads now.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Set {
    action: String,
    from: State,
    to: State,
}

impl Set {
    /// The same in the files that sshd reads.
    fn lines(self, on: &dyn Ground) -> Outcome<lines::Set> {
        let account = accounts::find(on, &self.to.user)?;
        let sshd = ask_sshd(on, &self.to.user)?;
        Ok(lines::Set {
            places: places(&account, &sshd.patterns),
            which: Which::Key(self.to.key),
            action: self.action,
            from: self.from.lines,
            to: self.to.lines,
        })
    }
}

impl Job for Set {
    type Answer = ();
    const NAME: &'static str = "authorized_key.set";
    const CHANGES: bool = true;

    fn run(self, on: &mut dyn Ground) -> Outcome<()> {
        self.lines(on)?.run(on)
    }

    fn sweep(self, on: &mut dyn Ground) -> Outcome<()> {
        self.lines(on)?.sweep(on)
    }
}

/// Keys that we keep out of force, in the usual files of every user: user, file, action, fingerprint.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Marks {}

impl Job for Marks {
    type Answer = Vec<[String; 4]>;
    const NAME: &'static str = "authorized_key.marks";

    fn run(self, on: &mut dyn Ground) -> Outcome<Self::Answer> {
        let mut found = Vec::new();
        let accounts = accounts::accounts(&accounts::text(on, "/etc/passwd")?);
        for account in accounts.into_iter().filter(|it| accounts::check_user(&it.name).is_ok()).take(MAX_ACCOUNTS) {
            for (path, action, line) in lines::marked(on, &places(&account, USUAL)) {
                if let Some(print) = keys::fingerprint(&line) {
                    found.push([account.name.clone(), path, action, print]);
                }
            }
        }
        Ok(found)
    }
}

#[async_trait]
impl Capability for RemoveAuthorizedKey {
    type Params = Params;
    type State = State;

    fn describe(&self) -> Description {
        Description {
            name: "linux.remove_authorized_key",
            title: "Remove an SSH key of a user",
            target_kind: "linux_host",
            params_schema: json!({
                "type": "object", "additionalProperties": false, "required": ["key", "user"],
                "properties": {
                    "user": {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.$-]{0,31}$", "description": "name of the user whom the key lets in", "examples": ["alice"]},
                    "key": {"type": "string", "minLength": 1, "maxLength": 16_384, "description": "fingerprint as `ssh-keygen -lf` shows it, or the whole public key", "examples": ["SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDTJzFEoR6Fz0UhS3A"]},
                    "expires_in_s": {"type": "integer", "minimum": 1, "maximum": lasting::MAX_EXPIRY_S, "description": "seconds after which the key comes back"},
                },
            }),
            class: Class::Reversible,
            purpose: Purpose::Containment,
            effects: &["credential.revoke"],
            settle_ms: 0,
            base_risk: 1,
            twin: shieldops_respond::Twin::Rooted,
            docs: "Finds the files by asking sshd (`sshd -T -C user=…`), opens those below the user's home as that user and without following \
                   links, and turns every line with this key into a comment that carries our mark. Options and comment stay on the line. Keys \
                   from a program, certificates and sessions that are up are not reached. The last key by which an administrator (root, a member \
                   of `sudo`, `wheel` or `admin`, whom sudoers names) gets in is refused (`last_management_key`), unless one of them has a \
                   password that sshd says it takes.",
        }
    }

    async fn observe(&self, target: &Target, params: &Params) -> Result<Observed<State>, Fault> {
        let look = Look { user: params.user.clone(), key: params.key.clone(), own_keys: self.linux.own_keys() };
        let (state, facts) = self.linux.hand(target, look, None).await?;
        Ok(Observed { state, facts })
    }

    fn desired(&self, state: &State, _params: &Params) -> State {
        State { lines: state.lines.all(false), ..state.clone() }
    }

    async fn apply(&self, site: Site<'_>, from: &State, to: &State, permit: Permit) -> Result<(), Fault> {
        let set = Set { action: permit.action().to_string(), from: from.clone(), to: to.clone() };
        self.linux.hand(site.target, set, Some(site.watch)).await
    }

    fn undo_text(&self, params: &Params) -> String {
        format!(
            "Puts the lines of {} back in force where they stand; what else was changed in the files stays.",
            params.key
        )
    }

    fn control_path(&self, target: &Target, _params: &Params) -> ControlPath {
        Linux::control_path(target)
    }

    fn key(&self, params: &Params) -> String {
        format!("{}/{}", params.user, params.key)
    }

    fn lasts(&self, params: &Params) -> Option<Duration> {
        params.expires_in_s.map(Duration::from_secs)
    }

    fn holds(&self, observed: &State, wanted: &State) -> bool {
        observed.lines.hold(&wanted.lines)
    }

    fn half_way(&self, there: &State, from: &State) -> bool {
        there.lines.between(&from.lines)
    }

    fn not_checkable(&self, params: &Params) -> Vec<String> {
        vec![
            format!("sessions of {} that are up, whichever key they came in by", params.user),
            "certificates, and keys that sshd takes from a program".to_owned(),
        ]
    }

    async fn marks(&self, target: &Target) -> Result<Vec<Mark<Params>>, Fault> {
        if !self.linux.has_files(target) {
            return Ok(Vec::new());
        }
        let found = self.linux.hand(target, Marks {}, None).await?;
        let mark = |[user, path, action, key]: [String; 4]| {
            let detail =
                format!("{key} of {user} is out of force in {path} (whoever owns that file can write such a line)");
            Some(Mark { action: action.parse().ok()?, params: Params { user, key, expires_in_s: None }, detail })
        };
        Ok(found.into_iter().filter_map(mark).collect())
    }

    fn cleared(&self, state: State) -> State {
        State { lines: state.lines.all(true), ..state }
    }

    async fn end_child(&self, child: &Child) -> Result<(), Fault> {
        process::end(child).await
    }

    fn proving(&self) -> Option<&dyn Proving> {
        Some(self)
    }
}
