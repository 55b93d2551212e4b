package shieldops.undo_test

import data.shieldops.testing
import data.shieldops.undo

denied(plan_) := testing.codes(reasons) if reasons := undo.deny with input as plan_

release(open, critical, reason) := testing.by_person(testing.when(testing.block("203.0.113.66/32"), {"release": {
	"incident_open": open,
	"plan_was_critical": critical,
	"reason": reason,
}}))

test_letting_go_what_contains_an_open_incident_needs_a_reason if {
	denied(release(true, false, " ")) == {"reason_missing"}
	denied(release(true, false, "it is clean")) == set()
}

test_when_the_incident_is_closed_no_reason_is_needed if {
	denied(release(false, true, "")) == set()
}

test_an_undo_that_lets_nothing_go_needs_none if {
	denied(testing.by_person(testing.block("203.0.113.66/32"))) == set()
}

test_the_end_of_its_time_needs_no_reason if {
	expiry := {"requester": {"id": "system:expiry", "kind": "system"}}
	denied(object.union(release(true, true, ""), expiry)) == set()
	not undo.second_person with input as object.union(release(true, true, ""), expiry)
}

test_what_somebody_protects_is_let_go_by_two if {
	protection := object.union(release(true, true, "protected"), {"requester": {"id": "system:protection", "kind": "system"}})
	undo.second_person with input as protection
	undo.people == 2 with input as protection
	undo.people == 1 with input as release(true, true, "it is clean")
}

test_a_second_person_is_needed_where_the_plan_was_critical if {
	undo.second_person with input as release(true, true, "it is clean")
	not undo.second_person with input as release(true, false, "it is clean")
	not undo.second_person with input as release(false, true, "it is clean")
}
