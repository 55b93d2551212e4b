# Copies the raw logs out and describes them. Sourced by record.sh.

save_recording() {
  mkdir -p "$OUT"
  install -m 644 "$ROOT/var/log/auth.log" "$OUT/auth.log"
  install -m 644 "$ROOT/var/log/syslog" "$OUT/syslog"
  install -m 644 "$ROOT/var/log/audit/audit.log" "$OUT/audit.log"
  install -m 644 "$ROOT/var/log/nginx/access.log" "$OUT/access.log"
}

event_times() { # file: one RFC 3339 time in UTC for each line that has one
  case $1 in
    audit.log) sed -n 's/.*msg=audit(\([0-9]*\.[0-9]*\):.*/@\1/p' "$OUT/$1" | date -u -f - +%Y-%m-%dT%H:%M:%S.%3NZ ;;
    access.log) sed -n 's/.*\[\([^]:]*\):\([^] ]*\) +0000\].*/\1 \2 UTC/p' "$OUT/$1" | tr / - | date -u -f - +%Y-%m-%dT%H:%M:%S.000Z ;;
    *) cut -d' ' -f1 "$OUT/$1" | date -u -f - +%Y-%m-%dT%H:%M:%S.%3NZ ;;
  esac | sort
}

describe_file() { # name, source (empty: each line says itself), format
  local times; times=$(event_times "$1")
  cat <<TOML

[[file]]
name = "$1"
source = "$2"
format = "$3"
lines = $(wc -l < "$OUT/$1")
bytes = $(stat -c %s "$OUT/$1")
first = "$(head -n1 <<<"$times")"
last = "$(tail -n1 <<<"$times")"
sha256 = "$(sha256sum < "$OUT/$1" | cut -d' ' -f1)"
TOML
}

version_of() { dpkg-query -W -f '${Version}' "$1" 2>/dev/null || echo unknown; }

write_manifest() {
  local all package
  all=$(for file in auth.log syslog audit.log access.log; do event_times "$file"; done | sort)
  cat <<TOML
# Written by record.sh. The logs beside this file are as the programs wrote them.
version = 1
host = "$HOST"
host_address = "$VICTIM"
attacker = "$ATTACKER"
benign = ["$OFFICE", "$VISITOR"]
first = "$(head -n1 <<<"$all")"
last = "$(tail -n1 <<<"$all")"

[recorded]
how = "demo/record.sh: real services in mount, network and UTS namespaces; audit rules for the victim's users and folders only"
system = "$(. /etc/os-release; echo "$PRETTY_NAME")"
kernel = "$(uname -r)"
audit_lost = $(auditctl -s | awk '$1 == "lost" {print $2}')

[recorded.packages]
TOML
  for package in openssh-server nginx-light cron sudo rsyslog auditd bash curl; do echo "$package = \"$(version_of "$package")\""; done
  describe_file auth.log "" syslog/1
  describe_file syslog "" syslog/1
  describe_file audit.log auditd audit/1
  describe_file access.log nginx access/1
}
