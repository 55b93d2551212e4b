//! When a transformation is applied: conditions on the rule, on a line of it, and on the name of a field.

use regex::Regex;

use super::{
    draft::{Line, Now, Value},
    params::Params,
    run::Context,
    text,
};
use crate::{
    diagnostic::{Place, Report, nearest},
    sigma::{
        condition::{self, Expr},
        meta,
        pattern::Token,
        rule::RuleSource,
        scalar::Scalar,
        yaml::{Kind, Node},
    },
};

/// Conditions and how they are joined. None hold always.
#[derive(Debug, Clone)]
pub(super) struct Conditions<T> {
    all: Vec<T>,
    joined: Joined,
    negated: bool,
}

#[derive(Debug, Clone)]
enum Joined {
    And,
    Or,
    /// Over the conditions by number.
    Expression(Expr),
}

/// The keys of one kind of conditions, and the reader of one of them.
pub(super) struct Keys<T> {
    pub(super) list: &'static str,
    pub(super) op: &'static str,
    pub(super) not: &'static str,
    pub(super) expr: &'static str,
    pub(super) read: fn(&str, &mut Params<'_>, &mut Report) -> Option<T>,
    pub(super) types: &'static [&'static str],
}

/// Conditions of one kind.
const MAX_CONDITIONS: usize = 200;

impl<T> Conditions<T> {
    pub(super) fn read(step: &mut Params<'_>, keys: &Keys<T>, report: &mut Report) -> Self {
        let mut found = Self { all: Vec::new(), joined: Joined::And, negated: step.flag(keys.not, report) };
        let mut names = Vec::new();
        if let Some(entry) = step.entry(keys.list) {
            let nodes: Vec<(&str, &Node)> = match &entry.value.kind {
                Kind::List(nodes) => nodes.iter().map(|node| ("", node)).collect(),
                Kind::Map(entries) => entries.iter().map(|entry| (entry.key.as_str(), &entry.value)).collect(),
                Kind::Scalar { .. } => {
                    let message = format!("`{}` must be a list or a map", keys.list);
                    report.error(entry.at, "invalid-pipeline", message, "Correct it.");
                    Vec::new()
                }
            };
            for (name, node) in nodes.into_iter().take(MAX_CONDITIONS) {
                if let Some(condition) = one(node, keys, report) {
                    found.all.push(condition);
                    names.push(name);
                }
            }
        }
        let or = step.choice(keys.op, &["and", "or"], report) == Some("or");
        if let Some(entry) = step.entry(keys.expr) {
            let text = entry.value.text().unwrap_or_default();
            match condition::parse(text, entry.value.text_place(), &names) {
                Ok(expr) => found.joined = Joined::Expression(expr),
                Err(refusal) => refusal.tell(report),
            }
        } else if or {
            found.joined = Joined::Or;
        }
        found
    }

    pub(super) fn hold(&self, mut one: impl FnMut(&T) -> bool) -> bool {
        if self.all.is_empty() {
            return true;
        }
        let holds = match &self.joined {
            Joined::And => self.all.iter().all(one),
            Joined::Or => self.all.iter().any(one),
            Joined::Expression(expr) => expr.decide(&mut |index| self.all.get(index).is_some_and(&mut one)),
        };
        holds != self.negated
    }
}

fn one<T>(node: &Node, keys: &Keys<T>, report: &mut Report) -> Option<T> {
    let mut params = Params::new(node, "condition", report)?;
    let kind = params.need_text("type", report)?;
    if !keys.types.contains(&kind.as_str()) {
        let fix = match nearest(&kind, keys.types.iter().copied()) {
            Some(name) => format!("Did you mean `{name}`?"),
            None => format!("The conditions of {} are: {}.", keys.list, keys.types.join(", ")),
        };
        report.error(params.at, "unknown-condition", format!("there is no condition `{kind}`"), fix);
        return None;
    }
    params.call(&kind);
    let condition = (keys.read)(&kind, &mut params, report);
    params.finish(&[], report);
    condition
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Eq,
    Ne,
    Gte,
    Gt,
    Lte,
    Lt,
    In,
    NotIn,
}

const OPS: [(&str, Op); 8] = [
    ("eq", Op::Eq),
    ("ne", Op::Ne),
    ("gte", Op::Gte),
    ("gt", Op::Gt),
    ("lte", Op::Lte),
    ("lt", Op::Lt),
    ("in", Op::In),
    ("not_in", Op::NotIn),
];

