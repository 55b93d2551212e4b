# An undo takes away what an approval once allowed. One thing binds it: letting go what holds an incident that is
# still open.
package shieldops.undo

release := input.situation.release if {
	input.requester.kind == "user"
	input.situation.release.incident_open
}

deny contains {"code": "reason_missing", "detail": "this lets go what contains an open incident: say why"} if {
	trim_space(release.reason) == ""
}

second_person if release.plan_was_critical
