//! What detection covers: which events rules were run on, which techniques are looked for, and what the sources send.

pub(crate) mod attack;
pub(crate) mod fields;
pub(crate) mod layer;
pub(crate) mod log;
pub(crate) mod techniques;

use std::{sync::Arc, time::Duration};

use shieldops_detect::Rule;
use shieldops_model::{LogSource, Timestamp};
use shieldops_pipeline::{Neighbours, RuleBook};
use shieldops_store::{
    coverage::{self, SourceFields},
    own_rules::{self, versions},
    rule_states::{self, State},
};

use crate::{
    App, Problem,
    auth::Caller,
    rules::{blocking, view::Subject},
};

/// A source of which something came so lately is arriving.
const ARRIVING: Duration = Duration::from_hours(24 * 7);

/// A rule as the tenant has it.
pub(crate) struct Held {
    pub(crate) rule: Arc<Rule>,
    pub(crate) state: State,
    /// It has samples, and all come out as they should.
    pub(crate) tested: bool,
}

/// Every rule of the tenant. Those that it owns stand in for others of their id where they run.
pub(crate) async fn held(app: &App, caller: &Caller) -> Result<Vec<Held>, Problem> {
    let mut reader = caller.scope.read().await?;
    let states = rule_states::states(&mut reader).await?;
    let rows = own_rules::all(&mut reader).await?;
    let live = versions::live(&mut reader).await?;
    let neighbours = Neighbours::read(&mut reader, &app.pipeline.content).await?;
    drop(reader);
    let (book, default) = (app.pipeline.content.book(), app.pipeline.content.default_state());
    let gather = move || {
        let mut own: Vec<Held> = Vec::new();
        for (id, version) in live {
            let row = rows.iter().find(|row| row.rule_id == id);
            let subject = row.and_then(|row| Some((row.state, Subject::of_version(row, version, &neighbours)?)));
            own.extend(subject.map(|(state, subject)| Held { tested: subject.is_tested(), rule: subject.rule, state }));
        }
        let known: Vec<String> = own.iter().map(|held| held.rule.id.clone()).collect();
        let book: &RuleBook = &book;
        own.extend(book.entries.values().filter(|entry| !known.contains(&entry.rule.id)).map(|entry| {
            let (passed, failed) = entry.tests();
            let state = states.get(&entry.rule.id).copied().unwrap_or(default);
            Held { rule: Arc::clone(&entry.rule), state, tested: passed > 0 && failed == 0 }
        }));
        own
    };
    blocking(gather).await
}

/// A source that is arriving, with what it sends.
pub(crate) struct Arriving {
    pub(crate) source: String,
    pub(crate) sends: SourceFields,
}

impl Arriving {
    /// The log sources of it that a rule is for.
    pub(crate) fn of<'a>(&'a self, rule: &'a Rule) -> impl Iterator<Item = &'a LogSource> {
        self.sends.log_sources.iter().filter(|source| rule.is_for(source))
    }
}

pub(crate) async fn arriving(caller: &Caller) -> Result<Vec<Arriving>, Problem> {
    sending(caller, caller.now().minus(ARRIVING)).await
}

/// Sources of which something came since then.
pub(crate) async fn sending(caller: &Caller, since: Timestamp) -> Result<Vec<Arriving>, Problem> {
    let all = coverage::fields(&mut caller.scope.read().await?).await?;
    let lately = all.into_iter().filter(|(_, at, _)| *at >= since);
    Ok(lately.map(|(source, _, sends)| Arriving { source, sends }).collect())
}
