#!/bin/sh
# Builds the image and runs it as a service would: read-only root, no capabilities, not root. Needs a container engine.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
engine=${ENGINE:-docker}
image=${IMAGE:-sluice:smoke}
volume=sluice-smoke-$$

cd "$here/../.."
tarball=$(npm pack --silent --pack-destination "$here")
mv "$here/$tarball" "$here/sluice.tgz"
trap 'rm -f "$here/sluice.tgz"; "$engine" volume rm -f "$volume" >/dev/null 2>&1 || true' EXIT
"$engine" build --tag "$image" "$here"

sluice() {
  "$engine" run --rm --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
    --volume "$volume:/state" "$image" "$@"
}

test "$("$engine" run --rm --entrypoint id "$image" -u)" != 0
sluice --version
sluice demo --ci
sluice runs --here --ci
echo 'the image works'
