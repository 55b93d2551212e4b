//! The graph of a case: who acted on what, drawn from typed facts of the events.

use std::collections::{BTreeMap, BTreeSet};

use shieldops_model::{
    Entity, EntityKind, EventId, Severity,
    attack::rank,
    investigation::{Graph, GraphEdge, GraphNode},
};

use crate::{
    case::{CaseEvent, class},
    facts::Facts,
    hypotheses::Hostile,
    words::number,
};

/// Nodes, and edges, of a graph.
pub(crate) const MAX_NODES: usize = 150;
pub(crate) const MAX_EDGES: usize = 150;
/// Events that one edge cites.
const MAX_CITED: usize = 10;
/// Accounts that only failed to sign in are drawn up to this number; beyond it the edge to the host counts them.
const MAX_FAILED_ACCOUNTS: usize = 5;

#[derive(Default)]
struct Node {
    severity: Option<Severity>,
    stage: Option<usize>,
    events: u64,
    last: Option<EventId>,
}

#[derive(Default)]
struct Edge {
    hot: bool,
    events: Vec<EventId>,
}

/// From, to, and what the one did to the other.
type EdgeKey = (Entity, Entity, &'static str);

#[derive(Default)]
struct Drawing {
    nodes: BTreeMap<Entity, Node>,
    edges: BTreeMap<EdgeKey, Edge>,
}

pub(crate) fn graph(facts: &Facts<'_>, hostile: &Hostile<'_>) -> Graph {
    let failed_only = failed_only(facts);
    let mut drawing = Drawing::default();
    for event in &facts.events {
        drawing.add(event, &failed_only);
    }
    let kept = drawing.strongest();
    let victims = facts.victims();
    let nodes: Vec<GraphNode> = drawing
        .nodes
        .iter()
        .filter(|(entity, _)| kept.contains(*entity))
        .map(|(entity, node)| GraphNode {
            id: entity.to_string(),
            entity: entity.clone(),
            tactic: node
                .stage
                .and_then(|stage| shieldops_model::attack::TACTICS.get(stage))
                .map(|tactic| tactic.short.to_owned()),
            severity: node.severity,
            role: role(entity, node, hostile, &victims).to_owned(),
            event_count: node.events,
        })
        .collect();
    Graph { nodes, edges: drawing.edges_between(&kept) }
}

/// Accounts known only from failed sign-ins, when they are many.
fn failed_only<'a>(facts: &Facts<'a>) -> BTreeSet<&'a str> {
    let is_failure = |event: &CaseEvent| {
        event.ocsf.class_uid == class::AUTHENTICATION && event.ocsf.status.as_deref() != Some("success")
    };
    let failed: BTreeSet<&str> =
        facts.events.iter().filter(|event| is_failure(event)).filter_map(|event| event.who()).collect();
    let active: BTreeSet<&str> =
        facts.events.iter().filter(|event| !is_failure(event)).filter_map(|event| event.who()).collect();
    let only: BTreeSet<&str> = failed.difference(&active).copied().collect();
    if only.len() > MAX_FAILED_ACCOUNTS { only } else { BTreeSet::new() }
}

impl Drawing {
    fn add(&mut self, event: &CaseEvent, failed_only: &BTreeSet<&str>) {
        let of =
            |kind, value: Option<&str>| value.filter(|value| !value.is_empty()).map(|value| Entity::new(kind, value));
        let ip = of(EntityKind::Ip, event.ocsf.src_ip.as_deref());
        let host = of(EntityKind::Host, event.host());
        let user = of(EntityKind::User, event.who()).filter(|user| !failed_only.contains(user.value.as_str()));
        let program = of(EntityKind::Process, event.ocsf.process.as_ref().and_then(|process| process.image.as_deref()));
        let file = of(EntityKind::File, event.ocsf.file.as_deref());
        let alerted = !event.alerts.is_empty();
        let (ip, host, user, program, file) =
            (ip.as_ref(), host.as_ref(), user.as_ref(), program.as_ref(), file.as_ref());
        match (event.ocsf.class_uid, event.ocsf.status.as_deref()) {
            (class::AUTHENTICATION, Some("success")) => {
                self.edge(ip, user, "signed in as", event);
                self.edge(user, host, "on", event);
            }
            (class::AUTHENTICATION, Some("failure")) => {
                self.edge(ip, host, "failed to sign in to", event);
                self.edge(ip, user, "failed to sign in as", event);
            }
            (class::HTTP, _) => {
                let label = if alerted { "attacked the web server of" } else { "requested from" };
                self.edge(ip, host, label, event);
            }
            (class::PROCESS, _) => {
                self.edge(user, host, "on", event);
                if alerted {
                    self.edge(user, program, "ran", event);
                    self.named(program, event);
                }
            }
            (class::FILE, _) if alerted => {
                self.edge(user, host, "on", event);
                self.edge(user.or(host), file, "changed", event);
            }
            _ if alerted => {
                self.edge(ip, host, "reached", event);
                self.edge(user, host, "on", event);
            }
            _ => {}
        }
    }

