//! The decision as a table, and what must hold for every one: denied by default, monotone, never wider than the granter.

use proptest::{prelude::*, sample::subsequence};
use shieldops_model::TenantState;
use shieldops_store::KeyFacts;

use super::*;
use crate::{bounds, permission::ROLES};

const PRODUCTION: &[Environment] = &[Environment::Production];
const STAGING: &[Environment] = &[Environment::Staging];
const ENVIRONMENTS: [Environment; 3] = [Environment::Development, Environment::Staging, Environment::Production];

fn said(rights: &Rights, permission: Permission, environments: Option<&[Environment]>) -> String {
    authorise(rights, permission, environments).to_string()
}

#[test]
fn every_decision_says_which_rule_allowed_or_denied() {
    use Permission::{AlertRead, AlertWrite, PlanApprove, TenantWrite, UserWrite};
    let night = Rights::custom("night-shift", Permissions::of(&[AlertRead, PlanApprove]), Some(STAGING.to_vec()));
    let msp = Rights::built_in("analyst").granted("gnt_1");
    for (rights, permission, environments, wanted) in [
        (&Rights::built_in("analyst"), AlertWrite, None, "`alert.write` is allowed by role analyst"),
        (
            &Rights::built_in("viewer"),
            AlertWrite,
            None,
            "`alert.write` is denied by role viewer, which does not give it",
        ),
        (
            &night,
            PlanApprove,
            Some(STAGING),
            "`plan.approve` is allowed by custom role night-shift, environments staging",
        ),
        (
            &night,
            PlanApprove,
            Some(PRODUCTION),
            "`plan.approve` is denied by custom role night-shift, environments staging: production is outside",
        ),
        (&msp, AlertWrite, None, "`alert.write` is allowed by grant gnt_1 as analyst"),
        (
            &msp.clone().in_state(TenantState::Suspended),
            AlertWrite,
            None,
            "`alert.write` is denied by tenant suspended",
        ),
        (
            &Rights::built_in("admin"),
            TenantWrite,
            None,
            "`tenant.write` is denied by not the operator of the installation",
        ),
        (&Rights::of_host(), TenantWrite, None, "`tenant.write` is allowed by operator of the installation"),
        (&Rights::built_in("admin"), UserWrite, None, "`user.write` is allowed by role admin"),
    ] {
        assert_eq!(said(rights, permission, environments), wanted);
    }
}

#[test]
fn the_state_of_a_tenant_takes_away_and_the_answer_names_it() {
    use Permission::{ActionUndo, AlertRead, AlertWrite, EventWrite, LedgerExport};
    use TenantState::{Active, Deleted, Deleting, Locked, Suspended};
    let code =
        |role: &str, state, permission| authorise(&Rights::built_in(role).in_state(state), permission, None).code;
    for (state, permission, wanted) in [
        (Active, AlertWrite, None),
        (Suspended, AlertRead, None),
        (Suspended, LedgerExport, None),
        (Suspended, AlertWrite, Some(Code::TENANT_SUSPENDED)),
        (Suspended, ActionUndo, Some(Code::TENANT_SUSPENDED)),
        (Locked, AlertRead, Some(Code::TENANT_LOCKED)),
        (Deleting, AlertRead, Some(Code::TENANT_LOCKED)),
        (Deleted, AlertRead, Some(Code::TENANT_LOCKED)),
    ] {
        assert_eq!(code("admin", state, permission), wanted, "{state:?} {permission}");
    }
    for (state, wanted) in [(Suspended, None), (Locked, None), (Deleting, Some(Code::TENANT_LOCKED))] {
        assert_eq!(code("ingest", state, EventWrite), wanted, "{state:?}");
    }
    for (state, wanted) in [(Suspended, true), (Locked, true), (Deleting, false)] {
        let operator = Rights::of_host().in_state(state);
        assert_eq!(authorise(&operator, ActionUndo, None).allowed, wanted, "what is in force is taken back: {state:?}");
        assert!(!authorise(&operator, AlertWrite, None).allowed, "{state:?}");
    }
    assert!(authorise(&Rights::of_host().in_state(Locked), Permission::TenantWrite, None).allowed);
    assert!(signed_in(&Rights::of_host().in_state(Locked)).is_ok());
    for (state, why) in [(Locked, "the tenant is locked"), (Deleting, "the tenant is being deleted")] {
        let refused = signed_in(&Rights::built_in("admin").in_state(state)).unwrap_err();
        assert_eq!(refused.code(), Code::TENANT_LOCKED);
        assert!(refused.to_string().ends_with(why), "of no permission, which nobody asked for: {refused}");
    }
}

#[test]
fn what_only_stops_something_may_be_done_in_a_suspended_tenant_and_in_no_other_that_is_closed() {
    use Permission::{AutomationWrite, PlanApprove};
    use TenantState::{Active, Deleted, Deleting, Locked, Suspended};
    let allowed =
        |role: &str, state| authorise(&Rights::built_in(role).in_state(state).to_stop(), PlanApprove, None).allowed;
    for (state, wanted) in [(Active, true), (Suspended, true), (Locked, false), (Deleting, false), (Deleted, false)] {
        assert_eq!(allowed("analyst", state), wanted, "{state:?}");
    }
    assert!(!allowed("viewer", Suspended), "it gives nobody a permission");
    let due = Rights { second_factor_due: true, ..Rights::built_in("admin") }.in_state(Suspended).to_stop();
    assert!(!authorise(&due, AutomationWrite, None).allowed);
}

