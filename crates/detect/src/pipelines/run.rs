//! Pipelines over one rule: each step in its turn, with what the steps before it left.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Applied, Step,
    draft::{self, Line, Now, Part, Value},
    fields::Renaming,
    size::{MAX_BYTES, MAX_LINES, MAX_LOOKED_AT, MAX_VALUES, Size},
    text,
    transformation::{Added, Transformation},
    values,
};
use crate::{
    diagnostic::{Place, Report},
    sigma::{
        condition::Expr,
        detection,
        item::Placeholders,
        pattern::{Anchor, Token},
        rule::{Rule, RuleSource},
        scalar::Scalar,
    },
};

/// What conditions look at.
pub(super) struct Context<'r> {
    pub(super) rule: &'r Rule,
    pub(super) log_source: RuleSource,
    pub(super) selections: Vec<(String, Option<Part>)>,
    pub(super) state: BTreeMap<String, Scalar>,
    pub(super) attributes: BTreeMap<String, Scalar>,
    /// Steps that were applied to the rule.
    pub(super) applied: Applied,
    /// Steps that made a field name what it is.
    pub(super) field_applied: BTreeMap<String, Applied>,
}

impl Context<'_> {
    pub(super) fn any_line(&self, test: impl Fn(&Line) -> bool) -> bool {
        let mut found = false;
        for part in self.selections.iter().filter_map(|(_, part)| part.as_ref()) {
            part.each_line(&mut |line| found |= test(line));
        }
        found
    }
}

pub(super) struct Run<'r> {
    context: Context<'r>,
    condition: Expr,
    /// Old and new names, of fields that others use for this rule's events.
    names: &'r mut BTreeMap<String, String>,
    /// Names that came from a mapping, or went through one.
    mapped: BTreeSet<String>,
    vars: &'r Placeholders,
    report: &'r mut Report,
    at: Place,
    refused: bool,
    changed: bool,
    /// What the step that runs may still make.
    room: Size,
    looked_at: usize,
}

impl<'r> Run<'r> {
    pub(super) fn new(
        rule: &'r Rule,
        names: &'r mut BTreeMap<String, String>,
        vars: &'r Placeholders,
        report: &'r mut Report,
    ) -> Self {
        let detection = &rule.detection;
        let selections = detection.selections.iter().map(|one| (one.name.clone(), Some(Part::of(&one.block))));
        let context = Context {
            rule,
            log_source: rule.log_source.clone(),
            selections: selections.collect(),
            state: BTreeMap::new(),
            attributes: BTreeMap::new(),
            applied: Applied::new(),
            field_applied: BTreeMap::new(),
        };
        Self {
            context,
            condition: detection.condition.clone(),
            names,
            mapped: BTreeSet::new(),
            vars,
            report,
            at: Place { line: rule.line, column: 1 },
            refused: false,
            changed: false,
            room: Size::MOST,
            looked_at: 0,
        }
    }

    pub(super) fn pipeline(&mut self, steps: &[Step]) {
        for step in steps {
            if self.refused {
                return;
            }
            if !step.rules.hold(|condition| condition.holds(&self.context)) {
                continue;
            }
            self.room = Size::MOST;
            self.apply(step);
            if let Some(id) = &step.id {
                self.context.applied.insert(id.clone());
            }
            self.check_size();
        }
    }

    fn apply(&mut self, step: &Step) {
        match &step.transformation {
            Transformation::Nest(steps) => self.pipeline(steps),
            Transformation::ListFields => {}
            Transformation::ChangeLogSource(source) => {
                self.context.log_source = source.clone();
                self.changed = true;
            }
            Transformation::SetState(key, value) => {
                self.context.state.insert(key.clone(), value.clone());
            }
            Transformation::SetAttribute(name, value) => {
                self.context.attributes.insert(name.clone(), value.clone());
            }
            Transformation::RefuseRule(message) => self.refuse(self.at, message),
            Transformation::RefuseUnmapped => self.refuse_unmapped(),
            Transformation::AddCondition(added) => self.add_condition(added, step),
            Transformation::Rename(renaming) => self.rename(renaming, step),
            _ => self.lines(step),
        }
    }

