package shieldops.secrets_test

import data.shieldops.secrets
import data.shieldops.testing

reading(files) := testing.plan([object.union(testing.action_of(testing.class("read_only"), testing.target, []), {"params": {"files": files}})])

found(files) := names if names := secrets.read with input as reading(files)

kept := {
	"/etc/gshadow",
	"/etc/gshadow-",
	"/etc/krb5.keytab",
	"/etc/kubernetes/pki/ca.crt",
	"/etc/security/opasswd",
	"/etc/shadow",
	"/etc/shadow-",
	"/etc/ssh/ssh_host_ed25519_key",
	"/etc/ssl/private/site",
	"/home/ann/.aws/credentials",
	"/home/ann/.azure/tokens",
	"/home/ann/.config/shieldops/profiles.toml",
	"/home/ann/.gnupg/secring.gpg",
	"/home/ann/.kube/config",
	"/home/ann/.netrc",
	"/home/ann/.pgpass",
	"/home/ann/.ssh/id_ed25519",
	"/home/ann/.vault-token",
	"/home/ann/vault.kdbx",
	"/opt/app.jks",
	"/opt/app.keytab",
	"/opt/app.p12",
	"/opt/app.pem",
	"/opt/app.pfx",
	"/opt/app.ppk",
	"/run/secrets/token",
	"/srv/tls.key",
	"/var/run/secrets/token",
}

open := {
	"/etc/passwd",
	"/etc/profiles.toml",
	"/etc/shadow.md",
	"/etc/ssh/ssh_host_ed25519_key.pub",
	"/etc/ssh/sshd_config",
	"/home/ann/.ssh/authorized_keys",
	"/home/ann/.ssh/config",
	"/home/ann/.ssh/id_ed25519.pub",
	"/home/ann/.ssh/known_hosts",
	"/srv/etc/ssl/private",
	"/srv/keyboard_key",
	"/var/log/auth.log",
}

test_what_lets_in_whoever_reads_it_is_a_secret if {
	found(kept | open) == kept
	every file in kept {
		found([file]) == {file}
	}
}

test_other_files_are_none if {
	found(open) == set()
	none := secrets.read with input as testing.block("203.0.113.66/32")
	none == set()
}
