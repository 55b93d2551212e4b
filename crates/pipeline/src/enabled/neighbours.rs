//! A tenant's rules as they stand beside each other and those that everybody has: what a text would be among them, and what
//! needs what. For those who write rules; what runs is compiled elsewhere, from the same rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

use shieldops_detect::{
    CompileOptions, Correlation, CorrelationSet, Diagnostic, DiagnosticSeverity, Documents, FieldNames, Member, Rule,
    RuleSet, RuleSource, Target, lint, parse,
};
use shieldops_store::{
    Access,
    coverage::SourceFields,
    own_rules::{self, versions},
    rule_parts::{self, Kind},
    rule_states::{self, State},
};

use super::{
    over::joined,
    own::{Options, Row, file},
};
use crate::{
    Content, Result,
    content::{Case, RuleBook},
};

/// The file that diagnostics of a text name.
const FILE: &str = "rule.yml";

/// A rule of a tenant as its text says it.
#[derive(Debug, Clone)]
pub struct OwnRule {
    pub rule: Rule,
    pub correlation: Option<OwnCorrelation>,
    /// It could run: everything that it refers to is there.
    pub usable: bool,
}

/// What a tenant's rule is beside that when it correlates others.
#[derive(Debug, Clone)]
pub struct OwnCorrelation {
    pub correlation: Arc<Correlation>,
    /// The ids of its rules, in its order.
    pub members: Vec<String>,
    pub silent: bool,
    /// With what its stories need.
    pub case: Option<Arc<Case>>,
}

/// A rule that builds on another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededBy {
    pub id: String,
    pub title: String,
    /// It is a rule of the tenant.
    pub own: bool,
    pub state: State,
}

struct Held {
    id: String,
    state: State,
    row: Row,
}

/// Everything that a rule of a tenant can refer to.
pub struct Neighbours {
    book: Arc<RuleBook>,
    options: Options,
    states: BTreeMap<String, State>,
    default: State,
    rows: Vec<(String, State, String)>,
    /// What sources of the tenant have sent, where somebody wants to know.
    sent: Vec<SourceFields>,
    held: OnceLock<Vec<Held>>,
    needed: OnceLock<BTreeMap<String, Vec<NeededBy>>>,
}

impl Neighbours {
    pub async fn read(access: &mut impl Access, content: &Content) -> Result<Self> {
        let states = rule_states::states(access).await?;
        let rows: BTreeMap<String, own_rules::OwnRule> =
            own_rules::all(access).await?.into_iter().map(|row| (row.rule_id.clone(), row)).collect();
        let mut texts: BTreeMap<String, String> = BTreeMap::new();
        if !rows.is_empty() {
            texts.extend(versions::heads(access).await?.into_iter().map(|(id, head)| (id, head.written.text)));
            texts.extend(versions::live(access).await?.into_iter().map(|(id, live)| (id, live.written.text)));
        }
        let rows = texts.into_iter().filter_map(|(id, text)| Some((id.clone(), rows.get(&id)?.state, text)));
        let (lists, pipelines) =
            (rule_parts::live(access, Kind::List).await?, rule_parts::live(access, Kind::Pipeline).await?);
        let (book, default) = (content.book(), content.default_state());
        let options = Options::new(book.set.options(), &lists, &pipelines);
        Ok(Self::new(book, (states, default), rows.collect(), options))
    }

    fn new(
        book: Arc<RuleBook>,
        (states, default): (BTreeMap<String, State>, State),
        rows: Vec<(String, State, String)>,
        options: Options,
    ) -> Self {
        let sent = Vec::new();
        Self { book, options, states, default, rows, sent, held: OnceLock::new(), needed: OnceLock::new() }
    }

    /// A tenant without rules of its own: what a text is by itself.
    pub fn nobody() -> Self {
        let book = Content::load(&[], Vec::new(), State::Enabled).book();
        Self::new(book, (BTreeMap::new(), State::Enabled), Vec::new(), Options::default())
    }

    /// Of these fields, that a rule may name one that no source has ever sent.
    #[must_use]
    pub fn knowing(self, sent: Vec<SourceFields>) -> Self {
        Self { sent, ..self }
    }

    /// How the tenant's own rules are compiled.
    pub fn options(&self) -> &Arc<CompileOptions> {
        &self.options.own
    }

    /// How the rules that everybody has are compiled for the tenant: its pipelines leave them alone.
    pub fn base_options(&self) -> &Arc<CompileOptions> {
        &self.options.base
    }

    /// With other pipelines, to see what they would do. Blocking.
    #[must_use]
    pub fn with_options(&self, options: CompileOptions) -> Self {
        let options = Options { base: Arc::clone(&self.options.base), own: Arc::new(options) };
        Self::new(Arc::clone(&self.book), (self.states.clone(), self.default), self.rows.clone(), options)
    }

