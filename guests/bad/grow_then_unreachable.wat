;; Asks once for more than it may have, then fails: 500 `memory`.
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (memory.grow (i32.const 65535)))
    (unreachable)))
