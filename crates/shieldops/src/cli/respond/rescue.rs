//! `shieldops action undo --all --data-dir DIR`: takes back all that is in force with the server dead, from the sealed
//! records and the keys alone.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use serde_json::json;
use shieldops_connectors::linux::{Linux, LinuxOptions};
use shieldops_model::{Clock as _, SystemClock};
use shieldops_respond::{Foreseen, Offline, Prospect, Registry, RescueLine, Rescued};
use shieldops_store::{Keys, Store, StoreError};

use super::super::{Outcome, PlaceArgs, block_on, settings};
use crate::output::{self, Failure, Output, REFUSED};

const HEAD: &[&str] = &["ACTION", "OUTCOME", "CAPABILITY", "TARGET", "DETAIL"];
/// No one command undoes all through the server: each names whose part it takes back.
const THROUGH_IT: &str = "undo through it: shieldops action undo --plan ID (a plan), ID --all-owners (an effect), \
     --since 24h --by automation (automation's part of a day alone), --by user:ID or --by rule:ID (theirs); \
     or stop it first, and all that is in force is undone";
const FORESEEN: &[&str] = &["/action", "/prospect", "/capability", "/target", "/detail"];

/// `preview`: says what would be taken back and touches nothing.
pub(super) fn rescue(place: &PlaceArgs, (preview, reason): (bool, &str), form: Output) -> Outcome {
    let settings = settings(&place.flags())?;
    let dir = settings.data_dir.clone();
    if !dir.is_dir() {
        return Err(Failure::unusable(format!("{} is no data directory", dir.display()))
            .fix("name it with --data-dir".to_owned()));
    }
    let _ours = match Store::lock(&dir) {
        Ok(lock) => lock,
        Err(StoreError::InUse { .. }) => {
            return Err(Failure::refused("the server is alive").fix(THROUGH_IT.to_owned()));
        }
        Err(error) => return Err(Failure::unusable(error.to_string())),
    };
    let keys = settings.keys_dir.clone().unwrap_or_else(|| dir.join("keys"));
    let found = Offline::read(&dir, |tenant| Keys::read_data_key(&keys, tenant).map_err(|error| error.to_string()))
        .map_err(|error| Failure::unusable(format!("the rescue records cannot be read: {error}")))?;
    if preview {
        let seen = if found.is_empty() { Vec::new() } else { block_on(foresee(dir, found))? };
        return foreseen(&seen, form);
    }
    let lines = if found.is_empty() { Vec::new() } else { block_on(take_back(dir, found.because(reason)))? };
    print(&lines, form)?;
    let whole = lines.iter().all(|line| matches!(line.outcome, Rescued::Undone | Rescued::Already));
    Ok(ExitCode::from(if whole { output::OK } else { REFUSED }))
}

fn registry(data_dir: PathBuf, found: &Offline) -> anyhow::Result<Registry> {
    let installation = found.installation().unwrap_or_default();
    let linux = Linux::new(LinuxOptions { data_dir, installation, clock: Arc::new(SystemClock) })
        .context("cannot prepare what runs commands on targets")?;
    Ok(Registry::new(shieldops_connectors::capabilities(linux))?)
}

async fn foresee(data_dir: PathBuf, found: Offline) -> anyhow::Result<Vec<Foreseen>> {
    let registry = registry(data_dir, &found)?;
    Ok(found.foresee(&registry).await)
}

fn foreseen(seen: &[Foreseen], form: Output) -> Outcome {
    if form == Output::Json {
        output::json(&json!({"preview": true, "items": seen}))?;
    } else if seen.is_empty() {
        nothing()?;
    } else {
        let rows: Vec<Vec<String>> = seen.iter().map(|one| output::row(&json!(one), FORESEEN)).collect();
        output::table(&["ACTION", "PROSPECT", "CAPABILITY", "TARGET", "DETAIL"], &rows)?;
        let count = |prospect| seen.iter().filter(|one| one.prospect == prospect).count();
        let (can, gone) = (count(Prospect::Undo), count(Prospect::Nothing));
        let left = seen.len() - can - gone;
        output::line(&format!(
            "{can} would be taken back, {gone} gone already, {left} would be left alone; nothing was touched"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn nothing() -> Result<(), Failure> {
    output::line("nothing is in force: there is no rescue record")
}

async fn take_back(data_dir: PathBuf, found: Offline) -> anyhow::Result<Vec<RescueLine>> {
    let registry = registry(data_dir, &found)?;
    let by = format!("uid {}", rustix::process::getuid().as_raw());
    found.undo_all(&registry, &by, || SystemClock.now()).await.context("the journal of the rescue cannot be written")
}

fn print(lines: &[RescueLine], form: Output) -> Result<(), Failure> {
    if form == Output::Json {
        return output::json(&json!({"items": lines}));
    }
    if lines.is_empty() {
        return nothing();
    }
    let word = |outcome: Rescued| output::text(&json!(outcome));
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            let detail = line.detail.clone().unwrap_or_default();
            vec![line.action.clone(), word(line.outcome), line.capability.clone(), line.target.clone(), detail]
        })
        .collect();
    output::table(HEAD, &rows)?;
    output::line("written to the rescue journal; the ledger has it after the next start")
}
