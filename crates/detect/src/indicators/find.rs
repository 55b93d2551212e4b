//! Look-ups: the values of entities in the tables that a tenant sees, many at a time. What a value needs of the table is
//! asked for as soon as its hash is known, and read when all of its wave have asked: memory answers them together, and
//! only what may be there is looked at closely.

use std::{
    net::{IpAddr, Ipv4Addr},
    ops::Range,
    sync::Arc,
};

use shieldops_model::{Entity, EntityKind, Timestamp};
use shieldops_vector::prefetch_item;

use super::{
    block::Entry,
    slots::Probe,
    table::{ListFacts, Table},
    value::{IndicatorKind, MAX_VALUE_BYTES, hash_into, make_lower, plain_v4, url_into},
};
use crate::sigma::net;

/// Values that are prepared before the first is looked at closely.
const WAVE: usize = 64;
/// Bytes of a domain that are looked up.
const MAX_DOMAIN_BYTES: usize = 253;
/// Bytes of keys that a wave begins with room for, for each value.
const KEY_BYTES: usize = 32;

/// An entity that a list names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndicatorHit {
    /// The place of the entity among those asked for.
    pub index: usize,
    pub entity: Entity,
    pub list: Arc<ListFacts>,
    /// What the list says: the indicator and where it comes from.
    pub entry: Entry,
    /// The allow-list that says that it is nothing.
    pub allowed_by: Option<Arc<Allowed>>,
}

/// An entry of an allow-list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    pub list: Arc<ListFacts>,
    pub entry: Entry,
}

/// The tables that a tenant sees: the installation's and its own.
#[derive(Debug, Clone, Default)]
pub struct Indicators {
    tables: Vec<Arc<Table>>,
}

impl Indicators {
    pub fn new(tables: impl IntoIterator<Item = Arc<Table>>) -> Self {
        Self { tables: tables.into_iter().filter(|table| !table.is_empty()).collect() }
    }

    pub fn len(&self) -> usize {
        self.tables.iter().fold(0, |sum, table| sum.saturating_add(table.len()))
    }

    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// What the lists know of these entities, in their order; what an allow-list names is marked. `at` is the time of the
    /// entity at a place: an entry that had expired by then is none.
    pub fn find<'a>(
        &self,
        entities: impl IntoIterator<Item = &'a Entity>,
        at: impl Fn(usize) -> Timestamp,
    ) -> Vec<IndicatorHit> {
        if self.is_empty() {
            return Vec::new();
        }
        let entities: Vec<&Entity> = entities.into_iter().collect();
        let found = self.found(&entities, at);
        if found.is_empty() { Vec::new() } else { hits(&entities, found) }
    }

    fn found(&self, entities: &[&Entity], at: impl Fn(usize) -> Timestamp) -> Vec<Found> {
        let mut found = Vec::new();
        for table in &self.tables {
            let mut finder = Finder::new(table, entities.len());
            finder.find(entities, &mut |index, address| {
                let Some((record, list)) = table.found(address) else { return };
                if !record.is_expired(seconds(at(index))) {
                    found.extend(record.entry().map(|entry| (index, Arc::clone(list), entry)));
                }
            });
        }
        found
    }

    /// Every entry that names an entity at a time, those of allow-lists too.
    pub fn naming(&self, entity: &Entity, now: Timestamp) -> Vec<(Arc<ListFacts>, Entry)> {
        self.found(&[entity], |_| now).into_iter().map(|(_, list, entry)| (list, entry)).collect()
    }

    /// How many of these entities are named by any list at all.
    pub fn count<'a>(&self, entities: impl IntoIterator<Item = &'a Entity>) -> usize {
        let entities: Vec<&Entity> = entities.into_iter().collect();
        let mut named: usize = 0;
        for table in &self.tables {
            Finder::new(table, entities.len()).find(&entities, &mut |_, _| named = named.saturating_add(1));
        }
        named
    }
}

/// A time as entries have it.
fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.as_secs().max(0)).unwrap_or(u32::MAX)
}

type Found = (usize, Arc<ListFacts>, Entry);

