package shieldops.limits_test

import data.shieldops.limits
import data.shieldops.testing

digits := ["1", "2", "3", "4", "5", "6", "7", "8", "9"]

denied(plan_) := testing.codes(reasons) if reasons := limits.deny with input as plan_

reasons(plan_) := said if said := limits.deny with input as plan_

# A person's plan of one action that reaches its target and n peers.
reaching(environment, n) := testing.by_person(testing.plan([action])) if {
	peers := [sprintf("peer:198.51.100.%s", [digit]) | some digit in array.slice(digits, 0, n)]
	action := object.union(testing.action_of(testing.capability, testing.in_environment(environment), []), {"resources": array.concat(["target:x"], peers)})
}

# The settings of one environment, changed.
with_limits(plan_, environment, more) := testing.when(plan_, {"numbers": {"limits": {environment: more}}})

test_a_plan_may_reach_as_much_as_the_cap if {
	denied(reaching("production", 4)) == set()
	denied(reaching("production", 5)) == {"blast_radius", "blast_radius_hour"}
	denied(reaching("staging", 9)) == set()
	denied(with_limits(reaching("staging", 9), "staging", {"blast_radius": 9})) == {"blast_radius"}
	reasons(with_limits(reaching("staging", 9), "staging", {"blast_radius": 9})) == {{"code": "blast_radius", "detail": "the plan reaches 10 resources in staging; at most 9"}}
}

test_reading_reaches_nothing if {
	reading := object.union(testing.action_of(testing.class("read_only"), testing.target, ["203.0.112.0/20"]), {"resources": digits})
	denied(testing.plan([reading])) == set()
}

before(names) := testing.when(reaching("production", 2), {"counts": {"resources_last_hour": {"production": names}}})

test_many_small_plans_are_one_large_one if {
	denied(before(["a", "b"])) == set()
	denied(before(["a", "b", "c"])) == {"blast_radius_hour"}
	reasons(before(["a", "b", "c"])) == {{"code": "blast_radius_hour", "detail": "the plans of the last hour and this one reach 6 resources in production; at most 5"}}
}

test_the_same_resource_is_counted_once_in_an_hour if {
	denied(before(["a", "b", "target:x", "peer:198.51.100.1"])) == set()
}

test_other_environments_count_for_themselves if {
	denied(testing.when(reaching("production", 2), {"counts": {"resources_last_hour": {"staging": digits}}})) == set()
}

blocks(nets) := with_limits(testing.by_person(testing.plan([testing.action_of(testing.capability, testing.target, nets)])), "production", {"blast_radius": 50, "resources_per_hour": 50})

test_a_range_may_be_as_wide_as_the_setting if {
	denied(blocks(["203.0.113.0/24"])) == set()
	denied(blocks(["203.0.112.0/23"])) == {"too_many_addresses"}
	denied(blocks(["2001:db8::/64"])) == set()
	denied(blocks(["2001:db8::/63"])) == {"too_many_addresses"}
	reasons(blocks(["203.0.112.0/23"])) == {{"code": "too_many_addresses", "detail": "the ranges 203.0.112.0/23 hold more IPv4 addresses than a /24"}}
}

test_ranges_count_together_and_each_once if {
	denied(blocks(["203.0.113.0/25", "203.0.113.128/25"])) == set()
	denied(blocks(["203.0.113.0/24", "203.0.113.0/24"])) == set()
	denied(blocks(["203.0.113.0/25", "203.0.113.128/25", "198.51.100.1/32"])) == {"too_many_addresses"}
	denied(blocks(["2001:db8::/65", "2001:db8:1::/65"])) == set()
	denied(blocks(["2001:db8::/65", "2001:db8:1::/65", "2001:db8:2::1/128"])) == {"too_many_addresses"}
}

test_the_families_count_apart if {
	denied(blocks(["203.0.113.0/24", "2001:db8::/64"])) == set()
}

test_the_whole_internet_is_too_much if {
	denied(blocks(["0.0.0.0/1"])) == {"too_many_addresses"}
	denied(blocks(["::/1"])) == {"too_many_addresses"}
	denied(blocks(["2001:db8::/32"])) == {"too_many_addresses"}
}

test_the_width_is_a_setting if {
	denied(with_limits(blocks(["203.0.113.0/25"]), "production", {"ipv4_prefix": 26})) == {"too_many_addresses"}
	denied(with_limits(blocks(["2001:db8::/48"]), "production", {"ipv6_prefix": 48})) == set()
	denied(with_limits(blocks(["203.0.113.0/25"]), "staging", {"ipv4_prefix": 26})) == set()
}

test_ranges_of_two_environments_count_apart if {
	staging := testing.action_of(testing.capability, testing.in_environment("staging"), ["198.51.100.0/24"])
	both := blocks(["203.0.113.0/24"])
	denied(object.union(both, {"actions": array.concat(both.actions, [staging])})) == set()
}

done(window, n) := testing.when(reaching("production", 1), {"counts": {window: {"production": n}}})

test_a_minute_has_room_for_its_number if {
	denied(done("last_minute", 2)) == set()
	denied(done("last_minute", 3)) == {"rate_minute"}
	reasons(done("last_minute", 3)) == {{"code": "rate_minute", "detail": "4 actions in a minute in production; at most 3"}}
}