impl Op {
    fn read(params: &mut Params<'_>, report: &mut Report) -> Option<Self> {
        let words: Vec<&'static str> = OPS.iter().map(|(word, _)| *word).collect();
        let word = params.choice("op", &words, report)?;
        OPS.iter().find(|(known, _)| *known == word).map(|(_, op)| *op)
    }

    fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Eq | Self::In => order.is_eq(),
            Self::Ne | Self::NotIn => order.is_ne(),
            Self::Gte => order.is_ge(),
            Self::Gt => order.is_gt(),
            Self::Lte => order.is_le(),
            Self::Lt => order.is_lt(),
        }
    }
}

/// A value that `set_state` may have set.
#[derive(Debug, Clone)]
pub(super) struct State {
    key: String,
    value: Scalar,
    op: Op,
}

impl State {
    fn read(params: &mut Params<'_>, report: &mut Report) -> Option<Self> {
        let key = params.need_text("key", report);
        let value = params.need_scalar("val", report);
        let op = Op::read(params, report);
        Some(Self { key: key?, value: value?, op: op? })
    }

    fn holds(&self, context: &Context<'_>) -> bool {
        context.state.get(&self.key).is_some_and(|value| self.op.holds(compare(value, &self.value)))
    }
}

/// Numbers by value, all else by its text.
fn compare(one: &Scalar, other: &Scalar) -> std::cmp::Ordering {
    match (one, other) {
        (Scalar::Number(_, one), Scalar::Number(_, other)) => one.cmp(other),
        _ => one.shown().cmp(&other.shown()),
    }
}

#[derive(Debug, Clone)]
pub(super) enum OfRule {
    LogSource(RuleSource),
    ContainsItem { field: String, value: Scalar },
    ContainsField(String),
    Applied(String),
    State(State),
    IsRule,
    IsCorrelation,
    Attribute { name: String, value: Scalar, op: Op2 },
    Tag(String),
}

/// A comparison of an attribute.
#[derive(Debug, Clone)]
pub(super) struct Op2(Op);

pub(super) const RULE: Keys<OfRule> = Keys {
    list: "rule_conditions",
    op: "rule_cond_op",
    not: "rule_cond_not",
    expr: "rule_cond_expr",
    read: of_rule,
    types: &[
        "logsource",
        "contains_detection_item",
        "contains_field",
        "processing_item_applied",
        "processing_state",
        "is_sigma_rule",
        "is_sigma_correlation_rule",
        "rule_attribute",
        "tag",
    ],
};

fn of_rule(kind: &str, params: &mut Params<'_>, report: &mut Report) -> Option<OfRule> {
    Some(match kind {
        "logsource" => OfRule::LogSource(log_source(params, report)),
        "contains_detection_item" => {
            let field = params.need_text("field", report);
            let value = params.need_scalar("value", report);
            OfRule::ContainsItem { field: field?, value: value? }
        }
        "contains_field" => OfRule::ContainsField(params.need_text("field", report)?),
        "processing_item_applied" => OfRule::Applied(params.need_text("processing_item_id", report)?),
        "processing_state" => OfRule::State(State::read(params, report)?),
        "is_sigma_rule" => OfRule::IsRule,
        "is_sigma_correlation_rule" => OfRule::IsCorrelation,
        "rule_attribute" => {
            let name = params.need_text("attribute", report);
            let value = params.need_scalar("value", report);
            let op = Op::read(params, report);
            OfRule::Attribute { name: name?, value: value?, op: Op2(op?) }
        }
        _ => OfRule::Tag(params.need_text("tag", report)?),
    })
}

pub(super) fn log_source(params: &mut Params<'_>, report: &mut Report) -> RuleSource {
    let at = params.at;
    let mut part = |key| {
        let text = params.text(key, report).map(|text| text.trim().to_lowercase());
        text.filter(|text| !text.is_empty() && meta::source_fits(text, at, report))
    };
    RuleSource { category: part("category"), product: part("product"), service: part("service") }
}