    /// What is wrong with the tenant's rules that run, by id. Blocking.
    pub fn problems(&self) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for (id, _, text) in self.rows.iter().filter(|(_, state, _)| state.runs()) {
            let (_, said) = self.rule(text);
            let errors = said.into_iter().filter(|said| said.severity == DiagnosticSeverity::Error);
            problems.extend(errors.map(|said| Diagnostic { file: file(id), ..said }));
        }
        problems
    }

    /// Ids of the tenant's rules that use a list. Blocking.
    pub fn users_of(&self, list: &str) -> Vec<(String, State)> {
        let word = format!("%{list}%");
        let uses = |(_, _, text): &&(String, State, String)| text.contains("expand") && text.contains(&word);
        self.rows.iter().filter(uses).map(|(id, state, _)| (id.clone(), *state)).collect()
    }

    fn held(&self) -> &[Held] {
        self.held.get_or_init(|| {
            let read = |(id, state, text): &(String, State, String)| {
                Some(Held { id: id.clone(), state: *state, row: Row::read(text, &file(id))? })
            };
            self.rows.iter().filter_map(read).collect()
        })
    }

    fn state(&self, id: &str) -> State {
        let own = self.held().iter().find(|held| held.row.ids().any(|one| one == id));
        own.map_or_else(|| self.states.get(id).copied().unwrap_or(self.default), |held| held.state)
    }

    /// Every document that a row of this id could refer to, with its own.
    fn all(&self, id: &str, own: Documents) -> Documents {
        let others = self.held().iter().filter(|held| held.id != id && held.state != State::Retired);
        // Its own come first: of a circle the first is told.
        let rows: Documents = std::iter::once(own).chain(others.map(|held| held.row.documents.clone())).collect();
        joined(&self.book, rows, &|one| self.state(one) != State::Retired)
    }

    /// The rule that a text is, and what is wrong with it. Blocking.
    pub fn rule(&self, text: &str) -> (Option<OwnRule>, Vec<Diagnostic>) {
        let (documents, mut said) = parse(text, FILE);
        if failed(&said) {
            return (None, said);
        }
        let row = match Row::of(documents, text) {
            Ok(row) => row,
            Err(wrong) => {
                said.push(whole("not-one-rule", wrong));
                return (None, said);
            }
        };
        let plain = Documents { rules: row.documents.rules.clone(), ..Documents::default() };
        let seen = match plain.rules.as_slice() {
            [rule] => self.seen(rule),
            _ => None,
        };
        said.extend(lint::lint(&plain, &lint::Context { seen_fields: seen.as_ref() }));
        if row.main.is_some() {
            return self.correlation(text, row, said);
        }
        let Some(rule) = row.documents.rules.first().map(|rule| rule.as_ref().clone()) else { return (None, said) };
        let (set, more) = RuleSet::compile(row.documents, &self.options.own);
        said.extend(more);
        let rule = set.get(&rule.id).is_some().then_some(OwnRule { rule, correlation: None, usable: true });
        (rule, said)
    }

    /// The fields that sources of the rule's log source have sent, by the rule's names as well. Nothing where that is not
    /// known: none has sent anything, one sends more than is kept, or a pipeline gives fields other names.
    fn seen(&self, rule: &Rule) -> Option<BTreeSet<String>> {
        if !self.options.own.pipelines.is_empty() {
            return None;
        }
        let (names, fields, mut seen) = (FieldNames::default(), rule.fields(), BTreeSet::new());
        for sent in &self.sent {
            let sources: Vec<_> = sent.log_sources.iter().filter(|source| rule.is_for(source)).collect();
            if sources.is_empty() {
                continue;
            }
            if sent.more {
                return None;
            }
            let is_sent = |field: &&&str| {
                sources.iter().any(|source| names.of(source, field).any(|name| sent.sent(name).is_some()))
            };
            seen.extend(fields.iter().filter(is_sent).map(|field| (*field).to_owned()));
            seen.extend(sent.fields.keys().cloned());
        }
        (!seen.is_empty()).then_some(seen)
    }

    fn correlation(&self, text: &str, row: Row, mut said: Vec<Diagnostic>) -> (Option<OwnRule>, Vec<Diagnostic>) {
        let Some(correlation) = row.correlation().cloned() else { return (None, said) };
        let id = correlation.header.id.clone();
        said.extend(self.taken(&row, &id));
        let all = self.all(&id, row.documents);
        let (links, found) = all.link();
        said.extend(found.into_iter().filter(|said| said.file == FILE).map(|said| self.retired(said)));
        let is_main = |linked: &shieldops_detect::Linked| {
            all.correlations.get(linked.correlation).is_some_and(|one| one.header.id == id)
        };
        if !links.correlations.iter().any(is_main) {
            let mut rule = correlation.as_rule(RuleSource::default());
            text.clone_into(&mut rule.text);
            let (members, correlation) = (Vec::new(), Arc::new(correlation));
            let correlation = OwnCorrelation { correlation, members, silent: false, case: None };
            return (Some(OwnRule { rule, correlation: Some(correlation), usable: false }), said);
        }
        let needs = closure(&all, &links, &id);
        let options = Arc::new(self.options.of(&needs, &self.book));
        let (set, more) = RuleSet::compile(needs.clone(), &options);
        said.extend(more.into_iter().filter(|one| one.file == FILE && !said.contains(one)).collect::<Vec<_>>());
        let draft = CorrelationSet::draft(&needs);
        let (correlations, more) = draft.compile(&set);
        said.extend(more.into_iter().filter(|one| one.file == FILE && !said.contains(one)).collect::<Vec<_>>());
        let compiled = correlations.find(&id);
        let members = compiled.map(|one| one.members.clone()).unwrap_or_default();
        said.extend(self.idle(&correlation, &members, &needs));
        let mut rule = match compiled {
            Some(compiled) => compiled.as_rule(&set),
            None => correlation.as_rule(RuleSource::default()),
        };
        text.clone_into(&mut rule.text);
        let silent = compiled.is_some_and(|one| one.silent);
        let case = compiled.map(|_| Arc::new(Case::of(id, needs, options)));
        let correlation = OwnCorrelation { correlation: Arc::new(correlation), members, silent, case };
        let usable = compiled.is_some() && !failed(&said);
        (Some(OwnRule { rule, correlation: Some(correlation), usable }), said)
    }

    /// Rules that the text brings along though there are others of their id.
    fn taken(&self, row: &Row, id: &str) -> Vec<Diagnostic> {
        let there = |one: &str| {
            self.book.entries.contains_key(one)
                || self.held().iter().any(|held| held.id != id && held.row.ids().any(|other| other == one))
        };
        let taken = row.ids().filter(|one| *one != id && there(one));
        let tell = |one: &str| Diagnostic {
            fix: "Leave it out and refer to the one that is there, or give it an id of its own.".to_owned(),
            ..whole("taken-id", format!("there is a rule with the id `{one}` already"))
        };
        taken.map(tell).collect()
    }

    /// A name that means nothing may be that of a rule which was retired.
    fn retired(&self, said: Diagnostic) -> Diagnostic {
        let named = |word: &str| said.message.ends_with(&format!("`{word}`"));
        let mut own = self.held().iter().filter(|held| held.state == State::Retired);
        let is_retired = said.code == "unknown-rule"
            && (own.any(|held| held.row.words().any(named))
                || self.book.entries.iter().any(|(id, entry)| {
                    (named(id) || !entry.rule.name.is_empty() && named(&entry.rule.name))
                        && self.state(id) == State::Retired
                }));
        if !is_retired {
            return said;
        }
        Diagnostic {
            code: "retired-rule",
            message: said.message.replace("there is no rule with the id or name", "this rule is retired:"),
            fix: "Bring it back into use, or refer to another.".to_owned(),
            ..said
        }
    }

    /// Rules of it that give it nothing as they are set.
    fn idle(&self, correlation: &Correlation, members: &[String], needs: &Documents) -> Vec<Diagnostic> {
        let brought = |id: &str| needs.rules.iter().any(|rule| rule.id == id && rule.file == FILE);
        let idle = members.iter().filter(|id| !brought(id) && self.state(id) != State::Enabled);
        let tell = |id: &String| Diagnostic {
            severity: DiagnosticSeverity::Warning,
            code: "member-not-enabled",
            file: FILE.to_owned(),
            line: correlation.header.line,
            column: 1,
            message: format!("its rule `{id}` is {}, so nothing comes from it", self.state(id).as_str()),
            fix: "Enable that rule too.".to_owned(),
        };
        let brought =
            |id: &&String| !needs.correlations.iter().any(|one| one.header.id == **id && one.header.file == FILE);
        idle.filter(brought).map(tell).collect()
    }

    /// What builds on a rule of this id, or on one that its row brings along. Blocking.
    pub fn needed_by(&self, id: &str) -> Vec<NeededBy> {
        let needed = self.needed.get_or_init(|| self.find_needed(&self.all("", Documents::default())));
        let held = self.held().iter().find(|held| held.id == id);
        let ids: BTreeSet<&str> = held.map_or_else(|| [id].into(), |held| held.row.ids().collect());
        let mut found: Vec<NeededBy> = Vec::new();
        for one in ids.iter().filter_map(|one| needed.get(*one)).flatten() {
            if one.id != id && !found.contains(one) {
                found.push(one.clone());
            }
        }
        found
    }

    /// The title of the correlation that keeps a rule from raising alerts of its own, as it all runs now. Blocking.
    pub fn silenced_by(&self, id: &str) -> Option<String> {
        let running = self.held().iter().filter(|held| held.state.runs());
        let set = |held: &Held| match held.state {
            State::Shadow => held.row.clone().watched().documents,
            _ => held.row.documents.clone(),
        };
        let all = joined(&self.book, running.map(set).collect(), &|_| true);
        let file = &all.rules.iter().find(|rule| rule.id == id)?.file;
        let (links, _) = all.link();
        let is_its = |member: &Member| matches!(&member.target, Target::Rule(rule) if rule == id);
        let of_it = links.correlations.iter().filter(|linked| linked.members.iter().any(is_its));
        let mut above = of_it.filter_map(|linked| all.correlations.get(linked.correlation));
        let silences = |one: &&Correlation| one.generate.map_or(one.header.file == *file, |generate| !generate);
        above.find(silences).map(|one| one.header.title.clone())
    }

    fn find_needed(&self, all: &Documents) -> BTreeMap<String, Vec<NeededBy>> {
        let (links, _) = all.link();
        let mut needed: BTreeMap<String, Vec<NeededBy>> = BTreeMap::new();
        for linked in &links.correlations {
            let Some(above) = all.correlations.get(linked.correlation) else { continue };
            let row = self.held().iter().find(|held| held.row.ids().any(|one| one == above.header.id));
            let by = NeededBy {
                id: row.map_or_else(|| above.header.id.clone(), |held| held.id.clone()),
                title: above.header.title.clone(),
                own: row.is_some(),
                state: self.state(&above.header.id),
            };
            for member in &linked.members {
                let below = match &member.target {
                    Target::Rule(id) => Some(id.clone()),
                    Target::Correlation(place) => all.correlations.get(*place).map(|one| one.header.id.clone()),
                };
                needed.entry(below.unwrap_or_default()).or_default().push(by.clone());
            }
        }
        needed
    }

    /// Correlations of the tenant that run and would not any more, if a row's text were this one, or gone. Blocking.
    pub fn breaks(&self, id: &str, text: Option<&str>) -> Vec<NeededBy> {
        let mut running = self.needed_by(id);
        running.retain(|by| by.own && by.state.runs());
        let Some(row) = text.and_then(|text| Row::read(text, &file(id))) else { return running };
        let all = self.all(id, row.documents);
        let (links, _) = all.link();
        let linked: BTreeSet<&str> = links
            .correlations
            .iter()
            .filter_map(|linked| all.correlations.get(linked.correlation))
            .map(|one| one.header.id.as_str())
            .collect();
        running.retain(|by| !linked.contains(by.id.as_str()));
        running
    }

    /// A rule that a correlation of the tenant has brought along. Blocking.
    pub fn brought_along(&self, id: &str) -> Option<Rule> {
        let mut rules = self.held().iter().flat_map(|held| &held.row.documents.rules);
        rules.find(|rule| rule.id == id).map(|rule| rule.as_ref().clone())
    }
}