#[test]
fn a_session_without_a_required_second_factor_may_nothing_but_its_own_account() {
    let rights = Rights { second_factor_due: true, ..Rights::built_in("admin") };
    let refused = authorise(&rights, Permission::AlertRead, None);
    assert_eq!((refused.allowed, refused.code), (false, Some(Code::SECOND_FACTOR_NEEDED_HERE)));
    assert!(signed_in(&rights).is_ok());
    let operator = Rights { second_factor_due: true, ..Rights::of_host() };
    assert!(!authorise(&operator, Permission::TenantWrite, None).allowed, "nor runs the installation");
}

#[test]
fn a_limit_to_environments_is_shown_where_it_matters() {
    let rights = Rights::custom("night", permission::of_role("analyst"), Some(STAGING.to_vec()));
    let shown: Vec<_> = all(&rights).into_iter().filter(|one| one.environments.is_some()).collect();
    assert_eq!(
        shown.iter().map(|one| one.permission.as_str()).collect::<Vec<_>>(),
        ["plan.create", "plan.approve", "action.undo"]
    );
    assert_eq!(all(&rights).len(), Permission::ALL.len());
}

#[test]
fn a_key_is_refused_elsewhere_with_the_reason() {
    let key = KeyFacts {
        id: "key_01h455vb4pex5vsknk084sn02q".parse().unwrap(),
        permissions: vec!["alert.read".into()],
        routes: vec!["GET /api/v1/alerts".into()],
        addresses: vec!["203.0.113.0/24".into()],
        rate_per_s: None,
    };
    assert!(check_key(&key, "GET", "/api/v1/alerts", Some("203.0.113.9")).is_ok());
    let refused = check_key(&key, "GET", "/api/v1/alerts", Some("198.51.100.1"));
    assert!(matches!(refused, Err(IdentityError::AddressNotAllowed)));
    let refused = check_key(&key, "POST", "/api/v1/alerts", Some("203.0.113.9"));
    assert!(matches!(refused, Err(IdentityError::RouteNotAllowed)));
}

fn set() -> impl Strategy<Value = Permissions> {
    subsequence(Permission::ALL.to_vec(), 0..=Permission::ALL.len()).prop_map(|list| Permissions::of(&list))
}

fn environments() -> impl Strategy<Value = Vec<Environment>> {
    subsequence(ENVIRONMENTS.to_vec(), 0..=3)
}

fn limit() -> impl Strategy<Value = Option<Vec<Environment>>> {
    proptest::option::of(environments())
}

fn state() -> impl Strategy<Value = TenantState> {
    use TenantState::{Active, Deleted, Deleting, Locked, Suspended};
    proptest::sample::select(vec![Active, Suspended, Locked, Deleting, Deleted])
}

fn allowed(rights: &Rights, asked: Option<&[Environment]>) -> Permissions {
    let given = Permission::ALL.iter().copied().filter(|permission| authorise(rights, *permission, asked).allowed);
    Permissions::of(&given.collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn nothing_is_allowed_that_no_rule_gives(holds in set(), limit in limit(), state in state(), asked in limit()) {
        let rights = Rights::custom("any", holds, limit).in_state(state);
        prop_assert!(allowed(&rights, asked.as_deref()).is_subset(holds.minus(INSTALLATION)));
        let nobody = Rights::custom("none", Permissions::EMPTY, None).in_state(state);
        prop_assert!(allowed(&nobody, asked.as_deref()).is_empty());
    }

    #[test]
    fn more_permissions_or_environments_never_allow_less(
        holds in set(), more in set(), limit in environments(), asked in limit(), state in state(),
    ) {
        let narrow = Rights::custom("any", holds, Some(limit)).in_state(state);
        let wider = Rights { holds: narrow.holds.union(more.minus(INSTALLATION)), ..narrow.clone() };
        let everywhere = Rights { environments: None, ..wider.clone() };
        let asked = asked.as_deref();
        prop_assert!(allowed(&narrow, asked).is_subset(allowed(&wider, asked)));
        prop_assert!(allowed(&wider, asked).is_subset(allowed(&everywhere, asked)));
    }

    #[test]
    fn a_state_a_grant_and_a_missing_factor_only_take_away(holds in set(), limit in limit(), state in state(), asked in limit()) {
        let rights = Rights::custom("any", holds, limit);
        let asked = asked.as_deref();
        let whole = allowed(&rights, asked);
        prop_assert!(allowed(&rights.clone().in_state(state), asked).is_subset(whole));
        prop_assert!(allowed(&rights.clone().granted("gnt_1"), asked).is_subset(whole));
        let due = Rights { second_factor_due: true, ..rights };
        prop_assert!(allowed(&due, asked).is_empty());
    }

    #[test]
    fn what_a_granter_may_give_is_never_wider_than_the_granter(
        own in set(), own_limit in limit(), given in set(), given_limit in limit(), asked in limit(),
    ) {
        let granter = Rights::custom("granter", own, own_limit);
        if bounds::within(&granter, given, given_limit.as_deref()).is_ok() {
            let made = Rights::custom("made", given, given_limit);
            let asked = asked.as_deref();
            prop_assert!(allowed(&made, asked).is_subset(allowed(&granter, asked)));
        }
    }

    #[test]
    fn a_built_in_role_is_given_only_by_who_has_all_of_it(granter in 0_usize..5, role in 0_usize..5) {
        let (granter, role) = (ROLES[granter], ROLES[role]);
        let may = bounds::within(&Rights::built_in(granter), permission::of_role(role), None).is_ok();
        prop_assert_eq!(may, permission::of_role(role).is_subset(permission::of_role(granter)));
    }
}
