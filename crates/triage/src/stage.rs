//! How far an attack is: getting in, or acting once inside.

use shieldops_model::{Alert, Attack, attack};

/// Tactics of someone who is still outside.
const ACCESS: [&str; 4] = ["reconnaissance", "resource-development", "initial-access", "credential-access"];
/// Techniques that rules tag with later tactics although they are ways in: valid accounts, guessing, exposed services.
const WAYS_IN: [&str; 5] = ["T1078", "T1110", "T1133", "T1190", "T1595"];

pub(crate) fn has_technique(attack: &Attack, wanted: &str) -> bool {
    let is = |technique: &String| {
        technique.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    attack.techniques.iter().any(is)
}

/// Signs of getting in: an access tactic or a technique that is a way in.
pub(crate) fn is_access(attack: &Attack) -> bool {
    let tactic = attack.tactics.iter().any(|tactic| ACCESS.contains(&tactic.as_str()));
    let dumps = !attack.techniques.is_empty() && !only_ways_in(attack) && attack.tactics == ["credential-access"];
    (tactic && !dumps) || WAYS_IN.iter().any(|technique| has_technique(attack, technique))
}

/// Signs of acting inside: a later tactic that is not there merely because the way in serves it too, or credentials read
/// from the machine itself.
pub(crate) fn is_inside(attack: &Attack) -> bool {
    if !attack.techniques.is_empty() && only_ways_in(attack) {
        return false;
    }
    let later = |tactic: &String| !ACCESS.contains(&tactic.as_str()) && attack::rank(tactic).is_some();
    let dumps = attack.tactics.iter().any(|tactic| tactic == "credential-access") && !attack.techniques.is_empty();
    attack.tactics.iter().any(later) || dumps
}

fn only_ways_in(attack: &Attack) -> bool {
    let is_way = |technique: &String| {
        let root = technique.split('.').next().unwrap_or(technique);
        WAYS_IN.contains(&root)
    };
    attack.techniques.iter().all(is_way)
}

/// Guessing passwords.
pub(crate) fn is_guessing(alert: &Alert) -> bool {
    has_technique(&alert.attack, "T1110")
}

/// Signing in with an account.
pub(crate) fn is_sign_in(alert: &Alert) -> bool {
    has_technique(&alert.attack, "T1078") && !is_guessing(alert)
}

/// Attacking a web application.
pub(crate) fn is_web(alert: &Alert) -> bool {
    has_technique(&alert.attack, "T1190") || has_technique(&alert.attack, "T1595")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attack(tactics: &[&str], techniques: &[&str]) -> Attack {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Attack { tactics: owned(tactics), techniques: owned(techniques) }
    }

    #[test]
    fn ways_in_are_not_taken_for_acts_inside() {
        for (tactics, techniques, access, inside) in [
            (&["credential-access"][..], &["T1110.003"][..], true, false),
            (&["initial-access", "persistence", "privilege-escalation"], &["T1078"], true, false),
            (&["initial-access"], &["T1190"], true, false),
            (&["credential-access"], &["T1003.008"], false, true),
            (&["persistence"], &["T1053.003"], false, true),
            (&["execution"], &[], false, true),
            (&["no-such-tactic"], &[], false, false),
            (&[], &[], false, false),
        ] {
            let attack = attack(tactics, techniques);
            assert_eq!((is_access(&attack), is_inside(&attack)), (access, inside), "{attack:?}");
        }
    }

    #[test]
    fn a_technique_is_found_by_its_root_only_at_a_dot() {
        let attack = attack(&[], &["T1110.003"]);
        assert!(has_technique(&attack, "T1110"));
        assert!(!has_technique(&attack, "T111"));
    }
}
