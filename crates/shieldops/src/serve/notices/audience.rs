//! Who a notice goes to: pure, from the tenant's members as they are when it is due.

use std::collections::{BTreeMap, BTreeSet};

use shieldops_identity::permission::{self, Permission, Permissions};
use shieldops_model::{Audience, Environment, UserId};
use shieldops_policy::Team;
use shieldops_store::{people::User, roles::Role};

/// What is known when a notice is addressed.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) people: &'a [User],
    pub(super) roles: &'a [Role],
    pub(super) teams: &'a [Team],
    /// Environments and labels of the plan's targets; empty where no plan is meant.
    pub(super) targets: &'a [(Environment, BTreeMap<String, String>)],
    /// Who asked for the plan, as the plan names them.
    pub(super) requester: &'a str,
}

impl Around<'_> {
    /// The members that are meant and can sign in.
    pub(super) fn members(&self, audience: &Audience) -> Vec<&User> {
        let meant: Box<dyn Fn(&User) -> bool> = match audience {
            Audience::Everyone => Box::new(|_| true),
            Audience::Administrators => Box::new(|user| user.role == permission::ADMIN),
            Audience::Approvers => Box::new(|user| self.may_approve(user)),
            Audience::TeamApprovers => {
                let team = self.team();
                Box::new(move |user| self.may_approve(user) && (team.is_empty() || team.contains(&user.id)))
            }
            Audience::Team(name) => {
                let members: BTreeSet<UserId> =
                    self.teams.iter().filter(|team| team.name == *name).flat_map(|team| team.members.clone()).collect();
                Box::new(move |user| members.contains(&user.id))
            }
            Audience::Person(id) => {
                let id = *id;
                // What is said of a plan is for those who may read it.
                let of_plan = !self.requester.is_empty();
                Box::new(move |user| user.id == id && (!of_plan || self.may(user, Permission::PlanRead)))
            }
        };
        self.people.iter().filter(|user| !user.disabled && meant(user)).collect()
    }

    /// The requester, where a member asked who may still read the plan.
    pub(super) fn requester(&self) -> Option<&User> {
        let asked = self.people.iter().find(|user| !user.disabled && user.id.to_string() == self.requester);
        asked.filter(|user| self.may(user, Permission::PlanRead))
    }

    /// Everybody in a team that has one of the targets.
    fn team(&self) -> BTreeSet<UserId> {
        let owns = |team: &&Team| self.targets.iter().any(|(_, labels)| team.owns(labels));
        self.teams.iter().filter(owns).flat_map(|team| team.members.clone()).collect()
    }

    fn may_approve(&self, user: &User) -> bool {
        user.id.to_string() != self.requester && self.may(user, Permission::PlanApprove)
    }

    /// By their role, in every environment of the targets.
    fn may(&self, user: &User, permission: Permission) -> bool {
        let custom = self.roles.iter().find(|role| role.id.to_string() == user.role);
        let Some(role) = custom else { return permission::allows(&user.role, permission) };
        let within = role
            .environments
            .as_ref()
            .is_none_or(|known| self.targets.iter().all(|(environment, _)| known.contains(environment)));
        within && Permissions::known(&role.permissions).contains(permission)
    }
}

#[cfg(test)]
mod tests {
    use shieldops_model::{Timestamp, id};
    use shieldops_store::RoleRef;

    use super::*;

    fn user(name: &str, role: &str) -> User {
        let now = Timestamp::from_secs(1_790_000_000);
        User::new(id::mint(now, &mut rand::rng()), name, &RoleRef::parse(role), now)
    }

    fn names<'a>(around: &Around<'a>, audience: &Audience) -> Vec<&'a str> {
        let people = around.people;
        let meant: Vec<UserId> = around.members(audience).iter().map(|user| user.id).collect();
        people.iter().filter(|user| meant.contains(&user.id)).map(|user| user.name.as_str()).collect()
    }

    #[test]
    fn approvers_are_those_who_may_but_never_the_requester_or_somebody_disabled() {
        let now = Timestamp::from_secs(1_790_000_000);
        let night = Role {
            id: id::mint(now, &mut rand::rng()),
            name: "night".to_owned(),
            permissions: vec!["plan.approve".to_owned()],
            environments: Some(vec![Environment::Staging]),
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let mut people = [
            user("ann", "admin"),
            user("bob", "analyst"),
            user("cat", "viewer"),
            user("dan", "analyst"),
            user("eve", "operator"),
            user("nan", &night.id.to_string()),
        ];
        people[3].disabled = true;
        let (roles, asked) = ([night], people[4].id.to_string());
        let labels = BTreeMap::from([("tier".to_owned(), "web".to_owned())]);
        let teams =
            [Team { name: "web".to_owned(), members: vec![people[1].id, people[2].id], labels: labels.clone() }];
        let production = [(Environment::Production, labels.clone())];
        let around = Around { people: &people, roles: &roles, teams: &teams, targets: &production, requester: &asked };
        assert_eq!(names(&around, &Audience::Approvers), ["ann", "bob"]);
        assert_eq!(names(&around, &Audience::TeamApprovers), ["bob"]);
        assert_eq!(names(&around, &Audience::Administrators), ["ann"]);
        assert_eq!(names(&around, &Audience::Team("web".to_owned())), ["bob", "cat"]);
        assert_eq!(names(&around, &Audience::Everyone), ["ann", "bob", "cat", "eve", "nan"]);
        assert_eq!(names(&around, &Audience::Person(people[3].id)), [""; 0]);
        assert_eq!(around.requester().map(|user| user.name.as_str()), Some("eve"));
        // What is said of a plan is for those who may read it, whoever asked for it once.
        let gone = people[5].id.to_string();
        let lost = Around { requester: &gone, ..around };
        assert_eq!(lost.requester(), None);
        assert_eq!(names(&lost, &Audience::Person(people[5].id)), [""; 0]);
        let of_no_plan = Around { requester: "", ..around };
        assert_eq!(names(&of_no_plan, &Audience::Person(people[5].id)), ["nan"]);
        let staging = [(Environment::Staging, BTreeMap::new())];
        let elsewhere = Around { targets: &staging, ..around };
        assert_eq!(names(&elsewhere, &Audience::TeamApprovers), ["ann", "bob", "nan"], "no team has it: all of them");
    }
}
