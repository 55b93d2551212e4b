//! What the proof of an ended process needs: a few that wait, and all that run.

use async_trait::async_trait;
use serde_json::{Value, json};
use shieldops_model::Target;
use shieldops_respond::{Draw, Fault, Proving};

use super::{KillProcess, Look};
use crate::linux::ground::staging::Start;

const USER: u32 = 2020;

#[async_trait]
impl Proving for KillProcess {
    async fn stage(&self, target: &Target, draw: &mut Draw) -> Result<Value, Fault> {
        let start = Start { end: Some(USER), uid: USER, count: 1 + draw.below(4), login: false };
        let (pids, _) = self.linux.start(target, start).await?;
        let pid = draw.pick(&pids).copied().unwrap_or_default();
        if draw.coin() {
            return Ok(json!({"pid": pid}));
        }
        let (state, _) = self.linux.hand(target, Look { pid, start_ticks: None }, None).await?;
        Ok(json!({"pid": pid, "start_ticks": state.identity.map(|identity| identity.start_ticks)}))
    }

    async fn snapshot(&self, target: &Target) -> Result<Value, Fault> {
        self.linux.running(target).await
    }

    async fn disturb(&self, target: &Target, _params: &Value, _draw: &mut Draw) -> Result<(), Fault> {
        self.linux.start(target, Start { end: Some(USER), uid: USER, count: 1, login: false }).await.map(drop)
    }
}
