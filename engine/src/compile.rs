//! Module in, machine code and image out; and machine code back in from a descriptor.
use std::ffi::c_char;
use std::fs::File;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use wasmtime_c_api::wasmtime::{Engine, Error, Module, Result, format_err};
use wasmtime_c_api::{wasm_engine_t, wasmtime_error_t, wasmtime_module_t};

use crate::config::{engine_of, into_c_error};
use crate::rewrite::{Entry, HostFunctions, Refusal, Rewritten, Run, rewrite};

#[repr(C)]
pub struct tollgate_host_function_t {
    pub name: *const c_char,
    pub name_bytes: usize,
    pub signature: *const c_char,
    pub signature_bytes: usize,
}

#[repr(C)]
pub struct tollgate_compile_input_t {
    pub wasm: *const u8,
    pub wasm_bytes: usize,
    pub functions: *const tollgate_host_function_t,
    pub functions_count: usize,
    pub memory_bytes_max: u64,
}

#[repr(C)]
pub struct tollgate_image_run_t {
    pub offset: u64,
    pub bytes: *const u8,
    pub length: usize,
}

#[repr(C)]
pub struct tollgate_compiled_facts_t {
    pub code: *const u8,
    pub code_bytes: usize,
    pub image_runs: *const tollgate_image_run_t,
    pub image_runs_count: usize,
    pub memory_pages_min: u64,
    pub memory_pages_max: u64,
    pub entry: *const c_char,
}

pub struct tollgate_compiled_t {
    code: Vec<u8>,
    _runs: Vec<Run>, // what `run_views` points into
    run_views: Vec<tollgate_image_run_t>,
    entry: Entry,
    memory_pages_min: u64,
    memory_pages_max: u64,
}

/// Rewrites and compiles. The error is a sentence to follow the module's name and a colon.
pub fn compile(
    engine: &Engine,
    wasm: &[u8],
    functions: &HostFunctions,
    memory_bytes_max: u64,
) -> Result<tollgate_compiled_t> {
    let rewritten = rewrite(wasm, functions, memory_bytes_max).map_err(into_error)?;
    let code = engine
        .precompile_module(&rewritten.wasm)
        .map_err(|error| format_err!("could not be compiled: {error:#}"))?;
    Ok(tollgate_compiled_t::new(code, rewritten))
}

fn into_error(Refusal(sentence): Refusal) -> Error {
    Error::msg(sentence)
}

impl tollgate_compiled_t {
    fn new(code: Vec<u8>, rewritten: Rewritten) -> tollgate_compiled_t {
        let Rewritten { image, entry, memory_pages_min, memory_pages_max, .. } = rewritten;
        let runs = image.runs();
        let view = |run: &Run| tollgate_image_run_t {
            offset: run.offset,
            bytes: run.bytes.as_ptr(),
            length: run.bytes.len(),
        };
        let run_views = runs.iter().map(view).collect();
        tollgate_compiled_t {
            code,
            _runs: runs,
            run_views,
            entry,
            memory_pages_min,
            memory_pages_max,
        }
    }
}

/// # Safety
/// `bytes` is valid for `length` bytes, or `length` is 0.
unsafe fn slice<'a, T>(bytes: *const T, length: usize) -> &'a [T] {
    if length == 0 { &[] } else { unsafe { std::slice::from_raw_parts(bytes, length) } }
}

/// # Safety
/// As [`slice`].
unsafe fn text<'a>(bytes: *const c_char, length: usize) -> Result<&'a str> {
    std::str::from_utf8(unsafe { slice(bytes.cast::<u8>(), length) })
        .map_err(|_| Error::msg("a host function's name or signature is not UTF-8"))
}

/// # Safety
/// As the header says of `tollgate_engine_compile`.
unsafe fn host_functions(input: &tollgate_compile_input_t) -> Result<HostFunctions> {
    let mut functions = HostFunctions::default();
    for function in unsafe { slice(input.functions, input.functions_count) } {
        let name = unsafe { text(function.name, function.name_bytes) }?;
        functions.add(name, unsafe { text(function.signature, function.signature_bytes) }?);
    }
    Ok(functions)
}

