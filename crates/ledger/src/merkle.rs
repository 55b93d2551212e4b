//! Merkle tree hashing, frontier and proofs (RFC 6962 section 2.1).

use sha2::{Digest as _, Sha256};

pub type Hash = [u8; 32];

/// The root of the empty tree: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The hash of a leaf: SHA-256(0x00 || leaf).
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(leaf).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The roots of the perfect subtrees of a log, largest first: all that appending needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf's hash: O(log n) hashes at worst, one on average.
    pub fn append(&mut self, leaf: Hash) {
        let mut hash = leaf;
        let mut full = self.size;
        while full & 1 == 1 {
            if let Some(left) = self.peaks.pop() {
                hash = node(&left, &hash);
            }
            full >>= 1;
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return empty_root() };
        peaks.fold(*last, |right, left| node(left, &right))
    }

    /// Size (big endian) and peaks, as stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        for peak in &self.peaks {
            bytes.extend_from_slice(peak);
        }
        bytes
    }

    /// Reads what `to_bytes` wrote; nothing for bytes that are no frontier.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk::<8>()?;
        let size = u64::from_be_bytes(*size);
        let (chunks, odd) = rest.as_chunks::<32>();
        let wanted = usize::try_from(size.count_ones()).ok()?;
        (odd.is_empty() && chunks.len() == wanted).then(|| Self { size, peaks: chunks.to_vec() })
    }
}

/// The root over leaf hashes, by the definition.
pub fn root_of(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(&root_of(left), &root_of(right))
        }
    }
}

/// The largest power of two below `n` (n > 1).
fn split(n: usize) -> usize {
    n.next_power_of_two() / 2
}

/// The audit path of leaf `index`, from the leaf up. Nothing when there is no such leaf.
pub fn inclusion_proof(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    if leaves.len() == 1 {
        return Some(Vec::new());
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut path, sibling) = if index < left.len() {
        (inclusion_proof(left, index)?, root_of(right))
    } else {
        (inclusion_proof(right, index - left.len())?, root_of(left))
    };
    path.push(sibling);
    Some(path)
}

/// Whether `leaf` stands at `index` of the tree of `size` leaves with this root (RFC 9162 section 2.1.3.2).
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            hash = node(sibling, &hash);
            while place & 1 == 0 && place != 0 {
                (place, last) = (place >> 1, last >> 1);
            }
        } else {
            hash = node(&hash, sibling);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// The proof that the tree of the first `old` leaves is a beginning of the whole.
pub fn consistency_proof(leaves: &[Hash], old: usize) -> Option<Vec<Hash>> {
    if old == 0 || old > leaves.len() {
        return None;
    }
    Some(subproof(leaves, old, true))
}

fn subproof(leaves: &[Hash], old: usize, whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![root_of(leaves)] };
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut path, sibling) = if old <= at {
        (subproof(left, old, whole), root_of(right))
    } else {
        (subproof(right, old - at, false), root_of(left))
    };
    path.push(sibling);
    path
}

/// Whether a tree of `new` leaves continues the tree of `old` leaves (RFC 9162 section 2.1.4.2).
pub fn verify_consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, path: &[Hash]) -> bool {
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    if old == 0 || old > new {
        return false;
    }
    let mut path = path.iter();
    let first = if old.is_power_of_two() { Some(*old_root) } else { path.next().copied() };
    let Some(first) = first else { return false };
    let (mut place, mut last) = (old - 1, new - 1);
    while place & 1 == 1 {
        (place, last) = (place >> 1, last >> 1);
    }
    let (mut before, mut after) = (first, first);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            before = node(sibling, &before);
            after = node(sibling, &after);
            while place & 1 == 0 && place != 0 {
                (place, last) = (place >> 1, last >> 1);
            }
        } else {
            after = node(&after, sibling);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    last == 0 && before == *old_root && after == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaves of the reference tests of Certificate Transparency.
    fn reference() -> Vec<Vec<u8>> {
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
            .iter()
            .map(|text| hex::decode(text).unwrap())
            .collect()
    }

    fn text(hash: &Hash) -> String {
        hex::encode(hash)
    }

    #[test]
    fn roots_equal_those_of_the_reference() {
        let hashes: Vec<Hash> = reference().iter().map(|leaf| leaf_hash(leaf)).collect();
        assert_eq!(text(&empty_root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        for (size, root) in (1..).zip(roots) {
            assert_eq!(text(&root_of(&hashes[..size])), root);
        }
    }

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
    }

    #[test]
    fn the_frontier_has_the_root_of_the_definition_and_survives_storing() {
        let all = leaves(130);
        let mut frontier = Frontier::default();
        for (count, leaf) in all.iter().enumerate() {
            assert_eq!(frontier.root(), root_of(&all[..count]));
            frontier = Frontier::from_bytes(&frontier.to_bytes()).unwrap();
            frontier.append(*leaf);
        }
        assert!(Frontier::from_bytes(&[0; 9]).is_none());
    }

    #[test]
    fn every_inclusion_proof_holds_and_no_other_leaf_passes() {
        for size in 1..40_u64 {
            let all = leaves(size);
            let root = root_of(&all);
            for index in 0..size {
                let path = inclusion_proof(&all, usize::try_from(index).unwrap()).unwrap();
                let leaf = all[usize::try_from(index).unwrap()];
                assert!(verify_inclusion(&leaf, index, size, &path, &root));
                assert!(!verify_inclusion(&leaf_hash(b"other"), index, size, &path, &root));
                assert!(size == 1 || !verify_inclusion(&leaf, (index + 1) % size, size, &path, &root));
            }
        }
    }

    #[test]
    fn every_consistency_proof_holds_and_no_other_root_passes() {
        for new in 1..40_u64 {
            let all = leaves(new);
            for old in 1..=new {
                let before = root_of(&all[..usize::try_from(old).unwrap()]);
                let path = consistency_proof(&all, usize::try_from(old).unwrap()).unwrap();
                assert!(verify_consistency(old, &before, new, &root_of(&all), &path));
                assert!(!verify_consistency(old, &leaf_hash(b"x"), new, &root_of(&all), &path));
            }
        }
    }
}
