//! How much a caller may ask for, and how much is worked on at once.
//!
//! Each request drives in a [`Lane`]. A principal has a quota for the lane, and its tenant ten times that; ingest is
//! counted in bytes, all else in requests. The stamps live in this process: several nodes admit so much each.
//!
//! Source of the headers: draft-ietf-httpapi-ratelimit-headers-10.

mod gcra;
mod lanes;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, HeaderValue, Method, header};
use shieldops_model::{Code, TenantId, tenant::SettingsBase};
use shieldops_store::{TenantScope, settings};
use tokio::sync::Semaphore;

pub(crate) use self::lanes::{Lane, Place};
use self::{
    gcra::{Quota, Room, Stamps},
    lanes::{Lanes, Widths},
};
use crate::Problem;

/// A tenant may ask for so many times what one principal may.
const TENANT: f64 = 10.0;
/// What a request is counted as that may cost the hash of a password.
pub(crate) const DEAR: f64 = 4.0;
/// What a body of unknown length is counted as until it was read.
const UNKNOWN_BYTES: f64 = 65_536.0;
/// What a request of events is counted as at least: the smallest one is work, too.
pub(crate) const LEAST_BYTES: f64 = 4_096.0;
/// A burst is what comes in so many seconds, where nothing else is said.
const BURST: f64 = 4.0;
/// How long a tenant's own rates are good for.
const FRESH: Duration = Duration::from_secs(1);
/// How long a request waits for a place.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a refusal for asking too much is held back: a caller that asks again at once gets no more than four of them a
/// second a connection, and a flood costs others no processor time.
const HELD_BACK: Duration = Duration::from_millis(250);
/// As many refusals are held back at a time; more are answered at once.
const HELD: usize = 1_024;

/// The quota of one principal. Ingest counts bytes, the other lanes requests.
fn quota_of(rates: &SettingsBase, lane: Lane) -> Quota {
    match lane {
        Lane::Interactive => Quota::new(rates.interactive_per_s.into(), rates.burst.into()),
        Lane::Batch => Quota::new(rates.batch_per_s.into(), f64::from(rates.batch_per_s) * BURST),
        Lane::Ingest => {
            #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact to the byte")]
            let bytes = rates.ingest_bytes_per_s as f64;
            Quota::new(bytes, bytes * BURST)
        }
    }
}

/// Whose quota a request is taken from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Payer {
    /// The id of a user, a key or a token.
    Principal(TenantId, String),
    /// Nobody is known yet: the client's address, of IPv6 its network of 64 bits.
    Address(String),
    Tenant(TenantId),
}

/// The limits of this process.
#[derive(Debug)]
pub struct Limits {
    /// None: no limit of rate (`limits.enabled = false`).
    rates: Option<SettingsBase>,
    stamps: Stamps<(Payer, Lane)>,
    lanes: Arc<Lanes>,
    held: Semaphore,
    start: Instant,
    /// What tenants say themselves, and when it was read.
    own: Mutex<HashMap<TenantId, (Duration, SettingsBase)>>,
}

/// What an admitted request says of its quota, in the two headers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    lane: Lane,
    quota: Quota,
    room: Room,
}

impl Limits {
    pub fn new(rates: Option<SettingsBase>) -> Self {
        let (stamps, lanes) = (Stamps::default(), Lanes::new(Widths::default()));
        Self { rates, stamps, lanes, held: Semaphore::new(HELD), start: Instant::now(), own: Mutex::default() }
    }

    /// Takes `units` from the quotas of a caller and of its tenant.
    ///
    /// # Errors
    /// `rate_limited` with the wait.
    pub(crate) async fn admit(
        &self,
        scope: &TenantScope,
        lane: Lane,
        payer: Payer,
        own_per_s: Option<u32>,
        units: f64,
    ) -> Result<Option<Standing>, Problem> {
        let Some(base) = &self.rates else { return Ok(None) };
        let rates = self.rates_of(scope, base).await?;
        let standing = self.take((lane, quota(&rates, lane, own_per_s)), payer, units)?;
        let all = (lane, quota_of(&rates, lane).times(TENANT));
        self.take(all, Payer::Tenant(scope.tenant()), units)?;
        Ok(Some(standing))
    }

