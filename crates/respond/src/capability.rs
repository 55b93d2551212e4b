//! The capability contract: one thing that ShieldOps can do to one kind of target.
//!
//! An author writes four small typed things (describe, observe, desired, apply) and overrides a default where the
//! capability has more to say. [`Typed`] makes it object-safe; the engine sees JSON values only.

use std::{marker::PhantomData, time::Duration};

use async_trait::async_trait;
use ipnet::IpNet;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use shieldops_model::{ActionId, ControlPath, Target, Timestamp};
use shieldops_policy::{Class, Facts, Permit, Purpose, Refused};

use crate::Proving;

/// Why a capability did not do or could not say something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The parameters do not fit.
    #[error("{0}")]
    Params(String),
    /// The target cannot be reached or read now.
    #[error("{0}")]
    Unavailable(String),
    /// The target is another node's: nothing can be known of it here, and what was begun there goes on there.
    #[error("{0}")]
    Elsewhere(String),
    /// It could be done and will not be: something there is not ours.
    #[error("{0}")]
    Refused(String),
    /// It was tried and the target said no.
    #[error("{0}")]
    Failed(String),
    #[error(transparent)]
    Permit(#[from] Refused),
}

/// What a capability is, for planners, approvers and documentation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    /// `linux.block_ip`.
    pub name: &'static str,
    pub title: &'static str,
    /// `linux_host`.
    pub target_kind: &'static str,
    pub params_schema: Value,
    pub class: Class,
    pub purpose: Purpose,
    pub effects: &'static [&'static str],
    /// How long an accepted change may take until it is in force, in milliseconds.
    pub settle_ms: u64,
    /// 1 to 3.
    pub base_risk: u8,
    /// Where it can be tried without harm, besides the simulator.
    pub twin: Twin,
    pub docs: &'static str,
}

/// The kind of stand-in host that a capability is proved on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Twin {
    /// Own network namespaces; needs no root.
    Network,
    /// Own network, mount and process namespaces; needs root.
    Rooted,
}

/// The real state of a target, and what policy must know of it. Facts are not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed<S> {
    pub state: S,
    pub facts: Facts,
}

/// An effect that takes a whole host off the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Who may still come to it, and to which of its TCP ports.
    pub kept: Vec<(IpNet, u16)>,
    /// Whether this server runs there: it could go nowhere any more.
    pub host: CutHost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutHost {
    Another,
    /// It looks like ours under another name.
    Perhaps,
    Ours,
}

impl Cut {
    /// Whether they may still come in by this door. Another that is left open helps nobody who comes by this one.
    pub(crate) fn keeps(&self, net: &IpNet, door: Option<u16>) -> bool {
        self.kept.iter().any(|(from, port)| Some(*port) == door && from.contains(net))
    }
}

/// A process that acts for us. It is journaled before it is told what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Child {
    pub pid: u32,
    /// Clock ticks after boot: with the boot id it tells this process from a later one of the same pid.
    pub start_ticks: u64,
    pub boot_id: String,
}

/// Something that was read from a target to be kept: evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// What it is, as the target names it: `/etc/passwd`, `processes`, `sockets`.
    pub name: String,
    pub media_type: &'static str,
    pub bytes: Vec<u8>,
    /// What is missing of it and why: `cut at 1048576 of 7340032 bytes`.
    pub note: Option<String>,
}

/// Told of the children of an apply, so that recovery can find them, and given what it read.
#[async_trait]
pub trait Watch: Send + Sync {
    /// Returns when it is stored, sealed, and its hash is in the ledger.
    async fn collected(&self, item: Collected) -> Result<(), Fault>;

    /// Returns before the child is told anything; an error means that it must not be.
    async fn started(&self, child: &Child) -> Result<(), Fault>;
    async fn ended(&self, child: &Child) -> Result<(), Fault>;
}

/// Where and when an apply happens.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    pub target: &'a Target,
    pub now: Timestamp,
    pub watch: &'a dyn Watch,
}

/// An effect on a target that carries our mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark<P> {
    /// The action that the mark names.
    pub action: ActionId,
    /// What an action would have to ask for to want exactly this effect, for as long as it still lasts.
    pub params: P,
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeResult {
    Reachable,
    Refused,
    Unknown,
}

