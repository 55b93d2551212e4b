//! What the proofs of the network capabilities share: a stand-in's packet filter emptied, pictured and meddled with.

use serde_json::{Value, json};
use shieldops_model::Target;
use shieldops_respond::{Draw, Fault};

use super::{
    Linux,
    nft::{self, FAMILY},
    target::Access,
};

/// A table that somebody else has on the host; the simulator has none but ours.
const STRANGER: &str = "shop";

/// Only what stands in for a host may be put into a state.
pub(super) fn stand_in(target: &Target) -> Result<(), Fault> {
    if target.name.starts_with("sim/") || target.name.starts_with("twin/") {
        return Ok(());
    }
    Err(Fault::Refused(format!("{} is a real host: nothing is tried on it", target.name)))
}

impl Linux {
    /// A stand-in whose packet filter is empty, or has a stranger's table.
    pub(super) async fn fresh(&self, target: &Target, draw: &mut Draw) -> Result<Access, Fault> {
        stand_in(target)?;
        let access = self.access(target)?;
        self.flush(&access).await?;
        if matches!(access, Access::Real { .. }) && draw.coin() {
            let chain = json!({"family": FAMILY, "table": STRANGER, "name": "input", "type": "filter", "hook": "input", "prio": 0, "policy": "accept"});
            let rule = json!({"family": FAMILY, "table": STRANGER, "chain": "input", "expr": [{"counter": {"packets": 0, "bytes": 0}}, {"accept": null}]});
            let made = json!([{"add": {"table": {"family": FAMILY, "name": STRANGER}}}, {"add": {"chain": chain}}, {"add": {"rule": rule}}]);
            self.batch(&access, &json!({"nftables": made}), None).await?;
        }
        Ok(access)
    }

    /// Every table of a stand-in, in one order, without handles, counters and running timers.
    pub(super) async fn picture(&self, target: &Target) -> Result<Value, Fault> {
        stand_in(target)?;
        let listed = self.ruleset(&self.access(target)?).await?;
        let mut objects: Vec<Value> = listed["nftables"].as_array().cloned().unwrap_or_default();
        objects.retain(|object| object.get("metainfo").is_none());
        objects.iter_mut().for_each(still);
        // Rules of one chain keep their order: the sort is stable.
        objects.sort_by_cached_key(place);
        Ok(Value::Array(objects))
    }
}

/// Takes out what runs or is numbered, and puts elements in order.
fn still(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for running in ["handle", "expires"] {
                fields.remove(running);
            }
            if let Some(counter) = fields.get_mut("counter").filter(|counter| counter.is_object()) {
                *counter = Value::Null;
            }
            fields.values_mut().for_each(still);
            if let Some(Value::Array(elements)) = fields.get_mut("elem") {
                elements.sort_by_cached_key(Value::to_string);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(still),
        _ => {}
    }
}

/// Where an object stands: tables, then their sets, chains and rules.
fn place(object: &Value) -> String {
    let Some((kind, body)) = object.as_object().and_then(|object| object.iter().next()) else { return String::new() };
    let word = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    match kind.as_str() {
        "rule" => format!("rule {} {}", word("table"), word("chain")),
        kind => format!("{kind} {} {}", word("table"), word("name")),
    }
}

/// How somebody else may change an element of ours, or put one where there is none.
pub(super) fn meddle(there: Option<&nft::Element>, (table, set): (&str, &str), value: &str, draw: &mut Draw) -> Value {
    let delete = nft::elements("delete", table, set, json!([value]));
    let create =
        |timeout, comment: &str| nft::elements("create", table, set, json!([nft::element(value, timeout, comment)]));
    let batch = match (there, draw.below(4)) {
        (None, _) => vec![create(None, "by hand")],
        (Some(_), 0) => vec![delete],
        (Some(_), 1) => vec![delete, create(None, "by hand")],
        (Some(element), 2) if element.remaining_s.is_some() => {
            vec![delete, create(None, element.comment.as_deref().unwrap_or_default())]
        }
        (Some(_), _) => vec![nft::delete_table(table)],
    };
    json!({"nftables": batch})
}

/// How long a staged effect is to last.
pub(super) fn some_time(draw: &mut Draw) -> Option<u64> {
    draw.coin().then(|| 60 + draw.below(7200))
}
