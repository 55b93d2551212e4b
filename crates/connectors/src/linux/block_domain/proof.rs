//! What the proof of a blocked name needs: hosts files of every kind.

use async_trait::async_trait;
use serde_json::{Value, json};
use shieldops_model::Target;
use shieldops_respond::{Draw, Fault, Proving};

use super::BlockDomain;
use crate::linux::{ground::staging::Thing, staged};

const NAMES: [&str; 4] = ["evil.example", "b\u{fc}cher.example", "a.b.c.evil.example", "_x.evil.example"];
const LINES: [&str; 6] = [
    "127.0.0.1 localhost",
    "# evil.example",
    "",
    "10.0.0.1 fine.example # evil.example",
    "rubbish \u{e9}",
    "::1 ip6-localhost",
];

fn file(draw: &mut Draw, mtime_s: u64) -> Thing {
    let lines: Vec<&str> = (0..draw.below(6)).filter_map(|_| draw.pick(&LINES).copied()).collect();
    let end = if draw.below(4) == 0 { "" } else { "\n" };
    let mode = if draw.coin() { 0o644 } else { 0o600 };
    Thing::file("/etc/hosts", format!("{}{end}", lines.join("\n")), mode, 0, mtime_s)
}

#[async_trait]
impl Proving for BlockDomain {
    async fn stage(&self, target: &Target, draw: &mut Draw) -> Result<Value, Fault> {
        let mtime_s = 1_600_000_000 + draw.below(9_999);
        let thing = file(draw, mtime_s);
        self.linux.stage(target, &[], vec![thing]).await?;
        Ok(staged::sometimes_ending(json!({"domain": draw.pick(&NAMES)}), draw))
    }

    async fn snapshot(&self, target: &Target) -> Result<Value, Fault> {
        self.linux.snapshot(target, &["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"], false).await
    }

    async fn disturb(&self, target: &Target, _params: &Value, draw: &mut Draw) -> Result<(), Fault> {
        let thing = file(draw, 1_650_000_000);
        self.linux.stage(target, &[], vec![thing]).await
    }
}
