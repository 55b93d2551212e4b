//! What sources send and what rules read: fields that no rule reads, and fields of rules that never arrive.

use std::{collections::BTreeSet, sync::Arc};

use axum::{Json, extract::State};
use serde::Serialize;
use shieldops_detect::{FieldNames, RuleSource};
use shieldops_model::LogSource;
use utoipa::ToSchema;

use super::{Arriving, Held, arriving, held};
use crate::{App, Problem, auth::Caller, rules::blocking};

/// What one answer holds at most.
const MISSING: usize = 1_000;

#[derive(Serialize, ToSchema)]
pub(crate) struct Fields {
    sources: Vec<SourceView>,
    /// Fields that a rule reads and none of the sources that it is for has sent.
    missing: Vec<Missing>,
    /// There are more of them, or a source sends more fields than are kept.
    truncated: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SourceFieldsView)]
struct SourceView {
    source: String,
    log_sources: BTreeSet<LogSource>,
    /// Events that were looked at.
    events: u64,
    fields: Vec<Field>,
    /// Fields that no rule reads.
    unread: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SourceField)]
struct Field {
    name: String,
    /// Events in which it stood.
    events: u64,
}

#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MissingField)]
struct Missing {
    rule_id: String,
    title: String,
    field: String,
    #[schema(value_type = Object)]
    log_source: RuleSource,
    /// Sources that the rule is for.
    sources: Vec<String>,
}

/// Fields that sources were seen to send in the last week, those that no rule reads, and those that rules wait for in vain.
#[utoipa::path(get, path = "/api/v1/coverage/fields", operation_id = "get_field_coverage", tag = "rules", responses((status = 200, body = Fields)))]
pub(crate) async fn show(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Fields>, Problem> {
    let (rules, sources) = (held(&app, &caller).await?, arriving(&caller).await?);
    Ok(Json(blocking(move || of(&rules, &sources)).await?))
}

fn of(rules: &[Held], sources: &[Arriving]) -> Fields {
    let names = FieldNames::default();
    let mut read: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); sources.len()];
    let mut missing = Vec::new();
    let mut truncated = sources.iter().any(|source| source.sends.more);
    for held in rules.iter().filter(|held| held.state.runs()) {
        let fields = held.rule.fields();
        let mut arrived: BTreeSet<&str> = BTreeSet::new();
        let mut of = Vec::new();
        for (source, read) in sources.iter().zip(&mut read) {
            let mut is_for = false;
            for log_source in source.of(&held.rule) {
                is_for = true;
                for field in &fields {
                    let sent = names.of(log_source, field).filter_map(|name| source.sends.sent(name));
                    let sent: Vec<&str> = sent.collect();
                    if !sent.is_empty() {
                        arrived.insert(field);
                    }
                    read.extend(sent);
                }
            }
            if is_for {
                of.push(source.source.clone());
            }
        }
        if of.is_empty() {
            continue;
        }
        for field in fields.difference(&arrived) {
            truncated |= missing.len() >= MISSING;
            if missing.len() < MISSING {
                let (rule_id, title) = (held.rule.id.clone(), held.rule.title.clone());
                let (log_source, field) = (held.rule.log_source.clone(), (*field).to_owned());
                missing.push(Missing { rule_id, title, field, log_source, sources: of.clone() });
            }
        }
    }
    let sources = sources.iter().zip(read).map(|(source, read)| shown(source, &read)).collect();
    Fields { sources, missing, truncated }
}

/// The field of the source that this name reads: itself, or the object that it is in.
fn shown(source: &Arriving, read: &BTreeSet<&str>) -> SourceView {
    let field = |(name, events): (&String, &u64)| Field { name: name.clone(), events: *events };
    let unread = source.sends.fields.keys().filter(|name| !read.contains(name.as_str()));
    SourceView {
        source: source.source.clone(),
        log_sources: source.sends.log_sources.clone(),
        events: source.sends.events,
        fields: source.sends.fields.iter().map(field).collect(),
        unread: unread.cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use shieldops_store::{coverage::SourceFields, rule_states::State as RuleState};

    use super::*;

    fn rule(product: &str, fields: &str, state: RuleState) -> Held {
        let text = format!(
            "title: '{fields}'\nid: '{fields}'\nlevel: low\nlogsource: {{product: {product}}}\ndetection:\n  s: {{{fields}}}\n  condition: s\n"
        );
        let rule = shieldops_detect::parse(&text, "r.yml").0.into_rules().swap_remove(0);
        Held { rule: Arc::new(rule), state, tested: false }
    }

    #[test]
    fn what_nobody_reads_and_what_never_arrives_are_told() {
        let fields = ["user", "pid", "actor"].map(|name| (name.to_owned(), 3));
        let sends = SourceFields {
            log_sources: [LogSource { product: Some("linux".to_owned()), ..LogSource::default() }].into(),
            events: 3,
            fields: fields.into(),
            more: false,
        };
        let sources = [Arriving { source: "sshd".to_owned(), sends }];
        let rules = [
            rule("linux", "user: root, shell: zsh", RuleState::Enabled),
            rule("linux", "actor.name: root", RuleState::Shadow),
            rule("linux", "pid: 1, gone: 1", RuleState::Retired),
            rule("windows", "Image: x", RuleState::Enabled),
        ];
        let found = of(&rules, &sources);
        assert_eq!(found.sources[0].unread, ["pid"]);
        let missing: Vec<_> = found.missing.iter().map(|one| (one.field.as_str(), one.sources.join(","))).collect();
        assert_eq!(missing, [("shell", "sshd".to_owned())]);
    }
}
