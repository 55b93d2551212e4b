//! Tenants: the states they pass, the names they may have, and the settings that each may make for itself.
//!
//! Pure: settings are checked here before they apply, against the base configuration that they inherit from.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Characters of a slug, and of a name.
const MAX_SLUG: usize = 40;
const MAX_NAME: usize = 100;
/// Pairs of permissions that may not be held together.
const MAX_PAIRS: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TenantState {
    Active,
    /// Reads stay; changes and actions stop, events are taken.
    Suspended,
    /// Nobody signs in, nothing acts; events are taken.
    Locked,
    /// As locked, and no events: it is shredded when its time of grace is over.
    Deleting,
    /// Shredded: key and rows are gone, the ledger's rows stay.
    Deleted,
}

/// What an operator may do to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TenantChange {
    Suspend,
    Resume,
    Lock,
    Unlock,
    ScheduleDeletion,
    CancelDeletion,
}

impl TenantState {
    pub const ALL: [Self; 5] = [Self::Active, Self::Suspended, Self::Locked, Self::Deleting, Self::Deleted];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Locked => "locked",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// The state after a change; nothing when the change does not fit. A tenant that was suspended when it was locked is
    /// suspended again when it is unlocked: whoever keeps the state remembers that. A deletion that is called off leaves the tenant
    /// suspended: whoever calls it off says when it works again.
    pub const fn after(self, change: TenantChange) -> Option<Self> {
        match (self, change) {
            (Self::Active, TenantChange::Suspend) | (Self::Deleting, TenantChange::CancelDeletion) => {
                Some(Self::Suspended)
            }
            (Self::Suspended, TenantChange::Resume) | (Self::Locked, TenantChange::Unlock) => Some(Self::Active),
            (Self::Active | Self::Suspended, TenantChange::Lock) => Some(Self::Locked),
            (Self::Active | Self::Suspended | Self::Locked, TenantChange::ScheduleDeletion) => Some(Self::Deleting),
            _ => None,
        }
    }
}

impl TenantChange {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::ScheduleDeletion => "schedule_deletion",
            Self::CancelDeletion => "cancel_deletion",
        }
    }
}

/// Whether a text can be a tenant's name in addresses and headers.
pub fn check_slug(slug: &str) -> Result<(), &'static str> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = slug.bytes().next().is_some_and(fits) && slug.bytes().last().is_some_and(fits);
    if slug.len() > MAX_SLUG || !ends || !slug.bytes().all(|byte| fits(byte) || byte == b'-') {
        return Err(
            "a slug has 1 to 40 lower-case letters, digits and dashes, and neither begins nor ends with a dash",
        );
    }
    Ok(())
}

/// Whether a text can be a tenant's name for people.
pub fn check_tenant_name(name: &str) -> Result<(), &'static str> {
    let characters = name.chars().count();
    if !(1..=MAX_NAME).contains(&characters) || name.chars().any(char::is_control) || name.trim() != name {
        return Err("a name has 1 to 100 printable characters and no space at either end");
    }
    Ok(())
}

/// What a tenant sets for itself; what is absent is inherited.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TenantSettings {
    /// Sessions without a second factor may do nothing but add one.
    pub require_second_factor: Option<bool>,
    /// A session that is not used for so long ends; 5 to 1440.
    pub session_idle_minutes: Option<u32>,
    /// A session ends after so long; 1 to 168.
    pub session_hours: Option<u32>,
    /// Days after which a personal token ends: what one gets, and the most that can be asked for; never more than the
    /// installation allows.
    pub token_days: Option<u32>,
    /// The role that an invitation proposes.
    pub default_role: Option<String>,
    /// Pairs of permissions that no one may hold together here.
    pub separation_of_duty: Vec<[String; 2]>,
    pub limits: TenantLimits,
}

/// Limits that a tenant may lower for itself, never raise.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TenantLimits {
    /// Requests a second of one principal.
    pub interactive_per_s: Option<u32>,
    /// Requests of one principal at once, after a pause.
    pub burst: Option<u32>,
    /// Bulk requests a second of one principal.
    pub batch_per_s: Option<u32>,
    /// Bytes of events a second of one principal.
    pub ingest_bytes_per_s: Option<u64>,
}

