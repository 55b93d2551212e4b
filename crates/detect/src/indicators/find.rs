//! Look-ups: the values of entities in the tables that a tenant sees, many at a time. All of a wave first read their few
//! bytes of the table, which do not wait for each other, and only what may be there is looked at closely.

use std::{net::IpAddr, ops::Range, sync::Arc};

use shieldops_model::{Entity, EntityKind, Timestamp};

use super::{
    block::Entry,
    slots::Probe,
    table::{ListFacts, Table},
    value::{IndicatorKind, MAX_VALUE_BYTES, hash_into, host_of, plain_v4, url_into},
};
use crate::sigma::net;

/// Values that are prepared before the first is looked at closely.
const WAVE: usize = 256;
/// Bytes of a domain that are looked up.
const MAX_DOMAIN_BYTES: usize = 253;

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

    /// What the lists know of these entities at a time, in the order of the entities; what an allow-list names is marked.
    pub fn find<'a>(&self, entities: impl IntoIterator<Item = &'a Entity>, now: Timestamp) -> Vec<IndicatorHit> {
        if self.is_empty() {
            return Vec::new();
        }
        let entities: Vec<&Entity> = entities.into_iter().collect();
        let found = self.found(&entities, now);
        if found.is_empty() { Vec::new() } else { hits(&entities, found) }
    }

    fn found(&self, entities: &[&Entity], now: Timestamp) -> Vec<Found> {
        let seconds = u32::try_from(now.as_secs().max(0)).unwrap_or(u32::MAX);
        let mut found = Vec::new();
        for table in &self.tables {
            let mut finder = Finder::new(table);
            finder.find(entities, &mut |index, address| {
                let Some((record, list)) = table.found(address) else { return };
                if !record.is_expired(seconds) {
                    found.extend(record.entry().map(|entry| (index, Arc::clone(list), entry)));
                }
            });
        }
        found
    }

    /// Every entry that names an entity at a time, those of allow-lists too.
    pub fn naming(&self, entity: &Entity, now: Timestamp) -> Vec<(Arc<ListFacts>, Entry)> {
        self.found(&[entity], now).into_iter().map(|(_, list, entry)| (list, entry)).collect()
    }

    /// How many of these entities are named by any list at all.
    pub fn count<'a>(&self, entities: impl IntoIterator<Item = &'a Entity>) -> usize {
        let entities: Vec<&Entity> = entities.into_iter().collect();
        let mut named: usize = 0;
        for table in &self.tables {
            Finder::new(table).find(&entities, &mut |_, _| named = named.saturating_add(1));
        }
        named
    }
}

type Found = (usize, Arc<ListFacts>, Entry);

fn hits(entities: &[&Entity], mut found: Vec<Found>) -> Vec<IndicatorHit> {
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
    hash: u64,
    kind: IndicatorKind,
    key: Range<usize>,
    probe: Probe,
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
    fn new(table: &'a Table) -> Self {
        Self { table, keys: Vec::new(), wave: Vec::new(), candidates: Vec::new() }
    }

    fn find(&mut self, entities: &[&Entity], found: &mut impl FnMut(usize, u32)) {
        for (part, entities) in entities.chunks(WAVE).enumerate() {
            let before = part.saturating_mul(WAVE);
            for (place, entity) in entities.iter().enumerate() {
                self.prepare(before.saturating_add(place), entity, found);
            }
            self.look(found);
        }
    }

    /// Each step reads for all of the wave before the next one needs it: the reads do not wait for each other.
    fn look(&mut self, found: &mut impl FnMut(usize, u32)) {
        let mut touched: u8 = 0;
        for Prepared { hash, probe, .. } in &self.wave {
            touched ^= self.table.shard(*hash).map_or(0, |shard| shard.touch(*probe));
        }
        std::hint::black_box(touched);
        for (place, prepared) in self.wave.iter().enumerate() {
            let Some(shard) = self.table.shard(prepared.hash) else { continue };
            let (mut mask, further) = shard.first(prepared.probe);
            while mask != 0 {
                let held = shard.held(prepared.probe, mask.trailing_zeros());
                mask &= mask.wrapping_sub(1);
                self.candidates.extend(held.map(|address| Candidate { place, address }));
            }
            if further {
                shard.walk_further(prepared.probe, |address| {
                    self.candidates.push(Candidate { place, address: address.get() });
                    false
                });
            }
        }
        touched = self.candidates.iter().fold(0, |touched, candidate| touched ^ self.table.touch(candidate.address));
        std::hint::black_box(touched);
        for Candidate { place, address } in self.candidates.drain(..) {
            let Some(Prepared { index, kind, key, .. }) = self.wave.get(place) else { continue };
            if self.table.is_of(address, *kind, self.keys.get(key.clone()).unwrap_or_default()) {
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
    fn push(&mut self, index: usize, kind: IndicatorKind, start: usize) {
        let key = start..self.keys.len();
        let hash = self.table.key().hash(kind, self.keys.get(key.clone()).unwrap_or_default());
        self.push_hashed(index, kind, key, hash);
    }

    fn push_hashed(&mut self, index: usize, kind: IndicatorKind, key: Range<usize>, hash: u64) {
        let probe = self.table.probe(hash);
        self.wave.push(Prepared { index, hash, kind, key, probe });
    }

    fn address(&mut self, index: usize, text: &str, found: &mut impl FnMut(usize, u32)) {
        let plain = plain_v4(text.as_bytes()).map(IpAddr::from);
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
        let dots = name.iter().rev().take_while(|byte| **byte == b'.').count();
        let name = name.get(..name.len().saturating_sub(dots)).unwrap_or_default();
        if name.is_empty() || name.len() > MAX_DOMAIN_BYTES {
            return;
        }
        let start = self.keys.len();
        self.keys.extend_from_slice(name);
        let end = self.keys.len();
        if let Some(name) = self.keys.get_mut(start..) {
            name.make_ascii_lowercase();
        }
        let (table, keys) = (self.table, std::mem::take(&mut self.keys));
        let mut labels: u32 = 0;
        table.key().labels(keys.get(start..).unwrap_or_default(), |at, hash| {
            labels = labels.saturating_add(1);
            if table.has_depth(labels) {
                self.push_hashed(index, IndicatorKind::Domain, start.saturating_add(at)..end, hash);
            }
        });
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
        if url_into(text, &mut self.keys).is_none() {
            return;
        }
        self.push(index, IndicatorKind::Url, start);
        let url = self.keys.get(start..).and_then(|url| std::str::from_utf8(url).ok());
        let Some(host) = url.and_then(host_of).map(str::to_owned) else { return };
        // The last label of a domain is no number, and a host with a colon is an IPv6 address.
        if host.ends_with(|last: char| last.is_ascii_digit() || last == ':') || host.contains(':') {
            self.address(index, &host, found);
        } else {
            self.domain(index, host.as_bytes());
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
