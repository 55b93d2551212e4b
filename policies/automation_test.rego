package shieldops.automation_test

import data.shieldops.automation
import data.shieldops.testing

test_a_run_is_denied_while_halted if {
	count(automation.deny) == 1 with input as object.union(testing.block("203.0.113.66/32"), {"automation_halted": true, "stage": "run"})
}

test_a_plan_can_be_made_while_halted if {
	count(automation.deny) == 0 with input as object.union(testing.block("203.0.113.66/32"), {"automation_halted": true})
}

test_a_run_is_not_denied_when_not_halted if {
	count(automation.deny) == 0 with input as object.union(testing.block("203.0.113.66/32"), {"stage": "run"})
}
