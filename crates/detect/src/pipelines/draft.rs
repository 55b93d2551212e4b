//! A detection in a form that can be changed: values are what the rule says, not yet tests.

use std::sync::Arc;

use super::{Applied, text};
use crate::{
    diagnostic::{Place, Report},
    sigma::{
        condition::Expr,
        decimal::Decimal,
        detection::{Block, Detection, Selection},
        item::{Candidate, Item, Test, has_short_runs},
        modifiers::{Kind, Modifiers},
        pattern::{Anchor, Pattern, Token, tokens},
        scalar::{Scalar, ScalarKind},
    },
};

#[derive(Debug, Clone)]
pub(super) enum Part {
    All(Vec<Part>),
    Any(Vec<Part>),
    Line(Box<Line>),
}

#[derive(Debug, Clone)]
pub(super) struct Line {
    /// `None`: a keyword.
    pub(super) field: Option<String>,
    pub(super) modifiers: Modifiers,
    pub(super) values: Vec<Value>,
    pub(super) at: Place,
    pub(super) applied: Applied,
}

#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) now: Now,
    /// What it was compiled to, as long as it is unchanged.
    kept: Option<Candidate>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Now {
    /// With the wildcards that modifiers add.
    Text(Vec<Token>),
    Number(String),
    Bool(bool),
    Null,
    /// The name of another field.
    Field(String),
    /// What no transformation changes: networks, expressions, encoded text, comparisons.
    Other,
}

impl Now {
    /// Bytes of its text.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Text(tokens) => tokens.iter().map(token_bytes).fold(0, usize::saturating_add),
            Self::Number(text) | Self::Field(text) => text.len(),
            Self::Bool(_) | Self::Null | Self::Other => 0,
        }
    }
}

fn token_bytes(token: &Token) -> usize {
    if let Token::Text(text) = token { text.len() } else { 1 }
}

impl Value {
    pub(super) fn new(now: Now) -> Self {
        Self { now, kept: None }
    }

    fn of(candidate: &Candidate, modifiers: &Modifiers) -> Self {
        let plain = modifiers.encodings.is_empty() && !modifiers.windash && modifiers.part.is_none();
        let now = match (modifiers.kind, candidate.scalar()) {
            (Kind::FieldRef, Scalar::Text(other)) => Now::Field(other),
            (Kind::Value, _) if !plain => Now::Other,
            (Kind::Value, Scalar::Null) => Now::Null,
            (Kind::Value, Scalar::Bool(value)) => Now::Bool(value),
            (Kind::Value, Scalar::Number(text, _)) if modifiers.anchor == Anchor::Whole => Now::Number(text),
            (Kind::Value, Scalar::Number(text, _) | Scalar::Text(text)) => {
                Now::Text(anchored(tokens(&text), modifiers.anchor))
            }
            _ => Now::Other,
        };
        Self { now, kept: Some(candidate.clone()) }
    }

    /// Whether a `%name%` waits in it.
    pub(super) fn waiting(&self) -> Option<&Candidate> {
        self.kept.as_ref().filter(|kept| matches!(kept.test, Test::Unresolved))
    }

    /// The value as text, where it is text.
    pub(super) fn text(&self) -> Option<String> {
        match &self.now {
            Now::Text(tokens) => Some(text::shown(tokens)),
            _ => None,
        }
    }

    fn candidate(self, line: &Shape<'_>, report: &mut Report) -> Option<Candidate> {
        if let Some(kept) = self.kept {
            return Some(kept);
        }
        if let Now::Text(tokens) = &self.now
            && !has_short_runs(tokens, line.at, report)
        {
            return None;
        }
        let cased = line.modifiers.cased;
        let pattern = |tokens: Vec<Token>| {
            let anchor = if line.keyword { Anchor::Anywhere } else { Anchor::Whole };
            Test::Pattern(Pattern::new(tokens, anchor, cased))
        };
        let (scalar, test) = match self.now {
            Now::Text(tokens) => {
                let shown = Scalar::Text(text::written(&tokens));
                let waits = line.modifiers.expand && has_placeholder(&shown);
                (shown, if waits { Test::Unresolved } else { pattern(tokens) })
            }
            Now::Number(text) => match Decimal::parse(&text) {
                Some(value) if !line.keyword => {
                    let test = Test::Number { text: text.as_str().into(), value: value.clone() };
                    (Scalar::Number(text, value), test)
                }
                _ => (Scalar::Text(text.clone()), pattern(vec![Token::Text(text)])),
            },
            Now::Bool(value) => (Scalar::Bool(value), pattern(vec![Token::Text(value.to_string())])),
            Now::Null if !line.keyword => (Scalar::Null, Test::Null),
            Now::Field(other) => {
                let anchor = line.modifiers.anchor;
                let test = Test::FieldRef { other: other.as_str().into(), anchor, cased };
                (Scalar::Text(other), test)
            }
            Now::Null | Now::Other => {
                report.error(
                    line.at,
                    "pipeline-value",
                    "a pipeline left a keyword without text",
                    "Correct the pipeline.",
                );
                return None;
            }
        };
        Some(Candidate::new(&scalar, test))
    }
}

