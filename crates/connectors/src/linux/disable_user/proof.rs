//! What the proof of a disabled user needs: lines of every kind, and the password files.

use async_trait::async_trait;
use serde_json::{Value, json};
use shieldops_model::Target;
use shieldops_respond::{Draw, Fault, Proving};

use super::DisableUser;
use crate::linux::{ground::staging::Thing, staged};

const USERS: [&str; 3] = ["proof-a", "proof_b", "proof.c"];
const PASSWORDS: [&str; 8] = ["", "!", "!!", "*", "!*", "$y$j9T$proof$proof", "!$6$proof$proof", "!!$6$proof$proof"];
const DAYS: [&str; 5] = ["", "0", "1", "20000", "-1"];

fn file(draw: &mut Draw, last: &str) -> Thing {
    let lines = USERS.iter().map(|user| {
        let password = draw.pick(&PASSWORDS).copied().unwrap_or_default();
        let day = draw.pick(&DAYS).copied().unwrap_or_default();
        format!("{user}:{password}:{}:0:99999:7::{day}:", 19_000 + draw.below(900))
    });
    let lines: Vec<String> = std::iter::once("root:*:19700:0:99999:7:::".to_owned()).chain(lines).collect();
    Thing::file("/etc/shadow", format!("{}{last}", lines.join("\n")), 0o640, 0, 1_600_000_000 + draw.below(9_999))
}

#[async_trait]
impl Proving for DisableUser {
    async fn stage(&self, target: &Target, draw: &mut Draw) -> Result<Value, Fault> {
        let passwd =
            USERS.iter().zip(2001..).map(|(user, uid)| format!("{user}:x:{uid}:{uid}::/home/{user}:/bin/sh\n"));
        let passwd = format!("root:x:0:0:root:/root:/bin/sh\n{}", passwd.collect::<String>());
        let last = if draw.below(8) == 0 { "" } else { "\n" };
        let make = vec![file(draw, last), Thing::file("/etc/passwd", &passwd, 0o644, 0, 1_600_000_000)];
        self.linux.stage(target, &[], make).await?;
        Ok(staged::sometimes_ending(json!({"user": draw.pick(&USERS)}), draw))
    }

    async fn snapshot(&self, target: &Target) -> Result<Value, Fault> {
        self.linux.snapshot(target, &["/etc"], false).await
    }

    async fn disturb(&self, target: &Target, params: &Value, draw: &mut Draw) -> Result<(), Fault> {
        let user = staged::text(params, "user");
        let line = format!("{user}:$6$another:20000:0:99999:7::{}:\n", draw.below(99_999) + 2);
        let make =
            vec![Thing::file("/etc/shadow", format!("root:*:19700:0:99999:7:::\n{line}"), 0o640, 0, 1_650_000_000)];
        self.linux.stage(target, &[], make).await
    }
}
