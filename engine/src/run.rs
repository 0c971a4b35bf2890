//! The entry points of `tollgate_run.h`: one request is one future that owns its Store, polled by hand.
//!
//! Why not the C API: it wraps each call into three boxes and each value into a tagged union, and it looks exports up
//! by name. Here a run is one boxed future, `_start` is called through an index found once per program, and host
//! functions get the engine's raw slots.
use std::ffi::{CStr, c_char, c_int, c_void};
use std::future::{Future, Ready, ready};
use std::mem::{MaybeUninit, size_of};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use wasmtime_c_api::wasmtime::{
    AsContext, Caller, Engine, Error, Extern, FuncType, InstancePre, Linker, Module, ModuleExport,
    ResourceLimiter, Result, Store, Trap, TypedFunc, UpdateDeadline, Val, ValRaw, ValType, bail, format_err,
};
use wasmtime_c_api::{wasm_engine_t, wasmtime_error_t, wasmtime_module_t};

use crate::config::{engine_of, into_c_error};

const WASI: &str = "wasi_snapshot_preview1";
const HOST_DONE: u8 = 0;
const HOST_WAIT: u8 = 2;

#[repr(C)]
pub struct tollgate_import {
    name: *const u8,
    name_length: usize,
    signature: *const u8,
    signature_length: usize,
    function: *const c_void,
    may_wait: bool,
}

pub type tollgate_host_call =
    unsafe extern "C" fn(host: *mut c_void, function: *const c_void, slots: *mut ValRaw) -> u8;

#[repr(C)]
pub struct tollgate_run_context {
    host: *mut c_void,
    memory_bytes_max: u64,
    table_elements_max: u64,
    growth_refused: bool,
}

/// The Store's data: where the run's context lies. Pinned by the caller until the Store is gone.
struct Data(*mut tollgate_run_context);
// SAFETY: a run never leaves the thread that made it; the engine's bounds ask for these all the same.
unsafe impl Send for Data {}
unsafe impl Sync for Data {}

impl Data {
    fn host(&self) -> *mut c_void {
        // SAFETY: the caller of tollgate_run_new keeps the context alive and in place until tollgate_run_delete.
        unsafe { (*self.0).host }
    }
}

impl ResourceLimiter for Data {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        // SAFETY: as in `host`.
        let context = unsafe { &mut *self.0 };
        let allowed = desired as u64 <= context.memory_bytes_max;
        context.growth_refused |= !allowed;
        Ok(allowed)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        // SAFETY: as in `host`.
        let context = unsafe { &mut *self.0 };
        let allowed = desired as u64 <= context.table_elements_max;
        context.growth_refused |= !allowed;
        Ok(allowed)
    }

    fn memory_grow_failed(&mut self, _error: Error) -> Result<()> {
        // SAFETY: as in `host`.
        unsafe { (*self.0).growth_refused = true };
        Ok(())
    }

    fn instances(&self) -> usize {
        1
    }
    fn memories(&self) -> usize {
        1
    }
    fn tables(&self) -> usize {
        64
    }
}

/// How a host function ends a run. Never shown: the host knows why it ended it.
#[derive(Debug)]
struct Ended;
impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ended by a host function")
    }
}
impl std::error::Error for Ended {}

// ------------------------------------------------------------------------------------------------ host functions

#[derive(Clone, Copy)]
struct HostFunction {
    call: tollgate_host_call,
    function: *const c_void,
}
// SAFETY: the function outlives the linker and is immutable.
unsafe impl Send for HostFunction {}
unsafe impl Sync for HostFunction {}

impl HostFunction {
    fn call(&self, host: *mut c_void, slots: *mut ValRaw) -> u8 {
        // SAFETY: `host` is the context's, alive while its guest runs; `slots` fits the signature it was defined with.
        unsafe { (self.call)(host, self.function, slots) }
    }
}

/// A host call that said "wait": Pending once, then asks again each time the run is resumed.
struct Waiting {
    function: HostFunction,
    host: *mut c_void,
    slots: [ValRaw; MAX_SLOTS],
    suspended: bool,
}
// SAFETY: as for Data.
unsafe impl Send for Waiting {}
const MAX_SLOTS: usize = 9; // path_open, the widest of preview 1

