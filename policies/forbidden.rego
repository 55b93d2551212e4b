# What no action may do, whoever asks and approves. It goes by what a capability says that it effects, never by its name.
package shieldops.forbidden

effects := {
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
}

deny contains {"code": "forbidden_effect", "detail": sprintf("%s %s (%s); no action may do that", [action.capability.name, effects[effect], effect])} if {
	some action in input.actions
	some effect in action.capability.effects
	effects[effect]
}