/// The rules and correlations that one correlation is made of, itself among them.
fn closure(all: &Documents, links: &shieldops_detect::Links, id: &str) -> Documents {
    let mut needs = Documents::default();
    let mut wanted: Vec<usize> =
        all.correlations.iter().enumerate().filter(|(_, one)| one.header.id == id).map(|(index, _)| index).collect();
    let (mut rules, mut seen) = (BTreeSet::new(), BTreeSet::new());
    while let Some(index) = wanted.pop() {
        if !seen.insert(index) {
            continue;
        }
        let linked = links.correlations.iter().find(|linked| linked.correlation == index);
        for member in linked.into_iter().flat_map(|linked| &linked.members) {
            match &member.target {
                Target::Rule(id) => {
                    rules.insert(id.as_str());
                }
                Target::Correlation(below) => wanted.push(*below),
            }
        }
        needs.correlations.extend(all.correlations.get(index).cloned());
    }
    needs.rules.extend(all.rules.iter().filter(|rule| rules.contains(rule.id.as_str())).cloned());
    needs
}

fn failed(said: &[Diagnostic]) -> bool {
    said.iter().any(|said| said.severity == DiagnosticSeverity::Error)
}

fn whole(code: &'static str, message: String) -> Diagnostic {
    Diagnostic {
        severity: DiagnosticSeverity::Error,
        code,
        file: FILE.to_owned(),
        line: 1,
        column: 1,
        message,
        fix: "Write one rule, or one correlation with the rules that it brings along; a filter is an exception."
            .to_owned(),
    }
}
