# In a freeze nothing runs whose purpose is change. Containment goes on.
package shieldops.freezes

deny contains {"code": "change_freeze", "detail": sprintf("%s: changes in %s are frozen until %s (%s)", [freeze.name, action.target.environment, freeze.until, freeze.reason])} if {
	some freeze in input.situation.freezes
	not data.shieldops.overrides.freeze_lifted
	some action in data.shieldops.plan.changing
	action.capability.purpose == "change"
	action.target.environment in freeze.environments
}
