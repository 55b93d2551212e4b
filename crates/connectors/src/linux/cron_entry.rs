//! `linux.disable_cron_entry`: one entry of one crontab starts nothing any more.
//!
//! Its line becomes a comment that carries our mark. The file is replaced by rename, so that the time of its folder moves
//! and cron reads it again at the next full minute.

mod proof;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::json;
use shieldops_model::{ControlPath, Target};
use shieldops_policy::{Dependant, Facts};
use shieldops_respond::{Capability, Child, Class, Description, Fault, Mark, Observed, Permit, Proving, Purpose, Site};

use super::{
    Linux, accounts,
    ground::{self, Ground, Outcome, Process, Who},
    hand::Job,
    lasting,
    lines::{self, Lines, Place, Which},
    process,
};

/// Cron looks once a minute.
const SETTLE_MS: u64 = 61_000;
/// The longest entry, in bytes: cron's own limit.
const MAX_ENTRY: usize = 1_000;
const SPOOLS: [&str; 2] = ["/var/spool/cron/crontabs", "/var/spool/cron"];
const SYSTEM: &str = "/etc/crontab";
const SYSTEM_FOLDER: &str = "/etc/cron.d";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// `/etc/crontab`, a file of `/etc/cron.d`, or a user's in the spool.
    #[serde(deserialize_with = "path")]
    pub path: String,
    /// The whole line.
    #[serde(deserialize_with = "entry")]
    pub entry: String,
    /// Seconds after which the entry comes back by itself.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lasting::expiry")]
    pub expires_in_s: Option<u64>,
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    check_crontab(&path).map_err(D::Error::custom)?;
    Ok(path)
}

fn entry<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let text = text.trim();
    check_entry(text).map_err(D::Error::custom)?;
    Ok(text.to_owned())
}

/// A file that cron reads.
fn check_crontab(path: &str) -> Result<(), String> {
    ground::check_path(path)?;
    let (folder, name) = ground::split(path);
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let good = path == SYSTEM
        || (folder == SYSTEM_FOLDER && name.chars().all(plain))
        || (SPOOLS.contains(&folder) && accounts::check_user(name).is_ok());
    let shown: String = path.chars().take(80).collect();
    if good {
        return Ok(());
    }
    Err(format!(
        "path: `{}` is no crontab: want {SYSTEM}, {SYSTEM_FOLDER}/<letters, digits, - and _> or {}/<user>",
        shown.escape_debug(),
        SPOOLS[0]
    ))
}

/// A line that starts something: neither a comment nor a setting.
fn check_entry(entry: &str) -> Result<(), String> {
    if entry.len() > MAX_ENTRY || entry.chars().any(|letter| letter.is_control() && letter != '\t') {
        return Err(format!("entry: want one line of up to {MAX_ENTRY} bytes without control characters"));
    }
    if entry.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '*' | '@' | '-')) {
        return Ok(());
    }
    let shown: String = entry.chars().take(40).collect();
    Err(format!("entry: `{}` starts nothing: want the whole line of a job, times first", shown.escape_debug()))
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub path: String,
    pub entry: String,
    pub lines: Lines,
}

#[derive(Debug, Clone)]
pub struct DisableCronEntry {
    linux: Arc<Linux>,
}

impl DisableCronEntry {
    pub fn new(linux: Arc<Linux>) -> Self {
        Self { linux }
    }
}

fn place(path: &str) -> Place {
    Place { path: path.to_owned(), who: Who::Root }
}

/// Whose jobs they are: the owner of a spool file, or the sixth field.
fn user_of(path: &str, entry: &str) -> Option<String> {
    let (folder, name) = ground::split(path);
    if SPOOLS.contains(&folder) {
        return Some(name.to_owned());
    }
    let words = if entry.starts_with('@') { 1 } else { 5 };
    entry.split_ascii_whitespace().nth(words).filter(|name| accounts::check_user(name).is_ok()).map(str::to_owned)
}

