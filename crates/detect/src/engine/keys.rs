//! The names that rules give to fields, as keys of objects: level by level, because a dotted name may be one key or a
//! path, cut at any of its dots.

use std::collections::HashMap;

use super::bytes::escaped;

/// Number of a name.
pub(crate) type Key = usize;

/// A name with more dots is left to the exact evaluator.
const MAX_DOTS: usize = 5;

#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    names: HashMap<String, Key>,
    levels: Vec<Level>,
    /// Names that no walk looks for.
    opaque: Vec<Key>,
}

/// The keys of interest in one object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Level {
    /// By the key's bytes in a canonical line.
    entries: HashMap<Box<[u8]>, Entry>,
    /// Every name that is looked for here or below.
    pub(crate) below: Vec<Key>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Entry {
    /// The name that ends here.
    pub(crate) name: Option<Key>,
    /// The level that names go on at.
    pub(crate) level: Option<usize>,
}

impl Keys {
    pub(crate) fn new() -> Self {
        Self { levels: vec![Level::default()], ..Self::default() }
    }

    /// The number of a name; a new one where it is not known.
    pub(crate) fn add(&mut self, name: &str) -> Key {
        if let Some(key) = self.names.get(name) {
            return *key;
        }
        let key = self.names.len();
        self.names.insert(name.to_owned(), key);
        if name.matches('.').count() > MAX_DOTS {
            self.opaque.push(key);
        } else {
            self.insert(0, name, key);
        }
        key
    }

    fn insert(&mut self, level: usize, path: &str, key: Key) {
        let Some(here) = self.levels.get_mut(level) else { return };
        here.below.push(key);
        here.entries.entry(escaped(path).into()).or_default().name = Some(key);
        for (dot, _) in path.match_indices('.') {
            let (Some(head), Some(tail)) = (path.get(..dot), path.get(dot.saturating_add(1)..)) else { continue };
            let next = self.levels.len();
            let Some(here) = self.levels.get_mut(level) else { return };
            let entry = here.entries.entry(escaped(head).into()).or_default();
            let below = *entry.level.get_or_insert(next);
            if below == next {
                self.levels.push(Level::default());
            }
            self.insert(below, tail, key);
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<Key> {
        self.names.get(name).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn entry(&self, level: usize, key: &[u8]) -> Entry {
        self.levels.get(level).and_then(|level| level.entries.get(key)).copied().unwrap_or_default()
    }

    pub(crate) fn below(&self, level: usize) -> &[Key] {
        self.levels.get(level).map_or(&[], |level| &level.below)
    }

    pub(crate) fn opaque(&self) -> &[Key] {
        &self.opaque
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dotted_name_is_found_as_a_key_and_as_a_path_cut_anywhere() {
        let mut keys = Keys::new();
        let (abc, ab) = (keys.add("a.b.c"), keys.add("a.b"));
        assert_eq!(keys.add("a.b.c"), abc);
        assert_eq!(keys.entry(0, b"a.b.c").name, Some(abc));
        let a = keys.entry(0, b"a").level.unwrap();
        assert_eq!((keys.entry(a, b"b.c").name, keys.entry(a, b"b").name), (Some(abc), Some(ab)));
        let b = keys.entry(a, b"b").level.unwrap();
        assert_eq!(keys.entry(b, b"c").name, Some(abc));
        let whole = keys.entry(0, b"a.b");
        assert_eq!(whole.name, Some(ab));
        assert_eq!(keys.entry(whole.level.unwrap(), b"c").name, Some(abc));
        assert_eq!(keys.add("1.2.3.4.5.6.7"), 2);
        assert_eq!(keys.opaque(), [2]);
    }
}
