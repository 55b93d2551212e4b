# How many people must agree before anything runs: distinct, and none of them the requester.
package shieldops.approvals

import data.shieldops.risk

default needed := 0

changes if {
	some action in input.actions
	action.capability.class != "read_only"
}

in_production if {
	some action in input.actions
	action.target.environment == "production"
}

# The first approval covers the undo, as long as nobody changed the state since.
covered if {
	input.entry == "undo"
	not input.drifted
}

needed := 2 if {
	changes
	not covered
	risk.level == "critical"
}

needed := 1 if {
	changes
	not covered
	in_production
	risk.level in {"medium", "high"}
}
