//! Work over a slice on every core, in the order of the slice.

use std::{
    num::NonZero,
    panic::resume_unwind,
    thread::{available_parallelism, scope},
};

/// What `work` makes of the items, in parts: one for each core, none of less than `least` items.
pub(crate) fn in_parts<T: Sync, R: Send>(items: &[T], least: usize, work: impl Fn(&[T]) -> Vec<R> + Sync) -> Vec<R> {
    let cores = available_parallelism().map_or(1, NonZero::get);
    let parts = cores.min(items.len() / least.max(1)).max(1);
    let (first, rest) = items.split_at(items.len() / parts);
    if rest.is_empty() || parts == 1 {
        return work(items);
    }
    scope(|scope| {
        let others: Vec<_> =
            rest.chunks(rest.len().div_ceil(parts - 1)).map(|part| scope.spawn(|| work(part))).collect();
        let mut done = work(first);
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_items_however_they_are_parted() {
        for length in [0, 1, 9, 10, 1_001] {
            let items: Vec<usize> = (0..length).collect();
            let doubled = in_parts(&items, 10, |part| part.iter().map(|item| item * 2).collect());
            assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }
}
