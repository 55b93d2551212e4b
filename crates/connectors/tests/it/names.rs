//! Blocked names: what counts is the answer of the host's own resolver.

use serde_json::json;
use shieldops_model::ActionState;

use crate::support::World;

const BLOCK: &str = "linux.block_domain";

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_name_leads_nowhere_and_after_undo_the_file_is_as_it_was() {
    let Some(world) = World::rooted().await else { return };
    world.sh(
        "printf '127.0.0.1 localhost\\n10.9.8.7 fine.example\\nno end' > /etc/hosts; touch -d @1600000000 /etc/hosts",
    );
    let file = "cat /etc/hosts; stat -c '%a %u %Y' /etc/hosts";
    let before = world.sh(file);
    let action = world.act(BLOCK, json!({"domain": "B\u{fc}cher.Example."})).await;
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    let said = world.sh("getent ahosts xn--bcher-kva.example");
    assert!(
        !said.is_empty() && said.lines().all(|line| line.starts_with("0.0.0.0") || line.starts_with("::")),
        "{said}"
    );
    assert_eq!(world.action(&action).await.proofs.last().unwrap().result, "refused");
    assert!(world.sh("getent ahosts fine.example").starts_with("10.9.8.7"));
    let undone = world.undo(&action).await.unwrap();
    assert_eq!(undone.state, ActionState::Undone, "{:?}", undone.detail);
    assert_eq!(world.sh(file), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_somebody_else_gave_an_address_and_a_mounted_file_are_refused() {
    let Some(world) = World::rooted().await else { return };
    world.sh("printf '127.0.0.1 localhost\\n10.9.8.7 fine.example\\n' > /etc/hosts; echo own.example > /etc/hostname");
    assert_eq!(world.denied(BLOCK, json!({"domain": "fine.example"})).await, ["named_by_others"]);
    assert_eq!(world.denied(BLOCK, json!({"domain": "own.example"})).await, ["own_name"]);
    world.sh("cp /etc/hosts /run/hosts; mount --bind /run/hosts /etc/hosts");
    assert_eq!(world.denied(BLOCK, json!({"domain": "evil.example"})).await, ["mounted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_somebody_takes_out_are_drift_and_marked_ones_without_an_owner_are_orphans() {
    let Some(mut world) = World::rooted().await else { return };
    world.sh("printf '127.0.0.1 localhost\\n' > /etc/hosts");
    let action = world.act(BLOCK, json!({"domain": "evil.example"})).await;
    world.sh("cp /etc/hosts /tmp/kept; printf '127.0.0.1 localhost\\n' > /etc/hosts");
    world.engine.reobserve().await.unwrap();
    assert_eq!(world.action(&action).await.state, ActionState::Drifted);
    world.sh("cp /tmp/kept /etc/hosts");
    world.forget();
    let orphans = world.engine.orphans(crate::support::target("twin/test").id).await.unwrap();
    let keys: Vec<&str> = orphans.iter().map(|orphan| orphan.key.as_str()).collect();
    assert_eq!(keys, ["evil.example"]);
}
