//! What a client missed while it was away: frames made from the ledger's entries since its cursor.
//!
//! An entry names what it is about in clear, so no payload is opened. What an entry does not name (counts of ingest, dead
//! letters) is always said to have changed. Where the entries cannot tell all, the answer is that everything is to be read
//! again: a frame too many costs a reading, one too few leaves a page wrong.

use std::collections::BTreeMap;

use shieldops_model::{ActionId, AlertId, IncidentId, PlanId, TargetId};
use shieldops_store::{
    Access, Change, actions, alerts, incidents,
    ledger::{self, Trace},
    plans, targets,
};

use super::may_read;
use crate::{Problem, auth::Caller};

/// Entries that a client may be behind.
const ENTRIES: u32 = 2_000;
/// Objects that one answer names.
const OBJECTS: usize = 500;
/// Entries looked at before the cursor: two commits may be told in the other order.
const MARGIN: u64 = 16;
/// An entry of a batch names no more alerts than this.
const NAMED: usize = shieldops_pipeline::SUBJECTS;

/// What there is to tell.
pub(super) enum Missed {
    /// In the order of their entries. `seq` is the entry that touched the object last: asking again from there misses
    /// nothing.
    Frames(Vec<Change>),
    /// Too much, or more than the entries can tell.
    Everything,
}

/// What changed since the ledger had `since` entries, of the topics that the caller may read. `size` is what it has now.
pub(super) async fn since(caller: &Caller, since: u64, size: u64) -> Result<Missed, Problem> {
    let Some(behind) = size.checked_sub(since) else { return Ok(Missed::Everything) };
    if behind > u64::from(ENTRIES) {
        return Ok(Missed::Everything);
    }
    let from = since.saturating_sub(MARGIN);
    let mut reader = caller.scope.read().await?;
    let entries = ledger::since(&mut reader, from, ENTRIES.saturating_add(64)).await?;
    if behind > 0 && !entries.iter().all(tells_all) {
        return Ok(Missed::Everything);
    }
    let touched = touched(&entries);
    let mut frames = Vec::new();
    for ((kind, id), seq) in touched.into_iter().filter(|((kind, _), _)| may_read(&caller.rights, kind)) {
        if frames.len() == OBJECTS {
            return Ok(Missed::Everything);
        }
        let version = version(&mut reader, kind, &id).await?;
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        frames.push(Change { tenant: caller.principal.tenant, kind, id, version, seq });
    }
    frames.sort_by_key(|frame| frame.seq);
    for (kind, id) in [("ingest", "stats"), ("dead_letter", "new")] {
        if may_read(&caller.rights, kind) {
            frames.push(Change { tenant: caller.principal.tenant, kind, id: id.to_owned(), version: 0, seq: 0 });
        }
    }
    Ok(Missed::Frames(frames))
}

/// Whether an entry names all that changed with it: a merge moves alerts without naming them, and a large batch names its
/// first ones only.
fn tells_all(entry: &Trace) -> bool {
    entry.kind != "incident.merged" && entry.subjects.iter().filter(|id| id.starts_with("alt_")).count() < NAMED
}

/// Each object with the last entry about it.
fn touched(entries: &[Trace]) -> BTreeMap<(&'static str, String), u64> {
    let mut touched = BTreeMap::new();
    for entry in entries {
        for subject in &entry.subjects {
            if let Some(kind) = topic(subject) {
                touched.insert((kind, subject.clone()), entry.seq);
            }
            if subject.starts_with("inc_") && entry.kind.starts_with("investigation.") {
                touched.insert(("investigation", subject.clone()), entry.seq);
            }
        }
        if let Some((kind, id)) = whole(&entry.kind) {
            touched.insert((kind, id.to_owned()), entry.seq);
        }
    }
    touched
}

/// The topic of an object, by the prefix of its id.
fn topic(id: &str) -> Option<&'static str> {
    Some(match id.split_once('_')?.0 {
        "alt" => "alert",
        "inc" => "incident",
        "pln" => "plan",
        "act" => "action",
        "tgt" => "target",
        "tok" => "token",
        "usr" => "user",
        "rol" => "role",
        "key" => "key",
        "ivt" => "invitation",
        "gnt" => "grant",
        "job" => "job",
        _ => return None,
    })
}

