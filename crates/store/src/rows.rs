//! Columns of a row as the types they stand for, and bodies that the installation's own key seals.

use serde::{Serialize, de::DeserializeOwned};
use shieldops_model::{Id, TenantId, Timestamp, UserId, id};
use shieldops_seal::Purpose;
use sqlx::{Row as _, any::AnyRow};

use crate::{Result, Store, StoreError, alerts::id_of};

pub(crate) fn bytes<K: id::Kind>(id: Id<K>) -> Vec<u8> {
    id.to_bytes().to_vec()
}

pub(crate) fn optional_id<K: id::Kind>(row: &AnyRow, column: &str) -> Result<Option<Id<K>>> {
    let bytes: Option<Vec<u8>> = row.try_get(column)?;
    bytes.map(|_present| id_of(row, column)).transpose()
}

pub(crate) fn time(row: &AnyRow, column: &str) -> Result<Timestamp> {
    Ok(Timestamp::from_micros(row.try_get(column)?))
}

pub(crate) fn optional_time(row: &AnyRow, column: &str) -> Result<Option<Timestamp>> {
    let micros: Option<i64> = row.try_get(column)?;
    Ok(micros.map(Timestamp::from_micros))
}

/// A count; a stored one is never negative.
pub(crate) fn count(row: &AnyRow, column: &str) -> Result<u64> {
    let value: i64 = row.try_get(column)?;
    Ok(u64::try_from(value).unwrap_or(0))
}

pub(crate) fn small(row: &AnyRow, column: &str) -> Result<u32> {
    Ok(u32::try_from(count(row, column)?).unwrap_or(u32::MAX))
}

/// A column that holds JSON in clear.
pub(crate) fn json<T: DeserializeOwned>(row: &AnyRow, column: &str) -> Result<T> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text).map_err(|error| StoreError::damaged(format!("{column}: {error}")))
}

pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(StoreError::damaged)
}

/// Seals a value of an installation table; the row's key binds it.
pub(crate) fn seal_own<T: Serialize>(store: &Store, table: &'static str, row: &[u8], value: &T) -> Result<Vec<u8>> {
    let plain = serde_json::to_vec(value).map_err(StoreError::damaged)?;
    let key = store.keys().data_key(TenantId::INSTALLATION)?.subkey(Purpose::Row(table));
    Ok(key.seal(&[table.as_bytes(), &[0], row].concat(), &plain, &mut rand::rng()))
}

pub(crate) fn open_own<T: DeserializeOwned>(
    store: &Store,
    table: &'static str,
    row: &[u8],
    sealed: &[u8],
) -> Result<T> {
    let key = store.keys().data_key(TenantId::INSTALLATION)?.subkey(Purpose::Row(table));
    let plain = key
        .open(&[table.as_bytes(), &[0], row].concat(), sealed)
        .map_err(|error| StoreError::damaged(format!("{table}: {error}")))?;
    serde_json::from_slice(&plain).map_err(|error| StoreError::damaged(format!("{table}: {error}")))
}

/// The key of a row that belongs to a person.
pub(crate) fn of_person(person: UserId, row: &[u8]) -> Vec<u8> {
    [person.to_bytes().as_slice(), row].concat()
}
