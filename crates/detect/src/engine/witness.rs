//! What must be in an event before a rule can match: chosen for each rule by what it costs to look and to be wrong.

use super::{
    bytes::escaped,
    learn::Stats,
    nets::{Place, Witness, is_plain_number},
    program::{Node, PredId, Predicate, Program},
    raw::Raw,
    regex_literals,
};
use crate::sigma::{
    item::Test,
    pattern::{Anchor, Parts, Pattern, Token, folded},
};

/// Of these one is there when the predicate holds, or the value has characters outside ASCII and `beyond` is set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alternatives {
    pub(crate) witnesses: Vec<Witness>,
    pub(crate) beyond: bool,
}

impl Alternatives {
    fn one(bytes: Vec<u8>, place: Place) -> Self {
        Self { witnesses: vec![Witness { bytes, place }], beyond: false }
    }
}

/// Dashes that are spelled out in one witness.
const MAX_DASHES: usize = 2;

/// What must be there when the predicate holds; `None` when it may hold in an event without the field.
pub(crate) fn alternatives(predicate: &Predicate) -> Option<Alternatives> {
    let found = match &predicate.test {
        Test::Null | Test::Exists(false) => return None,
        Test::Pattern(pattern) => of_pattern(pattern),
        Test::Regex(regex) => regex_literals::required(regex.as_str()).map(|texts| Alternatives {
            witnesses: texts.iter().map(|text| Witness { bytes: escaped(text), place: Place::Anywhere }).collect(),
            beyond: true,
        }),
        Test::Number { text, .. } if is_plain_number(text.as_bytes()) || &**text == "0" => {
            Some(Alternatives::one(text.as_bytes().to_vec(), Place::Number))
        }
        _ => None,
    };
    let found = found.unwrap_or_else(|| Alternatives::one(Vec::new(), Place::Present));
    if predicate.field.is_some() {
        return Some(found);
    }
    // A keyword stands anywhere in the line.
    let mut found = found;
    for witness in &mut found.witnesses {
        if witness.bytes.is_empty() || matches!(witness.place, Place::Number) {
            return None;
        }
        witness.place = Place::Anywhere;
    }
    Some(found)
}

fn of_pattern(pattern: &Pattern) -> Option<Alternatives> {
    match pattern.parts() {
        Parts::Any => None,
        Parts::Text("", Anchor::Whole) => Some(Alternatives::one(Vec::new(), Place::Whole)),
        Parts::Text("", _) => None,
        Parts::Text(text, anchor) => {
            let text = folded(text);
            if is_ascii(&text) { Some(Alternatives::one(escaped(&text), anchor.into())) } else { Some(outside()) }
        }
        Parts::Runs(runs) => of_runs(runs),
    }
}

fn is_ascii(text: &str) -> bool {
    text.is_ascii()
}

fn outside() -> Alternatives {
    Alternatives { witnesses: Vec::new(), beyond: true }
}

/// The longest text of a run, with its dashes spelled out where they are few.
fn of_runs(runs: &[Vec<Token>]) -> Option<Alternatives> {
    let texts =
        || runs.iter().flatten().filter_map(|token| if let Token::Text(text) = token { Some(text) } else { None });
    if !texts().all(|text| is_ascii(text)) {
        return Some(outside());
    }
    let dashed = runs.iter().filter_map(|run| spelled(run)).max_by_key(|forms| forms.first().map_or(0, String::len));
    let plain = texts().max_by_key(|text| text.len());
    let longest = plain.map_or(0, String::len);
    let forms = match dashed {
        Some(forms) if forms.first().map_or(0, String::len) > longest.saturating_add(longest.min(6) / 3) => forms,
        _ => vec![plain?.clone()],
    };
    let beyond = runs.iter().flatten().any(|token| *token == Token::Dash);
    let witness = |text: &String| Witness { bytes: escaped(&folded(text)), place: Place::Anywhere };
    Some(Alternatives { witnesses: forms.iter().map(witness).collect(), beyond })
}

/// The texts of a run of texts and few dashes.
fn spelled(run: &[Token]) -> Option<Vec<String>> {
    let dashes = run.iter().filter(|token| **token == Token::Dash).count();
    if dashes == 0 || dashes > MAX_DASHES {
        return None;
    }
    let mut forms = vec![String::new()];
    for token in run {
        match token {
            Token::Text(text) => forms.iter_mut().for_each(|form| form.push_str(text)),
            Token::Dash => {
                forms = forms.iter().flat_map(|form| ["-", "/"].map(|dash| format!("{form}{dash}"))).collect();
            }
            Token::One | Token::Many => return None,
        }
    }
    Some(forms)
}

/// The cheapest predicates of which one holds whenever the condition does, and what they cost an event.
pub(crate) fn choose(node: &Node, score: &dyn Fn(PredId) -> Option<f64>) -> Option<(f64, Vec<PredId>)> {
    match node {
        Node::Pred(id) => score(*id).map(|cost| (cost, vec![*id])),
        Node::All(parts) => {
            parts.iter().filter_map(|part| choose(part, score)).min_by(|one, other| one.0.total_cmp(&other.0))
        }
        Node::Any(parts) => parts.iter().map(|part| choose(part, score)).try_fold((0.0, Vec::new()), joined),
        Node::AtLeast(count, parts) => {
            let mut found: Vec<_> = parts.iter().filter_map(|part| choose(part, score)).collect();
            found.sort_by(|one, other| one.0.total_cmp(&other.0));
            let needed = parts.len().saturating_add(1).checked_sub(*count)?;
            if found.len() < needed {
                return None;
            }
            found.into_iter().take(needed).map(Some).try_fold((0.0, Vec::new()), joined)
        }
        Node::Not(_) | Node::Const(_) => None,
    }
}

