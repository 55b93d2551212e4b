//! One case of a proof: a random state, one sequence of events, and two pictures that must be equal.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use shieldops_model::{
    Action, ActionState, Clock as _, Confirmation, ConfirmedWith, Id, Plan, PlanState, ProposedAction, Target,
    TenantId, Timestamp,
};
use shieldops_policy::Class;
use tokio_util::task::TaskTracker;

use super::{ProveOptions, claims_undo};
use crate::{
    AnyCapability, CrashPoints, Draw, Engine, EngineOptions, Error, Journal as _, Person, PlanRequest, Proving,
    memory::MemoryJournal,
};

/// How long a run of a case may take.
const AT_MOST: Duration = Duration::from_secs(90);
/// Longer than any effect of a case lasts.
const LATER: Duration = Duration::from_hours(366 * 24);
/// Waits of one step of a case: a run, and what it is undone by.
const MOST_WAITS: u32 = 8;
/// Characters of a difference that are kept.
const SHOWN: usize = 600;

pub(crate) enum Case {
    Proved,
    /// Policy did not allow it: it says nothing about the capability.
    Denied,
    Residue(String),
    Failed(String),
}

/// What happens between an apply and its undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sequence {
    Plain,
    /// A second action wants the same; the effect goes with the last of them.
    SecondOwner,
    /// Its time ends.
    Expiry,
    /// Somebody else changes it: the undo must not touch that.
    Foreign,
    /// The process is lost at a point of the apply, or of the undo.
    CrashInApply(&'static str),
    CrashInUndo(&'static str),
}

impl Sequence {
    pub(crate) fn draw(draw: &mut Draw) -> Self {
        let point = |draw: &mut Draw| draw.pick(CrashPoints::NAMES).copied().unwrap_or("after_apply");
        match draw.below(8) {
            0 | 1 => Self::SecondOwner,
            2 => Self::Expiry,
            3 => Self::Foreign,
            4 => Self::CrashInApply(point(draw)),
            5 => Self::CrashInUndo(point(draw)),
            _ => Self::Plain,
        }
    }
}

/// One engine after another over one journal.
struct World<'a> {
    with: &'a ProveOptions,
    target: &'a Target,
    capability: &'a Arc<dyn AnyCapability>,
    journal: Arc<MemoryJournal>,
    tracker: TaskTracker,
}

pub(super) async fn case(with: &ProveOptions, capability: &Arc<dyn AnyCapability>, target: &Target, seed: u64) -> Case {
    let Some(proving) = capability.proving() else { return Case::Failed("it brings no stand-in".to_owned()) };
    let mut draw = Draw::new(seed);
    with.clock.set(Timestamp::from_secs(1_795_000_000));
    let world = World {
        with,
        target,
        capability,
        journal: Arc::new(MemoryJournal::with_targets([target.clone()])),
        tracker: TaskTracker::new(),
    };
    let done = async {
        let params = proving.stage(target, &mut draw).await?;
        let before = proving.snapshot(target).await?;
        let sequence = Sequence::draw(&mut draw);
        let end = Box::pin(world.play(proving, sequence, params, &mut draw)).await?;
        let after = proving.snapshot(target).await?;
        let wanted = match end {
            Wanted::AsBefore => before,
            Wanted::So(picture) => picture,
            Wanted::Theirs => Box::pin(theirs(proving, target, seed, &after)).await?,
        };
        Ok::<_, Stop>((wanted, after, sequence))
    };
    match Box::pin(done).await {
        Ok((wanted, after, _)) if wanted == after => Case::Proved,
        Ok((wanted, after, sequence)) => Case::Residue(format!("{sequence:?}: {}", difference(&wanted, &after))),
        Err(Stop::Denied) => Case::Denied,
        Err(Stop::Failed(why)) => Case::Failed(why),
    }
}

/// What the stand-in must look like at the end.
enum Wanted {
    AsBefore,
    So(Value),
    /// Somebody else's change, without ours.
    Theirs,
}

/// The same state once more, with somebody else's change and without any action: what an undo that nobody was asked about
/// again must have left. Files that both changed are written by the undo, so their time is its own.
async fn theirs(proving: &dyn Proving, target: &Target, seed: u64, after: &Value) -> Result<Value, Stop> {
    let mut draw = Draw::new(seed);
    let params = proving.stage(target, &mut draw).await?;
    Sequence::draw(&mut draw);
    proving.disturb(target, &params, &mut draw).await?;
    let wanted = proving.snapshot(target).await?;
    Ok(if untimed(&wanted) == untimed(after) { after.clone() } else { wanted })
}