/// Topics that are one object, as their own frames name it.
fn whole(kind: &str) -> Option<(&'static str, &'static str)> {
    let is = |beginning: &str| kind.starts_with(beginning);
    if ["rules.", "rule.", "exception.", "value_list.", "pipeline."].into_iter().any(is) {
        return Some(("rule", "all"));
    }
    if is("settings.") {
        return Some(("settings", "settings"));
    }
    let gate = ["automation.", "autonomy.", "gate_settings.", "gate_change.", "policy.", "standing_grant."];
    gate.into_iter().any(is).then_some(("automation", "automation"))
}

/// The version that the object has now; 0 for one that has none, or is gone.
async fn version(access: &mut impl Access, kind: &str, id: &str) -> Result<i64, Problem> {
    let version = match kind {
        "alert" => find_alert(access, id).await?,
        "incident" => find_incident(access, id).await?.map(|incident| incident.version),
        "investigation" => find_incident(access, id).await?.map(|incident| i64::from(incident.revision)),
        "plan" => match id.parse::<PlanId>() {
            Ok(id) => plans::find(access, id).await?.map(|plan| plan.version),
            Err(_) => None,
        },
        "action" => match id.parse::<ActionId>() {
            Ok(id) => actions::find(access, id).await?.map(|action| action.version),
            Err(_) => None,
        },
        "target" => match id.parse::<TargetId>() {
            Ok(id) => targets::find(access, id).await?.map(|target| target.version),
            Err(_) => None,
        },
        _ => None,
    };
    Ok(version.unwrap_or(0))
}

async fn find_alert(access: &mut impl Access, id: &str) -> Result<Option<i64>, Problem> {
    let Ok(id) = id.parse::<AlertId>() else { return Ok(None) };
    Ok(alerts::find(access, id).await?.map(|alert| alert.version))
}

async fn find_incident(access: &mut impl Access, id: &str) -> Result<Option<shieldops_model::Incident>, Problem> {
    let Ok(id) = id.parse::<IncidentId>() else { return Ok(None) };
    Ok(incidents::find(access, id).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, kind: &str, subjects: &[&str]) -> Trace {
        Trace { seq, kind: kind.into(), subjects: subjects.iter().map(|id| (*id).to_owned()).collect() }
    }

    #[test]
    fn each_object_is_told_once_at_its_last_entry() {
        let entries = [
            entry(4, "detection.committed", &["alt_1", "alt_2", "inc_1"]),
            entry(5, "investigation.revised", &["inc_1"]),
            entry(6, "alert.judged", &["alt_1"]),
            entry(7, "automation.halted", &[]),
            entry(8, "export.made", &["not_an_object_of_any_list"]),
            entry(9, "key.rotated", &["key_1"]),
            entry(10, "settings.changed", &["tnt_1"]),
            entry(11, "invitation.spent", &["ivt_1", "usr_1"]),
            entry(12, "role.updated", &["rol_1"]),
            entry(13, "grant.revoked", &["gnt_1"]),
            entry(14, "job.finished", &["job_1"]),
        ];
        let told: Vec<String> =
            touched(&entries).into_iter().map(|((kind, id), seq)| format!("{kind} {id} {seq}")).collect();
        assert_eq!(
            told,
            [
                "alert alt_1 6",
                "alert alt_2 4",
                "automation automation 7",
                "grant gnt_1 13",
                "incident inc_1 5",
                "investigation inc_1 5",
                "invitation ivt_1 11",
                "job job_1 14",
                "key key_1 9",
                "role rol_1 12",
                "settings settings 10",
                "user usr_1 11",
            ]
        );
    }

    #[test]
    fn an_entry_that_does_not_name_all_that_changed_means_everything() {
        let alerts: Vec<String> = (0..NAMED).map(|number| format!("alt_{number}")).collect();
        let mut named: Vec<&str> = alerts.iter().map(String::as_str).collect();
        assert!(!tells_all(&entry(1, "detection.committed", &named)));
        named.pop();
        assert!(tells_all(&entry(1, "detection.committed", &named)));
        assert!(!tells_all(&entry(1, "incident.merged", &["inc_1", "inc_2"])));
    }
}
