#!/usr/bin/env bash
# Writes rustc-VERSION.profdata anew, by which the engine's hot functions are compiled: which of their branches
# requests take, counted by an engine built to count. Worth doing when the engine, Rust's version (function names hold
# it) or run.rs changes; an old profile is never wrong, it only helps less.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
counts=$(mktemp -d)
trap 'rm -rf "$counts"' EXIT
cmake --preset train
cmake --build --preset train --target tollgate
for guest in gateway_wasm_c gateway_wasm_rust gateway_wasm_cpp json_transform_rust; do
  LLVM_PROFILE_FILE=$counts/%p.profraw build/train/tollgate invoke "guests/out/$guest.wasm" --abi stdio \
    --body '{"name": "hello"}' --repeat 100000
done
[ -n "$(ls "$counts")" ] || { echo "train.sh: the engine wrote no counts" >&2; exit 1; }
rm engine/rustc-*.profdata
"$(rustc --print sysroot)"/lib/rustlib/*/bin/llvm-profdata merge --sparse "$counts"/* \
  -o "engine/rustc-$(rustc --version | cut -d' ' -f2).profdata"
