//! The entry points of `tollgate_run.h`: one request is one future that owns its Store, polled by hand.
//!
//! Why not the C API: it wraps each call into three boxes and each value into a tagged union, and it looks exports up
//! by name. Here a run is one boxed future: the rewrite made the guest's entry point the module's start function, so
//! instantiating enters the guest, on a fiber; and host functions get the engine's raw slots.
use std::ffi::{c_int, c_void};
use std::future::Future;
use std::mem::{MaybeUninit, size_of};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use wasmtime_c_api::wasmtime::{
    Error, InstancePre, Module, ResourceLimiter, Result, Store, Trap, UpdateDeadline,
};
use wasmtime_c_api::{wasmtime_error_t, wasmtime_module_t};

use crate::config::into_c_error;
use crate::host_functions::{Ended, give, tollgate_linkers};
use crate::rewrite::TABLES_MAX;

#[repr(C)]
pub struct tollgate_run_context {
    host: *mut c_void,
    memory_bytes_max: u64,
    table_elements_max: u64,
    growth_refused: bool,
    streams_at_hand: bool,
}

/// The Store's data: where the run's context lies. Pinned by the caller until the Store is gone.
pub(crate) struct Data(*mut tollgate_run_context);
// SAFETY: a run never leaves the thread that made it; the engine's bounds ask for these all the same.
unsafe impl Send for Data {}
unsafe impl Sync for Data {}

impl Data {
    pub(crate) fn host(&self) -> *mut c_void {
        // SAFETY: the caller of tollgate_run_begin keeps the context alive and in place until tollgate_run_delete.
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
        TABLES_MAX
    }
}

// ------------------------------------------------------------------------------------------------------ programs

/// The same module with its imports resolved twice: see tollgate_linkers.
pub struct tollgate_program {
    waiting: InstancePre<Data>,
    at_hand: InstancePre<Data>,
}

fn make_program(linkers: &tollgate_linkers, module: &Module) -> Result<tollgate_program> {
    Ok(tollgate_program {
        waiting: linkers.waiting.instantiate_pre(module)?,
        at_hand: linkers.at_hand.instantiate_pre(module)?,
    })
}

/// # Safety
/// See tollgate_run.h.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tollgate_program_new(
    linkers: &tollgate_linkers,
    module: &wasmtime_module_t,
    error: &mut *mut wasmtime_error_t,
) -> *mut tollgate_program {
    // SAFETY: wasmtime_module_t has one field of this type.
    let module: &Module = unsafe { &*(module as *const wasmtime_module_t).cast() };
    give(make_program(linkers, module), error)
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

/// A slice ends at the tick after the one it began in, but the first sees one tick more: few guests need a second, and
/// those that a tick happens to meet should not.
const FIRST_SLICE_TICKS: u64 = 2;
const SLICE_TICKS: u64 = 1;

async fn activate(program: &'static InstancePre<Data>, data: Data) -> (Store<Data>, Result<()>) {
    let mut store = Store::new(program.module().engine(), data);
    store.limiter(|data| data);
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(SLICE_TICKS)));
    store.set_epoch_deadline(FIRST_SLICE_TICKS);
    let result = program.instantiate_async(&mut store).await;
    (store, result.map(|_instance| ()))
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
pub unsafe extern "C" fn tollgate_run_begin(
    program: *const tollgate_program,
    context: *mut tollgate_run_context,
    run: &mut tollgate_run,
    error: &mut *mut wasmtime_error_t,
) -> c_int {
    // SAFETY: the program outlives the run.
    let program: &'static tollgate_program = unsafe { &*program };
    // SAFETY: the caller gives a context that lives.
    let pre = if unsafe { (*context).streams_at_hand } { &program.at_hand } else { &program.waiting };
    let activation: Activation = Box::pin(activate(pre, Data(context)));
    poll(run.0.write(Stage::Running(activation)), error)
}

/// # Safety
/// See tollgate_run.h: made by tollgate_run_begin.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tollgate_run_resume(
    run: &mut tollgate_run,
    error: &mut *mut wasmtime_error_t,
) -> c_int {
    // SAFETY: tollgate_run_begin has written it.
    poll(unsafe { run.0.assume_init_mut() }, error)
}

/// # Safety
/// See tollgate_run.h: made by tollgate_run_begin, deleted once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tollgate_run_delete(run: &mut tollgate_run) {
    // SAFETY: tollgate_run_begin has written it.
    *unsafe { run.0.assume_init_mut() } = Stage::Gone;
}
