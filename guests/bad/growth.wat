;; Grows until it is refused, and gives up: 500 `memory`.
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $again
      (br_if $again (i32.ne (memory.grow (i32.const 64)) (i32.const -1))))
    (unreachable)))
