//! Whether one of many values stands in another one of many, for `fieldref` over lists: in far less than every pair.

use std::collections::HashSet;

use memchr::memmem;

use super::pattern::Anchor;

/// Pairs that are compared one by one.
pub(super) const FEW_PAIRS: usize = 64;
/// Bytes of values, times others, that are searched for each of the others.
const MAX_SEARCHED: usize = 32 * 1_024 * 1_024;

/// Whether a value is, begins with, ends with or has in it one of the others.
pub(super) fn any_refers(values: &[&str], others: &[&str], anchor: Anchor) -> bool {
    match anchor {
        Anchor::Whole => {
            let others: HashSet<&str> = others.iter().copied().collect();
            values.iter().any(|value| others.contains(value))
        }
        Anchor::Start => {
            let others = Starts::of(others.iter().map(|other| other.as_bytes().to_vec()).collect());
            values.iter().any(|value| others.begin(value.as_bytes()))
        }
        Anchor::End => {
            let turned = |text: &&str| text.bytes().rev().collect::<Vec<u8>>();
            let others = Starts::of(others.iter().map(turned).collect());
            values.iter().any(|value| others.begin(&turned(value)))
        }
        Anchor::Anywhere => anywhere(values, others),
    }
}

fn anywhere(values: &[&str], others: &[&str]) -> bool {
    let others = Starts::of(others.iter().map(|other| other.as_bytes().to_vec()).collect());
    let bytes = values.iter().map(|value| value.len()).fold(0, usize::saturating_add);
    if bytes.saturating_mul(others.sorted.len()) <= MAX_SEARCHED {
        let finders: Vec<memmem::Finder<'_>> = others.sorted.iter().map(memmem::Finder::new).collect();
        return values.iter().any(|value| finders.iter().any(|finder| finder.find(value.as_bytes()).is_some()));
    }
    let stands = |value: &str| (0..=value.len()).any(|at| others.begin(value.as_bytes().get(at..).unwrap_or_default()));
    values.iter().any(|value| stands(value))
}

/// Texts of which none begins with another, sorted.
struct Starts {
    sorted: Vec<Vec<u8>>,
}

impl Starts {
    fn of(mut texts: Vec<Vec<u8>>) -> Self {
        texts.sort_unstable();
        let mut sorted: Vec<Vec<u8>> = Vec::with_capacity(texts.len());
        for text in texts {
            if !sorted.last().is_some_and(|last| text.starts_with(last)) {
                sorted.push(text);
            }
        }
        Self { sorted }
    }

    /// Whether the value begins with one of them: it can only be the last one that is not behind it.
    fn begin(&self, value: &[u8]) -> bool {
        let behind = self.sorted.partition_point(|text| text.as_slice() <= value);
        let last = behind.checked_sub(1).and_then(|place| self.sorted.get(place));
        last.is_some_and(|last| value.starts_with(last))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn many_values_refer_as_each_pair_does(
            values in prop::collection::vec("[abü]{0,4}", 0..12),
            others in prop::collection::vec("[abü]{0,4}", 0..12),
        ) {
            let (values, others): (Vec<&str>, Vec<&str>) =
                (values.iter().map(String::as_str).collect(), others.iter().map(String::as_str).collect());
            let pairs = |holds: fn(&str, &str) -> bool| values.iter().any(|one| others.iter().any(|two| holds(one, two)));
            prop_assert_eq!(any_refers(&values, &others, Anchor::Whole), pairs(|one, two| one == two));
            prop_assert_eq!(any_refers(&values, &others, Anchor::Start), pairs(|one, two| one.starts_with(two)));
            prop_assert_eq!(any_refers(&values, &others, Anchor::End), pairs(|one, two| one.ends_with(two)));
            prop_assert_eq!(any_refers(&values, &others, Anchor::Anywhere), pairs(|one, two| one.contains(two)));
            let sorted = Starts::of(others.iter().map(|other| other.as_bytes().to_vec()).collect());
            let stands = |value: &str| (0..=value.len()).any(|at| sorted.begin(&value.as_bytes()[at..]));
            prop_assert_eq!(values.iter().any(|value| stands(value)), pairs(|one, two| one.contains(two)));
        }
    }
}
