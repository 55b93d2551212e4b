package shieldops.decision_test

import data.shieldops.decision
import data.shieldops.testing

block := testing.block("203.0.113.66/32")

decided(plan_) := answer if answer := decision.decision with input as plan_

denied(plan_) := testing.codes(decided(plan_).denies)

test_a_block_in_production_is_allowed_after_one_approval if {
	decided(block) == {
		"allow": true,
		"denies": set(),
		"approvals_needed": 1,
		"risk": "medium",
		"risk_terms": decided(block).risk_terms,
		"obligations": {
			"notify": {"approvers"},
			"veto_window_s": null,
			"strong_session": false,
			"because": decided(block).obligations.because,
		},
		"controls": decided(block).controls,
		"tenant": {"denies": set(), "obligations": set()},
	}
	count(decided(block).risk_terms) == 5
	count(decided(block).controls) == 6
	testing.codes(decided(block).obligations.because) == {
		"autonomy_level", "confidence_not_high", "no_standing_grant", "production_above_low", "untrusted_address",
	}
}

test_one_deny_is_enough if {
	decided(testing.block("127.0.0.1/32")).allow == false
	count(decided(testing.block("127.0.0.1/32")).denies) == 1
}

test_reading_is_allowed_without_approval if {
	got := decided(testing.plan([testing.action_of(testing.class("read_only"), testing.target, ["203.0.113.66/32"])]))
	got.allow == true
	got.approvals_needed == 0
}

test_simulated_grants_nothing if {
	simulated := object.union(testing.target, {"simulated": true})
	decided(testing.plan([testing.action_of(testing.capability, simulated, ["203.0.113.66/32"])])).approvals_needed == 1
	decided(testing.plan([testing.action_of(testing.capability, simulated, ["127.0.0.1/32"])])).allow == false
}

# One plan for each policy that it alone denies.
bad := {
	"automation_halted": object.union(block, {"automation_halted": true, "stage": "run"}),
	"facts_unknown": testing.plan([object.union(testing.action_of(testing.capability, testing.target, []), {"facts": null})]),
	"forbidden_effect": testing.plan([testing.action_of(object.union(testing.capability, {"effects": ["table.drop"]}), testing.target, [])]),
	"change_freeze": testing.when(
		testing.plan([testing.action_of(testing.purpose("change"), testing.target, [])]),
		{"freezes": [{"name": "n", "environments": ["production"], "reason": "r", "until": "2027-01-01T00:00:00.000000Z"}]},
	),
	"rate_hour": testing.when(block, {"counts": {"last_hour": {"production": 20}}}),
	"override_invalid": testing.when(block, {"break_glass": {"by": "system:expiry", "reason": "r"}}),
	"protected_target": testing.plan([testing.action_of(testing.capability, object.union(testing.target, {"protected": true}), [])]),
	"outside_team": testing.by_person(testing.when(block, {"teams": [{"name": "t", "members": [], "labels": {"app": "web"}}]})),
}

test_every_policy_can_deny if {
	every code, plan_ in bad {
		denied(plan_) == {code}
		decided(plan_).allow == false
	}
}

test_an_undo_passes_every_one_of_them if {
	every plan_ in bad {
		decided(object.union(plan_, {"entry": "undo"})).allow == true
		decided(object.union(plan_, {"entry": "undo"})).approvals_needed == 0
	}
}

test_a_broken_glass_lifts_a_freeze_and_nothing_else if {
	glass := {"situation": {"break_glass": {"by": "usr_01h455vb4pex5vsknk084sn02q", "reason": "r"}}}
	every code, plan_ in object.remove(bad, ["change_freeze", "override_invalid"]) {
		denied(object.union(plan_, glass)) == {code}
	}
	denied(object.union(bad.change_freeze, glass)) == set()
}

release := testing.by_person(testing.when(block, {"release": {"incident_open": true, "plan_was_critical": false, "reason": ""}}))

test_a_release_without_a_reason_is_denied_at_the_door_of_undo_alone if {
	denied(object.union(release, {"entry": "undo"})) == {"reason_missing"}
	denied(release) == set()
}

test_a_tenant_adds_at_the_door_of_action_alone if {
	deny := {{"policy": "p", "reason": "no"}}
	owed := {{"policy": "p", "obligation": {"approvals": 2, "why": "w"}}}
	got := decision.decision with input as block with data.shieldops.tenant.deny as deny with data.shieldops.tenant.obligation as owed
	got.tenant == {"denies": deny, "obligations": owed}
	undo := decision.decision with input as object.union(block, {"entry": "undo"}) with data.shieldops.tenant.deny as deny with data.shieldops.tenant.obligation as owed
	undo.tenant == {"denies": set(), "obligations": set()}
}

test_another_door_decides_nothing if {
	not decision.decision with input as object.union(block, {"entry": "window"})
}
