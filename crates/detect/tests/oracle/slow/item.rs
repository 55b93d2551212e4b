//! One line of a selection: a field, its modifiers, and the values of which one or all must be there.

use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};

use super::{
    address::{self, Network},
    encode,
    event::{Event, Value},
    number::{self, Number},
    text::{self, Glob, Mark},
    time,
    yaml::Node,
};

#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// None: any value of the event.
    field: Option<String>,
    all: bool,
    negated: bool,
    /// Each value of the rule, in all its forms.
    values: Vec<Vec<Wanted>>,
}

#[derive(Debug, Clone)]
enum Wanted {
    Text(Glob),
    Number(Number),
    Compare(Order, Number),
    Part(String, Option<Order>, Number),
    Regex(Regex),
    Network(Network),
    Null,
    Exists(bool),
    Field { other: String, how: String, cased: bool },
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Lt,
    Lte,
    Gt,
    Gte,
}

impl Order {
    fn of(modifiers: &[&str]) -> Option<Self> {
        [("lt", Self::Lt), ("lte", Self::Lte), ("gt", Self::Gt), ("gte", Self::Gte)]
            .into_iter()
            .find(|(name, _)| modifiers.contains(name))
            .map(|(_, order)| order)
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Lt => order == Ordering::Less,
            Self::Lte => order != Ordering::Greater,
            Self::Gt => order == Ordering::Greater,
            Self::Gte => order != Ordering::Less,
        }
    }
}

const PARTS: [&str; 6] = ["minute", "hour", "day", "week", "month", "year"];

impl Item {
    /// `field|modifier|...` and its values.
    pub(crate) fn new(key: &str, values: &[Node]) -> Result<Self, String> {
        let (field, modifiers) = match key.split_once('|') {
            Some((field, modifiers)) => (field, modifiers.split('|').collect()),
            None => (key, Vec::new()),
        };
        let field = (!field.is_empty()).then(|| field.to_owned());
        let values = values.iter().map(|value| wanted(value, &modifiers, field.is_none())).collect::<Result<_, _>>()?;
        Ok(Self { field, all: modifiers.contains(&"all"), negated: modifiers.contains(&"neq"), values })
    }

    pub(crate) fn holds(&self, event: &Event) -> bool {
        let found = match &self.field {
            Some(field) => event.find(field),
            None => Some(event.scalars()),
        };
        let value = |forms: &Vec<Wanted>| forms.iter().any(|form| form.holds(found.as_deref(), event));
        let holds = if self.all { self.values.iter().all(value) } else { self.values.iter().any(value) };
        holds != self.negated
    }
}

fn wanted(value: &Node, modifiers: &[&str], keyword: bool) -> Result<Vec<Wanted>, String> {
    let has = |name: &str| modifiers.contains(&name);
    let shown = value.text().unwrap_or_default();
    let number = || number::parse(&shown).ok_or(format!("`{shown}` is no number"));
    if has("expand") && is_placeholder(&shown) {
        return Ok(vec![Wanted::Never]);
    }
    if let Some(part) = PARTS.iter().find(|part| has(part)) {
        return Ok(vec![Wanted::Part((*part).to_owned(), Order::of(modifiers), number()?)]);
    }
    if let Some(order) = Order::of(modifiers) {
        return Ok(vec![Wanted::Compare(order, number()?)]);
    }
    if has("re") {
        let (i, m, s) = (has("i") || has("ignorecase"), has("m") || has("multiline"), has("s") || has("dotall"));
        let regex = RegexBuilder::new(&shown).case_insensitive(i).multi_line(m).dot_matches_new_line(s).build();
        return regex.map(|regex| vec![Wanted::Regex(regex)]).map_err(|error| error.to_string());
    }
    if has("cidr") {
        let network = address::network(&shown).ok_or(format!("`{shown}` is no network"))?;
        return Ok(vec![Wanted::Network(network)]);
    }
    if has("exists") {
        return Ok(vec![Wanted::Exists(*value == Node::Bool(true))]);
    }
    if has("fieldref") {
        let how = ["contains", "startswith", "endswith"].into_iter().find(|name| has(name)).unwrap_or_default();
        return Ok(vec![Wanted::Field { other: shown, how: how.to_owned(), cased: has("cased") }]);
    }
    texts(value, modifiers, keyword)
}

