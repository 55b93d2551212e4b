# Risk as a sum whose terms are shown: the gravest action of the plan decides.
package shieldops.risk

import data.shieldops.plan

environment_points := {"development": -1, "staging": 0, "production": 1}

criticality_points := {"low": 0, "medium": 0, "high": 1}

# Reading alone reaches nothing.
blast_radius(environment) := count(object.get(plan.resources_in, environment, set()))

blast_cap(environment) := input.situation.numbers.limits[environment].blast_radius

blast_points(environment) := 1 if blast_radius(environment) > blast_cap(environment) / 2

else := 0

irreversible_points(action) := 1 if action.capability.class == "irreversible"

else := 0

terms_of(action) := [
	{"name": "base", "points": action.capability.base_risk, "why": sprintf("%s on %s", [action.capability.name, action.target.name])},
	{"name": "environment", "points": environment_points[action.target.environment], "why": sprintf("the target is in %s", [action.target.environment])},
	{"name": "criticality", "points": criticality_points[action.target.criticality], "why": sprintf("the target's criticality is %s", [action.target.criticality])},
	{"name": "blast_radius", "points": blast_points(action.target.environment), "why": sprintf("%d resources are reached; more than half of %d adds a point", [blast_radius(action.target.environment), blast_cap(action.target.environment)])},
	{"name": "irreversible", "points": irreversible_points(action), "why": sprintf("the capability is %s", [action.capability.class])},
]

points_of(action) := sum([term.points | some term in terms_of(action)])

all_points := [points_of(action) | some action in input.actions]

points := max(all_points)

gravest := min([place | some place, sum_ in all_points; sum_ == points])

terms := terms_of(input.actions[gravest])

level := "low" if points <= 1

level := "medium" if points == 2

level := "high" if points == 3

level := "critical" if points >= 4
