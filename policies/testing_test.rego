# Inputs that the tests change one thing of. Loaded by the test runner only.
package shieldops.testing

capability := {
	"name": "linux.block_ip",
	"class": "reversible",
	"purpose": "containment",
	"base_risk": 1,
	"effects": ["network.deny"],
}

target := {
	"id": "tgt_01h455vb4pex5vsknk084sn02q",
	"kind": "linux_host",
	"name": "twin/demo",
	"environment": "production",
	"criticality": "medium",
	"labels": {},
	"owner": null,
	"simulated": false,
	"protected": false,
}

known_facts := {
	"own_addresses": ["203.0.113.10", "2001:db8::10"],
	"gateways": ["198.51.100.1"],
	"dns_servers": ["198.51.100.53"],
	"dependants": [],
	"untouchable": [],
	"resources": [],
	"touches": [],
	"not_checkable": [],
}

action_of(capability_, target_, reach) := {
	"id": "act_01h455vb4pex5vsknk084sn02q",
	"from_hash": "00",
	"capability": capability_,
	"target": target_,
	"params": {},
	"reach": reach,
	"resources": array.concat([concat(":", ["target", target_.id])], [concat(":", ["peer", net_]) | some net_ in reach]),
	"facts": known_facts,
}

plan(actions) := {
	"tenant": "tnt_01h455vb4pex5vsknk084sn02q",
	"now": "2026-11-21T12:00:00.000000Z",
	"entry": "action",
	"stage": "plan",
	"drifted": false,
	"automation_halted": false,
	"requester": {"id": "system:investigation", "kind": "system"},
	"operator_addresses": ["192.0.2.7"],
	"operators_complete": true,
	"plan_hash": "00",
	"plan_expires_at": "2026-11-22T12:00:00.000000Z",
	"actions": actions,
	"situation": situation,
}

block(net_) := plan([action_of(capability, target, [net_])])

# Read by the server's own tests.
block_of_a_stranger := block("203.0.113.66/32")

in_environment(name) := object.union(target, {"environment": name})

class(name) := object.union(capability, {"class": name})

purpose(name) := object.union(capability, {"purpose": name})

# The plan with other things known of the moment.
when(plan_, more) := object.union(plan_, {"situation": more})

by_person(plan_) := object.union(plan_, {"requester": {"id": "usr_01h455vb4pex5vsknk084sn02q", "kind": "user"}})

codes(reasons) := {reason.code | some reason in reasons}

limits(blast, minute, hour, team_hour, veto) := {
	"blast_radius": blast,
	"resources_per_hour": blast,
	"ipv4_prefix": 24,
	"ipv6_prefix": 64,
	"per_minute": minute,
	"per_hour": hour,
	"per_team_hour": team_hour,
	"veto_window_s": veto,
}

each(value) := {"development": value, "staging": value, "production": value}

# What the server sends when nothing is set and nothing is known.
situation := {
	"numbers": {
		"limits": {
			"development": limits(50, 10, 100, 50, 60),
			"staging": limits(20, 5, 50, 25, 120),
			"production": limits(5, 3, 20, 10, 300),
		},
		"restarts_per_hour": 5,
		"kept_for_high_severity": 1,
		"confidence": {"low": 0.5, "high": 0.85},
		"escalation": {"approvers_after_s": 300, "administrators_after_s": 600},
		"vote_void_s": 900,
		"automation_expiry_s": 86400,
		"no_redo_s": 86400,
	},
	"protected": [],
	"never_block": {"proxy": [], "nat": [], "monitoring": [], "partner": []},
	"freezes": [],
	"teams": [],
	"counts": {
		"last_minute": each(0),
		"last_hour": each(0),
		"resources_last_hour": each([]),
		"teams_last_hour": {},
	},
	"grants": [],
	"autonomy": {"tenant": null, "environments": {}, "capabilities": {}, "lowered": []},
	"severity": null,
	"confidence": null,
	"break_glass": null,
	"freeze_override": null,
	"release": null,
	"actions": {},
}
