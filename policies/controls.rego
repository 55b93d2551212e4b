# The controls of published frameworks that a decision and its record are evidence for.
package shieldops.controls

# Every decision is recorded with who, what and when.
controls := ({"PCI DSS 4.0.1 10.2.1", "HIPAA 164.312(b)", "CIS v8.1 8.2"} | response) | change

# Response to an incident.
response := {"SOC 2 CC7.4", "HIPAA 164.308(a)(6)", "CIS v8.1 17.4"} if {
	some action in input.actions
	action.capability.purpose == "containment"
}

else := set()

# A change that was planned, judged and recorded before it was made.
change := {"SOC 2 CC8.1", "PCI DSS 4.0.1 6.5.1"} if {
	some action in data.shieldops.plan.changing
	action.capability.purpose == "change"
}

else := set()
