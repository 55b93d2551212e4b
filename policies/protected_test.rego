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

protects(kind, value) := {"protected": [{"kind": kind, "value": value, "why": "it is ours"}]}

hit(plan_, kind, value) := testing.codes(reasons) if reasons := protected.deny with input as testing.when(plan_, protects(kind, value))

# An action that reaches no address: what it touches stands in its facts, or in its parameters.
touching(more) := testing.plan([object.union(testing.action_of(testing.capability, testing.target, []), more)])

in_facts(name) := touching({"resources": ["target:tgt_01h455vb4pex5vsknk084sn02q", name]})

test_a_protected_address_is_denied_within_any_range if {
	hit(testing.block("203.0.113.66/32"), "address", "203.0.113.66") == {"protected_entry"}
	hit(testing.block("203.0.113.64/29"), "address", "203.0.113.66") == {"protected_entry"}
	hit(testing.block("2001:db8::66/128"), "address", "2001:db8::66") == {"protected_entry"}
	hit(testing.block("203.0.113.66/32"), "address", "203.0.113.67") == set()
	hit(testing.block("203.0.113.66/32"), "address", "2001:db8::66") == set()
}

test_a_protected_range_is_denied_where_it_overlaps if {
	hit(testing.block("203.0.113.66/32"), "range", "203.0.113.64/29") == {"protected_entry"}
	hit(testing.block("203.0.113.64/29"), "range", "203.0.113.66/32") == {"protected_entry"}
	hit(testing.block("203.0.113.72/32"), "range", "203.0.113.64/29") == set()
}

test_a_protected_target_may_be_named_by_id_or_name if {
	hit(in_facts("user:alice"), "target", "tgt_01h455vb4pex5vsknk084sn02q") == {"protected_entry"}
	hit(in_facts("user:alice"), "target", "twin/demo") == {"protected_entry"}
	hit(in_facts("user:alice"), "target", "twin/demo2") == set()
}

test_protected_users_processes_paths_and_domains_are_denied_by_facts_and_by_parameters if {
	every kind, value in {"user": "alice", "process": "nginx", "path": "/etc/app", "domain": "idp.example.com"} {
		hit(in_facts(concat(":", [kind, value])), kind, value) == {"protected_entry"}
		hit(touching({"params": {kind: value}}), kind, value) == {"protected_entry"}
		hit(in_facts(concat(":", [kind, "other"])), kind, value) == set()
		hit(touching({"params": {kind: 7, "note": value}}), kind, value) == set()
	}
	hit(in_facts("user:nginx"), "process", "nginx") == set()
}

# What is written or ended beside what the action is about counts for nothing but this.
test_what_an_action_touches_besides_is_protected_too if {
	shadow := touching({"facts": object.union(testing.known_facts, {"touches": ["path:/etc/shadow", "process:/usr/sbin/nginx"]})})
	hit(shadow, "path", "/etc/shadow") == {"protected_entry"}
	hit(shadow, "path", "/etc") == {"protected_entry"}
	hit(shadow, "path", "/etc/sh") == set()
	hit(shadow, "process", "nginx") == {"protected_entry"}
	hit(shadow, "user", "/etc/shadow") == set()
	hit(touching({"facts": null}), "path", "/etc/shadow") == set()
}

test_a_process_may_be_named_by_its_path if {
	hit(in_facts("process:/usr/sbin/nginx"), "process", "nginx") == {"protected_entry"}
	hit(in_facts("process:/usr/sbin/my-nginx"), "process", "nginx") == set()
	hit(in_facts("user:/usr/sbin/nginx"), "process", "nginx") == set()
	hit(in_facts("user:/usr/sbin/nginx"), "user", "nginx") == set()
}

test_what_is_below_a_protected_path_is_protected if {
	hit(in_facts("path:/etc/app/key.pem"), "path", "/etc/app") == {"protected_entry"}
	hit(in_facts("path:/etc/apple"), "path", "/etc/app") == set()
	hit(in_facts("path:/srv/x"), "path", "/") == {"protected_entry"}
	hit(in_facts("path:/etc"), "path", "/etc/app") == set()
	hit(in_facts("user:/etc/app/key.pem"), "user", "/etc/app") == set()
}

test_what_is_below_a_protected_domain_is_protected if {
	hit(in_facts("domain:login.idp.example.com"), "domain", "idp.example.com") == {"protected_entry"}
	hit(in_facts("domain:myidp.example.com"), "domain", "idp.example.com") == set()
	hit(in_facts("domain:example.com"), "domain", "idp.example.com") == set()
	hit(in_facts("user:a.idp.example.com"), "user", "idp.example.com") == set()
}

test_what_is_protected_may_be_read if {
	reading := testing.action_of(testing.class("read_only"), testing.target, ["203.0.113.66/32"])
	hit(testing.plan([reading]), "address", "203.0.113.66") == set()
}

test_the_reason_says_why_it_is_protected if {
	reasons := protected.deny with input as testing.when(in_facts("user:alice"), protects("user", "alice"))
	reasons == {{"code": "protected_entry", "detail": "user alice is protected: it is ours"}}
}

test_an_entry_protects_only_what_is_of_its_kind if {
	hit(testing.block("203.0.113.66/32"), "user", "alice") == set()
	hit(in_facts("user:alice"), "user", "twin/demo") == set()
	hit(in_facts("process:/usr/sbin/nginx"), "user", "nginx") == set()
	hit(in_facts("path:/etc/app/key.pem"), "user", "/etc/app") == set()
	hit(in_facts("domain:login.idp.example.com"), "user", "idp.example.com") == set()
}
