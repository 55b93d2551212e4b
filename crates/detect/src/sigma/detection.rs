//! The `detection` part of a rule: named selections and the condition over them.

use super::{
    condition::{self, Expr, MAX_WORDS},
    encode::Encoding,
    item::{self, Candidate, Item},
    modifiers::{self, Modifiers},
    pattern::Anchor,
    scalar::{self, Scalar},
    yaml::{Entry, Kind, Node},
};
use crate::diagnostic::{Place, Report};

#[derive(Debug, Clone)]
pub(crate) struct Detection {
    pub(crate) selections: Vec<Selection>,
    pub(crate) condition: Expr,
    /// How many items there are, over all selections.
    pub(crate) items: usize,
    /// Where the condition stands.
    pub(crate) at: Place,
}

#[derive(Debug, Clone)]
pub(crate) struct Selection {
    pub(crate) name: String,
    pub(crate) block: Block,
}

#[derive(Debug, Clone)]
pub(crate) enum Block {
    All(Vec<Block>),
    Any(Vec<Block>),
    Item(Box<Item>),
}

/// Items in one rule.
const MAX_ITEMS: usize = 5_000;
/// Characters of a field name.
pub(crate) const MAX_FIELD_CHARS: usize = 256;

/// The detection that the node is, or `None` after a report of why not.
pub(crate) fn parse(node: &Entry, report: &mut Report) -> Option<Detection> {
    parse_without(node, &[], report)
}

/// The detection of a filter, which has its `rules` among the selections.
pub(crate) fn parse_filter(node: &Entry, report: &mut Report) -> Option<Detection> {
    parse_without(node, &["rules"], report)
}

fn parse_without(node: &Entry, others: &[&str], report: &mut Report) -> Option<Detection> {
    let Some(entries) = node.value.entries() else {
        report.error(
            node.at,
            "invalid-detection",
            "`detection` must be a map of selections",
            "Name a selection and a condition.",
        );
        return None;
    };
    let errors = report.errors();
    let mut builder = Builder { items: 0, report };
    let mut selections = Vec::new();
    let mut condition = None;
    for entry in entries.iter().filter(|entry| !others.contains(&entry.key.as_str())) {
        match entry.key.as_str() {
            "condition" => condition = Some(entry),
            "timeframe" => builder.report.info(
                entry.at,
                "unused-timeframe",
                "`timeframe` belongs to aggregations, which are not supported yet",
                "",
            ),
            _ => selections.extend(builder.selection(entry)),
        }
    }
    let items = builder.items;
    let Some(condition) = condition else {
        report.error(
            node.at,
            "missing-condition",
            "there is no `condition`",
            "Add `condition:` with the names of the selections.",
        );
        return None;
    };
    if report.errors() > errors {
        return None;
    }
    let at = condition.value.at;
    let condition = conditions(condition, &selections, report)?;
    Some(Detection { selections, condition, items, at })
}

/// A selection that stands outside of a rule; `None` after a report of why not.
pub(crate) fn selection(entry: &Entry, report: &mut Report) -> Option<Block> {
    Builder { items: 0, report }.block(&entry.value, entry.at)
}

/// One condition, or a list of them of which any is enough.
fn conditions(entry: &Entry, selections: &[Selection], report: &mut Report) -> Option<Expr> {
    let names: Vec<&str> = selections.iter().map(|selection| selection.name.as_str()).collect();
    let nodes = match &entry.value.kind {
        Kind::List(nodes) => nodes.as_slice(),
        Kind::Scalar { .. } | Kind::Map(_) => std::slice::from_ref(&entry.value),
    };
    let all: usize = nodes.iter().filter_map(Node::text).map(condition::length).sum();
    if nodes.len() > 1 && all > MAX_WORDS {
        let message = format!("more than {MAX_WORDS} words in all conditions together");
        report.error(entry.at, "condition-too-long", message, "Shorten them, or write several rules.");
        return None;
    }
    let mut parts = Vec::new();
    for node in nodes {
        let Some(text) = node.text() else {
            report.error(
                node.at,
                "invalid-condition",
                "a condition is text",
                "For example `selection and not filter`.",
            );
            return None;
        };
        match condition::parse(text, node.text_place(), &names) {
            Ok(expr) => parts.push(expr),
            Err(refusal) => {
                refusal.tell(report);
                return None;
            }
        }
    }
    if parts.is_empty() {
        report.error(entry.at, "invalid-condition", "the condition is empty", "Name a selection.");
        return None;
    }
    warn_of_unused(&parts, selections, entry.at, report);
    Some(if parts.len() == 1 { parts.remove(0) } else { Expr::Any(parts) })
}

fn warn_of_unused(parts: &[Expr], selections: &[Selection], at: Place, report: &mut Report) {
    let mut used = vec![false; selections.len()];
    let mut mark = |index: usize| {
        if let Some(used) = used.get_mut(index) {
            *used = true;
        }
    };
    for part in parts {
        visit(part, &mut mark);
    }
    for (selection, _) in selections.iter().zip(used).filter(|(_, used)| !used) {
        let message = format!("the condition does not use the selection `{}`", selection.name);
        report.warning(at, "unused-selection", message, "Add it to the condition or remove it.");
    }
}

fn visit(expr: &Expr, mark: &mut impl FnMut(usize)) {
    match expr {
        Expr::Selection(index) => mark(*index),
        Expr::Not(inner) => visit(inner, mark),
        Expr::All(parts) | Expr::Any(parts) => parts.iter().for_each(|part| visit(part, mark)),
        Expr::AtLeast(_, chosen) => chosen.iter().for_each(|index| mark(*index)),
    }
}

