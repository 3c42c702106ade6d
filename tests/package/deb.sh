#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs the package into a clean Debian 12, as dpkg does on a user's machine, and runs the server there: with
# nothing but what the package depends on. The root is made from apt's own sources and kept while the list of
# dependencies stays the same (CATBIRD_PACKAGE_ROOTS, default build/package-roots).
set -euo pipefail
root_of_source=$(cd "$(dirname "$0")/../.." && pwd)
say() { echo "package: $*"; }
fail() { say "$*" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || fail "needs root for chroot"

deb=$("$root_of_source/script/package")
depends=$(dpkg-deb -f "$deb" Depends | sed -e 's/([^)]*)//g' -e 's/|[^,]*//g' -e 's/[ ]//g')
roots=${CATBIRD_PACKAGE_ROOTS:-$root_of_source/build/package-roots}
mkdir -p "$roots"
clean=$roots/$(echo "$depends" | sha256sum | cut -c1-16).tar
if [ ! -s "$clean" ]; then
  say "making a clean root"
  sources=$(mktemp)
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources >"$sources" 2>/dev/null || true
  mmdebstrap --quiet --format=tar --variant=minbase --include="$depends,curl" bookworm "$clean.new" - <"$sources" ||
    fail "mmdebstrap could not make a root"
  rm -f "$sources"
  mv "$clean.new" "$clean"
fi

work=$(mktemp -d)
server=
clean_up() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  [ -z "$server" ] || wait "$server" 2>/dev/null || true
  mountpoint -q "$work/root/proc" && umount "$work/root/proc"
  rm -rf "$work"
}
trap clean_up EXIT
mkdir "$work/root"
tar -xf "$clean" -C "$work/root" --exclude='./dev/*'
cp "$deb" "$work/root/catbird.deb"
inside() { chroot "$work/root" "$@"; }
# What the server looks for there, as in any container.
mount -t proc proc "$work/root/proc"
mkdir -p "$work/root/dev"
[ -e "$work/root/dev/null" ] || mknod -m 666 "$work/root/dev/null" c 1 3
[ -e "$work/root/dev/urandom" ] || mknod -m 666 "$work/root/dev/urandom" c 1 9

inside dpkg --install /catbird.deb >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log"; fail "dpkg refused the package"; }
grep -q "Set SERVICE_DID" "$work/dpkg.log" || fail "the installation does not say what to do next"
inside getent passwd catbird >/dev/null || fail "no user catbird"
[ "$(inside stat -c '%U:%G %a' /etc/catbird-mls-server/env)" = "root:catbird 640" ] || fail "the configuration is readable by others"
inside catbird-mls-server --version | grep -q '[0-9]' || fail "it does not run"

# Unconfigured it must say what is missing, in one line.
lines=$(inside setpriv --reuid catbird --regid catbird --clear-groups catbird-mls-server --env-file /etc/catbird-mls-server/env 2>&1 >/dev/null) && fail "it started without SERVICE_DID"
[ "$(echo "$lines" | wc -l)" -eq 1 ] && echo "$lines" | grep -q SERVICE_DID || fail "not one line on SERVICE_DID: $lines"

# As the unit runs it: its user, its folder, its configuration file.
sed -i -e 's/^#SERVICE_DID=.*/SERVICE_DID=did:web:mls.example.com/' -e 's/^SERVER_PORT=.*/SERVER_PORT=0/' "$work/root/etc/catbird-mls-server/env"
inside install -d -o catbird -g catbird -m 700 /var/lib/catbird-mls-server
chroot "$work/root" sh -c 'cd /var/lib/catbird-mls-server && exec setpriv --reuid catbird --regid catbird --clear-groups \
  catbird-mls-server --env-file /etc/catbird-mls-server/env' >"$work/log" 2>&1 &
server=$!
for _ in $(seq 600); do
  port=$(sed -n 's/.*Server listening on [^"]*:\([0-9]*\)".*/\1/p' "$work/log")
  [ -z "$port" ] || break
  kill -0 "$server" 2>/dev/null || { cat "$work/log"; fail "the installed server ended"; }
  sleep 0.1
done
[ -n "$port" ] || { cat "$work/log"; fail "the installed server does not listen"; }
[ "$(inside curl -sf "http://127.0.0.1:$port/health/live")" = OK ] || fail "/health/live"
inside curl -sf "http://127.0.0.1:$port/health/ready" | grep -q '"ready":true' || fail "/health/ready"
inside curl -sf "http://127.0.0.1:$port/.well-known/did.json" | grep -q 'did:web:mls.example.com' || fail "/.well-known/did.json"
kill "$server"
wait "$server" || fail "it did not stop cleanly"
server=
[ -s "$work/root/var/lib/catbird-mls-server/data/catbird.db" ] || fail "no database where the documentation says"

# An upgrade keeps the configuration, a purge the data.
inside dpkg --install /catbird.deb >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log"; fail "the second installation failed"; }
grep -q '^SERVICE_DID=did:web:mls.example.com' "$work/root/etc/catbird-mls-server/env" || fail "an upgrade lost the configuration"
inside dpkg --purge catbird-mls-server >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log"; fail "it cannot be removed"; }
[ -s "$work/root/var/lib/catbird-mls-server/data/catbird.db" ] || fail "a purge took the data"
[ ! -e "$work/root/usr/bin/catbird-mls-server" ] || fail "the program is still there"
say "installed, started, upgraded and removed in a clean Debian 12"
