//! Addresses that events named: within a range, of a time, of one tenant, and within a bound.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use shieldops_model::{Clock as _, Timestamp};
use shieldops_store::{TenantScope, peers};

use crate::{support::world, tenancy::tenant};

fn at(text: &str) -> IpAddr {
    text.parse().unwrap()
}

async fn note(scope: &TenantScope, when: Timestamp, addresses: &[&str]) {
    let seen = BTreeMap::from([(when, addresses.iter().map(|text| at(text)).collect())]);
    let mut tx = scope.begin().await.unwrap();
    peers::note(&mut tx, &seen).await.unwrap();
    tx.commit(scope.store().clock().now()).await.unwrap();
}

async fn within(scope: &TenantScope, first: &str, last: &str, from: Timestamp) -> Vec<String> {
    let mut reader = scope.read().await.unwrap();
    let found = peers::within(&mut reader, &[(at(first), at(last))], from, 5).await.unwrap();
    found.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn peers_are_found_by_range_and_time_and_never_those_of_another_tenant() {
    let Some(world) = world().await else { return };
    let (scope, now) = (world.scope(), world.clock.now());
    let (day, week) = (now.minus(Duration::from_hours(24)), now.minus(Duration::from_hours(7 * 24)));
    note(&scope, now, &["203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0", "2001:db8::1"]).await;
    note(&scope, week, &["203.0.113.7", "203.0.113.0", "2001:db8::ffff:1"]).await;
    let theirs = tenant(&world, "theirs", None).await;
    note(&theirs, now, &["203.0.113.9"]).await;
    let range = |from| within(&scope, "203.0.113.0", "203.0.113.255", from);
    assert_eq!(range(day).await, ["203.0.113.0", "203.0.113.255"], "seen again is seen now");
    assert_eq!(range(week).await, ["203.0.113.0", "203.0.113.7", "203.0.113.255"]);
    assert_eq!(within(&scope, "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff", day).await, ["2001:db8::1"]);
    assert_eq!(within(&theirs, "203.0.113.0", "203.0.113.255", week).await, ["203.0.113.9"]);
    let all = within(&scope, "0.0.0.0", "255.255.255.255", week).await;
    assert_eq!(all.len(), 5, "IPv6 is not IPv4, and no more than was asked for: {all:?}");
}

#[tokio::test]
async fn what_was_seen_long_ago_is_forgotten_and_then_the_oldest_of_too_much() {
    let Some(world) = world().await else { return };
    let (scope, now) = (world.scope(), world.clock.now());
    let week = now.minus(Duration::from_hours(7 * 24));
    note(&scope, week.minus(Duration::from_hours(2)), &["203.0.113.1"]).await;
    note(&scope, week, &["203.0.113.2"]).await;
    note(&scope, now, &["203.0.113.3", "203.0.113.4"]).await;
    let trimmed = async |most: i64| {
        let mut tx = scope.begin().await.unwrap();
        peers::trim(&mut tx, week, most).await.unwrap();
        tx.commit(now).await.unwrap();
        within(&scope, "203.0.113.0", "203.0.113.9", Timestamp::from_secs(0)).await
    };
    assert_eq!(trimmed(9).await, ["203.0.113.2", "203.0.113.3", "203.0.113.4"]);
    assert_eq!(trimmed(2).await, ["203.0.113.3", "203.0.113.4"]);
}
