package shieldops.protected_test

import data.shieldops.protected
import data.shieldops.testing

codes(net_) := {reason.code | some reason in protected.deny with input as testing.block(net_)}

test_a_stranger_is_not_protected if {
	codes("203.0.113.66/32") == set()
	codes("2001:db8::66/128") == set()
}

test_a_protected_target_is_denied if {
	target := object.union(testing.target, {"protected": true})
	some reason in protected.deny with input as testing.plan([testing.action_of(testing.capability, target, ["203.0.113.66/32"])])
	reason.code == "protected_target"
}

test_a_protected_target_may_be_read if {
	target := object.union(testing.target, {"protected": true})
	read := object.union(testing.capability, {"class": "read_only"})
	count(protected.deny) == 0 with input as testing.plan([testing.action_of(read, target, ["203.0.113.66/32"])])
}

test_loopback_is_denied if {
	codes("127.0.0.1/32") == {"loopback_address"}
	codes("127.200.0.0/16") == {"loopback_address"}
	codes("126.0.0.0/7") == {"loopback_address"}
	codes("::1/128") == {"loopback_address"}
}

test_beside_loopback_is_not_denied if {
	codes("126.255.255.255/32") == set()
	codes("128.0.0.0/32") == set()
	codes("::2/128") == set()
}

test_the_unspecified_address_is_denied if {
	codes("0.0.0.0/32") == {"unspecified_address"}
	codes("::/128") == {"unspecified_address"}
}

test_beside_the_unspecified_address_is_not_denied if {
	codes("1.0.0.0/32") == set()
}

test_multicast_and_broadcast_are_denied if {
	codes("224.0.0.251/32") == {"multicast_address"}
	codes("255.255.255.255/32") == {"multicast_address"}
	codes("ff02::1/128") == {"multicast_address"}
}

test_beside_multicast_is_not_denied if {
	codes("223.255.255.255/32") == set()
	codes("240.0.0.1/32") == set()
	codes("feff::1/128") == set()
}

test_everything_is_denied if {
	"whole_internet" in codes("0.0.0.0/0")
	"whole_internet" in codes("::/0")
}

test_half_of_everything_is_denied_for_what_it_holds_and_not_for_its_size if {
	codes("128.0.0.0/1") & {"whole_internet"} == set()
}

test_an_own_address_is_denied if {
	codes("203.0.113.10/32") == {"own_address"}
	codes("2001:db8::10/128") == {"own_address"}
	codes("203.0.113.0/28") == {"own_address"}
}

test_beside_an_own_address_is_not_denied if {
	codes("203.0.113.11/32") == set()
	codes("2001:db8::11/128") == set()
	codes("203.0.113.16/28") == set()
}

test_a_gateway_is_denied if {
	codes("198.51.100.1/32") == {"gateway_address"}
}

test_beside_a_gateway_is_not_denied if {
	codes("198.51.100.2/32") == set()
}

test_a_name_server_is_denied if {
	codes("198.51.100.53/32") == {"dns_address"}
}

test_beside_a_name_server_is_not_denied if {
	codes("198.51.100.54/32") == set()
}

test_an_operator_is_denied if {
	codes("192.0.2.7/32") == {"operator_address"}
	codes("192.0.2.0/29") == {"operator_address"}
}

test_beside_an_operator_is_not_denied if {
	codes("192.0.2.8/32") == set()
	codes("192.0.2.8/29") == set()
}
