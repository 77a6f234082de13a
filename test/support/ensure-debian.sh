#!/bin/sh
# usage: ensure-debian.sh PACKAGE...
#
# Installs those of Debian's packages whose program is missing here, without starting any service. Programs that
# came another way count as well: what matters is that they run.
set -eu

# Debian has nginx in sbin, which is not on everybody's PATH.
PATH="$PATH:/usr/sbin:/sbin"

has() {
  case "$1" in
    influxdb) command -v influxd ;;
    influxdb-client) command -v influx ;;
    nginx-light) command -v nginx ;;
    # Debian's own python3 and ruby: others do not see Debian's modules.
    python3-influxdb) /usr/bin/python3 -c 'import influxdb' 2>&1 ;;
    ruby-influxdb) /usr/bin/ruby -r influxdb -e '' 2>&1 ;;
    *) command -v "$1" ;;
  esac >/dev/null
}

missing=''
for package in "$@"; do
  has "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

fail() {
  echo "missing:$missing" >&2
  echo "$1" >&2
  exit 1
}

command -v apt-get >/dev/null ||
  fail 'There is no apt-get to install them with: install them your way, so that they are on PATH, and run this again.'

if [ "$(id -u)" = 0 ]; then
  sudo=''
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  sudo='sudo -n'
else
  fail "Installing them needs root; run: sudo apt-get install --no-install-recommends$missing"
fi

# Debian starts a service as soon as it is installed, unless this file says no. One that is there has its reasons.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap '$sudo rm -f "$policy"' EXIT
  trap 'exit 1' INT TERM
  printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
  $sudo chmod +x "$policy"
fi

echo "installing$missing"
# A list that some third-party source could not refresh may still do.
$sudo apt-get update -qq </dev/null || echo 'apt-get update failed; going on with the lists that are here' >&2
# shellcheck disable=SC2086 # one word each
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 \
  install -y -qq --no-install-recommends $missing </dev/null >/dev/null

# Nor at the next boot: nobody asked for a server, only for its program.
if [ -d /run/systemd/system ]; then
  for package in $missing; do
    case "$package" in
      influxdb) $sudo systemctl disable --quiet influxdb.service || true ;;
      nginx-light) $sudo systemctl disable --quiet nginx.service || true ;;
    esac
  done
fi

for package in $missing; do
  has "$package" || fail "$package is installed, but its program does not run"
done
