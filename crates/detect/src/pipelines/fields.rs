//! Other names for fields.

use std::collections::BTreeMap;

use super::transformation::Case;

/// New names by old ones. An empty list takes the line away.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    pub(super) fields: BTreeMap<String, Vec<String>>,
    /// Where keywords are to be looked for.
    pub(super) keywords: Option<Vec<String>>,
}

#[derive(Debug, Clone)]
pub(super) enum Renaming {
    Map(Names),
    Prefixes(Names),
    Suffix(String),
    Prefix(String),
    /// The names of the map as it says, others in that case.
    Case(Case, Names),
}

impl Renaming {
    /// The new names of a field; `None` where it keeps its own.
    pub(super) fn of(&self, field: Option<&str>) -> Option<Vec<String>> {
        let Some(field) = field else {
            return match self {
                Self::Map(names) => names.keywords.clone(),
                Self::Prefixes(_) | Self::Suffix(_) | Self::Prefix(_) | Self::Case(..) => None,
            };
        };
        match self {
            Self::Map(names) => names.fields.get(field).cloned(),
            Self::Prefixes(names) => names.fields.iter().find_map(|(from, to)| {
                let rest = field.strip_prefix(from.as_str())?;
                Some(to.iter().map(|to| format!("{to}{rest}")).collect())
            }),
            Self::Suffix(suffix) => Some(vec![format!("{field}{suffix}")]),
            Self::Prefix(prefix) => Some(vec![format!("{prefix}{field}")]),
            Self::Case(case, names) => Some(names.fields.get(field).cloned().unwrap_or_else(|| vec![case.of(field)])),
        }
    }
}