/// What the installation's configuration says, and what is in force once a tenant's settings are laid over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettingsBase {
    pub require_second_factor: bool,
    pub session_idle_minutes: u32,
    pub session_hours: u32,
    pub token_days: u32,
    pub default_role: String,
    pub interactive_per_s: u32,
    pub burst: u32,
    pub batch_per_s: u32,
    pub ingest_bytes_per_s: u64,
}

impl Default for SettingsBase {
    fn default() -> Self {
        Self {
            require_second_factor: false,
            session_idle_minutes: 60,
            session_hours: 12,
            token_days: 90,
            default_role: "viewer".to_owned(),
            interactive_per_s: 50,
            burst: 200,
            batch_per_s: 5,
            ingest_bytes_per_s: 250_000_000,
        }
    }
}

/// A setting that may not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SettingsProblem {
    /// `limits.burst`.
    pub field: String,
    pub detail: String,
}

impl TenantSettings {
    /// Every problem at once; none means that the settings may apply. What words are permissions and roles is the
    /// caller's to know.
    pub fn check(
        &self,
        base: &SettingsBase,
        is_permission: &dyn Fn(&str) -> bool,
        is_role: &dyn Fn(&str) -> bool,
    ) -> Vec<SettingsProblem> {
        let mut found = Vec::new();
        within(&mut found, "session_idle_minutes", self.session_idle_minutes, 5, 1_440);
        within(&mut found, "session_hours", self.session_hours, 1, 168);
        at_most(&mut found, "token_days", self.token_days, base.token_days);
        if let Some(role) = self.default_role.as_deref().filter(|role| !is_role(role)) {
            found.push(problem("default_role", format!("there is no role `{role}`")));
        }
        if base.require_second_factor && self.require_second_factor == Some(false) {
            let detail = "the installation requires a second factor; a tenant may not waive it".to_owned();
            found.push(problem("require_second_factor", detail));
        }
        self.check_pairs(&mut found, is_permission);
        let limits = &self.limits;
        at_most(&mut found, "limits.interactive_per_s", limits.interactive_per_s, base.interactive_per_s);
        at_most(&mut found, "limits.burst", limits.burst, base.burst);
        at_most(&mut found, "limits.batch_per_s", limits.batch_per_s, base.batch_per_s);
        at_most(&mut found, "limits.ingest_bytes_per_s", limits.ingest_bytes_per_s, base.ingest_bytes_per_s);
        found
    }

    fn check_pairs(&self, found: &mut Vec<SettingsProblem>, is_permission: &dyn Fn(&str) -> bool) {
        const FIELD: &str = "separation_of_duty";
        if self.separation_of_duty.len() > MAX_PAIRS {
            let detail = format!("at most {MAX_PAIRS} pairs, found {}", self.separation_of_duty.len());
            return found.push(problem(FIELD, detail));
        }
        for [one, other] in &self.separation_of_duty {
            for word in [one, other].into_iter().filter(|word| !is_permission(word)) {
                let shown: String = word.chars().take(64).collect();
                found.push(problem(FIELD, format!("there is no permission `{shown}`")));
            }
            if one == other {
                found.push(problem(FIELD, format!("a pair is two permissions, found `{one}` twice")));
            }
        }
    }

    /// What is in force: these settings over the base.
    #[must_use]
    pub fn effective(&self, base: &SettingsBase) -> SettingsBase {
        SettingsBase {
            require_second_factor: base.require_second_factor || self.require_second_factor == Some(true),
            session_idle_minutes: self.session_idle_minutes.unwrap_or(base.session_idle_minutes),
            session_hours: self.session_hours.unwrap_or(base.session_hours),
            token_days: lower(self.token_days, base.token_days),
            default_role: self.default_role.clone().unwrap_or_else(|| base.default_role.clone()),
            interactive_per_s: lower(self.limits.interactive_per_s, base.interactive_per_s),
            burst: lower(self.limits.burst, base.burst),
            batch_per_s: lower(self.limits.batch_per_s, base.batch_per_s),
            ingest_bytes_per_s: lower(self.limits.ingest_bytes_per_s, base.ingest_bytes_per_s),
        }
    }
}

