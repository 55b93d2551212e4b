//! Names that a log source gives to the fields that rules speak of. A rule's field is tried as it is first.
//!
//! The shipped mappings cover sources whose own names differ from the Sigma taxonomy. Each can be left out by its name.

mod shipped;

use std::{collections::HashMap, sync::Arc};

use shieldops_model::LogSource;

use self::shipped::{MAPPINGS, Mapping, WINDOWS_FIELDS};

/// In events of this log source, `field` of a rule is the first of `to` that the event has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldAlias {
    /// What is absent is open.
    pub product: Option<String>,
    pub category: Option<String>,
    pub service: Option<String>,
    pub field: String,
    pub to: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldMap {
    aliases: Arc<Vec<FieldAlias>>,
    /// The numbers of the aliases of a field.
    by_field: Arc<HashMap<String, Vec<usize>>>,
}

impl FieldMap {
    pub fn empty() -> Self {
        Self::default()
    }

    /// The mappings that come with the engine.
    pub fn shipped() -> Self {
        Self::shipped_without(&[])
    }

    /// The shipped mappings but those of these names; a name that is none changes nothing.
    pub fn shipped_without(names: &[String]) -> Self {
        let wanted = MAPPINGS.iter().filter(|mapping| !names.iter().any(|name| name == mapping.name));
        wanted.flat_map(aliases).fold(Self::default(), Self::with)
    }

    /// Name and content of each shipped mapping.
    pub fn mappings() -> impl Iterator<Item = (&'static str, &'static str)> {
        MAPPINGS.iter().map(|mapping| (mapping.name, mapping.about))
    }

    /// Later entries come after earlier ones for the same field.
    #[must_use]
    pub fn with(mut self, alias: FieldAlias) -> Self {
        let field = Arc::make_mut(&mut self.by_field).entry(alias.field.clone());
        field.or_default().push(self.aliases.len());
        Arc::make_mut(&mut self.aliases).push(alias);
        self
    }

    /// Every product, category and service that names of fields hang on.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        let words = self.aliases.iter().flat_map(|alias| [&alias.product, &alias.category, &alias.service]);
        words.flatten().map(String::as_str)
    }

    /// Every name that an event may use instead of a rule's.
    pub(crate) fn all_names(&self) -> impl Iterator<Item = &str> {
        self.aliases.iter().flat_map(|alias| alias.to.iter().map(String::as_str))
    }

    /// The names to try for a rule's field in events of this source, in order.
    pub(crate) fn names<'m>(&'m self, source: &'m LogSource, field: &'m str) -> impl Iterator<Item = &'m str> {
        self.by_field
            .get(field)
            .into_iter()
            .flatten()
            .filter_map(|number| self.aliases.get(*number))
            .filter(move |alias| alias.applies(source))
            .flat_map(|alias| alias.to.iter().map(String::as_str))
    }
}

fn aliases(mapping: &'static Mapping) -> impl Iterator<Item = FieldAlias> {
    let open = |word: &str| (!word.is_empty()).then(|| word.to_owned());
    let rows = mapping.rows.iter().map(move |(product, category, service, field, to)| FieldAlias {
        product: open(product),
        category: open(category),
        service: open(service),
        field: (*field).to_owned(),
        to: to.iter().map(|name| (*name).to_owned()).collect(),
    });
    let below = mapping.below.into_iter().flat_map(|prefix| {
        WINDOWS_FIELDS.iter().map(move |field| FieldAlias {
            product: Some("windows".to_owned()),
            category: None,
            service: None,
            field: (*field).to_owned(),
            to: vec![format!("{prefix}{field}")],
        })
    });
    rows.chain(below)
}

impl FieldAlias {
    fn applies(&self, source: &LogSource) -> bool {
        let agrees = |wanted: &Option<String>, have: &Option<String>| wanted.is_none() || wanted == have;
        agrees(&self.product, &source.product)
            && agrees(&self.service, &source.service)
            && self.category.as_ref().is_none_or(|category| source.categories.contains(category))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_left_out_by_its_name() {
        let source = LogSource {
            product: Some("windows".to_owned()),
            categories: vec!["process_creation".to_owned()],
            service: Some("security".to_owned()),
        };
        let names = |map: &FieldMap| map.names(&source, "Image").map(str::to_owned).collect::<Vec<_>>();
        let all = names(&FieldMap::shipped());
        assert_eq!(
            all,
            [
                "NewProcessName",
                "process.file.path",
                "winlog.event_data.Image",
                "process.executable",
                "process.executable"
            ]
        );
        let off = ["windows-4688", "ecs", "winlogbeat"].map(str::to_owned);
        assert_eq!(names(&FieldMap::shipped_without(&off)), ["process.file.path"]);
        let every: Vec<String> = FieldMap::mappings().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(every.len(), MAPPINGS.len());
        assert_eq!(FieldMap::shipped_without(&every), FieldMap::empty());
    }

    #[test]
    fn the_tables_name_each_thing_once() {
        let mut names: Vec<&str> = MAPPINGS.iter().map(|mapping| mapping.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), MAPPINGS.len());
        for mapping in &MAPPINGS {
            for (index, row) in mapping.rows.iter().enumerate() {
                let same = |other: &&shipped::Row| (other.0, other.1, other.2, other.3) == (row.0, row.1, row.2, row.3);
                assert_eq!(mapping.rows.iter().position(|other| same(&other)), Some(index), "{} {row:?}", mapping.name);
                assert!(!row.4.contains(&row.3), "{} {row:?}", mapping.name);
            }
        }
    }
}
