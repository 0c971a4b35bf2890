//! What guests may import, as `tollgate_run.h` tells: functions of the host, defined once per engine in a linker.
//!
//! Those that never wait are the engine's unchecked calls on raw slots. Those that may are its async functions; the
//! usual case, an answer at the first attempt, allocates nothing of ours.
use std::ffi::c_void;
use std::future::{Future, Ready, ready};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use wasmtime_c_api::wasmtime::{
    Caller, Engine, FuncType, Linker, Result, Val, ValRaw, ValType, bail, format_err,
};
use wasmtime_c_api::{wasm_engine_t, wasmtime_error_t};

use crate::config::{engine_of, into_c_error};
use crate::run::Data;

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
    waits: u32,
}

const WAITS_FOR_STREAMS: u32 = 1;
const WAITS_ALWAYS: u32 = 2;

pub type tollgate_host_call =
    unsafe extern "C" fn(host: *mut c_void, function: *const c_void, slots: *mut ValRaw) -> u8;

/// How a host function ends a run. Never shown: the host knows why it ended it.
#[derive(Debug)]
pub(crate) struct Ended;
impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ended by a host function")
    }
}
impl std::error::Error for Ended {}

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

/// A function that may wait costs the engine's asynchronous call even if it does not. So there are two sets: one for
/// runs whose streams may make fd_read and fd_write wait, and one for those whose streams are all there.
pub struct tollgate_linkers {
    pub(crate) waiting: Linker<Data>,
    pub(crate) at_hand: Linker<Data>,
}

pub(crate) fn give<T>(made: Result<T>, error: &mut *mut wasmtime_error_t) -> *mut T {
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
pub unsafe extern "C" fn tollgate_linkers_new(
    engine: &wasm_engine_t,
    functions: *const tollgate_import,
    count: usize,
    call: tollgate_host_call,
    error: &mut *mut wasmtime_error_t,
) -> *mut tollgate_linkers {
    let make = || {
        let engine = engine_of(engine);
        let mut made = tollgate_linkers { waiting: Linker::new(engine), at_hand: Linker::new(engine) };
        // SAFETY: the caller gives `count` functions whose names and signatures have the lengths told.
        for f in unsafe { std::slice::from_raw_parts(functions, count) } {
            let name = std::str::from_utf8(unsafe { std::slice::from_raw_parts(f.name, f.name_length) })?;
            let signature =
                std::str::from_utf8(unsafe { std::slice::from_raw_parts(f.signature, f.signature_length) })?;
            let function = HostFunction { call, function: f.function };
            define(&mut made.waiting, name, signature, f.waits >= WAITS_FOR_STREAMS, function)?;
            define(&mut made.at_hand, name, signature, f.waits >= WAITS_ALWAYS, function)?;
        }
        Ok(made)
    };
    give(make(), error)
}

#[unsafe(no_mangle)]
pub extern "C" fn tollgate_linkers_delete(_linkers: Option<Box<tollgate_linkers>>) {}
