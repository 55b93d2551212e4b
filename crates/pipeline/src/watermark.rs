//! How far the event time of a source has come, and which events come behind it. Pure.
//!
//! Nothing waits for a watermark: windows, dedupe and correlation place an event by its own time whenever it comes. It is
//! shown, and it says which events were late.

use std::time::Duration;

use shieldops_model::{Event, TimeQuality, Timestamp};

/// An event may come this long after one of its source with a later time without being late.
pub const LATENESS: Duration = Duration::from_mins(1);
/// A source of which nothing was processed for this long, by the server's clock, holds its tenant's watermark back no longer.
pub const SILENT_AFTER: Duration = Duration::from_mins(1);

/// A source's events up to this time are thought to be here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Watermark(pub(crate) Option<Timestamp>);

impl Watermark {
    /// Takes the next event of the source; whether it is late.
    pub(crate) fn take(&mut self, event: &Event) -> bool {
        let Some(time) = believable(event) else { return false };
        let late = self.0.is_some_and(|watermark| time < watermark);
        self.0 = self.0.max(Some(time.minus(LATENESS)));
        late
    }
}

/// A watermark as far as it can have come by now: one that was kept while our own clock was ahead says nothing.
pub(crate) fn possible(watermark: Timestamp, now: Timestamp) -> Timestamp {
    watermark.min(now.minus(LATENESS))
}

/// The time an event can have happened at: one that has no good time of its own tells nothing, and none happened after it
/// was received, so a clock that runs ahead takes the watermark no further than ours.
fn believable(event: &Event) -> Option<Timestamp> {
    match event.time_quality {
        TimeQuality::Good => Some(event.time.min(event.ingested_at)),
        TimeQuality::Missing | TimeQuality::Future | TimeQuality::Old => None,
    }
}

#[cfg(test)]
mod tests {
    use shieldops_model::{EventId, TenantId};

    use super::*;

    const NOW: i64 = 1_790_000_000;

    /// An event whose time is so many seconds from its arrival.
    fn event(offset: i64, time_quality: TimeQuality) -> Event {
        let ingested_at = Timestamp::from_secs(NOW);
        Event {
            id: EventId::from_bytes([1; 16]),
            tenant: TenantId::from_bytes([2; 16]),
            source: "sshd".to_owned(),
            format: "text/1".to_owned(),
            time: Timestamp::from_secs(NOW + offset),
            ingested_at,
            time_quality,
            demo: false,
            unchecked: false,
            raw: bytes::Bytes::new(),
        }
    }

    /// Where the watermark stands after events, in seconds from their arrival, and how many of them were late.
    fn after(events: &[(i64, TimeQuality)]) -> (Option<i64>, usize) {
        let mut watermark = Watermark(None);
        let late = events.iter().filter(|(offset, quality)| watermark.take(&event(*offset, *quality))).count();
        (watermark.0.map(|time| time.as_secs() - NOW), late)
    }

    #[test]
    fn out_of_order_within_a_minute_is_not_late_and_never_takes_it_back() {
        let good = TimeQuality::Good;
        assert_eq!(after(&[(-100, good), (-160, good), (-130, good)]), (Some(-160), 0));
        assert_eq!(after(&[(-100, good), (-161, good), (-500, good), (-90, good)]), (Some(-150), 2));
    }

    #[test]
    fn a_clock_that_jumps_ahead_pushes_it_no_further_than_ours() {
        let good = TimeQuality::Good;
        assert_eq!(after(&[(-100, good), (599, good)]), (Some(-60), 0));
        let jumped = [(-100, good), (86_400 * 365, TimeQuality::Future), (-110, good)];
        assert_eq!(after(&jumped), (Some(-160), 0), "a time that nobody believes moves nothing");
    }

    #[test]
    fn events_without_a_time_of_their_own_move_nothing_and_are_not_late() {
        let none = [(0, TimeQuality::Missing), (-86_400 * 30, TimeQuality::Old)];
        assert_eq!(after(&none), (None, 0));
        assert_eq!(after(&[(-100, TimeQuality::Good), none[0], none[1]]), (Some(-160), 0));
    }
}
