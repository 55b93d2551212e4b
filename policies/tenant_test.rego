package shieldops.tenant_test

import data.shieldops.tenant

test_without_policies_of_its_own_a_tenant_adds_nothing if {
	tenant.deny == set()
	tenant.obligation == set()
}
