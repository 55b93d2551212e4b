package shieldops.autonomy_test

import data.shieldops.autonomy
import data.shieldops.testing

block := testing.block("203.0.113.66/32")

in_staging := testing.plan([testing.action_of(testing.capability, testing.in_environment("staging"), ["203.0.113.66/32"])])

# Everything else is as good as it gets.
sure(plan_, more) := testing.when(plan_, object.union({"confidence": 0.85, "actions": {"act_01h455vb4pex5vsknk084sn02q": {"address_source": "authenticated"}}}, more))

level(plan_) := number if number := autonomy.level with input as plan_

why(plan_) := testing.codes(reasons) if reasons := autonomy.because with input as plan_

set_to(more) := sure(in_staging, {"autonomy": more})

test_where_nothing_is_set_it_is_2 if {
	level(sure(in_staging, {})) == 2
	why(sure(in_staging, {})) == {"autonomy_level"}
}

test_the_lowest_of_what_is_set_holds if {
	level(set_to({"tenant": 4})) == 4
	level(set_to({"tenant": 4, "environments": {"staging": 3}})) == 3
	level(set_to({"tenant": 3, "environments": {"staging": 4}, "capabilities": {"linux.block_ip": 1}})) == 1
	level(set_to({"capabilities": {"linux.block_ip": 4}})) == 4
	level(set_to({"tenant": 0, "environments": {"staging": 4}})) == 0
}

test_what_is_set_for_others_does_not_hold if {
	level(set_to({"tenant": 4, "environments": {"production": 0}, "capabilities": {"linux.isolate_host": 0}})) == 4
}

lowered(capability, target) := set_to({"tenant": 4, "lowered": [{"capability": capability, "target": target, "to": 2, "why": "1 of the last day failed"}]})

test_what_the_system_lowered_is_lower if {
	level(lowered("linux.block_ip", null)) == 2
	level(lowered("linux.block_ip", "tgt_01h455vb4pex5vsknk084sn02q")) == 2
	why(lowered("linux.block_ip", null)) == {"autonomy_lowered"}
}

test_what_the_system_lowered_elsewhere_is_not if {
	level(lowered("linux.isolate_host", null)) == 4
	level(lowered("linux.block_ip", "tgt_01h455vb4pex5vsknk084sn02r")) == 4
}

test_a_finding_that_is_not_sure_needs_a_person if {
	level(testing.when(set_to({"tenant": 4}), {"confidence": 0.849})) == 2
	level(testing.when(set_to({"tenant": 4}), {"confidence": null})) == 2
	why(testing.when(set_to({"tenant": 4}), {"confidence": 0.849})) == {"confidence_not_high"}
}

refused_until(time) := testing.when(set_to({"tenant": 4}), {"actions": {"act_01h455vb4pex5vsknk084sn02q": {"address_source": "authenticated", "asks_again_before": time}}})

test_what_a_person_said_no_to_needs_a_person_again if {
	level(refused_until("2026-11-21T12:00:00.000001Z")) == 2
	because := autonomy.because with input as refused_until("2026-11-21T12:00:00.000001Z")
	because == {{
		"code": "refused_by_person",
		"detail": "a person said no to this on target twin/demo; automation asks again before 2026-11-21T12:00:00.000001Z",
	}}
}

test_when_the_time_is_over_a_no_binds_no_more if {
	level(refused_until("2026-11-21T12:00:00.000000Z")) == 4
	level(refused_until(null)) == 4
}

test_a_no_to_what_another_plan_does_binds_nothing if {
	other := {"act_01h455vb4pex5vsknk084sn02r": {"asks_again_before": "2026-11-22T12:00:00.000000Z"}}
	level(testing.when(set_to({"tenant": 4}), {"actions": object.union(other, {"act_01h455vb4pex5vsknk084sn02q": {"address_source": "authenticated"}})})) == 4
}

from(source) := testing.when(set_to({"tenant": 4}), {"actions": {"act_01h455vb4pex5vsknk084sn02q": {"address_source": source}}})

test_an_address_that_nobody_vouches_for_needs_a_person if {
	level(from("untrusted")) == 2
	why(from("untrusted")) == {"untrusted_address"}
	level(testing.when(in_staging, {"confidence": 1, "autonomy": {"tenant": 4}})) == 2
}

test_an_address_from_a_checked_sender_or_a_person_does_not if {
	level(from("authenticated")) == 4
	level(from("person")) == 4
}

test_where_no_address_is_reached_its_source_does_not_matter if {
	none := testing.plan([testing.action_of(testing.capability, testing.in_environment("staging"), [])])
	level(testing.when(none, {"confidence": 1, "autonomy": {"tenant": 4}})) == 4
}

grant := {
	"id": "grant-7",
	"capability": "linux.block_ip",
	"environment": "production",
	"targets": [],
	"labels": {},
	"granted_by": "usr_01h455vb4pex5vsknk084sn02q",
	"expires_at": "2026-11-21T12:00:00.000001Z",
}

labelled(labels) := testing.plan([testing.action_of(testing.capability, object.union(testing.target, {"labels": labels}), ["203.0.113.66/32"])])

under(plan_, more) := sure(plan_, {"autonomy": {"tenant": 4}, "grants": [object.union(grant, more)]})

this := {"targets": ["tgt_01h455vb4pex5vsknk084sn02q"]}

test_a_standing_grant_for_this_very_thing_lets_it_act_in_production if {
	level(under(block, this)) == 4
	used := autonomy.grants with input as under(block, this)
	used == {"grant-7"}
	level(under(labelled({"app": "web", "tier": "1"}), {"labels": {"app": "web", "tier": "1"}})) == 4
}

test_a_standing_grant_for_anything_else_does_not if {
	level(under(block, {})) == 2
	level(under(block, object.union(this, {"capability": "linux.isolate_host"}))) == 2
	level(under(block, object.union(this, {"environment": "staging"}))) == 2
	level(under(block, object.union(this, {"expires_at": "2026-11-21T12:00:00.000000Z"}))) == 2
	level(under(block, {"targets": ["tgt_01h455vb4pex5vsknk084sn02r"]})) == 2
	level(under(labelled({"app": "web"}), {"labels": {"app": "web", "tier": "1"}})) == 2
	why(under(block, {})) == {"no_standing_grant"}
	used := autonomy.grants with input as under(block, {})
	used == set()
}

test_one_action_without_a_grant_is_enough_to_ask if {
	other := object.union(testing.target, {"id": "tgt_01h455vb4pex5vsknk084sn02r"})
	both := testing.plan(array.concat(block.actions, [testing.action_of(testing.capability, other, ["203.0.113.66/32"])]))
	level(under(both, this)) == 2
}

test_at_low_risk_production_needs_no_grant if {
	harmless := testing.plan([testing.action_of(object.union(testing.capability, {"base_risk": 0}), testing.target, ["203.0.113.66/32"])])
	level(sure(harmless, {"autonomy": {"tenant": 4}})) == 4
}

test_one_label_is_enough_for_a_grant if {
	level(under(labelled({"app": "web"}), {"labels": {"app": "web"}})) == 4
}
