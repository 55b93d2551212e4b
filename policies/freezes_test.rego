package shieldops.freezes_test

import data.shieldops.freezes
import data.shieldops.testing

denied(plan_) := testing.codes(reasons) if reasons := freezes.deny with input as plan_

frozen(purpose, environments, more) := testing.when(
	testing.plan([testing.action_of(testing.purpose(purpose), testing.target, [])]),
	object.union(more, {"freezes": [{"name": "year's end", "environments": environments, "reason": "nobody is here", "until": "2027-01-02T00:00:00.000000Z"}]}),
)

test_changes_are_denied_in_a_freeze if {
	denied(frozen("change", ["production"], {})) == {"change_freeze"}
	denied(testing.by_person(frozen("change", ["development", "production"], {}))) == {"change_freeze"}
}

test_the_reason_says_until_when if {
	reasons := freezes.deny with input as frozen("change", ["production"], {})
	reasons == {{"code": "change_freeze", "detail": "year's end: changes in production are frozen until 2027-01-02T00:00:00.000000Z (nobody is here)"}}
}

test_containment_goes_on if {
	denied(frozen("containment", ["production"], {})) == set()
}

test_other_environments_go_on if {
	denied(frozen("change", ["development", "staging"], {})) == set()
}

test_reading_goes_on if {
	reading := testing.action_of(object.union(testing.purpose("change"), {"class": "read_only"}), testing.target, [])
	denied(object.union(frozen("change", ["production"], {}), {"actions": [reading]})) == set()
}

test_without_a_freeze_changes_go_on if {
	denied(testing.plan([testing.action_of(testing.purpose("change"), testing.target, [])])) == set()
}

by_person := {"by": "usr_01h455vb4pex5vsknk084sn02q", "reason": "the outage is worse"}

test_an_override_or_a_broken_glass_lifts_it if {
	denied(frozen("change", ["production"], {"freeze_override": by_person})) == set()
	denied(frozen("change", ["production"], {"break_glass": by_person})) == set()
}

test_an_override_without_a_reason_lifts_nothing if {
	denied(frozen("change", ["production"], {"freeze_override": object.union(by_person, {"reason": " "})})) == {"change_freeze"}
}