/// A picture without the times of its files.
fn untimed(picture: &Value) -> Value {
    match picture {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), untimed(value))).collect(),
        Value::Array(items) => items.iter().map(untimed).collect(),
        Value::String(line) => match line.split_once(" at ") {
            Some((head, tail)) if line.starts_with("file ") => {
                format!("{head} {}", tail.split_once(' ').unwrap_or_default().1).into()
            }
            _ => picture.clone(),
        },
        other => other.clone(),
    }
}

enum Stop {
    Denied,
    Failed(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(_) => Self::Denied,
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<crate::Fault> for Stop {
    fn from(fault: crate::Fault) -> Self {
        Self::Failed(fault.to_string())
    }
}

impl From<crate::JournalError> for Stop {
    fn from(error: crate::JournalError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl World<'_> {
    /// Plays the sequence; what the stand-in must look like at its end.
    async fn play(
        &self,
        proving: &dyn Proving,
        sequence: Sequence,
        params: Value,
        draw: &mut Draw,
    ) -> Result<Wanted, Stop> {
        let class = self.capability.describe().class;
        let crash = match sequence {
            Sequence::CrashInApply(point) => CrashPoints::give_up_at(point),
            _ => CrashPoints::none(),
        };
        let action = self.applied(crash, params.clone()).await?;
        if class == Class::ReadOnly {
            return Ok(Wanted::AsBefore);
        }
        if !claims_undo(class) {
            return self.stays(proving, &action).await.map(Wanted::So);
        }
        match sequence {
            Sequence::SecondOwner => {
                let second = self.applied(CrashPoints::none(), params).await?;
                self.undone(CrashPoints::none(), &action).await?;
                self.still_in_force(&second).await?;
                self.undone(CrashPoints::none(), &second).await?;
            }
            Sequence::Expiry if action.expires_at.is_some() => self.expired(&action).await?,
            Sequence::Foreign => return self.foreign(proving, &action, draw).await,
            Sequence::CrashInUndo(point) => self.undone(CrashPoints::give_up_at(point), &action).await?,
            Sequence::Plain | Sequence::Expiry | Sequence::CrashInApply(_) => {
                self.undone(CrashPoints::none(), &action).await?;
            }
        }
        Ok(Wanted::AsBefore)
    }

    fn engine(&self, crash: CrashPoints) -> Arc<Engine> {
        Engine::new(EngineOptions {
            tenant: TenantId::from_bits(1),
            journal: Arc::clone(&self.journal) as _,
            registry: Arc::clone(&self.with.registry),
            policy: Arc::clone(&self.with.policy),
            clock: Arc::new(self.with.clock.clone()),
            tracker: self.tracker.clone(),
            crash,
            findings: None,
            rescue: None,
        })
    }

    /// Until nothing that was started runs any more: ended, or given up at a crash point.
    async fn idle(&self) {
        self.tracker.close();
        self.tracker.wait().await;
        self.tracker.reopen();
    }

    /// Lets the time pass that effects take to begin.
    async fn settled(&self, engine: &Arc<Engine>) -> Result<(), Stop> {
        self.idle().await;
        for _ in 0..MOST_WAITS {
            let Some(left) = engine.settling() else { return Ok(()) };
            self.with.clock.advance(left);
            engine.settle_due().await?;
            self.idle().await;
        }
        Err(Stop::Failed("what settles does not come to an end".to_owned()))
    }

    /// Planned, approved, run, and after a crash recovered: in force and read back.
    async fn applied(&self, crash: CrashPoints, params: Value) -> Result<Action, Stop> {
        let plan = self.engine(CrashPoints::none()).propose(self.request(params)).await?;
        if plan.state == PlanState::Denied {
            return Err(Stop::Denied);
        }
        approve(&self.engine(crash), &plan).await?;
        self.idle().await;
        let engine = self.engine(CrashPoints::none());
        engine.recover().await?;
        self.settled(&engine).await?;
        let plan = engine.wait(plan.id, AT_MOST).await?;
        let action =
            plan.actions.into_iter().next().ok_or_else(|| Stop::Failed("a plan without actions".to_owned()))?;
        if plan.state == PlanState::Denied {
            return Err(Stop::Denied);
        }
        if action.state == ActionState::Verified { Ok(action) } else { Err(told("apply", &action)) }
    }

    fn request(&self, params: Value) -> PlanRequest {
        let (capability, target) = (self.capability.describe().name.to_owned(), self.target.reference());
        PlanRequest::of_person(&person(1), "Proof", "it is proved", vec![ProposedAction { capability, target, params }])
    }

    async fn undone(&self, crash: CrashPoints, action: &Action) -> Result<(), Stop> {
        let crashing = crash != CrashPoints::none();
        let done = self.engine(crash).undo(action.id, &person(1), "it was proved").await;
        if !crashing {
            done?;
        }
        self.idle().await;
        let engine = self.engine(CrashPoints::none());
        engine.recover().await?;
        self.settled(&engine).await?;
        let mut now = self.read(action).await?;
        if !matches!(now.state, ActionState::Undone) {
            // The process was lost before the undo was planned: a person asks again.
            engine.undo(action.id, &person(1), "again").await?;
            self.settled(&engine).await?;
            now = self.read(action).await?;
        }
        if now.state == ActionState::Undone { Ok(()) } else { Err(told("undo", &now)) }
    }

    async fn read(&self, action: &Action) -> Result<Action, Stop> {
        self.journal.action(action.id).await?.ok_or_else(|| Stop::Failed("the action is gone".to_owned()))
    }

    async fn still_in_force(&self, action: &Action) -> Result<(), Stop> {
        self.engine(CrashPoints::none()).reobserve().await?;
        let now = self.read(action).await?;
        if now.state == ActionState::Verified { Ok(()) } else { Err(told("the other owner's undo", &now)) }
    }

    async fn expired(&self, action: &Action) -> Result<(), Stop> {
        self.with.clock.set(self.with.clock.now().plus(LATER));
        let engine = self.engine(CrashPoints::none());
        engine.expire_due().await?;
        self.settled(&engine).await?;
        let now = self.read(action).await?;
        if now.state == ActionState::Expired { Ok(()) } else { Err(told("expiry", &now)) }
    }

    /// An undo over somebody else's change does not touch it: either it asks again and nothing is done, or theirs stays.
    async fn foreign(&self, proving: &dyn Proving, action: &Action, draw: &mut Draw) -> Result<Wanted, Stop> {
        proving.disturb(self.target, &action.params, draw).await?;
        let changed = proving.snapshot(self.target).await?;
        let engine = self.engine(CrashPoints::none());
        let asked = engine.undo(action.id, &person(1), "it was proved").await;
        self.settled(&engine).await?;
        match asked {
            Ok(_) if self.read(action).await?.state == ActionState::Undone => {
                let gone = self.read(action).await?.detail.as_deref() == Some("the effect was already gone");
                Ok(if gone { Wanted::So(changed) } else { Wanted::Theirs })
            }
            // It was refused because of what somebody else made of it, or it waits: nothing was done.
            Ok(_) | Err(Error::Denied(_) | Error::Invalid(_) | Error::Refused(_) | Error::State { .. }) => {
                Ok(Wanted::So(changed))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// An irreversible action is not undone, and says so.
    async fn stays(&self, proving: &dyn Proving, action: &Action) -> Result<Value, Stop> {
        let done = proving.snapshot(self.target).await?;
        match self.engine(CrashPoints::none()).undo(action.id, &person(1), "it was proved").await {
            Err(Error::Invalid(_)) => Ok(done),
            other => Err(Stop::Failed(format!("an irreversible action was not refused an undo: {other:?}"))),
        }
    }
}

/// As many people as the plan needs.
async fn approve(engine: &Arc<Engine>, plan: &Plan) -> Result<(), Stop> {
    for number in 0..plan.decision.approvals_needed {
        let confirmed = Some(Confirmation::new(ConfirmedWith::Totp, plan.created_at));
        let approver = Person { confirmed, ..person(10 + u128::from(number)) };
        engine.approve(plan.id, &plan.hash, &approver).await?;
    }
    if plan.decision.approvals_needed == 0 {
        engine.execute(plan.id, &person(1)).await?;
    }
    Ok(())
}

fn person(number: u128) -> Person {
    Person {
        user: Id::from_bits(number),
        name: format!("person {number}"),
        client_addr: Some("192.0.2.250".to_owned()),
        confirmed: None,
    }
}

fn told(what: &str, action: &Action) -> Stop {
    let detail = action.detail.clone().unwrap_or_default();
    Stop::Failed(format!("{what}: the action is {:?}: {detail}", action.state))
}

/// The first places at which two pictures differ.
fn difference(wanted: &Value, found: &Value) -> String {
    let lines = crate::diff::diff(wanted, found);
    let shown: Vec<String> = lines
        .iter()
        .take(6)
        .map(|line| {
            let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
            format!("{}: want {}, found {}", line.path, side(&line.before), side(&line.after))
        })
        .collect();
    shown.join("; ").chars().take(SHOWN).collect()
}
