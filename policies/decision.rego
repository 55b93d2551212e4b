# The one entry point: everything that the other policies say, put together. Any deny wins.
package shieldops.decision

import data.shieldops.approvals
import data.shieldops.automation
import data.shieldops.facts
import data.shieldops.protected
import data.shieldops.risk

# An undo takes away what an approval once allowed: it is held back by nothing but errors.
denies contains reason if {
	input.entry == "action"
	some reason in automation.deny
}

denies contains reason if {
	input.entry == "action"
	some reason in facts.deny
}

denies contains reason if {
	input.entry == "action"
	some reason in protected.deny
}

decision := {
	"allow": count(denies) == 0,
	"denies": denies,
	"approvals_needed": approvals.needed,
	"risk": risk.level,
	"risk_terms": risk.terms,
}