fn has_placeholder(scalar: &Scalar) -> bool {
    scalar.kind() == ScalarKind::Text && !crate::sigma::item::placeholder_names(&scalar.shown()).is_empty()
}

/// What the values of a line need to know of it.
struct Shape<'l> {
    modifiers: &'l Modifiers,
    keyword: bool,
    at: Place,
}

fn anchored(mut tokens: Vec<Token>, anchor: Anchor) -> Vec<Token> {
    if matches!(anchor, Anchor::End | Anchor::Anywhere) && tokens.first() != Some(&Token::Many) {
        tokens.insert(0, Token::Many);
    }
    if matches!(anchor, Anchor::Start | Anchor::Anywhere) && tokens.last() != Some(&Token::Many) {
        tokens.push(Token::Many);
    }
    tokens
}

impl Part {
    pub(super) fn of(block: &Block) -> Self {
        match block {
            Block::All(blocks) => Self::All(blocks.iter().map(Self::of).collect()),
            Block::Any(blocks) => Self::Any(blocks.iter().map(Self::of).collect()),
            Block::Item(item) => Self::Line(Box::new(Line {
                field: item.field.clone(),
                modifiers: item.modifiers.clone(),
                values: item.values.iter().map(|value| Value::of(value, &item.modifiers)).collect(),
                at: item.at,
                applied: Applied::new(),
            })),
        }
    }

    /// Every line, changed or replaced; a line that becomes nothing is left out, and so is what held only such lines.
    pub(super) fn rewritten(self, change: &mut impl FnMut(Line) -> Option<Part>) -> Option<Self> {
        let all = |parts: Vec<Self>, change: &mut _| -> Vec<Self> {
            parts.into_iter().filter_map(|part| part.rewritten(change)).collect()
        };
        let joined = match self {
            Self::Line(line) => return change(*line),
            Self::All(parts) => Self::All(all(parts, change)),
            Self::Any(parts) => Self::Any(all(parts, change)),
        };
        (!joined.parts().is_empty()).then_some(joined)
    }

    fn parts(&self) -> &[Self] {
        match self {
            Self::All(parts) | Self::Any(parts) => parts,
            Self::Line(_) => std::slice::from_ref(self),
        }
    }

    pub(super) fn each_line(&self, visit: &mut impl FnMut(&Line)) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.each_line(visit)),
            Self::Line(line) => visit(line),
        }
    }

    fn block(self, items: &mut usize, report: &mut Report) -> Option<Block> {
        let all = |parts: Vec<Self>, items: &mut usize, report: &mut Report| -> Option<Vec<Block>> {
            parts.into_iter().map(|part| part.block(items, report)).collect()
        };
        Some(match self {
            Self::All(parts) => Block::All(all(parts, items, report)?),
            Self::Any(parts) => Block::Any(all(parts, items, report)?),
            Self::Line(line) => {
                let index = *items;
                *items = index.saturating_add(1);
                let Line { field, modifiers, values, at, .. } = *line;
                let shape = Shape { modifiers: &modifiers, keyword: field.is_none(), at };
                let values: Vec<Candidate> =
                    values.into_iter().map(|value| value.candidate(&shape, report)).collect::<Option<_>>()?;
                Block::Item(Box::new(Item { index, field, modifiers, values, at }))
            }
        })
    }
}

/// The detection of selections that may have become nothing; `None` after a report when nothing is left at all.
pub(super) fn detection(
    selections: Vec<(String, Option<Part>)>,
    condition: &Expr,
    at: Place,
    report: &mut Report,
) -> Option<Arc<Detection>> {
    let mut places = Vec::with_capacity(selections.len());
    let mut kept = Vec::new();
    let mut items = 0;
    for (name, part) in selections {
        let Some(part) = part else {
            places.push(None);
            continue;
        };
        places.push(Some(kept.len()));
        kept.push(Selection { name, block: part.block(&mut items, report)? });
    }
    let Some(condition) = without(condition, &places) else {
        report.error(at, "pipeline-empty", "pipelines left nothing of this rule", "Correct the pipeline.");
        return None;
    };
    Some(Arc::new(Detection { selections: kept, condition, items, at }))
}

/// The condition without the selections that are gone; `None` when it had no others.
fn without(expr: &Expr, places: &[Option<usize>]) -> Option<Expr> {
    let place = |index: &usize| places.get(*index).copied().flatten();
    let parts = |parts: &[Expr]| -> Option<Vec<Expr>> {
        let left: Vec<Expr> = parts.iter().filter_map(|part| without(part, places)).collect();
        (!left.is_empty()).then_some(left)
    };
    Some(match expr {
        Expr::Selection(index) => Expr::Selection(place(index)?),
        Expr::Not(inner) => Expr::Not(Box::new(without(inner, places)?)),
        Expr::All(all) => Expr::All(parts(all)?),
        Expr::Any(any) => Expr::Any(parts(any)?),
        Expr::AtLeast(count, chosen) => {
            let left: Vec<usize> = chosen.iter().filter_map(place).collect();
            if left.is_empty() {
                return None;
            }
            // `all of` stays all of what is left.
            let all = *count == chosen.len();
            Expr::AtLeast(if all { left.len() } else { (*count).min(left.len()) }, left)
        }
    })
}