test_an_hour_has_room_for_its_number if {
	denied(done("last_hour", 19)) == set()
	denied(done("last_hour", 20)) == {"rate_hour"}
	reasons(done("last_hour", 20)) == {{"code": "rate_hour", "detail": "21 actions in an hour in production; at most 20"}}
}

test_other_environments_are_not_counted if {
	denied(testing.when(reaching("production", 1), {"counts": {"last_minute": {"staging": 99}, "last_hour": {"staging": 99}}})) == set()
}

team(n) := testing.when(reaching("production", 1), {
	"teams": [{"name": "web", "members": [], "labels": {}}],
	"counts": {"teams_last_hour": {"web": {"development": 0, "staging": 99, "production": n}, "db": testing.each(99)}},
})

test_a_team_has_room_for_its_number if {
	denied(team(9)) == set()
	denied(team(10)) == {"rate_team_hour"}
	reasons(team(10)) == {{"code": "rate_team_hour", "detail": "11 actions of team web in an hour in production; at most 10"}}
}

test_a_team_that_did_nothing_has_room if {
	denied(object.union(team(0), {"situation": {"teams": [{"name": "new", "members": [], "labels": {}}]}})) == set()
}

automatic(plan_, severity) := object.union(plan_, {"requester": {"id": "system:investigation", "kind": "system"}, "situation": {"severity": severity}})

test_automation_leaves_a_slot_for_what_is_grave if {
	denied(automatic(done("last_minute", 1), null)) == set()
	denied(automatic(done("last_minute", 2), null)) == {"rate_minute"}
	denied(automatic(done("last_minute", 2), "medium")) == {"rate_minute"}
	denied(automatic(done("last_hour", 18), "low")) == set()
	denied(automatic(done("last_hour", 19), "low")) == {"rate_hour"}
	denied(automatic(team(8), "low")) == set()
	denied(automatic(team(9), "low")) == {"rate_team_hour"}
	reasons(automatic(done("last_hour", 19), "low")) == {{"code": "rate_hour", "detail": "20 actions in an hour in production; at most 19, 1 more are kept for incidents of high severity"}}
}

test_a_grave_incident_may_take_the_slot if {
	denied(automatic(done("last_minute", 2), "high")) == set()
	denied(automatic(done("last_hour", 19), "critical")) == set()
	denied(automatic(team(9), "critical")) == set()
	denied(automatic(done("last_minute", 3), "critical")) == {"rate_minute"}
}

restarts(class, n, before_) := testing.when(testing.by_person(testing.plan(actions)), {
	"numbers": {"limits": {"staging": {"per_minute": 99}}},
	"actions": {"act_01h455vb4pex5vsknk084sn02q": {"restarts_last_hour": before_}},
}) if {
	action := testing.action_of(testing.class(class), testing.in_environment("staging"), [])
	actions := [action | some digit in array.slice(digits, 0, n)]
}

test_a_target_is_restarted_only_so_often if {
	denied(restarts("transient", 1, 4)) == set()
	denied(restarts("transient", 1, 5)) == {"too_many_restarts"}
	denied(restarts("transient", 3, 2)) == set()
	denied(restarts("transient", 3, 3)) == {"too_many_restarts"}
	reasons(restarts("transient", 1, 5)) == {{"code": "too_many_restarts", "detail": "6 restarts of target twin/demo in an hour; at most 5"}}
}

test_only_restarts_are_counted if {
	denied(restarts("reversible", 6, 5)) == set()
}

test_restarts_of_another_target_are_not_counted if {
	other := testing.action_of(testing.class("transient"), object.union(testing.in_environment("staging"), {"id": "tgt_2"}), [])
	some_ := restarts("transient", 3, 0)
	five := array.concat(some_.actions, [object.union(other, {"id": concat("", ["act_", digit])}) | some digit in array.slice(digits, 0, 3)])
	denied(object.union(some_, {"actions": five})) == set()
}

test_a_target_without_history_was_not_restarted if {
	one := restarts("transient", 1, 0)
	denied(object.union(one, {"actions": [object.union(one.actions[0], {"id": "act_2"})]})) == set()
}

test_a_team_without_counts_has_its_whole_number if {
	new := {"teams": [{"name": "new", "members": [], "labels": {}}]}
	denied(with_limits(testing.when(reaching("production", 1), new), "production", {"per_team_hour": 1})) == set()
	denied(with_limits(testing.when(reaching("production", 1), new), "production", {"per_team_hour": 0})) == {"rate_team_hour"}
}

test_a_target_without_history_has_its_whole_number if {
	one := testing.when(restarts("transient", 1, 0), {"numbers": {"restarts_per_hour": 1}})
	denied(object.union(one, {"actions": [object.union(one.actions[0], {"id": "act_2"})]})) == set()
}

test_where_nothing_is_permitted_nothing_is_kept if {
	none := {"numbers": {"limits": {"production": {"per_minute": 0, "per_hour": 0}}}}
	plan_ := testing.when(automatic(reaching("production", 1), "low"), none)
	reasons(plan_) == {
		{"code": "rate_minute", "detail": "1 actions in a minute in production; at most 0, 1 more are kept for incidents of high severity"},
		{"code": "rate_hour", "detail": "1 actions in an hour in production; at most 0, 1 more are kept for incidents of high severity"},
	}
}
