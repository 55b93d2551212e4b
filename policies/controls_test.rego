package shieldops.controls_test

import data.shieldops.controls
import data.shieldops.testing

always := {"PCI DSS 4.0.1 10.2.1", "HIPAA 164.312(b)", "CIS v8.1 8.2"}

response := {"SOC 2 CC7.4", "HIPAA 164.308(a)(6)", "CIS v8.1 17.4"}

change := {"SOC 2 CC8.1", "PCI DSS 4.0.1 6.5.1"}

evidence(capability) := names if names := controls.controls with input as testing.plan([testing.action_of(capability, testing.target, [])])

test_containment_is_evidence_of_response if {
	evidence(testing.capability) == always | response
}

test_change_is_evidence_of_change_control if {
	evidence(testing.purpose("change")) == always | change
}

test_reading_changes_nothing if {
	evidence(object.union(testing.purpose("change"), {"class": "read_only"})) == always
	evidence(testing.class("read_only")) == always | response
}
