//! What the policies answered, checked: an answer that contradicts itself or has another shape is no answer.

use serde::Deserialize;
use shieldops_model::{Obligations, Reason, Risk, RiskTerm};

/// The most approvals a policy may ask for.
const MAX_APPROVALS: u8 = 10;
/// The longest veto window that a policy may ask for, in seconds.
const MAX_VETO_WINDOW_S: u64 = 30 * 86_400;
/// The most reasons, and the most obligations, of one answer.
const MAX_REASONS: usize = 200;
/// The longest text of a tenant's policy, in characters; the rest is cut.
const MAX_TEXT: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub(super) allow: bool,
    pub(super) denies: Vec<Reason>,
    pub(super) approvals_needed: u8,
    pub(super) risk: Risk,
    pub(super) risk_terms: Vec<RiskTerm>,
    pub(super) obligations: Obligations,
    pub(super) controls: Vec<String>,
    tenant: Tenant,
}

/// What the tenant's own policies add.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tenant {
    denies: Vec<TenantDeny>,
    obligations: Vec<TenantObligation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantDeny {
    policy: String,
    reason: Said,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Text(String),
    Reason(Reason),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantObligation {
    policy: String,
    obligation: Owed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Owed {
    #[serde(default)]
    approvals: u8,
    notify: Option<String>,
    veto_window_s: Option<u64>,
    #[serde(default)]
    strong_session: bool,
    why: String,
}

/// Puts in what the tenant adds, and refuses what cannot be.
pub(super) fn checked(mut answer: Answer) -> Result<Answer, String> {
    if answer.allow != answer.denies.is_empty() {
        return Err("the decision contradicts its reasons".to_owned());
    }
    let tenant = std::mem::take(&mut answer.tenant);
    for deny in tenant.denies {
        answer.denies.push(deny.reason());
        answer.allow = false;
    }
    for owed in tenant.obligations {
        owe(&mut answer, owed);
    }
    if answer.approvals_needed > MAX_APPROVALS {
        return Err("the decision asks for too many approvals".to_owned());
    }
    if answer.obligations.veto_window_s.is_some_and(|window| window > MAX_VETO_WINDOW_S) {
        return Err("the decision asks for too long a veto window".to_owned());
    }
    if answer.denies.len().max(answer.obligations.because.len()).max(answer.obligations.notify.len()) > MAX_REASONS {
        return Err("the decision has too many reasons".to_owned());
    }
    answer.denies.sort();
    answer.denies.dedup();
    answer.obligations.notify.sort();
    answer.obligations.notify.dedup();
    Ok(answer)
}

impl TenantDeny {
    fn reason(self) -> Reason {
        let (code, detail) = match self.reason {
            Said::Text(detail) => (format!("tenant.{}", self.policy), detail),
            Said::Reason(reason) => (format!("tenant.{}.{}", self.policy, cut(&reason.code)), reason.detail),
        };
        Reason { code, detail: cut(&detail) }
    }
}

/// Only ever adds. A broken glass replaces a tenant's approvals like all others, and nothing else of it.
fn owe(answer: &mut Answer, owed: TenantObligation) {
    let TenantObligation { policy, obligation } = owed;
    let broken = answer.obligations.because.iter().any(|reason| reason.code == "break_glass");
    if !broken {
        answer.approvals_needed = answer.approvals_needed.max(obligation.approvals);
    }
    let all = &mut answer.obligations;
    all.veto_window_s = all.veto_window_s.max(obligation.veto_window_s);
    all.strong_session |= obligation.strong_session;
    all.notify.extend(obligation.notify.map(|who| cut(&who)));
    all.because.push(Reason { code: format!("tenant.{policy}"), detail: cut(&obligation.why) });
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

pub(super) fn refusal(why: String) -> Answer {
    Answer {
        allow: false,
        denies: vec![Reason { code: "policy_error".to_owned(), detail: why }],
        approvals_needed: 2,
        risk: Risk::Critical,
        risk_terms: Vec::new(),
        obligations: Obligations { strong_session: true, ..Obligations::default() },
        controls: Vec::new(),
        tenant: Tenant::default(),
    }
}
