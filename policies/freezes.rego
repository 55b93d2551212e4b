# In a freeze nothing runs whose purpose is change. Containment goes on.
package shieldops.freezes

import data.shieldops.overrides
import data.shieldops.plan

deny contains {"code": "change_freeze", "detail": sprintf("%s: changes in %s are frozen until %s (%s)", [freeze.name, action.target.environment, freeze.until, freeze.reason])} if {
	not overrides.freeze_lifted
	some freeze in input.situation.freezes
	some action in plan.changing
	action.capability.purpose == "change"
	action.target.environment in freeze.environments
}
