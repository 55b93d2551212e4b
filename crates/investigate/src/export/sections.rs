//! The sections of the page, in reading order: what happened, what may explain it, what was done, what proves it.

use shieldops_model::{Alert, EventId, Hypothesis, Investigation, Plan, Severity, Timestamp};

use super::{
    Export, ExportEvent, LedgerRow,
    html::{escape, push},
};

/// Characters of an event's raw text on the page; the JSON export holds it whole.
const RAW_MAX: usize = 2_000;

pub(super) fn all(page: &mut String, export: &Export) {
    head(page, export);
    if let Some(investigation) = &export.investigation {
        story(page, investigation);
        list(page, "Hypotheses", &investigation.hypotheses, hypothesis);
        timeline(page, investigation);
        tree(page, investigation);
    }
    plans(page, &export.plans);
    if let Some(investigation) = &export.investigation {
        gaps(page, investigation);
    }
    alerts(page, &export.alerts);
    risk(page, export);
    notes(page, export);
    ledger(page, &export.ledger);
    list(page, "Cited events", &export.events, event);
    if let Some(investigation) = &export.investigation {
        steps(page, investigation);
    }
}

fn head(page: &mut String, export: &Export) {
    let incident = &export.incident;
    push(
        page,
        format_args!(
            "<header>\n<p class=\"kicker\">Incident report</p>\n<h1>{}</h1>\n<dl class=\"facts\">\n",
            escape(&incident.title)
        ),
    );
    fact(page, "Severity", &badge(incident.severity));
    fact(page, "Risk", &format!("{} of 100", incident.risk_score));
    fact(page, "Status", &escape(&word(&incident.status)));
    if let Some(verdict) = &incident.verdict {
        fact(page, "Verdict", &escape(&word(verdict)));
    }
    fact(page, "First seen", &time(incident.first_seen));
    fact(page, "Last seen", &time(incident.last_seen));
    fact(page, "Alerts", &incident.alert_count.to_string());
    fact(page, "Matches", &incident.event_count.to_string());
    fact(page, "Revision", &incident.revision.to_string());
    push(page, format_args!("</dl>\n</header>\n"));
    if incident.demo {
        push(
            page,
            format_args!(
                "<p class=\"notice\"><strong>Demonstration data.</strong> This attack was recorded and replayed.</p>\n"
            ),
        );
    }
    if export.plans.iter().any(|plan| plan.simulated) {
        push(
            page,
            format_args!(
                "<p class=\"notice\"><strong>Simulated target.</strong> Actions marked simulated changed nothing real.</p>\n"
            ),
        );
    }
}

/// A time to the second; the JSON export holds the microseconds.
fn time(time: Timestamp) -> String {
    let text: String = time.to_string().chars().take(19).collect();
    text.replace('T', " ")
}

/// The short label of an event, linked to where the page shows it.
fn cite(event: &str) -> String {
    let label = event.get(event.len().saturating_sub(6)..).unwrap_or(event);
    format!("<a class=\"mono\" href=\"#{event}\" title=\"{event}\">{label}</a>")
}

/// Escaped text in which `[evt_…]` is a citation.
fn cited(text: &str) -> String {
    let mut html = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        html += &escape(before);
        let event = after.split_once(']').filter(|(id, _)| id.parse::<EventId>().is_ok());
        if let Some((id, tail)) = event {
            html += &cite(id);
            rest = tail;
        } else {
            html.push('[');
            rest = after;
        }
    }
    html + &escape(rest)
}

fn fact(page: &mut String, term: &str, html: &str) {
    push(page, format_args!("<div><dt>{term}</dt><dd>{html}</dd></div>\n"));
}

fn badge(severity: Severity) -> String {
    format!("<span class=\"badge {0}\">{0}</span>", severity.as_str())
}

/// The snake-case name of an enum value as words: `in progress`.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name.replace('_', " "),
        _ => String::new(),
    }
}

fn heading(page: &mut String, title: &str) {
    push(page, format_args!("<section>\n<h2>{title}</h2>\n"));
}

fn end(page: &mut String) {
    page.push_str("</section>\n");
}

fn list<T>(page: &mut String, title: &str, items: &[T], item: impl Fn(&mut String, &T)) {
    if items.is_empty() {
        return;
    }
    heading(page, title);
    for each in items {
        item(page, each);
    }
    end(page);
}

