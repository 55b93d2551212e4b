//! What the proof of a quarantine needs: files of every kind, and all that could have been touched.

use async_trait::async_trait;
use serde_json::{Value, json};
use shieldops_model::Target;
use shieldops_respond::{Draw, Fault, Proving};

use super::QuarantineFile;
use crate::linux::{ground::staging::Thing, staged};

const NAMES: [&str; 5] = ["dropper", ".hidden", "with space", "$(reboot)", "-rf"];
const FOLDERS: [&str; 3] = ["/home/proof", "/home/proof/a/b", "/tmp/proof"];
const MODES: [u32; 4] = [0o644, 0o755, 0o4755, 0o000];

#[async_trait]
impl Proving for QuarantineFile {
    async fn stage(&self, target: &Target, draw: &mut Draw) -> Result<Value, Fault> {
        let file = |draw: &mut Draw, path: &str| {
            let text = "x".repeat(usize::try_from(draw.below(2_000)).unwrap_or_default());
            let mode = draw.pick(&MODES).copied().unwrap_or(0o644);
            Thing::file(
                path,
                &text,
                mode,
                u32::try_from(draw.below(3)).unwrap_or_default() * 500,
                1_600_000_000 + draw.below(99_999),
            )
        };
        let folder = draw.pick(&FOLDERS).copied().unwrap_or("/tmp/proof");
        let name = draw.pick(&NAMES).copied().unwrap_or("dropper");
        let path = format!("{folder}/{name}");
        let mut make = vec![file(draw, &path)];
        make.extend((0..draw.below(3)).map(|n| file(draw, &format!("{folder}/neighbour{n}"))));
        let clear =
            ["/home/proof", "/tmp/proof", "/home/.shieldops-vault", "/tmp/.shieldops-vault", "/.shieldops-vault"];
        self.linux.stage(target, &clear, make).await?;
        Ok(staged::sometimes_ending(json!({"path": path}), draw))
    }

    async fn snapshot(&self, target: &Target) -> Result<Value, Fault> {
        let roots = ["/home", "/tmp", "/.shieldops-vault"];
        self.linux.snapshot(target, &roots, true).await
    }

    async fn disturb(&self, target: &Target, params: &Value, draw: &mut Draw) -> Result<(), Fault> {
        let thing =
            Thing::file(staged::text(params, "path"), "somebody else's", 0o644, 0, 1_650_000_000 + draw.below(9));
        self.linux.stage(target, &[], vec![thing]).await
    }
}
