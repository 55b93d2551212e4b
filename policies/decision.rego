# The one entry point: everything that the other policies say, put together. Any deny wins.
package shieldops.decision

import data.shieldops.approvals
import data.shieldops.automation
import data.shieldops.controls
import data.shieldops.facts
import data.shieldops.forbidden
import data.shieldops.freezes
import data.shieldops.limits
import data.shieldops.overrides
import data.shieldops.protected
import data.shieldops.risk
import data.shieldops.teams
import data.shieldops.tenant
import data.shieldops.undo

# Caps, freezes, protection, autonomy and the halt hold back what is new, never an undo.
denies := (((((((automation.deny | facts.deny) | forbidden.deny) | freezes.deny) | limits.deny) | overrides.deny) | protected.deny) | teams.deny) if {
	input.entry == "action"
}

denies := undo.deny if input.entry == "undo"

tenant_denies := tenant.deny if input.entry == "action"

tenant_denies := set() if input.entry == "undo"

tenant_obligations := tenant.obligation if input.entry == "action"

tenant_obligations := set() if input.entry == "undo"

decision := {
	"allow": count(denies) == 0,
	"denies": denies,
	"approvals_needed": approvals.needed,
	"risk": risk.level,
	"risk_terms": risk.terms,
	"obligations": {
		"notify": approvals.notify,
		"veto_window_s": approvals.veto_window_s,
		"strong_session": approvals.strong_session,
		"because": approvals.because,
	},
	"controls": controls.controls,
	"tenant": {"denies": tenant_denies, "obligations": tenant_obligations},
}
