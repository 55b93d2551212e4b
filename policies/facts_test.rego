package shieldops.facts_test

import data.shieldops.facts
import data.shieldops.testing

denied(plan_) := testing.codes(reasons) if reasons := facts.deny with input as plan_

action(class, more) := object.union(testing.action_of(testing.class(class), testing.target, ["203.0.113.66/32"]), more)

test_a_change_without_facts_is_denied if {
	denied(testing.plan([action("reversible", {"facts": null})])) == {"facts_unknown"}
}

test_a_read_needs_no_facts if {
	denied(testing.plan([action("read_only", {"facts": null, "resources": []})])) == set()
}

test_a_change_with_facts_is_not_denied if {
	denied(testing.plan([action("reversible", {})])) == set()
}

test_a_change_whose_reach_was_not_counted_is_denied if {
	denied(testing.plan([action("reversible", {"resources": []})])) == {"resources_unknown"}
	denied(testing.plan([action("reversible", {"resources": ["target:x"]})])) == set()
}

last_administrator := {"facts": {"untouchable": [{"code": "last_administrator", "detail": "alice is the last who may use sudo"}]}}

test_what_may_never_go_is_denied_with_the_reason_of_the_capability if {
	reasons := facts.deny with input as testing.plan([action("reversible", last_administrator)])
	reasons == {{"code": "last_administrator", "detail": "alice is the last who may use sudo"}}
}

test_reading_takes_nothing_away if {
	denied(testing.plan([action("read_only", last_administrator)])) == set()
}

test_an_unknown_operator_address_is_denied if {
	denied(object.union(testing.plan([action("reversible", {})]), {"operators_complete": false})) == {"operator_unknown"}
}

test_an_unknown_operator_does_not_matter_where_no_address_is_reached if {
	denied(object.union(testing.plan([action("reversible", {"reach": []})]), {"operators_complete": false})) == set()
}
