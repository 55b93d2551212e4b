package shieldops.approvals_test

import data.shieldops.approvals
import data.shieldops.testing

person := "usr_01h455vb4pex5vsknk084sn02q"

block := testing.block("203.0.113.66/32")

# A person's plan of one action.
asked(class, base, environment, criticality) := testing.by_person(testing.plan([testing.action_of(capability, target, ["203.0.113.66/32"])])) if {
	capability := object.union(testing.class(class), {"base_risk": base})
	target := object.union(testing.target, {"environment": environment, "criticality": criticality})
}

needed(plan_) := number if number := approvals.needed with input as plan_

test_production_above_low_needs_one if {
	needed(asked("reversible", 1, "production", "medium")) == 1
	needed(asked("reversible", 1, "production", "high")) == 1
}

test_staging_needs_none if {
	needed(asked("reversible", 1, "staging", "medium")) == 0
	needed(asked("reversible", 3, "staging", "medium")) == 0
}

test_production_at_low_needs_none if {
	needed(asked("reversible", 0, "production", "medium")) == 0
}

test_critical_needs_two if {
	needed(asked("reversible", 2, "production", "high")) == 2
	needed(asked("reversible", 3, "staging", "high")) == 2
}

test_one_point_below_critical_needs_one if {
	needed(asked("reversible", 2, "production", "medium")) == 1
}

test_what_cannot_be_undone_needs_two_anywhere if {
	needed(asked("irreversible", 1, "development", "low")) == 2
	because := approvals.because with input as asked("irreversible", 1, "development", "low")
	testing.codes(because) == {"irreversible"}
}

test_reading_needs_none if {
	needed(asked("read_only", 3, "production", "high")) == 0
	because := approvals.because with input as asked("read_only", 3, "production", "high")
	because == set()
}

reads(files) := object.union(asked("read_only", 1, "staging", "low"), {"actions": [object.union(asked("read_only", 1, "staging", "low").actions[0], {"params": {"files": files}})]})

test_reading_what_lets_somebody_in_needs_one if {
	needed(reads(["/var/log/auth.log"])) == 0
	needed(reads(["/etc/shadow", "/root/.ssh/id_rsa", "/etc/passwd"])) == 1
	because := approvals.because with input as reads(["/etc/shadow", "/root/.ssh/id_rsa", "/etc/passwd"])
	because == {{"code": "reads_secrets", "detail": "it reads what lets in whoever has it: /etc/shadow, /root/.ssh/id_rsa"}}
	undo := object.union(reads(["/etc/shadow"]), {"entry": "undo"})
	needed(undo) == 0
	told := approvals.notify with input as reads(["/etc/shadow"])
	told == {"approvers"}
}

test_a_mixed_plan_needs_what_its_gravest_action_needs if {
	staging := testing.action_of(object.union(testing.capability, {"base_risk": 2}), testing.in_environment("staging"), ["203.0.113.66/32"])
	needed(testing.by_person(testing.plan([staging]))) == 0
	reading := testing.action_of(testing.class("read_only"), testing.target, [])
	needed(testing.by_person(testing.plan([staging, reading]))) == 0
}

test_the_reasons_are_told if {
	because := approvals.because with input as asked("irreversible", 2, "production", "high")
	testing.codes(because) == {"critical_risk", "irreversible"}
	one := approvals.because with input as asked("reversible", 1, "production", "medium")
	one == {{"code": "production_above_low", "detail": "the risk is medium, in production"}}
}

test_an_undo_is_covered_by_the_first_approval if {
	undo := object.union(asked("reversible", 2, "production", "high"), {"entry": "undo"})
	needed(undo) == 0
	because := approvals.because with input as undo
	testing.codes(because) == {"first_approval"}
	strong := approvals.strong_session with input as undo
	strong == false
}

test_an_undo_of_nothing_is_covered_by_nothing if {
	undo := object.union(asked("read_only", 2, "production", "high"), {"entry": "undo"})
	because := approvals.because with input as undo
	because == set()
}

test_an_undo_of_a_drifted_state_asks_again if {
	undo := object.union(asked("reversible", 1, "production", "medium"), {"entry": "undo", "drifted": true})
	needed(undo) == 1
	because := approvals.because with input as undo
	testing.codes(because) == {"changed_since", "production_above_low"}
}

test_an_undo_of_a_drifted_state_asks_again_in_any_environment if {
	every environment in ["development", "staging"] {
		undo := object.union(asked("reversible", 1, environment, "low"), {"entry": "undo", "drifted": true})
		needed(undo) == 1
		because := approvals.because with input as undo
		because == {{"code": "changed_since", "detail": "the state is not what an approved action left"}}
		needed(object.union(testing.plan(undo.actions), {"entry": "undo", "drifted": true})) == 1
		needed(object.union(undo, {"drifted": false})) == 0
		needed(object.union(asked("read_only", 1, environment, "low"), {"entry": "undo", "drifted": true})) == 0
	}
}