fn hits(entities: &[&Entity], mut found: Vec<Found>) -> Vec<IndicatorHit> {
    // What a worker asks for has mostly one name at most, and needs no copies.
    let alone =
        found.is_sorted_by(|(one, ..), (other, ..)| one < other) && found.iter().all(|(_, list, _)| !list.allow);
    if alone {
        let hit = |(index, list, entry): Found| {
            let entity = (*entities.get(index)?).clone();
            Some(IndicatorHit { index, entity, list, entry, allowed_by: None })
        };
        return found.into_iter().filter_map(hit).collect();
    }
    found.sort_by_key(|(index, _, entry)| (*index, entry.line));
    let mut hits: Vec<IndicatorHit> = Vec::new();
    for group in found.chunk_by(|(one, ..), (other, ..)| one == other) {
        let (allowed, named): (Vec<&Found>, Vec<&Found>) = group.iter().partition(|(_, list, _)| list.allow);
        for (index, list, entry) in named {
            let Some(entity) = entities.get(*index) else { continue };
            let again = |hit: &IndicatorHit| hit.index == *index && hit.list == *list && hit.entry.value == entry.value;
            if hits.iter().rev().take(group.len()).any(again) {
                continue;
            }
            let allow = |(_, list, entry): &&Found| Arc::new(Allowed { list: Arc::clone(list), entry: entry.clone() });
            let allowed_by = allowed.iter().find(|(_, _, by)| covers(by.value.kind(), entry.value.kind())).map(allow);
            let (index, entity) = (*index, (*entity).clone());
            hits.push(IndicatorHit { index, entity, list: Arc::clone(list), entry: entry.clone(), allowed_by });
        }
    }
    hits
}

/// Whether an allowed value of one kind makes nothing of a hit of another. A page that a list names by its URL stays a hit
/// though its host is allowed: hosts that everybody uses serve bad pages too.
fn covers(allowed: IndicatorKind, hit: IndicatorKind) -> bool {
    hit != IndicatorKind::Url || allowed == IndicatorKind::Url
}

/// One value to look for, prepared.
struct Prepared {
    index: usize,
    probe: Probe,
    /// Where its bytes are among the keys of the wave.
    key: Range<u32>,
    kind: IndicatorKind,
}

/// A record that may be of a value of the wave.
struct Candidate {
    /// Which of the wave.
    place: usize,
    address: u32,
}

/// The look-ups of one batch in one table.
struct Finder<'a> {
    table: &'a Table,
    keys: Vec<u8>,
    wave: Vec<Prepared>,
    candidates: Vec<Candidate>,
}

impl<'a> Finder<'a> {
    fn new(table: &'a Table, entities: usize) -> Self {
        let room = entities.min(WAVE);
        Self {
            table,
            keys: Vec::with_capacity(room.saturating_mul(KEY_BYTES)),
            wave: Vec::with_capacity(room),
            candidates: Vec::new(),
        }
    }

    fn find(&mut self, entities: &[&Entity], found: &mut impl FnMut(usize, u32)) {
        for (part, wave) in entities.chunks(WAVE).enumerate() {
            let before = part.saturating_mul(WAVE);
            for entity in wave {
                prefetch_item(entity.value.as_bytes(), 0);
            }
            for (place, entity) in wave.iter().enumerate() {
                self.prepare(before.saturating_add(place), entity, found);
            }
            self.look(found);
        }
    }

    /// Each step asks for what the next one reads.
    fn look(&mut self, found: &mut impl FnMut(usize, u32)) {
        let (table, slots) = (self.table, self.table.slots());
        // In a loop of its own: the processor has as many of them under way at once as it can.
        for Prepared { probe, .. } in &self.wave {
            slots.prefetch(*probe);
        }
        for (place, Prepared { probe, .. }) in self.wave.iter().enumerate() {
            let (mut mask, further) = slots.first(*probe);
            let mut add = |address: u32| {
                table.prefetch(address);
                self.candidates.push(Candidate { place, address });
            };
            while mask != 0 {
                slots.held(*probe, mask.trailing_zeros()).into_iter().for_each(&mut add);
                mask &= mask.wrapping_sub(1);
            }
            if further {
                slots.walk_further(*probe, add);
            }
        }
        for Candidate { place, address } in self.candidates.drain(..) {
            let Some(Prepared { index, kind, key, .. }) = self.wave.get(place) else { continue };
            if table.is_of(address, *kind, self.keys.get(range(key)).unwrap_or_default()) {
                found(*index, address);
            }
        }
        self.wave.clear();
        self.keys.clear();
    }

    fn prepare(&mut self, index: usize, entity: &Entity, found: &mut impl FnMut(usize, u32)) {
        if entity.value.len() > MAX_VALUE_BYTES {
            return;
        }
        match entity.kind {
            EntityKind::Ip => self.address(index, &entity.value, found),
            EntityKind::Domain | EntityKind::Host => self.domain(index, entity.value.as_bytes()),
            EntityKind::Hash => self.hash(index, &entity.value),
            EntityKind::Url => self.url(index, &entity.value, found),
            EntityKind::User => self.email(index, &entity.value),
            EntityKind::Process | EntityKind::File => {}
        }
    }

