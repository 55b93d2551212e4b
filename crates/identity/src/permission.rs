//! Who may do what: permissions by stable name, and the roles that have them. Rego is for actions only; this is the whole
//! of the API's authorisation.

use std::fmt;

macro_rules! permissions {
    ($($variant:ident $name:literal,)*) => {
        /// One thing that a route may ask for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Permission { $($variant),* }

        impl Permission {
            /// Every permission, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable name, as `/me` lists it and errors cite it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

permissions! {
    EventRead "event.read",
    EventWrite "event.write",
    AlertRead "alert.read",
    AlertWrite "alert.write",
    IncidentRead "incident.read",
    IncidentWrite "incident.write",
    PlanRead "plan.read",
    PlanCreate "plan.create",
    PlanApprove "plan.approve",
    ActionRead "action.read",
    ActionUndo "action.undo",
    AutomationRead "automation.read",
    AutomationWrite "automation.write",
    RuleRead "rule.read",
    RuleWrite "rule.write",
    TargetRead "target.read",
    TargetWrite "target.write",
    TokenRead "token.read",
    TokenWrite "token.write",
    UserRead "user.read",
    UserWrite "user.write",
    LedgerRead "ledger.read",
    IngestRead "ingest.read",
    MetricsRead "metrics.read",
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The roles that a person can have.
pub const ROLES: [&str; 3] = ["admin", "analyst", "viewer"];

const VIEWER: &[Permission] = &[
    Permission::EventRead,
    Permission::AlertRead,
    Permission::IncidentRead,
    Permission::PlanRead,
    Permission::ActionRead,
    Permission::AutomationRead,
    Permission::RuleRead,
    Permission::TargetRead,
    Permission::LedgerRead,
    Permission::IngestRead,
    Permission::MetricsRead,
];

/// Works alerts, incidents and plans; does not decide who or what there is.
const ANALYST: &[Permission] = &[
    Permission::EventRead,
    Permission::AlertRead,
    Permission::AlertWrite,
    Permission::IncidentRead,
    Permission::IncidentWrite,
    Permission::PlanRead,
    Permission::PlanCreate,
    Permission::PlanApprove,
    Permission::ActionRead,
    Permission::ActionUndo,
    Permission::AutomationRead,
    Permission::AutomationWrite,
    Permission::RuleRead,
    Permission::TargetRead,
    Permission::TokenRead,
    Permission::TokenWrite,
    Permission::UserRead,
    Permission::LedgerRead,
    Permission::IngestRead,
    Permission::MetricsRead,
];

const INGEST: &[Permission] = &[Permission::EventWrite, Permission::MetricsRead];

/// What a role may do; a role that is not known may do nothing. `ingest` is the role of ingest tokens.
pub fn of_role(role: &str) -> &'static [Permission] {
    match role {
        "admin" => Permission::ALL,
        "analyst" => ANALYST,
        "viewer" => VIEWER,
        "ingest" => INGEST,
        _ => &[],
    }
}

pub fn allows(role: &str, permission: Permission) -> bool {
    of_role(role).contains(&permission)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_changes_nothing_and_an_unknown_role_may_nothing() {
        assert!(
            of_role("viewer")
                .iter()
                .all(|permission| permission.as_str().split_once('.').is_some_and(|(_, verb)| verb == "read"))
        );
        assert!(of_role("root").is_empty() && of_role("").is_empty());
    }

    #[test]
    fn only_an_administrator_decides_who_and_what_there_is() {
        for permission in [Permission::UserWrite, Permission::TargetWrite, Permission::RuleWrite] {
            let who: Vec<_> = ROLES.into_iter().filter(|role| allows(role, permission)).collect();
            assert_eq!(who, ["admin"]);
        }
    }

    #[test]
    fn an_ingest_token_may_send_events_and_read_nothing() {
        assert_eq!(of_role("ingest"), [Permission::EventWrite, Permission::MetricsRead]);
        assert!(!ROLES.contains(&"ingest"));
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Permission::ALL.len());
    }
}
