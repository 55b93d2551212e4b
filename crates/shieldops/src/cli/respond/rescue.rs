//! `shieldops action undo --all --data-dir DIR`: takes back all that is in force with the server dead, from the sealed
//! records and the keys alone.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use serde_json::json;
use shieldops_connectors::linux::{Linux, LinuxOptions};
use shieldops_model::{Clock as _, SystemClock};
use shieldops_respond::{Offline, Registry, RescueLine, Rescued};
use shieldops_store::{Keys, Store, StoreError};

use super::super::{Outcome, PlaceArgs, block_on, settings};
use crate::output::{self, Failure, Output, REFUSED};

const HEAD: &[&str] = &["ACTION", "OUTCOME", "CAPABILITY", "TARGET", "DETAIL"];

pub(super) fn rescue(place: &PlaceArgs, reason: &str, form: Output) -> Outcome {
    let settings = settings(&place.flags())?;
    let dir = settings.data_dir.clone();
    if !dir.is_dir() {
        return Err(Failure::unusable(format!("{} is no data directory", dir.display()))
            .fix("name it with --data-dir".to_owned()));
    }
    let _ours = match Store::lock(&dir) {
        Ok(lock) => lock,
        Err(StoreError::InUse { .. }) => {
            return Err(Failure::refused("the server is alive").fix(
                "undo through it: shieldops action undo --since 24h --by automation, or stop it first".to_owned(),
            ));
        }
        Err(error) => return Err(Failure::unusable(error.to_string())),
    };
    let keys = settings.keys_dir.clone().unwrap_or_else(|| dir.join("keys"));
    let found = Offline::read(&dir, |tenant| Keys::read_data_key(&keys, tenant).map_err(|error| error.to_string()))
        .map_err(|error| Failure::unusable(format!("the rescue records cannot be read: {error}")))?;
    let lines = if found.is_empty() { Vec::new() } else { block_on(take_back(dir, found.because(reason)))? };
    print(&lines, form)?;
    let whole = lines.iter().all(|line| matches!(line.outcome, Rescued::Undone | Rescued::Already));
    Ok(ExitCode::from(if whole { output::OK } else { REFUSED }))
}

async fn take_back(data_dir: std::path::PathBuf, found: Offline) -> anyhow::Result<Vec<RescueLine>> {
    let clock = Arc::new(SystemClock);
    let installation = found.installation().unwrap_or_default();
    let linux = Linux::new(LinuxOptions { data_dir, installation, clock: Arc::clone(&clock) as _ })
        .context("cannot prepare what runs commands on targets")?;
    let registry = Registry::new(shieldops_connectors::capabilities(linux))?;
    let by = format!("uid {}", rustix::process::getuid().as_raw());
    found.undo_all(&registry, &by, || clock.now()).await.context("the journal of the rescue cannot be written")
}

fn print(lines: &[RescueLine], form: Output) -> Result<(), Failure> {
    if form == Output::Json {
        return output::json(&json!({"items": lines}));
    }
    if lines.is_empty() {
        return output::line("nothing is in force: there is no rescue record");
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