impl Future for Waiting {
    type Output = Result<ValRaw>;
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        if !std::mem::replace(&mut self.suspended, true) {
            return Poll::Pending;
        }
        let mut slots = self.slots;
        match self.function.call(self.host, slots.as_mut_ptr()) {
            HOST_DONE => Poll::Ready(Ok(slots[0])),
            HOST_WAIT => Poll::Pending,
            _ => Poll::Ready(Err(Ended.into())),
        }
    }
}

/// The usual answer of a preview 1 call, errno 0. Has no size, so that boxing it allocates nothing.
struct Success;
impl Future for Success {
    type Output = Result<i32>;
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(0))
    }
}

struct WaitingErrno(Waiting);
impl Future for WaitingErrno {
    type Output = Result<i32>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|done| done.map(|value| value.get_i32()))
    }
}

fn slots_of(arguments: &[ValRaw]) -> [ValRaw; MAX_SLOTS] {
    let mut slots = [ValRaw::i64(0); MAX_SLOTS];
    slots[..arguments.len()].copy_from_slice(arguments);
    slots
}

type Errno = Box<dyn Future<Output = Result<i32>> + Send>;

/// The first attempt of a call with i32 arguments that answers an errno, made before any future is.
fn attempt<const N: usize>(function: HostFunction, host: *mut c_void, arguments: [i32; N]) -> Errno {
    let arguments = arguments.map(ValRaw::i32);
    let mut slots = slots_of(&arguments);
    match function.call(host, slots.as_mut_ptr()) {
        HOST_DONE => match slots[0].get_i32() {
            0 => Box::new(Success),
            errno => Box::new(ready(Ok(errno))),
        },
        HOST_WAIT => {
            Box::new(WaitingErrno(Waiting { function, host, slots: slots_of(&arguments), suspended: false }))
        }
        _ => {
            let ended: Ready<Result<i32>> = ready(Err(Ended.into()));
            Box::new(ended)
        }
    }
}

fn parse_signature(engine: &Engine, signature: &str) -> Result<FuncType> {
    let value_type = |letter| match letter {
        'i' => Ok(ValType::I32),
        'I' => Ok(ValType::I64),
        _ => Err(format_err!("unknown letter `{letter}` in the signature `{signature}`")),
    };
    let Some((parameters, results)) = signature.split_once(':') else { bail!("no colon in `{signature}`") };
    if parameters.len() > MAX_SLOTS {
        bail!("too many parameters in `{signature}`");
    }
    let parameters = parameters.chars().map(value_type).collect::<Result<Vec<_>>>()?;
    let results = results.chars().map(value_type).collect::<Result<Vec<_>>>()?;
    Ok(FuncType::new(engine, parameters, results))
}

fn define(
    linker: &mut Linker<Data>,
    name: &str,
    signature: &str,
    may_wait: bool,
    function: HostFunction,
) -> Result<()> {
    if may_wait && signature == "iiii:i" {
        linker.func_wrap_async(WASI, name, move |caller, (a, b, c, d): (i32, i32, i32, i32)| {
            attempt(function, caller.data().host(), [a, b, c, d])
        })?;
        return Ok(());
    }
    if may_wait && signature == "ii:i" {
        linker.func_wrap_async(WASI, name, move |caller, (a, b): (i32, i32)| {
            attempt(function, caller.data().host(), [a, b])
        })?;
        return Ok(());
    }
    let ty = parse_signature(linker.engine(), signature)?;
    if may_wait {
        linker.func_new_async(WASI, name, ty, move |caller, parameters, results| {
            let host = caller.data().host();
            let arguments: Vec<ValRaw> = parameters
                .iter()
                .map(|value| match value {
                    Val::I64(value) => ValRaw::i64(*value),
                    other => ValRaw::i32(other.unwrap_i32()),
                })
                .collect();
            // The first poll makes the first attempt.
            let waiting = Waiting { function, host, slots: slots_of(&arguments), suspended: true };
            Box::new(async move {
                let value = waiting.await?;
                if let Some(result) = results.first_mut() {
                    *result = if matches!(result, Val::I64(_)) {
                        value.get_i64().into()
                    } else {
                        value.get_i32().into()
                    };
                }
                Ok(())
            })
        })?;
        return Ok(());
    }
    let call = move |caller: Caller<'_, Data>, slots: &mut [MaybeUninit<ValRaw>]| match function
        .call(caller.data().host(), slots.as_mut_ptr().cast())
    {
        HOST_DONE => Ok(()),
        HOST_WAIT => Err(format_err!("a host function waits although it was defined as one that does not")),
        _ => Err(Ended.into()),
    };
    // SAFETY: the function reads its parameters' slots and writes its result's, as the signature says.
    unsafe { linker.func_new_unchecked(WASI, name, ty, call)? };
    Ok(())
}

