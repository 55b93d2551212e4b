# What was not read cannot be protected: a change without facts about its target is denied. So is one of which its
# capability found that it would take away what may never go.
package shieldops.facts

deny contains {"code": "facts_unknown", "detail": sprintf("the addresses of target %s could not be read", [action.target.name])} if {
	some action in data.shieldops.plan.changing
	action.facts == null
}

deny contains {"code": "resources_unknown", "detail": sprintf("what the action reaches on target %s was not counted", [action.target.name])} if {
	some action in data.shieldops.plan.changing
	action.resources == []
}

deny contains reason if {
	some action in data.shieldops.plan.changing
	some reason in action.facts.untouchable
}

deny contains {"code": "operator_unknown", "detail": "the client address of a requester or approver is not known, so it cannot be protected"} if {
	input.operators_complete == false
	data.shieldops.plan.reached != set()
}
