//! What there is to be permitted: permissions by stable name, sets of them, and the built-in roles. Rego is for actions
//! only; this and `decide` are the whole of the API's authorisation.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! permissions {
    ($($variant:ident $name:literal,)*) => {
        /// One thing that a route may ask for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
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
    IncidentExport "incident.export",
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
    SessionRead "session.read",
    SessionWrite "session.write",
    RoleRead "role.read",
    RoleWrite "role.write",
    KeyRead "key.read",
    KeyWrite "key.write",
    GrantRead "grant.read",
    GrantWrite "grant.write",
    SettingsRead "settings.read",
    SettingsWrite "settings.write",
    LedgerRead "ledger.read",
    LedgerExport "ledger.export",
    IngestRead "ingest.read",
    MetricsRead "metrics.read",
    UsageRead "usage.read",
    JobRead "job.read",
    TenantRead "tenant.read",
    TenantWrite "tenant.write",
}

impl Permission {
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.as_str() == name)
    }

    /// Changes nothing. An export reads, but takes data out of the house.
    pub const fn is_read(self) -> bool {
        matches!(
            self,
            Self::EventRead
                | Self::AlertRead
                | Self::IncidentRead
                | Self::PlanRead
                | Self::ActionRead
                | Self::AutomationRead
                | Self::RuleRead
                | Self::TargetRead
                | Self::TokenRead
                | Self::UserRead
                | Self::SessionRead
                | Self::RoleRead
                | Self::KeyRead
                | Self::GrantRead
                | Self::SettingsRead
                | Self::LedgerRead
                | Self::IngestRead
                | Self::MetricsRead
                | Self::UsageRead
                | Self::JobRead
                | Self::TenantRead
        )
    }

    pub const fn is_export(self) -> bool {
        matches!(self, Self::IncidentExport | Self::LedgerExport)
    }

    /// Of the installation, not of a tenant: only its operator has it, no role gives it.
    pub const fn is_installation(self) -> bool {
        matches!(self, Self::TenantRead | Self::TenantWrite)
    }

    /// Reaches the outside world through a target, so that a role may be limited to some environments of targets.
    pub const fn is_environmental(self) -> bool {
        matches!(self, Self::PlanCreate | Self::PlanApprove | Self::ActionUndo | Self::TargetWrite)
    }

    const fn bit(self) -> u64 {
        1 << (self as u8)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A set of permissions.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u64);

impl Permissions {
    pub const EMPTY: Self = Self(0);
    /// All that a tenant can give.
    pub const TENANT: Self =
        Self::of(Permission::ALL).minus(Self::of(&[Permission::TenantRead, Permission::TenantWrite]));

    pub const fn of(list: &[Permission]) -> Self {
        let (mut bits, mut rest) = (0, list);
        while let Some((first, others)) = rest.split_first() {
            bits |= first.bit();
            rest = others;
        }
        Self(bits)
    }

    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub const fn is_subset(self, of: Self) -> bool {
        self.0 & !of.0 == 0
    }

    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.contains(*permission))
    }

    /// The set of these names.
    ///
    /// # Errors
    /// The first name that no permission has.
    pub fn parse<S: AsRef<str>>(names: &[S]) -> Result<Self, String> {
        names.iter().try_fold(Self::EMPTY, |set, name| {
            let known = Permission::parse(name.as_ref()).ok_or_else(|| name.as_ref().to_owned())?;
            Ok(set.union(Self::of(&[known])))
        })
    }

    /// Of stored names, those that are known still: a permission that no longer exists gives nothing.
    pub fn known<S: AsRef<str>>(names: &[S]) -> Self {
        let known = names.iter().filter_map(|name| Permission::parse(name.as_ref()));
        known.fold(Self::EMPTY, |set, permission| set.union(Self::of(&[permission])))
    }

    pub fn names(self) -> Vec<&'static str> {
        self.iter().map(Permission::as_str).collect()
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// The built-in roles that a person can have, the widest first.
pub const ROLES: [&str; 5] = ["admin", "operator", "analyst", "auditor", "viewer"];
/// The role that can do all that a tenant has; a tenant always keeps one person who has it.
pub const ADMIN: &str = "admin";

/// Looks, and has tokens of their own: without one there is no command line. Another person's are not theirs to see or end.
const VIEWER: Permissions = Permissions::of(&[
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
    Permission::UsageRead,
    Permission::JobRead,
    Permission::TokenRead,
    Permission::TokenWrite,
]);

/// Works alerts, incidents and plans; does not decide who or what there is.
const ANALYST: Permissions = VIEWER.union(Permissions::of(&[
    Permission::AlertWrite,
    Permission::IncidentWrite,
    Permission::IncidentExport,
    Permission::PlanCreate,
    Permission::PlanApprove,
    Permission::ActionUndo,
    Permission::AutomationWrite,
    Permission::UserRead,
    Permission::RoleRead,
]));

/// An analyst who also decides what there is: targets and rules. Not who.
const OPERATOR: Permissions = ANALYST.union(Permissions::of(&[
    Permission::TargetWrite,
    Permission::RuleWrite,
    Permission::LedgerExport,
    Permission::SettingsRead,
]));

