//! Rescue: the inverse of every reversible effect lies sealed in the data directory before the effect is made, so that
//! all of them can be taken back with the server dead and the database gone.

mod account;
mod alone;

use std::{
    cmp::Reverse,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shieldops_model::{Action, ActionId, ActionState, Target, TenantId, Timestamp};
use shieldops_policy::{Class, Inverse, Rescue};
use shieldops_seal::DataKey;

use crate::{
    AnyCapability, Engine, Error, Fault, Registry, Site,
    diff::{told, wanting},
    engine::Ready,
    undo::Prospect,
};
use alone::Alone;

const FOLDER: &str = "rescue";
/// Any time at all: states with a timer are compared without what is left of it.
const LASTING: Duration = Duration::from_hours(24);
const JOURNAL: &str = "journal";
const NO_CAPABILITY: &str = "this build has no such capability";
/// The largest record or journal that is read, in bytes.
const MAX_RECORD: u64 = 4 * 1024 * 1024;
const MAX_JOURNAL: u64 = 64 * 1024 * 1024;

/// The engines of all tenants share one journal.
static FORGETTING: Mutex<()> = Mutex::new(());

/// Where a tenant's engine keeps the inverses of what it does.
#[derive(Clone)]
pub struct RescueFolder {
    folder: PathBuf,
    installation: String,
    key: DataKey,
}

/// How the rescue of one action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rescued {
    /// Taken back and read back.
    Undone,
    /// It was so already.
    Already,
    /// Somebody changed the state since: left alone.
    Drifted,
    /// Tried, and the target is not as it was, or could not be read since.
    Failed,
    /// The target or the record could not be read: nothing was touched.
    Unknown,
}

/// A line of the journal of a rescue, and of its report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RescueLine {
    pub tenant: Option<TenantId>,
    pub action: String,
    pub capability: String,
    pub target: String,
    pub outcome: Rescued,
    pub detail: Option<String>,
    pub at: Timestamp,
    /// The user of the operating system.
    pub by: String,
    /// What they said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a rescue would make of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Foreseen {
    pub action: String,
    pub capability: String,
    pub target: String,
    /// `undo`, `nothing` where it is as before already, `cannot` where somebody changed it since, `unknown`.
    pub prospect: Prospect,
    pub detail: Option<String>,
}

impl std::fmt::Debug for RescueFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RescueFolder").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl RescueFolder {
    pub fn new(data_dir: &Path, installation: String, key: DataKey) -> io::Result<Self> {
        let folder = data_dir.join(FOLDER);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self { folder, installation, key })
    }

    /// Returns when the record is on the disk.
    fn put(&self, inverse: &Inverse) -> Result<(), String> {
        let record = inverse.seal(&self.key).map_err(|error| error.to_string())?;
        let write = || -> io::Result<()> {
            let path = self.folder.join(inverse.action.to_string());
            let fresh = path.with_extension("new");
            let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&fresh)?;
            file.write_all(&record)?;
            file.sync_all()?;
            fs::rename(&fresh, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(|error| format!("the record for a rescue could not be written: {error}"))
    }

    fn remove(&self, action: ActionId) {
        let path = self.folder.join(action.to_string());
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, action.id = %action, "a record for a rescue could not be removed"),
        }
    }

    fn journal(&self) -> io::Result<Vec<RescueLine>> {
        let text = match read_capped(&self.folder.join(JOURNAL), MAX_JOURNAL) {
            Ok(text) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        // A line that was cut by a crash says nothing.
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Takes these lines out of the journal: they stand in a ledger. What no tenant knows of stays.
    fn forget(&self, accounted: &[&RescueLine]) -> io::Result<()> {
        let _one_at_a_time = FORGETTING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rest = self.journal()?;
        rest.retain(|line| !accounted.contains(&line));
        let path = self.folder.join(JOURNAL);
        if rest.is_empty() {
            return fs::remove_file(path);
        }
        let lines: Result<Vec<String>, _> = rest.iter().map(serde_json::to_string).collect();
        let fresh = path.with_extension("new");
        fs::write(&fresh, lines.map_err(io::Error::other)?.join("\n") + "\n")?;
        File::open(&fresh)?.sync_all()?;
        fs::rename(fresh, path)
    }

    fn actions(&self) -> io::Result<Vec<ActionId>> {
        let names = fs::read_dir(&self.folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter_map(|name| name.parse().ok()).collect())
    }
}

impl Engine {
    /// Before an action wants an effect: how to take it back lies on the disk.
    pub(crate) async fn keep_inverse(
        &self,
        plan_hash: &str,
        action: &Action,
        ready: &Ready,
        (before, wanted): (&Value, &Value),
    ) -> Result<(), Fault> {
        let Some(folder) = &self.with.rescue else { return Ok(()) };
        if ready.capability.describe().class != Class::Reversible {
            return Ok(());
        }
        let kept = self.with.journal.baseline(&action.state_key).await;
        let baseline = kept.map_err(|error| Fault::Failed(error.to_string()))?;
        let inverse = Inverse {
            tenant: self.with.tenant,
            action: action.id,
            installation: folder.installation.clone(),
            plan_hash: plan_hash.to_owned(),
            capability: action.capability.clone(),
            target: ready.target.clone(),
            params: action.params.clone(),
            state_key: action.state_key.clone(),
            left: wanted.clone(),
            restore: baseline.unwrap_or_else(|| before.clone()),
            at: self.now(),
        };
        let folder = folder.clone();
        let put = tokio::task::spawn_blocking(move || folder.put(&inverse)).await;
        put.map_err(|error| Fault::Failed(error.to_string()))?.map_err(Fault::Failed)
    }

    /// The action wants nothing any more.
    pub(crate) fn drop_inverse(&self, action: ActionId) {
        if let Some(folder) = &self.with.rescue {
            folder.remove(action);
        }
    }

    /// Removes records of actions that own nothing: a process ended between its last write and their removal.
    pub(crate) async fn sweep_inverses(&self) -> Result<(), Error> {
        let Some(folder) = &self.with.rescue else { return Ok(()) };
        for id in folder.actions().map_err(|error| Error::Internal(format!("rescue: {error}")))? {
            let Some(action) = self.with.journal.action(id).await? else { continue };
            let owners = self.with.journal.owners(&action.state_key).await?;
            if !owners.iter().any(|owner| owner.action_id == id) && action.state != ActionState::Running {
                folder.remove(id);
            }
        }
        Ok(())
    }
}

fn read_capped(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is too large", path.display())));
    }
    fs::read(path)
}

