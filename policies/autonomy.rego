# How far automation may go by itself: 0 observe, 1 suggest, 2 act after approval, 3 act with a veto window, 4 act.
# The lowest bound holds, and the bounds are shown.
package shieldops.autonomy

import data.shieldops.plan
import data.shieldops.risk

settings := input.situation.autonomy

level := min({bound.level | some bound in bounds})

# The reasons why it is no higher.
because contains {"code": bound.code, "detail": bound.detail} if {
	some bound in bounds
	bound.level == level
}

bounds contains {"level": highest, "code": "autonomy_level", "detail": sprintf("autonomy of %s in %s is %d", [action.capability.name, action.target.environment, highest])} if {
	some action in plan.changing
	highest := configured(action)
}

configured(action) := min(numbers) if {
	numbers := chosen(action)
	count(numbers) > 0
}

else := 2

chosen(action) := {number |
	some number in [
		settings.tenant,
		object.get(settings.environments, action.target.environment, null),
		object.get(settings.capabilities, action.capability.name, null),
	]
	number != null
}

bounds contains {"level": lowered.to, "code": "autonomy_lowered", "detail": sprintf("autonomy of %s was lowered to %d: %s", [lowered.capability, lowered.to, lowered.why])} if {
	some lowered in settings.lowered
	some action in plan.changing
	lowered.capability == action.capability.name
	lowered.target in {null, action.target.id}
}

bounds contains {"level": 2, "code": "confidence_not_high", "detail": "the finding is not sure enough for an action without approval"} if {
	not confident
}

confident if input.situation.confidence >= input.situation.numbers.confidence.high

bounds contains {"level": 2, "code": "untrusted_address", "detail": sprintf("an address for target %s comes from a sender that nobody checked", [action.target.name])} if {
	some action in plan.changing
	count(action.reach) > 0
	object.get(input.situation.actions, [action.id, "address_source"], "untrusted") == "untrusted"
}

bounds contains {"level": 2, "code": "no_standing_grant", "detail": sprintf("above low risk in production only a standing grant replaces approval, and none is for %s on %s", [action.capability.name, action.target.name])} if {
	risk.level != "low"
	some action in plan.changing
	action.target.environment == "production"
	count(grants_of(action)) == 0
}

grants_of(action) := {grant.id |
	some grant in input.situation.grants
	grant.capability == action.capability.name
	grant.environment == action.target.environment
	input.now < grant.expires_at
	names(grant, action.target)
}

names(grant, target) if target.id in grant.targets

names(grant, target) if {
	count(grant.labels) > 0
	every key, value in grant.labels {
		target.labels[key] == value
	}
}

grants := {id | some action in plan.changing; some id in grants_of(action)}