impl ProbeResult {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reachable => "reachable",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// What a real attempt saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    pub result: ProbeResult,
    pub detail: String,
}

#[async_trait]
pub trait Capability: Send + Sync + 'static {
    /// Parsed strictly: unknown fields must be refused.
    type Params: Serialize + DeserializeOwned + Send + Sync;
    /// `PartialEq` ignores counters and remaining time.
    type State: Serialize + DeserializeOwned + PartialEq + Clone + Send + Sync;

    fn describe(&self) -> Description;

    /// The real state, read from the target: never an exit status, never a memory.
    async fn observe(&self, target: &Target, params: &Self::Params) -> Result<Observed<Self::State>, Fault>;

    /// What the state should become. Pure.
    fn desired(&self, state: &Self::State, params: &Self::Params) -> Self::State;

    /// Makes it so. What it returns is not believed: the engine observes.
    async fn apply(&self, site: Site<'_>, from: &Self::State, to: &Self::State, permit: Permit) -> Result<(), Fault>;

    /// What undo will do, in a sentence.
    fn undo_text(&self, params: &Self::Params) -> String;

    /// How this process reaches the target, and whether the effect could cut that way. A capability whose effect could
    /// must arm a revert on the target itself before it acts.
    fn control_path(&self, target: &Target, params: &Self::Params) -> ControlPath;

    /// What of the target it is about: actions with one key own one effect together.
    fn key(&self, params: &Self::Params) -> String {
        serde_json::to_value(params).map(|value| shieldops_policy::canonical::text(&value)).unwrap_or_default()
    }

    /// The addresses that the effect reaches.
    fn reach(&self, _params: &Self::Params) -> Vec<IpNet> {
        Vec::new()
    }

    /// Where the effect cuts off its whole target, whoever asks: who stays. Needed beside `reach` by every capability that
    /// does such a thing, or nothing that the server lives by is held against it.
    fn cuts_off(&self, _target: &Target, _params: &Self::Params, _seen: &Observed<Self::State>) -> Option<Cut> {
        None
    }

    /// After this time the effect undoes itself.
    fn lasts(&self, _params: &Self::Params) -> Option<Duration> {
        None
    }

    /// The wanted state when its owners want it for so long (`None`: until undone).
    fn hold(&self, state: Self::State, _span: Option<Duration>) -> Self::State {
        state
    }

    /// Whether what is observed is what is wanted, remaining time included.
    fn holds(&self, observed: &Self::State, wanted: &Self::State) -> bool {
        observed == wanted
    }

    /// Whether an apply from this state could have ended here without coming to its end: such a state is our own, and an
    /// undo goes on from it as from the state that it began with.
    fn half_way(&self, _there: &Self::State, _from: &Self::State) -> bool {
        false
    }

    /// How long after it was accepted the effect begins, where reading back cannot tell: that time is waited out before
    /// an action is called verified. `None`: what is read back is in force.
    fn takes_effect_after(&self) -> Option<Duration> {
        None
    }

    /// What cannot be checked afterwards, for the approver.
    fn not_checkable(&self, _params: &Self::Params) -> Vec<String> {
        Vec::new()
    }

    /// A real attempt at what the effect should stop, where the target can make one.
    async fn probe(&self, _target: &Target, _params: &Self::Params) -> Option<Probe> {
        None
    }

    /// The effects on this target that carry this installation's mark.
    async fn marks(&self, _target: &Target) -> Result<Vec<Mark<Self::Params>>, Fault> {
        Ok(Vec::new())
    }

    /// The state without our effect: where a marked effect has no owner, this is what was there before it.
    fn cleared(&self, state: Self::State) -> Self::State {
        state
    }

    /// Ends or awaits a child that an earlier process of ours left.
    async fn end_child(&self, _child: &Child) -> Result<(), Fault> {
        Ok(())
    }

    /// How long after an apply the target takes the effect back by itself, unless it is disarmed: for an effect that
    /// could cut our own way. `apply` arms it, in the same change that makes the effect.
    fn reverts_after(&self, _target: &Target, _params: &Self::Params) -> Option<Duration> {
        None
    }

    /// Makes an armed effect stay, after it reached the target over a connection of its own. Nothing to do where
    /// nothing is armed any more.
    async fn disarm(
        &self,
        _site: Site<'_>,
        _from: &Self::State,
        _to: &Self::State,
        _permit: Permit,
    ) -> Result<(), Fault> {
        Ok(())
    }

    /// How it is proved; `None`: it is not.
    fn proving(&self) -> Option<&dyn Proving> {
        None
    }
}

