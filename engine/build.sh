#!/usr/bin/env bash
# Puts libtollgate_engine.a and Wasmtime's headers into the folder named by $1, building them with cargo only if no
# checkout of this user has built the same crate before. The cache is keyed by the lock file (cargo's work) and
# below that by the crate's content (the archive).
set -euo pipefail
out=$1
crate=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$crate"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tollgate/engine-$(sha256sum Cargo.lock | cut -c1-16)
content=$( (rustc --version; cat Cargo.toml build.rs $(find src -type f | LC_ALL=C sort)) | sha256sum | cut -c1-16)
archive=$cache/libtollgate_engine-$content.a
mkdir -p "$cache" "$out/include"
exec 9>"$cache/lock"
flock 9
if [ ! -f "$archive" ]; then
  # Cargo tells fresh from stale by file times, which say nothing when checkouts share its work.
  rm -rf "$cache"/target/release/.fingerprint/tollgate_engine-*
  TOLLGATE_ENGINE_INCLUDE=$cache/include \
    cargo build --quiet --release --locked --manifest-path "$crate/Cargo.toml" --target-dir "$cache/target"
  cp "$cache/target/release/libtollgate_engine.a" "$archive.new"
  mv "$archive.new" "$archive"
fi
cp -r "$cache/include/." "$out/include/"
cp "$archive" "$out/libtollgate_engine.a"