    fn refuse(&mut self, at: Place, message: &str) {
        let fix = "The rule is not loaded. Change the pipeline, or leave the rule out.";
        self.report.error(at, "refused-by-pipeline", format!("a pipeline refuses the rule: {message}"), fix);
        self.refused = true;
    }

    fn refuse_unmapped(&mut self) {
        let mut unmapped = BTreeSet::new();
        for part in self.context.selections.iter().filter_map(|(_, part)| part.as_ref()) {
            part.each_line(&mut |line| {
                unmapped.extend(line.field.clone().filter(|field| !self.mapped.contains(field)));
            });
        }
        if !unmapped.is_empty() {
            let names: Vec<String> = unmapped.into_iter().take(20).collect();
            self.refuse(self.at, &format!("these fields are not mapped: {}", names.join(", ")));
        }
    }

    fn add_condition(&mut self, added: &Added, step: &Step) {
        let entry = added.for_source(&self.context.log_source);
        let Some(block) = detection::selection(&entry, self.report) else {
            self.refuse(self.at, "the condition that it adds cannot be read");
            return;
        };
        let number = self.context.selections.len();
        let name = added.name.clone().unwrap_or_else(|| format!("_cond_{number}"));
        let mut part = Part::of(&block);
        if let Some(id) = &step.id {
            part = marked(part, id);
        }
        self.context.selections.push((name, Some(part)));
        let own = Expr::Selection(number);
        let own = if added.negated { Expr::Not(Box::new(own)) } else { own };
        let rest = std::mem::replace(&mut self.condition, Expr::All(Vec::new()));
        self.condition = Expr::All(vec![own, rest]);
        self.changed = true;
    }

    /// The lines that the step is for, each changed.
    fn lines(&mut self, step: &Step) {
        let mut selections = std::mem::take(&mut self.context.selections);
        for number in 0..selections.len() {
            let Some(part) = selections.get_mut(number).and_then(|(_, part)| part.take()) else { continue };
            let new = part.rewritten(&mut |line| {
                let wanted = step.lines.hold(|condition| condition.holds(&line, &self.context))
                    && step.fields.hold(|condition| condition.holds_line(&line, &self.context));
                if !wanted || self.refused {
                    return Some(Part::Line(Box::new(line)));
                }
                let new = self.line(line, step);
                if let Some(part) = &new {
                    part.each_line(&mut |line| {
                        self.make(Size::of(line));
                    });
                }
                new
            });
            if let Some((_, slot)) = selections.get_mut(number) {
                *slot = new;
            }
        }
        self.context.selections = selections;
    }

    fn line(&mut self, line: Line, step: &Step) -> Option<Part> {
        let at = line.at;
        match &step.transformation {
            Transformation::DropLine => {
                self.changed = true;
                None
            }
            Transformation::RefuseLine(message) => {
                self.refuse(at, message);
                Some(Part::Line(Box::new(line)))
            }
            Transformation::Hashes { algorithms, prefix, drop_algorithm, fields } => {
                if !line.field.as_ref().is_some_and(|field| fields.contains(field)) {
                    return Some(Part::Line(Box::new(line)));
                }
                let new = values::hashes(&line, algorithms, prefix, *drop_algorithm);
                if new.is_none() && line.values.iter().all(|value| value.text().is_some()) {
                    self.refuse(at, &format!("there is no hash of {} in this line", algorithms.join(", ")));
                }
                Some(self.put(new, line, step))
            }
            Transformation::Extract { pattern, prefix, keep_unmatched } => {
                let new = values::extracted(&line, pattern, prefix.as_deref(), *keep_unmatched);
                Some(self.put(new, line, step))
            }
            Transformation::ToRegex { cased } => {
                let mut new = line.clone();
                new.modifiers.cased |= *cased;
                let (new, changed) = values::each(new, |value| values::between(value, str::to_owned));
                Some(self.put(changed.then(|| Part::Line(Box::new(new))), line, step))
            }
            _ => {
                let (new, changed) = self.new_values(line.clone(), step);
                Some(self.put(changed.then(|| Part::Line(Box::new(new))), line, step))
            }
        }
    }

