//! What correlations remember: stored step by step, sealed, of one tenant, and gone with it.

use shieldops_model::Clock as _;
use shieldops_store::{
    TenantScope,
    correlations::{self, Part},
};

use crate::{
    support::{World, world},
    tenancy::tenant,
};

fn log(step: u64) -> Part {
    Part { bucket: None, step, bytes: format!("log {step} MARKER-3e81").into_bytes() }
}

fn bucket(bucket: u8, step: u64) -> Part {
    Part { bucket: Some(bucket), step, bytes: format!("bucket {bucket} after {step}").into_bytes() }
}

async fn save(world: &World, scope: &TenantScope, bucket: &Part, forget: u64) {
    let mut tx = scope.begin().await.unwrap();
    correlations::save(&mut tx, &log(bucket.step), bucket, forget).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
}

#[tokio::test]
async fn a_bucket_takes_the_place_of_its_older_self_and_logs_go_when_nothing_needs_them() {
    let Some(world) = world().await else { return };
    let (own, other) = (world.scope(), tenant(&world, "other", None).await);
    save(&world, &own, &bucket(0, 1), 0).await;
    save(&world, &own, &bucket(1, 2), 0).await;
    save(&world, &own, &bucket(0, 3), 1).await;
    save(&world, &other, &bucket(0, 1), 0).await;
    let mut reader = own.read().await.unwrap();
    assert_eq!(correlations::all(&mut reader).await.unwrap(), [log(2), log(3), bucket(0, 3), bucket(1, 2)]);
    drop(reader);
    let theirs = correlations::all(&mut other.read().await.unwrap()).await.unwrap();
    assert_eq!(theirs, [log(1), bucket(0, 1)], "another tenant has its own");
}

#[tokio::test]
async fn a_part_that_does_not_open_is_empty_and_costs_no_other() {
    let Some(world) = world().await else { return };
    let own = world.scope();
    save(&world, &own, &bucket(0, 1), 0).await;
    save(&world, &own, &bucket(1, 2), 0).await;
    assert_eq!(world.sql("UPDATE correlation_states SET body=X'00' WHERE bucket=0").await, 1);
    let parts = correlations::all(&mut own.read().await.unwrap()).await.unwrap();
    assert_eq!(parts, [log(1), log(2), Part { bytes: Vec::new(), ..bucket(0, 1) }, bucket(1, 2)]);
}
