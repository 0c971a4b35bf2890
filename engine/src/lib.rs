//! Wasmtime's C API as it is (the re-export keeps its `#[no_mangle]` symbols), and beside it the entry points of
//! ours, declared in `include/tollgate_engine.h`:
//!
//! - [`config`]: engines, built without aborting on a bad configuration, and their fingerprint;
//! - [`rewrite`]: a module in, a module whose instantiation copies nothing and runs no guest code out, with the
//!   initial memory beside it;
//! - [`compile`]: rewrite, compile ahead of time, load from a descriptor;
//! - [`host`]: memories and stacks from callbacks; [`recycler`]: the crate's allocator;
//! - [`run`] and [`host_functions`], in `include/tollgate_run.h`: one request's store and instance, entered slice by
//!   slice, and what its guest may call;
//! - [`sha256`].
//!
//! Nothing here panics on what a guest's author or a user wrote: with `panic = "abort"` that would end the process.
#![allow(non_camel_case_types)] // names seen from C

pub use wasmtime_c_api::*;

pub mod compile;
pub mod config;
pub mod host;
pub mod host_functions;
pub mod recycler;
pub mod rewrite;
pub mod run;
pub mod sha256;

#[global_allocator]
static ALLOCATOR: recycler::Recycler = recycler::Recycler;
