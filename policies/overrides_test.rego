package shieldops.overrides_test

import data.shieldops.overrides
import data.shieldops.testing

block := testing.block("203.0.113.66/32")

denied(more) := testing.codes(reasons) if reasons := overrides.deny with input as testing.when(block, more)

good := {"by": "usr_01h455vb4pex5vsknk084sn02q", "reason": "the outage is worse"}

test_nothing_is_taken_upon_oneself_by_default if {
	not overrides.break_glass with input as block
	not overrides.freeze_lifted with input as block
	denied({}) == set()
}

test_a_broken_glass_lifts_a_freeze_too if {
	overrides.break_glass with input as testing.when(block, {"break_glass": good})
	overrides.freeze_lifted with input as testing.when(block, {"break_glass": good})
	denied({"break_glass": good}) == set()
}

test_a_freeze_override_breaks_no_glass if {
	not overrides.break_glass with input as testing.when(block, {"freeze_override": good})
	overrides.freeze_lifted with input as testing.when(block, {"freeze_override": good})
	denied({"freeze_override": good}) == set()
}

test_without_a_person_or_a_reason_it_is_denied if {
	every name in ["break_glass", "freeze_override"] {
		denied({name: object.union(good, {"by": "system:investigation"})}) == {"override_invalid"}
		denied({name: object.union(good, {"reason": " \t"})}) == {"override_invalid"}
	}
	not overrides.break_glass with input as testing.when(block, {"break_glass": object.union(good, {"reason": ""})})
}
