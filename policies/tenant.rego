# What a tenant's own policies add. Without any this stands; with some, the loader writes one line for each of them.
package shieldops.tenant

deny := set()

obligation := set()
