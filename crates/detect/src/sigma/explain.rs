//! Why a rule matched: the values that its selections found.

use serde::Serialize;
use shieldops_model::LogSource;

use super::{
    compile::{CompiledRule, RuleSet},
    condition::Expr,
    detection::Block,
    event::Kind,
    highlight,
    item::{Item, Test},
    matcher::View,
};

/// One value of the event that a line of the rule found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldHit {
    pub selection: String,
    /// As the rule names it; empty for a keyword.
    pub field: String,
    /// As the event has it, at most 512 characters around what was found; empty for a line about absence.
    pub value: String,
    /// Where in `value` it was found: the first byte and the one behind the last, in UTF-8.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<[usize; 2]>,
    /// The rule's own value, behind its modifiers.
    pub pattern: String,
}

const MAX_HITS: usize = 200;

impl RuleSet {
    /// What made the rule match the event; empty when it does not match.
    pub fn explain(&self, rule: &CompiledRule, source: &LogSource, line: &[u8]) -> Vec<FieldHit> {
        let hits = self.view_of(source, line, |view| {
            let mut hits = Vec::new();
            if view.matches(rule) {
                view.explain(rule, &rule.detection.condition, &mut hits);
            }
            hits
        });
        let mut hits = hits.unwrap_or_default();
        hits.truncate(MAX_HITS);
        hits
    }
}

impl View<'_> {
    /// Only what speaks for the match: parts that hold, and nothing below a `not`.
    fn explain(&mut self, rule: &CompiledRule, expr: &Expr, hits: &mut Vec<FieldHit>) {
        match expr {
            Expr::Not(_) => {}
            Expr::Selection(index) => self.explain_selections(rule, std::slice::from_ref(index), hits),
            Expr::AtLeast(_, chosen) => self.explain_selections(rule, chosen, hits),
            Expr::All(parts) | Expr::Any(parts) => {
                for part in parts {
                    if self.holds(rule, part) {
                        self.explain(rule, part, hits);
                    }
                }
            }
        }
    }

    fn explain_selections(&mut self, rule: &CompiledRule, chosen: &[usize], hits: &mut Vec<FieldHit>) {
        for index in chosen {
            let Some(selection) = rule.detection.selections.get(*index) else { continue };
            if self.selection(rule, *index) && !hits.iter().any(|hit| hit.selection == selection.name) {
                self.explain_block(rule, &selection.name, &selection.block, hits);
            }
        }
    }

    fn explain_block(&mut self, rule: &CompiledRule, selection: &str, block: &Block, hits: &mut Vec<FieldHit>) {
        match block {
            Block::All(blocks) | Block::Any(blocks) => {
                for block in blocks {
                    if self.block(rule, block) {
                        self.explain_block(rule, selection, block, hits);
                    }
                }
            }
            Block::Item(item) => self.explain_item(rule, selection, item, hits),
        }
    }

    fn explain_item(&mut self, rule: &CompiledRule, selection: &str, item: &Item, hits: &mut Vec<FieldHit>) {
        let values = self.values(rule, item);
        for candidate in &item.values {
            let found = self.candidate(candidate, values);
            if found == item.modifiers.negated {
                continue;
            }
            let nodes: Vec<usize> = match &candidate.test {
                _ if item.modifiers.negated => self.nodes(values).to_vec(),
                Test::Exists(_) | Test::Null | Test::Unresolved | Test::FieldRef { .. } => self.nodes(values).to_vec(),
                test => self.nodes(values).iter().copied().filter(|node| self.node_passes(*node, test)).collect(),
            };
            let value = nodes.into_iter().find(|node| self.exact.doc.kind(*node) == Kind::Scalar);
            let text = value.map_or("", |node| self.exact.doc.text(node));
            let test = (!item.modifiers.negated).then_some(&candidate.test);
            let (value, ranges) = highlight::shown(text, test);
            hits.push(FieldHit {
                selection: selection.to_owned(),
                field: item.field.clone().unwrap_or_default(),
                value,
                ranges,
                pattern: shown(item, &candidate.shown),
            });
        }
    }
}

fn shown(item: &Item, value: &str) -> String {
    if item.modifiers.text.is_empty() { value.to_owned() } else { format!("{}: {value}", item.modifiers.text) }
}