    /// What a command names: addresses, domains, files.
    fn named(&mut self, program: Option<&Entity>, event: &CaseEvent) {
        let outside = [EntityKind::Ip, EntityKind::Domain, EntityKind::Url, EntityKind::Hash];
        for entity in event.entities.iter().filter(|entity| outside.contains(&entity.kind)) {
            self.edge(program, Some(entity), "named", event);
        }
    }

    fn edge(&mut self, from: Option<&Entity>, to: Option<&Entity>, label: &'static str, event: &CaseEvent) {
        for entity in [from, to].into_iter().flatten() {
            self.touch(entity, event);
        }
        let (Some(from), Some(to)) = (from, to) else { return };
        if from == to {
            return;
        }
        let edge = self.edges.entry((from.clone(), to.clone(), label)).or_default();
        edge.hot |= event.alerts.iter().any(|alert| !alert.attack.tactics.is_empty());
        if edge.events.last() != Some(&event.id) {
            edge.events.push(event.id);
        }
    }

    fn touch(&mut self, entity: &Entity, event: &CaseEvent) {
        let node = self.nodes.entry(entity.clone()).or_default();
        node.severity = node.severity.max(event.severity());
        if node.last.replace(event.id) != Some(event.id) {
            node.events = node.events.saturating_add(1);
        }
        let stage = event.alerts.iter().flat_map(|alert| &alert.attack.tactics).filter_map(|short| rank(short)).min();
        node.stage = match (node.stage, stage) {
            (Some(known), Some(new)) => Some(known.min(new)),
            (known, new) => known.or(new),
        };
    }

    /// The nodes that stay: by severity, then by number of events.
    fn strongest(&self) -> BTreeSet<Entity> {
        let mut ranked: Vec<(&Entity, &Node)> = self.nodes.iter().collect();
        ranked.sort_by_key(|(entity, node)| {
            let strongest = std::cmp::Reverse((node.severity, node.events));
            (strongest, *entity)
        });
        ranked.into_iter().take(MAX_NODES).map(|(entity, _)| entity.clone()).collect()
    }

    fn edges_between(&self, kept: &BTreeSet<Entity>) -> Vec<GraphEdge> {
        let mut edges: Vec<(&EdgeKey, &Edge)> =
            self.edges.iter().filter(|((from, to, _), _)| kept.contains(from) && kept.contains(to)).collect();
        edges.sort_by_key(|(key, edge)| {
            let strongest = std::cmp::Reverse((edge.hot, edge.events.len()));
            (strongest, *key)
        });
        edges.truncate(MAX_EDGES);
        edges.sort_by_key(|(key, _)| *key);
        let drawn = edges.into_iter().map(|((from, to, label), edge)| GraphEdge {
            from: from.to_string(),
            to: to.to_string(),
            label: format!("{label} ({})", number(edge.events.len(), "event", "events")),
            hot: edge.hot,
            event_ids: edge.events.iter().take(MAX_CITED).copied().collect(),
        });
        drawn.collect()
    }
}

fn role(entity: &Entity, node: &Node, hostile: &Hostile<'_>, victims: &BTreeSet<&str>) -> &'static str {
    match entity.kind {
        EntityKind::Ip if hostile.is_attacker(&entity.value) => "attacker",
        EntityKind::Host if victims.contains(entity.value.as_str()) => "victim",
        EntityKind::User => "account",
        EntityKind::Process if node.severity.is_some() => "tool",
        EntityKind::File | EntityKind::Url | EntityKind::Hash | EntityKind::Domain if node.severity.is_some() => {
            "artefact"
        }
        _ => "other",
    }
}
