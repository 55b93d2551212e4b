//! What the proof of an ended session needs: two logins of a user, and all that runs.

use async_trait::async_trait;
use serde_json::{Value, json};
use shieldops_model::Target;
use shieldops_respond::{Draw, Fault, Proving};

use super::EndSessions;
use crate::linux::ground::staging::{Start, Thing};

const USER: u32 = 2030;

#[async_trait]
impl Proving for EndSessions {
    async fn stage(&self, target: &Target, draw: &mut Draw) -> Result<Value, Fault> {
        let passwd = format!("root:x:0:0:root:/root:/bin/sh\nproof-s:x:{USER}:{USER}::/home/proof-s:/bin/sh\n");
        self.linux.stage(target, &[], vec![Thing::file("/etc/passwd", &passwd, 0o644, 0, 1_600_000_000)]).await?;
        let login = async |end: Option<u32>, draw: &mut Draw| {
            let start = Start { end, uid: USER, count: 1 + draw.below(3), login: true };
            let (_, session) = self.linux.start(target, start).await?;
            session.ok_or_else(|| Fault::Unavailable("this kernel keeps no audit session ids".to_owned()))
        };
        let sessions = [login(Some(USER), draw).await?, login(None, draw).await?];
        Ok(json!({"user": "proof-s", "session": draw.pick(&sessions)}))
    }

    async fn snapshot(&self, target: &Target) -> Result<Value, Fault> {
        self.linux.running(target).await
    }

    async fn disturb(&self, target: &Target, _params: &Value, _draw: &mut Draw) -> Result<(), Fault> {
        self.linux.start(target, Start { end: Some(USER), uid: USER, count: 1, login: true }).await.map(drop)
    }
}
