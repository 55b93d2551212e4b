//! What a set of policies would have decided of questions that were asked before. Open loop: the counters are as they
//! were then, so a plan that would have been denied still counts in the plans after it.

use serde::{Deserialize, Serialize};
use shieldops_model::{Decision, Reason};
use utoipa::ToSchema;

use crate::{Input, Policy};

/// The most differences that a report lists; all are counted.
const MAX_LISTED: usize = 200;

/// A question as it was kept, and what was decided of it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What it was about, for the report: the plan's id.
    pub name: String,
    /// The input with what was decided of it, if they can still be read; else why not.
    pub question: Result<(Input, Decision), String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PolicyComparison)]
pub struct ReplayReport {
    /// SHA-256 of the policies that were tried, hex.
    pub policy_hash: String,
    pub replayed: usize,
    pub same: usize,
    /// Allowed then, denied now.
    pub newly_denied: usize,
    /// Denied then, allowed now.
    pub newly_allowed: usize,
    /// Allowed both times, with other approvals, obligations or risk.
    pub otherwise: usize,
    /// Could not be asked again.
    pub not_replayable: usize,
    /// The first of those that are not the same, and of those that could not be asked.
    pub differences: Vec<Difference>,
    pub not_replayable_because: Vec<NotReplayable>,
    /// What a reader must know: `counters are as they were`.
    pub open_loop: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PolicyDifference)]
pub struct Difference {
    pub name: String,
    pub before: Side,
    pub after: Side,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PolicySide)]
pub struct Side {
    pub allow: bool,
    pub denies: Vec<Reason>,
    pub approvals_needed: u8,
    pub risk: shieldops_model::Risk,
    pub veto_window_s: Option<u64>,
    pub strong_session: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PolicyNotReplayable)]
pub struct NotReplayable {
    pub name: String,
    pub why: String,
}

/// Asks `policy` every question again.
pub fn replay(policy: &Policy, asked: impl IntoIterator<Item = Asked>) -> ReplayReport {
    let mut report = ReplayReport::of(policy);
    for asked in asked {
        report.ask(policy, asked);
    }
    report
}

impl ReplayReport {
    /// Of no question yet.
    pub fn of(policy: &Policy) -> Self {
        Self {
            policy_hash: policy.hash().to_owned(),
            replayed: 0,
            same: 0,
            newly_denied: 0,
            newly_allowed: 0,
            otherwise: 0,
            not_replayable: 0,
            differences: Vec::new(),
            not_replayable_because: Vec::new(),
            open_loop: true,
        }
    }

    /// Asks one question again.
    pub fn ask(&mut self, policy: &Policy, Asked { name, question }: Asked) {
        match question {
            Ok((input, decided)) => self.compare(name, &decided, &policy.evaluate(input).into_decision()),
            Err(why) => self.leave_out(name, why),
        }
    }

    fn compare(&mut self, name: String, before: &Decision, after: &Decision) {
        self.replayed += 1;
        let (before, after) = (Side::of(before), Side::of(after));
        let count = match (before.allow, after.allow) {
            _ if before == after => &mut self.same,
            (true, false) => &mut self.newly_denied,
            (false, true) => &mut self.newly_allowed,
            _ => &mut self.otherwise,
        };
        *count += 1;
        if before != after && self.differences.len() < MAX_LISTED {
            self.differences.push(Difference { name, before, after });
        }
    }

    fn leave_out(&mut self, name: String, why: String) {
        self.not_replayable += 1;
        if self.not_replayable_because.len() < MAX_LISTED {
            self.not_replayable_because.push(NotReplayable { name, why });
        }
    }
}

impl Side {
    fn of(decision: &Decision) -> Self {
        Self {
            allow: decision.allow,
            denies: decision.denies.clone(),
            approvals_needed: decision.approvals_needed,
            risk: decision.risk,
            veto_window_s: decision.obligations.veto_window_s,
            strong_session: decision.obligations.strong_session,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    fn asked(name: &str, input: Input) -> Asked {
        let decided = Policy::built_in().unwrap().evaluate(input.clone()).into_decision();
        Asked { name: name.to_owned(), question: Ok((input, decided)) }
    }

    fn tenant(rest: &str) -> Policy {
        Policy::with_tenant(&[("p.rego".to_owned(), format!("package tenant.p\n\n{rest}\n"))]).unwrap()
    }

    fn questions() -> Vec<Asked> {
        let drifted = asked("drifted", Input { drifted: true, ..example::block() });
        let halted = asked("halted", Input { automation_halted: true, ..example::block() });
        let lost = Asked { name: "lost".to_owned(), question: Err("its key is gone".to_owned()) };
        vec![asked("plain", example::block()), drifted, halted, lost]
    }

    #[test]
    fn the_same_policies_decide_the_same() {
        let report = replay(&Policy::built_in().unwrap(), questions());
        assert_eq!((report.replayed, report.same, report.not_replayable), (3, 3, 1));
        assert_eq!(report.differences, []);
        assert_eq!(report.not_replayable_because[0].why, "its key is gone");
        assert!(report.open_loop);
    }

    #[test]
    fn what_would_be_denied_or_decided_otherwise_is_listed() {
        let report = replay(
            &tenant(
                "deny contains \"no\" if input.drifted\n\nobligation contains {\"approvals\": 4, \"why\": \"w\"} if not input.drifted",
            ),
            questions(),
        );
        assert_eq!((report.newly_denied, report.otherwise, report.newly_allowed, report.same), (1, 2, 0, 0));
        let names: Vec<&str> = report.differences.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["plain", "drifted", "halted"]);
        assert_eq!(report.differences[1].after.denies[0].code, "tenant.p");
    }

    #[test]
    fn what_would_be_allowed_is_counted() {
        let policy = tenant("deny contains \"no\" if input.drifted");
        let input = Input { drifted: true, ..example::block() };
        let decided = policy.evaluate(input.clone()).into_decision();
        let report =
            replay(&Policy::built_in().unwrap(), [Asked { name: "p".to_owned(), question: Ok((input, decided)) }]);
        assert_eq!(report.newly_allowed, 1);
    }
}
