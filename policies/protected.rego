# What no action may touch: targets that a person protected, and the addresses whose loss would cut off the
# target, the network or the people who operate it. A range is denied when it holds any of them.
package shieldops.protected

deny contains {"code": "protected_target", "detail": sprintf("target %s is protected", [action.target.name])} if {
	some action in data.shieldops.plan.changing
	action.target.protected
}

# What no address of a stranger lies in.
special := {
	"IPv4": {
		"127.0.0.0/8": {"code": "loopback_address", "what": "loopback"},
		"0.0.0.0/8": {"code": "unspecified_address", "what": "the unspecified address"},
		"224.0.0.0/4": {"code": "multicast_address", "what": "multicast"},
		"255.255.255.255/32": {"code": "multicast_address", "what": "broadcast"},
	},
	"IPv6": {
		"::1/128": {"code": "loopback_address", "what": "loopback"},
		"::/128": {"code": "unspecified_address", "what": "the unspecified address"},
		"ff00::/8": {"code": "multicast_address", "what": "multicast"},
	},
}

deny contains {"code": kind.code, "detail": sprintf("%s reaches %s", [net_, kind.what])} if {
	some net_ in data.shieldops.plan.reached
	some range, kind in special[data.shieldops.plan.family(net_)]
	true in [net.cidr_contains(range, net_), net.cidr_contains(net_, range)]
}

deny contains {"code": "whole_internet", "detail": sprintf("%s is everything", [net_])} if {
	some net_ in data.shieldops.plan.reached
	endswith(net_, "/0")
}

deny contains {"code": "own_address", "detail": sprintf("%s holds %s, an address of target %s", [net_, address, action.target.name])} if {
	some action in data.shieldops.plan.changing
	some net_ in action.reach
	some address in action.facts.own_addresses
	net.cidr_contains(net_, address)
}

deny contains {"code": "gateway_address", "detail": sprintf("%s holds %s, a gateway of target %s", [net_, address, action.target.name])} if {
	some action in data.shieldops.plan.changing
	some net_ in action.reach
	some address in action.facts.gateways
	net.cidr_contains(net_, address)
}

deny contains {"code": "dns_address", "detail": sprintf("%s holds %s, a name server of target %s", [net_, address, action.target.name])} if {
	some action in data.shieldops.plan.changing
	some net_ in action.reach
	some address in action.facts.dns_servers
	net.cidr_contains(net_, address)
}

deny contains {"code": "operator_address", "detail": sprintf("%s holds the client address of the person who asks or approves", [net_])} if {
	some net_ in data.shieldops.plan.reached
	some address in input.operator_addresses
	net.cidr_contains(net_, address)
}

deny contains {"code": "protected_entry", "detail": sprintf("%s %s is protected: %s", [entry.kind, entry.value, entry.why])} if {
	some entry in input.situation.protected
	some action in data.shieldops.plan.changing
	touches(action, entry)
}

touches(action, entry) if {
	entry.kind == "address"
	some net_ in action.reach
	net.cidr_contains(net_, entry.value)
}

touches(action, entry) if {
	entry.kind == "range"
	some net_ in action.reach
	true in [net.cidr_contains(entry.value, net_), net.cidr_contains(net_, entry.value)]
}

touches(action, entry) if {
	entry.kind == "target"
	entry.value in {action.target.id, action.target.name}
}

touches(action, entry) if {
	entry.kind in {"user", "process", "path", "domain"}
	entry.value in named(action, entry.kind)
}

touches(action, entry) if {
	entry.kind == "process"
	some process in named(action, "process")
	endswith(process, concat("", ["/", entry.value]))
}

touches(action, entry) if {
	entry.kind == "path"
	some path in named(action, "path")
	startswith(path, concat("", [trim_suffix(entry.value, "/"), "/"]))
}

touches(action, entry) if {
	entry.kind == "domain"
	some domain in named(action, "domain")
	endswith(domain, concat("", [".", entry.value]))
}

# What an action reaches or touches of one kind, by its facts or by its parameter of that name.
named(action, kind) := (reached | touched) | from_params if {
	prefix := concat("", [kind, ":"])
	reached := {trim_prefix(name, prefix) | some name in action.resources; startswith(name, prefix)}
	touched := {trim_prefix(name, prefix) | some name in action.facts.touches; startswith(name, prefix)}
	from_params := {value | value := action.params[kind]; is_string(value)}
}
