//! Refused requests in the ledger: one entry for each principal, route, reason and minute, so that nobody can flood it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use shieldops_model::{TenantId, Timestamp};
use shieldops_store::{Actor, Job};

use crate::{App, Problem};

/// How often minutes that are over are written.
const EVERY: Duration = Duration::from_secs(10);
/// Kinds of denials of one ledger that are counted apart; what comes beyond is counted together. Each has its own, so that no
/// tenant's refusals, nor those of nobody, hide another's.
const KINDS: usize = 200;
/// Client addresses named in one entry.
const CLIENTS: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    minute: i64,
    /// Nothing for a caller who is nobody.
    tenant: Option<TenantId>,
    actor: (String, String),
    route: String,
    code: String,
}

impl Key {
    /// Whose ledger says it: nobody's refusals are no tenant's to see.
    fn ledger(&self) -> TenantId {
        self.tenant.unwrap_or(TenantId::INSTALLATION)
    }

    fn others(self) -> Self {
        let others = || "others".to_owned();
        Self { route: others(), actor: (others(), others()), ..self }
    }
}

#[derive(Debug, Default)]
struct Count {
    times: u64,
    clients: BTreeSet<String>,
}

impl Count {
    fn add(&mut self, more: Self) {
        self.times = self.times.saturating_add(more.times);
        let room = CLIENTS.saturating_sub(self.clients.len());
        self.clients.extend(more.clients.into_iter().take(room));
    }
}

#[derive(Debug, Default)]
pub struct Denials {
    counted: Mutex<BTreeMap<TenantId, Counted>>,
}

/// Of one ledger.
type Counted = BTreeMap<Key, Count>;

/// Who was refused what.
pub(crate) struct Denial {
    pub(crate) who: Option<(TenantId, Actor)>,
    pub(crate) route: String,
    pub(crate) code: String,
    pub(crate) client: Option<String>,
}

impl Denials {
    fn counted(&self) -> MutexGuard<'_, BTreeMap<TenantId, Counted>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, denial: Denial, now: Timestamp) {
        let (tenant, actor) = match denial.who {
            Some((tenant, actor)) => (Some(tenant), (actor.id, actor.name)),
            None => (None, ("anonymous".to_owned(), "anonymous".to_owned())),
        };
        let minute = now.as_secs().div_euclid(60);
        let mut key = Key { minute, tenant, actor, route: denial.route, code: denial.code };
        let mut ledgers = self.counted();
        let counted = ledgers.entry(key.ledger()).or_default();
        if counted.len() >= KINDS && !counted.contains_key(&key) {
            key = key.others();
        }
        counted.entry(key).or_default().add(Count { times: 1, clients: denial.client.into_iter().collect() });
    }

    /// What could not be written waits for the next time. However long that lasts, what finds no room is one more entry, of the
    /// first minute.
    fn put_back(&self, ledger: TenantId, late: Counted) {
        let mut ledgers = self.counted();
        let counted = ledgers.entry(ledger).or_default();
        for (mut key, count) in late {
            if counted.len() >= KINDS && !counted.contains_key(&key) {
                let minute = counted.keys().next().map_or(key.minute, |first| first.minute);
                key = Key { minute, code: "others".to_owned(), ..key.others() };
            }
            counted.entry(key).or_default().add(count);
        }
    }

    /// What was counted before this minute, by ledger.
    fn over(&self, minute: i64) -> BTreeMap<TenantId, Counted> {
        let mut ledgers = self.counted();
        let mut all = BTreeMap::new();
        for (tenant, counted) in &mut *ledgers {
            let (over, going_on): (Counted, Counted) =
                std::mem::take(counted).into_iter().partition(|(key, _)| key.minute < minute);
            *counted = going_on;
            if !over.is_empty() {
                all.insert(*tenant, over);
            }
        }
        ledgers.retain(|_, counted| !counted.is_empty());
        all
    }

    /// Writes each minute when it is over, and all that is left at the end.
    pub async fn keep(app: Arc<App>) {
        loop {
            let stopped = tokio::select! { () = tokio::time::sleep(EVERY) => false, () = app.stop.cancelled() => true };
            let minute = if stopped { i64::MAX } else { app.store.clock().now().as_secs().div_euclid(60) };
            if let Err(problem) = write(&app, app.denials.over(minute)).await {
                tracing::error!(problem.detail, "refused requests could not be recorded");
            }
            if stopped {
                return;
            }
        }
    }
}

