//! How the engine is configured: the one set of features, tunables and stack sizes that compiler and workers share,
//! since code compiled under one configuration loads under no other.
use std::ffi::c_char;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmparser::WasmFeatures;
use wasmtime_c_api::wasmtime::{
    Config, Engine, Error, InstanceAllocationStrategy, PoolingAllocationConfig, Result, format_err,
};
use wasmtime_c_api::{wasm_engine_t, wasmtime_error_t};

use crate::host::tollgate_host_t;

pub const WASMTIME_VERSION: &str = env!("TOLLGATE_WASMTIME_VERSION");

/// What guests may use: WebAssembly 2.0 without reference-counted types (`externref`), plus what today's toolchains
/// emit. Left out on purpose: memory64, multi-memory and shared memory (slots hold one 32-bit memory), garbage
/// collection and exceptions (a collector per sandbox), and everything not yet standardised.
pub const FEATURES: WasmFeatures = WasmFeatures::WASM2
    .difference(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::RELAXED_SIMD);

/// A 32-bit memory never moves inside this, so compiled code needs no bounds checks; the guard catches constant
/// offsets beyond it.
const MEMORY_RESERVATION_BYTES: u64 = 4 << 30;
const MEMORY_GUARD_BYTES: u64 = 32 << 20;

/// What a guest's own calls may use of its fiber's stack, and the whole of it: the rest is for host functions.
const WASM_STACK_BYTES_DEFAULT: usize = 512 << 10;
const FIBER_STACK_BYTES_DEFAULT: usize = 768 << 10;

/// Instances that the baseline's pool holds at once.
const POOL_INSTANCES: u32 = 128;

/// Room for `tollgate_engine_fingerprint`, the terminating zero included.
pub const FINGERPRINT_BYTES: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The product: on-demand instances, memories and stacks from the host's callbacks.
    HotSet,
    /// The engine's own pool as stock hosts configure it: the benchmarks' baseline, nothing else.
    PoolingDefault,
}

impl Kind {
    fn from_c(kind: u32) -> Result<Kind> {
        match kind {
            0 => Ok(Kind::HotSet),
            1 => Ok(Kind::PoolingDefault),
            other => Err(format_err!("there is no engine of kind {other}")),
        }
    }
}

#[repr(C)]
pub struct tollgate_engine_options_t {
    pub host: *const tollgate_host_t,
    pub wasm_stack_bytes: usize,
    pub fiber_stack_bytes: usize,
}

fn or_default(value: usize, default: usize) -> usize {
    if value == 0 { default } else { value }
}

fn configure(config: &mut Config, kind: Kind, wasm_stack_bytes: usize, fiber_stack_bytes: usize) {
    config.wasm_features(WasmFeatures::all().difference(FEATURES), false);
    config.wasm_features(FEATURES, true);
    config.shared_memory(false);
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.max_wasm_stack(or_default(wasm_stack_bytes, WASM_STACK_BYTES_DEFAULT));
    config.async_stack_size(or_default(fiber_stack_bytes, FIBER_STACK_BYTES_DEFAULT));
    // A trap is told by its code. Frames would need tables in every module and a stack walk on each proc_exit, and
    // registering unwind tables with the process costs more than the rest of a load.
    config.wasm_backtrace_max_frames(None);
    config.generate_address_map(false);
    config.native_unwind_info(false);
    config.memory_reservation(MEMORY_RESERVATION_BYTES);
    config.memory_guard_size(MEMORY_GUARD_BYTES);
    config.memory_may_move(false);
    match kind {
        // The host's memories come with their contents; the engine must not map anything over them.
        Kind::HotSet => config.memory_init_cow(false),
        Kind::PoolingDefault => {
            let mut pool = PoolingAllocationConfig::new();
            pool.total_core_instances(POOL_INSTANCES);
            pool.total_memories(POOL_INSTANCES);
            pool.total_tables(POOL_INSTANCES);
            pool.total_stacks(POOL_INSTANCES);
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        }
    };
}

/// An engine of `kind` with its own memories and stacks: what the compiler needs, and the tests.
pub fn new_engine(kind: Kind) -> Result<Engine> {
    let mut config = Config::new();
    configure(&mut config, kind, 0, 0);
    Engine::new(&config)
}