/// Sees all, people, keys and settings included, takes copies of the record, and changes nothing but tokens of their own.
const AUDITOR: Permissions = {
    let (mut set, mut rest) = (
        Permissions::of(&[Permission::IncidentExport, Permission::LedgerExport, Permission::TokenWrite]),
        Permission::ALL,
    );
    while let Some((first, others)) = rest.split_first() {
        if first.is_read() {
            set = set.union(Permissions::of(&[*first]));
        }
        rest = others;
    }
    set.minus(Permissions::of(&[Permission::TenantRead]))
};

const INGEST: Permissions = Permissions::of(&[Permission::EventWrite, Permission::MetricsRead]);

/// What a built-in role may do; a role that is not known may do nothing. `ingest` is the role of ingest tokens.
pub fn of_role(role: &str) -> Permissions {
    match role {
        ADMIN => Permissions::TENANT,
        "operator" => OPERATOR,
        "analyst" => ANALYST,
        "auditor" => AUDITOR,
        "viewer" => VIEWER,
        "ingest" => INGEST,
        _ => Permissions::EMPTY,
    }
}

pub fn allows(role: &str, permission: Permission) -> bool {
    of_role(role).contains(permission)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(permission: Permission) -> Vec<&'static str> {
        ROLES.into_iter().filter(|role| allows(role, permission)).collect()
    }

    #[test]
    fn a_viewer_changes_nothing_but_their_tokens_and_an_unknown_role_may_nothing() {
        let own = Permissions::of(&[Permission::TokenWrite]);
        assert!(of_role("viewer").minus(own).iter().all(Permission::is_read));
        assert!(of_role("root").is_empty() && of_role("").is_empty());
    }

    #[test]
    fn an_auditor_sees_people_keys_and_the_ledger_and_changes_nothing_but_their_tokens() {
        let auditor = of_role("auditor");
        for wanted in [Permission::UserRead, Permission::KeyRead, Permission::LedgerRead, Permission::LedgerExport] {
            assert!(auditor.contains(wanted), "{wanted}");
        }
        let own = Permissions::of(&[Permission::TokenWrite]);
        assert!(auditor.minus(own).iter().all(|permission| permission.is_read() || permission.is_export()));
        let reads = Permission::ALL.iter().filter(|permission| permission.is_read() && !permission.is_installation());
        assert_eq!(reads.filter(|permission| !auditor.contains(**permission)).count(), 0);
    }

    #[test]
    fn only_an_administrator_decides_who_there_is() {
        use Permission::{GrantWrite, KeyWrite, RoleWrite, SessionWrite, SettingsWrite, UserWrite};
        for permission in [UserWrite, RoleWrite, KeyWrite, GrantWrite, SessionWrite, SettingsWrite] {
            assert_eq!(who(permission), ["admin"], "{permission}");
        }
        assert_eq!(who(Permission::TargetWrite), ["admin", "operator"]);
        assert_eq!(who(Permission::RuleWrite), ["admin", "operator"]);
    }

    #[test]
    fn no_role_gives_what_is_the_installation_s() {
        for permission in Permission::ALL.iter().filter(|permission| permission.is_installation()) {
            assert_eq!(who(*permission), [""; 0]);
        }
        assert!(of_role("admin").contains(Permission::UserWrite));
    }

    #[test]
    fn a_wider_role_has_all_of_a_narrower_one() {
        for (narrow, wide) in
            [("viewer", "analyst"), ("analyst", "operator"), ("operator", "admin"), ("auditor", "admin")]
        {
            assert!(of_role(narrow).is_subset(of_role(wide)), "{narrow} and {wide}");
        }
    }

    #[test]
    fn an_ingest_token_may_send_events_and_read_nothing() {
        assert_eq!(of_role("ingest").names(), ["event.write", "metrics.read"]);
        assert!(!ROLES.contains(&"ingest"));
    }

    #[test]
    fn names_are_unique_and_say_what_kind_of_permission_it_is() {
        let mut names: Vec<_> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
        assert!(Permission::ALL.iter().all(|known| Permission::parse(known.as_str()) == Some(*known)));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Permission::ALL.len());
        for permission in Permission::ALL {
            let verb = permission.as_str().split_once('.').map_or("", |(_, verb)| verb);
            assert_eq!(
                (verb == "read", verb == "export"),
                (permission.is_read(), permission.is_export()),
                "{permission}"
            );
        }
    }

    #[test]
    fn a_set_reads_back_from_its_names_and_an_unknown_name_is_told() {
        for role in ROLES {
            let set = of_role(role);
            assert_eq!(Permissions::parse(&set.names()), Ok(set));
            assert_eq!(serde_json::to_value(set).unwrap(), serde_json::json!(set.names()));
        }
        assert_eq!(Permissions::parse(&["alert.read", "alert.fly"]), Err("alert.fly".to_owned()));
        assert_eq!(Permissions::known(&["alert.read", "alert.fly"]).names(), ["alert.read"]);
    }
}
