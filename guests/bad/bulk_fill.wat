;; Spends its time inside bulk instructions, which have no loop that a tick could end: 504 `cpu`.
(module
  (memory (export "memory") 512)
  (func (export "_start")
    (loop $again
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 33554432))
      (br $again))))
