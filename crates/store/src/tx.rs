//! A transaction: domain changes and their ledger entries, committed together.

use serde::Serialize;
use shieldops_model::Timestamp;

use crate::{
    Actor, Change, Result, StoreError, TenantScope,
    db::{Kind, Whose, turns::Writing},
    feed, lease,
    ledger::append,
    shred,
};

/// An entry to be appended at commit.
pub(crate) struct Pending {
    pub(crate) kind: &'static str,
    pub(crate) subjects: Vec<String>,
    pub(crate) payload: serde_json::Value,
}

/// Holds the one writer (of its tenant, on PostgreSQL). Dropped without a commit, nothing happened.
pub struct Tx {
    pub(crate) scope: TenantScope,
    pub(crate) inner: Writing,
    pending: Vec<Pending>,
    changes: Vec<(&'static str, String, i64)>,
    /// A domain row was changed: commit wants an entry.
    dirty: bool,
}

impl Tx {
    /// # Errors
    /// `NotFound` for a tenant that is being shredded: a scope outlives its tenant, in this process and in others. It is
    /// looked at under the tenant's lock, so nothing slips in between the look and the commit.
    pub(crate) async fn begin(scope: &TenantScope) -> Result<Self> {
        let inner = scope.store.db().begin(Whose::Tenant(scope.tenant)).await?;
        Self::open(scope, inner).await
    }

    /// One whose commit does not wait for the disk. It is there whenever a later commit of any transaction is; alone it may
    /// be lost when the database's machine fails.
    pub(crate) async fn begin_unwaited(scope: &TenantScope) -> Result<Self> {
        let inner = scope.store.db().begin_unwaited(Whose::Tenant(scope.tenant)).await?;
        Self::open(scope, inner).await
    }

    async fn open(scope: &TenantScope, inner: Writing) -> Result<Self> {
        let mut tx = Self::of(scope, inner);
        if shred::is_closed(&mut tx.inner, scope.tenant).await? {
            return Err(StoreError::NotFound);
        }
        Ok(tx)
    }

    /// The same in a tenant that is being shredded, for whoever does that.
    pub(crate) async fn begin_closed(scope: &TenantScope) -> Result<Self> {
        Ok(Self::of(scope, scope.store.db().begin(Whose::Tenant(scope.tenant)).await?))
    }

    fn of(scope: &TenantScope, inner: Writing) -> Self {
        let lease = scope.lease.clone().or_else(lease::held);
        Self {
            scope: TenantScope { lease, ..scope.clone() },
            inner,
            pending: Vec::new(),
            changes: Vec::new(),
            dirty: false,
        }
    }

    pub fn scope(&self) -> &TenantScope {
        &self.scope
    }

    /// Queues a ledger entry. `kind` is dotted (`plan.approved`); `subjects` are the ids it is about; the payload is
    /// sealed. The actor is the scope's.
    pub fn record(
        &mut self,
        kind: &'static str,
        subjects: &[&dyn std::fmt::Display],
        payload: impl Serialize,
    ) -> Result<()> {
        let actor = Actor::clone(&self.scope.actor);
        self.record_as(&actor, kind, subjects, payload)
    }

    /// Queues an entry of somebody else than the scope's actor: a worker that carries out what a person asked for.
    pub fn record_as(
        &mut self,
        actor: &Actor,
        kind: &'static str,
        subjects: &[&dyn std::fmt::Display],
        payload: impl Serialize,
    ) -> Result<()> {
        let body = serde_json::to_value(payload).map_err(StoreError::damaged)?;
        let mut payload = serde_json::json!({"actor": {"id": actor.id, "name": actor.name}, "body": body});
        if let (Some(lease), Some(payload)) = (&self.scope.lease, payload.as_object_mut()) {
            payload.insert("epoch".to_owned(), lease.epoch().into());
        }
        self.pending.push(Pending { kind, subjects: subjects.iter().map(ToString::to_string).collect(), payload });
        Ok(())
    }

    /// Notes a change of a domain row: an entry is owed, and watchers will hear of it.
    pub(crate) fn touched(&mut self, kind: &'static str, id: impl ToString, version: i64) {
        self.dirty = true;
        self.changes.push((kind, id.to_string(), version));
    }

    /// Tells watchers of something that is no domain change (counts, places).
    pub fn announce(&mut self, kind: &'static str, id: impl ToString) {
        self.changes.push((kind, id.to_string(), 0));
    }

    /// Commits rows and entries as one, then the signed checkpoint. `now` is the time the entries carry.
    ///
    /// # Errors
    /// `Unrecorded` when a domain row changed and no entry was queued, `Fenced` when the scope's lease has another
    /// holder; nothing is committed then.
    pub async fn commit(mut self, now: Timestamp) -> Result<()> {
        if self.dirty && self.pending.is_empty() {
            return Err(StoreError::Unrecorded);
        }
        lease::check(&mut self.inner, self.scope.lease.as_ref()).await?;
        let store = self.scope.store.clone();
        let pending = std::mem::take(&mut self.pending);
        let changes = if pending.is_empty() {
            let changes = self.tell(0, now).await?;
            self.inner.commit().await?;
            changes
        } else {
            append::commit(self, pending, now).await?
        };
        for change in changes {
            store.publish(change);
        }
        Ok(())
    }

    /// What this transaction changed, also written for the other nodes. `seq` is the log's size after the commit.
    pub(crate) async fn tell(&mut self, seq: i64, now: Timestamp) -> Result<Vec<Change>> {
        let tenant = self.scope.tenant;
        let changes = std::mem::take(&mut self.changes);
        let changes: Vec<Change> =
            changes.into_iter().map(|(kind, id, version)| Change { tenant, kind, id, version, seq }).collect();
        if self.scope.store.db().kind() == Kind::Postgres {
            feed::tell(&mut self.inner, self.scope.store.node(), &changes, now).await?;
        }
        Ok(changes)
    }
}
