//! Processes killed at random in the middle of a run and its undo: the next life must end what was begun, once.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_json::Value;
use shieldops_connectors::linux::{Linux, LinuxOptions};
use shieldops_model::SystemClock;
use shieldops_respond::{AnyCapability, Draw, ProofRow, Registry, Verdict, stand_in};
use shieldops_store::{Options, Store};

use super::life_folder;

/// Lives that may be killed before one must reach its end.
const LIVES: u32 = 4;

/// Kills lives of one capability and adds what came of it to its row.
pub(super) async fn kill(
    folder: &Path,
    capability: &Arc<dyn AnyCapability>,
    kills: u32,
    seed: u64,
    row: &mut ProofRow,
) -> anyhow::Result<()> {
    if kills == 0 || capability.proving().is_none() || row.verdict == Verdict::Failed {
        return Ok(());
    }
    let name = capability.describe().name;
    let mut whole = Duration::from_millis(200);
    let mut number = 0;
    while row.kills < kills {
        let place = life_folder(folder, name, number);
        let mut draw = Draw::new(seed.wrapping_add(u64::from(number)));
        // The first life of all is left alone, to learn how long one takes.
        let most = if number == 0 { 0 } else { LIVES };
        match one(&place, name, whole, most, &mut draw).await {
            Ok(done) => {
                row.kills += done.killed;
                if number == 0 {
                    whole = done.took;
                }
            }
            Err(error) => {
                row.fail(format!("kill {number}: {error:#}"));
                row.why = Some("a killed process was not recovered from".to_owned());
                return Ok(());
            }
        }
        std::fs::remove_dir_all(&place)?;
        number += 1;
        if number > kills * 4 + 4 {
            row.fail("too few processes could be killed in time".to_owned());
            return Ok(());
        }
    }
    Ok(())
}

struct Done {
    killed: u32,
    took: Duration,
}

async fn one(place: &Path, name: &str, whole: Duration, most: u32, draw: &mut Draw) -> anyhow::Result<Done> {
    std::fs::create_dir_all(place)?;
    let linux = Linux::new(LinuxOptions {
        data_dir: place.to_owned(),
        installation: "proof".to_owned(),
        clock: Arc::new(SystemClock),
    })?;
    let registry = Registry::new(shieldops_connectors::capabilities(linux))?;
    let capability = registry.find(name).context("no such capability")?;
    let (proving, sim) = (capability.proving().context("it brings no stand-in")?, stand_in("sim/proof"));
    let params = proving.stage(&sim, draw).await?;
    let before = proving.snapshot(&sim).await?;
    let begun = Instant::now();
    let mut killed = 0;
    for _life in 0..most {
        let span = whole.mul_f64(f64::from(u32::try_from(draw.below(1_000))?) / 1_000.0);
        if !killed_after(place, name, &params, span)? {
            break;
        }
        killed += 1;
    }
    let output = command(place, name, &params)?.output()?;
    let took = begun.elapsed();
    let ended = end(&output)?;
    let after = proving.snapshot(&sim).await?;
    let class = capability.describe().class.as_str();
    let wanted = if class == "reversible" { "undone" } else { "verified" };
    if ended["state"] != wanted {
        bail!("the action is {}: {}", ended["state"], ended["detail"]);
    }
    if class == "reversible" && (before != after || ended["owners"] != 0) {
        bail!("something is left after the undo");
    }
    verified(place).await?;
    Ok(Done { killed, took })
}

fn command(place: &Path, name: &str, params: &Value) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
    command.arg("prove-life").arg("--dir").arg(place).args(["--capability", name, "--params"]).arg(params.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// Whether it was still alive to be killed.
#[expect(clippy::disallowed_methods, reason = "the moment of the kill is what is chosen")]
fn killed_after(place: &Path, name: &str, params: &Value, span: Duration) -> anyhow::Result<bool> {
    let mut child = command(place, name, params)?.spawn()?;
    thread::sleep(span);
    let alive = child.try_wait()?.is_none();
    child.kill()?;
    child.wait()?;
    Ok(alive)
}

fn end(output: &Output) -> anyhow::Result<Value> {
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("the life after the kills failed: {}", said.chars().take(500).collect::<String>());
    }
    serde_json::from_slice(&output.stdout).context("the life after the kills said no JSON")
}

/// The ledger of the killed process holds together.
async fn verified(place: &Path) -> anyhow::Result<()> {
    let options = Options { data_dir: place.to_owned(), demo: false, database_url: None, keys_dir: None };
    let store = Store::open(&options, Arc::new(SystemClock)).await?;
    let report = store.verify().await?;
    if report.ok { Ok(()) } else { bail!("the ledger does not verify") }
}
