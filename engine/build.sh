#!/usr/bin/env bash
# Builds the engine crate and puts libtollgate_engine.a and Wasmtime's headers into the folder named by $1.
# Cargo's work stays in a cache keyed by the lock file, shared by every checkout of one user.
set -euo pipefail
out=$1
crate=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
key=$(sha256sum "$crate/Cargo.lock" | cut -c1-16)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tollgate/engine-$key
mkdir -p "$cache" "$out/include"
exec 9>"$cache/lock"
flock 9
export TOLLGATE_ENGINE_INCLUDE=$cache/include
cargo build --quiet --release --locked --manifest-path "$crate/Cargo.toml" --target-dir "$cache/target"
cp -r "$cache/include/." "$out/include/"
cp "$cache/target/release/libtollgate_engine.a" "$out/libtollgate_engine.a"