impl OfRule {
    pub(super) fn holds(&self, context: &Context<'_>) -> bool {
        match self {
            Self::LogSource(wanted) => {
                let within = |wanted: &Option<String>, have: &Option<String>| wanted.is_none() || wanted == have;
                let have = &context.log_source;
                within(&wanted.product, &have.product)
                    && within(&wanted.category, &have.category)
                    && within(&wanted.service, &have.service)
            }
            Self::ContainsItem { field, value } => context
                .any_line(|line| line.field.as_ref() == Some(field) && line.values.iter().any(|v| v.equals(value))),
            Self::ContainsField(field) => context.any_line(|line| line.field.as_ref() == Some(field)),
            Self::Applied(id) => context.applied.contains(id),
            Self::State(state) => state.holds(context),
            Self::IsRule => true,
            // Correlations have their fields mapped with the rules that they are about.
            Self::IsCorrelation => false,
            Self::Attribute { name, value, op } => attribute(name, value, op.0, context),
            Self::Tag(tag) => context.rule.tags.iter().any(|have| have.eq_ignore_ascii_case(tag)),
        }
    }
}

fn attribute(name: &str, value: &Scalar, op: Op, context: &Context<'_>) -> bool {
    let rule = context.rule;
    let list = |list: &[String]| match op {
        Op::In => list.contains(&value.shown()),
        Op::NotIn => !list.contains(&value.shown()),
        Op::Ne => true,
        Op::Eq | Op::Gte | Op::Gt | Op::Lte | Op::Lt => false,
    };
    let text = |text: &str| op.holds(text.cmp(&value.shown()));
    match name {
        "id" => text(&rule.id),
        "name" => text(&rule.name),
        "title" => text(&rule.title),
        "description" => text(&rule.description),
        "author" => text(&rule.author),
        "date" => text(&rule.date.replace('/', "-")),
        "tags" => list(&rule.tags),
        "references" => list(&rule.references),
        "falsepositives" => list(&rule.falsepositives),
        "level" => {
            let wanted = shieldops_model::Severity::parse(&value.shown().to_lowercase());
            wanted.is_some_and(|wanted| op.holds(rule.level.cmp(&wanted)))
        }
        "status" => {
            let rank = |word: &str| {
                ["unsupported", "deprecated", "experimental", "test", "stable"].iter().position(|known| *known == word)
            };
            match (rank(&rule.status), rank(&value.shown().to_lowercase())) {
                (Some(have), Some(wanted)) => op.holds(have.cmp(&wanted)),
                _ => false,
            }
        }
        own => context.attributes.get(own).is_some_and(|have| op.holds(compare(have, value))),
    }
}

#[derive(Debug, Clone)]
pub(super) enum OfLine {
    MatchString { every: bool, pattern: Regex, negated: bool },
    MatchValue { every: bool, value: Scalar },
    ContainsWildcard { every: bool },
    IsNull { every: bool },
    Applied(String),
    State(State),
}

pub(super) const LINE: Keys<OfLine> = Keys {
    list: "detection_item_conditions",
    op: "detection_item_cond_op",
    not: "detection_item_cond_not",
    expr: "detection_item_cond_expr",
    read: of_line,
    types: &[
        "match_string",
        "match_value",
        "contains_wildcard",
        "is_null",
        "processing_item_applied",
        "processing_state",
    ],
};

fn of_line(kind: &str, params: &mut Params<'_>, report: &mut Report) -> Option<OfLine> {
    Some(match kind {
        "processing_item_applied" => OfLine::Applied(params.need_text("processing_item_id", report)?),
        "processing_state" => OfLine::State(State::read(params, report)?),
        _ => {
            let every = every(params, report);
            match kind {
                "match_string" => {
                    let negated = params.flag("negate", report);
                    let pattern = pattern(params, "pattern", true, report);
                    OfLine::MatchString { every: every?, pattern: pattern?, negated }
                }
                "match_value" => {
                    let value = params.need_scalar("value", report);
                    OfLine::MatchValue { every: every?, value: value? }
                }
                "contains_wildcard" => OfLine::ContainsWildcard { every: every? },
                _ => OfLine::IsNull { every: every? },
            }
        }
    })
}

fn every(params: &mut Params<'_>, report: &mut Report) -> Option<bool> {
    if params.entry("cond").is_none() {
        params.missing("cond", report);
        return None;
    }
    params.choice("cond", &["any", "all"], report).map(|word| word == "all")
}

