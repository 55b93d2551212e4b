//! Rules that a tenant switched off and on again.

use shieldops_model::Clock as _;
use shieldops_store::{
    StoreError, ledger,
    rule_states::{self, State},
};

use crate::{
    support::{World, world},
    tenancy::tenant,
};

const RULE: &str = "5a000000-0000-4000-8000-000000000001";

async fn switch(world: &World, state: State, reason: &str) -> Result<Option<i64>, StoreError> {
    let mut tx = world.scope().begin().await?;
    let set = rule_states::set(&mut tx, RULE, (State::Enabled, state), reason, world.clock.now()).await?;
    tx.commit(world.clock.now()).await?;
    Ok(set.map(|state| state.version))
}

#[tokio::test]
async fn a_rule_is_off_for_the_tenant_that_said_so_and_its_ledger_says_why() {
    let Some(world) = world().await else { return };
    let other = tenant(&world, "other", None).await;
    assert_eq!(switch(&world, State::Enabled, "as it is").await.unwrap(), None, "a rule without a row is enabled");
    assert_eq!(switch(&world, State::Retired, "noisy").await.unwrap(), Some(1));
    assert_eq!(switch(&world, State::Retired, "again").await.unwrap(), Some(1), "it is off already");
    let mut reader = world.scope().read().await.unwrap();
    let state = rule_states::find(&mut reader, RULE).await.unwrap().unwrap();
    assert_eq!((state.state, state.reason.as_str(), state.by.as_str()), (State::Retired, "noisy", "system:cli"));
    assert_eq!(rule_states::states(&mut reader).await.unwrap()[RULE], State::Retired);
    let mut theirs = other.read().await.unwrap();
    assert!(rule_states::states(&mut theirs).await.unwrap().is_empty());
    assert!(rule_states::all(&mut theirs).await.unwrap().is_empty());
    drop(theirs);
    assert_eq!(switch(&world, State::Enabled, "tuned").await.unwrap(), Some(2));
    assert_eq!(switch(&world, State::Shadow, "watch it").await.unwrap(), Some(3));
    assert_eq!(rule_states::states(&mut reader).await.unwrap()[RULE], State::Shadow);
    assert_eq!(switch(&world, State::Enabled, "tuned").await.unwrap(), Some(4));
    assert_eq!(rule_states::all(&mut reader).await.unwrap()[RULE].reason, "tuned");
    let entries = ledger::of_subject(&mut reader, RULE).await.unwrap();
    let mut kinds: Vec<_> = entries.iter().map(|entry| entry.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["rule.disabled", "rule.enabled", "rule.enabled", "rule.shadowed"]);
}
