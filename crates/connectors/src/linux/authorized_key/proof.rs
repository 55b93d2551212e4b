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

fn text(draw: &mut Draw) -> Vec<u8> {
    let mine = format!("ssh-ed25519 {BLOB} mine");
    let kinds = [
        mine.clone().into_bytes(),
        [mine.as_bytes(), b" caf\xe9"].concat(),
        [mine.as_bytes(), b"\0\xff"].concat(),
        format!("{mine} {}", "long ".repeat(3_400)).into_bytes(),
        format!("restrict,command=\"echo a b\" ssh-ed25519 {BLOB}").into_bytes(),
        format!("ssh-ed25519 {OTHER} other").into_bytes(),
        b"# a comment".to_vec(),
        Vec::new(),
        b"rubbish \xe9".to_vec(),
    ];
    let lines: Vec<Vec<u8>> = (0..draw.below(7)).filter_map(|_| draw.pick(&kinds).cloned()).collect();
    let end: &[u8] = if draw.coin() { b"\n" } else { b"" };
    [lines.join(&b'\n').as_slice(), end].concat()
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
                make.push(Thing::file(path, text(draw), 0o600, USER, 1_600_000_000 + draw.below(9_999)));
            }
        }
        // There is at least one to be removed.
        let first = [text(draw), format!("\nssh-ed25519 {BLOB} first\n").into_bytes()].concat();
        make.push(Thing::file(FILES[0], &first, 0o600, USER, 1_600_000_000 + draw.below(9_999)));
        self.linux.stage(target, &["/home/proof-k"], make).await?;
        let params = json!({"user": "proof-k", "key": format!("ssh-ed25519 {BLOB}")});
        Ok(staged::sometimes_ending(params, draw))
    }

    async fn snapshot(&self, target: &Target) -> Result<Value, Fault> {
        self.linux.snapshot(target, &["/home", "/etc/passwd", "/etc/ssh"], false).await
    }

    async fn disturb(&self, target: &Target, _params: &Value, draw: &mut Draw) -> Result<(), Fault> {
        let again = [text(draw), format!("\nssh-ed25519 {BLOB} again\n").into_bytes()].concat();
        let thing = Thing::file(FILES[0], &again, 0o600, USER, 1_650_000_000);
        self.linux.stage(target, &[], vec![thing]).await
    }
}