struct Builder<'r> {
    items: usize,
    report: &'r mut Report,
}

impl Builder<'_> {
    fn selection(&mut self, entry: &Entry) -> Option<Selection> {
        let block = self.block(&entry.value, entry.at)?;
        Some(Selection { name: entry.key.clone(), block })
    }

    /// A map is all of its items, a list any of its members, a scalar a keyword.
    fn block(&mut self, node: &Node, at: Place) -> Option<Block> {
        match &node.kind {
            Kind::Map(entries) if !entries.is_empty() => self.joined(entries, Block::All, Self::entry),
            Kind::List(nodes) if !nodes.is_empty() => {
                self.joined(nodes, Block::Any, |me, node| me.block(node, node.at))
            }
            Kind::Scalar { .. } if Scalar::of(node) != Some(Scalar::Null) => {
                self.item(None, Modifiers::default(), std::slice::from_ref(node), at)
            }
            Kind::Map(_) | Kind::List(_) | Kind::Scalar { .. } => {
                self.report.error(
                    at,
                    "empty-selection",
                    "there is nothing in here",
                    "Add fields or keywords, or remove it.",
                );
                None
            }
        }
    }

    fn joined<T>(
        &mut self,
        parts: &[T],
        join: impl Fn(Vec<Block>) -> Block,
        mut each: impl FnMut(&mut Self, &T) -> Option<Block>,
    ) -> Option<Block> {
        let mut blocks: Vec<Block> = parts.iter().filter_map(|part| each(self, part)).collect();
        match blocks.len() {
            0 => None,
            1 => blocks.pop(),
            _ => Some(join(blocks)),
        }
    }

    fn entry(&mut self, entry: &Entry) -> Option<Block> {
        let mut words = entry.key.split('|');
        let field = words.next().unwrap_or_default();
        if field.chars().count() > MAX_FIELD_CHARS {
            self.report.error(
                entry.at,
                "invalid-field",
                format!("a field name of over {MAX_FIELD_CHARS} characters"),
                "Shorten it.",
            );
            return None;
        }
        let mut at = entry.at.right(field.chars().count());
        let mut placed = Vec::new();
        for word in words {
            placed.push((word, at.right(1)));
            at = at.right(word.chars().count().saturating_add(1));
        }
        let modifiers = modifiers::parse(&placed, self.report)?;
        let field = (!field.is_empty()).then(|| field.to_owned());
        match &entry.value.kind {
            Kind::List(nodes) if field.is_none() && nodes.iter().any(|node| node.text().is_none()) => {
                let join = if modifiers.all { Block::All } else { Block::Any };
                self.joined(nodes, join, |me, node| me.block(node, node.at))
            }
            Kind::List(nodes) => self.item(field, modifiers, nodes, entry.at),
            Kind::Scalar { .. } => self.item(field, modifiers, std::slice::from_ref(&entry.value), entry.at),
            Kind::Map(_) => {
                let message = format!("the value of `{}` is a map", entry.key);
                self.report.error(entry.at, "invalid-value", message, "Write the path with dots: `a.b: value`.");
                None
            }
        }
    }

    fn item(&mut self, field: Option<String>, modifiers: Modifiers, nodes: &[Node], at: Place) -> Option<Block> {
        if nodes.is_empty() {
            self.report.error(
                at,
                "empty-list",
                "a list without values matches nothing",
                "Add a value or remove the field.",
            );
            return None;
        }
        if self.items >= MAX_ITEMS {
            self.report.error(at, "too-large", format!("more than {MAX_ITEMS} fields in one rule"), "Split the rule.");
            return None;
        }
        let values: Vec<Candidate> =
            nodes.iter().filter_map(|node| self.candidate(node, &modifiers, field.is_none())).collect();
        if values.len() < nodes.len() {
            return None;
        }
        self.lint(&modifiers, at);
        let index = self.items;
        self.items = index.saturating_add(1);
        Some(Block::Item(Box::new(Item { index, field, modifiers, values, at })))
    }

    fn candidate(&mut self, node: &Node, modifiers: &Modifiers, keyword: bool) -> Option<Candidate> {
        let Some(value) = Scalar::of(node) else {
            self.report.error(
                node.at,
                "invalid-value",
                "a list or map where a value is expected",
                "Give text or numbers.",
            );
            return None;
        };
        if scalar::is_ambiguous(node) {
            let message = format!("`{}` is read as this text", value.shown());
            self.report.info(node.at, "ambiguous-scalar", message, "Quote it, so that every reader takes it so.");
        }
        let test = item::test(&value, modifiers, keyword, node.text_place(), self.report)?;
        Some(Candidate::new(&value, test))
    }

    fn lint(&mut self, modifiers: &Modifiers, at: Place) {
        let base64 = modifiers.encodings.iter().any(|e| matches!(e, Encoding::Base64 | Encoding::Base64Offset));
        if base64 && !modifiers.cased {
            let message = "base64 text is compared without case, so other texts match too";
            self.report.info(at, "base64-without-case", message, "Add `|cased`.");
        }
        if base64 && modifiers.anchor == Anchor::Whole && modifiers.encodings.contains(&Encoding::Base64Offset) {
            let message = "`base64offset` finds a part of a text";
            self.report.warning(at, "base64offset-whole", message, "Add `|contains`.");
        }
    }
}