/// The base may have been lowered since the tenant chose.
fn lower<T: Ord + Copy>(chosen: Option<T>, base: T) -> T {
    chosen.map_or(base, |chosen| chosen.min(base))
}

fn problem(field: &'static str, detail: String) -> SettingsProblem {
    SettingsProblem { field: field.to_owned(), detail }
}

fn within(found: &mut Vec<SettingsProblem>, field: &'static str, value: Option<u32>, least: u32, most: u32) {
    if let Some(value) = value.filter(|value| !(least..=most).contains(value)) {
        found.push(problem(field, format!("want {least} to {most}, found {value}")));
    }
}

fn at_most<T>(found: &mut Vec<SettingsProblem>, field: &'static str, value: Option<T>, base: T)
where
    T: PartialOrd + Copy + From<u8> + std::fmt::Display,
{
    if let Some(value) = value.filter(|value| *value < T::from(1) || *value > base) {
        found.push(problem(field, format!("want 1 to {base}, which the installation allows, found {value}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(settings: &TenantSettings) -> Vec<String> {
        let found = settings.check(&SettingsBase::default(), &|word| word.contains('.'), &|role| role == "viewer");
        found.into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn only_changes_that_fit_the_state_have_a_next_one() {
        use TenantChange::{CancelDeletion, Lock, Resume, ScheduleDeletion, Suspend, Unlock};
        assert_eq!(TenantState::Active.after(Suspend), Some(TenantState::Suspended));
        assert_eq!(TenantState::Deleting.after(CancelDeletion), Some(TenantState::Suspended));
        assert_eq!(TenantState::Locked.after(Resume), None);
        for change in [Suspend, Resume, Lock, Unlock, ScheduleDeletion, CancelDeletion] {
            assert_eq!(TenantState::Deleted.after(change), None, "{}", change.as_str());
        }
        for state in TenantState::ALL {
            assert_eq!(TenantState::parse(state.as_str()), Some(state));
        }
    }

    #[test]
    fn slugs_and_names_are_checked() {
        for slug in ["a", "acme", "acme-2", "0-0", &"x".repeat(40)] {
            assert_eq!(check_slug(slug), Ok(()), "{slug}");
        }
        for slug in ["", "-a", "a-", "A", "ä", "a b", "a_b", "tnt_1", &"x".repeat(41)] {
            assert!(check_slug(slug).is_err(), "{slug}");
        }
        assert!(check_tenant_name("Äcme & Söhne").is_ok());
        for name in ["", " a", "a ", "a\nb", &"x".repeat(101)] {
            assert!(check_tenant_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn settings_that_may_not_be_are_all_named_at_once() {
        assert!(fields(&TenantSettings::default()).is_empty());
        let wrong = TenantSettings {
            session_idle_minutes: Some(4),
            session_hours: Some(169),
            token_days: Some(91),
            default_role: Some("god".into()),
            separation_of_duty: vec![["plan.create".into(), "nonsense".into()], ["a.b".into(), "a.b".into()]],
            limits: TenantLimits { burst: Some(201), batch_per_s: Some(0), ..Default::default() },
            ..Default::default()
        };
        assert_eq!(
            fields(&wrong),
            [
                "session_idle_minutes",
                "session_hours",
                "token_days",
                "default_role",
                "separation_of_duty",
                "separation_of_duty",
                "limits.burst",
                "limits.batch_per_s"
            ]
        );
    }

    #[test]
    fn a_tenant_may_be_stricter_than_the_base_and_never_laxer() {
        let strict = SettingsBase { require_second_factor: true, burst: 10, ..Default::default() };
        let lax = TenantSettings {
            require_second_factor: Some(false),
            limits: TenantLimits { burst: Some(100), batch_per_s: Some(1), ..Default::default() },
            ..Default::default()
        };
        assert_eq!(lax.check(&strict, &|_| true, &|_| true).len(), 2);
        let effective = lax.effective(&strict);
        assert_eq!((effective.require_second_factor, effective.burst, effective.batch_per_s), (true, 10, 1));
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        assert!(serde_json::from_str::<TenantSettings>(r#"{"session_houres": 3}"#).is_err());
        assert_eq!(serde_json::from_str::<TenantSettings>("{}").unwrap(), TenantSettings::default());
    }
}
