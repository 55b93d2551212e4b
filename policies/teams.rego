# Who is in a team acts only on the targets that carry the labels of one of their teams.
package shieldops.teams

deny contains {"code": "outside_team", "detail": sprintf("target %s carries the labels of none of the requester's teams: %s", [action.target.name, concat(", ", sort([team.name | some team in input.situation.teams]))])} if {
	input.requester.kind == "user"
	count(input.situation.teams) > 0
	some action in input.actions
	not owned(action.target)
}

owned(target) if {
	some team in input.situation.teams
	every key, value in team.labels {
		target.labels[key] == value
	}
}