    /// Looks for what was appended to the keys since `start`.
    #[inline]
    fn push(&mut self, index: usize, kind: IndicatorKind, start: usize) {
        let key = start..self.keys.len();
        let hash = self.table.key().hash(kind, &self.keys, key.clone());
        self.push_hashed(index, kind, key, hash);
    }

    #[inline]
    fn push_hashed(&mut self, index: usize, kind: IndicatorKind, key: Range<usize>, hash: u64) {
        let probe = self.table.slots().probe(hash);
        let [start, end] = [key.start, key.end].map(|at| u32::try_from(at).unwrap_or(u32::MAX));
        self.wave.push(Prepared { index, probe, key: start..end, kind });
    }

    fn address(&mut self, index: usize, text: &str, found: &mut impl FnMut(usize, u32)) {
        let plain = plain_v4(text.as_bytes()).map(|plain| IpAddr::V4(Ipv4Addr::from(plain)));
        let Some(address) = plain.or_else(|| net::parse_address(text)) else { return };
        let start = self.keys.len();
        match address {
            IpAddr::V4(v4) => self.keys.extend_from_slice(&v4.octets()),
            IpAddr::V6(v6) => self.keys.extend_from_slice(&v6.octets()),
        }
        self.push(index, IndicatorKind::Ip, start);
        self.table.holding(address, &mut |record| found(index, record));
    }

    /// The domain and those above it, label by label.
    fn domain(&mut self, index: usize, name: &[u8]) {
        if name.len() > MAX_VALUE_BYTES {
            return;
        }
        let start = self.keys.len();
        self.keys.extend_from_slice(name);
        if let Some(name) = self.keys.get_mut(start..) {
            make_lower(name);
        }
        self.domain_at(index, start..self.keys.len());
    }

    /// As [`domain`](Self::domain), of what is among the keys in lower case.
    fn domain_at(&mut self, index: usize, place: Range<usize>) {
        let (table, keys) = (self.table, std::mem::take(&mut self.keys));
        let name = keys.get(place.clone()).unwrap_or_default();
        let dots = name.iter().rev().take_while(|byte| **byte == b'.').count();
        let end = place.end.saturating_sub(dots);
        let name = keys.get(place.start..end).unwrap_or_default();
        if !name.is_empty() && name.len() <= MAX_DOMAIN_BYTES {
            let mut labels: u32 = 0;
            table.key().labels(&keys, place.start..end, |start, state| {
                labels = labels.saturating_add(1);
                if table.has_depth(labels) {
                    let hash = table.key().finish(state, end.saturating_sub(start));
                    self.push_hashed(index, IndicatorKind::Domain, start..end, hash);
                }
            });
        }
        self.keys = keys;
    }

    fn hash(&mut self, index: usize, text: &str) {
        let mut bytes = [0; 64];
        let Some(digest) = hash_into(text.as_bytes(), &mut bytes).and_then(|length| bytes.get(..length)) else {
            return;
        };
        let start = self.keys.len();
        self.keys.extend_from_slice(digest);
        self.push(index, IndicatorKind::Hash, start);
    }

    /// The URL itself, and its host: a listed domain covers its pages.
    fn url(&mut self, index: usize, text: &str, found: &mut impl FnMut(usize, u32)) {
        let start = self.keys.len();
        let Some(host) = url_into(text, &mut self.keys) else { return };
        self.push(index, IndicatorKind::Url, start);
        let name = self.keys.get(host.clone()).unwrap_or_default();
        // The last label of a domain is no number, and a host with a colon is an IPv6 address.
        if name.last().is_some_and(u8::is_ascii_digit) || name.contains(&b':') {
            let address = String::from_utf8_lossy(name).into_owned();
            self.address(index, &address, found);
        } else {
            self.domain_at(index, host);
        }
    }

    fn email(&mut self, index: usize, text: &str) {
        if !text.contains('@') {
            return;
        }
        let Some(address) = super::value::email(text) else { return };
        let start = self.keys.len();
        self.keys.extend_from_slice(address.as_bytes());
        self.push(index, IndicatorKind::Email, start);
    }
}

fn range(key: &Range<u32>) -> Range<usize> {
    let [start, end] = [key.start, key.end].map(|at| usize::try_from(at).unwrap_or(usize::MAX));
    start..end
}
