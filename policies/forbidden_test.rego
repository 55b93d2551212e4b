# No capability has these effects yet: they are tested on typed input alone.
package shieldops.forbidden_test

import data.shieldops.forbidden
import data.shieldops.testing

said(effects) := reasons if {
	capability := object.union(testing.capability, {"effects": effects})
	reasons := forbidden.deny with input as testing.by_person(testing.plan([testing.action_of(capability, testing.target, [])]))
}

denied(effects) := testing.codes(said(effects))

test_each_is_denied_and_named if {
	every effect, words in {
		"audit.disable": "switches off an audit trail",
		"backup.delete": "deletes backups",
		"bucket.delete": "deletes a storage bucket",
		"cluster.delete": "deletes a cluster",
		"database.delete": "deletes a database",
		"disk.wipe": "wipes a disk",
		"encryption_key.destroy": "destroys a key that data is encrypted with",
		"identity.modify_root": "changes a root identity",
		"logging.disable": "switches off logging",
		"monitoring.disable": "switches off monitoring",
		"namespace.delete": "deletes a namespace",
		"table.drop": "drops a table",
	} {
		said([effect]) == {{"code": "forbidden_effect", "detail": sprintf("linux.block_ip %s (%s); no action may do that", [words, effect])}}
		denied(["network.deny", effect]) == {"forbidden_effect"}
	}
}

test_a_class_does_not_excuse if {
	capability := object.union(testing.class("read_only"), {"effects": ["table.drop"]})
	reasons := forbidden.deny with input as testing.plan([testing.action_of(capability, testing.target, [])])
	count(reasons) == 1
}

test_what_only_sounds_like_it_is_not if {
	denied(["network.deny", "table.read", "database", "logging.enable"]) == set()
}
