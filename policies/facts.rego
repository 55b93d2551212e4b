# What was not read cannot be protected: a change without facts about its target is denied.
package shieldops.facts

deny contains {"code": "facts_unknown", "detail": sprintf("the addresses of target %s could not be read", [action.target.name])} if {
	some action in input.actions
	action.capability.class != "read_only"
	action.facts == null
}

deny contains {"code": "operator_unknown", "detail": "the client address of a requester or approver is not known, so it cannot be protected"} if {
	some action in input.actions
	action.capability.class != "read_only"
	count(action.reach) > 0
	input.operators_complete == false
}
