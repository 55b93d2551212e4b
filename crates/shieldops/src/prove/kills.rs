//! Processes killed at random in the middle of a run and its undo: the next life must end what was begun, once.
//!
//! They act on a twin that this process holds, so that it outlives them; where none runs, on a simulator of their own.

use std::{
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use shieldops_connectors::linux::{Attached, Linux, LinuxOptions};
use shieldops_model::{SystemClock, Target};
use shieldops_respond::{AnyCapability, Draw, ProofRow, Proving, Registry, Verdict, stand_in};
use shieldops_store::{Options, Store};

use super::{life, life_folder};

/// Lives that may be killed before one must reach its end.
const LIVES: u32 = 4;
/// Of so many cases one tells how long a life takes.
const LEARN_EACH: u32 = 25;
pub(super) const SIMULATOR: &str = "sim/proof";

/// Where the lives of one capability act.
pub(super) struct Ground<'a> {
    pub(super) folder: &'a Path,
    pub(super) capability: &'a Arc<dyn AnyCapability>,
    /// The twin by its name, `network` or `rooted`.
    pub(super) twin: Option<(&'static str, Attached)>,
}

/// Kills lives of one capability and adds what came of it to its row.
pub(super) async fn kill(on: &Ground<'_>, kills: u32, seed: u64, row: &mut ProofRow) -> anyhow::Result<()> {
    if kills == 0 && row.why.is_none() {
        row.why = Some("no process was killed".to_owned());
    }
    if kills == 0 || on.capability.proving().is_none() || row.verdict == Verdict::Failed {
        return Ok(());
    }
    row.kills_on = on.twin.map_or("simulator", |(name, _)| name);
    let name = on.capability.describe().name;
    let mut whole = Duration::ZERO;
    let mut number = 0;
    while row.kills < kills {
        let place = life_folder(on.folder, name, number);
        let mut draw = Draw::new(seed.wrapping_add(u64::from(number)));
        // One is left alone now and then, the first of all among them, to learn how long a life takes.
        let most = if whole.is_zero() || number % LEARN_EACH == 0 { 0 } else { LIVES.min(kills - row.kills) };
        match one(on, &place, whole, most, &mut draw).await {
            Ok(done) => {
                row.kills += done.killed;
                whole = learnt(whole, done.whole);
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

/// How long a life takes, from what was known and one that was left alone: of the longest ever seen, most kills would come
/// too late.
fn learnt(known: Duration, seen: Duration) -> Duration {
    match (known.is_zero(), seen.is_zero()) {
        (_, true) => known,
        (true, false) => seen,
        (false, false) => (known * 3 + seen) / 4,
    }
}

struct Done {
    killed: u32,
    /// How long a life takes that is left alone; nothing where this does not tell.
    whole: Duration,
}

/// One thing to be done and undone by as many lives as it takes, and what the target says before and after.
async fn one(on: &Ground<'_>, place: &Path, whole: Duration, most: u32, draw: &mut Draw) -> anyhow::Result<Done> {
    std::fs::DirBuilder::new().mode(0o700).create(place)?;
    let (capability, target) = acts_on(on, place)?;
    let judge = Judge::new(&capability, &target, draw).await?;
    let mut life = Command::new(std::env::current_exe().context("cannot find this program")?);
    life.arg("prove-life").arg("--dir").arg(place).args(["--capability", capability.describe().name]);
    life.arg("--params").arg(judge.params.to_string());
    life.args(on.twin.map(|(name, twin)| format!("--twin={}", life::named(name, twin))));
    life.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let begun = Instant::now();
    let mut killed = 0;
    for _life in 0..most {
        let span = whole.mul_f64(f64::from(u32::try_from(draw.below(1_000))?) / 1_000.0);
        if !killed_after(&mut life, span)? {
            break;
        }
        killed += 1;
    }
    let output = life.output()?;
    let whole = if most == 0 { begun.elapsed() } else { Duration::ZERO };
    let said = end(&output)?;
    judge.judge(&said).await?;
    verified(place).await?;
    // What policy denies is no case.
    let counts = said["state"] != life::DENIED;
    Ok(if counts { Done { killed, whole } } else { Done { killed: 0, whole: Duration::ZERO } })
}

/// The capability over its target: the twin that we hold, or the simulator whose state is beside the database of the lives.
fn acts_on(on: &Ground<'_>, place: &Path) -> anyhow::Result<(Arc<dyn AnyCapability>, Target)> {
    if let Some((name, _)) = on.twin {
        return Ok((Arc::clone(on.capability), stand_in(&format!("twin/{name}"))));
    }
    let linux = Linux::new(LinuxOptions {
        data_dir: place.to_owned(),
        installation: "proof".to_owned(),
        clock: Arc::new(SystemClock),
    })?;
    let registry = Registry::new(shieldops_connectors::capabilities(linux))?;
    let capability = registry.find(on.capability.describe().name).context("no such capability")?;
    Ok((Arc::clone(capability), stand_in(SIMULATOR)))
}

/// Who looks at the target beside the lives, before the first and after the last.
struct Judge<'a> {
    capability: &'a dyn AnyCapability,
    proving: &'a dyn Proving,
    target: &'a Target,
    params: Value,
    /// All that could be touched, as it was.
    before: Value,
    /// What the action says that it makes of it.
    wanted: Value,
}

impl<'a> Judge<'a> {
    async fn new(capability: &'a Arc<dyn AnyCapability>, target: &'a Target, draw: &mut Draw) -> anyhow::Result<Self> {
        let proving = capability.proving().context("it brings no stand-in")?;
        let params = capability.canonical(&proving.stage(target, draw).await?)?;
        let before = proving.snapshot(target).await?;
        let wanted = capability.desired(&capability.observe(target, &params).await?.state, &params)?;
        Ok(Self { capability: capability.as_ref(), proving, target, params, before, wanted })
    }

    async fn judge(&self, said: &Value) -> anyhow::Result<()> {
        let class = self.capability.describe().class.as_str();
        let wanted = match class {
            _ if said["state"] == life::DENIED => life::DENIED,
            "reversible" => "undone",
            _ => "verified",
        };
        ensure!(said["state"] == wanted, "the action is {}: {}", said["state"], said["detail"]);
        if wanted == life::DENIED || matches!(class, "reversible" | "read_only") {
            let after = self.proving.snapshot(self.target).await?;
            ensure!(self.before == after, "it is {wanted}, and the target is not as it was: {after}");
            ensure!(said["owners"] == 0, "somebody still wants what is {wanted}");
            return Ok(());
        }
        let there = self.capability.observe(self.target, &self.params).await?.state;
        ensure!(self.capability.holds(&there, &self.wanted)?, "it is {wanted}, and the target is {there}");
        Ok(())
    }
}

/// Whether it was still alive to be killed.
#[expect(clippy::disallowed_methods, reason = "the moment of the kill is what is chosen")]
fn killed_after(life: &mut Command, span: Duration) -> anyhow::Result<bool> {
    let mut child = life.spawn()?;
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
    let store = Store::open(&options, Arc::new(life::Moved::of(place))).await?;
    let report = store.verify().await?;
    if report.ok { Ok(()) } else { bail!("the ledger does not verify") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_life_takes_follows_what_is_seen_and_no_single_slow_one() {
        let (usual, slow) = (Duration::from_millis(400), Duration::from_secs(4));
        assert_eq!(learnt(Duration::ZERO, usual), usual);
        assert_eq!(learnt(usual, Duration::ZERO), usual, "one that was not left alone tells nothing");
        let mut known = learnt(usual, slow);
        assert!(known < slow / 2, "{known:?}");
        for _ in 0..12 {
            known = learnt(known, usual);
        }
        assert!(known < usual * 11 / 10, "{known:?}");
    }
}
