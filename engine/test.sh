#!/usr/bin/env bash
# Runs the crates' own tests, unoptimised, in the cache folder that build.sh uses: built once per lock file.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tollgate/engine-$(sha256sum Cargo.lock | cut -c1-16)
mkdir -p "$cache"
exec cargo test --quiet --locked --workspace --target-dir "$cache/target"
