# How much may be done at once, in a minute and in an hour. Every number is a setting of the tenant.
package shieldops.limits

deny contains {"code": "blast_radius", "detail": sprintf("the plan reaches %d resources in %s; at most %d", [reached, environment, cap])} if {
	some environment, names in data.shieldops.plan.resources_in
	reached := count(names)
	cap := input.situation.numbers.limits[environment].blast_radius
	reached > cap
}

# Many small plans are one large one.
deny contains {"code": "blast_radius_hour", "detail": sprintf("the plans of the last hour and this one reach %d resources in %s; at most %d", [reached, environment, cap])} if {
	some environment, names in data.shieldops.plan.resources_in
	before := {name | some name in input.situation.counts.resources_last_hour[environment]}
	reached := count(before | names)
	cap := input.situation.numbers.limits[environment].resources_per_hour
	reached > cap
}

deny contains {"code": "too_many_addresses", "detail": sprintf("the ranges %s hold more %s addresses than a /%d", [concat(", ", sort(nets)), family, widest])} if {
	ranges != set()
	some environment in data.shieldops.plan.environments
	some family, widest in {"IPv4": input.situation.numbers.limits[environment].ipv4_prefix, "IPv6": input.situation.numbers.limits[environment].ipv6_prefix}
	nets := {net_ |
		some action in data.shieldops.plan.changing
		action.target.environment == environment
		some net_ in action.reach
		data.shieldops.plan.family(net_) == family
	}
	sum([share(net_, widest) | some net_ in nets]) > whole
}

# Single addresses alone are held by the blast radius.
ranges := {net_ | some net_ in data.shieldops.plan.reached; not endswith(net_, single[data.shieldops.plan.family(net_)])}

single := {"IPv4": "/32", "IPv6": "/128"}

# What one range of the widest size weighs; half of it weighs half.
whole := 4294967296

share(net_, widest) := bits.lsh(1, max([0, min([33, (32 + widest) - prefix])])) if {
	prefix := to_number(split(net_, "/")[1])
}

deny contains {"code": "rate_minute", "detail": sprintf("%d actions in a minute in %s; at most %d%s", [number, environment, max([0, cap]), why_less])} if {
	some environment, planned in data.shieldops.plan.actions_in
	number := input.situation.counts.last_minute[environment] + planned
	cap := input.situation.numbers.limits[environment].per_minute - kept
	number > cap
}

deny contains {"code": "rate_hour", "detail": sprintf("%d actions in an hour in %s; at most %d%s", [number, environment, max([0, cap]), why_less])} if {
	some environment, planned in data.shieldops.plan.actions_in
	number := input.situation.counts.last_hour[environment] + planned
	cap := input.situation.numbers.limits[environment].per_hour - kept
	number > cap
}

deny contains {"code": "rate_team_hour", "detail": sprintf("%d actions of team %s in an hour in %s; at most %d%s", [number, team.name, environment, max([0, cap]), why_less])} if {
	some team in input.situation.teams
	some environment, planned in data.shieldops.plan.actions_in
	number := object.get(input.situation.counts.teams_last_hour, [team.name, environment], 0) + planned
	cap := input.situation.numbers.limits[environment].per_team_hour - kept
	number > cap
}

# Decoys must not spend what a grave incident will need.
kept := input.situation.numbers.kept_for_high_severity if {
	data.shieldops.plan.automation
	not input.situation.severity in {"high", "critical"}
}

else := 0

why_less := sprintf(", %d more are kept for incidents of high severity", [kept]) if kept > 0

else := ""

deny contains {"code": "too_many_restarts", "detail": sprintf("%d restarts of target %s in an hour; at most %d", [number, action.target.name, input.situation.numbers.restarts_per_hour])} if {
	some action in restarts
	planned := count([other | some other in restarts; other.target.id == action.target.id])
	number := object.get(input.situation.actions, [action.id, "restarts_last_hour"], 0) + planned
	number > input.situation.numbers.restarts_per_hour
}

restarts := [action | some action in data.shieldops.plan.changing; action.capability.class == "transient"]
