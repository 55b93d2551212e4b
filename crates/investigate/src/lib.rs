//! Evidence in; timeline, attack path, ranked hypotheses and proposed actions out. Pure and deterministic.
//!
//! No model, no clock, no store: the same case file gives the same bytes, in whatever order its parts come. Text that an
//! attacker wrote (commands, requests, paths) appears only in detail fields, escaped and cut; names in titles and in
//! proposed actions are entity values that passed a check.

mod case;
pub mod export;
mod facts;
mod gaps;
mod graph;
mod hypotheses;
mod path;
mod plans;
mod summary;
mod timeline;
mod tree;
mod words;

use shieldops_model::{Investigation, investigation::Step};

pub use case::{AlertRef, CaseEvent, CaseFile, LiveBlock, MAX_EVENTS, Searched, Unseen, UnseenBy, pull, window};
pub use export::{Export, ExportEvent, LedgerRow, render_html};

use facts::Facts;

/// Investigates a case. The order of the input's lists does not matter.
pub fn investigate(input: &CaseFile) -> Investigation {
    let facts = Facts::of(input);
    let ideas = hypotheses::ideas(&facts);
    let hostile = hypotheses::hostile(&ideas);
    let timeline = timeline::timeline(&facts);
    let attack_path = path::path(&facts);
    let tree = tree::tree(&facts);
    let graph = graph::graph(&facts, &hostile);
    let proposals = plans::propose(&facts, &hostile);
    let ranked = hypotheses::rank(ideas);
    let mut steps = facts.steps();
    steps.push(step(
        "Ordered the timeline",
        format!(
            "{} entries for {} events; {} of ordinary work left out",
            timeline.entries.len(),
            timeline.told,
            facts.events.len().saturating_sub(timeline.told),
        ),
    ));
    steps.push(step("Built sessions and processes", tree.found()));
    steps.push(step("Ordered the attack path", path::found(&attack_path)));
    steps.push(step("Drew the graph", format!("{} entities, {} relations", graph.nodes.len(), graph.edges.len())));
    steps.push(step("Ranked hypotheses", hypotheses::found(&ranked)));
    steps.push(step("Looked for a response", proposals.found.clone()));
    let not_checked = gaps::not_checked(&facts, &proposals, timeline.left_out);
    steps.push(step("Listed what could not be checked", format!("{} points", not_checked.len())));
    Investigation {
        revision: input.revision,
        summary: summary::summary(&facts, &ranked),
        timeline: timeline.entries,
        attack_path,
        graph,
        process_tree: tree.nodes,
        hypotheses: ranked,
        not_checked,
        proposed_plans: proposals.plans,
        steps,
    }
}

pub(crate) fn step(name: &str, found: String) -> Step {
    Step { name: name.to_owned(), found }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
