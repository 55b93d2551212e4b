# Files that let in whoever has read them. Paths are taken as the capability takes them: absolute, without dots, and no link is
# followed on the way.
package shieldops.secrets

read contains file if {
	some action in input.actions
	some file in action.params.files
	kept(file)
}

kept(file) if file in {
	"/etc/gshadow",
	"/etc/gshadow-",
	"/etc/security/opasswd",
	"/etc/shadow",
	"/etc/shadow-",
}

kept(file) if {
	startswith(file, "/etc/ssh/ssh_host_")
	endswith(file, "_key")
}

kept(file) if {
	some folder in {"/etc/kubernetes/pki/", "/etc/ssl/private/", "/run/secrets/", "/var/run/secrets/"}
	startswith(file, folder)
}

kept(file) if {
	some folder in {"/.aws/", "/.azure/", "/.gnupg/", "/.kube/", "/.ssh/"}
	contains(file, folder)
	not public(file)
}

kept(file) if {
	some ending in {".jks", ".kdbx", ".key", ".keytab", ".p12", ".pem", ".pfx", ".ppk", "/.netrc", "/.pgpass", "/.vault-token", "/shieldops/profiles.toml"}
	endswith(file, ending)
}

# What stands in such a folder and opens nothing.
public(file) if {
	some ending in {".pub", "/.ssh/authorized_keys", "/.ssh/config", "/.ssh/known_hosts"}
	endswith(file, ending)
}