    /// Takes what a body of events turned out to be beyond what was [admitted](Self::admit): it came packed, or said no length.
    pub(crate) async fn owe(&self, scope: &TenantScope, payer: Payer, units: f64) -> Result<(), Problem> {
        let Some(base) = &self.rates else { return Ok(()) };
        if units <= 0.0 {
            return Ok(());
        }
        let rates = self.rates_of(scope, base).await?;
        let (quota, now) = (quota_of(&rates, Lane::Ingest), self.start.elapsed());
        self.stamps.owe((payer, Lane::Ingest), quota, now, units);
        self.stamps.owe((Payer::Tenant(scope.tenant()), Lane::Ingest), quota.times(TENANT), now, units);
        Ok(())
    }

    /// Takes a request of so many `units` from the quota of an address that nobody is known behind.
    ///
    /// # Errors
    /// `rate_limited` with the wait.
    pub(crate) fn stranger(&self, address: Option<&str>, units: f64) -> Result<Option<Standing>, Problem> {
        let Some(base) = &self.rates else { return Ok(None) };
        let payer = Payer::Address(shieldops_identity::origin(address));
        self.take((Lane::Interactive, quota_of(base, Lane::Interactive)), payer, units).map(Some)
    }

    fn take(&self, (lane, quota): (Lane, Quota), payer: Payer, units: f64) -> Result<Standing, Problem> {
        let who = if matches!(payer, Payer::Tenant(_)) { "the tenant" } else { "you" };
        let taken = self.stamps.take((payer, lane), quota, self.start.elapsed(), units);
        taken.map(|room| Standing { lane, quota, room }).map_err(|wait| {
            let room = Room { remaining: 0, reset: wait };
            Problem { standing: Some(Standing { lane, quota, room }), ..limited(lane, who, wait) }
        })
    }

    /// The tenant's own rates, at most a second old.
    async fn rates_of(&self, scope: &TenantScope, base: &SettingsBase) -> Result<SettingsBase, Problem> {
        let now = self.start.elapsed();
        let known = self.own.lock().unwrap_or_else(PoisonError::into_inner).get(&scope.tenant()).cloned();
        if let Some((at, rates)) = known
            && now.saturating_sub(at) < FRESH
        {
            return Ok(rates);
        }
        let settings = settings::current(&mut scope.read().await?).await?.value;
        let rates = settings.effective(base);
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.retain(|_, (at, _)| now.saturating_sub(*at) < FRESH);
        own.insert(scope.tenant(), (now, rates.clone()));
        Ok(rates)
    }

    /// Holds a refusal for asking too much back for [`HELD_BACK`]; what is refused for another reason goes at once.
    pub(crate) async fn hold(&self, refused: &Problem) {
        if refused.code != Code::RATE_LIMITED.name {
            return;
        }
        if let Ok(_held) = self.held.try_acquire() {
            tokio::time::sleep(HELD_BACK).await;
        }
    }

    /// Waits for a place in the lane.
    ///
    /// # Errors
    /// `queue_full` when none came free in time.
    pub(crate) async fn enter(&self, lane: Lane, tenant: TenantId) -> Result<Place, Problem> {
        let entered = self.lanes.enter(lane, tenant, PATIENCE).await;
        entered.map_err(|_full| Problem {
            // Those before need about as long as one waits for them.
            retry_after_s: Some(PATIENCE.as_secs()),
            ..Problem::new(Code::QUEUE_FULL, Code::QUEUE_FULL.help)
        })
    }
}

fn quota(rates: &SettingsBase, lane: Lane, own_per_s: Option<u32>) -> Quota {
    match own_per_s.map(f64::from) {
        // A key's own rate counts requests, so it says nothing about bytes.
        Some(per_s) if lane != Lane::Ingest => Quota::new(per_s, per_s * BURST),
        _ => quota_of(rates, lane),
    }
}

/// What a body of events is counted as before it is read: its length, as its sender says. Any request costs something, and one
/// that says more than the `most` bytes of a body is refused unread: it costs no more than that.
pub(crate) fn declared_bytes(headers: &HeaderMap, most: usize) -> f64 {
    let Some(length) = headers.get(header::CONTENT_LENGTH) else { return UNKNOWN_BYTES };
    let length = length.to_str().ok().and_then(|length| length.parse::<u32>().ok());
    let within = length.filter(|length| usize::try_from(*length).is_ok_and(|length| length <= most));
    within.map_or(LEAST_BYTES, f64::from).max(LEAST_BYTES)
}

