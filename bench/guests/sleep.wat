;; Sleeps one second by poll_oneoff, then says so on stdout.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; 0: one subscription of 48 bytes: clock (tag 0), monotonic (1), 1,000,000,000 ns from now.
  (data (i32.const 16) "\01\00\00\00")
  (data (i32.const 24) "\00\ca\9a\3b\00\00\00\00")
  ;; 128: the event; 192: the number of events; 208: one iovec; 224: its bytes.
  (data (i32.const 208) "\e0\00\00\00\06\00\00\00")
  (data (i32.const 224) "slept\0a")
  (func (export "_start")
    (if (call $poll_oneoff (i32.const 0) (i32.const 128) (i32.const 1) (i32.const 192))
      (then (unreachable)))
    (drop (call $fd_write (i32.const 1) (i32.const 208) (i32.const 1) (i32.const 200)))))