    /// The new part in the place of the line, where there is one.
    fn put(&mut self, new: Option<Part>, line: Line, step: &Step) -> Part {
        let Some(new) = new else { return Part::Line(Box::new(line)) };
        self.changed = true;
        match &step.id {
            Some(id) => marked(new, id),
            None => new,
        }
    }

    fn new_values(&mut self, line: Line, step: &Step) -> (Line, bool) {
        let at = line.at;
        match &step.transformation {
            Transformation::Replace { pattern, with, keep_special, interpret } => {
                values::each(line, |value| values::replaced(value, pattern, with, *keep_special, *interpret))
            }
            Transformation::MapText(names) => values::each(line, |value| values::mapped(value, names)),
            Transformation::SetValue(now) => values::each(line, |_| Some(vec![now.clone()])),
            Transformation::Case(case) => values::each(line, |value| values::between(value, |text| case.of(text))),
            Transformation::ToText => values::each(line, values::to_text),
            Transformation::ToNumber => {
                let mut wrong = None;
                let done = values::each(line, |value| {
                    values::to_number(value).unwrap_or_else(|text| {
                        wrong = Some(text);
                        None
                    })
                });
                if let Some(text) = wrong {
                    self.refuse(at, &format!("`{text}` is not a number"));
                }
                done
            }
            Transformation::WildcardPlaceholders(chosen) => {
                values::each(line, |value| values::filled(value, chosen, &|_| Some(["*".to_owned()].into())))
            }
            // What has no values waits for the lists of the set, which tell when they have none either.
            Transformation::ValuePlaceholders(chosen) => {
                let vars = self.vars;
                values::each(line, |value| values::filled(value, chosen, &|name| vars.get(name).cloned()))
            }
            _ => (line, false),
        }
    }

    fn rename(&mut self, renaming: &Renaming, step: &Step) {
        let mut selections = std::mem::take(&mut self.context.selections);
        for number in 0..selections.len() {
            let Some(part) = selections.get_mut(number).and_then(|(_, part)| part.take()) else { continue };
            let new = part.rewritten(&mut |line| {
                let wanted = step.lines.hold(|condition| condition.holds(&line, &self.context))
                    && step.fields.hold(|condition| condition.holds_line(&line, &self.context));
                if !wanted || self.refused {
                    return Some(Part::Line(Box::new(line)));
                }
                self.renamed(line, renaming, step)
            });
            if let Some((_, slot)) = selections.get_mut(number) {
                *slot = new;
            }
        }
        self.context.selections = selections;
        self.rename_others(renaming, step);
    }

    /// The names that correlations use for this rule's events.
    fn rename_others(&mut self, renaming: &Renaming, step: &Step) {
        let old: Vec<(String, String)> = self.names.iter().map(|(old, new)| (old.clone(), new.clone())).collect();
        for (name, field) in old {
            if let Some(first) = self.new_names(Some(&field), renaming, step).and_then(|new| new.into_iter().next()) {
                self.names.insert(name, first);
            }
        }
    }

    /// The new names of a field that the step is for.
    fn new_names(&mut self, field: Option<&str>, renaming: &Renaming, step: &Step) -> Option<Vec<String>> {
        let new = renaming.of(field)?;
        if new.iter().any(|name| name.chars().nth(detection::MAX_FIELD_CHARS).is_some()) {
            let message = format!("a field gets a name of over {} characters", detection::MAX_FIELD_CHARS);
            if !self.refused {
                self.refuse(self.at, &message);
            }
            return None;
        }
        if !step.fields.hold(|condition| condition.holds(field, &self.context)) {
            return None;
        }
        if let Some(field) = field {
            self.mapped.insert(field.to_owned());
            let mut ids = self.context.field_applied.get(field).cloned().unwrap_or_default();
            ids.extend(step.id.clone());
            for name in &new {
                self.context.field_applied.entry(name.clone()).or_default().extend(ids.iter().cloned());
            }
        }
        self.mapped.extend(new.iter().cloned());
        Some(new)
    }

