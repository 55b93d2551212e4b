//! Values of an event's fields, for those who look at a match again: correlations that group by them.

use shieldops_model::LogSource;

use super::{
    compile::RuleSet,
    event::{Doc, Kind},
};

/// Reads fields of one event after the other. One a thread.
#[derive(Debug, Default)]
pub struct FieldReader {
    doc: Doc,
    found: Vec<usize>,
}

impl FieldReader {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an event; false when no rule can read it either.
    pub fn read(&mut self, line: &[u8]) -> bool {
        self.doc.read(line).is_ok()
    }

    /// The values of a field of the event that was read last, under its own name or else under the first name that the
    /// set knows for it in that log source. Nothing for a field that is absent or null.
    pub fn values(&mut self, set: &RuleSet, source: &LogSource, field: &str) -> Vec<String> {
        self.found.clear();
        let Self { doc, found } = self;
        let others = set.field_map().names(source, field);
        if !std::iter::once(field).chain(others).any(|name| doc.find(name, found)) {
            return Vec::new();
        }
        let scalars = found.iter().filter(|node| doc.kind(**node) == Kind::Scalar);
        scalars.map(|node| doc.text(*node).to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::{CompileOptions, Documents};

    use super::*;

    #[test]
    fn fields_are_found_as_rules_find_them() {
        let (set, _) = RuleSet::compile(Documents::default(), &CompileOptions::default());
        let web = LogSource { categories: vec!["webserver".to_owned()], ..LogSource::default() };
        let mut reader = FieldReader::new();
        assert!(!reader.read(b"no object"));
        assert!(
            reader.read(br#"{"user":"eve","n":7,"none":null,"empty":"","list":["a","b"],"a":{"b":"c"},"status":404}"#)
        );
        let mut read = |field: &str| reader.values(&set, &web, field).join(",");
        let read: Vec<String> =
            ["user", "n", "none", "absent", "empty", "list", "a.b", "sc-status"].into_iter().map(&mut read).collect();
        assert_eq!(read, ["eve", "7", "", "", "", "a,b", "c", "404"]);
        assert_eq!(reader.values(&set, &web, "none"), Vec::<String>::new());
        assert_eq!(reader.values(&set, &web, "empty"), [""]);
    }
}