/// # Safety
/// As the header says of `tollgate_engine_compile`.
unsafe fn compile_input(
    engine: &wasm_engine_t,
    input: &tollgate_compile_input_t,
) -> Result<tollgate_compiled_t> {
    let functions = unsafe { host_functions(input) }?;
    let wasm = unsafe { slice(input.wasm, input.wasm_bytes) };
    compile(engine_of(engine), wasm, &functions, input.memory_bytes_max)
}

/// # Safety
/// As the header says of `tollgate_engine_compile`.
unsafe fn rewrite_input(input: &tollgate_compile_input_t) -> Result<tollgate_compiled_t> {
    let functions = unsafe { host_functions(input) }?;
    let wasm = unsafe { slice(input.wasm, input.wasm_bytes) };
    let mut rewritten = rewrite(wasm, &functions, input.memory_bytes_max).map_err(into_error)?;
    let module = std::mem::take(&mut rewritten.wasm);
    Ok(tollgate_compiled_t::new(module, rewritten))
}

fn hand_out(
    result: Result<tollgate_compiled_t>,
    out: &mut *mut tollgate_compiled_t,
) -> *mut wasmtime_error_t {
    match result {
        Ok(compiled) => {
            *out = Box::into_raw(Box::new(compiled));
            std::ptr::null_mut()
        }
        Err(error) => {
            *out = std::ptr::null_mut();
            into_c_error(error)
        }
    }
}

/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tollgate_rewrite(
    input: &tollgate_compile_input_t,
    out: &mut *mut tollgate_compiled_t,
) -> *mut wasmtime_error_t {
    hand_out(unsafe { rewrite_input(input) }, out)
}

/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tollgate_engine_compile(
    engine: &wasm_engine_t,
    input: &tollgate_compile_input_t,
    out: &mut *mut tollgate_compiled_t,
) -> *mut wasmtime_error_t {
    hand_out(unsafe { compile_input(engine, input) }, out)
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn tollgate_compiled_facts(
    compiled: &tollgate_compiled_t,
    out: &mut tollgate_compiled_facts_t,
) {
    let entry = match compiled.entry {
        Entry::Command => c"_start",
        Entry::Reactor => c"_initialize",
    };
    debug_assert_eq!(entry.to_bytes(), compiled.entry.export().as_bytes());
    *out = tollgate_compiled_facts_t {
        code: compiled.code.as_ptr(),
        code_bytes: compiled.code.len(),
        image_runs: compiled.run_views.as_ptr(),
        image_runs_count: compiled.run_views.len(),
        memory_pages_min: compiled.memory_pages_min,
        memory_pages_max: compiled.memory_pages_max,
        entry: entry.as_ptr(),
    };
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn tollgate_compiled_delete(compiled: Option<Box<tollgate_compiled_t>>) {
    drop(compiled);
}

/// Maps code that an engine of the same fingerprint compiled; anything else is an error.
///
/// # Safety
/// The file is what `compile` made, unchanged now and for the module's life: forged code is code execution.
pub unsafe fn load(engine: &Engine, code: OwnedFd) -> Result<Module> {
    unsafe { Module::deserialize_open_file(engine, File::from(code)) }
}

/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tollgate_engine_load(
    engine: &wasm_engine_t,
    code_fd: RawFd,
    out: &mut *mut wasmtime_module_t,
) -> *mut wasmtime_error_t {
    *out = std::ptr::null_mut();
    match unsafe { load(engine_of(engine), OwnedFd::from_raw_fd(code_fd)) } {
        Ok(module) => {
            // wasmtime_module_t has the Module as its only field, which is private.
            const { assert!(size_of::<wasmtime_module_t>() == size_of::<Module>()) };
            const { assert!(align_of::<wasmtime_module_t>() == align_of::<Module>()) };
            *out = Box::into_raw(Box::new(module)).cast();
            std::ptr::null_mut()
        }
        Err(error) => into_c_error(error),
    }
}
