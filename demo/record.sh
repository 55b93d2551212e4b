#!/bin/bash
# Records the demo attack: a real sshd, nginx, cron, sudo, rsyslog and auditd on a small machine made of namespaces
# (web-01) are attacked over a real network from one address, while ordinary users go on working.
#
#     sudo demo/record.sh            writes demo/recording/{auth.log,syslog,audit.log,access.log,manifest.toml}
#
# Debian 12, root, and: openssh-server openssh-client nginx-light cron sudo rsyslog auditd sshpass curl netcat-openbsd
# iproute2 python3. It takes about four minutes.
#
# What it touches outside its own namespaces: the kernel's audit rules, which belong to the whole machine. It refuses to
# run where another audit daemon is at work, adds rules for its own users and folders only, and takes them away at the
# end, whatever happens. No address, route or netfilter rule of this machine is changed; /etc stays as it is.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OUT=${OUT:-$HERE/recording}
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C TZ=UTC

HOST=web-01
VICTIM=198.51.100.10     # documentation addresses, RFC 5737
ATTACKER=203.0.113.66
OFFICE=198.51.100.23     # the administrators' and the backup server's address
VISITOR=198.51.100.40    # somebody who reads the shop's pages

# All mounts live and die with this process: run again in a mount namespace of our own.
if [ -z "${RECORD_INSIDE:-}" ]; then
  [ "$(id -u)" = 0 ] || { echo "record.sh needs root: namespaces with many users, and the kernel's audit" >&2; exit 2; }
  RECORD_INSIDE=1 exec unshare --mount --propagation private -- bash "${BASH_SOURCE[0]}" "$@"
fi

# shellcheck source=record/machine.sh
. "$HERE/record/machine.sh"
# shellcheck source=record/office.sh
. "$HERE/record/office.sh"
# shellcheck source=record/attack.sh
. "$HERE/record/attack.sh"
# shellcheck source=record/manifest.sh
. "$HERE/record/manifest.sh"

check_tools
STAGE=$(mktemp -d /tmp/record.XXXXXX)
trap 'tear_down' EXIT
trap 'exit 130' INT TERM

build_network
build_machine
start_services

say "the office works"
office_day & OFFICE_JOB=$!
sleep 8
say "web probing";            probe_web
say "password spray";         spray_passwords
say "inside";                 use_the_account
wait "$OFFICE_JOB"

say "save, before the services stop"
settle
save_recording
write_manifest > "$OUT/manifest.toml"
say "done: $OUT"
