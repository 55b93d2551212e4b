//! Reading a tenant's rows, inside a transaction or outside, and sealing what rests in them.

use serde::{Serialize, de::DeserializeOwned};
use shieldops_model::{Severity, TenantId};
use shieldops_seal::DataKey;
use sqlx::{AnyConnection, AssertSqlSafe, any::AnyRow};

use crate::{
    Result, Store, StoreError, TenantScope, Tx,
    db::{Reading, Whose, clean},
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
        Ok(Self::of(scope, scope.store.db().read(Whose::Tenant(scope.tenant)).await?))
    }

    pub(crate) fn of(scope: &TenantScope, reading: Reading) -> Self {
        Self { reading, tenant: scope.tenant, key: scope.key.clone(), store: scope.store.clone() }
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
    let key = access.key().row_key(table);
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
    let key = access.key().row_key(table);
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

/// What a list asks for: only what is wanted stands in the text, so that the database plans with the index that fits.
pub(crate) struct Conditions {
    text: String,
    values: Vec<Value>,
}

enum Value {
    Bytes(Vec<u8>),
    Text(String),
    Number(i64),
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

#[expect(private_bounds, reason = "the values that a query binds are known here alone")]
impl Conditions {
    /// Rows of one tenant, which is `$1`.
    pub(crate) fn of(access: &impl Access) -> Self {
        Self { text: "tenant_id=$1".to_owned(), values: vec![Value::Bytes(access.t())] }
    }

    /// The place of a value in the text.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    pub(crate) fn and(&mut self, condition: &str) {
        self.text.push_str(" AND ");
        self.text.push_str(condition);
    }

    pub(crate) fn is(&mut self, column: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            let at = self.bind(value);
            self.and(&format!("{column}={at}"));
        }
    }

    /// Any of these; none is any at all.
    pub(crate) fn any<V: Into<Value>>(&mut self, column: &str, values: impl IntoIterator<Item = V>) {
        let places: Vec<String> = values.into_iter().map(|value| self.bind(value)).collect();
        if !places.is_empty() {
            self.and(&format!("{column} IN ({})", places.join(",")));
        }
    }

    /// The text is part of the column's, without regard to ASCII case.
    pub(crate) fn contains(&mut self, column: &str, text: Option<&str>) {
        if let Some(text) = text {
            let at = self.bind(clean(text).to_ascii_lowercase());
            self.and(&format!("instr(lower({column}), {at})>0"));
        }
    }

    /// The rows of `from`, which ends before its conditions, in this order.
    pub(crate) async fn rows(
        mut self,
        access: &mut impl Access,
        from: &str,
        order: &str,
        limit: i64,
    ) -> Result<Vec<AnyRow>> {
        let limit = self.bind(limit);
        let sql = format!("{from} WHERE {} ORDER BY {order} LIMIT {limit}", self.text);
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in self.values {
            query = match value {
                Value::Bytes(bytes) => query.bind(bytes),
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
            };
        }
        Ok(query.fetch_all(access.conn()).await?)
    }
}

pub(crate) fn ids(severities: &[Severity]) -> Vec<i64> {
    severities.iter().map(|severity| i64::from(severity.id())).collect()
}