fn table(page: &mut String, columns: &[&str], rows: impl FnOnce(&mut String)) {
    page.push_str("<div class=\"scroll\"><table>\n<thead><tr>");
    for column in columns {
        push(page, format_args!("<th scope=\"col\">{column}</th>"));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    rows(page);
    page.push_str("</tbody>\n</table></div>\n");
}

fn story(page: &mut String, investigation: &Investigation) {
    heading(page, "Summary");
    push(
        page,
        format_args!(
            "<p>{}</p>\n<p class=\"dim\">Found by rules and counts, without any language model.</p>\n",
            cited(&investigation.summary)
        ),
    );
    end(page);
    if investigation.attack_path.is_empty() {
        return;
    }
    heading(page, "Attack path");
    table(page, &["Stage", "First seen", "Last seen", "Techniques", "Events"], |page| {
        for stage in &investigation.attack_path {
            push(
                page,
                format_args!(
                    "<tr><td>{}</td><td class=\"time\">{}</td><td class=\"time\">{}</td><td class=\"mono\">{}</td><td class=\"num\">{}</td></tr>\n",
                    escape(&stage.title),
                    time(stage.first_seen),
                    time(stage.last_seen),
                    escape(&stage.techniques.join(" ")),
                    stage.event_ids.len(),
                ),
            );
        }
    });
    end(page);
}

fn hypothesis(page: &mut String, hypothesis: &Hypothesis) {
    push(
        page,
        format_args!(
            "<div class=\"card\">\n<h3>{} <span class=\"dim\">confidence {:.2}</span></h3>\n<ul>\n",
            escape(&hypothesis.title),
            hypothesis.confidence
        ),
    );
    for evidence in &hypothesis.evidence {
        let (class, word) = if evidence.supports { ("for", "For") } else { ("against", "Against") };
        push(
            page,
            format_args!(
                "<li><span class=\"{class}\">{word}</span> {} {}</li>\n",
                escape(&evidence.why),
                cite(&evidence.event_id.to_string())
            ),
        );
    }
    page.push_str("</ul>\n</div>\n");
}

fn timeline(page: &mut String, investigation: &Investigation) {
    if investigation.timeline.is_empty() {
        return;
    }
    heading(page, "Timeline");
    table(page, &["Time", "What", "Times", "Severity", "ATT&amp;CK", "Event"], |page| {
        for entry in &investigation.timeline {
            let detail =
                entry.detail.as_ref().map(|detail| format!("<br><code>{}</code>", escape(detail))).unwrap_or_default();
            push(
                page,
                format_args!(
                    "<tr><td class=\"time\">{}</td><td>{}{detail}</td><td class=\"num\">{}</td><td>{}</td><td class=\"mono\">{}</td><td class=\"mono\">{}</td></tr>\n",
                    time(entry.time),
                    escape(&entry.title),
                    entry.count,
                    entry.severity.map(badge).unwrap_or_default(),
                    escape(entry.technique.as_deref().or(entry.tactic.as_deref()).unwrap_or_default()),
                    cite(&entry.event_id.to_string()),
                ),
            );
        }
    });
    end(page);
}

fn tree(page: &mut String, investigation: &Investigation) {
    if investigation.process_tree.is_empty() {
        return;
    }
    heading(page, "Sessions and processes");
    page.push_str("<pre>");
    for node in &investigation.process_tree {
        let indent = "  ".repeat(usize::try_from(node.depth).unwrap_or(0));
        let alert = node
            .severity
            .map(|severity| format!(" <span class=\"{0}\">[{0}]</span>", severity.as_str()))
            .unwrap_or_default();
        push(
            page,
            format_args!(
                "{} {indent}{}{alert}  <span class=\"dim\">{}</span>\n",
                time(node.time),
                escape(&node.label),
                escape(&node.detail)
            ),
        );
    }
    page.push_str("</pre>\n");
    end(page);
}

fn plans(page: &mut String, plans: &[Plan]) {
    if plans.is_empty() {
        return;
    }
    heading(page, "Response");
    for plan in plans {
        plan_card(page, plan);
    }
    end(page);
}

fn plan_card(page: &mut String, plan: &Plan) {
    let simulated = if plan.simulated { " <span class=\"badge medium\">simulated</span>" } else { "" };
    push(
        page,
        format_args!(
            "<div class=\"card\">\n<h3>{}{simulated}</h3>\n<p>{}</p>\n<p class=\"dim\">{} · risk {} · requested by {} · <code>{}</code></p>\n",
            escape(&plan.title),
            escape(&plan.why),
            escape(&word(&plan.state)),
            escape(&word(&plan.risk)),
            escape(&plan.requester),
            plan.id,
        ),
    );
    for approval in &plan.approvals {
        push(page, format_args!("<p>Approved by {} at {}</p>\n", escape(&approval.user_name), time(approval.at)));
    }
    if let Some(reason) = &plan.rejected_reason {
        push(page, format_args!("<p>Rejected: {}</p>\n", escape(reason)));
    }
    page.push_str("<ul>\n");
    for action in &plan.actions {
        push(
            page,
            format_args!(
                "<li><code>{}</code> on <code>{}</code>: <strong>{}</strong>. Undo: {}<pre>",
                escape(&action.capability),
                escape(&action.target.name),
                escape(&word(&action.state)),
                escape(&action.undo),
            ),
        );
        for line in &action.diff {
            let (before, after) = (line.before.as_deref().unwrap_or("-"), line.after.as_deref().unwrap_or("-"));
            push(page, format_args!("{}: {} → {}\n", escape(&line.path), escape(before), escape(after)));
        }
        for proof in &action.proofs {
            push(
                page,
                format_args!(
                    "{} {}: {} {}\n",
                    time(proof.at),
                    escape(&proof.moment),
                    escape(&proof.result),
                    escape(&proof.detail)
                ),
            );
        }
        page.push_str("</pre></li>\n");
    }
    page.push_str("</ul>\n</div>\n");
}

fn gaps(page: &mut String, investigation: &Investigation) {
    if investigation.not_checked.is_empty() {
        return;
    }
    heading(page, "What could not be checked");
    page.push_str("<ul>\n");
    for gap in &investigation.not_checked {
        push(page, format_args!("<li><strong>{}</strong>: {}</li>\n", escape(&gap.what), escape(&gap.why)));
    }
    page.push_str("</ul>\n");
    end(page);
}

fn alerts(page: &mut String, alerts: &[Alert]) {
    if alerts.is_empty() {
        return;
    }
    heading(page, "Alerts");
    table(page, &["First seen", "Rule", "Severity", "Matches", "Entities", "Alert"], |page| {
        for alert in alerts {
            let entities: Vec<String> = alert.entities.iter().take(8).map(ToString::to_string).collect();
            push(
                page,
                format_args!(
                    "<tr><td class=\"time\">{}</td><td>{}</td><td>{}</td><td class=\"num\">{}</td><td class=\"mono\">{}</td><td class=\"mono\">{}</td></tr>\n",
                    time(alert.first_seen),
                    escape(&alert.rule_title),
                    badge(alert.severity),
                    alert.count,
                    escape(&entities.join(" ")),
                    alert.id,
                ),
            );
        }
    });
    end(page);
}

fn risk(page: &mut String, export: &Export) {
    heading(page, "Risk score");
    table(page, &["Points", "Term", "Why"], |page| {
        for term in &export.incident.risk_terms {
            push(
                page,
                format_args!(
                    "<tr><td class=\"num\">{:+}</td><td>{}</td><td>{}</td></tr>\n",
                    term.points,
                    escape(&term.name),
                    escape(&term.why)
                ),
            );
        }
    });
    end(page);
}

fn notes(page: &mut String, export: &Export) {
    list(page, "Notes", &export.notes, |page, note| {
        push(
            page,
            format_args!(
                "<div class=\"card\"><p class=\"dim\">{} · {}</p><pre>{}</pre></div>\n",
                time(note.created_at),
                note.author,
                escape(&note.text)
            ),
        );
    });
}

fn ledger(page: &mut String, rows: &[LedgerRow]) {
    if rows.is_empty() {
        return;
    }
    heading(page, "Ledger");
    table(page, &["Seq", "Time", "Kind", "By", "What", "Leaf hash"], |page| {
        for row in rows {
            push(
                page,
                format_args!(
                    "<tr><td class=\"num\">{}</td><td class=\"time\">{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"mono\">{}</td></tr>\n",
                    row.seq,
                    time(row.time),
                    escape(&row.kind),
                    escape(&row.actor),
                    escape(&row.summary),
                    escape(&row.hash),
                ),
            );
        }
    });
    end(page);
}

fn event(page: &mut String, event: &ExportEvent) {
    let shown: String = event.raw.chars().take(RAW_MAX).collect();
    let more = if shown.len() < event.raw.len() { "…" } else { "" };
    push(
        page,
        format_args!(
            "<div class=\"card\" id=\"{0}\"><p class=\"dim\"><code>{0}</code> · {1} · {2}</p><pre>{3}{more}</pre></div>\n",
            event.id,
            time(event.time),
            escape(&event.source),
            escape(&shown),
        ),
    );
}

fn steps(page: &mut String, investigation: &Investigation) {
    list(page, "How it was investigated", &investigation.steps, |page, step| {
        push(page, format_args!("<p><strong>{}</strong>: {}</p>\n", escape(&step.name), escape(&step.found)));
    });
}
