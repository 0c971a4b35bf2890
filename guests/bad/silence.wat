;; Writes nothing: as cgi 502 `response`, as stdio an empty 200.
(module
  (memory (export "memory") 1)
  (func (export "_start")))
