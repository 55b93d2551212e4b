# The one switch: while automation is halted no run begins. Planning goes on, and so does undo.
package shieldops.automation

deny contains {"code": "automation_halted", "detail": "automation is halted; a person must resume it"} if {
	input.automation_halted
	input.stage == "run"
}
