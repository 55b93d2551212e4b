//! A custom role may be limited to environments: what touches a target asks for the target's environment too.

use std::collections::BTreeSet;

use shieldops_identity::{Permission, decide};
use shieldops_model::{ActionId, Environment, Plan, PlanId, TargetId, TargetRef};
use shieldops_store::{Access, actions, plans, targets as store};

use crate::{Problem, auth::Caller};

/// Refuses a caller whose role does not reach this environment.
pub(crate) fn environment(caller: &Caller, needs: Permission, environment: Environment) -> Result<(), Problem> {
    Ok(decide::authorise(&caller.rights, needs, Some(&[environment])).check()?)
}

/// Refuses a caller whose role does not reach each of these targets. One that is not registered is for the engine to refuse.
pub(crate) async fn targets<'a>(
    caller: &Caller,
    needs: Permission,
    named: impl Iterator<Item = &'a TargetRef>,
) -> Result<(), Problem> {
    if caller.rights.environments().is_none() {
        return Ok(());
    }
    let mut read = caller.scope.read().await?;
    for name in named {
        if let Some(target) = store::find_named(&mut read, name).await? {
            environment(caller, needs, target.environment)?;
        }
    }
    Ok(())
}

pub(crate) async fn plan(caller: &Caller, needs: Permission, id: PlanId) -> Result<(), Problem> {
    if caller.rights.environments().is_none() {
        return Ok(());
    }
    let plan = plans::get(&mut caller.scope.read().await?, id).await?;
    targets(caller, needs, plan.actions.iter().map(|action| &action.target)).await
}

/// The environments of a plan's targets.
pub(crate) async fn environments(access: &mut impl Access, plan: &Plan) -> Result<BTreeSet<Environment>, Problem> {
    let named: BTreeSet<&TargetRef> = plan.actions.iter().map(|action| &action.target).collect();
    let mut found = BTreeSet::new();
    for name in named {
        found.extend(store::find_named(access, name).await?.map(|target| target.environment));
    }
    Ok(found)
}

pub(crate) async fn action(caller: &Caller, needs: Permission, id: ActionId) -> Result<(), Problem> {
    if caller.rights.environments().is_none() {
        return Ok(());
    }
    let action = actions::get(&mut caller.scope.read().await?, id).await?;
    targets(caller, needs, std::iter::once(&action.target)).await
}

pub(crate) async fn target(caller: &Caller, needs: Permission, id: TargetId) -> Result<(), Problem> {
    if caller.rights.environments().is_none() {
        return Ok(());
    }
    let target = store::get(&mut caller.scope.read().await?, id).await?;
    environment(caller, needs, target.environment)
}
