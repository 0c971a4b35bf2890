//! Wasmtime's C API as it is (the re-export keeps its `#[no_mangle]` symbols), and beside it the entry points of ours.
pub use wasmtime_c_api::*;
