#!/bin/sh
# SPDX-License-Identifier: MIT
# nginx accepts packaging/nginx.conf.example, and the parts that matter are in it. Only what a
# machine without the operator's files lacks is replaced: certificate, ports, log and pid paths.
# Exit 77: nginx is not installed (CTest shows the test as skipped).
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
example=$root/packaging/nginx.conf.example
nginx=$(command -v nginx || echo /usr/sbin/nginx)
if [ ! -x "$nginx" ]; then
  echo "nginx_config: skipped, nginx is not installed"
  exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/logs"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 \
  -subj /CN=mls.example.com -keyout "$work/key.pem" -out "$work/certificate.pem" 2>"$work/openssl.log" ||
  { cat "$work/openssl.log"; exit 1; }

sed -e "s|/etc/letsencrypt/live/mls.example.com/fullchain.pem|$work/certificate.pem|" \
  -e "s|/etc/letsencrypt/live/mls.example.com/privkey.pem|$work/key.pem|" \
  -e "s|/var/log/nginx/|$work/logs/|" \
  -e 's|listen 80;|listen 127.0.0.1:18080;|' -e 's|listen 443 |listen 127.0.0.1:18443 |' \
  "$example" >"$work/nginx.conf"
if grep -q /etc/letsencrypt "$work/nginx.conf"; then
  echo "nginx_config: a certificate path was not replaced"
  exit 1
fi

check() {
  "$nginx" -t -p "$work/" -c "$1" -g "pid $work/nginx.pid; error_log stderr;" >"$work/out" 2>&1
}

if ! check "$work/nginx.conf"; then
  cat "$work/out"
  echo "nginx_config: the example is refused"
  exit 1
fi
# The check itself can fail: a broken copy must be refused.
sed 's|proxy_buffering off;|proxy_buffering maybe;|' "$work/nginx.conf" >"$work/broken.conf"
if check "$work/broken.conf"; then
  echo "nginx_config: nginx accepted a broken configuration, so this test proves nothing"
  exit 1
fi

for directive in 'client_max_body_size 16m;' 'proxy_set_header X-Forwarded-For $remote_addr;' \
  'location = /xrpc/blue.catbird.mls.streamConvoEvents {' 'proxy_buffering off;' \
  'proxy_set_header Upgrade $http_upgrade;' 'server 127.0.0.1:3000;'; do
  if ! grep -qF "$directive" "$example"; then
    echo "nginx_config: missing: $directive"
    exit 1
  fi
done
echo "nginx_config: ok"
