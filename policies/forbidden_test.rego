# No capability has these effects yet: they are tested on typed input alone.
package shieldops.forbidden_test

import data.shieldops.forbidden
import data.shieldops.testing

denied(effects) := testing.codes(reasons) if {
	capability := object.union(testing.capability, {"effects": effects})
	reasons := forbidden.deny with input as testing.by_person(testing.plan([testing.action_of(capability, testing.target, [])]))
}

test_each_is_denied if {
	every effect in [
		"audit.disable", "backup.delete", "bucket.delete", "cluster.delete", "database.delete", "disk.wipe",
		"encryption_key.destroy", "identity.modify_root", "logging.disable", "monitoring.disable", "namespace.delete",
		"table.drop",
	] {
		denied([effect]) == {"forbidden_effect"}
		denied(["network.deny", effect]) == {"forbidden_effect"}
	}
}

test_the_reason_says_what_it_is if {
	capability := object.union(testing.capability, {"effects": ["table.drop"]})
	reasons := forbidden.deny with input as testing.plan([testing.action_of(capability, testing.target, [])])
	reasons == {{"code": "forbidden_effect", "detail": "linux.block_ip drops a table (table.drop); no action may do that"}}
}

test_a_class_does_not_excuse if {
	capability := object.union(testing.class("read_only"), {"effects": ["table.drop"]})
	reasons := forbidden.deny with input as testing.plan([testing.action_of(capability, testing.target, [])])
	count(reasons) == 1
}

test_what_only_sounds_like_it_is_not if {
	denied(["network.deny", "table.read", "database", "logging.enable"]) == set()
}
