//! A shard for lines of one shape: where its fields stand, and which of its nets have something to look at.

use super::{
    nets::{Hits, Net},
    program::{Node, PredId, Program},
    raw::Raw,
    shape::Shape,
    shard::{Local, Shard},
    walk::Loc,
};

#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// By the shard's number of a field.
    pub(crate) locs: Vec<Loc>,
    /// Numbers of nets in the shard, with where their values stand.
    pub(crate) looks: Vec<(usize, Loc)>,
    /// Rules that are tried for every such line.
    pub(crate) tried: Vec<Local>,
    /// Nothing can match.
    pub(crate) idle: bool,
}

impl Plan {
    pub(crate) fn new(shape: &Shape, shard: &Shard, program: &Program) -> Self {
        let loc = |keys: &[usize]| keys.iter().map(|key| shape.loc(*key)).find(|loc| *loc != Loc::Absent);
        // With several names, one that the exact reader must be asked for leaves the question to it.
        let locs: Vec<Loc> = shard.fields.iter().map(|field| loc(&field.keys).unwrap_or_default()).collect();
        let at = |field: usize| locs.get(field).copied().unwrap_or_default();
        let mut looks = Vec::new();
        let mut tried = shard.always.clone();
        for (number, (field, net)) in shard.nets.iter().enumerate() {
            let loc = at(*field);
            if loc == Loc::Absent {
                continue;
            }
            tried.extend_from_slice(shard.listed(net.present));
            if net.looks() && loc != Loc::Object {
                looks.push((number, loc));
            }
        }
        tried.sort_unstable();
        tried.dedup();
        let absent = |id: PredId| when_absent(shard, program, &locs, id);
        tried.retain(|local| {
            let node = usize::try_from(*local).ok().and_then(|local| shard.nodes.get(local));
            node.is_none_or(|node| node.simplified(&absent) != Node::Const(false))
        });
        let keywords = shard.keywords.as_ref().is_some_and(Net::looks);
        let idle = looks.is_empty() && tried.is_empty() && !keywords && shard.constant.is_empty();
        Self { locs, looks, tried, idle }
    }

    pub(crate) fn loc(&self, field: u32) -> Loc {
        usize::try_from(field).ok().and_then(|field| self.locs.get(field)).copied().unwrap_or_default()
    }
}

/// What a predicate is where its field is absent.
fn when_absent(shard: &Shard, program: &Program, locs: &[Loc], id: PredId) -> Option<bool> {
    let predicate = program.predicate(id)?;
    let field = shard.fields.iter().position(|have| have.field == predicate.field && predicate.field.is_some())?;
    if locs.get(field) != Some(&Loc::Absent) {
        return None;
    }
    Some(matches!(predicate.raw, Raw::Null | Raw::Exists(false)))
}

/// All rules that a net speaks for: where its values cannot be searched.
pub(crate) fn all_of(shard: &Shard, net: &Net) -> Vec<Local> {
    let mut all = Vec::new();
    net.each_list(&mut |hits: Hits| all.extend_from_slice(shard.listed(hits)));
    all.sort_unstable();
    all.dedup();
    all
}
