# Risk as a sum whose terms are shown: the gravest action of the plan decides.
package shieldops.risk

# Resources (targets and addresses) that one plan may reach; over half of it adds a point.
blast_cap := 20

environment_points := {"development": -1, "staging": 0, "production": 1}

criticality_points := {"low": 0, "medium": 0, "high": 1}

blast_radius := count({action.target.id | some action in input.actions}) + count({net_ |
	some action in input.actions
	some net_ in action.reach
})

blast_points := 1 if blast_radius > blast_cap / 2

else := 0

irreversible_points(action) := 1 if action.capability.class == "irreversible"

else := 0

terms_of(action) := [
	{"name": "base", "points": action.capability.base_risk, "why": sprintf("%s on %s", [action.capability.name, action.target.name])},
	{"name": "environment", "points": environment_points[action.target.environment], "why": sprintf("the target is in %s", [action.target.environment])},
	{"name": "criticality", "points": criticality_points[action.target.criticality], "why": sprintf("the target's criticality is %s", [action.target.criticality])},
	{"name": "blast_radius", "points": blast_points, "why": sprintf("%d targets and addresses are reached; more than %d adds a point", [blast_radius, blast_cap / 2])},
	{"name": "irreversible", "points": irreversible_points(action), "why": sprintf("the capability is %s", [action.capability.class])},
]

points_of(action) := sum([term.points | some term in terms_of(action)])

points := max([points_of(action) | some action in input.actions])

gravest := min([place | some place, action in input.actions; points_of(action) == points])

terms := terms_of(input.actions[gravest])

level := "low" if points <= 1

level := "medium" if points == 2

level := "high" if points == 3

level := "critical" if points >= 4
