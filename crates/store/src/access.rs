//! Reading a tenant's rows, inside a transaction or outside, and sealing what rests in them.

use serde::{Serialize, de::DeserializeOwned};
use shieldops_model::{Severity, TenantId};
use shieldops_seal::{DataKey, Purpose};
use sqlx::AnyConnection;

use crate::{
    Result, Store, StoreError, TenantScope, Tx,
    db::{Reading, Whose},
};

/// A connection bound to one tenant.
pub trait Access: Send {
    fn tenant(&self) -> TenantId;
    #[doc(hidden)]
    fn conn(&mut self) -> &mut AnyConnection;
    #[doc(hidden)]
    fn key(&self) -> &DataKey;
    #[doc(hidden)]
    fn store(&self) -> &Store;

    /// The tenant as every query binds it.
    #[doc(hidden)]
    fn t(&self) -> Vec<u8> {
        self.tenant().to_bytes().to_vec()
    }
}

/// A connection for reading. Each read sees what was committed before it.
pub struct Reader {
    reading: Reading,
    tenant: TenantId,
    key: DataKey,
    store: Store,
}

impl Reader {
    pub(crate) async fn open(scope: &TenantScope) -> Result<Self> {
        let reading = scope.store.db().read(Whose::Tenant(scope.tenant)).await?;
        Ok(Self { reading, tenant: scope.tenant, key: scope.key.clone(), store: scope.store.clone() })
    }
}

impl Access for Reader {
    fn tenant(&self) -> TenantId {
        self.tenant
    }
    fn conn(&mut self) -> &mut AnyConnection {
        self.reading.conn()
    }
    fn key(&self) -> &DataKey {
        &self.key
    }
    fn store(&self) -> &Store {
        &self.store
    }
}

impl Access for Tx {
    fn tenant(&self) -> TenantId {
        self.scope.tenant
    }
    fn conn(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }
    fn key(&self) -> &DataKey {
        &self.scope.key
    }
    fn store(&self) -> &Store {
        &self.scope.store
    }
}

/// What binds a sealed body to its row: tenant, table and row key. A body moved to another row does not open.
fn aad(tenant: TenantId, table: &str, row: &[u8]) -> Vec<u8> {
    let mut aad = tenant.to_bytes().to_vec();
    aad.extend_from_slice(table.as_bytes());
    aad.push(0);
    aad.extend_from_slice(row);
    aad
}

pub(crate) fn seal<T: Serialize>(access: &impl Access, table: &'static str, row: &[u8], value: &T) -> Result<Vec<u8>> {
    let plain = serde_json::to_vec(value).map_err(StoreError::damaged)?;
    Ok(seal_bytes(access, table, row, &plain))
}

pub(crate) fn seal_bytes(access: &impl Access, table: &'static str, row: &[u8], plain: &[u8]) -> Vec<u8> {
    let key = access.key().subkey(Purpose::Row(table));
    key.seal(&aad(access.tenant(), table, row), plain, &mut rand::rng())
}

pub(crate) fn open<T: DeserializeOwned>(
    access: &impl Access,
    table: &'static str,
    row: &[u8],
    sealed: &[u8],
) -> Result<T> {
    let plain = open_bytes(access, table, row, sealed)?;
    serde_json::from_slice(&plain).map_err(|error| StoreError::damaged(format!("{table}: {error}")))
}

pub(crate) fn open_bytes(access: &impl Access, table: &'static str, row: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
    let key = access.key().subkey(Purpose::Row(table));
    key.open(&aad(access.tenant(), table, row), sealed)
        .map_err(|error| StoreError::damaged(format!("{table}: {error}")))
}

/// The word of an enum as its JSON has it.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The values of a filter as one JSON array for `json_each`; nothing when there are none, which means any.
pub(crate) fn any_of<T: Serialize>(values: &[T]) -> Option<String> {
    if values.is_empty() { None } else { serde_json::to_string(values).ok() }
}

pub(crate) fn ids(severities: &[Severity]) -> Vec<u8> {
    severities.iter().copied().map(Severity::id).collect()
}
