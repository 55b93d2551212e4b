package shieldops.automation_test

import data.shieldops.automation
import data.shieldops.testing

block := testing.block("203.0.113.66/32")

denied(plan_) := testing.codes(reasons) if reasons := automation.deny with input as plan_

run(plan_) := object.union(plan_, {"stage": "run"})

halted(plan_) := object.union(plan_, {"automation_halted": true})

test_a_run_is_denied_while_halted if {
	denied(halted(run(block))) == {"automation_halted"}
	denied(testing.by_person(halted(run(block)))) == {"automation_halted"}
}

test_a_plan_can_be_made_while_halted if {
	denied(halted(block)) == set()
}

test_a_run_is_not_denied_when_not_halted if {
	denied(run(block)) == set()
}

at(level) := testing.when(block, {"autonomy": {"tenant": level}})

test_at_level_0_nothing_is_even_planned if {
	denied(at(0)) == {"autonomy_observe"}
	denied(run(at(0))) == {"autonomy_observe"}
}

test_at_level_1_nothing_runs if {
	denied(at(1)) == set()
	denied(run(at(1))) == {"autonomy_suggest"}
}

test_at_level_2_runs_are_not_denied if {
	denied(run(at(2))) == set()
}

test_levels_bind_no_person_and_no_reading if {
	denied(testing.by_person(at(0))) == set()
	denied(testing.by_person(run(at(1)))) == set()
	reading := testing.plan([testing.action_of(testing.class("read_only"), testing.target, [])])
	denied(testing.when(reading, {"autonomy": {"tenant": 0}})) == set()
}

sure(confidence) := testing.when(block, {"confidence": confidence})

test_a_finding_that_is_not_sure_enough_asks_for_nothing if {
	denied(sure(0.499)) == {"confidence_low"}
	denied(sure(0.5)) == set()
}

test_confidence_binds_no_person if {
	denied(testing.by_person(sure(0.1))) == set()
}

test_automation_without_a_finding_is_not_denied_for_confidence if {
	denied(sure(null)) == set()
}

undone_until(time) := testing.when(block, {"actions": {"act_01h455vb4pex5vsknk084sn02q": {"not_again_before": time}}})

test_what_a_person_undid_is_not_done_again if {
	denied(undone_until("2026-11-21T12:00:00.000001Z")) == {"undone_by_person"}
}

test_when_the_time_is_over_it_may_be_done_again if {
	denied(undone_until("2026-11-21T12:00:00.000000Z")) == set()
	denied(undone_until(null)) == set()
}

test_a_person_may_do_again_what_a_person_undid if {
	denied(testing.by_person(undone_until("2026-11-22T12:00:00.000000Z"))) == set()
}

never(class, network) := testing.when(block, {"never_block": {class: [network]}})

test_automation_never_blocks_what_others_are_behind if {
	every class in ["proxy", "nat", "monitoring", "partner"] {
		denied(never(class, "203.0.113.0/24")) == {"never_blocked"}
	}
	denied(testing.when(testing.block("203.0.112.0/20"), {"never_block": {"nat": ["203.0.113.66/32"]}})) == {"never_blocked"}
}

test_beside_it_automation_may_block if {
	denied(never("proxy", "203.0.113.67/32")) == set()
}

test_a_person_may_block_it if {
	denied(testing.by_person(never("proxy", "203.0.113.0/24"))) == set()
}

test_reading_goes_on_whatever_the_confidence if {
	reading := testing.plan([testing.action_of(testing.class("read_only"), testing.target, [])])
	denied(testing.when(reading, {"confidence": 0.1, "autonomy": {"tenant": 0}})) == set()
	denied(testing.when(run(reading), {"confidence": 0.9, "autonomy": {"tenant": 1}})) == set()
}
