//! What the proof of a removed key needs: files with several copies of it, with other keys, comments and rubbish.

use async_trait::async_trait;
use serde_json::{Value, json};
use shieldops_model::Target;
use shieldops_respond::{Draw, Fault, Proving};

use super::RemoveAuthorizedKey;
use crate::linux::{ground::staging::Thing, staged};

const USER: u32 = 2010;
const BLOB: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIGPkZQhZ4b1N6nDCgOM0tBhdC3cjpPDv4q0FYBq9xJ7n";
const OTHER: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const FILES: [&str; 2] = ["/home/proof-k/.ssh/authorized_keys", "/home/proof-k/.ssh/authorized_keys2"];

fn text(draw: &mut Draw) -> String {
    let mine = format!("ssh-ed25519 {BLOB} mine");
    let kinds = [
        mine.clone(),
        mine,
        format!("restrict,command=\"echo a b\" ssh-ed25519 {BLOB}"),
        format!("ssh-ed25519 {OTHER} other"),
        "# a comment".to_owned(),
        String::new(),
        "rubbish \u{e9}".to_owned(),
    ];
    let lines: Vec<String> = (0..draw.below(7)).filter_map(|_| draw.pick(&kinds).cloned()).collect();
    let end = if draw.coin() { "\n" } else { "" };
    format!("{}{end}", lines.join("\n"))
}

fn passwd() -> Thing {
    let text = format!(
        "root:x:0:0:root:/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\nproof-k:x:{USER}:{USER}::/home/proof-k:/bin/sh\n"
    );
    Thing::file("/etc/passwd", &text, 0o644, 0, 1_600_000_000)
}

#[async_trait]
impl Proving for RemoveAuthorizedKey {
    async fn stage(&self, target: &Target, draw: &mut Draw) -> Result<Value, Fault> {
        let mut make = vec![
            passwd(),
            Thing::folder("/home/proof-k", 0o755, USER),
            Thing::folder("/home/proof-k/.ssh", 0o700, USER),
        ];
        for path in FILES {
            if draw.below(4) > 0 {
                make.push(Thing::file(path, &text(draw), 0o600, USER, 1_600_000_000 + draw.below(9_999)));
            }
        }
        // There is at least one to be removed.
        let first = format!("{}\nssh-ed25519 {BLOB} first\n", text(draw));
        make.push(Thing::file(FILES[0], &first, 0o600, USER, 1_600_000_000 + draw.below(9_999)));
        self.linux.stage(target, &["/home/proof-k"], make).await?;
        let params = json!({"user": "proof-k", "key": format!("ssh-ed25519 {BLOB}")});
        Ok(staged::sometimes_ending(params, draw))
    }

    async fn snapshot(&self, target: &Target) -> Result<Value, Fault> {
        self.linux.snapshot(target, &["/home", "/etc/passwd", "/etc/ssh"], false).await
    }

    async fn disturb(&self, target: &Target, _params: &Value, draw: &mut Draw) -> Result<(), Fault> {
        let thing =
            Thing::file(FILES[0], &format!("{}\nssh-ed25519 {BLOB} again\n", text(draw)), 0o600, USER, 1_650_000_000);
        self.linux.stage(target, &[], vec![thing]).await
    }
}