/// The regular expression that a parameter is.
pub(super) fn pattern(
    params: &mut Params<'_>,
    key: &'static str,
    from_start: bool,
    report: &mut Report,
) -> Option<Regex> {
    let Some(entry) = params.entry(key) else {
        params.missing(key, report);
        return None;
    };
    text::regex(entry.value.text().unwrap_or_default(), from_start, entry.value.text_place(), report)
}

impl OfLine {
    pub(super) fn holds(&self, line: &Line, context: &Context<'_>) -> bool {
        let judge = |every: bool, test: &dyn Fn(&Value) -> bool| {
            if every { line.values.iter().all(test) } else { line.values.iter().any(test) }
        };
        match self {
            Self::MatchString { every, pattern, negated } => {
                judge(*every, &|value| value.text().is_some_and(|text| pattern.is_match(&text)) != *negated)
            }
            Self::MatchValue { every, value: wanted } => judge(*every, &|value| value.equals(wanted)),
            Self::ContainsWildcard { every } => judge(*every, &|value| match &value.now {
                Now::Text(tokens) => tokens.iter().any(|token| matches!(token, Token::One | Token::Many)),
                _ => false,
            }),
            Self::IsNull { every } => judge(*every, &|value| value.now == Now::Null),
            Self::Applied(id) => line.applied.contains(id),
            Self::State(state) => state.holds(context),
        }
    }
}

impl Value {
    /// Whether the value is this one; text without case, as rules compare it.
    fn equals(&self, other: &Scalar) -> bool {
        match (&self.now, other) {
            (Now::Null, Scalar::Null) => true,
            (Now::Bool(one), Scalar::Bool(other)) => one == other,
            (Now::Number(one), Scalar::Number(_, other)) => {
                crate::sigma::decimal::Decimal::parse(one).is_some_and(|one| one == *other)
            }
            (Now::Text(tokens), Scalar::Text(other)) => text::shown(tokens).to_lowercase() == other.to_lowercase(),
            _ => false,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum OfField {
    Include { names: Names, negated: bool },
    Applied(String),
    State(State),
}

#[derive(Debug, Clone)]
pub(super) enum Names {
    Plain(Vec<String>),
    Patterns(Vec<Regex>),
}

pub(super) const FIELD: Keys<OfField> = Keys {
    list: "field_name_conditions",
    op: "field_name_cond_op",
    not: "field_name_cond_not",
    expr: "field_name_cond_expr",
    read: of_field,
    types: &["include_fields", "exclude_fields", "processing_item_applied", "processing_state"],
};

fn of_field(kind: &str, params: &mut Params<'_>, report: &mut Report) -> Option<OfField> {
    Some(match kind {
        "processing_item_applied" => OfField::Applied(params.need_text("processing_item_id", report)?),
        "processing_state" => OfField::State(State::read(params, report)?),
        _ => {
            let fields = params.need_texts("fields", report);
            let at: Place = params.entry("fields").map_or(params.at, |entry| entry.value.at);
            let names = if params.choice("mode", &["plain", "re"], report)? == "re" {
                let patterns = fields.iter().map(|field| text::regex(field, true, at, report));
                Names::Patterns(patterns.collect::<Option<_>>()?)
            } else {
                Names::Plain(fields)
            };
            OfField::Include { names, negated: kind == "exclude_fields" }
        }
    })
}

impl OfField {
    /// Whether it holds for a name; a keyword has none.
    pub(super) fn holds(&self, field: Option<&str>, context: &Context<'_>) -> bool {
        match self {
            Self::Include { names, negated } => {
                let included = field.is_some_and(|field| match names {
                    Names::Plain(all) => all.iter().any(|name| name == field),
                    Names::Patterns(all) => all.iter().any(|pattern| pattern.is_match(field)),
                });
                included != *negated
            }
            Self::Applied(id) => {
                field.and_then(|field| context.field_applied.get(field)).is_some_and(|ids| ids.contains(id))
            }
            Self::State(state) => state.holds(context),
        }
    }

    /// Whether it holds for a line: for its field, or a field that its values name.
    pub(super) fn holds_line(&self, line: &Line, context: &Context<'_>) -> bool {
        if let Self::Applied(id) = self {
            return line.applied.contains(id);
        }
        self.holds(line.field.as_deref(), context)
            || line.values.iter().any(|value| match &value.now {
                Now::Field(other) => self.holds(Some(other), context),
                _ => false,
            })
    }
}