/// A capability as the engine sees it. Implemented by [`Typed`] only.
#[async_trait]
pub trait AnyCapability: Send + Sync {
    fn describe(&self) -> Description;
    /// Parses the parameters and prints them again as their type does.
    fn canonical(&self, params: &Value) -> Result<Value, Fault>;
    async fn observe(&self, target: &Target, params: &Value) -> Result<Observed<Value>, Fault>;
    fn desired(&self, state: &Value, params: &Value) -> Result<Value, Fault>;
    async fn apply(&self, site: Site<'_>, from: &Value, to: &Value, permit: Permit) -> Result<(), Fault>;
    fn undo_text(&self, params: &Value) -> Result<String, Fault>;
    fn control_path(&self, target: &Target, params: &Value) -> Result<ControlPath, Fault>;
    fn key(&self, params: &Value) -> Result<String, Fault>;
    fn reach(&self, params: &Value) -> Result<Vec<IpNet>, Fault>;
    fn cuts_off(&self, target: &Target, params: &Value, seen: &Observed<Value>) -> Result<Option<Cut>, Fault>;
    fn lasts(&self, params: &Value) -> Result<Option<Duration>, Fault>;
    fn hold(&self, state: &Value, span: Option<Duration>) -> Result<Value, Fault>;
    fn holds(&self, observed: &Value, wanted: &Value) -> Result<bool, Fault>;
    /// Equal, counters and remaining time aside.
    fn same(&self, a: &Value, b: &Value) -> Result<bool, Fault>;
    fn half_way(&self, there: &Value, from: &Value) -> Result<bool, Fault>;
    fn takes_effect_after(&self) -> Option<Duration>;
    fn not_checkable(&self, params: &Value) -> Result<Vec<String>, Fault>;
    async fn probe(&self, target: &Target, params: &Value) -> Option<Probe>;
    async fn marks(&self, target: &Target) -> Result<Vec<Mark<Value>>, Fault>;
    fn cleared(&self, state: &Value) -> Result<Value, Fault>;
    async fn end_child(&self, child: &Child) -> Result<(), Fault>;
    fn reverts_after(&self, target: &Target, params: &Value) -> Result<Option<Duration>, Fault>;
    async fn disarm(&self, site: Site<'_>, from: &Value, to: &Value, permit: Permit) -> Result<(), Fault>;
    fn proving(&self) -> Option<&dyn Proving>;
}

/// Makes a typed capability object-safe.
#[derive(Debug)]
pub struct Typed<C> {
    inner: C,
    kind: PhantomData<fn() -> C>,
}

impl<C: Capability> Typed<C> {
    pub fn new(inner: C) -> Self {
        Self { inner, kind: PhantomData }
    }
}

fn params<T: DeserializeOwned>(value: &Value) -> Result<T, Fault> {
    // A derived parser would take a list for its fields in order.
    if !value.is_object() {
        return Err(Fault::Params("params: want an object".to_owned()));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let (at, why) = (error.path().to_string(), error.inner().to_string());
        // What is missing or not known stands in the reason itself, and has no path of its own.
        Fault::Params(if at == "." || at == "?" { why } else { format!("`{at}`: {why}") })
    })
}

fn state<T: DeserializeOwned>(value: &Value) -> Result<T, Fault> {
    T::deserialize(value).map_err(|error| Fault::Failed(format!("not a state of this capability: {error}")))
}

fn value(thing: &impl Serialize) -> Result<Value, Fault> {
    serde_json::to_value(thing).map_err(|error| Fault::Failed(format!("cannot be written: {error}")))
}

#[async_trait]
impl<C: Capability> AnyCapability for Typed<C> {
    fn describe(&self) -> Description {
        self.inner.describe()
    }

