//! Prometheus metrics: counters that the handlers move, and gauges read from their source at scrape time.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use prometheus_client::{encoding::text::encode, metrics::counter::Counter, metrics::gauge::Gauge, registry::Registry};
use serde::Serialize;
use shieldops_detect::Counters;
use shieldops_ingest::sources::Counters as Heard;
use shieldops_model::TenantId;
use utoipa::ToSchema;

#[derive(Default)]
pub struct Metrics {
    accepted: Counter,
    rejected: Counter,
    requests: Counter,
    failures: Counter,
    /// Whose listener for syslog this process has, and what it counts.
    syslog: OnceLock<(TenantId, Arc<Heard>)>,
}

/// What the listener for syslog of this process counted since its start.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct SyslogCounts {
    /// Messages received.
    received: u64,
    /// Datagrams lost here, because intake was full.
    dropped: u64,
    /// Messages that intake refused.
    refused: u64,
    /// Connections turned away at the limit, or closed for a bad frame or handshake.
    turned_away: u64,
}

impl SyslogCounts {
    fn gauges(self) -> [(&'static str, &'static str, u64); 4] {
        [
            ("syslog_messages_received", "Syslog messages received since the start", self.received),
            ("syslog_datagrams_dropped", "Syslog datagrams lost since the start because intake was full", self.dropped),
            ("syslog_messages_refused", "Syslog messages that intake refused since the start", self.refused),
            ("syslog_connections_turned_away", "Syslog connections turned away since the start", self.turned_away),
        ]
    }
}

/// What is read at scrape time, for one tenant or for all.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Scraped {
    pub(crate) stored: u64,
    pub(crate) lag: u64,
    pub(crate) log_bytes: u64,
    pub(crate) rules: u64,
    pub(crate) letters_dropped: u64,
    pub(crate) letters_queued: u64,
    pub(crate) letters_dead: u64,
    pub(crate) correlations: Counters,
}

impl Scraped {
    /// Adds what the correlations of a tenant remember.
    pub(crate) fn add_correlations(&mut self, more: Counters) {
        let all = &mut self.correlations;
        (all.groups, all.bytes) = (all.groups + more.groups, all.bytes + more.bytes);
        (all.events, all.too_late) = (all.events + more.events, all.too_late + more.too_late);
        all.evicted_events += more.evicted_events;
        all.evicted_groups += more.evicted_groups;
    }
}

impl Metrics {
    pub(crate) fn took(&self, accepted: u64, rejected: u64) {
        self.accepted.inc_by(accepted);
        self.rejected.inc_by(rejected);
    }

    /// From now on says what the listener counts, which is the tenant's.
    pub fn listens(&self, tenant: TenantId, counters: Arc<Heard>) {
        drop(self.syslog.set((tenant, counters)));
    }

    /// Of a tenant, or of any.
    pub(crate) fn syslog(&self, tenant: Option<TenantId>) -> Option<SyslogCounts> {
        let (_, heard) = self.syslog.get().filter(|(of, _)| tenant.is_none_or(|tenant| tenant == *of))?;
        let now = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Some(SyslogCounts {
            received: now(&heard.received),
            dropped: now(&heard.dropped),
            refused: now(&heard.refused),
            turned_away: now(&heard.turned_away),
        })
    }

    pub(crate) fn answered(&self, status: u16) {
        self.requests.inc();
        if status >= 500 {
            self.failures.inc();
        }
    }

    /// `whole` adds what is counted for all tenants together.
    pub(crate) fn render(&self, scraped: Scraped, whole: bool) -> String {
        let mut registry = Registry::with_prefix("shieldops");
        for (name, help, counter) in [
            ("ingest_lines_accepted", "Lines acknowledged since the start", &self.accepted),
            ("ingest_lines_rejected", "Lines refused since the start", &self.rejected),
            ("http_requests", "Requests answered since the start", &self.requests),
            ("http_failures", "Requests answered with a server error since the start", &self.failures),
        ] {
            if whole {
                registry.register(name, help, counter.clone());
            }
        }
        let size = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        let correlations = scraped.correlations;
        let gauges = [
            ("correlation_groups", "Groups that correlations remember", size(correlations.groups)),
            ("correlation_size_bytes", "Bytes that correlations take in memory", size(correlations.bytes)),
            ("correlation_events", "Events taken by correlations since the start", correlations.events),
            (
                "correlation_events_too_late",
                "Events that came too late for correlations since the start",
                correlations.too_late,
            ),
            (
                "correlation_events_evicted",
                "Events that correlations dropped for want of room since the start",
                correlations.evicted_events,
            ),
            (
                "correlation_groups_evicted",
                "Groups that correlations dropped for want of room since the start",
                correlations.evicted_groups,
            ),
            ("bus_events_stored", "Events acknowledged since the data directory was made", scraped.stored),
            ("bus_lag_events", "Events acknowledged and not yet processed", scraped.lag),
            ("bus_size_bytes", "Bytes of the event log at rest", scraped.log_bytes),
            (
                "dead_letters_dropped",
                "Dead letters that went for newer ones since the data directory was made",
                scraped.letters_dropped,
            ),
            ("notices_waiting", "Notices and letters that wait to be sent", scraped.letters_queued),
            ("notices_undelivered", "Letters that were given up in the last 30 days", scraped.letters_dead),
            ("rules_loaded", "Rules in use", scraped.rules),
        ];
        let heard = self.syslog(None).filter(|_| whole).map(SyslogCounts::gauges);
        for (name, help, value) in gauges.into_iter().chain(heard.into_iter().flatten()) {
            let gauge: Gauge = Gauge::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            registry.register(name, help, gauge);
        }
        let mut text = String::new();
        match encode(&mut text, &registry) {
            Ok(()) => text,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "metrics could not be written");
                String::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_listener_lost_is_told_to_its_tenant_and_to_the_installation() {
        let (metrics, ours, theirs) = (Metrics::default(), TenantId::from_bits(1), TenantId::from_bits(2));
        assert!(metrics.syslog(None).is_none(), "no process has to listen");
        let heard = Arc::new(Heard::default());
        metrics.listens(ours, Arc::clone(&heard));
        heard.dropped.store(7, Ordering::Relaxed);
        assert_eq!(metrics.syslog(Some(ours)).map(|counts| counts.dropped), Some(7));
        assert!(metrics.syslog(Some(theirs)).is_none());
        let line = "shieldops_syslog_datagrams_dropped 7";
        assert!(metrics.render(Scraped::default(), true).contains(line));
        assert!(!metrics.render(Scraped::default(), false).contains(line));
    }
}
