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
}

action_of(capability_, target_, reach) := {
	"id": "act_01h455vb4pex5vsknk084sn02q",
	"from_hash": "00",
	"capability": capability_,
	"target": target_,
	"params": {},
	"reach": reach,
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
}

block(net_) := plan([action_of(capability, target, [net_])])