/// # Safety
/// `options` and what it points to must be valid for the call; the callbacks' environments for the engine's life.
unsafe fn new_engine_with(kind: u32, options: &tollgate_engine_options_t) -> Result<Engine> {
    let kind = Kind::from_c(kind)?;
    let mut config = Config::new();
    if let Some(host) = unsafe { options.host.as_ref() } {
        config.with_host_memory(Arc::new(*host));
        config.with_host_stack(Arc::new(*host));
    }
    configure(&mut config, kind, options.wasm_stack_bytes, options.fiber_stack_bytes);
    Engine::new(&config)
}

/// The engine inside a C handle.
pub fn engine_of(handle: &wasm_engine_t) -> &Engine {
    // wasm_engine_t is #[repr(C)] with the Engine as its only field, which is private.
    const { assert!(size_of::<wasm_engine_t>() == size_of::<Engine>()) };
    unsafe { &*std::ptr::from_ref(handle).cast::<Engine>() }
}

pub fn into_c_error(error: Error) -> *mut wasmtime_error_t {
    Box::into_raw(Box::new(wasmtime_error_t::from(error)))
}

/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tollgate_engine_new(
    kind: u32,
    options: &tollgate_engine_options_t,
    error: &mut *mut wasmtime_error_t,
) -> *mut wasm_engine_t {
    *error = std::ptr::null_mut();
    match unsafe { new_engine_with(kind, options) } {
        Ok(engine) => Box::into_raw(Box::new(engine)).cast(),
        Err(problem) => {
            *error = into_c_error(problem);
            std::ptr::null_mut()
        }
    }
}

struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
    fn finish(&self) -> u64 {
        0 // only the digest is read
    }
}

/// Version, configuration and CPU features in one word: equal fingerprints load each other's code.
pub fn fingerprint(engine: &Engine) -> String {
    let mut hasher = Sha256Hasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let digest: String = hasher.0.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("wasmtime-{WASMTIME_VERSION}-{digest}")
}

/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tollgate_engine_fingerprint(
    engine: &wasm_engine_t,
    out: &mut [c_char; FINGERPRINT_BYTES],
) {
    let text = fingerprint(engine_of(engine));
    out.fill(0);
    for (slot, byte) in out.iter_mut().take(FINGERPRINT_BYTES - 1).zip(text.bytes()) {
        *slot = byte as c_char;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_engine_can_be_made() {
        new_engine(Kind::HotSet).unwrap();
        new_engine(Kind::PoolingDefault).unwrap();
    }

    #[test]
    fn a_fiber_stack_smaller_than_the_guests_share_is_an_error_and_not_an_abort() {
        let options = tollgate_engine_options_t {
            host: std::ptr::null(),
            wasm_stack_bytes: 1 << 20,
            fiber_stack_bytes: 64 << 10,
        };
        let mut error = std::ptr::null_mut();
        let engine = unsafe { tollgate_engine_new(0, &options, &mut error) };
        assert!(engine.is_null());
        let error: Error = (*unsafe { Box::from_raw(error) }).into();
        assert!(error.to_string().contains("async_stack_size"), "{error}");
    }

    #[test]
    fn an_unknown_kind_is_an_error() {
        let options =
            tollgate_engine_options_t { host: std::ptr::null(), wasm_stack_bytes: 0, fiber_stack_bytes: 0 };
        let mut error = std::ptr::null_mut();
        assert!(unsafe { tollgate_engine_new(7, &options, &mut error) }.is_null());
        drop(unsafe { Box::from_raw(error) });
    }

    #[test]
    fn the_fingerprint_is_stable_names_the_version_and_tells_configurations_apart() {
        let first = fingerprint(&new_engine(Kind::HotSet).unwrap());
        assert_eq!(first, fingerprint(&new_engine(Kind::HotSet).unwrap()));
        assert!(first.starts_with(&format!("wasmtime-{WASMTIME_VERSION}-")), "{first}");
        assert!(first.len() < FINGERPRINT_BYTES);
        assert_ne!(first, fingerprint(&new_engine(Kind::PoolingDefault).unwrap()));
    }
}
