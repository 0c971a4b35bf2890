;; Never ends before it has begun: the module's start function loops. 504 `cpu`.
(module
  (memory (export "memory") 1)
  (func $begin (loop $again (br $again)))
  (start $begin)
  (func (export "_start")))
