# Risk as a sum whose terms are shown: the gravest action of the plan decides.
package shieldops.risk

import data.shieldops.plan

environment_points := {"development": -1, "staging": 0, "production": 1}

criticality_points := {"low": 0, "medium": 0, "high": 1}

class_points := {"read_only": 0, "reversible": 0, "transient": 0, "irreversible": 1}

levels := ["low", "medium", "high", "critical"]

# Where a plan reaches more than half of what it may. Reading alone reaches nothing.
wide := {environment |
	some environment, names in plan.resources_in
	count(names) > input.situation.numbers.limits[environment].blast_radius / 2
}

wide_points := {environment: 1 | some environment in wide}

points := [number |
	some action in input.actions
	target := action.target
	capability := action.capability
	number := (((capability.base_risk + environment_points[target.environment]) + criticality_points[target.criticality]) + object.get(wide_points, target.environment, 0)) + class_points[capability.class]
]

level := levels[min([max([max(points), 1]), 4]) - 1]

terms := the_terms if {
	highest := max(points)
	action := input.actions[min([index | some index, number in points; number == highest])]
	target := action.target
	environment := target.environment
	reached := count(object.get(plan.resources_in, environment, set()))
	the_terms := [
		{"name": "base", "points": action.capability.base_risk, "why": sprintf("%s on %s", [action.capability.name, target.name])},
		{"name": "environment", "points": environment_points[environment], "why": sprintf("the target is in %s", [environment])},
		{"name": "criticality", "points": criticality_points[target.criticality], "why": sprintf("the target's criticality is %s", [target.criticality])},
		{"name": "blast_radius", "points": object.get(wide_points, environment, 0), "why": sprintf("%d resources are reached; more than half of %d adds a point", [reached, input.situation.numbers.limits[environment].blast_radius])},
		{"name": "irreversible", "points": class_points[action.capability.class], "why": sprintf("the capability is %s", [action.capability.class])},
	]
}