/// The sealed records of a data directory by the name of their action, and the installation that each needs.
#[derive(Debug)]
pub struct Offline {
    folder: PathBuf,
    records: Vec<Record>,
    unreadable: Vec<(String, Option<TenantId>, String)>,
    reason: Option<String>,
}

#[derive(Debug)]
struct Record {
    name: String,
    rescue: Rescue,
}

impl Offline {
    /// Reads every record; `key` gives a tenant's key.
    pub fn read(data_dir: &Path, key: impl Fn(TenantId) -> Result<DataKey, String>) -> io::Result<Self> {
        let folder = data_dir.join(FOLDER);
        let mut found = Self { folder: folder.clone(), records: Vec::new(), unreadable: Vec::new(), reason: None };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            Err(error) => return Err(error),
        };
        let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.retain(|name| name.parse::<ActionId>().is_ok());
        // Newest first: what came later may rest on what came before.
        names.sort_unstable_by(|a, b| b.cmp(a));
        for name in names {
            match open(&folder.join(&name), &key) {
                Ok(rescue) => found.records.push(Record { name, rescue }),
                Err((tenant, why)) => found.unreadable.push((name, tenant, why)),
            }
        }
        // By when each was done: a plan may be older than the one that ran before it.
        found.records.sort_by_key(|record| Reverse(record.rescue.inverse().at));
        Ok(found)
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.unreadable.is_empty()
    }

    /// The installation that the records are of.
    pub fn installation(&self) -> Option<String> {
        self.records.first().map(|record| record.rescue.inverse().installation.clone())
    }

    /// Why everything is taken back: each line of the journal says it, and the ledger after the next start.
    #[must_use]
    pub fn because(self, reason: &str) -> Self {
        Self { reason: Some(reason.to_owned()), ..self }
    }

    /// What taking everything back would come to, newest first, from what the targets say now. Touches nothing.
    pub async fn foresee(&self, registry: &Registry) -> Vec<Foreseen> {
        let mut seen = Vec::with_capacity(self.records.len() + self.unreadable.len());
        for record in &self.records {
            let inverse = record.rescue.inverse();
            let (prospect, detail) = match registry.find(&inverse.capability) {
                None => (Prospect::Unknown, Some(NO_CAPABILITY.to_owned())),
                Some(capability) => match compare(capability.as_ref(), inverse).await {
                    Ok(None) => (Prospect::Undo, None),
                    Ok(Some((Rescued::Already, why))) => (Prospect::Nothing, Some(why)),
                    Ok(Some((_, why))) => (Prospect::Cannot, Some(why)),
                    Err(fault) => (Prospect::Unknown, Some(fault.to_string())),
                },
            };
            let (capability, target) = (inverse.capability.clone(), inverse.target.name.clone());
            seen.push(Foreseen { action: record.name.clone(), capability, target, prospect, detail });
        }
        seen.extend(self.unreadable.iter().map(|(action, _, why)| Foreseen {
            action: action.clone(),
            capability: String::new(),
            target: String::new(),
            prospect: Prospect::Unknown,
            detail: Some(why.clone()),
        }));
        seen
    }

    /// Takes everything back, newest first. Each outcome is in the journal before the next is tried; records of what
    /// was taken back go when the next start accounted for them.
    pub async fn undo_all(
        self,
        registry: &Registry,
        by: &str,
        now: impl Fn() -> Timestamp,
    ) -> io::Result<Vec<RescueLine>> {
        let mut lines = Vec::new();
        let Self { folder, records, unreadable, reason } = self;
        for record in records {
            let inverse = record.rescue.inverse().clone();
            let (outcome, detail) = take_back(registry, record.rescue, now()).await;
            lines.push(RescueLine {
                tenant: Some(inverse.tenant),
                action: record.name,
                capability: inverse.capability,
                target: inverse.target.name,
                outcome,
                detail,
                at: now(),
                by: by.to_owned(),
                reason: reason.clone(),
            });
            append(&folder, lines.last())?;
        }
        for (action, tenant, why) in unreadable {
            let (capability, target) = (String::new(), String::new());
            let detail = Some(why);
            lines.push(RescueLine {
                tenant,
                action,
                capability,
                target,
                outcome: Rescued::Unknown,
                detail,
                at: now(),
                by: by.to_owned(),
                reason: reason.clone(),
            });
            append(&folder, lines.last())?;
        }
        Ok(lines)
    }
}

