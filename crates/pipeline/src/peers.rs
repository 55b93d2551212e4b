//! The addresses that events speak of, each with the hour in which it was last seen: what a range of addresses reaches is
//! counted from them. What is known to be written is remembered, so that an address costs one write an hour.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    time::Duration,
};

use shieldops_model::{EntityKind, Event, Normalised, Timestamp};
use shieldops_store::{
    Tx,
    peers::{self, KEPT, hour},
};

use crate::Result;

/// Addresses that are remembered; beyond it, what is new in the hour is left out.
const KNOWN: usize = 65_536;
/// How long an address counts as seen, with an hour for the rounding.
const LIFE: Duration = Duration::from_hours(7 * 24 + 1);

#[derive(Default)]
pub(crate) struct Peers {
    /// The hour in which each is known to be stored, or about to be.
    known: HashMap<IpAddr, Timestamp>,
    new: BTreeMap<Timestamp, Vec<IpAddr>>,
    /// What was seen too long ago was last forgotten in this hour.
    trimmed: Option<Timestamp>,
}

impl Peers {
    pub(crate) fn look(&mut self, events: &[Event], seen: &[Normalised]) {
        for (event, normalised) in events.iter().zip(seen) {
            let at = hour(event.window_time().min(event.ingested_at));
            let named = normalised.entities.iter().filter(|entity| entity.kind == EntityKind::Ip);
            for address in named.filter_map(|entity| entity.value.parse::<IpAddr>().ok()) {
                self.saw(address.to_canonical(), at);
            }
        }
    }

    fn saw(&mut self, address: IpAddr, at: Timestamp) {
        let full = self.known.len() >= KNOWN;
        match self.known.get_mut(&address) {
            Some(known) if *known >= at => return,
            Some(known) => *known = at,
            None if full => return,
            None => {
                self.known.insert(address, at);
            }
        }
        self.new.entry(at).or_default().push(address);
    }

    /// Writes what is new; once an hour forgets what is old.
    pub(crate) async fn write(&mut self, tx: &mut Tx, now: Timestamp) -> Result<()> {
        peers::note(tx, &std::mem::take(&mut self.new)).await?;
        if self.trimmed != Some(hour(now)) {
            peers::trim(tx, now.minus(LIFE), KEPT).await?;
            self.known.clear();
            self.trimmed = Some(hour(now));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use shieldops_model::{Entity, EventId, TenantId, TimeQuality};

    use super::*;

    #[test]
    fn an_address_is_seen_when_its_event_says_so_and_never_after_the_event_arrived() {
        let arrived = Timestamp::from_secs(10 * 3_600);
        let event = |offset: i64| Event {
            id: EventId::from_bytes([1; 16]),
            tenant: TenantId::from_bytes([2; 16]),
            source: "sshd".to_owned(),
            format: "text/1".to_owned(),
            time: Timestamp::from_secs(arrived.as_secs() + offset),
            ingested_at: arrived,
            time_quality: TimeQuality::Good,
            demo: false,
            unchecked: false,
            raw: bytes::Bytes::new(),
        };
        let named =
            |kind, value: &str| Normalised { entities: vec![Entity::new(kind, value)], ..Normalised::default() };
        let mut peers = Peers::default();
        let seen = [
            (event(-7_200), named(EntityKind::Ip, "203.0.113.1")),
            (event(7_200), named(EntityKind::Ip, "::ffff:203.0.113.2")),
            (event(0), named(EntityKind::User, "203.0.113.3")),
            (event(0), named(EntityKind::Ip, "web-07")),
        ];
        let (events, seen): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
        peers.look(&events, &seen);
        let at = |hours: i64, address: &str| (Timestamp::from_secs(hours * 3_600), vec![address.parse().unwrap()]);
        assert_eq!(peers.new, BTreeMap::from([at(8, "203.0.113.1"), at(10, "203.0.113.2")]));
    }

    #[test]
    fn an_address_is_written_once_an_hour_and_a_flood_of_them_stays_within_the_bound() {
        let mut peers = Peers::default();
        let at = |hours: i64| Timestamp::from_secs(hours * 3_600);
        let one: IpAddr = "203.0.113.9".parse().unwrap();
        for hours in [5, 5, 4, 6] {
            peers.saw(one, at(hours));
        }
        assert_eq!(peers.new, BTreeMap::from([(at(5), vec![one]), (at(6), vec![one])]));
        for number in 0..100_000_u32 {
            peers.saw(IpAddr::V4(number.into()), at(6));
        }
        assert_eq!(peers.known.len(), KNOWN);
        peers.saw(one, at(7));
        assert_eq!(peers.new[&at(7)], [one], "who is known is noted in a flood too");
    }
}