test_drift_matters_to_undo_alone if {
	needed(object.union(asked("reversible", 1, "staging", "medium"), {"drifted": true})) == 0
}

release(critical) := testing.when(
	object.union(asked("reversible", 1, "production", "medium"), {"entry": "undo"}),
	{"release": {"incident_open": true, "plan_was_critical": critical, "reason": "the host is clean"}},
)

test_letting_go_what_a_critical_plan_contained_needs_a_second_person if {
	needed(release(true)) == 1
	because := approvals.because with input as release(true)
	testing.codes(because) == {"first_approval", "release"}
	strong := approvals.strong_session with input as release(true)
	strong == true
}

test_letting_go_what_another_plan_contained_does_not if {
	needed(release(false)) == 0
	strong := approvals.strong_session with input as release(false)
	strong == false
}

test_a_lifting_of_what_was_critical_needs_two if {
	needed(object.union(release(true), {"requester": {"id": "system:protection", "kind": "system"}})) == 2
}

test_a_release_binds_an_undo_alone if {
	needed(object.union(release(true), {"entry": "action"})) == 1
	strong := approvals.strong_session with input as object.union(release(true), {"entry": "action"})
	strong == false
	because := approvals.because with input as object.union(release(true), {"entry": "action"})
	not "release" in testing.codes(because)
}

# Automation.

trusted(plan_, more) := testing.when(plan_, object.union({"confidence": 0.9, "actions": {"act_01h455vb4pex5vsknk084sn02q": {"address_source": "authenticated"}}}, more))

in_staging := testing.plan([testing.action_of(testing.capability, testing.in_environment("staging"), ["203.0.113.66/32"])])

at(level) := {"autonomy": {"tenant": level}}

granted := {"grants": [{
	"id": "grant-7",
	"capability": "linux.block_ip",
	"environment": "production",
	"targets": ["tgt_01h455vb4pex5vsknk084sn02q"],
	"labels": {},
	"granted_by": person,
	"expires_at": "2026-11-21T13:00:00.000000Z",
}]}

test_automation_at_level_2_needs_one_even_at_low_risk if {
	needed(trusted(in_staging, at(2))) == 1
	because := approvals.because with input as trusted(in_staging, at(2))
	testing.codes(because) == {"autonomy_level"}
}

test_automation_at_level_3_and_4_needs_none_outside_production if {
	needed(trusted(in_staging, at(3))) == 0
	needed(trusted(in_staging, at(4))) == 0
}

test_automation_in_production_needs_one_without_a_grant if {
	needed(trusted(block, at(4))) == 1
	because := approvals.because with input as trusted(block, at(4))
	testing.codes(because) == {"no_standing_grant", "production_above_low"}
}

test_a_standing_grant_replaces_approval if {
	needed(trusted(block, object.union(at(4), granted))) == 0
	because := approvals.because with input as trusted(block, object.union(at(4), granted))
	because == {{"code": "standing_grant", "detail": "standing grant grant-7"}}
}

test_a_standing_grant_replaces_nothing_at_level_2 if {
	needed(trusted(block, object.union(at(2), granted))) == 1
	because := approvals.because with input as trusted(block, object.union(at(2), granted))
	testing.codes(because) == {"autonomy_level", "production_above_low"}
}

test_a_standing_grant_does_not_replace_the_two_of_critical if {
	grave := testing.plan([testing.action_of(object.union(testing.capability, {"base_risk": 3}), testing.target, ["203.0.113.66/32"])])
	needed(trusted(grave, object.union(at(4), granted))) == 2
}

test_a_standing_grant_replaces_nothing_for_a_person if {
	needed(testing.by_person(trusted(block, object.union(at(4), granted)))) == 1
}

test_autonomy_does_not_bind_people_undo_or_reading if {
	needed(testing.by_person(trusted(in_staging, at(2)))) == 0
	needed(object.union(trusted(in_staging, at(2)), {"entry": "undo", "drifted": false})) == 0
	because := approvals.because with input as object.union(trusted(in_staging, at(2)), {"entry": "undo", "drifted": true})
	testing.codes(because) == {"changed_since"}
	reading := testing.plan([testing.action_of(testing.class("read_only"), testing.in_environment("staging"), [])])
	needed(trusted(reading, at(2))) == 0
}

refused := {"actions": {"act_01h455vb4pex5vsknk084sn02q": {"address_source": "authenticated", "asks_again_before": "2026-11-21T12:00:00.000001Z"}}}

