;; A guest that never ends: what others on its worker must not notice.
(module
  (memory (export "memory") 1)
  (func (export "_start") (loop $forever (br $forever))))
