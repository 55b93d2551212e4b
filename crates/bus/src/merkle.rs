//! The Merkle tree hash of RFC 6962 section 2.1, built leaf by leaf.

use sha2::{Digest, Sha256};

/// The roots of the full subtrees to the left of the next leaf, largest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frontier {
    roots: Vec<[u8; 32]>,
    leaves: u64,
}

impl Frontier {
    pub(crate) fn push(&mut self, leaf: &[u8]) {
        let mut node: [u8; 32] = Sha256::new().chain_update([0]).chain_update(leaf).finalize().into();
        let mut level = self.leaves;
        while level & 1 == 1 {
            let Some(left) = self.roots.pop() else { break };
            node = parent(&left, &node);
            level >>= 1;
        }
        self.roots.push(node);
        self.leaves = self.leaves.saturating_add(1);
    }

    pub(crate) fn root(&self) -> [u8; 32] {
        let mut right_to_left = self.roots.iter().rev();
        let Some(last) = right_to_left.next() else { return Sha256::digest([]).into() };
        right_to_left.fold(*last, |right, left| parent(left, &right))
    }
}

fn parent(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recursive definition, word for word.
    fn defined(leaves: &[Vec<u8>]) -> [u8; 32] {
        match leaves.len() {
            0 => Sha256::digest([]).into(),
            1 => Sha256::new().chain_update([0]).chain_update(&leaves[0]).finalize().into(),
            n => {
                let split = n.next_power_of_two() / 2;
                parent(&defined(&leaves[..split]), &defined(&leaves[split..]))
            }
        }
    }

    #[test]
    fn the_root_is_that_of_the_definition_for_any_number_of_leaves() {
        let leaves: Vec<Vec<u8>> = (0..70_u8).map(|n| vec![n; usize::from(n)]).collect();
        let mut frontier = Frontier::default();
        for n in 0..leaves.len() {
            assert_eq!(frontier.root(), defined(&leaves[..n]), "{n} leaves");
            frontier.push(&leaves[n]);
        }
    }
}
