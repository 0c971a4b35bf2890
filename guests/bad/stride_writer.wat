;; Writes to every second page of 64 MiB: the most mappings for the least writes. Answers well.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1024)
  (data (i32.const 16) "Content-Type: text/plain\n\nstrode\n")
  (func (export "_start")
    (local $at i32)
    (local.set $at (i32.const 8192))
    (loop $again
      (i32.store (local.get $at) (i32.const 1))
      (local.set $at (i32.add (local.get $at) (i32.const 8192)))
      (br_if $again (i32.lt_u (local.get $at) (i32.const 67108864))))
    (i32.store (i32.const 0) (i32.const 16))
    (i32.store (i32.const 4) (i32.const 33))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