pub struct tollgate_linker(Linker<Data>);

fn give<T>(made: Result<T>, error: &mut *mut wasmtime_error_t) -> *mut T {
    match made {
        Ok(value) => Box::into_raw(Box::new(value)),
        Err(e) => {
            *error = into_c_error(e);
            std::ptr::null_mut()
        }
    }
}

/// # Safety
/// See tollgate_run.h.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tollgate_linker_new(
    engine: &wasm_engine_t,
    functions: *const tollgate_import,
    count: usize,
    call: tollgate_host_call,
    error: &mut *mut wasmtime_error_t,
) -> *mut tollgate_linker {
    let make = || {
        let mut linker = Linker::new(engine_of(engine));
        // SAFETY: the caller gives `count` functions whose names and signatures have the lengths told.
        for f in unsafe { std::slice::from_raw_parts(functions, count) } {
            let name = std::str::from_utf8(unsafe { std::slice::from_raw_parts(f.name, f.name_length) })?;
            let signature =
                std::str::from_utf8(unsafe { std::slice::from_raw_parts(f.signature, f.signature_length) })?;
            define(&mut linker, name, signature, f.may_wait, HostFunction { call, function: f.function })?;
        }
        Ok(tollgate_linker(linker))
    };
    give(make(), error)
}

#[unsafe(no_mangle)]
pub extern "C" fn tollgate_linker_delete(_linker: Option<Box<tollgate_linker>>) {}

// ------------------------------------------------------------------------------------------------------ programs

pub struct tollgate_program {
    pre: InstancePre<Data>,
    start: Option<ModuleExport>,
    entry: ModuleExport,
}

fn plain_function(module: &Module, name: &str) -> Result<ModuleExport> {
    let Some(export) = module.get_export_index(name) else { bail!("the module exports no `{name}`") };
    let ty = module.get_export(name).and_then(|export| export.func().cloned());
    match ty {
        Some(ty) if ty.params().len() == 0 && ty.results().len() == 0 => Ok(export),
        _ => bail!("`{name}` is not a function without parameters and results"),
    }
}

fn make_program(
    linker: &tollgate_linker,
    module: &Module,
    entry: *const c_char,
    start: *const c_char,
) -> Result<tollgate_program> {
    // SAFETY: the caller gives C strings.
    let (entry, start) = unsafe { (CStr::from_ptr(entry).to_str()?, CStr::from_ptr(start).to_str()?) };
    Ok(tollgate_program {
        pre: linker.0.instantiate_pre(module)?,
        start: if start.is_empty() { None } else { Some(plain_function(module, start)?) },
        entry: plain_function(module, entry)?,
    })
}

/// # Safety
/// See tollgate_run.h.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tollgate_program_new(
    linker: &tollgate_linker,
    module: &wasmtime_module_t,
    entry: *const c_char,
    start: *const c_char,
    error: &mut *mut wasmtime_error_t,
) -> *mut tollgate_program {
    // SAFETY: wasmtime_module_t has one field of this type.
    let module: &Module = unsafe { &*(module as *const wasmtime_module_t).cast() };
    give(make_program(linker, module, entry, start), error)
}

