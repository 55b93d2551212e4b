# What automation may not do. People may: they see what it could not.
package shieldops.automation

# The one switch: while automation is halted no run begins. Planning goes on, and so does undo.
deny contains {"code": "automation_halted", "detail": "automation is halted; a person must resume it"} if {
	input.automation_halted
	input.stage == "run"
}

deny contains {"code": "autonomy_observe", "detail": "automation only observes here (level 0)"} if {
	acts
	data.shieldops.autonomy.level == 0
}

deny contains {"code": "autonomy_suggest", "detail": "automation only suggests here (level 1): a person plans it anew to run it"} if {
	input.stage == "run"
	acts
	data.shieldops.autonomy.level == 1
}

deny contains {"code": "confidence_low", "detail": sprintf("the finding's confidence %v is below %v", [input.situation.confidence, input.situation.numbers.confidence.low])} if {
	input.situation.confidence != null
	input.situation.confidence < input.situation.numbers.confidence.low
	acts
}

deny contains {"code": "undone_by_person", "detail": sprintf("a person undid this on target %s; automation may not do it again before %s", [action.target.name, before])} if {
	data.shieldops.plan.automation
	some action in data.shieldops.plan.changing
	before := input.situation.actions[action.id].not_again_before
	input.now < before
}

deny contains {"code": "never_blocked", "detail": sprintf("%s holds or is in %s (%s), which automation never blocks", [net_, network, class])} if {
	some class, networks in input.situation.never_block
	some network in networks
	data.shieldops.plan.automation
	some net_ in data.shieldops.plan.reached
	true in [net.cidr_contains(network, net_), net.cidr_contains(net_, network)]
}

acts if {
	data.shieldops.plan.automation
	data.shieldops.plan.changing != []
}
