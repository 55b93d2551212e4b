//! A rule: its log source, its selections, and its conditions.

use shieldops_model::LogSource;

use super::{
    condition::{self, Condition},
    event::Event,
    item::Item,
    yaml::{self, Node},
};

#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) id: String,
    product: Option<String>,
    category: Option<String>,
    service: Option<String>,
    selections: Vec<(String, Group)>,
    /// Any of them is enough.
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone)]
enum Group {
    All(Vec<Group>),
    Any(Vec<Group>),
    Item(Item),
}

/// The rules of a file that holds nothing else.
pub(crate) fn read(text: &str) -> Result<Vec<Rule>, String> {
    yaml::documents(text)?.iter().map(Rule::new).collect()
}

impl Rule {
    fn new(node: &Node) -> Result<Self, String> {
        let source = |key: &str| node.get("logsource").and_then(|source| source.get(key)).and_then(Node::text);
        let detection = node.get("detection").ok_or("no detection")?;
        let Node::Map(entries) = detection else { return Err("the detection is no map".to_owned()) };
        let mut selections = Vec::new();
        for (name, body) in entries {
            if !matches!(name.as_str(), "condition" | "timeframe") {
                selections.push((name.clone(), Group::new(body)?));
            }
        }
        let names: Vec<&str> = selections.iter().map(|(name, _)| name.as_str()).collect();
        let texts: Vec<String> = match detection.get("condition") {
            Some(Node::List(all)) => all.iter().filter_map(Node::text).collect(),
            Some(one) => one.text().into_iter().collect(),
            None => return Err("no condition".to_owned()),
        };
        Ok(Self {
            id: node.get("id").and_then(Node::text).ok_or("no id")?,
            product: source("product"),
            category: source("category"),
            service: source("service"),
            conditions: texts.iter().map(|text| condition::parse(text, &names)).collect::<Result<_, _>>()?,
            selections,
        })
    }

    /// Whether the rule is for events of this source; what it does not name is open.
    pub(crate) fn sees(&self, source: &LogSource) -> bool {
        let same = |wanted: &Option<String>, have: Option<&String>| {
            wanted.as_ref().is_none_or(|wanted| have.is_some_and(|have| have.to_lowercase() == wanted.to_lowercase()))
        };
        same(&self.product, source.product.as_ref())
            && same(&self.service, source.service.as_ref())
            && (self.category.is_none() || source.categories.iter().any(|have| same(&self.category, Some(have))))
    }

    pub(crate) fn matches(&self, event: &Event) -> bool {
        let selection = |name: &str| {
            self.selections.iter().find(|(known, _)| known == name).is_some_and(|(_, group)| group.holds(event))
        };
        self.conditions.iter().any(|condition| condition.holds(&selection))
    }
}

impl Group {
    /// A map is all of its lines, a list any of its members, a scalar a keyword.
    fn new(node: &Node) -> Result<Self, String> {
        match node {
            Node::Map(entries) => {
                entries.iter().map(|(key, body)| Self::line(key, body)).collect::<Result<_, _>>().map(Self::All)
            }
            Node::List(nodes) => nodes.iter().map(Self::new).collect::<Result<_, _>>().map(Self::Any),
            scalar => Ok(Self::Item(Item::new("", std::slice::from_ref(scalar))?)),
        }
    }

    fn line(key: &str, body: &Node) -> Result<Self, String> {
        match body {
            Node::List(values) => Item::new(key, values).map(Self::Item),
            Node::Map(_) => Err("a map as a value".to_owned()),
            scalar => Item::new(key, std::slice::from_ref(scalar)).map(Self::Item),
        }
    }

    fn holds(&self, event: &Event) -> bool {
        match self {
            Self::All(groups) => groups.iter().all(|group| group.holds(event)),
            Self::Any(groups) => groups.iter().any(|group| group.holds(event)),
            Self::Item(item) => item.holds(event),
        }
    }
}