fn limited(lane: Lane, who: &str, wait: Duration) -> Problem {
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).clamp(1, 3_600);
    let detail = format!("{who} asked for more than the {} quota allows; wait {seconds} s", lane.as_str());
    Problem { retry_after_s: Some(seconds), ..Problem::new(Code::RATE_LIMITED, detail) }
}

impl Standing {
    /// Adds `RateLimit-Policy` and `RateLimit`.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        let (name, unit) = match self.lane {
            Lane::Ingest => (self.lane.as_str(), ";qu=\"content-bytes\""),
            _ => (self.lane.as_str(), ""),
        };
        let window = self.quota.window().as_secs().max(1);
        let policy = format!("\"{name}\";q={}{unit};w={window}", self.quota.burst());
        let now = format!("\"{name}\";r={};t={}", self.room.remaining, self.room.reset.as_secs() + 1);
        for (header, text) in [("ratelimit-policy", policy), ("ratelimit", now)] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(header, value);
            }
        }
    }
}

/// The lane of a route; none for what answers at once or stays open: health, assets, the socket.
pub(crate) fn lane(method: &Method, path: &str) -> Option<Lane> {
    const BATCH: [&str; 7] = [
        "/api/v1/alerts/bulk",
        "/api/v1/incidents/{id}/export",
        "/api/v1/installation/ledger/export",
        "/api/v1/installation/ledger/verify",
        "/api/v1/ledger/export",
        "/api/v1/ledger/verify",
        "/api/v1/rules/reload",
    ];
    let intake = path == "/api/v1/events" || path.starts_with("/services/") || path.ends_with("/_bulk");
    if intake && method == Method::POST {
        return Some(Lane::Ingest);
    }
    if BATCH.contains(&path) {
        return Some(Lane::Batch);
    }
    (path.starts_with("/api/v1/") && path != "/api/v1/live").then_some(Lane::Interactive)
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;

    use super::*;

    fn admit(
        limits: &Limits,
        who: &str,
        tenant: u128,
        lane: Lane,
        own_per_s: Option<u32>,
    ) -> Result<Standing, Problem> {
        let (tenant, rates) = (TenantId::from_bits(tenant), SettingsBase::default());
        let payer = Payer::Principal(tenant, who.to_owned());
        let standing = limits.take((lane, quota(&rates, lane, own_per_s)), payer, 1.0)?;
        limits.take((lane, quota_of(&rates, lane).times(TENANT)), Payer::Tenant(tenant), 1.0)?;
        Ok(standing)
    }

    fn limits() -> Limits {
        Limits::new(Some(SettingsBase::default()))
    }

    #[test]
    fn a_principal_that_floods_is_told_to_wait_and_another_is_not() {
        let limits = limits();
        let admitted = (0..300).filter(|_| admit(&limits, "ada", 1, Lane::Interactive, None).is_ok()).count();
        assert!((200..230).contains(&admitted), "{admitted}");
        let refused = admit(&limits, "ada", 1, Lane::Interactive, None).unwrap_err();
        assert_eq!((refused.status, refused.retry_after_s), (429, Some(1)));
        let told = refused.into_response();
        assert_eq!(told.headers()["ratelimit-policy"], "\"interactive\";q=200;w=4");
        assert_eq!(told.headers()["ratelimit"], "\"interactive\";r=0;t=1", "and when there is room again");
        assert!(admit(&limits, "bob", 1, Lane::Interactive, None).is_ok());
        assert!(admit(&limits, "ada", 1, Lane::Batch, None).is_ok(), "each lane has its own");
    }

    #[test]
    fn many_principals_of_one_tenant_share_ten_times_one_quota() {
        let limits = limits();
        let names: Vec<String> = (0..30).map(|name| name.to_string()).collect();
        let calls = names.iter().flat_map(|name| std::iter::repeat_n(name, 100));
        let admitted = calls.filter(|name| admit(&limits, name, 1, Lane::Interactive, None).is_ok()).count();
        assert!((2_000..2_300).contains(&admitted), "{admitted}");
        assert!(admit(&limits, "0", 2, Lane::Interactive, None).is_ok(), "another tenant has its own");
    }

    #[test]
    fn a_key_with_a_rate_of_its_own_has_that() {
        let limits = limits();
        let admitted = (0..50).filter(|_| admit(&limits, "ci", 1, Lane::Interactive, Some(1)).is_ok()).count();
        assert!((4..=5).contains(&admitted), "{admitted}");
    }

    #[test]
    fn the_headers_say_quota_and_rest() {
        let mut headers = HeaderMap::new();
        admit(&limits(), "ada", 1, Lane::Interactive, None).unwrap().write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"interactive\";q=200;w=4");
        assert_eq!(headers["ratelimit"], "\"interactive\";r=199;t=1");
        let off = Limits::new(None);
        assert!((0..1_000).all(|_| off.stranger(Some("192.0.2.1"), DEAR).unwrap().is_none()));
    }

    #[test]
    fn a_network_of_one_subscriber_is_one_stranger() {
        let limits = limits();
        let asked = |at: u32| limits.stranger(Some(&format!("2001:db8::{at:x}")), 1.0);
        let admitted = (0..300).filter(|at| asked(*at).is_ok()).count();
        assert!((200..230).contains(&admitted), "{admitted}");
        assert!(limits.stranger(Some("2001:db8:0:1::1"), 1.0).is_ok(), "another network");
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_the_queue_full_or_waits_in_vain_is_told_when_to_come_again() {
        let lanes = Lanes::new(Widths { all: 4, batch: 1, ingest: 1, queue: 1 });
        let limits = Limits { lanes, ..Limits::new(None) };
        let enter = || limits.enter(Lane::Batch, TenantId::from_bits(1));
        let _held = enter().await.unwrap();
        let mut waiting = Box::pin(enter());
        assert!(futures_util::poll!(&mut waiting).is_pending());
        for problem in [enter().await.unwrap_err(), waiting.await.unwrap_err()] {
            assert_eq!((problem.status, problem.code.as_str()), (429, "queue_full"));
            assert_eq!(problem.retry_after_s, Some(PATIENCE.as_secs()));
        }
        assert!(limits.enter(Lane::Interactive, TenantId::from_bits(1)).await.is_ok(), "reads go on");
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_asks_too_much_waits_for_its_refusal_and_no_other_does() {
        let limits = Limits { held: Semaphore::new(1), ..limits() };
        let too_much = limited(Lane::Interactive, "you", Duration::from_secs(1));
        let began = tokio::time::Instant::now();
        let mut held = Box::pin(limits.hold(&too_much));
        assert!(futures_util::poll!(&mut held).is_pending());
        limits.hold(&too_much).await;
        limits.hold(&Problem::new(Code::NOT_FOUND, "")).await;
        assert_eq!(began.elapsed(), Duration::ZERO, "no more are held than there is room for, and nothing else is");
        held.await;
        assert_eq!(began.elapsed(), HELD_BACK);
    }

    #[test]
    fn a_body_counts_as_it_says_and_one_that_is_refused_for_its_length_as_little_as_any() {
        let most = 32 << 20;
        assert!(declared_bytes(&HeaderMap::new(), most).total_cmp(&UNKNOWN_BYTES).is_eq());
        for (said, counted) in [
            ("0", LEAST_BYTES),
            ("65537", 65_537.0),
            ("33554432", 33_554_432.0),
            ("33554433", LEAST_BYTES),
            ("9000000000000000000", LEAST_BYTES),
            ("1e300", LEAST_BYTES),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_LENGTH, HeaderValue::from_static(said))]);
            assert!(declared_bytes(&headers, most).total_cmp(&counted).is_eq(), "{said}");
        }
    }

    #[test]
    fn every_route_has_the_lane_of_its_weight() {
        for (method, path, wanted) in [
            (Method::POST, "/api/v1/events", Some(Lane::Ingest)),
            (Method::GET, "/api/v1/events", Some(Lane::Interactive)),
            (Method::POST, "/{index}/_bulk", Some(Lane::Ingest)),
            (Method::POST, "/services/collector/raw", Some(Lane::Ingest)),
            (Method::GET, "/api/v1/ledger/export", Some(Lane::Batch)),
            (Method::GET, "/api/v1/live", None),
            (Method::GET, "/healthz", None),
        ] {
            assert_eq!(lane(&method, path), wanted, "{method} {path}");
        }
    }
}
