# The victim: network, file tree, services; and how all of it goes away again. Sourced by record.sh.

say() { printf '%s  %s\n' "$(date +%T)" "$*"; }

check_tools() {
  local tool missing=""
  for tool in sshd nginx cron sudo rsyslogd auditd auditctl sshpass curl nc ip python3 nsenter; do
    command -v "$tool" >/dev/null || missing+=" $tool"
  done
  [ -z "$missing" ] || { echo "missing:$missing (the packages stand at the top of record.sh)" >&2; exit 2; }
  if [ "$(auditctl -s | awk '$1 == "pid" {print $2}')" != 0 ] || [ "$(auditctl -l)" != "No rules" ]; then
    echo "this machine's audit is in use (auditctl -s; auditctl -l): not recording here" >&2; exit 2
  fi
}

# Three hosts, two cables: the attacker and the office each have their own to web-01. Nothing leads anywhere else.
build_network() {
  mkdir -p /run/netns && mount -t tmpfs record-netns /run/netns     # only in our mount namespace
  local host
  for host in web attacker office; do ip netns add "$host"; ip -n "$host" link set lo up; done
  ip link add eth0 netns attacker type veth peer name wan0 netns web
  ip link add eth0 netns office type veth peer name lan0 netns web
  ip -n web addr add "$VICTIM/32" dev lo
  ip -n attacker addr add "$ATTACKER/32" dev eth0
  ip -n office addr add "$OFFICE/32" dev eth0
  ip -n office addr add "$VISITOR/32" dev eth0
  ip -n web link set wan0 up; ip -n web link set lan0 up
  ip -n attacker link set eth0 up; ip -n office link set eth0 up
  ip -n web route add "$ATTACKER/32" dev wan0 src "$VICTIM"
  ip -n web route add "$OFFICE/32" dev lan0 src "$VICTIM"
  ip -n web route add "$VISITOR/32" dev lan0 src "$VICTIM"
  ip -n attacker route add "$VICTIM/32" dev eth0 src "$ATTACKER"
  ip -n office route add "$VICTIM/32" dev eth0 src "$OFFICE"
}

on_attacker() { nsenter --net=/run/netns/attacker -- "$@"; }
on_office() { nsenter --net=/run/netns/office -- "$@"; }
on_web() { nsenter --net=/run/netns/web --uts="$STAGE/uts" -- chroot "$ROOT" "$@"; }

# The victim's file tree: this machine's programs read-only, a copy of its /etc, everything else new and in memory.
build_machine() {
  mount -t tmpfs -o mode=755 record "$STAGE"
  ROOT=$STAGE/root
  touch "$STAGE/uts"; unshare --uts="$STAGE/uts" hostname "$HOST"
  mkdir -p "$ROOT"/{usr,etc,dev/pts,proc,run/sshd,root,home,tmp,srv/www,var/{tmp,backups,mail,cache}} \
    "$ROOT"/var/{lib/nginx,lib/sudo/lectured,spool/{cron/crontabs,rsyslog},log/{nginx,audit}}
  local link
  for link in bin sbin lib lib64; do ln -s "usr/$link" "$ROOT/$link"; done
  ln -s ../run "$ROOT/var/run"
  chmod 1777 "$ROOT/tmp" "$ROOT/var/tmp"; chmod 700 "$ROOT/root"; chmod 1730 "$ROOT/var/spool/cron/crontabs"
  chgrp crontab "$ROOT/var/spool/cron/crontabs"; chmod 750 "$ROOT/var/log/audit"
  mount --bind /usr "$ROOT/usr"; mount -o remount,bind,ro "$ROOT/usr"
  mount --bind /proc "$ROOT/proc"
  mount -t devpts -o newinstance,ptmxmode=666,gid=5,mode=620 devpts "$ROOT/dev/pts"
  ln -s pts/ptmx "$ROOT/dev/ptmx"
  mknod -m 666 "$ROOT/dev/null" c 1 3; mknod -m 666 "$ROOT/dev/zero" c 1 5; mknod -m 666 "$ROOT/dev/tty" c 5 0
  mknod -m 666 "$ROOT/dev/random" c 1 8; mknod -m 666 "$ROOT/dev/urandom" c 1 9
  cp -a /etc/. "$ROOT/etc/"
  configure_users; configure_services
}