/// Processes that cron started and that run now.
fn jobs(on: &dyn Ground) -> Outcome<Vec<Process>> {
    let all = on.processes()?;
    let mut below: Vec<u32> = all
        .iter()
        .filter(|process| matches!(process.name.to_ascii_lowercase().as_str(), "cron" | "crond"))
        .map(|process| process.identity.pid)
        .collect();
    let daemons = below.len();
    let mut next = 0;
    while let Some(parent) = below.get(next).copied() {
        let children = all.iter().filter(|process| process.ppid == parent).map(|process| process.identity.pid);
        let new: Vec<u32> = children.filter(|pid| !below.contains(pid)).collect();
        below.extend(new);
        next += 1;
    }
    Ok(all.into_iter().filter(|process| below.iter().skip(daemons).any(|pid| *pid == process.identity.pid)).collect())
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Look {
    path: String,
    entry: String,
}

impl Job for Look {
    type Answer = (State, Facts);
    const NAME: &'static str = "cron_entry.look";

    fn run(self, on: &mut dyn Ground) -> Outcome<Self::Answer> {
        let lines = lines::read(on, &[place(&self.path)], &Which::Text(self.entry.clone()))?;
        let mut facts = Facts { resources: vec![format!("path:{}", self.path)], ..Facts::default() };
        facts.resources.extend(user_of(&self.path, &self.entry).map(|user| format!("user:{user}")));
        facts.dependants = jobs(on)?
            .into_iter()
            .map(|process| Dependant {
                kind: "job".to_owned(),
                name: format!("{} ({})", process.name, process.identity.pid),
                detail: "was started by cron and goes on".to_owned(),
            })
            .collect();
        Ok((State { path: self.path, entry: self.entry, lines }, facts))
    }
}

/// Entries that we keep out of force: file, action, line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Marks {}

impl Job for Marks {
    type Answer = Vec<(String, String, String)>;
    const NAME: &'static str = "cron_entry.marks";

    fn run(self, on: &mut dyn Ground) -> Outcome<Self::Answer> {
        let mut places = vec![place(SYSTEM)];
        for folder in [SYSTEM_FOLDER, SPOOLS[0], SPOOLS[1]] {
            let names = on.list(folder, Who::Root).ok().flatten().unwrap_or_default();
            let paths = names.iter().map(|name| ground::join(folder, name));
            places.extend(paths.filter(|path| check_crontab(path).is_ok()).map(|path| place(&path)));
        }
        // An entry is named as text: what is none was never ours.
        let text =
            |(path, action, line): (String, String, Vec<u8>)| Some((path, action, String::from_utf8(line).ok()?));
        Ok(lines::marked(on, &places).into_iter().filter_map(text).collect())
    }
}

#[async_trait]
impl Capability for DisableCronEntry {
    type Params = Params;
    type State = State;

    fn describe(&self) -> Description {
        Description {
            name: "linux.disable_cron_entry",
            title: "Disable a cron entry",
            target_kind: "linux_host",
            params_schema: json!({
                "type": "object", "additionalProperties": false, "required": ["entry", "path"],
                "properties": {
                    "path": {"type": "string", "pattern": "^(/etc/crontab|/etc/cron\\.d/[A-Za-z0-9_-]+|/var/spool/cron/(crontabs/)?[A-Za-z0-9_][A-Za-z0-9_.$-]*)$", "description": "the crontab", "examples": ["/var/spool/cron/crontabs/alice", "/etc/cron.d/backup"]},
                    "entry": {"type": "string", "minLength": 1, "maxLength": MAX_ENTRY, "description": "the whole line, as it stands in the file", "examples": ["*/5 * * * * /tmp/dropper"]},
                    "expires_in_s": {"type": "integer", "minimum": 1, "maximum": lasting::MAX_EXPIRY_S, "description": "seconds after which the entry comes back"},
                },
            }),
            class: Class::Reversible,
            purpose: Purpose::Containment,
            effects: &["schedule.disable"],
            settle_ms: SETTLE_MS,
            base_risk: 1,
            twin: shieldops_respond::Twin::Rooted,
            docs: "Turns every copy of the line in this crontab into a comment that carries our mark. Cron reads the file again at the next full \
                   minute; jobs that run go on. Timers of systemd, `at`, anacron and programs of `run-parts` folders are not reached.",
        }
    }

    async fn observe(&self, target: &Target, params: &Params) -> Result<Observed<State>, Fault> {
        let look = Look { path: params.path.clone(), entry: params.entry.clone() };
        let (state, facts) = self.linux.hand(target, look, None).await?;
        Ok(Observed { state, facts })
    }

    fn desired(&self, state: &State, _params: &Params) -> State {
        State { lines: state.lines.all(false), ..state.clone() }
    }

    async fn apply(&self, site: Site<'_>, from: &State, to: &State, permit: Permit) -> Result<(), Fault> {
        let set = lines::Set {
            places: vec![place(&to.path)],
            which: Which::Text(to.entry.clone()),
            action: permit.action().to_string(),
            from: from.lines.clone(),
            to: to.lines.clone(),
        };
        self.linux.hand(site.target, set, Some(site.watch)).await
    }

    fn undo_text(&self, params: &Params) -> String {
        format!("Puts the line back in force in {}; runs that it missed are not made up for.", params.path)
    }

    fn control_path(&self, target: &Target, _params: &Params) -> ControlPath {
        Linux::control_path(target)
    }

    fn key(&self, params: &Params) -> String {
        format!("{}/{}", params.path, ground::sha256(params.entry.as_bytes()))
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

    fn takes_effect_after(&self) -> Option<Duration> {
        Some(Duration::from_millis(SETTLE_MS))
    }

    fn not_checkable(&self, params: &Params) -> Vec<String> {
        vec![
            format!("that cron has read {} again: it does within a minute, which is waited out", params.path),
            "timers of systemd, `at` and anacron that start the same".to_owned(),
        ]
    }

    async fn marks(&self, target: &Target) -> Result<Vec<Mark<Params>>, Fault> {
        if !self.linux.has_files(target) {
            return Ok(Vec::new());
        }
        let found = self.linux.hand(target, Marks {}, None).await?;
        let mark = |(path, action, entry): (String, String, String)| {
            let entry = entry.trim().to_owned();
            check_entry(&entry).ok()?;
            let detail = format!("an entry of {path} is out of force: {entry}");
            Some(Mark { action: action.parse().ok()?, params: Params { path, entry, expires_in_s: None }, detail })
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_files_that_cron_reads_are_crontabs() {
        for good in ["/etc/crontab", "/etc/cron.d/backup-1", "/var/spool/cron/crontabs/alice", "/var/spool/cron/alice"]
        {
            check_crontab(good).unwrap();
        }
        for bad in [
            "/etc/passwd",
            "/etc/cron.d/a.b",
            "/etc/cron.d/../passwd",
            "/etc/cron.d/",
            "/var/spool/cron/crontabs/$(id)",
            "etc/crontab",
            "/etc/cron.daily/x",
        ] {
            assert!(check_crontab(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn comments_settings_and_several_lines_are_no_entry() {
        for good in ["* * * * * true", "@reboot /x", "0 4 * * 1 root $(reboot); `x`"] {
            check_entry(good).unwrap();
        }
        for bad in ["", "# x", "PATH=/x", "* * * * * a\n* * * * * b", "\0", &format!("*{}", "x".repeat(MAX_ENTRY))] {
            assert!(check_entry(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_user_of_an_entry_is_the_file_s_or_the_sixth_field() {
        assert_eq!(user_of("/var/spool/cron/crontabs/alice", "* * * * * x"), Some("alice".to_owned()));
        assert_eq!(user_of("/etc/crontab", "* * * * * bob x"), Some("bob".to_owned()));
        assert_eq!(user_of("/etc/cron.d/x", "@daily bob x"), Some("bob".to_owned()));
        assert_eq!(user_of("/etc/crontab", "* * *"), None);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_checks(path in ".{0,60}", entry in ".{0,60}") {
            let _path = check_crontab(&path);
            let _entry = check_entry(&entry);
            let _user = user_of(&path, &entry);
        }
    }
}
