#!/usr/bin/env bash
# Puts libtollgate_engine.a and Wasmtime's headers into the folder named by $1, building them with cargo only if no
# checkout of this user has built the same crate before. The cache is keyed by the lock file (cargo's work) and
# below that by the crate's content (the archive). $2 says what the profile of the engine's hot functions is for:
#   use    (default) compile them by rustc-VERSION.profdata: a fresh sandbox costs 15 % less
#   train  build an engine that writes such a profile (train.sh)
set -euo pipefail
out=$1
crate=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$crate"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tollgate/engine-$(sha256sum Cargo.lock | cut -c1-16)
mkdir -p "$cache" "$out/include"
exec 9>"$cache/lock"
flock 9
case ${2:-use} in
  use) # Cargo builds all anew when a flag changes, and a flag with this checkout's path would be another one's stale.
    trained=$(echo rustc-*.profdata)
    [ "$trained" = "rustc-$(rustc --version | cut -d' ' -f2).profdata" ] ||
      echo "engine/build.sh: $(rustc --version) gains less from the profile $trained: see ./dev train" >&2
    profile=$cache/profile-$(sha256sum "$trained" | cut -c1-16).profdata
    [ -f "$profile" ] || cp "$trained" "$profile"
    flag=-Cprofile-use=$profile target=$cache/target ;;
  train) flag=-Cprofile-generate target=$cache/train ;;
esac
content=$( (rustc --version; echo "$flag"; cat Cargo.toml build.rs $(find src bforest -type f | LC_ALL=C sort)) |
  sha256sum | cut -c1-16)
archive=$cache/libtollgate_engine-$content.a
if [ ! -f "$archive" ]; then
  # Named, so that the flag is for the library alone and not for what runs while it is built.
  host=$(rustc -vV | sed -n 's/^host: //p')
  # Cargo tells fresh from stale by file times, which say nothing when checkouts share its work.
  rm -rf "$target/$host"/release/.fingerprint/tollgate_engine-*
  TOLLGATE_ENGINE_INCLUDE=$cache/include RUSTFLAGS="${RUSTFLAGS-} $flag" \
    cargo build --quiet --release --locked --target "$host" --manifest-path "$crate/Cargo.toml" --target-dir "$target"
  cp "$target/$host/release/libtollgate_engine.a" "$archive.new"
  mv "$archive.new" "$archive"
fi
cp -r "$cache/include/." "$out/include/"
cp "$archive" "$out/libtollgate_engine.a"