/// `%name%`
fn is_placeholder(text: &str) -> bool {
    text.split_once('%').and_then(|(_, rest)| rest.split_once('%')).is_some_and(|(name, _)| !name.is_empty())
}

/// What is compared as text: the value after its encodings, with stars where it may go on.
fn texts(value: &Node, modifiers: &[&str], keyword: bool) -> Result<Vec<Wanted>, String> {
    let has = |name: &str| modifiers.contains(&name);
    let (open_start, open_end) = match (has("contains"), has("startswith"), has("endswith")) {
        (false, false, false) => (keyword, keyword),
        (contains, starts, ends) => (contains || ends, contains || starts),
    };
    let encodings: Vec<&&str> = modifiers.iter().filter(|name| encode::encoded(b"", name).is_some()).collect();
    let marks = match value {
        Node::Null => return Ok(vec![Wanted::Null]),
        Node::Number(text) if !open_start && !open_end && encodings.is_empty() => {
            return Ok(vec![Wanted::Number(number::parse(text).ok_or("a number")?)]);
        }
        Node::Number(text) => text::plain(text),
        Node::Bool(value) => text::plain(&value.to_string()),
        Node::Text(text) => text::marks(text),
        Node::List(_) | Node::Map(_) => return Err("a list or map as a value".to_owned()),
    };
    let marks = if has("windash") { text::any_dash(&marks) } else { marks };
    let forms = if encodings.is_empty() { vec![marks] } else { encoded(&marks, &encodings)? };
    let open = |mut marks: Vec<Mark>| {
        if open_start {
            marks.insert(0, Mark::Many);
        }
        if open_end {
            marks.push(Mark::Many);
        }
        Wanted::Text(Glob::new(marks, has("cased")))
    };
    Ok(forms.into_iter().map(open).collect())
}

fn encoded(marks: &[Mark], encodings: &[&&str]) -> Result<Vec<Vec<Mark>>, String> {
    let mut text = String::new();
    for mark in marks {
        let Mark::Char(c) = mark else { return Err("a wildcard in what is encoded".to_owned()) };
        text.push(*c);
    }
    let mut forms = vec![text.into_bytes()];
    for name in encodings {
        forms = forms.iter().flat_map(|form| encode::encoded(form, name).unwrap_or_default()).collect();
    }
    Ok(forms.iter().map(|form| text::plain(&encode::shown(form))).collect())
}

impl Wanted {
    fn holds(&self, found: Option<&[&Value]>, event: &Event) -> bool {
        let any = |test: &dyn Fn(&str, &str) -> bool| {
            found.unwrap_or_default().iter().any(|value| match value {
                Value::Scalar(text, lower) => test(text, lower),
                Value::Null | Value::List(_) | Value::Map(_) => false,
            })
        };
        match self {
            Self::Never => false,
            Self::Exists(wanted) => found.is_some() == *wanted,
            Self::Null => found.unwrap_or_default().iter().all(|value| matches!(value, Value::Null)),
            Self::Text(glob) => any(&|text, lower| glob.matches(if glob.cased { text } else { lower })),
            Self::Number(wanted) => any(&|text, _| number::parse(text).is_some_and(|have| have == *wanted)),
            Self::Compare(order, wanted) => {
                any(&|text, _| number::parse(text).is_some_and(|have| order.holds(number::compare(&have, wanted))))
            }
            Self::Part(part, order, wanted) => any(&|text, _| {
                let have = time::part(part, text).and_then(|part| number::parse(&part.to_string()));
                have.is_some_and(|have| match order {
                    Some(order) => order.holds(number::compare(&have, wanted)),
                    None => have == *wanted,
                })
            }),
            Self::Regex(regex) => any(&|text, _| regex.is_match(text)),
            Self::Network(network) => any(&|text, _| network.holds(text)),
            Self::Field { other, how, cased } => {
                let others = event.find(other).unwrap_or_default();
                any(&|text, lower| {
                    others.iter().any(|other| match other {
                        Value::Scalar(other_text, other_lower) => {
                            let (have, other) = if *cased { (text, other_text) } else { (lower, other_lower) };
                            related(have, how, other)
                        }
                        Value::Null | Value::List(_) | Value::Map(_) => false,
                    })
                })
            }
        }
    }
}

fn related(have: &str, how: &str, other: &str) -> bool {
    match how {
        "contains" => have.contains(other),
        "startswith" => have.starts_with(other),
        "endswith" => have.ends_with(other),
        _ => have == other,
    }
}
