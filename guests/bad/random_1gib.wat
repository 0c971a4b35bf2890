;; Asks for 1 GiB of random bytes, 64 MiB at a time: 504 `cpu`, or an answer if there is time for it.
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1025)
  (data (i32.const 16) "Content-Type: text/plain\n\nrandom\n")
  (func (export "_start")
    (local $left i32)
    (local.set $left (i32.const 16))
    (loop $again
      (if (call $random (i32.const 65536) (i32.const 67108864)) (then (unreachable)))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (i32.store (i32.const 0) (i32.const 16))
    (i32.store (i32.const 4) (i32.const 33))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
