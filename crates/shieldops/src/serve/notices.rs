//! Tells people: notices that are due become letters, letters are sent, and what is not taken is tried again. Nothing waits
//! for it. A letter is marked as sent after its receiver took it, so the end of the process in between sends it once more,
//! with the same id.

mod address;
mod audience;

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use shieldops_deliver::{Failure, Letter as Written, Secret, backoff, webhook};
use shieldops_model::{TenantId, Timestamp};
use shieldops_respond::Engine;
use shieldops_store::{
    Job, Store, StoreError, TenantScope, notification_settings,
    outbox::{self, Channel, Letter, Queued},
};
use tokio_util::sync::CancellationToken;

use super::outbound::Outbound;

/// Until it is looked again though nothing was heard of: another node may have queued.
const LOOK: Duration = Duration::from_secs(5);
/// The least wait, whatever is due.
const REST: Duration = Duration::from_millis(50);
/// Notices and letters of one look.
const BATCH: i64 = 50;
/// Letters on their way at once.
const AT_ONCE: usize = 4;
/// How long what ended is kept.
const KEPT: Duration = Duration::from_hours(24 * 30);
const SWEEP: Duration = Duration::from_hours(1);

/// What one tenant's people are told by.
pub(crate) struct Desk {
    pub(crate) scope: TenantScope,
    pub(crate) engine: Arc<Engine>,
    pub(crate) outbound: Arc<Outbound>,
}

/// Until told to stop: in one process of all that share the database.
pub(crate) async fn run(
    store: Store,
    tenant: TenantId,
    engine: Arc<Engine>,
    outbound: Arc<Outbound>,
    stop: CancellationToken,
) {
    let scope = match store.job(tenant, Job::Response) {
        Ok(scope) => scope,
        Err(error) => return tracing::error!(tenant.id = %tenant, %error, "nobody can be told of anything"),
    };
    let work = |stop: CancellationToken| {
        let desk = Desk { scope: scope.clone(), engine: Arc::clone(&engine), outbound: Arc::clone(&outbound) };
        async move { desk.work(stop).await }
    };
    store.while_leased(&format!("notices/{tenant}"), &stop, work).await;
}

impl Desk {
    async fn work(&self, stop: CancellationToken) {
        let mut changes = self.scope.store().watch();
        let mut swept = None;
        while !stop.is_cancelled() {
            if let Err(error) = self.turn(&mut swept).await {
                tracing::error!(tenant.id = %self.scope.tenant(), error = format!("{error:#}"), "notices wait and will be tried again");
            }
            let wait = self.until_due().await;
            let woken = async {
                loop {
                    match changes.recv().await {
                        Ok(change) if change.kind == "notice" && change.tenant == self.scope.tenant() => return,
                        Ok(_) => {}
                        Err(_lagged) => return tokio::time::sleep(LOOK).await,
                    }
                }
            };
            tokio::select! { () = woken => {}, () = tokio::time::sleep(wait) => {}, () = stop.cancelled() => return }
        }
    }

    fn now(&self) -> Timestamp {
        self.scope.store().clock().now()
    }

    async fn until_due(&self) -> Duration {
        let next = async { outbox::next_due(&mut self.scope.read().await?).await };
        match next.await {
            Ok(Some(due)) => due.since(self.now()).clamp(REST, LOOK),
            Ok(None) | Err(_) => LOOK,
        }
    }

    async fn turn(&self, swept: &mut Option<Timestamp>) -> anyhow::Result<()> {
        let waiting = outbox::waiting(&mut self.scope.read().await?, self.now(), BATCH).await?;
        for queued in &waiting {
            // One that cannot be addressed holds up no other.
            if let Err(error) = self.address(queued).await {
                tracing::error!(notice.id = %queued.id, error = format!("{error:#}"), "a notice waits and will be tried again");
            }
        }
        let due = outbox::due(&mut self.scope.read().await?, self.now(), BATCH).await?;
        if !due.is_empty() {
            let slug = self.scope.store().get_tenant(self.scope.tenant()).await?.slug;
            let all = stream::iter(due).map(|letter| self.deliver(letter, &slug)).buffer_unordered(AT_ONCE);
            all.collect::<Vec<()>>().await;
        }
        if swept.is_none_or(|at| self.now().since(at) > SWEEP) {
            let mut tx = self.scope.begin().await?;
            outbox::sweep(&mut tx, self.now().minus(KEPT)).await?;
            tx.commit(self.now()).await?;
            *swept = Some(self.now());
        }
        Ok(())
    }

    async fn deliver(&self, letter: Letter, slug: &str) {
        let sent = self.send(&letter, slug).await;
        if let Err(failure) = &sent {
            tracing::warn!(letter.id = %letter.id, channel = letter.channel.as_str(), tries = letter.attempts + 1, why = %failure, "a letter was not taken");
        }
        match self.note(&letter, &sent).await {
            // Another process did it: it has the lease now.
            Ok(()) | Err(StoreError::Conflict | StoreError::Fenced { .. }) => {}
            Err(error) => tracing::error!(letter.id = %letter.id, %error, "what became of a letter could not be noted"),
        }
    }

    async fn send(&self, letter: &Letter, slug: &str) -> Result<(), Failure> {
        let later = |error: StoreError| Failure::Later { why: error.to_string(), after: None };
        let gone = |why: &str| Failure::Never { why: why.to_owned() };
        let mut reader = self.scope.read().await.map_err(later)?;
        let queued = outbox::find(&mut reader, letter.notice_id).await.map_err(later)?;
        let Some(Queued { notice, at, .. }) = queued else { return Err(gone("its notice is gone")) };
        let settings = notification_settings::current(&mut reader).await.map_err(later)?.value;
        drop(reader);
        let written = Written { id: letter.id, notice: &notice, at, tenant: slug, site: &self.outbound.site };
        match letter.channel {
            Channel::Email => {
                let mailer = self.outbound.mailer.as_ref().ok_or_else(|| gone("there is no mail server any more"))?;
                mailer.send(&letter.to, letter.id, self.now(), &written.text()).await
            }
            Channel::Webhook => {
                let hook = settings.webhook.ok_or_else(|| gone("there is no webhook any more"))?;
                let to = self.outbound.egress.check(&hook.url).map_err(|refused| gone(&refused.0))?;
                webhook::send(&self.outbound.egress, &to, &Secret::new(hook.secret), &written, self.now()).await
            }
        }
    }

    async fn note(&self, letter: &Letter, sent: &Result<(), Failure>) -> Result<(), StoreError> {
        let now = self.now();
        let mut tx = self.scope.begin().await?;
        match sent {
            Ok(()) => outbox::sent(&mut tx, letter, now).await?,
            Err(failure) => {
                let next = backoff::next(failure, letter.attempts + 1, letter.at, now);
                outbox::failed(&mut tx, letter, &failure.to_string(), next, now).await?;
            }
        }
        tx.commit(now).await
    }
}
