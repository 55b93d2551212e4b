package shieldops.approvals_test

import data.shieldops.approvals
import data.shieldops.testing

in_environment(name) := testing.plan([testing.action_of(testing.capability, object.union(testing.target, {"environment": name}), ["203.0.113.66/32"])])

with_base(risk) := testing.plan([testing.action_of(object.union(testing.capability, {"base_risk": risk}), object.union(testing.target, {"criticality": "high"}), ["203.0.113.66/32"])])

test_production_above_low_needs_one if {
	approvals.needed == 1 with input as in_environment("production")
}

test_staging_at_low_needs_none if {
	approvals.needed == 0 with input as in_environment("staging")
}

test_critical_needs_two if {
	approvals.needed == 2 with input as with_base(2)
}

test_high_needs_one if {
	approvals.needed == 1 with input as with_base(1)
}

test_critical_needs_two_outside_production_too if {
	grave := object.union(testing.capability, {"base_risk": 3, "class": "irreversible"})
	staging := object.union(testing.target, {"environment": "staging"})
	approvals.needed == 2 with input as testing.plan([testing.action_of(grave, staging, [])])
}

test_an_undo_is_covered_by_the_first_approval if {
	approvals.needed == 0 with input as object.union(testing.block("203.0.113.66/32"), {"entry": "undo"})
}

test_an_undo_of_a_drifted_state_asks_again if {
	approvals.needed == 1 with input as object.union(testing.block("203.0.113.66/32"), {"entry": "undo", "drifted": true})
}
