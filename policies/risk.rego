# Risk as a sum whose terms are shown: the gravest action of the plan decides.
package shieldops.risk

# Points for what stands in the field of that name.
points_for := {
	"environment": {"development": -1, "staging": 0, "production": 1},
	"criticality": {"low": 0, "medium": 0, "high": 1},
	"class": {"read_only": 0, "reversible": 0, "transient": 0, "irreversible": 1},
}

# A point where a plan reaches more than half of what it may. Reading alone reaches nothing.
wide_points := {environment: 1 |
	some environment, names in data.shieldops.plan.resources_in
	count(names) > input.situation.numbers.limits[environment].blast_radius / 2
}

points := [number |
	some action in input.actions
	target := action.target
	capability := action.capability
	table := points_for
	number := (((capability.base_risk + table.environment[target.environment]) + table.criticality[target.criticality]) + object.get(wide_points, target.environment, 0)) + table["class"][capability.class]
]

level := levels[min([max([max(points), 1]), 4]) - 1] if {
	levels := ["low", "medium", "high", "critical"]
}

terms := the_terms if {
	highest := max(points)
	action := input.actions[min([index | some index, number in points; number == highest])]
	target := action.target
	environment := target.environment
	table := points_for
	reached := count(object.get(data.shieldops.plan.resources_in, environment, set()))
	the_terms := [
		{"name": "base", "points": action.capability.base_risk, "why": sprintf("%s on %s", [action.capability.name, target.name])},
		{"name": "environment", "points": table.environment[environment], "why": sprintf("the target is in %s", [environment])},
		{"name": "criticality", "points": table.criticality[target.criticality], "why": sprintf("the target's criticality is %s", [target.criticality])},
		{"name": "blast_radius", "points": object.get(wide_points, environment, 0), "why": sprintf("%d resources are reached; more than half of %d adds a point", [reached, input.situation.numbers.limits[environment].blast_radius])},
		{"name": "irreversible", "points": table["class"][action.capability.class], "why": sprintf("the capability is %s", [action.capability.class])},
	]
}
