//! Turns of writers on PostgreSQL: those of one tenant wait for its advisory lock with a connection in hand. So that one
//! tenant's queue leaves connections to the others, only so many of it may have one.

use std::{
    collections::HashMap,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use shieldops_model::TenantId;
use sqlx::{Any, AnyConnection, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Whose, postgres};
use crate::Result;

/// Connections that the writers of one tenant may have: half of the pool.
const OF_ONE: usize = postgres::WRITERS as usize / 2;
/// Tenants that are remembered before those without a writer are forgotten.
const REMEMBERED: usize = 256;
/// How long a writer waits for its turn, as it would for a connection.
const PATIENCE: Duration = Duration::from_secs(15);

/// By the tenant; none for the installation.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<Option<TenantId>, Arc<Semaphore>>>);

impl Turns {
    fn of(&self, whose: Whose) -> Arc<Semaphore> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() >= REMEMBERED {
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        let key = match whose {
            Whose::Installation => None,
            Whose::Tenant(tenant) => Some(tenant),
        };
        Arc::clone(turns.entry(key).or_insert_with(|| Arc::new(Semaphore::new(OF_ONE))))
    }

    /// # Errors
    /// `Database` when it did not come within the time that a connection may take.
    pub(crate) async fn take(&self, whose: Whose) -> Result<OwnedSemaphorePermit> {
        let turn = tokio::time::timeout(PATIENCE, self.of(whose).acquire_owned()).await;
        Ok(turn.map_err(|_late| sqlx::Error::PoolTimedOut)?.map_err(|_closed| sqlx::Error::PoolClosed)?)
    }
}

/// A transaction that may write, with its place among the writers.
pub(crate) struct Writing {
    tx: Transaction<'static, Any>,
    // Given back after the connection is.
    _turn: Option<OwnedSemaphorePermit>,
}

impl Writing {
    pub(crate) fn new(tx: Transaction<'static, Any>, turn: Option<OwnedSemaphorePermit>) -> Self {
        Self { tx, _turn: turn }
    }

    pub(crate) async fn commit(self) -> std::result::Result<(), sqlx::Error> {
        self.tx.commit().await
    }
}

impl Deref for Writing {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.tx
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.tx
    }
}
