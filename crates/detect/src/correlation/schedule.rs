//! Which groups are to be looked at when the watermark moves, and which was used least recently.

use std::collections::{BTreeSet, HashMap};

#[derive(Debug, Default)]
pub(super) struct Schedule {
    looks: BTreeSet<(i64, u128)>,
    uses: BTreeSet<(u64, u128)>,
    of_group: HashMap<u128, (i64, u64)>,
}

impl Schedule {
    /// The group is looked at when the watermark is beyond `look`; it was used at `used`.
    pub(super) fn set(&mut self, group: u128, look: i64, used: u64) {
        self.remove(group);
        self.looks.insert((look, group));
        self.uses.insert((used, group));
        self.of_group.insert(group, (look, used));
    }

    pub(super) fn remove(&mut self, group: u128) {
        if let Some((look, used)) = self.of_group.remove(&group) {
            self.looks.remove(&(look, group));
            self.uses.remove(&(used, group));
        }
    }

    /// The groups whose time has come.
    pub(super) fn due(&self, watermark: i64) -> impl Iterator<Item = u128> + '_ {
        self.looks.iter().take_while(move |(look, _)| *look < watermark).map(|(_, group)| *group)
    }

    /// When groups are to be looked at, from one watermark to another.
    pub(super) fn between(&self, from: i64, to: i64) -> impl Iterator<Item = (i64, u128)> + '_ {
        self.looks.range((from, 0)..(to.max(from), 0)).copied()
    }

    /// The earliest watermark behind which something is to be done.
    pub(super) fn next(&self) -> Option<i64> {
        self.looks.first().map(|(look, _)| *look)
    }

    pub(super) fn least_used(&self) -> Option<u128> {
        self.uses.first().map(|(_, group)| *group)
    }
}
