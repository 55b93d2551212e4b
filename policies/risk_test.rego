package shieldops.risk_test

import data.shieldops.risk
import data.shieldops.testing

level_of(environment, criticality, base, class) := level if {
	capability := object.union(testing.capability, {"base_risk": base, "class": class})
	target := object.union(testing.target, {"environment": environment, "criticality": criticality})
	level := risk.level with input as testing.plan([testing.action_of(capability, target, ["203.0.113.66/32"])])
}

test_levels_are_sums if {
	level_of("development", "high", 1, "reversible") == "low"
	level_of("staging", "medium", 1, "reversible") == "low"
	level_of("production", "low", 1, "reversible") == "medium"
	level_of("production", "high", 1, "reversible") == "high"
	level_of("production", "high", 2, "reversible") == "critical"
	level_of("production", "high", 1, "irreversible") == "critical"
}

test_the_terms_are_shown_and_add_up if {
	terms := risk.terms with input as testing.block("203.0.113.66/32")
	count(terms) == 5
	sum([term.points | some term in terms]) == 2
}

test_the_gravest_action_decides if {
	light := testing.action_of(testing.capability, object.union(testing.target, {"environment": "staging"}), [])
	grave := testing.action_of(testing.capability, object.union(testing.target, {"criticality": "high"}), [])
	"high" == risk.level with input as testing.plan([light, grave])
}

blocks(n) := testing.plan([action |
	some place in array.slice(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"], 0, n)
	action := testing.action_of(testing.capability, testing.target, [sprintf("203.0.113.%s/32", [place])])
])

test_a_wide_plan_weighs_more if {
	"high" == risk.level with input as blocks(10)
}

test_a_plan_of_half_the_cap_does_not if {
	"medium" == risk.level with input as blocks(9)
}
