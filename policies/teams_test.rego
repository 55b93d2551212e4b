package shieldops.teams_test

import data.shieldops.teams
import data.shieldops.testing

denied(plan_) := testing.codes(reasons) if reasons := teams.deny with input as plan_

labelled(labels) := testing.by_person(testing.plan([testing.action_of(testing.capability, object.union(testing.target, {"labels": labels}), [])]))

member(plan_) := testing.when(plan_, {"teams": [
	{"name": "web", "members": [], "labels": {"app": "web", "tier": "1"}},
	{"name": "db", "members": [], "labels": {"app": "db"}},
]})

test_a_member_acts_on_the_targets_of_the_team if {
	denied(member(labelled({"app": "web", "tier": "1", "rack": "7"}))) == set()
	denied(member(labelled({"app": "db"}))) == set()
}

test_a_member_acts_on_no_other_target if {
	denied(member(labelled({"app": "web"}))) == {"outside_team"}
	denied(member(labelled({"app": "mail", "tier": "1"}))) == {"outside_team"}
	reasons := teams.deny with input as member(labelled({}))
	reasons == {{"code": "outside_team", "detail": "target twin/demo carries the labels of none of the requester's teams: db, web"}}
}

test_reading_is_acting_too if {
	reading := testing.action_of(testing.class("read_only"), testing.target, [])
	denied(member(testing.by_person(testing.plan([reading])))) == {"outside_team"}
}

test_one_target_outside_is_enough if {
	inside := labelled({"app": "db"})
	both := object.union(inside, {"actions": array.concat(inside.actions, [testing.action_of(testing.capability, testing.target, [])])})
	denied(member(both)) == {"outside_team"}
}

test_who_is_in_no_team_is_not_bound if {
	denied(labelled({})) == set()
}

test_automation_is_in_no_team if {
	denied(member(testing.block("203.0.113.66/32"))) == set()
}
