package shieldops.decision_test

import data.shieldops.decision
import data.shieldops.testing

test_a_block_in_production_is_allowed_after_one_approval if {
	got := decision.decision with input as testing.block("203.0.113.66/32")
	got.allow == true
	got.approvals_needed == 1
	got.risk == "medium"
}

test_one_deny_is_enough if {
	got := decision.decision with input as testing.block("127.0.0.1/32")
	got.allow == false
	count(got.denies) == 1
}

test_reading_is_allowed_without_approval if {
	read := object.union(testing.capability, {"class": "read_only"})
	got := decision.decision with input as testing.plan([testing.action_of(read, testing.target, ["203.0.113.66/32"])])
	got.allow == true
	got.approvals_needed == 0
}

test_simulated_grants_nothing if {
	simulated := object.union(testing.target, {"simulated": true})
	got := decision.decision with input as testing.plan([testing.action_of(testing.capability, simulated, ["203.0.113.66/32"])])
	got.approvals_needed == 1
	loopback := decision.decision with input as testing.plan([testing.action_of(testing.capability, simulated, ["127.0.0.1/32"])])
	loopback.allow == false
}

test_an_undo_passes_halt_and_protection if {
	undo := object.union(testing.block("127.0.0.1/32"), {"entry": "undo", "automation_halted": true, "stage": "run"})
	got := decision.decision with input as undo
	got.allow == true
	got.approvals_needed == 0
}
