# An undo takes away what an approval once allowed. One thing binds it: letting go what holds an incident that is
# still open.
package shieldops.undo

release := input.situation.release if {
	let_go
	input.situation.release.incident_open
}

let_go if input.requester.kind == "user"

let_go if lifted

# Somebody set a thing protected, and what stands on it is to go. Nobody asked for that undo: two people agree to it.
lifted if input.requester.id == "system:protection"

deny contains {"code": "reason_missing", "detail": "this lets go what contains an open incident: say why"} if {
	trim_space(release.reason) == ""
}

second_person if release.plan_was_critical

# Whoever asks is the first of two.
default people := 1

people := 2 if lifted
