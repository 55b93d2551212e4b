//! What a capability brings to its own proof: a stand-in host in any state, and a picture of all that it could touch.
//!
//! Only simulators (`sim/…`) and twins (`twin/…`) are ever put into a state: an author refuses every other target.

use async_trait::async_trait;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use shieldops_model::Target;

use crate::Fault;

/// Random choices that a seed repeats.
#[derive(Debug)]
pub struct Draw(StdRng);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// A number below `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.0.random_range(0..end) }
    }

    pub fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    /// One of these; `None` of none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let place = self.below(u64::try_from(items.len()).unwrap_or(u64::MAX));
        items.get(usize::try_from(place).unwrap_or_default())
    }
}

#[async_trait]
pub trait Proving: Send + Sync {
    /// Puts the stand-in into a random state in which the capability has something to do, and names the parameters.
    async fn stage(&self, target: &Target, draw: &mut Draw) -> Result<Value, Fault>;

    /// Everything of the target that the capability could have touched, in one order, without what may differ after an
    /// undo: change, access and birth times, directory times and sizes, `passwd-` and `shadow-`, nft handles and
    /// counters, login logs.
    async fn snapshot(&self, target: &Target) -> Result<Value, Fault>;

    /// Somebody else changes what the action is about.
    async fn disturb(&self, target: &Target, params: &Value, draw: &mut Draw) -> Result<(), Fault>;
}
