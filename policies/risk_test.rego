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


test_a_wide_plan_weighs_more if {
	level_with(2) == "medium"
	level_with(3) == "high"
}

level_with(n) := level if level := risk.level with input as wide(n, "production", "reversible")

# An action that reaches n resources; the cap in production is 5, in staging 20.
wide(n, environment, class) := testing.plan([action]) if {
	names := [sprintf("peer:198.51.100.%s", [digit]) | some digit in array.slice(["1", "2", "3", "4", "5", "6", "7", "8", "9"], 0, n)]
	action := object.union(testing.action_of(testing.class(class), testing.in_environment(environment), []), {"resources": names})
}

test_half_of_the_cap_exactly_does_not if {
	level := risk.level with input as testing.when(wide(4, "production", "reversible"), {"numbers": {"limits": {"production": {"blast_radius": 8}}}})
	level == "medium"
}

test_each_environment_has_its_own_cap if {
	level := risk.level with input as wide(9, "staging", "reversible")
	level == "low"
	beside := testing.plan(array.concat(wide(2, "production", "reversible").actions, wide(9, "staging", "reversible").actions))
	both := risk.level with input as beside
	both == "medium"
}

test_reading_is_never_wide if {
	level := risk.level with input as wide(9, "production", "read_only")
	level == "medium"
}

test_the_terms_say_why if {
	terms := risk.terms with input as wide(3, "production", "reversible")
	terms == [
		{"name": "base", "points": 1, "why": "linux.block_ip on twin/demo"},
		{"name": "environment", "points": 1, "why": "the target is in production"},
		{"name": "criticality", "points": 0, "why": "the target's criticality is medium"},
		{"name": "blast_radius", "points": 1, "why": "3 resources are reached; more than half of 5 adds a point"},
		{"name": "irreversible", "points": 0, "why": "the capability is reversible"},
	]
}

test_the_first_of_the_gravest_is_shown if {
	terms := risk.terms with input as testing.plan([
		testing.action_of(testing.capability, testing.in_environment("staging"), []),
		testing.action_of(testing.capability, object.union(testing.target, {"name": "first"}), []),
		testing.action_of(testing.capability, object.union(testing.target, {"name": "second"}), []),
	])
	terms[0].why == "linux.block_ip on first"
}

test_each_term_weighs_one if {
	level_of("staging", "medium", 1, "irreversible") == "medium"
	level_of("development", "medium", 2, "irreversible") == "medium"
	level_of("development", "medium", 2, "reversible") == "low"
	level_of("staging", "medium", 1, "transient") == "low"
	level_of("staging", "medium", 1, "read_only") == "low"
}
