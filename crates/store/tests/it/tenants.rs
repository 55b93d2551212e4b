//! Invariant 10: the scope of one tenant neither reads nor changes another's rows.

use shieldops_model::{Clock as _, Timestamp, id};
use shieldops_store::{
    PageRequest, StoreError, TenantScope, alerts, cited, dead_letters, facts, incidents, investigations, ledger, notes,
    people, plans, targets,
};

use crate::{
    support::{World, alert, incident, note, target, world},
    tenancy,
};

async fn second(world: &World) -> TenantScope {
    tenancy::tenant(world, "second", None).await
}

#[tokio::test]
async fn invariant_10_a_scope_reads_and_changes_nothing_of_another_tenant() {
    let Some(world) = world().await else { return };
    let other = second(&world).await;
    let (mut alert, mut incident, mut target) = (alert(1), incident(), target("sim/one"));
    alert.incident_id = Some(incident.id);
    let mut tx = world.scope().begin().await.unwrap();
    incidents::insert(&mut tx, &incident, incident.created_at, Some(incident.created_at)).await.unwrap();
    notes::insert(&mut tx, incident.id, &note("ours")).await.unwrap();
    alerts::insert(&mut tx, &alert).await.unwrap();
    targets::insert(&mut tx, &target).await.unwrap();
    facts::set_automation(&mut tx, &facts::Automation { halted: true, ..Default::default() }).await.unwrap();
    tx.record("incident.opened", &[&incident.id], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();

    let mut reader = other.read().await.unwrap();
    let page = PageRequest::default();
    assert!(alerts::list(&mut reader, &alerts::Filter::default(), &page).await.unwrap().items.is_empty());
    assert!(alerts::find(&mut reader, alert.id).await.unwrap().is_none());
    assert!(alerts::of_incident(&mut reader, incident.id).await.unwrap().is_empty());
    assert!(
        alerts::of_fingerprint(&mut reader, [1; 32], (Timestamp::from_secs(0), world.clock.now()))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(incidents::list(&mut reader, &incidents::Filter::default(), &page).await.unwrap().items.is_empty());
    assert!(incidents::find(&mut reader, incident.id).await.unwrap().is_none());
    assert!(incidents::due(&mut reader, world.clock.now()).await.unwrap().is_empty());
    assert!(investigations::find(&mut reader, incident.id, None).await.unwrap().is_none());
    assert!(notes::list(&mut reader, incident.id, &page).await.unwrap().items.is_empty());
    assert!(targets::all(&mut reader).await.unwrap().is_empty());
    assert!(targets::find_named(&mut reader, &target.reference()).await.unwrap().is_none());
    assert!(plans::list(&mut reader, &plans::Filter::default(), &page).await.unwrap().items.is_empty());
    assert!(dead_letters::list(&mut reader, &page).await.unwrap().items.is_empty());
    assert!(cited::find(&mut reader, id::mint(world.clock.now(), &mut rand::rng())).await.unwrap().is_none());
    assert!(!facts::automation(&mut reader).await.unwrap().halted);
    assert!(people::users(&mut reader).await.unwrap().is_empty());
    let entries = ledger::list(&mut reader, &ledger::Filter::default(), &page).await.unwrap().items;
    assert_eq!(entries.iter().map(|entry| entry.kind.as_str()).collect::<Vec<_>>(), ["tenant.created"], "its own");
    assert!(ledger::of_subject(&mut reader, &incident.id.to_string()).await.unwrap().is_empty());
    drop(reader);

    let mut tx = other.begin().await.unwrap();
    assert!(matches!(alerts::update(&mut tx, &mut alert).await, Err(StoreError::Conflict)));
    assert!(matches!(incidents::update(&mut tx, &mut incident).await, Err(StoreError::Conflict)));
    assert!(matches!(targets::update(&mut tx, &mut target).await, Err(StoreError::Conflict)));
    assert!(matches!(targets::remove(&mut tx, &target, world.clock.now()).await, Err(StoreError::NotFound)));
    drop(tx);
    assert_eq!(targets::all(&mut world.scope().read().await.unwrap()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn invariant_10_a_row_moved_to_another_tenant_does_not_open() {
    let Some(world) = world().await else { return };
    let other = second(&world).await;
    let target = target("sim/one");
    let mut tx = world.scope().begin().await.unwrap();
    targets::insert(&mut tx, &target).await.unwrap();
    tx.record("target.created", &[&target.id], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    world.sql(&format!("UPDATE targets SET tenant_id=X'{}'", hex::encode(other.tenant().to_bytes()))).await;
    let moved = targets::find(&mut other.read().await.unwrap(), target.id).await;
    assert!(matches!(moved, Err(StoreError::Damaged { .. })), "{moved:?}");
}

#[tokio::test]
async fn every_tenant_has_a_log_of_its_own() {
    let Some(world) = world().await else { return };
    let other = second(&world).await;
    world.commit(&["one", "two"]).await.unwrap();
    crate::support::commit(&other, &["three"], world.clock.now()).await.unwrap();
    let report = world.stop().await.verify().await;
    assert!(report.ok, "{report:?}");
    let mut sizes: Vec<u64> = report.logs.iter().map(|log| log.entries).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 2, 2], "the installation's has its making as well");
}
