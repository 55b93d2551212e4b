//! What people are told of: the kinds, who hears of them, and the values that a text is made of. Nothing here decides
//! anything; a notice that never arrives changes nothing.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ActionId, PlanId, UserId};

/// Facts of one notice that are kept; more are counted.
pub const FACTS: usize = 40;
/// Characters of a value; the rest is cut.
pub const VALUE_CHARS: usize = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// Somebody has to say yes or no to a plan.
    ApprovalRequest,
    /// Nobody said yes or no to it in time. It is not a yes.
    Unanswered,
    /// A plan that needs no approval, or no more of them, and that policy wants told of.
    PlanAnnounced,
    /// A person set approvals or a freeze aside, with a reason.
    BreakGlass,
    FreezeOverridden,
    /// Automation may do less than before.
    AutonomyLowered,
    /// A plan ended, and not all of it was done, or none; or it was taken back.
    NotDone,
    UndoFailed,
    Drifted,
    Unverified,
    /// An effect of ours that no live action owns.
    Orphaned,
    AutomationHalted,
    AutomationResumed,
    /// Somebody set the server's clock: what waits is held.
    ClockSet,
    Test,
}

impl NoticeKind {
    pub const ALL: [Self; 15] = [
        Self::ApprovalRequest,
        Self::Unanswered,
        Self::PlanAnnounced,
        Self::BreakGlass,
        Self::FreezeOverridden,
        Self::AutonomyLowered,
        Self::NotDone,
        Self::UndoFailed,
        Self::Drifted,
        Self::Unverified,
        Self::Orphaned,
        Self::AutomationHalted,
        Self::AutomationResumed,
        Self::ClockSet,
        Self::Test,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApprovalRequest => "approval_request",
            Self::Unanswered => "unanswered",
            Self::PlanAnnounced => "plan_announced",
            Self::BreakGlass => "break_glass",
            Self::FreezeOverridden => "freeze_overridden",
            Self::AutonomyLowered => "autonomy_lowered",
            Self::NotDone => "not_done",
            Self::UndoFailed => "undo_failed",
            Self::Drifted => "drifted",
            Self::Unverified => "unverified",
            Self::Orphaned => "orphaned",
            Self::AutomationHalted => "automation_halted",
            Self::AutomationResumed => "automation_resumed",
            Self::ClockSet => "clock_set",
            Self::Test => "test",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Its own words, before anything that others wrote.
    pub const fn headline(self) -> &'static str {
        match self {
            Self::ApprovalRequest => "Approval needed",
            Self::Unanswered => "Nobody answered: the plan is not approved",
            Self::PlanAnnounced => "A plan goes ahead",
            Self::BreakGlass => "Break-glass: approvals were set aside",
            Self::FreezeOverridden => "A change freeze was overridden",
            Self::AutonomyLowered => "Automation was lowered",
            Self::NotDone => "A response was not carried out as planned",
            Self::UndoFailed => "An undo failed",
            Self::Drifted => "A response is no longer in force",
            Self::Unverified => "A response could not be verified",
            Self::Orphaned => "An effect of ours has no live action",
            Self::AutomationHalted => "Automation was halted",
            Self::AutomationResumed => "Automation was resumed",
            Self::ClockSet => "The clock was set: what waits is held",
            Self::Test => "A test of notifications",
        }
    }
}

/// Who hears of it. Who that is, is looked up when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Who may approve, but for the requester.
    Approvers,
    /// Those of them who are in a team of the plan's targets; all of them where no team has the targets.
    TeamApprovers,
    Administrators,
    Everyone,
    /// The members of a team.
    Team(String),
    Person(UserId),
}

impl Audience {
    /// As an obligation of policy names it; any other word is a team's name.
    pub fn of(word: &str) -> Self {
        match word {
            "approvers" => Self::Approvers,
            "administrators" => Self::Administrators,
            "everyone" => Self::Everyone,
            team => Self::Team(team.to_owned()),
        }
    }
}

/// One value, with our own word for it. The value may be anybody's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoticeFact {
    pub label: String,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notice {
    pub kind: NoticeKind,
    pub audience: Audience,
    /// 0 when it is new; each escalation is one more.
    pub step: u8,
    pub plan: Option<PlanId>,
    pub action: Option<ActionId>,
    /// Who did it or asked for it, as the ledger names them.
    pub by: String,
    pub facts: Vec<NoticeFact>,
    pub simulated: bool,
    pub demo: bool,
}

impl Notice {
    pub fn new(kind: NoticeKind, audience: Audience) -> Self {
        Self {
            kind,
            audience,
            step: 0,
            plan: None,
            action: None,
            by: String::new(),
            facts: Vec::new(),
            simulated: false,
            demo: false,
        }
    }

    /// Adds a value, cut to its limit; nothing for an empty one.
    #[must_use]
    pub fn with(mut self, label: &str, value: impl std::fmt::Display) -> Self {
        let value = value.to_string();
        if !value.is_empty() && self.facts.len() < FACTS {
            let short: String = value.chars().take(VALUE_CHARS).collect();
            let cut = short.len() < value.len();
            let value = if cut { format!("{short} [cut]") } else { short };
            self.facts.push(NoticeFact { label: label.to_owned(), value });
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_spelt_as_json_spells_it() {
        for kind in NoticeKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(NoticeKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(NoticeKind::parse("yes"), None);
    }

    #[test]
    fn a_long_value_is_cut_and_says_so() {
        let notice = Notice::new(NoticeKind::Drifted, Audience::Administrators).with("Why", "x".repeat(9_000));
        assert_eq!(notice.facts[0].value.chars().count(), VALUE_CHARS + " [cut]".len());
        let many = (0..100).fold(notice, |notice, number| notice.with("More", number));
        assert_eq!(many.facts.len(), FACTS);
    }
}