#[unsafe(no_mangle)]
pub extern "C" fn tollgate_program_delete(_program: Option<Box<tollgate_program>>) {}

// ---------------------------------------------------------------------------------------------------------- runs

/// Gives the Store back when the guest has ended, so that its end and the teardown can be told apart.
type Activation = Pin<Box<dyn Future<Output = (Store<Data>, Result<()>)>>>;

enum Stage {
    Running(Activation),
    Ended { _store: Store<Data> },
    Gone,
}

#[repr(C)]
pub struct tollgate_run(MaybeUninit<Stage>);
const _: () = assert!(size_of::<tollgate_run>() <= 3 * size_of::<*mut ()>());

const SUSPENDED: c_int = 0;
const RETURNED: c_int = 1;
const ENDED: c_int = 2;
const TRAPPED: c_int = 3;
const FAILED: c_int = 4;

/// Gives control back to whoever polls, once: between making the instance and entering the guest.
struct Pause(bool);
impl Future for Pause {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

fn function(store: &mut Store<Data>, found: Option<Extern>) -> Result<TypedFunc<(), ()>> {
    match found {
        // SAFETY: `plain_function` checked the type when the program was made.
        Some(Extern::Func(function)) => Ok(unsafe { TypedFunc::new_unchecked(store.as_context(), function) }),
        _ => bail!("an export is gone"),
    }
}

/// A slice ends at the tick after the one it began in; the rest of the deadline's meaning is the host's.
const SLICE_TICKS: u64 = 1;

async fn activate(program: &'static tollgate_program, data: Data) -> (Store<Data>, Result<()>) {
    let mut store = Store::new(program.pre.module().engine(), data);
    store.limiter(|data| data);
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(SLICE_TICKS)));
    let result = call(program, &mut store).await;
    (store, result)
}

async fn call(program: &'static tollgate_program, store: &mut Store<Data>) -> Result<()> {
    store.set_epoch_deadline(SLICE_TICKS);
    let instance = program.pre.instantiate_async(&mut *store).await?;
    Pause(false).await;
    store.set_epoch_deadline(SLICE_TICKS);
    if let Some(start) = &program.start {
        let found = instance.get_module_export(&mut *store, start);
        function(store, found)?.call_async(&mut *store, ()).await?;
    }
    let found = instance.get_module_export(&mut *store, &program.entry);
    function(store, found)?.call_async(&mut *store, ()).await
}

fn poll(stage: &mut Stage, error: &mut *mut wasmtime_error_t) -> c_int {
    let Stage::Running(future) = stage else { return FAILED };
    let Poll::Ready((store, result)) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        return SUSPENDED;
    };
    *stage = Stage::Ended { _store: store };
    let Err(e) = result else { return RETURNED };
    if e.is::<Ended>() {
        return ENDED;
    }
    let state = if e.is::<Trap>() { TRAPPED } else { FAILED };
    *error = into_c_error(e);
    state
}

/// # Safety
/// See tollgate_run.h: the program outlives the run, the context stays in place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tollgate_run_new(
    program: *const tollgate_program,
    context: *mut tollgate_run_context,
    run: &mut tollgate_run,
    error: &mut *mut wasmtime_error_t,
) -> c_int {
    // SAFETY: the program outlives the run.
    let program: &'static tollgate_program = unsafe { &*program };
    let activation: Activation = Box::pin(activate(program, Data(context)));
    poll(run.0.write(Stage::Running(activation)), error)
}

/// # Safety
/// See tollgate_run.h: made by tollgate_run_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tollgate_run_resume(
    run: &mut tollgate_run,
    error: &mut *mut wasmtime_error_t,
) -> c_int {
    // SAFETY: tollgate_run_new has written it.
    poll(unsafe { run.0.assume_init_mut() }, error)
}

/// # Safety
/// See tollgate_run.h: made by tollgate_run_new, deleted once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tollgate_run_delete(run: &mut tollgate_run) {
    // SAFETY: tollgate_run_new has written it.
    *unsafe { run.0.assume_init_mut() } = Stage::Gone;
}
