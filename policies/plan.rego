# What of the plan changes something, and where: read by the other policies, decides nothing.
package shieldops.plan

automation if input.requester.kind == "system"

changing := [action | some action in input.actions; action.capability.class != "read_only"]

environments := {action.target.environment | some action in changing}

reached := {net_ | some action in changing; some net_ in action.reach}

family(net_) := "IPv6" if contains(net_, ":")

else := "IPv4"

# Actions by environment.
actions_in := {environment: number |
	some environment in environments
	number := count([action | some action in changing; action.target.environment == environment])
}

# The blast radius: everything that the actions of an environment reach, once each.
resources_in := {environment: names |
	some environment in environments
	names := {name | some action in changing; action.target.environment == environment; some name in action.resources}
}
