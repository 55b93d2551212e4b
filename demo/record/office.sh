# Ordinary work that goes on meanwhile. Sourced by record.sh.

BROWSER='Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'

office_ssh() { # user, command...
  local user=$1; shift
  on_office ssh -F none -i "$STAGE/office_key" -o BatchMode=yes -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile="$STAGE/office_hosts" -o LogLevel=ERROR "$user@$VICTIM" "$@" </dev/null >/dev/null 2>&1 || true
}

browse() { on_office curl -s -o /dev/null -m 3 --interface "$VISITOR" -A "$BROWSER" -e "http://$HOST/" "http://$VICTIM$1" || true; }

office_day() {
  local round
  browse /; browse /style.css; browse /favicon.ico
  office_ssh admin 'uptime; df -h /srv; sudo -n tail -n 3 /var/log/nginx/error.log'
  mistype_password
  for round in $(seq 16); do
    browse "/products?id=$round"; sleep 3
    browse "/products?sort=price&page=$((round % 4 + 1))"; sleep 4
    [ $((round % 5)) != 0 ] || office_ssh backup 'tar -czf /var/backups/www.tgz -C /srv www 2>/dev/null; ls -l /var/backups'
    browse /login; sleep 2
  done
  office_ssh admin 'uptime; last -n 3; sudo -n nginx -t'
}

# One honest mistake: an administrator mistypes the password once, then uses the key.
mistype_password() {
  SSHPASS=$(new_password) on_office sshpass -e ssh -F none -o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1 \
    -o StrictHostKeyChecking=no -o UserKnownHostsFile="$STAGE/office_hosts" "admin@$VICTIM" true </dev/null >/dev/null 2>&1 || true
  office_ssh admin 'ls /srv/www'
}