test_what_a_person_said_no_to_needs_an_approval_whatever_the_level_and_the_grant if {
	needed(trusted(in_staging, object.union(at(4), refused))) == 1
	because := approvals.because with input as trusted(in_staging, object.union(at(4), refused))
	testing.codes(because) == {"refused_by_person"}
	needed(trusted(block, object.union(object.union(at(4), granted), refused))) == 1
	window := approvals.veto_window_s with input as trusted(in_staging, object.union(at(3), refused))
	window == null
}

test_what_a_person_said_no_to_another_person_may_plan if {
	needed(testing.by_person(trusted(in_staging, object.union(at(4), refused)))) == 0
}

# Break-glass.

glass(by) := {"break_glass": {"by": by, "reason": "the pager is on fire"}}

test_break_glass_replaces_approvals_and_tells_the_administrators if {
	plan_ := testing.when(asked("irreversible", 3, "production", "high"), glass(person))
	needed(plan_) == 0
	because := approvals.because with input as plan_
	because == {{"code": "break_glass", "detail": "usr_01h455vb4pex5vsknk084sn02q broke the glass: the pager is on fire"}}
	notify := approvals.notify with input as plan_
	notify == {"administrators"}
	strong := approvals.strong_session with input as plan_
	strong == true
}

test_break_glass_by_nobody_replaces_nothing if {
	needed(testing.when(asked("reversible", 1, "production", "high"), glass("system:investigation"))) == 1
}

test_break_glass_binds_no_undo if {
	plan_ := testing.when(object.union(asked("reversible", 1, "production", "high"), {"entry": "undo", "drifted": true}), glass(person))
	needed(plan_) == 1
}

# What else is owed.

test_a_vote_on_a_critical_plan_needs_a_strong_session if {
	strong := approvals.strong_session with input as asked("reversible", 2, "production", "high")
	strong == true
	weak := approvals.strong_session with input as asked("reversible", 2, "production", "medium")
	weak == false
}

test_level_3_waits_for_a_veto_as_long_as_its_environment_says if {
	window := approvals.veto_window_s with input as trusted(in_staging, at(3))
	window == 120
	both := testing.plan(array.concat(in_staging.actions, block.actions))
	longest := approvals.veto_window_s with input as trusted(both, object.union(at(3), granted))
	longest == 300
	told := approvals.notify with input as trusted(in_staging, at(3))
	told == {"approvers"}
}

test_level_4_waits_for_nobody if {
	window := approvals.veto_window_s with input as trusted(in_staging, at(4))
	window == null
	told := approvals.notify with input as trusted(in_staging, at(4))
	told == set()
}

test_a_broken_glass_waits_for_no_veto if {
	window := approvals.veto_window_s with input as trusted(in_staging, object.union(at(3), glass(person)))
	window == null
}

test_no_person_and_no_undo_waits_for_a_veto if {
	window := approvals.veto_window_s with input as testing.by_person(trusted(in_staging, at(3)))
	window == null
	undo := approvals.veto_window_s with input as object.union(trusted(in_staging, at(3)), {"entry": "undo"})
	undo == null
}

test_who_may_approve_is_told if {
	told := approvals.notify with input as asked("reversible", 1, "production", "medium")
	told == {"approvers"}
	nobody := approvals.notify with input as asked("reversible", 1, "staging", "medium")
	nobody == set()
}

test_a_lifted_freeze_is_told_to_everyone if {
	lifted := {"freeze_override": {"by": person, "reason": "the outage is worse"}}
	told := approvals.notify with input as testing.when(asked("reversible", 1, "staging", "medium"), lifted)
	told == {"everyone"}
	undo := approvals.notify with input as testing.when(object.union(asked("reversible", 1, "staging", "medium"), {"entry": "undo"}), lifted)
	undo == set()
}

test_of_several_reasons_the_gravest_counts if {
	needed(asked("irreversible", 1, "production", "low")) == 2
	because := approvals.because with input as asked("irreversible", 1, "production", "low")
	testing.codes(because) == {"irreversible", "production_above_low"}
}

test_the_undo_of_what_cannot_be_undone_asks_nobody if {
	needed(object.union(asked("irreversible", 1, "production", "low"), {"entry": "undo"})) == 0
}

test_a_standing_grant_counts_at_level_3_too if {
	needed(trusted(block, object.union(at(3), granted))) == 0
}

test_a_broken_glass_is_no_reason_of_an_undo if {
	plan_ := testing.when(object.union(asked("reversible", 1, "production", "high"), {"entry": "undo"}), glass(person))
	because := approvals.because with input as plan_
	testing.codes(because) == {"first_approval"}
}
