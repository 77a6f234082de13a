#!/bin/sh
# usage: check-package.sh TARBALL
#
# Unpacks what npm would publish and starts it: a file that package.json forgot would be missed by users first.
set -eu

tarball=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tar -xzf "$tarball" -C "$work"
ln -s "$PWD/node_modules" "$work/package/node_modules"
"$work/package/bin/influx-proxy" --version >"$work/version"

expected=$(node -p 'require("./package.json").version')
if ! grep -qF "$expected" "$work/version"; then
  echo "the packed influx-proxy --version says '$(cat "$work/version")' instead of $expected" >&2
  exit 1
fi
# Read when the daemon starts, and no module that could be missed by name.
node --input-type=module -e "
  const { PlainLines } = await import('$work/package/dist/src/lineprotocol/plain-lines.js');
  PlainLines.open();"

if tar -tzf "$tarball" | grep -E '^package/(test|src|dist/test|node_modules)/'; then
  echo 'these do not belong into the package' >&2
  exit 1
fi
echo "$tarball: $(tar -tzf "$tarball" | wc -l | tr -d ' ') files, runs"
