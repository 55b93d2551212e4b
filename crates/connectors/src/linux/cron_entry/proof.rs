//! What the proof of a disabled entry needs: crontabs of every kind.

use async_trait::async_trait;
use serde_json::{Value, json};
use shieldops_model::Target;
use shieldops_respond::{Draw, Fault, Proving};

use super::DisableCronEntry;
use crate::linux::{ground::staging::Thing, staged};

const FILES: [(&str, u32); 3] =
    [("/etc/crontab", 0o644), ("/etc/cron.d/proof", 0o644), ("/var/spool/cron/crontabs/proof-c", 0o600)];
const ENTRIES: [&str; 4] = [
    "*/5 * * * * /tmp/dropper",
    "@reboot root sh -c 'x; $(y) `z`'",
    "0 4 * * 1 root echo \u{e9} % a",
    "1 2 3 4 5 x # y",
];
const OTHERS: [&str; 5] = ["# a comment", "", "PATH=/usr/bin:/bin", "17 * * * * root run-parts /x", "  "];

fn text(draw: &mut Draw, entry: &str) -> String {
    let mut lines: Vec<String> =
        (0..draw.below(5)).filter_map(|_| draw.pick(&OTHERS)).map(|line| (*line).to_owned()).collect();
    for _ in 0..=draw.below(2) {
        let place = usize::try_from(draw.below(u64::try_from(lines.len()).unwrap_or(0) + 1)).unwrap_or_default();
        lines.insert(place.min(lines.len()), entry.to_owned());
    }
    format!("{}{}", lines.join("\n"), if draw.below(6) == 0 { "" } else { "\n" })
}

#[async_trait]
impl Proving for DisableCronEntry {
    async fn stage(&self, target: &Target, draw: &mut Draw) -> Result<Value, Fault> {
        let entry = draw.pick(&ENTRIES).copied().unwrap_or_default();
        let (path, _) = draw.pick(&FILES).copied().unwrap_or(FILES[0]);
        let make = FILES.map(|(path, mode)| {
            let text = text(draw, entry);
            Thing::file(path, &text, mode, 0, 1_600_000_000 + draw.below(9_999))
        });
        self.linux.stage(target, &FILES.map(|(path, _)| path), make.to_vec()).await?;
        Ok(staged::sometimes_ending(json!({"path": path, "entry": entry}), draw))
    }

    async fn snapshot(&self, target: &Target) -> Result<Value, Fault> {
        self.linux.snapshot(target, &["/etc/crontab", "/etc/cron.d", "/var/spool/cron"], false).await
    }

    async fn disturb(&self, target: &Target, params: &Value, draw: &mut Draw) -> Result<(), Fault> {
        let text = text(draw, staged::text(params, "entry"));
        let thing = Thing::file(staged::text(params, "path"), &text, 0o600, 0, 1_650_000_000);
        self.linux.stage(target, &[], vec![thing]).await
    }
}