    fn renamed(&mut self, mut line: Line, renaming: &Renaming, step: &Step) -> Option<Part> {
        let mut referred = false;
        let (new, changed) = values::each(line, |value| match &value.now {
            Now::Field(other) => {
                let names = self.new_names(Some(other), renaming, step)?;
                referred = true;
                Some(names.into_iter().map(Now::Field).collect())
            }
            _ => None,
        });
        line = new;
        self.changed |= changed;
        let Some(names) = self.new_names(line.field.as_deref(), renaming, step) else {
            return Some(if referred {
                self.put(Some(Part::Line(Box::new(line.clone()))), line, step)
            } else {
                Part::Line(Box::new(line))
            });
        };
        if line.field.is_none() {
            line.values = line.values.into_iter().map(as_part_of_field).collect();
            line.modifiers.anchor = Anchor::Anywhere;
        }
        self.changed = true;
        let longest = names.iter().map(String::len).max().unwrap_or(0);
        let size = Size::of(&line);
        if !self.make(Size { bytes: size.bytes.saturating_add(longest), ..size }.times(names.len())) {
            return Some(Part::Line(Box::new(line)));
        }
        let one = |name: &String| Part::Line(Box::new(Line { field: Some(name.clone()), ..line.clone() }));
        let part = match names.as_slice() {
            [] => return None,
            [name] => one(name),
            // A value that must not be there must be in none of them.
            several if line.modifiers.negated => Part::All(several.iter().map(one).collect()),
            several => Part::Any(several.iter().map(one).collect()),
        };
        Some(match &step.id {
            Some(id) => marked(part, id),
            None => part,
        })
    }

    /// Takes room for what a step makes; refuses the rule where there is none left.
    fn make(&mut self, size: Size) -> bool {
        match self.room.without(size) {
            Some(left) => self.room = left,
            None if self.refused => {}
            None => {
                let mib = MAX_BYTES.div_euclid(1_024 * 1_024);
                let message =
                    format!("it grows to more than {MAX_LINES} lines, {MAX_VALUES} values or {mib} MiB of text");
                self.refuse(self.at, &message);
            }
        }
        !self.refused
    }

    fn check_size(&mut self) {
        let mut size = Vec::new();
        for part in self.context.selections.iter().filter_map(|(_, part)| part.as_ref()) {
            part.each_line(&mut |line| size.push(Size::of(line)));
        }
        self.room = Size::MOST;
        let looked_at = size.iter().map(|size| size.values.saturating_add(1)).fold(0, usize::saturating_add);
        self.looked_at = self.looked_at.saturating_add(looked_at);
        let fits = size.into_iter().all(|size| self.make(size));
        if fits && self.looked_at > MAX_LOOKED_AT {
            let message = format!("its steps look at more than {MAX_LOOKED_AT} lines and values");
            self.refuse(self.at, &message);
        }
    }

    /// What became of the rule; nothing when it is refused.
    pub(super) fn finish(self) -> Option<Done> {
        if self.refused {
            return None;
        }
        if !self.changed {
            return Some(Done { detection: None, log_source: self.context.log_source });
        }
        let detection = draft::detection(self.context.selections, &self.condition, self.at, self.report)?;
        Some(Done { detection: Some(detection), log_source: self.context.log_source })
    }
}

/// What pipelines made of a rule.
pub(super) struct Done {
    pub(super) detection: Option<std::sync::Arc<detection::Detection>>,
    pub(super) log_source: RuleSource,
}

/// A keyword's text as it stands in a field: anywhere.
fn as_part_of_field(value: Value) -> Value {
    let mut tokens = match &value.now {
        Now::Text(tokens) if value.waiting().is_none() => tokens.clone(),
        Now::Number(number) => vec![Token::Text(number.clone())],
        _ => return value,
    };
    text::anywhere(&mut tokens);
    Value::new(Now::Text(tokens))
}

/// Notes the step in every line.
fn marked(part: Part, id: &str) -> Part {
    match part {
        Part::All(parts) => Part::All(parts.into_iter().map(|part| marked(part, id)).collect()),
        Part::Any(parts) => Part::Any(parts.into_iter().map(|part| marked(part, id)).collect()),
        Part::Line(mut line) => {
            line.applied.insert(id.to_owned());
            Part::Line(line)
        }
    }
}
