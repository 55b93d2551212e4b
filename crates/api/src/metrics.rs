//! Prometheus metrics: counters that the handlers move, and gauges read from their source at scrape time.

use prometheus_client::{encoding::text::encode, metrics::counter::Counter, metrics::gauge::Gauge, registry::Registry};
use shieldops_detect::Counters;

#[derive(Default)]
pub struct Metrics {
    accepted: Counter,
    rejected: Counter,
    requests: Counter,
    failures: Counter,
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
        for (name, help, value) in gauges {
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
