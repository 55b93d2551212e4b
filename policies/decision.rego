# The one entry point: everything that the other policies say, put together. Any deny wins.
package shieldops.decision

# Caps, freezes, protection, autonomy and the halt hold back what is new, never an undo.
denies := (((((((data.shieldops.automation.deny | data.shieldops.facts.deny) | data.shieldops.forbidden.deny) | data.shieldops.freezes.deny) | data.shieldops.limits.deny) | data.shieldops.overrides.deny) | data.shieldops.protected.deny) | data.shieldops.teams.deny) if {
	input.entry == "action"
}

else := data.shieldops.undo.deny if input.entry == "undo"

tenants := {"denies": data.shieldops.tenant.deny, "obligations": data.shieldops.tenant.obligation} if input.entry == "action"

else := {"denies": set(), "obligations": set()} if input.entry == "undo"

decision := {
	"allow": denies == set(),
	"denies": denies,
	"approvals_needed": data.shieldops.approvals.needed,
	"risk": data.shieldops.risk.level,
	"risk_terms": data.shieldops.risk.terms,
	"obligations": {
		"notify": data.shieldops.approvals.notify,
		"veto_window_s": data.shieldops.approvals.veto_window_s,
		"strong_session": data.shieldops.approvals.strong_session,
		"because": data.shieldops.approvals.because,
	},
	"controls": data.shieldops.controls.controls,
	"tenant": tenants,
}
