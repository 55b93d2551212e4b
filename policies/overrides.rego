# What a person may take upon themselves, with a reason: to act without approval, and in a freeze. No deny, cap or
# protection is lifted by it.
package shieldops.overrides

break_glass if {
	input.situation.break_glass != null
	good(input.situation.break_glass)
}

freeze_lifted if break_glass

freeze_lifted if good(input.situation.freeze_override)

good(override) if {
	startswith(override.by, "usr_")
	trim_space(override.reason) != ""
}

deny contains {"code": "override_invalid", "detail": sprintf("%s needs a person and a reason", [name])} if {
	some name, override in {"break-glass": input.situation.break_glass, "a freeze override": input.situation.freeze_override}
	override != null
	not good(override)
}
