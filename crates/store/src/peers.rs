//! Addresses that events spoke of, and when each was last seen, by the hour: what a range reaches is counted from it.
//! Bookkeeping: it follows from the events.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
};

use shieldops_model::Timestamp;
use sqlx::Row as _;

use crate::{Access, Result, StoreError, Tx};

const HOUR_S: i64 = 3_600;
/// Addresses that a tenant keeps; what was seen longest ago goes first.
pub const KEPT: i64 = 250_000;

/// The hour that a time is in.
pub const fn hour(at: Timestamp) -> Timestamp {
    Timestamp::from_secs(at.as_secs().div_euclid(HOUR_S) * HOUR_S)
}

/// Sixteen bytes in the order of the addresses of a family.
fn key(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// Notes addresses, each in the hour in which it was seen; an earlier hour never replaces a later one.
pub async fn note(tx: &mut Tx, seen: &BTreeMap<Timestamp, Vec<IpAddr>>) -> Result<()> {
    for (at, addresses) in seen {
        let keys: Vec<String> = addresses.iter().map(|address| hex::encode(key(*address))).collect();
        sqlx::query(
            "INSERT INTO peers_seen (tenant_id, address, last_seen) SELECT $1, unhex(value), $3 FROM json_each($2) WHERE true \
             ON CONFLICT (tenant_id, address) DO UPDATE SET last_seen=excluded.last_seen \
             WHERE excluded.last_seen>peers_seen.last_seen",
        )
        .bind(tx.t())
        .bind(serde_json::to_string(&keys).map_err(StoreError::damaged)?)
        .bind(hour(*at).as_micros())
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// Forgets what was seen before a time, and the oldest of what is more than `most`.
pub async fn trim(tx: &mut Tx, before: Timestamp, most: i64) -> Result<()> {
    sqlx::query("DELETE FROM peers_seen WHERE tenant_id=$1 AND last_seen<$2")
        .bind(tx.t())
        .bind(hour(before).as_micros())
        .execute(tx.conn())
        .await?;
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM peers_seen WHERE tenant_id=$1")
        .bind(tx.t())
        .fetch_one(tx.conn())
        .await?;
    if kept > most {
        sqlx::query(
            "DELETE FROM peers_seen WHERE tenant_id=$1 AND address IN \
             (SELECT address FROM peers_seen WHERE tenant_id=$1 ORDER BY last_seen, address LIMIT $2)",
        )
        .bind(tx.t())
        .bind(kept - most)
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// The addresses from the first to the last of these ranges that were seen from the hour of `from` on, in their order; at
/// most `limit` of each range.
pub async fn within(
    access: &mut impl Access,
    ranges: &[(IpAddr, IpAddr)],
    from: Timestamp,
    limit: usize,
) -> Result<Vec<IpAddr>> {
    let mut found = BTreeSet::new();
    for (first, last) in ranges {
        let tenant = access.t();
        let rows = sqlx::query(
            "SELECT address FROM peers_seen WHERE tenant_id=$1 AND address>=$2 AND address<=$3 AND last_seen>=$4 \
             ORDER BY address LIMIT $5",
        )
        .bind(tenant)
        .bind(key(*first).to_vec())
        .bind(key(*last).to_vec())
        .bind(hour(from).as_micros())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(access.conn())
        .await?;
        for row in &rows {
            let bytes: Vec<u8> = row.try_get("address")?;
            let bytes: [u8; 16] = bytes.try_into().map_err(|_bytes| StoreError::damaged("peers_seen: no address"))?;
            found.insert(Ipv6Addr::from(bytes).to_canonical());
        }
    }
    Ok(found.into_iter().collect())
}