fn joined(mut all: (f64, Vec<PredId>), more: Option<(f64, Vec<PredId>)>) -> Option<(f64, Vec<PredId>)> {
    let more = more?;
    all.0 += more.0;
    all.1.extend(more.1);
    Some(all)
}

/// What it costs to have a predicate as a witness, in nanoseconds; only speed hangs on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Score {
    /// The chance that an event seems to have it.
    pub(crate) chance: f64,
    /// To look for it.
    pub(crate) looking: f64,
}

impl Score {
    /// For a rule that costs so much to evaluate.
    pub(crate) fn total(self, verify: f64) -> f64 {
        self.chance * verify + self.looking
    }
}

pub(crate) fn score(program: &Program, stats: &Stats, id: PredId) -> Option<Score> {
    let predicate = program.predicate(id)?;
    let found = predicate.alternatives()?;
    let (present, length) = stats.field(predicate.field);
    let chance = found.witnesses.iter().map(|witness| chance_of(witness, present, stats, id)).sum::<f64>();
    let looking: f64 = found.witnesses.iter().map(|witness| looking(witness, length) * present).sum();
    let beyond = if found.beyond { 0.02 * present } else { 0.0 };
    Some(Score { chance: chance.min(1.0) + beyond, looking })
}

/// What it costs to evaluate a rule once it is tried: most are refuted early.
pub(crate) fn verification(program: &Program, stats: &Stats, node: &Node) -> f64 {
    let mut all = 0.0;
    node.each_predicate(&mut |id| all += program.predicate(id).map_or(0.0, |predicate| cost(predicate, stats)));
    (60.0 + all * 0.3).min(4_000.0)
}

fn chance_of(witness: &Witness, present: f64, stats: &Stats, id: PredId) -> f64 {
    if witness.place == Place::Present {
        return present;
    }
    if let Some(chance) = stats.witness(id, witness) {
        return chance;
    }
    let length = f64::from(u32::try_from(witness.bytes.len()).unwrap_or(u32::MAX)).max(1.0);
    let prior = match witness.place {
        Place::Anywhere | Place::Start => 0.3,
        Place::Whole | Place::End | Place::Number => 0.05,
        Place::Present => 1.0,
    };
    prior / length * present
}

/// A new pattern makes the search of a value a little slower.
fn looking(witness: &Witness, length: f64) -> f64 {
    match witness.place {
        Place::Present => 0.05,
        Place::Whole | Place::End | Place::Number | Place::Start if witness.bytes.len() >= 4 => 0.1,
        Place::Whole | Place::End | Place::Number | Place::Start => 1.0,
        Place::Anywhere if witness.bytes.len() >= 7 => 0.3 + length / 500.0,
        Place::Anywhere if witness.bytes.len() >= 3 => 0.6 + length / 400.0,
        Place::Anywhere => 4.0 + length / 20.0,
    }
}

/// What it costs to evaluate a predicate.
pub(crate) fn cost(predicate: &Predicate, stats: &Stats) -> f64 {
    let (_, length) = stats.field(predicate.field);
    if predicate.field.is_none() {
        return 60.0;
    }
    match &predicate.raw {
        Raw::Null | Raw::Exists(_) | Raw::Any | Raw::Never | Raw::Empty => 2.0,
        Raw::Text(text) if text.anchor == Anchor::Anywhere => 8.0 + length / 20.0,
        Raw::Text(_) => 4.0,
        Raw::Wild(_) => 15.0 + length / 12.0,
        Raw::Decoded if matches!(predicate.test, Test::Regex(_)) => 150.0 + length * 2.0,
        Raw::Decoded => 40.0 + length / 4.0,
        Raw::Reference { .. } => 30.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost_of(id: PredId) -> Option<f64> {
        [Some(5.0), Some(1.0), None, Some(2.0)].get(usize::try_from(id).unwrap()).copied().flatten()
    }

    #[test]
    fn the_cheapest_necessary_predicates_are_chosen() {
        let [a, b, none, d] = [0, 1, 2, 3].map(Node::Pred);
        let choose = |node: Node| choose(&node, &cost_of).map(|(_, ids)| ids);
        assert_eq!(choose(Node::All(vec![a.clone(), b.clone(), none.clone()])), Some(vec![1]));
        assert_eq!(choose(Node::Any(vec![a.clone(), b.clone()])), Some(vec![0, 1]));
        assert_eq!(choose(Node::Any(vec![a.clone(), none.clone()])), None);
        assert_eq!(choose(Node::Not(Box::new(a.clone()))), None);
        assert_eq!(choose(Node::AtLeast(2, vec![a.clone(), b.clone(), d.clone()])), Some(vec![1, 3]));
        assert_eq!(choose(Node::AtLeast(3, vec![a, b, none])), Some(vec![1]));
    }
}