async fn write(app: &App, over: BTreeMap<TenantId, Counted>) -> Result<(), Problem> {
    let mut outcome = Ok(());
    for (tenant, denials) in over {
        // One that is gone by now, or cannot be written to, takes nothing away from the others.
        if let Err(problem) = write_of(app, tenant, &denials).await {
            // Of a tenant that is gone there is no ledger any more.
            if problem.status >= 500 {
                app.denials.put_back(tenant, denials);
            }
            outcome = Err(problem);
        }
    }
    outcome
}

async fn write_of(app: &App, tenant: TenantId, denials: &Counted) -> Result<(), Problem> {
    let mut tx = app.store.job(tenant, Job::Server)?.begin().await?;
    for (key, count) in denials {
        let actor = Actor { id: key.actor.0.clone(), name: key.actor.1.clone() };
        let minute = Timestamp::from_secs(key.minute * 60);
        let body = serde_json::json!({"route": key.route, "code": key.code, "times": count.times, "minute": minute, "client_addrs": count.clients});
        tx.record_as(&actor, "access.denied", &[&actor.id], body)?;
    }
    Ok(tx.commit(app.store.clock().now()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(route: &str, client: &str) -> Denial {
        Denial { who: None, route: route.to_owned(), code: "forbidden".to_owned(), client: Some(client.to_owned()) }
    }

    #[test]
    fn a_flood_of_refusals_is_few_entries() {
        let denials = Denials::default();
        let now = Timestamp::from_secs(600);
        for at in 0..10_000 {
            denials.note(denial("GET /api/v1/alerts", &format!("192.0.2.{}", at % 256)), now);
            denials.note(denial(&format!("GET /{at}"), "192.0.2.1"), now);
        }
        assert!(denials.over(10).is_empty(), "the minute goes on");
        let over = denials.over(11).remove(&TenantId::INSTALLATION).unwrap();
        assert!(over.len() <= KINDS + 1, "{}", over.len());
        assert_eq!(over.values().map(|count| count.times).sum::<u64>(), 20_000, "none is forgotten");
        assert!(over.values().all(|count| count.clients.len() <= CLIENTS));
        assert!(denials.over(i64::MAX).is_empty());
    }

    #[test]
    fn refusals_of_nobody_are_the_installations_and_a_members_are_the_tenants() {
        let denials = Denials::default();
        let (tenant, now) = (TenantId::from_bits(7), Timestamp::from_secs(0));
        let ada = Actor { id: "usr_ada".to_owned(), name: "ada".to_owned() };
        denials.note(denial("POST /api/v1/session", "192.0.2.1"), now);
        denials.note(Denial { who: Some((tenant, ada)), ..denial("GET /api/v1/keys", "192.0.2.1") }, now);
        let over = denials.over(i64::MAX);
        let actor = |of: &TenantId| over[of].keys().map(|key| key.actor.0.as_str()).collect::<Vec<_>>();
        assert_eq!((actor(&TenantId::INSTALLATION), actor(&tenant)), (vec!["anonymous"], vec!["usr_ada"]));
    }

    #[test]
    fn refusals_that_could_not_be_written_are_written_later_and_stay_few() {
        let denials = Denials::default();
        for minute in 0..1_000 {
            denials.note(denial(&format!("GET /{minute}"), "192.0.2.1"), Timestamp::from_secs(minute * 60));
            for (ledger, late) in denials.over(i64::MAX) {
                denials.put_back(ledger, late);
            }
        }
        let over = denials.over(i64::MAX).remove(&TenantId::INSTALLATION).unwrap();
        assert!(over.len() <= KINDS + 1, "{}", over.len());
        assert_eq!(over.values().map(|count| count.times).sum::<u64>(), 1_000, "none is forgotten");
    }

    #[test]
    fn a_flood_of_refusals_hides_no_other_tenant_s() {
        let denials = Denials::default();
        let (loud, calm, now) = (TenantId::from_bits(7), TenantId::from_bits(8), Timestamp::from_secs(0));
        let of = |tenant, name: &str| Some((tenant, Actor { id: name.to_owned(), name: name.to_owned() }));
        for at in 0..2 * KINDS {
            let route = format!("GET /{at}");
            denials.note(denial(&route, "192.0.2.1"), now);
            denials.note(Denial { who: of(loud, "usr_eve"), ..denial(&route, "192.0.2.1") }, now);
        }
        denials.note(Denial { who: of(calm, "key_ci"), ..denial("GET /api/v1/alerts", "198.51.100.9") }, now);
        let told = denials.over(i64::MAX).remove(&calm).unwrap();
        let told: Vec<_> = told.into_keys().map(|key| (key.actor.0, key.route)).collect();
        assert_eq!(told, [("key_ci".to_owned(), "GET /api/v1/alerts".to_owned())]);
    }
}
