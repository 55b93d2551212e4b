//! What an effect reaches, and how long it is expected to take: computed from what the target reports, from the registered
//! targets and from what was seen in events, never from what a caller says.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use ipnet::IpNet;
use shieldops_model::{Action, Estimate, Plan, Target};
use shieldops_policy::{Class, Facts};

use crate::{
    AnyCapability, Engine, Error,
    engine::{Ready, address},
};

/// How far back the events are that peers are counted from.
const SEEN: Duration = Duration::from_hours(7 * 24);
/// Peers of one range that are counted: an approver is shown each.
const PEERS: usize = 10_001;
/// Earlier actions that an estimate is the median of.
pub(crate) const MEASURED: usize = 20;
/// What reading, changing and reading again take where nothing was measured.
const AT_HAND_MS: u64 = 300;
const OVER_SSH_MS: u64 = 2_000;

impl Engine {
    /// Each by one name, the target first. In a range these are the registered targets and the peers that were seen in it.
    pub(crate) async fn resources(
        &self,
        target: &Target,
        reach: &[IpNet],
        facts: &Facts,
    ) -> Result<Vec<String>, Error> {
        let ranges: Vec<IpNet> = reach.iter().copied().filter(|net| net.prefix_len() < net.max_prefix_len()).collect();
        if ranges.is_empty() {
            return Ok(shieldops_policy::resources(target.id, reach, facts, &[]));
        }
        let mut seen: BTreeSet<IpAddr> =
            self.with.journal.peers(&ranges, self.now().minus(SEEN), PEERS).await?.into_iter().collect();
        for row in self.with.journal.targets().await? {
            seen.extend(addresses(&row).filter(|at| ranges.iter().any(|net| net.contains(at))));
        }
        let seen: Vec<IpAddr> = seen.into_iter().collect();
        Ok(shieldops_policy::resources(target.id, reach, facts, &seen))
    }

    /// Puts what is computed on a plan's actions, and its sums on the plan.
    pub(crate) async fn compute(&self, plan: &mut Plan, ready: &[Ready]) -> Result<(), Error> {
        let (mut reached, mut takes) = (BTreeSet::new(), 0_u64);
        for (action, ready) in plan.actions.iter_mut().zip(ready) {
            action.resources.clone_from(&ready.resources);
            action.dependants.clone_from(&ready.observed.facts.dependants);
            let estimate = self.estimate(action, ready).await?;
            action.estimate = Some(estimate);
            takes = takes.saturating_add(estimate.ms);
            if ready.capability.describe().class != Class::ReadOnly {
                reached.extend(ready.resources.iter());
            }
        }
        plan.blast_radius = Some(u32::try_from(reached.len()).unwrap_or(u32::MAX));
        plan.estimated_ms = Some(takes);
        Ok(())
    }

    async fn estimate(&self, action: &Action, ready: &Ready) -> Result<Estimate, Error> {
        let took = self.with.journal.durations(&action.capability, action.simulated).await?;
        Ok(median(took).unwrap_or_else(|| described(ready.capability.as_ref(), &ready.target)))
    }
}

/// The addresses under which a registered target is known.
fn addresses(row: &Target) -> impl Iterator<Item = IpAddr> {
    let told = [row.host.as_deref(), row.ssh.as_ref().map(|ssh| ssh.address.as_str())];
    told.into_iter().flatten().filter_map(address)
}

fn median(mut took: Vec<u64>) -> Option<Estimate> {
    took.sort_unstable();
    let ms = *took.get(took.len() / 2)?;
    Some(Estimate { ms, measured: u32::try_from(took.len()).unwrap_or(u32::MAX) })
}

/// What the capability says of itself: what its effect needs to settle, and the way there and back.
fn described(of: &dyn AnyCapability, target: &Target) -> Estimate {
    let way = if target.ssh.is_some() { OVER_SSH_MS } else { AT_HAND_MS };
    let waits = of.takes_effect_after().map_or(0, |span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    Estimate { ms: of.describe().settle_ms.max(waits).saturating_add(way), measured: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_what_was_measured_is_the_estimate_and_nothing_measured_is_none() {
        assert_eq!(median(vec![900, 10, 40]), Some(Estimate { ms: 40, measured: 3 }));
        assert_eq!(median(Vec::new()), None);
    }
}
