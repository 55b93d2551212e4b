# How many people must agree before anything runs: distinct, and none of them the requester. And what else is owed.
package shieldops.approvals

needed := 0 if broken

else := max({reason.approvals | some reason in reasons} | {0})

broken if {
	input.entry == "action"
	data.shieldops.overrides.break_glass
}

# The first approval covers the undo, as long as nobody changed the state since.
covered if {
	input.entry == "undo"
	not input.drifted
}

asked if {
	data.shieldops.plan.changing != []
	not covered
}

reasons contains {"approvals": 2, "code": "critical_risk", "detail": "the risk is critical"} if {
	asked
	data.shieldops.risk.level == "critical"
}

reasons contains {"approvals": 2, "code": "irreversible", "detail": sprintf("%s cannot be undone", [action.capability.name])} if {
	asked
	some action in data.shieldops.plan.changing
	action.capability.class == "irreversible"
}

reasons contains {"approvals": 1, "code": "production_above_low", "detail": sprintf("the risk is %s, in production", [data.shieldops.risk.level])} if {
	asked
	"production" in data.shieldops.plan.environments
	data.shieldops.risk.level in {"medium", "high"}
	not on_its_own
}

reasons contains {"approvals": 1, "code": reason.code, "detail": reason.detail} if {
	acting
	data.shieldops.autonomy.level <= 2
	some reason in data.shieldops.autonomy.because
}

# Whatever the environment: it may open any other.
reasons contains {"approvals": 1, "code": "reads_secrets", "detail": sprintf("it reads what lets in whoever has it: %s", [concat(", ", data.shieldops.secrets.read)])} if {
	input.entry == "action"
	data.shieldops.secrets.read != set()
}

# What somebody made of the state since is theirs: wherever it is, it is not overwritten unasked, by no time that is over either.
reasons contains {"approvals": 1, "code": "changed_since", "detail": "the state is not what an approved action left"} if {
	input.entry == "undo"
	asked
}

reasons contains {"approvals": people, "code": "release", "detail": "this lets go what contains an open incident, and its plan was critical"} if {
	input.entry == "undo"
	data.shieldops.undo.second_person
	people := data.shieldops.undo.people
}

# Automation that does something new.
acting if {
	input.entry == "action"
	data.shieldops.plan.automation
	data.shieldops.plan.changing != []
}

# Above low risk in production a level above 2 means that a standing grant is there.
on_its_own if {
	acting
	data.shieldops.autonomy.level > 2
}

because contains {"code": reason.code, "detail": reason.detail} if {
	not broken
	some reason in reasons
}

because contains {"code": "break_glass", "detail": sprintf("%s broke the glass: %s", [input.situation.break_glass.by, input.situation.break_glass.reason])} if {
	broken
}

because contains {"code": "standing_grant", "detail": sprintf("standing grant %s", [grant])} if {
	on_its_own
	some grant in data.shieldops.autonomy.grants
}

because contains {"code": "first_approval", "detail": "the approval of what is undone covers it"} if {
	covered
	data.shieldops.plan.changing != []
}

# A vote on a critical plan needs a session that has just proved itself, and so does one that lets go what such a plan
# contained.
strong_session if {
	asked
	data.shieldops.risk.level == "critical"
}

else if {
	input.entry == "undo"
	data.shieldops.undo.second_person
}

else := false

veto_window_s := max([input.situation.numbers.limits[environment].veto_window_s | some environment in data.shieldops.plan.environments]) if {
	acting
	not broken
	data.shieldops.autonomy.level == 3
}

else := null

notify contains "approvers" if needed > 0

notify contains "approvers" if veto_window_s != null

notify contains "administrators" if broken

notify contains "everyone" if {
	input.entry == "action"
	input.situation.freeze_override != null
}