configure_users() {
  rm -rf "$ROOT"/etc/{sudoers.d,ssh,cron.d,cron.hourly,cron.daily,cron.weekly,cron.monthly,crontab,sites-enabled}
  sed -i '/pam_limits/d' "$ROOT"/etc/pam.d/*                             # a namespace may not raise limits, and says so each time
  : > "$ROOT/etc/crontab"
  mkdir -p "$ROOT"/etc/{sudoers.d,ssh,cron.d}
  touch "$ROOT"/var/log/{lastlog,wtmp,btmp} "$ROOT/run/utmp"; chgrp utmp "$ROOT"/var/log/{lastlog,wtmp,btmp} "$ROOT/run/utmp"
  chmod 600 "$ROOT/var/log/btmp"
  printf '127.0.0.1 localhost\n%s %s\n' "$VICTIM" "$HOST" > "$ROOT/etc/hosts"
  echo "$HOST" > "$ROOT/etc/hostname"
  sed -i '/^backup:/d' "$ROOT"/etc/{passwd,shadow,group,gshadow}         # Debian's own has no shell
  chroot "$ROOT" groupadd -f -g 27 sudo
  chroot "$ROOT" useradd -m -s /bin/bash -u 1001 deploy
  chroot "$ROOT" useradd -m -s /bin/bash -u 1002 backup
  chroot "$ROOT" useradd -m -s /bin/bash -u 1003 -G sudo,adm admin
  printf 'deploy:%s\nbackup:%s\nadmin:%s\n' "$WEAK_PASSWORD" "$(new_password)" "$(new_password)" | chroot "$ROOT" chpasswd
  ssh-keygen -q -t ed25519 -N '' -C office -f "$STAGE/office_key"
  ssh-keygen -q -t ed25519 -N '' -C nobody -f "$STAGE/attacker_key"
  local user
  for user in deploy backup admin; do
    mkdir -m 700 "$ROOT/home/$user/.ssh"; cp "$STAGE/office_key.pub" "$ROOT/home/$user/.ssh/authorized_keys"
    chroot "$ROOT" chown -R "$user:$user" "/home/$user/.ssh"
  done
  # The mistake that the attack lives on: "deploy may install files and reload the web server".
  cat > "$ROOT/etc/sudoers.d/site" <<'CONF'
%sudo ALL=(ALL:ALL) NOPASSWD: ALL
deploy ALL=(root) NOPASSWD: /usr/bin/install, /usr/sbin/nginx -s reload
CONF
  chmod 440 "$ROOT/etc/sudoers.d/site"
}

new_password() { head -c 18 /dev/urandom | base64; }

configure_services() {
  ssh-keygen -q -t ed25519 -N '' -f "$ROOT/etc/ssh/ssh_host_ed25519_key"
  cat > "$ROOT/etc/ssh/sshd_config" <<CONF
ListenAddress $VICTIM
UsePAM yes
KbdInteractiveAuthentication no
PrintMotd no
PidFile none
CONF
  cat > "$ROOT/etc/nginx/nginx.conf" <<CONF
user www-data;
worker_processes 1;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events {}
http {
  include /etc/nginx/mime.types;
  access_log /var/log/nginx/access.log combined;
  server {
    listen $VICTIM:80;
    server_name $HOST;
    root /srv/www;
    location = /products { try_files /products.html =404; }
    location = /login { error_page 405 =200 /index.html; try_files /index.html =404; }
  }
}
CONF
  printf '<h1>Shop</h1>\n' > "$ROOT/srv/www/index.html"
  printf '<h1>Products</h1>\n' > "$ROOT/srv/www/products.html"
  printf 'body { font: 16px sans-serif }\n' > "$ROOT/srv/www/style.css"
  cat > "$ROOT/etc/rsyslog.conf" <<'CONF'
module(load="imuxsock")
global(workDirectory="/var/spool/rsyslog")
auth,authpriv.*          action(type="omfile" file="/var/log/auth.log" template="RSYSLOG_FileFormat")
*.*;auth,authpriv.none   action(type="omfile" file="/var/log/syslog" template="RSYSLOG_FileFormat")
CONF
  cat > "$ROOT/etc/cron.d/site" <<'CONF'
PATH=/usr/sbin:/usr/bin
* * * * * backup find /srv/www -newer /var/backups/last -type f
*/2 * * * * root nginx -t -q
CONF
  touch "$ROOT/var/backups/last"
  sed -i -e 's/^name_format.*/name_format = NONE/' -e 's/^log_format.*/log_format = ENRICHED/' "$ROOT/etc/audit/auditd.conf"
  rm -f "$ROOT"/etc/audit/plugins.d/* ; chmod 640 "$ROOT/etc/audit/auditd.conf"
}

# Only what the victim's users do (their audit user ids; no other process of this machine has one) and its own folders.
add_audit_rules() {
  AUDIT_BACKLOG=$(auditctl -s | awk '$1 == "backlog_limit" {print $2}')
  auditctl -b 8192 >/dev/null
  AUDIT_RULES=yes
  auditctl -a always,exclude -F msgtype=NETFILTER_CFG      # packet filters of this machine; the victim has none
  auditctl -a always,exit -F arch=b64 -S execve,execveat -F success=1 -F 'auid>=1001' -F 'auid<=1003' -k exec
  auditctl -a always,exit -F arch=b64 -S execve,execveat -F success=1 -F auid=0 -k exec
  auditctl -a always,exit -F arch=b64 -S connect -F a2=16 -F 'auid>=1001' -F 'auid<=1003' -k net    # 16 bytes: IPv4
  auditctl -a always,exit -F arch=b64 -S connect -F a2=16 -F auid=0 -k net
  on_web auditctl -w /etc/cron.d -p wa -k cron
  on_web auditctl -w /var/spool/cron/crontabs -p wa -k cron
  on_web auditctl -w /home/deploy/.ssh -p wa -k ssh_keys
  on_web auditctl -w /root -p wa -k root_home
  on_web auditctl -w /etc/passwd -p wa -k identity
  on_web auditctl -w /etc/sudoers.d -p wa -k sudoers
}

start_services() {
  add_audit_rules
  on_web rsyslogd -n -i /run/rsyslogd.pid &
  wait_for "rsyslog" test -S "$ROOT/dev/log"
  on_web auditd -n -c /etc/audit & AUDITD=$!
  wait_for "auditd" grep -q type= "$ROOT/var/log/audit/audit.log"
  on_web /usr/sbin/sshd -D &
  on_web nginx
  on_web cron -f &
  mkdir -p "$STAGE/www"; make_payload > "$STAGE/www/upd"
  on_attacker python3 -m http.server --bind "$ATTACKER" --directory "$STAGE/www" 8000 >/dev/null 2>&1 &
  wait_for "sshd" listens web "$VICTIM:22"
  wait_for "nginx" listens web "$VICTIM:80"
  wait_for "the attacker's server" listens attacker "$ATTACKER:8000"
}

listens() { [ -n "$(nsenter --net="/run/netns/$1" -- ss -Hltn src "$2")" ]; }   # host, address:port; leaves no trace in a log

wait_for() { # name, command...: at most ten seconds
  local name=$1 try; shift
  for try in $(seq 100); do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; done
  echo "$name did not start" >&2; exit 1
}

end_hosts() { # signal: to every process that lives in one of our three network namespaces
  local host pid
  for host in web attacker office; do
    for pid in $(ip netns pids "$host" 2>/dev/null); do kill "-$1" "$pid" 2>/dev/null || true; done
  done
}

settle() {
  sleep 2                                   # auditd and rsyslog write what they still hold
  auditctl -s | grep -E '^(lost|backlog) '
}

tear_down() {
  local status=$?
  trap - EXIT
  [ -z "${OFFICE_JOB:-}" ] || kill "$OFFICE_JOB" 2>/dev/null || true
  end_hosts TERM; sleep 0.5; end_hosts KILL
  if [ -n "${AUDIT_RULES:-}" ]; then      # nobody else had rules when we began
    auditctl -D >/dev/null 2>&1; auditctl -e 0 >/dev/null; auditctl -b "$AUDIT_BACKLOG" >/dev/null
  fi
  umount -lR "$STAGE" 2>/dev/null || true; rmdir "$STAGE" 2>/dev/null || true
  umount -l /run/netns 2>/dev/null || true # the named namespaces end with it
  exit "$status"
}
