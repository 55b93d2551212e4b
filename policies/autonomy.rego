# How far automation may go by itself: 0 observe, 1 suggest, 2 act after approval, 3 act with a veto window, 4 act.
# The lowest bound holds, and the bounds are shown.
package shieldops.autonomy

level := min({bound.level | some bound in bounds})

# The reasons why it is no higher.
because := {{"code": bound.code, "detail": bound.detail} | some bound in bounds; bound.level == level}

bounds contains {"level": highest, "code": "autonomy_level", "detail": sprintf("autonomy of %s in %s is %d", [action.capability.name, action.target.environment, highest])} if {
	some action in data.shieldops.plan.changing
	highest := configured(action)
}

# 2 where nothing is set.
configured(action) := min(chosen) if {
	chosen := {number |
		some number in [
			input.situation.autonomy.tenant,
			object.get(input.situation.autonomy.environments, action.target.environment, null),
			object.get(input.situation.autonomy.capabilities, action.capability.name, null),
		]
		number != null
	}
	chosen != set()
}

else := 2

bounds contains {"level": lowered.to, "code": "autonomy_lowered", "detail": sprintf("autonomy of %s was lowered to %d: %s", [lowered.capability, lowered.to, lowered.why])} if {
	some lowered in input.situation.autonomy.lowered
	some action in data.shieldops.plan.changing
	lowered.capability == action.capability.name
	lowered.target in {null, action.target.id}
}

bounds contains {"level": 2, "code": "confidence_not_high", "detail": "the finding is not sure enough for an action without approval"} if {
	not input.situation.confidence >= input.situation.numbers.confidence.high
}

bounds contains {"level": 2, "code": "refused_by_person", "detail": sprintf("a person said no to this on target %s; automation asks again before %s", [action.target.name, before])} if {
	some action in data.shieldops.plan.changing
	before := input.situation.actions[action.id].asks_again_before
	input.now < before
}

bounds contains {"level": 2, "code": "untrusted_address", "detail": sprintf("an address for target %s comes from a sender that nobody checked", [action.target.name])} if {
	some action in data.shieldops.plan.changing
	action.reach != []
	object.get(input.situation.actions, [action.id, "address_source"], "untrusted") == "untrusted"
}

bounds contains {"level": 2, "code": "no_standing_grant", "detail": sprintf("above low risk in production only a standing grant replaces approval, and none is for %s on %s", [action.capability.name, action.target.name])} if {
	data.shieldops.risk.level != "low"
	some action in data.shieldops.plan.changing
	action.target.environment == "production"
	grants_of(action) == set()
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

grants := {id | some action in data.shieldops.plan.changing; some id in grants_of(action)}
