//! How tenants share the bytes of one disk: what one leaves the others may use, and nobody is pushed below an equal part.

/// What each tenant may hold at most when all of these want more than there is: those below it lose nothing.
pub(crate) fn of_each(max_bytes: u64, wanted: Vec<u64>) -> u64 {
    level(max_bytes, wanted, 0)
}

/// What one more tenant may hold beside these, however much it wants: all that they leave, and at least an equal part.
pub(crate) fn beside(max_bytes: u64, others: Vec<u64>) -> u64 {
    level(max_bytes, others, 1)
}

/// Up to where all are filled, beside so many who want everything.
fn level(max_bytes: u64, mut wanted: Vec<u64>, insatiable: usize) -> u64 {
    wanted.sort_unstable();
    let count = |tenants: usize| u64::try_from(tenants).unwrap_or(u64::MAX);
    let mut left = max_bytes;
    let mut sharing = count(wanted.len().saturating_add(insatiable));
    for bytes in wanted {
        let part = equal(left, sharing);
        if bytes >= part {
            return part;
        }
        left = left.saturating_sub(bytes);
        sharing = sharing.saturating_sub(1);
    }
    equal(left, sharing)
}

/// An equal part for each.
pub(crate) fn equal(bytes: u64, tenants: u64) -> u64 {
    bytes.checked_div(tenants).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_little_has_it_and_the_others_share_the_rest() {
        assert_eq!(of_each(10, vec![8, 3]), 7);
        assert_eq!(of_each(10, vec![9, 9]), 5);
        assert_eq!(of_each(100, vec![45, 6, 6, 60]), 44);
        assert_eq!(of_each(10, vec![]), 10);
    }

    #[test]
    fn one_more_gets_what_is_left_and_at_least_an_equal_part() {
        assert_eq!(beside(10, vec![]), 10);
        assert_eq!(beside(10, vec![3]), 7);
        assert_eq!(beside(10, vec![9]), 5);
        assert_eq!(beside(10, vec![9, 1]), 4);
        assert_eq!(beside(9, vec![9, 9]), 3);
    }
}
