package shieldops.plan_test

import data.shieldops.plan
import data.shieldops.testing

other := object.union(testing.in_environment("staging"), {"id": "tgt_01h455vb4pex5vsknk084sn02r"})

mixed := testing.plan([
	testing.action_of(testing.capability, testing.target, ["203.0.113.66/32"]),
	testing.action_of(testing.capability, testing.target, ["203.0.113.66/32", "203.0.113.67/32"]),
	testing.action_of(testing.capability, other, []),
	testing.action_of(testing.class("read_only"), testing.in_environment("development"), ["203.0.113.68/32"]),
])

test_actions_are_counted_by_environment_without_reading if {
	counted := plan.actions_in with input as mixed
	counted == {"production": 2, "staging": 1}
	changing := plan.changing with input as mixed
	count(changing) == 3
}

test_resources_are_counted_once if {
	reached := plan.resources_in with input as mixed
	reached == {
		"production": {"target:tgt_01h455vb4pex5vsknk084sn02q", "peer:203.0.113.66/32", "peer:203.0.113.67/32"},
		"staging": {"target:tgt_01h455vb4pex5vsknk084sn02r"},
	}
	nets := plan.reached with input as mixed
	nets == {"203.0.113.66/32", "203.0.113.67/32"}
}

test_automation_is_what_no_person_asks_for if {
	plan.automation with input as mixed
	not plan.automation with input as testing.by_person(mixed)
}

test_a_range_is_of_one_family if {
	plan.family("203.0.113.0/24") == "IPv4"
	plan.family("2001:db8::/64") == "IPv6"
}
