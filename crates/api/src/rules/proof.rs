//! What a rule of the tenant has to show before it may raise alerts: its samples come out right, and a backtest of this
//! version looked at all of its window. A person may do without, and says why.

use shieldops_model::{Code, Reason};
use shieldops_store::{Access, backtests};

use super::view::{Proof, Subject};
use crate::Problem;

pub(crate) async fn of(access: &mut impl Access, subject: &Subject) -> Result<Proof, Problem> {
    let backtest = backtests::proof(access, &subject.rule.id, &subject.rule.version).await?;
    let missing: Vec<String> = reasons(subject, backtest.is_some()).into_iter().map(|reason| reason.code).collect();
    Ok(Proof {
        backtest_at: backtest.as_ref().map(|test| test.at),
        backtest_events: backtest.as_ref().and_then(|test| Some(test.report.as_ref()?.events_in_window)),
        backtest: backtest.map(|test| test.id),
        ready: missing.is_empty(),
        missing,
    })
}

/// Refuses a rule that is not proved.
pub(crate) async fn check(access: &mut impl Access, subject: &Subject) -> Result<(), Problem> {
    let backtest = backtests::proof(access, &subject.rule.id, &subject.rule.version).await?;
    let errors = reasons(subject, backtest.is_some());
    if errors.is_empty() {
        return Ok(());
    }
    Err(Problem { errors, ..Problem::new(Code::RULE_NOT_PROVED, Code::RULE_NOT_PROVED.help) })
}

fn reasons(subject: &Subject, backtest: bool) -> Vec<Reason> {
    let reason = |code: &str, detail: String| Reason { code: code.to_owned(), detail };
    let mut missing = Vec::new();
    if subject.matches.is_empty() || subject.misses.is_empty() {
        missing.push(reason("tests_missing", "it needs a sample that it matches and one that it does not".to_owned()));
    }
    if subject.failed() > 0 {
        missing.push(reason("tests_failed", format!("{} samples do not come out as they should", subject.failed())));
    }
    if !backtest {
        let detail = format!("no backtest of version {} has looked at all of its window", subject.rule.version);
        missing.push(reason("backtest_missing", detail));
    }
    missing
}
