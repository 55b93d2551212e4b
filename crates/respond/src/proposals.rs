//! When two proposals are the same: by what they would do, and nothing else.

use serde_json::{Value, json};
use shieldops_model::TargetRef;
use shieldops_policy::canonical;

/// The idempotence key of proposed actions: capability, target and canonical parameters, in order.
pub fn proposal_key<'a>(actions: impl IntoIterator<Item = (&'a str, &'a TargetRef, &'a Value)>) -> String {
    let actions: Vec<Value> = actions
        .into_iter()
        .map(|(capability, target, params)| json!({"capability": capability, "kind": target.kind, "name": target.name, "params": params}))
        .collect();
    canonical::hash(&Value::Array(actions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_actions_have_one_key_and_any_other_has_its_own() {
        let demo = TargetRef { kind: "linux_host".to_owned(), name: "twin/demo".to_owned() };
        let local = TargetRef { name: "local".to_owned(), ..demo.clone() };
        let params = json!({"address": "203.0.113.66"});
        let key = proposal_key([("linux.block_ip", &demo, &params)]);
        assert_eq!(key, proposal_key([("linux.block_ip", &demo, &json!({"address": "203.0.113.66"}))]));
        assert_ne!(key, proposal_key([("linux.block_ip", &local, &params)]));
        assert_ne!(key, proposal_key([("linux.block_ip", &demo, &json!({"address": "203.0.113.67"}))]));
        assert_ne!(key, proposal_key([("linux.block_ip", &demo, &params), ("linux.block_ip", &demo, &params)]));
    }
}