    fn canonical(&self, given: &Value) -> Result<Value, Fault> {
        value(&params::<C::Params>(given)?)
    }

    async fn observe(&self, target: &Target, given: &Value) -> Result<Observed<Value>, Fault> {
        let observed = self.inner.observe(target, &params(given)?).await?;
        Ok(Observed { state: value(&observed.state)?, facts: observed.facts })
    }

    fn desired(&self, from: &Value, given: &Value) -> Result<Value, Fault> {
        value(&self.inner.desired(&state(from)?, &params(given)?))
    }

    async fn apply(&self, site: Site<'_>, from: &Value, to: &Value, permit: Permit) -> Result<(), Fault> {
        let permit = permit.fitting(site.target.id, from)?;
        self.inner.apply(site, &state(from)?, &state(to)?, permit).await
    }

    fn undo_text(&self, given: &Value) -> Result<String, Fault> {
        Ok(self.inner.undo_text(&params(given)?))
    }

    fn control_path(&self, target: &Target, given: &Value) -> Result<ControlPath, Fault> {
        Ok(self.inner.control_path(target, &params(given)?))
    }

    fn key(&self, given: &Value) -> Result<String, Fault> {
        Ok(self.inner.key(&params(given)?))
    }

    fn reach(&self, given: &Value) -> Result<Vec<IpNet>, Fault> {
        Ok(self.inner.reach(&params(given)?))
    }

    fn cuts_off(&self, target: &Target, given: &Value, seen: &Observed<Value>) -> Result<Option<Cut>, Fault> {
        let seen = Observed { state: state(&seen.state)?, facts: seen.facts.clone() };
        Ok(self.inner.cuts_off(target, &params(given)?, &seen))
    }

    fn lasts(&self, given: &Value) -> Result<Option<Duration>, Fault> {
        Ok(self.inner.lasts(&params(given)?))
    }

    fn hold(&self, wanted: &Value, span: Option<Duration>) -> Result<Value, Fault> {
        value(&self.inner.hold(state(wanted)?, span))
    }

    fn holds(&self, observed: &Value, wanted: &Value) -> Result<bool, Fault> {
        Ok(self.inner.holds(&state(observed)?, &state(wanted)?))
    }

    fn same(&self, a: &Value, b: &Value) -> Result<bool, Fault> {
        Ok(state::<C::State>(a)? == state::<C::State>(b)?)
    }

    fn half_way(&self, there: &Value, from: &Value) -> Result<bool, Fault> {
        Ok(self.inner.half_way(&state(there)?, &state(from)?))
    }

    fn takes_effect_after(&self) -> Option<Duration> {
        self.inner.takes_effect_after()
    }

    fn not_checkable(&self, given: &Value) -> Result<Vec<String>, Fault> {
        Ok(self.inner.not_checkable(&params(given)?))
    }

    async fn probe(&self, target: &Target, given: &Value) -> Option<Probe> {
        self.inner.probe(target, &params(given).ok()?).await
    }

    async fn marks(&self, target: &Target) -> Result<Vec<Mark<Value>>, Fault> {
        let marks = self.inner.marks(target).await?.into_iter();
        marks.map(|mark| Ok(Mark { action: mark.action, params: value(&mark.params)?, detail: mark.detail })).collect()
    }

    fn cleared(&self, given: &Value) -> Result<Value, Fault> {
        value(&self.inner.cleared(state(given)?))
    }

    async fn end_child(&self, child: &Child) -> Result<(), Fault> {
        self.inner.end_child(child).await
    }

    fn reverts_after(&self, target: &Target, given: &Value) -> Result<Option<Duration>, Fault> {
        Ok(self.inner.reverts_after(target, &params(given)?))
    }

    async fn disarm(&self, site: Site<'_>, from: &Value, to: &Value, permit: Permit) -> Result<(), Fault> {
        let permit = permit.fitting(site.target.id, from)?;
        self.inner.disarm(site, &state(from)?, &state(to)?, permit).await
    }

    fn proving(&self) -> Option<&dyn Proving> {
        self.inner.proving()
    }
}
