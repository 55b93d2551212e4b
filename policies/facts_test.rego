package shieldops.facts_test

import data.shieldops.facts
import data.shieldops.testing

without_facts(class) := testing.plan([object.union(testing.action_of(object.union(testing.capability, {"class": class}), testing.target, ["203.0.113.66/32"]), {"facts": null})])

test_a_change_without_facts_is_denied if {
	some reason in facts.deny with input as without_facts("reversible")
	reason.code == "facts_unknown"
}

test_a_read_needs_no_facts if {
	count(facts.deny) == 0 with input as without_facts("read_only")
}

test_a_change_with_facts_is_not_denied if {
	count(facts.deny) == 0 with input as testing.block("203.0.113.66/32")
}

test_an_unknown_operator_address_is_denied if {
	some reason in facts.deny with input as object.union(testing.block("203.0.113.66/32"), {"operators_complete": false})
	reason.code == "operator_unknown"
}

test_an_unknown_operator_does_not_matter_where_no_address_is_reached if {
	plan := testing.plan([testing.action_of(testing.capability, testing.target, [])])
	count(facts.deny) == 0 with input as object.union(plan, {"operators_complete": false})
}
