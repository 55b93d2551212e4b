//! Who waits for whose events: the door rings, the worker of that tenant wakes. A waiting worker holds no thread.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use shieldops_model::TenantId;
use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    bells: Mutex<HashMap<TenantId, Arc<Notify>>>,
}

impl Arrivals {
    /// Events of the tenant are durable. A ring that nobody waits for is kept for the next who does.
    pub(crate) fn ring(&self, tenant: TenantId) {
        self.bell(tenant).notify_one();
    }

    pub(crate) fn bell(&self, tenant: TenantId) -> Arc<Notify> {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(bells.entry(tenant).or_default())
    }

    /// The tenant is gone.
    pub(crate) fn forget(&self, tenant: TenantId) {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
    }
}
