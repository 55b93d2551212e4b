//! Bounded sets of entities: what an alert or an incident lists when attackers choose how many names there are.

use std::collections::{BTreeMap, BTreeSet};

use shieldops_model::{Entity, EntityKind};

/// Entities of one kind on an alert.
pub(crate) const ALERT_PER_KIND: usize = 24;
/// Entities of one kind on an incident.
pub(crate) const INCIDENT_PER_KIND: usize = 48;

/// The union, at most `per_kind` of each kind beside those in `always`. The smallest values stay, so that the outcome
/// does not depend on the order in which they came.
pub(crate) fn union(have: &[Entity], more: &[Entity], always: &[Entity], per_kind: usize) -> Vec<Entity> {
    let all: BTreeSet<&Entity> = have.iter().chain(more).collect();
    let mut kept: BTreeSet<&Entity> = always.iter().collect();
    let mut used: BTreeMap<EntityKind, usize> = BTreeMap::new();
    for entity in all {
        let used = used.entry(entity.kind).or_default();
        if *used < per_kind {
            *used += 1;
            kept.insert(entity);
        }
    }
    kept.into_iter().cloned().collect()
}

/// Adds what is new while its kind has room. What is there stays: in a flood, what came first names the incident.
pub(crate) fn grow(have: &mut Vec<Entity>, more: &[Entity], per_kind: usize) {
    for entity in more {
        let of_kind = have.iter().filter(|known| known.kind == entity.kind).count();
        if of_kind < per_kind && !have.contains(entity) {
            have.insert(have.partition_point(|known| known < entity), entity.clone());
        }
    }
}

/// The entities that most of the lists name, at most `per_kind` of each kind; ties fall to the smaller value.
pub(crate) fn most_named<'a>(lists: impl Iterator<Item = &'a [Entity]>, per_kind: usize) -> Vec<Entity> {
    let mut named: BTreeMap<&Entity, usize> = BTreeMap::new();
    for entity in lists.flat_map(|list| list.iter().collect::<BTreeSet<_>>()) {
        *named.entry(entity).or_default() += 1;
    }
    let mut ranked: Vec<(&Entity, usize)> = named.into_iter().collect();
    ranked.sort_by(|(one, times), (other, more)| more.cmp(times).then(one.cmp(other)));
    let mut used: BTreeMap<EntityKind, usize> = BTreeMap::new();
    let mut kept: Vec<Entity> = ranked
        .into_iter()
        .filter(|(entity, _)| {
            let used = used.entry(entity.kind).or_default();
            *used += 1;
            *used <= per_kind
        })
        .map(|(entity, _)| entity.clone())
        .collect();
    kept.sort();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(names: &[&str]) -> Vec<Entity> {
        names.iter().map(|name| Entity::new(EntityKind::User, *name)).collect()
    }

    #[test]
    fn a_union_is_bounded_and_keeps_the_grouping_entities() {
        let kept = union(&users(&["a", "b"]), &users(&["c", "z"]), &users(&["z"]), 2);
        assert_eq!(kept, users(&["a", "b", "z"]));
    }

    #[test]
    fn a_full_kind_takes_no_more_and_loses_nothing() {
        let mut have = users(&["m"]);
        grow(&mut have, &users(&["m", "z", "a"]), 2);
        assert_eq!(have, users(&["m", "z"]));
    }

    #[test]
    fn the_most_named_entities_stay() {
        let (one, two) = (users(&["a", "b", "deploy"]), users(&["deploy"]));
        assert_eq!(most_named([one.as_slice(), two.as_slice()].into_iter(), 2), users(&["a", "deploy"]));
    }
}