fn open(path: &Path, key: &impl Fn(TenantId) -> Result<DataKey, String>) -> Result<Rescue, (Option<TenantId>, String)> {
    let record = read_capped(path, MAX_RECORD).map_err(|error| (None, error.to_string()))?;
    let tenant = Rescue::tenant(&record).map_err(|error| (None, error.to_string()))?;
    let key = key(tenant).map_err(|why| (Some(tenant), why))?;
    Rescue::open(&record, &key).map_err(|error| (Some(tenant), error.to_string()))
}

fn append(folder: &Path, line: Option<&RescueLine>) -> io::Result<()> {
    let Some(line) = line else { return Ok(()) };
    let mut text = serde_json::to_string(line).map_err(io::Error::other)?;
    text.push('\n');
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(folder.join(JOURNAL))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

async fn take_back(registry: &Registry, rescue: Rescue, now: Timestamp) -> (Rescued, Option<String>) {
    let Some(capability) = registry.find(&rescue.inverse().capability).map(Arc::clone) else {
        return (Rescued::Unknown, Some(NO_CAPABILITY.to_owned()));
    };
    match try_back(capability.as_ref(), rescue, now).await {
        Ok(outcome) => outcome,
        Err(fault) => (Rescued::Unknown, Some(fault.to_string())),
    }
}

/// Why a record's effect is not to be taken back; `None` where the target is as the action left it.
async fn compare(capability: &dyn AnyCapability, inverse: &Inverse) -> Result<Option<(Rescued, String)>, Fault> {
    let there = capability.observe(&inverse.target, &inverse.params).await?.state;
    if capability.holds(&there, &inverse.restore)? {
        return Ok(Some((Rescued::Already, "it was as before already".to_owned())));
    }
    // What a rescue that was cut off left is ours too.
    if !as_left(capability, &there, inverse)? && !capability.half_way(&there, &inverse.left)? {
        let now = told(&inverse.left, &there);
        return Ok(Some((Rescued::Drifted, format!("somebody changed it since, so it was left alone: {now}"))));
    }
    Ok(None)
}

/// Whether the target is as the action left it. For how long the effect lasts is not compared: that changes with its other
/// owners, and the record does not.
fn as_left(capability: &dyn AnyCapability, there: &Value, inverse: &Inverse) -> Result<bool, Fault> {
    let timed = capability.hold(&inverse.left, Some(LASTING))?;
    let untimed = capability.hold(&inverse.left, None)?;
    for left in [&inverse.left, &timed, &untimed] {
        if capability.same(there, left)? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn try_back(
    capability: &dyn AnyCapability,
    rescue: Rescue,
    now: Timestamp,
) -> Result<(Rescued, Option<String>), Fault> {
    let (permit, inverse) = rescue.permit(rand::random());
    let target: &Target = &inverse.target;
    if let Some((outcome, why)) = compare(capability, &inverse).await? {
        return Ok((outcome, Some(why)));
    }
    let site = Site { target, now, watch: &Alone };
    let said = capability.apply(site, &inverse.left, &inverse.restore, permit).await;
    let read = capability.observe(target, &inverse.params).await;
    let said = said.err().map(|fault| format!(": {fault}")).unwrap_or_default();
    let there = match read {
        Ok(observed) => observed.state,
        Err(fault) => {
            return Ok((Rescued::Failed, Some(format!("it was tried, and the target cannot be read ({fault}){said}"))));
        }
    };
    if capability.holds(&there, &inverse.restore)? {
        return Ok((Rescued::Undone, None));
    }
    let now = wanting(&inverse.restore, &there);
    Ok((Rescued::Failed, Some(format!("the target is not as it was ({now}){said}"))))
}
