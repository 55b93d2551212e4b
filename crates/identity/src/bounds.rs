//! Nobody gives more than they have, and nobody holds what must be held apart. Pure.

use shieldops_model::Environment;

use crate::{
    IdentityError,
    decide::Rights,
    permission::{Permission, Permissions},
};

/// Whether the granter may give `wanted` for `environments` (absent: all).
///
/// # Errors
/// `WiderThanOwn` naming what the granter has not.
pub fn within(
    granter: &Rights,
    wanted: Permissions,
    environments: Option<&[Environment]>,
) -> Result<(), IdentityError> {
    let missing = wanted.minus(granter.permissions());
    if !missing.is_empty() {
        return Err(IdentityError::WiderThanOwn(missing.names().join(", ")));
    }
    let Some(limit) = granter.environments() else { return Ok(()) };
    let reaching: Vec<_> = wanted.iter().filter(|permission| permission.is_environmental()).collect();
    if reaching.is_empty() {
        return Ok(());
    }
    let inside = environments.is_some_and(|asked| asked.iter().all(|asked| limit.contains(asked)));
    if inside {
        return Ok(());
    }
    let names: Vec<_> = reaching.into_iter().map(Permission::as_str).collect();
    Err(IdentityError::WiderThanOwn(format!("{} beyond your own environments", names.join(", "))))
}

/// Whether one person may hold all of these in a tenant with these pairs.
///
/// # Errors
/// `SeparationOfDuty` with the first pair that would be held together.
pub fn separate(pairs: &[[String; 2]], holds: Permissions) -> Result<(), IdentityError> {
    let held = |name: &String| Permission::parse(name).is_some_and(|permission| holds.contains(permission));
    match pairs.iter().find(|[one, other]| held(one) && held(other)) {
        Some([one, other]) => Err(IdentityError::SeparationOfDuty(one.clone(), other.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::of_role;

    #[test]
    fn an_administrator_gives_any_role_and_an_analyst_no_wider_one() {
        let admin = Rights::built_in("admin");
        for role in crate::permission::ROLES {
            assert!(within(&admin, of_role(role), None).is_ok());
        }
        let refused = within(&Rights::built_in("analyst"), of_role("operator"), None).unwrap_err().to_string();
        assert!(refused.contains("rule.write") && refused.contains("target.write"), "{refused}");
    }

    #[test]
    fn who_is_limited_to_an_environment_gives_nothing_beyond_it() {
        use Environment::{Production, Staging};
        let granter = Rights::custom("night", of_role("analyst"), Some(vec![Staging]));
        assert!(within(&granter, of_role("analyst"), Some(&[Staging])).is_ok());
        assert!(within(&granter, of_role("viewer"), None).is_ok(), "reading is not limited");
        for wider in [None, Some(&[Production][..]), Some(&[Staging, Production])] {
            assert!(matches!(within(&granter, of_role("analyst"), wider), Err(IdentityError::WiderThanOwn(_))));
        }
    }

    #[test]
    fn a_pair_is_held_apart_in_either_order() {
        let pairs = [["plan.create".to_owned(), "plan.approve".to_owned()]];
        assert!(matches!(separate(&pairs, of_role("analyst")), Err(IdentityError::SeparationOfDuty(..))));
        assert!(separate(&pairs, of_role("viewer")).is_ok());
        let one = Permissions::of(&[Permission::PlanApprove]);
        assert!(separate(&pairs, one).is_ok() && separate(&[], of_role("admin")).is_ok());
        assert!(separate(&[["gone.write".to_owned(), "plan.approve".to_owned()]], one).is_ok());
    }
}
